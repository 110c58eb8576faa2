"""``qas-benchmark``: missing cells alone are played, one at a time, and none that fails ends the others."""

from __future__ import annotations

import dataclasses
import gc
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors import SafetensorError

from qas_agents import SimulatedAnnealing
from qas_experiments.benchmarking import cells as cells_module
from qas_experiments.benchmarking.cells import Cell, benchmark, cells_of, play, play_all
from qas_experiments.benchmarking.records import Records
from qas_experiments.building import make_environment
from tests.experiments.conftest import SMALL, call, composed, conf


def test_only_missing_cells_are_played(played: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = [record.hash for record in Records(played / "records.sqlite")]
    assert len(before) == 2
    benchmark(composed(played, *SMALL))
    shown = capsys.readouterr().out
    assert "2 cells, 2 recorded" in shown and "annealing" in shown and "quick: TFIM-3" in shown
    assert [record.hash for record in Records(played / "records.sqlite")] == before


def test_other_settings_are_other_cells(played: Path, tmp_path: Path) -> None:
    """A finished run must not pass for one with more evaluations or another agent."""
    cell = cells_of(composed(played, *SMALL))[0]
    records = Records(played / "records.sqlite")
    settings = dataclasses.asdict(cell.settings)
    assert records.has("quick", "H2-4", "annealing", 0, settings)
    assert records.has("quick", "H2-4", "annealing", 0, {**settings, "run": "elsewhere"})
    assert not records.has("quick", "H2-4", "annealing", 0, {**settings, "agent": {"name": "annealing", "cycle": 9}})
    shutil.copytree(played / "cells", tmp_path / "cells")
    other = cells_of(composed(tmp_path, *SMALL, "agent.cycle=9", "suite.max_evaluations=200"))[0]
    record = play(other).record
    assert record is not None and 200 <= record.figures["evaluations"] < 400
    assert record.settings["agent"]["cycle"] == 9


def test_a_finished_cell_leaves_no_agent_behind(tmp_path: Path) -> None:
    """Agents and environments are in cycles: 11 cells of ``dqn_guided`` in one process once kept 17 GB."""
    gc.collect()
    gc.disable()
    try:
        assert play(cells_of(composed(tmp_path, *SMALL))[0]).record is not None
        assert not any(type(each) is SimulatedAnnealing for each in gc.get_objects())
    finally:
        gc.enable()


def test_finished_runs_are_recorded_without_playing_them_again(played: Path, tmp_path: Path) -> None:
    """As after a full disk: the run is there, its record is not."""
    settings = composed(played, *SMALL)
    settings.records = str(tmp_path / "new.sqlite")
    runs = {path: path.stat().st_mtime_ns for path in (played / "cells").rglob("summary.json")}
    benchmark(settings)
    assert {path: path.stat().st_mtime_ns for path in (played / "cells").rglob("summary.json")} == runs
    assert len(list(Records(tmp_path / "new.sqlite"))) == 2


@pytest.mark.slow  # python -m pytest tests/experiments/benchmark/test_benchmark.py -m slow
def test_several_workers_find_the_same(played: Path, tmp_path: Path) -> None:
    cells = cells_of(composed(tmp_path, *SMALL, "workers=2"))
    outcomes = {cell.instance: outcome.record for cell, outcome in play_all(cells, 2)}
    for known in Records(played / "records.sqlite"):
        found = outcomes[known.instance]
        assert found is not None and found.circuits["best"]["qasm"] == known.circuits["best"]["qasm"]


def test_a_cell_is_played_by_one_at_a_time(tmp_path: Path) -> None:
    cell = cells_of(composed(tmp_path, *SMALL))[0]
    lock = Path(f"{cell.settings.run}.lock")
    lock.parent.mkdir(parents=True)
    code = f"""
import sys, time, filelock
with filelock.FileLock({str(lock)!r}):
    print("mine", flush=True)
    time.sleep(600)
"""
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert other.stdout is not None and other.stdout.readline() == b"mine\n"
    assert "another process is playing it" in play(cell).problem
    assert not Path(str(cell.settings.run)).exists()
    other.kill()
    other.communicate()
    assert play(cell).record is not None, "who locked it is gone"


@pytest.mark.slow  # python -m pytest tests/experiments/benchmark/test_benchmark.py -m slow
def test_two_processes_on_one_folder_record_every_cell(tmp_path: Path) -> None:
    """The second leaves the cell that the first is playing to it, plays the other, waits, and both end with 0."""
    cells = cells_of(composed(tmp_path, *SMALL))
    lock = Path(f"{cells[0].settings.run}.lock")
    lock.parent.mkdir(parents=True)
    code = f"""
import time
from pathlib import Path
from filelock import FileLock
from qas_experiments.benchmarking import cells
from tests.experiments.conftest import SMALL, composed

cell = cells.cells_of(composed(Path({str(tmp_path)!r}), *SMALL))[0]
with FileLock({str(lock)!r}):
    print("mine", flush=True)
    while not Path({str(tmp_path / "other")!r}).exists():
        time.sleep(0.02)
outcome = cells.play(cell, waits=True)
cells.Records(Path({str(tmp_path / "records.sqlite")!r})).add(outcome.record, outcome.hamiltonian)
"""
    first = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert first.stdout is not None and first.stdout.readline() == b"mine\n"
    shown: list[str] = []

    def play_and_tell(cell: Cell, waits: bool = False) -> cells_module.Outcome:
        if waits:
            (tmp_path / "other").touch()  # the first may go on
        outcome = play(cell, waits)
        shown.append(f"{cell.instance}, {waits}: {outcome.is_busy}")
        return outcome

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cells_module, "play", play_and_tell)
        benchmark(composed(tmp_path, *SMALL))
    assert first.wait() == 0
    first.stdout.close()
    assert shown[:2] == ["H2-4, False: True", "TFIM-3, False: False"]
    assert [record.instance for record in Records(tmp_path / "records.sqlite")] in (
        ["H2-4", "TFIM-3"],
        ["TFIM-3", "H2-4"],
    )


_FULL_DISK_OF_CELLS = """
import resource, sys
from qas_experiments.commands.launch import benchmark
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))
benchmark()
"""


@pytest.mark.slow
def test_a_full_disk_ends_no_benchmark(tmp_path: Path) -> None:
    """No file may have more than 30 kB, and a policy has more: both cells are named with their folder, none is lost."""
    arguments = ["suite=quick", "agent=dqn", "instances=[TFIM-3]", "seeds=[0,1]", "suite.total_timesteps=60"]
    command_line = [sys.executable, "-c", _FULL_DISK_OF_CELLS, *arguments, f"folder={tmp_path}"]
    command_line.append(f"records={tmp_path / 'r.sqlite'}")
    ended = subprocess.run(command_line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 2 and "Traceback" not in ended.stderr
    assert ended.stderr == "error: 2 of 2 cells have no record; the lines above say why.\n"
    for number, seed in ((1, 0), (2, 1)):
        assert (
            f"{number}/2 TFIM-3, dqn, seed {seed}: failed in {tmp_path}/quick/dqn/TFIM-3/seed-{seed}-" in ended.stdout
        )


def test_records_that_cannot_be_written_end_no_benchmark(
    played: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.sqlite").mkdir()
    settings = composed(played, *SMALL)
    settings.records = str(tmp_path / "r.sqlite" / "x" / "y.sqlite")
    (tmp_path / "r.sqlite" / "x").write_text("a file where a folder should be")
    with pytest.raises(ValueError, match="2 of 2 cells have no record"):
        benchmark(settings)
    assert capsys.readouterr().out.count("not recorded: ") == 2


def test_one_cell_that_fails_does_not_stop_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = "+suite.instances.bad={env: {id: QAS-TFIM-v0, problem: {num_qubits: 1}}}"
    settings = composed(tmp_path, *SMALL, bad, "instances=[bad,TFIM-3]")
    with pytest.raises(ValueError, match="1 of 2 cells have no record"):
        benchmark(settings)
    assert "bad, annealing, seed 0: failed in " in (shown := capsys.readouterr().out)
    assert "Argument `num_qubits` must lie in 2..60" in shown
    assert [record.instance for record in Records(tmp_path / "records.sqlite")] == ["TFIM-3"]


def test_an_interrupted_cell_ends_everything_and_goes_on_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = cells_of(composed(tmp_path, *SMALL))
    monkeypatch.setattr(cells_module, "train", lambda settings: {"interrupted": True})
    outcomes = [outcome for _, outcome in play_all(cells, 1)]
    assert len(outcomes) == 1 and outcomes[0].is_interrupted and outcomes[0].record is None


OUTSIDE = '''
import numpy as np

class Mine:
    """Random legal actions, in a few lines."""

    def __init__(self, env, seed, share=1.0):
        self.env, self.rng, self.num_timesteps = env, np.random.default_rng(seed), 0

    def learn(self, total_timesteps, callback=None):
        _, info = self.env.reset(seed=int(self.rng.integers(2**31)))
        for _ in range(total_timesteps):
            action = self.rng.choice(np.flatnonzero(info["action_mask"]))
            _, reward, terminated, truncated, info = self.env.step(action)
            over = terminated or truncated
            self.num_timesteps += 1
            if not callback({"self": self, "infos": [info], "rewards": [reward], "dones": [over]}, {}):
                break
            if over:
                _, info = self.env.reset()
        return self
'''


def test_agents_from_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "my_agents.py").write_text(OUTSIDE)
    arguments = [*SMALL[2:], "agent=my_agents:Mine", "+agent.settings.share=0.5", "folder=cells", "records=r.sqlite"]
    ran = call("benchmark", *arguments, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert {(record.agent, record.instance) for record in Records(tmp_path / "r.sqlite")} == {
        ("Mine", "H2-4"),
        ("Mine", "TFIM-3"),
    }
    record = next(iter(Records(tmp_path / "r.sqlite")))
    again = shlex.split(record.command)
    assert "agent.target='my_agents:Mine'" in again and 'instances=["H2-4"]' in again and "seeds=[0]" in again


_QUICK_SUITES = ("clifford", "families", "quick", "unitaries", "xxz_chains")  # one for each kind of problem


@pytest.mark.parametrize(  # all: python -m pytest tests/experiments/benchmark/test_benchmark.py -m "slow or not slow"
    "suite", [name if name in _QUICK_SUITES else pytest.param(name, marks=pytest.mark.slow) for name in conf("suite")]
)
def test_every_suite_can_be_built(suite: str, tmp_path: Path) -> None:
    """Every instance has settings, and the first can be built; below, all are."""
    cells = [cell for cell in cells_of(composed(tmp_path, f"suite={suite}", "agent=random")) if cell.seed == 0]
    assert {cell.suite for cell in cells} == {suite}
    assert make_environment(cells[0].settings, is_silent=True).problem.num_qubits >= 1


@pytest.mark.slow  # python -m pytest tests/experiments/benchmark/test_benchmark.py -m slow
@pytest.mark.parametrize("suite", conf("suite"))
def test_every_instance_can_be_built(suite: str, tmp_path: Path) -> None:
    cells = cells_of(composed(tmp_path, f"suite={suite}", "agent=random"))
    for cell in [cell for cell in cells if cell.seed == 0]:
        most = 14 if suite == "large" else 10
        assert make_environment(cell.settings, is_silent=True).problem.num_qubits <= most


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["instances=[H2-5]"], "Unknown instance of suite 'quick' 'H2-5'.*Did you mean 'H2-4'"),
        (["seeds=[]"], "`seeds` must be nonnegative numbers"),
        (["workers=0"], "`workers` must be at least 1"),
        (["+suite.instances.bad={env: {idd: 3}}", "instances=[bad]"], "`instance 'bad'` must hold valid overrides"),
    ],
)
def test_wrong_settings_are_named(overrides: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        cells_of(composed(tmp_path, "agent=random", *overrides))


def test_unknown_agents_from_outside(tmp_path: Path) -> None:
    settings = composed(tmp_path, "agent=external", "agent.target='os.path:nothing'", "instances=[TFIM-3]", "seeds=[0]")
    with pytest.raises(ValueError, match=r"`agent` must name a class or function as package\.module:Name"):
        benchmark(settings)


def test_a_full_disk_ends_a_cell_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    cell = cells_of(composed(tmp_path, *SMALL))[0]
    monkeypatch.setattr(cells_module, "train", full)
    assert play(cell).problem == f"failed in {cell.settings.run}: [Errno 28] No space left on device"


def test_whatever_a_library_raises_ends_a_cell_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> None:
        raise SafetensorError("Error while serializing:\nI/O error: No space left on device (os error 28)")

    cells = cells_of(composed(tmp_path, *SMALL))
    monkeypatch.setattr(cells_module, "train", full)
    problems = [outcome.problem for _, outcome in play_all(cells, 1)]
    reason = "Error while serializing: I/O error: No space left on device (os error 28)"
    assert problems == [f"failed in {cell.settings.run}: {reason}" for cell in cells]
    assert "SafetensorError" in Path(f"{cells[0].settings.run}.log").read_text(encoding="utf-8")

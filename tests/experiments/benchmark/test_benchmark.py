"""``qas-benchmark``: missing cells alone are played, records are true, nothing is merged silently."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from safetensors import SafetensorError

from qas_experiments.benchmark import cells as cells_module
from qas_experiments.benchmark.cells import Cell, benchmark, cells_of, merge, play, play_all
from qas_experiments.benchmark.judge import Judge
from qas_experiments.benchmark.recording import worth_keeping
from qas_experiments.benchmark.records import Record, Records, by_agent
from qas_experiments.benchmark.site.pages import write_site
from qas_experiments.benchmark.tables import (
    FOOTNOTE,
    across,
    across_texts,
    instance_table,
    is_ended_by_clock,
    suite_tables,
)
from qas_experiments.benchmark.verification import faults_of
from qas_experiments.building import make_environment
from tests.experiments.conftest import SMALL, composed, conf


@pytest.fixture
def record(played: Path) -> Record:
    return next(iter(Records(played / "records.sqlite")))


def changed(record: Record, circuit: str, **figures: Any) -> Record:
    circuits = {**record.circuits, circuit: {**record.circuits[circuit], **figures}}
    return dataclasses.replace(record, circuits=circuits)


# -- playing -----------------------------------------------------------------------------------------------------------


def test_only_missing_cells_are_played(played: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = [record.hash for record in Records(played / "records.sqlite")]
    assert len(before) == 2
    benchmark(composed(played, *SMALL))
    shown = capsys.readouterr().out
    assert "2 cells, 2 of them recorded" in shown and "annealing" in shown and "quick: TFIM-3" in shown
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


def test_settings_of_one_name_are_told_apart(record: Record) -> None:
    settings = {**record.settings, "agent": {"name": "annealing", "cycle": 9}}
    seeds = [dataclasses.replace(record, seed=seed, settings=with_seed(record.settings, seed)) for seed in (0, 1)]
    assert [*by_agent(seeds)] == ["annealing"]
    both = by_agent([*seeds, dataclasses.replace(record, settings=settings)])
    assert sorted(map(len, both.values())) == [1, 2] and all(name.startswith("annealing (") for name in both)


def with_seed(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    return {**settings, "training": {**settings["training"], "seed": seed}}


def test_finished_runs_are_recorded_without_playing_them_again(played: Path, tmp_path: Path) -> None:
    """As after a full disk: the run is there, its record is not."""
    settings = composed(played, *SMALL)
    settings.records = str(tmp_path / "new.sqlite")
    runs = {path: path.stat().st_mtime_ns for path in (played / "cells").rglob("summary.json")}
    benchmark(settings)
    assert {path: path.stat().st_mtime_ns for path in (played / "cells").rglob("summary.json")} == runs
    assert len(list(Records(tmp_path / "new.sqlite"))) == 2


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


def test_two_processes_on_one_folder_record_every_cell(tmp_path: Path) -> None:
    """The second leaves the cell that the first is playing to it, plays the other, waits, and both end with 0."""
    cells = cells_of(composed(tmp_path, *SMALL))
    lock = Path(f"{cells[0].settings.run}.lock")
    lock.parent.mkdir(parents=True)
    code = f"""
import time
from pathlib import Path
from filelock import FileLock
from qas_experiments.benchmark import cells
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
    assert "Argument `num_qubits` must lie in 2..20" in shown
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


def test_agents_from_outside(tmp_path: Path) -> None:
    (tmp_path / "my_agents.py").write_text(OUTSIDE)
    arguments = [*SMALL[2:], "agent=my_agents:Mine", "+agent.settings.share=0.5", "folder=cells", "records=r.sqlite"]
    ran = subprocess.run(
        [sys.executable, "-m", "qas_experiments.commands.benchmark", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert {(record.agent, record.instance) for record in Records(tmp_path / "r.sqlite")} == {
        ("Mine", "H2-4"),
        ("Mine", "TFIM-3"),
    }
    record = next(iter(Records(tmp_path / "r.sqlite")))
    again = shlex.split(record.command)
    assert "agent.target='my_agents:Mine'" in again and 'instances=["H2-4"]' in again and "seeds=[0]" in again


def test_every_instance_of_every_suite_can_be_built(tmp_path: Path) -> None:
    for suite in conf("suite"):
        cells = cells_of(composed(tmp_path, f"suite={suite}", "agent=random"))
        assert {cell.suite for cell in cells} == {suite}
        for cell in (cell for cell in cells if cell.seed == 0):
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
    with pytest.raises(ValueError, match=r"`agent` must name a class as package\.module:Class"):
        benchmark(settings)


# -- truth -------------------------------------------------------------------------------------------------------------


def test_records_are_true(played: Path) -> None:
    for record in Records(played / "records.sqlite"):
        assert faults_of(record) == []
        assert record.circuits["best"]["qasm"].startswith("OPENQASM 3")
        assert {"front 0", "best"} <= {*record.circuits}


def test_lies_are_found(record: Record) -> None:
    best = record.circuits["best"]
    for told, fault in (
        ({"energy": best["energy"] - 1e-3}, "by Qiskit"),
        ({"energy_error": best["energy_error"] - 1e-3}, "the ground energy is"),
        ({"two_qubit_gates": 0}, f"0 two_qubit_gates, but {best['two_qubit_gates']}"),
        ({"depth": 1}, "1 depth, but"),
        ({"qasm": best["qasm"].replace("ry", "foo")}, "OpenQASM"),
        ({"qasm": best["qasm"] + "swap q[0], q[1];\n"}, r"swap on (0, 1) is not offered"),
    ):
        faults = faults_of(changed(record, "best", **told))
        assert faults and fault in "; ".join(faults), (told, faults)


def test_figures_that_do_not_fit_are_found(record: Record) -> None:
    for change, fault in (
        ({"accuracy": 100.0}, "accuracy: 100.0, but 0.0016"),
        ({"ground_energy": 0.0}, "ground_energy: 0.0, but"),
        ({"evaluations": 3}, "evaluations: 3, but"),
        ({"first_solved": [10**9, 0.0]}, "firsts: not in the order"),
    ):
        faults = faults_of(dataclasses.replace(record, figures={**record.figures, **change}))
        assert len(faults) == 1 and fault in faults[0], (change, faults)
    assert faults_of(dataclasses.replace(record, circuits={})) == ["circuits: no best one"]
    small = {**record.settings, "env": {**record.settings["env"], "max_gates": 2}}
    assert any("are allowed" in fault for fault in faults_of(dataclasses.replace(record, settings=small)))


def test_wrong_instances_and_couplings_are_found(record: Record) -> None:
    assert "another Hamiltonian" in faults_of(dataclasses.replace(record, instance_hash="0" * 64))[0]
    for change in ({"couplings": [[0, 1], [0, 2], [0, 3]]}, {"gates": "ibm"}):
        other = {**record.settings, "env": {**record.settings["env"], **change}}
        assert any("is not offered" in fault for fault in faults_of(dataclasses.replace(record, settings=other)))
    unknown = {**record.settings, "env": {**record.settings["env"], "id": "QAS-He-v0"}}
    assert faults_of(dataclasses.replace(record, settings=unknown))[0].startswith("settings: ")


# -- records -----------------------------------------------------------------------------------------------------------


def test_a_rule_that_came_later_makes_no_other_cell(record: Record) -> None:
    before = {**record.settings, "env": {**record.settings["env"]}}
    assert before["env"].pop("vary") is None
    assert dataclasses.replace(record, settings=before).cell == record.cell
    other = {**record.settings, "env": {**record.settings["env"], "vary": {"field": [1.0, 1.0, 1.0]}}}
    assert dataclasses.replace(record, settings=other).cell != record.cell


def test_records_are_added_once_and_merged(record: Record, tmp_path: Path, judge: Judge) -> None:
    mine, theirs = Records(tmp_path / "mine.sqlite"), Records(tmp_path / "theirs.sqlite")
    assert mine.add(record) and not mine.add(record)
    other = dataclasses.replace(record, seed=7)
    assert theirs.add(record) and theirs.add(other)
    assert merge(mine, theirs.path, judge) == (1, [])
    assert [one.seed for one in mine] == [0, 7]
    assert merge(mine, theirs.path, judge) == (0, [])


def test_lies_are_not_merged(record: Record, tmp_path: Path, judge: Judge) -> None:
    mine, theirs = Records(tmp_path / "mine.sqlite"), Records(tmp_path / "theirs.sqlite")
    theirs.add(changed(record, "best", two_qubit_gates=0))
    theirs.add(dataclasses.replace(record, seed=3))
    added, left_out = merge(mine, theirs.path, judge)
    assert added == 1 and [one.seed for one in mine] == [3]
    assert len(left_out) == 1 and f"row 1 of records, {record.label}: best: 0 two_qubit_gates, but" in left_out[0]


def test_a_merge_that_leaves_records_out_ends_with_an_error(
    played: Path, record: Record, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Records(tmp_path / "theirs.sqlite").add(changed(record, "best", gates=0))
    settings = composed(played, *SMALL, f"merge={tmp_path / 'theirs.sqlite'}")
    with pytest.raises(ValueError, match=r"1 records of .*theirs.sqlite were left out"):
        benchmark(settings)
    shown = capsys.readouterr().out
    assert "left out: " in shown and "2 cells, 2 of them recorded" in shown


def test_contradictions_are_named_and_the_first_record_is_kept(record: Record, tmp_path: Path, judge: Judge) -> None:
    mine, theirs = Records(tmp_path / "mine.sqlite"), Records(tmp_path / "theirs.sqlite")
    mine.add(record)
    more = dataclasses.replace(record, figures={**record.figures, "episodes": record.figures["episodes"] + 1})
    theirs.add(dataclasses.replace(record, seed=3))
    theirs.add(more)
    added, left_out = merge(mine, theirs.path, judge)
    assert added == 1 and [one.seed for one in mine] == [0, 3] and next(iter(mine)).hash == record.hash
    assert len(left_out) == 1 and "another record of this cell differs: figures.episodes is" in left_out[0]
    with pytest.raises(
        ValueError, match=r"`record` must agree with the record of the same cell in .* .figures.episodes is"
    ):
        mine.add(more)


def test_changed_records_other_formats_and_foreign_files_are_named(
    record: Record, tmp_path: Path, judge: Judge
) -> None:
    records = Records(tmp_path / "r.sqlite")
    records.add(record)
    database = sqlite3.connect(records.path)
    content = json.loads(database.execute("SELECT content FROM records").fetchone()[0])
    content["circuits"]["best"]["energy"] -= 1.0
    database.execute("UPDATE records SET content = ?", (json.dumps(content),))
    database.commit()
    with pytest.raises(ValueError, match="`hash` must match the content of record"):
        list(records)
    database.execute("UPDATE records SET format = 2")
    database.commit()
    database.close()
    with pytest.raises(ValueError, match="`format` must be 1"):
        list(records)
    (tmp_path / "text").write_text("no database, but some words that are long enough to be read as one " * 20)
    with pytest.raises(ValueError, match="must be a readable file of records"):
        list(Records(tmp_path / "text"))
    with pytest.raises(ValueError, match="`merge` must name a file of records"):
        merge(records, tmp_path / "nowhere", judge)


def test_a_killed_writer_leaves_no_half_of_a_record(record: Record, tmp_path: Path) -> None:
    records = Records(tmp_path / "r.sqlite")
    records.add(record)
    code = f"""
import os, sqlite3
database = sqlite3.connect({str(records.path)!r})
database.execute("INSERT INTO records SELECT 'x', format, suite, instance, agent, 99, settings_hash, '{{' FROM records")
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    assert [one.hash for one in records] == [record.hash]
    assert records.add(dataclasses.replace(record, seed=1))


_FULL_DISK = """
import dataclasses, resource, sys
from pathlib import Path
from qas_experiments.benchmark.records import Records

records = Records(Path(sys.argv[1]))
first = next(iter(records))
resource.setrlimit(resource.RLIMIT_FSIZE, (records.path.stat().st_size + 60_000, resource.RLIM_INFINITY))
for seed in range(1, 1000):
    records.add(dataclasses.replace(first, seed=seed))
    print(seed, flush=True)
"""


def test_a_full_disk_is_named_and_loses_nothing(record: Record, tmp_path: Path) -> None:
    """The file may not grow by more than 60 kB: what was added before is there, what came after is not."""
    records = Records(tmp_path / "records.sqlite")
    records.add(record)
    arguments = [sys.executable, "-c", _FULL_DISK, str(records.path)]
    ended = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert ended.returncode != 0 and "`records` must be a readable file of records" in ended.stderr
    added = [int(line) for line in ended.stdout.split()]
    assert 0 < len(added) < 100
    assert [each.seed for each in records] == [record.seed, *added]
    assert records.add(dataclasses.replace(record, seed=added[-1] + 1)), "there is room again"


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


def test_all_instances_together(record: Record) -> None:
    """Two seeds of a better agent: one solves with fewer CNOT than the random policy, one does not solve."""

    def run(agent: str, seed: int, error: float, cnot: int, first: list[float] | None) -> Record:
        made = changed(record, "best", energy_error=error, two_qubit_gates=cnot)
        return dataclasses.replace(made, agent=agent, seed=seed, figures={**made.figures, "first_solved": first})

    runs = [run("mine", 0, 1e-4, 3, [900, 1.0]), run("mine", 1, 1e-2, 0, None)]
    runs += [run("random", seed, 1e-5, 8, [50_000, 9.0]) for seed in (0, 1)]
    rows = {row["agent"]: row for row in across(runs)}
    assert rows["mine"]["better"][0] == 0.5 and rows["random"]["better"] is None
    assert rows["mine"]["profile"] == [0.5] * 4 and rows["random"]["profile"] == [0.0, 0.0, 1.0, 1.0]
    assert across_texts(rows["random"])[1:3] == ["2", "-"]


def test_runs_that_the_clock_ended_are_marked(record: Record, tmp_path: Path) -> None:
    """In every table, with a footnote; a run that spent its evaluations or steps is none, however long it took."""
    training = {**record.settings["training"], "max_seconds": 10.0, "max_evaluations": 1000, "total_timesteps": 500}

    def run(seed: int, seconds: float, evaluations: int, steps: int = 9, **limits: float) -> Record:
        settings = {**record.settings, "training": {**training, "seed": seed, **limits}}
        figures = {**record.figures, "seconds": seconds, "evaluations": evaluations, "steps": steps}
        return dataclasses.replace(record, seed=seed, settings=settings, figures=figures)

    runs = [run(0, 10.2, 700), run(1, 10.0, 999), run(2, 10.2, 1000), run(3, 9.9, 10), run(4, 11.0, 10, steps=500)]
    runs.append(run(5, 1e6, 10, max_seconds=0.0))
    assert [is_ended_by_clock(each) for each in runs] == [True, True, False, False, False, False]
    other = dataclasses.replace(runs[2], agent="random")
    console = Console(width=250, record=True, file=io.StringIO())
    for table in suite_tables("quick", [*runs[:3], other]):
        console.print(table)
    shown = console.export_text()
    assert shown.count("annealing †2") == 2 and "random †" not in shown and shown.count(FOOTNOTE) == 2
    assert [row[0] for row in instance_table([*runs[:3], other])[1]] == ["annealing †2", "random"]
    write_site([*runs[:3], other], tmp_path, "Title", {})
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert page.count('"annealing †2"') == 2 and page.count('"clock": "†"') == 2 and page.count(FOOTNOTE) == 1
    assert not any(FOOTNOTE in str(table.caption) for table in suite_tables("quick", runs[2:3]))


def test_committed_records_that_the_clock_ended() -> None:
    """As counted by hand in the review of the leaderboard."""
    folder = Path(__file__).parents[3] / "experiments" / "results"
    records = [record for path in (folder / "leaderboard").glob("*.jsonl.xz") for record in Records(path)]
    assert len(records) == 1351 and sum(map(is_ended_by_clock, records)) == 92
    assert FOOTNOTE in (folder / "leaderboard.md").read_text("utf-8")


def test_cells_read_well() -> None:
    settings: Any = None
    assert str(Cell("quick", "H2-4", "dqn", 3, settings)) == "H2-4, dqn, seed 3"


def test_of_a_front_what_is_hardly_better_is_left_out() -> None:
    assert worth_keeping([0.1, 0.095, 0.05, 0.0499], 1e-3) == [0, 2]
    assert worth_keeping([1.05e-3, 0.99e-3, 0.98e-3], 1e-3) == [0, 1]  # the first that solves is kept
    assert worth_keeping([1e-11, 1e-14], 1e-3) == [0]
    assert worth_keeping([], 1e-3) == []

"""``qas-benchmark``: missing cells alone are played, records are true, nothing is merged silently."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qas_experiments.benchmark.command import Cell, benchmark, cells_of, locked, play, play_all
from qas_experiments.benchmark.records import Record, Records
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
    cell = cells_of(composed(played, *SMALL))[0]
    records = Records(played / "records.sqlite")
    settings = dataclasses.asdict(cell.settings)
    assert records.has("quick", "H2-4", "annealing", 0, settings)
    assert records.has("quick", "H2-4", "annealing", 0, {**settings, "run": "elsewhere"})
    assert not records.has("quick", "H2-4", "annealing", 0, {**settings, "agent": {"name": "annealing", "cycle": 9}})
    shutil.copytree(str(cell.settings.run), tmp_path / "begun")
    (tmp_path / "begun" / "summary.json").unlink()
    agent = {"name": "annealing", "cycle": 9}
    other = dataclasses.replace(
        cell, settings=dataclasses.replace(cell.settings, agent=agent, run=str(tmp_path / "begun"))
    )
    with pytest.raises(ValueError, match="must hold runs with the same agent"):
        play(other)


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
    outcomes = {cell.instance: outcome for cell, outcome in play_all(cells, 2)}
    for known in Records(played / "records.sqlite"):
        found = outcomes[known.instance]
        assert isinstance(found, Record)
        assert found.circuits["best"]["qasm"] == known.circuits["best"]["qasm"]


def test_a_cell_is_played_by_one_at_a_time(tmp_path: Path) -> None:
    cell = cells_of(composed(tmp_path, *SMALL))[0]
    lock = Path(f"{cell.settings.run}.lock")
    mine = tmp_path / "lock"
    with pytest.raises(BlockingIOError, match="is being played by process"), locked(mine), locked(mine):
        raise AssertionError
    lock.parent.mkdir(parents=True)
    lock.write_text(json.dumps({"machine": "another", "process": 1}))
    outcome = play(cell)
    assert isinstance(outcome, str) and "machine another" in outcome and not Path(str(cell.settings.run)).exists()
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    lock.write_text(json.dumps({"machine": socket.gethostname(), "process": process.pid}))
    assert isinstance(play(cell), Record), "who locked it is gone"
    assert not lock.exists()


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
        [sys.executable, "-m", "qas_experiments.benchmark.command", *arguments],
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


def test_every_instance_of_every_suite_can_be_built(tmp_path: Path) -> None:
    for suite in conf("suite"):
        cells = cells_of(composed(tmp_path, f"suite={suite}", "agent=random"))
        assert {cell.suite for cell in cells} == {suite}
        for cell in (cell for cell in cells if cell.seed == 0):
            assert make_environment(cell.settings, is_silent=True).problem.num_qubits <= 10


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["instances=[H2-5]"], "Unknown instance of suite 'quick' 'H2-5'.*Did you mean 'H2-4'"),
        (["seeds=[]"], "`seeds` must be numbers from 0 on"),
        (["workers=0"], "`workers` must be at least 1"),
        (["+suite.instances.bad={env: {idd: 3}}", "instances=[bad]"], "`instance 'bad'` must hold overrides that fit"),
    ],
)
def test_wrong_settings_are_named(overrides: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        cells_of(composed(tmp_path, "agent=random", *overrides))


def test_unknown_agents_from_outside(tmp_path: Path) -> None:
    settings = composed(tmp_path, "agent=external", "agent.target='os.path:nothing'", "instances=[TFIM-3]")
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


def test_wrong_instances_and_couplings_are_found(record: Record) -> None:
    assert "another Hamiltonian" in faults_of(dataclasses.replace(record, instance_hash="0" * 64))[0]
    for change in ({"couplings": [[0, 1], [0, 2], [0, 3]]}, {"gates": "ibm"}):
        other = {**record.settings, "env": {**record.settings["env"], **change}}
        assert any("is not offered" in fault for fault in faults_of(dataclasses.replace(record, settings=other)))
    unknown = {**record.settings, "env": {**record.settings["env"], "id": "QAS-He-v0"}}
    assert faults_of(dataclasses.replace(record, settings=unknown))[0].startswith("settings: ")


# -- records -----------------------------------------------------------------------------------------------------------


def test_records_are_added_once_and_merged(record: Record, tmp_path: Path) -> None:
    mine, theirs = Records(tmp_path / "mine.sqlite"), Records(tmp_path / "theirs.sqlite")
    assert mine.add(record) and not mine.add(record)
    other = dataclasses.replace(record, seed=7)
    assert theirs.add(record) and theirs.add(other)
    assert mine.merge(theirs.path) == 1
    assert [one.seed for one in mine] == [0, 7]
    assert mine.merge(theirs.path) == 0


def test_contradictions_are_not_merged(record: Record, tmp_path: Path) -> None:
    mine, theirs = Records(tmp_path / "mine.sqlite"), Records(tmp_path / "theirs.sqlite")
    mine.add(record)
    theirs.add(dataclasses.replace(record, seed=3))
    theirs.add(dataclasses.replace(record, machine="another"))
    with pytest.raises(ValueError, match="`record` must say the same of a cell"):
        mine.merge(theirs.path)
    assert [one.hash for one in mine] == [record.hash], "nothing was added"
    with pytest.raises(ValueError, match="`record` must be the only one of its cell"):
        mine.add(dataclasses.replace(record, machine="another"))


def test_changed_records_other_formats_and_foreign_files_are_named(record: Record, tmp_path: Path) -> None:
    records = Records(tmp_path / "r.sqlite")
    records.add(record)
    database = sqlite3.connect(records.path)
    content = json.loads(database.execute("SELECT content FROM records").fetchone()[0])
    content["circuits"]["best"]["energy"] -= 1.0
    database.execute("UPDATE records SET content = ?", (json.dumps(content),))
    database.commit()
    with pytest.raises(ValueError, match="`hash` must fit the content of record"):
        list(records)
    database.execute("UPDATE records SET format = 2")
    database.commit()
    database.close()
    with pytest.raises(ValueError, match="`format` must be 1"):
        list(records)
    (tmp_path / "text").write_text("no database, but some words that are long enough to be read as one " * 20)
    with pytest.raises(ValueError, match="must be a file of records that can be used"):
        list(Records(tmp_path / "text"))
    with pytest.raises(ValueError, match="must name a file of records"):
        records.merge(tmp_path / "nowhere")


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


def test_cells_read_well() -> None:
    settings: Any = None
    assert str(Cell("quick", "H2-4", "dqn", 3, settings)) == "H2-4, dqn, seed 3"

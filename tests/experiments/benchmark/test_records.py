"""Records: each is true, lies are found, merging keeps the first, and a full disk loses nothing."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qas_experiments.benchmarking.cells import benchmark, merge
from qas_experiments.benchmarking.judge import Judge
from qas_experiments.benchmarking.recording import worth_keeping
from qas_experiments.benchmarking.records import Record, Records, by_agent
from qas_experiments.benchmarking.tables import (
    FOOTNOTE,
    is_ended_by_clock,
)
from qas_experiments.benchmarking.verification import faults_of
from tests.experiments.conftest import SMALL, changed, composed


def test_settings_of_one_name_are_told_apart(record: Record) -> None:
    settings = {**record.settings, "agent": {"name": "annealing", "cycle": 9}}
    seeds = [dataclasses.replace(record, seed=seed, settings=with_seed(record.settings, seed)) for seed in (0, 1)]
    assert [*by_agent(seeds)] == ["annealing"]
    both = by_agent([*seeds, dataclasses.replace(record, settings=settings)])
    assert sorted(map(len, both.values())) == [1, 2] and all(name.startswith("annealing (") for name in both)


def with_seed(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    return {**settings, "training": {**settings["training"], "seed": seed}}


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
    for section in ({"seed": "one"}, {"checkpoint_every": [1]}, {"nonsense": 1}):
        training = {**record.settings, "training": {**record.settings["training"], **section}}
        assert faults_of(dataclasses.replace(record, settings=training))[0].startswith("settings: "), section


def test_a_rule_that_came_later_makes_no_other_cell(record: Record) -> None:
    before = {**record.settings, "env": {**record.settings["env"]}}
    assert before["env"].pop("vary") is None
    assert dataclasses.replace(record, settings=before).cell == record.cell
    other = {**record.settings, "env": {**record.settings["env"], "vary": {"field": [1.0, 1.0, 1.0]}}}
    assert dataclasses.replace(record, settings=other).cell != record.cell


def test_a_setting_of_training_that_came_later_makes_another_cell_only_if_it_is_used(record: Record) -> None:
    later = ("tf32", "collectors", "num_envs")
    training = {name: value for name, value in record.settings["training"].items() if name not in later}
    early = dataclasses.replace(record, settings={**record.settings, "training": training})
    assert early.cell == record.cell
    used = dataclasses.replace(record, settings={**record.settings, "training": {**training, "tf32": True}})
    assert used.cell != record.cell


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
    assert "left out: " in shown and "2 cells, 2 recorded" in shown


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
from qas_experiments.benchmarking.records import Records

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


def test_committed_records_that_the_clock_ended() -> None:
    """As counted by hand in the review of the leaderboard."""
    folder = Path(__file__).parents[3] / "experiments" / "results"
    records = [record for path in (folder / "leaderboard").glob("*.jsonl.xz") for record in Records(path)]
    assert len(records) == 2298 and sum(map(is_ended_by_clock, records)) == 89
    assert FOOTNOTE in (folder / "leaderboard.md").read_text("utf-8")


def test_of_a_front_what_is_hardly_better_is_left_out() -> None:
    assert worth_keeping([0.1, 0.095, 0.05, 0.0499], 1e-3) == [0, 2]
    assert worth_keeping([1.05e-3, 0.99e-3, 0.98e-3], 1e-3) == [0, 1]  # the first that solves is kept
    assert worth_keeping([1e-11, 1e-14], 1e-3) == [0]
    assert worth_keeping([], 1e-3) == []

"""Several judges, and their memory: valid records are verified once, changed ones and other libraries again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qas_experiments.benchmarking import answers as answers_module
from qas_experiments.benchmarking.answers import Answers, key_of_record, library_digest
from qas_experiments.benchmarking.judge import Judge
from qas_experiments.benchmarking.judges import Judges
from qas_experiments.benchmarking.records import Record, Records
from tests.experiments.conftest import changed


class Counting(Judge):
    """A judge in this process that counts what it is asked; odd seeds are faulty."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def faults(self, record: Record, hamiltonian: Any = None) -> list[str]:
        self.asked.append(record.seed)
        return ["odd"] if record.seed % 2 else []


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answers | None, int], tuple[Judges, list[Counting]]]:
    def made(memory: Answers | None, workers: int) -> tuple[Judges, list[Counting]]:
        judges, counting = Judges(workers=workers, answers=memory), [Counting() for _ in range(workers)]
        judges._judges = [*counting]
        return judges, counting

    return made


def test_answers_are_those_of_the_tasks_in_order(record: Record, counting: Any) -> None:
    tasks = [(dataclasses.replace(record, seed=seed, agent=f"agent {seed // 7}"), None) for seed in range(50)]
    judges, [first, second] = counting(None, 2)
    done: list[int] = []
    named: list[str] = []

    def advance(number: int, now: str = "") -> None:
        done.append(number)
        named.append(now)

    assert judges.faults(tasks, advance) == [["odd"] if seed % 2 else [] for seed in range(50)]
    assert sorted(first.asked + second.asked) == [*range(50)] and sum(done) == 50
    label = f"{record.suite}, {record.instance}"
    assert {*named} == {"", *(f"{label}, agent {number}" for number in range(8))}, (
        "each cell is named while it is checked"
    )


def test_a_judge_keeps_to_an_instance(record: Record, counting: Any) -> None:
    """Each judge builds the Hamiltonians of an instance once, even if the records of several alternate."""
    tasks = [(dataclasses.replace(record, seed=seed, instance_hash="ab"[seed % 2]), None) for seed in range(20)]
    judges, [judge] = counting(None, 1)
    assert judges.faults(tasks) == [["odd"] if seed % 2 else [] for seed in range(20)]
    assert judge.asked == [*range(0, 20, 2), *range(1, 20, 2)]


def test_valid_records_are_verified_once(record: Record, counting: Any, tmp_path: Path) -> None:
    tasks = [(dataclasses.replace(record, seed=seed), None) for seed in range(6)]
    for expected in ([0, 1, 2, 3, 4, 5], [1, 3, 5]):
        judges, [judge] = counting(Answers(tmp_path / "answers.jsonl"), 1)
        assert judges.faults(tasks) == [["odd"] if seed % 2 else [] for seed in range(6)]
        assert judge.asked == expected, "faulty records are verified again"
    with (tmp_path / "answers.jsonl").open("a") as file:
        file.write('{"key": "record')  # a process that was killed
    judges, [judge] = counting(Answers(tmp_path / "answers.jsonl"), 1)
    other = changed(tasks[0][0], "best", energy=tasks[0][0].circuits["best"]["energy"] + 1e-12)
    judges.faults([(other, None), (tasks[0][0], {"ZZ": 1.0}), tasks[0]])
    assert judge.asked == [0, 0], "another content and another Hamiltonian are verified, the known one is not"


def test_records_that_name_files_are_always_verified(record: Record, tmp_path: Path) -> None:
    assert key_of_record(record, None) is not None
    (tmp_path / "gadgets.json").write_text("{}")
    env = {**record.settings["env"], "gadgets": str(tmp_path / "gadgets.json")}
    assert key_of_record(dataclasses.replace(record, settings={**record.settings, "env": env}), None) is None


def test_another_library_verifies_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QAS_ENVS_CACHE_DIR", str(tmp_path))
    Answers().add({"record x": []})
    assert "record x" in Answers()
    digest = library_digest()
    monkeypatch.setattr(answers_module, "versions", lambda: {"numpy": "9.9"})
    library_digest.cache_clear()
    assert library_digest() != digest and "record x" not in Answers()
    library_digest.cache_clear()


def test_processes_find_what_one_finds(played: Path, record: Record, judge: Judge) -> None:
    """A true record and a false one, by the process that the other tests use."""
    false = changed(record, "best", energy=record.circuits["best"]["energy"] - 0.1)
    terms = Records(played / "records.sqlite").read()[1][record.instance_hash]
    found = Judges.of(judge).faults([(record, terms), (false, terms)])
    assert found[0] == [] and found[1] == judge.faults(false, terms) and "best: energy" in found[1][0]

"""Counts of the circuits of records after simplification, by this library and by Qiskit."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from qas_experiments.benchmarking.answers import Answers
from qas_experiments.benchmarking.judge import Judge
from qas_experiments.benchmarking.judges import Judges
from qas_experiments.benchmarking.records import Record, Records
from qas_experiments.benchmarking.shorter import counts_of_records, shorter_counts
from qas_experiments.benchmarking.tables import instance_table
from qas_simulators import Circuit
from tests.experiments.conftest import changed


def entangled() -> Circuit:
    """Return four CNOTs on two qubits with rotations between them that neither merge nor cancel."""
    circuit = Circuit(2)
    for k in range(4):
        circuit.cx(k % 2, 1 - k % 2).ry(0.3 + k, 0).rz(0.7 + k, 0).ry(1.1 + k, 1).rz(0.2 + k, 1)
    return circuit


@pytest.mark.parametrize(
    ("circuit", "simplified", "transpiled"),
    [
        (Circuit(2).ry(0.3, 0).cx(0, 1), 1, 1),
        (Circuit(2).ry(0.3, 0).cx(0, 1).cx(0, 1), 0, 0),
        (entangled(), 4, 3),  # any gate of two qubits needs three CNOTs at most (arXiv:quant-ph/0307177)
    ],
)
def test_counts_that_are_known(record: Record, circuit: Circuit, simplified: int, transpiled: int) -> None:
    found = shorter_counts(changed(record, "best", qasm=circuit.to_qasm3()))["best"]
    assert found["simplified"]["two_qubit_gates"] == simplified
    assert found["transpiled"]["two_qubit_gates"] == transpiled


def test_every_circuit_of_a_record_has_counts(played: Path, judge: Judge) -> None:
    records = list(Records(played / "records.sqlite"))
    for record, (counts, problem) in zip(records, Judges.of(judge).counts(records), strict=True):
        assert problem == "" and counts.keys() == record.circuits.keys()
        for name, circuit in record.circuits.items():
            assert counts[name]["simplified"]["two_qubit_gates"] <= circuit["two_qubit_gates"]
            assert counts[name]["simplified"]["gates"] <= circuit["gates"]
        assert counts == shorter_counts(record)


def test_counts_are_computed_once(record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Counting(Judge):
        def counts(self, record: Record) -> Any:
            asked.append(record.seed)
            return ({}, "takes longer than 1 s") if record.seed == 1 else (shorter_counts(record), "")

    records = [dataclasses.replace(record, seed=seed) for seed in range(3)]
    for expected in ([0, 1, 2], [0, 1, 2, 1]):
        judges = Judges(answers=Answers(tmp_path / "answers.jsonl"))
        judges._judges = [Counting()]
        found = judges.counts(records)
        assert asked == expected, "what failed is tried again"
        assert [bool(problem) for _, problem in found] == [False, True, False] and found[1][0] == {}
    known = Answers(tmp_path / "answers.jsonl")
    monkeypatch.setattr("qas_experiments.benchmarking.shorter.shorter_counts", lambda record: pytest.fail(record.label))
    assert counts_of_records([records[0], records[2]], known)[records[0].hash] == found[0][0]


def test_tables_have_the_counts(record: Record) -> None:
    solved = changed(record, "best", qasm=entangled().to_qasm3(), energy_error=0.0, two_qubit_gates=4)
    columns, [row] = instance_table([solved], {solved.hash: shorter_counts(solved)})
    figures = dict(zip(columns[:7], row[:7], strict=True))
    assert (figures["CNOT"], figures["simplified"], figures["by Qiskit"]) == tuple(
        f"{count} (all equal)" for count in (4, 4, 3)
    )
    assert figures["error"] == "exact"
    columns, [row] = instance_table([solved])
    assert "simplified" not in columns and len(row) == len(columns)

"""Records of problems whose circuits start after a preparation: verified by Qiskit, which knows the preparation."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from qiskit.quantum_info import Operator

from qas_envs.problems import diagonalization, unitary
from qas_envs.problems.unitaries import target_matrix
from qas_experiments.benchmarking.cells import benchmark
from qas_experiments.benchmarking.records import Record, Records
from qas_experiments.benchmarking.references import reference_of
from qas_experiments.benchmarking.site.links import instance_page
from qas_experiments.benchmarking.verification import faults_of
from qas_experiments.device_runs import run_on_device
from qas_experiments.device_settings import DeviceSettings
from qas_experiments.qiskit_energies import energy_by_qiskit
from qas_experiments.solving import solve
from qas_simulators import Circuit, PauliSum, StatevectorSimulator
from tests.experiments.conftest import changed, composed

CELLS = ["suite=unitaries", "agent=annealing_blocks", "seeds=[0]", "suite.max_evaluations=1500"]


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Record]:
    folder = tmp_path_factory.mktemp("prepared")
    benchmark(composed(folder, *CELLS, "instances=[SWAP,diagonalisation 2]"))
    return {record.instance: record for record in Records(folder / "records.sqlite")}


def test_records_are_true_and_have_circuits_without_the_preparation(records: dict[str, Record]) -> None:
    for record in records.values():
        assert faults_of(record) == []
        best = Circuit.from_qasm3(record.circuits["best"]["qasm"])
        assert best.num_qubits == 2 and record.figures["first_solved"] is not None
        assert instance_page(record) == "environments/unitaries"
    swap = Circuit.from_qasm3(records["SWAP"].circuits["best"]["qasm"])
    overlap = np.trace(Operator(swap.to_qiskit()).data.conj().T @ target_matrix("swap"))
    assert 1 - abs(overlap) ** 2 / 16 == pytest.approx(records["SWAP"].circuits["best"]["energy"], abs=1e-9)
    assert records["SWAP"].circuits["best"]["two_qubit_gates"] == 3


def test_lies_are_found(records: dict[str, Record]) -> None:
    record = records["diagonalisation 2"]
    best = record.circuits["best"]
    for told, fault in (
        ({"energy": best["energy"] - 1e-3}, "by Qiskit"),
        ({"qasm": "OPENQASM 3.0;\ninclude 'stdgates.inc';\nqubit[4] q;\n".replace("'", '"')}, "4 qubits instead of 2"),
    ):
        faults = "; ".join(faults_of(changed(record, "best", **told)))
        assert fault in faults, faults
    other = diagonalization(seed=1)
    lie = dataclasses.replace(record, instance_hash=other.digest)
    assert "another Hamiltonian" in faults_of(lie)[0]


def test_terms_of_another_machine_get_the_preparation(records: dict[str, Record]) -> None:
    """The file holds terms alone; they may differ by rounding, which changes the hash."""
    record, ours = records["diagonalisation 2"], diagonalization()
    for size, fault in ((2e-10, ""), (1e-5, "they differ by 1e-05 cost")):
        terms = {label: value + size * (label != "IIII") for label, value in ours.hamiltonian.terms().items()}
        other = dataclasses.replace(ours, hamiltonian=PauliSum(terms).prepared(ours.hamiltonian.preparation))
        assert other.digest != ours.digest
        faults = faults_of(dataclasses.replace(record, instance_hash=other.digest), PauliSum(terms))
        assert fault in "; ".join(faults) if fault else faults == []
    assert (
        "does not have the record's hash"
        in faults_of(dataclasses.replace(record, instance_hash=other.digest), PauliSum({"ZZ": 1.0}))[0]
    )


def test_references_of_a_report(records: dict[str, Record]) -> None:
    found = reference_of(records["SWAP"].settings, 3)
    assert found is not None
    assert [gates for gates, error in found["floors"] if error < 1e-9] == [3]
    assert found["adapt"] == [] and found["product"] == pytest.approx(0.75, abs=1e-9)
    page: Any = json.loads(json.dumps(found))
    assert page["accuracy"] == 1e-3


def test_qiskit_and_the_commands_know_the_preparation() -> None:
    problem, circuit = unitary("cs"), Circuit(2).ry(0.3, 0).cx(0, 1).rz(0.2, 1)
    expected = StatevectorSimulator().expectation(circuit, problem.hamiltonian)
    assert energy_by_qiskit(circuit, problem.hamiltonian) == pytest.approx(expected, abs=1e-12)
    assert Circuit.from_qasm3(circuit.to_qasm3()).num_qubits == 2
    settings = {"target": "cs", "encoding": "tensor", "max_gates": 40}
    solved = solve("QAS-Unitary-v0", settings, evaluations=500, seed=0)
    assert solved.found.circuit.num_qubits == 2 and solved.found.energy_error < 1e-3 and solved.policy == ""
    with pytest.raises(ValueError, match="for the encoding 'hamiltonian_graph'"):
        solve("QAS-Unitary-v0", evaluations=10)
    with pytest.raises(ValueError, match="for runs on devices"):
        run_on_device(circuit, problem, DeviceSettings("fake_manila"))

"""OpenQASM 3 and Qiskit: exact round trips, and the same physics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qas_simulators import Circuit, PauliSum, StatevectorSimulator
from tests.conftest import random_circuit, random_pauli_sum

qiskit = pytest.importorskip("qiskit")
from qiskit.quantum_info import SparsePauliOp, Statevector  # noqa: E402


@given(st.integers(1, 5), st.integers(0, 60), st.integers(0, 10_000))
def test_qasm3_round_trip_is_exact(num_qubits: int, num_gates: int, seed: int) -> None:
    circuit = random_circuit(num_qubits, num_gates, seed)
    assert Circuit.from_qasm3(circuit.to_qasm3()) == circuit


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 5), st.integers(0, 60), st.integers(0, 10_000))
def test_qiskit_round_trip_and_statevector(num_qubits: int, num_gates: int, seed: int) -> None:
    circuit = random_circuit(num_qubits, num_gates, seed)
    assert Circuit.from_qiskit(circuit.to_qiskit()) == circuit
    expected = Statevector(circuit.to_qiskit()).data
    np.testing.assert_allclose(StatevectorSimulator().statevector(circuit), expected, atol=1e-12)


def test_qiskit_reads_our_qasm3() -> None:
    from qiskit import qasm3

    circuit = random_circuit(4, 60, seed=7)
    expected = Statevector(qasm3.loads(circuit.to_qasm3())).data
    psi = StatevectorSimulator().statevector(circuit)
    assert abs(np.vdot(psi, expected)) == pytest.approx(1.0, abs=1e-12)


@given(st.integers(1, 5), st.integers(0, 60), st.integers(0, 10_000))
def test_pennylane_round_trip_and_statevector(num_qubits: int, num_gates: int, seed: int) -> None:
    qml = pytest.importorskip("pennylane")
    circuit = random_circuit(num_qubits, num_gates, seed)
    tape = circuit.to_pennylane()
    assert Circuit.from_pennylane(tape, num_qubits) == circuit
    wires = list(reversed(range(num_qubits)))  # PennyLane's first wire is the most significant
    psi = np.eye(2**num_qubits)[0]
    for operation in tape.operations:
        psi = qml.matrix(operation, wire_order=wires) @ psi
    np.testing.assert_allclose(StatevectorSimulator().statevector(circuit), psi, atol=1e-12)


def test_pennylane_refuses_what_we_have_not() -> None:
    qml = pytest.importorskip("pennylane")
    script = qml.tape.QuantumScript
    assert Circuit.from_pennylane(script([qml.RX(0.5, 2), qml.Barrier([0])])) == Circuit(3).rx(0.5, 2)
    for operations, message in [
        ([qml.Toffoli([0, 1, 2])], "Toffoli"),
        ([qml.RX(0.5, "a")], "qubit numbers"),
        ([qml.RX(np.array([0.5, 0.6]), 0)], "single numbers"),
        ([qml.RX(float("nan"), 0)], "finite"),
    ]:
        with pytest.raises(ValueError, match=message):
            Circuit.from_pennylane(script(operations))
    with pytest.raises(ValueError, match="qubit"):
        Circuit.from_pennylane(script([qml.CNOT([0, 3])]), num_qubits=2)


@given(st.integers(1, 5), st.integers(1, 30), st.integers(0, 10_000))
def test_pauli_sum_round_trips(num_qubits: int, num_terms: int, seed: int) -> None:
    observable = random_pauli_sum(num_qubits, num_terms, seed)
    assert PauliSum.from_qiskit(observable.to_qiskit()) == observable
    assert PauliSum.from_matrix(observable.to_matrix(), tolerance=1e-14).terms() == pytest.approx(observable.terms())
    np.testing.assert_allclose(observable.to_qiskit().to_matrix(), observable.to_matrix(), atol=1e-12)


def test_pauli_sum_from_qiskit() -> None:
    pauli_sum = random_pauli_sum(3, 20, seed=1)
    operator = SparsePauliOp.from_list(list(pauli_sum))
    np.testing.assert_allclose(PauliSum.from_qiskit(operator).to_matrix(), operator.to_matrix(), atol=1e-12)
    with pytest.raises(ValueError, match="real"):
        PauliSum.from_qiskit(SparsePauliOp.from_list([("X", 1j)]))


def test_qasm3_reads_pi_and_refuses_the_rest() -> None:
    text = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nrx(-pi/4) q[1]; // comment\ncx q[0], q[1];'
    assert Circuit.from_qasm3(text) == Circuit(2).rx(-np.pi / 4, 1).cx(0, 1)
    for bad in ["qubit[2] q; ccx q[0], q[1], q[2];", "rx(0.1) q[0];", "qubit[1] q; rx(__import__('os')) q[0];", ""]:
        with pytest.raises(ValueError, match="OpenQASM"):
            Circuit.from_qasm3(bad)


def test_transpiled_circuits_do_the_same_with_fewer_gates() -> None:
    from qiskit.quantum_info import Operator

    from qas_simulators.bridges.qiskit import transpiled

    rng = np.random.default_rng(5)
    circuits = [Circuit(2).cx(0, 1).cx(0, 1), Circuit(2).cx(0, 1).rz(0.3, 1).cx(0, 1).ry(0.2, 0).cx(0, 1).cx(1, 0)]
    for _ in range(3):
        circuit = Circuit(3)
        for _ in range(12):
            low, high = rng.choice(3, 2, replace=False).tolist()
            circuit.ry(float(rng.normal()), low).cx(low, high)
        circuits.append(circuit)
    found = transpiled(circuits)
    assert found[0].size() == 0
    for circuit, short in zip(circuits, found, strict=True):
        assert {each.operation.name for each in short} <= {"cx", "rz", "sx", "x"}
        assert short.num_nonlocal_gates() <= circuit.num_two_qubit_gates
        assert Operator.from_circuit(short).equiv(Operator(circuit.to_qiskit()))

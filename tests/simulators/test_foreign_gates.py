"""Instructions of Qiskit and operations of PennyLane are known by their class, or refused."""

from __future__ import annotations

import numpy as np
import pytest

from qas_simulators import Circuit
from tests.simulators.test_qasm import assert_equal

qiskit = pytest.importorskip("qiskit")
pytest.importorskip("openqasm3")
from qiskit import QuantumCircuit  # noqa: E402
from qiskit.circuit import Gate, library  # noqa: E402
from qiskit.quantum_info import Operator  # noqa: E402


@pytest.fixture
def flip() -> QuantumCircuit:
    """A definition that is an X."""
    definition = QuantumCircuit(1, global_phase=0.3)
    definition.x(0)
    return definition


def test_qiskit_instructions_are_known_by_class(flip: QuantumCircuit) -> None:
    class Hadamard(Gate):  # the name lies, the matrix is that of X
        def __init__(self) -> None:
            super().__init__("h", 1, [])

        def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
            return np.array([[0, 1], [1, 0]], dtype=complex)

    for name in ("h", "barrier", "measure", "reset", "cx"):
        gate = Gate(name, 1, [])
        gate.definition = flip
        circuit = QuantumCircuit(2)
        circuit.append(gate, [1])
        assert_equal(Circuit.from_qiskit(circuit), circuit)
    named_x = library.ZGate().control(1).to_mutable()
    named_x.name = "x"
    gates = [
        named_x,
        Hadamard(),
        library.UnitaryGate(Operator(library.YGate()), label="h"),
        library.CXGate(ctrl_state=0),
        library.CCXGate(ctrl_state=1),
        library.CZGate(ctrl_state=0),
        library.SGate().control(2, annotated=True),
        library.XGate(label="z"),
        library.RXGate(0.3).power(2),
        library.iSwapGate(),
        library.GlobalPhaseGate(0.2),
    ]
    for gate in gates:
        circuit = QuantumCircuit(3, global_phase=0.7)
        circuit.append(gate, range(gate.num_qubits))
        assert_equal(Circuit.from_qiskit(circuit), circuit)
    custom = Gate("ecr", 2, [])
    custom.definition = library.ECRGate().definition
    circuit = QuantumCircuit(2)
    circuit.append(custom, [1, 0])
    assert Circuit.from_qiskit(circuit) == Circuit(2).ecr(1, 0)


def test_what_is_not_unitary_in_qiskit_is_refused() -> None:
    circuits = [QuantumCircuit(2, 2) for _ in range(7)]
    circuits[0].reset(0)
    with circuits[1].if_test((circuits[1].clbits[0], 1)):
        circuits[1].x(0)
    circuits[2].initialize([0, 1], 0)
    circuits[3].append(Gate("h", 1, []), [0])
    circuits[4].measure(0, 0)
    circuits[4].h(0)
    circuits[5].rx(qiskit.circuit.Parameter("t"), 0)

    class Hadamard(library.HGate):  # Qiskit's operator of the gate is X, that of a circuit with it H
        def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
            return np.array([[0, 1], [1, 0]], dtype=complex)

    circuits[6].append(Hadamard(), [0])
    words = ["reset", "if_else", "reset", "no definition", "after its measurement", "bound", "not that of its def"]
    for circuit, word in zip(circuits, words, strict=True):
        with pytest.raises(ValueError, match=f"Argument `circuit` must .*{word}"):
            Circuit.from_qiskit(circuit)


def test_pennylane_operations_are_known_by_class() -> None:
    qml = pytest.importorskip("pennylane")

    def lying(name: str, base: type) -> type:
        return type(name, (base,), {"num_wires": 1, "compute_matrix": staticmethod(lambda: np.array([[0, 1], [1, 0]]))})

    script = qml.tape.QuantumScript
    for name in ("Hadamard", "Barrier", "PauliZ"):
        for operation in (
            lying(name, qml.operation.Operation)(0),
            qml.adjoint(lying(name, qml.operation.Operation)(0)),
        ):
            with pytest.raises(ValueError, match=f"must consist of .*{name}"):
                Circuit.from_pennylane(script([operation]))
    with pytest.raises(ValueError, match="must consist of"):
        Circuit.from_pennylane(script([lying("S", qml.S)(0)]))
    adjoint = qml.adjoint(qml.RX(0.3, 0), lazy=True)
    assert Circuit.from_pennylane(script([adjoint, qml.adjoint(qml.S(0))])) == Circuit(1).rx(-0.3, 0).sdg(0)

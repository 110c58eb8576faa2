"""Circuits to PennyLane templates, Cirq, OpenQASM 2, LaTeX and SVG; symbols of Qiskit; molecules of PennyLane."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray

from qas_simulators import Circuit, PauliSum, StatevectorSimulator
from qas_simulators.bridges.operators import read_operator
from qas_simulators.flat_circuit import Link
from qas_simulators.gates import GATES

qiskit = pytest.importorskip("qiskit")
OBSERVABLE = PauliSum({"ZZI": -1.0, "IXY": 0.3, "YIX": 0.5, "IIZ": 0.2})


def with_every_gate() -> Circuit:
    """Three qubits, so that the order of qubits matters; angles differ."""
    circuit, rng = Circuit(3).h(0).ry(0.4, 1).rx(1.1, 2), np.random.default_rng(0)
    for number, gate in enumerate(GATES):
        qubits = [number % 3, (number + 1 + number % 2) % 3][: gate.num_qubits]
        circuit.append(gate.name, qubits, rng.uniform(-3, 3) if gate.num_params else None)
    return circuit


def unitary_of(circuit: Circuit) -> NDArray[np.complex128]:
    return np.asarray(qiskit.quantum_info.Operator(circuit.to_qiskit()).data)


def assert_equal_up_to_phase(left: Any, right: Any) -> None:
    assert abs(np.vdot(left, right)) == pytest.approx(len(left), abs=1e-9)


def linked() -> Circuit:
    """Two parameters; the first one twice, once doubled and shifted; a constant angle."""
    circuit = Circuit(2).h(0)
    first, second = circuit.append_param(0.3), circuit.append_param(-0.8)
    names = [gate.name for gate in GATES]
    circuit.append_linked(names.index("ry"), 0, -1, Link(first, 1.0, 0.0))
    circuit.append_linked(names.index("rz"), 1, -1, Link(second, -0.5, 0.0))
    circuit.cx(0, 1)
    circuit.append_linked(names.index("rx"), 1, -1, Link(first, 2.0, 0.25))
    circuit.append_linked(names.index("rzz"), 0, 1, Link(-1, 0.0, 0.7))
    return circuit


# -- Cirq and OpenQASM 2 -----------------------------------------------------------------------------------------------


def test_cirq_has_the_same_unitary() -> None:
    cirq = pytest.importorskip("cirq")
    circuit = with_every_gate()
    theirs = circuit.to_cirq()
    matrix = theirs.unitary(qubit_order=cirq.LineQubit.range(3)[::-1])  # qubit 0 the least significant
    assert_equal_up_to_phase(matrix, unitary_of(circuit))
    assert len(Circuit(4).x(1).to_cirq().all_qubits()) == 4


def test_qasm2_is_read_by_three_parsers() -> None:
    cirq = pytest.importorskip("cirq")
    circuit = with_every_gate()
    text = circuit.to_qasm2()
    whole = unitary_of(circuit)
    strict = qiskit.qasm2.loads(text)  # only the gates of the language's paper
    assert_equal_up_to_phase(qiskit.quantum_info.Operator(strict).data, whole)
    assert_equal_up_to_phase(unitary_of(Circuit.from_qasm(text)), whole)
    assert_equal_up_to_phase(unitary_of(Circuit.from_qasm2(text)), whole)
    simple = Circuit(2).h(0).cx(0, 1).rz(0.1, 1).sdg(0)
    qasm_import = pytest.importorskip("cirq.contrib.qasm_import", exc_type=ImportError)
    theirs = qasm_import.circuit_from_qasm(simple.to_qasm2())
    order = [cirq.NamedQubit("q_1"), cirq.NamedQubit("q_0")]
    assert_equal_up_to_phase(theirs.unitary(qubit_order=order), unitary_of(simple))


def test_qasm2_keeps_all_digits() -> None:
    for angle in (1e-17, -1.2345678901234567e-8, 0.1, 3.0, 1e22):
        assert Circuit.from_qasm2(Circuit(1).rx(angle, 0).to_qasm2()).params.tolist() == [angle]


# -- PennyLane ---------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Casting complex values")  # inside PennyLane's autograd
def test_pennylane_template() -> None:
    """Energy and gradient equal ours; wires are taken in order."""
    qml = pytest.importorskip("pennylane")
    circuit = with_every_gate()
    template = circuit.to_pennylane_template()
    wires = ["a", 7, "c"]
    paulis = {"X": qml.X, "Y": qml.Y, "Z": qml.Z}
    terms = [
        weight * qml.prod(*(paulis[letter](wires[2 - k]) for k, letter in enumerate(label) if letter != "I"))
        for label, weight in OBSERVABLE
    ]

    @qml.qnode(qml.device("default.qubit", wires=wires))
    def energy(params: Any) -> Any:
        template(params, wires=wires)
        return qml.expval(qml.sum(*terms))

    expected, gradient = StatevectorSimulator().expectation_and_gradient(circuit, OBSERVABLE)
    params = qml.numpy.array(circuit.params, requires_grad=True)
    assert float(energy(params)) == pytest.approx(expected, abs=1e-10)
    np.testing.assert_allclose(qml.grad(energy)(params), gradient, atol=1e-9)
    with pytest.raises(ValueError, match="3 wires"):
        template(params, wires=[0, 1])
    with pytest.raises(ValueError, match="have shape"):
        template(params[:-1])


def test_pennylane_template_of_linked_angles() -> None:
    qml = pytest.importorskip("pennylane")
    circuit, point = linked(), np.array([1.3, 0.4])
    matrix = qml.matrix(circuit.to_pennylane_template(), wire_order=[1, 0])(point)
    moved = circuit.copy()
    moved.params = point
    assert_equal_up_to_phase(matrix, unitary_of(moved))


def test_molecules_of_pennylane() -> None:
    """The ground energy of H2 in STO-3G at 0.7414 angstrom is -1.13727 Ha (PySCF)."""
    qml = pytest.importorskip("pennylane")
    bohr = 1.8897261246
    molecule = qml.qchem.Molecule(["H", "H"], np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.7414 * bohr]]))
    observable = read_operator(molecule)
    assert observable.num_qubits == 4
    assert np.linalg.eigvalsh(observable.to_matrix())[0] == pytest.approx(-1.137270, abs=2e-6)


# -- symbols of Qiskit -------------------------------------------------------------------------------------------------


def test_symbols_go_to_qiskit_and_come_back() -> None:
    for circuit in (linked(), Circuit(2).ry(0.1, 0).rz(0.2, 1).cx(0, 1).rx(0.3, 0)):
        theirs = circuit.to_qiskit("theta")
        assert [p.name for p in theirs.parameters] == [f"theta[{k}]" for k in range(circuit.num_params)]
        bound = theirs.assign_parameters(circuit.params)
        assert_equal_up_to_phase(qiskit.quantum_info.Operator(bound).data, unitary_of(circuit))
        again = Circuit.from_qiskit(theirs, circuit.params)
        assert again.is_linked == circuit.is_linked and again.links == circuit.links
        np.testing.assert_array_equal(again.table, circuit.table)
        np.testing.assert_array_equal(again.params, circuit.params)


def test_symbols_in_expanded_gates() -> None:
    from qiskit.circuit import Parameter, ParameterVector

    a, b = Parameter("a"), Parameter("b")
    theirs = qiskit.QuantumCircuit(2)
    theirs.u(b, 2 * a, 0.1, 0)
    theirs.cry(a - 1, 0, 1)
    ours = Circuit.from_qiskit(theirs, [0.4, -0.9])  # a, b
    for point in ([0.4, -0.9], [1.7, 0.2]):
        ours.params = point
        bound = qiskit.quantum_info.Operator(theirs.assign_parameters(point)).data
        assert_equal_up_to_phase(unitary_of(ours), bound)
    theirs.rx(a * b, 0)
    with pytest.raises(ValueError, match="affine functions"):
        Circuit.from_qiskit(theirs, [0.4, -0.9])
    two = qiskit.QuantumCircuit(1)
    two.rx(a + b, 0)
    with pytest.raises(ValueError, match="one parameter each"):
        Circuit.from_qiskit(two, [0.4, -0.9])
    with pytest.raises(ValueError, match="a value for each of"):
        Circuit.from_qiskit(two, [0.4])
    with pytest.raises(ValueError, match="bound parameters, or `params`"):
        Circuit.from_qiskit(two)
    with pytest.raises(ValueError, match="2 parameters"):
        linked().to_qiskit(ParameterVector("x", 3))


# -- drawings ----------------------------------------------------------------------------------------------------------


def test_latex() -> None:
    text = Circuit(3).h(2).cx(2, 0).swap(0, 1).rzz(0.5, 0, 1).cz(1, 2).sdg(0).ecr(0, 1).draw("latex")
    lines = text.splitlines()
    assert lines[0] == r"\begin{quantikz}" and lines[-1] == r"\end{quantikz}" and len(lines) == 5
    assert len({line.count("&") for line in lines[1:-1]}) == 1, "as many cells in every row"
    first, second, third = lines[1:-1]
    assert r"\ctrl{-2}" in third and r"\targ{}" in first and r"\swap{1}" in first and r"\targX{}" in second
    assert r"\gate{R_{ZZ}(0.500)}\vqw{1}" in first and r"\gate{S^\dagger}" in first and r"\control{}" in third
    assert r"\gate{R_{X}(\theta)}" in Circuit(1).rx(0.1, 0).draw("latex", angles=[r"\theta"])
    with pytest.raises(ValueError, match="a text for each of 1 rotations"):
        Circuit(1).rx(0.1, 0).draw("latex", angles=[])


def test_svg() -> None:
    circuit = with_every_gate()
    root = ElementTree.fromstring(circuit.draw("svg", theme="dark"))
    texts = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    angles = [f"{angle:.2f}" for *_, angle in circuit if angle is not None]
    assert texts[:3] == ["q0", "q1", "q2"] and all(texts.count(angle) >= 1 for angle in angles)
    boxes = list(root.iter("{http://www.w3.org/2000/svg}rect"))
    plain = {"cx": 0, "cz": 0, "swap": 0}
    ends = sum(plain.get(name, 1 if GATES[[g.name for g in GATES].index(name)].is_controlled else len(qubits))
               for name, qubits, _ in circuit)  # fmt: skip
    assert len(boxes) == ends + 1  # and the background
    with pytest.raises(ValueError, match="Unknown output 'pdf'"):
        circuit.draw("pdf")  # type: ignore[call-overload]

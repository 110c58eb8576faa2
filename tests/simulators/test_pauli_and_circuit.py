"""PauliSum and Circuit: conventions, round trips, errors."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qas_simulators import Circuit, PauliSum, StatevectorSimulator
from qas_simulators.gates import PAULI_MATRICES
from tests.conftest import random_circuit, random_pauli_sum


def test_labels_read_right_to_left() -> None:
    z_on_qubit_0 = PauliSum({"IZ": 1.0}).to_matrix()
    np.testing.assert_array_equal(z_on_qubit_0, np.kron(PAULI_MATRICES["I"], PAULI_MATRICES["Z"]))
    y_on_qubit_1 = PauliSum({"YI": 1.0}).to_matrix()
    np.testing.assert_array_equal(y_on_qubit_1, np.kron(PAULI_MATRICES["Y"], PAULI_MATRICES["I"]))


@given(st.integers(1, 4), st.integers(1, 30), st.integers(0, 10_000))
def test_matrix_round_trip(num_qubits: int, num_terms: int, seed: int) -> None:
    pauli_sum = random_pauli_sum(num_qubits, num_terms, seed)
    back = PauliSum.from_matrix(pauli_sum.to_matrix())
    assert set(back.terms()) == set(pauli_sum.terms())
    for label, coefficient in pauli_sum:
        assert back.terms()[label] == pytest.approx(coefficient, abs=1e-12)


def test_apply_is_the_matrix_product(rng: np.random.Generator) -> None:
    pauli_sum = random_pauli_sum(4, 50, seed=1)
    vector = rng.normal(size=16) + 1j * rng.normal(size=16)
    np.testing.assert_allclose(pauli_sum.apply(vector), pauli_sum.to_matrix() @ vector, atol=1e-12)


def test_ground_energy_dense_and_lanczos_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    pauli_sum = random_pauli_sum(5, 60, seed=2)
    dense = pauli_sum.eigenvalues(3)
    monkeypatch.setattr("qas_simulators.pauli._DENSE_LIMIT", 2)
    np.testing.assert_allclose(pauli_sum.eigenvalues(3), dense, atol=1e-9)


def test_projector_measures_fidelity() -> None:
    bell = np.array([1, 0, 0, 1]) / np.sqrt(2)
    assert PauliSum.projector(bell).terms() == pytest.approx({"II": 0.25, "XX": 0.25, "YY": -0.25, "ZZ": 0.25})
    with pytest.raises(ValueError, match="norm 2"):
        PauliSum.projector([2.0, 0.0])


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({}, "at least one"),
        ({"XX": 1.0, "Z": 1.0}, "one length"),
        ({"XQ": 1.0}, "letters"),
        ({"X": 1j}, "real"),
        ({"X": float("nan")}, "finite"),
    ],
)
def test_pauli_sum_refuses(terms: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PauliSum(terms)


def test_from_matrix_refuses() -> None:
    with pytest.raises(ValueError, match="Hermitian"):
        PauliSum.from_matrix([[0, 1], [0, 0]])
    with pytest.raises(ValueError, match="shape"):
        PauliSum.from_matrix(np.eye(3))


def test_circuit_counts_and_depth() -> None:
    circuit = Circuit(3).rx(0.3, 0).cx(0, 1).ry(-0.7, 1).cz(1, 2).h(0)
    assert circuit.depth() == 4
    assert circuit.count_ops() == {"rx": 1, "cx": 1, "ry": 1, "cz": 1, "h": 1}
    assert circuit.num_two_qubit_gates == 2 and circuit.num_gates == 5
    np.testing.assert_array_equal(circuit.params, [0.3, -0.7])


def test_circuit_grows_past_its_first_table() -> None:
    circuit = random_circuit(3, 500, seed=0)
    assert len(circuit) == 500 and len(list(circuit)) == 500


def test_copies_are_independent() -> None:
    circuit = Circuit(2).rx(0.3, 0)
    for twin in [circuit.copy(), copy.deepcopy(circuit), pickle.loads(pickle.dumps(circuit))]:
        assert twin == circuit
        twin.params = [0.5]
        twin.cx(0, 1)
        assert circuit.params.tolist() == [0.3] and len(circuit) == 1


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Circuit(0), "from 1 to 128, but is 0"),
        (lambda: Circuit(2).rx(0.1, 2), r"lie in 0..1, but is \(2,\)"),
        (lambda: Circuit(2).cx(1, 1), "distinct"),
        (lambda: Circuit(2).rx(float("nan"), 0), "finite"),
        (lambda: Circuit(2).append("ry", [0]), "given"),
        (lambda: Circuit(2).append("cnot", [0, 1]), "Unknown gate 'cnot'"),
    ],
)
def test_circuit_refuses(build: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()  # type: ignore[operator]


def test_unknown_gate_method_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="cnot"):
        Circuit(2).cnot(0, 1)


def test_drawing() -> None:
    drawing = Circuit(3).h(0).cx(0, 2).ry(0.5, 1).draw()
    assert drawing.splitlines() == [
        "q0: ──H──●───────────",
        "         │",
        "q1: ─────┼──RY(0.500)",
        "         │",
        "q2: ─────X───────────",
    ]


@settings(max_examples=60)
@given(st.integers(1, 5), st.integers(0, 60), st.integers(0, 10_000))
def test_simplified_circuits_do_the_same(num_qubits: int, num_gates: int, seed: int) -> None:
    """As unitaries, up to a phase: on random product states; never longer, and nothing left to simplify."""
    circuit = random_circuit(num_qubits, num_gates, seed)
    shorter = circuit.simplified()
    assert len(shorter) <= len(circuit)
    assert shorter.simplified() == shorter
    prefix = Circuit(num_qubits)
    for qubit, (a, b) in enumerate(np.random.default_rng(seed).normal(size=(num_qubits, 2))):
        prefix.ry(a, qubit).rz(b, qubit)
    one = StatevectorSimulator().statevector(prefix.copy().extend(circuit))
    other = StatevectorSimulator().statevector(prefix.copy().extend(shorter))
    assert abs(np.vdot(one, other)) == pytest.approx(1.0, abs=1e-10)


def test_what_simplification_finds() -> None:
    def names(circuit: Circuit) -> list[str]:
        return [name for name, _, _ in circuit.simplified()]

    assert names(Circuit(2).cx(0, 1).rz(0.3, 0).rx(0.2, 1).cx(0, 1)) == ["rz", "rx"]  # control and target commute
    assert names(Circuit(2).cx(0, 1).rx(0.3, 0).cx(0, 1)) == ["cx", "rx", "cx"]
    assert names(Circuit(3).cz(0, 1).cz(1, 2).cz(1, 0)) == ["cz"]
    assert names(Circuit(1).t(0).t(0)) == ["s"] and names(Circuit(1).s(0).s(0).z(0)) == []
    assert names(Circuit(1).h(0).id(0).rx(2 * np.pi, 0).h(0)) == []
    merged = Circuit(2).rx(0.25, 0).h(1).rx(0.5, 0).simplified()
    assert merged == Circuit(2).rx(0.75, 0).h(1)
    assert names(Circuit(2).ecr(0, 1).ecr(0, 1)) == [] and names(Circuit(2).ecr(0, 1).ecr(1, 0)) == ["ecr", "ecr"]
    assert names(Circuit(2).swap(0, 1).swap(1, 0)) == []
    nearly = Circuit(1).rx(1e-9, 0)
    assert len(nearly.simplified()) == 1 and len(nearly.simplified(tolerance=1e-8)) == 0

"""Circuits of exponentials against matrix exponentials, and their fast energies against circuits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit.quantum_info import Operator, Pauli, SparsePauliOp, Statevector, random_hermitian
from scipy.linalg import expm

from qas_simulators import Circuit, Gadget, PauliSum, StatevectorSimulator
from qas_simulators.excitations import coupled_exchange, double_excitation, single_excitation
from qas_simulators.exponentials import Exponential, exchange, pauli_exponential, qubit_excitation
from qas_simulators.subspace import Subspace

Halves = tuple[Sequence[int], Sequence[int]]


def generator(num_qubits: int, excitations: list[tuple[Halves, float]]) -> NDArray[Any]:
    """The sum of ``Q - Q^dagger`` as products of Qiskit's ladder operators, ``(X + iY) / 2`` raising."""
    total = np.zeros((1 << num_qubits, 1 << num_qubits), dtype=complex)
    for (sources, targets), weight in excitations:
        product = SparsePauliOp.from_sparse_list([("", [], 1.0)], num_qubits)
        for qubits, sign in ((sources, 1), (targets, -1)):  # |0><1| and |1><0|
            for qubit in qubits:
                ladder = [("X", [qubit], 0.5), ("Y", [qubit], 0.5j * sign)]
                product = product @ SparsePauliOp.from_sparse_list(ladder, num_qubits)
        matrix = product.to_matrix()
        total += weight * (matrix - matrix.conj().T)
    return total


FIRST, SECOND = ((0, 1), (2, 3)), ((0, 2), (1, 3))
GADGETS: list[tuple[Gadget, int, list[tuple[Halves, float]]]] = [
    (single_excitation(), 2, [(((0,), (1,)), 1.0)]),
    (double_excitation(), 13, [(FIRST, 1.0)]),
    (coupled_exchange(1), 9, [(FIRST, 1.0), (SECOND, 1.0)]),
    (coupled_exchange(-1), 9, [(FIRST, 1.0), (SECOND, -1.0)]),
]


@pytest.mark.parametrize(("gadget", "cnots", "excitations"), GADGETS, ids=lambda value: getattr(value, "name", ""))
def test_excitations_are_matrix_exponentials(
    gadget: Gadget, cnots: int, excitations: list[tuple[Halves, float]]
) -> None:
    matrix = generator(gadget.num_qubits, excitations)
    for angle in (0.0, *np.random.default_rng(7).uniform(-2 * np.pi, 2 * np.pi, 5)):
        circuit = gadget.circuit([angle])
        found = Operator(circuit.to_qiskit()).data
        assert np.abs(found - expm(angle / 2 * matrix)).max() < 1e-12  # even the phase is the same
        assert np.abs(found - gadget.unitary([angle])).max() < 1e-12
        assert {name for name, qubits, _ in circuit if len(qubits) == 2} == {"cx"}
        assert circuit.num_two_qubit_gates == circuit.count_ops()["cx"] == cnots
    assert gadget.num_params == 1 and np.abs(gadget.unitary([0.0]) - np.eye(1 << gadget.num_qubits)).max() < 1e-12


@pytest.mark.parametrize("sign", [1, -1])
def test_a_coupled_exchange_turns_four_basis_states_and_no_other(sign: int) -> None:
    """Worked by hand: 3 = |0011> goes to 12 = |1100>, and 5 = |0101> to 10 = |1010>."""
    unitary = coupled_exchange(sign).unitary([1.2])
    for state in range(16):
        expected = np.zeros(16)
        expected[state] = np.cos(0.6) if state in (3, 12, 5, 10) else 1.0
        for source, target, weight in ((3, 12, 1), (5, 10, sign)):
            expected[target] += np.sin(0.6) * weight * (state == source)
            expected[source] -= np.sin(0.6) * weight * (state == target)
        assert np.abs(unitary[:, state] - expected).max() < 1e-12


@pytest.mark.parametrize("label", ["IYI", "XIY", "ZYX", "YYY", "ZII", "ZIZ"])
def test_exponentials_of_strings(label: str) -> None:
    """Against the matrix exponential: cos - i sin times the string."""
    circuit = Circuit(3)
    pauli_exponential(label).append_to(circuit, 0.7)
    expected = np.cos(0.35) * np.eye(8) - 1j * np.sin(0.35) * Pauli(label).to_matrix()
    assert np.abs(Operator(circuit.to_qiskit()).data - expected).max() < 1e-12
    assert circuit.num_two_qubit_gates == 2 * (3 - label.count("I") - 1)


REAL_POOL = [
    qubit_excitation([0], [2]),
    qubit_excitation([3], [1]),
    qubit_excitation([0, 3], [2, 1]),
    exchange([2, 0, 1, 3], 1),
    exchange([0, 1, 3, 2], -1),
    pauli_exponential("XIYZ"),
]
OTHERS = [pauli_exponential(label) for label in ("XIXZ", "ZIZI", "IIIZ", "YYII")]


def appended(reference: Circuit, pool: list[Exponential], sequence: Sequence[int], angles: Sequence[float]) -> Circuit:
    circuit = reference.copy()
    for k, angle in zip(sequence, angles, strict=True):
        pool[k].append_to(circuit, angle)
    return circuit


@pytest.mark.parametrize("kind", ["real", "complex"])
def test_energies_and_derivatives_equal_those_of_circuits(kind: str) -> None:
    """Random Hamiltonians in an unusual unit; derivatives against central differences."""
    matrix, rng = 1e4 * random_hermitian(16, seed=3).data, np.random.default_rng(1)
    reference, pool = Circuit(4).x(0).ry(0.4, 2).x(3), list(REAL_POOL)
    if kind == "real":
        matrix = matrix.real
    else:
        reference.h(1).rz(0.3, 1)
        pool += OTHERS
    hamiltonian, simulator = PauliSum.from_matrix(matrix), StatevectorSimulator()
    subspace = Subspace(hamiltonian, reference, pool)
    sequence = rng.permutation(np.repeat(np.arange(len(pool)), 2)).tolist()
    angles = rng.normal(size=len(sequence))

    def energy(sequence: Sequence[int], angles: Any) -> float:
        return simulator.expectation(appended(reference, pool, sequence, angles), hamiltonian)

    found, gradient = subspace.energy_and_gradient(sequence, angles)
    circuit = appended(reference, pool, sequence, angles)
    qiskit = Statevector(circuit.to_qiskit()).expectation_value(hamiltonian.to_qiskit()).real
    assert found == subspace.energy(sequence, angles) == pytest.approx(qiskit, rel=1e-12)
    steps = 1e-5 * np.eye(len(sequence))
    differences = [(energy(sequence, angles + step) - energy(sequence, angles - step)) / 2e-5 for step in steps]
    assert np.abs(gradient - differences).max() < 1e-8 * np.abs(matrix).max()
    slopes = [
        (energy([*sequence, k], [*angles, 1e-5]) - energy([*sequence, k], [*angles, -1e-5])) / 2e-5
        for k in range(len(pool))
    ]
    assert np.abs(subspace.slopes(sequence, angles) - slopes).max() < 1e-8 * np.abs(matrix).max()
    minimum = subspace.minimize(sequence, angles)
    assert minimum.energy == pytest.approx(energy(sequence, minimum.angles), rel=1e-12) and minimum.energy < found
    assert np.abs(subspace.energy_and_gradient(sequence, minimum.angles)[1]).max() < 1e-5 * np.abs(gradient).max()


def test_a_subspace_holds_the_reachable_states() -> None:
    """Excitations keep the number of ones, which leaves six states; flips of two bits reach all of even parity."""
    hamiltonian, reference = PauliSum({"ZZZZ": 1.0}), Circuit(4).x(0).x(1)
    singles = [qubit_excitation([k], [k + 1]) for k in range(3)]
    assert Subspace(hamiltonian, reference, singles).states.tolist() == [3, 5, 6, 9, 10, 12]
    flips = [pauli_exponential(label) for label in ("IIXY", "IXYI", "XYII")]
    assert Subspace(hamiltonian, reference, flips).states.tolist() == [0, 3, 5, 6, 9, 10, 12, 15]


def test_bad_exponentials() -> None:
    hamiltonian, reference = PauliSum({"ZZ": 1.0}), Circuit(2)
    with pytest.raises(ValueError, match="`sign` must be 1 or -1"):
        coupled_exchange(0)
    with pytest.raises(ValueError, match="four different"):
        exchange([0, 1, 2, 2], 1)
    for halves in (([0], [0]), ([0], [1, 2]), ([0, 1, 2], [3, 4, 5])):
        with pytest.raises(ValueError, match="one or two qubits each"):
            qubit_excitation(*halves)
    for label in ("II", "XQ", ""):
        with pytest.raises(ValueError, match="`label` must"):
            pauli_exponential(label)
    with pytest.raises(ValueError, match="`pool` must hold exponentials on 2 qubits"):
        Subspace(hamiltonian, reference, [qubit_excitation([0], [2])])
    with pytest.raises(ValueError, match="`pool` must hold"):
        Subspace(hamiltonian, reference, [])
    with pytest.raises(ValueError, match="`reference` must have 2 qubits"):
        Subspace(hamiltonian, Circuit(3), [qubit_excitation([0], [1])])
    with pytest.raises(ValueError, match="`angles` must be 1"):
        Subspace(hamiltonian, reference, [qubit_excitation([0], [1])]).energy([0], [])

"""Tapering: spectra of sectors, energies of expanded circuits by Qiskit, and networks against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit.quantum_info import Operator, Statevector

from qas_envs.problems import Problem, h4_chain, lih, tfim
from qas_envs.problems.screening import closed_shell, restricted
from qas_envs.problems.tapering import before, parities, tapered
from qas_simulators import Circuit, PauliSum, StatevectorSimulator
from tests.conftest import random_circuit


def matrix_of(hamiltonian: PauliSum) -> np.ndarray:
    return np.asarray(hamiltonian.to_qiskit().to_matrix())


def test_parities_are_all_products_of_z_that_commute() -> None:
    hamiltonian = lih(2.2, num_qubits=6).hamiltonian
    masks = parities(hamiltonian)
    flips = {int(x) for x in hamiltonian.x}
    kept = [mask for mask in range(1 << 6) if all((mask & flip).bit_count() % 2 == 0 for flip in flips)]
    spanned = {0}
    for mask in masks:
        spanned |= {mask ^ other for other in spanned}
    assert spanned == {*kept}
    assert len(spanned) == 1 << len(masks)  # independent
    assert parities(tfim(4).hamiltonian) == ()  # its symmetry is a product of X


def test_a_network_conjugates_the_hamiltonian() -> None:
    rng = np.random.default_rng(3)
    labels = {"".join(rng.choice(list("IXYZ"), 3)): float(rng.normal()) for _ in range(20)}
    hamiltonian, network = PauliSum(labels), [(0, 1), (2, 0), (1, 2), (0, 2)]
    circuit = Circuit(3)
    for control, target in network:
        circuit.cx(control, target)
    unitary = Operator(circuit.to_qiskit()).data
    expected = unitary.conj().T @ matrix_of(hamiltonian) @ unitary
    assert np.abs(matrix_of(before(hamiltonian, network)) - expected).max() < 1e-12


@pytest.mark.parametrize("problem", [lih(2.2, num_qubits=6), h4_chain()], ids=["LiH-6", "H4"])
def test_a_tapered_problem_is_a_sector(problem: Problem) -> None:
    """Its spectrum is that of the block with the parities of the basis state."""
    bits = closed_shell(problem) if "molecule" in problem.provenance else "0" * problem.num_qubits
    small = tapered(problem, bits)
    masks, value = parities(problem.hamiltonian), int(bits, 2)
    assert small.problem.num_qubits == problem.num_qubits - len(masks)
    own = [
        state
        for state in range(1 << problem.num_qubits)
        if all(((state ^ value) & mask).bit_count() % 2 == 0 for mask in masks)
    ]
    block = matrix_of(problem.hamiltonian)[np.ix_(own, own)]
    found = np.linalg.eigvalsh(matrix_of(small.problem.hamiltonian))
    assert np.abs(found - np.linalg.eigvalsh(block)).max() < 1e-9


def test_expanded_circuits_have_the_same_energy() -> None:
    whole = lih(1.6, num_qubits=12)
    part = restricted(whole, (2, 3, 4, 5, 10, 11))
    small = tapered(part, "000011")
    assert small.problem.ground_energy == pytest.approx(part.ground_energy, abs=1e-9)
    for seed in range(4):
        circuit = random_circuit(small.problem.num_qubits, 12, seed)
        full = small.expanded(circuit)
        energy = Statevector(full.to_qiskit()).expectation_value(part.hamiltonian.to_qiskit()).real
        own = StatevectorSimulator().expectation(circuit, small.problem.hamiltonian)
        assert energy == pytest.approx(own, abs=1e-10)
        assert full.num_two_qubit_gates == circuit.num_two_qubit_gates + len(small.network)


def test_networks_have_few_gates_and_some_parities_may_stay() -> None:
    problem = Problem("pairs", PauliSum({"IIXX": 1.0, "XXII": 0.5, "ZIIZ": 0.3, "ZIII": 0.1}), -1.0, 1e-3, "")
    assert sorted(parities(problem.hamiltonian)) == [0b0011, 0b1100]
    small = tapered(problem, "0100")
    assert sorted(map(sorted, small.network)) == [[0, 1], [2, 3]]  # one CX each, the least
    one = tapered(problem, "0100", masks=[0b1100])
    assert one.problem.num_qubits == 3 and len(one.network) == 1
    with pytest.raises(ValueError, match="masks"):
        tapered(problem, "0100", masks=[0b0001])
    with pytest.raises(ValueError, match="basis_state"):
        tapered(problem, "01")

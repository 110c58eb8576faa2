"""ADAPT until a solution, then annealing over blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qiskit.quantum_info import Statevector

from qas_agents import adapt_circuit, ceo_pool, determinant, pauli_pool, qubit_adapt, spin_orbitals, usual_pool
from qas_envs.problems import h2, lih, tfim
from qas_simulators import Circuit, PauliSum


def by_qiskit(circuit: Circuit, hamiltonian: PauliSum) -> float:
    return float(Statevector(circuit.to_qiskit()).expectation_value(hamiltonian.to_qiskit()).real)


@pytest.mark.parametrize("options", [{}, {"tetris": True}, {"per_cnot": True}])
def test_the_circuit_is_shorter_and_still_a_solution(options: dict[str, Any]) -> None:
    problem = lih(3.4)
    pool, limit = usual_pool(problem.hamiltonian), problem.ground_energy + problem.accuracy
    plain = adapt_circuit(problem.hamiltonian, pool, limit, evaluations=0, **options)
    short = adapt_circuit(problem.hamiltonian, pool, limit, evaluations=5000, **options)
    for found in (plain, short):
        energy = by_qiskit(found.circuit, problem.hamiltonian)
        assert energy == pytest.approx(found.energy, abs=1e-9) and energy <= limit
        assert found.circuit.to_qiskit().count_ops().get("cx", 0) == found.circuit.num_two_qubit_gates
    assert short.circuit.num_two_qubit_gates < plain.circuit.num_two_qubit_gates
    assert plain.evaluations < short.evaluations < plain.evaluations + 5000 + 1000  # the last trial may exceed it


def test_coupled_exchanges_become_blocks() -> None:
    problem = h2(bond_length=2.0, num_qubits=4)
    spin_of = spin_orbitals(4, "jordan_wigner")
    pool, reference = ceo_pool(spin_of), determinant(spin_of, up=1, down=1)
    found = adapt_circuit(problem.hamiltonian, pool, problem.ground_energy + 1.6e-3, reference=reference)
    assert found.circuit.num_two_qubit_gates == 3  # the floor; the operator alone has nine
    assert by_qiskit(found.circuit, problem.hamiltonian) <= problem.ground_energy + 1.6e-3


def test_nothing_is_annealed_without_real_gates() -> None:
    """A string with an even number of Y from a reference with a phase: the circuit of the operators is returned."""
    hamiltonian = PauliSum({"YY": 1.0, "ZI": 0.1})
    assert hamiltonian.is_real
    reference = Circuit(2).h(0).s(0).h(1)
    path = [*qubit_adapt(hamiltonian, ["YY", "XX", "ZZ", "IX", "XI"], 4, reference)]
    assert any(label.count("Y") % 2 == 0 for label in path[-1].operators)
    limit = path[-1].energy + 1e-6
    found = adapt_circuit(hamiltonian, ["YY", "XX", "ZZ", "IX", "XI"], limit, reference=reference)
    assert by_qiskit(found.circuit, hamiltonian) == pytest.approx(found.energy, abs=1e-9)
    assert found.energy <= limit


def test_a_reference_that_is_a_solution_needs_no_cnot() -> None:
    hamiltonian = PauliSum({"ZI": 1.0, "IZ": 1.0, "XX": 1e-3})
    found = adapt_circuit(hamiltonian, pauli_pool(2, [2]), hamiltonian.ground_energy() + 1e-2)
    assert found.circuit.num_two_qubit_gates == 0
    assert found.energy == pytest.approx(-2.0)


def test_refusals() -> None:
    chain = tfim(3)
    with pytest.raises(ValueError, match="max_operators"):
        adapt_circuit(chain.hamiltonian, pauli_pool(3, [1, 2]), chain.ground_energy + 1e-9, max_operators=1)
    with pytest.raises(ValueError, match="evaluations"):
        adapt_circuit(chain.hamiltonian, pauli_pool(3, [1, 2]), 0.0, evaluations=-1)


def test_a_stop_returns_what_there_is() -> None:
    chain = tfim(4)
    limit = chain.ground_energy + 1e-3
    pool = pauli_pool(4, [1, 2])
    stopped = adapt_circuit(chain.hamiltonian, pool, limit, should_stop=lambda: True)
    plain = adapt_circuit(chain.hamiltonian, pool, limit, evaluations=0)
    assert stopped.circuit.num_two_qubit_gates == plain.circuit.num_two_qubit_gates
    assert np.isclose(stopped.energy, plain.energy, atol=1e-9)

"""Post-processing: fewer gates, an energy below the limit, the same unitary where it is promised."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit.quantum_info import Operator, Statevector

from qas_agents import post_process, pruned, resynthesised
from qas_envs import make_env
from qas_simulators import Circuit, PauliSum


def random_circuit(num_qubits: int, gates: int, seed: int) -> Circuit:
    rng, circuit = np.random.default_rng(seed), Circuit(num_qubits)
    for _ in range(gates):
        first, second = rng.choice(num_qubits, 2, replace=False).tolist()
        getattr(circuit, rng.choice(["rx", "ry", "rz"]))(rng.uniform(-3, 3), first)
        getattr(circuit, rng.choice(["cx", "cz"]))(first, second)
    return circuit


@pytest.mark.parametrize("seed", range(4))
def test_resynthesis_keeps_the_unitary(seed: int) -> None:
    circuit = random_circuit(3, 25, seed)
    other = resynthesised(circuit)
    assert Operator(other.to_qiskit()).equiv(Operator(circuit.to_qiskit()))
    assert other.num_two_qubit_gates <= circuit.num_two_qubit_gates
    assert resynthesised(random_circuit(2, 25, seed)).num_two_qubit_gates <= 3


def test_layers_are_pruned_to_the_floor() -> None:
    """LiH-4 at 3.4 angstrom: 3 CNOTs is the proven least (results/floors.md)."""
    problem = make_env("lih", problem_settings={"bond_length": 3.4}).problem
    circuit = Circuit(4)
    for layer in range(4):
        for qubit in range(4):
            circuit.ry(0.3 + 0.1 * qubit + layer, qubit)
        for qubit in range(3):
            circuit.cx(qubit, qubit + 1)
    limit = problem.ground_energy + 1.6e-3
    short = post_process(circuit, problem.hamiltonian, limit, starts=3)
    measured = Statevector(short.circuit.to_qiskit()).expectation_value(problem.hamiltonian.to_qiskit()).real
    assert measured == pytest.approx(short.energy, abs=1e-9)
    assert measured <= limit
    assert 3 <= short.circuit.num_two_qubit_gates <= 4
    assert short.circuit.num_gates < circuit.num_gates
    assert short.evaluations > 0


def test_no_gate_can_be_removed_afterwards() -> None:
    ising = PauliSum({"ZZI": -1.0, "IZZ": -1.0, "XII": -0.6, "IXI": -0.6, "IIX": -0.6})
    limit = ising.ground_energy() + 1e-3
    circuit = random_circuit(3, 14, 1)
    short = pruned(circuit, ising, limit, starts=4)
    again = pruned(short.circuit, ising, limit, starts=4)
    assert again.circuit.num_gates == short.circuit.num_gates


def test_limits_out_of_reach_and_interruptions() -> None:
    ising = PauliSum({"ZZ": -1.0, "XI": -0.6})
    with pytest.raises(ValueError, match="highest_energy"):
        pruned(Circuit(2).ry(0.1, 0), ising, ising.ground_energy() - 1)
    circuit = random_circuit(2, 9, 0)
    kept = pruned(circuit, ising, 10.0, should_stop=lambda: True)
    assert kept.circuit.num_two_qubit_gates == circuit.simplified().num_two_qubit_gates

"""Statevectors by the matrices of Qiskit's gates equal those of Qiskit's own simulator, for every gate."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit.quantum_info import Statevector

from qas_experiments.qiskit_energies import state_by_qiskit
from qas_simulators import Circuit
from qas_simulators.gates import GATES


@pytest.mark.parametrize("num_qubits", [1, 2, 3, 5])
def test_states_are_those_of_qiskit(num_qubits: int) -> None:
    rng = np.random.default_rng(num_qubits)
    gates = [gate for gate in GATES if gate.num_qubits <= num_qubits]
    circuit = Circuit(num_qubits)
    for gate in [gates[place] for place in rng.permutation(3 * len(gates)) % len(gates)]:  # each gate three times
        qubits = rng.permutation(num_qubits)[: gate.num_qubits].tolist()
        circuit.append(gate.name, qubits, rng.uniform(-3.0, 3.0) if gate.num_params else None)
    expected = Statevector(circuit.to_qiskit()).data
    assert state_by_qiskit(circuit) == pytest.approx(expected, abs=1e-12)
    assert np.count_nonzero(np.abs(expected) > 1e-6) > 1


def test_the_empty_circuit_prepares_zero() -> None:
    assert state_by_qiskit(Circuit(2)).tolist() == [1.0, 0.0, 0.0, 0.0]

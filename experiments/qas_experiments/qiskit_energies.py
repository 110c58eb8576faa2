"""Energies by Qiskit, as a check of this library's."""

from __future__ import annotations

from typing import Final

from qas_simulators import Circuit, PauliSum
from qas_simulators.preparation import whole
from qas_simulators.stabilizers import is_clifford

_FEW_QUBITS: Final = 12  # of Clifford circuits whose statevector is quicker than their stabilisers
_MOST_QUBITS: Final = 22  # of a statevector that Qiskit simulates in seconds


def energy_by_qiskit(circuit: Circuit, hamiltonian: PauliSum) -> float | None:
    """Return Qiskit's noiseless energy of a circuit, or ``None`` where that needs too much.

    Circuits start after the Hamiltonian's preparation, if it has one. Large Clifford circuits are simulated by their
    stabilisers, others by their statevector, to 22 qubits.

    Examples:
        >>> energy_by_qiskit(Circuit(30).h(0).cx(0, 29), PauliSum({"X" + 28 * "I" + "X": 1.0, 30 * "I": 0.5}))
        1.5
    """
    from qiskit.quantum_info import StabilizerState, Statevector

    circuit = whole(circuit, hamiltonian)
    if circuit.num_qubits > _FEW_QUBITS and all(is_clifford(gate) for gate in circuit.table[:, 0].tolist()):
        state = StabilizerState(circuit.to_qiskit())
    elif circuit.num_qubits <= _MOST_QUBITS:
        state = Statevector(circuit.to_qiskit())
    else:
        return None
    return float(state.expectation_value(hamiltonian.to_qiskit()).real)

"""Energies by Qiskit, as a check of this library's."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

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


def state_by_qiskit(circuit: Circuit) -> NDArray[np.complex128]:
    """Return the statevector ``(2**n,)`` that the matrices of Qiskit's gates prepare from ``|0...0>``.

    It equals that of Qiskit's ``Statevector``, which needs ten times as long for a circuit of few qubits because it
    checks every gate and every state. Nothing of this library's simulators is used.

    Examples:
        >>> state_by_qiskit(Circuit(2).x(0).cx(0, 1)).real
        array([0., 0., 0., 1.])
    """
    theirs = circuit.to_qiskit()
    numbers = {qubit: number for number, qubit in enumerate(theirs.qubits)}
    state = np.zeros(2**theirs.num_qubits, dtype=np.complex128)
    state[0] = 1.0
    for gate in theirs.data:
        places = _amplitudes(theirs.num_qubits, tuple(numbers[qubit] for qubit in gate.qubits))
        state[places] = _matrix(gate) @ state[places]
    return state


def _matrix(gate: Any) -> NDArray[np.complex128]:
    """Return the matrix of an instruction of a Qiskit circuit; one that Qiskit does not know has a definition."""
    from qiskit.quantum_info import Operator

    found: NDArray[np.complex128] = Operator(gate.operation).data if gate.matrix is None else gate.matrix
    return found


@lru_cache(maxsize=1024)
def _amplitudes(num_qubits: int, qubits: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the places of amplitudes that a gate mixes, ``(2**k, 2**(n - k))``; in Qiskit's order of its matrix.

    Bit ``j`` of a row is the value of ``qubits[j]``; the columns are the values of the other qubits.
    """
    others = [qubit for qubit in range(num_qubits) if qubit not in qubits]
    rows, columns = np.arange(1 << len(qubits)), np.arange(1 << len(others))
    at_rows = sum((rows >> j & 1) << qubit for j, qubit in enumerate(qubits))
    at_columns = sum((columns >> j & 1) << qubit for j, qubit in enumerate(others))
    return np.add.outer(at_rows, at_columns)

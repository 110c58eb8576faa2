"""The truth: a density-matrix simulator, slow and short enough to read.

Every gate and every Kraus operator becomes a full ``2**n x 2**n`` matrix. Fast kernels are tested against this.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from qas_simulators.circuit import Circuit
from qas_simulators.gates import GATES, ComplexMatrix, gate_index
from qas_simulators.noise import NoiseModel
from qas_simulators.pauli import PauliSum


def embed(matrix: ComplexMatrix, qubits: tuple[int, ...], num_qubits: int) -> ComplexMatrix:
    """Return a gate's matrix as it acts on the whole register; ``qubits[0]`` is the gate's low bit."""
    size = 1 << num_qubits
    full = np.zeros((size, size), dtype=np.complex128)
    for column in range(size):
        local_column = sum((column >> qubit & 1) << k for k, qubit in enumerate(qubits))
        rest = column & ~sum(1 << qubit for qubit in qubits)
        for local_row in range(len(matrix)):
            row = rest | sum((local_row >> k & 1) << qubit for k, qubit in enumerate(qubits))
            full[row, column] += matrix[local_row, local_column]
    return full


def density_matrix(circuit: Circuit, noise: NoiseModel | None = None, params: ArrayLike | None = None) -> ComplexMatrix:
    """Return the final density matrix ``(2**n, 2**n)`` of a circuit that starts in ``|0...0>``."""
    circuit = circuit.copy()
    if params is not None:
        circuit.params = np.asarray(params)
    num_qubits = circuit.num_qubits
    rho = np.zeros((1 << num_qubits, 1 << num_qubits), dtype=np.complex128)
    rho[0, 0] = 1.0
    for name, qubits, angle in circuit:
        unitary = embed(GATES[gate_index(name)].matrix(angle or 0.0), qubits, num_qubits)
        rho = unitary @ rho @ unitary.conj().T
        for channel, where in noise.channels(name, qubits) if noise is not None else []:
            operators = [embed(kraus, where, num_qubits) for kraus in channel.kraus]
            rho = np.sum([operator @ rho @ operator.conj().T for operator in operators], axis=0)
    return rho


def expectation(
    circuit: Circuit, observable: PauliSum, noise: NoiseModel | None = None, params: ArrayLike | None = None
) -> float:
    """Return ``Tr(H rho)`` from full matrices."""
    return float(np.trace(observable.to_matrix() @ density_matrix(circuit, noise, params)).real)

"""The reference: a density-matrix simulator that is slow, and short enough to verify by reading.

Every gate and every Kraus operator multiplies a ``2**n x 2**n`` matrix. Fast kernels are tested against it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from qas_simulators.circuit import Circuit
from qas_simulators.gates import GATES, ComplexMatrix, gate_index
from qas_simulators.noise import NoiseModel
from qas_simulators.pauli import PauliSum
from qas_simulators.preparation import whole


def apply_left(matrix: ComplexMatrix, qubits: tuple[int, ...], rho: ComplexMatrix) -> ComplexMatrix:
    """Return ``rho``, ``2**n`` rows, multiplied from the left by a matrix on ``qubits``, ``qubits[0]`` its low bit."""
    num_qubits = len(rho).bit_length() - 1
    axes = [num_qubits - 1 - qubit for qubit in reversed(qubits)]  # the first axis is the highest qubit
    tensor = rho.reshape((2,) * num_qubits + (-1,))
    gate = matrix.reshape((2,) * (2 * len(qubits)))
    product = np.tensordot(gate, tensor, axes=(range(len(qubits), 2 * len(qubits)), axes))
    return np.moveaxis(product, range(len(qubits)), axes).reshape(rho.shape)


def conjugate(matrix: ComplexMatrix, qubits: tuple[int, ...], rho: ComplexMatrix) -> ComplexMatrix:
    """Return ``K rho K^dagger`` for an operator on some qubits."""
    half = apply_left(matrix, qubits, rho)
    return apply_left(matrix, qubits, half.conj().T).conj().T


def density_matrix(circuit: Circuit, noise: NoiseModel | None = None, params: ArrayLike | None = None) -> ComplexMatrix:
    """Return the final density matrix ``(2**n, 2**n)`` of a circuit that starts in ``|0...0>``."""
    circuit = circuit.copy()
    if params is not None:
        circuit.params = np.asarray(params)
    rho = np.zeros((1 << circuit.num_qubits, 1 << circuit.num_qubits), dtype=np.complex128)
    rho[0, 0] = 1.0
    for name, qubits, angle in circuit if noise is None else noise.scheduled(circuit):
        rho = conjugate(GATES[gate_index(name)].matrix(angle or 0.0), qubits, rho)
        for channel, where in noise.channels(name, qubits) if noise is not None else []:
            rho = np.sum([conjugate(kraus, where, rho) for kraus in channel.kraus], axis=0)
    return rho


def expectation(
    circuit: Circuit, observable: PauliSum, noise: NoiseModel | None = None, params: ArrayLike | None = None
) -> float:
    """Return ``Tr(H rho)`` from full matrices; if the observable has a preparation, circuits start after it.

    Raises:
        ValueError: Noise after a preparation.
    """
    if noise is not None:
        observable.require_no_preparation("noise")
    elif observable.preparation is not None:
        circuit = circuit.copy()
        circuit.params = circuit.params if params is None else np.asarray(params)
        circuit, params = whole(circuit, observable), None
    return float(np.trace(observable.to_matrix() @ density_matrix(circuit, noise, params)).real)

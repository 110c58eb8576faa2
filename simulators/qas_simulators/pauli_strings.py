"""Pauli strings as bit masks: ``x`` has the bits that a string flips, ``z`` those that give a sign; Y is in both."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qas_simulators.bit_masks import Masks
from qas_simulators.errors import must


def masks_of(label: str) -> tuple[int, int]:
    """Return the masks ``(x, z)`` of a label; its last letter is qubit 0."""
    x = sum(1 << qubit for qubit, letter in enumerate(reversed(label)) if letter in "XY")
    z = sum(1 << qubit for qubit, letter in enumerate(reversed(label)) if letter in "ZY")
    return x, z


def label_of(x: int, z: int, num_qubits: int) -> str:
    """Return the label of the masks."""
    return "".join("IXZY"[(x >> qubit & 1) + 2 * (z >> qubit & 1)] for qubit in reversed(range(num_qubits)))


def pauli_indices(x: NDArray[np.int64], z: NDArray[np.int64], num_qubits: int) -> NDArray[np.int64]:
    """Return the positions of strings, given as masks, in a Pauli vector."""
    indices = np.zeros(len(x), dtype=np.int64)
    for qubit in range(num_qubits):
        indices |= (((x >> qubit) & 1) ^ (3 * ((z >> qubit) & 1))) << (2 * qubit)  # x only: 1; z only: 3; both: 2
    return indices


def masks_of_indices(indices: NDArray[np.int64], num_qubits: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the masks ``(x, z)`` of the strings at positions of a Pauli vector."""
    x, z = np.zeros_like(indices), np.zeros_like(indices)
    for qubit in range(num_qubits):
        digit = (indices >> 2 * qubit) & 3
        x |= ((digit == 1) | (digit == 2)).astype(np.int64) << qubit
        z |= (digit >= 2).astype(np.int64) << qubit
    return x, z


def summed_terms(x: Masks, z: Masks, coefficients: NDArray[np.float64]) -> tuple[Masks, Masks, NDArray[np.float64]]:
    """Return the terms sorted by ``(x, z)``, the coefficients of equal strings summed."""
    order = np.lexsort((z, x))
    x, z = x[order], z[order]
    is_new = np.ones(len(x), dtype=np.bool_)
    is_new[1:] = (x[1:] != x[:-1]) | (z[1:] != z[:-1])
    position = np.cumsum(is_new) - 1
    return x[is_new], z[is_new], np.bincount(position, weights=coefficients[order]).astype(np.float64)


def walsh_hadamard(rows: NDArray[np.complex128], num_qubits: int) -> NDArray[np.complex128]:
    """Return ``out[:, z] = sum_i (-1)**popcount(z & i) rows[:, i]``, shape ``(rows, 2**num_qubits)``."""
    count = len(rows)
    for qubit in range(num_qubits):
        halves = rows.reshape(count, -1, 2, 1 << qubit)
        low, high = halves[:, :, 0, :] + halves[:, :, 1, :], halves[:, :, 0, :] - halves[:, :, 1, :]
        rows = np.stack([low, high], axis=2).reshape(count, -1)
    return rows


def coefficients_of_matrix(array: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Return the coefficients of the Pauli strings that add up to a Hermitian matrix ``(2**n, 2**n)``, by ``(x, z)``.

    The strings that flip the bits ``x`` live on the entries ``array[i ^ x, i]``; a Walsh-Hadamard transform over ``i``
    separates their ``z`` masks, so the cost is ``n 4**n``.

    Raises:
        ValueError: Not square of a power of two, not finite, or not Hermitian.
    """
    size = array.shape[0] if array.ndim == 2 else 0
    num_qubits = max(size, 1).bit_length() - 1
    if array.shape != (size, size) or size < 2 or size != 1 << num_qubits:
        raise ValueError(must("matrix", "have shape (2**n, 2**n) with n >= 1", array.shape))
    if not np.isfinite(array).all():
        raise ValueError(must("matrix", "be finite", "an array with NaN or infinity"))
    if not np.allclose(array, array.conj().T, atol=1e-8 * np.abs(array).max()):
        gap = np.abs(array - array.conj().T).max()
        raise ValueError(f"A Hamiltonian must be Hermitian; this matrix and its adjoint differ by {gap:.3g}.")
    index = np.arange(size)
    flips = index[:, None]
    signed = walsh_hadamard(array[index ^ flips, np.broadcast_to(index, (size, size))], num_qubits)  # (x, z)
    return np.asarray((signed * (-1j) ** popcount(flips & index) / size).real)


def means_of_strings(x: Masks, z: Masks, statevector: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Return ``<psi|P|psi>`` of every string.

    All strings that flip the same bits ``x`` come out of one Walsh-Hadamard transform of ``psi*[i ^ x] psi[i]``.
    """
    index = np.arange(len(statevector))
    flips, group = np.unique(x, return_inverse=True)
    products = statevector.conj()[index ^ flips[:, None]] * statevector
    signed = walsh_hadamard(products, len(statevector).bit_length() - 1)[group, z]
    return np.asarray((signed * 1j ** popcount(x & z)).real)


def popcount(values: Masks | np.int64) -> NDArray[np.int64]:
    """Return the number of ones in each mask."""
    return np.asarray(np.bitwise_count(np.asarray(values))).astype(np.int64)

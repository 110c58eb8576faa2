"""Pauli strings as bit masks: ``x`` has the bits that a string flips, ``z`` those that give a sign; Y is in both."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qas_simulators.bit_masks import Masks


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


def popcount(values: Masks | np.int64) -> NDArray[np.int64]:
    """Return the number of ones in each mask."""
    return np.asarray(np.bitwise_count(np.asarray(values))).astype(np.int64)

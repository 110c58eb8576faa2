"""Nearest physical maps: projections of estimates onto channels, states and measurements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qas_simulators.channels import choi_basis, pauli_basis
from qas_simulators.checks import real_array
from qas_simulators.errors import must

FloatArray = NDArray[np.float64]

_MOST_ROUNDS: Final = 5000
_TOLERANCE: Final = 1e-12


def nearest_channel(ptm: ArrayLike) -> FloatArray:
    """Return the completely positive and trace-preserving map that is nearest in the Frobenius norm.

    Dykstra's alternating projections between Choi matrices without negative eigenvalues and maps that preserve the
    trace. Distances of Pauli transfer matrices are those of Choi matrices, up to a factor. What is left of negative
    eigenvalues, 1e-10 or less, is removed by as much depolarising noise.

    Args:
        ptm: Pauli transfer matrix, ``(4**n, 4**n)``.

    Raises:
        ValueError: Not a square matrix on one or two qubits.

    References:
        Knee, Bolduc, Leach and Gauger, "Quantum process tomography via completely positive and trace-preserving
        projection", arXiv:1803.10062.

    Examples:
        >>> nearest_channel(np.diag([1.0, 1.1, 1.1, 1.1])).round(9).tolist() == np.eye(4).tolist()
        True
    """
    matrix = real_array("ptm", ptm)
    if matrix.shape not in ((4, 4), (16, 16)):
        raise ValueError(must("ptm", "have shape (4, 4) or (16, 16)", matrix.shape))
    found = _dykstra(matrix, _completely_positive, _trace_preserving)
    least, size = float(np.linalg.eigvalsh(_choi(found))[0]), np.sqrt(len(matrix))
    if least < 0:
        share = -least * size / (1 - least * size)
        found[1:] *= 1 - share
    return found


def nearest_state(vector: ArrayLike) -> FloatArray:
    """Return the Pauli vector ``Tr(P rho)`` of the density matrix that is nearest to an estimate.

    References:
        Smolin, Gambetta and Smith, "Efficient method for computing the maximum-likelihood quantum state from
        measurements with additive Gaussian noise", arXiv:1106.5458.

    Examples:
        >>> nearest_state([1.0, 0.0, 0.0, 1.2]).round(9).tolist()
        [1.0, 0.0, 0.0, 1.0]
    """
    given = real_array("vector", vector)
    basis = np.array(pauli_basis(int(np.log2(len(given)) / 2)))
    size = len(basis[0])
    values, vectors = np.linalg.eigh(np.tensordot(given, basis, 1) / size)
    matrix = (vectors * _on_simplex(values)) @ vectors.conj().T
    return np.asarray(np.einsum("kab,ba->k", basis, matrix).real)


def nearest_effects(effects: ArrayLike) -> FloatArray:
    """Return the effects, as ``Tr(P E) / 2**n``, of the measurement that is nearest to an estimate.

    Args:
        effects: Of each outcome, ``(outcomes, 4**n)``.

    Examples:
        >>> nearest_effects([[0.5, 0.0, 0.0, 0.6], [0.5, 0.0, 0.0, -0.6]]).round(9).tolist()
        [[0.5, 0.0, 0.0, 0.5], [0.5, 0.0, 0.0, -0.5]]
    """
    given = real_array("effects", effects)
    basis = np.array(pauli_basis(int(np.log2(given.shape[1]) / 2)))

    def positive(vectors: FloatArray) -> FloatArray:
        values, axes = np.linalg.eigh(np.tensordot(vectors, basis, 1))
        matrices = (axes * np.maximum(values, 0.0)[:, None]) @ axes.conj().swapaxes(1, 2)
        return np.asarray(np.einsum("kab,oba->ok", basis, matrices).real / len(basis[0]))

    def complete(vectors: FloatArray) -> FloatArray:
        excess = vectors.sum(axis=0)
        excess[0] -= 1.0
        return np.asarray(vectors - excess / len(vectors))

    return _dykstra(given, positive, complete)


def _dykstra(
    point: FloatArray, first: Callable[[FloatArray], FloatArray], second: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """Return the projection onto the intersection of a convex set and an affine space, in the latter."""
    current, correction = second(point), np.zeros_like(point)
    for _ in range(_MOST_ROUNDS):
        inside = first(current + correction)
        correction = current + correction - inside
        following = second(inside)
        done = np.abs(following - current).max() < _TOLERANCE and np.abs(following - inside).max() < 1e-10
        current = following
        if done:
            break
    return current


def _choi(ptm: FloatArray) -> NDArray[np.complex128]:
    """Return the Choi matrix of trace ``2**n``."""
    number = int(np.log2(len(ptm)) / 2)
    return np.asarray(np.tensordot(ptm, choi_basis(number), 2) / 2**number)


def _completely_positive(ptm: FloatArray) -> FloatArray:
    """Remove the negative eigenvalues of the Choi matrix."""
    values, vectors = np.linalg.eigh(_choi(ptm))
    choi = (vectors * np.maximum(values, 0.0)) @ vectors.conj().T
    number = int(np.log2(len(ptm)) / 2)
    return np.asarray(np.tensordot(choi_basis(number).conj(), choi, 2).real / 2**number)


def _trace_preserving(ptm: FloatArray) -> FloatArray:
    """Set the first row to that of maps that preserve the trace."""
    found = ptm.copy()
    found[0] = np.eye(len(ptm))[0]
    return found


def _on_simplex(values: FloatArray) -> FloatArray:
    """Return the nearest numbers that are not negative and have the sum 1."""
    ordered = np.sort(values)[::-1]
    excess = (np.cumsum(ordered) - 1.0) / np.arange(1, len(values) + 1)
    last = int(np.flatnonzero(ordered > excess)[-1])
    return np.asarray(np.maximum(values - excess[last], 0.0))

"""Chains that are free fermions: their ground energy in closed form."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def chain_energy(num_qubits: int, coupling_x: float, coupling_y: float, field: float, periodic: bool) -> float:
    """Return the ground energy of ``sum (Jx X_i X_j + Jy Y_i Y_j) + h sum Z_i`` over neighbours on a chain or a ring.

    With the Majorana operators ``a_i = Z_0 ... Z_(i-1) X_i`` and ``b_i = Z_0 ... Z_(i-1) Y_i`` it is
    ``i sum M_jk a_j b_k``, whose ground energy is minus the sum of the singular values of ``M``. On a ring, the bond
    that closes it changes its sign with the parity ``Z_0 ... Z_(n-1)``: each parity has an ``M``, and where the lowest
    state of ``M`` has the other parity, the smallest singular value changes its sign.

    Args:
        num_qubits: At least 3 on a ring.
        coupling_x: ``Jx``.
        coupling_y: ``Jy``.
        field: ``h``.
        periodic: Whether it is a ring.

    References:
        E. Lieb, T. Schultz, D. Mattis: Two soluble models of an antiferromagnetic chain. Annals of Physics 16 (1961).

    Examples:
        >>> round(chain_energy(2, -1.0, 0.0, -1.0, periodic=False), 6)  # -sqrt(5)
        -2.236068
    """
    matrix = np.diag(np.full(num_qubits, -field))
    matrix += np.diag(np.full(num_qubits - 1, coupling_x), -1) + np.diag(np.full(num_qubits - 1, coupling_y), 1)
    if not periodic:
        return -float(np.linalg.svd(matrix, compute_uv=False).sum())
    return min(_ring_energy(matrix, coupling_x, coupling_y, parity) for parity in (1, -1))


def _ring_energy(chain: NDArray[np.float64], coupling_x: float, coupling_y: float, parity: int) -> float:
    matrix = chain.copy()
    matrix[0, -1] += -parity * coupling_x
    matrix[-1, 0] += -parity * coupling_y
    left, values, right = np.linalg.svd(matrix)
    found = round(np.linalg.det(left) * np.linalg.det(right))
    return -float(values.sum()) + (0.0 if found == parity else 2.0 * float(values[-1]))

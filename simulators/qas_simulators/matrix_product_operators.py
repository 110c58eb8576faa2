"""Pauli sums as matrix-product operators of the smallest bond dimension."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qas_simulators.pauli import PauliSum
from qas_simulators.pauli_strings import popcount

Operators = list[NDArray[Any]]
"""A tensor ``(left, out, in, right)`` for each qubit, qubit 0 first; the outer bonds have dimension 1."""

_NEGLIGIBLE: Final = 1e-14  # singular values, as a part of the largest
LETTERS: Final = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[1, 0], [0, -1]], [[0, -1], [1, 0]]], dtype=float)
"""I, X, Z and -i Y, by ``x + 2 z``: real matrices."""


def operators_of(observable: PauliSum) -> Operators:
    """Return an observable as a matrix-product operator; computed once.

    The coefficients are a tensor with one index of four letters for each qubit. It is split by singular values from the
    last qubit on, so that the bond dimension is the rank across each cut: 3 for an Ising chain, 5 for a Heisenberg
    chain. Tensors are real where the matrix of the observable is.

    References:
        G. K.-L. Chan et al.: Matrix product operators, matrix product states, and ab initio density matrix
        renormalization group algorithms, arXiv:1605.02611.

    Examples:
        >>> chain = PauliSum({"IIZZ": 1.0, "IZZI": 1.0, "ZZII": 1.0, "IIIX": 0.5})
        >>> [tensor.shape for tensor in operators_of(chain)]
        [(1, 2, 2, 3), (3, 2, 2, 3), (3, 2, 2, 2), (2, 2, 2, 1)]
    """
    if observable._operators is None:
        observable._operators = _split(observable)
    found: Operators = observable._operators
    return found


def _split(observable: PauliSum) -> Operators:
    qubits = range(observable.num_qubits)
    digits = np.array(
        [(observable.x >> qubit & 1) + 2 * (observable.z >> qubit & 1) for qubit in qubits], dtype=np.int64
    )  # (qubits, terms)
    phases = 1j ** (popcount(observable.x & observable.z).astype(np.int64) % 4)
    table = (observable.coefficients * phases)[:, None]
    if observable.is_real:
        table = table.real
    operators: Operators = []
    for qubit in reversed(qubits):
        _, first, place = np.unique(digits[:qubit], axis=1, return_index=True, return_inverse=True)
        whole = np.zeros((len(first), 4, table.shape[1]), dtype=table.dtype)
        whole[place.ravel(), digits[qubit]] = table  # terms are unique
        if qubit == 0:
            rows = whole[0][None]
        else:
            left, values, right = np.linalg.svd(whole.reshape(len(first), -1), full_matrices=False)
            rank = max(1, int((values > _NEGLIGIBLE * values[0]).sum()))
            rows = right[:rank].reshape(rank, 4, -1)
            table, digits = left[:, :rank] * values[:rank], digits[:qubit, first]
        operators.append(np.ascontiguousarray(np.einsum("ldr,dij->lijr", rows, LETTERS)))
    return operators[::-1]


def shifted(operators: Operators, shift: float) -> Operators:
    """Return the operator minus ``shift`` times the identity; the bond dimension grows by one."""
    size, shifts = len(operators), []
    for k, tensor in enumerate(operators):
        left, _, _, right = tensor.shape
        more = np.zeros((left + (k > 0), 2, 2, right + (k < size - 1)), dtype=tensor.dtype)
        more[:left, :, :, :right] = tensor
        more[-1, [0, 1], [0, 1], -1] += -shift if k == 0 else 1.0
        shifts.append(more)
    return shifts

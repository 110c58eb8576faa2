"""Matrix-product states: pure states of many qubits whose entanglement across each cut is limited."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from qas_simulators.gate_blocks import EXCHANGED
from qas_simulators.matrix_product_operators import LETTERS, Operators
from qas_simulators.pauli import PauliSum
from qas_simulators.pauli_strings import popcount

Tensor = NDArray[Any]
_ROUNDING: Final = 1e-14  # singular values below it, of a state of norm 1, are rounding


class Limit(NamedTuple):
    """What is kept of the singular values across a cut.

    Attributes:
        max_bond: Most of them; ``None`` for all.
        cutoff: Those of a state of norm 1 that are at most this large are dropped; rounding, below 1e-14, always is.
    """

    max_bond: int | None = None
    cutoff: float = 0.0

    def split(self, matrix: Tensor) -> tuple[Tensor, Tensor, Tensor, float]:
        """Return singular vectors and values that are kept, and the part of the squared values that is dropped."""
        left, values, right = _svd(matrix)
        weight = float(values @ values)
        if weight == 0.0:
            return left[:, :1], values[:1], right[:1], 0.0
        rank = int((values > max(self.cutoff, _ROUNDING) * np.sqrt(weight)).sum())
        rank = max(1, rank if self.max_bond is None else min(rank, self.max_bond))
        dropped = values[rank:]
        return left[:, :rank], values[:rank], right[:rank], float(dropped @ dropped) / weight


class Undo(NamedTuple):
    """What a gate replaced in a state."""

    site: int
    tensors: tuple[Tensor, Tensor]
    values: Tensor
    discarded: float


class MatrixProductState:
    """A pure state as one tensor for each qubit, in right-canonical form, with the singular values across each cut.

    Gates on neighbours replace two tensors and the singular values between them. No inverse of a singular value is
    needed, and the other tensors stay as they are.

    Args:
        tensors: ``(left, 2, right)`` for each qubit, qubit 0 first: right-canonical.
        values: Singular values across the cut before each qubit, and ``[1.0]`` at both ends, ``(qubits + 1)`` arrays.

    Attributes:
        discarded: Sum of the squared singular values that were dropped, each as a part of all of its cut.

    References:
        U. Schollwoeck: The density-matrix renormalization group in the age of matrix product states, arXiv:1008.3477.
        M. B. Hastings: Light-cone matrix product, arXiv:0903.3253 (gates without inverses).

    Examples:
        >>> state = MatrixProductState.zeros(3)
        >>> hadamard = np.kron(np.eye(2), [[1, 1], [1, -1]]) / np.sqrt(2)  # on the first of two qubits
        >>> cx = np.eye(4)[[0, 3, 2, 1]]
        >>> for site, matrix in ((0, cx @ hadamard), (1, cx)):
        ...     _ = state.apply(site, matrix, Limit())
        >>> state.bond_dimensions, np.round(state.amplitudes(), 3)[[0, 7]].tolist()
        ((2, 2), [0.707, 0.707])
    """

    def __init__(self, tensors: list[Tensor], values: list[Tensor]) -> None:
        self.tensors, self.values = tensors, values
        self.discarded = 0.0

    @classmethod
    def zeros(cls, num_qubits: int, dtype: type = np.float64) -> Self:
        """Return ``|0...0>``."""
        tensor: Tensor = np.zeros((1, 2, 1), dtype=dtype)
        tensor[0, 0, 0] = 1.0
        return cls([tensor] * num_qubits, [np.ones(1)] * (num_qubits + 1))

    @property
    def num_qubits(self) -> int:
        """Size of the register."""
        return len(self.tensors)

    @property
    def bond_dimensions(self) -> tuple[int, ...]:
        """Number of singular values across the cut after each qubit but the last."""
        return tuple(tensor.shape[2] for tensor in self.tensors[:-1])

    def copy(self) -> MatrixProductState:
        """Return a state with the same tensors, which no method changes in place."""
        twin = MatrixProductState([*self.tensors], [*self.values])
        twin.discarded = self.discarded
        return twin

    def pair(self, site: int) -> Tensor:
        """Return the joint tensor ``(left, 4, right)`` of a qubit and the next, the least significant bit."""
        first, second = self.tensors[site : site + 2]
        left, _, middle = first.shape
        return (first.reshape(-1, middle) @ second.reshape(middle, -1)).reshape(left, 4, -1)

    def apply(self, site: int, matrix: Tensor, limit: Limit) -> Undo:
        """Apply a gate on a qubit and the next one; the first is the least significant bit of the ``(4, 4)`` matrix."""
        undo = Undo(site, (self.tensors[site], self.tensors[site + 1]), self.values[site + 1], self.discarded)
        both = matrix[EXCHANGED][:, EXCHANGED] @ self.pair(site)
        left, _, right = both.shape
        weighted = self.values[site][:, None, None] * both
        _, values, second, dropped = limit.split(weighted.reshape(2 * left, 2 * right))
        size = np.linalg.norm(values)
        self.values[site + 1] = values / size
        self.tensors[site] = (both.reshape(2 * left, 2 * right) @ (second.conj().T / size)).reshape(left, 2, -1)
        self.tensors[site + 1] = second.reshape(-1, 2, right)
        self.discarded += dropped
        return undo

    def restore(self, undo: Undo) -> None:
        """Return to the state before the last gate."""
        site = undo.site
        self.tensors[site : site + 2] = undo.tensors
        self.values[site + 1], self.discarded = undo.values, undo.discarded

    def norm(self) -> float:
        """Return the norm, which truncation moves away from 1 by about the discarded weight."""
        return float(np.sqrt(Overlap(self, self).whole().real))

    def expectation(self, operators: Operators) -> float:
        """Return the mean of a matrix-product operator, divided by the squared norm."""
        left: Tensor = np.ones((1, 1, 1))
        for tensor, operator in zip(self.tensors, operators, strict=True):
            left = extended(left, tensor, operator)
        return float(left[0, 0, 0].real) / self.norm() ** 2

    def string_means(self, observable: PauliSum) -> NDArray[np.float64]:
        """Return the mean of each Pauli string of an observable, ``(num_terms,)``; strings share their beginnings."""
        qubits = range(self.num_qubits)
        letters = np.array([(observable.x >> qubit & 1) + 2 * (observable.z >> qubit & 1) for qubit in qubits])
        letters = letters.astype(np.int64)  # (qubits, terms)
        kinds = np.zeros(letters.shape[1], dtype=np.int64)  # number of each term's beginning
        left: Tensor = np.ones((1, 1, 1))  # beginning, bra, ket
        for tensor, letter in zip(self.tensors, letters, strict=True):
            found, kinds = np.unique(4 * kinds + letter, return_inverse=True)
            turned = np.einsum("dij,ajb->daib", LETTERS, tensor)[found & 3]
            ket = left[found >> 2] @ turned.reshape(len(found), tensor.shape[0], -1)
            ket = ket.reshape(len(found), -1, tensor.shape[2])  # beginning, (bra, out), ket
            left = tensor.reshape(-1, tensor.shape[2]).conj().T @ ket
        phases = 1j ** (popcount(observable.x & observable.z).astype(np.int64) % 4)
        return np.asarray((left[kinds, 0, 0] * phases).real / self.norm() ** 2)

    def times(self, operators: Operators, limit: Limit) -> tuple[MatrixProductState, float]:
        """Return an operator times this state, normalised and truncated, and its norm.

        Tensors are multiplied and split from the first qubit on, with twice the limit's bond dimension, then truncated
        from the last one on.

        References:
            E. M. Stoudenmire, S. R. White: Minimally entangled typical thermal state algorithms, arXiv:1002.1305.
        """
        wide = Limit(None if limit.max_bond is None else 2 * limit.max_bond)
        return _from_left(*self._multiplied(operators, wide), limit)

    def compressed(self, limit: Limit) -> MatrixProductState:
        """Return this state, normalised, with the singular values that a limit keeps, in right-canonical form."""
        identity = [np.eye(2).reshape(1, 2, 2, 1)] * self.num_qubits
        return _from_left(*self._multiplied(identity, Limit()), limit)[0]

    def norm_after(self, operators: Operators) -> float:
        """Return the norm of an operator times this state, without truncation."""
        return abs(self._multiplied(operators, Limit())[1])

    def _multiplied(self, operators: Operators, wide: Limit) -> tuple[list[Tensor], complex]:
        """Return left-canonical tensors of an operator times this state, and a factor."""
        tensors: list[Tensor] = []
        carry: Tensor = np.ones((1, 1, 1))
        for tensor, operator in zip(self.tensors, operators, strict=True):
            matrix, bond = _grown(carry, tensor, operator), operator.shape[3]
            left = len(matrix) // 2
            if wide.max_bond is None or min(matrix.shape) <= wide.max_bond:
                isometry, rest = np.linalg.qr(matrix)
            else:
                isometry, values, second, _ = wide.split(matrix)
                rest = values[:, None] * second
            tensors.append(isometry.reshape(left, 2, -1))
            carry = rest.reshape(-1, bond, tensor.shape[2])
        return tensors, complex(carry[0, 0, 0])

    def amplitudes(self) -> Tensor:
        """Return the amplitudes ``(2**n,)``, qubit 0 the least significant bit of the index."""
        found: Tensor = np.ones((1, 1))
        for tensor in self.tensors:  # rows: settings of the qubits so far, the last one most significant
            found = np.tensordot(found, tensor, 1).transpose(1, 0, 2).reshape(2 * len(found), -1)
        return found[:, 0]


class Overlap:
    """Contractions of ``<bra|ket>`` from both ends, kept until a tensor beneath them changes."""

    def __init__(self, bra: MatrixProductState, ket: MatrixProductState) -> None:
        self._bra, self._ket = bra, ket
        size = ket.num_qubits
        self._left: list[Tensor] = [np.ones((1, 1))] * (size + 1)  # of the qubits before each
        self._right: list[Tensor] = [np.ones((1, 1))] * (size + 1)  # of each qubit and those after it
        self._last, self._first = 0, size  # the last valid one on the left, the first one on the right

    def whole(self) -> complex:
        """Return the overlap."""
        return complex(self._left_of(self._ket.num_qubits)[0, 0])

    def sums(self, site: int) -> Tensor:
        """Return the sums of ``conj(bra_i) ket_j`` over all qubits but two, ``(4, 4)``, for :class:`BlockMatrices`.

        The two are ``site``, the least significant bit of ``i`` and ``j``, and the next one.
        """
        ket, bra = self._ket.pair(site), self._bra.pair(site)
        left, right = self._left_of(site), self._right_of(site + 2)
        ket = (left @ ket.reshape(len(ket), -1)).reshape(-1, ket.shape[2]) @ right.T  # (bra, 4), bra
        ket = ket.reshape(len(left), 4, -1).transpose(1, 0, 2).reshape(4, -1)
        return (bra.transpose(1, 0, 2).reshape(4, -1).conj() @ ket.T)[EXCHANGED][:, EXCHANGED]

    def changed(self, site: int) -> None:
        """Forget what depends on the tensors of ``site`` and the next one."""
        self._last, self._first = min(self._last, site), max(self._first, site + 2)

    def _left_of(self, site: int) -> Tensor:
        while self._last < site:
            ket, bra = self._ket.tensors[self._last], self._bra.tensors[self._last]
            both = self._left[self._last] @ ket.reshape(len(ket), -1)
            self._last += 1
            self._left[self._last] = bra.reshape(-1, bra.shape[2]).conj().T @ both.reshape(-1, ket.shape[2])
        return self._left[site]

    def _right_of(self, site: int) -> Tensor:
        while self._first > site:
            self._first -= 1
            ket, bra = self._ket.tensors[self._first], self._bra.tensors[self._first]
            both = ket.reshape(-1, ket.shape[2]) @ self._right[self._first + 1].T  # (ket, in), bra
            self._right[self._first] = bra.reshape(len(bra), -1).conj() @ both.reshape(len(ket), -1).T
        return self._right[site]


def extended(left: Tensor, tensor: Tensor, operator: Tensor) -> Tensor:
    """Return the contraction ``(bra, operator, ket)`` of the qubits before a cut, with one qubit more."""
    bra, bond, ket = left.shape
    size, grown = tensor.shape[2], operator.shape[3]
    found = left.reshape(-1, ket) @ tensor.reshape(ket, -1)  # (bra, operator), (in, ket)
    found = found.reshape(bra, 2 * bond, size).transpose(0, 2, 1).reshape(-1, 2 * bond)  # (bra, ket), (operator, in)
    found = found @ operator.transpose(0, 2, 1, 3).reshape(2 * bond, -1)  # (bra, ket), (out, operator)
    found = found.reshape(bra, size, 2, grown).transpose(0, 2, 3, 1).reshape(2 * bra, -1)
    return np.asarray(tensor.reshape(2 * bra, -1).conj().T @ found).reshape(-1, grown, size)


def _grown(carry: Tensor, tensor: Tensor, operator: Tensor) -> Tensor:
    """Return carry ``(left, operator, ket)``, tensor and operator as a matrix ``((left, out), (operator, ket))``."""
    left, bond, ket = carry.shape
    size, grown = tensor.shape[2], operator.shape[3]
    found = (carry.reshape(-1, ket) @ tensor.reshape(ket, -1)).reshape(left, 2 * bond, size)
    found = operator.transpose(1, 3, 0, 2).reshape(-1, 2 * bond) @ found  # left, (out, operator), ket
    return np.asarray(found.reshape(2 * left, grown * size))


def _from_left(tensors: list[Tensor], factor: complex, limit: Limit) -> tuple[MatrixProductState, float]:
    """Return the state of left-canonical tensors, right-canonical and truncated, and the magnitude of the factor."""
    size = len(tensors)
    state = MatrixProductState([*tensors], [np.ones(1)] * (size + 1))
    phase = factor / abs(factor) if factor else 1.0
    state.tensors[-1] = tensors[-1] * (phase if np.iscomplexobj(tensors[-1]) else float(np.real(phase)))
    for site in range(size - 1, 0, -1):
        tensor = state.tensors[site]
        left, values, right, dropped = limit.split(tensor.reshape(len(tensor), -1))
        values = values / np.linalg.norm(values)
        state.tensors[site] = right.reshape(-1, 2, tensor.shape[2])
        state.values[site] = values
        state.tensors[site - 1] = np.tensordot(state.tensors[site - 1], left * values, 1)
        state.discarded += dropped
    return state, abs(factor)


def _svd(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    try:
        return np.linalg.svd(matrix, full_matrices=False)
    except np.linalg.LinAlgError:  # the divide-and-conquer driver fails on rare matrices
        from scipy.linalg import svd

        left, values, right = svd(matrix, full_matrices=False, lapack_driver="gesvd")
        return left, values, right

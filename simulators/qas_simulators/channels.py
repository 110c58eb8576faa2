"""Quantum channels as Kraus operators, and their Pauli transfer matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qas_simulators.errors import must
from qas_simulators.gates import PAULI_MATRICES, ComplexMatrix


def pauli_basis(num_qubits: int) -> list[ComplexMatrix]:
    """Return the ``4**num_qubits`` Pauli matrices by base-4 digits I, X, Y, Z, qubit 0 least significant."""
    basis: list[ComplexMatrix] = [np.ones((1, 1), dtype=np.complex128)]
    for _ in range(num_qubits):
        basis = [
            np.asarray(np.kron(letter, rest), dtype=np.complex128)
            for letter, rest in product(PAULI_MATRICES.values(), basis)
        ]
    return basis


def ptm_of_kraus(kraus: Sequence[ComplexMatrix]) -> NDArray[np.float64]:
    """Return ``R_ij = Tr[P_i E(P_j)] / 2**n``, real, shape ``(4**n, 4**n)``."""
    basis = pauli_basis(int(np.log2(len(kraus[0]))))
    images = [sum(k @ p @ k.conj().T for k in kraus) for p in basis]
    return np.array([[np.trace(p @ image).real for image in images] for p in basis]) / len(kraus[0])


@dataclass(frozen=True)
class Channel:
    """A completely positive trace-preserving map on one or two qubits.

    Attributes:
        kraus: Operators ``(2**n, 2**n)`` with ``sum K^dagger K = 1``; the first qubit is the least significant bit.

    Raises:
        ValueError: The operators differ in shape, act on neither one nor two qubits, or do not preserve the trace.
    """

    kraus: tuple[ComplexMatrix, ...]

    def __post_init__(self) -> None:
        shapes = {operator.shape for operator in self.kraus}
        if len(shapes) != 1 or shapes.pop() not in ((2, 2), (4, 4)):
            raise ValueError(must("kraus", "be matrices of one shape, (2, 2) or (4, 4)", [k.shape for k in self.kraus]))
        total = sum(operator.conj().T @ operator for operator in self.kraus)
        defect = float(np.abs(total - np.eye(len(self.kraus[0]))).max())
        if not defect < 1e-9:
            raise ValueError(must("kraus", "preserve the trace (sum of K^dagger K = 1)", f"off by {defect:.3g}"))

    @classmethod
    def from_kraus(cls, kraus: Sequence[ArrayLike]) -> Channel:
        """Build from anything numpy reads as a list of matrices."""
        return cls(tuple(np.asarray(operator, dtype=np.complex128) for operator in kraus))

    @property
    def num_qubits(self) -> int:
        """1 or 2."""
        return int(np.log2(len(self.kraus[0])))

    @cached_property
    def ptm(self) -> NDArray[np.float64]:
        """Pauli transfer matrix, ``(4**n, 4**n)``."""
        return ptm_of_kraus(self.kraus)

    def tensor(self, other: Channel) -> Channel:
        """Return the two-qubit channel with ``self`` on the first qubit and ``other`` on the second."""
        return Channel.from_kraus([np.kron(b, a) for a in self.kraus for b in other.kraus])


def probability(name: str, value: float, largest: float = 1.0) -> float:
    """Return ``value`` if it is a number in ``[0, largest]``.

    Raises:
        ValueError: It is not; the message holds the argument's name and the value.
    """
    if not 0.0 <= value <= largest:  # also refuses NaN
        raise ValueError(must(name, f"lie in [0, {largest:g}]", value))
    return float(value)


def depolarizing(p: float, num_qubits: int = 1) -> Channel:
    """Return ``rho -> (1 - p) rho + p I / 2**n`` (Qiskit's ``depolarizing_error``), ``0 <= p <= 1``."""
    probability("p", p)
    basis = pauli_basis(num_qubits)
    share = p / len(basis)
    weights = [1 - p + share] + [share] * (len(basis) - 1)
    return Channel(tuple(sqrt(weight) * pauli for weight, pauli in zip(weights, basis, strict=True)))


def bit_flip(p: float) -> Channel:
    """Return ``rho -> (1 - p) rho + p X rho X``, ``0 <= p <= 1``."""
    probability("p", p)
    return Channel((sqrt(1 - p) * PAULI_MATRICES["I"], sqrt(p) * PAULI_MATRICES["X"]))

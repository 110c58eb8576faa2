"""Quantum channels as Kraus operators, and their Pauli transfer matrices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from itertools import product
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qas_simulators.checks import real_array, real_number
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


@cache
def _pauli_array(num_qubits: int) -> ComplexMatrix:
    """Return :func:`pauli_basis` as an array, ``(4**n, 2**n, 2**n)``."""
    return np.array(pauli_basis(num_qubits))


def ptm_of_kraus(kraus: Sequence[ComplexMatrix]) -> NDArray[np.float64]:
    """Return ``R_ij = Tr[P_i E(P_j)] / 2**n``, real, shape ``(4**n, 4**n)``."""
    operators, basis = np.array(kraus), _pauli_array(int(np.log2(len(kraus[0]))))
    images = (operators[:, None] @ basis @ operators[:, None].conj().swapaxes(2, 3)).sum(axis=0)
    return np.asarray(np.einsum("iab,jba->ij", basis, images).real / len(kraus[0]))


@cache
def choi_basis(num_qubits: int) -> NDArray[np.complex128]:
    """Return the Choi matrices of the maps from ``P_j`` to ``P_i``, shape ``(4**n, 4**n, 4**n, 4**n)``."""
    basis, size = _pauli_array(num_qubits), 4**num_qubits
    return np.asarray(np.einsum("jba,icd->ijacbd", basis, basis)).reshape(size, size, size, size)


class Recipe(NamedTuple):
    """How a channel was made, so that it can be made again with other error rates."""

    make: Callable[..., Channel]
    rates: Mapping[str, float]  # arguments that grow with the noise: probabilities, or a duration
    others: Mapping[str, Any]


@dataclass(frozen=True)
class Channel:
    """A completely positive trace-preserving map on one or two qubits.

    Attributes:
        kraus: Operators ``(2**n, 2**n)`` with ``sum K^dagger K = 1``; the first qubit is the least significant bit.
        recipe: How it was made, if by one of this module's functions.

    Raises:
        ValueError: The operators differ in shape, act on neither one nor two qubits, or do not preserve the trace.

    Examples:
        >>> flips = Channel.from_kraus([np.sqrt(0.9) * np.eye(2), np.sqrt(0.1) * np.array([[0, 1], [1, 0]])])
        >>> np.diag(flips.ptm).round(6).tolist()  # a tenth of all Z and Y outcomes is inverted
        [1.0, 1.0, 0.8, 0.8]
    """

    kraus: tuple[ComplexMatrix, ...]
    recipe: Recipe | None = field(default=None, repr=False, compare=False)

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

    @classmethod
    def from_ptm(cls, ptm: ArrayLike, tolerance: float = 1e-9) -> Channel:
        """Build from a real Pauli transfer matrix ``(4, 4)`` or ``(16, 16)``, by way of its Choi matrix.

        Raises:
            ValueError: Wrong shape, first row not ``(1, 0, ..., 0)``, or a negative eigenvalue of the Choi matrix, by
                more than ``tolerance``; smaller ones are corrected.
        """
        matrix = real_array("ptm", ptm)
        if matrix.shape not in ((4, 4), (16, 16)) or not np.isfinite(matrix).all():
            raise ValueError(must("ptm", "be finite with shape (4, 4) or (16, 16)", matrix.shape))
        size = int(np.sqrt(len(matrix)))
        if np.abs(matrix[0] - np.eye(len(matrix))[0]).max() > tolerance:
            raise ValueError(must("ptm", "preserve the trace (first row 1, 0, ..., 0)", matrix[0].tolist()))
        choi = np.tensordot(matrix, choi_basis(int(np.log2(size))), 2) / size
        weights, vectors = np.linalg.eigh(choi)
        if weights[0] < -tolerance:
            raise ValueError(must("ptm", "be completely positive", f"of a Choi eigenvalue {weights[0]:.3g}"))
        kept = weights > 1e-15
        operators = [sqrt(w) * v.reshape(size, size).T for w, v in zip(weights[kept], vectors.T[kept], strict=True)]
        total = sum(operator.conj().T @ operator for operator in operators)
        values, basis_change = np.linalg.eigh(total)
        correction = (basis_change / np.sqrt(values)) @ basis_change.conj().T  # makes the trace exact
        return cls.from_kraus([operator @ correction for operator in operators])

    @property
    def num_qubits(self) -> int:
        """1 or 2."""
        return int(np.log2(len(self.kraus[0])))

    @cached_property
    def ptm(self) -> NDArray[np.float64]:
        """Pauli transfer matrix, ``(4**n, 4**n)``; entries below 1e-15 are rounding and become 0."""
        matrix = ptm_of_kraus(self.kraus)
        return np.where(np.abs(matrix) < 1e-15, 0.0, matrix)

    def tensor(self, other: Channel) -> Channel:
        """Return the two-qubit channel with ``self`` on the first qubit and ``other`` on the second."""
        both = Channel.from_kraus([np.kron(b, a) for a in self.kraus for b in other.kraus])
        return replace(both, recipe=Recipe(_scaled_product, {"factor": 1.0}, {"first": self, "second": other}))

    def scaled(self, factor: float) -> Channel:
        """Return the channel with ``factor`` times the noise.

        A channel of this module's functions is made again: with the probabilities times ``factor``, and for thermal
        relaxation with the duration times ``factor``. Any other channel becomes its power: it acts ``factor`` times.

        Args:
            factor: Not negative.

        Raises:
            ValueError: A probability would exceed 1, or the power is not a channel, as may be for factors that are no
                integers.

        Examples:
            >>> np.diag(depolarizing(0.1).scaled(3.0).ptm).round(9).tolist()
            [1.0, 0.7, 0.7, 0.7]
            >>> np.diag(Channel(depolarizing(0.1).kraus).scaled(3.0).ptm).round(9).tolist()
            [1.0, 0.729, 0.729, 0.729]
        """
        if not factor >= 0:
            raise ValueError(must("factor", "not be negative", factor))
        if self.recipe is not None:
            rates = {name: factor * rate for name, rate in self.recipe.rates.items()}
            return self.recipe.make(**rates, **self.recipe.others)
        from scipy.linalg import fractional_matrix_power  # imports for a tenth of a second

        power = fractional_matrix_power(self.ptm, factor)
        if np.abs(np.imag(power)).max() > 1e-9:
            raise ValueError(must("factor", "be an integer for a channel that has no real root", factor))
        return Channel.from_ptm(np.real(power))


def _scaled_product(factor: float, first: Channel, second: Channel) -> Channel:
    """Return the two-qubit channel of two channels with ``factor`` times the noise."""
    return first.scaled(factor).tensor(second.scaled(factor))


def probability(name: str, value: float, largest: float = 1.0) -> float:
    """Return ``value`` if it is a number in ``[0, largest]``.

    Raises:
        ValueError: Another value.
    """
    number = real_number(name, value)
    if not 0.0 <= number <= largest:  # also refuses NaN
        raise ValueError(must(name, f"lie in [0, {largest:g}]", value))
    return number


def depolarizing(p: float, num_qubits: int = 1) -> Channel:
    """Return ``rho -> (1 - p) rho + p I / 2**n`` (Qiskit's ``depolarizing_error``), ``0 <= p <= 1``."""
    p = probability("p", p)
    basis = pauli_basis(num_qubits)
    share = p / len(basis)
    weights = [1 - p + share] + [share] * (len(basis) - 1)
    kraus = tuple(sqrt(weight) * pauli for weight, pauli in zip(weights, basis, strict=True))
    return Channel(kraus, Recipe(depolarizing, {"p": p}, {"num_qubits": num_qubits}))


def pauli_channel(px: float, py: float, pz: float) -> Channel:
    """Return the channel that applies X, Y or Z with these probabilities, whose sum is at most 1."""
    px, py, pz = probability("px", px), probability("py", py), probability("pz", pz)
    probability("px + py + pz", px + py + pz, 1 + 1e-12)
    weights = (max(0.0, 1 - px - py - pz), px, py, pz)
    kraus = tuple(sqrt(w) * pauli for w, pauli in zip(weights, PAULI_MATRICES.values(), strict=True))
    return Channel(kraus, Recipe(pauli_channel, {"px": px, "py": py, "pz": pz}, {}))


def phase_flip(p: float) -> Channel:
    """Return ``rho -> (1 - p) rho + p Z rho Z``, ``0 <= p <= 1``."""
    return pauli_channel(0.0, 0.0, probability("p", p))


def phase_damping(p: float) -> Channel:
    """Return the channel that scales coherences by ``sqrt(1 - p)``, ``0 <= p <= 1``."""
    flips = phase_flip((1 - sqrt(1 - probability("p", p))) / 2)
    return replace(flips, recipe=Recipe(phase_damping, {"p": p}, {}))


def amplitude_damping(p: float, excited_population: float = 0.0) -> Channel:
    """Return decay with probability ``p`` towards ``|0>`` or a thermal state (generalised amplitude damping)."""
    p, up = probability("p", p), probability("excited_population", excited_population)
    down = 1 - up
    decay = [[[1, 0], [0, sqrt(1 - p)]], [[0, sqrt(p)], [0, 0]]]
    excitation = [[[sqrt(1 - p), 0], [0, 1]], [[0, 0], [sqrt(p), 0]]]
    kraus = [sqrt(down) * np.array(k) for k in decay] + [sqrt(up) * np.array(k) for k in excitation if up > 0]
    return replace(Channel.from_kraus(kraus), recipe=Recipe(amplitude_damping, {"p": p}, {"excited_population": up}))


def thermal_relaxation(t1: float, t2: float, time: float, excited_population: float = 0.0) -> Channel:
    """Return relaxation for ``time``: coherences decay with ``t2``, populations with ``t1`` to the thermal state.

    Args:
        t1: Relaxation time, in the unit of ``time``.
        t2: Dephasing time, at most ``2 * t1``.
        time: Duration, not negative.
        excited_population: Equilibrium population of ``|1>``.

    Raises:
        ValueError: A time that is not positive, or ``t2 > 2 * t1``.
    """
    t1, t2, time = real_number("t1", t1), real_number("t2", t2), real_number("time", time)
    for name, value in (("t1", t1), ("t2", t2)):
        if not value > 0:
            raise ValueError(must(name, "be positive", value))
    if not time >= 0:
        raise ValueError(must("time", "not be negative", time))
    if t2 > 2 * t1 * (1 + 1e-12):
        raise ValueError(must("t2", f"be at most 2 * t1 = {2 * t1:g}", t2))
    excited_population = probability("excited_population", excited_population)
    keep, coherence = np.exp(-time / t1), np.exp(-time / t2)
    ptm = np.diag([1.0, coherence, coherence, keep])
    ptm[3, 0] = (1 - keep) * (1 - 2 * excited_population)
    others = {"t1": t1, "t2": t2, "excited_population": excited_population}
    return replace(Channel.from_ptm(ptm), recipe=Recipe(thermal_relaxation, {"time": time}, others))


def bit_flip(p: float) -> Channel:
    """Return ``rho -> (1 - p) rho + p X rho X``, ``0 <= p <= 1``."""
    p = probability("p", p)
    kraus = sqrt(1 - p) * PAULI_MATRICES["I"], sqrt(p) * PAULI_MATRICES["X"]
    return Channel(kraus, Recipe(bit_flip, {"p": p}, {}))

"""Readout errors: qubits whose measured bits are misread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qas_simulators.channels import probability
from qas_simulators.checks import distinct_qubits
from qas_simulators.errors import must
from qas_simulators.pauli import PauliSum
from qas_simulators.pauli_strings import pauli_indices

_SINGULAR: Final = 1e-9


class _Error(NamedTuple):
    p01: float  # of reading 1 where the qubit is 0
    p10: float
    qubits: frozenset[int] | None  # None for all


class _Expansion(NamedTuple):
    """An observable whose terms are replaced by what their misread outcomes average to."""

    x: NDArray[np.int64]
    z: NDArray[np.int64]
    factors: NDArray[np.float64]
    source: NDArray[np.int64]  # the term that each one comes from


class ReadoutErrors:
    """Confusion matrices of single qubits, one after the other; see :meth:`NoiseModel.add_readout`."""

    def __init__(self) -> None:
        self.errors: list[_Error] = []

    def __bool__(self) -> bool:
        return bool(self.errors)

    def add(self, p01: float, p10: float | None, qubits: Sequence[int] | None, num_qubits: int | None) -> None:
        """Append an error; ``num_qubits`` is the size of the device, ``None`` for any.

        Raises:
            ValueError: A probability outside [0, 1], or qubits that are not a list of different ones on the device.
        """
        flips = (probability("p01", p01), probability("p10", p01 if p10 is None else p10))
        where = None if qubits is None else frozenset(distinct_qubits("qubits", qubits, num_qubits))
        self.errors.append(_Error(*flips, where))

    def scaled(self, factor: float) -> ReadoutErrors:
        """Return the errors with ``factor`` times the probabilities.

        Raises:
            ValueError: A probability would exceed 1.
        """
        twin = ReadoutErrors()
        for p01, p10, where in self.errors:
            flips = probability("p01", factor * p01), probability("p10", factor * p10)
            twin.errors.append(_Error(*flips, where))
        return twin

    def places(self, num_qubits: int) -> list[tuple[int, tuple[int, ...]]]:
        """Return the number of every error with each of its qubits on a register of this size."""
        return [
            (number, (qubit,))
            for number, error in enumerate(self.errors)
            for qubit in range(num_qubits)
            if error.qubits is None or qubit in error.qubits
        ]

    def varied(self, factors: Mapping[tuple[int, tuple[int, ...]], float], num_qubits: int) -> ReadoutErrors:
        """Return the errors with each of :meth:`places` at ``factors`` times the probabilities.

        Raises:
            ValueError: A probability would exceed 1.
        """
        twin = ReadoutErrors()
        for number, (qubit,) in self.places(num_qubits):
            p01, p10, _ = self.errors[number]
            factor = factors[number, (qubit,)]
            twin.add(factor * p01, factor * p10, (qubit,), None)
        return twin

    def measured(self, observable: PauliSum) -> PauliSum:
        """Return the observable whose exact expectation is the mean of the misread outcomes."""
        letters = [self._letter(qubit) for qubit in range(observable.num_qubits)]
        return _replaced(observable, _expanded(observable, letters))

    def unmeasured(self, observable: PauliSum) -> PauliSum:
        """Return the observable whose misread outcomes average to the exact expectation of ``observable``.

        It is what inverting each qubit's confusion matrix means for the mean of a Pauli string.

        Raises:
            ValueError: Confusion matrices without an inverse.
        """
        self.check_inverse()
        letters = [self._letter(qubit) for qubit in range(observable.num_qubits)]
        return _replaced(observable, _expanded(observable, [(1 / scale, -shift / scale) for scale, shift in letters]))

    def check_inverse(self) -> None:
        """Raise ``ValueError`` if the confusion matrix of a qubit has no inverse."""
        named = {qubit for error in self.errors for qubit in error.qubits or ()}
        for qubit in sorted({*named, max(named, default=-1) + 1}):  # the last one stands for all that are not named
            if abs(self._letter(qubit)[0]) < _SINGULAR:
                raise ValueError(must("noise", "have readout errors with an inverse", f"p01 + p10 = 1 on {qubit}"))

    def term_means(self, observable: PauliSum, pauli_vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean misread outcome of each term of the observable, ``(num_terms,)``."""
        x, z, factors, source = _expanded(observable, [self._letter(qubit) for qubit in range(observable.num_qubits)])
        values = factors * pauli_vector[pauli_indices(x, z, observable.num_qubits)]
        return np.bincount(source, weights=values, minlength=len(observable)).astype(np.float64)

    def _letter(self, qubit: int) -> tuple[float, float]:
        """Return ``a, b`` where the outcomes of a letter ``P`` on a qubit average to ``a P + b``.

        One error gives ``(1 - p01 - p10) P + (p10 - p01)``; the next misreads what it leaves.
        """
        scale, shift = 1.0, 0.0
        for p01, p10, where in self.errors:
            if where is None or qubit in where:
                scale, shift = (1 - p01 - p10) * scale, (1 - p01 - p10) * shift + (p10 - p01)
        return scale, shift


def _replaced(observable: PauliSum, expansion: _Expansion) -> PauliSum:
    x, z, factors, source = expansion
    return PauliSum.from_masks(observable.num_qubits, x, z, factors * observable.coefficients[source])


def _expanded(observable: PauliSum, letters: Sequence[tuple[float, float]]) -> _Expansion:
    """Replace the letter ``P`` of every term on qubit ``q`` by ``a P + b`` with ``a, b = letters[q]``."""
    x, z, factors = observable.x, observable.z, np.ones(len(observable))
    source = np.arange(len(observable))
    for qubit, (scale, shift) in enumerate(letters):
        bit = np.int64(1 << qubit)
        touched = ((x | z) & bit) != 0
        scaled = np.where(touched, scale * factors, factors)
        if shift == 0.0:
            factors = scaled
            continue
        x, z = np.concatenate([x, x[touched] & ~bit]), np.concatenate([z, z[touched] & ~bit])
        factors = np.concatenate([scaled, shift * factors[touched]])
        source = np.concatenate([source, source[touched]])
    return _Expansion(x, z, factors, source)

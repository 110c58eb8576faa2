"""Readout errors: qubits whose measured bits are misread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qas_simulators.channels import probability
from qas_simulators.checks import distinct_qubits
from qas_simulators.pauli import PauliSum, pauli_indices


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

    def measured(self, observable: PauliSum) -> PauliSum:
        """Return the observable whose exact expectation is the mean of the misread outcomes."""
        x, z, factors, source = self._expanded(observable)
        return PauliSum.from_masks(observable.num_qubits, x, z, factors * observable.coefficients[source])

    def term_means(self, observable: PauliSum, pauli_vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean misread outcome of each term of the observable, ``(num_terms,)``."""
        x, z, factors, source = self._expanded(observable)
        values = factors * pauli_vector[pauli_indices(x, z, observable.num_qubits)]
        return np.bincount(source, weights=values, minlength=len(observable)).astype(np.float64)

    def _expanded(self, observable: PauliSum) -> _Expansion:
        """Expand every term by its misread outcomes.

        A letter ``P`` on a qubit with confusions ``p01``, ``p10`` reads ``(1 - p01 - p10) P + (p10 - p01)``. The last
        error is expanded first: it misreads what the errors before it leave.
        """
        x, z, factors = observable.x, observable.z, np.ones(len(observable))
        source = np.arange(len(observable))
        for p01, p10, where in reversed(self.errors):
            for qubit in range(observable.num_qubits):
                if where is not None and qubit not in where:
                    continue
                bit = np.int64(1 << qubit)
                touched = ((x | z) & bit) != 0
                scaled = np.where(touched, (1 - p01 - p10) * factors, factors)
                if p01 == p10:
                    factors = scaled
                    continue
                x, z = np.concatenate([x, x[touched] & ~bit]), np.concatenate([z, z[touched] & ~bit])
                factors = np.concatenate([scaled, (p10 - p01) * factors[touched]])
                source = np.concatenate([source, source[touched]])
        return _Expansion(x, z, factors, source)

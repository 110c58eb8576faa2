"""Pauli propagation without noise, by monoprop."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qas_simulators.cliffords import PauliRotations
from qas_simulators.errors import needs_extra
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray
from qas_simulators.string_limits import Limits

if TYPE_CHECKING:
    from monoprop import PauliPropagator

_CHUNK: Final = 16  # rotations that are propagated before the number of strings is compared with its limit
_SPARE: Final = 16  # times the strings of the last propagation: with this much room sizes are compared at the end only


class LibraryStrings:
    """Moves an observable backwards through rotations, see :class:`string_limits.StringEngine`."""

    def __init__(self, num_qubits: int, rotations: PauliRotations, limits: Limits) -> None:
        self._num_qubits, self._limits = num_qubits, limits
        self._moved = self._operator(rotations.observable)
        columns = rotations.x.tolist(), rotations.z.tolist(), rotations.signs.tolist()
        self._gates = [_rotation(x, z, sign, num_qubits) for x, z, sign in zip(*columns, strict=True)]
        self._size = 0  # strings at the end of the last propagation

    def energy(self, angles: FloatArray, observable: PauliSum | None = None) -> float:
        """See :class:`string_limits.StringEngine`."""
        propagator = self._propagator(self._moved if observable is None else self._operator(observable))
        last = len(self._gates)
        while last > 0:
            first = self._first_of_chunk(propagator, last)
            propagator.propagate(self._part(first, last, angles))
            last = first
        self._size = self._limits.checked(int(propagator.size()))
        return float(propagator.expectation_value())

    def graph(self, angles: FloatArray) -> LibraryGraph:
        """See :class:`string_limits.StringEngine`."""
        propagator = self._propagator(self._moved)
        last = len(self._gates)
        while last > 0:
            first = self._first_of_chunk(propagator, last)
            propagator.build_graph(self._part(first, last, angles), seed_parameters=angles[first:])
            last = first
        self._size = self._limits.checked(int(propagator.size()))
        return LibraryGraph(propagator)

    def _first_of_chunk(self, propagator: PauliPropagator, last: int) -> int:
        """Return the first of the rotations before ``last`` that can be propagated without a look at the size.

        Those that act last come first, and each of them doubles the number of strings at most. Strings that depend on
        the angles may be more than in the last propagation, but hardly 16 times as many.
        """
        size, most = self._limits.checked(int(propagator.size())), self._limits.max_strings
        if 0 < _SPARE * self._size <= most:
            return 0
        doublings = int(np.log2(most / max(1, size)))
        return max(0, last - min(_CHUNK, max(1, doublings)))

    def _part(self, first: int, last: int, angles: FloatArray) -> Any:
        return library().Circuit(self._gates[first:last], self._num_qubits, angles[first:last].tolist())

    def _propagator(self, operator: Any) -> PauliPropagator:
        weight = self._limits.weight
        found: PauliPropagator = library().PauliPropagator(
            operator,
            [],
            cutoff=self._num_qubits if weight is None else min(weight, self._num_qubits),
            lower_atol=self._limits.coefficient,
        )
        return found

    def _operator(self, observable: PauliSum) -> Any:
        """Return an observable as the library's."""
        strings = zip(observable.x.tolist(), observable.z.tolist(), observable.coefficients.tolist(), strict=True)
        return library().PauliOperator({_pauli(x, z): c for x, z, c in strings}, num_qubits=self._num_qubits)


class LibraryGraph:
    """The strings of one circuit, and how they follow from each other."""

    def __init__(self, propagator: PauliPropagator) -> None:
        self._energy = propagator.expectation_value_functional()
        self._gradient = propagator.expectation_value_and_gradient_functional()

    def energy(self, angles: FloatArray) -> float:
        """Return the energy at the angles of all rotations, in radians."""
        return float(self._energy(angles))

    def energy_and_gradient(self, angles: FloatArray) -> tuple[float, FloatArray]:
        """Return the energy, and its derivatives by the angles of all rotations."""
        energy, gradient = self._gradient(angles)
        return float(energy), np.asarray(gradient)


@cache
def library() -> Any:
    """Import the library, with one thread, so that sums are rounded alike on every machine."""
    os.environ.setdefault("monoprop_PARTITIONS", "off")
    os.environ.setdefault("monoprop_NUM_THREADS", "1")
    with needs_extra("propagation"):
        import monoprop
    return monoprop


def _pauli(x: int, z: int) -> Any:
    """Return a string as the library's."""
    both = x | z
    qubits = [qubit for qubit in range(both.bit_length()) if both >> qubit & 1]
    letters = "".join("IXZY"[(x >> qubit & 1) + 2 * (z >> qubit & 1)] for qubit in qubits)
    return library().Pauli(letters, qubits, skip_validation=True)


def _rotation(x: int, z: int, sign: float, num_qubits: int) -> Any:
    """Return a rotation as the library's ``exp(i angle H)``."""
    operator = library().PauliOperator({_pauli(x, z): -0.5 * sign}, num_qubits=num_qubits)
    return library().ExpGate(operator)

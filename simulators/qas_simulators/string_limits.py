"""What engines of Pauli propagation have in common: which strings are kept, and what an engine does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from qas_simulators.errors import must
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray


class TooManyStringsError(ValueError):
    """A propagation needs more strings than are allowed."""


@dataclass(frozen=True)
class Limits:
    """Which strings are kept, see :class:`qas_simulators.PauliPropagationSimulator`."""

    weight: int | None
    coefficient: float | None
    max_strings: int

    def checked(self, size: int) -> int:
        """Return a number of strings; raise ``TooManyStringsError`` if there are too many."""
        if size > self.max_strings:
            needed = f"be at least {size} for the last gates of this circuit alone"
            message = must("max_strings", needed, self.max_strings)
            raise TooManyStringsError(f"{message} Simulators with `weight` or `coefficient` drop strings.")
        return size


class StringGraph(Protocol):
    """The strings of one circuit, and how they follow from each other."""

    def energy(self, angles: FloatArray) -> float:
        """Return the energy at the angles of all rotations, in radians."""

    def energy_and_gradient(self, angles: FloatArray) -> tuple[float, FloatArray]:
        """Return the energy, and its derivatives by the angles of all rotations."""


class StringEngine(Protocol):
    """Moves an observable through the rotations of a circuit."""

    def energy(self, angles: FloatArray, observable: PauliSum | None = None) -> float:
        """Return the energy of the strings that are kept at these angles.

        ``observable`` replaces the engine's; both are conjugated by all Clifford gates.
        """

    def graph(self, angles: FloatArray) -> StringGraph:
        """Return the strings that are kept at these angles as a graph, which gives energies at other angles too."""

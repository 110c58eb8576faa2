"""The protocols of encodings and encoders, and the base class of encoders whose observations are vectors.

An encoding is a small description; ``bind`` turns it into the encoder of one environment.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import Any, Final, NamedTuple, Protocol, Self

import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from qas_envs.catalogue import ActionCatalogue
from qas_envs.problems import Problem
from qas_simulators import Circuit, Simulator
from qas_simulators.arrays import Array, ArrayLibrary
from qas_simulators.circuit_arrays import PARAMS, CircuitArrays
from qas_simulators.errors import must

Range = tuple[float, float]
Observation = Any
"""A ``float32`` vector; of some encodings a ``gymnasium.spaces.GraphInstance`` or a dictionary of arrays."""


class View(NamedTuple):
    """What an encoder may use, besides the actions that it follows.

    Attributes:
        energy: Energy of the circuit, in the problem's unit.
        threshold: The curriculum's threshold.
        circuit: The circuit with its angles; must not be changed.
        simulator: The environment's simulator.
        context: The values that identify the member of a family of instances; empty without a family.
    """

    energy: float
    threshold: float
    circuit: Circuit
    simulator: Simulator
    context: tuple[float, ...] = ()


class Views(NamedTuple):
    """The same for many circuits.

    Attributes:
        energy: Energies, ``(size,)``.
        threshold: Thresholds, ``(size,)``.
        circuits: The circuits with their angles; must not be changed.
    """

    energy: Array
    threshold: Array
    circuits: CircuitArrays


class Encoder(Protocol):
    """Follows one circuit gate by gate.

    A method ``copy``, which returns an independent encoder of the same circuit, is optional; without it, clones of an
    episode hold a deep copy. A method ``for_many(size, library)``, which returns :class:`Encoders` of empty circuits or
    ``None``, is optional too; without it, vector environments observe one circuit after the other. An attribute
    ``shows_instance`` that is true says that observations identify the member of a family of instances by themselves;
    without it, the context of the family is appended. An attribute ``shows_device`` that is true says that there is a
    method ``see_noise(problem, noise)``, which is called before the first observation, and with a drift that is shown
    before every episode; of a drift that is hidden, ``noise`` is ``None``.
    """

    @property
    def space(self) -> spaces.Space[Observation]:
        """The space of what :meth:`observe` returns."""
        ...

    def reset(self, problem: Problem) -> None:
        """Start again with an empty circuit; the problem is the bound one, or another member of its family."""
        ...

    def begin(self, action: int) -> None:
        """Note the action that the next gates belong to."""
        ...

    def append(self, operation: int) -> None:
        """Note an appended gate."""
        ...

    def observe(self, view: View) -> Observation:
        """Return a new observation, an element of the space."""
        ...


class Encoders(Protocol):
    """Follow many circuits of one instance gate by gate."""

    def reset(self, rows: Array) -> None:
        """Start again with empty circuits in some rows."""
        ...

    def begin(self, rows: Array, actions: Array) -> None:
        """Note the actions that the next gates of some circuits belong to; no row occurs twice."""
        ...

    def append(self, rows: Array, operations: Array) -> None:
        """Note a gate appended to each of some circuits; no row occurs twice."""
        ...

    def observe(self, views: Views, rows: Array | None = None) -> Observation:
        """Return new observations of some circuits, by default of all: one with a leading axis."""
        ...


class Encoding(Protocol):
    """Describes an encoder."""

    def bind(self, problem: Problem, catalogue: ActionCatalogue, max_gates: int, energies: Range) -> Encoder:
        """Return the encoder of one environment, whose energies lie in the range ``energies``."""
        ...


class ShowsTail(Protocol):
    """The settings that all encodings as vectors have."""

    @property
    def energy(self) -> bool:
        """Whether the energy of the last step is appended."""
        ...

    @property
    def threshold(self) -> bool:
        """Whether the curriculum's threshold is appended."""
        ...


_MOST_ENTRIES: Final = 2**24  # 64 MiB, and as much for each bound


def check_size(size: int) -> None:
    """Raise ``ValueError`` if observations of this size are too large, before memory is allocated."""
    if size > _MOST_ENTRIES:
        raise ValueError(must("max_gates", f"give observations of at most {_MOST_ENTRIES} numbers", f"giving {size}"))


class VectorEncoder(ABC):
    """An encoder that keeps its observation in one ``float32`` vector, which it updates in place.

    Args:
        low: Smallest values of the encoding without energy and threshold, ``(size,)``.
        high: Largest values, ``(size,)``.
        energies: Range of the energies.
        encoding: Whether energy and threshold are appended.

    Attributes:
        vector: The observation; up to date after :meth:`refresh`.
        shows_energy: Whether the energy is shown.
        shows_threshold: Whether the threshold is shown.
        tail: How many of the two are shown, behind all else.
    """

    def __init__(self, low: ArrayLike, high: ArrayLike, energies: Range, encoding: ShowsTail) -> None:
        lows, highs = [np.asarray(low, dtype=np.float32)], [np.asarray(high, dtype=np.float32)]
        self._size = len(lows[0])
        self.shows_energy, self.shows_threshold = encoding.energy, encoding.threshold
        self.tail = int(encoding.energy) + int(encoding.threshold)
        if encoding.energy:
            lows.append(np.nextafter(np.float32(energies[0]), np.float32(-np.inf))[None])
            highs.append(np.nextafter(np.float32(energies[1]), np.float32(np.inf))[None])
        if encoding.threshold:
            lows.append(np.full(1, -np.inf, dtype=np.float32))
            highs.append(np.full(1, np.inf, dtype=np.float32))
        self.space: spaces.Space[Observation] = spaces.Box(
            np.concatenate(lows), np.concatenate(highs), dtype=np.float32
        )
        self.vector = np.zeros(self._size + self.tail, dtype=np.float32)

    def copy(self) -> Self:
        """See :class:`Encoder`. Subclasses copy the containers that they change in place."""
        twin = copy.copy(self)
        twin.vector = self.vector.copy()
        return twin

    def move_to(self, vector: NDArray[np.float32]) -> None:
        """Use other memory from now on, such as a row of an array that holds all environments' observations."""
        vector[:] = self.vector
        self.vector = vector

    def refresh(self, view: View) -> None:
        """Update the vector."""
        self._show(view)
        if self.shows_energy:
            self.vector[-self.tail] = view.energy
        if self.shows_threshold:
            self.vector[-1] = view.threshold

    def observe(self, view: View) -> Observation:
        """See :class:`Encoder`."""
        self.refresh(view)
        return self.vector.copy()

    def _show(self, view: View) -> None:  # noqa: B027  # nothing to do for encodings without angles
        """Write the entries that do not follow from the appended actions."""

    def begin(self, action: int) -> None:  # noqa: B027  # gadgets are shown as their gates
        """See :class:`Encoder`."""

    @abstractmethod
    def reset(self, problem: Problem) -> None:
        """See :class:`Encoder`."""

    @abstractmethod
    def append(self, operation: int) -> None:
        """See :class:`Encoder`."""


class VectorEncoders(ABC):
    """Encoders that keep their observations in the rows of one array, which they update in place.

    Args:
        encoder: Of one circuit.
        size: Number of circuits.
        library: Of the arrays.
        most_rotations: Most rotations whose angles are shown; 0 where angles are not shown.

    Attributes:
        copies: Whether observations of all circuits are copies; otherwise each is a read-only view of ``vectors``.
    """

    def __init__(self, encoder: VectorEncoder, size: int, library: ArrayLibrary, most_rotations: int) -> None:
        self._library, self._encoder = library, encoder
        self.vectors = library.zeros((size, encoder.vector.size), "float32")
        self.copies = True
        self._all = library.arange(size)
        self._angle_places = library.zeros((size, most_rotations), "int64")  # in the vectors
        self._num_angles = library.zeros(size, "int64")

    def reset(self, rows: Array) -> None:
        """See :class:`Encoders`."""
        self.vectors[rows] = 0.0
        self._num_angles[rows] = 0
        self._restart(rows)

    def begin(self, rows: Array, actions: Array) -> None:  # noqa: B027  # gadgets are shown as their gates
        """See :class:`Encoders`."""

    @abstractmethod
    def append(self, rows: Array, operations: Array) -> None:
        """See :class:`Encoders`."""

    @abstractmethod
    def _restart(self, rows: Array) -> None:
        """Start again in some rows, whose vectors are zero."""

    def _show_angle(self, rows: Array, places: Array) -> None:
        """Show the angles of rotations that were appended to some circuits in these places of the vectors."""
        number = self._num_angles[rows]
        self._angle_places[rows, number] = places
        self._num_angles[rows] = number + 1

    def observe(self, views: Views, rows: Array | None = None) -> Observation:
        """See :class:`Encoders`."""
        if self._angle_places.shape[1] > 0:
            self._write_angles(views.circuits, self._all if rows is None else rows)
        if rows is not None:
            vectors = self.vectors[rows]
        else:
            vectors = self._library.copy(self.vectors) if self.copies else self.vectors
        encoder = self._encoder
        for is_shown, place, column in (
            (encoder.shows_energy, -encoder.tail, views.energy),
            (encoder.shows_threshold, -1, views.threshold),
        ):
            if is_shown:
                vectors[:, place] = self._library.cast(column if rows is None else column[rows], "float32")
        if vectors is self.vectors:
            vectors = vectors[:]
            vectors.flags.writeable = False
        return vectors

    def _write_angles(self, circuits: CircuitArrays, rows: Array) -> None:
        """Write the angles of the agent's rotations, which are the last ones of each circuit."""
        most = self._angle_places.shape[1]
        number = self._num_angles[rows]
        first = circuits.counts[rows, PARAMS] - number
        shown = self._library.nonzero((self._library.arange(most) < number[:, None]).reshape(-1))
        place = shown // most
        of, angle = rows[place], shown % most
        values = in_pi(circuits.angles[of, first[place] + angle])
        self.vectors[of, self._angle_places[of, angle]] = self._library.cast(values, "float32")


def in_pi(angles: Array) -> Array:
    """Return angles in units of pi, in [-1, 1]."""
    return (angles / np.pi + 1.0) % 2.0 - 1.0

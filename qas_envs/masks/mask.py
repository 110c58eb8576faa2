"""The protocols of masks: of one circuit, and of many; the mask that forbids nothing."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from qas_envs.catalogue import ActionCatalogue
from qas_simulators.arrays import Array, ArrayLibrary


class Mask(Protocol):
    """Follows one circuit gate by gate. Stopping is always legal, and so is at least one gate.

    A method ``copy``, which returns an independent mask of the same circuit, is optional; without it, clones of an
    episode hold a deep copy. A method ``for_many(size, library)``, which returns :class:`Masks` of empty circuits, is
    optional too; without it, vector environments update one mask after the other.
    """

    array: NDArray[np.int8]
    """1 = allowed, ``(num_actions,)``; kept up to date in place."""

    def move_to(self, array: NDArray[np.int8]) -> None:
        """Use other memory from now on, such as a row of an array that holds all environments' masks."""
        ...

    def reset(self) -> None:
        """Start again with an empty circuit."""
        ...

    def update(self, action: int) -> None:
        """Update the mask for an appended action."""
        ...


class Masks(Protocol):
    """The masks of many circuits."""

    array: Array
    """1 = allowed, ``(size, num_actions)``, ``int8``; kept up to date in place."""

    def reset(self, rows: Array) -> None:
        """Start again with empty circuits in some rows."""
        ...

    def update(self, rows: Array, actions: Array) -> None:
        """Update rows for an action appended to each of them; no row occurs twice."""
        ...


class MaskBase:
    """Memory of a mask: all actions of the catalogue, all legal at first.

    Subclasses with further state extend ``copy``.
    """

    def __init__(self, catalogue: ActionCatalogue) -> None:
        self.array: NDArray[np.int8] = np.ones(len(catalogue), dtype=np.int8)

    def copy(self) -> Self:
        """See :class:`Mask`."""
        twin = copy.copy(self)
        twin.array = self.array.copy()
        return twin

    def move_to(self, array: NDArray[np.int8]) -> None:
        """See :class:`Mask`."""
        array[:] = self.array
        self.array = array


class NoMask(MaskBase):
    """Every action is always legal; the baseline for the other masks."""

    def reset(self) -> None:
        """See :class:`Mask`."""

    def update(self, action: int) -> None:
        """See :class:`Mask`."""

    def for_many(self, size: int, library: ArrayLibrary) -> Masks:
        """See :class:`Mask`."""
        return _NoMasks(library.zeros((size, len(self.array)), "int8") + 1)


class _NoMasks:
    """Every action is always legal in all of them."""

    def __init__(self, array: Array) -> None:
        self.array = array

    def reset(self, rows: Array) -> None:
        pass

    def update(self, rows: Array, actions: Array) -> None:
        pass


def parts_of(parts: Array, actions: Array) -> Iterator[tuple[Any, Array]]:
    """Return the first operation of each action, then the second of those that have one, and so on.

    Args:
        parts: The operations of each action, filled up with -1, ``(num_actions, most)``.
        actions: ``(k,)``.

    Yields:
        Which of the actions, as an index, and their operations.
    """
    for place in range(parts.shape[1]):
        operations = parts[actions, place]
        chosen = operations >= 0
        if place == 0:
            yield slice(None), operations
        elif chosen.any():
            yield chosen, operations[chosen]


def padded(parts: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Return lists of numbers as rows of an array, filled up with -1."""
    found = np.full((len(parts), max(1, *map(len, parts))), -1, dtype=np.int64)
    for row, own in zip(found, parts, strict=True):
        row[: len(own)] = own
    return found


def some_legal(legal: Array, library: ArrayLibrary) -> Array:
    """Return masks as ``int8``; all actions are legal where none would be."""
    return library.cast(legal | ~legal.any(1)[:, None], "int8")

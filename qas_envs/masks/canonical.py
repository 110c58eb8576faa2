"""The canonical mask: one order for each circuit."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from qas_envs.catalogue import ActionCatalogue
from qas_envs.masks.mask import MaskBase, Masks, some_legal
from qas_simulators.arrays import Array, ArrayLibrary


class CanonicalMask(MaskBase):
    """Of the orders of actions that give the same circuit, only the first is legal, and no action follows itself.

    Actions on different qubits commute. A sequence is legal if no action could move to an earlier place past
    higher-numbered actions on other qubits; then each circuit has exactly one sequence, the lexicographically smallest.
    An action may not be repeated until another action has acted on one of its qubits. For blocks that is a restriction:
    two equal blocks in a row on one pair prepare more states than one. If no action were legal, as on two qubits, all
    are.

    References:
        The normal form of commuting letters: Anisimov, Knuth, "Inhomogeneous sorting", 1979.
    """

    def __init__(self, catalogue: ActionCatalogue) -> None:
        super().__init__(catalogue)
        size = len(catalogue.actions)
        touched = np.zeros((size, catalogue.num_qubits), dtype=np.int64)
        for number, action in enumerate(catalogue.actions):
            touched[number, [*action.qubits]] = 1
        common = touched @ touched.T
        # Whether an action, given by the row, lets each other one be legal again, and whether it forbids it.
        frees = common > 0
        forbids = (~frees & np.tri(size, k=-1, dtype=np.bool_)) | np.eye(size, dtype=np.bool_)
        self._frees, self._keeps = frees.astype(np.int8), (~forbids).astype(np.int8)
        self._size = size
        self._legal = np.ones(size, dtype=np.int8)

    def copy(self) -> Self:
        """See :class:`Mask`."""
        twin = super().copy()
        twin._legal = self._legal.copy()
        return twin

    def reset(self) -> None:
        """See :class:`Mask`."""
        self._legal[:] = 1
        self.array[:] = 1

    def update(self, action: int) -> None:
        """See :class:`Mask`."""
        self._legal |= self._frees[action]
        self._legal &= self._keeps[action]
        self.array[: self._size] = self._legal if self._legal.any() else 1

    def for_many(self, size: int, library: ArrayLibrary) -> Masks:
        """See :class:`Mask`."""
        return _CanonicalMasks(self._frees, self._keeps, len(self.array), size, library)


class _CanonicalMasks:
    """The masks of :class:`CanonicalMask`."""

    def __init__(
        self, frees: NDArray[np.int8], keeps: NDArray[np.int8], num_actions: int, size: int, library: ArrayLibrary
    ) -> None:
        self._library = library
        self._frees, self._keeps = library.constant(frees), library.constant(keeps)
        self._legal = library.zeros((size, len(frees)), "int8")
        self.array = library.zeros((size, num_actions), "int8")
        self.reset(library.arange(size))

    def reset(self, rows: Array) -> None:
        self._legal[rows] = 1
        self.array[rows] = 1

    def update(self, rows: Array, actions: Array) -> None:
        legal = (self._legal[rows] | self._frees[actions]) & self._keeps[actions]
        self._legal[rows] = legal
        self.array[rows, : len(self._frees)] = some_legal(legal != 0, self._library)

"""The commuting mask: no gate that merges with an earlier one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qas_envs.catalogue import ActionCatalogue
from qas_envs.masks.mask import MaskBase, Masks, some_legal
from qas_simulators.arrays import Array, ArrayLibrary
from qas_simulators.errors import must
from qas_simulators.simplification import commute, merged_name


class CommutingMask(MaskBase):
    """A gate may not be appended if it merges with an earlier gate to one gate of the catalogue, or cancels it.

    The gate is moved back past gates it commutes with, whatever their angles, as ``Circuit.simplified`` does: CX(0, 1),
    RZ(0), CX(0, 1) is as illegal as CX(0, 1) twice. T may follow T if S is not in the catalogue; the frontier mask
    forbids that. If no action were legal because all gates commute, all actions are legal.
    """

    def __init__(self, catalogue: ActionCatalogue) -> None:
        if catalogue.has_gadgets:
            raise ValueError(must("mask", "be 'frontier' where there are gadgets", "commuting"))
        super().__init__(catalogue)
        self._catalogue = catalogue
        self._names = {(action.gate, frozenset(action.qubits)) for action in catalogue.actions}
        self._rows: dict[int, tuple[NDArray[np.int8], NDArray[np.int8]]] = {}

    def reset(self) -> None:
        """See :class:`Mask`."""
        self.array[:] = 1

    def update(self, action: int) -> None:
        """See :class:`Mask`."""
        is_free, is_new = self.relations(action)
        array = self.array
        array |= is_free
        array &= is_new
        gates = array[: len(self._catalogue.actions)]
        if not gates.any():
            gates[:] = 1

    def for_many(self, size: int, library: ArrayLibrary) -> Masks:
        """See :class:`Mask`."""
        return _CommutingMasks(self, len(self.array), size, library)

    def relations(self, action: int) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """Return the actions that do not commute with this one, and those that do not merge with it."""
        if action not in self._rows:
            self._rows[action] = self._relations(action)
        return self._rows[action]

    def _relations(self, action: int) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        own = self._catalogue.actions[action]
        is_free, is_new = np.zeros((2, len(self._catalogue)), dtype=np.int8)
        is_new[:] = 1
        for k, other in enumerate(self._catalogue.actions):
            is_free[k] = not commute(own.gate, own.qubits, other.gate, other.qubits)
            name = merged_name(own.gate, own.qubits, other.gate, other.qubits)
            is_new[k] = name is None or (name != "" and (name, frozenset(own.qubits)) not in self._names)
        return is_free, is_new


class _CommutingMasks:
    """The masks of :class:`CommutingMask`, which finds how actions are related when they are first used."""

    def __init__(self, mask: CommutingMask, num_actions: int, size: int, library: ArrayLibrary) -> None:
        self._mask, self._library = mask, library
        self._num_gates = len(mask._catalogue.actions)
        self.array = library.zeros((size, num_actions), "int8")
        self._free, self._new = library.zeros((2, num_actions, num_actions), "int8")
        self._is_known = library.zeros(num_actions, "bool")
        self.reset(library.arange(size))

    def reset(self, rows: Array) -> None:
        self.array[rows] = 1

    def update(self, rows: Array, actions: Array) -> None:
        if not self._is_known[actions].all():
            for action in {*actions[~self._is_known[actions]].tolist()}:
                free, new = self._mask.relations(action)
                self._free[action], self._new[action] = self._library.constant(free), self._library.constant(new)
                self._is_known[action] = True
        legal = ((self.array[rows] | self._free[actions]) & self._new[actions]) != 0
        gates = self._num_gates
        self.array[rows, :gates] = some_legal(legal[:, :gates], self._library)

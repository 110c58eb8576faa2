"""The frontier mask: no gate twice in a row."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from qas_envs.catalogue import ActionCatalogue
from qas_envs.masks.mask import MaskBase, Masks, padded, parts_of, some_legal
from qas_simulators.arrays import Array, ArrayLibrary


class FrontierMask(MaskBase):
    """A gate may not be repeated until another gate has acted on one of its qubits.

    The repetition would merge with the gate or undo it. The same holds for gadgets, and a gadget may not begin with
    such a gate. At most one gate per qubit is forbidden, so a legal action always exists.

    References:
        Patel et al., arXiv:2402.03500, section on illegal actions.
    """

    def __init__(self, catalogue: ActionCatalogue) -> None:
        super().__init__(catalogue)
        self._qubits = [operation.qubits for operation in catalogue.operations]
        self._last = [-1] * catalogue.num_qubits
        self._gadgets = _GadgetRepeats(catalogue) if catalogue.has_gadgets else None
        # which single gates are allowed: without gadgets the mask itself
        self._allowed = self.array if self._gadgets is None else np.ones(len(self._qubits), dtype=np.int8)

    def copy(self) -> Self:
        """See :class:`Mask`."""
        twin = super().copy()
        twin._last = self._last.copy()
        twin._allowed = twin.array if self._gadgets is None else self._allowed.copy()
        twin._gadgets = None if self._gadgets is None else copy.copy(self._gadgets)
        return twin

    def move_to(self, array: NDArray[np.int8]) -> None:
        """See :class:`Mask`."""
        super().move_to(array)
        if self._gadgets is None:
            self._allowed = array

    def reset(self) -> None:
        """See :class:`Mask`."""
        self._last = [-1] * len(self._last)
        self.array[:] = 1
        if self._gadgets is not None:
            self._allowed[:] = 1
            self._gadgets.standing = set()

    def update(self, action: int) -> None:
        """See :class:`Mask`."""
        if self._gadgets is None:
            self._follow(action)
            return
        for operation in self._gadgets.parts[action]:
            self._follow(operation)
        self._gadgets.mark(action, self._allowed, self.array)

    def _follow(self, operation: int) -> None:
        last, allowed = self._last, self._allowed
        for qubit in self._qubits[operation]:
            if last[qubit] >= 0:
                allowed[last[qubit]] = 1
            last[qubit] = operation
        allowed[operation] = 0

    def for_many(self, size: int, library: ArrayLibrary) -> Masks:
        """See :class:`Mask`."""
        return _FrontierMasks(self._qubits, len(self._last), len(self.array), self._gadgets, size, library)


class _FrontierMasks:
    """The masks of :class:`FrontierMask`. The arrays have a last column more, which index -1 stands for."""

    def __init__(
        self,
        qubits: Sequence[tuple[int, ...]],
        num_qubits: int,
        num_actions: int,
        gadgets: _GadgetRepeats | None,
        size: int,
        library: ArrayLibrary,
    ) -> None:
        self._library = library
        self._ends = library.constant([(places[0], places[-1]) for places in qubits])
        self._last = library.zeros((size, num_qubits), "int64")
        padded = library.zeros((size, num_actions + 1), "int8")
        self.array = padded[:, :num_actions]
        self._gadgets = None if gadgets is None else gadgets.for_many(size, library)
        self._allowed = padded if gadgets is None else library.zeros((size, len(qubits) + 1), "int8")
        self.reset(library.arange(size))

    def reset(self, rows: Array) -> None:
        self._last[rows] = -1
        self.array[rows] = 1
        self._allowed[rows] = 1
        if self._gadgets is not None:
            self._gadgets.standing[rows] = 0

    def update(self, rows: Array, actions: Array) -> None:
        if self._gadgets is None:
            self._follow(rows, actions)
            return
        for chosen, operations in parts_of(self._gadgets.parts, actions):
            self._follow(rows[chosen], operations)
        self._gadgets.mark(rows, actions, self._allowed[:, :-1], self.array)

    def _follow(self, rows: Array, operations: Array) -> None:
        ends = self._ends[operations]  # twice the same for a one-qubit gate
        earlier = self._library.exchange(self._last, rows, ends, operations)
        self._library.put(self._allowed, rows, earlier, 1)
        self._library.put(self._allowed, rows, operations, 0)


class _GadgetRepeats:
    """Finds the forbidden actions where some actions append several gates."""

    def __init__(self, catalogue: ActionCatalogue) -> None:
        self.parts = catalogue.parts
        self.standing: set[int] = set()  # gadgets no gate acts behind; replaced, never changed, so that copies share it
        self._qubits = [{*action.qubits} for action in catalogue.actions]
        self._begins = np.zeros((len(self.parts), len(catalogue.operations)), dtype=np.int8)
        for action, parts in enumerate(self.parts):
            touched: set[int] = set()
            for operation in parts:
                qubits = catalogue.operations[operation].qubits
                self._begins[action, operation] |= touched.isdisjoint(qubits)
                touched |= {*qubits}

    def mark(self, action: int, allowed: NDArray[np.int8], array: NDArray[np.int8]) -> None:
        """Write the mask after an action, given which single gates are allowed."""
        standing = {other for other in self.standing if self._qubits[other].isdisjoint(self._qubits[action])}
        self.standing = standing | {action} if len(self.parts[action]) > 1 else standing
        gates = array[: len(self.parts)]
        gates[:] = (self._begins @ (1 - allowed)) == 0
        gates[list(self.standing)] = 0
        if not gates.any():  # where all actions are blocks on one pair
            gates[:] = 1

    def for_many(self, size: int, library: ArrayLibrary) -> _ManyGadgetRepeats:
        """Return the same for many circuits."""
        return _ManyGadgetRepeats(self.parts, self._qubits, self._begins, size, library)


class _ManyGadgetRepeats:
    """Does what :class:`_GadgetRepeats` does for many circuits."""

    def __init__(
        self,
        parts: Sequence[tuple[int, ...]],
        qubits: Sequence[set[int]],
        begins: NDArray[np.int8],
        size: int,
        library: ArrayLibrary,
    ) -> None:
        self._library = library
        self.parts = library.constant(padded(parts))
        self._is_gadget = library.constant(np.array([len(own) > 1 for own in parts], dtype=np.int8))
        apart = np.array([[one.isdisjoint(other) for other in qubits] for one in qubits], dtype=np.int8)
        self._apart = library.constant(apart)
        self._begins = library.constant(begins.T.astype(np.float32))
        self.standing = library.zeros((size, len(parts)), "int8")

    def mark(self, rows: Array, actions: Array, allowed: Array, array: Array) -> None:
        """Write the masks after an action in each of some rows."""
        standing = self.standing[rows] * self._apart[actions]
        standing[self._library.arange(len(rows)), actions] = self._is_gadget[actions]
        self.standing[rows] = standing
        begins = self._library.cast(1 - allowed[rows], "float32") @ self._begins
        array[rows, : len(self.parts)] = some_legal((begins == 0) & (standing == 0), self._library)

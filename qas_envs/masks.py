"""Masks: which actions are legal after the gates so far."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from qas_envs.catalogue import ActionCatalogue
from qas_simulators.errors import must
from qas_simulators.simplification import commute, merged_name


class Mask(Protocol):
    """Follows one circuit gate by gate. Stopping is always legal, and so is at least one gate.

    A method ``copy``, which returns an independent mask of the same circuit, is optional; without it, clones of an
    episode hold a deep copy.
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


class FrontierMask:
    """A gate may not be repeated until another gate has acted on one of its qubits.

    The repetition would merge with the gate or undo it. The same holds for gadgets, and a gadget may not begin with
    such a gate. At most one gate per qubit is forbidden, so a legal action always exists.

    References:
        Patel et al., arXiv:2402.03500, section on illegal actions.
    """

    def __init__(self, catalogue: ActionCatalogue) -> None:
        self._qubits = [operation.qubits for operation in catalogue.operations]
        self._last = [-1] * catalogue.num_qubits
        self.array: NDArray[np.int8] = np.ones(len(catalogue), dtype=np.int8)
        self._gadgets = _GadgetRepeats(catalogue) if catalogue.has_gadgets else None
        # which single gates are allowed: without gadgets the mask itself
        self._allowed = self.array if self._gadgets is None else np.ones(len(self._qubits), dtype=np.int8)

    def copy(self) -> FrontierMask:
        """See :class:`Mask`."""
        twin = copy.copy(self)
        twin._last, twin.array = self._last.copy(), self.array.copy()
        twin._allowed = twin.array if self._gadgets is None else self._allowed.copy()
        twin._gadgets = None if self._gadgets is None else copy.copy(self._gadgets)
        return twin

    def move_to(self, array: NDArray[np.int8]) -> None:
        """See :class:`Mask`."""
        array[:] = self.array
        if self._gadgets is None:
            self._allowed = array
        self.array = array

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


class CommutingMask:
    """A gate may not be appended if it merges with an earlier gate to one gate of the catalogue, or cancels it.

    The gate is moved back past gates it commutes with, whatever their angles, as ``Circuit.simplified`` does: CX(0, 1),
    RZ(0), CX(0, 1) is as illegal as CX(0, 1) twice. T may follow T if S is not in the catalogue; the frontier mask
    forbids that. If no action were legal because all gates commute, all actions are legal.
    """

    def __init__(self, catalogue: ActionCatalogue) -> None:
        if catalogue.has_gadgets:
            raise ValueError(must("mask", "be 'frontier' where there are gadgets", "commuting"))
        self._catalogue = catalogue
        self._names = {(action.gate, frozenset(action.qubits)) for action in catalogue.actions}
        self._rows: dict[int, tuple[NDArray[np.int8], NDArray[np.int8]]] = {}
        self.array: NDArray[np.int8] = np.ones(len(catalogue), dtype=np.int8)

    def copy(self) -> CommutingMask:
        """See :class:`Mask`."""
        twin = copy.copy(self)
        twin.array = self.array.copy()
        return twin

    def move_to(self, array: NDArray[np.int8]) -> None:
        """See :class:`Mask`."""
        array[:] = self.array
        self.array = array

    def reset(self) -> None:
        """See :class:`Mask`."""
        self.array[:] = 1

    def update(self, action: int) -> None:
        """See :class:`Mask`."""
        if action not in self._rows:
            self._rows[action] = self._relations(action)
        is_free, is_new = self._rows[action]
        array = self.array
        array |= is_free
        array &= is_new
        gates = array[: len(self._catalogue.actions)]
        if not gates.any():
            gates[:] = 1

    def _relations(self, action: int) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """Return the actions that do not commute with this one, and those that do not merge with it."""
        own = self._catalogue.actions[action]
        is_free, is_new = np.zeros((2, len(self._catalogue)), dtype=np.int8)
        is_new[:] = 1
        for k, other in enumerate(self._catalogue.actions):
            is_free[k] = not commute(own.gate, own.qubits, other.gate, other.qubits)
            name = merged_name(own.gate, own.qubits, other.gate, other.qubits)
            is_new[k] = name is None or (name != "" and (name, frozenset(own.qubits)) not in self._names)
        return is_free, is_new


class CanonicalMask:
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
        self.array: NDArray[np.int8] = np.ones(len(catalogue), dtype=np.int8)

    def copy(self) -> CanonicalMask:
        """See :class:`Mask`."""
        twin = copy.copy(self)
        twin.array, twin._legal = self.array.copy(), self._legal.copy()
        return twin

    def move_to(self, array: NDArray[np.int8]) -> None:
        """See :class:`Mask`."""
        array[:] = self.array
        self.array = array

    def reset(self) -> None:
        """See :class:`Mask`."""
        self._legal[:] = 1
        self.array[:] = 1

    def update(self, action: int) -> None:
        """See :class:`Mask`."""
        self._legal |= self._frees[action]
        self._legal &= self._keeps[action]
        self.array[: self._size] = self._legal if self._legal.any() else 1


def usual_mask(catalogue: ActionCatalogue) -> Mask:
    """``canonical`` for blocks, otherwise ``frontier``."""
    return CanonicalMask(catalogue) if catalogue.has_blocks else FrontierMask(catalogue)


class NoMask:
    """Every action is always legal; the baseline for the other masks."""

    def __init__(self, catalogue: ActionCatalogue) -> None:
        self.array: NDArray[np.int8] = np.ones(len(catalogue), dtype=np.int8)

    def copy(self) -> NoMask:
        """See :class:`Mask`."""
        twin = copy.copy(self)
        twin.array = self.array.copy()
        return twin

    def move_to(self, array: NDArray[np.int8]) -> None:
        """See :class:`Mask`."""
        array[:] = self.array
        self.array = array

    def reset(self) -> None:
        """See :class:`Mask`."""

    def update(self, action: int) -> None:
        """See :class:`Mask`."""


MASKS: Final[dict[str, Callable[[ActionCatalogue], Mask]]] = {
    "auto": usual_mask,
    "frontier": FrontierMask,
    "commuting": CommutingMask,
    "canonical": CanonicalMask,
    "none": NoMask,
}


def is_mask_function(name: str, value: Any) -> Callable[[ActionCatalogue], Mask]:
    """Return a function or class that makes the mask of a catalogue.

    Raises:
        ValueError: It cannot be called; ``name`` is the argument's name for the message.
    """
    if not callable(value):
        needed = "a function that makes the mask of a catalogue"
        raise ValueError(must(name, f'be a name, {{"name": ..., settings}}, or {needed}', value))
    return value  # type: ignore[no-any-return]


def new_mask(make: Callable[[ActionCatalogue], Mask], catalogue: ActionCatalogue) -> Mask:
    """Return the mask of a catalogue.

    Raises:
        ValueError: ``make`` did not return a mask of this catalogue.
    """
    mask = make(catalogue)
    array = getattr(mask, "array", None)
    has_methods = all(callable(getattr(mask, name, None)) for name in ("move_to", "reset", "update"))
    if not has_methods or not isinstance(array, np.ndarray) or array.shape != (len(catalogue),):
        requirement = f"make objects with `array` of {len(catalogue)} entries, `move_to`, `reset` and `update`"
        raise ValueError(must("mask", requirement, mask))
    return mask

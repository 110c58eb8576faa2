"""ActionGates: the gates that actions append, as numbers, for circuits that are arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qas_envs.catalogue import ActionCatalogue
from qas_envs.masks import parts_of
from qas_envs.masks.mask import padded
from qas_simulators import Circuit
from qas_simulators.arrays import NUMPY, Array, ArrayLibrary
from qas_simulators.circuit_arrays import CircuitArrays


class ActionGates:
    """The gates of every action of a catalogue without linked angles.

    They are not the catalogue's operations: a symmetric gate of a gadget has its qubits in the gadget's order.

    Args:
        catalogue: The actions.
        library: Of the arrays.

    Attributes:
        table: All gates, rows of a circuit's table, ``(gates, 4)``.
    """

    def __init__(self, catalogue: ActionCatalogue, library: ArrayLibrary = NUMPY) -> None:
        rows: dict[tuple[int, ...], int] = {}
        steps = []
        for action in range(len(catalogue.actions)):
            circuit = Circuit(catalogue.num_qubits)
            catalogue.append(circuit, action)
            steps.append([rows.setdefault(tuple(row), len(rows)) for row in circuit.table[:, :3].tolist()])
        self.table = np.array([(*row, -1) for row in rows], dtype=np.int32)
        self._steps = library.constant(padded(steps))
        self._are_single = not catalogue.has_gadgets
        self._num_gates = catalogue.num_gates

    def append(self, circuits: CircuitArrays, rows: Array, actions: Array) -> None:
        """Append the gates of an action to each of some circuits, angles 0; no circuit may occur twice."""
        if self._are_single:
            circuits.append(rows, actions)
            return
        for chosen, gates in parts_of(self._steps, actions):
            circuits.append(rows[chosen], gates)

    def built(self, initial: Circuit, words: Sequence[Sequence[int]]) -> CircuitArrays:
        """Return the circuits of several sequences of actions after an initial circuit, angles 0."""
        length = np.array([len(word) for word in words], dtype=np.int64)
        actions = np.full((len(words), max(length, default=0)), -1, dtype=np.int64)
        actions[np.arange(actions.shape[1]) < length[:, None]] = [action for word in words for action in word]
        most = max((sum(self._num_gates[action] for action in word) for word in words), default=0)
        circuits = CircuitArrays(initial, len(words), max(1, initial.num_gates + most), self.table)
        for place, column in enumerate(actions.T):
            rows = np.flatnonzero(length > place)
            self.append(circuits, rows, column[rows])
        return circuits

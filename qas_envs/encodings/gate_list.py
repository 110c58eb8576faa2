"""The circuit as a list of gates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from qas_envs.catalogue import ActionCatalogue
from qas_envs.encodings.encoding import (
    Encoder,
    Encoders,
    Range,
    VectorEncoder,
    VectorEncoders,
    View,
    check_size,
    in_pi,
)
from qas_envs.problems import Problem
from qas_simulators.arrays import Array, ArrayLibrary


@dataclass(frozen=True)
class GateListEncoding:
    """The gates in order, four numbers each: gate, two qubits, angle in units of pi.

    Gates and qubits are counted from 1, and 0 stands for none; gates are numbered as in the catalogue's alphabet,
    two-qubit gates first. Shape ``4 * max_gates``, plus one each for energy and threshold. With gadgets there is
    additional room, because the last gadget may exceed the budget.

    Attributes:
        energy: Append the energy of the last step, in the problem's unit.
        threshold: Append the curriculum's threshold.
    """

    energy: bool = True
    threshold: bool = False

    def bind(self, problem: Problem, catalogue: ActionCatalogue, max_gates: int, energies: Range) -> Encoder:
        """See :class:`Encoding`."""
        return _GateListEncoder(energies, catalogue, max_gates, self)


class _GateListEncoder(VectorEncoder):
    def __init__(self, energies: Range, catalogue: ActionCatalogue, max_gates: int, encoding: GateListEncoding) -> None:
        names = [*catalogue.alphabet.two_qubit, *catalogue.alphabet.one_qubit]
        n = catalogue.num_qubits
        check_size(4 * max_gates)
        self._max_gates = max_gates
        low, high = np.tile([0.0, 0.0, 0.0, -1.0], max_gates), np.tile([len(names), n, n, 1.0], max_gates)
        super().__init__(low, high, energies, encoding)
        self._rows = [
            (names.index(action.gate) + 1, *(qubit + 1 for qubit in action.qubits), *(0,) * (2 - len(action.qubits)))
            for action in catalogue.operations
        ]
        self._rotates = catalogue.rotates
        self._start = 0  # place of the next gate's numbers
        self._rotations: list[int] = []  # places of the angles of the agent's rotations, in order

    def copy(self) -> Self:
        twin = super().copy()
        twin._rotations = self._rotations.copy()
        return twin

    def reset(self, problem: Problem) -> None:
        self.vector[:] = 0.0
        self._start = 0
        self._rotations.clear()

    def append(self, operation: int) -> None:
        start = self._start
        self.vector[start : start + 3] = self._rows[operation]
        if self._rotates[operation]:
            self._rotations.append(start + 3)
        self._start = start + 4

    def _show(self, view: View) -> None:
        if self._rotations:
            self.vector[self._rotations] = in_pi(view.circuit.angles[-len(self._rotations) :])

    def for_many(self, size: int, library: ArrayLibrary) -> Encoders:
        """See :class:`Encoder`."""
        return _GateListEncoders(self, size, library)


class _GateListEncoders(VectorEncoders):
    """Does the same for many circuits."""

    def __init__(self, encoder: _GateListEncoder, size: int, library: ArrayLibrary) -> None:
        super().__init__(encoder, size, library, encoder._max_gates)
        self._rows = library.constant(np.array(encoder._rows, dtype=np.float32))
        self._rotates = library.constant(encoder._rotates)
        self._starts = library.zeros(size, "int64")

    def _restart(self, rows: Array) -> None:
        self._starts[rows] = 0

    def append(self, rows: Array, operations: Array) -> None:
        start, entries = self._starts[rows], self._rows[operations]
        for k in range(3):
            self.vectors[rows, start + k] = entries[:, k]
        turns = self._rotates[operations]
        self._show_angle(rows[turns], start[turns] + 3)
        self._starts[rows] = start + 4

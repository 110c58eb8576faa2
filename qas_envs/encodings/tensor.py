"""The circuit as a tensor of moments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

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
from qas_envs.masks.mask import padded
from qas_envs.problems import Problem
from qas_simulators.arrays import Array, ArrayLibrary


@dataclass(frozen=True)
class TensorEncoding:
    """The 3D architecture encoding of CRLQAS, flattened: one slice per moment, one-hot gates.

    Each moment holds a block ``[target, control]`` per two-qubit gate of the catalogue's alphabet (symmetric gates:
    larger qubit, smaller qubit) and a row ``[qubit]`` per one-qubit gate. A gate goes into the first moment in which
    its qubits are free. Gadgets are shown as their gates; with tokens each gadget also has a row ``[qubit]``, set in
    the moment of its first gate.

    Shape ``max_gates * (n * two_qubit + one_qubit) * n``, twice that with the angles, plus one each for energy and
    threshold. With gadgets there are additional moments, because the last gadget may exceed the budget.

    Attributes:
        energy: Append the energy of the last step, in the problem's unit.
        threshold: Append the curriculum's threshold.
        angles: Append the same tensor with the angle of every rotation, in units of pi, in place of the ones.
        tokens: Also show gadgets by rows of their own: ``max_gates * gadgets * n`` additional entries.

    References:
        Patel et al., "Curriculum reinforcement learning for quantum architecture search under hardware errors",
        arXiv:2402.03500.
    """

    energy: bool = True
    threshold: bool = False
    angles: bool = False
    tokens: bool = False

    def bind(self, problem: Problem, catalogue: ActionCatalogue, max_gates: int, energies: Range) -> Encoder:
        """See :class:`Encoding`."""
        return TensorEncoder(energies, catalogue, max_gates, self)


class TensorEncoder(VectorEncoder):
    """See :class:`TensorEncoding`."""

    def __init__(self, energies: Range, catalogue: ActionCatalogue, max_gates: int, encoding: TensorEncoding) -> None:
        n, gates = catalogue.num_qubits, catalogue.alphabet
        of_gates = (n * len(gates.two_qubit) + len(gates.one_qubit)) * n
        names = catalogue.gadget_names if encoding.tokens else ()
        self._slice = of_gates + len(names) * n
        self._ones = max_gates * self._slice
        self._most_angles = max_gates if encoding.angles else 0
        size = self._ones * (1 + encoding.angles)
        check_size(size)
        super().__init__(np.where(np.arange(size) < self._ones, 0.0, -1.0), np.ones(size), energies, encoding)
        self._catalogue = catalogue
        self._moments = [0] * n
        self._places = []  # (qubits, position inside a moment's slice) of every action
        for action in catalogue.operations:
            if len(action.qubits) == 2:
                row = n * gates.two_qubit.index(action.gate) + action.qubits[1]
            else:
                row = n * len(gates.two_qubit) + gates.one_qubit.index(action.gate)
            self._places.append((action.qubits, row * n + action.qubits[0]))
        self._tokens = [  # positions of every action's token inside a moment's slice
            tuple(of_gates + names.index(a.gate) * n + q for q in a.qubits) if a.gate in names else ()
            for a in catalogue.actions
        ]
        self._token: tuple[int, ...] = ()  # of the gadget whose first gate comes next
        self._rotates = [encoding.angles and rotates for rotates in catalogue.rotates]
        self._rotations: list[int] = []  # places of the angles of the agent's rotations, in order

    def copy(self) -> Self:
        """See :class:`~qas_envs.encodings.encoding.Encoder`."""
        twin = super().copy()
        twin._moments, twin._rotations = self._moments.copy(), self._rotations.copy()
        return twin

    def labels(self) -> list[tuple[int, str, tuple[int, ...]]]:
        """Return moment, gate or gadget, and qubits of every one-hot entry; ``""`` for entries that no action sets."""
        found: dict[int, tuple[str, tuple[int, ...]]] = {
            place: (action.gate, action.qubits)
            for action, (_, place) in zip(self._catalogue.operations, self._places, strict=True)
        }
        for action, token in zip(self._catalogue.actions, self._tokens, strict=True):
            found |= {place: (action.gate, (qubit,)) for place, qubit in zip(token, action.qubits, strict=False)}
        moments = range(self._ones // self._slice)
        return [(moment, *found.get(place, ("", ()))) for moment in moments for place in range(self._slice)]

    def names(self) -> list[tuple[Any, ...]]:
        """Return a name of every entry of an observation, the same in environments of other sizes.

        Entries that no action sets are named by their position.
        """
        ones = [
            (moment, gate, qubits) if gate else (moment, "", self._size, place)
            for place, (moment, gate, qubits) in enumerate(self.labels())
        ]
        angles = [("angle", *one) for one in ones[: self._size - self._ones]]
        tail = [("energy",)] * self.shows_energy + [("threshold",)] * self.shows_threshold
        return [*ones, *angles, *tail]

    def reset(self, problem: Problem) -> None:
        """See :class:`~qas_envs.encodings.encoding.Encoder`."""
        self.vector[:] = 0.0
        self._moments = [0] * len(self._moments)
        self._token = ()
        self._rotations.clear()

    def begin(self, action: int) -> None:
        """See :class:`~qas_envs.encodings.encoding.Encoder`."""
        self._token = self._tokens[action]

    def append(self, operation: int) -> None:
        """See :class:`~qas_envs.encodings.encoding.Encoder`."""
        qubits, place = self._places[operation]
        moments = self._moments
        if len(qubits) == 1:
            moment = moments[qubits[0]]
        else:
            moment = max(moments[qubits[0]], moments[qubits[1]])
        for qubit in qubits:
            moments[qubit] = moment + 1
        position = moment * self._slice + place
        if self._token:
            self.vector[[moment * self._slice + token for token in self._token]] = 1.0
            self._token = ()
        self.vector[position] = 1.0
        if self._rotates[operation]:
            self._rotations.append(self._ones + position)

    def _show(self, view: View) -> None:
        if self._rotations:
            own = view.circuit.angles[-len(self._rotations) :]  # the angles of an initial circuit come first
            self.vector[self._rotations] = in_pi(own)

    def for_many(self, size: int, library: ArrayLibrary) -> Encoders:
        """See :class:`~qas_envs.encodings.encoding.Encoder`."""
        return _TensorEncoders(self, size, library)


class _TensorEncoders(VectorEncoders):
    """Does what :class:`TensorEncoder` does for many circuits."""

    def __init__(self, encoder: TensorEncoder, size: int, library: ArrayLibrary) -> None:
        super().__init__(encoder, size, library, encoder._most_angles)
        self._ends = library.constant([(qubits[0], qubits[-1]) for qubits, _ in encoder._places])
        self._places = library.constant([place for _, place in encoder._places])
        self._slice, self._ones = encoder._slice, encoder._ones
        self._shows_angles = encoder._most_angles > 0
        self._rotates = library.constant(encoder._rotates)
        self._moments = library.zeros((size, len(encoder._moments)), "int64")
        tokens = padded(encoder._tokens)
        self._has_tokens = bool((tokens >= 0).any())
        self._tokens = library.constant(tokens)
        self._token = library.zeros(size, "int64") - 1  # the action whose token comes with the next gate; -1 for none

    def _restart(self, rows: Array) -> None:
        self._moments[rows] = 0
        self._token[rows] = -1

    def begin(self, rows: Array, actions: Array) -> None:
        if self._has_tokens:
            self._token[rows] = actions

    def append(self, rows: Array, operations: Array) -> None:
        moment = self._library.advance(self._moments, rows, self._ends[operations])  # one-qubit gates: equal ends
        positions = moment * self._slice + self._places[operations]
        if self._has_tokens:
            self._show_tokens(rows, moment)
        self._library.put(self.vectors, rows, positions, 1.0)
        if self._shows_angles:
            turns = self._rotates[operations]
            self._show_angle(rows[turns], self._ones + positions[turns])

    def _show_tokens(self, rows: Array, moment: Array) -> None:
        begun = self._token[rows] >= 0
        rows, moment = rows[begun], moment[begun]
        for places in self._tokens[self._token[rows]].T:
            shown = places >= 0
            self.vectors[rows[shown], moment[shown] * self._slice + places[shown]] = 1.0
        self._token[rows] = -1

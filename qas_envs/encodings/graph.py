"""The circuit as a graph."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
from gymnasium import spaces

from qas_envs.catalogue import ActionCatalogue
from qas_envs.encodings.encoding import Encoder, Observation, Range, View, in_pi
from qas_envs.problems import Problem


@dataclass(frozen=True)
class GraphEncoding:
    """The circuit as a graph: nodes are the qubits' inputs and the gates, edges are labelled by their qubit.

    The features of a node are one-hot (input, then the gates of the gate set, two-qubit gates first), followed by the
    angle in units of pi. Edges run from an input or a gate to the next gate on that qubit; the edges into a two-qubit
    gate are in the order of its qubits.
    """

    def bind(self, problem: Problem, catalogue: ActionCatalogue, max_gates: int, energies: Range) -> Encoder:
        """See :class:`Encoding`."""
        return _GraphEncoder(problem, catalogue)


class _GraphEncoder:
    def __init__(self, problem: Problem, catalogue: ActionCatalogue) -> None:
        names = [*catalogue.alphabet.two_qubit, *catalogue.alphabet.one_qubit]
        self._kinds = [names.index(action.gate) + 1 for action in catalogue.operations]
        self._qubits = [action.qubits for action in catalogue.operations]
        self._rotates = catalogue.rotates
        self._num_qubits, self._width = catalogue.num_qubits, len(names) + 2
        low, high = np.zeros(self._width, dtype=np.float32), np.ones(self._width, dtype=np.float32)
        low[-1] = -1.0
        self.space: spaces.Space[Observation] = spaces.Graph(
            spaces.Box(low, high, dtype=np.float32), spaces.Discrete(self._num_qubits)
        )
        self.reset(problem)

    def reset(self, problem: Problem) -> None:
        self._nodes = [0] * self._num_qubits
        self._last = list(range(self._num_qubits))
        self._edges: list[int] = []
        self._links: list[tuple[int, int]] = []
        self._rotations: list[int] = []

    def copy(self) -> _GraphEncoder:
        twin = copy.copy(self)
        twin._nodes, twin._last, twin._edges = self._nodes.copy(), self._last.copy(), self._edges.copy()
        twin._links, twin._rotations = self._links.copy(), self._rotations.copy()
        return twin

    def begin(self, action: int) -> None:
        pass  # gadgets are shown as their gates

    def append(self, operation: int) -> None:
        node = len(self._nodes)
        self._nodes.append(self._kinds[operation])
        for qubit in self._qubits[operation]:
            self._links.append((self._last[qubit], node))
            self._edges.append(qubit)
            self._last[qubit] = node
        if self._rotates[operation]:
            self._rotations.append(node)

    def observe(self, view: View) -> Observation:
        nodes = np.zeros((len(self._nodes), self._width), dtype=np.float32)
        nodes[np.arange(len(nodes)), self._nodes] = 1.0
        if self._rotations:
            nodes[self._rotations, -1] = in_pi(view.circuit.angles[-len(self._rotations) :])
        if not self._edges:
            return spaces.GraphInstance(nodes, None, None)
        return spaces.GraphInstance(nodes, np.array(self._edges, dtype=np.int64), np.array(self._links, dtype=np.int32))

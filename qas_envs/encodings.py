"""Encodings: what an agent sees of the circuit.

An encoding is a small description; ``bind`` turns it into the encoder of one environment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from qas_envs.catalogue import ActionCatalogue
from qas_envs.families import Family
from qas_envs.problems import Problem
from qas_simulators import Circuit, Simulator
from qas_simulators.errors import must

Range = tuple[float, float]
Observation = Any
"""``float32`` vectors, but for the graph encoding: ``gymnasium.spaces.GraphInstance``."""


class View(NamedTuple):
    """What an encoder may look at, besides the actions it was told.

    Attributes:
        energy: Energy of the circuit, in the problem's unit.
        threshold: The curriculum's.
        circuit: The circuit with its angles; not to be changed.
        simulator: The environment's.
        context: Which member of a family of instances is being solved; empty without a family.
    """

    energy: float
    threshold: float
    circuit: Circuit
    simulator: Simulator
    context: tuple[float, ...] = ()


class Encoder(Protocol):
    """Follows one circuit gate by gate."""

    @property
    def space(self) -> spaces.Space[Observation]:
        """What :meth:`observe` returns."""
        ...

    def reset(self, problem: Problem) -> None:
        """Forget all gates; the problem is the one bound to, or another member of its family."""
        ...

    def append(self, action: int) -> None:
        """Account for an appended gate."""
        ...

    def observe(self, view: View) -> Observation:
        """Return a new observation of the space."""
        ...


class Encoding(Protocol):
    """Describes an encoder."""

    def bind(self, problem: Problem, catalogue: ActionCatalogue, max_gates: int, energies: Range) -> Encoder:
        """Return the encoder for one environment, in which ``energies`` lie."""
        ...


@dataclass(frozen=True)
class TensorEncoding:
    """The 3D architecture encoding of CRLQAS, flattened: one slice per moment, one-hot gates.

    Each moment holds a block ``[target, control]`` per two-qubit gate of the gate set (symmetric gates: larger qubit,
    smaller qubit) and a row ``[qubit]`` per one-qubit gate. A gate goes into the first moment in which its qubits are
    free. Shape ``max_gates * (n * two_qubit + one_qubit) * n``, twice that with the angles, plus one each for energy
    and threshold.

    Attributes:
        energy: Append the energy of the last step, in the problem's unit.
        threshold: Append the curriculum's threshold.
        angles: Append the same tensor with the angle of every rotation, in units of pi, in place of the ones.

    References:
        Patel et al., "Curriculum reinforcement learning for quantum architecture search under hardware errors",
        arXiv:2402.03500.
    """

    energy: bool = True
    threshold: bool = False
    angles: bool = False

    def bind(self, problem: Problem, catalogue: ActionCatalogue, max_gates: int, energies: Range) -> Encoder:
        """See :class:`Encoding`."""
        return _TensorEncoder(energies, catalogue, max_gates, self)


class _TensorEncoder:
    def __init__(self, energies: Range, catalogue: ActionCatalogue, max_gates: int, encoding: TensorEncoding) -> None:
        n, gates = catalogue.num_qubits, catalogue.gates
        self._slice = (n * len(gates.two_qubit) + len(gates.one_qubit)) * n
        self._size = max_gates * self._slice
        self._encoding = encoding
        self._moments = [0] * n
        self._places = []  # (qubits, position inside a moment's slice, whether it rotates) of every action
        for action, num_angles in zip(catalogue.actions, catalogue.num_angles, strict=True):
            if len(action.qubits) == 2:
                row = n * gates.two_qubit.index(action.gate) + action.qubits[1]
            else:
                row = n * len(gates.two_qubit) + gates.one_qubit.index(action.gate)
            self._places.append((action.qubits, row * n + action.qubits[0], num_angles == 1))
        self._rotations: list[int] = []  # positions of the agent's rotations, in order
        tail = _Tail(energies, encoding.energy, encoding.threshold)
        self._tail = tail
        body = self._size * (1 + encoding.angles)
        low, high = np.zeros(body, dtype=np.float32), np.ones(body, dtype=np.float32)
        low[self._size :] = -1.0
        self._flat = np.zeros(body + tail.size, dtype=np.float32)
        bounds = np.concatenate([low, tail.low]), np.concatenate([high, tail.high])
        self.space: spaces.Space[Observation] = spaces.Box(*bounds, dtype=np.float32)

    def reset(self, problem: Problem) -> None:
        self._flat[:] = 0.0
        self._moments = [0] * len(self._moments)
        self._rotations.clear()

    def append(self, action: int) -> None:
        qubits, place, rotates = self._places[action]
        moments = self._moments
        if len(qubits) == 1:
            moment = moments[qubits[0]]
        else:
            moment = max(moments[qubits[0]], moments[qubits[1]])
        for qubit in qubits:
            moments[qubit] = moment + 1
        position = moment * self._slice + place
        self._flat[position] = 1.0
        if rotates:
            self._rotations.append(position)

    def observe(self, view: View) -> Observation:
        flat = self._flat.copy()
        if self._encoding.angles and self._rotations:
            own = view.circuit.params[-len(self._rotations) :]  # an initial circuit's come first
            flat[self._size + np.array(self._rotations)] = _in_pi(own)
        self._tail.fill(flat, view)
        return flat


class _Tail:
    """Energy and threshold, appended to a vector."""

    def __init__(self, energies: Range, energy: bool, threshold: bool) -> None:
        self._energy, self._threshold = energy, threshold
        self.size = int(energy) + int(threshold)
        low, high = [], []
        if energy:
            low.append(np.nextafter(np.float32(energies[0]), np.float32(-np.inf)))
            high.append(np.nextafter(np.float32(energies[1]), np.float32(np.inf)))
        if threshold:
            low.append(np.float32(-np.inf))
            high.append(np.float32(np.inf))
        self.low, self.high = np.array(low, dtype=np.float32), np.array(high, dtype=np.float32)

    def fill(self, flat: NDArray[np.float32], view: View) -> None:
        if self._energy:
            flat[-self.size] = view.energy
        if self._threshold:
            flat[-1] = view.threshold


def _in_pi(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return angles in units of pi, in [-1, 1]."""
    return (angles / np.pi + 1.0) % 2.0 - 1.0


@dataclass(frozen=True)
class GateListEncoding:
    """The gates in order, four numbers each: gate and qubits, counted from 1, 0 for none; the angle in units of pi.

    Gates are numbered as in the gate set, two-qubit gates first. Shape ``4 * max_gates`` plus one each for energy and
    threshold.

    Attributes:
        energy: Append the energy of the last step, in the problem's unit.
        threshold: Append the curriculum's threshold.
    """

    energy: bool = True
    threshold: bool = False

    def bind(self, problem: Problem, catalogue: ActionCatalogue, max_gates: int, energies: Range) -> Encoder:
        """See :class:`Encoding`."""
        return _GateListEncoder(energies, catalogue, max_gates, self)


class _GateListEncoder:
    def __init__(self, energies: Range, catalogue: ActionCatalogue, max_gates: int, encoding: GateListEncoding) -> None:
        names = [*catalogue.gates.two_qubit, *catalogue.gates.one_qubit]
        self._rows = [
            (names.index(action.gate) + 1, *(qubit + 1 for qubit in action.qubits), *(0,) * (2 - len(action.qubits)))
            for action in catalogue.actions
        ]
        self._num_angles = catalogue.num_angles
        self._table = np.zeros((max_gates, 4), dtype=np.float32)
        self._count = 0
        self._rotations: list[int] = []
        self._tail = _Tail(energies, encoding.energy, encoding.threshold)
        n = catalogue.num_qubits
        low, high = np.tile([0.0, 0.0, 0.0, -1.0], max_gates), np.tile([len(names), n, n, 1.0], max_gates)
        bounds = np.concatenate([low, self._tail.low]), np.concatenate([high, self._tail.high])
        self.space: spaces.Space[Observation] = spaces.Box(
            bounds[0].astype(np.float32), bounds[1].astype(np.float32), dtype=np.float32
        )

    def reset(self, problem: Problem) -> None:
        self._table[:] = 0.0
        self._count = 0
        self._rotations.clear()

    def append(self, action: int) -> None:
        self._table[self._count, :3] = self._rows[action]
        if self._num_angles[action]:
            self._rotations.append(self._count)
        self._count += 1

    def observe(self, view: View) -> Observation:
        if self._rotations:
            self._table[self._rotations, 3] = _in_pi(view.circuit.params[-len(self._rotations) :])
        flat = np.concatenate([self._table.ravel(), np.zeros(self._tail.size, dtype=np.float32)])
        self._tail.fill(flat, view)
        return flat


@dataclass(frozen=True)
class PauliEncoding:
    """The state instead of the circuit: what every term of the Hamiltonian averages to, noise and readout included.

    Shape ``(num_terms,)``, plus the fraction of the gate budget that is used, and one each for energy and threshold.
    An agent that sees this needs a device or a simulator to act; one that sees gates does not.

    Attributes:
        energy: Append the energy of the last step, in the problem's unit.
        threshold: Append the curriculum's threshold.
    """

    energy: bool = True
    threshold: bool = False

    def bind(self, problem: Problem, catalogue: ActionCatalogue, max_gates: int, energies: Range) -> Encoder:
        """See :class:`Encoding`."""
        return _PauliEncoder(problem, energies, max_gates, self)


class _PauliEncoder:
    def __init__(self, problem: Problem, energies: Range, max_gates: int, encoding: PauliEncoding) -> None:
        self._hamiltonian = problem.hamiltonian
        self._share, self._used = 1.0 / max_gates, 0
        self._tail = _Tail(energies, encoding.energy, encoding.threshold)
        slack = np.full(len(problem.hamiltonian), 1.0 + 1e-6, dtype=np.float32)  # rounding
        bounds = np.concatenate([-slack, [0.0], self._tail.low]), np.concatenate([slack, [1.0], self._tail.high])
        self.space: spaces.Space[Observation] = spaces.Box(
            bounds[0].astype(np.float32), bounds[1].astype(np.float32), dtype=np.float32
        )

    def reset(self, problem: Problem) -> None:
        self._hamiltonian = problem.hamiltonian
        self._used = 0

    def append(self, action: int) -> None:
        self._used += 1

    def observe(self, view: View) -> Observation:
        means = view.simulator.term_means(view.circuit, self._hamiltonian)
        used = min(1.0, self._used * self._share)
        flat = np.concatenate([means, [used], np.zeros(self._tail.size)]).astype(np.float32)
        self._tail.fill(flat, view)
        return flat


@dataclass(frozen=True)
class GraphEncoding:
    """The circuit as a graph: a node per qubit's input and per gate, an edge per piece of wire, labelled by its qubit.

    A node's features are one-hot: input, then the gate set's gates, two-qubit gates first; then the angle in units of
    pi. Edges run from an input or a gate to the next gate on that qubit; for two-qubit gates the order of edges into a
    node is that of its qubits.
    """

    def bind(self, problem: Problem, catalogue: ActionCatalogue, max_gates: int, energies: Range) -> Encoder:
        """See :class:`Encoding`."""
        return _GraphEncoder(problem, catalogue)


class _GraphEncoder:
    def __init__(self, problem: Problem, catalogue: ActionCatalogue) -> None:
        names = [*catalogue.gates.two_qubit, *catalogue.gates.one_qubit]
        self._kinds = [names.index(action.gate) + 1 for action in catalogue.actions]
        self._qubits = [action.qubits for action in catalogue.actions]
        self._num_angles = catalogue.num_angles
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

    def append(self, action: int) -> None:
        node = len(self._nodes)
        self._nodes.append(self._kinds[action])
        for qubit in self._qubits[action]:
            self._links.append((self._last[qubit], node))
            self._edges.append(qubit)
            self._last[qubit] = node
        if self._num_angles[action]:
            self._rotations.append(node)

    def observe(self, view: View) -> Observation:
        nodes = np.zeros((len(self._nodes), self._width), dtype=np.float32)
        nodes[np.arange(len(nodes)), self._nodes] = 1.0
        if self._rotations:
            nodes[self._rotations, -1] = _in_pi(view.circuit.params[-len(self._rotations) :])
        if not self._edges:
            return spaces.GraphInstance(nodes, None, None)
        return spaces.GraphInstance(nodes, np.array(self._edges, dtype=np.int64), np.array(self._links, dtype=np.int32))


class ContextEncoder:
    """Another encoder's vector with the context of a family appended."""

    def __init__(self, encoder: Encoder, family: Family) -> None:
        inner = encoder.space
        if not isinstance(inner, spaces.Box):
            raise ValueError(must("encoding", "give vectors, to which the context of a family is appended", inner))
        self._encoder = encoder
        bounds = np.concatenate([inner.low, family.low]), np.concatenate([inner.high, family.high])
        self.space: spaces.Space[Observation] = spaces.Box(*bounds, dtype=np.float32)

    def reset(self, problem: Problem) -> None:
        """See :class:`Encoder`."""
        self._encoder.reset(problem)

    def append(self, action: int) -> None:
        """See :class:`Encoder`."""
        self._encoder.append(action)

    def observe(self, view: View) -> Observation:
        """See :class:`Encoder`."""
        return np.concatenate([self._encoder.observe(view), np.array(view.context, dtype=np.float32)])


ENCODINGS: Final = {
    "tensor": TensorEncoding,
    "gates": GateListEncoding,
    "pauli": PauliEncoding,
    "graph": GraphEncoding,
}

"""Encodings: what an agent sees of the circuit.

An encoding is a small description; ``bind`` turns it into the encoder of one environment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from qas_envs.catalogue import ActionCatalogue
from qas_envs.problems import Problem

Observation = NDArray[np.float32]


class Encoder(Protocol):
    """Follows one circuit gate by gate."""

    @property
    def space(self) -> spaces.Space[Observation]:
        """What :meth:`observe` returns."""
        ...

    def reset(self) -> None:
        """Forget all gates."""
        ...

    def append(self, action: int) -> None:
        """Account for an appended gate."""
        ...

    def observe(self, energy: float) -> Observation:
        """Return a new array of the space."""
        ...


class Encoding(Protocol):
    """Describes an encoder."""

    def bind(self, problem: Problem, catalogue: ActionCatalogue, max_gates: int) -> Encoder:
        """Return the encoder for one environment."""
        ...


@dataclass(frozen=True)
class TensorEncoding:
    """The 3D architecture encoding of CRLQAS, flattened: one slice per moment, one-hot gates.

    Each moment holds a block ``[target, control]`` per two-qubit gate of the gate set (symmetric gates: larger qubit,
    smaller qubit) and a row ``[qubit]`` per one-qubit gate. A gate goes into the first moment in which its qubits are
    free. Shape ``max_gates * (n * two_qubit + one_qubit) * n``, plus 1 with the energy.

    Attributes:
        energy: Append the energy of the last step, in the problem's unit.

    References:
        Patel et al., "Curriculum reinforcement learning for quantum architecture search under hardware errors",
        arXiv:2402.03500.
    """

    energy: bool = True

    def bind(self, problem: Problem, catalogue: ActionCatalogue, max_gates: int) -> Encoder:
        """See :class:`Encoding`."""
        return _TensorEncoder(problem, catalogue, max_gates, self.energy)


class _TensorEncoder:
    def __init__(self, problem: Problem, catalogue: ActionCatalogue, max_gates: int, energy: bool) -> None:
        n, gates = catalogue.num_qubits, catalogue.gates
        self._slice = (n * len(gates.two_qubit) + len(gates.one_qubit)) * n
        size = max_gates * self._slice
        self._flat = np.zeros(size + energy, dtype=np.float32)
        self._energy = energy
        self._moments = [0] * n
        self._places = []  # (qubits, position inside a moment's slice) of every action
        for action in catalogue.actions:
            if len(action.qubits) == 2:
                row = n * gates.two_qubit.index(action.gate) + action.qubits[1]
            else:
                row = n * len(gates.two_qubit) + gates.one_qubit.index(action.gate)
            self._places.append((action.qubits, row * n + action.qubits[0]))
        low, high = np.zeros(size + energy, dtype=np.float32), np.ones(size + energy, dtype=np.float32)
        if energy:
            low[-1] = np.nextafter(np.float32(problem.lower_bound), np.float32(-np.inf))
            high[-1] = np.nextafter(np.float32(problem.upper_bound), np.float32(np.inf))
        self.space: spaces.Space[Observation] = spaces.Box(low, high, dtype=np.float32)

    def reset(self) -> None:
        self._flat[:] = 0.0
        self._moments = [0] * len(self._moments)

    def append(self, action: int) -> None:
        qubits, place = self._places[action]
        moments = self._moments
        if len(qubits) == 1:
            moment = moments[qubits[0]]
        else:
            moment = max(moments[qubits[0]], moments[qubits[1]])
        for qubit in qubits:
            moments[qubit] = moment + 1
        self._flat[moment * self._slice + place] = 1.0

    def observe(self, energy: float) -> Observation:
        if self._energy:
            self._flat[-1] = energy
        return self._flat.copy()


ENCODINGS: Final = {"tensor": TensorEncoding}

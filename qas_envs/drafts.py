"""Drafts: circuits of one instance as actions without angles, extended together, for policies that draw many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qas_envs.encodings import HamiltonianGraphEncoder
from qas_simulators.errors import must

if TYPE_CHECKING:
    from qas_envs.circuit_env import CircuitBuildingEnv


class Drafts:
    """Circuits that are drawn action by action; nothing is simulated, and the environment does not change.

    Args:
        env: Its encoding is ``hamiltonian_graph``, and every action has at most one two-qubit gate.
        size: Number of circuits, all empty.
        length: Number of two-qubit gates at which they are to end, shown by the observations.

    Attributes:
        actions: The actions of every circuit so far.
        masks: The legal actions, ``(size, num_actions)``, 1 = allowed; stopping is not among them.

    Raises:
        ValueError: Another encoding, or actions with several two-qubit gates.
    """

    def __init__(self, env: CircuitBuildingEnv, size: int, length: int | None = None) -> None:
        encoder = env.episode.encoder
        if not isinstance(encoder, HamiltonianGraphEncoder):
            raise ValueError(must("encoding", "be 'hamiltonian_graph' for drafts of circuits", env.rules.encoding))
        pairs = encoder.pairs_of_actions
        if max(map(len, pairs)) > 1:
            raise ValueError(must("actions", "have at most one two-qubit gate each for drafts", max(map(len, pairs))))
        self._pair_of = np.array([own[0] if own else -1 for own in pairs])
        self._graphs = encoder.graphs(size, length)
        num_actions = len(env.catalogue.actions)
        self.masks = np.ones((size, num_actions), dtype=np.int8)
        self._masks = [env.new_mask() for _ in range(size)]
        self.actions: list[list[int]] = [[] for _ in range(size)]
        for row, mask in zip(self.masks, self._masks, strict=True):
            row[:] = mask.array[:num_actions]

    def observe(self) -> dict[str, NDArray[np.float32]]:
        """Return the observations of all circuits, the arrays with a leading axis ``size``."""
        return self._graphs.observe()

    def append(self, actions: Sequence[int] | NDArray[np.int64]) -> None:
        """Append one legal action to every circuit; -1 leaves a circuit as it is."""
        chosen = np.asarray(actions, dtype=np.int64)
        self._graphs.append(np.where(chosen >= 0, self._pair_of[chosen], -1))
        for number, action in enumerate(chosen.tolist()):
            if action >= 0:
                self.actions[number].append(action)
                self._masks[number].update(action)
                self.masks[number] = self._masks[number].array[: self.masks.shape[1]]

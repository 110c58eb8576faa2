"""Drafts: circuits of one instance as actions without angles, extended together, for policies that draw many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from qas_envs.encodings import HamiltonianGraphEncoder
from qas_envs.masks import Masks
from qas_simulators.arrays import NUMPY, Array, ArrayLibrary
from qas_simulators.errors import must

if TYPE_CHECKING:
    from qas_envs.circuit_env import CircuitBuildingEnv


class Drafts:
    """Circuits that are drawn action by action; nothing is simulated, and the environment does not change.

    Args:
        env: Its encoding is ``hamiltonian_graph``, and every action has at most one two-qubit gate.
        size: Number of circuits, all empty.
        length: Number of two-qubit gates at which they are to end, shown by the observations.
        library: Of the arrays.

    Raises:
        ValueError: Another encoding, actions with several two-qubit gates, or a mask without methods for many circuits
            where the arrays are not NumPy's.
    """

    def __init__(
        self, env: CircuitBuildingEnv, size: int, length: int | None = None, library: ArrayLibrary = NUMPY
    ) -> None:
        encoder = env.episode.encoder
        if not isinstance(encoder, HamiltonianGraphEncoder):
            raise ValueError(must("encoding", "be 'hamiltonian_graph' for drafts of circuits", env.rules.encoding))
        pairs = encoder.pairs_of_actions
        if max(map(len, pairs)) > 1:
            raise ValueError(must("actions", "have at most one two-qubit gate each for drafts", max(map(len, pairs))))
        from qas_envs.vector.rules import LoopedMasks, own_method  # which imports environments, and these drafts

        self.library = library
        self._pair_of = library.constant(np.array([own[0] if own else -1 for own in pairs], dtype=np.int64))
        self._graphs = encoder.graphs(size, length, library)
        self._num_actions = len(env.catalogue.actions)
        make: Any = own_method(mask := env.new_mask(), "for_many")
        if make is None and library is not NUMPY:
            raise ValueError(must("mask", "have methods for many circuits where drafts are on a device", mask))
        is_looped = make is None
        self._masks: Masks = LoopedMasks([env.new_mask() for _ in range(size)]) if is_looped else make(size, library)
        self._chosen: list[Array] = []  # the actions of each call of append, (size,)

    @property
    def masks(self) -> Array:
        """The legal actions, ``(size, num_actions)``, 1 = allowed; stopping is not among them."""
        return self._masks.array[:, : self._num_actions]

    @property
    def actions(self) -> list[list[int]]:
        """The actions of every circuit so far."""
        if not self._chosen:
            return [[] for _ in range(len(self._masks.array))]
        columns = np.stack([self.library.host(one) for one in self._chosen], axis=1).tolist()
        return [[action for action in own if action >= 0] for own in columns]

    def observe(self) -> dict[str, Array]:
        """Return the observations of all circuits, the arrays with a leading axis ``size``."""
        return self._graphs.observe()

    def append(self, actions: Any) -> None:
        """Append one legal action to every circuit; -1 leaves a circuit as it is.

        Args:
            actions: An array of the library or a sequence of integers, ``(size,)``.
        """
        is_ready = self.library is not NUMPY and not isinstance(actions, np.ndarray | list | tuple)
        chosen = actions if is_ready else self.library.shared(np.asarray(actions, dtype=np.int64))
        acts = chosen >= 0
        self._graphs.append(self.library.where(acts, self._pair_of[self.library.clip(chosen, 0, None)], -1))
        rows = self.library.nonzero(acts)
        self._masks.update(rows, chosen[rows])
        self._chosen.append(chosen)

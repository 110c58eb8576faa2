"""Uniform replay of n-step transitions."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Batch(NamedTuple):
    """Sampled transitions, first axis ``batch``."""

    observations: NDArray[np.float32]
    actions: NDArray[np.int64]
    returns: NDArray[np.float32]  # discounted sum of up to n rewards
    discounts: NDArray[np.float32]  # gamma**n, 0 after termination
    next_observations: NDArray[np.float32]
    next_masks: NDArray[np.int8]


class Transition(NamedTuple):
    """One n-step transition."""

    observation: NDArray[np.float32]
    action: int
    n_step_return: float
    discount: float
    next_observation: NDArray[np.float32]
    next_mask: NDArray[np.int8]


class NStepCollector:
    """Turns a stream of steps into n-step transitions that never cross an episode's end.

    A transition that starts k steps before the end sums k rewards; its discount is 0 if the episode terminated there
    and ``gamma**k`` if it was truncated, because a truncated episode would have gone on.
    """

    def __init__(self, n_step: int, gamma: float) -> None:
        self._n_step = n_step
        self._gamma = gamma
        self._pending: deque[tuple[NDArray[np.float32], int, float]] = deque()

    def push(
        self,
        observation: NDArray[np.float32],
        action: int,
        reward: float,
        terminated: bool,
        truncated: bool,
        next_observation: NDArray[np.float32],
        next_mask: NDArray[np.int8],
    ) -> list[Transition]:
        """Add one step and return the transitions it completes."""
        self._pending.append((observation, action, reward))
        over = terminated or truncated
        done: list[Transition] = []
        while self._pending and (over or len(self._pending) == self._n_step):
            total = 0.0
            for _, _, later in reversed(self._pending):
                total = later + self._gamma * total
            discount = 0.0 if terminated else self._gamma ** len(self._pending)
            first, first_action, _ = self._pending.popleft()
            done.append(Transition(first, first_action, total, discount, next_observation, next_mask))
        return done


class ReplayBuffer:
    """A ring of transitions, sampled uniformly with replacement."""

    def __init__(self, capacity: int, num_inputs: int, num_actions: int) -> None:
        self._capacity = capacity
        self._count = 0
        self._observations = np.zeros((capacity, num_inputs), dtype=np.float32)
        self._actions = np.zeros(capacity, dtype=np.int64)
        self._returns = np.zeros(capacity, dtype=np.float32)
        self._discounts = np.zeros(capacity, dtype=np.float32)
        self._next_observations = np.zeros((capacity, num_inputs), dtype=np.float32)
        self._next_masks = np.zeros((capacity, num_actions), dtype=np.int8)

    def __len__(self) -> int:
        return min(self._count, self._capacity)

    def add(self, transition: Transition) -> None:
        """Store a transition, overwriting the oldest when full."""
        row = self._count % self._capacity
        self._observations[row] = transition.observation
        self._actions[row] = transition.action
        self._returns[row] = transition.n_step_return
        self._discounts[row] = transition.discount
        self._next_observations[row] = transition.next_observation
        self._next_masks[row] = transition.next_mask
        self._count += 1

    def sample(self, batch_size: int, rng: np.random.Generator) -> Batch:
        """Draw transitions."""
        rows = rng.integers(len(self), size=batch_size)
        return Batch(
            self._observations[rows],
            self._actions[rows],
            self._returns[rows],
            self._discounts[rows],
            self._next_observations[rows],
            self._next_masks[rows],
        )

"""Replay buffer for n-step transitions, with uniform or prioritised sampling."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qas_simulators.errors import must


class Batch(NamedTuple):
    """Sampled transitions, first axis ``batch``."""

    observations: NDArray[np.float32]
    actions: NDArray[np.int64]
    returns: NDArray[np.float32]  # discounted sum of up to n rewards
    discounts: NDArray[np.float32]  # gamma**n, 0 after termination
    next_observations: NDArray[np.float32]
    next_masks: NDArray[np.int8]
    weights: NDArray[np.float32]  # importance weights, at most 1


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

    A transition that starts k steps before the end sums k rewards. Its discount is 0 if the episode terminated there,
    and ``gamma**k`` if it was truncated, because a truncated episode could have continued.
    """

    def __init__(self, n_step: int, gamma: float) -> None:
        self._n_step = n_step
        self._gamma = gamma
        self.pending: deque[tuple[NDArray[np.float32], int, float]] = deque()

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
        self.pending.append((observation, action, reward))
        over = terminated or truncated
        done: list[Transition] = []
        while self.pending and (over or len(self.pending) == self._n_step):
            total = 0.0
            for _, _, later in reversed(self.pending):
                total = later + self._gamma * total
            discount = 0.0 if terminated else self._gamma ** len(self.pending)
            first, first_action, _ = self.pending.popleft()
            done.append(Transition(first, first_action, total, discount, next_observation, next_mask))
        return done


class SumTree:
    """A sum tree: non-negative numbers whose partial sums are searched in logarithmic time."""

    def __init__(self, capacity: int) -> None:
        self._leaves = 1 << (capacity - 1).bit_length()
        self.nodes = np.zeros(2 * self._leaves)

    @property
    def total(self) -> float:
        """Sum of all numbers."""
        return float(self.nodes[1])

    def get(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the numbers of ``rows``."""
        return self.nodes[self._leaves + rows]

    def set(self, rows: NDArray[np.int64], values: NDArray[np.float64] | float) -> None:
        """Replace the numbers of ``rows``; if a row is repeated, its last number counts."""
        places = self._leaves + rows
        self.nodes[places] = values
        while places[0] > 1:
            places = places >> 1
            self.nodes[places] = self.nodes[2 * places] + self.nodes[2 * places + 1]

    def check(self, nodes: NDArray[np.float64], size: int) -> None:
        """Raise ``ValueError`` unless ``nodes`` are a valid tree whose first ``size`` numbers alone are positive."""
        leaves, inner = nodes[self._leaves :], nodes[1 : self._leaves]
        is_sum = np.array_equal(inner, nodes[2::2] + nodes[3::2]) if self._leaves > 1 else True
        if nodes[0] != 0 or not is_sum or not np.isfinite(nodes).all() or not (leaves[:size] > 0).all():
            raise ValueError(must("priorities", "be finite, positive and consistent sums", nodes[:2].tolist()))
        if leaves[size:].any():
            raise ValueError(must("priorities", f"be those of {size} transitions", int(np.count_nonzero(leaves))))

    def find(self, sums: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the rows at which the partial sums first exceed ``sums``."""
        places = np.ones(len(sums), dtype=np.int64)
        left = sums.copy()
        while places[0] < self._leaves:
            places = 2 * places
            goes_right = left >= self.nodes[places]
            left -= np.where(goes_right, self.nodes[places], 0.0)
            places += goes_right
        return places - self._leaves


class ReplayBuffer:
    """A ring buffer of transitions, sampled with replacement: uniformly, or in proportion to ``priority ** exponent``.

    A new transition gets the largest priority so far, so that every transition is likely to be sampled soon.

    Args:
        capacity: Largest number of transitions.
        num_inputs: Length of observations.
        num_actions: Length of action masks.
        prioritization: The exponent; 0 for uniform sampling.

    References:
        Schaul et al., "Prioritized experience replay", arXiv:1511.05952, section 3.3, proportional variant.
    """

    FIELDS = ("observations", "actions", "returns", "discounts", "next_observations", "next_masks")

    def __init__(self, capacity: int, num_inputs: int, num_actions: int, prioritization: float = 0.0) -> None:
        self.capacity = capacity
        self.count = 0  # transitions ever added
        self.prioritization = prioritization
        self.observations = np.zeros((capacity, num_inputs), dtype=np.float32)
        self.actions = np.zeros(capacity, dtype=np.int64)
        self.returns = np.zeros(capacity, dtype=np.float32)
        self.discounts = np.zeros(capacity, dtype=np.float32)
        self.next_observations = np.zeros((capacity, num_inputs), dtype=np.float32)
        self.next_masks = np.zeros((capacity, num_actions), dtype=np.int8)
        self.tree = SumTree(capacity) if prioritization > 0 else None
        self.largest = 1.0

    def __len__(self) -> int:
        return min(self.count, self.capacity)

    def add(self, transition: Transition) -> None:
        """Store a transition, overwriting the oldest when full."""
        row = self.count % self.capacity
        self.observations[row] = transition.observation
        self.actions[row] = transition.action
        self.returns[row] = transition.n_step_return
        self.discounts[row] = transition.discount
        self.next_observations[row] = transition.next_observation
        self.next_masks[row] = transition.next_mask
        if self.tree is not None:
            self.tree.set(np.array([row]), self.largest**self.prioritization)
        self.count += 1

    def sample(
        self, batch_size: int, rng: np.random.Generator, importance: float = 1.0
    ) -> tuple[Batch, NDArray[np.int64]]:
        """Draw transitions.

        Args:
            batch_size: Number of transitions.
            rng: Source of randomness.
            importance: Exponent of the importance weights ``(N P(i)) ** -importance``, which are divided by the
                largest in the batch.

        Returns:
            The batch, and its rows for :meth:`reprioritize`.
        """
        if self.tree is None:
            rows = rng.integers(len(self), size=batch_size)
            weights = np.ones(batch_size, dtype=np.float32)
        else:
            total = self.tree.total
            sums = (np.arange(batch_size) + rng.random(batch_size)) * (total / batch_size)
            rows = np.minimum(self.tree.find(sums), len(self) - 1)  # rounding may exceed the last row
            raw = (len(self) * self.tree.get(rows) / total) ** -importance
            weights = (raw / raw.max()).astype(np.float32)
        return Batch._make([*(getattr(self, name)[rows] for name in self.FIELDS), weights]), rows

    def reprioritize(self, rows: NDArray[np.int64], errors: NDArray[np.float32]) -> None:
        """Set the priorities of a sample to its absolute temporal-difference errors.

        Raises:
            ValueError: An error, or its priority to the exponent, is not finite, which would spoil all sums. Priorities
                have not changed.
        """
        if self.tree is None:
            return
        priorities = np.abs(errors).astype(np.float64) + 1e-6
        with np.errstate(over="ignore"):
            powers = priorities**self.prioritization
        if not np.isfinite(powers).all():
            raise ValueError(must("errors", "be finite, with finite priorities", errors[~np.isfinite(powers)].tolist()))
        self.largest = max(self.largest, float(priorities.max()))
        self.tree.set(rows, powers)

    def since(self, count: int) -> dict[str, NDArray[Any]]:
        """Return the transitions added after the first ``count``, oldest first, except those overwritten since."""
        rows = np.arange(max(count, self.count - self.capacity, 0), self.count) % self.capacity
        return {name: getattr(self, name)[rows] for name in self.FIELDS}

    def put(self, first: int, fields: Mapping[str, NDArray[Any]]) -> None:
        """Write transitions number ``first`` and later; priorities do not change.

        Raises:
            ValueError: Fields of other shapes or types, or numbers that no transition can have.
        """
        self.check(fields)
        size = len(fields["actions"])
        rows = np.arange(first, first + size) % self.capacity
        for name in self.FIELDS:
            getattr(self, name)[rows] = fields[name]
        self.count = max(self.count, first + size)

    def check(self, fields: Mapping[str, NDArray[Any]]) -> None:
        """Raise ``ValueError`` unless ``fields`` are valid transitions, as :meth:`since` returns them."""
        if set(fields) != set(self.FIELDS):
            raise ValueError(must("fields", f"be {sorted(self.FIELDS)}", sorted(fields)))
        size = len(np.atleast_1d(fields["actions"]))
        for name in self.FIELDS:
            own, given = getattr(self, name), fields[name]
            if given.dtype != own.dtype or given.shape != (size, *own.shape[1:]):
                wanted = f"be {own.dtype} of shape {(size, *own.shape[1:])}"
                raise ValueError(must(name, wanted, f"{given.dtype} of shape {given.shape}"))
        for name, low, high in (
            ("actions", 0, self.next_masks.shape[1] - 1),
            ("discounts", 0, 1),
            ("next_masks", 0, 1),
        ):
            if not ((fields[name] >= low) & (fields[name] <= high)).all():
                raise ValueError(must(name, f"lie in {low}..{high}", "outside"))
        for name in ("observations", "returns", "next_observations"):
            if not np.isfinite(fields[name]).all():
                raise ValueError(must(name, "be finite", "not"))

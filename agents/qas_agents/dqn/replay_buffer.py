"""Replay buffer for n-step transitions, with uniform or prioritised sampling."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qas_simulators.arrays import NUMPY, Array, ArrayLibrary
from qas_simulators.errors import must


class Batch(NamedTuple):
    """Sampled transitions, first axis ``batch``; arrays of the buffer's library."""

    observations: Array  # float32
    actions: Array  # int64
    returns: Array  # float32, discounted sum of up to n rewards
    discounts: Array  # float32, gamma**n, 0 after termination
    next_observations: Array  # float32
    next_masks: Array  # int8
    weights: Array  # float32, importance weights, at most 1


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
    """A sum tree: non-negative numbers whose partial sums are searched in logarithmic time.

    Args:
        capacity: Number of numbers.
        library: Of the arrays.
    """

    def __init__(self, capacity: int, library: ArrayLibrary = NUMPY) -> None:
        self._depth = (capacity - 1).bit_length()
        self._leaves = 1 << self._depth
        self._library = library
        self.nodes = library.zeros(2 * self._leaves, "float64")

    @property
    def total(self) -> Array:
        """Sum of all numbers."""
        return self.nodes[1]

    def get(self, rows: Array) -> Array:
        """Return the numbers of ``rows``."""
        return self.nodes[self._leaves + rows]

    def set(self, rows: Array, values: Array) -> None:
        """Replace the numbers of ``rows``; if a row is repeated, its last number counts (on a GPU, one of them)."""
        places = self._leaves + rows
        self.nodes[places] = values
        for _ in range(self._depth):
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

    def find(self, sums: Array) -> Array:
        """Return the rows at which the partial sums first exceed ``sums``."""
        places = self._library.zeros(len(sums), "int64") + 1
        left = self._library.copy(sums)
        for _ in range(self._depth):
            places = 2 * places
            goes_right = left >= self.nodes[places]
            left -= self._library.where(goes_right, self.nodes[places], 0.0)
            places += goes_right
        return places - self._leaves


class ReplayBuffer:
    """A ring buffer of transitions, sampled with replacement: uniformly, or in proportion to ``priority ** exponent``.

    A new transition gets the largest priority so far, so that every transition is likely to be sampled soon.

    On a GPU no method that training calls waits for it, except :meth:`since`: new transitions are moved there together
    before a sample is drawn, and random numbers are drawn on the CPU.

    Args:
        capacity: Largest number of transitions.
        num_inputs: Length of observations.
        num_actions: Length of action masks.
        prioritization: The exponent; 0 for uniform sampling.
        library: Of the arrays; by default NumPy.

    References:
        Schaul et al., "Prioritized experience replay", arXiv:1511.05952, section 3.3, proportional variant.
    """

    FIELDS = ("observations", "actions", "returns", "discounts", "next_observations", "next_masks")

    def __init__(
        self,
        capacity: int,
        num_inputs: int,
        num_actions: int,
        prioritization: float = 0.0,
        library: ArrayLibrary = NUMPY,
    ) -> None:
        self.capacity = capacity
        self.count = 0  # transitions ever added
        self.first = 0  # number of the first one that was not forgotten
        self.prioritization = prioritization
        self.library = library
        self.observations = library.zeros((capacity, num_inputs), "float32")
        self.actions = library.zeros(capacity, "int64")
        self.returns = library.zeros(capacity, "float32")
        self.discounts = library.zeros(capacity, "float32")
        self.next_observations = library.zeros((capacity, num_inputs), "float32")
        self.next_masks = library.zeros((capacity, num_actions), "int8")
        self.tree = SumTree(capacity, library) if prioritization > 0 else None
        self._largest: Any = 1.0
        self._new: list[Transition] = []  # not yet in the arrays

    def __len__(self) -> int:
        return min(self.count - self.first, self.capacity)

    def forget(self) -> None:
        """Sample none of the transitions so far again.

        Raises:
            ValueError: Replay is prioritised.
        """
        if self.tree is not None:
            raise ValueError(must("prioritization", "be 0 where transitions are forgotten", self.prioritization))
        self._store()
        self.first = self.count

    @property
    def largest(self) -> float:
        """The largest priority so far."""
        return float(self._largest)

    @largest.setter
    def largest(self, value: float) -> None:
        self._largest = value

    def add(self, transition: Transition) -> None:
        """Store a transition, overwriting the oldest when full."""
        row = self.count % self.capacity
        self.count += 1
        if self.library is not NUMPY:
            self._new.append(transition)
            if len(self._new) == self.capacity:
                self._store()
            return
        for name, value in zip(self.FIELDS, transition, strict=True):
            getattr(self, name)[row] = value
        if self.tree is not None:
            self.tree.set(np.array([row]), self._largest**self.prioritization)

    def extend(self, fields: Sequence[Array]) -> None:
        """Store many transitions, oldest first: arrays of this buffer's library, in the order of :attr:`FIELDS`."""
        self._store()
        size = len(fields[0])
        places = self.library.arange(size)[-self.capacity :]
        rows = (places + self.count) % self.capacity
        self.count += size
        for name, values in zip(self.FIELDS, fields, strict=True):
            getattr(self, name)[rows] = values[-self.capacity :]
        if self.tree is not None and len(rows):
            self.tree.set(rows, self._largest**self.prioritization)

    def _store(self) -> None:
        """Move new transitions to the device, all together."""
        if not self._new:
            return
        rows = self.library.sent(np.arange(self.count - len(self._new), self.count) % self.capacity)
        for name, values in zip(self.FIELDS, zip(*self._new, strict=True), strict=True):
            kind = _kind(own := getattr(self, name))
            own[rows] = self.library.sent(np.array(values, dtype=kind))
        if self.tree is not None:
            self.tree.set(rows, self._largest**self.prioritization)
        self._new.clear()

    def priorities(self) -> NDArray[np.float64] | None:
        """Return the nodes of the tree of priorities, on the CPU; ``None`` for uniform sampling."""
        self._store()
        return None if self.tree is None else self.library.host(self.tree.nodes)

    def sample(self, batch_size: int, rng: np.random.Generator, importance: float = 1.0) -> tuple[Batch, Array]:
        """Draw transitions.

        Args:
            batch_size: Number of transitions.
            rng: Source of randomness.
            importance: Exponent of the importance weights ``(N P(i)) ** -importance``, which are divided by the
                largest in the batch.

        Returns:
            The batch, and its rows for :meth:`reprioritize`.
        """
        self._store()
        library = self.library
        if self.tree is None:
            first = self.first if self.count - self.first < self.capacity else 0
            rows = library.sent((first + rng.integers(len(self), size=batch_size)) % self.capacity)
            weights = library.zeros(batch_size, "float32") + 1
        else:
            total = self.tree.total
            sums = library.sent(np.arange(batch_size) + rng.random(batch_size)) * (total / batch_size)
            rows = library.clip(self.tree.find(sums), None, len(self) - 1)  # rounding may exceed the last row
            raw = (len(self) * self.tree.get(rows) / total) ** -importance
            weights = library.cast(raw / raw.max(), "float32")
        return Batch._make([*(getattr(self, name)[rows] for name in self.FIELDS), weights]), rows

    def reprioritize(self, rows: Array, errors: Array) -> None:
        """Set the priorities of a sample to its absolute temporal-difference errors.

        Raises:
            ValueError: An error, or its priority to the exponent, is not finite, which would spoil all sums. Priorities
                have not changed. On a GPU such priorities stay as they are, without an error.
        """
        if self.tree is None:
            return
        priorities = self.library.cast(abs(errors), "float64") + 1e-6
        with np.errstate(over="ignore"):
            powers = priorities**self.prioritization
        is_finite = powers < np.inf
        if self.library is not NUMPY:
            powers = self.library.where(is_finite, powers, self.tree.get(rows))
            highest = self.library.where(is_finite, priorities, 0.0).max()
            self._largest = highest.clip(self._largest, None)
        elif is_finite.all():
            self._largest = max(self._largest, float(priorities.max()))
        else:
            raise ValueError(must("errors", "be finite, with finite priorities", errors[~is_finite].tolist()))
        self.tree.set(rows, powers)

    def since(self, count: int) -> dict[str, NDArray[Any]]:
        """Return the transitions added after the first ``count``, oldest first, except those overwritten since."""
        self._store()
        rows = self.library.sent(np.arange(max(count, self.count - self.capacity, 0), self.count) % self.capacity)
        return {name: self.library.host(getattr(self, name)[rows]) for name in self.FIELDS}

    def put(self, first: int, fields: Mapping[str, NDArray[Any]]) -> None:
        """Write transitions number ``first`` and later; priorities do not change.

        Raises:
            ValueError: Fields of other shapes or types, or numbers that no transition can have.
        """
        self.check(fields)
        self._store()
        size = len(fields["actions"])
        rows = self.library.sent(np.arange(first, first + size) % self.capacity)
        for name in self.FIELDS:
            getattr(self, name)[rows] = self.library.sent(fields[name])
        self.count = max(self.count, first + size)

    def check(self, fields: Mapping[str, NDArray[Any]]) -> None:
        """Raise ``ValueError`` unless ``fields`` are valid transitions, as :meth:`since` returns them."""
        if set(fields) != set(self.FIELDS):
            raise ValueError(must("fields", f"be {sorted(self.FIELDS)}", sorted(fields)))
        size = len(np.atleast_1d(fields["actions"]))
        for name in self.FIELDS:
            own, given = getattr(self, name), fields[name]
            kind = _kind(own)
            if given.dtype != kind or given.shape != (size, *own.shape[1:]):
                wanted = f"be {kind} of shape {(size, *own.shape[1:])}"
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


def _kind(array: Array) -> str:
    """Return NumPy's name of an array's type."""
    return str(array.dtype).removeprefix("torch.")

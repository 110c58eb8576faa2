"""The best distinct circuits of each instance and length, which the policy imitates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qas_simulators.errors import must

Circuit = tuple[int, ...]
_NONE = -1  # pads circuits to a common length


class Elites:
    """Circuits by instance and length, with their rewards.

    Args:
        most: Largest number of circuits of an instance and a length.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[tuple[int, int], dict[Circuit, tuple[float, Circuit]]] = {}  # by canonical order

    def add(self, instance: int, length: int, canonical: Circuit, actions: Circuit, reward: float) -> None:
        """Add a circuit, unless it is known with a higher reward; the worst one leaves if there are too many."""
        kept = self._kept.setdefault((instance, length), {})
        if canonical in kept and kept[canonical][0] >= reward:
            return
        kept[canonical] = reward, actions
        if len(kept) > self._most:
            del kept[min(kept, key=lambda one: kept[one][0])]

    def of(self, instance: int, length: int) -> list[Circuit]:
        """Return the circuits of an instance and a length."""
        return [actions for _, actions in self._kept.get((instance, length), {}).values()]

    def keys(self) -> list[tuple[int, int]]:
        """Return the instances and lengths that have circuits, in order."""
        return sorted(key for key, kept in self._kept.items() if kept)

    def short_keys(self) -> list[tuple[int, int]]:
        """Return the instances that have circuits, each with the shorter half of its lengths, in order."""
        lengths: dict[int, list[int]] = {}
        for instance, length in self.keys():
            lengths.setdefault(instance, []).append(length)
        return [(instance, one) for instance, own in lengths.items() for one in own[: (len(own) + 1) // 2]]

    def instances(self) -> list[int]:
        """Return the instances that have solutions, in order."""
        return sorted(
            {number for (number, _), kept in self._kept.items() if any(_solves(*one) for one in kept.values())}
        )

    def solutions(self, instance: int, lengths: int) -> dict[int, list[Circuit]]:
        """Return the solutions of an instance by length, of its smallest ``lengths`` lengths that have any."""
        found = {
            length: [actions for reward, actions in kept.values() if _solves(reward, actions)]
            for (number, length), kept in sorted(self._kept.items())
            if number == instance
        }
        return dict([(length, some) for length, some in found.items() if some][:lengths])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything as arrays of equal length."""
        rows = [
            (*key, reward, actions, canonical)
            for key, kept in self._kept.items()
            for canonical, (reward, actions) in kept.items()
        ]
        width = max((len(row[3]) for row in rows), default=0)
        padded = [[[*own, *[_NONE] * (width - len(own))] for own in row[3:]] for row in rows]
        return {
            "keys": np.array([row[:2] for row in rows], dtype=np.int64).reshape(-1, 2),
            "rewards": np.array([row[2] for row in rows], dtype=np.float64),
            "circuits": np.array(padded, dtype=np.int64).reshape(len(rows), 2, width),
        }

    def check(self, arrays: dict[str, NDArray[Any]], num_instances: int) -> None:
        """Raise ``ValueError`` unless :meth:`restore` can restore the arrays."""
        if set(arrays) != {"keys", "rewards", "circuits"}:
            raise ValueError(must("elites", "have keys, rewards and circuits", sorted(arrays)))
        keys, rewards, circuits = arrays["keys"], arrays["rewards"], arrays["circuits"]
        shapes = keys.shape, rewards.shape, circuits.shape[:2]
        if circuits.ndim != 3 or shapes != ((len(rewards), 2), (len(rewards),), (len(rewards), 2)):
            raise ValueError(must("elites", "have one key, one reward and two orders each", shapes))
        if keys.dtype != np.int64 or circuits.dtype != np.int64 or rewards.dtype != np.float64:
            raise ValueError(must("elites", "hold int64, float64 and int64", [one.dtype for one in arrays.values()]))
        if not np.isfinite(rewards).all() or (circuits < _NONE).any():
            raise ValueError(must("elites", "hold finite rewards and actions", "others"))
        if len(keys) and (keys.min() < 0 or keys[:, 0].max() >= num_instances):
            raise ValueError(must("elites", f"be of {num_instances} instances", keys.max(axis=0).tolist()))

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Restore what :meth:`arrays` returned."""
        self._kept.clear()
        for key, reward, both in zip(arrays["keys"], arrays["rewards"], arrays["circuits"], strict=True):
            actions, canonical = (_unpadded(own.tolist()) for own in both)
            kept = self._kept.setdefault((int(key[0]), int(key[1])), {})
            kept[canonical] = float(reward), actions


def _solves(reward: float, actions: Circuit) -> bool:
    """Return whether a reward, minus the decades of the error over the threshold, is that of a solution."""
    return reward >= 0 and len(actions) > 0


def _unpadded(actions: Sequence[int]) -> Circuit:
    return tuple(action for action in actions if action != _NONE)

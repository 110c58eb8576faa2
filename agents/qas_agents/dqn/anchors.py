"""Anchors: what earlier networks answered to observations of earlier tasks, and a loss that keeps it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from qas_simulators.errors import must

_PARTS: Final = ("observations", "masks", "values", "seen_observations", "seen_masks")


def anchored_loss(values: Tensor, kept: Tensor, masks: Tensor) -> Tensor:
    """Return the mean squared distance of action values from those kept, over the legal actions; a scalar.

    Args:
        values: Of the network that learns, ``(batch, num_actions)``.
        kept: Of the networks at the ends of their tasks, ``(batch, num_actions)``.
        masks: Legal actions, 1 = allowed, ``(batch, num_actions)``; at least one.
    """
    weights = masks.to(values.dtype)
    return (weights * (values - kept) ** 2).sum() / weights.sum()


class Anchors:
    """Observations of earlier tasks with the action values that the network had at the end of its task.

    Regularisation in function space: a network that learns another task is free to change its weights as long as its
    values of these observations stay.

    Args:
        num_inputs: Length of an observation.
        num_actions: Number of actions.
        per_task: The last observations of a task that are kept.
        max_tasks: Tasks whose observations are kept; those of the oldest are dropped.

    Examples:
        >>> anchors = Anchors(2, 3, per_task=4, max_tasks=1)
        >>> anchors.see(np.zeros(2, dtype=np.float32), np.array([1, 1, 0], dtype=np.int8))
        >>> anchors.end_task(nn.Linear(2, 3))
        >>> len(anchors)
        1

    References:
        Benjamin et al., "Measuring and regularizing networks in function space", arXiv:1805.08289, without a limit on
        the distance of a step; Titsias et al., "Functional regularisation for continual learning with Gaussian
        processes", arXiv:1901.11356. Here the distance is that of action values.
    """

    def __init__(self, num_inputs: int, num_actions: int, per_task: int, max_tasks: int) -> None:
        self._sizes, self._most = (num_inputs, num_actions), per_task * max_tasks
        self.observations: NDArray[np.float32] = np.zeros((0, num_inputs), dtype=np.float32)
        self.masks: NDArray[np.int8] = np.zeros((0, num_actions), dtype=np.int8)
        self.values: NDArray[np.float32] = np.zeros((0, num_actions), dtype=np.float32)
        self._seen: deque[tuple[NDArray[np.float32], NDArray[np.int8]]] = deque(maxlen=per_task)

    def __len__(self) -> int:
        return len(self.observations)

    def see(self, observation: NDArray[np.float32], mask: NDArray[Any]) -> None:
        """Remember an observation ``(num_inputs,)`` of this task and its mask ``(num_actions,)``."""
        self._seen.append((np.array(observation, dtype=np.float32), np.array(mask, dtype=np.int8)))

    @torch.no_grad()
    def end_task(self, values_of: Callable[[Tensor], Tensor], device: torch.device | str = "cpu") -> None:
        """Keep the observations of the task that has ended, with the values of its network.

        Args:
            values_of: The network, in the precision in which :meth:`loss` will compute: other roundings would be
                changes that the loss punishes.
            device: Where it is.
        """
        if not self._seen:
            return
        observations, masks = self._stacked()
        values = values_of(torch.as_tensor(observations, device=device)).float().cpu().numpy()
        for name, new in (("observations", observations), ("masks", masks), ("values", values)):
            setattr(self, name, np.concatenate([getattr(self, name), new])[-self._most :])
        self._seen.clear()

    def _stacked(self) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
        observations = np.array([one for one, _ in self._seen], dtype=np.float32).reshape(-1, self._sizes[0])
        return observations, np.array([one for _, one in self._seen], dtype=np.int8).reshape(-1, self._sizes[1])

    def loss(self, network: nn.Module, batch_size: int, rng: np.random.Generator) -> Tensor:
        """Return :func:`anchored_loss` of a network on observations that are drawn with replacement."""
        rows, device = rng.integers(len(self), size=batch_size), next(network.parameters()).device
        parts = (self.observations, self.values, self.masks)
        observations, kept, masks = (torch.as_tensor(part[rows], device=device) for part in parts)
        return anchored_loss(network(observations).float(), kept, masks)

    # -- state ---------------------------------------------------------------------------------------------------

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything, by name."""
        return dict(zip(_PARTS, (self.observations, self.masks, self.values, *self._stacked()), strict=True))

    def check(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Raise ``ValueError`` unless :meth:`arrays` of anchors with the same settings returned these."""
        if set(arrays) != set(_PARTS):
            raise ValueError(must("anchors", f"hold {sorted(_PARTS)}", sorted(arrays)))
        for (name, own), kind in zip(self.arrays().items(), ("f4", "i1", "f4", "f4", "i1"), strict=True):
            first = "seen_observations" if name.startswith("seen") else "observations"
            most = self._seen.maxlen if name.startswith("seen") else self._most
            given, shape = arrays[name], (len(np.atleast_1d(arrays[first])), *own.shape[1:])
            if given.dtype != np.dtype(kind) or given.shape != shape or len(given) > (most or 0):
                wanted = f"be {np.dtype(kind)} of shape {shape}, at most {most} rows"
                raise ValueError(must(name, wanted, f"{given.dtype} of shape {given.shape}"))
            if not np.isfinite(given).all():
                raise ValueError(must(name, "be finite", "not"))
            if kind == "i1" and not (np.isin(given, (0, 1)).all() and given.any(axis=1).all()):
                raise ValueError(must(name, "be 0 or 1, with a legal action", "other numbers"))

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`arrays` returned, after :meth:`check`."""
        for name in _PARTS[:3]:
            setattr(self, name, np.array(arrays[name]))
        self._seen.clear()
        self._seen.extend(zip(np.array(arrays[_PARTS[3]]), np.array(arrays[_PARTS[4]]), strict=True))

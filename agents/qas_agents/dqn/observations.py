"""Observations as vectors: boxes as they are, dictionaries of boxes with one box after the other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qas_agents.graph.drawing import ActionTable
from qas_agents.graph.layout import GraphLayout
from qas_simulators.errors import must

_GRAPH: Final = ("circuit", "pairs", "qubits")  # names in the observation of the encoding `hamiltonian_graph`, sorted


class Flattener:
    """Turns observations of a space into ``float32`` vectors.

    Args:
        space: A ``Box`` with one axis, or a ``Dict`` of boxes, which follow each other in the order of their names.

    Attributes:
        size: Length of the vectors. It may be increased: shorter vectors are padded with zeros.

    Raises:
        ValueError: Another space.

    Examples:
        >>> pair = gym.spaces.Dict({"b": gym.spaces.Box(0, 1, (2, 2)), "a": gym.spaces.Box(0, 1, (1,))})
        >>> Flattener(pair)({"a": np.array([5.0]), "b": np.array([[1.0, 2.0], [3.0, 4.0]])}).tolist()
        [5.0, 1.0, 2.0, 3.0, 4.0]
    """

    def __init__(self, space: gym.Space[Any]) -> None:
        self._axes: dict[str, int] | None = None
        if isinstance(space, gym.spaces.Dict) and all(isinstance(one, gym.spaces.Box) for one in space.values()):
            self._axes = {name: len(space[name].shape or ()) for name in sorted(space)}
            self.size = sum(math.prod(one.shape or ()) for one in space.values())
        elif isinstance(space, gym.spaces.Box) and len(space.shape) == 1:
            self.size = space.shape[0]
        else:
            raise ValueError(must("env", "have a flat Box of observations, or a Dict of boxes", space))

    def __call__(self, observation: Any) -> NDArray[np.float32]:
        """Return one observation as ``(size,)``, or many with a leading axis as ``(num, size)``; vectors stay."""
        if self._axes is None or not isinstance(observation, Mapping):
            return np.asarray(observation, dtype=np.float32)
        parts = [np.asarray(observation[name], dtype=np.float32) for name in self._axes]
        flat = np.concatenate(self._rows(parts), axis=-1)
        missing = self.size - flat.shape[-1]
        return np.pad(flat, [(0, 0)] * (flat.ndim - 1) + [(0, missing)]) if missing else flat

    def tensor(self, observations: Any) -> Tensor:
        """Return what :meth:`__call__` does of tensors as a tensor on their device, without padding."""
        if self._axes is None:
            tensor: Tensor = observations.float()
            return tensor
        return torch.cat(self._rows([observations[name].float() for name in self._axes]), dim=-1)

    def _rows(self, parts: list[Any]) -> list[Any]:
        """Return arrays with their own axes as one; leading axes stay."""
        assert self._axes is not None
        axes = self._axes.values()
        return [part.reshape(*part.shape[: part.ndim - own], -1) for part, own in zip(parts, axes, strict=True)]


def graph_layout(env: Any, space: gym.Space[Any]) -> GraphLayout | None:
    """Return how the observations of an environment show a graph; ``None`` if they show none.

    Args:
        env: The environment, which has a ``catalogue`` of actions, or a vector of such environments.
        space: Of one observation.

    Raises:
        ValueError: The actions are no blocks on two qubits.
    """
    bare = getattr(env, "unwrapped", env)
    catalogue = getattr(
        next(iter(getattr(bare, "envs", ())), bare), "catalogue", None
    )  # a vector has that of its first
    if catalogue is None or not isinstance(space, gym.spaces.Dict) or tuple(sorted(space)) != _GRAPH:
        return None
    of_circuit, of_pair, of_qubit = ((space[name].shape or (0,))[-1] for name in _GRAPH)
    return GraphLayout((of_qubit, of_pair, of_circuit), {catalogue.num_qubits: ActionTable(catalogue)})

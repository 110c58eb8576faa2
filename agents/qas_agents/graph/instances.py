"""The instances that the graph agent is trained on, each an environment with its searchers' parts."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import gymnasium as gym

from qas_agents.graph.drawing import ActionTable
from qas_agents.searchers.blocks import Skeletons
from qas_agents.searchers.pruning import workbench
from qas_simulators.errors import must

Choices = Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""Arguments with lists of values, or a list of instances; see :class:`~qas_agents.graph.config.GraphConfig`."""


class Instance:
    """One instance as the agent plays it.

    Args:
        env: An environment whose actions are blocks and whose encoding shows the Hamiltonian as a graph.

    Attributes:
        env: The environment.
        bench: Plays whole circuits in it.
        table: Its actions.
        skeletons: Canonical orders, and numbers of angles.
        num_qubits: Size of the register.
        most: The most actions that the gate budget allows.

    Raises:
        ValueError: Another encoding, or other actions.
    """

    def __init__(self, env: Any) -> None:
        self.env = getattr(env, "unwrapped", env)
        self.bench: Any = workbench(self.env)
        self.table = ActionTable(self.bench.catalogue)
        self.skeletons = Skeletons(self.bench, self.env.problem.hamiltonian)
        self.num_qubits: int = self.bench.catalogue.num_qubits
        self.most = max(1, self.env.max_gates // self.table.num_gates)
        self.bench.drafts(1)  # raises where the encoding does not fit

    def lengths(self, bounds: Sequence[float]) -> tuple[int, int]:
        """Return the smallest and the largest length, given both over the number of qubits."""
        low, high = (min(self.most, math.ceil(bound * self.num_qubits)) for bound in bounds)
        return low, high

    def canonical(self, actions: Sequence[int]) -> tuple[int, ...]:
        """Return the canonical order of actions, which circuits that differ only in commuting blocks share."""
        return tuple(actions[place] for place in self.skeletons.canonical(actions))


class Instances:
    """The instances of a training, smallest first; each environment is built when it is first played.

    Args:
        env: The environment of the agent.
        choices: Arguments of its problem or rules with lists of values, of which every combination is an instance; or
            a list of instances, each the arguments with their values. Without any, the environment is the only one.

    Raises:
        ValueError: Arguments without an environment that was made by ``gymnasium.make``.
    """

    def __init__(self, env: Any, choices: Choices | None) -> None:
        self._env = getattr(env, "unwrapped", env)
        self.own = Instance(self._env)
        if choices and self._env.spec is None:
            raise ValueError(must("env", "be made by gymnasium.make, so that other instances can be", type(self._env)))
        self._arguments = sorted(_combined(choices), key=lambda one: one.get("num_qubits", 0))
        self._built: dict[int, Instance] = {}

    def __len__(self) -> int:
        return len(self._arguments)

    def by_size(self) -> list[list[int]]:
        """Return the numbers of the instances of each size, smallest first."""
        sizes = [one.get("num_qubits", 0) for one in self._arguments]
        return [[number for number, own in enumerate(sizes) if own == size] for size in dict.fromkeys(sizes)]

    def of_each_size(self) -> list[Instance]:
        """Return one instance of each size that the arguments name, smallest first, and the environment's own last."""
        sizes = [one.get("num_qubits") for one in self._arguments]
        return [*(self[sizes.index(size)] for size in dict.fromkeys(sizes)), self.own]

    def __getitem__(self, number: int) -> Instance:
        arguments = self._arguments[number]
        if not arguments:
            return self.own
        if number not in self._built:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # the agent's environment gave the same ones
                env = gym.make(self._env.spec, disable_env_checker=True, **arguments)
            self._built[number] = Instance(env)
        return self._built[number]


def _combined(choices: Choices | None) -> list[dict[str, Any]]:
    """Return the arguments of every instance."""
    if choices is None:
        return [{}]
    if isinstance(choices, Mapping):
        return [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]
    return [dict(one) for one in choices] or [{}]

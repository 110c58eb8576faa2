"""Undo: environments go back to where they stood if something in a block of code fails."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from qas_simulators import Simulator

if TYPE_CHECKING:
    from qas_envs.circuit_env import CircuitBuildingEnv

_NAMES = (
    *("_energy", "_first_energy", "_wasted", "_halt_at", "_over", "_threshold", "adds_nothing"),
    *("problem", "context", "finished", "_ended", "_np_random", "_np_random_seed"),
)
_values = attrgetter(*_NAMES)
CONTAINERS = (list, dict, set, np.ndarray)
"""What a curriculum may keep and change in place."""


class Undo:
    """Either a whole block succeeds, or its environments are as they were before.

    Everything is covered that can interrupt a step: errors of simulators, optimisers, rewards and encodings, and
    ``KeyboardInterrupt``. Entering notes numbers and angles, which costs about a microsecond per environment. After a
    failure circuits, masks and encodings are built again from the actions.

    Args:
        envs: The environments.

    Examples:
        >>> import gymnasium as gym, qas_envs
        >>> env = gym.make("QAS-TFIM-v0", num_qubits=2).unwrapped
        >>> _ = env.reset(seed=0)
        >>> try:
        ...     with Undo([env]):
        ...         _ = env.step(3)
        ...         raise ArithmeticError
        ... except ArithmeticError:
        ...     len(env.circuit)
        0
    """

    __slots__ = ("_before", "_envs", "_generators", "_streams")

    def __init__(self, envs: Sequence[CircuitBuildingEnv]) -> None:
        self._envs = envs
        self._generators: list[_Place] = []
        self._streams: list[tuple[Simulator, np.random.Generator]] = []

    def __enter__(self) -> Undo:
        self._before = [
            (_values(env), env._actions.copy(), env.circuit.params, _attributes(env), env._renderer.shown)
            for env in self._envs
        ]
        for env in self._envs:
            if env.draws:
                self._generators.append(_place(env.simulator.rng))
        return self

    def keep_randomness(self, env: CircuitBuildingEnv) -> None:
        """Note where the random generators of an environment stand that is going to be reset."""
        if env._np_random is not None:
            self._generators.append(_place(env._np_random))
        self._generators.append(_place(env.simulator.rng))
        self._streams.append((env.simulator, env.simulator.rng))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            return
        for env, (values, actions, params, curriculum, shown) in zip(self._envs, self._before, strict=True):
            for name, value in zip(_NAMES, values, strict=True):
                setattr(env, name, value)
            vars(env.curriculum).clear()
            vars(env.curriculum).update(curriculum)
            env.build(actions, params)
            env._renderer.shown = shown
        for rng, state in reversed(self._generators):  # of two notes about a generator the first counts
            rng.bit_generator.state = state
        for simulator, rng in reversed(self._streams):
            simulator.rng = rng


_Place = tuple[np.random.Generator, Any]


def _place(rng: np.random.Generator) -> _Place:
    return rng, rng.bit_generator.state


def _attributes(env: CircuitBuildingEnv) -> dict[str, Any]:
    """Return the attributes of the curriculum; containers, which it may change in place, are copied."""
    attributes = vars(env.curriculum).copy()
    for name in env.containers:
        attributes[name] = attributes[name].copy()
    return attributes

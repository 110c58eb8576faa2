"""Undo: if something in a block of code fails, environments return to their state before it."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from qas_envs.episode import Snapshot
from qas_simulators import Circuit, Simulator

if TYPE_CHECKING:
    from qas_envs.circuit_env import CircuitBuildingEnv
    from qas_envs.curricula import Curriculum

CONTAINERS = (list, dict, set, np.ndarray)
"""Types that a curriculum's attributes may have and change in place."""


class _Before(NamedTuple):
    """State of an environment at the beginning of the block, apart from random generators."""

    episode: Snapshot
    finished: Circuit
    curriculum: dict[str, Any]
    shown: tuple[tuple[float, ...], tuple[Any, ...]]
    rng: np.random.Generator | None
    seed: int | None
    simulator: Simulator
    drift: tuple[int, int] | None


class Undo:
    """Context manager: either the whole block succeeds, or its environments are as they were before.

    This covers everything that can interrupt a step: errors of simulators, optimisers, rewards and encodings, and
    ``KeyboardInterrupt``. Entering copies numbers and angles, which takes about a microsecond per environment. After a
    failure, circuits, masks and encodings are rebuilt from the actions.

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
        self._generators: list[Place] = []
        self._streams: list[tuple[Simulator, np.random.Generator]] = []

    def __enter__(self) -> Undo:
        self._before = [
            _Before(
                env.episode.snapshot(),
                env.finished,
                attributes_of(env.curriculum),
                env._renderer.shown,
                env._np_random,
                env._np_random_seed,
                env.simulator,
                None if env.drift is None else env.drift.state(),
            )
            for env in self._envs
        ]
        for env in self._envs:
            if env._draws:
                self._generators.append(place_of(env.simulator.rng))
        return self

    def keep_randomness(self, env: CircuitBuildingEnv) -> None:
        """Keep the state of the random generators of an environment that is about to be reset."""
        if env._np_random is not None:
            self._generators.append(place_of(env._np_random))
        self._generators.append(place_of(env.simulator.rng))
        self._streams.append((env.simulator, env.simulator.rng))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            return
        for env, before in zip(self._envs, self._before, strict=True):
            env.simulator = before.simulator
            if env.drift is not None and before.drift is not None:
                env.drift.restore(before.drift)
                env.episode.see_noise(env.drift.model)
            env.episode.restore(before.episode)
            env.finished = before.finished
            vars(env.curriculum).clear()
            vars(env.curriculum).update(before.curriculum)
            env._renderer.shown = before.shown
            env._np_random, env._np_random_seed = before.rng, before.seed
        for rng, state in reversed(self._generators):  # of two states of one generator the first counts
            rng.bit_generator.state = state
        for simulator, rng in reversed(self._streams):
            simulator.rng = rng


Place = tuple[np.random.Generator, Any]


def place_of(rng: np.random.Generator) -> Place:
    """Return a generator and its state."""
    return rng, rng.bit_generator.state


def attributes_of(curriculum: Curriculum) -> dict[str, Any]:
    """Return the attributes of a curriculum; containers, which it may change in place, are copied."""
    return {name: value.copy() if isinstance(value, CONTAINERS) else value for name, value in vars(curriculum).items()}

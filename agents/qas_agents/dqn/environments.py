"""One environment or a vector of them behind one interface, for the training loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from qas_simulators.errors import must


class StepBatch(NamedTuple):
    """What one step of all environments returned; first axis ``num_envs``."""

    observations: NDArray[np.float32]
    masks: NDArray[np.int8]
    rewards: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    infos: list[dict[str, Any]]

    @property
    def over(self) -> NDArray[np.bool_]:
        """Whether the episode ended, ``(num_envs,)``."""
        return self.terminated | self.truncated


class Environments:
    """Environments with flat observations and discrete actions; without masks all actions are legal.

    Args:
        env: A ``gymnasium.Env``, or a ``VectorEnv`` whose autoreset is disabled, because the circuit of a finished
            episode is read before the reset.

    Raises:
        ValueError: Spaces or autoreset of another kind.
    """

    def __init__(self, env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any]) -> None:
        self.vector = env if isinstance(env, VectorEnv) else None
        self.single = None if isinstance(env, VectorEnv) else env
        observation_space: Any = env.observation_space if self.vector is None else self.vector.single_observation_space
        action_space: Any = env.action_space if self.vector is None else self.vector.single_action_space
        if not isinstance(action_space, gym.spaces.Discrete):
            raise ValueError(must("env", "have a Discrete action space", action_space))
        if not isinstance(observation_space, gym.spaces.Box) or len(observation_space.shape) != 1:
            raise ValueError(must("env", "have a flat Box of observations", observation_space))
        if self.vector is not None and self.vector.metadata.get("autoreset_mode") != AutoresetMode.DISABLED:
            raise ValueError(must("env", 'have autoreset_mode "Disabled"', self.vector.metadata.get("autoreset_mode")))
        self.num_inputs, self.num_actions = observation_space.shape[0], int(action_space.n)
        self.num_envs = 1 if self.vector is None else self.vector.num_envs

    def reset(self, seed: int | None) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
        """Reset all environments; return observations and masks."""
        if self.vector is not None:
            observations, info = self.vector.reset(seed=seed)
            return np.asarray(observations, dtype=np.float32), self._masks(self._split(info))
        assert self.single is not None
        observation, info = self.single.reset(seed=seed)
        return np.asarray(observation, dtype=np.float32)[None], self._masks([info])

    def step(self, actions: NDArray[np.int64]) -> StepBatch:
        """Take one step in every environment."""
        if self.vector is not None:
            observations, rewards, terminated, truncated, columns = self.vector.step(actions)
            infos = self._split(columns)
            flat = np.asarray(observations, dtype=np.float32)
            return StepBatch(flat, self._masks(infos), rewards, terminated, truncated, infos)
        assert self.single is not None
        observation, reward, over, cut, info = self.single.step(actions[0])
        flat = np.asarray(observation, dtype=np.float32)[None]
        return StepBatch(
            flat, self._masks([info]), np.array([float(reward)]), np.array([over]), np.array([cut]), [info]
        )

    def reset_finished(self, batch: StepBatch) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
        """Reset the environments whose episodes ended; return the observations and masks of all environments."""
        over = batch.over
        if not over.any():
            return batch.observations, batch.masks
        if self.vector is not None:
            observations, info = self.vector.reset(options={"reset_mask": over})
            new, is_new = np.asarray(observations, dtype=np.float32), over[:, None]
            masks = self._masks(self._split(info))
            return np.where(is_new, new, batch.observations), np.where(is_new, masks, batch.masks)
        return self.reset(None)

    def _split(self, columns: dict[str, Any]) -> list[dict[str, Any]]:
        names = [name for name in columns if not name.startswith("_")]
        return [{name: columns[name][k] for name in names} for k in range(self.num_envs)]

    def _masks(self, infos: Sequence[dict[str, Any]]) -> NDArray[np.int8]:
        if "action_mask" not in infos[0]:
            return np.ones((len(infos), self.num_actions), dtype=np.int8)
        return np.stack([info["action_mask"] for info in infos])

"""The uniformly random legal policy, the baseline for every agent."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from qas_agents.callbacks import Callback, as_callback
from qas_simulators.errors import must


class RandomPolicy:
    """Plays uniformly random legal actions.

    Args:
        env: Discrete actions, the legal ones in ``info["action_mask"]``.
        seed: Seeds the choices.
    """

    def __init__(self, env: gym.Env[Any, Any], seed: int | None = None) -> None:
        self.env = env
        self.num_timesteps = 0
        self._num_actions = int(env.action_space.n)  # type: ignore[attr-defined]
        self._rng = np.random.default_rng(seed)

    def get_env(self) -> gym.Env[Any, Any]:
        """Return the environment."""
        return self.env

    def predict(
        self,
        observation: NDArray[np.float32],
        state: tuple[NDArray[Any], ...] | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
        action_masks: NDArray[Any] | None = None,
    ) -> tuple[np.int64, tuple[NDArray[Any], ...] | None]:
        """Return a random legal action, and ``state`` unchanged."""
        legal = np.arange(self._num_actions) if action_masks is None else np.flatnonzero(action_masks)
        if len(legal) == 0:
            raise ValueError(must("action_masks", "leave at least one legal action", "all zero"))
        return np.int64(legal[self._rng.integers(len(legal))]), state

    def learn(
        self, total_timesteps: int, callback: Callback = None, log_interval: int = 0, progress_bar: bool = False
    ) -> RandomPolicy:
        """Play ``total_timesteps`` steps, or until the callback returns False; nothing is learned."""
        listener = as_callback(callback)
        listener.init_callback(self)
        observation, info = self.env.reset(seed=int(self._rng.integers(2**31)))
        listener.on_training_start(locals(), globals())
        for _ in range(total_timesteps):
            action, _ = self.predict(observation, action_masks=info.get("action_mask"))
            observation, reward, terminated, truncated, info = self.env.step(action)
            self.num_timesteps += 1
            over = terminated or truncated
            listener.update_locals({"self": self, "infos": [info], "rewards": [reward], "dones": [over]})
            if not listener.on_step():
                break
            if over:
                observation, info = self.env.reset()
        listener.on_training_end()
        return self

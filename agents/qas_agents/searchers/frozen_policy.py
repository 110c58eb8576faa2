"""A trained policy with the interface of an agent that does not learn."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from qas_agents.callbacks import Callback, as_callback
from qas_simulators.errors import must


class FrozenPolicy:
    """Plays a trained policy: the first episode greedily, further ones with exploration.

    Args:
        env: An environment with the spaces of the policy.
        policy: Has ``predict``, and ``reseed(seed, epsilon)`` if ``rollouts`` is more than 1.
        seed: Seeds the episodes after the first.
        rollouts: Number of episodes.
        epsilon: Share of random legal actions after the first episode.

    Raises:
        ValueError: No rollouts, or a share outside [0, 1].

    Examples:
        >>> from qas_agents import RandomPolicy
        >>> env = gym.make("qas_envs:QAS-Bell-v0")
        >>> FrozenPolicy(env, RandomPolicy(env, seed=0)).learn(100).num_timesteps <= 6  # one episode
        True
    """

    def __init__(
        self, env: gym.Env[Any, Any], policy: Any, seed: int = 0, rollouts: int = 1, epsilon: float = 0.05
    ) -> None:
        if rollouts < 1:
            raise ValueError(must("rollouts", "be at least 1", rollouts))
        if not 0 <= epsilon <= 1:
            raise ValueError(must("epsilon", "lie in [0, 1]", epsilon))
        self.env, self.num_timesteps = env, 0
        self._policy, self._seed, self._rollouts, self._epsilon = policy, seed, rollouts, epsilon

    def get_env(self) -> gym.Env[Any, Any]:
        """Return the environment."""
        return self.env

    def learn(
        self, total_timesteps: int, callback: Callback = None, log_interval: int = 0, progress_bar: bool = False
    ) -> FrozenPolicy:
        """Play at most ``total_timesteps`` steps of the rollouts, or until the callback returns False."""
        listener = as_callback(callback)
        listener.init_callback(self)
        listener.on_training_start(locals(), globals())
        running = True
        for rollout in range(self._rollouts):
            if not running:
                break
            if rollout == 1:
                self._policy.reseed(self._seed, self._epsilon)
            observation, info = self.env.reset(seed=self._seed + rollout)
            over = False
            while running and not over:
                masks = info["action_mask"]
                action, _ = self._policy.predict(observation, deterministic=rollout == 0, action_masks=masks)
                observation, reward, terminated, truncated, info = self.env.step(action)
                over = terminated or truncated
                self.num_timesteps += 1
                listener.update_locals({"self": self, "infos": [info], "rewards": [reward], "dones": [over]})
                running = listener.on_step() and self.num_timesteps < total_timesteps
        listener.on_training_end()
        return self

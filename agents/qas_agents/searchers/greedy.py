"""Greedy construction: each step appends the gate that lowers the energy most."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from qas_agents.callbacks import Callback, as_callback


class GreedySearch:
    """One-step look-ahead on a deterministic environment; ties go to the lowest action number.

    Every candidate is tried by replaying the episode, so that only the environment's public interface is used. Replayed
    steps are reported to the callback and counted like any other. The search ends after one circuit.

    Args:
        env: Discrete actions, the legal ones in ``info["action_mask"]``, and ``info["energy"]``.
        seed: Ignored; the search is deterministic.
    """

    def __init__(self, env: gym.Env[Any, Any], seed: int | None = None) -> None:
        self.env = env
        self.num_timesteps = 0

    def get_env(self) -> gym.Env[Any, Any]:
        """Return the environment."""
        return self.env

    def learn(
        self, total_timesteps: int, callback: Callback = None, log_interval: int = 0, progress_bar: bool = False
    ) -> GreedySearch:
        """Build one circuit, taking at most ``total_timesteps`` environment steps."""
        listener = as_callback(callback)
        listener.init_callback(self)
        listener.on_training_start(locals(), globals())
        chosen: list[int] = []
        while True:
            _, info = self.env.reset()
            mask = info["action_mask"]
            for action in chosen:
                *_, terminated, truncated, info = self.env.step(np.int64(action))
                mask = info["action_mask"]
                if terminated or truncated:  # with shots an energy differs from the one before
                    listener.on_training_end()
                    return self
            best_energy, best_action, best_over = np.inf, -1, True
            for action in np.flatnonzero(mask).tolist():
                self.env.reset()
                for step in [*chosen, action]:
                    _, reward, terminated, truncated, info = self.env.step(np.int64(step))
                    over = terminated or truncated
                    self.num_timesteps += 1
                    listener.update_locals({"self": self, "infos": [info], "rewards": [reward], "dones": [over]})
                    if not listener.on_step() or self.num_timesteps >= total_timesteps:
                        listener.on_training_end()
                        return self
                    if over:
                        break
                if info["energy"] < best_energy - 1e-9:
                    best_energy, best_action, best_over = info["energy"], action, over
            chosen.append(best_action)
            if best_over:
                listener.on_training_end()
                return self

"""Algorithms of Stable-Baselines3 and sb3-contrib with the interface of this package's agents."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from qas_simulators.errors import must, needs_extra, unknown_name

ALGORITHMS: Final = {
    "DQN": "stable_baselines3",
    "A2C": "stable_baselines3",
    "PPO": "stable_baselines3",
    "QRDQN": "sb3_contrib",
    "MaskablePPO": "sb3_contrib",
}
_KEY: Final = "qas_agents_sb3"
_MODEL: Final = "model.zip"
_REPLAY: Final = "replay.pkl"
MASKED: Final = ("MaskablePPO",)
"""Algorithms that obey action masks; illegal actions of the others are skipped by environments."""


class SB3Agent:
    """An algorithm of these libraries with an MLP policy, saved as weights and settings; reading runs no code.

    Args:
        env: The environment.
        algorithm: A name of :data:`ALGORITHMS`.
        settings: Arguments of the algorithm besides ``policy``, ``env``, ``seed`` and ``device``.
        seed: Seeds the algorithm.
        device: A torch device.

    Raises:
        ValueError: Unknown algorithm or argument.
        ImportError: Stable-Baselines3 or sb3-contrib is missing.

    Examples:
        >>> env = gym.make("qas_envs:QAS-Bell-v0").unwrapped
        >>> agent = SB3Agent(env, "MaskablePPO", {"n_steps": 8, "batch_size": 8}, seed=0).learn(8)
        >>> agent.num_timesteps
        8
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        algorithm: str,
        settings: Mapping[str, Any] | None = None,
        seed: int | None = None,
        device: str = "cpu",
    ) -> None:
        if algorithm not in ALGORITHMS:
            raise ValueError(unknown_name("algorithm", algorithm, ALGORITHMS))
        with needs_extra("agents"):
            module = __import__(ALGORITHMS[algorithm])
        self.algorithm = algorithm
        self.settings = dict(settings or {})
        own = copy.deepcopy(self.settings)  # some algorithms modify their arguments
        try:
            self.model = getattr(module, algorithm)("MlpPolicy", env, seed=seed, device=device, **own)
        except TypeError as error:
            raise ValueError(must("settings", f"be arguments of {algorithm} ({error})", self.settings)) from None

    @property
    def num_timesteps(self) -> int:
        """Environment steps so far."""
        return int(self.model.num_timesteps)

    def learn(self, total_timesteps: int, callback: Any = None) -> SB3Agent:
        """Train for at least ``total_timesteps`` steps: on-policy algorithms finish the last rollout."""
        self.model.learn(total_timesteps, callback=callback, reset_num_timesteps=self.num_timesteps == 0)
        return self

    def save_training(self, folder: Path) -> list[str]:
        """Write the model, and the replay buffer if it has one, with the methods of Stable-Baselines3.

        Its files hold pickles: read only files that you trust.
        """
        self.model.save(folder / _MODEL)
        if not hasattr(self.model, "save_replay_buffer"):
            return [_MODEL]
        self.model.save_replay_buffer(folder / _REPLAY)
        return [_MODEL, _REPLAY]

    def load_training(self, folder: Path) -> None:
        """Read what :meth:`save_training` wrote; ``learn`` then continues the count of steps with a new episode."""
        env = self.model.get_env()
        self.model = type(self.model).load(folder / _MODEL, env=env, device=self.model.device)
        if (folder / _REPLAY).exists():
            self.model.load_replay_buffer(folder / _REPLAY)

    def predict(
        self,
        observation: NDArray[np.float32],
        state: tuple[NDArray[Any], ...] | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
        action_masks: NDArray[Any] | None = None,
    ) -> tuple[Any, tuple[NDArray[Any], ...] | None]:
        """Return an action; algorithms without masks ignore ``action_masks``."""
        masks = {"action_masks": action_masks} if self.algorithm in MASKED else {}
        action, state = self.model.predict(observation, state, episode_start, deterministic=deterministic, **masks)
        return action, state

    def reseed(self, seed: int, epsilon: float | None = None) -> None:
        """Set the random seed, and the exploration rate of algorithms that have one."""
        self.model.set_random_seed(seed)
        if epsilon is not None and hasattr(self.model, "exploration_rate"):
            self.model.exploration_rate = epsilon

    def save(self, path: str | Path) -> None:
        """Write the policy's weights and the settings."""
        from qas_agents.tensor_files import write_tensors

        about = {"algorithm": self.algorithm, "settings": self.settings}
        write_tensors(Path(path), self.model.policy.state_dict(), _KEY, about)

    @classmethod
    def load(cls, path: str | Path, env: gym.Env[Any, Any], device: str = "cpu") -> SB3Agent:
        """Read a policy written by :meth:`save`.

        Raises:
            ValueError: Not such a file, or an environment with other spaces.
        """
        from qas_agents.tensor_files import check_sizes, check_tensors, damage_reported, read_file

        with damage_reported(Path(path), "a file written by SB3Agent.save on an environment of the same spaces"):
            about, tensors = read_file(Path(path), _KEY, device)
            check_sizes(about["settings"].get("policy_kwargs"), tensors)
            agent = cls(env, about["algorithm"], about["settings"], device=device)
            check_tensors(tensors, agent.model.policy.state_dict())
            agent.model.policy.load_state_dict(tensors)
        return agent

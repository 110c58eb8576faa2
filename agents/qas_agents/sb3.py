"""Algorithms of Stable-Baselines3 and sb3-contrib in the shape of our agents."""

from __future__ import annotations

import copy
import json
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
MASKED: Final = ("MaskablePPO",)
"""Algorithms that know action masks; the others need environments built with ``illegal="skip"``."""


class SB3Agent:
    """One of their algorithms with an MLP policy; saved as weights and settings only, which run no code when read.

    Args:
        env: The environment.
        algorithm: A name of :data:`ALGORITHMS`.
        settings: Arguments of the algorithm besides ``policy``, ``env``, ``seed`` and ``device``.
        seed: Its seed.
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
        own = copy.deepcopy(self.settings)  # some algorithms add to what they are given
        try:
            self.model = getattr(module, algorithm)("MlpPolicy", env, seed=seed, device=device, **own)
        except TypeError as error:
            raise ValueError(must("settings", f"be arguments of {algorithm} ({error})", self.settings)) from None

    @property
    def num_timesteps(self) -> int:
        """Environment steps so far."""
        return int(self.model.num_timesteps)

    def learn(self, total_timesteps: int, callback: Any = None) -> SB3Agent:
        """Train; on-policy algorithms finish the rollout that is under way."""
        self.model.learn(total_timesteps, callback=callback)
        return self

    def predict(
        self,
        observation: NDArray[np.float32],
        state: tuple[NDArray[Any], ...] | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
        action_masks: NDArray[Any] | None = None,
    ) -> tuple[Any, tuple[NDArray[Any], ...] | None]:
        """Return an action; masks are ignored by algorithms that know none."""
        masks = {"action_masks": action_masks} if self.algorithm in MASKED else {}
        action, state = self.model.predict(observation, state, episode_start, deterministic=deterministic, **masks)
        return action, state

    def reseed(self, seed: int, epsilon: float | None = None) -> None:
        """Draw from another seed from now on; ``epsilon`` means nothing to algorithms that sample."""
        self.model.set_random_seed(seed)
        if epsilon is not None and hasattr(self.model, "exploration_rate"):
            self.model.exploration_rate = epsilon

    def save(self, path: str | Path) -> None:
        """Write the policy's weights and the settings."""
        from safetensors.torch import save_file

        tensors = {name: value.contiguous() for name, value in self.model.policy.state_dict().items()}
        meta = {"algorithm": self.algorithm, "settings": self.settings}
        part = Path(path).with_name(f".{Path(path).name}.part")
        save_file(tensors, part, metadata={"qas_agents_sb3": json.dumps(meta)})
        part.replace(path)

    @classmethod
    def load(cls, path: str | Path, env: gym.Env[Any, Any], device: str = "cpu") -> SB3Agent:
        """Read a policy written by :meth:`save`.

        Raises:
            ValueError: Not such a file, or an environment with other spaces.
        """
        from safetensors import SafetensorError, safe_open
        from safetensors.torch import load_file

        try:
            with safe_open(path, framework="pt") as file:
                meta = json.loads((file.metadata() or {})["qas_agents_sb3"])
        except (SafetensorError, KeyError, OSError) as error:
            raise ValueError(must("path", f"name a file written by SB3Agent.save ({error})", str(path))) from None
        agent = cls(env, meta["algorithm"], meta["settings"], device=device)
        try:
            agent.model.policy.load_state_dict(load_file(path, device=device))
        except RuntimeError:
            raise ValueError(must("env", "have the spaces that the policy was trained on", str(env))) from None
        return agent

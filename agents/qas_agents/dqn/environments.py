"""One environment or a vector of them behind one interface, for the training loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from qas_agents.dqn.observations import Flattener, graph_layout
from qas_agents.graph.layout import GraphLayout
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
    """Environments with boxes of observations and discrete actions; without masks all actions are legal.

    Args:
        env: A ``gymnasium.Env``, or a ``VectorEnv`` whose autoreset is disabled, because the circuit of a finished
            episode is read before the reset.

    Attributes:
        flat: Turns an observation, or many, into vectors.
        current: The environment of the episode, where it is not the one that the agent was given; else ``None``.

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
        self.flat = Flattener(observation_space)
        self.current: Any = None
        if self.vector is not None and self.vector.metadata.get("autoreset_mode") != AutoresetMode.DISABLED:
            raise ValueError(must("env", 'have autoreset_mode "Disabled"', self.vector.metadata.get("autoreset_mode")))
        self.num_inputs, self.num_actions = self.flat.size, int(action_space.n)
        self.num_envs = 1 if self.vector is None else self.vector.num_envs

    def layout(self) -> GraphLayout | None:
        """Return how observations show a graph; ``None`` if they show none.

        Raises:
            ValueError: They show one, but the actions are no blocks on two qubits.
        """
        if self.vector is None:
            return graph_layout(self.single, self.single.observation_space)  # type: ignore[union-attr]
        return graph_layout(self.vector, self.vector.single_observation_space)

    def padded(self, masks: NDArray[Any]) -> NDArray[Any]:
        """Return masks of an environment, ``(num, actions)``, with a column for every action value of the agent."""
        return masks

    def state(self) -> dict[str, Any] | None:
        """Return what checkpoints must hold besides the agent's environment; ``None`` for nothing."""
        return None

    def check(self, state: Any) -> None:
        """Raise ``ValueError`` unless :meth:`restore` can restore a state."""

    def restore(self, state: Any) -> None:
        """Restore a :meth:`state`."""

    def reset(self, seed: int | None) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
        """Reset all environments; return observations and masks."""
        if self.vector is not None:
            observations, info = self.vector.reset(seed=seed)
            return self.flat(observations), self._masks(self._split(info))
        assert self.single is not None
        observation, info = self.single.reset(seed=seed)
        return self.flat(observation)[None], self._masks([info])

    def step(self, actions: NDArray[np.int64]) -> StepBatch:
        """Take one step in every environment."""
        if self.vector is not None:
            observations, rewards, terminated, truncated, columns = self.vector.step(actions)
            infos = self._split(columns)
            return StepBatch(self.flat(observations), self._masks(infos), rewards, terminated, truncated, infos)
        assert self.single is not None
        observation, reward, over, cut, info = self.single.step(actions[0])
        flat = self.flat(observation)[None]
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
            new, is_new = self.flat(observations), over[:, None]
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

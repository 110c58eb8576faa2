"""MaskedDQN: double DQN that never chooses, and never bootstraps from, an illegal action."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch.nn import functional

from qas_agents.callbacks import Callback, as_callback
from qas_agents.dqn.config import DQNConfig
from qas_agents.dqn.losses import double_q_target
from qas_agents.dqn.networks import mlp
from qas_agents.dqn.replay import Batch, NStepCollector, ReplayBuffer
from qas_simulators.errors import must

Mask = NDArray[np.int8]
FORMAT = 1


class MaskedDQN:
    """Double DQN with n-step returns and action masks, in Stable-Baselines3's shape.

    Args:
        env: Discrete actions, a flat ``Box`` of observations, and ``info["action_mask"]`` (without it all actions are
            legal). ``None`` for an agent that only predicts.
        config: Settings.
        seed: Seeds the networks, exploration and replay; the first ``env.reset`` gets it too.
        device: A torch device.

    Raises:
        ValueError: The environment's spaces are of another kind.

    References:
        van Hasselt et al., arXiv:1509.06461. Patel et al., arXiv:2402.03500. Deviations from the latter's code:
        bootstrapping uses ``gamma**n`` and masks the arg max.
    """

    def __init__(
        self, env: gym.Env[Any, Any], config: DQNConfig | None = None, seed: int | None = None, device: str = "cpu"
    ) -> None:
        observation_space, action_space = env.observation_space, env.action_space
        if not isinstance(action_space, gym.spaces.Discrete):
            raise ValueError(must("env", "have a Discrete action space", action_space))
        if not isinstance(observation_space, gym.spaces.Box) or len(observation_space.shape) != 1:
            raise ValueError(must("env", "have a flat Box of observations", observation_space))
        self.env = env
        self.config = config if config is not None else DQNConfig()
        self.seed = seed
        self.device = torch.device(device)
        self.num_timesteps = 0
        self.num_gradient_steps = 0
        self.epsilon = self.config.epsilon_start
        self.loss = float("nan")
        self._num_inputs, self._num_actions = observation_space.shape[0], int(action_space.n)
        self._rng = np.random.default_rng(seed)
        with torch.random.fork_rng(devices=[]):  # leaves the caller's generator alone
            torch.manual_seed(int(self._rng.integers(2**31)))
            self.online_network = mlp(self._num_inputs, self._num_actions, self.config.hidden).to(self.device)
        self.target_network = mlp(self._num_inputs, self._num_actions, self.config.hidden).to(self.device)
        self.target_network.load_state_dict(self.online_network.state_dict())
        self.target_network.requires_grad_(False)
        self._optimizer = torch.optim.Adam(self.online_network.parameters(), lr=self.config.learning_rate, fused=True)
        self._replay: ReplayBuffer | None = None

    def get_env(self) -> gym.Env[Any, Any]:
        """Return the training environment."""
        return self.env

    # -- acting --------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def q_values(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the online network's values, ``(..., num_actions)``."""
        values: torch.Tensor = self.online_network(torch.as_tensor(observation, device=self.device))
        result: NDArray[np.float32] = values.cpu().numpy()
        return result

    def predict(
        self,
        observation: NDArray[np.float32],
        state: tuple[NDArray[Any], ...] | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
        action_masks: NDArray[Any] | None = None,
    ) -> tuple[NDArray[np.int64], tuple[NDArray[Any], ...] | None]:
        """Return the action of one observation ``(inputs,)`` or a batch ``(B, inputs)``, and ``state`` unchanged.

        Args:
            observation: What the environment returned.
            state: Ignored; the agent has no memory.
            episode_start: Ignored.
            deterministic: Greedy if true, else ε-greedy with the current ε.
            action_masks: Legal actions, same leading shape; ``None`` allows all.

        Raises:
            ValueError: A mask without any legal action.
        """
        batch = np.atleast_2d(np.asarray(observation, dtype=np.float32))
        if action_masks is None:
            masks = np.ones((len(batch), self._num_actions), dtype=np.bool_)
        else:
            masks = np.atleast_2d(np.asarray(action_masks)).astype(np.bool_)
        if not masks.any(axis=1).all():
            raise ValueError(must("action_masks", "leave at least one legal action", "all zero"))
        actions = np.where(masks, self.q_values(batch), -np.inf).argmax(axis=1)
        if not deterministic:
            for k in range(len(actions)):
                if self._rng.random() < self.epsilon:
                    actions[k] = self._random_legal(masks[k])
        return (actions if np.ndim(observation) == 2 else actions[0]), state

    def _random_legal(self, mask: NDArray[Any]) -> int:
        legal = np.flatnonzero(mask)
        return int(legal[self._rng.integers(len(legal))])

    def _explore(self, observation: NDArray[np.float32], mask: Mask) -> int:
        if self.num_timesteps < self.config.learning_starts or self._rng.random() < self.epsilon:
            return self._random_legal(mask)
        return int(np.where(mask, self.q_values(observation), -np.inf).argmax())

    # -- learning ------------------------------------------------------------------------------------------------

    def learn(
        self, total_timesteps: int, callback: Callback = None, log_interval: int = 0, progress_bar: bool = False
    ) -> MaskedDQN:
        """Interact and learn for ``total_timesteps`` environment steps, or until the callback returns False.

        Args:
            total_timesteps: Environment steps.
            callback: An SB3 callback object, or a function ``(locals, globals) -> bool``.
            log_interval: Ignored; callbacks log.
            progress_bar: Show a bar of the steps.
        """
        if total_timesteps < 1:
            raise ValueError(must("total_timesteps", "be at least 1", total_timesteps))
        config, env = self.config, self.env
        if self._replay is None:
            self._replay = ReplayBuffer(config.buffer_size, self._num_inputs, self._num_actions)
        collector = NStepCollector(config.n_step, config.gamma)
        listener = as_callback(callback)
        listener.init_callback(self)
        observation, info = env.reset(seed=self.seed if self.num_timesteps == 0 else None)
        mask = self._mask_of(info)
        listener.on_training_start(locals(), globals())
        with progress_of(total_timesteps, progress_bar) as advance:
            for _ in range(total_timesteps):
                action = self._explore(observation, mask)
                next_observation, reward, terminated, truncated, info = env.step(action)
                next_mask = self._mask_of(info)
                for transition in collector.push(
                    observation, action, float(reward), terminated, truncated, next_observation, next_mask
                ):
                    self._replay.add(transition)
                self.num_timesteps += 1
                if self._is_time_to_learn():
                    self.loss = self._gradient_step(self._replay.sample(config.batch_size, self._rng))
                listener.update_locals(
                    {"self": self, "infos": [info], "rewards": [reward], "dones": [terminated or truncated]}
                )
                advance()
                if not listener.on_step():
                    break
                observation, mask = next_observation, next_mask
                if terminated or truncated:
                    observation, info = env.reset()
                    mask = self._mask_of(info)
        listener.on_training_end()
        return self

    def _is_time_to_learn(self) -> bool:
        assert self._replay is not None
        ready = self.num_timesteps >= self.config.learning_starts and len(self._replay) >= self.config.batch_size
        return ready and self.num_timesteps % self.config.train_frequency == 0

    def _mask_of(self, info: dict[str, Any]) -> Mask:
        mask: Mask | None = info.get("action_mask")
        return np.ones(self._num_actions, dtype=np.int8) if mask is None else mask

    def _gradient_step(self, batch: Batch) -> float:
        tensors = [torch.as_tensor(array, device=self.device) for array in batch]
        observations, actions, returns, discounts, next_observations, next_masks = tensors
        if self.num_gradient_steps % self.config.target_update_interval == 0:
            self.target_network.load_state_dict(self.online_network.state_dict())
        with torch.no_grad():
            online_next, target_next = self.online_network(next_observations), self.target_network(next_observations)
            target = double_q_target(returns, discounts, online_next, target_next, next_masks)
        values = self.online_network(observations).gather(1, actions[:, None]).squeeze(1)
        loss = functional.smooth_l1_loss(values, target)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.config.max_grad_norm > 0:
            torch.nn.utils.clip_grad_norm_(self.online_network.parameters(), self.config.max_grad_norm)
        self._optimizer.step()
        self.num_gradient_steps += 1
        self.epsilon = max(self.config.epsilon_end, self.epsilon * self.config.epsilon_decay)
        return float(loss.detach())

    # -- keeping -------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the policy: networks and settings in one safetensors file, which runs no code when read."""
        tensors = {f"online.{name}": value for name, value in self.online_network.state_dict().items()}
        tensors |= {f"target.{name}": value for name, value in self.target_network.state_dict().items()}
        settings = {
            "format": FORMAT,
            "config": dataclasses.asdict(self.config),
            "num_inputs": self._num_inputs,
            "num_actions": self._num_actions,
            "num_timesteps": self.num_timesteps,
            "num_gradient_steps": self.num_gradient_steps,
            "epsilon": self.epsilon,
        }
        save_file(tensors, Path(path), metadata={"qas_agents": json.dumps(settings)})

    @classmethod
    def load(cls, path: str | Path, env: gym.Env[Any, Any], device: str = "cpu") -> MaskedDQN:
        """Read a policy written by :meth:`save`; replay and optimiser state are not part of it.

        Raises:
            ValueError: Not such a file, another format, or an environment with other spaces.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(Path(path), framework="pt") as file:
                settings = json.loads((file.metadata() or {})["qas_agents"])
        except (SafetensorError, KeyError) as error:
            raise ValueError(must("path", f"name a file written by MaskedDQN.save ({error})", str(path))) from None
        if settings["format"] != FORMAT:
            raise ValueError(must("path", f"name a file of format {FORMAT}", settings["format"]))
        settings["config"]["hidden"] = tuple(settings["config"]["hidden"])
        agent = cls(env, DQNConfig(**settings["config"]), device=device)
        if (settings["num_inputs"], settings["num_actions"]) != (agent._num_inputs, agent._num_actions):
            sizes = f"{settings['num_inputs']} inputs and {settings['num_actions']} actions"
            raise ValueError(must("env", f"have {sizes}", (agent._num_inputs, agent._num_actions)))
        tensors = load_file(Path(path), device=str(agent.device))
        for name, network in (("online", agent.online_network), ("target", agent.target_network)):
            network.load_state_dict({k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(name)})
        for name in ("num_timesteps", "num_gradient_steps", "epsilon"):
            setattr(agent, name, settings[name])
        return agent


@contextmanager
def progress_of(total: int, shown: bool) -> Iterator[Callable[[], None]]:
    """Show a rich progress bar of so many steps, or nothing; yields what advances it."""
    from rich.progress import Progress

    with Progress(disable=not shown) as progress:
        task = progress.add_task("steps", total=total)
        yield (lambda: progress.advance(task)) if shown else (lambda: None)

"""MaskedDQN: a double DQN that never chooses an illegal action and never bootstraps from one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray

from qas_agents.callbacks import Callback, as_callback, progress_of
from qas_agents.dqn.config import SIZE_FREE, DQNConfig
from qas_agents.dqn.environments import Environments
from qas_agents.dqn.guides import Guide
from qas_agents.dqn.instances import InstanceEnvironments
from qas_agents.dqn.learner import Learner
from qas_agents.dqn.on_device import (
    TensorEnvironments,
    TensorParts,
    TensorTrainingLoop,
    has_tensors,
    require_same_device,
)
from qas_agents.dqn.policies import check_spaces, load_networks, read_policy, save_policy
from qas_agents.dqn.replay_buffer import NStepCollector, ReplayBuffer
from qas_agents.dqn.snapshots import check_state, restore_state, state_of
from qas_agents.dqn.training import TrainingLoop
from qas_agents.tensor_files import damage_reported
from qas_simulators.arrays import NUMPY, torch_on
from qas_simulators.errors import must


class MaskedDQN:
    """Double DQN with n-step returns and action masks, with the interface of Stable-Baselines3's algorithms.

    Args:
        env: Discrete actions, a flat ``Box`` of observations or a ``Dict`` of boxes, which are read one after the
            other, and ``info["action_mask"]`` (without it all actions are legal); or a vector of such environments
            whose autoreset is disabled. Where its steps are tensors, on ``device``, training stays there. With
            ``config.instances`` it is not played in training.
        config: Settings.
        seed: Seeds the networks, exploration and replay; the first ``env.reset`` gets it too.
        device: A torch device. On a GPU networks, transitions, priorities and losses stay there; see
            :class:`~qas_agents.dqn.learner.Learner`.
        guide: Chooses some of the actions during training; ``None`` for none, and with ``config.instances``.

    Attributes:
        num_timesteps: Steps so far, circuits that the guide tried outside episodes included.
        num_moves: Steps in episodes so far, or since :meth:`start_again`.
        num_gradient_steps: Gradient steps so far, or since :meth:`start_again`.

    Raises:
        ValueError: The environment's spaces are of another kind, or a guide is given for several environments.

    References:
        van Hasselt et al., arXiv:1509.06461. Patel et al., arXiv:2402.03500. Deviations from the latter's code:
        bootstrapping uses ``gamma**n`` and masks the arg max.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any] | gym.vector.VectorEnv[Any, Any, Any],
        config: DQNConfig | None = None,
        seed: int | None = None,
        device: str = "cpu",
        guide: Guide | None = None,
    ) -> None:
        self.env = env
        self.config = config if config is not None else DQNConfig()
        if self.config.instances:
            self.environments: Environments = InstanceEnvironments(env, self.config.instances)
        else:
            self.environments = TensorEnvironments(env) if has_tensors(env) else Environments(env)
        if guide is not None and (self.environments.single is None or self.config.instances):
            raise ValueError(must("guide", "be None where there are several environments", guide))
        self.seed = seed
        self.device = torch.device(device)
        require_same_device(self.environments, self.device)
        self.guide = guide
        self.num_timesteps = self.num_moves = self.num_gradient_steps = 0
        self.epsilon = self.config.epsilon_start
        self._loss: Any = float("nan")
        self.num_inputs, self.num_actions = self.environments.num_inputs, self.environments.num_actions
        self.rng = np.random.default_rng(seed)
        self._draw_networks()
        self.tensors: TensorParts | None = None  # of environments whose steps are tensors; then no collectors
        self.collectors: list[NStepCollector] = []
        if isinstance(self.environments, TensorEnvironments):
            self.tensors = TensorParts(self.environments, self.config, int(self.rng.integers(2**31)))
            self.learner.waits = False
        else:
            numbers = range(self.environments.num_envs)
            self.collectors = [NStepCollector(self.config.n_step, self.config.gamma) for _ in numbers]
        # To act on next, (num_envs, num_inputs) and (num_envs, num_actions): arrays, or the environments' tensors.
        self.next_observations: NDArray[np.float32] | None = None
        self.next_masks: NDArray[np.int8] | None = None

    def _draw_networks(self) -> None:
        """Draw initial weights, and begin with another optimiser."""
        with torch.random.fork_rng(devices=[]):  # does not disturb the caller's generator
            torch.manual_seed(int(self.rng.integers(2**31)))
            needs_layout = self.config.instances or self.config.network.get("name") in SIZE_FREE
            layout = self.environments.layout() if needs_layout else None
            self.learner = Learner(self.config, self.num_inputs, self.num_actions, self.device, layout)
        self.online_network, self.target_network = self.learner.online_network, self.learner.target_network

    def start_again(self) -> None:
        """Begin another task: initial weights are drawn, transitions are forgotten, ε and counters are as at first.

        The counter of steps and the random generator continue. Call it between two episodes.
        """
        self._draw_networks()
        self.replay.forget()
        self.num_moves = self.num_gradient_steps = 0
        self.epsilon, self._loss = self.config.epsilon_start, float("nan")

    @cached_property
    def replay(self) -> ReplayBuffer:
        """The transitions that training samples from; allocated at first use, which a loaded policy never makes."""
        sizes = self.config.buffer_size, self.num_inputs, self.num_actions
        is_host = self.device.type == "cpu" and not isinstance(self.environments, TensorEnvironments)
        library = NUMPY if is_host else torch_on(str(self.device))
        return ReplayBuffer(*sizes, self.config.prioritization, library)

    @property
    def loss(self) -> float:
        """Loss of the last gradient step; reading it waits for a GPU."""
        return float(self._loss)

    @loss.setter
    def loss(self, value: Any) -> None:
        self._loss = value

    def get_env(self) -> gym.Env[Any, Any] | gym.vector.VectorEnv[Any, Any, Any]:
        """Return the training environment."""
        return self.env

    def get_vec_normalize_env(self) -> None:
        """Return ``None``, because observations are not normalised; callbacks of Stable-Baselines3 call this."""

    @cached_property
    def logger(self) -> Any:
        """A logger of Stable-Baselines3 without outputs, because its callbacks write to one."""
        from stable_baselines3.common.logger import Logger

        return Logger(None, [])

    def figures(self) -> dict[str, int]:
        """Return the guide's counters by name, for the metrics of every episode."""
        return {} if self.guide is None else self.guide.figures()

    def reseed(self, seed: int | None, epsilon: float | None = None) -> None:
        """Replace the random generator, and ``epsilon`` if it is given."""
        self.rng = np.random.default_rng(seed)
        self.epsilon = self.epsilon if epsilon is None else epsilon

    # -- acting --------------------------------------------------------------------------------------------------

    def q_values(self, observation: Any) -> NDArray[np.float32]:
        """Return the online network's values, ``(..., num_actions)``, of one observation or a batch."""
        flat = self.environments.flat(observation)
        values = self.learner.q_values(np.atleast_2d(flat))
        return values if flat.ndim > 1 else values[0]

    def predict(
        self,
        observation: Any,
        state: tuple[NDArray[Any], ...] | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
        action_masks: NDArray[Any] | None = None,
    ) -> tuple[NDArray[np.int64], tuple[NDArray[Any], ...] | None]:
        """Return the action of one observation or of a batch with a leading axis, and ``state``.

        Args:
            observation: What the environment returned: an array ``(..., num_inputs)``, or a dictionary of arrays.
            state: Returned unchanged; the policy has no memory.
            episode_start: Ignored.
            deterministic: Greedy if true, else ε-greedy with the current ε.
            action_masks: Legal actions, same leading shape; ``None`` allows all.

        Raises:
            ValueError: A mask without any legal action.
        """
        flat = self.environments.flat(observation)
        batch = np.atleast_2d(flat)
        if action_masks is None:
            masks = np.ones((len(batch), self.num_actions), dtype=np.bool_)
        else:
            masks = self.environments.padded(np.atleast_2d(np.asarray(action_masks))).astype(np.bool_)
        if not masks.any(axis=1).all():
            raise ValueError(must("action_masks", "leave at least one legal action", "all zero"))
        actions = self._greedy(batch, masks)
        if not deterministic:
            for k in range(len(actions)):
                if self.rng.random() < self.epsilon:
                    actions[k] = self._random_legal(masks[k])
        return (actions if flat.ndim == 2 else actions[0]), state

    def _greedy(self, observations: NDArray[np.float32], masks: NDArray[Any]) -> NDArray[np.int64]:
        actions: NDArray[np.int64] = np.where(masks, self.q_values(observations), -np.inf).argmax(axis=1)
        return actions

    def _random_legal(self, mask: NDArray[Any]) -> int:
        legal = np.flatnonzero(mask)
        return int(legal[self.rng.integers(len(legal))])

    def explore(self, observations: NDArray[np.float32], masks: NDArray[np.int8]) -> NDArray[np.int64]:
        """Return an action for every environment: random, greedy, or the guide's."""
        # Before learning starts the network is arbitrary, so that all actions are random.
        epsilon = 1.0 if self.num_moves < self.config.learning_starts else self.epsilon
        is_random = self.rng.random(len(masks)) < epsilon
        actions = np.empty(len(masks), dtype=np.int64)
        if not is_random.all():
            actions[:] = self._greedy(observations, masks)
        for k in np.flatnonzero(is_random):
            actions[k] = self._random_legal(masks[k])
        # The guide comes last: the agent draws the same random numbers whether the guide suggests an action or not.
        if self.guide is not None:
            suggested = self.guide.next_action(observations[0], masks[0], self.rng)
            actions[0] = actions[0] if suggested is None else suggested
        return actions

    def decay_epsilon(self) -> None:
        """Multiply ε by its decay, down to its floor."""
        self.epsilon = max(self.config.epsilon_end, self.epsilon * self.config.epsilon_decay)

    # -- training ------------------------------------------------------------------------------------------------

    def learn(
        self,
        total_timesteps: int,
        callback: Callback = None,
        log_interval: int = 0,
        progress_bar: bool = False,
        after_step: Callable[[], None] | None = None,
    ) -> MaskedDQN:
        """Train for ``total_timesteps`` more steps, or until the callback returns False.

        A further call continues the episodes that the last one left unfinished.

        Args:
            total_timesteps: Environment steps, including circuits that the guide tries outside episodes, which may
                exceed the total by one pruning; with several environments the next multiple of their number.
            callback: An SB3 callback object, or a function ``(locals, globals) -> bool``.
            log_interval: Ignored; callbacks log.
            progress_bar: Show a progress bar.
            after_step: Called at the end of every step, after new episodes began: :meth:`state` may be read.

        Raises:
            ValueError: Training diverged: a reward, the loss or the gradient is not finite. The networks are those of
                the last good step.
        """
        if total_timesteps < 1:
            raise ValueError(must("total_timesteps", "be at least 1", total_timesteps))
        listener = as_callback(callback)
        listener.init_callback(self)
        listener.on_training_start({"self": self, "total_timesteps": total_timesteps}, {})
        with progress_of(total_timesteps, progress_bar) as advance:
            loop = TensorTrainingLoop if isinstance(self.environments, TensorEnvironments) else TrainingLoop
            loop(self, listener, self.num_timesteps + total_timesteps, after_step, advance).run()
        listener.on_training_end()
        return self

    # -- saving --------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the policy: networks and settings in one safetensors file, which runs no code when read."""
        save_policy(self, Path(path))

    @classmethod
    def load(cls, path: str | Path, env: Any, device: str = "cpu", guide: Guide | None = None) -> MaskedDQN:
        """Read a policy written by :meth:`save`; replay buffer, optimiser and guide are not part of it.

        Raises:
            ValueError: Not such a file, another format, or an environment with other spaces.
        """
        with damage_reported(Path(path), "a file written by MaskedDQN.save"):
            config, tensors, numbers = read_policy(Path(path), device)
        agent = cls(env, config, device=device, guide=guide)
        check_spaces(agent, numbers)
        with damage_reported(Path(path), "a file written by MaskedDQN.save"):
            load_networks(agent, tensors)
        for name in ("num_timesteps", "num_gradient_steps", "epsilon"):
            setattr(agent, name, numbers[name])
        return agent

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return everything that training needs to continue, except the transitions in :attr:`replay`.

        Episodes that are tensors are part of it; those of other environments are not.

        Returns:
            Arrays, and numbers that JSON represents exactly.

        Raises:
            ValueError: The environments' episodes are tensors that cannot be written.
        """
        return state_of(self)

    def check(self, arrays: Mapping[str, NDArray[Any]], numbers: Mapping[str, Any], count: int) -> None:
        """Raise ``ValueError`` unless what :meth:`state` returned fits this agent, number for number.

        Args:
            arrays: The first part of it.
            numbers: The second.
            count: Transitions ever added to :attr:`replay`.
        """
        check_state(self, arrays, numbers, count)

    def restore(self, arrays: Mapping[str, NDArray[Any]], numbers: Mapping[str, Any]) -> None:
        """Restore what :meth:`state` returned; the transitions in :attr:`replay` must be restored before.

        Raises:
            ValueError: It does not fit; nothing has changed.
        """
        self.check(arrays, numbers, self.replay.count)
        restore_state(self, arrays, numbers)

"""MaskedDQN: double DQN that never chooses, and never bootstraps from, an illegal action."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from qas_agents.callbacks import Callback, CallbackObject, as_callback
from qas_agents.dqn.config import DQNConfig
from qas_agents.dqn.demonstrations import Demonstrations
from qas_agents.dqn.environments import Environments, Moves
from qas_agents.dqn.losses import double_q_target
from qas_agents.dqn.networks import make_network
from qas_agents.dqn.policies import prefixed, read_policy, save_policy
from qas_agents.dqn.replay import Batch, NStepCollector, ReplayBuffer
from qas_agents.dqn.snapshots import check_state, put_back, state_of
from qas_agents.tensor_files import check_tensors, told_as_damage
from qas_simulators.errors import must


class MaskedDQN:
    """Double DQN with n-step returns and action masks, in Stable-Baselines3's shape.

    Args:
        env: Discrete actions, a flat ``Box`` of observations, and ``info["action_mask"]`` (without it all actions are
            legal); or a vector of such environments whose autoreset is disabled.
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
        self,
        env: gym.Env[Any, Any] | gym.vector.VectorEnv[Any, Any, Any],
        config: DQNConfig | None = None,
        seed: int | None = None,
        device: str = "cpu",
    ) -> None:
        self.env = env
        self._environments = Environments(env)
        self.config = config if config is not None else DQNConfig()
        self.seed = seed
        self.device = torch.device(device)
        self.num_timesteps = 0
        self.num_moves = 0  # steps in episodes: all, but for circuits that are tried outside of them
        self.num_gradient_steps = 0
        self.epsilon = self.config.epsilon_start
        self.loss = float("nan")
        self.num_inputs, self.num_actions = self._environments.num_inputs, self._environments.num_actions
        self.rng = np.random.default_rng(seed)
        with torch.random.fork_rng(devices=[]):  # leaves the caller's generator alone
            torch.manual_seed(int(self.rng.integers(2**31)))
            self.online_network, self.target_network = self._network(), self._network()
        self.target_network.load_state_dict(self.online_network.state_dict())
        self.target_network.requires_grad_(False)
        compiled = torch.compile if self.config.compile else lambda network: network
        self._online, self._target = compiled(self.online_network), compiled(self.target_network)
        self.optimizer = torch.optim.Adam(self.online_network.parameters(), lr=self.config.learning_rate, fused=True)
        self._replay: ReplayBuffer | None = None  # made when training needs it
        self.collectors = [
            NStepCollector(self.config.n_step, self.config.gamma) for _ in range(self._environments.num_envs)
        ]
        self.next_observations: NDArray[np.float32] | None = None  # to act on next, (num_envs, num_inputs)
        self.next_masks: NDArray[np.int8] | None = None

    def _network(self) -> torch.nn.Module:
        config = self.config
        return make_network(config.network, self.num_inputs, self.num_actions, config.dueling).to(self.device)

    @cached_property
    def demonstrations(self) -> Demonstrations | None:
        """The successes that training is led by, if the settings want any."""
        if self.config.demonstrations == 0:
            return None
        if self._environments.single is None:
            raise ValueError(must("demonstrations", "be 0 where environments are a vector", self.config.demonstrations))
        return Demonstrations(self.env, self.config.demonstrations, self.config.demonstration_share)

    def get_env(self) -> gym.Env[Any, Any] | gym.vector.VectorEnv[Any, Any, Any]:
        """Return the training environment."""
        return self.env

    def get_vec_normalize_env(self) -> None:
        """Return nothing: observations are not normalised. Stable-Baselines3's callbacks ask."""

    @cached_property
    def logger(self) -> Any:
        """Stable-Baselines3's logger, which its callbacks write to; it keeps nothing."""
        from stable_baselines3.common.logger import Logger

        return Logger(None, [])

    def reseed(self, seed: int | None, epsilon: float | None = None) -> None:
        """Draw from another seed from now on, and explore with another ε."""
        self.rng = np.random.default_rng(seed)
        self.epsilon = self.epsilon if epsilon is None else epsilon

    # -- acting --------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def q_values(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the online network's values, ``(..., num_actions)``."""
        batch = torch.as_tensor(observation, device=self.device)
        with self._precision():
            values: torch.Tensor = self._online(batch if batch.ndim > 1 else batch.unsqueeze(0))
        result: NDArray[np.float32] = values.float().cpu().numpy()
        return result if batch.ndim > 1 else result[0]

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.bf16)

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
            masks = np.ones((len(batch), self.num_actions), dtype=np.bool_)
        else:
            masks = np.atleast_2d(np.asarray(action_masks)).astype(np.bool_)
        if not masks.any(axis=1).all():
            raise ValueError(must("action_masks", "leave at least one legal action", "all zero"))
        actions = np.where(masks, self.q_values(batch), -np.inf).argmax(axis=1)
        if not deterministic:
            for k in range(len(actions)):
                if self.rng.random() < self.epsilon:
                    actions[k] = self._random_legal(masks[k])
        return (actions if np.ndim(observation) == 2 else actions[0]), state

    def _random_legal(self, mask: NDArray[Any]) -> int:
        legal = np.flatnonzero(mask)
        return int(legal[self.rng.integers(len(legal))])

    def _explore(self, observations: NDArray[np.float32], masks: NDArray[np.int8]) -> NDArray[np.int64]:
        """Return an ε-greedy action for every environment, all random before learning starts."""
        epsilon = 1.0 if self.num_moves < self.config.learning_starts else self.epsilon
        is_random = self.rng.random(len(masks)) < epsilon
        actions = np.empty(len(masks), dtype=np.int64)
        if not is_random.all():
            actions[:] = np.where(masks, self.q_values(observations), -np.inf).argmax(axis=1)
        for k in np.flatnonzero(is_random):
            actions[k] = self._random_legal(masks[k])
        if self.demonstrations is not None:
            led = self.demonstrations.next_action(masks[0])
            actions[0] = actions[0] if led is None else led
        return actions

    # -- learning ------------------------------------------------------------------------------------------------

    def learn(
        self,
        total_timesteps: int,
        callback: Callback = None,
        log_interval: int = 0,
        progress_bar: bool = False,
        after_step: Callable[[], None] | None = None,
    ) -> MaskedDQN:
        """Interact and learn for ``total_timesteps`` more environment steps, or until the callback returns False.

        Episodes under way go on where the last call left them.

        Args:
            total_timesteps: Environment steps, circuits that are tried outside episodes among them; with several
                environments the next multiple of their number. A circuit that is being pruned is finished.
            callback: An SB3 callback object, or a function ``(locals, globals) -> bool``.
            log_interval: Ignored; callbacks log.
            progress_bar: Show a bar of the steps.
            after_step: Called when a step is all done, new episodes begun: :meth:`state` may be read.

        Raises:
            ValueError: Training diverged: a reward, the loss or the gradient is not finite. The networks are those of
                the last good step.
        """
        if total_timesteps < 1:
            raise ValueError(must("total_timesteps", "be at least 1", total_timesteps))
        config, environments = self.config, self._environments
        replay, demonstrations = self.replay, self.demonstrations  # made now if they are not there yet
        end = self.num_timesteps + total_timesteps
        listener = as_callback(callback)
        listener.init_callback(self)
        listener.on_training_start(locals(), globals())
        goes_on = True
        if self.next_observations is None or self.next_masks is None:
            goes_on = self._search(listener, end)
            self.next_observations, self.next_masks = environments.reset(self.seed)
            if after_step is not None and config.search_steps and goes_on:
                after_step()
        with progress_of(total_timesteps, progress_bar) as advance:
            while goes_on and self.num_timesteps < end:
                actions = self._explore(self.next_observations, self.next_masks)
                moves = environments.step(actions)
                over = moves.terminated | moves.truncated
                self._remember(self.next_observations, actions, moves)
                for _ in range(environments.num_envs):
                    self.num_timesteps += 1
                    self.num_moves += 1
                    if config.epsilon_clock == "environment" and self.num_moves > config.learning_starts:
                        self._decay_epsilon()
                    if self._is_time_to_learn():
                        self.loss = self._gradient_step(*replay.sample(config.batch_size, self.rng, self._importance))
                    advance()
                if demonstrations is not None and over[0]:
                    demonstrations.take_episode()  # now: callbacks may play too
                listener.update_locals(
                    {"self": self, "infos": moves.infos, "rewards": moves.rewards, "dones": over, "actions": actions}
                )
                goes_on = listener.on_step()
                if demonstrations is not None and over[0]:
                    hearing = _Hearing(self, listener, goes_on)
                    demonstrations.end_episode(bool(moves.infos[0]["success"]), self.rng, hearing)
                    goes_on = hearing.goes_on
                self.next_observations, self.next_masks = environments.renew(moves, over)
                if after_step is not None:
                    after_step()
        listener.on_training_end()
        return self

    def _search(self, listener: CallbackObject, end: int) -> bool:
        """Collect the first demonstrations, if there are to be any; tell whether training goes on."""
        if self.demonstrations is None or not self.config.search_steps:
            return True
        hearing = _Hearing(self, listener, end=end)
        self.demonstrations.search(self.config.search_steps, self.rng, hearing, self.config.search)
        return hearing.goes_on

    def _remember(self, observations: NDArray[np.float32], actions: NDArray[np.int64], moves: Moves) -> None:
        """Store the transitions that a step of all environments completed.

        Raises:
            ValueError: A reward that is not finite, which would spoil all that is learned from it.
        """
        self._require_finite("rewards", sum(moves.rewards.tolist()))
        for k, collector in enumerate(self.collectors):
            for transition in collector.push(
                observations[k],
                int(actions[k]),
                float(moves.rewards[k]),
                bool(moves.terminated[k]),
                bool(moves.truncated[k]),
                moves.observations[k],
                moves.masks[k],
            ):
                self.replay.add(transition)

    @property
    def replay(self) -> ReplayBuffer:
        """The transitions that training samples from."""
        if self._replay is None:
            sizes = self.config.buffer_size, self.num_inputs, self.num_actions
            self._replay = ReplayBuffer(*sizes, self.config.prioritization)
        return self._replay

    def _decay_epsilon(self) -> None:
        self.epsilon = max(self.config.epsilon_end, self.epsilon * self.config.epsilon_decay)

    @property
    def _importance(self) -> float:
        """Exponent of the importance weights, rising to 1."""
        start = self.config.importance_start
        return start + (1.0 - start) * min(1.0, self.num_gradient_steps / self.config.importance_steps)

    def _is_time_to_learn(self) -> bool:
        assert self._replay is not None
        ready = self.num_moves >= self.config.learning_starts and len(self._replay) >= self.config.batch_size
        return ready and self.num_moves % self.config.train_frequency == 0

    def _gradient_step(self, batch: Batch, rows: NDArray[np.int64]) -> float:
        config = self.config
        tensors = [torch.as_tensor(array, device=self.device) for array in batch]
        observations, actions, returns, discounts, next_observations, next_masks, weights = tensors
        if self.num_gradient_steps % config.target_update_interval == 0:
            self._update_target()
        if config.refit_interval and (self.num_gradient_steps + 1) % config.refit_interval == 0:
            for network in (self.target_network, self.online_network):
                network.refit(observations)  # type: ignore[operator]
        with torch.no_grad(), self._precision():
            online_next, target_next = self._online(next_observations), self._target(next_observations)
            target = double_q_target(returns, discounts, online_next, target_next, next_masks)
        with self._precision():
            values = self._online(observations).gather(1, actions[:, None]).squeeze(1)
        loss = (weights * functional.smooth_l1_loss(values.float(), target, reduction="none")).mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.zeros_like(loss)
        if config.max_grad_norm > 0:
            norm = torch.nn.utils.clip_grad_norm_(self.online_network.parameters(), config.max_grad_norm)
        self._require_finite("loss and gradient", float(loss.detach() + norm))
        self.optimizer.step()
        if config.prioritization > 0:
            self.replay.reprioritize(rows, (target - values.detach().float()).cpu().numpy())
        self.num_gradient_steps += 1
        if config.epsilon_clock == "gradient":
            self._decay_epsilon()
        return float(loss.detach())

    def _require_finite(self, what: str, value: float) -> None:
        """End the training at the first number that is none: the weights are still good."""
        if not math.isfinite(value):
            where = f"step {self.num_timesteps}, gradient step {self.num_gradient_steps}"
            raise ValueError(
                f"Training diverged at {where}: {what} must be finite, but add up to {value}. Weights and checkpoint "
                "are those from before; try a smaller learning_rate or rewards of moderate size."
            )

    def _update_target(self) -> None:
        tau, online = self.config.tau, self.online_network.state_dict()
        if tau < 1.0:
            target = self.target_network.state_dict()
            online = {name: target[name].lerp(value, tau) for name, value in online.items()}
        self.target_network.load_state_dict(online)

    # -- keeping -------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the policy: networks and settings in one safetensors file, which runs no code when read."""
        save_policy(self, Path(path))

    @classmethod
    def load(cls, path: str | Path, env: Any, device: str = "cpu") -> MaskedDQN:
        """Read a policy written by :meth:`save`; replay and optimiser state are not part of it.

        Raises:
            ValueError: Not such a file, another format, or an environment with other spaces.
        """
        with told_as_damage(Path(path), "a file written by MaskedDQN.save"):
            config, tensors, numbers = read_policy(Path(path), device)
        agent = cls(env, config, device=device)
        if (numbers["num_inputs"], numbers["num_actions"]) != (agent.num_inputs, agent.num_actions):
            sizes = f"{numbers['num_inputs']} inputs and {numbers['num_actions']} actions"
            raise ValueError(must("env", f"have {sizes}", (agent.num_inputs, agent.num_actions)))
        with told_as_damage(Path(path), "a file written by MaskedDQN.save"):
            for name, network in (("online", agent.online_network), ("target", agent.target_network)):
                check_tensors(prefixed(tensors, name), network.state_dict())
                network.load_state_dict(prefixed(tensors, name))
        for name in ("num_timesteps", "num_gradient_steps", "epsilon"):
            setattr(agent, name, numbers[name])
        return agent

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return everything that training goes on with, but for the transitions in :attr:`replay`.

        Returns:
            Arrays, and numbers that JSON keeps exactly.
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
        """Take up what :meth:`state` returned; :attr:`replay` must be filled again by its own means, before.

        Raises:
            ValueError: It does not fit; nothing was taken up.
        """
        self.check(arrays, numbers, self.replay.count)
        put_back(self, arrays, numbers)


class _Hearing:
    """Counts circuits that are tried outside episodes as steps, and tells the callback of them."""

    def __init__(
        self, agent: MaskedDQN, listener: CallbackObject, goes_on: bool = True, end: float = float("inf")
    ) -> None:
        self._agent, self._listener, self._end = agent, listener, end
        self.goes_on = goes_on

    def __call__(self, info: dict[str, Any]) -> bool:
        """Hear of one circuit; tell whether training goes on."""
        self._agent.num_timesteps += 1
        trial = {"infos": [info], "rewards": np.zeros(1), "dones": np.zeros(1, dtype=np.bool_)}
        self._listener.update_locals({"self": self._agent, **trial})
        self.goes_on = self._listener.on_step() and self.goes_on and self._agent.num_timesteps < self._end
        return self.goes_on


@contextmanager
def progress_of(total: int, shown: bool) -> Iterator[Callable[[], None]]:
    """Show a rich progress bar of so many steps, or nothing; yields what advances it."""
    from rich.progress import Progress

    with Progress(disable=not shown) as progress:
        task = progress.add_task("steps", total=total)
        yield (lambda: progress.advance(task)) if shown else (lambda: None)

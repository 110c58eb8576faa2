"""Training with environments whose steps are tensors of PyTorch; only what a callback reads leaves the device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qas_agents.checks import require_finite
from qas_agents.dqn.config import DQNConfig
from qas_agents.dqn.environments import Environments, StepBatch
from qas_agents.dqn.training import TrainingLoop
from qas_simulators.errors import must

if TYPE_CHECKING:
    from qas_agents.dqn.agent import MaskedDQN

_PENDING: Final = ("lengths", "observations", "actions", "rewards")


def has_tensors(env: Any) -> bool:
    """Return whether an environment's steps are tensors of PyTorch."""
    return isinstance(getattr(getattr(env, "unwrapped", env), "device", None), torch.device)


class Rows(Sequence[dict[str, Any]]):
    """Infos of many environments as dictionaries, which are copied from the device when one is read.

    Args:
        columns: A tensor for each name, first axis ``num_envs``.
    """

    def __init__(self, columns: dict[str, Tensor]) -> None:
        self._columns = columns

    @cached_property
    def _host(self) -> dict[str, NDArray[Any]]:
        return {name: column.cpu().numpy() for name, column in self._columns.items()}

    def column(self, name: str) -> NDArray[Any]:
        """Return one entry of all environments; nothing else is copied from the device."""
        column: NDArray[Any] = self._columns[name].cpu().numpy()
        return column

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        return {name: column[index] for name, column in self._host.items()}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[k] for k in range(len(self)))


class TensorEnvironments(Environments):
    """A vector environment whose observations, masks, rewards and ends are tensors on one device.

    Args:
        env: The vector environment; its autoreset is disabled.

    Attributes:
        device: Where the tensors are.

    Raises:
        ValueError: Spaces or autoreset of another kind.
    """

    def __init__(self, env: Any) -> None:
        super().__init__(env)
        self.device: torch.device = env.unwrapped.device

    def reset(self, seed: int | None) -> tuple[Any, Any]:
        """Reset all environments; return observations and masks."""
        assert self.vector is not None
        observations, info = self.vector.reset(seed=seed)
        return self.flat.tensor(observations), self._legal(info)

    def step(self, actions: Any) -> StepBatch:
        """Take one step in every environment."""
        assert self.vector is not None
        observations, rewards, terminated, truncated, columns = self.vector.step(actions)
        infos: Any = Rows(columns)
        return StepBatch(self.flat.tensor(observations), self._legal(columns), rewards, terminated, truncated, infos)  # type: ignore[arg-type]

    def reset_finished(self, batch: StepBatch) -> tuple[Any, Any]:
        """Reset the environments whose episodes ended; return the observations and masks of all environments."""
        assert self.vector is not None
        over: Any = batch.over
        if not bool(over.any()):
            return batch.observations, batch.masks
        observations, info = self.vector.reset(options={"reset_mask": over})
        return self.flat.tensor(observations), self._legal(info)

    def _legal(self, columns: dict[str, Any]) -> Tensor:
        if "action_mask" not in columns:
            return torch.ones((self.num_envs, self.num_actions), dtype=torch.int8, device=self.device)
        masks: Tensor = columns["action_mask"]
        return masks.to(torch.int8)


class TensorCollector:
    """Turns steps of many environments into n-step transitions; see :class:`NStepCollector`, of which this is many.

    Args:
        n_step: Rewards in a return.
        gamma: Discount of a step.
        environments: The environments that are stepped.
    """

    def __init__(self, n_step: int, gamma: float, environments: TensorEnvironments) -> None:
        device, shape = environments.device, (n_step, environments.num_envs)
        self._num_actions = environments.num_actions
        self._n_step, self._gamma, self._rows = n_step, gamma, torch.arange(shape[1], device=device)
        # Pending steps of each environment, oldest first, of which the first ``_lengths`` are there.
        self._lengths = torch.zeros(shape[1], dtype=torch.int64, device=device)
        self._observations = torch.zeros((*shape, environments.num_inputs), device=device)
        self._actions = torch.zeros(shape, dtype=torch.int64, device=device)
        self._rewards = torch.zeros(shape, dtype=torch.float64, device=device)

    def push(self, observations: Tensor, actions: Tensor, batch: StepBatch) -> tuple[Tensor, ...]:
        """Add one step of every environment; return the completed transitions, as fields of the replay buffer."""
        places, over = (self._lengths, self._rows), torch.as_tensor(batch.over)
        self._observations[places], self._actions[places] = observations, actions
        self._rewards[places] = torch.as_tensor(batch.rewards, dtype=torch.float64)
        self._lengths += 1

        # The return of a pending step sums the rewards from it to the last one.
        starts = torch.arange(self._n_step, device=self._rows.device)[:, None]
        is_there = starts < self._lengths
        returns, later = torch.zeros_like(self._rewards), torch.zeros_like(self._rewards[0])
        for k in reversed(range(self._n_step)):
            later = torch.where(is_there[k], self._rewards[k] + self._gamma * later, 0.0)
            returns[k] = later
        discounts = self._gamma ** (self._lengths - starts).clip(0).double()
        discounts = torch.where(torch.as_tensor(batch.terminated), 0.0, discounts)

        # At an episode's end all its steps are complete, else the oldest is once there are n.
        is_full = self._lengths == self._n_step
        envs, steps = torch.nonzero((is_there & (over | ((starts == 0) & is_full))).T, as_tuple=True)
        done = (
            self._observations[steps, envs],
            self._actions[steps, envs],
            returns[steps, envs].float(),
            discounts[steps, envs].float(),
            torch.as_tensor(batch.observations)[envs],
            torch.as_tensor(batch.masks)[envs],
        )
        self._drop(over, is_full)
        return done

    def state(self) -> dict[str, Tensor]:
        """Return the pending steps."""
        return {name: getattr(self, f"_{name}") for name in _PENDING}

    def check(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Raise ``ValueError`` unless arrays of the right shapes and types can be restored."""
        lengths = arrays["lengths"]
        if ((lengths < 0) | (lengths >= self._n_step)).any():
            raise ValueError(must("lengths", f"lie in 0..{self._n_step - 1}", lengths.tolist()))
        if (arrays["actions"] < 0).any() or (arrays["actions"] >= self._num_actions).any():
            raise ValueError(must("actions", f"lie in 0..{self._num_actions - 1}", arrays["actions"].tolist()))
        for name in ("observations", "rewards"):
            if not np.isfinite(arrays[name]).all():
                raise ValueError(must(name, "be finite", "not"))

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned, as arrays of NumPy."""
        for name in _PENDING:
            setattr(self, f"_{name}", torch.from_numpy(np.array(arrays[name])).to(self._rows.device))

    def _drop(self, over: Tensor, is_full: Tensor) -> None:
        """Remove the steps whose transitions are complete."""
        moves = is_full & ~over
        for name in ("_observations", "_actions", "_rewards"):
            own = getattr(self, name)
            is_moved = moves[:, None] if own.ndim == 3 else moves
            setattr(self, name, torch.where(is_moved, own.roll(-1, 0), own))
        self._lengths = torch.where(over, 0, self._lengths - moves.long())


class TensorParts:
    """What training on tensors needs besides the networks and replay; it survives a call of ``learn``.

    Args:
        environments: The environments.
        config: Settings of the agent.
        seed: Of exploration, which draws on the device.

    Attributes:
        collector: Steps whose n-step returns are incomplete.
        generator: Draws exploration.
    """

    def __init__(self, environments: TensorEnvironments, config: DQNConfig, seed: int) -> None:
        self._environments = environments
        self.collector = TensorCollector(config.n_step, config.gamma, environments)
        self.generator = torch.Generator(environments.device).manual_seed(seed)

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays, and numbers that JSON represents exactly, of these parts and of the environments.

        Raises:
            ValueError: The environments' state cannot be written.
        """
        arrays, numbers = self._unwrapped().state()
        arrays = {f"environments.{name}": array for name, array in arrays.items()}
        arrays |= {f"pending.{name}": one.cpu().numpy().copy() for name, one in self.collector.state().items()}
        return {**arrays, "generator": self.generator.get_state().numpy()}, numbers

    def check(self, arrays: Mapping[str, NDArray[Any]], numbers: Mapping[str, Any]) -> None:
        """Raise ``ValueError`` unless what :meth:`state` returned fits."""
        own = {f"pending.{name}": one.cpu().numpy() for name, one in self.collector.state().items()}
        own["generator"] = self.generator.get_state().numpy()
        of_environments = _named(arrays, "environments.")
        if wrong := set(arrays) ^ {*own, *(f"environments.{name}" for name in of_environments)}:
            raise ValueError(must("arrays", "have the names of a training on tensors", sorted(wrong)))
        for name, wanted in own.items():
            if arrays[name].dtype != wanted.dtype or arrays[name].shape != wanted.shape:
                kinds = [f"{one.dtype} of shape {one.shape}" for one in (wanted, arrays[name])]
                raise ValueError(must(name, f"be {kinds[0]}", kinds[1]))
        self.collector.check(_named(arrays, "pending."))
        self._unwrapped().check(of_environments, numbers)

    def restore(self, arrays: Mapping[str, NDArray[Any]], numbers: Mapping[str, Any]) -> None:
        """Restore what :meth:`state` returned, after :meth:`check`."""
        self._unwrapped().restore(_named(arrays, "environments."), numbers)
        self.collector.restore(_named(arrays, "pending."))
        self.generator.set_state(torch.from_numpy(np.array(arrays["generator"])))

    def _unwrapped(self) -> Any:
        assert self._environments.vector is not None
        env = self._environments.vector.unwrapped
        if not all(hasattr(env, name) for name in ("state", "check", "restore")):
            raise ValueError(must("env", "have methods state, check and restore to write a training", type(env)))
        return env


def _named(arrays: Mapping[str, NDArray[Any]], start: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}


class TensorTrainingLoop(TrainingLoop):
    """The training loop for environments whose steps are tensors.

    A step of all environments waits for the device a few times, however many environments there are; a gradient step
    does not. Exploration draws on the device, from a generator that the agent's own one seeds.
    """

    def __init__(self, agent: MaskedDQN, *arguments: Any) -> None:
        super().__init__(agent, *arguments)
        assert isinstance(agent.environments, TensorEnvironments)
        assert agent.tensors is not None
        self._collector, self._generator = agent.tensors.collector, agent.tensors.generator

    def _act(self, observations: Any, masks: Any) -> Any:
        """Return an action for every environment: random, or greedy."""
        agent = self._agent
        draws = torch.rand((len(masks), agent.num_actions + 1), generator=self._generator, device=masks.device)
        is_legal = masks != 0
        actions = torch.where(is_legal, draws[:, 1:], -1.0).argmax(1)
        if agent.num_moves < agent.config.learning_starts:
            return actions
        values = agent.learner.values(observations)
        greedy = torch.where(is_legal, values, -torch.inf).argmax(1)
        return torch.where(draws[:, 0] < agent.epsilon, actions, greedy)

    def _count_and_learn(self) -> None:
        """Count the steps up to each gradient step together; nothing is done between them."""
        agent, config = self._agent, self._agent.config
        end = agent.num_moves + agent.environments.num_envs
        while agent.num_moves < end:
            due = max(agent.num_moves + 1, config.learning_starts)
            due = min(end, due + -due % config.train_frequency)
            self._count_steps(due - agent.num_moves)
            if self._is_time_to_learn():
                self._learn()
        for _ in range(agent.environments.num_envs):
            self._advance()

    def _count_steps(self, number: int) -> None:
        agent, config = self._agent, self._agent.config
        num_decays = agent.num_moves + number - max(agent.num_moves, config.learning_starts)
        agent.num_timesteps += number
        agent.num_moves += number
        if config.epsilon_clock == "environment" and num_decays > 0:
            agent.epsilon = max(config.epsilon_end, agent.epsilon * config.epsilon_decay**num_decays)

    def _store(self, observations: Any, actions: Any, batch: StepBatch) -> None:
        require_finite("rewards", float(torch.as_tensor(batch.rewards).sum()), self._place)
        self._agent.replay.extend(self._collector.push(observations, actions, batch))


def require_same_device(environments: Environments, device: torch.device) -> None:
    """Raise ``ValueError`` if tensors of the environments are on another device than the agent's networks."""
    if isinstance(environments, TensorEnvironments) and environments.device.type != device.type:
        raise ValueError(f"device must be the environments' {environments.device.type!r}, but is {device.type!r}.")

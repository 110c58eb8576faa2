"""Training with environments whose steps are tensors of PyTorch; only what a callback reads leaves the device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import torch
from numpy.typing import NDArray
from torch import Tensor

from qas_agents.checks import require_finite
from qas_agents.dqn.environments import Environments, StepBatch
from qas_agents.dqn.training import TrainingLoop

if TYPE_CHECKING:
    from qas_agents.dqn.agent import MaskedDQN


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

    def _drop(self, over: Tensor, is_full: Tensor) -> None:
        """Remove the steps whose transitions are complete."""
        moves = is_full & ~over
        for name in ("_observations", "_actions", "_rewards"):
            own = getattr(self, name)
            is_moved = moves[:, None] if own.ndim == 3 else moves
            setattr(self, name, torch.where(is_moved, own.roll(-1, 0), own))
        self._lengths = torch.where(over, 0, self._lengths - moves.long())


class TensorTrainingLoop(TrainingLoop):
    """The training loop for environments whose steps are tensors.

    A step of all environments waits for the device a few times, however many environments there are; a gradient step
    does not. Exploration draws on the device, from a generator that the agent's own one seeds.
    """

    def __init__(self, agent: MaskedDQN, *arguments: Any) -> None:
        super().__init__(agent, *arguments)
        assert isinstance(agent.environments, TensorEnvironments)
        device = agent.environments.device
        self._generator = torch.Generator(device).manual_seed(int(agent.rng.integers(2**31)))
        if agent.tensor_collector is None:
            agent.tensor_collector = TensorCollector(agent.config.n_step, agent.config.gamma, agent.environments)
        self._collector = agent.tensor_collector

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

    def _store(self, observations: Any, actions: Any, batch: StepBatch) -> None:
        require_finite("rewards", float(torch.as_tensor(batch.rewards).sum()), self._place)
        self._agent.replay.extend(self._collector.push(observations, actions, batch))


def require_same_device(environments: Environments, device: torch.device) -> None:
    """Raise ``ValueError`` if tensors of the environments are on another device than the agent's networks."""
    if isinstance(environments, TensorEnvironments) and environments.device.type != device.type:
        raise ValueError(f"device must be the environments' {environments.device.type!r}, but is {device.type!r}.")


def numpy_only(agent: MaskedDQN) -> None:
    """Raise ``ValueError`` where the training's state cannot be written, because episodes are tensors."""
    if isinstance(agent.environments, TensorEnvironments):
        raise ValueError(
            "The state of a training with environments on a device cannot be written; save() writes the policy."
        )

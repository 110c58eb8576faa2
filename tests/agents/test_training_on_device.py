"""Training with environments whose steps are tensors, here on the CPU."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import qas_envs  # noqa: F401
from qas_agents import MaskedDQN
from qas_agents.dqn.environments import StepBatch
from qas_agents.dqn.on_device import TensorCollector, TensorEnvironments, TensorTrainingLoop
from qas_agents.dqn.replay_buffer import NStepCollector, ReplayBuffer
from qas_agents.dqn.training import TrainingLoop
from qas_simulators.arrays import torch_on
from tests.agents.test_device import without_waiting
from tests.agents.test_dqn import CONFIG, Corridor


class Corridors(SyncVectorEnv):
    """Four corridors whose steps are tensors."""

    device = torch.device("cpu")

    def __init__(self, truncate_at: int | None = None) -> None:
        super().__init__([lambda: Corridor(truncate_at)] * 4, autoreset_mode=AutoresetMode.DISABLED)

    def _tensors(self, values: Any) -> Any:
        if isinstance(values, dict):
            return {name: self._tensors(value) for name, value in values.items() if not name.startswith("_")}
        return torch.from_numpy(np.array(values))

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        if options is not None:
            options = {"reset_mask": options["reset_mask"].numpy()}
        observations, infos = super().reset(seed=seed, options=options)
        masks = {"action_mask": np.stack([env._see()[1]["action_mask"] for env in self.envs])}  # type: ignore[attr-defined]
        return self._tensors(observations), self._tensors({**infos, **masks})

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        observations, rewards, terminated, truncated, infos = super().step(actions.numpy())
        parts = [self._tensors(part) for part in (observations, rewards, terminated, truncated)]
        return (*parts, self._tensors(infos))


@pytest.mark.parametrize("n_step", [1, 2, 4])
def test_transitions_are_those_of_single_collectors(n_step: int) -> None:
    """In the same order, over episodes that end early, late, by termination and by truncation."""
    rng, environments = np.random.default_rng(n_step), TensorEnvironments(Corridors())
    ours = TensorCollector(n_step, 0.9, environments)
    theirs, count = [NStepCollector(n_step, 0.9) for _ in range(4)], 0
    for _ in range(60):
        now, following = rng.normal(size=(2, 4, 4)).astype(np.float32)
        actions, rewards, masks = rng.integers(2, size=4), rng.normal(size=4), rng.integers(2, size=(4, 2), dtype="i1")
        terminated = rng.random(4) < 0.2
        truncated = ~terminated & (rng.random(4) < 0.2)
        steps: list[Any] = [torch.from_numpy(part) for part in (following, masks, rewards, terminated, truncated)]
        found = ours.push(torch.from_numpy(now), torch.from_numpy(actions), StepBatch._make([*steps, []]))
        columns = now, actions, rewards, terminated, truncated, following, masks
        expected = [one for k, single in enumerate(theirs) for one in single.push(*(column[k] for column in columns))]
        assert len(found[0]) == len(expected)
        for own, values in zip(found, zip(*expected, strict=True), strict=False):
            np.testing.assert_allclose(own.numpy(), np.array(values), rtol=1e-6)
        count += len(expected)
    assert count > 150


def test_buffers_keep_the_last_of_many_transitions() -> None:
    library = torch_on("cpu")
    many, single = ReplayBuffer(5, 1, 2, 0.5, library), ReplayBuffer(5, 1, 2, 0.5, library)
    for size in (0, 3, 4, 12):
        values = np.arange(size, dtype=np.float32) + 100 * size
        fields = (
            values[:, None],
            values.astype(int) % 2,
            values,
            values / 1e4,
            values[:, None],
            np.ones((size, 2), "i1"),
        )
        many.extend([torch.from_numpy(np.asarray(field)) for field in fields])
        for row in zip(*fields, strict=True):
            single.add(row)  # type: ignore[arg-type]
        for name, expected in single.since(0).items():
            np.testing.assert_array_equal(many.since(0)[name], expected)
        np.testing.assert_array_equal(many.priorities(), single.priorities())


@pytest.mark.parametrize(
    "changes", [{}, {"prioritization": 0.6, "importance_steps": 2000}], ids=["plain", "prioritised"]
)
def test_converges_to_the_known_values(changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Values derived by hand, in the corridor; no gradient step reads a tensor."""
    learn, steps, seen = TrainingLoop._learn, 0, []

    def guarded(loop: TrainingLoop) -> None:
        nonlocal steps
        steps += 1
        if steps < 20:  # a mode that looks at every operation is slow
            with without_waiting(monkeypatch):
                return learn(loop)
        return learn(loop)

    monkeypatch.setattr(TrainingLoop, "_learn", guarded)
    agent = MaskedDQN(Corridors(), dataclasses.replace(CONFIG, **changes), seed=0)

    def callback(now: dict[str, Any], _: dict[str, Any]) -> bool:
        seen.append([info["action_mask"].shape for info in now["infos"]])
        return True

    agent.learn(800, callback)
    assert agent.num_timesteps == 800 and steps == agent.num_gradient_steps == 601
    assert seen == [[(2,)] * 4] * 200
    legal = ~np.isnan(Corridor.Q)
    np.testing.assert_allclose(agent.q_values(np.eye(4, dtype=np.float32))[legal], Corridor.Q[legal], atol=0.1)


def test_truncation_changes_no_values() -> None:
    """Truncated after two steps, the values are the same as without."""
    agent = MaskedDQN(Corridors(truncate_at=2), CONFIG, seed=0)
    agent.learn(800)
    legal = ~np.isnan(Corridor.Q)
    np.testing.assert_allclose(agent.q_values(np.eye(4, dtype=np.float32))[legal], Corridor.Q[legal], atol=0.1)


def test_the_same_seed_gives_the_same_networks() -> None:
    """Environments of circuits on the device, trained twice; then the policy is saved and plays on the CPU's arrays."""

    def trained(seed: int) -> MaskedDQN:
        envs: Any = gym.make_vec(
            "QAS-TFIM-v0", 16, num_qubits=2, device="cpu", autoreset_mode="Disabled", max_gates=6, actions="gates"
        )
        config = dataclasses.replace(CONFIG, n_step=3, train_frequency=4)
        return MaskedDQN(envs, config, seed=seed).learn(480)

    first, second, third = trained(0), trained(0), trained(1)
    for one, other in zip(first.online_network.parameters(), second.online_network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert first.loss == second.loss != third.loss
    assert len(first.replay) > 420 and bool(torch.isfinite(first.replay.returns).all())


def test_steps_are_counted_as_one_by_one() -> None:
    """Gradient steps come after the same numbers of steps, with the same ε to rounding, as in a loop over steps."""
    config = dataclasses.replace(CONFIG, learning_starts=7, train_frequency=3, epsilon_decay=0.99, epsilon_end=0.3)
    config = dataclasses.replace(config, epsilon_clock="environment")
    found = []
    for count in (TensorTrainingLoop._count_and_learn, TrainingLoop._count_and_learn):
        agent, seen = MaskedDQN(Corridors(), config, seed=0), []
        loop = TensorTrainingLoop(agent, None, 0)
        loop._learn = lambda agent=agent, seen=seen: seen.append((agent.num_moves, agent.epsilon))  # type: ignore[method-assign]
        loop._is_time_to_learn = (  # type: ignore[method-assign]
            lambda agent=agent: agent.num_moves >= 7 and agent.num_moves % 3 == 0
        )
        for _ in range(60):
            count(loop)
        found.append((seen, agent.num_timesteps))
    (ours, steps), (theirs, wanted) = found
    assert steps == wanted == 240 and len(ours) == 78
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    assert ours[-1][1] == 0.3


@pytest.mark.parametrize("steps", [0, 40, 100])
def test_a_restored_training_continues_alike(steps: int) -> None:
    """Episodes, pending steps, exploration, replay and networks: the same bits as without interruption."""

    def built(seed: int) -> MaskedDQN:
        envs: Any = gym.make_vec(
            *("QAS-TFIM-v0", 4),
            **{"num_qubits": 2, "device": "cpu", "autoreset_mode": "Disabled", "max_gates": 6, "actions": "gates"},
            **{"curriculum": {"name": "moving", "initial": 1.0, "shift_time": 5}, "optimizer": "none"},
        )
        config = dataclasses.replace(CONFIG, n_step=3, buffer_size=90, prioritization=0.6, learning_starts=60)
        return MaskedDQN(envs, dataclasses.replace(config, batch_size=16, train_frequency=4), seed=seed)

    def copied(agent: MaskedDQN) -> tuple[dict[str, Any], dict[str, Any]]:
        arrays, numbers = agent.state()
        return {name: array.copy() for name, array in arrays.items()}, numbers

    first, second = built(0), built(1)
    if steps:
        first.learn(steps)
    arrays, numbers = copied(first)
    count = first.replay.count
    if count:
        second.replay.put(max(0, count - 90), first.replay.since(0))
    second.restore(arrays, json.loads(json.dumps(numbers)))
    for name, array in copied(second)[0].items():
        np.testing.assert_array_equal(array, arrays[name], err_msg=name)
    for agent in (first, second):
        agent.seed = 0  # of the first reset
        agent.learn(120)
    (one, own), (other, theirs) = copied(first), copied(second)
    assert one.keys() == other.keys() and json.dumps(own) == json.dumps(theirs) and own["num_gradient_steps"] >= 15
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)


DAMAGES: dict[str, tuple[str, Any]] = {
    "an action that was never legal": ("tensors.environments.actions", lambda a: a.__setitem__(slice(None), 0)),
    "more actions than fit": ("tensors.environments.num_actions", lambda a: a.__setitem__(0, 99)),
    "no number": ("tensors.environments.angles", lambda a: a.__setitem__((0, 0), np.nan)),
    "a negative count": ("tensors.environments.halt_at", lambda a: a.__setitem__(0, -1)),
    "too many pending steps": ("tensors.pending.lengths", lambda a: a.__setitem__(0, 3)),
    "a pending action": ("tensors.pending.actions", lambda a: a.__setitem__((0, 0), 77)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_state_is_refused(damage: str) -> None:
    envs: Any = gym.make_vec(
        *("QAS-TFIM-v0", 4),
        **{"num_qubits": 2, "device": "cpu", "autoreset_mode": "Disabled", "actions": "gates", "optimizer": "none"},
    )
    agent = MaskedDQN(envs, dataclasses.replace(CONFIG, n_step=3), seed=0).learn(40)
    arrays, numbers = agent.state()
    arrays = {name: array.copy() for name, array in arrays.items()}
    agent.check(arrays, numbers, agent.replay.count)
    name, change = DAMAGES[damage]
    change(arrays[name])
    before = {name: array.copy() for name, array in agent.state()[0].items()}
    with pytest.raises(ValueError, match="must") as caught:
        agent.restore(arrays, numbers)
    assert "\n" not in str(caught.value)
    for name, array in agent.state()[0].items():
        np.testing.assert_array_equal(array, before[name])
    for less in ("tensors.generator", "tensors.environments.waits", "tensors.pending.rewards"):
        left = {name: array for name, array in before.items() if name != less}
        with pytest.raises(ValueError, match="must"):
            agent.restore(left, numbers)


def test_what_does_not_fit_is_said() -> None:
    envs: Any = Corridors()
    with pytest.raises(ValueError, match=r"have methods state, check and restore to write a training"):
        MaskedDQN(envs, CONFIG).state()
    envs.device = torch.device("cuda")
    with pytest.raises(ValueError, match="device must be the environments' 'cuda', but is 'cpu'"):
        MaskedDQN(envs, CONFIG)

"""Agents as they train on a GPU, with tensors of PyTorch on the CPU in its place: equal results, and no waiting."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from qas_agents import DQNConfig, GraphAgent, GraphConfig, MaskedDQN
from qas_agents.dqn import learner
from qas_agents.dqn.replay_buffer import ReplayBuffer, SumTree, Transition
from qas_agents.dqn.training import TrainingLoop
from qas_agents.graph import training as graph_training
from qas_agents.graph.drawing import draw, judged, replayed
from qas_agents.graph.groups import play_group
from qas_experiments.training.run import _set_torch
from qas_simulators import StatevectorSimulator
from qas_simulators.arrays import torch_on
from tests.agents.test_damaged_policies import Broken
from tests.agents.test_dqn import CONFIG, Corridor
from tests.agents.test_graph import SMALL, build
from tests.experiments.conftest import compose


class NoReading(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Raises where a number of a tensor is read, for which the CPU would wait for a GPU."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert function is not torch.ops.aten._local_scalar_dense.default, "a number is read"
        assert function is not torch.ops.aten.nonzero.default, "a number of elements is read"
        return function(*args, **(kwargs or {}))


@contextmanager
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a tensor is copied to the CPU")

    with monkeypatch.context() as patched, NoReading():  # type: ignore[no-untyped-call]
        for name in ("cpu", "numpy", "item", "tolist"):
            patched.setattr(torch.Tensor, name, refuse)
        yield


def as_on_gpu(agent: MaskedDQN) -> MaskedDQN:
    """Let an agent keep transitions as tensors and not wait for its gradient steps."""
    config = agent.config
    sizes = config.buffer_size, agent.num_inputs, agent.num_actions
    agent.__dict__["replay"] = ReplayBuffer(*sizes, config.prioritization, torch_on("cpu"))
    agent.learner.waits = False
    return agent


@pytest.mark.parametrize(
    "changes",
    [{}, {"prioritization": 0.6, "tau": 0.1}, {"network": {"name": "kan", "hidden": [3], "grid": 3}}],
    ids=["mlp", "prioritised", "kan"],
)
def test_gradient_steps_never_wait_and_train_the_same(changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    config = DQNConfig(**{**vars(CONFIG), "n_step": 2, **changes})
    plain = MaskedDQN(Corridor(), config, seed=0).learn(300)
    agent, steps, learn = as_on_gpu(MaskedDQN(Corridor(), config, seed=0)), 0, TrainingLoop._learn
    if "network" not in changes:  # the CPU's kernels of splines read arrays of NumPy
        monkeypatch.setattr(learner, "CHECK_INTERVAL", 10**9)

        def guarded(loop: TrainingLoop) -> None:
            nonlocal steps
            steps += 1
            with without_waiting(monkeypatch):
                learn(loop)

        monkeypatch.setattr(TrainingLoop, "_learn", guarded)
    agent.learn(300)
    assert agent.num_gradient_steps == plain.num_gradient_steps > 50
    assert steps == (agent.num_gradient_steps if "network" not in changes else 0)
    for one, other in zip(agent.online_network.parameters(), plain.online_network.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
    assert agent.loss == pytest.approx(plain.loss, rel=1e-3, abs=1e-6)


def test_states_are_the_same_and_can_be_restored() -> None:
    """A checkpoint of either kind of buffer continues with the other."""
    config = DQNConfig(**{**vars(CONFIG), "prioritization": 0.5})
    plain, agent = MaskedDQN(Corridor(), config, seed=0), as_on_gpu(MaskedDQN(Corridor(), config, seed=0))
    states = []
    for one in (plain, agent):
        one.learn(300)
        arrays, numbers = one.state()
        one.check(arrays, numbers, one.replay.count)
        states.append((arrays, numbers, one.replay.since(0)))
    for name, array in states[0][0].items():
        np.testing.assert_allclose(states[1][0][name], array, atol=1e-4, err_msg=name)
    for name, array in states[0][2].items():
        assert states[1][2][name].dtype == array.dtype
        np.testing.assert_array_equal(states[1][2][name], array)
    twin = as_on_gpu(MaskedDQN(Corridor(), config, seed=1))
    arrays, numbers, fields = states[0]
    twin.replay.put(0, fields)
    twin.restore(arrays, numbers)
    assert twin.replay.tree is not None
    np.testing.assert_array_equal(twin.replay.tree.nodes.numpy(), arrays["priorities"])
    assert twin.loss == numbers["loss"]


def test_trees_of_tensors() -> None:
    rng = np.random.default_rng(0)
    for capacity in (1, 5, 64):
        plain, other = SumTree(capacity), SumTree(capacity, torch_on("cpu"))
        rows, values = rng.permutation(capacity), rng.random(capacity)
        plain.set(rows, values)
        other.set(torch.from_numpy(rows), torch.from_numpy(values))
        np.testing.assert_array_equal(other.nodes.numpy(), plain.nodes)
        sums = rng.random(50) * plain.total
        np.testing.assert_array_equal(other.find(torch.from_numpy(sums)).numpy(), plain.find(sums))


def test_new_transitions_are_moved_together() -> None:
    """More of them than fit, and none twice; the oldest are overwritten."""
    plain, other = ReplayBuffer(4, 1, 2), ReplayBuffer(4, 1, 2, library=torch_on("cpu"))
    mask = np.ones(2, dtype=np.int8)
    for k in range(11):
        seen = np.full(1, k, dtype=np.float32)
        for buffer in (plain, other):
            buffer.add(Transition(seen, k % 2, float(k), 0.5, seen + 1, mask))
        if k in (1, 8):
            batches = [buffer.sample(3, np.random.default_rng(k))[0] for buffer in (plain, other)]
            for one, two in zip(*batches, strict=True):
                np.testing.assert_array_equal(two.numpy(), one)
    for name, array in plain.since(0).items():
        np.testing.assert_array_equal(other.since(0)[name], array)
    assert plain.since(0)["returns"].tolist() == [7.0, 8.0, 9.0, 10.0]


def test_priorities_that_are_no_numbers_stay_as_they_were() -> None:
    buffer = ReplayBuffer(4, 1, 2, 0.5, torch_on("cpu"))
    seen, mask = np.zeros(1, dtype=np.float32), np.ones(2, dtype=np.int8)
    for k in range(4):
        buffer.add(Transition(seen, 0, float(k), 0.5, seen, mask))
    buffer.sample(1, np.random.default_rng(0))
    buffer.reprioritize(torch.arange(3), torch.tensor([3.0, float("nan"), float("inf")]))
    assert buffer.tree is not None
    np.testing.assert_allclose(buffer.tree.get(torch.arange(4)).numpy(), [3**0.5, 1, 1, 1], rtol=1e-6)
    assert buffer.largest == pytest.approx(3.0, rel=1e-6)


@pytest.mark.parametrize("prioritization", [0.0, 0.5])
def test_a_loss_that_is_no_number_changes_no_weights(prioritization: float) -> None:
    config = DQNConfig(**{**vars(CONFIG), "n_step": 3, "gamma": 1.0, "prioritization": prioritization})
    agent = as_on_gpu(MaskedDQN(Broken(3e38), config, seed=0))
    with np.errstate(over="ignore"), pytest.raises(ValueError, match=r"Training diverged at step \d+, gradient step"):
        agent.learn(400)
    assert all(torch.isfinite(value).all() for value in agent.online_network.parameters())
    assert agent.num_gradient_steps <= learner.CHECK_INTERVAL + 100


def test_the_graph_agent_reads_nothing_within_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    agents = [GraphAgent(build(3), GraphConfig(**SMALL), seed=0) for _ in range(2)]
    agents[1].waits = False
    for group in agents[1].optimizer.param_groups:
        group["fused"], group["foreach"] = True, None
    steps, step = 0, graph_training._step

    def guarded(agent: GraphAgent, loss: torch.Tensor) -> torch.Tensor:
        nonlocal steps
        if agent.waits:
            return step(agent, loss)
        steps += 1
        with without_waiting(monkeypatch):
            return step(agent, loss)

    monkeypatch.setattr(graph_training, "_step", guarded)
    for agent in agents:
        agent.learn(24)
    assert steps == 4 * agents[1].config.epochs
    differences = [
        (one - other).abs().flatten()
        for one, other in zip(agents[1].network.parameters(), agents[0].network.parameters(), strict=True)
    ]
    assert torch.cat(differences).median() < 1e-6  # Adam enlarges the rounding of gradients that are 0
    assert agents[1].entropy == pytest.approx(agents[0].entropy, rel=1e-3)
    assert agents[1].loss == pytest.approx(agents[0].loss, rel=1e-3, abs=1e-5)


def test_tf32_is_a_setting_that_changes_nothing_on_the_cpu() -> None:
    plain = MaskedDQN(Corridor(), CONFIG, seed=0).learn(300)
    for words, wanted in (("training.tf32=true", True), ("training.tf32=false", False)):
        _set_torch(compose("env=lih", words).training)
        assert torch.backends.cuda.matmul.allow_tf32 is wanted
        agent = MaskedDQN(Corridor(), CONFIG, seed=0).learn(300)
        for one, other in zip(agent.online_network.parameters(), plain.online_network.parameters(), strict=True):
            assert torch.equal(one, other)


def test_drafts_on_tensors_are_those_in_arrays() -> None:
    """Observations and masks along random legal actions, some circuits left as they are."""
    env, rng = build(3), np.random.default_rng(0)
    ours, theirs = env.player.drafts(40, 6, torch_on("cpu")), env.player.drafts(40, 6)
    for _ in range(6):
        legal = theirs.masks
        np.testing.assert_array_equal(ours.masks.numpy(), legal)
        actions = np.where(rng.random(40) < 0.8, (rng.random(legal.shape) * legal).argmax(axis=1), -1)
        ours.append(torch.from_numpy(actions))
        theirs.append(actions)
        found, wanted = ours.observe(), theirs.observe()
        for name, values in wanted.items():
            assert found[name].dtype == torch.float32
            np.testing.assert_allclose(found[name].numpy(), values, rtol=1e-6)
    assert ours.actions == theirs.actions and {len(own) for own in ours.actions} > {5, 6}
    for own in ours.actions:
        assert env.player.checked(own) is not None


def test_circuits_drawn_on_a_device_follow_the_policy() -> None:
    """One action of 4,000 circuits: chi-square against the softmax; the seed decides; probabilities as in arrays."""
    env = build(3)
    agent = GraphAgent(env, GraphConfig(**SMALL), seed=0)
    table, library = agent.instances.own.table, torch_on("cpu")
    drawn, again, other = (
        draw(agent.network, table, env.player.drafts(4000, 1, library), 1, np.random.default_rng(seed))
        for seed in (0, 0, 1)
    )
    assert drawn.circuits == again.circuits != other.circuits
    with torch.no_grad():
        log_probs, _, _ = judged(agent.network, table, drawn)
    replay = replayed(table, env.player.drafts(4000, 1), drawn.circuits)
    with torch.no_grad():
        wanted, _, _ = judged(agent.network, table, replay)
    torch.testing.assert_close(log_probs, wanted, rtol=1e-5, atol=1e-6)
    chosen = drawn.chosen[:, 0].numpy()
    expected = np.exp([log_probs[chosen == action][0].item() for action in range(table.num_actions)])
    assert expected.sum() == pytest.approx(1.0, abs=1e-5)
    counts = np.bincount(chosen, minlength=table.num_actions)
    statistic = ((counts - 4000 * expected) ** 2 / (4000 * expected)).sum()
    assert statistic < 13.8  # two degrees of freedom, p = 0.001


@pytest.mark.parametrize("stop", [False, True])
def test_a_group_drawn_on_a_device_teaches_as_one_in_arrays(stop: bool) -> None:
    """The gradient steps of a group of tensors and of the same circuits in arrays lead to the same weights."""
    agents = [GraphAgent(build(3, stop=stop), GraphConfig(**SMALL), seed=0) for _ in "ab"]
    for agent in agents:
        agent.library = torch_on("cpu")
    place = 0, 4
    groups = [
        play_group(agent.network, agent.instances[0], place, 8, 5, np.random.default_rng(0), library=agent.library)
        for agent in agents
    ]
    assert isinstance(groups[0].drawn.chosen, torch.Tensor)
    drawn = groups[1].drawn
    in_arrays = type(drawn)(
        {name: one.numpy() for name, one in drawn.observations.items()},
        *(drawn.masks.numpy(), drawn.chosen.numpy(), drawn.circuits),
    )
    groups[1] = dataclasses.replace(groups[1], drawn=in_arrays)
    rewards = graph_training.rewards_of(groups[0].played.errors, 1e-3)
    for agent, group in zip(agents, groups, strict=True):
        graph_training._update(agent, agent.instances[0], group, rewards)
    for one, other in zip(*(agent.network.parameters() for agent in agents), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    agents[0].learn(12)
    assert agents[0].num_timesteps == 12 and np.isfinite(agents[0].loss)


def test_a_simulator_on_a_gpu_plays_the_circuits() -> None:
    """Under numba's simulator of a GPU: circuits drawn on tensors, minimised there, have the energies of the CPU."""
    rules = {"simulator": {"name": "statevector", "device": "cuda"}}
    agent = GraphAgent(build(2, **rules), GraphConfig(**SMALL), seed=0)
    instance, rng = agent.instances.own, np.random.default_rng(0)
    group = play_group(agent.network, instance, (0, 2), 2, 2, rng, library=torch_on("cpu"))
    exact, hamiltonian = StatevectorSimulator(), instance.env.problem.hamiltonian
    for circuit, energy in zip(group.played.circuits, group.played.energies, strict=True):
        assert energy == pytest.approx(exact.expectation(circuit, hamiltonian), abs=1e-10)
    assert (group.played.evaluations > 1).all()

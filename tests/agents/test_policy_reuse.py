"""Probabilistic policy reuse: which policy is chosen, what a useless one costs, and what is kept and restored."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

import qas_envs  # noqa: F401
from qas_agents import DQNConfig, MaskedDQN, PolicyLibrary, PolicyReuse, PolicyReuseConfig, ppr_dqn
from qas_agents.dqn.anchors import Anchors
from qas_agents.dqn.replay_buffer import Batch
from qas_agents.registry import AGENTS
from tests.qas_envs.test_bad_rules import refused

CONFIG = DQNConfig(
    network={"name": "mlp", "hidden": [16]}, learning_rate=1e-2, gamma=0.9, n_step=2, batch_size=16, buffer_size=500
)
QUICK = dataclasses.replace(
    CONFIG, learning_starts=20, train_frequency=2, epsilon_decay=0.97, target_update_interval=20
)


class Lock(gym.Env[Any, Any]):
    """A code of four actions out of three; a wrong one ends the episode. The reward is 1/4 for each right one."""

    observation_space = spaces.Box(0, 1, (4,), np.float32)
    action_space = spaces.Discrete(3)
    noise_step = 0
    codes = ((0, 1, 2, 0), (2, 2, 1, 1))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.place = 0
        return np.eye(4, dtype=np.float32)[0], {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        is_right = int(action) == self.codes[self.noise_step][self.place]
        self.place += is_right
        solved = self.place == 4
        observation = np.eye(4, dtype=np.float32)[min(self.place, 3)]
        return observation, is_right / 4, solved or not is_right, False, {"success": solved, "evaluations": 1}


def knowing(code: tuple[int, ...]) -> MaskedDQN:
    """Return an agent whose greedy policy enters a code: the identity, and a weight of 1 for each right action."""
    agent = MaskedDQN(Lock(), dataclasses.replace(CONFIG, network={"name": "mlp", "hidden": [4]}), seed=0)
    first, first_bias, last, last_bias = agent.online_network.parameters()
    with torch.no_grad():
        first[:] = torch.eye(4)
        last[:] = torch.tensor([[float(code[place] == action) for place in range(4)] for action in range(3)])
        first_bias[:] = last_bias[:] = 0.0
    return agent


def with_policies(*codes: tuple[int, ...], **settings: Any) -> MaskedDQN:
    library = PolicyLibrary(4, 3)
    for code in codes:
        library.add(knowing(code), str(code))
    return ppr_dqn(Lock(), QUICK, PolicyReuseConfig(**settings), 0, library=library)


def guide_of(agent: MaskedDQN) -> PolicyReuse:
    assert isinstance(agent.guide, PolicyReuse)
    return agent.guide


def episodes(agent: MaskedDQN, number: int) -> list[tuple[int, bool]]:
    """Train for a number of episodes; return which policy each one followed and whether it succeeded."""
    found: list[tuple[int, bool]] = []

    def note(seen: dict[str, Any], _: Any) -> bool:
        if seen["dones"][0]:
            found.append((guide_of(agent)._chosen, bool(seen["infos"][0]["success"])))
        return len(found) < number

    agent.learn(10**6, note)
    return found


def test_the_optimal_policy_is_chosen_in_the_end() -> None:
    agent = with_policies(Lock.codes[1], Lock.codes[0], (1, 1, 1, 1), psi_decay=1.0)
    assert guide_of(agent).probabilities().tolist() == [0.25] * 4, "nothing is known at first"
    played = episodes(agent, 300)
    # the gains are 0, 1, 0, and up to 1 for the agent's own; with tau = 0.05 * 300, exp(-15) is left for the useless
    probabilities = guide_of(agent).probabilities()
    assert probabilities[[0, 2]].max() < 1e-6 and guide_of(agent).reuse_gains()[1] == 1.0
    assert all(chosen in (1, 3) and success for chosen, success in played[-50:] if chosen != 3)
    share = np.mean([chosen == 1 for chosen, _ in played[100:]])
    assert share > 0.5
    frozen = with_policies(Lock.codes[0], psi_decay=1.0)
    guide = guide_of(frozen)
    guide._range, guide.gains, guide._episodes = (0.0, 1.0), [(10, 10.0), (10, 0.0)], 1000
    assert guide.probabilities()[0] == pytest.approx(1 / (1 + np.exp(-50.0)), abs=1e-15)


def test_the_choice_is_a_softmax_over_gains() -> None:
    """Worked by hand: returns from -1 to 3, means 3, 1 and never chosen: gains 1, 0.5 and 0; tau = 0.05 * 20 = 1."""
    guide = guide_of(with_policies(Lock.codes[0], Lock.codes[1]))
    guide._range, guide.gains, guide._episodes = (-1.0, 3.0), [(2, 6.0), (4, 4.0), (0, 0.0)], 20
    assert guide.reuse_gains().tolist() == [1.0, 0.5, 0.0]
    expected = np.exp([1.0, 0.5, 0.0])
    np.testing.assert_allclose(guide.probabilities(), expected / expected.sum(), rtol=1e-12)


def test_psi_decays_within_an_episode() -> None:
    """In step h the past policy acts with probability psi * psi_decay**h: shares of 4,000 episodes of three steps."""
    guide = guide_of(with_policies(Lock.codes[0], psi=0.8, psi_decay=0.5))
    rng, mask, taken = np.random.default_rng(0), np.ones(3), np.zeros(3)
    for _ in range(4000):
        guide._chosen, guide._step = 0, 0
        for step in range(3):
            action = guide.next_action(np.eye(4, dtype=np.float32)[step], mask, rng)
            taken[step] += action is not None
            assert action in (None, Lock.codes[0][step])
    np.testing.assert_allclose(taken / 4000, [0.8, 0.4, 0.2], atol=0.025)  # three standard errors
    assert guide.reused == taken.sum()
    guide._chosen = 1
    assert guide.next_action(np.eye(4, dtype=np.float32)[0], mask, rng) is None, "its own episode"


def test_a_past_policy_obeys_the_mask() -> None:
    guide = guide_of(with_policies((0, 0, 0, 0), psi_decay=1.0))
    guide._chosen = 0
    observation, rng = np.eye(4, dtype=np.float32)[0], np.random.default_rng(0)
    assert guide.next_action(observation, np.array([0, 1, 1]), rng) in (1, 2)


def test_a_useless_policy_costs_a_bounded_slowdown() -> None:
    """Where the agent's own gain is above g, a useless policy's share is below exp(-tau g): a geometric series."""
    for seed in range(2):
        agent = with_policies((1, 1, 1, 1), psi_decay=1.0)
        agent.reseed(seed)
        played = episodes(agent, 300)
        own = [success for chosen, success in played if chosen == 1]
        assert np.mean(own[-50:]) > 0.7, "the agent learns the code all the same"
        # at even odds it would be 150; with g = 0.5 after 60 episodes it is below 60 + exp(-1.5) / (1 - exp(-0.025))
        assert len(played) - len(own) < 100
        assert [chosen for chosen, _ in played[-100:]].count(0) <= 2


def test_tasks_end_with_the_noise_and_policies_are_kept() -> None:
    env = Lock()
    agent = ppr_dqn(env, QUICK, PolicyReuseConfig(), seed=0)
    episodes(agent, 200)
    assert guide_of(agent).library.labels == []
    steps = agent.num_timesteps
    env.noise_step = 1
    episodes(agent, 2)
    guide = guide_of(agent)
    assert guide.library.labels == ["task 0"] and agent.num_timesteps > steps
    assert agent.replay.first > 0 and len(agent.replay) < 20 and agent.epsilon == QUICK.epsilon_start
    kept, own = guide.library.tensors(), agent.online_network.state_dict()
    assert not any(torch.equal(kept[f"0.{name}"], value) for name, value in own.items()), "its weights are drawn again"
    place = np.eye(4, dtype=np.float32)
    assert [guide.library.action(0, place[k], np.ones(3)) for k in range(4)] == [*Lock.codes[0]]
    guide.end_task()
    episodes(agent, 2)
    assert sum(count for count, _ in guide.gains) <= 2, "gains are of this task only"


@pytest.mark.parametrize(
    ("carry", "learns_again"), [("nothing", True), ("networks", False), ("all", False), ("functions", False)]
)
def test_what_is_carried_over(carry: str, learns_again: bool) -> None:
    env = Lock()
    agent = ppr_dqn(env, QUICK, PolicyReuseConfig(psi=0.0, carry=carry), seed=0)
    episodes(agent, 60)
    transitions, epsilon = len(agent.replay), agent.epsilon
    env.noise_step = 1
    episodes(agent, 1)
    assert (agent.epsilon == QUICK.epsilon_start) == learns_again and epsilon < QUICK.epsilon_start
    assert (len(agent.replay) > transitions) == (carry == "all")
    assert guide_of(agent).reused == 0 and guide_of(agent).probabilities()[-1] == 1.0


def test_a_policy_is_kept_only_if_it_is_new() -> None:
    env = Lock()
    library = PolicyLibrary(4, 3)
    library.add(knowing(Lock.codes[0]), "known")
    agent = ppr_dqn(env, QUICK, PolicyReuseConfig(psi_decay=1.0), seed=0, library=library)
    episodes(agent, 100)
    env.noise_step = 1
    episodes(agent, 1)
    assert library.labels == ["known"], "the known policy has the highest gain"
    small = PolicyLibrary(4, 3, capacity=2)
    for k in range(3):
        small.add(knowing(Lock.codes[0]), str(k))
    assert small.labels == ["1", "2"] and len(small) == 2


def drifting() -> Any:
    drift = {"name": "walk", "every": 15, "steps": 4, "dropout": 0.3}
    return gym.make(
        "QAS-GHZ-v0",
        num_qubits=2,
        gates="clifford",
        optimizer="none",
        max_gates=3,
        noise={"name": "depolarizing", "p2": 0.005},
        drift=drift,
        disable_env_checker=True,
    ).unwrapped


@pytest.mark.parametrize("carry", ["nothing", "functions"])
def test_training_continues_to_the_same_bits(carry: str) -> None:
    from qas_envs.snapshots import restore, state_of

    env, twin_env = drifting(), drifting()
    agent, twin = (ppr_dqn(one, QUICK, PolicyReuseConfig(carry=carry), seed=3) for one in (env, twin_env))
    agent.learn(130)
    assert agent.guide.library.labels and env.noise_step > 0  # type: ignore[union-attr]
    arrays, numbers = agent.state()
    twin.check(arrays, numbers, agent.replay.count)
    twin.replay.put(0, agent.replay.since(0))
    twin.restore(arrays, numbers)
    restore(twin_env, state_of(env))
    for one in (agent, twin):
        one.learn(100)
    for own, other in zip(agent.state()[0].items(), twin.state()[0].items(), strict=True):
        assert own[0] == other[0] and (own[1] == other[1]).all(), own[0]
    assert agent.state()[1] == twin.state()[1]


def test_damaged_states_are_refused() -> None:
    agent = with_policies(Lock.codes[0])
    episodes(agent, 5)
    arrays, numbers = agent.state()
    guide = numbers["demonstrations"]
    for name, value, message in [
        ("chosen", 2, "`chosen` must be one of 2 policies"),
        ("gains", [[1, 0.0]], "`gains` must have a row"),
        ("reused", -1, "`reused` must be an integer"),
        ("range", [1.0, 0.0], "`range` must be two numbers in order"),
        ("policies", [], "`tensors` must be those of the policies"),
        ("ends", 1, "`ends` must be true or false"),
    ]:
        wrong = {**numbers, "demonstrations": {**guide, name: value}}
        assert message in refused(agent.check, arrays, wrong, agent.replay.count)
    damaged = {**arrays, "guide.0.0.weight": arrays["guide.0.0.weight"] * np.nan}
    assert "must be finite" in refused(agent.check, damaged, numbers, agent.replay.count)
    late = {**numbers, "first_transition": agent.replay.count + 1}
    assert "`first_transition`" in refused(agent.check, arrays, late, agent.replay.count)


def linear(weight: float) -> nn.Module:
    """Return a network of two inputs and three values: w x0, w x1 and w (x0 + x1)."""
    network = nn.Linear(2, 3, bias=False)
    with torch.no_grad():
        network.weight[:] = weight * torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    return network


def test_the_loss_of_the_anchors() -> None:
    """By hand: at (1, 2) the values 1, 2, 3 have doubled. Squared changes 1, 4, 9; the mean over legal actions."""
    rng = np.random.default_rng(0)
    for mask, expected in [((1, 1, 1), 14 / 3), ((1, 0, 1), 5.0), ((0, 1, 0), 4.0)]:
        anchors = Anchors(2, 3, per_task=5, max_tasks=2)
        anchors.see(np.array([1.0, 2.0], dtype=np.float32), np.array(mask))
        anchors.end_task(linear(1.0))
        assert anchors.loss(linear(1.0), 4, rng).item() == 0.0
        assert anchors.loss(linear(2.0), 4, rng).item() == pytest.approx(expected, rel=1e-6)


def test_the_anchors_are_a_term_of_the_loss() -> None:
    """The gradient step on one transition with a reward: 0.25 * mean squared change is added to the Huber loss."""
    losses = []
    for weight in (0.0, 0.25):
        agent = with_policies(Lock.codes[0], carry="functions", anchor_weight=weight)
        guide = guide_of(agent)
        assert guide.anchors is not None and guide.further_loss(agent.online_network, 8, agent.rng) is None
        place = np.eye(4, dtype=np.float32)
        guide.next_action(place[0], np.array([1, 0, 1]), agent.rng)
        guide.anchors.end_task(agent.learner.values)
        with torch.no_grad():
            [*agent.online_network.parameters()][-1].add_(torch.tensor([1.0, 7.0, 3.0]))  # biases of the values
        none = np.ones((1, 3), dtype=np.int8)
        batch = Batch(place[:1], np.array([1]), np.ones(1, "f4"), np.zeros(1, "f4"), place[1:2], none, np.ones(1, "f4"))
        further = partial(guide.further_loss, size=8, rng=agent.rng)
        losses.append(agent.learner.gradient_step(batch, "here", further)[0])
    assert losses[1] - losses[0] == pytest.approx(0.25 * (1 + 9) / 2, rel=1e-5)


@pytest.mark.parametrize("bf16", [False, True])
def test_the_anchors_of_a_task_are_rounded_as_its_network_is(bf16: bool) -> None:
    """Before the first step of the next task nothing has changed, so the loss is 0 in bfloat16, too."""
    config = dataclasses.replace(QUICK, bf16=bf16)
    agent = ppr_dqn(Lock(), config, PolicyReuseConfig(psi=0.0, carry="functions"), 0)
    guide = guide_of(agent)
    assert guide.anchors is not None
    episodes(agent, 3)
    guide.end_task()
    guide.begin_episode(agent)
    assert len(guide.anchors) > 0
    batch = torch.as_tensor(guide.anchors.observations)
    rounded = (agent.online_network(batch).detach() - agent.learner.values(batch)).abs().max().item()
    assert (rounded > 0) == bf16, "the two precisions differ"
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        loss = guide.further_loss(agent.online_network, 8, agent.rng)
    assert loss is not None and loss.item() == 0.0


def test_anchors_keep_what_was_learned() -> None:
    """Two codes in succession; where the loss keeps the values of the first task, they change less."""
    changes = []
    for weight in (0.0, 10.0):
        env = Lock()
        agent = ppr_dqn(env, QUICK, PolicyReuseConfig(psi=0.0, carry="functions", anchor_weight=weight), seed=0)
        episodes(agent, 200)
        env.noise_step = 1
        episodes(agent, 1)
        anchors = guide_of(agent).anchors
        assert anchors is not None and len(anchors) == 256
        episodes(agent, 60)
        changes.append(anchors.loss(agent.online_network, 1000, np.random.default_rng(0)).item())
    assert changes[1] < 0.1 * changes[0]


def test_damaged_anchors_are_refused() -> None:
    agent = with_policies(Lock.codes[0], carry="functions")
    episodes(agent, 20)
    guide_of(agent).end_task()
    episodes(agent, 3)
    arrays, numbers = agent.state()
    agent.check(arrays, numbers, agent.replay.count)
    for name, damage, message in [
        ("values", lambda array: array * np.nan, "`values` must be finite"),
        ("values", lambda array: array[1:], "`values` must be float32 of shape"),
        ("seen_masks", lambda array: array * 0, "`seen_masks` must be 0 or 1, with a legal action"),
        ("observations", lambda array: array.astype("f8"), "`observations` must be float32"),
    ]:
        wrong = {**arrays, f"guide.anchors.{name}": damage(arrays[f"guide.anchors.{name}"])}
        assert message in refused(agent.check, wrong, numbers, agent.replay.count)
    lacking = {name: array for name, array in arrays.items() if name != "guide.anchors.masks"}
    assert "`anchors` must hold" in refused(agent.check, lacking, numbers, agent.replay.count)


def test_libraries_are_files(tmp_path: Path) -> None:
    library = PolicyLibrary(4, 3, capacity=5)
    for code in Lock.codes:
        library.add(knowing(code), str(code))
    library.save(tmp_path / "library.safetensors")
    loaded = PolicyLibrary.load(tmp_path / "library.safetensors")
    assert loaded.labels == library.labels and loaded.capacity == 5
    for number, code in enumerate(Lock.codes):
        for place in range(4):
            assert loaded.action(number, np.eye(4, dtype=np.float32)[place], np.ones(3)) == code[place]
    (tmp_path / "other").write_bytes(b"x")
    assert "a file written by PolicyLibrary.save" in refused(PolicyLibrary.load, tmp_path / "other")
    content = bytearray((tmp_path / "library.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "library.safetensors").write_bytes(bytes(content))
    assert "SHA-256" in refused(PolicyLibrary.load, tmp_path / "library.safetensors")


def test_bad_input() -> None:
    for settings, message in [
        ({"psi": 1.5}, "`psi` must lie in"),
        ({"psi_decay": -0.1}, "`psi_decay` must lie in"),
        ({"temperature_step": -1.0}, "`temperature_step` must be finite"),
        ({"max_policies": 0}, "`max_policies` must be at least 1"),
        ({"anchors": 0}, "`anchors` must be at least 1"),
        ({"anchor_weight": np.inf}, "`anchor_weight` must be finite"),
        ({"carry": "al"}, "Did you mean 'all'"),
    ]:
        assert message in refused(PolicyReuseConfig, **settings)
    many = gym.make_vec("QAS-Bell-v0", 2, "vector_entry_point", autoreset_mode="Disabled")
    assert "`env` must be a single environment" in refused(ppr_dqn, many)
    assert "`prioritization` must be 0" in refused(ppr_dqn, Lock(), DQNConfig(prioritization=0.5))
    assert "`library` must have 4 inputs" in refused(ppr_dqn, Lock(), library=PolicyLibrary(5, 3))
    assert "`agent` must have 5 inputs" in refused(PolicyLibrary(5, 3).add, knowing(Lock.codes[0]), "x")
    assert "`capacity` must be" in refused(PolicyLibrary, 4, 3, 0)


def test_the_registry_builds_it() -> None:
    entry: Any = AGENTS["ppr_dqn"]
    agent = entry.make(Lock(), 0, "cpu", psi=0.5, learning_starts=7)
    assert agent.guide.settings()["psi"] == 0.5 and agent.config.learning_starts == 7

"""The graph agent: equivariance, legal circuits, training, resuming, and playing other sizes."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import qas_envs  # noqa: F401
from qas_agents import GraphAgent, GraphConfig
from qas_agents.graph.drawing import ActionTable, draw, replayed, scores_of
from qas_agents.graph.elites import Elites
from qas_agents.graph.network import PairNetwork
from qas_agents.graph.teaching import Phase, group_instances, groups_so_far, next_phase, searches
from qas_agents.graph.training import _clone_sets, advantages_of, rewards_of

SMALL: dict[str, Any] = {"hidden": 8, "rounds": 1, "batch": 6, "max_iterations": 10}


def build(num_qubits: int = 4, **settings: Any) -> Any:
    given = {"actions": "blocks", "encoding": "hamiltonian_graph", "max_gates": 24, **settings}
    return gym.make("QAS-TFIM-v0", num_qubits=num_qubits, disable_env_checker=True, **given).unwrapped


def network(hidden: int = 16, rounds: int = 2) -> PairNetwork:
    torch.manual_seed(0)
    return PairNetwork((10, 18, 8), hidden, rounds).eval()


@pytest.mark.parametrize("n", [2, 3, 7])
def test_permuted_qubits_permute_the_logits(n: int) -> None:
    net, rng = network(), np.random.default_rng(n)
    pairs = [*combinations(range(n), 2)]
    qubits, edges = torch.tensor(rng.normal(size=(2, n, 10))), torch.tensor(rng.normal(size=(2, len(pairs), 18)))
    circuit = torch.tensor(rng.normal(size=(2, 8)))
    net = net.double()
    first = net(qubits, edges, circuit)
    for _ in range(5):
        order = rng.permutation(n)
        places = [pairs.index((min(order[a], order[b]), max(order[a], order[b]))) for a, b in pairs]
        second = net(qubits[:, order], edges[:, places], circuit)
        torch.testing.assert_close(second.pairs, first.pairs[:, places], atol=1e-5, rtol=0)
        torch.testing.assert_close(second.stop, first.stop, atol=1e-5, rtol=0)
        torch.testing.assert_close(second.value, first.value, atol=1e-5, rtol=0)
    assert n == 2 or first.pairs.std(dim=1).min() > 1e-4  # pairs differ


def test_one_network_for_all_sizes() -> None:
    net = network()
    for n in (2, 20):
        env = build(n)
        scores = scores_of(net, env.player.drafts(3).observe())
        assert scores.pairs.shape == (3, n * (n - 1) // 2, 3) and scores.value.shape == (3,)
        assert torch.isfinite(scores.pairs).all()


@pytest.mark.parametrize("stop", [False, True])
def test_drawn_circuits_are_legal_and_can_be_replayed(stop: bool) -> None:
    env, net = build(stop=stop, couplings="line"), network()
    with torch.no_grad():
        net.circuit_head[-1].bias[0] = 1.0  # stops often, where it may
    table = ActionTable(env.catalogue)
    drawn = draw(net, table, env.player.drafts(40, 6), 6, np.random.default_rng(0))
    lengths = [len(actions) for actions in drawn.circuits]
    assert all(env.player.checked(actions) is not None for actions in drawn.circuits)
    assert (min(lengths) < 6) == stop and max(lengths) <= 6 and min(lengths) >= 1
    again = replayed(table, env.player.drafts(40, 6), drawn.circuits)
    steps = again.chosen.shape[1]
    np.testing.assert_array_equal(again.chosen, drawn.chosen[:, :steps])
    alive = again.chosen >= 0
    for name in ("qubits", "pairs", "circuit"):
        same = again.observations[name][:, :steps] == drawn.observations[name][:, :steps]
        assert same.reshape(40, steps, -1).all(axis=2)[alive].all()


def test_draws_follow_the_softmax() -> None:
    env, net = build(3), network()
    table, drafts = ActionTable(env.catalogue), env.player.drafts(4000, 1)
    logits = table.logits(scores_of(net, env.player.drafts(1, 1).observe()), torch.ones(1, 3))
    wanted = torch.softmax(logits, dim=1)[0].detach().numpy()
    drawn = draw(net, table, drafts, 1, np.random.default_rng(0))
    shares = np.bincount(drawn.chosen[:, 0], minlength=3) / 4000
    assert np.abs(shares - wanted).max() < 4 * np.sqrt(0.25 / 4000)


def test_other_actions_are_refused() -> None:
    with pytest.raises(ValueError, match="`actions` must be blocks on two qubits"):
        GraphAgent(build(actions="gates"))
    with pytest.raises(ValueError, match="`encoding` must be 'hamiltonian_graph'"):
        GraphAgent(build(encoding="graph"))
    for settings in (
        {"batch": 1},
        {"lengths": (2.0, 1.0)},
        {"instances": {"field": 1.0}},
        {"clip": 0.0},
        {"expert": 0},
    ):
        with pytest.raises(ValueError, match=f"`{next(iter(settings))}"):
            GraphConfig(**settings)


def test_rewards_are_decades() -> None:
    found = rewards_of(np.array([1e-3, -1e-2, 1e-9, 50.0]), 1e-3)
    np.testing.assert_allclose(found, [0.0, -1.0, 1.0, -3.0], atol=1e-12)


def test_advantages_are_of_the_group() -> None:
    np.testing.assert_allclose(advantages_of(np.array([1.0, 3.0])), [-1.0, 1.0], atol=2e-3)
    found = advantages_of(np.array([0.0, 1.0, 2.0, 3.0, 7.0]), best=0.4)  # the baseline is 2.4
    np.testing.assert_allclose(found, np.array([0.0, 0.0, 0.0, 0.6, 4.6]) / np.sqrt(5.84), atol=2e-3)


def test_the_shorter_half_of_the_lengths_of_every_instance() -> None:
    elites = Elites(2)
    for instance, length in ((0, 5), (0, 4), (0, 7), (2, 6), (2, 9)):
        elites.add(instance, length, tuple(range(length)), tuple(range(length)), 0.1)
    assert elites.short_keys() == [(0, 4), (0, 5), (2, 6)]


def test_rounds_of_expert_iteration_have_their_order() -> None:
    """Teacher, imitation, and twice: search of both instances, imitation of short circuits, a group; then groups."""
    instances = {"num_qubits": [3], "field": [0.8, 1.2]}
    agent = GraphAgent(build(3), GraphConfig(instances=instances, teacher=4, cloning=2, **EXPERT, **SMALL), seed=0)
    seen = []
    for _ in range(20):
        phase = next_phase(agent)
        seen.append((phase.name[0] if phase is not Phase.IMITATE_SHORT else "i", groups_so_far(agent)))
        if phase is Phase.SEARCH:
            agent.num_taught += 1
        else:
            agent.num_updates += 1
    assert "".join(name for name, _ in seen) == "SSIISSiiiGSSiiiGGGGG"[: len(seen)]
    groups = [number for name, number in seen if name == "G"]
    assert groups == [*range(len(groups))]


def test_expert_iteration_finds_and_imitates_short_circuits() -> None:
    """Only qubits 0 and 2 interact: searches with longer circuits are shortened to one block, which is imitated."""
    hamiltonian = {"ZIZ": -1.0, "IIX": -0.5, "IXI": -0.5, "XII": -0.5}
    settings = {"actions": "blocks", "encoding": "hamiltonian_graph", "max_gates": 12, "accuracy": 1e-4}
    env = gym.make("QAS-GroundState-v0", hamiltonian=hamiltonian, disable_env_checker=True, **settings).unwrapped
    config = GraphConfig(hidden=16, rounds=1, batch=8, lengths=(1.0, 1.0), learning_rate=1e-2, imitation=0.0, **EXPERT)
    agent = GraphAgent(env, replace(config, expert=40, expert_steps=60, expert_groups=0), seed=0)
    seen: list[Any] = []
    agent.learn(80, lambda step, _: seen.append(step["infos"][0]) or True)
    assert agent.num_timesteps == len(seen) == 80 and agent.num_taught == 2
    assert agent.num_updates == 60  # of the first round: the second search had the last circuit
    assert agent.elites.keys()[0] == (0, 1)
    table = agent.instances.own.table
    drawn = draw(agent.network, table, env.player.drafts(100, 1), 1, np.random.default_rng(0))
    assert np.mean([env.catalogue.actions[actions[0]].qubits == (0, 2) for actions in drawn.circuits]) > 0.6


def test_rounds_climb_a_ladder_of_sizes() -> None:
    """Sizes are searched in order, then all of them; groups between rounds are of the size that is searched next."""
    config = GraphConfig(
        instances={"num_qubits": [4, 2, 3], "field": [0.8, 1.2]}, **{**CLIMB, "expert_rounds": 4}, **SMALL
    )
    agent = GraphAgent(build(3), config, seed=0)
    assert searches(agent, 4) == [0, 1, 2, 3, 4, 5, *range(6)] and searches(agent, 2) == [0, 1, 2, 3]
    played = []
    for agent.num_updates in (0, 3, 4, 7, 8, 11, 12, 100):  # each round has three steps and a group
        played.append(group_instances(agent))
    later = [*range(6)]
    assert played == [[2, 3]] * 2 + [[4, 5]] * 2 + [later] * 4
    agent = GraphAgent(build(3), replace(config, teacher=5), seed=0)
    assert searches(agent, 1) == [*range(6), 0, 1]
    with pytest.raises(ValueError, match="`climb` must be False without rounds"):
        GraphConfig(climb=True)
    with pytest.raises(ValueError, match="`price` must be 0 with climb"):
        GraphConfig(price=0.1, **CLIMB)


def test_solutions_are_imitated_as_a_set() -> None:
    """The probability of the whole set rises, and its loss is that of an independent sum over its circuits."""
    env = build(3, max_gates=60)
    agent = GraphAgent(env, GraphConfig(brevity=1.5, learning_rate=1e-2, **CLIMB, **SMALL), seed=0)
    circuits = [(0, 1), (2, 0), (0, 1, 0)]
    for actions, reward in zip(circuits, (0.5, 1.0, 0.0), strict=True):
        agent.elites.add(0, len(actions), actions, actions, reward)
    agent.elites.add(0, 1, (1,), (1,), -0.1)  # no solution
    assert agent.elites.instances() == [0] and agent.elites.solutions(0, 1) == {2: [(0, 1), (2, 0)]}

    def weight() -> float:
        total = 0.0
        for actions in circuits:  # step by step, without the function under test
            drafts, logarithm = env.player.drafts(1, len(actions)), 0.0
            for action in actions:
                with torch.no_grad():
                    masks = torch.as_tensor(np.array(drafts.masks))
                    logits = agent.instances.own.table.logits(scores_of(agent.network, drafts.observe()), masks)
                logarithm += float(logits.log_softmax(dim=1)[0, action])
                drafts.append([action])
            total += np.exp(logarithm - 1.5 * (len(actions) - 2))
        return total

    before = weight()
    _clone_sets(agent)
    assert agent.loss == pytest.approx(-np.log(before) / 2, rel=1e-5)
    for _ in range(120):
        _clone_sets(agent)
    # A mirrored circuit is as probable, so that at most half of the draws of a length can be in the set.
    assert before < 0.5 and 0.6 < weight() <= 0.5 * (1 + np.exp(-1.5)) + 1e-6


def test_elites_are_distinct_and_the_best() -> None:
    elites = Elites(2)
    for reward, actions in ((0.1, (0, 1)), (0.3, (1, 2)), (0.2, (2, 0)), (0.4, (1, 2))):
        elites.add(0, 2, tuple(sorted(actions)), actions, reward)
    assert sorted(elites.of(0, 2)) == [(1, 2), (2, 0)] and elites.of(0, 3) == []
    other = Elites(2)
    other.check(elites.arrays(), 1)
    other.restore(elites.arrays())
    assert other.of(0, 2) == elites.of(0, 2)
    with pytest.raises(ValueError, match="be of 0 instances"):
        other.check(elites.arrays(), 0)


def test_training_learns_which_pair_matters() -> None:
    """Only qubits 0 and 2 interact, so that one block on them is the solution."""
    hamiltonian = {"ZIZ": -1.0, "IIX": -0.5, "IXI": -0.5, "XII": -0.5}
    settings = {"actions": "blocks", "encoding": "hamiltonian_graph", "max_gates": 3, "accuracy": 1e-4}
    env = gym.make("QAS-GroundState-v0", hamiltonian=hamiltonian, disable_env_checker=True, **settings).unwrapped
    agent = GraphAgent(env, GraphConfig(hidden=16, rounds=1, batch=8, lengths=(0.3, 0.3), learning_rate=1e-2), seed=0)
    seen: list[Any] = []
    agent.learn(8 * 25, lambda step, _: seen.append(step) or True)
    assert agent.num_timesteps == len(seen) == 200 and seen[0]["circuit_env"] is env
    observation, info = env.reset(seed=0)
    action, _ = agent.predict(observation, deterministic=True, action_masks=info["action_mask"])
    assert env.catalogue.actions[action].qubits == (0, 2)
    assert np.mean([step["infos"][0]["success"] for step in seen[-40:]]) > 0.6


EXPERT: dict[str, Any] = {"expert_rounds": 2, "expert": 5, "expert_steps": 3, "expert_groups": 1}
CLIMB: dict[str, Any] = {**EXPERT, "climb": True}


@pytest.mark.parametrize("settings", [{"curriculum": 6}, {"teacher": 10, "cloning": 3}, EXPERT, CLIMB], ids=str)
def test_training_continues_to_the_same_numbers(settings: dict[str, Any]) -> None:
    def made() -> GraphAgent:
        instances = {"num_qubits": [3, 4], "field": [0.8, 1.2]}
        return GraphAgent(build(5), GraphConfig(instances=instances, **settings, **SMALL), seed=3)

    whole, half, resumed = made(), made(), made()
    whole.learn(60)
    half.learn(24)
    state = half.state()
    resumed.restore(*state)
    resumed.learn(60 - half.num_timesteps)
    for first, second in zip(whole.state(), resumed.state(), strict=True):
        assert first.keys() == second.keys()
        for name, value in first.items():
            np.testing.assert_array_equal(value, second[name], err_msg=name)
    arrays, numbers = state
    for damaged in (
        ({**arrays, "elites.rewards": arrays["elites.rewards"][:-1]}, numbers),
        ({name: value for name, value in arrays.items() if not name.startswith("network.norm")}, numbers),
        (arrays, {**numbers, "num_updates": -1}),
        ({**arrays, "other": np.zeros(1)}, numbers),
    ):
        with pytest.raises(ValueError, match="must"):
            made().restore(*damaged)


def test_steps_of_imitation_without_a_solution_are_restored() -> None:
    """Nothing was learned: no figures, and no state of Adam; a state that lacks Adam's after groups is damaged."""
    early, learned = (GraphAgent(build(3), GraphConfig(**SMALL), seed=0) for _ in range(2))
    early.num_updates = 3
    again = GraphAgent(build(3), GraphConfig(**SMALL), seed=1)
    again.restore(*early.state())
    assert again.num_updates == 3 and again.rng.random() == early.rng.random()
    learned.learn(6)
    arrays, numbers = learned.state()
    with pytest.raises(ValueError, match="must"):
        again.restore({name: value for name, value in arrays.items() if not name.startswith("adam")}, numbers)


def test_a_saved_policy_plays_another_size(tmp_path: Path) -> None:
    agent = GraphAgent(build(3), GraphConfig(**SMALL), seed=0)
    agent.learn(6)
    agent.save(tmp_path / "policy.safetensors")
    env = build(5, gates="ibm", stop=True)
    loaded = GraphAgent.load(tmp_path / "policy.safetensors", env)
    assert loaded.num_timesteps == 6
    observation, info = env.reset(seed=0)
    for deterministic in (True, False):
        action, _ = loaded.predict(observation, deterministic=deterministic, action_masks=info["action_mask"])
        assert info["action_mask"][action] == 1
    batch = {name: np.stack([array] * 3) for name, array in observation.items()}
    assert loaded.predict(batch, deterministic=True)[0].shape == (3,)
    content = (tmp_path / "policy.safetensors").read_bytes()
    (tmp_path / "damaged.safetensors").write_bytes(content[:-8] + b"\0" * 8)
    with pytest.raises(ValueError, match=r"a file written by GraphAgent\.save"):
        GraphAgent.load(tmp_path / "damaged.safetensors", env)

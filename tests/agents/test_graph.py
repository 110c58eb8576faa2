"""The graph agent: equivariance, legal circuits, training, resuming, and playing other sizes."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import qas_envs  # noqa: F401
from qas_agents import GraphAgent, GraphConfig, PolicyProposal
from qas_agents.graph.drawing import ActionTable, draw, replayed, scores_of
from qas_agents.graph.elites import Elites
from qas_agents.graph.network import PairNetwork
from qas_agents.graph.search import policy_file
from qas_agents.graph.teaching import Phase, group_instances, groups_so_far, next_phase, searches
from qas_agents.graph.training import _clone_sets, advantages_of, rewards_of
from qas_agents.searchers import BlockAnnealing
from qas_simulators import Circuit

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


def test_a_policy_proposes_legal_skeletons_and_guides_annealing() -> None:
    env = build(4, max_gates=30)
    agent = GraphAgent(env, GraphConfig(**SMALL), seed=0)
    proposal = PolicyProposal(agent, 0, lengths=(1.0, 2.0), candidates=3)
    skeletons = proposal.skeletons(12, 7)
    assert len(skeletons) == 12 and all(0 < len(one) <= 7 for one in skeletons)
    for one in skeletons:
        assert env.player.checked(one) is not None and agent.instances.own.canonical(one) == one
    assert {proposal.block(skeletons[0][:2], 7) for _ in range(30)} <= set(range(6))
    infos: list[dict[str, Any]] = []
    search = BlockAnnealing(env, 0, openings=4, cycle=5, proposal=proposal)
    search.learn(30, lambda step, _: infos.append(step["infos"][0]) or True)
    assert len(infos) == 30 and len({info["num_two_qubit_gates"] for info in infos}) > 1
    with pytest.raises(ValueError, match="`temperature` must be positive"):
        PolicyProposal(agent, temperature=0.0)
    assert isinstance(env.circuit, Circuit)


@pytest.mark.parametrize("guided", [False, True])
def test_scouts_come_before_an_unchanged_search(guided: bool) -> None:
    """Four long circuits and the best of them to the end, then what the search plays without them."""

    def played(scouts: int) -> list[tuple[Any, ...]]:
        env = build(4, max_gates=60, accuracy=1e-9)
        proposal = PolicyProposal(GraphAgent(env, GraphConfig(**SMALL), seed=0), 0) if guided else None
        settings: dict[str, Any] = {"openings": 4, "cycle": 5, "own_pairs": False, "proposal": proposal}
        rows: list[tuple[Any, ...]] = []
        search = BlockAnnealing(env, 0, scouts=scouts, **settings)
        search.learn(20 + scouts + (scouts > 0), lambda step, _: rows.append(_row(step["infos"][0])) or True)
        return rows

    alone, after = played(0), played(4)
    assert after[5:] == alone and len(alone) == 20
    longest = 20  # five blocks for each of four qubits; in canonical order equal blocks in a row are one
    assert all(longest // 2 < gates <= longest for gates, *_ in after[:5])
    assert all(evaluations <= 60 for _, evaluations, _ in after[:4])  # 40 iterations
    assert after[4][2] <= min(error for *_, error in after[:4]) + 1e-12


def _row(info: dict[str, Any]) -> tuple[int, int, float]:
    return info["num_two_qubit_gates"], info["evaluations"], abs(info["energy_error"])


def test_a_scout_is_shortened_where_the_first_cycle_fails() -> None:
    """Circuits of one block do not solve a chain of four; with two mutations a cycle the scout's turn comes at once."""
    env = build(4, max_gates=60, accuracy=1e-2)
    search = BlockAnnealing(env, 0, start_blocks=1, openings=2, cycle=2, own_pairs=False, scouts=4)
    seen: list[tuple[str, int, bool]] = []

    def note(step: dict[str, Any], _: dict[str, Any]) -> bool:
        info = step["infos"][0]
        seen.append((search.origin[0], len(search.origin[1]), bool(info["success"])))
        return len(seen) < 30

    search.learn(30, note)
    first = [origin for origin, *_ in seen].index("shorten")
    assert any(success for *_, success in seen[:5]) and not any(success for *_, success in seen[5:first])
    assert first <= 5 + 3 + 2 and seen[first][1] > 10
    with pytest.raises(ValueError, match="`scouts` must not be negative"):
        BlockAnnealing(env, 0, scouts=-1)


def test_scouts_in_stages() -> None:
    """Two rounds, of four and of sixteen circuits: each stage continues the better quarter of the one before."""
    env = build(4, max_gates=60, accuracy=1e-13)
    settings: dict[str, Any] = {"scout_iterations": (5, 10, 20), "scout_rounds": 2, "own_pairs": False}
    rows: list[tuple[Any, ...]] = []
    search = BlockAnnealing(env, 0, scouts=4, **settings)
    search.learn(27, lambda step, _: rows.append(_row(step["infos"][0])) or True)
    assert all(gates > 5 for gates, *_ in rows)
    sizes = 4, 1, 1, 16, 4, 1
    ends = np.cumsum(sizes).tolist()
    stages = [rows[end - size : end] for size, end in zip(sizes, ends, strict=True)]
    for (before, after), most in zip([*pairwise(stages)], (10, 20, 5, 10, 20), strict=True):
        assert all(evaluations <= 1.3 * most + 2 for _, evaluations, _ in after)
        if most > 5:
            kept = sorted(error for *_, error in before)[: len(after)]
            assert max(error for *_, error in after) <= kept[-1] + 1e-12
            assert min(error for *_, error in after) <= kept[0] + 1e-12
    assert ends[-1] == 27


def test_a_solution_ends_the_stages() -> None:
    env = build(4, max_gates=60, accuracy=1e-2)
    seen: list[bool] = []
    search = BlockAnnealing(env, 0, openings=2, scouts=1, scout_iterations=(200, 100), scout_rounds=3, own_pairs=False)
    search.learn(3, lambda step, _: seen.append(bool(step["infos"][0]["success"])) or True)
    assert seen[0] and search.origin[0] == "start"
    assert len(env.player.actions) < 13  # an opening of at most ten blocks: the search itself


def test_scouts_of_pairs_start_near_the_product_state() -> None:
    """All scouts are the layers of the chain's pairs; one iteration from tiny angles stays near the energy of zeros."""
    env = build(4, max_gates=60)
    zeros = env.problem.hamiltonian.basis_energies()[0] - env.problem.ground_energy
    settings: dict[str, Any] = {"scouts": 4, "scout_pairs": True, "scout_iterations": (1,)}
    errors, circuits = {}, set()
    for spread in (1e-9, 1.0):
        infos: list[dict[str, Any]] = []

        def note(step: dict[str, Any], _: dict[str, Any], infos: list[dict[str, Any]] = infos) -> bool:
            infos.append(step["infos"][0])
            circuits.add(tuple(env.player.actions))
            return True

        BlockAnnealing(env, 0, spread=spread, **settings).learn(4, note)
        errors[spread] = [info["energy_error"] for info in infos]
    assert len(circuits) == 1 and len(next(iter(circuits))) == 20
    assert np.ptp(errors[1e-9]) < 1e-6 and np.ptp(errors[1.0]) > 1e-2
    assert 0 < max(errors[1e-9]) <= zeros + 1e-12
    for wrong in ({"spread": 0.0}, {"scout_iterations": (0,)}, {"scout_rounds": 0}):
        with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` must"):
            BlockAnnealing(env, 0, **wrong)


def test_cold_scouts_repeat_the_likeliest_blocks() -> None:
    """Near temperature 0 long skeletons are greedy, except for the chain's symmetry; other draws do not change."""
    env = build(4, max_gates=60)
    agent = GraphAgent(env, GraphConfig(**SMALL), seed=0)
    warm, cold = PolicyProposal(agent, 0), PolicyProposal(agent, 0, scout_temperature=1e-6)
    assert len({tuple(one) for one in cold.long_skeletons(16, 2.0)}) <= 4
    assert len({tuple(one) for one in warm.long_skeletons(16, 2.0)}) > 8
    assert warm.skeletons(4, 6) == cold.skeletons(4, 6)
    with pytest.raises(ValueError, match="`scout_temperature` must not be negative"):
        PolicyProposal(agent, scout_temperature=-1.0)


@pytest.mark.parametrize("name", ["h4_rectangles", "ising_graphs", "lih_lengths", "tfim_sizes", "xxz_chains"])
def test_policies_of_the_library_play(name: str) -> None:
    env = build(3)
    agent = GraphAgent.load(policy_file(name), env)
    skeletons = PolicyProposal(agent, 0).skeletons(4, 6)
    assert agent.num_timesteps > 3000 and all(env.player.checked(one) is not None for one in skeletons)
    assert len(policy_file(name).read_bytes()) < 400_000
    with pytest.raises(ValueError, match="or one of h4_rectangles, ising_graphs, lih_lengths, tfim_sizes, xxz_chains"):
        policy_file("nothing")


@pytest.mark.parametrize("guided", [False, True])
def test_cycles_start_from_small_angles(guided: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    env = build(4, max_gates=60, accuracy=1e-9)
    proposal = PolicyProposal(GraphAgent(env, GraphConfig(**SMALL), seed=0), 0) if guided else None
    starts: list[Any] = []
    usual = env.player.play_many

    def play_many(circuits: Any, params: Any, **settings: Any) -> Any:
        starts.append(np.concatenate(params))
        return usual(circuits, params, **settings)

    monkeypatch.setattr(env.player, "play_many", play_many)
    for spread in (0.1, 1.0):
        starts.clear()
        search = BlockAnnealing(env, 0, openings=4, own_pairs=False, proposal=proposal, spread=spread)
        search.learn(4, lambda step, _: True)
        assert 0.9 * spread < np.abs(starts[0]).max() / np.pi <= spread
    with pytest.raises(ValueError, match=r"`spread` must lie in \(0, 1\]"):
        BlockAnnealing(env, 0, spread=0.0)

"""The graph agent on devices: legal circuits, training on noisy energies, stopping, and policies that do not fit."""

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
from qas_agents import BlockAnnealing, GraphAgent, GraphConfig, policy_search
from qas_agents.graph.drawing import ActionTable, draw, judged, replayed, scores_of
from qas_agents.graph.network import PairNetwork
from qas_envs.drift import NoiseDrift
from qas_envs.encodings.hamiltonian_graph import PAIR_FEATURES
from qas_simulators.device_snapshots import snapshot

SMALL = GraphConfig(hidden=8, rounds=1, batch=4, max_iterations=8, lengths=(1.5, 1.5))
NOISE: list[dict[str, Any]] = [
    {"name": "snapshot", "device": "lima", "qubits": [1, 0, 3]},
    {"name": "snapshot", "device": "yorktown", "qubits": [0, 2, 1]},
]


def build(device: str = "full", **settings: Any) -> Any:
    encoding = {"name": "hamiltonian_graph", "device": device}
    given = {"num_qubits": 3, "seed": 2, "accuracy": 0.1, "actions": "blocks", "encoding": encoding, **settings}
    return gym.make("QAS-XXZChain-v0", disable_env_checker=True, max_gates=24, **given).unwrapped


def network() -> PairNetwork:
    torch.manual_seed(0)
    return PairNetwork((13, 21, 8), 16, 2).eval()


@pytest.mark.parametrize("seed", [0, 1])
def test_circuits_of_a_policy_obey_the_coupling_map(seed: int) -> None:
    env = build(num_qubits=6, couplings={"name": "random", "seed": seed, "edge_probability": 0.3})
    drawn = draw(
        network(), ActionTable(env.catalogue), env.player.drafts(20, 8), 8, np.random.default_rng(0), temperature=9.0
    )
    coupled = env.reset(seed=0)[0]["pairs"][:, PAIR_FEATURES.index("has_action")]
    used = {tuple(sorted(env.catalogue.actions[action].qubits)) for own in drawn.circuits for action in own}
    assert used == {pair for pair, is_coupled in zip(combinations(range(6), 2), coupled, strict=True) if is_coupled}
    assert all(env.player.checked(own) is not None for own in drawn.circuits)


def test_permuted_devices_permute_the_logits() -> None:
    """The second observation is the first with other numbers of the qubits, device included."""
    seen = build(noise=NOISE[0]).reset(seed=0)[0]
    net, pairs, order = network().double(), [*combinations(range(3), 2)], [2, 0, 1]
    places = [pairs.index((min(order[a], order[b]), max(order[a], order[b]))) for a, b in pairs]
    moved = {"qubits": seen["qubits"][order], "pairs": seen["pairs"][places], "circuit": seen["circuit"]}
    first, second = (
        net(*(torch.tensor(one[name]).double()[None] for name in ("qubits", "pairs", "circuit")))
        for one in (seen, moved)
    )
    torch.testing.assert_close(second.pairs, first.pairs[:, places], atol=1e-5, rtol=0)
    torch.testing.assert_close(second.stop, first.stop, atol=1e-5, rtol=0)
    assert first.pairs.std(dim=1).min() > 1e-5


def test_the_device_changes_what_a_policy_does() -> None:
    net = network()
    by_device = [scores_of(net, build(noise=one).player.drafts(1).observe()).pairs for one in NOISE]
    assert (by_device[0] - by_device[1]).abs().max() > 1e-4
    net = PairNetwork((10, 18, 8), 16, 2)
    usual = [{"couplings": couplings} for couplings in ("line", [(0, 2), (2, 0), (1, 2), (2, 1)])]
    hidden = [scores_of(net, build("hidden", **one).player.drafts(1).observe()).pairs for one in usual]
    torch.testing.assert_close(*hidden)


def test_a_policy_of_fixed_noise_models_plays_a_drift(tmp_path: Path) -> None:
    """It is trained under objects, of which the file has a description, and sees the present model of the drift."""
    models = [snapshot(one["device"], one["qubits"]) for one in NOISE]
    config = replace(SMALL, instances=[{"noise": model} for model in models], blind=True, teacher=2, cloning=2)
    agent = GraphAgent(build(noise=models[0]), config, seed=0).learn(8)
    agent.save(tmp_path / "policy")
    env = build(drift=NoiseDrift(models, None, shown=True))
    loaded, seen = GraphAgent.load(tmp_path / "policy", env), []
    for number in (1, 0):
        env.reset(options={"noise": number})
        seen.append(scores_of(loaded.network, env.player.drafts(1).observe()).pairs)
        fixed = build(noise=models[number]).player.drafts(1).observe()
        torch.testing.assert_close(seen[-1], scores_of(agent.network, fixed).pairs, atol=0, rtol=0)
    assert (seen[0] - seen[1]).abs().max() > 1e-4


def test_blind_training_keeps_the_best_circuits_of_every_search() -> None:
    """Two instances that differ in chain and device; circuits of all lengths compete, and the policy may stop."""
    instances = [{"seed": 5, "noise": NOISE[0]}, {"seed": 6, "noise": NOISE[1]}]
    config = replace(SMALL, instances=instances, teacher=12, cloning=4, blind=True, elites=3)
    agent = GraphAgent(build(noise=NOISE[0], stop=True), config, seed=0)
    seen: list[tuple[int, float, tuple[int, ...]]] = []

    def look(step: dict[str, Any], _: dict[str, Any]) -> bool:
        env = step["circuit_env"]
        number = [one["seed"] for one in instances].index(env.problem.provenance["seed"])
        seen.append((number, float(step["infos"][0]["energy_error"]), tuple(env.player.actions)))
        return True

    agent.learn(24 + 8, look)
    assert len(seen) == 32 and [number for number, *_ in seen[:24]] == [0] * 12 + [1] * 12
    assert all(len(agent.elites.of(number, 5)) == 3 for number in (0, 1)) and agent.num_updates == 6
    for number in (0, 1):
        best = min(error for own, error, _ in seen if own == number)
        kept = agent.elites.of(number, 5)
        canonical = {agent.instances[number].canonical(own) for own in kept}
        lowest = next(actions for own, error, actions in seen if own == number and error == best)
        assert agent.instances[number].canonical(lowest) in canonical
    assert np.isfinite(agent.loss) and np.isfinite(agent.entropy)
    assert agent.instances[0].env.catalogue.num_qubits == 3 and agent.instances[1].env.problem.provenance["seed"] == 6


def test_nothing_is_learned_from_what_follows_a_stop() -> None:
    """Masks stay as they were after a stop, so that action 0 can be illegal there."""
    env, net = build(noise=NOISE[0], stop=True), network()
    table = ActionTable(env.catalogue)
    again = replayed(table, env.player.drafts(2, 4), [(0,), (0, 1, 0)])
    assert again.masks[0, 1, 0] == 0 and again.chosen[0].tolist() == [0, table.stop, -1]
    log_probs, entropy, _ = judged(net, table, again)
    assert torch.isfinite(log_probs).all() and torch.isfinite(entropy).all()
    assert log_probs[0, 2] == 0 and (log_probs[0, :2] < 0).all() and (log_probs[1] < 0).all()


@pytest.mark.parametrize("own_pairs", [True, False])
@pytest.mark.parametrize("is_guided", [True, False])
def test_blind_searches_begin_with_the_terms_only_if_asked(own_pairs: bool, is_guided: bool, tmp_path: Path) -> None:
    """All first circuits are two layers of the terms' pairs; without these they differ, and a policy draws them."""
    env = build(couplings="line")
    proposals: list[Any] = []
    if is_guided:
        agent = GraphAgent(env, SMALL, seed=0)
        agent.save(tmp_path / "policy.safetensors")
        search = policy_search(
            env, 0, str(tmp_path / "policy.safetensors"), (1.0, 2.0), openings=6, own_pairs=own_pairs, blind=True
        )
        proposal: Any = search._proposal
        draws = proposal.skeletons

        def skeletons(*given: int) -> Any:
            proposals.append(given)
            return draws(*given)

        proposal.skeletons = skeletons
    else:
        search = BlockAnnealing(env, 0, start_blocks=6, openings=6, own_pairs=own_pairs, blind=True)
    firsts: list[tuple[tuple[int, ...], ...]] = []

    def look(*_: Any) -> bool:
        firsts.append(tuple(tuple(sorted(env.catalogue.actions[one].qubits)) for one in env.player.actions))
        return len(firsts) < 6

    search.learn(1000, look)
    assert len(firsts) == 6
    if own_pairs:
        assert set(firsts) == {((0, 1), (1, 2)) * 2} and not proposals
    else:
        assert len(set(firsts)) > 1 and len(proposals) == is_guided


def test_policies_do_not_fit_other_observations(tmp_path: Path) -> None:
    agent = GraphAgent(build(), SMALL, seed=0)
    agent.save(tmp_path / "policy.safetensors")
    with pytest.raises(ValueError, match=r"`env` must show \[13, 21, 8\] features"):
        GraphAgent.load(tmp_path / "policy.safetensors", build("couplings"))
    infos: list[Any] = []
    search = policy_search(build(noise=NOISE[1]), 0, str(tmp_path / "policy.safetensors"), (1.5, 1.5), blind=True)
    search.learn(25, lambda step, _: infos.append(step["infos"][0]) or True)
    assert len(infos) == 25 and max(info["num_two_qubit_gates"] for info in infos) <= 5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"instances": [{"seed": 1}, {}]}, "be a list of arguments with values"),
        ({"instances": "seed"}, "be a list of arguments with values"),
        ({"instances": {"seed": 3}}, "be a list of values"),
        ({"blind": True, "expert_rounds": 1}, "be False with rounds of expert iteration"),
    ],
)
def test_impossible_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GraphConfig(**settings)

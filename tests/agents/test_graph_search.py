"""Annealing that a policy guides: proposals, scouts, small angles, and the policies that come with the library."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from qas_agents import GraphAgent, GraphConfig, PolicyProposal, policy_search
from qas_agents.graph.search import policy_file
from qas_agents.searchers import BlockAnnealing
from qas_simulators import Circuit
from tests.agents.test_graph import SMALL, build


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


def test_misspelt_settings_are_named() -> None:
    env = build(4, max_gates=60)
    with pytest.raises(ValueError, match=r"setting of graph_search 'temperature_'.*Did you mean 'temperature'"):
        policy_search(env, 0, temperature_=2.0)
    with pytest.raises(ValueError, match="Unknown setting of graph_search 'start_blocks'"):
        policy_search(env, 0, start_blocks=3)

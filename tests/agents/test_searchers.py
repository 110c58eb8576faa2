"""Searchers that do not learn: what they find where the answer is known."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import qas_envs  # noqa: F401
from qas_agents import (
    BeamSearch,
    Evolution,
    GreedySearch,
    HardwareEfficient,
    RandomPolicy,
    SimulatedAnnealing,
    best_of,
    distinct_skeletons,
    skeleton_floors,
)
from qas_agents.searchers.pruning import prune, workbench
from qas_agents.searchers.skeleton import Skeleton, dressed, skeletons
from qas_simulators import PauliSum, StatevectorSimulator
from tests.agents.test_dqn import Corridor


def make(environment: str, **settings: Any) -> Any:
    return gym.make(environment, **settings).unwrapped


def infos_of(searcher: Any, steps: int) -> list[dict[str, Any]]:
    infos: list[dict[str, Any]] = []
    searcher.learn(steps, callback=lambda seen, _: infos.append(seen["infos"][0]) or True)
    return infos


def test_random_policy_obeys_the_mask_and_its_seed() -> None:
    runs = []
    for _ in range(2):
        seen: list[float] = []
        RandomPolicy(Corridor(), seed=3).learn(200, callback=lambda now, _, s=seen: s.append(now["rewards"][0]) or True)  # type: ignore[misc, func-returns-value]
        runs.append(seen)
    assert runs[0] == runs[1] and len(runs[0]) == 200


@pytest.mark.parametrize(
    "rules",
    [
        {"simulator": {"shots": 5}, "optimizer": "none", "curriculum": {"name": "fixed", "threshold": 0.8}},
        {"halting": {"name": "negative_binomial", "n": 2, "p": 0.5, "low": 1, "high": 4, "draws": 20}},
    ],
)
def test_greedy_search_ends_where_a_replayed_episode_ends_earlier(rules: dict[str, Any]) -> None:
    for seed in range(3):
        env = make("QAS-TFIM-v0", num_qubits=2, max_gates=8, **rules)
        env.reset(seed=seed)
        agent = GreedySearch(env)
        agent.learn(500)
        assert 0 < agent.num_timesteps <= 500


def test_greedy_search_finds_the_two_qubit_ising_state() -> None:
    energies = [info["energy"] for info in infos_of(GreedySearch(make("QAS-TFIM-v0", num_qubits=2)), 10_000)]
    assert min(energies) == pytest.approx(-np.sqrt(5), abs=1e-3)


# -- annealing and pruning -------------------------------------------------------------------------------------------


def test_annealing_finds_the_shortest_circuit_and_repeats_itself() -> None:
    """TFIM on two qubits needs one CNOT; every circuit is one step, and its figures are the environment's."""
    env = make("QAS-TFIM-v0", num_qubits=2, max_gates=12)
    runs = [infos_of(SimulatedAnnealing(env, seed=1, cycle=1000, start_gates=8), 2000) for _ in range(2)]
    assert [info["energy"] for info in runs[0]] == [info["energy"] for info in runs[1]]
    assert len(runs[0]) == 2000 and all(info["num_gates"] <= 12 for info in runs[0])
    solved = [(info["num_two_qubit_gates"], info["num_gates"]) for info in runs[0] if info["success"]]
    assert min(solved) == (1, 3)


def test_evolution_finds_the_shortest_circuit_and_repeats_itself() -> None:
    env = make("QAS-TFIM-v0", num_qubits=2, max_gates=12)
    settings = {"population": 10, "children": 20, "patience": 10, "start_gates": 8}
    runs = [infos_of(Evolution(env, 1, **settings), 2000) for _ in range(2)]
    assert [info["energy"] for info in runs[0]] == [info["energy"] for info in runs[1]]
    assert len(runs[0]) == 2000 and all(info["num_gates"] <= 12 for info in runs[0])
    solved = [(info["num_two_qubit_gates"], info["num_gates"]) for info in runs[0] if info["success"]]
    assert min(solved) == (1, 3)


def test_evolution_goes_on_where_few_costs_differ() -> None:
    """Bell's gates are fixed: there are not as many costs as the population has places."""
    infos = infos_of(Evolution(make("QAS-Bell-v0"), 0), 3000)
    assert any(info["success"] for info in infos[80:])


def test_beam_tries_every_extension_of_every_different_state() -> None:
    """TFIM on two qubits with RY and CZ: after the first level both RY states and one state for all that do nothing."""
    env = make("QAS-TFIM-v0", num_qubits=2, gates="ry_cz", max_gates=6)
    lengths = [info["num_gates"] for info in infos_of(BeamSearch(env, 0, width=50), 60)]
    actions = len(env.catalogue.actions)
    assert lengths[:actions] == [1] * actions
    # CZ prepares what is there already, so its state differs from those of the two RY: three parents, each with every
    # action but those that its frontier forbids (one each)
    assert lengths[actions : actions + 3 * (actions - 1)] == [2] * 3 * (actions - 1)
    assert lengths[actions + 3 * (actions - 1)] == 3
    solved = [info for info in infos_of(BeamSearch(env, 0, width=8), 400) if info["success"]]
    assert min((info["num_two_qubit_gates"], info["num_gates"]) for info in solved) == (1, 4)


def test_hardware_efficient_layers_and_their_refusals() -> None:
    env = make("QAS-LiH-v0", max_gates=40)
    infos = infos_of(HardwareEfficient(env, 0, starts=2), 7)
    assert [info["num_two_qubit_gates"] for info in infos] == [3, 3, 6, 6, 3, 3, 6], "8 + 11 k gates: two layers fit"
    assert [info["num_gates"] for info in infos][:3] == [19, 19, 30]
    assert min(info["energy_error"] for info in infos) < 1e-2
    for env in (make("QAS-Bell-v0"), make("QAS-LiH-v0", gates=["rz", "cx"])):  # RZ alone would turn nothing
        with pytest.raises(ValueError, match=r"`gates` must include \('ry', 'rz', 'cx'\)"):
            HardwareEfficient(env)
    with pytest.raises(ValueError, match="`max_gates` must allow a layer of 19 legal gates"):
        HardwareEfficient(make("QAS-LiH-v0", max_gates=10))
    with pytest.raises(ValueError, match="`couplings` must connect each qubit with the next one"):
        HardwareEfficient(make("QAS-LiH-v0", couplings=[(0, 2), (2, 0), (1, 3), (3, 1), (1, 2), (2, 1)]))


@pytest.mark.parametrize("gates", ["ibm", ["sx", "rz", "cx"], ["rx", "rz", "cz"]])
def test_hardware_efficient_layers_turn_qubits_with_the_gates_that_there_are(gates: str | list[str]) -> None:
    env = make("QAS-TFIM-v0", num_qubits=3, gates=gates, max_gates=40)
    infos = infos_of(HardwareEfficient(env, 0, starts=20), 60)
    assert any(info["success"] for info in infos), "two or three layers solve it"


@pytest.mark.parametrize(
    ("make_searcher", "message"),
    [
        (lambda env: Evolution(env, population=0), "`population` must be at least 1"),
        (lambda env: Evolution(env, crossover=2.0), "`crossover` must lie in"),
        (lambda env: BeamSearch(env, width=0), "`width` must be at least 1"),
        (lambda env: BeamSearch(env, two_qubit=-1.0), "`two_qubit` must not be negative"),
        (lambda env: SimulatedAnnealing(env, cold=1.0), "`cold` must be positive and at most 0.1"),
        (lambda env: SimulatedAnnealing(env, start_gates=0), "`start_gates` must be at least 1"),
    ],
)
def test_bad_settings_of_searchers(make_searcher: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_searcher(make("QAS-TFIM-v0", num_qubits=2))


def test_pruned_circuits_cannot_lose_a_gate() -> None:
    env = make("QAS-LiH-v0", bond_length=1.2)
    rng, infos = np.random.default_rng(0), []
    searcher = SimulatedAnnealing(env, seed=0)
    searcher.learn(10**6, callback=lambda seen, _: not seen["infos"][0]["success"])
    actions, angles = env.player.actions, env.player.angles
    kept = prune(env.player, actions, angles, rng, infos.append, env.catalogue.num_two_qubit_gates.__getitem__)
    assert 0 < len(kept) < len(actions)
    _, whole = env.player.play(kept)
    angles = env.player.angles
    for k in range(len(kept)):
        shorter = kept[:k] + kept[k + 1 :]
        if env.player.checked(shorter):
            _, info = env.player.play(shorter, angles[:k] + angles[k + 1 :])
            assert not (info["success"] and whole["success"]), f"gate {k} of {kept} can go"
    rest = iter(actions)
    assert all(action in rest for action in kept), "in the same order"
    assert any(info["success"] and info["num_gates"] == len(kept) for info in infos)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cold": 0.0}, "positive"),
        ({"cold": 1.0}, "at most"),
        ({"cycle": 0}, "at least 1"),
        ({"one_qubit": -1.0}, "neg"),
    ],
)
def test_bad_settings_of_annealing(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SimulatedAnnealing(make("QAS-Bell-v0"), **settings)


def test_environments_that_serve_no_whole_circuits() -> None:
    with pytest.raises(TypeError, match="Corridor has no 'player'"):
        workbench(Corridor())


# -- skeletons -------------------------------------------------------------------------------------------------------


def errors_of(problem: Any, length: int, **settings: Any) -> list[float]:
    return [floor.energy - problem.ground_energy for floor in skeleton_floors(problem.hamiltonian, length, **settings)]


def test_floors_that_are_known() -> None:
    """Bell needs one entangling gate, GHZ-3 two; less leaves half the fidelity. LiH at 3.4 Å begins at its product."""
    assert errors_of(make("QAS-Bell-v0").problem, 1) == pytest.approx([0.5, 0.0], abs=1e-9)
    assert errors_of(make("QAS-GHZ-v0").problem, 2) == pytest.approx([0.5, 0.5, 0.0], abs=1e-9)
    assert errors_of(make("QAS-LiH-v0").problem, 3) == pytest.approx([5.731e-2, 7.066e-3, 4.434e-3, 1.290e-3], rel=1e-3)


def test_a_long_search_can_be_made_in_parts() -> None:
    hamiltonian = make("QAS-LiH-v0").problem.hamiltonian
    numbered = list(enumerate(distinct_skeletons(hamiltonian, 2)))
    whole = best_of(hamiltonian, 2, numbered)
    parts = [best_of(hamiltonian, 2, part) for part in (numbered[:10], numbered[10:])]
    assert whole is not None and whole.energy == min(part.energy for part in parts if part is not None)
    assert whole.skeletons == len(numbered) == 27
    assert best_of(hamiltonian, 2, numbered, should_stop=lambda: True) is None


def test_a_floor_comes_with_its_circuit() -> None:
    hamiltonian = make("QAS-TFIM-v0", num_qubits=3).problem.hamiltonian
    for floor in skeleton_floors(hamiltonian, 2, couplings=[(0, 1), (2, 1)]):
        assert floor.circuit.num_two_qubit_gates == floor.two_qubit_gates
        assert {operation.qubits for operation in floor.circuit if operation.name == "cz"} <= {(0, 1), (1, 2)}
        assert StatevectorSimulator().expectation(floor.circuit, hamiltonian) == pytest.approx(floor.energy, abs=1e-9)
    assert errors_of(make("QAS-Bell-v0").problem, 5, enough=1e-6)[-1] < 1e-6
    assert len(errors_of(make("QAS-Bell-v0").problem, 5, enough=1e-6)) == 2, "the search ends where it is enough"


@pytest.mark.parametrize(("num_qubits", "length"), [(3, 4), (4, 3)])
def test_skeletons_are_one_of_each_class(num_qubits: int, length: int) -> None:
    """Against all sequences, sorted into classes by exchanging neighbours, with the useless ones struck out."""
    pairs = list(combinations(range(num_qubits), 2))

    def swaps(skeleton: Skeleton) -> list[Skeleton]:
        places = [k for k in range(length - 1) if not {*skeleton[k]} & {*skeleton[k + 1]}]
        return [(*skeleton[:k], skeleton[k + 1], skeleton[k], *skeleton[k + 2 :]) for k in places]

    def is_useless(skeleton: Skeleton) -> bool:
        for k in range(length - 1):
            before = skeleton[:k]
            if skeleton[k] == skeleton[k + 1] and all(not {*pair} & {*skeleton[k]} for pair in before):
                return True
        return any(len({*skeleton[k : k + 4]}) == 1 for k in range(length - 3))

    left, classes = {*product(pairs, repeat=length)}, 0
    while left:
        members, new = set(), [next(iter(left))]
        while new:
            members.add(member := new.pop())
            new += [other for other in swaps(member) if other not in members]
        left -= members
        classes += not any(is_useless(member) for member in members)
    found = list(skeletons(num_qubits, pairs, length))
    assert len(found) == len({*found}) == classes


def test_symmetric_skeletons_are_tried_once() -> None:
    """A chain read from either end is the same chain."""
    chain, uneven = make("QAS-TFIM-v0", num_qubits=4).problem.hamiltonian, PauliSum({"IIZZ": 1.0, "XIII": 0.5})
    assert [floor.skeletons for floor in skeleton_floors(chain, 2, starts=1)] == [1, 4, 15], "(27 + 3) / 2"
    assert [floor.skeletons for floor in skeleton_floors(uneven, 2, starts=1)] == [1, 4, 14], "(27 + 1) / 2"
    assert [floor.skeletons for floor in skeleton_floors(PauliSum({"ZIII": 1.0, "IIZX": 0.3}), 1, starts=1)] == [1, 6]


def test_turns_of_a_skeleton_reach_any_state_of_two_qubits() -> None:
    rng = np.random.default_rng(0)
    target = rng.normal(size=4) + 1j * rng.normal(size=4)
    hamiltonian = PauliSum.projector(target / np.linalg.norm(target)) * -1.0
    assert list(skeleton_floors(hamiltonian, 1, starts=8))[-1].energy == pytest.approx(-1.0, abs=1e-8)
    assert dressed(2, ((0, 1),)).num_params == 8


def test_bad_skeleton_searches() -> None:
    hamiltonian = PauliSum({"ZZ": 1.0})
    for arguments, settings in [((-1,), {}), ((1,), {"starts": 0}), ((1,), {"couplings": [(0, 2)]})]:
        with pytest.raises(ValueError, match="must"):
            next(skeleton_floors(hamiltonian, *arguments, **settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(("terms", "lengths"), [({"ZZ": 1.0, "XI": 0.5}, [0, 1]), ({"Z": 1.0, "X": 0.5}, [0])])
def test_floors_end_where_more_gates_prepare_no_other_states(terms: dict[str, float], lengths: list[int]) -> None:
    hamiltonian = PauliSum(terms)
    floors = list(skeleton_floors(hamiltonian, 3))
    assert [floor.two_qubit_gates for floor in floors] == lengths
    assert floors[-1].energy == pytest.approx(np.linalg.eigvalsh(hamiltonian.to_matrix())[0], abs=1e-8)

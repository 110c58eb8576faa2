"""Features of devices: the backend's properties as Qiskit reads them, permutations, drafts, and what is hidden."""

from __future__ import annotations

import json
import pickle
from itertools import combinations, permutations
from typing import Any

import gymnasium as gym
import networkx
import numpy as np
import pytest
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from qas_envs import CircuitBuildingEnv, make_env
from qas_envs.couplings import couplings_of, random_pairs
from qas_envs.drift import NoiseDrift
from qas_envs.encodings.device_features import PAIR_DEVICE_FEATURES, QUBIT_DEVICE_FEATURES, distances, log_scaled
from qas_envs.encodings.hamiltonian_graph import PAIR_FEATURES
from qas_envs.snapshots import restore, state_of
from qas_simulators import PauliSum
from qas_simulators.device_snapshots import snapshot

QUBITS = (3, 1, 2, 4)
PAIRS = [*combinations(range(4), 2)]


def build(device: str = "full", **settings: Any) -> CircuitBuildingEnv:
    encoding = {"name": "hamiltonian_graph", "device": device}
    given = {"num_qubits": 4, "seed": 3, "actions": "blocks", "encoding": encoding, "max_gates": 24, **settings}
    env = gym.make("QAS-XXZChain-v0", disable_env_checker=True, **given).unwrapped
    assert isinstance(env, CircuitBuildingEnv)
    return env


def columns(observation: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The features of the device by name."""
    qubits, pairs = (observation[name][:, -3:].T for name in ("qubits", "pairs"))
    return dict(zip(QUBIT_DEVICE_FEATURES, qubits, strict=True)), dict(zip(PAIR_DEVICE_FEATURES, pairs, strict=True))


def infidelity(target: Any, gate: Any, *qubits: int) -> float:
    """The calibrated average gate infidelity, or that of relaxation alone where it is larger (on two gates here)."""
    fidelity, size = 1.0, 2 ** len(qubits)
    for qubit in qubits:
        times = target.qubit_properties[qubit]
        fidelity *= (1 + 2 * np.exp(-gate.duration / times.t2) + np.exp(-gate.duration / times.t1)) / 4
    return max(gate.error, size / (size + 1) * (1 - fidelity))


def test_features_are_the_properties_of_the_backend() -> None:
    """Manila's qubits are a line 0-1-2-3-4; RY is two SX, whose calibrated error is an average gate infidelity."""
    target = FakeManilaV2().target
    of_qubits, of_pairs = columns(build(noise=snapshot("manila", QUBITS)).reset(seed=0)[0])
    for k, qubit in enumerate(QUBITS):
        assert of_qubits["misread"][k] == pytest.approx(log_scaled(target["measure"][(qubit,)].error), abs=1e-5)
        gate = target["sx"][(qubit,)]
        error = infidelity(target, gate, qubit)
        assert of_qubits["one_qubit_error"][k] == pytest.approx(log_scaled(2 * error), abs=1e-3)
        # Each SX pulls the Bloch vector up by 1 - exp(-t / T1); the first pull is turned by the second SX.
        pull = np.sqrt(2) * (1 - np.exp(-gate.duration / target.qubit_properties[qubit].t1))
        assert of_qubits["relaxation"][k] == pytest.approx(log_scaled(pull), abs=1e-3)
    for k, pair in enumerate(PAIRS):
        place = tuple(QUBITS[q] for q in pair)
        gap = abs(place[0] - place[1])
        assert of_pairs["distance"][k] == pytest.approx((gap - 1) / 3)
        expected = log_scaled(infidelity(target, target["cx"][place], *place)) if gap == 1 else 0.0
        assert of_pairs["two_qubit_error"][k] == pytest.approx(expected, abs=1e-5)
        assert (of_pairs["two_qubit_relaxation"][k] > 0) == (gap == 1)


def test_all_are_zero_without_noise_and_with_all_pairs() -> None:
    env = build()
    observation = env.reset(seed=0)[0]
    assert not observation["qubits"][:, -3:].any() and not observation["pairs"][:, -3:].any()
    assert env.observation_space.contains(observation)
    usual = build("couplings").reset(seed=0)[0]
    for name in ("qubits", "pairs", "circuit"):
        width = usual[name].shape[-1]
        np.testing.assert_array_equal(observation[name][..., :width], usual[name])


def test_the_scale_is_logarithmic() -> None:
    assert log_scaled([0.0, 1e-5, 1e-4, 1e-2, 1.0, 2.0]) == pytest.approx([0.0, 0.0, 0.2, 0.6, 1.0, 1.0])


@pytest.mark.parametrize("seed", range(4))
def test_distances_are_shortest_paths(seed: int) -> None:
    pairs = random_pairs(7, seed, 0.3)
    lengths = dict(networkx.all_pairs_shortest_path_length(networkx.Graph([*pairs])))
    expected = [lengths[a][b] for a, b in combinations(range(7), 2)]
    has_action = np.array([pair in pairs for pair in combinations(range(7), 2)])
    assert distances(has_action, 7).tolist() == expected and max(expected) > 1
    assert distances(np.zeros(3, dtype=np.bool_), 3).tolist() == [3.0] * 3


def test_permuted_qubits_permute_the_features() -> None:
    """The same Hamiltonian on the same device, with other numbers of the qubits."""
    rng = np.random.default_rng(2)
    terms = {"".join(rng.choice([*"IIXZ"], 4)): float(rng.normal()) for _ in range(9)}
    order = [2, 0, 3, 1]  # qubit k of the second is qubit order[k] of the first
    moved = {"".join(label[::-1][q] for q in order)[::-1]: value for label, value in terms.items()}
    rules: dict[str, Any] = {"actions": "blocks", "encoding": {"name": "hamiltonian_graph", "device": "full"}}
    seen = []
    for hamiltonian, qubits in ((terms, QUBITS), (moved, tuple(QUBITS[q] for q in order))):
        env = gym.make(
            "QAS-GroundState-v0",
            hamiltonian=PauliSum(hamiltonian),
            noise=snapshot("manila", qubits),
            disable_env_checker=True,
            **rules,
        )
        seen.append(env.reset(seed=0)[0])
    first, second = seen
    places = [PAIRS.index((min(order[a], order[b]), max(order[a], order[b]))) for a, b in PAIRS]
    np.testing.assert_allclose(second["qubits"], first["qubits"][order], atol=1e-6)
    np.testing.assert_allclose(second["pairs"][:, :-1], first["pairs"][places, :-1], atol=1e-6)
    # A block's CX acts from the smaller number to the larger one, and takes 36 ns longer in one direction.
    np.testing.assert_allclose(second["pairs"][:, -1], first["pairs"][places, -1], atol=0.02)
    assert np.abs(second["pairs"] - first["pairs"]).max() > 0.1


def test_what_is_hidden_and_what_is_shown_by_default() -> None:
    column = PAIR_FEATURES.index("has_action")
    coupled = [float(pair in ((0, 1), (1, 2), (2, 3))) for pair in PAIRS]
    rules: dict[str, Any] = {"couplings": "line", "actions": "blocks", "encoding": "hamiltonian_graph"}
    default = gym.make("QAS-XXZChain-v0", num_qubits=4, **rules)
    for env, expected in ((build("hidden", couplings="line"), [1.0] * 6), (default, coupled)):
        observation, info = env.reset(seed=0)
        assert observation["pairs"][:, column].tolist() == expected and observation["pairs"].shape == (6, 18)
        assert len(info["action_mask"]) == 3  # actions are the same: on coupled pairs
    with pytest.raises(ValueError, match="Did you mean 'hidden'"):
        build("hiden")


def test_drafts_and_vectors_show_what_episodes_show() -> None:
    env, rng = build(noise=snapshot("yorktown", (2, 0, 1, 4))), np.random.default_rng(0)
    seen, info = env.reset(seed=0)
    drafts = env.player.drafts(2)
    for _ in range(3):
        for name, array in drafts.observe().items():
            np.testing.assert_array_equal(array[1], seen[name])
        action = int(rng.choice(np.flatnonzero(info["action_mask"])))
        drafts.append([-1, action])
        seen, *_, info = env.step(action)
    settings = {"num_qubits": 4, "seed": 3, "actions": "blocks", "max_gates": 24, "noise": snapshot("manila", QUBITS)}
    settings["encoding"] = {"name": "hamiltonian_graph", "device": "full"}
    many = gym.make_vec("QAS-XXZChain-v0", 2, **settings)
    single = build(noise=snapshot("manila", QUBITS)).reset(seed=0)[0]
    for name, array in many.reset(seed=0)[0].items():
        np.testing.assert_array_equal(array[1], single[name])


# -- noise that drifts -------------------------------------------------------------------------------------------------

DEVICES = [snapshot(name, QUBITS) for name in ("manila", "yorktown", "lima")]  # other maps, other calibrations


def drifting(shown: bool = True, models: Any = DEVICES, **settings: Any) -> CircuitBuildingEnv:
    return build(drift=NoiseDrift(models, None, shown), **settings)


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert set(one) == set(other)
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)


def test_the_present_noise_of_a_drift_is_shown() -> None:
    """Of every model the features are those of an environment whose noise is that model and stays."""
    env = drifting(mask_in_observation=False)
    for number in (0, 2, 1, 0):
        seen = env.reset(options={"noise": number})[0]
        assert_same(seen, build(noise=DEVICES[number]).reset(seed=0)[0])
        assert env.observation_space.contains(seen)
        action = int(np.flatnonzero(env.action_masks())[-1])
        twin = build(noise=DEVICES[number])
        twin.reset(seed=0)
        same = [one.qubits for one in twin.catalogue.actions].index(env.catalogue.actions[action].qubits)
        assert_same(env.step(action)[0], twin.step(same)[0])
    masked = drifting(mask_in_observation=True)
    assert_same(masked.reset(options={"noise": 2})[0]["observation"], env.reset(options={"noise": 2})[0])


def test_nothing_is_shown_of_a_hidden_drift() -> None:
    env, seen = drifting(shown=False), []
    for number in (0, 1):
        seen.append(env.reset(options={"noise": number})[0])
        of_qubits, of_pairs = columns(seen[-1])
        assert not any(array.any() for array in of_qubits.values())
        assert not of_pairs["two_qubit_error"].any() and not of_pairs["two_qubit_relaxation"].any()
    assert_same(*seen)
    union = {tuple(sorted(pair)) for model in DEVICES for pair in model.couplings or ()}
    assert seen[0]["pairs"][:, PAIR_FEATURES.index("has_action")].tolist() == [float(pair in union) for pair in PAIRS]


def test_couplings_that_drop_out_are_shown_and_far_away() -> None:
    walk = {"name": "walk", "steps": 12, "every": None, "dropout": 0.5, "seed": 2, "shown": True}
    env, lost = build(noise={"name": "depolarizing", "p1": 1e-3, "p2": 0.01}, drift=walk), 0
    for number, model in enumerate(env.rules.drift.models):  # type: ignore[union-attr]
        _, of_pairs = columns(seen := env.reset(options={"noise": number})[0])
        present = [model.couplings is None or pair in model.couplings for pair in PAIRS]
        assert seen["pairs"][:, PAIR_FEATURES.index("has_action")].astype(bool).tolist() == present
        # depolarising with probability p on two qubits has the average gate infidelity 3 p / 4
        shares = [
            0.75 * (1 - model.transfer_matrix("cx", pair)[5, 5]) if is_there else 0.0
            for pair, is_there in zip(PAIRS, present, strict=True)
        ]
        np.testing.assert_allclose(of_pairs["two_qubit_error"], log_scaled(shares), atol=1e-6)
        coupled = networkx.Graph([pair for pair, is_there in zip(PAIRS, present, strict=True) if is_there])
        steps = [networkx.shortest_path_length(coupled, *pair) for pair in PAIRS]
        np.testing.assert_allclose(of_pairs["distance"], (np.array(steps) - 1) / 3, atol=1e-6)
        drafts = env.player.drafts(3)
        for name, array in drafts.observe().items():
            np.testing.assert_array_equal(array[2], seen[name])
        assert drafts.masks[1].tolist() == env.action_masks().tolist()
        lost += not all(present)
    assert 3 < lost < 12


def test_whole_circuits_and_clones_see_the_present_noise() -> None:
    env = drifting(optimizer={"name": "scan_lbfgs", "max_iterations": 2})
    env.reset(options={"noise": 1})
    clone = env.episode.clone()
    expected = env.observe()
    env.reset(options={"noise": 2})
    assert_same(clone.observe(env.simulator, 0.0), expected)
    legal = int(np.flatnonzero(env.action_masks())[0])
    observation, _ = env.player.play([legal])
    twin = build(noise=DEVICES[2], optimizer={"name": "scan_lbfgs", "max_iterations": 2})
    twin.reset(seed=0)
    same = [one.qubits for one in twin.catalogue.actions].index(env.catalogue.actions[legal].qubits)
    assert_same(observation, twin.step(same)[0])


def test_what_is_shown_survives_checkpoints_and_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    env, twin = drifting(), drifting()
    env.reset(options={"noise": 1})
    expected = env.observe()
    twin.reset(seed=0)
    restore(twin, json.loads(json.dumps(state_of(env))))
    assert_same(twin.observe(), expected)
    assert_same(pickle.loads(pickle.dumps(twin)).observe(), expected)

    def fail(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(type(env.episode), "observe", fail)
    with pytest.raises(KeyboardInterrupt):
        env.reset(options={"noise": 2})
    monkeypatch.undo()
    assert_same(env.observe(), expected)


def test_a_family_of_instances_under_a_drift() -> None:
    """The instance changes and the noise, and both are shown."""
    env = drifting(vary={"seed": [3, 4]})
    for seed, number in ((4, 2), (3, 1), (4, 0)):
        seen = env.reset(options={"seed": seed, "noise": number})[0]
        assert_same(seen, build(seed=seed, noise=DEVICES[number]).reset(seed=0)[0])


def test_random_coupling_maps_are_connected_and_the_same_everywhere() -> None:
    env = make_env("tfim", problem_settings={"num_qubits": 6}, couplings={"name": "random", "seed": 4})
    coupled = {action.qubits for action in env.catalogue.actions if len(action.qubits) == 2}
    assert coupled == couplings_of(random_pairs(6, 4), 6) == {*random_pairs(6, 4)}
    assert sorted(pair for pair in coupled if pair[0] < pair[1])[:3] == [(0, 1), (0, 2), (0, 5)]
    assert all(networkx.is_connected(networkx.Graph([*random_pairs(5, seed)])) for seed in range(20))
    assert len({random_pairs(6, seed) for seed in range(20)}) > 15
    assert all(pair[::-1] in coupled for pair in permutations(range(6), 2) if pair in coupled)

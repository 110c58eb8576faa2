"""The graph of the Hamiltonian: its features by hand, under permutations, for all sizes, and of many drafts at once."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from qas_envs import CircuitBuildingEnv, make_env
from qas_envs.encodings.hamiltonian_graph import CIRCUIT_FEATURES, PAIR_FEATURES, QUBIT_FEATURES
from qas_envs.problems import Problem
from qas_simulators import PauliSum

SETTINGS: dict[str, Any] = {"actions": "blocks", "encoding": "hamiltonian_graph", "max_gates": 24}


def build(environment: str = "QAS-IsingGraph-v0", **settings: Any) -> CircuitBuildingEnv:
    env = gym.make(environment, disable_env_checker=True, **{**SETTINGS, **settings}).unwrapped
    assert isinstance(env, CircuitBuildingEnv)
    return env


def observed(hamiltonian: Any, **settings: Any) -> dict[str, np.ndarray]:
    return build("QAS-GroundState-v0", hamiltonian=hamiltonian, **settings).reset(seed=0)[0]


def test_features_by_hand() -> None:
    # Labels are read from the right: "IZZ" acts on qubits 0 and 1. The identity does not count.
    terms = {"III": 9.0, "IZZ": -2.0, "XXI": 0.5, "YIY": 1.0, "YXI": 0.25, "IIX": -1.0, "ZZZ": 0.4, "XZY": -0.8}
    seen = observed(terms, max_gates=18)
    pairs = {pair: seen["pairs"][k] for k, pair in enumerate(combinations(range(3), 2))}
    row = dict(zip(PAIR_FEATURES, pairs[0, 1], strict=True))
    assert (row["zz"], row["xx"], row["yy"], row["mixed"]) == pytest.approx((-1.0, 0.0, 0.0, 0.0))
    # ZZZ has Z on both; XZY has Y on qubit 0 and Z on qubit 1. The largest coefficient is 2.
    assert (row["diagonal"], row["flips"], row["flip_sign"]) == pytest.approx((0.2, 0.0, 0.4))
    row = dict(zip(PAIR_FEATURES, pairs[1, 2], strict=True))
    assert (row["zz"], row["xx"], row["yy"], row["mixed"]) == pytest.approx((0.0, 0.25, 0.0, 0.125))
    row = dict(zip(PAIR_FEATURES, pairs[0, 2], strict=True))
    assert (row["yy"], row["flips"], row["relative_yy"], row["relative_flips"]) == pytest.approx((0.5, 0.4, 1.0, 1.0))
    qubit = dict(zip(QUBIT_FEATURES, seen["qubits"][0], strict=True))
    assert (qubit["x"], qubit["relative_x"], qubit["z"]) == pytest.approx((-0.5, -1.0, 0.0))
    assert qubit["strength"] == pytest.approx((2.0 + 1.0 + 1.0 + 0.4 + 0.8) / 5.2)
    circuit = dict(zip(CIRCUIT_FEATURES, seen["circuit"], strict=True))
    # A block has a CX and, because the Hamiltonian has terms with one Y, RY and RZ on both qubits: five gates.
    assert circuit["length"] == pytest.approx((18 + 4) // 5 / 9) and circuit["remaining"] == circuit["length"]
    assert (circuit["inverse_size"], circuit["interacting"], circuit["is_other"]) == pytest.approx((4 / 3, 1.0, 1.0))


def test_what_the_circuit_changes() -> None:
    env = build(num_qubits=4, seed=3)
    env.reset(seed=0)
    for qubits in ((0, 1), (2, 3), (1, 2)):
        seen = env.step(env.catalogue.index("cx_ry", *qubits))[0]
    column = QUBIT_FEATURES.index("count")
    assert seen["qubits"][:, column].tolist() == [0.25, 0.5, 0.5, 0.25]
    assert seen["qubits"][:, column + 1] == pytest.approx(np.exp([-2 / 3, 0.0, 0.0, -1 / 3]))
    assert seen["qubits"][:, column + 2].tolist() == [0, 1, 1, 0]
    dynamic = seen["pairs"][:, PAIR_FEATURES.index("count") :]
    assert dynamic[0] == pytest.approx([0.5, np.exp(-2 / 3), 0.0])  # qubit 1 has another gate behind
    assert dynamic[3] == pytest.approx([0.5, 1.0, 1.0])
    assert seen["circuit"][0] == pytest.approx(3 / 8)  # of (24 + 2) // 3 blocks


def test_permuted_qubits_permute_the_rows() -> None:
    n, rng = 5, np.random.default_rng(1)
    hamiltonian = PauliSum({"".join(rng.choice([*"IIXYZ"], n)): float(rng.normal()) for _ in range(30)})
    order = rng.permutation(n)
    permuted = {"".join(label[::-1][order[q]] for q in range(n))[::-1]: c for label, c in hamiltonian.terms().items()}
    first, second = observed(hamiltonian), observed(permuted)
    np.testing.assert_allclose(second["qubits"], first["qubits"][order], atol=1e-6)
    numbers = {pair: k for k, pair in enumerate(combinations(range(n), 2))}
    places = [numbers[tuple(sorted((order[a], order[b])))] for a, b in numbers]  # type: ignore[index]
    assert not np.array_equal(first["pairs"], second["pairs"])
    np.testing.assert_allclose(second["pairs"], first["pairs"][places], atol=1e-6)
    np.testing.assert_allclose(second["circuit"], first["circuit"], atol=1e-6)


def test_the_same_features_for_two_and_for_twenty_qubits() -> None:
    small = build(num_qubits=2, seed=1).reset(seed=0)[0]
    chain = PauliSum({"I" * k + "ZZ" + "I" * (18 - k): -1.0 for k in range(19)})
    problem = Problem("chain", chain, ground_energy=-19.5, accuracy=1e-3, unit="J")
    large = make_env(problem, **SETTINGS).reset(seed=0)[0]
    assert {name: array.shape[-1] for name, array in small.items()} == {
        name: array.shape[-1] for name, array in large.items()
    }
    assert large["pairs"].shape == (190, 18) and large["qubits"].shape == (20, 10)


def test_drafts_show_what_episodes_show() -> None:
    env, rng = build(num_qubits=4, seed=5, max_gates=15), np.random.default_rng(0)
    seen, info = env.reset(seed=0)
    drafts = env.player.drafts(3)
    for _ in range(4):
        np.testing.assert_array_equal(drafts.masks[1], info["action_mask"])
        for name, array in drafts.observe().items():
            np.testing.assert_array_equal(array[1], seen[name])
        action = int(rng.choice(np.flatnonzero(info["action_mask"])))
        drafts.append([int(np.flatnonzero(drafts.masks[0])[0]), action, -1])
        seen, *_, info = env.step(action)
    assert drafts.actions[1] == env.episode.actions and drafts.actions[2] == []
    assert env.player.checked(drafts.actions[0]) is not None


def test_other_lengths_encodings_and_actions() -> None:
    env = build(num_qubits=3)
    remaining = CIRCUIT_FEATURES.index("remaining")
    assert env.player.drafts(1, 4).observe()["circuit"][0, remaining] == pytest.approx(4 / 9)
    with pytest.raises(ValueError, match="`encoding` must be 'hamiltonian_graph'"):
        build(num_qubits=3, encoding="tensor").player.drafts(1)
    with pytest.raises(ValueError, match="at most one two-qubit gate"):
        build("QAS-H4-v0", actions="excitations", max_gates=200).player.drafts(1)


def test_a_family_needs_no_context() -> None:
    env = build("QAS-TFIM-v0", num_qubits=3, vary={"field": [0.5, 1.0, 2.0]})
    rows = [env.reset(options={"field": field})[0]["qubits"] for field in (0.5, 2.0)]
    column = QUBIT_FEATURES.index("x")
    assert rows[0][:, column] == pytest.approx([-0.5] * 3) and rows[1][:, column] == pytest.approx([-1.0] * 3)
    assert env.observation_space.contains(env.reset(seed=1)[0])

"""Agents of Stable-Baselines3 and sb3-contrib on environments of every kind, without an adapter."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from qas_envs import ENVIRONMENTS, CircuitBuildingEnv

KINDS: list[tuple[str, dict[str, Any]]] = [
    ("QAS-LiH-v0", {"max_gates": 10}),
    ("QAS-TFIM-v0", {"num_qubits": 3, "max_gates": 6, "encoding": "pauli"}),
    ("QAS-Bell-v0", {}),
    ("QAS-GroundState-v0", {**ENVIRONMENTS["QAS-GroundState-v0"].example, "max_gates": 6, "encoding": "gates"}),
    ("QAS-TFIM-v0", {"num_qubits": 2, "max_gates": 4, "vary": {"field": (0.5, 1.5)}}),
]


def test_stable_baselines_checker() -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    for environment, row in ENVIRONMENTS.items():
        if environment == "QAS-Molecule-v0":
            pytest.importorskip("pyscf")
        checker.check_env(gym.make(environment, **row.example, illegal="skip").unwrapped, warn=False)


@pytest.mark.parametrize("algorithm", ["DQN", "A2C", "PPO", "QRDQN", "MaskablePPO"])
@pytest.mark.parametrize(("environment", "settings"), KINDS)
def test_algorithms_train(algorithm: str, environment: str, settings: dict[str, Any]) -> None:
    sb3, contrib = pytest.importorskip("stable_baselines3"), pytest.importorskip("sb3_contrib")
    masked = algorithm == "MaskablePPO"
    env = gym.make(environment, **settings, **({} if masked else {"illegal": "skip"}))
    rest: dict[str, Any] = {"policy_kwargs": {"net_arch": [16]}, "seed": 0, "device": "cpu"}
    if "DQN" in algorithm:
        rest |= {"learning_starts": 10, "buffer_size": 200, "batch_size": 8}
    else:
        rest |= {"n_steps": 16}
        if "PPO" in algorithm:
            rest |= {"batch_size": 8, "n_epochs": 1}
    model = getattr(sb3 if hasattr(sb3, algorithm) else contrib, algorithm)("MlpPolicy", env, **rest)
    model.learn(64)
    observation, info = env.reset(seed=1)
    masks = {"action_masks": info["action_mask"].astype(bool)} if masked else {}
    action, _ = model.predict(observation, deterministic=True, **masks)
    assert env.action_space.contains(int(action))


def test_an_illegal_action_is_skipped_but_paid_for() -> None:
    env = gym.make("QAS-LiH-v0", illegal="skip", max_gates=3, reward="priced").unwrapped
    assert isinstance(env, CircuitBuildingEnv)
    env.reset(seed=0)
    first, *_, before = env.step(16)
    again, reward, terminated, _, info = env.step(16)
    assert before["action_mask"][16] == 0 and reward == 0.0 and not terminated
    np.testing.assert_array_equal(first, again)
    assert (info["num_gates"], info["evaluations"], info["energy"]) == (1, 0, before["energy"])
    _, reward, terminated, truncated, info = env.step(16)
    assert terminated and not truncated and reward == -5.0 and info["num_gates"] == 1
    env.reset()
    assert not env.step(16)[2]
    with pytest.raises(ValueError, match="Unknown treatment of illegal actions 'ignore'"):
        gym.make("QAS-LiH-v0", illegal="ignore")

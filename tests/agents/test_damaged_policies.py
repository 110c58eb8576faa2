"""Policies read from damaged or hostile files, and numbers that are none while learning."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import qas_envs  # noqa: F401
from qas_agents import DQNConfig, MaskedDQN, SB3Agent
from qas_agents.dqn.replay_buffer import ReplayBuffer, Transition
from tests.agents.test_dqn import CONFIG, Corridor

MASK = np.ones(2, dtype=np.int8)


def about(path: Path, key: str = "qas_agents") -> dict[str, Any]:
    """Return what a file tells of its tensors, without the sum that would give every change away."""
    with safe_open(path, framework="pt") as file:
        told = dict(json.loads(file.metadata()[key]))
    del told["sha256"]
    return told


def rewrite(path: Path, tensors: dict[str, Any], content: Any, key: str = "qas_agents") -> None:
    save_file(tensors, path, metadata={key: content if isinstance(content, str) else json.dumps(content)})


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("policy") / "policy.safetensors"
    MaskedDQN(Corridor(), CONFIG, seed=0).learn(60).save(path)
    return path


WRONG = {
    "numbers that are a list": lambda told, tensors: (tensors, []),
    "deep JSON": lambda told, tensors: (tensors, "[" * 100_000 + "]" * 100_000),
    "a number of 5000 digits": lambda told, tensors: (tensors, '{"format": ' + "9" * 5000 + "}"),
    "no JSON": lambda told, tensors: (tensors, "{"),
    "another format": lambda told, tensors: (tensors, told | {"format": 99}),
    "an unknown setting": lambda told, tensors: (tensors, told | {"config": told["config"] | {"colour": "red"}}),
    "a setting of another kind": lambda told, tensors: (tensors, told | {"config": told["config"] | {"gamma": "0.9"}}),
    "settings that are a list": lambda told, tensors: (tensors, told | {"config": []}),
    "a network of 10^18 weights": lambda told, tensors: (
        tensors,
        told | {"config": told["config"] | {"network": {"name": "mlp", "hidden": [10**9, 10**9]}}},
    ),
    "a network of 10^6 layers": lambda told, tensors: (
        tensors,
        told | {"config": told["config"] | {"network": {"name": "mlp", "hidden": [1] * 10**6}}},
    ),
    "a grid of 10^18 intervals": lambda told, tensors: (
        tensors,
        told | {"config": told["config"] | {"network": {"name": "kan", "hidden": [2], "grid": 10**18}}},
    ),
    "a negative counter": lambda told, tensors: (tensors, told | {"num_timesteps": -1}),
    "a counter that is true": lambda told, tensors: (tensors, told | {"num_gradient_steps": True}),
    "exploration that is none": lambda told, tensors: (tensors, told | {"epsilon": float("nan")}),
    "weights that are no numbers": lambda told, tensors: (
        tensors | {"online.0.weight": torch.full_like(tensors["online.0.weight"], torch.nan)},
        told,
    ),
    "weights of another shape": lambda told, tensors: (tensors | {"online.0.weight": torch.zeros(3, 3)}, told),
    "weights of another kind": lambda told, tensors: (
        tensors | {"online.0.bias": tensors["online.0.bias"].to(torch.int32)},
        told,
    ),
    "no weights": lambda told, tensors: ({name: v for name, v in tensors.items() if "target" in name}, told),
    "one tensor more": lambda told, tensors: (tensors | {"online.9.bias": torch.zeros(2)}, told),
}


@pytest.mark.parametrize("name", WRONG)
def test_policies_that_no_agent_has_are_refused(name: str, policy: Path, tmp_path: Path) -> None:
    tensors, content = WRONG[name](about(policy), load_file(policy))
    rewrite(tmp_path / "policy.safetensors", tensors, content)
    check_refused(lambda: MaskedDQN.load(tmp_path / "policy.safetensors", Corridor()))


def check_refused(load: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"`path` must name a file written by \w+\.save") as caught:
        load()
    assert "\n" not in str(caught.value)


def test_policies_with_random_damage_are_refused_or_the_same(policy: Path, tmp_path: Path) -> None:
    """Bits flipped, bytes cut off: what still loads has the same weights and settings."""
    rng, path, content = np.random.default_rng(0), tmp_path / "policy.safetensors", policy.read_bytes()
    whole = MaskedDQN.load(policy, Corridor())
    for number in range(60):
        damaged = bytearray(content)
        if number % 2:
            damaged[rng.integers(600 if number % 4 == 1 else len(content))] ^= 1 << rng.integers(8)
        else:
            del damaged[rng.integers(len(content)) :]
        path.write_bytes(bytes(damaged))
        try:
            agent = MaskedDQN.load(path, Corridor())
        except ValueError as error:
            refusal = str(error)
        else:
            refusal = ""
            assert agent.config == whole.config
            for name, value in agent.online_network.state_dict().items():
                assert torch.equal(value, whole.online_network.state_dict()[name])
        assert "\n" not in refusal


def test_no_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    check_refused(lambda: MaskedDQN.load(tmp_path / "none", Corridor()))
    check_refused(lambda: MaskedDQN.load(tmp_path, Corridor()))
    check_refused(lambda: SB3Agent.load(tmp_path, Corridor()))


WRONG_SB3 = {
    "an unknown algorithm": {"algorithm": "SAC"},
    "an algorithm that is a list": {"algorithm": []},
    "settings that are a word": {"settings": "word"},
    "a network of 10^18 weights": {"settings": {"policy_kwargs": {"net_arch": [10**9, 10**9]}}},
    "a batch of another kind": {"settings": {"n_steps": "8"}},
    "an environment of its own": {"settings": {"env": "CartPole-v1"}},
}


@pytest.mark.filterwarnings("ignore:You have specified a mini-batch size")
def test_policies_of_stable_baselines3(tmp_path: Path) -> None:
    env, path, key = gym.make("QAS-Bell-v0").unwrapped, tmp_path / "policy.safetensors", "qas_agents_sb3"
    settings = {"n_steps": 8, "batch_size": 8, "policy_kwargs": {"net_arch": [8]}}
    SB3Agent(env, "MaskablePPO", settings, seed=0).save(path)
    tensors, told = load_file(path), about(path, key)
    assert SB3Agent.load(path, env).settings == settings
    for change in WRONG_SB3.values():
        rewrite(path, tensors, told | change, key)
        check_refused(lambda: SB3Agent.load(path, env))
    name = next(name for name in tensors if "weight" in name)
    for value in (torch.full_like(tensors[name], torch.inf), torch.zeros(2, 2)):
        rewrite(path, tensors | {name: value}, told, key)
        check_refused(lambda: SB3Agent.load(path, env))
    rewrite(path, tensors, told, key)
    check_refused(lambda: SB3Agent.load(path, gym.make("QAS-GHZ-v0").unwrapped))


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_policies_have_the_permissions_that_the_umask_leaves(mask: int, mode: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        MaskedDQN(Corridor(), CONFIG, seed=0).save(tmp_path / "policy.safetensors")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "policy.safetensors").stat().st_mode) == mode


# -- numbers that are none -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [np.nan, np.inf, -np.inf])
def test_an_error_that_is_no_number_leaves_the_priorities_as_they_were(error: float) -> None:
    buffer = ReplayBuffer(4, 1, 2, prioritization=0.5)
    seen = np.zeros(1, dtype=np.float32)
    for k in range(4):
        buffer.add(Transition(seen, k % 2, float(k), 0.5, seen, MASK))
    buffer.reprioritize(np.arange(4), np.array([1.0, -2.0, 3.0, -4.0], dtype=np.float32))
    assert buffer.tree is not None
    before = buffer.tree.nodes.copy()
    with pytest.raises(ValueError, match="`errors` must be finite"):
        buffer.reprioritize(np.arange(2), np.array([1.0, error], dtype=np.float32))
    np.testing.assert_array_equal(buffer.tree.nodes, before)
    assert buffer.largest == pytest.approx(4.0, abs=1e-5)
    assert buffer.tree.total == pytest.approx(1 + 2**0.5 + 3**0.5 + 2, rel=1e-5), "sum of sqrt |error|"


def test_a_priority_that_overflows_is_refused() -> None:
    """(3e38) ** 9 is beyond the largest double."""
    buffer = ReplayBuffer(2, 1, 2, prioritization=9.0)
    seen = np.zeros(1, dtype=np.float32)
    buffer.add(Transition(seen, 0, 0.0, 0.5, seen, MASK))
    with pytest.raises(ValueError, match="`errors` must be finite"):
        buffer.reprioritize(np.arange(1), np.array([3e38], dtype=np.float32))
    assert buffer.largest == 1.0


class Broken(Corridor):
    """From its 100th step on, rewards are not finite."""

    def __init__(self, reward: float) -> None:
        super().__init__()
        self._reward, self.count = reward, 0

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        observation, reward, *rest = super().step(action)
        self.count += 1
        return (observation, self._reward if self.count >= 100 else reward, *rest)  # type: ignore[return-value]


@pytest.mark.parametrize("reward", [np.nan, np.inf, -np.inf])
def test_a_reward_that_is_no_number_ends_training_at_its_step(reward: float) -> None:
    agent = MaskedDQN(Broken(reward), CONFIG, seed=0)
    with pytest.raises(ValueError, match=r"Training diverged at step 99, gradient step \d+: rewards must be finite"):
        agent.learn(300)
    assert all(torch.isfinite(value).all() for value in agent.online_network.parameters())
    assert agent.replay.tree is None or np.isfinite(agent.replay.tree.nodes).all()


@pytest.mark.parametrize("max_grad_norm", [0.0, 10.0])
def test_a_loss_that_is_no_number_ends_training_before_the_weights_change(max_grad_norm: float) -> None:
    """A finite reward near the largest float: the sum of two of them, or the squared norm of the gradient, is not."""
    config = DQNConfig(
        **{
            **vars(CONFIG),
            "n_step": 3,
            "gamma": 1.0,
            "prioritization": 0.5,
            "max_grad_norm": max_grad_norm,
        }
    )
    agent = MaskedDQN(Broken(3e38), config, seed=0)
    with np.errstate(over="ignore"), pytest.raises(ValueError, match=r"Training diverged at step \d+, gradient step"):
        agent.learn(400)
    assert all(torch.isfinite(value).all() for value in agent.online_network.parameters())
    assert agent.replay.tree is not None and np.isfinite(agent.replay.tree.nodes).all()

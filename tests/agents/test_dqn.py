"""The double DQN: hand-worked targets, masks, and tiny problems solved to their known values."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

import qas_envs  # noqa: F401
from qas_agents import DQNConfig, MaskedDQN
from qas_agents.dqn.losses import double_q_target, masked
from qas_agents.dqn.networks import mlp


class Corridor(gym.Env[Any, Any]):
    """Cells 0..3 in a row, one-hot; action 0 steps right for -1, action 1 ends the episode with the cell's number.

    Ending is masked in cell 2. With gamma = 0.5: Q(3, end) = 3, and Q(3, right) ends too and pays 10;
    Q(2, right) = -1 + 0.5 * 10 = 4; Q(1, right) = -1 + 0.5 * 4 = 1; Q(1, end) = 1; Q(0, right) = -1 + 0.5 * 1 = -0.5;
    Q(0, end) = 0.
    """

    observation_space = spaces.Box(0, 1, (4,), np.float32)
    action_space = spaces.Discrete(2)
    Q = np.array([[-0.5, 0.0], [1.0, 1.0], [4.0, np.nan], [10.0, 3.0]])

    def __init__(self, truncate_at: int | None = None) -> None:
        self._truncate_at = truncate_at

    def _see(self) -> tuple[Any, dict[str, Any]]:
        mask = np.array([1, self.cell != 2], dtype=np.int8)
        return np.eye(4, dtype=np.float32)[self.cell], {"action_mask": mask}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.cell, self.steps = int(self.np_random.integers(4)), 0
        return self._see()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        observation, info = self._see()
        assert info["action_mask"][action], "the agent must never choose a masked action"
        self.steps += 1
        if action == 1 or self.cell == 3:
            return observation, float(self.cell if action == 1 else 10), True, False, info
        self.cell += 1
        observation, info = self._see()
        return observation, -1.0, False, self.steps == self._truncate_at, info


CONFIG = DQNConfig(
    network={"name": "mlp", "hidden": [32]},
    learning_rate=3e-3,
    gamma=0.5,
    n_step=1,
    batch_size=64,
    buffer_size=2000,
    learning_starts=200,
    train_frequency=1,
    target_update_interval=50,
    epsilon_decay=1.0,
)
FAST = dataclasses.replace(
    CONFIG, learning_rate=1e-2, batch_size=32, learning_starts=100, target_update_interval=20
)  # at the known values after a few hundred gradient steps


# -- targets ---------------------------------------------------------------------------------------------------------


def test_double_q_target_by_hand() -> None:
    online, target = torch.tensor([[5.0, 9.0, 1.0]]), torch.tensor([[10.0, 20.0, 30.0]])
    args = (torch.tensor([1.0]), torch.tensor([0.5]), online, target)
    assert double_q_target(*args, torch.tensor([[1, 1, 1]], dtype=torch.int8)).item() == 1 + 0.5 * 20
    assert double_q_target(*args, torch.tensor([[1, 0, 1]], dtype=torch.int8)).item() == 1 + 0.5 * 10
    assert double_q_target(torch.tensor([1.0]), torch.tensor([0.0]), online, target, torch.ones(1, 3)).item() == 1.0


def test_masked_values() -> None:
    assert masked(torch.tensor([[1.0, 2.0]]), torch.tensor([[1, 0]])).tolist() == [[1.0, -float("inf")]]


# -- learning --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_step", "truncate_at"), [(1, None), (3, None), (1, 2)])
def test_converges_to_the_known_values(n_step: int, truncate_at: int | None) -> None:
    """Exploration is off-policy for n > 1, so there ε is small and only the greedy values are compared."""
    epsilon = 1.0 if n_step == 1 else 0.02
    decay = 1.0 if n_step == 1 else 0.99
    config = dataclasses.replace(FAST, n_step=n_step, epsilon_end=epsilon, epsilon_decay=decay)
    agent = MaskedDQN(Corridor(truncate_at), config, seed=0)
    agent.learn(1000)
    values = agent.q_values(np.eye(4, dtype=np.float32))
    if n_step == 1:
        legal = ~np.isnan(Corridor.Q)
        np.testing.assert_allclose(values[legal], Corridor.Q[legal], atol=0.05)
    else:
        np.testing.assert_allclose(values[[2, 3], 0], [4.0, 10.0], atol=0.4)
    assert agent.predict(np.eye(4, dtype=np.float32)[2], action_masks=np.array([1, 0]), deterministic=True)[0] == 0


VARIANTS: list[dict[str, Any]] = [
    {"dueling": True},
    {"prioritization": 0.6, "importance_steps": 2000},
    {"tau": 0.02, "target_update_interval": 1},
    {"epsilon_clock": "environment", "epsilon_decay": 0.999, "epsilon_end": 0.3},
    {"network": {"name": "kan", "hidden": [4]}, "learning_rate": 1e-2},
    {"network": {"name": "kan", "hidden": [4]}, "learning_rate": 1e-2, "refit_interval": 100},
    {"bf16": True, "network": {"name": "mlp", "hidden": [64]}},
]


# KANs take longest
_MARKED = [pytest.param(v, marks=pytest.mark.slow) if "kan" in str(v) else v for v in VARIANTS]


@pytest.mark.parametrize("change", _MARKED)
def test_every_variant_converges(change: dict[str, Any]) -> None:
    agent = MaskedDQN(Corridor(), dataclasses.replace(FAST, **change), seed=0)
    agent.learn(700)
    legal = ~np.isnan(Corridor.Q)
    np.testing.assert_allclose(agent.q_values(np.eye(4, dtype=np.float32))[legal], Corridor.Q[legal], atol=0.1)


def test_many_environments_at_once() -> None:
    from gymnasium.vector import AutoresetMode, SyncVectorEnv

    envs = SyncVectorEnv([Corridor] * 4, autoreset_mode=AutoresetMode.DISABLED)
    seen: list[int] = []
    agent = MaskedDQN(envs, FAST, seed=0)
    agent.learn(2000, callback=lambda now, _: seen.append(len(now["infos"])) or True)  # type: ignore[func-returns-value]
    assert agent.num_timesteps == 2000 and seen == [4] * 500
    legal = ~np.isnan(Corridor.Q)
    np.testing.assert_allclose(agent.q_values(np.eye(4, dtype=np.float32))[legal], Corridor.Q[legal], atol=0.1)
    with pytest.raises(ValueError, match="Disabled"):
        MaskedDQN(SyncVectorEnv([Corridor]), CONFIG)


def test_solves_bell() -> None:
    env = gym.make("QAS-Bell-v0").unwrapped
    config = DQNConfig(
        network={"name": "mlp", "hidden": [64]},
        gamma=0.8,
        n_step=1,
        learning_starts=500,
        train_frequency=2,
        epsilon_decay=0.995,
        learning_rate=3e-3,
    )
    agent = MaskedDQN(env, config, seed=1).learn(2500)
    observation, info = env.reset()
    for _ in range(2):
        action, _ = agent.predict(observation, deterministic=True, action_masks=info["action_mask"])
        observation, _, terminated, _, info = env.step(action)
    assert terminated and info["success"], "the shortest Bell circuit has two gates"


def test_same_seed_same_bits() -> None:
    weights = []
    for _ in range(2):
        torch.manual_seed(int(np.random.default_rng().integers(1000)))  # the caller's generator must not matter
        agent = MaskedDQN(Corridor(), CONFIG, seed=7).learn(600)
        weights.append(torch.cat([p.flatten() for p in agent.online_network.parameters()]))
    assert torch.equal(*weights)


def test_target_network_follows_every_interval() -> None:
    agent = MaskedDQN(Corridor(), CONFIG, seed=0)
    agent.learn(200 + 50)  # gradient steps 0..50: copied before number 0 and number 50
    assert agent.num_gradient_steps == 51
    online, target = agent.online_network.state_dict(), agent.target_network.state_dict()
    assert not torch.equal(online["0.weight"], target["0.weight"])
    fresh = MaskedDQN(Corridor(), CONFIG, seed=0)
    fresh.learn(200 + 49)  # one gradient step less: what the copy must have caught
    assert torch.equal(target["0.weight"], fresh.online_network.state_dict()["0.weight"])


def test_epsilon_decays_per_gradient_step_to_its_floor() -> None:
    agent = MaskedDQN(Corridor(), dataclasses.replace(CONFIG, epsilon_decay=0.99, epsilon_end=0.1), seed=0)
    agent.learn(200 + 9)
    assert agent.epsilon == pytest.approx(0.99**10)
    agent.learn(500)
    assert agent.epsilon == 0.1


def test_parameter_counts_of_kanqas() -> None:
    for inputs, actions, count in [(84, 12, 4_782), (288, 21, 11_181)]:
        assert sum(p.numel() for p in mlp(inputs, actions, (30, 30, 30)).parameters()) == count


# -- interface -------------------------------------------------------------------------------------------------------


def test_predict_shapes_masks_and_exploration() -> None:
    agent = MaskedDQN(Corridor(), CONFIG, seed=0)
    batch = np.eye(4, dtype=np.float32)
    masks = np.array([[1, 0], [0, 1], [1, 0], [0, 1]])
    for deterministic in (True, False):
        actions, state = agent.predict(batch, action_masks=masks, deterministic=deterministic)
        assert actions.tolist() == [0, 1, 0, 1] and state is None
    assert np.ndim(agent.predict(batch[0])[0]) == 0
    with pytest.raises(ValueError, match="at least one legal action"):
        agent.predict(batch[0], action_masks=np.zeros(2))


def test_save_and_load(tmp_path: Path) -> None:
    agent = MaskedDQN(Corridor(), CONFIG, seed=0).learn(300)
    agent.save(tmp_path / "policy.safetensors")
    twin = MaskedDQN.load(tmp_path / "policy.safetensors", Corridor())
    np.testing.assert_array_equal(
        twin.q_values(np.eye(4, dtype=np.float32)), agent.q_values(np.eye(4, dtype=np.float32))
    )
    assert (twin.config, twin.num_timesteps, twin.epsilon) == (agent.config, 300, agent.epsilon)
    (tmp_path / "text").write_text("not a policy")
    with pytest.raises(ValueError, match=r"written by MaskedDQN.save"):
        MaskedDQN.load(tmp_path / "text", Corridor())
    with pytest.raises(ValueError, match="4 inputs and 2 actions"):
        MaskedDQN.load(tmp_path / "policy.safetensors", gym.make("QAS-Bell-v0"))


def test_works_with_sb3_callbacks_and_functions(tmp_path: Path) -> None:
    callbacks = pytest.importorskip("stable_baselines3.common.callbacks")

    class Count(callbacks.BaseCallback):  # type: ignore[name-defined, misc]
        def _on_step(self) -> bool:
            return bool(self.locals["infos"][0]["action_mask"].any() and self.n_calls < 50)

    callback = Count()
    agent = MaskedDQN(Corridor(), CONFIG, seed=0)
    agent.learn(1000, callback=callback)
    assert callback.n_calls == agent.num_timesteps == 50
    seen: list[float] = []
    agent.learn(1000, callback=lambda locals_, _: seen.append(locals_["rewards"][0]) or len(seen) < 20)  # type: ignore[func-returns-value]
    assert len(seen) == 20


@pytest.mark.filterwarnings("ignore:Training and eval env are not of the same type")  # theirs is in a vector
def test_sb3_evaluates_and_checkpoints_our_agent(tmp_path: Path) -> None:
    callbacks = pytest.importorskip("stable_baselines3.common.callbacks")
    from stable_baselines3.common.evaluation import evaluate_policy
    from stable_baselines3.common.monitor import Monitor

    env = Monitor(gym.make("QAS-Bell-v0", illegal="skip"))
    agent = MaskedDQN(gym.make("QAS-Bell-v0").unwrapped, dataclasses.replace(CONFIG, batch_size=16), seed=0)
    evaluation = callbacks.EvalCallback(
        env, n_eval_episodes=2, eval_freq=100, best_model_save_path=str(tmp_path), verbose=0
    )
    checkpoint = callbacks.CheckpointCallback(save_freq=100, save_path=str(tmp_path), name_prefix="agent")
    agent.learn(250, callback=callbacks.CallbackList([evaluation, checkpoint]))
    assert evaluation.best_mean_reward > 0 and (tmp_path / "agent_200_steps.zip").exists()
    twin = MaskedDQN.load(tmp_path / "best_model", env)
    mean, _ = evaluate_policy(twin, env, n_eval_episodes=2)
    assert mean == pytest.approx(evaluation.best_mean_reward)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gamma": 1.5}, r"`gamma` must lie in \[0, 1\], but is 1.5"),
        ({"n_step": 0}, "at least 1, but is 0"),
        ({"learning_rate": 0.0}, "positive"),
        ({"tau": 1.5}, r"\[0, 1\]"),
        ({"epsilon_clock": "episode"}, "Choices: environment, gradient"),
        ({"prioritization": -0.5}, "not be negative"),
        ({"buffer_size": 10, "batch_size": 20}, "hold a batch of 20"),
    ],
)
def test_bad_settings(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DQNConfig(**change)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"name": "cnn"}, "Unknown network 'cnn'. Choices: graph, kan, mlp, pykan"),
        ({"name": "mlp", "hiddens": [3]}, "Did you mean 'hidden'"),
        ({"name": "mlp", "hidden": []}, "positive widths"),
        ({"name": "mlp", "hidden": [3], "activation": "tanhh"}, "Unknown activation"),
        ({"name": "kan", "hidden": [0]}, "positive numbers"),
        ({"name": "kan", "order": 0}, "order"),
    ],
)
def test_bad_networks(network: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MaskedDQN(Corridor(), dataclasses.replace(CONFIG, network=network))


def test_foreign_spaces_are_refused() -> None:
    with pytest.raises(ValueError, match="Discrete"):
        MaskedDQN(gym.make("Pendulum-v1"))
    with pytest.raises(ValueError, match="at least 1"):
        MaskedDQN(Corridor(), CONFIG).learn(0)


def test_environment_without_masks() -> None:
    agent = MaskedDQN(gym.make("CartPole-v1"), CONFIG, seed=0).learn(300)
    assert agent.num_gradient_steps == 101

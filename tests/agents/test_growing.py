"""Agents that go on with more actions: old values stay, old transitions stay valid."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import qas_envs  # noqa: F401
from qas_agents import DQNConfig, Growth, MaskedDQN, grow

NETWORKS: list[dict[str, Any]] = [
    {"network": {"name": "mlp", "hidden": [16, 8]}},
    {"network": {"name": "mlp", "hidden": [16]}, "dueling": True},
    {"network": {"name": "kan", "hidden": [3]}},
    {"network": {"name": "kan", "hidden": [3]}, "dueling": True},
]


class Line(gym.Env[Any, Any]):
    """Walks with ``num_inputs`` observations and ``num_actions`` actions; action k pays k at the end of three steps."""

    def __init__(self, num_inputs: int, num_actions: int) -> None:
        self.observation_space = gym.spaces.Box(0.0, 1.0, (num_inputs,), np.float32)
        self.action_space = gym.spaces.Discrete(num_actions)
        self._steps = 0

    def _observe(self) -> np.ndarray[Any, Any]:
        observation = np.zeros(self.observation_space.shape, dtype=np.float32)  # type: ignore[arg-type]
        observation[self._steps] = 1.0
        return observation

    def _info(self) -> dict[str, Any]:
        return {"action_mask": np.ones(self.action_space.n, dtype=np.int8), "success": False}  # type: ignore[attr-defined]

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._steps = 0
        return self._observe(), self._info()

    def step(self, action: Any) -> Any:
        self._steps += 1
        return self._observe(), float(action), self._steps == 3, False, self._info()


GROWTH = Growth(actions=(2, 0, None, 1, None), inputs=(1, None, 0, 2, 3, None))


def trained(settings: dict[str, Any], steps: int = 120) -> MaskedDQN:
    config = DQNConfig(**settings, batch_size=16, learning_starts=20, buffer_size=100, train_frequency=4, n_step=2)
    return MaskedDQN(Line(4, 3), config, seed=1).learn(steps)


@pytest.mark.parametrize("settings", NETWORKS)
def test_old_values_are_kept_and_new_actions_are_worth_the_mean(settings: dict[str, Any]) -> None:
    agent = trained(settings)
    grown = grow(agent, Line(6, 5), GROWTH)
    seen = np.random.default_rng(0).random((7, 6)).astype(np.float32)
    before = agent.q_values(seen[:, [2, 0, 3, 4]])
    after = grown.q_values(seen)
    np.testing.assert_allclose(after[:, [1, 3, 0]], before, atol=2e-5)
    np.testing.assert_allclose(after[:, 2], before.mean(axis=1), atol=2e-5)


@pytest.mark.parametrize("prioritization", [0.0, 0.6])
def test_old_transitions_are_the_same_in_new_numbers(prioritization: float) -> None:
    agent = trained({**NETWORKS[0], "prioritization": prioritization})
    grown = grow(agent, Line(6, 5), GROWTH)
    old, new = agent.replay.since(0), grown.replay.since(0)
    assert len(new["actions"]) == len(old["actions"]) == 100
    np.testing.assert_array_equal(np.array([2, 0, -1, 1, -1])[new["actions"]], old["actions"])
    np.testing.assert_array_equal(new["observations"][:, [2, 0, 3, 4]], old["observations"])
    assert not new["observations"][:, [1, 5]].any() and not new["next_masks"][:, [2, 4]].any()
    np.testing.assert_array_equal(new["returns"], old["returns"])
    grown.learn(50)
    assert grown.num_gradient_steps > 0 and np.isfinite(grown.loss)


def test_transitions_of_actions_that_are_gone_are_forgotten() -> None:
    agent = trained(NETWORKS[0])
    grown = grow(agent, Line(4, 2), Growth(actions=(0, 2), inputs=(0, 1, 2, 3)))
    kept = agent.replay.since(0)["actions"] != 1
    np.testing.assert_array_equal(grown.replay.since(0)["returns"], agent.replay.since(0)["returns"][kept])
    assert len(grow(agent, Line(4, 2), Growth((0, 2), (0, 1, 2, 3)), keep_replay=False).replay) == 0


@pytest.mark.parametrize("settings", NETWORKS)
def test_values_stay_where_actions_go(settings: dict[str, Any]) -> None:
    agent = trained(settings)
    grown = grow(agent, Line(4, 2), Growth(actions=(2, 0), inputs=(0, 1, 2, 3)))
    seen = np.random.default_rng(0).random((5, 4)).astype(np.float32)
    np.testing.assert_allclose(grown.q_values(seen), agent.q_values(seen)[:, [2, 0]], atol=2e-5)


def test_nothing_to_keep_of_a_prioritised_replay() -> None:
    agent = trained({**NETWORKS[0], "prioritization": 0.6})
    grown = grow(agent, Line(4, 2), Growth(actions=(None, None), inputs=(0, 1, 2, 3)))
    assert len(grown.replay) == 0


def test_wrong_growth_is_named() -> None:
    agent = trained(NETWORKS[0], 30)
    for growth, text in (
        (Growth((0, 1, 2), GROWTH.inputs), "`actions` must have an entry for each of 5, but is 3"),
        (Growth((0, 0, 1, 2, None), GROWTH.inputs), "name different ones of 0..2"),
        (Growth(GROWTH.actions, (0, 1, 2, 3, 4, None)), r"`inputs` must name different ones of 0\.\.3"),
    ):
        with pytest.raises(ValueError, match=text):
            grow(agent, Line(6, 5), growth)


def test_an_agent_goes_on_with_gadgets() -> None:
    plain = gym.make("QAS-TFIM-v0", num_qubits=2, gates="ibm", max_gates=8).unwrapped
    rich = gym.make("QAS-TFIM-v0", num_qubits=2, gates="ibm", max_gates=8, gadgets="grl").unwrapped
    agent = MaskedDQN(plain, DQNConfig(network={"name": "mlp", "hidden": [8]}), seed=0)
    actions: dict[Any, int] = {action: k for k, action in enumerate(plain.catalogue.actions)}  # type: ignore[attr-defined]
    growth = Growth(
        tuple(actions.get(action) for action in rich.catalogue.actions),  # type: ignore[attr-defined]
        (*tuple(k if k < 8 * 10 else None for k in range(rich.observation_space.shape[0] - 1)), 80),  # type: ignore[index]
    )
    grown = grow(agent, rich, growth)
    observation, info = rich.reset()
    small, _ = plain.reset()
    numbers = [k for k, source in enumerate(growth.actions) if source is not None]
    np.testing.assert_allclose(grown.q_values(observation)[numbers], agent.q_values(small), atol=1e-6)
    assert info["action_mask"].shape == (grown.num_actions,)

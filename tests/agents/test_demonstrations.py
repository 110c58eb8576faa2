"""Guides of the double DQN: demonstrations of its own successes, and guides of others."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import qas_envs  # noqa: F401
from qas_agents import Demonstrations, DemonstrationsConfig, MaskedDQN
from qas_agents.searchers.pruning import prune, prune_many
from tests.agents.test_dqn import CONFIG


def cost(action: int) -> float:
    """Breaks no tie, so that the random generator decides the order."""
    return 1.0


@pytest.mark.slow  # python -m pytest tests/agents/test_demonstrations.py -m slow
def test_guided_by_its_own_successes() -> None:
    """Pruned circuits are kept if they succeed gate by gate; the frozen policy comes to build the shortest one."""
    env = gym.make("QAS-TFIM-v0", num_qubits=2, max_gates=10, reward="priced").unwrapped
    config = dataclasses.replace(
        CONFIG,
        network={"name": "mlp", "hidden": [64]},
        learning_rate=1e-3,
        gamma=0.99,
        n_step=3,
        buffer_size=5000,
        epsilon_decay=0.99,
    )
    counted: list[int] = []
    guide = Demonstrations(env, DemonstrationsConfig(4, search_steps=300))
    agent = MaskedDQN(env, config, seed=0, guide=guide)
    agent.learn(6000, callback=lambda now, _: counted.append(now["self"].num_timesteps) or True)  # type: ignore[func-returns-value]
    assert counted == list(range(1, len(counted) + 1)), "every circuit tried is a step"
    assert len(counted) == agent.num_timesteps >= 6000
    assert 1 <= len(guide.kept) <= 4 and len(guide.kept[0]) == 3
    for actions in guide.kept:
        env.reset()
        infos = [env.step(action)[4] for action in actions]
        assert infos[-1]["success"] and not any(info["success"] for info in infos[:-1])
    observation, info = env.reset()
    while not info.get("success") and len(env.episode.actions) < 10:
        action, _ = agent.predict(observation, deterministic=True, action_masks=info["action_mask"])
        observation, _, _, _, info = env.step(int(action))
    assert info["success"] and len(env.episode.actions) == 3


def test_given_circuits_lead_the_first_episodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shortest first; what the agent makes of it is pruned and followed before the next one."""
    env = gym.make("QAS-TFIM-v0", num_qubits=3, actions="blocks", max_gates=40, reward="priced").unwrapped
    given = [(0, 2, 0, 2), (1,), (0, 2)]  # the first is a solution, the others begin one
    guide = Demonstrations(env, DemonstrationsConfig(8), given)
    state = guide.state()
    assert state["waiting"] == [[0, 2, 0, 2], [0, 2], [1]] and state["lead"] == [1]
    episodes: list[list[int]] = []
    record = guide.record_episode
    monkeypatch.setattr(guide, "record_episode", lambda: (episodes.append(env.player.actions), record()))
    MaskedDQN(env, CONFIG, seed=0, guide=guide).learn(400, lambda now, _: len(episodes) < 8)
    assert episodes[0][:1] == [1]
    assert any(actions[:2] == [0, 2] for actions in episodes[1:4])
    assert guide.kept and guide.survived >= 1
    assert guide.state()["waiting"] == []
    with pytest.raises(ValueError, match="`circuits` must hold legal actions"):
        Demonstrations(env, DemonstrationsConfig(8), [(0, 0)])


def test_a_callback_ends_the_search_too() -> None:
    env = gym.make("QAS-TFIM-v0", num_qubits=2).unwrapped
    agent = MaskedDQN(env, CONFIG, seed=0, guide=Demonstrations(env, DemonstrationsConfig(4, search_steps=300)))
    agent.learn(6000, callback=lambda now, _: now["self"].num_timesteps < 50)
    assert 50 <= agent.num_timesteps < 100, "no more than the circuit that was being pruned"


@pytest.mark.parametrize("actions", ["blocks", "gates"])
def test_many_circuits_are_pruned_as_single_ones(actions: str) -> None:
    """In the same trials, bit for bit; only their order differs, because all circuits are pruned side by side."""
    env = gym.make("QAS-TFIM-v0", num_qubits=3, actions=actions, reward="priced").unwrapped
    bench = env.player  # type: ignore[attr-defined]
    rng = np.random.default_rng(1)
    found: list[Any] = []
    while len(found) < 20:  # more than are optimised together
        drawn: list[int] = []
        while len(drawn) < (6 if actions == "blocks" else 25):
            drawn.append(int(rng.integers(len(bench.catalogue.actions))))
            if bench.checked(drawn) is None:
                drawn.pop()
        if bench.play(drawn)[1]["success"]:
            found.append((bench.actions, bench.angles, bench.initial_angles))
    single: list[float] = []
    seeds = np.random.default_rng(7).integers(2**63, size=len(found)).tolist()
    expected = [
        prune(
            bench, own, angles, np.random.default_rng(seed), lambda info: single.append(info["energy"]), cost, initial
        )
        for (own, angles, initial), seed in zip(found, seeds, strict=True)
    ]
    together: list[float] = []

    def report(info: dict[str, Any]) -> bool:
        together.append(info["energy"])
        assert info["num_gates"] == len(bench.circuit), "the environment holds the circuit of the report"
        return True

    assert prune_many(bench, found, np.random.default_rng(7), report, cost) == expected
    assert len(single) > 3 * len(found) and sorted(single) == sorted(together)
    assert min(len(own) for own in expected) < min(len(own) for own, *_ in found)
    reports = iter([True] * 5 + [False])
    assert prune_many(bench, found, np.random.default_rng(7), lambda info: next(reports), cost) == []
    assert next(reports, None) is None, "nothing is reported after the answer to stop"


def test_the_search_takes_its_settings() -> None:
    """Annealing that begins with one gate tries circuits of about one gate; by default it begins with 40."""
    env = gym.make("QAS-LiH-v0", max_gates=40, reward="priced").unwrapped
    longest = []
    for search in ({}, {"start_gates": 1}):
        lengths: list[int] = []
        guide = Demonstrations(env, DemonstrationsConfig(4, search_steps=5, search=search))
        MaskedDQN(env, CONFIG, seed=0, guide=guide).learn(
            5, callback=lambda now, _, seen=lengths: seen.append(len(env.episode.actions)) or True
        )  # type: ignore[misc]
        longest.append(max(lengths))
    assert longest[0] > 20 and longest[1] < 8


def test_the_search_is_over_blocks_where_actions_are_blocks() -> None:
    """TFIM-3 needs three blocks; a circuit that is found with few of them is led, and replays are counted."""
    env = gym.make("QAS-TFIM-v0", num_qubits=3, actions="blocks", reward="priced").unwrapped
    guide = Demonstrations(env, DemonstrationsConfig(4, search_steps=150, search={"start_blocks": 5}))
    rows: list[dict[str, int]] = []
    agent = MaskedDQN(env, dataclasses.replace(CONFIG, learning_starts=0), seed=0, guide=guide)
    agent.learn(400, callback=lambda now, _: rows.append(now["self"].figures()) or True)  # type: ignore[func-returns-value]
    assert rows[149] == {"replayed": 0, "survived": 0} and agent.num_moves > 0
    assert rows[-1]["replayed"] >= rows[-1]["survived"] >= 1 and agent.figures() == guide.figures()
    assert len(guide.kept[0]) == 3
    for actions in guide.kept:
        env.reset()
        assert [env.step(action)[4]["success"] for action in actions][-1]
    twin = Demonstrations(env, DemonstrationsConfig(4))
    twin.check(guide.state(), {}, len(env.catalogue))
    twin.restore(guide.state(), {})
    assert twin.figures() == guide.figures()
    old = {name: value for name, value in guide.state().items() if name not in guide.figures()}
    twin.check(old, {}, len(env.catalogue))
    with pytest.raises(ValueError, match="`survived` must be a number of circuits"):
        twin.check({**old, "survived": -1}, {}, len(env.catalogue))


def test_each_search_has_its_own_settings() -> None:
    for actions, setting, owner in (("blocks", "two_qubit", "blocks"), ("gates", "openings", "gates")):
        env = gym.make("QAS-TFIM-v0", num_qubits=2, actions=actions).unwrapped
        with pytest.raises(ValueError, match=f"Unknown setting of the search over {owner} '{setting}'"):
            Demonstrations(env, DemonstrationsConfig(search={setting: 1}))


def test_the_search_is_part_of_the_steps() -> None:
    env = gym.make("QAS-TFIM-v0", num_qubits=2, max_gates=10).unwrapped
    guide = Demonstrations(env, DemonstrationsConfig(4, search_steps=5000))
    agent = MaskedDQN(env, dataclasses.replace(CONFIG, learning_starts=30), seed=0, guide=guide)
    agent.learn(200)
    assert (agent.num_timesteps, agent.num_moves) == (200, 0)
    agent.learn(400)
    assert 0 < agent.num_moves <= 400 and agent.num_gradient_steps > 0


def test_what_cannot_be_guided() -> None:
    with pytest.raises(TypeError, match="CartPoleEnv has no 'player'"):
        Demonstrations(gym.make("CartPole-v1"))
    envs = gym.make_vec("QAS-Bell-v0", num_envs=2, autoreset_mode="Disabled")
    guide = Demonstrations(gym.make("QAS-Bell-v0"))
    with pytest.raises(ValueError, match="where there are several environments"):
        MaskedDQN(envs, CONFIG, guide=guide)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"search_steps": 10, "demonstrations": 0}, "be positive where search_steps are"),
        ({"search": {"too_qubit": 0.1}}, "Unknown setting of the search 'too_qubit'.*Did you mean 'two_qubit'"),
        ({"search": {"seed": 1}}, "Unknown setting of the search 'seed'"),
        ({"demonstrations": -1}, "not be negative"),
        ({"demonstration_share": 1.5}, r"\[0, 1\]"),
    ],
)
def test_bad_settings_of_demonstrations(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DemonstrationsConfig(**settings)


class SecondAction:
    """A guide that always suggests the second action, where it is legal."""

    calls: list[str]

    def __init__(self) -> None:
        self.calls = []

    def before_training(self, rng: np.random.Generator, report: Any) -> None:
        self.calls.append("before_training")

    def figures(self) -> dict[str, int]:
        return {}

    def begin_episode(self, agent: Any) -> None:
        self.calls.append("begin_episode")

    def record_reward(self, reward: float) -> None:
        pass

    def further_loss(self, network: Any, size: int, rng: np.random.Generator) -> None:
        return None

    def arrays(self) -> dict[str, Any]:
        return {}

    def next_action(self, observation: Any, mask: Any, rng: np.random.Generator) -> int | None:
        return 1 if mask[1] else None

    def record_episode(self) -> None:
        self.calls.append("record_episode")

    def end_episode(self, success: bool, rng: np.random.Generator, report: Any) -> None:
        self.calls.append("end_episode")

    def settings(self) -> dict[str, Any]:
        return {}

    def state(self) -> dict[str, Any]:
        return {"calls": self.calls}

    def check(self, state: Any, arrays: Any, num_actions: int) -> None:
        pass

    def restore(self, state: Any, arrays: Any) -> None:
        self.calls = list(state["calls"])


def test_any_guide_can_be_handed_in(tmp_path: Path) -> None:
    env, guide, taken = gym.make("QAS-Bell-v0", max_gates=3).unwrapped, SecondAction(), []
    agent = MaskedDQN(env, CONFIG, seed=0, guide=guide)
    agent.learn(30, callback=lambda seen, _: taken.append(seen["actions"][0]) or True)  # type: ignore[func-returns-value]
    assert 1 in taken[:2] and guide.calls[:4] == ["before_training", "begin_episode", "record_episode", "end_episode"]
    assert agent.state()[1]["demonstrations"] == {"calls": guide.calls}
    agent.save(tmp_path / "policy.safetensors")
    assert MaskedDQN.load(tmp_path / "policy.safetensors", env).guide is None

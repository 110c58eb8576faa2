"""The registry of agents: entries agree with the protocols of the objects that they make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

import qas_envs  # noqa: F401
from qas_agents import GraphAgent, MaskedDQN
from qas_agents.protocols import Agent, Policy, Reseedable, Resumable
from qas_agents.registry import AGENTS, AgentEntry

SETTINGS: dict[str, dict[str, Any]] = {
    "sb3": {"algorithm": "MaskablePPO", "n_steps": 8, "batch_size": 8},
    "graph": {"hidden": 8, "rounds": 1, "batch": 4},
    "latent_bo": {"pool": 30, "epochs": 1, "first": 2},
    "latent_reinforce": {"pool": 30, "epochs": 1},
    "dqn": {"network": {"name": "mlp", "hidden": [8]}, "batch_size": 8, "learning_starts": 8, "demonstrations": 2},
}

BLOCKS = {"actions": "blocks", "encoding": "hamiltonian_graph"}
RULES: dict[str, dict[str, Any]] = {"graph": BLOCKS, "graph_search": BLOCKS}


def entry_of(name: str) -> AgentEntry:
    row = AGENTS[name]
    return row if isinstance(row, AgentEntry) else row(SETTINGS.get(name, {}))


@pytest.mark.filterwarnings("ignore:You have specified a mini-batch size")
@pytest.mark.parametrize("name", AGENTS)
def test_entries_agree_with_what_they_make(name: str, tmp_path: Path) -> None:
    env, entry = gym.make("QAS-TFIM-v0", num_qubits=2, **RULES.get(name, {})).unwrapped, entry_of(name)
    agent: Any = entry.make(env, 0, "cpu", **SETTINGS.get(name, {}))
    assert isinstance(agent, Agent)
    assert isinstance(agent, Policy) == (entry.load is not None)
    agent.learn(20)
    assert agent.num_timesteps >= 20
    if entry.load is not None:
        assert isinstance(agent, Reseedable)
        agent.save(str(tmp_path / "policy.safetensors"))
        policy = entry.load(tmp_path / "policy.safetensors", env)
        assert type(policy) is type(agent)
        observation, info = env.reset(seed=0)
        actions = [
            one.predict(observation, deterministic=True, action_masks=info["action_mask"])[0] for one in (agent, policy)
        ]
        assert actions[0] == actions[1]


def test_what_only_some_agents_can() -> None:
    assert [name for name in AGENTS if entry_of(name).inherit is not None] == ["dqn"]
    assert [name for name in AGENTS if not entry_of(name).is_random] == ["greedy"]
    assert issubclass(MaskedDQN, Resumable) and issubclass(GraphAgent, Resumable)
    for algorithm, obeys in (("PPO", False), ("MaskablePPO", True)):
        row = AGENTS["sb3"]
        assert not isinstance(row, AgentEntry) and row({"algorithm": algorithm}).obeys_masks() == obeys


def test_the_dqn_is_guided_where_its_settings_say_so() -> None:
    env, make = gym.make("QAS-TFIM-v0", num_qubits=2).unwrapped, entry_of("dqn").make
    agent: Any = make(env, 0, "cpu", demonstrations=3, demonstration_share=0.5)
    assert agent.guide.settings() == {
        "demonstrations": 3,
        "demonstration_share": 0.5,
        "search_steps": 0,
        "search": {},
    }
    agent = make(env, 0, "cpu")
    assert agent.guide is None
    with pytest.raises(ValueError, match="be positive where search_steps are"):
        make(env, 0, "cpu", search_steps=10)

"""The double DQN on graphs: equivariance, known values, many instances and sizes, resuming, and files."""

from __future__ import annotations

import dataclasses
import json
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

import qas_envs  # noqa: F401
from qas_agents import Demonstrations, DemonstrationsConfig, DQNConfig, MaskedDQN, ppr_dqn
from qas_agents.dqn.instances import InstanceEnvironments
from qas_agents.dqn.networks import GraphQNetwork, make_network
from qas_agents.dqn.observations import Flattener
from qas_agents.graph.drawing import ActionTable
from qas_agents.graph.layout import GraphLayout

GRAPH: dict[str, Any] = {"name": "graph", "hidden": 8, "rounds": 1}
SMALL = DQNConfig(
    network=GRAPH,
    learning_rate=3e-3,
    n_step=2,
    batch_size=8,
    buffer_size=200,
    learning_starts=20,
    train_frequency=2,
    target_update_interval=5,
)
SIZES = {"num_qubits": [3, 4], "field": [0.8, 1.2]}


def build(num_qubits: int = 4, **settings: Any) -> Any:
    given = {"actions": "blocks", "encoding": "hamiltonian_graph", "max_gates": 12, "reward": "priced", **settings}
    return gym.make("QAS-TFIM-v0", num_qubits=num_qubits, disable_env_checker=True, **given).unwrapped


def ground_state(hamiltonian: dict[str, float], **settings: Any) -> Any:
    given = {"actions": "blocks", "encoding": "hamiltonian_graph", "max_gates": 24, **settings}
    return gym.make("QAS-GroundState-v0", hamiltonian=hamiltonian, disable_env_checker=True, **given).unwrapped


# -- the network -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dueling", [False, True])
def test_permuted_qubits_permute_the_action_values(dueling: bool) -> None:
    """In environments of a Hamiltonian and of the same one with other names of the qubits, after the same circuit."""
    n, order = 4, [2, 0, 3, 1]  # qubit k of the first is qubit order[k] of the second
    words = {"ZZII": -1.0, "IZIZ": 0.7, "IIXI": -0.4, "XIII": 0.3, "IYYI": 0.2}
    renamed = {}
    for word, coefficient in words.items():
        letters = [""] * n
        for qubit, letter in enumerate(reversed(word)):  # qubit 0 is the last letter
            letters[order[qubit]] = letter
        renamed["".join(reversed(letters))] = coefficient
    first, second = ground_state(words, stop=True), ground_state(renamed, stop=True)
    config = dataclasses.replace(SMALL, network={"name": "graph", "hidden": 16, "rounds": 2}, dueling=dueling)
    agents = [MaskedDQN(env, config, seed=0) for env in (first, second)]
    pairs = [action.qubits for action in first.catalogue.actions]
    assert pairs == [action.qubits for action in second.catalogue.actions]
    places = [pairs.index(tuple(sorted((order[a], order[b])))) for a, b in pairs] + [len(pairs)]  # stopping stays
    seen = [env.reset(seed=0)[0] for env in (first, second)]
    for action in (0, 4, 1):
        values = [agent.q_values(one) for agent, one in zip(agents, seen, strict=True)]
        np.testing.assert_allclose(values[0], values[1][places], atol=1e-5)
        assert np.ptp(values[0]) > 1e-3  # actions differ
        seen = [first.step(action)[0], second.step(places[action])[0]]


def test_rows_of_different_sizes_are_those_of_networks_of_one_size() -> None:
    envs = {n: build(n, stop=True) for n in (3, 5)}
    tables = {n: ActionTable(env.catalogue) for n, env in envs.items()}
    torch.manual_seed(0)
    both = GraphQNetwork(11, GraphLayout((10, 18, 8), tables), hidden=16)
    flats, alone = [], []
    for n in (5, 3, 5, 3, 3):
        env = envs[n]
        env.reset(seed=len(flats))
        observation, *_ = env.step(len(flats) % len(env.catalogue.actions))
        flatten = Flattener(env.observation_space)
        single = GraphQNetwork(len(tables[n]), GraphLayout((10, 18, 8), {n: tables[n]}), hidden=16)
        single.load_state_dict(both.state_dict())
        alone.append(single(torch.from_numpy(flatten(observation))[None])[0])
        flatten.size = Flattener(envs[5].observation_space).size
        flats.append(torch.from_numpy(flatten(observation)))
    values = both(torch.stack(flats))
    assert values.shape == (5, 11)
    for row, own in zip(values, alone, strict=True):
        torch.testing.assert_close(row[: len(own)], own, atol=1e-5, rtol=0)
        assert not row[len(own) :].any()


# -- known values ------------------------------------------------------------------------------------------------------


class MarkedPair(gym.Env[Any, Any]):
    """Two steps; an action is a pair of qubits, and the marked one pays 1, others -1. The mark moves after a step.

    If the episode is locked, the marked pair is illegal in the second step. With gamma = 0.5, the second step is worth
    1, or -1 if it is locked; so that in the first step Q(marked) = 1 + 0.5 = 1.5 and Q(other) = -1 + 0.5 = -0.5, and
    in a locked episode Q(marked) = 1 - 0.5 = 0.5 and Q(other) = -1 - 0.5 = -1.5.
    """

    def __init__(self, num_qubits: int) -> None:
        pairs = [*combinations(range(num_qubits), 2)]
        shapes = {"qubits": (num_qubits, 1), "pairs": (len(pairs), 1), "circuit": (5,)}
        self.observation_space = spaces.Dict({name: spaces.Box(0, 2, shape) for name, shape in shapes.items()})
        self.action_space = spaces.Discrete(len(pairs))
        actions = [SimpleNamespace(gate="cx_ry", qubits=pair) for pair in pairs]
        self.catalogue = SimpleNamespace(
            num_qubits=num_qubits, actions=actions, has_blocks=True, stop=None, num_gates=[3] * len(pairs)
        )

    def see(self, step: int, marked: int, locked: int) -> dict[str, Any]:
        n, count = self.catalogue.num_qubits, len(self.catalogue.actions)
        pairs = np.zeros((count, 1), dtype=np.float32)
        pairs[marked] = 1.0
        circuit = np.array([step, locked, 0.0, 4.0 / n, 0.0], dtype=np.float32)
        return {"qubits": np.zeros((n, 1), dtype=np.float32), "pairs": pairs, "circuit": circuit}

    def _shown(self) -> tuple[Any, dict[str, Any]]:
        mask = np.ones(len(self.catalogue.actions), dtype=np.int8)
        mask[self._marked] = not (self._locked and self._step)
        return self.see(self._step, self._marked, self._locked), {"action_mask": mask}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._step, self._locked = 0, int(self.np_random.integers(2))
        self._marked = int(self.np_random.integers(len(self.catalogue.actions)))
        return self._shown()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        observation, info = self._shown()
        assert info["action_mask"][action], "the agent must never choose a masked action"
        reward, over = (1.0 if action == self._marked else -1.0), self._step == 1
        if not over:
            self._step, self._marked = 1, int(self.np_random.integers(len(self.catalogue.actions)))
            observation, info = self._shown()
        return observation, reward, over, False, info


@pytest.mark.parametrize("dueling", [False, True])
def test_learns_known_values_that_hold_for_other_sizes(dueling: bool, tmp_path: Path) -> None:
    config = DQNConfig(
        network=GRAPH,
        dueling=dueling,
        learning_rate=1e-2,
        gamma=0.5,
        n_step=1,
        batch_size=32,
        buffer_size=2000,
        learning_starts=60,
        train_frequency=1,
        target_update_interval=15,
        epsilon_decay=1.0,
    )
    agent = MaskedDQN(MarkedPair(4), config, seed=0).learn(400)
    agent.save(tmp_path / "policy.safetensors")
    for env in (MarkedPair(4), MarkedPair(5)):
        other = MaskedDQN.load(tmp_path / "policy.safetensors", env)
        count = len(env.catalogue.actions)
        tolerance = 0.1 if count == 6 else 0.5  # it was trained on four qubits
        for step, locked, marked, rest in ((0, 0, 1.5, -0.5), (0, 1, 0.5, -1.5), (1, 0, 1.0, -1.0)):
            values = other.q_values(env.see(step, 0, locked))
            wanted = np.array([marked, *[rest] * (count - 1)])
            if dueling:  # the mean over more actions is another one, which changes all values alike
                wanted += np.mean(values - wanted) if count > 6 else 0.0
            np.testing.assert_allclose(values, wanted, atol=tolerance)


# -- instances ---------------------------------------------------------------------------------------------------------


def test_every_episode_is_of_an_instance_and_masks_are_obeyed() -> None:
    agent = MaskedDQN(build(5, illegal="raise", stop=True), dataclasses.replace(SMALL, instances=SIZES), seed=0)
    seen: dict[tuple[int, float], int] = {}
    legal: list[int] = []

    def step(locals_: dict[str, Any], _: dict[str, Any]) -> bool:
        env = locals_["circuit_env"]
        assert env is not agent.env and locals_["infos"][0]["num_gates"] == env.circuit.num_gates
        key = env.problem.num_qubits, env.problem.provenance["field"]
        seen[key] = seen.get(key, 0) + 1
        legal.append(int(agent.replay.next_masks[(agent.replay.count - 1) % 200].sum()) if agent.replay.count else 0)
        return True

    agent.learn(120, step)
    assert set(seen) == {(3, 0.8), (3, 1.2), (4, 0.8), (4, 1.2)}
    assert agent.num_actions == 11 and max(legal) <= 7  # those of five qubits, of which four have seven
    assert agent.num_gradient_steps == 51
    observation, info = agent.env.reset(seed=0)  # of five qubits, the validation instance
    assert info["action_mask"][agent.predict(observation, action_masks=info["action_mask"])[0]] == 1


@pytest.mark.parametrize("network", [{"name": "mlp", "hidden": (8,)}, {"name": "kan", "hidden": (2,)}, GRAPH], ids=str)
def test_training_continues_to_the_same_bytes(network: dict[str, Any], tmp_path: Path) -> None:
    """From the middle of an episode; the state goes through JSON."""
    instances = SIZES if network is GRAPH else {"field": [0.8, 1.0, 1.2]}
    config = dataclasses.replace(SMALL, network=network, instances=instances, prioritization=0.5)

    def made() -> MaskedDQN:
        return MaskedDQN(build(4), config, seed=3)

    whole, half, resumed = made(), made(), made()
    whole.learn(66)
    half.learn(31)
    while half.environments.current.episode.over or not half.environments.current.episode.actions:
        half.learn(1)
    arrays, numbers = half.state()
    numbers = json.loads(json.dumps(numbers))
    resumed.replay.put(0, half.replay.since(0))
    resumed.restore(arrays, numbers)
    resumed.learn(66 - half.num_timesteps)
    for agent, name in ((whole, "whole"), (resumed, "resumed")):
        agent.save(tmp_path / name)
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "resumed").read_bytes()
    for first, second in zip(whole.state(), resumed.state(), strict=True):
        assert first.keys() == second.keys()
        for name, value in first.items():
            np.testing.assert_array_equal(value, second[name], err_msg=name)
    state = numbers["instances"]
    for damaged in (
        None,
        {**state, "number": 99},
        {**state, "rng": {}},
        {**state, "playing": {}},
        {**state, "playing": {**state["playing"], "actions": [99]}},
    ):
        with pytest.raises(ValueError, match="must"):
            made().check(arrays, {**numbers, "instances": damaged}, half.replay.count)


def test_equal_seeds_draw_equal_instances_for_all_networks() -> None:
    """Also while the networks choose the actions."""
    episodes = []
    for network in (GRAPH, {"name": "mlp", "hidden": (8,)}):
        config = dataclasses.replace(SMALL, network=network, instances={"field": [0.8, 1.0, 1.2]})
        fields: list[float] = []

        def step(seen: dict[str, Any], _: dict[str, Any], fields: list[float] = fields) -> bool:
            if seen["dones"][0]:
                fields.append(seen["circuit_env"].problem.provenance["field"])
            return True

        MaskedDQN(build(3), config, seed=5).learn(60, step)
        episodes.append(fields)
    count = min(map(len, episodes))
    assert episodes[0][:count] == episodes[1][:count] and len({*episodes[0][:count]}) == 3


def test_a_policy_of_small_instances_plays_larger_ones(tmp_path: Path) -> None:
    agent = MaskedDQN(build(4), dataclasses.replace(SMALL, instances=SIZES), seed=0).learn(40)
    agent.save(tmp_path / "policy.safetensors")
    env = build(6, stop=True, gates="ibm")
    policy = MaskedDQN.load(tmp_path / "policy.safetensors", env)
    assert not policy.config.instances and policy.num_gradient_steps == agent.num_gradient_steps
    observation, info = env.reset(seed=0)
    over = False
    while not over:
        action, _ = policy.predict(observation, deterministic=True, action_masks=info["action_mask"])
        observation, _, terminated, truncated, info = env.step(action)
        over = terminated or truncated
    batch = {name: np.stack([array] * 3) for name, array in observation.items()}
    assert policy.predict(batch, deterministic=True)[0].shape == (3,)
    mlp = MaskedDQN(build(4), dataclasses.replace(SMALL, network={"name": "mlp", "hidden": (8,)}), seed=0)
    mlp.save(tmp_path / "mlp.safetensors")
    with pytest.raises(ValueError, match="`env` must have 156 inputs and 6 actions"):
        MaskedDQN.load(tmp_path / "mlp.safetensors", env)


def test_vectors_of_environments_have_graphs_too() -> None:
    rules: dict[str, Any] = {"actions": "blocks", "encoding": "hamiltonian_graph", "max_gates": 12, "reward": "priced"}
    envs = gym.make_vec("QAS-TFIM-v0", num_envs=3, num_qubits=3, autoreset_mode="Disabled", **rules)
    agent = MaskedDQN(envs, SMALL, seed=0).learn(60)
    assert agent.num_gradient_steps == 21


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="`instances` must all have the size of `env` for the network 'mlp'"):
        MaskedDQN(build(4), DQNConfig(instances=SIZES))
    with pytest.raises(ValueError, match="`env` must have the encoding 'hamiltonian_graph' for the network 'graph'"):
        MaskedDQN(build(4, encoding="tensor"), DQNConfig(network=GRAPH))
    with pytest.raises(ValueError, match="`actions` must be blocks on two qubits"):
        MaskedDQN(build(4, actions="gates"), DQNConfig(network=GRAPH))
    with pytest.raises(ValueError, match=r"`instances.field` must be a list of values"):
        DQNConfig(instances={"field": 1.0})
    with pytest.raises(ValueError, match="`encoding` must be 'hamiltonian_graph'"):
        MaskedDQN(build(4, encoding="tensor"), DQNConfig(instances={"field": [0.5, 1.0]}))
    guide = Demonstrations(build(4), DemonstrationsConfig(demonstrations=2))
    with pytest.raises(ValueError, match="`guide` must be None"):
        MaskedDQN(build(4), DQNConfig(network=GRAPH, instances=SIZES), guide=guide)
    with pytest.raises(ValueError, match="`network` must be 'mlp' or 'kan'"):
        ppr_dqn(build(4), DQNConfig(network=GRAPH))
    with pytest.raises(ValueError, match="`hidden` must be a whole number"):
        MaskedDQN(build(4), DQNConfig(network={"name": "graph", "hidden": [8]}))
    with pytest.raises(ValueError, match="graf"):
        make_network({"name": "graf"}, 4, 2)
    environments = InstanceEnvironments(build(4), {"field": [0.5, 1.0]})
    environments.check({**environments.state(), "number": None})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="Dict of boxes"):
        Flattener(spaces.Dict({"a": spaces.Discrete(3)}))


# -- with other rules --------------------------------------------------------------------------------------------------


def test_environments_on_a_device_feed_the_graph_network() -> None:
    rules = {"actions": "blocks", "encoding": "hamiltonian_graph", "max_gates": 12}
    envs = gym.make_vec("QAS-TFIM-v0", 4, device="cpu", num_qubits=4, autoreset_mode="Disabled", **rules)
    agent = MaskedDQN(envs, SMALL, seed=0)
    agent.learn(80)
    assert agent.num_gradient_steps > 0 and agent.num_actions == 6
    with pytest.raises(ValueError, match="`instances` must be empty where environments are a vector"):
        MaskedDQN(envs, dataclasses.replace(SMALL, instances={"field": [0.8]}))


@pytest.mark.parametrize("instances", [None, [{"field": 0.8}]])
def test_instances_are_arguments_with_values(instances: Any) -> None:
    with pytest.raises(ValueError, match="`instances` must be arguments with lists of values"):
        dataclasses.replace(SMALL, instances=instances)


def test_instances_with_other_actions_are_refused() -> None:
    """Rules can be instances as well: with other couplings, the same number would be another action."""
    agent = MaskedDQN(build(), dataclasses.replace(SMALL, instances={"couplings": ["line", "ring"]}), seed=0)
    with pytest.raises(ValueError, match="`instances` must have the actions on 4 qubits"):
        agent.learn(10)

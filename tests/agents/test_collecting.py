"""Actors that play circuits for the graph agent: what one sends, and training with two, one of which is lost."""

from __future__ import annotations

import pickle
import time
from contextlib import suppress
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import qas_envs  # noqa: F401
from qas_agents import GraphAgent, GraphConfig
from qas_agents.graph.collecting import Collectors, Player
from qas_agents.graph.drawing import judged
from qas_agents.graph.training import _update, rewards_of
from qas_experiments.building import Plan
from tests.agents.test_graph import SMALL, build
from tests.experiments.conftest import compose


def _weights(agent: GraphAgent) -> dict[str, Any]:
    return {name: value.numpy().copy() for name, value in agent.network.state_dict().items()}


def test_what_an_actor_sends() -> None:
    """The circuits of the learner's policy, with its probabilities, optimised; the seed determines all of it."""
    config = GraphConfig(**SMALL, instances={"num_qubits": [2, 3]})
    agent = GraphAgent(build(3), config, seed=0)
    player = Player(pickle.loads(pickle.dumps(agent.env.spec)), config, agent.num_features)
    group, again = (pickle.loads(pickle.dumps(player.play(_weights(agent), 1, 4, 7))) for _ in range(2))
    assert (group.number, group.length, len(group.drawn)) == (1, 4, config.batch)
    np.testing.assert_array_equal(group.drawn.chosen, again.drawn.chosen)
    np.testing.assert_array_equal(group.played.energies, again.played.energies)
    instance = agent.instances[1]
    with torch.no_grad():
        wanted = judged(agent.network, instance.table, group.drawn)[0].numpy()
    np.testing.assert_array_equal(group.log_probs, wanted)
    for number, actions in enumerate(group.legal):
        info = instance.bench.show(actions, group.played, number)
        hamiltonian, circuit = instance.env.problem.hamiltonian, instance.env.circuit
        assert info["energy"] == pytest.approx(instance.env.simulator.expectation(circuit, hamiltonian), abs=1e-9)


def test_groups_of_older_weights_are_weighted_by_their_probabilities() -> None:
    """What has become much more probable since is clipped: the first gradient step does not follow it."""
    agents = [GraphAgent(build(3), GraphConfig(**SMALL, entropy=0.0, value=0.0, imitation=0.0), seed=0) for _ in "ab"]
    player = Player(agents[0].env.spec, agents[0].config, agents[0].num_features)
    group = player.play(_weights(agents[0]), 0, 4, 0)
    assert group.log_probs is not None
    rewards = rewards_of(group.played.errors, 1e-3)
    assert rewards.std() > 0
    changes = []
    for agent, shift in zip(agents, (0.0, 1.0), strict=True):
        sign = np.sign(rewards - rewards.mean())[:, None].astype(np.float32)
        older = type(group)(**{**vars(group), "log_probs": group.log_probs - shift * sign})
        before = _weights(agent)
        _update(agent, agent.instances[0], older, rewards)
        changes.append(sum(np.abs(after - before[name]).sum() for name, after in _weights(agent).items()))
    assert changes[0] > 0 and changes[1] == 0


def test_only_the_graph_agent_has_actors() -> None:
    plan = Plan.of(compose("env=lih", "training.collectors=2"))
    env = plan.make_environment()
    with pytest.raises(ValueError, match=r"`training.collectors` must be 0, or for agent=graph"):
        plan.make_agent(env)
    agent = GraphAgent(build(3), GraphConfig(**SMALL), seed=0)
    agent.env.spec = None
    pytest.importorskip("ray")
    with pytest.raises(ValueError, match=r"`env` must be made by gymnasium\.make"):
        Collectors(agent)


@pytest.mark.slow
def test_training_with_two_actors_one_of_which_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its group is lost, another actor takes its place, and all circuits of the training are played."""
    ray = pytest.importorskip("ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    env = gym.make("QAS-TFIM-v0", num_qubits=3, actions="blocks", encoding="hamiltonian_graph", max_gates=24)
    agent = GraphAgent(env, GraphConfig(**SMALL), seed=0)
    agent.num_collectors, killed, seen = 2, [], []
    running: list[Collectors] = []
    enter = Collectors.__enter__

    def entered(own: Collectors) -> Collectors:
        running.append(own)
        return enter(own)

    monkeypatch.setattr(Collectors, "__enter__", entered)

    def lose_one(names: dict[str, Any], _: dict[str, Any]) -> bool:
        seen.append(names["infos"][0]["energy_error"])
        if agent.num_timesteps == 3 * SMALL["batch"]:
            killed.append(running[0].actors()[0])
            ray.kill(killed[0])
        return True

    agent.learn(8 * SMALL["batch"], lose_one)
    assert len(killed) == 1 and agent.num_lost == 1 and not ray.is_initialized()
    assert len(seen) == agent.num_timesteps == 8 * SMALL["batch"] and np.isfinite(seen).all()
    assert agent.num_updates == 8 and np.isfinite(agent.loss)
    assert agent.figures()["lost_groups"] == 1


@pytest.mark.slow  # python -m pytest tests/agents/test_collecting.py -m slow
def test_training_on_two_nodes_one_of_which_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """First an actor is lost, then the node that it was on: each costs a group, and the other node finishes."""
    ray = pytest.importorskip("ray")
    from ray._private import services
    from ray.cluster_utils import Cluster

    get_node = services.get_node

    def patient(*arguments: Any) -> Any:
        """Wait longer than Ray's 30 seconds for a node, which a busy machine needs."""
        for _ in range(300):
            with suppress(RuntimeError):
                return get_node(*arguments)
            time.sleep(1.0)
        return get_node(*arguments)

    monkeypatch.setattr(services, "get_node", patient)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    for name in ("agent_register_timeout_ms", "raylet_start_wait_time_s", "worker_register_timeout_seconds"):
        monkeypatch.setenv(f"RAY_{name}", "300000" if name.endswith("ms") else "300")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        second = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        env = gym.make("QAS-TFIM-v0", num_qubits=3, actions="blocks", encoding="hamiltonian_graph", max_gates=24)
        agent = GraphAgent(env, GraphConfig(**SMALL), seed=0)
        agent.num_collectors, batch = 2, SMALL["batch"]
        running: list[Collectors] = []
        enter = Collectors.__enter__
        monkeypatch.setattr(Collectors, "__enter__", lambda own: running.append(own) or enter(own))
        homes: list[set[str]] = []
        seen, lost = [], []

        def node_of(actor: Any) -> str:
            home = actor.__ray_call__.remote(lambda _: ray.get_runtime_context().get_node_id())
            return str(ray.get(home, timeout=120))

        def lose(names: dict[str, Any], _: dict[str, Any]) -> bool:
            seen.append(names["infos"][0]["energy_error"])
            lost.append(running[0].lost)
            if agent.num_timesteps == 2 * batch:
                homes.append({node_of(actor) for actor in running[0].actors()})
                ray.kill(next(one for one in running[0].actors() if node_of(one) == second.node_id))
            if agent.num_timesteps == 6 * batch:
                homes.append({node_of(actor) for actor in running[0].actors()})
                cluster.remove_node(second, allow_graceful=False)
                cluster.wait_for_nodes(timeout=120)
            return agent.num_updates < 400 and (running[0].lost < 2 or agent.num_timesteps % (4 * batch) != 0)

        agent.learn(1000 * batch, lose)
        assert len(homes) == 2 and all(len(home) == 2 and second.node_id in home for home in homes)
        assert lost[2 * batch - 1] == 0 and lost[6 * batch - 1] == 1 and agent.num_lost == 2
        assert len(seen) == agent.num_timesteps == agent.num_updates * batch and np.isfinite(seen).all()
        assert agent.num_updates > 6 and np.isfinite(agent.loss)
    finally:
        ray.shutdown()
        cluster.shutdown()

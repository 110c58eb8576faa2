"""Plots of the inputs that a trained KAN depends on, grouped by moment, gate and qubit."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qas_agents import MaskedDQN
from qas_agents.dqn.interpretation import grouped_importance, holds_kan, input_importance
from qas_envs import CircuitBuildingEnv
from qas_envs.encodings import TensorEncoder
from qas_experiments.plots import importances, kan_edges, save

EPISODES = 20


def interpret(agent: Any, env: CircuitBuildingEnv, folder: Path) -> dict[str, dict[str, float]] | None:
    """Write ``kan_edges.png`` and ``kan_importance.png`` if the agent is a KAN with the tensor encoding.

    The observations come from :data:`EPISODES` episodes of the stochastic policy.

    Returns:
        Importances by moment, gate and qubit, or ``None`` for other agents.
    """
    if not isinstance(agent, MaskedDQN) or not isinstance(env.encoder, TensorEncoder):
        return None
    network = agent.online_network
    if not holds_kan(network):
        return None
    observations = _observations(agent, env)
    scores = input_importance(network, observations)
    groupings = {name: grouped_importance(scores, groups) for name, groups in _groups(env.encoder, len(scores)).items()}
    save(kan_edges(network, observations), folder / "kan_edges.png")
    save(importances(groupings), folder / "kan_importance.png")
    return groupings


def _observations(agent: MaskedDQN, env: CircuitBuildingEnv) -> NDArray[np.float32]:
    seen = []
    for _ in range(EPISODES):
        observation, info = env.reset()
        over = False
        while not over:
            seen.append(observation)
            action, _ = agent.predict(observation, action_masks=info["action_mask"])
            observation, _, terminated, truncated, info = env.step(int(action))
            over = terminated or truncated
    return np.stack(seen)


def _groups(encoder: TensorEncoder, num_inputs: int) -> dict[str, dict[str, list[int]]]:
    """Return the inputs of every moment, gate and qubit; a two-qubit gate counts for both of its qubits."""
    moments, gates, qubits = (defaultdict[str, list[int]](list) for _ in range(3))
    labels = encoder.labels()
    for place, (moment, gate, acted) in enumerate(labels):
        if gate:
            moments[f"moment {moment}"].append(place)
            gates[gate].append(place)
            for qubit in acted:
                qubits[f"qubit {qubit}"].append(place)
    rest = list(range(len(labels), num_inputs))
    if rest:
        moments["energy, threshold, angles"] = rest
    return {"moments": dict(moments), "gates": dict(gates), "qubits": dict(qubits)}

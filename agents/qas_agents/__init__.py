"""Agents for circuit-building environments; they see spaces, observations and action masks only."""

from qas_agents.dqn import DQNConfig, Growth, MaskedDQN, grow
from qas_agents.gadgets import extract
from qas_agents.sb3 import SB3Agent
from qas_agents.searchers import (
    GreedySearch,
    RandomPolicy,
    SimulatedAnnealing,
    pauli_pool,
    qubit_adapt,
    skeleton_floors,
)

__all__ = [
    "DQNConfig",
    "GreedySearch",
    "Growth",
    "MaskedDQN",
    "RandomPolicy",
    "SB3Agent",
    "SimulatedAnnealing",
    "extract",
    "grow",
    "pauli_pool",
    "qubit_adapt",
    "skeleton_floors",
]

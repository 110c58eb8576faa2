"""Agents for circuit-building environments; they see spaces, observations and action masks only."""

from qas_agents.dqn import DQNConfig, Growth, MaskedDQN, grow
from qas_agents.gadgets import extract
from qas_agents.sb3 import SB3Agent
from qas_agents.searchers import (
    BeamSearch,
    Evolution,
    FrozenPolicy,
    GreedySearch,
    HardwareEfficient,
    RandomPolicy,
    SimulatedAnnealing,
    best_of,
    distinct_skeletons,
    pauli_pool,
    qubit_adapt,
    skeleton_floors,
    usual_pool,
)

__all__ = [
    "BeamSearch",
    "DQNConfig",
    "Evolution",
    "FrozenPolicy",
    "GreedySearch",
    "Growth",
    "HardwareEfficient",
    "MaskedDQN",
    "RandomPolicy",
    "SB3Agent",
    "SimulatedAnnealing",
    "best_of",
    "distinct_skeletons",
    "extract",
    "grow",
    "pauli_pool",
    "qubit_adapt",
    "skeleton_floors",
    "usual_pool",
]

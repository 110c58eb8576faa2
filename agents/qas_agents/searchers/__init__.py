"""Searchers that do not learn, in the shape of agents."""

from qas_agents.searchers.adapt import AdaptStep, pauli_pool, qubit_adapt
from qas_agents.searchers.annealing import SimulatedAnnealing
from qas_agents.searchers.greedy import GreedySearch
from qas_agents.searchers.random_policy import RandomPolicy
from qas_agents.searchers.skeleton import Floor, skeleton_floors

__all__ = [
    "AdaptStep",
    "Floor",
    "GreedySearch",
    "RandomPolicy",
    "SimulatedAnnealing",
    "pauli_pool",
    "qubit_adapt",
    "skeleton_floors",
]

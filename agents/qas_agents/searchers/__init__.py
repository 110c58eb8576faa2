"""Searchers: algorithms that do not learn, with the interface of agents."""

from qas_agents.searchers.adapt import AdaptStep, prune_operators, qubit_adapt
from qas_agents.searchers.annealing import SimulatedAnnealing
from qas_agents.searchers.annealing_blocks import BlockAnnealing
from qas_agents.searchers.beam import BeamSearch
from qas_agents.searchers.beam_blocks import BlockBeam
from qas_agents.searchers.block_mutations import Proposal
from qas_agents.searchers.evolution import Evolution
from qas_agents.searchers.frozen_policy import FrozenPolicy
from qas_agents.searchers.greedy import GreedySearch
from qas_agents.searchers.greedy_blocks import GreedyBlocks
from qas_agents.searchers.hardware_efficient import HardwareEfficient
from qas_agents.searchers.layered_blocks import LayeredBlocks
from qas_agents.searchers.pools import ceo_pool, determinant, pauli_pool, qeb_pool, spin_orbitals, usual_pool
from qas_agents.searchers.random_blocks import RandomBlocks
from qas_agents.searchers.random_policy import RandomPolicy
from qas_agents.searchers.skeleton import Floor, best_of, block_circuits, distinct_skeletons, skeleton_floors

__all__ = [
    "AdaptStep",
    "BeamSearch",
    "BlockAnnealing",
    "BlockBeam",
    "Evolution",
    "Floor",
    "FrozenPolicy",
    "GreedyBlocks",
    "GreedySearch",
    "HardwareEfficient",
    "LayeredBlocks",
    "Proposal",
    "RandomBlocks",
    "RandomPolicy",
    "SimulatedAnnealing",
    "best_of",
    "block_circuits",
    "ceo_pool",
    "determinant",
    "distinct_skeletons",
    "pauli_pool",
    "prune_operators",
    "qeb_pool",
    "qubit_adapt",
    "skeleton_floors",
    "spin_orbitals",
    "usual_pool",
]

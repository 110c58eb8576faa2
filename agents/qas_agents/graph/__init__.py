"""A policy over pairs of qubits that plays instances and sizes that it was not trained on."""

from qas_agents.graph.agent import GraphAgent
from qas_agents.graph.config import GraphConfig
from qas_agents.graph.network import PairNetwork
from qas_agents.graph.proposal import PolicyProposal
from qas_agents.graph.search import policy_file, policy_search

__all__ = ["GraphAgent", "GraphConfig", "PairNetwork", "PolicyProposal", "policy_file", "policy_search"]

"""Searchers that do not learn, in the shape of agents."""

from qas_agents.searchers.greedy import GreedySearch
from qas_agents.searchers.random_policy import RandomPolicy

__all__ = ["GreedySearch", "RandomPolicy"]

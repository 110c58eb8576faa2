"""Gadgets learned from circuits: candidates, their score, extraction, sets of them."""

from qas_agents.gadgets.extraction import Extraction, extract
from qas_agents.gadgets.grammar import ScoreSettings
from qas_agents.gadgets.library import equivalent, merged, num_uses, random_gadgets, standalone, used

__all__ = [
    "Extraction",
    "ScoreSettings",
    "equivalent",
    "extract",
    "merged",
    "num_uses",
    "random_gadgets",
    "standalone",
    "used",
]

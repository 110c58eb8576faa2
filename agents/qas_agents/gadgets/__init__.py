"""Gadgets extracted from circuits: candidates, their score, extraction, and sets of gadgets."""

from qas_agents.gadgets.extraction import Extraction, check_limits, extract
from qas_agents.gadgets.grammar import ScoreSettings
from qas_agents.gadgets.library import equivalent, merged, num_uses, random_gadgets, standalone, tidied, used

__all__ = [
    "Extraction",
    "ScoreSettings",
    "check_limits",
    "equivalent",
    "extract",
    "merged",
    "num_uses",
    "random_gadgets",
    "standalone",
    "tidied",
    "used",
]

"""The simulator of an environment, from the rules ``simulator`` and ``noise``."""

from __future__ import annotations

import copy

from qas_simulators import Simulator


def without_shots(simulator: Simulator) -> Simulator:
    """Return a simulator without shot noise, otherwise alike."""
    twin = copy.copy(simulator)
    twin.shots = None
    return twin

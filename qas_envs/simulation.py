"""Simulators by name, and the simulator of an environment from its rules ``simulator`` and ``noise``."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Final

from qas_simulators import NoiseModel, PauliTransferSimulator, Simulator, StatevectorSimulator
from qas_simulators.errors import must


def _auto(noise: NoiseModel | None, **settings: Any) -> Simulator:
    """Choose between the two others: the noiseless simulator if nothing is noisy."""
    if noise is None or (noise.is_noiseless and not noise.is_restricted):
        return StatevectorSimulator(**settings)
    return PauliTransferSimulator(noise, **settings)


def _noiseless(noise: NoiseModel | None, **settings: Any) -> Simulator:
    """Simulate pure states."""
    if noise is not None and not noise.is_noiseless:
        raise ValueError(must("simulator", "be 'auto' or 'pauli_transfer' where there is noise", "statevector"))
    return StatevectorSimulator(**settings)


SIMULATORS: Final[dict[str, Callable[..., Simulator]]] = {
    "auto": _auto,
    "statevector": _noiseless,
    "pauli_transfer": PauliTransferSimulator,
}
"""Simulators by name: functions of the noise and of the settings of every :class:`~qas_simulators.Simulator`."""


def simulator_of(rule: Simulator | Callable[..., Simulator], noise: NoiseModel | None) -> Simulator:
    """Return the simulator of an environment, given its resolved rules.

    Raises:
        ValueError: The noise is given twice, or does not fit the simulator.
    """
    if not isinstance(rule, Simulator):
        return rule(noise=noise)
    if noise is not None:
        raise ValueError(must("noise", "be given to the simulator when `simulator` is an object", noise))
    return rule


def without_shots(simulator: Simulator) -> Simulator:
    """Return a simulator without shot noise, otherwise the same."""
    twin = copy.copy(simulator)
    twin.shots = None
    return twin

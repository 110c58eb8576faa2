"""Simulators and error mitigation by name, and the simulator of an environment from its rules."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Final

from qas_simulators import (
    MitigatedSimulator,
    NoiseModel,
    PauliTransferSimulator,
    Simulator,
    StatevectorSimulator,
    ZeroNoise,
)
from qas_simulators.errors import must
from qas_simulators.extrapolation import inverted_readout


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


MITIGATIONS: Final[dict[str, Callable[..., ZeroNoise]]] = {"zero_noise": ZeroNoise, "readout": inverted_readout}
"""Error mitigation by name."""


def simulator_of(
    rule: Simulator | Callable[..., Simulator], noise: NoiseModel | None, mitigation: ZeroNoise | None = None
) -> Simulator:
    """Return the simulator of an environment, given its resolved rules.

    Raises:
        ValueError: The noise is given twice, or does not fit the simulator or the mitigation.
    """
    if not isinstance(rule, Simulator):
        simulator = rule(noise=noise)
    elif noise is not None:
        raise ValueError(must("noise", "be given to the simulator when `simulator` is an object", noise))
    else:
        simulator = rule
    return simulator if mitigation is None else MitigatedSimulator(simulator, mitigation)


def without_shots(simulator: Simulator) -> Simulator:
    """Return a simulator without shot noise, otherwise the same."""
    twin = copy.copy(simulator)
    twin.shots = None
    return twin

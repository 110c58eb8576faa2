"""Simulators and error mitigation by name, and the simulator of an environment from its rules."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from qas_envs.problems import Problem
from qas_simulators import (
    Circuit,
    MitigatedSimulator,
    MPSSimulator,
    NoiseModel,
    PauliPropagationSimulator,
    PauliTransferSimulator,
    Simulator,
    StabilizerSimulator,
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


def _pure(noise: NoiseModel | None, kind: Callable[..., Simulator], what: str, **settings: Any) -> Simulator:
    """Simulate by a method that has no noise channels."""
    if noise is not None and not noise.is_noiseless:
        raise ValueError(must("noise", f"be None for {what} no noise channels", "a noise model"))
    return kind(**settings)


_PURE: Final[dict[str, tuple[Callable[..., Simulator], str]]] = {
    "stabilizer": (StabilizerSimulator, "the stabiliser simulator, which has"),
    "mps": (MPSSimulator, "matrix-product states, which have"),
}


SIMULATORS: Final[dict[str, Callable[..., Simulator]]] = {
    "auto": _auto,
    "statevector": _noiseless,
    "pauli_transfer": PauliTransferSimulator,
    "pauli_propagation": PauliPropagationSimulator,
    **{name: partial(_pure, kind=kind, what=what) for name, (kind, what) in _PURE.items()},
}
"""Simulators by name: functions of the noise and of their settings."""


SETTINGS: Final[dict[str, Callable[..., Any]]] = {
    **dict.fromkeys(SIMULATORS, Simulator),
    "statevector": StatevectorSimulator,
    "pauli_propagation": PauliPropagationSimulator,
    **{name: kind for name, (kind, _) in _PURE.items()},
}
"""What has a simulator's settings as parameters, by its name."""


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


_FEW_QUBITS: Final = 12  # with more, the energy of a circuit that does nothing is not simulated


def first_energy(simulator: Simulator, circuit: Circuit, problem: Problem) -> float:
    """Return the exact energy of the circuit that episodes begin with.

    Where the circuit is empty or has rotations by 0 only, nothing is simulated on more than 12 qubits, so that an
    environment is made at once; the simulator still says whether it can simulate circuits of this size.

    Raises:
        ValueError: The simulator cannot simulate the circuit, or is too coarse for the problem's accuracy.
    """
    simulator.check_accuracy(problem.hamiltonian, problem.accuracy)
    is_idle = bool((circuit.table[:, 3] >= 0).all()) and not circuit.angles.any()
    if problem.num_qubits <= _FEW_QUBITS or simulator.is_noisy or not is_idle:
        return without_shots(simulator).expectation(circuit, problem.hamiltonian)
    simulator.check(circuit, problem.hamiltonian)
    return problem.empty_energy


def without_shots(simulator: Simulator) -> Simulator:
    """Return a simulator without shot noise, otherwise the same."""
    twin = copy.copy(simulator)
    twin.shots = None
    return twin

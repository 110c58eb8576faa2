"""Circuits, Pauli sums, noise and simulators for quantum architecture search."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qas_simulators.channels import Channel
    from qas_simulators.circuit import Circuit, Operation
    from qas_simulators.circuit_batch import CircuitBatch
    from qas_simulators.extrapolation import ZeroNoise
    from qas_simulators.gadget_files import load_gadgets, save_gadgets
    from qas_simulators.gadgets import Gadget
    from qas_simulators.mitigation import MitigatedSimulator
    from qas_simulators.mps_simulator import MPSSimulator
    from qas_simulators.noise import NoiseModel
    from qas_simulators.pauli import PauliSum
    from qas_simulators.pauli_propagation import PauliPropagationSimulator
    from qas_simulators.pauli_transfer import PauliTransferSimulator
    from qas_simulators.simulator import Simulator
    from qas_simulators.stabilizer_simulator import StabilizerSimulator
    from qas_simulators.stabilizers import StabilizerState
    from qas_simulators.statevector import StatevectorSimulator

__all__ = [
    "Channel",
    "Circuit",
    "CircuitBatch",
    "Gadget",
    "MPSSimulator",
    "MitigatedSimulator",
    "NoiseModel",
    "Operation",
    "PauliPropagationSimulator",
    "PauliSum",
    "PauliTransferSimulator",
    "Simulator",
    "StabilizerSimulator",
    "StabilizerState",
    "StatevectorSimulator",
    "ZeroNoise",
    "load_gadgets",
    "save_gadgets",
]

_MODULES = {
    "Channel": "channels",
    "Circuit": "circuit",
    "CircuitBatch": "circuit_batch",
    "Gadget": "gadgets",
    "MPSSimulator": "mps_simulator",
    "MitigatedSimulator": "mitigation",
    "NoiseModel": "noise",
    "Operation": "circuit",
    "PauliPropagationSimulator": "pauli_propagation",
    "PauliSum": "pauli",
    "PauliTransferSimulator": "pauli_transfer",
    "Simulator": "simulator",
    "StabilizerSimulator": "stabilizer_simulator",
    "StabilizerState": "stabilizers",
    "StatevectorSimulator": "statevector",
    "ZeroNoise": "extrapolation",
    "load_gadgets": "gadget_files",
    "save_gadgets": "gadget_files",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, so that commands that need only a part of this package start quickly."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value

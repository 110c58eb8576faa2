"""Circuits, Pauli sums, noise and simulators for quantum architecture search."""

from qas_simulators.channels import Channel
from qas_simulators.circuit import Circuit, Operation
from qas_simulators.circuit_batch import CircuitBatch
from qas_simulators.extrapolation import ZeroNoise
from qas_simulators.gadget_files import load_gadgets, save_gadgets
from qas_simulators.gadgets import Gadget
from qas_simulators.mitigation import MitigatedSimulator
from qas_simulators.noise import NoiseModel
from qas_simulators.pauli import PauliSum
from qas_simulators.pauli_transfer import PauliTransferSimulator
from qas_simulators.simulator import Simulator
from qas_simulators.statevector import StatevectorSimulator

__all__ = [
    "Channel",
    "Circuit",
    "CircuitBatch",
    "Gadget",
    "MitigatedSimulator",
    "NoiseModel",
    "Operation",
    "PauliSum",
    "PauliTransferSimulator",
    "Simulator",
    "StatevectorSimulator",
    "ZeroNoise",
    "load_gadgets",
    "save_gadgets",
]

"""Encodings: what an agent observes of the circuit, by name or as an object."""

from typing import Final

from qas_envs.encodings.context import ContextEncoder
from qas_envs.encodings.encoding import Encoder, Encoders, Encoding, Observation, VectorEncoder, View, Views
from qas_envs.encodings.gate_list import GateListEncoding
from qas_envs.encodings.graph import GraphEncoding
from qas_envs.encodings.hamiltonian_graph import CircuitGraphs, HamiltonianGraphEncoder, HamiltonianGraphEncoding
from qas_envs.encodings.noise import NoiseEncoder
from qas_envs.encodings.pauli import PauliEncoding
from qas_envs.encodings.tensor import TensorEncoder, TensorEncoding

__all__ = [
    "ENCODINGS",
    "CircuitGraphs",
    "ContextEncoder",
    "Encoder",
    "Encoders",
    "Encoding",
    "GateListEncoding",
    "GraphEncoding",
    "HamiltonianGraphEncoder",
    "HamiltonianGraphEncoding",
    "NoiseEncoder",
    "Observation",
    "PauliEncoding",
    "TensorEncoder",
    "TensorEncoding",
    "VectorEncoder",
    "View",
    "Views",
]

ENCODINGS: Final = {
    "tensor": TensorEncoding,
    "gates": GateListEncoding,
    "pauli": PauliEncoding,
    "graph": GraphEncoding,
    "hamiltonian_graph": HamiltonianGraphEncoding,
}

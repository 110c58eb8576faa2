"""Layers of the terms of chains, for ``beyond_twelve.py``: circuits whose angles are shared or free."""

from __future__ import annotations

import numpy as np

from qas_simulators import Circuit
from qas_simulators.flat_circuit import Link
from qas_simulators.gates import gate_index


def ising_layers(num_qubits: int, depth: int, is_free: bool) -> Circuit:
    """Return ``depth`` layers of rotations about Z Z on neighbours and X, after H on every qubit.

    The parameters of a layer are the angle about Z Z and that about X; with ``is_free`` one for each gate.
    """
    circuit = Circuit(num_qubits)
    for qubit in range(num_qubits):
        circuit.h(qubit)
    for _ in range(depth):
        shared = [] if is_free else [circuit.append_param(), circuit.append_param()]
        for parity in (0, 1):
            for first in range(parity, num_qubits - 1, 2):
                circuit.cx(first, first + 1)
                _append(circuit, "rz", first + 1, shared[:1])
                circuit.cx(first, first + 1)
        for qubit in range(num_qubits):
            _append(circuit, "rx", qubit, shared[1:])
    return circuit


def _append(circuit: Circuit, name: str, qubit: int, shared: list[int]) -> None:
    if shared:
        circuit.append_linked(gate_index(name), qubit, -1, Link(shared[0], 1.0, 0.0))
    else:
        circuit.append(name, [qubit], 0.0)


def exchange_layers(num_qubits: int, depth: int, is_free: bool) -> Circuit:
    """Return ``depth`` layers of exchanges on all bonds, after singlets on qubits 0 and 1, 2 and 3, ...

    A layer acts on the bonds between the singlets, then on those within. The parameters are two angles for each of
    these halves, that of X X and Y Y and that of Z Z; with ``is_free`` for each bond. An exchange has three CNOTs.
    """
    circuit = singlets(num_qubits)
    for parity in (1, 0) * depth:
        pair = (-1, -1) if is_free else (circuit.append_param(), circuit.append_param())
        for first in range(parity, num_qubits - 1, 2):
            append_exchange(circuit, first, *pair)
    return circuit


def layer_bonds(num_qubits: int, depth: int) -> list[int]:
    """Return the first qubit of each exchange of :func:`exchange_layers`, in order."""
    return [first for parity in (1, 0) * depth for first in range(parity, num_qubits - 1, 2)]


def exchanges(num_qubits: int, bonds: list[int]) -> Circuit:
    """Return exchanges with angles of their own on bonds, given by their first qubits, after singlets."""
    circuit = singlets(num_qubits)
    for first in bonds:
        append_exchange(circuit, first)
    return circuit


def singlets(num_qubits: int) -> Circuit:
    """Return the circuit of singlets on qubits 0 and 1, 2 and 3, ..."""
    circuit = Circuit(num_qubits)
    for first in range(0, num_qubits - 1, 2):
        circuit.x(first).x(first + 1).h(first).cx(first, first + 1)
    return circuit


def append_exchange(circuit: Circuit, first: int, flip: int = -1, phase: int = -1) -> None:
    """Append ``exp(-i / 2 (a (X X + Y Y) + b Z Z))`` on neighbours, given the numbers of ``a`` and ``b``, or -1.

    References:
        Vatan and Williams, "Optimal quantum circuits for general two-qubit gates", quant-ph/0308006, figure 6.
    """
    second = first + 1
    flip, phase = (circuit.append_param(), circuit.append_param()) if flip < 0 else (flip, phase)
    circuit.sdg(second).cx(second, first)
    circuit.append_linked(gate_index("rz"), first, -1, Link(phase, 1.0, -0.5 * np.pi))
    circuit.append_linked(gate_index("ry"), second, -1, Link(flip, -1.0, 0.5 * np.pi))
    circuit.cx(first, second)
    circuit.append_linked(gate_index("ry"), second, -1, Link(flip, 1.0, -0.5 * np.pi))
    circuit.cx(second, first).s(first)

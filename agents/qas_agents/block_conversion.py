"""Circuits of real gates as circuits of blocks."""

from __future__ import annotations

from math import pi
from typing import Final

import numpy as np

from qas_simulators import Circuit
from qas_simulators.block_circuits import BlockCircuit, Pair
from qas_simulators.circuit import Operation
from qas_simulators.errors import must

_FLIPS: Final = {"h": ("z", "ry", pi / 2), "x": ("z", "ry", pi)}  # Z, then RY by this angle
_REAL: Final = ("ry", "h", "x", "z", "cx", "cz", "swap")
_PHASES: Final = ("sdg", "s", "sdg")  # on the target before and after a CX, and on its control: CZ and CX


def as_blocks(circuit: Circuit) -> BlockCircuit:
    """Return blocks of CX and RY that prepare the same state from all qubits in 0.

    H and X are RY after Z. Every Z moves to the beginning, where it changes nothing: it reverses rotations on its way,
    and from the target of a CX it spreads to the control. CZ is CX between two H, and SWAP is three CX.

    Excitations of two electrons and coupled exchanges end with a CX between S gates, which are together a CZ and a CX.
    They become real in this way, with one CX more.

    Args:
        circuit: Of RY, H, X, Z, CX, CZ and SWAP, and of excitations; shared angles become separate ones.

    Raises:
        ValueError: Another gate.

    Examples:
        >>> as_blocks(Circuit(2).h(0).cz(0, 1)).pairs
        ((0, 1),)
    """
    size = circuit.num_qubits
    gates = [part for operation in _without_phases(list(circuit)) for part in _parts(operation)]
    pending = np.zeros(size, dtype=bool)  # Z that must move to the beginning
    turned = []
    for name, qubits, angle in reversed(gates):
        if name == "z":
            pending[qubits[0]] ^= True
        elif name == "ry":
            turned.append((qubits, -angle if pending[qubits[0]] else angle))
        else:
            pending[qubits[0]] ^= pending[qubits[1]]
            turned.append((qubits, 0.0))
    angles, pairs, last = [0.0] * size, list[Pair](), list(range(size))
    for qubits, angle in reversed(turned):
        if len(qubits) == 1:
            angles[last[qubits[0]]] += angle
        else:
            pairs.append((qubits[0], qubits[1]))
            last[qubits[0]], last[qubits[1]] = len(angles), len(angles) + 1
            angles += [0.0, 0.0]
    return BlockCircuit(tuple(pairs), np.array(angles))


def _without_phases(operations: list[Operation]) -> list[Operation]:
    """Return the operations with CZ and CX for every CX that S gates turn into these."""
    own: dict[int, list[int]] = {}  # the operations on each qubit
    for k, operation in enumerate(operations):
        for qubit in operation.qubits:
            own.setdefault(qubit, []).append(k)
    replaced: dict[int, list[Operation]] = {}
    for k, operation in enumerate(operations):
        if operation.name == "cx":
            control, target = operation.qubits
            at, after = own[target].index(k), own[control].index(k) + 1
            near = (*own[target][max(0, at - 1) : at], *own[target][at + 1 : at + 2], *own[control][after : after + 1])
            if tuple(operations[other].name for other in near) == _PHASES and replaced.keys().isdisjoint(near):
                replaced |= {other: [] for other in near}
                replaced[k] = [Operation("cz", operation.qubits, None), operation]
    return [one for k, operation in enumerate(operations) for one in replaced.get(k, [operation])]


def _parts(operation: Operation) -> list[tuple[str, tuple[int, ...], float]]:
    """Return a gate as Z, RY and CX, in the order in which they act."""
    name, qubits, angle = operation
    if name not in _REAL:
        raise ValueError(must("circuit", f"have only the gates {', '.join(_REAL)}", name))
    if name in _FLIPS:
        first, second, turn = _FLIPS[name]
        return [(first, qubits, 0.0), (second, qubits, turn)]
    if name == "cz":
        hadamard = _parts(Operation("h", qubits[1:], None))
        return [*hadamard, ("cx", qubits, 0.0), *hadamard]
    if name == "swap":
        return [("cx", pair, 0.0) for pair in (qubits, qubits[::-1], qubits)]
    return [(name, qubits, angle or 0.0)]

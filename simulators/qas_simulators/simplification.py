"""Shorter circuits with the same unitary: merge, cancel, commute, drop zero angles."""

from __future__ import annotations

from functools import cache
from math import pi
from typing import Final, NamedTuple

import numpy as np

from qas_simulators.circuit import Circuit
from qas_simulators.gates import GATES, ComplexMatrix, gate_index

_GENERIC_ANGLE: Final = 1.2345  # rotations that commute at this angle commute at all
_TOLERANCE: Final = 1e-12


class _Gate(NamedTuple):
    name: str
    qubits: tuple[int, ...]
    angle: float | None


def simplified(circuit: Circuit, tolerance: float = _TOLERANCE) -> Circuit:
    """Return an equivalent circuit; see :meth:`Circuit.simplified`."""
    gates = [_Gate(name, qubits, angle) for name, qubits, angle in circuit]
    while True:
        shorter = _one_pass(gates, tolerance)
        if len(shorter) == len(gates):
            break
        gates = shorter
    result = Circuit(circuit.num_qubits)
    for gate in shorter:
        result.append(*gate)
    return result


def _one_pass(gates: list[_Gate], tolerance: float) -> list[_Gate]:
    """Move every gate back past those that it commutes with, to the first that it merges with."""
    done: list[_Gate] = []
    for gate in gates:
        if gate.name == "id" or (gate.angle is not None and _is_whole_turn(gate.angle, tolerance)):
            continue
        for position in range(len(done) - 1, -1, -1):
            other = done[position]
            merged = _merged(other, gate, tolerance)
            if merged is not None:
                done[position : position + 1] = merged
                break
            if not commute(other.name, other.qubits, gate.name, gate.qubits):
                done.append(gate)
                break
        else:
            done.append(gate)
    return done


def _is_whole_turn(angle: float, tolerance: float) -> bool:
    """Return whether a rotation is the identity, up to a global phase."""
    return abs((angle + pi) % (2 * pi) - pi) <= tolerance


def _merged(first: _Gate, second: _Gate, tolerance: float) -> list[_Gate] | None:
    """Return the gates that two neighbours on the same qubits merge to, one or none; ``None`` if they do not merge."""
    if set(first.qubits) != set(second.qubits):
        return None
    if first.angle is not None and second.angle is not None:
        if first.name != second.name:
            return None
        angle = first.angle + second.angle
        return [] if _is_whole_turn(angle, tolerance) else [first._replace(angle=angle)]
    if first.angle is not None or second.angle is not None:
        return None
    name = _product(first.name, second.name, first.qubits == second.qubits)
    return None if name is None else [first._replace(name=name)] if name else []


@cache
def _product(first: str, second: str, same_order: bool) -> str | None:
    """Return the name of the gate that two fixed gates make, up to a phase.

    ``""`` if they cancel, ``None`` if their product is not in the gate table.
    """
    left, right = GATES[gate_index(first)], GATES[gate_index(second)]
    if left.num_qubits != right.num_qubits:
        return None
    last = right.matrix() if same_order else _swapped(right.matrix())
    product = last @ left.matrix()
    if _equal_up_to_phase(product, np.eye(len(product), dtype=np.complex128)):
        return ""
    if left.num_qubits == 2:
        return None  # the order of a merged gate's qubits would be arbitrary
    for gate in GATES:
        if gate.num_qubits == 1 and gate.axis is None and _equal_up_to_phase(product, gate.matrix()):
            return gate.name
    return None


def _equal_up_to_phase(left: ComplexMatrix, right: ComplexMatrix) -> bool:
    return bool(abs(abs(np.trace(left.conj().T @ right)) - len(left)) < 1e-9)


def _swapped(matrix: ComplexMatrix) -> ComplexMatrix:
    order = [0, 2, 1, 3]
    return matrix[np.ix_(order, order)]


def merged_name(first: str, at: tuple[int, ...], second: str, there: tuple[int, ...]) -> str | None:
    """Return the name of the gate that two neighbours make, whatever their angles.

    ``""`` if they cancel, ``None`` if their product is not in the gate table.
    """
    if set(at) != set(there):
        return None
    rotations = [GATES[gate_index(name)].num_params for name in (first, second)]
    if any(rotations):
        return first if all(rotations) and first == second else None
    return _product(first, second, at == there)


def commute(first: str, at: tuple[int, ...], second: str, there: tuple[int, ...]) -> bool:
    """Return whether two gates commute, whatever their angles; ``at`` and ``there`` are their qubits."""
    register = sorted({*at, *there})
    if len(register) == len(at) + len(there):
        return True
    places = tuple(register.index(q) for q in at), tuple(register.index(q) for q in there)
    return _matrices_commute(first, places[0], second, places[1], len(register))


@cache
def _matrices_commute(first: str, at: tuple[int, ...], second: str, there: tuple[int, ...], num_qubits: int) -> bool:
    from qas_simulators.reference import apply_left

    left, right = (GATES[gate_index(name)].matrix(_GENERIC_ANGLE) for name in (first, second))
    identity = np.eye(1 << num_qubits, dtype=np.complex128)
    one = apply_left(right, there, apply_left(left, at, identity))
    other = apply_left(left, at, apply_left(right, there, identity))
    return bool(np.abs(one - other).max() < 1e-9)

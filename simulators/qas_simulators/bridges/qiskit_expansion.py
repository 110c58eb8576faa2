"""Qiskit's instructions as gates of the gate table: by class, definition or matrix, never by name alone."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from qas_simulators.circuit import Circuit, Operation
from qas_simulators.errors import needs_extra
from qas_simulators.gates import GATE_INDEX, GATES, ComplexMatrix

with needs_extra("qiskit"):
    from qiskit import QuantumCircuit
    from qiskit.circuit import Barrier, Measure, Reset
    from qiskit.circuit.exceptions import CircuitError
    from qiskit.circuit.library import UnitaryGate, get_standard_gate_name_mapping
    from qiskit.circuit.library import standard_gates as _std
    from qiskit.exceptions import QiskitError
    from qiskit.quantum_info import Operator

MAX_GATES: Final = 200_000
PREFIX: Final = "defined "  # of the names of gates that an OpenQASM 3 program defines
_MAX_MATRIX_QUBITS: Final = 6
_EQUAL: Final = 1e-10  # largest difference between entries of equal matrices
_CLASSES: Final[dict[type, str]] = {
    gate.base_class: name for name, gate in get_standard_gate_name_mapping().items() if name in GATE_INDEX
}
QISKIT_NAMES: Final = frozenset(_CLASSES.values())
"""Gates of the gate table that Qiskit has, with a method of this name on its circuits."""


class RefusedInstructionError(Exception):
    """An instruction that is not unitary, or has neither definition nor matrix.

    Attributes:
        index: The instruction's index in the circuit.
    """

    def __init__(self, reason: str, index: int = 0) -> None:
        super().__init__(reason)
        self.index = index


def append_all(source: QuantumCircuit, target: Circuit) -> None:
    """Append the gates of a Qiskit circuit, whose angles are bound, to a :class:`Circuit`.

    Measurements after the last gate on their qubits are left out with a warning.

    Raises:
        RefusedInstructionError: What is not unitary, has no definition, or becomes more than ``MAX_GATES`` gates.
    """
    numbers = {qubit: number for number, qubit in enumerate(source.qubits)}
    measured: set[int] = set()
    budget = [MAX_GATES]
    for index, instruction in enumerate(source.data):
        operation, kind = instruction.operation, class_of(instruction.operation)
        qubits = tuple(numbers[qubit] for qubit in instruction.qubits)
        if kind is Barrier:
            continue
        try:
            if kind is Measure and not _is_conditional(operation):
                measured |= {*qubits}
                continue
            if again := sorted(measured & {*qubits}):
                raise RefusedInstructionError(f"{operation.name!r} acts on qubit {again[0]} after its measurement")
            for name, places, angle in expanded(operation, qubits, budget):
                target.append(name, places, angle)
        except RecursionError:
            raise RefusedInstructionError(f"{operation.name!r} is nested too deeply", index) from None
        except RefusedInstructionError as error:
            raise RefusedInstructionError(str(error), index) from None
    if measured:
        warnings.warn(f"Left out: the measurements of qubits {sorted(measured)} at the circuit's end.", stacklevel=4)


def expanded(operation: Any, qubits: tuple[int, ...], budget: list[int]) -> Iterator[Operation]:
    """Yield the gates of the gate table that make an instruction on these qubits, up to a global phase.

    Args:
        operation: Qiskit's instruction.
        qubits: Numbers of its qubits in the circuit.
        budget: A list of one number, which is reduced: how many instructions may still be expanded.

    Raises:
        RefusedInstructionError: See :func:`append_all`.
    """
    stack = [(operation, qubits)]
    while stack:
        operation, qubits = stack.pop()
        budget[0] -= 1
        if budget[0] < 0:
            raise RefusedInstructionError(f"there are more than {MAX_GATES} gates")
        known = _known(operation, qubits)
        if known is None:
            definition = _definition(operation)
            known = _named(operation, definition, qubits, budget)
            if known is None:
                places = dict(zip(definition.qubits, qubits, strict=True))
                inner = [(part.operation, tuple(places[qubit] for qubit in part.qubits)) for part in definition.data]
                stack += reversed(inner)
        yield from known or ()


def class_of(operation: Any) -> type:
    """Return the class of an instruction; for Qiskit's shared instances, that of an ordinary one."""
    kind = getattr(operation, "base_class", type(operation))
    assert isinstance(kind, type)
    return kind


def _is_conditional(operation: Any) -> bool:
    return getattr(operation, "condition", None) is not None  # Qiskit 1 only


def _known(operation: Any, qubits: tuple[int, ...]) -> list[Operation] | None:
    """Return the gate of an instruction that is recognised by its class, ``None`` for any other."""
    kind = class_of(operation)
    if _is_conditional(operation):
        raise RefusedInstructionError(f"{operation.name!r} depends on a measurement")
    if kind is Barrier or kind is _std.GlobalPhaseGate:
        return []
    if getattr(operation, "num_clbits", 0) or kind is Reset:
        raise RefusedInstructionError(f"{operation.name!r} is not a unitary gate")
    if kind in (_std.UGate, _std.U3Gate):
        theta, phi, lam = (float(angle) for angle in operation.params)
        turns = [("rz", lam + phi)] if theta == 0.0 else [("rz", lam), ("ry", theta), ("rz", phi)]
        return [Operation(name, qubits, angle) for name, angle in turns if angle != 0.0]
    if kind not in _CLASSES or _is_open(operation):
        return None
    angles = [float(angle) for angle in operation.params]
    return [Operation(_CLASSES[kind], qubits, angles[0] if angles else None)]


def _is_open(operation: Any) -> bool:
    """Return whether a controlled gate acts where some control is 0."""
    state = getattr(operation, "ctrl_state", None)
    return state is not None and state != (1 << operation.num_ctrl_qubits) - 1


def _definition(operation: Any) -> QuantumCircuit:
    """Return an instruction's definition, or that of its matrix if it has none."""
    definition = getattr(operation, "definition", None)
    is_foreign = hasattr(operation, "__array__") and not class_of(operation).__module__.startswith("qiskit.")
    if definition is not None and not is_foreign:
        return definition
    if operation.num_qubits > _MAX_MATRIX_QUBITS:
        raise RefusedInstructionError(f"{operation.name!r} has no definition, or none that is beyond doubt")
    try:
        matrix = Operator(operation).data
    except (QiskitError, CircuitError, ValueError, TypeError, AttributeError):
        raise RefusedInstructionError(f"{operation.name!r} has no definition") from None
    if definition is None:
        return UnitaryGate(matrix).definition
    if not _equal_up_to_phase(Operator(definition).data, matrix):
        raise RefusedInstructionError(f"{operation.name!r} has a matrix that is not that of its definition")
    return definition


def _named(
    operation: Any, definition: QuantumCircuit, qubits: tuple[int, ...], budget: list[int]
) -> list[Operation] | None:
    """Return the gate of the gate table with an instruction's name, if its definition is that gate's."""
    name = operation.name.removeprefix(PREFIX)
    row = GATE_INDEX.get(name)
    if row is None or len(qubits) != GATES[row].num_qubits or len(operation.params) != GATES[row].num_params:
        return None
    angle = float(operation.params[0]) if operation.params else None
    matrix = np.eye(1 << len(qubits), dtype=np.complex128)
    places = {qubit: number for number, qubit in enumerate(definition.qubits)}
    for part in definition.data:
        for inner in expanded(part.operation, tuple(places[qubit] for qubit in part.qubits), budget):
            matrix = _applied(inner, matrix)
    if not _equal_up_to_phase(matrix, GATES[row].matrix(angle or 0.0)):
        return None
    return [Operation(name, qubits, angle)]


def _applied(operation: Operation, matrix: ComplexMatrix) -> ComplexMatrix:
    from qas_simulators.reference import apply_left

    return apply_left(GATES[GATE_INDEX[operation.name]].matrix(operation.angle or 0.0), operation.qubits, matrix)


def _equal_up_to_phase(left: ComplexMatrix, right: ComplexMatrix) -> bool:
    overlap = np.vdot(right, left)
    phase = overlap / abs(overlap) if abs(overlap) > 0.0 else 1.0
    return bool(np.abs(left - phase * right).max() < _EQUAL)

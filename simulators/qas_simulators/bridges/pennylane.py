"""Circuits to and from PennyLane: tapes, templates, molecules (the ``pennylane`` extra)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from qas_simulators.circuit import Circuit, Operation
from qas_simulators.errors import must, needs_extra
from qas_simulators.flat_circuit import Link
from qas_simulators.gates import GATES, Gate, gate_index

with needs_extra("pennylane"):
    import pennylane as qml
    from pennylane.ops.op_math import Adjoint
    from pennylane.tape import QuantumScript

_OPERATIONS: Final[dict[str, Any]] = {
    "rx": qml.RX,
    "ry": qml.RY,
    "rz": qml.RZ,
    "id": qml.Identity,
    "x": qml.PauliX,
    "y": qml.PauliY,
    "z": qml.PauliZ,
    "h": qml.Hadamard,
    "s": qml.S,
    "t": qml.T,
    "sx": qml.SX,
    "cx": qml.CNOT,
    "cz": qml.CZ,
    "ecr": qml.ECR,
    "swap": qml.SWAP,
    "p": qml.PhaseShift,
    "rxx": qml.IsingXX,
    "ryy": qml.IsingYY,
    "rzz": qml.IsingZZ,
}
_ADJOINTS: Final = {"sdg": "s", "tdg": "t", "sxdg": "sx"}
_NAMES: Final = {operation: name for name, operation in _OPERATIONS.items()}


def to_pennylane(circuit: Circuit) -> QuantumScript:
    """Return a tape of the same gates without measurements; wires are qubit numbers.

    A gate that PennyLane does not have is a ``QubitUnitary``.
    """
    operations = []
    for name, qubits, angle in circuit:
        if name in _ADJOINTS:
            operations.append(qml.adjoint(_OPERATIONS[_ADJOINTS[name]](wires=qubits)))
        elif name not in _OPERATIONS:
            operations.append(by_matrix(GATES[gate_index(name)], qubits, angle))
        else:
            operations.append(_OPERATIONS[name](*(() if angle is None else (angle,)), wires=qubits))
    return QuantumScript(operations)


def template(circuit: Circuit) -> Callable[..., None]:
    """Return a function that applies the circuit's gates inside a quantum function of PennyLane.

    Its arguments are ``params``, of shape ``(num_params,)`` and of any interface that PennyLane differentiates, by
    default the circuit's values; and ``wires``, by default ``0, 1, ...``: qubit ``k`` acts on ``wires[k]``.
    """
    operations = list(zip(circuit, _sources(circuit), strict=True))
    num_qubits, num_params, values = circuit.num_qubits, circuit.num_params, circuit.params

    def apply(params: Any = None, wires: Any = None) -> None:
        params = values if params is None else params
        places = list(range(num_qubits) if wires is None else wires)
        if len(places) != num_qubits:
            raise ValueError(must("wires", f"be {num_qubits} wires", places))
        if qml.math.shape(params) != (num_params,):
            raise ValueError(must("params", f"have shape ({num_params},)", qml.math.shape(params)))
        for (name, qubits, value), link in operations:
            angle = value if link is None or link.source < 0 else link.offset + link.factor * params[link.source]
            _apply(name, [places[qubit] for qubit in qubits], angle)

    return apply


def _sources(circuit: Circuit) -> list[Link | None]:
    """Return the link of every gate's angle; ``None`` for gates without angle."""
    links = iter(circuit.links)
    return [None if angle is None else next(links) for *_, angle in circuit]


def _apply(name: str, wires: list[Any], angle: Any) -> Any:
    """Return an operation; inside a quantum function it is applied too."""
    gate = GATES[gate_index(name)]
    if name in _ADJOINTS:
        return qml.adjoint(_OPERATIONS[_ADJOINTS[name]])(wires=wires)
    if name in _OPERATIONS:
        return _OPERATIONS[name](*(() if angle is None else (angle,)), wires=wires)
    if gate.axis is not None:
        return qml.PauliRot(angle, gate.axis, wires=wires)
    return qml.QubitUnitary(gate.matrix(angle or 0.0), wires=wires[::-1])


def by_matrix(gate: Gate, qubits: tuple[int, ...], angle: float | None) -> qml.QubitUnitary:
    """Return a gate as PennyLane's operation with a matrix, of which the first wire is the most significant bit."""
    return qml.QubitUnitary(gate.matrix(angle or 0.0), wires=qubits[::-1])


def from_pennylane(tape: QuantumScript, num_qubits: int | None) -> Circuit:
    """Read a tape of gates in the gate table, up to a global phase; measurements and barriers are skipped.

    Operations are recognised by their class, not by their name.

    Raises:
        ValueError: Another operation, a wire that is not a qubit number, or an angle that is not a number.
    """
    wires = list(tape.wires)
    if any(isinstance(wire, bool) or not isinstance(wire, int) or wire < 0 for wire in wires):
        raise ValueError(must("tape", "have wires that are qubit numbers", wires))
    result = Circuit(max(wires, default=0) + 1 if num_qubits is None else num_qubits)
    for operation in tape.operations:
        if type(operation) not in (qml.Barrier, qml.GlobalPhase):
            result.append(*_read(operation))
    return result


def _read(operation: Any) -> Operation:
    """Return one operation of a tape as a gate of the gate table."""
    if isinstance(operation, Adjoint):
        name, qubits, angle = _read(operation.base)
        return Operation(GATES[gate_index(name)].inverse, qubits, None if angle is None else -angle)
    if type(operation) not in _NAMES:
        kind = f"{type(operation).__module__}.{type(operation).__qualname__}"
        known = sorted(kind.__name__ for kind in _NAMES)
        raise ValueError(must("tape", f"consist of PennyLane's {known}, their adjoints and barriers", kind))
    try:
        angles = [float(value) for value in operation.parameters]
    except (TypeError, ValueError):
        raise ValueError(must("tape", "have single numbers as angles", operation.parameters)) from None
    return Operation(
        _NAMES[type(operation)], tuple(int(wire) for wire in operation.wires), angles[0] if angles else None
    )

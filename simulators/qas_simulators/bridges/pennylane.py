"""Circuits to and from PennyLane tapes (the ``pennylane`` extra)."""

from __future__ import annotations

from typing import Any, Final

from qas_simulators.circuit import Circuit
from qas_simulators.errors import must, needs_extra

with needs_extra("pennylane"):
    import pennylane as qml
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
}
_ADJOINTS: Final = {"sdg": "s", "tdg": "t", "sxdg": "sx"}
_NAMES: Final = {operation.__name__: name for name, operation in _OPERATIONS.items()} | {
    f"Adjoint({_OPERATIONS[plain].__name__})": name for name, plain in _ADJOINTS.items()
}


def to_pennylane(circuit: Circuit) -> QuantumScript:
    """Return a tape of the same gates, wire numbers being qubit numbers; it measures nothing."""
    operations = []
    for name, qubits, angle in circuit:
        if name in _ADJOINTS:
            operations.append(qml.adjoint(_OPERATIONS[_ADJOINTS[name]](wires=qubits)))
        else:
            operations.append(_OPERATIONS[name](*(() if angle is None else (angle,)), wires=qubits))
    return QuantumScript(operations)


def from_pennylane(tape: QuantumScript, num_qubits: int | None) -> Circuit:
    """Read a tape of gates in our table; its measurements and barriers are skipped.

    Raises:
        ValueError: Another operation, a wire that is no qubit number, or an angle that is no number.
    """
    wires = list(tape.wires)
    if any(isinstance(wire, bool) or not isinstance(wire, int) or wire < 0 for wire in wires):
        raise ValueError(must("tape", "have wires that are qubit numbers", wires))
    result = Circuit(max(wires, default=0) + 1 if num_qubits is None else num_qubits)
    for operation in tape.operations:
        if operation.name == "Barrier":
            continue
        if operation.name not in _NAMES:
            raise ValueError(must("tape", f"consist of {sorted(_NAMES)}", operation.name))
        name = _NAMES[operation.name]
        try:
            angles = [float(value) for value in operation.parameters]
        except (TypeError, ValueError):
            raise ValueError(must("tape", "have single numbers as angles", operation.parameters)) from None
        result.append(name, [int(wire) for wire in operation.wires], angles[0] if angles else None)
    return result

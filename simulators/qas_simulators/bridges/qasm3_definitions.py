"""OpenQASM 3 definitions of the gates in the gate table that ``stdgates.inc`` lacks."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from qas_simulators.errors import needs_extra
from qas_simulators.gates import GATES, Gate, gate_index

STDGATES: Final = (
    *("p", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "rx", "ry", "rz", "id", "u1", "u2", "u3", "phase"),
    *("cx", "cy", "cz", "cp", "crx", "cry", "crz", "ch", "swap", "cu", "CX", "cphase", "ccx", "cswap"),
)
"""Names in ``stdgates.inc``."""

_DEFINITIONS: Final = {
    "sxdg": "gate sxdg a { inv @ sx a; }",
    "ecr": "gate ecr a, b { s a; sx b; cx a, b; x a; }",  # up to a global phase
    "rxx": "gate rxx(t) a, b { cx a, b; rx(t) a; cx a, b; }",
    "ryy": "gate ryy(t) a, b { cy a, b; ry(t) a; cy a, b; }",
    "rzz": "gate rzz(t) a, b { cx a, b; rz(t) b; cx a, b; }",
}
_TO_Z: Final = {"X": "ry(-pi/2)", "Y": "rx(pi/2)"}
_FROM_Z: Final = {"X": "ry(pi/2)", "Y": "rx(-pi/2)"}


@lru_cache
def definition(name: str) -> str | None:
    """Return the definition of a gate in the gate table, up to a global phase; ``None`` for one of ``stdgates.inc``.

    Raises:
        ImportError: The definition of this gate needs the extra ``qiskit``, which is not installed.
    """
    if name in STDGATES:
        return None
    return _DEFINITIONS.get(name) or definition_of(GATES[gate_index(name)])


def definition_of(gate: Gate) -> str:
    """Return a definition of any gate, from its axis or its matrix, up to a global phase.

    Raises:
        ImportError: The gate has a matrix, and the extra ``qiskit`` is not installed.
    """
    head = f"gate {gate.name}{'' if gate.axis is None else '(t)'} {', '.join('ab'[: gate.num_qubits])}"
    steps = _decomposed(gate) if gate.axis is None else _rotation(gate.axis)
    return f"{head} {{ {' '.join(f'{step};' for step in steps)} }}"


def _rotation(axis: str) -> list[str]:
    """Return the statements of a rotation by ``t`` about a Pauli string: about Z, in rotated bases."""
    bases = [(letter, qubit) for letter, qubit in zip(axis, "ab", strict=False) if letter != "Z"]
    parity = ["cx a, b"] if len(axis) == 2 else []
    turned = [*parity, f"rz(t) {'ab'[len(axis) - 1]}", *parity]
    return [
        *(f"{_TO_Z[letter]} {qubit}" for letter, qubit in bases),
        *turned,
        *(f"{_FROM_Z[letter]} {qubit}" for letter, qubit in bases),
    ]


def _decomposed(gate: Gate) -> list[str]:
    """Return the statements of a gate with a matrix: ``U`` and at most three CNOTs, by Qiskit's decompositions."""
    with needs_extra("qiskit"):
        from qiskit.circuit.library import CXGate
        from qiskit.synthesis import OneQubitEulerDecomposer, TwoQubitBasisDecomposer

    decomposer: Any
    if gate.num_qubits == 1:
        decomposer = OneQubitEulerDecomposer("U")
    else:
        decomposer = TwoQubitBasisDecomposer(CXGate(), euler_basis="U")
    circuit = decomposer(gate.matrix())
    letters = dict(zip(circuit.qubits, "ab", strict=False))
    steps = []
    for part in circuit.data:
        name = {"u": "U", "cx": "cx"}[part.operation.name]
        angles = ", ".join(repr(float(angle)) for angle in part.operation.params)
        steps.append(f"{name}{f'({angles})' if angles else ''} {', '.join(letters[qubit] for qubit in part.qubits)}")
    return steps

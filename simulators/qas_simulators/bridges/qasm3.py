"""OpenQASM 3 text of the gates in our table."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from typing import Any, Final

from qas_simulators.circuit import Circuit
from qas_simulators.gates import GATE_INDEX

_OUTSIDE_STDGATES: Final = {
    "sxdg": "gate sxdg a { inv @ sx a; }",
    "ecr": "gate ecr a, b { s a; sx b; cx a, b; x a; }",  # up to a global phase
}
_STATEMENT = re.compile(r"^(?P<name>\w+)\s*(?:\((?P<angle>.+)\))?\s+(?P<qubits>\w+\[\d+\](?:\s*,\s*\w+\[\d+\])*)$")
_REGISTER = re.compile(r"^(?:qubit\[(?P<size>\d+)\]\s+(?P<name>\w+)|qreg\s+(?P<name2>\w+)\[(?P<size2>\d+)\])$")
_ARITHMETIC: Final[dict[type[ast.AST], Callable[..., float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


def to_qasm3(circuit: Circuit) -> str:
    """Return an OpenQASM 3 program with one register ``q``; angles are printed so that they read back exactly."""
    lines = ["OPENQASM 3.0;", 'include "stdgates.inc";']
    used = circuit.count_ops()
    lines += [definition for name, definition in _OUTSIDE_STDGATES.items() if name in used]
    lines.append(f"qubit[{circuit.num_qubits}] q;")
    for name, qubits, angle in circuit:
        argument = "" if angle is None else f"({angle!r})"
        lines.append(f"{name}{argument} {', '.join(f'q[{qubit}]' for qubit in qubits)};")
    return "\n".join(lines) + "\n"


def from_qasm3(text: str) -> Circuit:
    """Read a program that declares one qubit register and applies gates of our table.

    Raises:
        ValueError: A statement outside this subset (it is quoted), no register, or a second one.
    """
    circuit: Circuit | None = None
    without_comments = re.sub(r"//[^\n]*|/\*.*?\*/|gate\s+\w+[^{]*\{[^}]*\}", "", text, flags=re.DOTALL)
    for statement in (" ".join(part.split()) for part in without_comments.split(";")):
        if not statement or statement.startswith(("OPENQASM", "include")):
            continue
        if register := _REGISTER.match(statement):
            if circuit is not None:
                raise ValueError(f"OpenQASM: a second register is not supported: {statement!r}.")
            circuit = Circuit(int(register["size"] or register["size2"]))
            continue
        match = _STATEMENT.match(statement)
        if circuit is None or match is None or match["name"] not in GATE_INDEX:
            raise ValueError(f"OpenQASM: cannot read {statement!r}; gates: {', '.join(sorted(GATE_INDEX))}.")
        qubits = [int(index) for index in re.findall(r"\[(\d+)\]", match["qubits"])]
        circuit.append(match["name"], qubits, None if match["angle"] is None else _number(match["angle"]))
    if circuit is None:
        raise ValueError("OpenQASM: the program declares no qubit register.")
    return circuit


def _number(expression: str) -> float:
    """Evaluate an arithmetic expression of numbers and pi."""

    def value(node: Any) -> float:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return float(node.value)
        if isinstance(node, ast.Name) and node.id in ("pi", "π"):
            return math.pi
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            return _ARITHMETIC[type(node.op)](value(node.left), value(node.right))
        if isinstance(node, ast.UnaryOp) and type(node.op) in _ARITHMETIC:
            return _ARITHMETIC[type(node.op)](value(node.operand))
        raise ValueError(f"OpenQASM: cannot read the angle {expression!r}.")

    try:
        return value(ast.parse(expression.strip(), mode="eval").body)
    except SyntaxError:
        raise ValueError(f"OpenQASM: cannot read the angle {expression!r}.") from None

"""OpenQASM 3 text of the gates in the gate table; the reference parser reads other programs."""

from __future__ import annotations

import re
from typing import Final

from qas_simulators.bridges.qasm3_definitions import definition
from qas_simulators.circuit import Circuit
from qas_simulators.flat_circuit import MAX_QUBITS
from qas_simulators.gates import gate_index

_HEAD: Final = ["OPENQASM 3.0;", 'include "stdgates.inc";']
_REGISTER: Final = re.compile(r"qubit\[([1-9]\d?)\] q;")
_FLOAT: Final = r"-?\d+(?:\.\d+)?(?:e[+-]\d+)?"
_GATE: Final = re.compile(rf"([a-z]+)(?:\(({_FLOAT})\))? q\[(\d\d?)\](?:, q\[(\d\d?)\])?;", re.ASCII)


def to_qasm3(circuit: Circuit) -> str:
    """Return an OpenQASM 3 program with one register ``q``; angles are printed so that they read back exactly."""
    lines = [*_HEAD, *_definitions(circuit), f"qubit[{circuit.num_qubits}] q;"]
    for name, qubits, angle in circuit:
        argument = "" if angle is None else f"({angle!r})"
        lines.append(f"{name}{argument} {', '.join(f'q[{qubit}]' for qubit in qubits)};")
    return "\n".join(lines) + "\n"


def _definitions(circuit: Circuit) -> list[str]:
    return [text for name in sorted(circuit.count_ops(), key=gate_index) if (text := definition(name)) is not None]


def from_qasm3(text: str) -> Circuit:
    """Read an OpenQASM 3 program; see :meth:`Circuit.from_qasm3`."""
    circuit = _as_written(text)
    if circuit is None:
        from qas_simulators.bridges.qasm3_reader import read

        circuit = read(text)
    return circuit


def _as_written(text: str) -> Circuit | None:
    """Read a program that :func:`to_qasm3` wrote, in linear time; return ``None`` for any other."""
    head, _, body = text.partition("\nqubit[")
    lines = ("qubit[" + body).split("\n")
    register = _REGISTER.fullmatch(lines[0])
    if register is None or int(register[1]) > MAX_QUBITS or lines.pop() != "":
        return None
    circuit = Circuit(int(register[1]))
    for line in lines[1:]:
        match = _GATE.fullmatch(line)
        if match is None:
            return None
        name, angle, *qubits = match.groups()
        try:
            circuit.append(name, [int(q) for q in qubits if q is not None], None if angle is None else float(angle))
        except ValueError:
            return None  # the parser's message has the position
    return circuit if head.split("\n") == [*_HEAD, *_definitions(circuit)] else None

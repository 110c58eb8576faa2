"""OpenQASM 2 text of the gates in the gate table."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from qas_simulators.bridges.qasm3_definitions import definition_of
from qas_simulators.circuit import Circuit
from qas_simulators.gates import GATES, gate_index

_PAPER: Final = ("x", "y", "z", "h", "s", "sdg", "t", "tdg", "rx", "ry", "rz", "id", "cx", "cz")
"""Gates of ``qelib1.inc`` in the OpenQASM paper, arXiv:1707.03429, that the gate table has too."""
_ALIASES: Final = {"p": "u1"}  # the paper's name of the phase gate
_DEFINITIONS: Final = {  # names that no library has, since a program may not define a gate twice
    "sx": "gate qas_sx a { sdg a; h a; sdg a; }",
    "sxdg": "gate qas_sxdg a { s a; h a; s a; }",
    "swap": "gate qas_swap a, b { cx a, b; cx b, a; cx a, b; }",
    "ecr": "gate qas_ecr a, b { s a; sdg b; h b; sdg b; cx a, b; x a; }",
    "rxx": "gate qas_rxx(t) a, b { cx a, b; rx(t) a; cx a, b; }",
    "ryy": "gate qas_ryy(t) a, b { cy a, b; ry(t) a; cy a, b; }",
    "rzz": "gate qas_rzz(t) a, b { cx a, b; rz(t) b; cx a, b; }",
}


def to_qasm2(circuit: Circuit) -> str:
    """Return an OpenQASM 2 program with one register ``q``.

    Gates that the paper's ``qelib1.inc`` lacks are defined in the program, up to a global phase, as ``qas_<name>``.
    Libraries differ in these gates; thus every reader of the language understands the program.
    """
    used = sorted(circuit.count_ops(), key=gate_index)
    definitions = [definition2(name) for name in used if name not in (*_PAPER, *_ALIASES)]
    lines = ["OPENQASM 2.0;", 'include "qelib1.inc";', *definitions, f"qreg q[{circuit.num_qubits}];"]
    for name, qubits, angle in circuit:
        word = name if name in _PAPER else _ALIASES.get(name, f"qas_{name}")
        argument = "" if angle is None else f"({_number(angle)})"
        lines.append(f"{word}{argument} {', '.join(f'q[{qubit}]' for qubit in qubits)};")
    return "\n".join(lines) + "\n"


@lru_cache
def definition2(name: str) -> str:
    """Return the definition of a gate that ``qelib1.inc`` lacks.

    Raises:
        ImportError: The definition of this gate needs the extra ``qiskit``, which is not installed.
    """
    text = _DEFINITIONS.get(name)
    if text is None:
        text = definition_of(GATES[gate_index(name)]).replace(f"gate {name}", f"gate qas_{name}", 1)
    return text


def _number(angle: float) -> str:
    """Return an angle with all its digits; the grammar wants a point in every real number."""
    text = repr(angle)
    return text.replace("e", ".0e") if "e" in text and "." not in text else text

"""What both fuzzers of the OpenQASM readers share: programs to begin with, and the judgement of a text.

A text is read as Qiskit reads it, or refused by a ``ValueError`` with line and column: never another exception, never
another circuit.
"""

from __future__ import annotations

import re
import warnings
from itertools import pairwise
from typing import Any, Final

import numpy as np
from qiskit import qasm2, qasm3
from qiskit.quantum_info import Operator

from qas_simulators import Circuit
from qas_simulators.bridges.qasm_text import tokens, version_of

_HEAD2: Final = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
_HEAD3: Final = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
PROGRAMS: Final = (
    f"{_HEAD2}qreg q[2];\ncreg c[2];\nh q;\ncx q[0],q[1];\nrz(-pi/4) q[1];\nmeasure q -> c;",
    f"{_HEAD2}qreg a[1];\nqreg b[2];\nu3(0.1,2,pi) b;\ncx a[0],b;\nbarrier a,b;\nrzz(0.1) a[0],b[1];",
    f"{_HEAD2}gate g(t) x,y {{ rx(t/2) x; cx y,x; barrier x; u1(-t) y; }}\nqreg q[3];\ng(sin(0.2)) q[0],q[2];",
    "OPENQASM 2.0;\ngate h a { U(pi,0,pi) a; }\nqreg q[2];\nh q[0];\nCX q[0],q[1];",
    f"{_HEAD2}qreg q[1];\ncreg c[1];\nx q[0];\nif(c==1) h q[0];\nreset q[0];",
    f"{_HEAD3}qubit[2] q;\nbit[2] c;\nh q;\ncx q[0], q[1];\nrz(-pi / 4) q[1];\nc = measure q;",
    f"{_HEAD3}qubit a;\nqubit[2] b;\nu3(0.1, 2, pi) b;\ncx a, b;\nctrl @ x b[0], b[-1];\nbarrier a;",
    f"{_HEAD3}gate g(t) x, y {{ rx(t / 2) x; inv @ s y; gphase(t); }}\nqubit[3] q;\ng(0.2) q[0], q[2];",
    "OPENQASM 3.0;\ngate h a { U(pi, 0, pi) a; }\nqubit[2] q;\nlet r = q[0:1];\nh r[0];\nctrl @ U(1, 2, 3) q[0], q[1];",
    f"{_HEAD3}qubit q;\nbit c;\nx q;\nif (c == 1) {{ h q; }}\nreset q;\npow(2) @ t q;",
)
WORDS: Final = (
    *sorted({token.text for program in PROGRAMS for token in tokens(program)}),
    *("sin", "tau", "**", "^", "%", "0", "1", "3", "-1", "1e400", "99999999999", "true", "π", "for", "negctrl", "$0"),
    *("swap", "ccx", "cp", "sx", "rxx", "p", "id", "opaque", "const", "float", "U", "CX", "\n", "//", "/*", '"', "\0"),
)
REFUSAL: Final = re.compile(r"OpenQASM, line \d+, column \d+: [^\n]+\.\Z")
_NOT_IN_QISKIT: Final = re.compile(
    r"\*\*|%|type error|unsupported binary|FunctionCall|ConstantDeclaration|BitstringLit"
    r"|Undefined symbol '(?:pi|tau|euler|π|τ|ℇ)'|measurements must save their result"
)


def judge(text: str) -> str:
    """Return ``"read"`` or ``"refused"``.

    Raises:
        AssertionError: The text was read as another circuit than Qiskit's, or one that Qiskit refuses; or a refusal has
            no position.
    """
    message = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            circuit = Circuit.from_qasm(text)
    except ValueError as error:
        message = str(error)
    if message:
        assert REFUSAL.match(message), f"no position: {message} in {text!r}"
        return "refused"
    try:
        truth = _as_qiskit_reads(text)
    except Exception as error:
        message = str(error)
    if message:
        assert _NOT_IN_QISKIT.search(message), f"Qiskit refuses {text!r}: {message}"
        return "read"
    assert circuit.num_qubits == truth.num_qubits, f"another register: {text!r}"
    if circuit.num_qubits <= 6:
        left, right = Operator(circuit.to_qiskit()).data, Operator(truth).data
        assert abs(abs(np.vdot(left, right)) / len(left) - 1.0) < 1e-9, f"another circuit: {text!r}"
    return "read"


def _as_qiskit_reads(text: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if (version_of(text) or "3").startswith("2"):
            words = [token.text for token in tokens(text)]
            defined = {after for word, after in pairwise(words) if word == "gate"}
            extra = [one for one in qasm2.LEGACY_CUSTOM_INSTRUCTIONS if one.builtin and one.name not in defined]
            circuit = qasm2.loads(text, custom_instructions=extra, custom_classical=qasm2.LEGACY_CUSTOM_CLASSICAL)
        else:
            circuit = qasm3.loads(text)
        circuit.remove_final_measurements()
        return circuit

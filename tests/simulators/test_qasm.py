"""OpenQASM 2 and 3 as people write them: equal to what Qiskit reads, or refused with a position."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest

from qas_simulators import Circuit, Gadget
from qas_simulators.flat_circuit import Link
from qas_simulators.gadgets import Part
from tests.conftest import random_circuit

qiskit = pytest.importorskip("qiskit")
pytest.importorskip("openqasm3")
from qiskit import QuantumCircuit, qasm2, qasm3  # noqa: E402
from qiskit.circuit import library  # noqa: E402
from qiskit.quantum_info import Operator  # noqa: E402

HEAD2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
HEAD3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'


def assert_equal(circuit: Circuit, truth: QuantumCircuit) -> None:
    """Check that two circuits have one unitary, up to a global phase."""
    assert circuit.num_qubits == truth.num_qubits
    left, right = Operator(circuit.to_qiskit()).data, Operator(truth).data
    assert abs(np.vdot(left, right)) == pytest.approx(len(left), abs=1e-9)


def read(text: str) -> Circuit:
    """Read a program whose measurements at the end need no mention."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Left out: the measurements")
        return Circuit.from_qasm(text)


PROGRAMS2 = {
    "several registers": "qreg a[2];\nqreg b[1];\ncreg c[3];\nh a;\ncx a[1],b[0];\nmeasure a[0] -> c[0];",
    "broadcast": "qreg a[2]; qreg b[2]; h a; cx a,b; cx a[0],b; cu1(pi/8) a,b[1]; barrier a,b;",
    "u gates": (
        "qreg q[2]; u1(0.1) q[0]; u2(0.2,-0.3) q[1]; u3(0.4,0.5,0.6) q; u(0.1,0.2,0.3) q[0]; p(-pi/3) q[1]; "
        "U(1,2,3) q[0]; CX q[0],q[1];"
    ),
    "two-qubit rotations": (
        "qreg q[3]; h q; rzz(0.3) q[0],q[2]; rxx(-pi/7) q[2],q[1]; crz(0.2) q[0],q[1]; cu3(.1,.2,.3) q[1],q[2];"
    ),
    "three and more qubits": (
        "qreg q[4]; h q; ccx q[0],q[2],q[1]; cswap q[1],q[0],q[3]; c3x q[3],q[1],q[0],q[2]; rccx q[0],q[1],q[2];"
    ),
    "functions": (
        "qreg q[1]; rx(sin(pi/3)^2 + cos(0.2)*-1) q[0]; ry(sqrt(2)/ln(5)) q[0]; rz(exp(0.3)-tan(1e-1)) q[0];"
    ),
    "gate bodies": (
        "gate inner(a) x,y { u1 (a/2) y; cx x,y; barrier x,y; u1(-a/2) y; }\ngate outer(a,b) x,y,z { "
        "inner(a+b) z,x; inner(-b) y,z; }\nqreg q[3]; h q; outer(0.3,pi/5) q[2],q[0],q[1];"
    ),
    "comments": "// first\nqreg // second [2];\nq[2];\nh q[0]; // if (c==1) reset q;\ncx q[0],q[1];",
    "measured while others go on": (
        "qreg q[2]; creg c[2]; h q[0]; measure q[0] -> c[0]; rx(0.4) q[1]; measure q[1] -> c[1]; barrier q;"
    ),
    "swap and friends": (
        "qreg q[2]; sx q; sxdg q[1]; swap q[0],q[1]; ch q[1],q[0]; cy q[0],q[1]; csx q[0],q[1]; cp(0.3) "
        "q[0],q[1]; cu(.1,.2,.3,.4) q[1],q[0]; id q;"
    ),
}


@pytest.mark.parametrize("name", PROGRAMS2)
def test_openqasm2_is_read_as_qiskit_reads_it(name: str) -> None:
    text = HEAD2 + PROGRAMS2[name]
    truth = QuantumCircuit.from_qasm_str(text)
    truth.remove_final_measurements()
    assert_equal(read(text), truth)


PROGRAMS3 = {
    "several registers": "qubit[2] a; qubit b; bit[2] c; h a; cx a[1], b; c = measure a;",
    "old words": "qreg q[2]; creg c[2]; h q; cx q[0], q[1]; measure q -> c;",
    "broadcast": "qubit[2] a; qubit[2] b; h a; cx a, b; cp(0.3) a[0], b; barrier a, b;",
    "ranges and aliases": (
        "qubit[5] q; let a = q[1:2:3]; let b = a ++ q[{0, 4}]; h b; x q[-1]; cx a[0], b[3]; rx(.1) q[2:];"
    ),
    "modifiers": (
        "qubit[3] q; h q; ctrl @ rx(0.3) q[2], q[0]; ctrl(2) @ z q[0], q[2], q[1]; inv @ t q[0]; inv @ ctrl @"
        " s q[1], q[0]; negctrl @ ry(1) q[0], q[1]; pow(0.5) @ x q[0];"
    ),
    "gate bodies": (
        "gate g(s, t) a, b { rx(s / 2) a; ctrl @ rz(t - s) b, a; gphase(s); cx a, b; } qubit[3] q; h q; "
        "g(0.3, 1) q[2], q[0]; ctrl @ g(0.1, pi) q[0], q[1], q[2]; inv @ g(0.2, 0.3) q[0], q[1];"
    ),
    "U and the library": (
        "qubit[3] q; U(0.1, 0.2, 0.3) q; cu(.1, .2, .3, .4) q[0], q[1]; ch q[1], q[2]; u3(1, 2, 3) q[0]; "
        "phase(0.3) q[1]; cphase(-0.2) q[0], q[2]; cswap q[0], q[1], q[2]; CX q[0], q[2];"
    ),
    "physical qubits": "h $1; cx $1, $0; rz(-pi / 4) $2;",
    "arithmetic": "qubit q; rx(-(2 - 3.5) * pi / 4 + 1e-1) q; ry(tau / 3 - euler) q; rz(π/2) q;",
    "comments": "qubit[2] q; /* x q[0];\n reset q; */ h q[0]; // x q[1];\ncx q[0], q[1];",
}


@pytest.mark.parametrize("name", PROGRAMS3)
def test_openqasm3_is_read_as_qiskit_reads_it(name: str) -> None:
    text = HEAD3 + PROGRAMS3[name]
    truth = qasm3.loads(text)
    truth.remove_final_measurements()
    assert_equal(read(text), truth)


def test_what_qiskit_does_not_read_in_openqasm3() -> None:
    text = f"""{HEAD3}const int[8] n = 2; const float[64] a = pi / 3; qubit[n] q;
    rx(2.0**-0.5 * sin(a) + sqrt(2.0)) q[n - 1]; ry(mod(7, 4) + 2**3 % 5 - arccos(0.5)) q[0]; rz(float(1) / 2) q[0];
    pow(-3) @ t q[0]; pow(2) @ ctrl @ sx q[0], q[1]; ctrl @ gphase(0.7) q[1]; negctrl @ gphase(-0.4) q[0];"""
    truth = QuantumCircuit(2)
    truth.rx(math.sqrt(0.5) * math.sin(math.pi / 3) + math.sqrt(2), 1)
    truth.ry(3 + 3 - math.pi / 3, 0)
    truth.rz(0.5, 0)
    truth.append(library.UnitaryGate(np.diag([1, np.exp(-0.75j * np.pi)])), [0])
    truth.cx(0, 1)
    truth.append(library.UnitaryGate(np.diag([1, np.exp(0.7j)])), [1])
    truth.append(library.UnitaryGate(np.diag([np.exp(-0.4j), 1])), [0])
    assert_equal(read(text), truth)
    text = f"{HEAD3}gate g(t, s) a {{ rx(t) a; rz(s) a; }} qubit q; g(0.3, 1) q;"  # Qiskit's importer swaps t and s
    assert read(text) == Circuit(1).rx(0.3, 0).rz(1.0, 0)
    text = "OPENQASM 3; gate h a { U(pi, 0, pi) a; } gate g a { h a; } qubit[2] q; ctrl @ g q[0], q[1];"
    truth = QuantumCircuit(2)
    truth.append(library.UGate(math.pi, 0, math.pi).control(), [0, 1])
    assert_equal(read(text), truth)  # Qiskit's control would take the inner gate for its own h


REFUSED3 = {
    "qubit[2] a; x b[1];": (3, 13, "register 'b'"),
    "qubit[2] q; h q[0]; cx q[0], zz[1];": (3, 21, "register 'zz'"),
    "qubit[2] q; cx q[0], q[2];": (3, 13, "outside"),
    "qubit[2] q; x q[-3];": (3, 13, "outside"),
    "qubit[2] q; h q[0:2];": (3, 13, "range"),
    "qubit[2] q; h q[1:-1:0];": (3, 13, "range"),
    "qubit[2] q; includex q[0];": (3, 13, "gate 'includex'"),
    "qubit[2] q; OPENQASM_h q[0];": (3, 13, "gate 'OPENQASM_h'"),
    "qubit[2] q;\nresetx q[0];": (4, 1, "gate 'resetx'"),
    "qubit[2] q; cx q[0] q[1];": (3, 21, "not expected"),
    "qubit[2] q; cx q[0], q[1]": (None, None, ""),
    "qubit[2] q\nx q;": (4, 1, "not expected"),
    "qubit[2] q; x q[0], q[1];": (3, 13, "1 qubit"),
    "qubit[2] q; cx q[0], q[0];": (3, 13, "twice"),
    "qubit[2] q; cx q, q[0];": (3, 13, "twice"),
    "qubit[2] a; qubit[3] b; cx a, b;": (3, 25, "different sizes"),
    "qubit q; x q[0];": (3, 10, "no index"),
    "qubit[2] q; bit[2] c; cx q[0], c[1];": (3, 23, "register 'c'"),
    "qubit[2] q; qubit q;": (3, 13, "twice"),
    "qubit[2] h;": (3, 1, "twice"),
    "gate h a { x a; } qubit q; h q;": (3, 1, "twice"),
    "gate g a { x b; } qubit q;": (3, 1, "qubit of the gate 'b'"),
    "gate g a { g a; } qubit q;": (3, 1, "gate 'g'"),
    "gate g(t, t) a { rx(t) a; } qubit q;": (3, 1, "one name"),
    "qubit q; rx(True) q;": (3, 10, "'True'"),
    "qubit q; rx(true) q;": (3, 10, "boolean"),
    "qubit q; rx(pi/0) q;": (3, 10, "division by zero"),
    "qubit q; rx(1/2) q;": (3, 10, "1.0/2"),
    "qubit q; rx(sqrt(-1)) q;": (3, 10, "no value"),
    "qubit q; rx((-8.0)**0.5) q;": (3, 10, "no value"),
    "qubit q; rx(exp(1000)) q;": (3, 10, "no value"),
    "qubit q; rx(1e999) q;": (3, 10, "not finite"),
    "qubit q; rx(9**9**9) q;": (3, 10, "64 bits"),
    "qubit q; rx(theta) q;": (3, 10, "constant 'theta'"),
    "qubit q; rx(__import__('os')) q;": (3, 24, "token"),
    "qubit q; rx(0.1, 0.2) q;": (3, 10, "1 angle"),
    "qubit q; rx q;": (3, 10, "1 angle"),
    "qubit q; h(0.1) q;": (3, 10, "0 angle"),
    "qubit q; foo q;": (3, 10, "gate 'foo'"),
    "qubit[129] q;": (3, 1, "128 qubits"),
    "qubit[99999999999] q;": (3, 1, "128 qubits"),
    "qubit[0] q;": (3, 1, "at least one"),
    "bit[2] c;": (3, 9, "no qubit register"),
    "qubit q; x $0;": (3, 10, "mixed"),
    "qubit q; reset q;": (3, 10, "reset"),
    "qubit q; bit c;\nif (c) x q;": (4, 1, "control flow"),
    "qubit[2] q; for int i in [0:1] { x q[i]; }": (3, 13, "control flow"),
    "qubit q; bit c; while (c) { x q; }": (3, 17, "control flow"),
    "qubit q; bit c;\nh q;\nc = measure q;\nx q;": (6, 1, "after its measurement"),
    "qubit[2] q; bit[3] c; c = measure q;": (3, 23, "as many bits"),
    "input float t; qubit q; rx(t) q;": (3, 1, "input"),
    "float t = 0.1; qubit q; rx(t) q;": (3, 1, "classical variables"),
    "qubit q; delay[10ns] q;": (3, 10, "delay"),
    "def f(qubit q) { x q; } qubit q;": (3, 1, "subroutine"),
    'include "other.inc"; qubit q;': (3, 1, "other.inc"),
    "qubit q; rx(" + "(" * 400 + "1" + ")" * 400 + ") q;": (1, 1, "nested"),
    "qubit q; rx(" + "1" * 5000 + ") q;": (None, None, ""),
    "qubit q; pow(0.5) @ pow(100000) @ x q;": (3, 10, "powers"),
    "qubit q; #": (3, 10, "'#'"),
}


@pytest.mark.parametrize("body", REFUSED3, ids=[body[:40] for body in REFUSED3])
def test_openqasm3_refusals_have_a_position(body: str, capfd: pytest.CaptureFixture[str]) -> None:
    line, column, words = REFUSED3[body]
    with pytest.raises(ValueError, match=r"^OpenQASM, line \d+, column \d+: .+\.$") as caught:
        Circuit.from_qasm(HEAD3 + body)
    message = str(caught.value)
    assert words in message
    assert line is None or message.startswith(f"OpenQASM, line {line}, column {column}: ")
    assert "\n" not in message and capfd.readouterr() == ("", "")


REFUSED2 = {
    HEAD2 + "qreg q[2];\nx b[1];": (4, 3, "'b'"),
    HEAD2 + "qreg q[2]; x q[2];": (3, 16, "out-of-range"),
    HEAD2 + "qreg q[2]; cx q[0],q[0];": (3, 12, "duplicate"),
    HEAD2 + "qreg q[2]; rx(pi/0) q[0];": (3, 17, "zero"),
    HEAD2 + "qreg q[2]; rx(True) q[0];": (None, None, ""),
    HEAD2 + "qreg q[2]; rx q[0];": (3, 12, "no angles"),
    HEAD2 + "gate g(a) x { rx(a) x; } gate f x { g x; } qreg q[2]; f q[0];": (3, 37, "no angles"),
    HEAD2 + "qreg q[2]; h(0.1) q[0];": (3, 12, "0 parameters"),
    HEAD2 + "qreg q[2]; includex q[0];": (3, 12, "includex"),
    HEAD2 + "qreg q[2]; creg c[2];\nif(c==1) x q[0];": (4, 1, "measurement"),
    HEAD2 + "qreg q[2];\nh q;\nreset q[1];": (5, 1, "reset"),
    HEAD2 + "qreg q[2]; creg c[2];\nh q; cx q[0],q[1];\nmeasure q -> c;\nbarrier q;\n  x q[1];": (7, 3, "after its"),
    HEAD2 + "opaque g a; qreg q[1];\ng q[0];": (4, 1, "no definition"),
    HEAD2 + "qreg q[129];": (3, 1, "128"),
    HEAD2 + "qreg q[99999999999999999999];": (3, 1, "128"),
    HEAD2 + "qreg q[2]; creg c[999999999];": (3, 12, "65536"),
    HEAD2 + "qreg q[2]; gate h a { x a; } h q[0];": (3, 12, "'h'"),
    HEAD2 + "creg c[2];": (None, None, "no qubit register"),
    'OPENQASM 2.0;\ninclude "/etc/passwd";\nqreg q[1];': (2, 9, "include"),
    "OPENQASM 2.1;\nqreg q[1];": (1, 1, "OPENQASM 2.0"),
}


@pytest.mark.parametrize("text", REFUSED2, ids=[text[-40:] for text in REFUSED2])
def test_openqasm2_refusals_have_a_position(text: str) -> None:
    line, column, words = REFUSED2[text]
    with pytest.raises(ValueError, match=r"^OpenQASM, line \d+, column \d+: [^\n]+\.$") as caught:
        Circuit.from_qasm2(text)
    assert words in str(caught.value)
    assert line is None or str(caught.value).startswith(f"OpenQASM, line {line}, column {column}: ")


def test_the_version_line_chooses_the_reader() -> None:
    bell = Circuit(2).h(0).cx(0, 1)
    assert Circuit.from_qasm(f"// comment\n{HEAD2}qreg q[2]; h q[0]; cx q[0],q[1];") == bell
    assert Circuit.from_qasm(f"/* OPENQASM 2.0; */ {HEAD3}qubit[2] q; h q[0]; cx q[0], q[1];") == bell
    assert Circuit.from_qasm('include "stdgates.inc"; qubit[2] q; h q[0]; cx q[0], q[1];') == bell
    with pytest.raises(ValueError, match="from_qasm2"):
        Circuit.from_qasm3(f"{HEAD2}qreg q[2];")
    for text in ("", "OPENQASM", "OPENQASM 4.0; qubit q;", "// nothing"):
        with pytest.raises(ValueError, match="OpenQASM, line 1"):
            Circuit.from_qasm(text)


def test_definitions_come_before_names() -> None:
    flip, ours = QuantumCircuit(1), "{ s a; sx b; cx a, b; x a; }"
    flip.x(0)
    assert read("OPENQASM 3.0; gate h a { U(pi, 0, pi) a; } qubit q; h q;").count_ops() == {"rz": 1, "ry": 1}
    assert_equal(read("OPENQASM 3.0; gate h a { U(pi, 0, pi) a; } qubit q; h q;"), flip)
    assert_equal(read("OPENQASM 2.0; gate h a { U(pi,0,pi) a; } qreg q[1]; h q[0];"), flip)
    swap = f"{HEAD2}gate swap a,b {{ x a; }} gate rzz(t) a,b {{ x b; }} qreg q[2]; swap q[0],q[1]; rzz(0.3) q[0],q[1];"
    assert read(swap) == Circuit(2).x(0).x(1)  # Qiskit's own from_qasm_str ignores such definitions
    assert read(f"{HEAD3}gate ecr a, b {ours} qubit[2] q; ecr q[1], q[0];") == Circuit(2).ecr(1, 0)
    assert read(f"{HEAD3}gate ecr b, a {ours} qubit[2] q; ecr q[1], q[0];").count_ops() == {
        "s": 1,
        "sx": 1,
        "cx": 1,
        "x": 1,
    }
    almost = read(f"{HEAD3}gate sxdg a {{ inv @ sx a; rz(1e-7) a; }} qubit q; sxdg q;")
    assert almost.count_ops() == {"sxdg": 1, "rz": 1}


def test_definitions_of_gadgets_are_complete() -> None:
    one = Gadget("one", 2, 1, (Part("ecr", (0, 1)), Part("rzz", (1, 0), (Link(0, 0.5, 0.1),)), Part("sxdg", (0,))))
    both = Gadget("both", 2, 1, (Part(one, (1, 0), (Link(0, 2.0, 0.0),)), Part("ryy", (0, 1), (Link(0, 1.0, 0.0),))))
    circuit = read(f"{HEAD3}{both.to_qasm3()}\nqubit[2] q; both(0.3) q[0], q[1];")
    assert circuit == Circuit(2).ecr(1, 0).rzz(0.4, 0, 1).sxdg(1).ryy(0.3, 0, 1)


def test_measurements_at_the_end_are_left_out_with_a_word() -> None:
    text = f"{HEAD2}qreg q[3]; creg c[3]; h q; measure q[2] -> c[0]; measure q[0] -> c[1];"
    with pytest.warns(UserWarning, match=r"measurements of qubits \[0, 2\]"):
        assert Circuit.from_qasm2(text) == Circuit(3).h(0).h(1).h(2)


@pytest.mark.parametrize("head", [HEAD2, HEAD3])
def test_definitions_that_double_end_soon(head: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qas_simulators.bridges.qiskit_expansion.MAX_GATES", 10_000)
    gates = "".join(f"gate g{k + 1} a {{ g{k} a; g{k} a; }}\n" for k in range(59))
    body = f"gate g0 a {{ x a; x a; }}\n{gates}{'qreg q[1]' if head == HEAD2 else 'qubit[1] q'}; g59 q[0];"
    begin = time.process_time()
    with pytest.raises(ValueError, match="more than 10000 gates"):
        Circuit.from_qasm(head + body)
    assert time.process_time() - begin < 20
    deep = "gate g0 a { x a; }\n" + "".join(f"gate g{k + 1} a {{ g{k} a; }}\n" for k in range(600))
    assert len(Circuit.from_qasm(f"{head}{deep}qreg q[1]; g600 q[0];")) == 1


def test_what_we_write_is_read_without_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [random_circuit(3, 40, seed).to_qasm3() for seed in range(20)]
    read_slowly = [Circuit.from_qasm3(f"// no longer as written\n{text}") for text in texts[:5]]
    monkeypatch.setitem(sys.modules, "qas_simulators.bridges.qasm3_reader", None)  # importing it raises
    assert [Circuit.from_qasm3(text) for text in texts[:5]] == read_slowly
    assert [Circuit.from_qasm3(text).to_qasm3() for text in texts] == texts
    for text in (texts[0].replace("q[1]", "q[9]"), texts[0] + " ", texts[0].replace('"', "'"), "gate a " * 20_000):
        with pytest.raises(ImportError):
            Circuit.from_qasm3(text)


def test_hostile_texts_take_linear_time() -> None:
    for unit in ("gate a ", "/*", "//", '"', "(", "x q[0]", "OPENQASM 2.0;", "\n", "gate a {"):
        for head in ("", HEAD2):
            begin = time.process_time()
            with pytest.raises(ValueError, match="OpenQASM"):
                Circuit.from_qasm(head + unit * 20_000)
            assert time.process_time() - begin < 5  # about 0.1


def test_without_qiskit_reading_names_the_extra() -> None:
    program = """
import sys
sys.modules["qiskit"] = sys.modules["openqasm3"] = None
from qas_simulators import Circuit, Gadget
from qas_simulators.flat_circuit import Link
from qas_simulators.gadgets import Part
circuit = Circuit(2).h(0).cx(0, 1).ry(0.5, 1)
assert Circuit.from_qasm3(circuit.to_qasm3()) == circuit
for read, text in ((Circuit.from_qasm3, "qubit q;"), (Circuit.from_qasm2, "OPENQASM 2.0; qreg q[1];")):
    try:
        read(text)
    except ImportError as error:
        print(error)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert re.fullmatch(
        r'(?:\w+ is not installed: pip install "qas-envs\[qiskit\]"\n){2}', told.replace("import of ", "")
    )


def test_qasm2_reader_agrees_with_qiskit_on_its_own_text() -> None:
    for seed in range(10):
        truth = qiskit.circuit.random.random_circuit(4, 6, max_operands=3, seed=seed)
        assert_equal(read(qasm2.dumps(truth)), QuantumCircuit.from_qasm_str(qasm2.dumps(truth)))
        assert_equal(read(qasm3.dumps(truth)), truth)

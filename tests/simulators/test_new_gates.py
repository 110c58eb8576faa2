"""A row added to the gate table: the recipe of the docs, and conversions of gates that other libraries do not have."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from qas_simulators import gates
from qas_simulators.bridges.qasm3_definitions import STDGATES, definition, definition_of
from qas_simulators.gates import GATES, Gate

pytest.importorskip("qiskit")
from qiskit import QuantumCircuit, qasm3
from qiskit.quantum_info import Operator

from qas_simulators.bridges.qiskit import defined_by_matrix

ROOT = Path(__file__).parents[2]
ISWAP = [[1, 0, 0, 0], [0, 0, 1j, 0], [0, 1j, 0, 0], [0, 0, 0, 1]]


def unitary(size: int) -> np.ndarray:
    rng = np.random.default_rng(size)
    return np.linalg.qr(rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size)))[0]


NEW = [
    *(gates._fixed(name, matrix) for name, matrix in [("iswap", ISWAP), ("one", unitary(2)), ("two", unitary(4))]),
    *(gates._rotation(f"turn{axis.lower()}", axis) for axis in ("X", "Y", "Z", "XX", "YY", "ZZ")),
]
new = pytest.mark.parametrize("gate", NEW, ids=[gate.name for gate in NEW])


def angles_of(gate: Gate) -> list[float | None]:
    return [0.7, -2.3] if gate.num_params else [None]


def of_qasm3(gate: Gate, text: str | None, angle: float | None) -> np.ndarray:
    """Return the matrix of a gate in a program with this definition, as Qiskit reads it."""
    call = f"{gate.name}{'' if angle is None else f'({angle!r})'} {', '.join(['q[0]', 'q[1]'][: gate.num_qubits])};"
    head = ["OPENQASM 3.0;", 'include "stdgates.inc";', text or "", f"qubit[{gate.num_qubits}] q;", call]
    return np.asarray(Operator(qasm3.loads("\n".join(head))).data)


def assert_equal_up_to_phase(left: np.ndarray, right: np.ndarray) -> None:
    assert abs(np.vdot(left, right)) == pytest.approx(len(left), abs=1e-12)


@new
def test_definitions_in_openqasm(gate: Gate) -> None:
    for angle in angles_of(gate):
        assert_equal_up_to_phase(of_qasm3(gate, definition_of(gate), angle), gate.matrix(angle or 0.0))


def test_every_gate_of_the_table_is_defined_in_openqasm() -> None:
    assert {gate.name for gate in GATES if definition(gate.name) is None} <= {*STDGATES}
    for gate in GATES:
        for angle in angles_of(gate):
            assert_equal_up_to_phase(of_qasm3(gate, definition(gate.name), angle), gate.matrix(angle or 0.0))


@new
def test_instructions_of_qiskit(gate: Gate) -> None:
    for angle in angles_of(gate):
        circuit = QuantumCircuit(gate.num_qubits)
        circuit.append(defined_by_matrix(gate, angle), range(gate.num_qubits))
        np.testing.assert_allclose(Operator(circuit).data, gate.matrix(angle or 0.0), atol=1e-12)
        assert circuit.data[0].operation.name == gate.name


@new
def test_operations_of_pennylane(gate: Gate) -> None:
    qml = pytest.importorskip("pennylane")
    from qas_simulators.bridges.pennylane import by_matrix

    qubits = (2, 0)[: gate.num_qubits]
    for angle in angles_of(gate):
        matrix = qml.matrix(by_matrix(gate, qubits, angle), wire_order=qubits[::-1])  # the last is least significant
        np.testing.assert_allclose(matrix, gate.matrix(angle or 0.0), atol=1e-12)


WITH_ROW = """
import importlib.util, sys


class Table:
    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_file_location(name, {table!r}) if name == "qas_simulators.gates" else None


sys.meta_path.insert(0, Table())
"""
CONVERSIONS = """
import pennylane as qml
from qas_simulators import gates

assert gates.__file__.endswith("with_rows.py")
circuit = Circuit(3).h(0).ry(0.3, 2).append("mygate", [2, 0]).append("myturn", [0, 1], 0.7).append("ch", [1, 2])
assert Circuit.from_qasm3(circuit.to_qasm3()) == circuit
assert Circuit.from_qasm3(circuit.to_qasm3().replace(";", "; ")) == circuit  # not as written: the parser reads it
assert Circuit.from_qiskit(circuit.to_qiskit()) == circuit
psi = StatevectorSimulator().statevector(circuit)
assert np.allclose(Statevector(circuit.to_qiskit()).data, psi, atol=1e-12)
other = np.eye(8)[0]
for operation in circuit.to_pennylane().operations:
    other = qml.matrix(operation, wire_order=[2, 1, 0]) @ other
assert np.allclose(other, psi, atol=1e-12)
"""
ROWS = """    _fixed("mygate", [[1, 0, 0, 0], [0, 0.6, 0.8, 0], [0, 0.8, -0.6, 0], [0, 0, 0, 1]]),
    _rotation("myturn", "YY"),
"""


@pytest.mark.slow  # python -m pytest tests/simulators/test_new_gates.py -m slow
def test_the_recipe_for_a_gate(tmp_path: Path) -> None:
    """With the recipe's row in the table, all that the recipe says of the gate holds; without it, its check fails.

    The kernels do not depend on the table, so that their compiled code is used.
    """
    pytest.importorskip("pennylane")
    text = (ROOT / "docs" / "recipes" / "gate.md").read_text("utf-8")
    blocks = dict(re.findall(r'```(?:python|text) title="(.*?)"\n(.*?)```', text, re.DOTALL))
    (place, row), (_, check) = blocks.items()
    rows = (ROOT / "simulators" / "qas_simulators" / "gates.py").read_text("utf-8")
    end = ")\n\nGATE_INDEX"
    assert place.startswith("simulators/qas_simulators/gates.py") and rows.count(end) == 1
    table = tmp_path / "with_rows.py"
    table.write_text(rows.replace(end, row + ROWS + end), "utf-8")
    program = WITH_ROW.format(table=str(table)) + check + CONVERSIONS
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False
    )
    assert ended.returncode == 0, ended.stderr
    with pytest.raises(ValueError, match="'ch'"):
        exec(check, {})

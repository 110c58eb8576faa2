"""OpenQASM 3 programs: the reference parser's tree becomes Qiskit's gates, then a circuit (``qiskit`` extra)."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr
from io import StringIO
from typing import Any, Final

from qas_simulators.bridges.qasm3_expressions import CONSTANTS, Number, UnreadableError, constant, integer
from qas_simulators.bridges.qasm3_gates import Definition, Gates
from qas_simulators.bridges.qasm_text import refusal, tokens, version_of
from qas_simulators.circuit import Circuit
from qas_simulators.errors import needs_extra, unknown_name
from qas_simulators.flat_circuit import MAX_QUBITS

with needs_extra("qiskit"):
    from openqasm3 import ast, parse
    from openqasm3.parser import QASM3ParsingError
    from qiskit import QuantumCircuit
    from qiskit.circuit import Measure

from qas_simulators.bridges.qiskit_expansion import RefusedInstructionError, append_all

_VERSIONS: Final = (None, "3", "3.0", "3.1")
_POSITION: Final = re.compile(r"L(\d+):C(\d+): (.*)", re.DOTALL)
_MAX_BITS: Final = 1 << 16
_REFUSED: Final = {
    ast.BranchingStatement: "control flow (if)",
    ast.ForInLoop: "control flow (for)",
    ast.WhileLoop: "control flow (while)",
    ast.SwitchStatement: "control flow (switch)",
    ast.QuantumReset: "a reset",
    ast.DelayInstruction: "a delay",
    ast.SubroutineDefinition: "a subroutine (def)",
    ast.IODeclaration: "an input or output",
    ast.ClassicalAssignment: "a classical assignment",
}


def read(text: str) -> Circuit:
    """Read an OpenQASM 3 program; see :meth:`Circuit.from_qasm3`."""
    version = version_of(text)
    if version not in _VERSIONS:
        raise refusal(1, 1, f"the version is {version}, not 3.0: read version 2 with from_qasm or from_qasm2")
    if next(tokens(text), None) is None:
        raise refusal(1, 1, "the program is empty")
    reader = _Reader()
    position = (1, 1)
    try:
        for statement in _parsed(text).statements:
            position = _position_of(statement)
            reader.visit(statement, position)
        position = _end(text)
        source = reader.circuit()
        position = (1, 1)
        circuit = Circuit(source.num_qubits)
        append_all(source, circuit)
    except UnreadableError as error:
        raise refusal(*position, error) from None
    except RefusedInstructionError as error:
        raise refusal(*reader.positions[error.index], error) from None
    except RecursionError:
        raise refusal(*position, "the program is nested too deeply") from None
    return circuit


def _parsed(text: str) -> Any:
    try:
        with redirect_stderr(StringIO()):  # the lexer prints its errors
            return parse(text)
    except QASM3ParsingError as error:
        token = _offending(error)
        if token is not None:
            raise refusal(token.line, token.column + 1, f"{token.text!r} is not expected here") from None
        match = _POSITION.match(str(error))
        place = (int(match[1]), int(match[2]) + 1) if match else _end(text)
        raise refusal(*place, match[3] if match else str(error) or "the program ends too early") from None
    except RecursionError:
        raise
    except Exception as error:  # the reference parser has errors of many types for programs that are not valid
        raise refusal(*_end(text), f"the program cannot be parsed: {error}") from None


def _offending(error: BaseException) -> Any:
    """Return the token at which the parser stopped, if its error holds one."""
    cause = error.__cause__
    while cause is not None and getattr(cause, "offendingToken", None) is None:
        cause = cause.args[0] if cause.args and isinstance(cause.args[0], BaseException) else None
    return getattr(cause, "offendingToken", None)


def _position_of(statement: Any) -> tuple[int, int]:
    span = statement.span
    return (span.start_line, span.start_column + 1) if span is not None else (1, 1)


def _end(text: str) -> tuple[int, int]:
    last = deque(tokens(text), maxlen=1).pop()
    return last.line, last.column


class _Reader:
    """The declarations of a program so far, and its instructions.

    Attributes:
        positions: Line and column of every instruction.
    """

    def __init__(self) -> None:
        self.positions: list[tuple[int, int]] = []
        self._instructions: list[tuple[Any, Sequence[int]]] = []
        self._gates = Gates()
        self._constants: dict[str, Number] = {}
        self._qubits: dict[str, list[int] | int] = {}  # a register's, or a single one
        self._bits: dict[str, list[int] | int] = {}
        self._num_qubits = 0
        self._is_physical = False
        self._methods: dict[type, Callable[[Any], None]] = {
            ast.Include: self._include,
            ast.QubitDeclaration: self._declare_qubits,
            ast.ClassicalDeclaration: self._declare_bits,
            ast.ConstantDeclaration: self._declare_constant,
            ast.AliasStatement: self._declare_alias,
            ast.QuantumGateDefinition: self._define_gate,
            ast.QuantumGate: self._apply_gate,
            ast.QuantumPhase: self._apply_phase,
            ast.QuantumBarrier: self._check_barrier,
            ast.QuantumMeasurementStatement: self._measure_qubits,
        }

    def circuit(self) -> QuantumCircuit:
        """Return the instructions as Qiskit's circuit."""
        if self._num_qubits == 0:
            raise UnreadableError("the program declares no qubit register")
        circuit = QuantumCircuit(self._num_qubits, 1)
        for operation, qubits in self._instructions:
            circuit.append(operation, qubits, [0] if operation.num_clbits else [])
        return circuit

    def visit(self, statement: Any, position: tuple[int, int]) -> None:
        """Process a statement that begins at a line and column."""
        if getattr(statement, "annotations", None):
            raise UnreadableError("annotations are not supported")
        before = len(self._instructions)
        method = self._methods.get(type(statement))
        if method is None:
            what = _REFUSED.get(type(statement), f"a statement of the kind {type(statement).__name__}")
            raise UnreadableError(f"{what} is not supported")
        method(statement)
        self.positions += [position] * (len(self._instructions) - before)

    # -- declarations ------------------------------------------------------------------------------------------------

    def _include(self, statement: Any) -> None:
        if statement.filename != "stdgates.inc":
            raise UnreadableError(f"the file {statement.filename!r} is not read, only stdgates.inc")
        self._gates.include_standard(self._is_taken)

    def _declare_qubits(self, statement: Any) -> None:
        if self._is_physical:
            raise UnreadableError("registers and physical qubits cannot be mixed")
        first = self._num_qubits
        size = None if statement.size is None else integer(statement.size, self._constants)
        if size is not None and size < 1:
            raise UnreadableError(f"a register must have at least one qubit, not {size}")
        self._num_qubits += size or 1
        if self._num_qubits > MAX_QUBITS:
            raise UnreadableError(f"there may be at most {MAX_QUBITS} qubits")
        self._declare(statement.qubit.name)
        self._qubits[statement.qubit.name] = first if size is None else [*range(first, self._num_qubits)]

    def _declare_bits(self, statement: Any) -> None:
        measured = statement.init_expression
        if not isinstance(statement.type, ast.BitType) or not isinstance(measured, ast.QuantumMeasurement | None):
            raise UnreadableError("classical variables are not supported: only bits, and constants (const)")
        size = None if statement.type.size is None else integer(statement.type.size, self._constants)
        if size is not None and not 1 <= size <= _MAX_BITS:
            raise UnreadableError(f"a register must have 1 to {_MAX_BITS} bits, not {size}")
        self._declare(statement.identifier.name)
        self._bits[statement.identifier.name] = 0 if size is None else [*range(size)]
        if measured is not None:
            self._measure(measured, statement.identifier)

    def _declare_constant(self, statement: Any) -> None:
        value = constant(statement.type, statement.init_expression, self._constants)
        self._declare(statement.identifier.name)
        self._constants[statement.identifier.name] = value

    def _declare_alias(self, statement: Any) -> None:
        value = self._concatenated(statement.value)
        self._declare(statement.target.name)
        self._qubits[statement.target.name] = value

    def _define_gate(self, statement: Any) -> None:
        self._declare(statement.name.name)
        self._gates.define(Definition(statement, dict(self._constants)))

    def _is_taken(self, name: str) -> bool:
        scopes = self._constants, self._qubits, self._bits, self._gates.names, CONSTANTS
        return any(name in names for names in scopes)

    def _declare(self, name: str) -> None:
        if self._is_taken(name):
            raise UnreadableError(f"the name {name!r} is given twice")

    # -- instructions ------------------------------------------------------------------------------------------------

    def _apply_gate(self, statement: Any) -> None:
        if statement.duration is not None:
            raise UnreadableError("durations of gates are not supported")
        gate = self._gates.called(statement, self._constants)
        self._append(gate, [self._operand(qubit, self._qubits) for qubit in statement.qubits], statement.name.name)

    def _apply_phase(self, statement: Any) -> None:
        gate = self._gates.phase(statement, self._constants)
        self._append(gate, [self._operand(qubit, self._qubits) for qubit in statement.qubits], "gphase")

    def _check_barrier(self, statement: Any) -> None:
        for qubit in statement.qubits:
            self._operand(qubit, self._qubits)

    def _measure_qubits(self, statement: Any) -> None:
        self._measure(statement.measure, statement.target)

    def _measure(self, measurement: Any, target: Any) -> None:
        qubits = self._operand(measurement.qubit, self._qubits)
        if target is not None:
            bits = self._operand(target, self._bits)
            if _size(bits) != _size(qubits):
                raise UnreadableError("as many bits as qubits must be measured")
        for qubit in [qubits] if isinstance(qubits, int) else qubits:
            self._instructions.append((Measure(), [qubit]))

    def _append(self, gate: Any, operands: Sequence[list[int] | int], name: str) -> None:
        """Append a gate, to every qubit of registers in turn."""
        if gate.num_qubits != len(operands):
            raise UnreadableError(f"gate {name!r} acts on {gate.num_qubits} qubit(s), but is given {len(operands)}")
        for qubits in _broadcast(operands):
            if len({*qubits}) != len(qubits):
                raise UnreadableError(f"gate {name!r} is given one qubit twice")
            self._instructions.append((gate, qubits))

    # -- qubits and bits ---------------------------------------------------------------------------------------------

    def _operand(self, node: Any, known: Mapping[str, list[int] | int]) -> list[int] | int:
        """Return a register's qubits (or bits), or the number of a single one."""
        is_indexed = isinstance(node, ast.IndexedIdentifier)
        name = node.name.name if is_indexed else getattr(node, "name", "")
        if name.startswith("$"):
            return self._physical(name)
        if name not in known:
            raise UnreadableError(unknown_name("register", name, known))
        value = known[name]
        for index in node.indices if is_indexed else ():
            value = self._indexed(value, index, name)
        return value

    def _physical(self, name: str) -> int:
        qubit = int(name[1:]) if name[1:].isdecimal() and len(name) < 5 else MAX_QUBITS
        if qubit >= MAX_QUBITS:
            raise UnreadableError(f"there may be at most {MAX_QUBITS} qubits")
        if self._num_qubits and not self._is_physical:
            raise UnreadableError("registers and physical qubits cannot be mixed")
        self._is_physical, self._num_qubits = True, max(self._num_qubits, qubit + 1)
        return qubit

    def _indexed(self, value: list[int] | int, index: Any, name: str) -> list[int] | int:
        if isinstance(value, int):
            raise UnreadableError(f"{name!r} is single and has no index")
        if isinstance(index, ast.DiscreteSet):
            return [self._one(value, integer(node, self._constants), name) for node in index.values]
        if len(index) != 1:
            raise UnreadableError(f"{name!r} has one index only")
        if not isinstance(index[0], ast.RangeDefinition):
            return self._one(value, integer(index[0], self._constants), name)
        nodes = index[0].start, index[0].end, index[0].step
        start, end, step = (
            default if node is None else integer(node, self._constants)
            for node, default in zip(nodes, (0, len(value) - 1, 1), strict=True)
        )
        if step < 1 or not 0 <= start < len(value) or not 0 <= end < len(value):
            raise UnreadableError(f"a range must ascend within 0..{len(value) - 1} of {name!r}")
        return value[start : end + 1 : step]

    def _one(self, value: list[int], index: int, name: str) -> int:
        if not -len(value) <= index < len(value):
            raise UnreadableError(f"index {index} lies outside of {name!r}, which has {len(value)}")
        return value[index]

    def _concatenated(self, node: Any) -> list[int]:
        if isinstance(node, ast.Concatenation):
            return self._concatenated(node.lhs) + self._concatenated(node.rhs)
        if isinstance(node, ast.IndexExpression):
            value = self._indexed(self._concatenated(node.collection), node.index, "the alias")
        else:
            value = self._operand(node, self._qubits)
        if isinstance(value, int):
            raise UnreadableError("an alias is of registers or parts of them, not of a single qubit")
        return value


def _size(value: list[int] | int) -> int | None:
    return None if isinstance(value, int) else len(value)


def _broadcast(operands: Sequence[list[int] | int]) -> Iterator[list[int]]:
    sizes = {len(operand) for operand in operands if not isinstance(operand, int)}
    if len(sizes) > 1:
        raise UnreadableError(f"registers of different sizes {sorted(sizes)} are given to one gate")
    for k in range(sizes.pop() if sizes else 1):
        yield [operand if isinstance(operand, int) else operand[k] for operand in operands]

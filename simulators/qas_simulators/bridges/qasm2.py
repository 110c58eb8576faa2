"""OpenQASM 2 programs, read by Qiskit's parser (the ``qiskit`` extra)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from qas_simulators.bridges.qasm_text import Token, refusal, tokens, version_of
from qas_simulators.circuit import Circuit
from qas_simulators.errors import needs_extra
from qas_simulators.flat_circuit import MAX_QUBITS

with needs_extra("qiskit"):
    from qiskit import QuantumCircuit, qasm2

from qas_simulators.bridges.qiskit_expansion import RefusedInstructionError, append_all

_LIBRARY: Final = '"qelib1.inc"'
_MAX_BITS: Final = 1 << 16
_NO_INSTRUCTIONS: Final = ("OPENQASM", "include", "qreg", "creg", "gate", "opaque")
_POSITION: Final = re.compile(r"^<input>:(\d+),(\d+): (.*)$", re.DOTALL)


def from_qasm2(text: str) -> Circuit:
    """Read an OpenQASM 2 program; see :meth:`Circuit.from_qasm2`."""
    words = list(tokens(text))
    if version_of(text) not in ("2", "2.0"):
        first = words[0] if words else Token("", 1, 1)
        raise refusal(first.line, first.column, "the program must begin with OPENQASM 2.0;")
    _check_registers(words)
    _check_parameters(words)
    source = _parsed(text, words)
    if source.num_qubits == 0:
        raise refusal(words[-1].line, words[-1].column, "the program declares no qubit register")
    circuit = Circuit(source.num_qubits)
    try:
        append_all(source, circuit)
    except RefusedInstructionError as error:
        sizes = {register.name: register.size for register in [*source.qregs, *source.cregs]}
        place = _place(words, sizes, error.index)
        raise refusal(place.line, place.column, error) from None
    return circuit


def _parsed(text: str, words: Sequence[Token]) -> QuantumCircuit:
    """Return Qiskit's circuit.

    Gates of Qiskit's ``qelib1.inc`` that the OpenQASM paper's lacks are known too, unless the program defines them:
    Qiskit would ignore such a definition.
    """
    defined = {second.text for first, second in pairwise(words) if first.text in ("gate", "opaque")}
    is_included = any(first.text == "include" and second.text == _LIBRARY for first, second in pairwise(words))
    extra = [one for one in qasm2.LEGACY_CUSTOM_INSTRUCTIONS if one.builtin and one.name not in defined]
    try:
        return qasm2.loads(
            text,
            include_path=(),
            custom_instructions=extra if is_included else (),
            custom_classical=qasm2.LEGACY_CUSTOM_CLASSICAL,
        )
    except qasm2.QASM2ParseError as error:
        match = _POSITION.match(error.message)
        if match is None:
            raise refusal(words[-1].line, words[-1].column, error.message) from None
        raise refusal(int(match[1]), int(match[2]) + 1, match[3]) from None
    except Exception as error:  # the parser accepts some programs that cannot become circuits
        raise refusal(words[-1].line, words[-1].column, f"the program cannot be read: {error}") from None


def _check_registers(words: Sequence[Token]) -> None:
    """Refuse registers that do not fit into memory, before a circuit is built."""
    total = {"qreg": 0, "creg": 0}
    for number, word in enumerate(words[:-3]):
        size = words[number + 3].text
        if word.text in total and words[number + 2].text == "[" and size.isdecimal():
            allowed = MAX_QUBITS if word.text == "qreg" else _MAX_BITS
            total[word.text] += int(size) if len(size) < 10 else allowed + 1
            if total[word.text] > allowed:
                raise refusal(word.line, word.column, f"there may be at most {allowed} (qu)bits")


def _check_parameters(words: Sequence[Token]) -> None:
    """Refuse a gate with angles that is called without parentheses, which Qiskit's parser accepts."""
    counts = {one.name: one.num_params for one in qasm2.LEGACY_CUSTOM_INSTRUCTIONS} | {"U": 3}
    for before, word, after in zip(words, words[1:], words[2:], strict=False):
        if before.text in ("gate", "opaque"):
            counts[word.text] = int(after.text == "(")
        elif before.text in (";", "{", "}") and counts.get(word.text) and after.text != "(":
            raise refusal(word.line, word.column, f"gate {word.text!r} is given no angles")


def _place(words: Sequence[Token], sizes: Mapping[str, int], index: int) -> Token:
    """Return the beginning of the statement that an instruction of the circuit comes from."""
    reached = 0
    for statement in _statements(words):
        reached += _num_instructions([word.text for word in statement], sizes)
        if reached > index:
            return statement[0]
    return words[-1]


def _statements(words: Sequence[Token]) -> Iterator[list[Token]]:
    statement: list[Token] = []
    for word in words:
        statement.append(word)
        is_definition = statement[0].text == "gate"
        if word.text == ("}" if is_definition else ";"):
            yield statement
            statement = []


def _num_instructions(statement: Sequence[str], sizes: Mapping[str, int]) -> int:
    """Return the number of instructions of a valid statement: a gate on a whole register is one for every qubit."""
    if statement[0] in _NO_INSTRUCTIONS or len(statement) == 1:
        return 0
    if statement[0] == "barrier":
        return 1
    depth, whole = 0, [1]
    for word, following in pairwise(statement):
        depth += (word in "([") - (word in ")]")
        if depth == 0 and word in sizes and following != "[":
            whole.append(sizes[word])
    return max(whole)

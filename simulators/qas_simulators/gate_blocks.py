"""Circuits as blocks: consecutive gates on a pair of qubits, with one-qubit gates beside them, as 4 x 4 matrices."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qas_simulators.circuit import Circuit
from qas_simulators.gates import GATES, PAULI_MATRICES, ComplexMatrix
from qas_simulators.program import FloatArray

EXCHANGED: Final = [0, 2, 1, 3]
"""Order of the four settings of two qubits after an exchange of the qubits."""


class BlockGate(NamedTuple):
    """A gate of a block."""

    row: int  # of the gate table
    place: int  # 0 or 1: its qubit in the block; 2: both, in order; 3: both, exchanged
    param: int  # number of its rotation, or -1


class GateBlock(NamedTuple):
    """Consecutive gates on two qubits, ``low < high``."""

    low: int
    high: int
    gates: list[BlockGate]


def blocks_of(circuit: Circuit, in_pairs: bool = True) -> list[GateBlock]:
    """Return the gates of a circuit in blocks; every gate is in one.

    Args:
        circuit: At least two qubits.
        in_pairs: Whether two qubits that have only one-qubit gates may share a block, wherever they are; otherwise each
            of them shares one with a neighbour.
    """
    blocks: list[GateBlock] = []
    last: dict[int, GateBlock] = {}  # of each qubit
    waiting: dict[int, list[BlockGate]] = {}  # one-qubit gates before the first block of a qubit
    for row, qubit0, qubit1, param in circuit.table.tolist():
        if qubit1 < 0:
            if qubit0 in last:
                last[qubit0].gates.append(BlockGate(row, int(qubit0 == last[qubit0].high), param))
            else:
                waiting.setdefault(qubit0, []).append(BlockGate(row, 0, param))
            continue
        low, high = min(qubit0, qubit1), max(qubit0, qubit1)
        block = last.get(low)
        if block is None or block is not last.get(high):
            block = GateBlock(low, high, _placed(waiting, low, 0) + _placed(waiting, high, 1))
            blocks.append(block)
            last[low] = last[high] = block
        block.gates.append(BlockGate(row, 2 if qubit0 == low else 3, param))
    for low, high in _lonely_pairs(sorted(waiting), circuit.num_qubits, in_pairs):
        blocks.append(GateBlock(low, high, _placed(waiting, low, 0) + _placed(waiting, high, 1)))
    return [block for block in blocks if block.gates]


def _lonely_pairs(lonely: list[int], num_qubits: int, in_pairs: bool) -> list[tuple[int, int]]:
    """Return the pairs of qubits, lower one first, whose blocks take the gates of qubits without two-qubit gates."""
    if not in_pairs:
        return [(min(qubit, num_qubits - 2), min(qubit, num_qubits - 2) + 1) for qubit in lonely]
    if len(lonely) % 2:
        lonely = [*lonely, 0 if lonely[-1] else 1]  # its own gates, if any, are in an earlier block
    return [(min(pair), max(pair)) for pair in zip(lonely[::2], lonely[1::2], strict=True)]


def _placed(waiting: dict[int, list[BlockGate]], qubit: int, place: int) -> list[BlockGate]:
    return [gate._replace(place=place) for gate in waiting.pop(qubit, [])]


def _embedded(matrix: ComplexMatrix, place: int) -> ComplexMatrix:
    """Return the 4 x 4 matrix of a gate of a block."""
    if place == 0:
        return np.asarray(np.kron(np.eye(2), matrix), dtype=np.complex128)
    if place == 1:
        return np.asarray(np.kron(matrix, np.eye(2)), dtype=np.complex128)
    return matrix if place == 2 else matrix[EXCHANGED][:, EXCHANGED]


def parts_of(block: GateBlock, angles: FloatArray) -> list[ComplexMatrix]:
    """Return the matrices of the gates of a block, the first qubit being the least significant bit."""
    return [
        _embedded(GATES[gate.row].matrix(float(angles[gate.param]) if gate.param >= 0 else 0.0), gate.place)
        for gate in block.gates
    ]


def product_of(parts: list[ComplexMatrix]) -> ComplexMatrix:
    """Return the product of the matrices of gates, the last one leftmost."""
    whole = np.eye(4, dtype=np.complex128)
    for part in parts:
        whole = part @ whole
    return whole


def generator_of(gate: BlockGate) -> ComplexMatrix:
    """Return the Pauli string that a rotation turns about, as a matrix on the block."""
    letters = GATES[gate.row].axis or ""
    matrix = PAULI_MATRICES[letters[0]]
    for letter in letters[1:]:
        matrix = np.asarray(np.kron(PAULI_MATRICES[letter], matrix), dtype=np.complex128)
    return _embedded(matrix, gate.place)


class BlockMatrices:
    """The matrices of all blocks of a circuit as functions of the angles, all rotations at once.

    Phases of gates are left out: no energy depends on them.

    Args:
        blocks: Of :func:`blocks_of`.
    """

    def __init__(self, blocks: list[GateBlock]) -> None:
        gates = [gate for block in blocks for gate in block.gates]
        self._ends = np.cumsum([len(block.gates) for block in blocks]).tolist()
        self._params = np.array([gate.param for gate in gates], dtype=np.int64)
        self._turns = self._params >= 0
        self._fixed = np.zeros((len(gates), 4, 4), dtype=np.complex128)
        for k, gate in enumerate(gates):
            self._fixed[k] = generator_of(gate) if gate.param >= 0 else _embedded(GATES[gate.row].matrix(), gate.place)

    def parts(self, angles: FloatArray) -> list[NDArray[np.complex128]]:
        """Return the matrices of the gates of each block, ``(gates, 4, 4)``, at the angles of all rotations."""
        half = 0.5 * angles[self._params[self._turns]][:, None, None]
        matrices = self._fixed.copy()
        matrices[self._turns] = np.cos(half) * np.eye(4) - 1j * np.sin(half) * self._fixed[self._turns]
        return np.split(matrices, self._ends[:-1]) if self._ends else []

    def has_angles(self, number: int) -> bool:
        """Return whether a block has rotations."""
        first = self._ends[number - 1] if number else 0
        return bool(self._turns[first : self._ends[number]].any())

    def slopes(self, number: int, parts: NDArray[np.complex128], sums: NDArray[np.complex128]) -> dict[int, float]:
        """Return the derivatives of an energy by the angles of one block, by number of the rotation.

        Args:
            number: Of the block.
            parts: The matrices of its gates, ``(gates, 4, 4)``.
            sums: ``sums[i, j]`` is the sum of ``conj(bra_i) ket_j`` over all other qubits after the block, where the
                bra is the observable times the ket, ``(4, 4)``.
        """
        found, first = {}, self._ends[number] - len(parts)
        for k in range(len(parts) - 1, -1, -1):  # sums are moved to before each gate
            if self._turns[first + k]:
                found[int(self._params[first + k])] = float((self._fixed[first + k] * sums).sum().imag)
            sums = parts[k].T @ sums @ parts[k].conj()
        return found

"""Energies and gradients of statevectors of many qubits: few passes over memory, and no diagonals of the observable.

Consecutive gates on one pair of qubits become one 4 x 4 matrix, and so do one-qubit gates beside them. A pass over the
state applies such a block. Backwards, one pass gives the derivatives by all angles of a block (the adjoint method of
Jones and Gacon, arXiv:2009.02823, for blocks).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qas_simulators import kernels
from qas_simulators.circuit import Circuit
from qas_simulators.gates import GATES, PAULI_MATRICES, ComplexMatrix
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray, thread_pool

_BLOCK_BITS: Final = 10  # of the parts in which the observable is multiplied
_ORDER: Final = [0, 2, 1, 3]  # of the four settings of two qubits, exchanged
State = NDArray[Any]


class _Gate(NamedTuple):
    """A gate of a block."""

    row: int  # of the gate table
    place: int  # 0 or 1: its qubit in the block; 2: both, in order; 3: both, exchanged
    param: int  # number of its rotation, or -1


class _Block(NamedTuple):
    """Consecutive gates on two qubits, ``low < high``."""

    low: int
    high: int
    gates: list[_Gate]


class WideStrings(NamedTuple):
    """An observable as the kernels read it: its diagonal, and the other strings; see ``kernels.wide_states``."""

    diagonal: FloatArray
    flips: NDArray[np.int64]
    masks: NDArray[np.int64]
    factors: NDArray[Any]
    signs: FloatArray


class WideProgram:
    """The energy of one circuit as a function of the angles of its rotations.

    Args:
        circuit: At least two qubits.
        observable: On as many qubits.
        num_threads: Threads that share each pass.
        real: Whether to compute in real arithmetic; all gates and the observable must be real.
    """

    def __init__(self, circuit: Circuit, observable: PauliSum, num_threads: int = 1, real: bool = False) -> None:
        self._size, self._threads = circuit.num_qubits, num_threads
        self._dtype: type = np.float64 if real else np.complex128
        self._blocks = _blocks_of(circuit)
        self._num_rotations = circuit.num_rotations
        self._observable = observable
        self._psi: State = np.empty(1 << self._size, dtype=self._dtype)
        self._bra: State = np.empty(0, dtype=self._dtype)

    @cached_property
    def _strings(self) -> WideStrings:
        return wide_strings(self._observable, self._dtype is np.float64)

    def energy(self, angles: FloatArray) -> float:
        """Return the energy at the angles of all rotations, in radians."""
        self.state(angles)
        return self._multiplied()

    def state(self, angles: FloatArray) -> State:
        """Return the state ``(2**n,)``, which the next call overwrites."""
        self._psi[:] = 0.0
        self._psi[0] = 1.0
        for block in self._blocks:
            self._turn(block, self._cast(_product(_parts_of(block, angles))))
        return self._psi

    def energy_and_gradient(self, angles: FloatArray) -> tuple[float, FloatArray]:
        """Return the energy, and its derivatives by the angles of all rotations."""
        energy, gradient = self.energy(angles), np.zeros(self._num_rotations)
        wanted = [k for k, block in enumerate(self._blocks) if any(gate.param >= 0 for gate in block.gates)]
        first = min(wanted, default=len(self._blocks))
        for block in reversed(self._blocks[first:]):
            parts = _parts_of(block, angles)
            whole = _product(parts)
            sums = self._undone(block, self._cast(whole.conj().T))
            after = np.eye(4, dtype=np.complex128)
            for gate, part in zip(reversed(block.gates), reversed(parts), strict=True):
                if gate.param >= 0:
                    turned = after @ _generator(gate) @ after.conj().T
                    gradient[gate.param] += float((-1j * turned * sums).sum().real)
                after = after @ part
        return energy, gradient

    def _cast(self, matrix: ComplexMatrix) -> NDArray[Any]:
        return np.ascontiguousarray(matrix.real if self._dtype is np.float64 else matrix)

    def _turn(self, block: _Block, matrix: NDArray[Any]) -> None:
        self._shared(
            1 << self._size - 2 - block.low,
            lambda first, stop: kernels.wide_states.turn_pair(self._psi, *block[:2], matrix, first, stop),
        )

    def _undone(self, block: _Block, matrix: NDArray[Any]) -> NDArray[Any]:
        """Undo a block in state and bra; return the sums over the other qubits before it, ``(4, 4)``."""

        def part(first: int, stop: int) -> NDArray[Any]:
            sums: NDArray[Any] = np.zeros((4, 4), dtype=self._dtype)
            kernels.wide_states.undo_pair(self._psi, self._bra, *block[:2], matrix, sums, first, stop)
            return sums

        return np.asarray(sum(self._shared(1 << self._size - 2 - block.low, part)))

    def _multiplied(self) -> float:
        """Fill the bra; return the energy."""
        if self._bra.size == 0:
            self._bra = np.empty_like(self._psi)
        size = self._strings.signs.shape[1]
        arguments = self._psi, self._bra, *self._strings
        multiply = kernels.wide_states.multiply_strings
        parts = self._shared(len(self._psi) // size, lambda first, stop: multiply(*arguments, first, stop))
        return float(sum(parts))

    def _shared(self, count: int, part: Callable[[int, int], Any]) -> list[Any]:
        """Do the parts of ``range(count)`` by all threads."""
        threads = min(self._threads, count)
        if threads == 1:
            return [part(0, count)]
        ends = [count * k // threads for k in range(threads + 1)]
        others = [thread_pool(threads).submit(part, ends[k], ends[k + 1]) for k in range(1, threads)]
        return [part(0, ends[1]), *(other.result() for other in others)]


def _blocks_of(circuit: Circuit) -> list[_Block]:
    """Return the gates of a circuit in blocks; every gate is in one."""
    blocks: list[_Block] = []
    last: dict[int, _Block] = {}  # of each qubit
    waiting: dict[int, list[_Gate]] = {}  # one-qubit gates before the first block of a qubit
    for row, qubit0, qubit1, param in circuit.table.tolist():
        if qubit1 < 0:
            if qubit0 in last:
                last[qubit0].gates.append(_Gate(row, int(qubit0 == last[qubit0].high), param))
            else:
                waiting.setdefault(qubit0, []).append(_Gate(row, 0, param))
            continue
        low, high = min(qubit0, qubit1), max(qubit0, qubit1)
        block = last.get(low)
        if block is None or block is not last.get(high):
            block = _Block(low, high, _placed(waiting, low, 0) + _placed(waiting, high, 1))
            blocks.append(block)
            last[low] = last[high] = block
        block.gates.append(_Gate(row, 2 if qubit0 == low else 3, param))
    lonely = sorted(waiting)
    if len(lonely) % 2:
        lonely.append(0 if lonely[-1] else 1)  # its own gates, if any, are in an earlier block
    for pair in zip(lonely[::2], lonely[1::2], strict=True):
        low, high = sorted(pair)
        blocks.append(_Block(low, high, _placed(waiting, low, 0) + _placed(waiting, high, 1)))
    return blocks


def _placed(waiting: dict[int, list[_Gate]], qubit: int, place: int) -> list[_Gate]:
    return [gate._replace(place=place) for gate in waiting.pop(qubit, [])]


def _embedded(matrix: ComplexMatrix, place: int) -> ComplexMatrix:
    """Return the 4 x 4 matrix of a gate of a block."""
    if place == 0:
        return np.asarray(np.kron(np.eye(2), matrix), dtype=np.complex128)
    if place == 1:
        return np.asarray(np.kron(matrix, np.eye(2)), dtype=np.complex128)
    return matrix if place == 2 else matrix[_ORDER][:, _ORDER]


def _parts_of(block: _Block, angles: FloatArray) -> list[ComplexMatrix]:
    return [
        _embedded(GATES[gate.row].matrix(float(angles[gate.param]) if gate.param >= 0 else 0.0), gate.place)
        for gate in block.gates
    ]


def _product(parts: list[ComplexMatrix]) -> ComplexMatrix:
    whole = np.eye(4, dtype=np.complex128)
    for part in parts:
        whole = part @ whole
    return whole


def _generator(gate: _Gate) -> ComplexMatrix:
    """Return the Pauli string that a rotation turns about, as a matrix on the block."""
    letters = GATES[gate.row].axis or ""
    matrix = PAULI_MATRICES[letters[0]]
    for letter in letters[1:]:
        matrix = np.asarray(np.kron(PAULI_MATRICES[letter], matrix), dtype=np.complex128)
    return _embedded(matrix, gate.place)


def wide_strings(observable: PauliSum, real: bool) -> WideStrings:
    """Return an observable as the kernels read it: ``8 * 2**n`` bytes, and ``8 * 2**10`` for each other string."""
    size = 1 << observable.num_qubits
    is_diagonal = observable.x == 0
    diagonal = np.zeros(size)
    diagonal[observable.z[is_diagonal]] = observable.coefficients[is_diagonal]
    for qubit in range(observable.num_qubits):  # Walsh-Hadamard transform
        halves = diagonal.reshape(-1, 2, 1 << qubit)
        low = halves[:, 0] + halves[:, 1]
        halves[:, 1] = halves[:, 0] - halves[:, 1]
        halves[:, 0] = low
    x, z = observable.x[~is_diagonal], observable.z[~is_diagonal]
    factors = observable.coefficients[~is_diagonal] * 1j ** (np.bitwise_count(x & z) % 4)
    inner = np.arange(min(size, 1 << _BLOCK_BITS))
    signs = 1.0 - 2.0 * (np.bitwise_count(z[:, None] & (inner ^ (x[:, None] & (len(inner) - 1)))) & 1)
    return WideStrings(diagonal, x, z, factors.real if real else factors, signs.reshape(len(x), len(inner)))

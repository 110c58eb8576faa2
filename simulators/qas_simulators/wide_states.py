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
from qas_simulators.gate_blocks import GateBlock, blocks_of, generator_of, parts_of, product_of
from qas_simulators.gates import ComplexMatrix
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray, thread_pool

_BLOCK_BITS: Final = 10  # of the parts in which the observable is multiplied
State = NDArray[Any]


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
        self._blocks = blocks_of(circuit)
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
            self._turn(block, self._cast(product_of(parts_of(block, angles))))
        return self._psi

    def energy_and_gradient(self, angles: FloatArray) -> tuple[float, FloatArray]:
        """Return the energy, and its derivatives by the angles of all rotations."""
        energy, gradient = self.energy(angles), np.zeros(self._num_rotations)
        wanted = [k for k, block in enumerate(self._blocks) if any(gate.param >= 0 for gate in block.gates)]
        first = min(wanted, default=len(self._blocks))
        for block in reversed(self._blocks[first:]):
            parts = parts_of(block, angles)
            whole = product_of(parts)
            sums = self._undone(block, self._cast(whole.conj().T))
            after = np.eye(4, dtype=np.complex128)
            for gate, part in zip(reversed(block.gates), reversed(parts), strict=True):
                if gate.param >= 0:
                    turned = after @ generator_of(gate) @ after.conj().T
                    gradient[gate.param] += float((-1j * turned * sums).sum().real)
                after = after @ part
        return energy, gradient

    def _cast(self, matrix: ComplexMatrix) -> NDArray[Any]:
        return np.ascontiguousarray(matrix.real if self._dtype is np.float64 else matrix)

    def _turn(self, block: GateBlock, matrix: NDArray[Any]) -> None:
        self._shared(
            1 << self._size - 2 - block.low,
            lambda first, stop: kernels.wide_states.turn_pair(self._psi, *block[:2], matrix, first, stop),
        )

    def _undone(self, block: GateBlock, matrix: NDArray[Any]) -> NDArray[Any]:
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

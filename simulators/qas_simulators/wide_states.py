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
from qas_simulators.gate_blocks import BlockMatrices, GateBlock, blocks_of
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray, thread_pool

_BLOCK_BITS: Final = 10  # of the parts in which the observable is multiplied
_DTYPES: Final[dict[tuple[bool, bool], type]] = {
    (False, False): np.complex128,
    (False, True): np.complex64,
    (True, False): np.float64,
    (True, True): np.float32,
}
"""Of amplitudes, by whether they are real, and whether they have single precision."""
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

    The state before the first block that a change of angles concerned is kept: scans of late angles start there.

    Args:
        circuit: At least two qubits.
        observable: On as many qubits.
        num_threads: Threads that share each pass.
        real: Whether to compute in real arithmetic; all gates and the observable must be real.
        is_single: Whether amplitudes have 32 bits instead of 64.
    """

    def __init__(
        self, circuit: Circuit, observable: PauliSum, num_threads: int = 1, real: bool = False, is_single: bool = False
    ) -> None:
        self._size, self._threads = circuit.num_qubits, num_threads
        self._is_real, self._dtype = real, _DTYPES[real, is_single]
        self._blocks = blocks_of(circuit)
        self._matrices = BlockMatrices(self._blocks)
        self._num_rotations = circuit.num_rotations
        self._observable = observable
        self._psi: State = np.empty(1 << self._size, dtype=self._dtype)
        self._bra: State = np.empty(0, dtype=self._dtype)
        self._parts: list[NDArray[np.complex128]] = []
        self._products: State = np.full(
            (len(self._blocks), 4, 4), np.nan, dtype=self._dtype
        )  # that ``psi`` was made by
        self._kept: State = np.empty(0, dtype=self._dtype)
        self._kept_blocks = 0  # that ``kept`` was made by
        self._energy, self._is_whole = np.nan, False  # of ``psi``

    @cached_property
    def _strings(self) -> WideStrings:
        strings = wide_strings(self._observable, self._is_real)
        real = self._psi.real.dtype
        factors: State = strings.factors.astype(self._dtype)
        return WideStrings(
            strings.diagonal.astype(real, copy=False), *strings[1:3], factors, strings.signs.astype(real, copy=False)
        )

    def energy(self, angles: FloatArray) -> float:
        """Return the energy at the angles of all rotations, in radians."""
        self.state(angles)
        if np.isnan(self._energy):
            self._energy = self._multiplied()
        return self._energy

    def state(self, angles: FloatArray) -> State:
        """Return the state ``(2**n,)``, which the next call overwrites."""
        self._parts = self._matrices.parts(angles)
        products: State = np.array([self._product(parts) for parts in self._parts], dtype=self._dtype).reshape(-1, 4, 4)
        changed = np.flatnonzero((products != self._products).any(axis=(1, 2)))
        if len(self._blocks) and not len(changed) and self._is_whole:
            return self._psi
        first = int(changed[0]) if len(changed) and self._is_whole else 0
        self._is_whole = False  # until the end, so that an interrupted call leaves nothing that passes for a state
        self._kept_blocks = self._kept_blocks if self._kept_blocks <= first else 0
        self._products, self._energy = products, np.nan
        self._psi[:] = 0.0
        self._psi[0] = 1.0
        if self._kept_blocks:
            self._psi[:] = self._kept
        self._advance(self._kept_blocks, first)
        if first > self._kept_blocks:
            self._kept, self._kept_blocks = self._psi.copy(), first
        self._advance(first, len(self._blocks))
        self._is_whole = True
        return self._psi

    def _advance(self, first: int, stop: int) -> None:
        for block, matrix in zip(self._blocks[first:stop], self._products[first:stop], strict=True):
            self._turn(block, matrix)

    def energy_and_gradient(self, angles: FloatArray) -> tuple[float, FloatArray]:
        """Return the energy, and its derivatives by the angles of all rotations."""
        self.state(angles)
        energy, gradient = self._multiplied(), np.zeros(self._num_rotations)
        wanted = [k for k in range(len(self._blocks)) if self._matrices.has_angles(k)]
        for k in range(len(self._blocks) - 1, min(wanted, default=len(self._blocks)) - 1, -1):
            sums = self._undone(self._blocks[k], np.ascontiguousarray(self._products[k].conj().T))
            for param, slope in self._matrices.slopes(k, self._parts[k], sums).items():
                gradient[param] = slope
        self._products[:] = np.nan
        self._energy, self._kept_blocks = np.nan, 0
        return energy, gradient

    def _product(self, parts: NDArray[np.complex128]) -> NDArray[Any]:
        whole = parts[0]
        for part in parts[1:]:
            whole = part @ whole
        return np.asarray(whole.real if self._is_real else whole)

    @property
    def _num_tiles(self) -> int:
        return max(1, len(self._psi) >> 2 + int(kernels.wide_states.TILE_BITS))

    def _turn(self, block: GateBlock, matrix: NDArray[Any]) -> None:
        self._shared(
            self._num_tiles,
            lambda first, stop: kernels.wide_states.turn_pair(self._psi, *block[:2], matrix, first, stop),
        )

    def _undone(self, block: GateBlock, matrix: NDArray[Any]) -> NDArray[Any]:
        """Undo a block in state and bra; return the sums over the other qubits after it, ``(4, 4)``."""

        def part(first: int, stop: int) -> NDArray[Any]:
            sums: NDArray[Any] = np.zeros((4, 4), dtype=_DTYPES[self._is_real, False])
            kernels.wide_states.undo_pair(self._psi, self._bra, *block[:2], matrix, sums, first, stop)
            return sums

        return np.asarray(sum(self._shared(self._num_tiles, part)))

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

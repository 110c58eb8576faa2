"""KeptStates: statevectors of circuits that grow, so that an energy costs the new gates only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qas_simulators import kernels
from qas_simulators.program import FloatArray, KernelProgram, beside, is_statevector

_MOST_ENTRIES = 2**22
"""Amplitudes that are kept at most, 64 MiB."""


class KeptStates:
    """The statevectors of many circuits, each with the gates and angles that prepared it.

    A circuit that begins with these gates and angles is continued from its statevector. Any other is simulated from the
    start, so that circuits may be changed in any way. Energies are those of whole circuits, bit for bit: the same gates
    act in the same order.

    Args:
        size: Number of circuits.
        capacity: Most gates of a circuit.
        num_qubits: Size of the register.
    """

    def __init__(self, size: int, capacity: int, num_qubits: int) -> None:
        self._shape = size, capacity, 1 << num_qubits
        self._arrays: tuple[NDArray[Any], ...] | None = None

    def serves(self, program: KernelProgram) -> bool:
        """Return whether the statevectors fit into memory, and a program works on them without a preparation."""
        size, _, amplitudes = self._shape
        works = is_statevector(program) and program.device == "cpu" and program.num_prepared == 0
        return works and size * amplitudes <= _MOST_ENTRIES

    def energies(
        self,
        program: KernelProgram,
        angles: FloatArray,
        rows: NDArray[np.int64],
        sizes: NDArray[np.int64],
        num_threads: int,
    ) -> FloatArray:
        """Return the energies of circuits, ``(rows,)``, and keep their statevectors.

        Args:
            program: Of all circuits.
            angles: In radians, ``(circuits, capacity)``.
            rows: The circuits.
            sizes: Their numbers of gates and of angles, ``(rows, 2)``.
            num_threads: Threads that share the circuits.
        """
        if self._arrays is None:
            size, capacity, amplitudes = self._shape
            tables, states = np.empty((size, capacity, 4), dtype=np.int32), np.empty((size, amplitudes), dtype=complex)
            self._arrays = states, tables, np.empty((size, capacity)), np.zeros((size, 2), dtype=np.int64)
        energies, cursor = np.empty(len(rows)), np.zeros(1, dtype=np.int64)
        arguments = program.tables, *program.constants, self._arrays, cursor, rows, angles, sizes, energies
        beside(lambda: kernels.growing.continue_statevectors(*arguments), num_threads)
        return energies

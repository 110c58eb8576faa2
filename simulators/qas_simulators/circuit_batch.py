"""CircuitBatch: circuits side by side in memory, so that one call of a kernel serves them all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qas_simulators.circuit import Circuit, Table
from qas_simulators.errors import must


class CircuitBatch:
    """Circuits of one register, whose gates and angles are rows of common arrays from now on.

    Args:
        circuits: They go on as before, but their memory is ours.
        capacity: Gates that each of them may have; one that grows further leaves the batch without a word.

    Attributes:
        circuits: The circuits.
        tables: Their tables, ``(circuits, capacity, 4)``; only the first ``num_gates`` rows of each mean anything.
        angles: Their angles in radians, ``(circuits, capacity)``.

    Raises:
        ValueError: No circuits, registers that differ, or a circuit that is larger already.

    Examples:
        >>> batch = CircuitBatch([Circuit(2), Circuit(2)], capacity=3)
        >>> _ = batch.circuits[1].ry(0.5, 0).cx(0, 1)
        >>> batch.angles[1, 0].item(), batch.counts([1], [1]).tolist()
        (0.5, [[2, 1, 0, 1]])
    """

    def __init__(self, circuits: Sequence[Circuit], capacity: int) -> None:
        if len({circuit.num_qubits for circuit in circuits}) != 1:
            raise ValueError(must("circuits", "be circuits on the same number of qubits", list(circuits)))
        if capacity < max(circuit.num_gates for circuit in circuits):
            raise ValueError(must("capacity", "hold the circuits as they are", capacity))
        self.circuits = list(circuits)
        self.num_qubits = circuits[0].num_qubits
        self.tables = np.full((len(circuits), capacity, 4), (0, 0, -1, -1), dtype=np.int32)
        self.angles = np.zeros((len(circuits), capacity))
        for circuit, table, angles in zip(circuits, self.tables, self.angles, strict=True):
            circuit._move_to(table, angles)

    def __len__(self) -> int:
        return len(self.circuits)

    def rows(self) -> Table:
        """Return the rows of all circuits' gates, ``(gates, 4)``."""
        return np.concatenate([circuit.table for circuit in self.circuits])

    def counts(self, rows: Sequence[int], num_new: Sequence[int]) -> NDArray[np.int64]:
        """Return what kernels ask of circuits ``rows``, ``(rows, 4)``.

        Columns: gates, angles, the first angle to scan if the last ``num_new`` are new, rows of angles (1).
        """
        counts = []
        for row, new in zip(rows, num_new, strict=True):
            circuit = self.circuits[row]
            counts.append((circuit.num_gates, circuit.num_params, first_new(circuit, new), 1))
        return np.array(counts, dtype=np.int64).reshape(-1, 4)


def first_new(circuit: Circuit, num_new: int) -> int:
    """Return the index of the first of the last ``num_new`` angles.

    Raises:
        ValueError: The circuit has not so many.
    """
    if not 0 <= num_new <= circuit.num_params:
        raise ValueError(must("num_new", f"lie in 0..{circuit.num_params}", num_new))
    return circuit.num_params - num_new

"""CircuitBatch: circuits side by side in memory, so that one call of a kernel serves them all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qas_simulators.circuit import Circuit
from qas_simulators.errors import must
from qas_simulators.flat_circuit import Table


class CircuitBatch:
    """Circuits on one register, whose gates and angles are rows of common arrays.

    Args:
        circuits: They can be used as before; their memory is that of the batch.
        capacity: Most gates of a circuit. A circuit that grows further silently leaves the batch.

    Attributes:
        circuits: The circuits.
        tables: Their tables, ``(circuits, capacity, 4)``; only the first ``num_gates`` rows of each are in use.
        angles: Their angles in radians, ``(circuits, capacity)``.

    Raises:
        ValueError: No circuits, registers that differ, or a circuit with more gates than ``capacity``.

    Examples:
        >>> batch = CircuitBatch([Circuit(2), Circuit(2)], capacity=3)
        >>> _ = batch.circuits[1].ry(0.5, 0).cx(0, 1)
        >>> batch.angles[1, 0].item(), batch.sizes([1], [1]).tolist()
        (0.5, [[2, 1, 0, 1]])
    """

    def __init__(self, circuits: Sequence[Circuit], capacity: int) -> None:
        if len({circuit.num_qubits for circuit in circuits}) != 1:
            raise ValueError(must("circuits", "be circuits on the same number of qubits", list(circuits)))
        if capacity < max(circuit.num_gates for circuit in circuits):
            raise ValueError(must("capacity", "be at least the largest circuit's number of gates", capacity))
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

    def sizes(self, rows: Sequence[int], num_new: Sequence[int]) -> NDArray[np.int64]:
        """Return the sizes of circuits ``rows`` as kernels read them, ``(rows, 4)``.

        Columns: gates, angles, the first of the last ``num_new`` angles, rows of angles (1).
        """
        sizes = []
        for row, new in zip(rows, num_new, strict=True):
            circuit = self.circuits[row]
            sizes.append((circuit.num_gates, circuit.num_params, first_new(circuit, new), 1))
        return np.array(sizes, dtype=np.int64).reshape(-1, 4)


def first_new(circuit: Circuit, num_new: int) -> int:
    """Return the index of the first of the last ``num_new`` angles.

    Raises:
        ValueError: The circuit has fewer.
    """
    if not 0 <= num_new <= circuit.num_params:
        raise ValueError(must("num_new", f"lie in 0..{circuit.num_params}", num_new))
    return circuit.num_params - num_new

"""CircuitBatch: circuits side by side in memory, so that one call of a kernel serves them all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qas_simulators.circuit import Circuit
from qas_simulators.errors import must
from qas_simulators.flat_circuit import Table

Numbers = Sequence[int] | NDArray[np.int64]


class CircuitTables(ABC):
    """Circuits on one register as optimisers of many circuits read them.

    Attributes:
        num_qubits: Size of the register.
        tables: Gates of each circuit, ``(circuits, capacity, 4)``; only the first rows of each are in use.
        angles: In radians, ``(circuits, capacity)``.
    """

    num_qubits: int
    tables: Table
    angles: NDArray[np.float64]

    @property
    @abstractmethod
    def circuits(self) -> Sequence[Circuit]:
        """The circuits as objects on the same memory."""

    @property
    @abstractmethod
    def is_linked(self) -> bool:
        """Whether some circuit has linked angles."""

    @abstractmethod
    def rows(self) -> Table:
        """Return the rows of all circuits' gates, ``(gates, 4)``."""

    @abstractmethod
    def sizes_of(self, rows: Numbers) -> NDArray[np.int64]:
        """Return the numbers of gates and of angles of circuits, ``(rows, 2)``."""

    def sizes(self, rows: Numbers, num_new: Numbers) -> NDArray[np.int64]:
        """Return the sizes of circuits ``rows`` as kernels read them, ``(rows, 4)``.

        Columns: gates, angles, the first of the last ``num_new`` angles, rows of angles (1).

        Raises:
            ValueError: A circuit has fewer angles.
        """
        own = self.sizes_of(rows)
        sizes = np.ones((len(own), 4), dtype=np.int64)
        sizes[:, :2] = own
        new = np.asarray(num_new, dtype=np.int64)
        sizes[:, 2] = own[:, 1] - new
        if ((new < 0) | (sizes[:, 2] < 0)).any():
            raise ValueError(must("num_new", "lie between 0 and the number of angles", new.tolist()))
        return sizes


class CircuitBatch(CircuitTables):
    """Circuits on one register, whose gates and angles are rows of common arrays.

    Args:
        circuits: They can be used as before; their memory is that of the batch.
        capacity: Most gates of a circuit. A circuit that grows further silently leaves the batch.

    Attributes:
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
        self._circuits = list(circuits)
        self.num_qubits = circuits[0].num_qubits
        self.tables = np.full((len(circuits), capacity, 4), (0, 0, -1, -1), dtype=np.int32)
        self.angles = np.zeros((len(circuits), capacity))
        for circuit, table, angles in zip(circuits, self.tables, self.angles, strict=True):
            circuit._move_to(table, angles)

    def __len__(self) -> int:
        return len(self._circuits)

    @property
    def circuits(self) -> Sequence[Circuit]:
        """The circuits."""
        return self._circuits

    @property
    def is_linked(self) -> bool:
        """See :class:`CircuitTables`."""
        return any(circuit.is_linked for circuit in self._circuits)

    def rows(self) -> Table:
        """See :class:`CircuitTables`."""
        return np.concatenate([circuit.table for circuit in self._circuits])

    def sizes_of(self, rows: Numbers) -> NDArray[np.int64]:
        """See :class:`CircuitTables`."""
        chosen = [self._circuits[row] for row in rows]
        return np.array([(one.num_gates, one.num_params) for one in chosen], dtype=np.int64).reshape(-1, 2)


def first_new(circuit: Circuit, num_new: int) -> int:
    """Return the index of the first of the last ``num_new`` angles.

    Raises:
        ValueError: The circuit has fewer.
    """
    if not 0 <= num_new <= circuit.num_params:
        raise ValueError(must("num_new", f"lie in 0..{circuit.num_params}", num_new))
    return circuit.num_params - num_new

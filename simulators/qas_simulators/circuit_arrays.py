"""CircuitArrays: many circuits that grow together, as arrays without an object for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qas_simulators import kernels
from qas_simulators.arrays import NUMPY, Array, ArrayLibrary
from qas_simulators.circuit import Circuit
from qas_simulators.circuit_batch import CircuitTables, Numbers
from qas_simulators.errors import must
from qas_simulators.flat_circuit import IS_PAIR, IS_ROTATION, Table
from qas_simulators.kept_states import KeptStates

if TYPE_CHECKING:
    from qas_simulators.program import FloatArray, KernelProgram, Settings

GATES, PARAMS, PAIRS = range(3)
"""Columns of :attr:`CircuitArrays.counts`."""
_CHANGING: Final = ("tables", "angles", "counts", "depth", "moments")


class CircuitArrays(CircuitTables):
    """Circuits that begin alike and are extended by gates of one list. Every rotation has an angle of its own.

    Args:
        initial: The circuit that all begin with.
        size: Number of circuits.
        capacity: Most gates of a circuit.
        operations: The gates that can be appended, rows of a circuit's table ``(operations, 4)``.
        library: Of the arrays.

    Attributes:
        tables: Gates, ``(size, capacity, 4)``.
        angles: In radians, ``(size, capacity)``.
        counts: Gates, angles and two-qubit gates of each circuit, ``(size, 3)``.
        depth: Moments of each circuit, ``(size,)``.
        moments: Moments in which each qubit is used last, ``(size, num_qubits)``.

    Raises:
        ValueError: Linked angles, or an initial circuit with more gates than ``capacity``.

    Examples:
        >>> circuits = CircuitArrays(Circuit(2).h(0), 3, 4, Circuit(2).cx(0, 1).ry(0.0, 1).table)
        >>> circuits.append(np.array([0, 2]), np.array([0, 1]))
        >>> circuits.counts.tolist(), circuits.circuit(2).count_ops()
        ([[2, 0, 1], [1, 0, 0], [2, 1, 0]], {'h': 1, 'ry': 1})
    """

    is_linked = False

    def __init__(
        self, initial: Circuit, size: int, capacity: int, operations: Table, library: ArrayLibrary = NUMPY
    ) -> None:
        if initial.is_linked:
            raise ValueError(must("initial", "have no linked angles", initial))
        if capacity < initial.num_gates:
            raise ValueError(must("capacity", f"be at least {initial.num_gates}", capacity))
        self.num_qubits = initial.num_qubits
        self.library = library
        entries = np.array(operations, dtype=np.int32).reshape(-1, 4)
        rotates = np.array(IS_ROTATION)[entries[:, 0]]
        is_pair = np.array(IS_PAIR)[entries[:, 0]]
        entries[:, 3] = np.where(rotates, 0, -1)
        second = np.where(is_pair, entries[:, 2], entries[:, 1])
        self._entries = library.constant(entries)
        # twice the same qubit for a one-qubit gate
        self._ends = library.constant(np.stack([entries[:, 1], second], axis=1).astype(np.int64))
        self._increments = library.constant(np.stack([np.ones_like(rotates), rotates, is_pair], axis=1).astype("int64"))
        self._rotates = library.constant(rotates.astype(np.int32))
        start = np.full((size, capacity, 4), (0, 0, -1, -1), dtype=np.int32)
        start[:, : initial.num_gates] = initial.table
        self.tables = library.constant(start)
        self.angles = library.zeros((size, capacity), "float64")
        self.counts = library.zeros((size, 3), "int64")
        self.depth = library.zeros(size, "int64")
        self.moments = library.zeros((size, initial.num_qubits), "int64")
        self._kept = KeptStates(size, capacity, initial.num_qubits)
        self._solver: tuple[Any, Any, Any] | None = None  # on a GPU: gates, observable, memory of their kernels
        self._first_angles = library.constant(initial.params)
        first = initial.num_gates, initial.num_params, initial.num_two_qubit_gates
        self._first_counts = library.constant(np.array(first, dtype=np.int64))
        self._first_moments = library.constant(np.array(initial._moments, dtype=np.int64))
        self._first_depth = initial.depth()
        self.reset(library.arange(size))

    def reset(self, rows: Array) -> None:
        """Let circuits be the initial one again."""
        self.angles[rows, : len(self._first_angles)] = self._first_angles
        self.counts[rows] = self._first_counts
        self.depth[rows] = self._first_depth
        self.moments[rows] = self._first_moments

    def append(self, rows: Array, operations: Array) -> None:
        """Append one operation, by number, to each of some circuits, angles 0; no circuit may occur twice."""
        if self.library is NUMPY:
            arrays = self.tables, self.angles, self.counts, self.depth, self.moments
            kernels.growing.append_gates(*arrays, self._entries, self._ends, self._increments, rows, operations)
            return
        counts = self.counts[rows]
        entries = self._entries[operations]
        entries[:, 3] += self._rotates[operations] * self.library.cast(counts[:, PARAMS], "int32")
        self.tables[rows, counts[:, GATES]] = entries
        self.angles[rows, counts[:, PARAMS]] = 0.0  # without a rotation: of the next one
        self.counts[rows] = counts + self._increments[operations]
        moment = self.library.advance(self.moments, rows, self._ends[operations]) + 1
        self.depth[rows] = self.library.maximum(self.depth[rows], moment)

    def taken(self, rows: Array) -> dict[str, Array]:
        """Return copies of some rows of all arrays, by name."""
        return {name: getattr(self, name)[rows] for name in _CHANGING}

    def put(self, rows: Array, arrays: dict[str, Array]) -> None:
        """Replace some rows of all arrays by those that :meth:`taken` returned."""
        for name, values in arrays.items():
            getattr(self, name)[rows] = values

    def copy(self) -> CircuitArrays:
        """Return an independent copy."""
        twin = self._with({name: self.library.copy(getattr(self, name)) for name in _CHANGING}, self.library)
        twin._kept = KeptStates(len(self), self.tables.shape[1], self.num_qubits)
        return twin

    def _with(self, arrays: dict[str, Array], library: ArrayLibrary) -> CircuitArrays:
        twin = object.__new__(CircuitArrays)
        twin.__dict__.update(self.__dict__, **arrays, library=library, _solver=None)
        return twin

    def on_host(self) -> CircuitArrays:
        """Return the same circuits in arrays of NumPy; on the CPU they share memory."""
        if self.library is NUMPY:
            return self
        return self._with({name: self.library.host(getattr(self, name)) for name in _CHANGING}, NUMPY)

    def circuit(self, row: int) -> Circuit:
        """Return an independent circuit that is equal to one of these."""
        return self.on_host()._view(row).copy()

    def copies(self, rows: Array) -> list[Circuit]:
        """Return independent circuits that are equal to some of these; only their rows are moved from a device."""
        host = self._with({name: self.library.host(values) for name, values in self.taken(rows).items()}, NUMPY)
        return [host._view(place).copy() for place in range(len(rows))]

    def _view(self, row: int) -> Circuit:
        """Return a circuit on the memory of one of these."""
        circuit = Circuit(self.num_qubits)
        circuit._place(self.tables[row], self.angles[row], self.counts[row].tolist(), self.moments[row].tolist())
        return circuit

    # -- as optimisers and simulators read it --------------------------------------------------------------------------

    @property
    def circuits(self) -> Sequence[Circuit]:
        """Every circuit as an object on the same memory; made when it is read."""
        return _Views(self.on_host())

    def __len__(self) -> int:
        return len(self.counts)

    def sizes_of(self, rows: Numbers) -> Any:
        """See :class:`CircuitTables`; an array of :attr:`library`."""
        return self.counts[np.asarray(rows, dtype=np.int64) if self.library is NUMPY else rows, :PAIRS]

    def solved(
        self, program: KernelProgram, rows: Array, num_new: Array, settings: Settings | None
    ) -> tuple[Array, Array]:
        """Do what :func:`qas_simulators.program.solve_each` does, on the GPU that holds the arrays.

        Args:
            program: Of these circuits, on a GPU.
            rows: The circuits to work on.
            num_new: How many of the angles of each, the last ones, are scanned.
            settings: Of the minimisation; ``None`` for energies alone.

        Returns:
            Energies ``(rows,)``; evaluations and gradients ``(rows, 2)``.
        """
        from qas_simulators.cuda.batch import TensorBatch

        gates, observable = program.constants[0], program.constants[-1]
        if self._solver is None or self._solver[0] is not gates or self._solver[1] is not observable:
            self._solver = gates, observable, TensorBatch(program.constants, self.tables, self.angles)
        sizes = self.library.zeros((len(rows), 4), "int64") + 1
        sizes[:, :PAIRS] = self.sizes_of(rows)
        sizes[:, 2] = sizes[:, 1] - (0 if settings is None else num_new)
        energies = self.library.zeros(len(self), "float64")
        counts = self.library.zeros((len(rows), 2), "int64")
        self._solver[2].solve(energies, rows, sizes, counts, settings)
        return energies[rows], counts

    def energies(self, program: KernelProgram, rows: Numbers, num_threads: int = 1) -> FloatArray | None:
        """Return energies of circuits on the CPU, ``(rows,)``; only gates since the last time are simulated.

        Returns ``None`` where statevectors cannot be kept.
        """
        if self.library is not NUMPY or not self._kept.serves(program):
            return None
        chosen = np.asarray(rows, dtype=np.int64)
        return self._kept.energies(program, self.angles, chosen, self.counts.take(chosen, axis=0), num_threads)

    def rows(self) -> Table:
        """See :class:`CircuitTables`."""
        counts, tables = self.library.host(self.counts), self.library.host(self.tables)
        return tables[np.arange(tables.shape[1]) < counts[:, GATES, None]]


class _Views(Sequence[Circuit]):
    """Circuits of arrays, made one by one when they are read."""

    def __init__(self, arrays: CircuitArrays) -> None:
        self._arrays = arrays

    def __len__(self) -> int:
        return len(self._arrays)

    def __getitem__(self, row):  # type: ignore[no-untyped-def]
        if isinstance(row, slice):
            return [self[k] for k in range(*row.indices(len(self)))]
        if not -len(self) <= row < len(self):
            raise IndexError(row)
        return self._arrays._view(int(row))

"""Loops over circuits that grow together: their gates, and statevectors that are continued by the new gates alone."""

from __future__ import annotations

import numpy as np

from qas_simulators.kernels.amplitudes import _multiply_observable, _prepare_zero, _real_overlap, _walk
from qas_simulators.kernels.compile import inner, kernel
from qas_simulators.kernels.passes import claim
from qas_simulators.kernels.trigonometry import cosines_and_sines

CLAIMED = 8  # circuits that a thread claims at a time; an energy on four qubits takes less than a microsecond


@inner
def _begins_with(table, angles, kept_table, kept_angles, num_gates, num_angles):
    """Return whether a circuit begins with the kept gates and angles."""
    is_same = True
    for gate in range(num_gates):
        for column in range(4):
            is_same &= table[gate, column] == kept_table[gate, column]
    for angle in range(num_angles):
        is_same &= angles[angle] == kept_angles[angle]
    return is_same


@kernel
def continue_statevectors(tables, kinds, matrices, flips, diagonals, kept, cursor, rows, angles, sizes, energies):
    """Compute energies of circuits; gates and angles that the kept statevector has seen are not simulated again.

    Args:
        tables: Gates, ``(circuits, num_gates or more, 4)``; rotations have the angles 0, 1, ... in order.
        kinds: As in :class:`StatevectorProgram`; so are ``matrices``, ``flips`` and ``diagonals``.
        matrices: See there.
        flips: See there.
        diagonals: See there.
        kept: Statevectors ``(circuits, 2**n)``, the gates and the angles that prepared them, shaped like ``tables`` and
            ``angles``, and their numbers ``(circuits, 2)``; 0 gates for none. All are brought up to date.
        cursor: ``(1,)``, 0 at first. Threads that share it, and all else, divide the circuits.
        rows: The circuits to do.
        angles: In radians, ``(circuits, num_angles or more)``.
        sizes: Numbers of gates and of angles of the circuits to do, ``(len(rows), 2)``.
        energies: Output ``(len(rows),)``.
    """
    states, kept_tables, kept_angles, kept_sizes = kept
    product, rotations = np.empty(states.shape[1], dtype=np.complex128), np.empty((angles.shape[1], 2))
    begin = CLAIMED * claim(cursor)
    while begin < rows.size:
        for k in range(begin, min(begin + CLAIMED, rows.size)):
            row, num_gates, num_angles = rows[k], sizes[k, 0], sizes[k, 1]
            table, own, psi = tables[row], angles[row], states[row]
            gate, angle = kept_sizes[row, 0], kept_sizes[row, 1]
            is_longer = 0 < gate <= num_gates and angle <= num_angles
            if not is_longer or not _begins_with(table, own, kept_tables[row], kept_angles[row], gate, angle):
                gate, angle = np.int64(0), np.int64(0)
                _prepare_zero(psi)
            cosines_and_sines(own[angle:num_angles], 0.5, rotations[angle:num_angles])
            _walk(psi, table, kinds, matrices, rotations, gate, num_gates, False, own)
            for new in range(gate, num_gates):
                for column in range(4):
                    kept_tables[row, new, column] = table[new, column]
            for new in range(angle, num_angles):
                kept_angles[row, new] = own[new]
            kept_sizes[row, 0], kept_sizes[row, 1] = num_gates, num_angles
            _multiply_observable(flips, diagonals, psi, product)
            energies[k] = _real_overlap(product, psi)
        begin = CLAIMED * claim(cursor)


@kernel
def append_gates(tables, angles, counts, depth, moments, entries, ends, increments, rows, operations):
    """Append one operation, by number, to each of some circuits; see :class:`CircuitArrays`, which has the arrays."""
    for k in range(rows.size):
        row, operation = rows[k], operations[k]
        gate, angle = counts[row, 0], counts[row, 1]
        for column in range(3):
            tables[row, gate, column] = entries[operation, column]
            counts[row, column] += increments[operation, column]
        is_rotation = increments[operation, 1] > 0
        tables[row, gate, 3] = angle if is_rotation else entries[operation, 3]
        if angle < angles.shape[1]:
            angles[row, angle] = 0.0  # without a rotation: of the next one
        first, second = ends[operation, 0], ends[operation, 1]
        moment = max(moments[row, first], moments[row, second]) + 1
        moments[row, first] = moments[row, second] = moment
        depth[row] = max(depth[row], moment)


@kernel
def advance(moments, rows, ends):
    """Return the larger of two entries of each of some rows, and replace both by the next number."""
    found = np.empty(rows.size, dtype=np.int64)
    for k in range(rows.size):
        row, first, second = rows[k], ends[k, 0], ends[k, 1]
        found[k] = max(moments[row, first], moments[row, second])
        moments[row, first] = moments[row, second] = found[k] + 1
    return found


@kernel
def put(array, rows, columns, value):
    """Replace entries of some rows by a number; ``columns`` are ``(rows, entries)``."""
    for k in range(rows.size):
        for entry in range(columns.shape[1]):
            array[rows[k], columns[k, entry]] = value


@kernel
def exchange(array, rows, columns, values):
    """Return entries of some rows, ``(rows, entries)``, and replace them by the row's value."""
    found = np.empty(columns.shape, dtype=np.int64)
    for k in range(rows.size):
        for entry in range(columns.shape[1]):
            found[k, entry] = array[rows[k], columns[k, entry]]
        for entry in range(columns.shape[1]):  # afterwards, as columns may occur twice
            array[rows[k], columns[k, entry]] = values[k]
    return found

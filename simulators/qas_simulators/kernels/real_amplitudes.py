"""Statevector kernels in real arithmetic: gates with real matrices, and observables with a real matrix.

A program is the integer table of a ``Circuit`` whose gates are RY and fixed gates; ``kinds[gate]`` selects the function
that applies a gate. The observable is a sparse matrix in compressed rows. Loops run over slices, which LLVM turns into
vector instructions; strides of up to four entries are constants, so that their loops are unrolled.

The gradient comes from the adjoint method: Jones and Gacon, arXiv:2009.02823.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from qas_simulators.kernels.compile import INNER, inner, kernel
from qas_simulators.kernels.tasks import GRADIENT, REAL_CX, REAL_CZ, REAL_MATRIX, REAL_TURN, SCAN
from qas_simulators.kernels.trigonometry import cosines_and_sines

_SUMS: Final[dict[str, Any]] = {**INNER, "fastmath": {"contract", "reassoc"}}  # sums in vectors


class RealProgram(NamedTuple):
    """A circuit and an observable, as the kernels read them."""

    table: NDArray[np.int32]  # (num_gates, 4)
    kinds: NDArray[np.int64]  # (gate table,)
    matrices: NDArray[np.float64]  # (gate table, 2, 2): of fixed one-qubit gates
    rows: NDArray[np.int64]  # (2**n + 1,): where the entries of each row begin
    columns: NDArray[np.int32]  # (entries,)
    entries: NDArray[np.float64]  # (entries,)


def _turner(width: int) -> Any:
    """Return the multiplication of pairs of entries ``width`` apart by a 2 x 2 matrix; 0 for any stride from 8 on."""

    @inner
    def turn(vector, stride, m00, m01, m10, m11):
        step = width if width > 0 else stride
        for block in range(vector.size // (2 * step)):
            both = vector[2 * step * block : 2 * step * (block + 1)]
            low, high = both[:step], both[step:]
            for i in range(step):
                a, b = low[i], high[i]
                low[i] = m00 * a + m01 * b
                high[i] = m10 * a + m11 * b

    return turn


def _overlapper(width: int) -> Any:
    """Return the derivative of an energy by the angle of an RY gate, for strides as in :func:`_turner`."""

    @numba.njit(**_SUMS)
    def overlap(ket, bra, stride):
        step, total = width if width > 0 else stride, 0.0
        for block in range(ket.size // (2 * step)):
            first, second = (
                ket[2 * step * block : 2 * step * (block + 1)],
                bra[2 * step * block : 2 * step * (block + 1)],
            )
            for i in range(step):
                total += second[step + i] * first[i] - second[i] * first[step + i]
        return total

    return overlap


_turn1, _turn2, _turn4, _turn_runs = (_turner(width) for width in (1, 2, 4, 0))
_overlap1, _overlap2, _overlap4, _overlap_runs = (_overlapper(width) for width in (1, 2, 4, 0))


@inner
def _turn(vector, stride, m00, m01, m10, m11):
    if stride == 1:
        _turn1(vector, stride, m00, m01, m10, m11)
    elif stride == 2:
        _turn2(vector, stride, m00, m01, m10, m11)
    elif stride == 4:
        _turn4(vector, stride, m00, m01, m10, m11)
    else:
        _turn_runs(vector, stride, m00, m01, m10, m11)


@inner
def _overlap(ket, bra, stride):
    if stride == 1:
        return _overlap1(ket, bra, stride)
    if stride == 2:
        return _overlap2(ket, bra, stride)
    if stride == 4:
        return _overlap4(ket, bra, stride)
    return _overlap_runs(ket, bra, stride)


@inner
def _exchange(vector, low, high, first, second):
    """Swap the entries at two settings of the bits ``low < high``."""
    for start in range(0, vector.size, 2 * high):
        here, there = vector[start + first : start + high + first], vector[start + second : start + high + second]
        if low == 1:  # a slice for every run costs more than a short run
            for i in range(0, high, 2):
                here[i], there[i] = there[i], here[i]
        elif low == 2:
            for i in range(0, high, 4):
                here[i], there[i] = there[i], here[i]
                here[i + 1], there[i + 1] = there[i + 1], here[i + 1]
        else:
            for place in range(0, high, 2 * low):
                left, right = here[place : place + low], there[place : place + low]
                for i in range(low):
                    left[i], right[i] = right[i], left[i]


@inner
def _negate(vector, low, high):
    for start in range(high, vector.size, 2 * high):
        for place in range(start + low, start + high, 2 * low):
            both = vector[place : place + low]
            for i in range(low):
                both[i] = -both[i]


@inner
def _apply(vector, program, gate, rotations, back):
    """Apply a gate, or undo it."""
    row, qubit0, qubit1, param = program.table[gate]
    kind, bit0 = program.kinds[row], 1 << qubit0
    if kind == REAL_TURN:
        c, s = rotations[param, 0], rotations[param, 1]
        s = -s if back else s
        _turn(vector, bit0, c, -s, s, c)
    elif kind == REAL_MATRIX:
        matrix = program.matrices[row]
        _turn(vector, bit0, matrix[0, 0], matrix[0, 1], matrix[1, 0], matrix[1, 1])
    else:
        bit1 = 1 << qubit1
        if kind == REAL_CX:
            _exchange(vector, min(bit0, bit1), max(bit0, bit1), bit0, bit0 | bit1)
        elif kind == REAL_CZ:
            _negate(vector, min(bit0, bit1), max(bit0, bit1))
        else:
            _exchange(vector, min(bit0, bit1), max(bit0, bit1), bit0, bit1)


@inner
def _walk(vector, program, rotations, first, stop):
    for gate in range(first, stop):
        _apply(vector, program, gate, rotations, False)


@numba.njit(**_SUMS)
def _multiply_observable(rows, columns, entries, ket, bra):
    """Fill ``bra`` with the observable times ``ket``; return their overlap."""
    value = 0.0
    for i in range(ket.size):
        total = 0.0
        for p in range(rows[i], rows[i + 1]):
            total += entries[p] * ket[columns[p]]
        bra[i] = total
        value += total * ket[i]
    return value


class RealWorkspace(NamedTuple):
    """Scratch memory of one program."""

    ket: NDArray[np.float64]  # (2**n,)
    bra: NDArray[np.float64]  # (2**n,)
    prefix: NDArray[np.float64]  # (2**n,) or empty: the state before the angle that is being scanned
    rotations: NDArray[np.float64]  # (num_params, 2): cosine and sine of half the angle


def workspace(program, num_params, memory):
    """Return scratch memory for ``num_params`` angles; ``memory`` has two times ``2**n`` entries, three for scans."""
    size = program.rows.size - 1
    return RealWorkspace(memory[:size], memory[size : 2 * size], memory[2 * size :], np.empty((num_params, 2)))


@inner
def _prepare(vector):
    for i in range(vector.size):
        vector[i] = 0.0
    vector[0] = 1.0


@inner
def _energy(program, params, gradient, has_gradient, work):
    ket, bra, rotations, stop = work.ket, work.bra, work.rotations, program.table.shape[0]
    cosines_and_sines(params, 0.5, rotations)
    _prepare(ket)
    _walk(ket, program, rotations, 0, stop)
    value = _multiply_observable(program.rows, program.columns, program.entries, ket, bra)
    for step in range(stop if has_gradient else 0):
        gate = stop - 1 - step
        if program.kinds[program.table[gate, 0]] == REAL_TURN:
            gradient[program.table[gate, 3]] = _overlap(ket, bra, 1 << program.table[gate, 1])
        _apply(ket, program, gate, rotations, True)
        _apply(bra, program, gate, rotations, True)
    return value


@inner
def _scan(program, params, first, work):
    """Move each angle from index ``first`` on to the exact minimum of its sinusoid, one after the other."""
    table, ket, prefix, rotations = program.table, work.ket, work.prefix, work.rotations
    cosines_and_sines(params, 0.5, rotations)
    _prepare(prefix)
    reached, stop, energies = np.int64(0), table.shape[0], (0.0, 0.0, 0.0)
    for gate in range(stop):
        param = table[gate, 3]
        if param < first:  # also gates without angle: -1
            continue
        _walk(prefix, program, rotations, reached, gate)
        for shift in range(3):
            angle = params[param] + 0.5 * math.pi * (shift - 1)
            rotations[param, 0], rotations[param, 1] = math.cos(0.5 * angle), math.sin(0.5 * angle)
            for i in range(ket.size):
                ket[i] = prefix[i]
            _walk(ket, program, rotations, gate, stop)
            energy = _multiply_observable(program.rows, program.columns, program.entries, ket, work.bra)
            energies = energies[1], energies[2], energy
        reached = np.int64(gate)
        sine, cosine = 0.5 * (energies[2] - energies[0]), energies[1] - 0.5 * (energies[0] + energies[2])
        if sine * sine + cosine * cosine > 1e-24:
            params[param] += math.atan2(-sine, -cosine)
        rotations[param, 0], rotations[param, 1] = math.cos(0.5 * params[param]), math.sin(0.5 * params[param])


def evaluate(program, params, gradient, task, first, work):
    """Do one task with one set of angles; see :func:`qas_simulators.kernels.amplitudes.evaluate`."""
    if task == SCAN:
        _scan(program, params, first, work)
        return 0.0
    return _energy(program, params, gradient, task == GRADIENT, work)


@inner
def _slope(ket, bra, flip, signs):
    """Return ``<bra| -i P |ket>`` of a Pauli string with an odd number of Y."""
    total = 0.0
    for i in range(ket.size):
        bits = i & signs
        bits ^= bits >> 16
        bits ^= bits >> 8
        bits ^= bits >> 4
        bits ^= bits >> 2
        bits ^= bits >> 1
        term = bra[i ^ flip] * ket[i]
        total += -term if bits & 1 else term
    return total


@kernel
def insertion_slopes(table, kinds, matrices, rows, columns, entries, params, places, flips, signs, factors, slopes):
    """Fill the derivatives of the energy by the angles of Pauli exponentials inserted at angle 0, one at a time.

    Args:
        table: As in :class:`RealProgram`; so are ``kinds`` to ``entries``.
        kinds: See there.
        matrices: See there.
        rows: See there.
        columns: See there.
        entries: See there.
        params: The circuit's angles.
        places: Numbers of gates before which strings are inserted, descending; the number of gates for the end.
        flips: Bits that each string flips, ``(strings,)``.
        signs: Bits on which each string has Z or Y.
        factors: 1 or -1 for each, so that ``-i P`` maps ``|i>`` to ``factor * sign |i ^ flip>``.
        slopes: Output, ``(places, strings)``, in energy per radian.

    Returns:
        The energy.
    """
    program = RealProgram(table, kinds, matrices, rows, columns, entries)
    size = rows.size - 1
    ket, bra, rotations = np.empty(size), np.empty(size), np.empty((params.size, 2))
    cosines_and_sines(params, 0.5, rotations)
    _prepare(ket)
    _walk(ket, program, rotations, 0, table.shape[0])
    value = _multiply_observable(rows, columns, entries, ket, bra)
    reached = table.shape[0]
    for k in range(places.size):
        while reached > places[k]:
            reached -= 1
            _apply(ket, program, reached, rotations, True)
            _apply(bra, program, reached, rotations, True)
        for string in range(flips.size):
            slopes[k, string] = factors[string] * _slope(ket, bra, flips[string], signs[string])
    return value

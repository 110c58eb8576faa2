"""Passes over Pauli vectors as plain loops, on documented features of numba alone.

They do what the functions of the same names in ``lanes`` do, and take over where numba's private interface, on which
those are built, has changed; see ``passes``. Sums are formed in the same order, and results agree to rounding. Arrays
of any shape are contiguous and addressed by offsets into their entries (``flat``), as there.
"""

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np

OPTIONS: Final[dict[str, Any]] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
INNER_OPTIONS: Final = {**OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Of functions that only kernels call: their callers from Python and C would be compiled in vain."""

BLOCK = 16  # entries of the two lowest qubits
INNER_MASKS = (0, 3, 4, 7), (0, 12, 1, 13), (0, 3, 12, 15)  # CX from the lowest qubit, CX onto it, CZ

_plain = numba.njit(**OPTIONS)


@_plain
def claim(cursor):
    """Return ``cursor[0]`` and add 1 to it; not for several threads at once."""
    value = cursor[0]
    cursor[0] += 1
    return value


@_plain
def _entry(blocks, offset, row, column, is_transposed):
    """Return an entry of the 4 x 4 block at an offset, or of its transpose."""
    return blocks.flat[offset + 4 * column + row] if is_transposed else blocks.flat[offset + 4 * row + column]


@_plain
def _mix_digits(vector, place, stride, blocks, offset, is_transposed):
    """Multiply the four entries at the digits of one qubit by a block; terms by the bits in which digits differ."""
    values = vector[place], vector[place + stride], vector[place + 2 * stride], vector[place + 3 * stride]
    for row in range(4):
        total = _entry(blocks, offset, row, row, is_transposed) * values[row]
        for m in range(1, 4):
            total += _entry(blocks, offset, row, row ^ m, is_transposed) * values[row ^ m]
        vector[place + row * stride] = total


def _mix_lanes(shift):
    stride = 1 << shift

    @_plain
    def mix(vector, blocks, offset, is_transposed):
        for base in range(0, vector.size, 4 * stride):
            for place in range(base, base + stride):
                _mix_digits(vector, place, stride, blocks, offset, is_transposed)

    return mix


def _correlate_lanes(shift):
    mix = _mix_lanes(shift)

    @_plain
    def correlate(bra, ket, sums, blocks, offset):
        for k in range(4 * BLOCK):
            sums[k] = 0.0
        for i in range(bra.size):
            for m in range(4):
                sums[BLOCK * m + i % BLOCK] += bra[i] * ket[i ^ (m << shift)]
        mix(bra, blocks, offset, True)

    return correlate


def _mix_runs(first):
    @_plain
    def mix(vector, blocks, offset, is_transposed, stride):
        for base in range(0, vector.size, 4 * stride):
            for place in range(base, base + stride):
                values = vector[place], vector[place + stride], vector[place + 2 * stride], vector[place + 3 * stride]
                for row in range(first, 4):
                    total = _entry(blocks, offset, row, first, is_transposed) * values[first]
                    for k in range(first + 1, 4):
                        total += _entry(blocks, offset, row, k, is_transposed) * values[k]
                    vector[place + row * stride] = total

    return mix


mix_lanes0, mix_lanes1 = _mix_lanes(0), _mix_lanes(2)
correlate_lanes0, correlate_lanes1 = _correlate_lanes(0), _correlate_lanes(2)
mix_runs, mix_runs_unital = _mix_runs(0), _mix_runs(1)


@_plain
def correlate_runs(bra, ket, sums, blocks, offset, stride):
    """Do what ``lanes.correlate_runs`` does: eight sums for each pair of digits, by place modulo 8."""
    for k in range(96):
        sums[k] = 0.0
    for base in range(0, bra.size, 4 * stride):
        for i in range(stride):
            for p in range(1, 4):
                for q in range(4):
                    left, right = bra[base + p * stride + i], ket[base + q * stride + i]
                    sums[8 * (4 * (p - 1) + q) + i % 8] += left * right
    mix_runs(bra, blocks, offset, True, stride)


@_plain
def _exchange_runs(vector, outer, inner, run, left, right, to_left, to_right):
    for high in range(0, vector.size, 4 * outer):
        for low in range(high, high + outer, inner):
            for i in range(low, low + run):
                a, b = vector[left + i], vector[right + i]
                vector[left + i] = to_left * b
                vector[right + i] = to_right * a


exchange_runs1 = exchange_runs4 = exchange_runs16 = _exchange_runs


def _mix_pair(shift, mask):
    moved = mask << shift

    @_plain
    def mix(vector, factors, offset, first, second, outer):
        for base in range(0, vector.size, 4 * outer):
            for i in range(base, base + outer):
                j = i ^ moved
                if j < i:
                    continue  # done with its partner
                a, b, c, d = vector[first + j], vector[second + j], vector[first + i], vector[second + i]
                for k in range(1 if j == i else 2):
                    place = j if k == 1 else i
                    here, there = (c, d) if k == 1 else (a, b)
                    digit = offset + ((place >> shift) & 3)
                    stay, come = factors.flat[digit], factors.flat[digit + 4]
                    stay_too, come_too = factors.flat[digit + 8], factors.flat[digit + 12]
                    vector[first + place] = stay * here + come * there
                    vector[second + place] = stay_too * there + come_too * here

    return mix


mix_pair00, mix_pair01, mix_pair03 = (_mix_pair(0, mask) for mask in (0, 1, 3))
mix_pair10, mix_pair11, mix_pair13 = (_mix_pair(2, mask) for mask in (0, 1, 3))


def _mix_inner(masks):
    _, m1, m2, m3 = masks  # with 0 a group: the entries at i ^ mask are mixed among themselves

    @_plain
    def mix(vector, factors, offset):
        for base in range(0, vector.size, BLOCK):
            for i in range(BLOCK):
                if (i ^ m1) < i or (i ^ m2) < i or (i ^ m3) < i:
                    continue  # done with the smallest of its group
                places = i, i ^ m1, i ^ m2, i ^ m3
                values = vector[base + i], vector[base + places[1]], vector[base + places[2]], vector[base + places[3]]
                for j in range(4):
                    total = factors.flat[offset + places[j]] * values[j]
                    for k in range(1, 4):
                        total += factors.flat[offset + BLOCK * k + places[j]] * values[j ^ k]
                    vector[base + places[j]] = total

    return mix


mix_inner_first, mix_inner_second, mix_inner_both = (_mix_inner(masks) for masks in INNER_MASKS)


@_plain
def mix2_runs(vector, blocks, first, offsets, outer, inner, run):
    """Multiply the 16 entries of two qubits by the 16 x 16 block from ``first`` on."""
    values = np.empty(16)
    for high in range(0, vector.size, 4 * outer):
        for low in range(high, high + outer, inner):
            for i in range(low, low + run):
                for k in range(16):
                    values[k] = vector[i + offsets[k]]
                for row in range(16):
                    total = blocks.flat[first + 16 * row] * values[0]
                    for k in range(1, 16):
                        total += blocks.flat[first + 16 * row + k] * values[k]
                    vector[i + offsets[row]] = total


@_plain
def mix2_scattered(vector, columns, first, offsets, outer, inner, run):
    """Do the same, given the transpose of the block."""
    values = np.empty(16)
    for high in range(0, vector.size, 4 * outer):
        for low in range(high, high + outer, inner):
            for i in range(low, low + run):
                for k in range(16):
                    values[k] = vector[i + offsets[k]]
                for row in range(16):
                    total = columns.flat[first + row] * values[0]
                    for k in range(1, 16):
                        total += columns.flat[first + 16 * k + row] * values[k]
                    vector[i + offsets[row]] = total


@_plain
def multiply4(lefts, left, rights, right, is_transposed):
    """Multiply the 4 x 4 block at an offset from the left by another, or by its transpose."""
    for column in range(4):
        place = right + column
        a, b, c, d = rights.flat[place], rights.flat[place + 4], rights.flat[place + 8], rights.flat[place + 12]
        for row in range(4):
            total = _entry(lefts, left, row, 0, is_transposed) * a
            total += _entry(lefts, left, row, 1, is_transposed) * b
            total += _entry(lefts, left, row, 2, is_transposed) * c
            total += _entry(lefts, left, row, 3, is_transposed) * d
            rights.flat[place + 4 * row] = total


def _follow4(axis):
    first, second = (axis + 1) % 3 + 1, (axis + 2) % 3 + 1

    @_plain
    def follow(blocks, block, noises, noise, cosine, sine):
        if axis < 3:
            for column in range(block, block + 4):
                a, b = blocks.flat[column + 4 * first], blocks.flat[column + 4 * second]
                blocks.flat[column + 4 * first] = cosine * a - sine * b
                blocks.flat[column + 4 * second] = sine * a + cosine * b
        multiply4(noises, noise, blocks, block, False)

    return follow


follow_rx, follow_ry, follow_rz, follow_fixed = (_follow4(axis) for axis in range(4))


@_plain
def copy4(source, first, target, second):
    """Copy 16 entries from one offset to another."""
    for k in range(16):
        target.flat[second + k] = source.flat[first + k]

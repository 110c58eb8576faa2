"""Statevector kernels for many qubits: gates in blocks of two qubits, and Pauli strings without diagonals.

A block is all consecutive gates on one pair of qubits, as one 4 x 4 matrix. Backwards, one pass over the state and the
bra gives the sums ``G[r, s] = sum conj(bra[r]) psi[s]`` over the other qubits, from which the derivatives by all angles
of the block follow, and undoes the block.

A pass works on tiles: the entries that differ in the two bits of a pair and in the lowest eight other bits. Its four
parts are contiguous in memory if both bits of the pair are higher. On the lowest bits they are copied to four buffers
and back, because loops over contiguous entries are several times as fast; otherwise the runs of contiguous entries are
worked on one by one. All functions work on real and on complex arrays of either precision, and on a part of the tiles,
so that threads can share a pass.
"""

from __future__ import annotations

import numba
import numpy as np

from qas_simulators.kernels import loops
from qas_simulators.kernels.compile import kernel

TILE_BITS = 8  # of each part of a tile, which stays in the fastest cache
SHORT = 16  # entries; shorter runs of a string's entries are added one by one
_SUMS = {**loops.INNER_OPTIONS, "fastmath": {"contract", "reassoc"}}


@numba.njit(**_SUMS)
def _spread(k, bit):
    """Return ``k`` with a 0 inserted at a bit."""
    return ((k >> bit) << (bit + 1)) | (k & ((1 << bit) - 1))


@numba.njit(**_SUMS)
def _turn(v0, v1, v2, v3, matrix):
    m = matrix
    for i in range(v0.size):
        a, b, c, d = v0[i], v1[i], v2[i], v3[i]
        v0[i] = m[0, 0] * a + m[0, 1] * b + m[0, 2] * c + m[0, 3] * d
        v1[i] = m[1, 0] * a + m[1, 1] * b + m[1, 2] * c + m[1, 3] * d
        v2[i] = m[2, 0] * a + m[2, 1] * b + m[2, 2] * c + m[2, 3] * d
        v3[i] = m[3, 0] * a + m[3, 1] * b + m[3, 2] * c + m[3, 3] * d


@numba.njit(**_SUMS)
def _sum_row(left, v0, v1, v2, v3, row):
    a = left[0] * 0
    b, c, d = a, a, a
    for i in range(left.size):
        factor = np.conj(left[i])
        a += factor * v0[i]
        b += factor * v1[i]
        c += factor * v2[i]
        d += factor * v3[i]
    row[0] += a
    row[1] += b
    row[2] += c
    row[3] += d


def _copies(inner, outer):
    """Return functions that copy entries of a vector to ``parts`` ``(outer, size)``, and back.

    Runs of ``inner`` entries belong to the parts in turn: two parts differ in one bit, four in two neighbouring bits.
    Both numbers are constants of the loops, which become shuffles of registers.
    """

    @numba.njit(**_SUMS)
    def split(source, parts):
        for group in range(parts.shape[1] // inner):
            for k in range(inner):
                place = group * inner + k
                for part in range(outer):
                    parts[part, place] = source[(outer * group + part) * inner + k]

    @numba.njit(**_SUMS)
    def join(target, parts):
        for group in range(parts.shape[1] // inner):
            for k in range(inner):
                place = group * inner + k
                for part in range(outer):
                    target[(outer * group + part) * inner + k] = parts[part, place]

    return split, join


_SPLIT_1, _JOIN_1 = _copies(1, 2)
_SPLIT_2, _JOIN_2 = _copies(2, 2)
_SPLIT_4, _JOIN_4 = _copies(4, 2)
_PAIRS_1, _UNPAIR_1 = _copies(1, 4)
_PAIRS_2, _UNPAIR_2 = _copies(2, 4)
_PAIRS_4, _UNPAIR_4 = _copies(4, 4)
_PAIRS_8, _UNPAIR_8 = _copies(8, 4)
_PAIRS_16, _UNPAIR_16 = _copies(16, 4)


@numba.njit(**_SUMS)
def _is_copied(low, high, size):
    """Return whether tiles of a pair of bits are copied."""
    return size == 1 << TILE_BITS and ((high == low + 1 and low < 5) or (low < 3 and high > TILE_BITS + 1))


@numba.njit(**_SUMS)
def _gather(vector, low, high, tile, parts):
    """Copy a tile to ``parts`` ``(4, size)``."""
    size = parts.shape[1]
    if high == low + 1:
        source = vector[4 * size * tile : 4 * size * (tile + 1)]
        if low == 0:
            _PAIRS_1(source, parts)
        elif low == 1:
            _PAIRS_2(source, parts)
        elif low == 2:
            _PAIRS_4(source, parts)
        elif low == 3:
            _PAIRS_8(source, parts)
        else:
            _PAIRS_16(source, parts)
        return
    for half in range(2):
        base = _spread(2 * size * tile, high) + (half << high)
        source, two = vector[base : base + 2 * size], parts[2 * half : 2 * half + 2]
        if low == 0:
            _SPLIT_1(source, two)
        elif low == 1:
            _SPLIT_2(source, two)
        else:
            _SPLIT_4(source, two)


@numba.njit(**_SUMS)
def _scatter(vector, low, high, tile, parts):
    """Undo :func:`_gather`."""
    size = parts.shape[1]
    if high == low + 1:
        target = vector[4 * size * tile : 4 * size * (tile + 1)]
        if low == 0:
            _UNPAIR_1(target, parts)
        elif low == 1:
            _UNPAIR_2(target, parts)
        elif low == 2:
            _UNPAIR_4(target, parts)
        elif low == 3:
            _UNPAIR_8(target, parts)
        else:
            _UNPAIR_16(target, parts)
        return
    for half in range(2):
        base = _spread(2 * size * tile, high) + (half << high)
        target, two = vector[base : base + 2 * size], parts[2 * half : 2 * half + 2]
        if low == 0:
            _JOIN_1(target, two)
        elif low == 1:
            _JOIN_2(target, two)
        else:
            _JOIN_4(target, two)


@kernel
def turn_pair(psi, low, high, matrix, first, stop):
    """Multiply the tiles ``first`` to ``stop`` by a 4 x 4 matrix on the bits ``low < high``."""
    size, b0, b1 = min(1 << TILE_BITS, psi.size >> 2), 1 << low, 1 << high
    parts = np.empty((4, size), psi.dtype)
    for tile in range(first, stop):
        if _is_copied(low, high, size):
            _gather(psi, low, high, tile, parts)
            _turn(parts[0], parts[1], parts[2], parts[3], matrix)
            _scatter(psi, low, high, tile, parts)
            continue
        length = min(b0, size)
        for k in range(tile * size, (tile + 1) * size, length):
            i = _spread(_spread(k, low), high)
            j = i + length
            _turn(psi[i:j], psi[i + b0 : j + b0], psi[i + b1 : j + b1], psi[i + b0 + b1 : j + b0 + b1], matrix)


@numba.njit(**_SUMS)
def _undo(p0, p1, p2, p3, q0, q1, q2, q3, matrix, sums):
    _sum_row(q0, p0, p1, p2, p3, sums[0])
    _sum_row(q1, p0, p1, p2, p3, sums[1])
    _sum_row(q2, p0, p1, p2, p3, sums[2])
    _sum_row(q3, p0, p1, p2, p3, sums[3])
    _turn(p0, p1, p2, p3, matrix)
    _turn(q0, q1, q2, q3, matrix)


@kernel
def undo_pair(psi, bra, low, high, matrix, sums, first, stop):
    """Add to ``sums`` ``(4, 4)``, then multiply both vectors by a 4 x 4 matrix, in the tiles ``first`` to ``stop``."""
    size, b0, b1 = min(1 << TILE_BITS, psi.size >> 2), 1 << low, 1 << high
    p, q = np.empty((4, size), psi.dtype), np.empty((4, size), psi.dtype)
    for tile in range(first, stop):
        if _is_copied(low, high, size):
            _gather(psi, low, high, tile, p)
            _gather(bra, low, high, tile, q)
            _undo(p[0], p[1], p[2], p[3], q[0], q[1], q[2], q[3], matrix, sums)
            _scatter(psi, low, high, tile, p)
            _scatter(bra, low, high, tile, q)
            continue
        length = min(b0, size)
        for k in range(tile * size, (tile + 1) * size, length):
            i = _spread(_spread(k, low), high)
            j = i + length
            p0, p1, p2, p3 = psi[i:j], psi[i + b0 : j + b0], psi[i + b1 : j + b1], psi[i + b0 + b1 : j + b0 + b1]
            q0, q1, q2, q3 = bra[i:j], bra[i + b0 : j + b0], bra[i + b1 : j + b1], bra[i + b0 + b1 : j + b0 + b1]
            _undo(p0, p1, p2, p3, q0, q1, q2, q3, matrix, sums)


@numba.njit(**_SUMS)
def _add_run(out, source, factor, signs):
    for i in range(out.size):
        out[i] += factor * signs[i] * source[i]


@numba.njit(**_SUMS)
def _add_plain(out, source, factor):
    for i in range(out.size):
        out[i] += factor * source[i]


@kernel
def multiply_strings(psi, bra, diagonal, flips, masks, factors, signs, first, stop):
    """Fill a part of ``bra = H psi``; return the real part of its overlap with ``psi``.

    Args:
        psi: The state, ``(2**n,)``.
        bra: Output, ``(2**n,)``.
        diagonal: Of ``H``, ``(2**n,)`` real.
        flips: Bits that each other string flips, ``(strings,)``.
        masks: Bits that give it a sign, ``(strings,)``.
        factors: Its coefficient times ``i**popcount(x & z)``, ``(strings,)``.
        signs: ``(strings or 0, size)``: signs of the low bits of ``masks``; row ``k`` is unused if ``masks[k]`` has
            none there.
        first: The first block of ``size`` entries.
        stop: The first block after the part.
    """
    size = signs.shape[1]
    low_bits = size - 1
    total = 0.0
    for block in range(first, stop):
        base = block * size
        out, own = bra[base : base + size], psi[base : base + size]
        for i in range(size):
            out[i] = diagonal[base + i] * own[i]
        for k in range(flips.size):
            source = base ^ (flips[k] & ~low_bits)
            inner = flips[k] & low_bits
            factor = factors[k]
            outer = masks[k] & source  # the sign is that of the entry that is flipped
            while outer:
                outer &= outer - 1
                factor = -factor
            width = inner & -inner if inner else size  # entries that stay together
            is_signed = (masks[k] & low_bits) != 0
            if width >= SHORT:
                for i in range(0, size, width):
                    j = source + (i ^ inner)
                    if is_signed:
                        _add_run(out[i : i + width], psi[j : j + width], factor, signs[k, i : i + width])
                    else:
                        _add_plain(out[i : i + width], psi[j : j + width], factor)
            elif is_signed:
                for i in range(size):
                    out[i] += factor * signs[k, i] * psi[source + (i ^ inner)]
            else:
                for i in range(size):
                    out[i] += factor * psi[source + (i ^ inner)]
        for i in range(size):
            total += (np.conj(out[i]) * own[i]).real
    return total

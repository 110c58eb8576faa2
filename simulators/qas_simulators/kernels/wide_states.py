"""Statevector kernels for many qubits: gates in blocks of two qubits, and Pauli strings without diagonals.

A block is all consecutive gates on one pair of qubits, as one 4 x 4 matrix. Backwards, one pass over the state and the
bra gives the sums ``G[r, s] = sum conj(bra[r]) psi[s]`` over the other qubits, from which the derivatives by all angles
of the block follow, and undoes the block. All functions work on real and on complex arrays, and on a part of the runs
of consecutive entries, so that threads can share a pass.
"""

from __future__ import annotations

import numba
import numpy as np

from qas_simulators.kernels import loops
from qas_simulators.kernels.compile import kernel

CHUNK = 256  # entries of a run that are worked on while they are in the fastest cache
SHORT = 8  # entries; shorter runs are worked on one by one
_SUMS = {**loops.INNER_OPTIONS, "fastmath": {"contract", "reassoc"}}


@numba.njit(**_SUMS)
def _place(run, length, low, high):
    """Return the first entry of a run of ``length`` entries in which both bits are 0."""
    k = run * length
    i = ((k >> low) << (low + 1)) | (k & ((1 << low) - 1))
    return ((i >> high) << (high + 1)) | (i & ((1 << high) - 1))


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
    a = row[0] * 0
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


@numba.njit(**_SUMS)
def _turn_one(psi, i, b0, b1, m):
    a, b, c, d = psi[i], psi[i + b0], psi[i + b1], psi[i + b0 + b1]
    psi[i] = m[0, 0] * a + m[0, 1] * b + m[0, 2] * c + m[0, 3] * d
    psi[i + b0] = m[1, 0] * a + m[1, 1] * b + m[1, 2] * c + m[1, 3] * d
    psi[i + b1] = m[2, 0] * a + m[2, 1] * b + m[2, 2] * c + m[2, 3] * d
    psi[i + b0 + b1] = m[3, 0] * a + m[3, 1] * b + m[3, 2] * c + m[3, 3] * d


@numba.njit(**_SUMS)
def _sum_one(psi, bra, i, b0, b1, sums):
    for r in range(4):
        factor = np.conj(bra[i + (r & 1) * b0 + (r >> 1) * b1])
        sums[r, 0] += factor * psi[i]
        sums[r, 1] += factor * psi[i + b0]
        sums[r, 2] += factor * psi[i + b1]
        sums[r, 3] += factor * psi[i + b0 + b1]


@kernel
def turn_pair(psi, low, high, matrix, first, stop):
    """Multiply the runs ``first`` to ``stop`` by a 4 x 4 matrix on the bits ``low < high``."""
    length, b0, b1 = 1 << low, 1 << low, 1 << high
    if length < SHORT:
        for k in range(first * length, stop * length):
            _turn_one(psi, _place(k, 1, low, high), b0, b1, matrix)
        return
    for run in range(first, stop):
        base = _place(run, length, low, high)
        for i in range(base, base + length, CHUNK):
            end = min(CHUNK, base + length - i)
            _turn(
                psi[i : i + end],
                psi[i + b0 : i + b0 + end],
                psi[i + b1 : i + b1 + end],
                psi[i + b0 + b1 : i + b0 + b1 + end],
                matrix,
            )


@kernel
def undo_pair(psi, bra, low, high, matrix, sums, first, stop):
    """Add to ``sums`` ``(4, 4)``, then multiply both vectors by a 4 x 4 matrix, in the runs ``first`` to ``stop``."""
    length, b0, b1 = 1 << low, 1 << low, 1 << high
    if length < SHORT:
        for k in range(first * length, stop * length):
            i = _place(k, 1, low, high)
            _sum_one(psi, bra, i, b0, b1, sums)
            _turn_one(psi, i, b0, b1, matrix)
            _turn_one(bra, i, b0, b1, matrix)
        return
    for run in range(first, stop):
        base = _place(run, length, low, high)
        for i in range(base, base + length, CHUNK):
            end = min(CHUNK, base + length - i)
            p0, p1 = psi[i : i + end], psi[i + b0 : i + b0 + end]
            p2, p3 = psi[i + b1 : i + b1 + end], psi[i + b0 + b1 : i + b0 + b1 + end]
            q0, q1 = bra[i : i + end], bra[i + b0 : i + b0 + end]
            q2, q3 = bra[i + b1 : i + b1 + end], bra[i + b0 + b1 : i + b0 + b1 + end]
            _sum_row(q0, p0, p1, p2, p3, sums[0])
            _sum_row(q1, p0, p1, p2, p3, sums[1])
            _sum_row(q2, p0, p1, p2, p3, sums[2])
            _sum_row(q3, p0, p1, p2, p3, sums[3])
            _turn(p0, p1, p2, p3, matrix)
            _turn(q0, q1, q2, q3, matrix)


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
            if width >= 4:
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

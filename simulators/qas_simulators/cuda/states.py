"""Pure states on a GPU: apply gates, multiply by the observable, differentiate; a group of lanes for each state.

Two states, ket and bra, lie side by side in a flat array: the real parts of both, then, ``gap`` entries further on, the
imaginary parts. A gate acts on both at once as on one register with one more qubit. Gates are those of
:mod:`qas_simulators.kernels.amplitudes`, and so are the derivatives.
"""

from __future__ import annotations

from qas_simulators.cuda.lanes import device
from qas_simulators.kernels.tasks import CX, CZ, MATRIX1, PHASE, RX, RY, RYY, RZZ, SWAP


@device
def _pair(k, bit):
    """Return the ``k``-th index without a bit."""
    return ((k & ~(bit - 1)) << 1) | (k & (bit - 1))


@device
def _quad(k, low, high):
    """Return the ``k``-th index without two bits, ``low < high``."""
    return _pair(_pair(k, low), high)


@device
def prepare(states, at, gap, count, lane, lanes):
    """Set ``count`` amplitudes from an offset on to those of the state of zeros."""
    for i in range(lane, count, lanes):
        states[at + i] = 1.0 if i == 0 else 0.0
        states[gap + at + i] = 0.0


@device
def _rotate(states, at, gap, count, kind, bit, c, s, lane, lanes):
    for k in range(lane, count >> 1, lanes):
        i = at + _pair(k, bit)
        j = i + bit
        ar, ai, br, bi = states[i], states[gap + i], states[j], states[gap + j]
        if kind == RX:
            states[i], states[gap + i] = c * ar + s * bi, c * ai - s * br
            states[j], states[gap + j] = c * br + s * ai, c * bi - s * ar
        elif kind == RY:
            states[i], states[gap + i] = c * ar - s * br, c * ai - s * bi
            states[j], states[gap + j] = c * br + s * ar, c * bi + s * ai
        else:
            states[i], states[gap + i] = c * ar + s * ai, c * ai - s * ar
            states[j], states[gap + j] = c * br - s * bi, c * bi + s * br


@device
def _phase(states, at, gap, count, bit, c, s, lane, lanes):
    pr, pi = c * c - s * s, 2.0 * c * s
    for k in range(lane, count >> 1, lanes):
        j = at + _pair(k, bit) + bit
        br, bi = states[j], states[gap + j]
        states[j], states[gap + j] = pr * br - pi * bi, pr * bi + pi * br


@device
def _mix(states, at, gap, count, reals, imaginaries, row, bit, is_back, lane, lanes):
    sign = -1.0 if is_back else 1.0
    mr00, mr11, mi00, mi11 = reals[row, 0, 0], reals[row, 1, 1], imaginaries[row, 0, 0], imaginaries[row, 1, 1]
    mr01, mr10, mi01, mi10 = reals[row, 0, 1], reals[row, 1, 0], imaginaries[row, 0, 1], imaginaries[row, 1, 0]
    if is_back:
        mr01, mr10, mi01, mi10 = mr10, mr01, mi10, mi01
    mi00, mi01, mi10, mi11 = sign * mi00, sign * mi01, sign * mi10, sign * mi11
    for k in range(lane, count >> 1, lanes):
        i = at + _pair(k, bit)
        j = i + bit
        ar, ai, br, bi = states[i], states[gap + i], states[j], states[gap + j]
        states[i] = mr00 * ar - mi00 * ai + mr01 * br - mi01 * bi
        states[gap + i] = mr00 * ai + mi00 * ar + mr01 * bi + mi01 * br
        states[j] = mr10 * ar - mi10 * ai + mr11 * br - mi11 * bi
        states[gap + j] = mr10 * ai + mi10 * ar + mr11 * bi + mi11 * br


@device
def _rotate_pair(states, at, gap, count, kind, bit0, bit1, low, high, c, s, lane, lanes):
    outer = -s if kind == RYY else s  # YY|00> = -|11>
    for k in range(lane, count >> 2, lanes):
        i = at + _quad(k, low, high)
        for part in range(2):
            first = i if part == 0 else i + bit0
            last = i + bit0 + bit1 if part == 0 else i + bit1
            ar, ai, br, bi = states[first], states[gap + first], states[last], states[gap + last]
            if kind == RZZ:
                own = s if part == 0 else -s
                states[first], states[gap + first] = c * ar + own * ai, c * ai - own * ar
                states[last], states[gap + last] = c * br + own * bi, c * bi - own * br
            else:
                own = outer if part == 0 else s
                states[first], states[gap + first] = c * ar + own * bi, c * ai - own * br
                states[last], states[gap + last] = c * br + own * ai, c * bi - own * ar


@device
def _exchange(states, at, gap, count, first, second, low, high, lane, lanes):
    for k in range(lane, count >> 2, lanes):
        i = at + _quad(k, low, high)
        a, b = i + first, i + second
        states[a], states[b] = states[b], states[a]
        states[gap + a], states[gap + b] = states[gap + b], states[gap + a]


@device
def _negate(states, at, gap, count, both, low, high, lane, lanes):
    for k in range(lane, count >> 2, lanes):
        i = at + _quad(k, low, high) + both
        states[i], states[gap + i] = -states[i], -states[gap + i]


@device
def _mix_pair(states, at, gap, count, reals, imaginaries, gate, bit0, bit1, low, high, is_back, lane, lanes):
    for k in range(lane, count >> 2, lanes):
        i = at + _quad(k, low, high)
        ar, ai = states[i], states[gap + i]
        br, bi = states[i + bit0], states[gap + i + bit0]
        cr, ci = states[i + bit1], states[gap + i + bit1]
        dr, di = states[i + bit0 + bit1], states[gap + i + bit0 + bit1]
        for row in range(4):
            real, imaginary = 0.0, 0.0
            for column in range(4):
                xr = ar if column == 0 else br if column == 1 else cr if column == 2 else dr
                xi = ai if column == 0 else bi if column == 1 else ci if column == 2 else di
                mr = reals[gate, column, row] if is_back else reals[gate, row, column]
                mi = -imaginaries[gate, column, row] if is_back else imaginaries[gate, row, column]
                real += mr * xr - mi * xi
                imaginary += mr * xi + mi * xr
            place = i + (row & 1) * bit0 + (row >> 1) * bit1
            states[place], states[gap + place] = real, imaginary


@device
def apply(states, at, gap, count, kind, gate, turned, reals, imaginaries, is_back, lane, lanes):
    """Apply a gate, or its inverse, to ``count`` amplitudes from an offset on.

    ``gate`` is a row of a circuit's table, ``turned`` are cosine and sine of half its angle.
    """
    row, bit0, qubit1 = gate[0], 1 << gate[1], gate[2]
    c, s = turned
    if is_back:
        s = -s
    if kind < PHASE:
        _rotate(states, at, gap, count, kind, bit0, c, s, lane, lanes)
    elif kind == PHASE:
        _phase(states, at, gap, count, bit0, c, s, lane, lanes)
    elif kind == MATRIX1:
        _mix(states, at, gap, count, reals, imaginaries, row, bit0, is_back, lane, lanes)
    else:
        bit1 = 1 << qubit1
        low, high = min(bit0, bit1), max(bit0, bit1)
        if kind <= RZZ:
            _rotate_pair(states, at, gap, count, kind, bit0, bit1, low, high, c, s, lane, lanes)
        elif kind == CX:
            _exchange(states, at, gap, count, bit0, bit0 + bit1, low, high, lane, lanes)
        elif kind == CZ:
            _negate(states, at, gap, count, bit0 + bit1, low, high, lane, lanes)
        elif kind == SWAP:
            _exchange(states, at, gap, count, bit0, bit1, low, high, lane, lanes)
        else:
            _mix_pair(states, at, gap, count, reals, imaginaries, row, bit0, bit1, low, high, is_back, lane, lanes)


@device
def _slope_of_rotation(states, at, gap, size, kind, bit, lane, lanes):
    total = 0.0
    for k in range(lane, size >> 1, lanes):
        i = at + _pair(k, bit)
        j = i + bit
        ar, ai, br, bi = states[i], states[gap + i], states[j], states[gap + j]
        i, j = i + size, j + size
        lr, li, mr, mi = states[i], states[gap + i], states[j], states[gap + j]
        if kind == RX:
            total += lr * bi - li * br + mr * ai - mi * ar
        elif kind == RY:
            total += mr * ar + mi * ai - lr * br - li * bi
        else:  # RZ, and the phase gate, which differs by a global phase
            total += lr * ai - li * ar - mr * bi + mi * br
    return total


@device
def _slope_of_pair(states, at, gap, size, kind, bit0, bit1, lane, lanes):
    outer = -1.0 if kind == RYY else 1.0
    inner_sign = -1.0 if kind == RZZ else 1.0
    total = 0.0
    for k in range(lane, size >> 2, lanes):
        i = at + _quad(k, min(bit0, bit1), max(bit0, bit1))
        for j in range(4):
            place = size + i + (j & 1) * bit0 + (j >> 1) * bit1
            other = place - size if kind == RZZ else i + (1 - (j & 1)) * bit0 + (1 - (j >> 1)) * bit1
            sign = outer if j == 0 or j == 3 else inner_sign
            total += sign * (states[place] * states[gap + other] - states[gap + place] * states[other])
    return total


@device
def slope(states, at, gap, size, kind, gate, lane, lanes):
    """Return this lane's part of the energy's derivative by the angle of a rotation that is still applied."""
    if kind <= PHASE:
        return _slope_of_rotation(states, at, gap, size, kind, 1 << gate[1], lane, lanes)
    return _slope_of_pair(states, at, gap, size, kind, 1 << gate[1], 1 << gate[2], lane, lanes)


@device
def multiply(states, at, gap, size, flips, reals, imaginaries, is_kept, lane, lanes):
    """Return this lane's part of the expectation value; write the observable times the ket to the bra, if kept."""
    energy = 0.0
    for i in range(lane, size, lanes):
        real, imaginary = 0.0, 0.0
        for k in range(flips.size):
            j = i ^ flips[k]
            dr, di, xr, xi = reals[k, j], imaginaries[k, j], states[at + j], states[gap + at + j]
            real += dr * xr - di * xi
            imaginary += dr * xi + di * xr
        energy += real * states[at + i] + imaginary * states[gap + at + i]
        if is_kept:
            states[at + size + i], states[gap + at + size + i] = real, imaginary
    return energy

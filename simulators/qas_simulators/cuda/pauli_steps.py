"""Pauli vectors on a GPU: the plan of a noisy circuit, and how a group of lanes applies one step of it.

A vector has ``4**n`` real entries, one base-4 digit for each qubit, as in :mod:`qas_simulators.kernels.pauli_vectors`.
A plan is an array of steps: kind, two qubits (the second -1), row of a table, angle (or -1). The steps of qubits are in
the order in which the kernels of the CPU tune angles: what acts on one qubit alone comes before the two-qubit gate that
follows it, and at the end in the order of the qubits.
"""

from __future__ import annotations

from typing import Final

from qas_simulators.cuda.lanes import device
from qas_simulators.kernels.pauli_plan import EXCHANGE2, FIXED1, RX, RY, RZ

MAX_QUBITS: Final = 8
"""Of noisy circuits on a GPU."""
STEPS_PER_GATE: Final = 5
"""Most steps of a gate: a two-qubit rotation is two exchanges and a rotation, and relaxation follows on both qubits."""
COLUMNS: Final = 5
"""Of a plan."""
NOTHING, KEEP, MEET = range(3)
"""What is done with the two digits that a rotation mixes: nothing, keep them, or multiply them by those kept."""


@device
def _emit(plan, place, kind, qubit0, qubit1, row, param):
    plan[place, 0], plan[place, 1], plan[place, 2], plan[place, 3], plan[place, 4] = kind, qubit0, qubit1, row, param
    return place + 1


@device
def _emit_between(plan, place, table, qubit, since, stop, program):
    """Append what acts on one qubit alone from gate ``since`` (or -1) on, whose relaxation is included, to ``stop``."""
    kinds, channels, after = program[0], program[1], program[2]
    if since >= 0:
        row = after[table[since, 0], table[since, 1], table[since, 2] + 1, 1 if table[since, 2] == qubit else 0]
        if row >= 0:
            place = _emit(plan, place, FIXED1, qubit, -1, row, -1)
    for k in range(since + 1, stop):
        if table[k, 1] == qubit and table[k, 2] < 0:
            name = table[k, 0]
            place = _emit(plan, place, kinds[name], qubit, -1, channels[name, qubit, 0], table[k, 3])
    return place


@device
def fill_plan(plan, table, num_gates, num_qubits, last, program):
    """Fill the plan of a circuit, by one lane; return the number of steps. ``last`` is scratch, an entry a qubit."""
    kinds, channels, turns = program[0], program[1], program[3]
    place = 0
    for qubit in range(num_qubits):
        last[qubit] = -1
    for gate in range(num_gates):
        name, qubit0, qubit1 = table[gate, 0], table[gate, 1], table[gate, 2]
        if qubit1 < 0:
            continue
        for qubit in range(num_qubits):  # the lower one first
            if qubit in (qubit0, qubit1):
                place = _emit_between(plan, place, table, qubit, last[qubit], gate, program)
                last[qubit] = gate
        if turns[name, 0] >= 0:
            place = _emit(plan, place, EXCHANGE2, qubit0, qubit1, turns[name, 2], -1)
            turned = qubit1 if turns[name, 0] == 1 else qubit0
            place = _emit(plan, place, turns[name, 1], turned, -1, turns[name, 3], table[gate, 3])
        place = _emit(plan, place, kinds[name], qubit0, qubit1, channels[name, qubit0, qubit1 + 1], -1)
    for qubit in range(num_qubits):
        place = _emit_between(plan, place, table, qubit, last[qubit], num_gates, program)
    return place


@device
def _quad(t, shift):
    """Return the ``t``-th index whose base-4 digit at a bit position is 0."""
    below = (1 << shift) - 1
    return ((t & ~below) << 2) | (t & below)


@device
def _row(blocks, number, row, is_back):
    """Return a row of a block, or of its transpose."""
    if is_back:
        return blocks[number, 0, row], blocks[number, 1, row], blocks[number, 2, row], blocks[number, 3, row]
    return blocks[number, row, 0], blocks[number, row, 1], blocks[number, row, 2], blocks[number, row, 3]


@device
def _dot(row, values):
    return row[0] * values[0] + row[1] * values[1] + row[2] * values[2] + row[3] * values[3]


@device
def _mix(rows, values):
    return _dot(rows[0], values), _dot(rows[1], values), _dot(rows[2], values), _dot(rows[3], values)


@device
def _rotate(values, kind, c, s):
    identity, x, y, z = values
    if kind == RX:
        y, z = c * y - s * z, s * y + c * z
    elif kind == RY:
        z, x = c * z - s * x, s * z + c * x
    elif kind == RZ:
        x, y = c * x - s * y, s * x + c * y
    return identity, x, y, z


@device
def _mixed(values, kind):
    """Return the two digits that a rotation mixes."""
    if kind == RX:
        return values[2], values[3]
    if kind == RY:
        return values[3], values[1]
    return values[1], values[2]


@device
def apply_item(space, step, turned, blocks, is_back, use, crew):
    """Apply a rotation, or a fixed gate, with its noise; or the transpose of both.

    The two digits that the rotation mixes are those before it, or those to which the observable has been pulled back
    through the noise. Lanes keep and read the same entries, so that nobody waits.

    Returns:
        This lane's part of the sinusoid's cosine and sine, if ``use`` is ``MEET``.
    """
    vector, at, size, tape = space
    lane, lanes = crew[2], crew[3]
    kind, shift, row, param = step[0], 2 * step[1], step[3], step[4]
    c, s = turned
    quads, stride = size >> 2, 1 << shift
    if is_back:
        s = -s
    cosine, sine = c - c, c - c
    rows = (
        _row(blocks, row, 0, is_back),
        _row(blocks, row, 1, is_back),
        _row(blocks, row, 2, is_back),
        _row(blocks, row, 3, is_back),
    )
    for t in range(lane, quads, lanes):
        i = at + _quad(t, shift)
        values = vector[i], vector[i + stride], vector[i + 2 * stride], vector[i + 3 * stride]
        if is_back:
            values = _mix(rows, values)
        if use != NOTHING and param >= 0:
            first, second = _mixed(values, kind)
            if use == KEEP:
                tape[param, t], tape[param, quads + t] = first, second
            else:
                left, right = tape[param, t], tape[param, quads + t]
                cosine += first * left + second * right
                sine += second * left - first * right
        values = _rotate(values, kind, c, s)
        if not is_back:
            values = _mix(rows, values)
        vector[i], vector[i + stride], vector[i + 2 * stride], vector[i + 3 * stride] = values
    return cosine, sine


@device
def meet(space, step, zero, crew):
    """Return this lane's part of a rotation's sinusoid, cosine and sine: of the state before it, and what was kept."""
    vector, at, size, tape = space
    lane, lanes = crew[2], crew[3]
    kind, shift, param = step[0], 2 * step[1], step[4]
    quads, stride = size >> 2, 1 << shift
    first_digit, second_digit = (kind + 1) % 3 + 1, (kind + 2) % 3 + 1
    cosine, sine = zero, zero
    for t in range(lane, quads, lanes):
        i = at + _quad(t, shift)
        first, second = vector[i + first_digit * stride], vector[i + second_digit * stride]
        left, right = tape[param, t], tape[param, quads + t]
        cosine += first * left + second * right
        sine += first * right - second * left
    return cosine, sine


@device
def exchange(space, step, places, factors, bits, is_back, crew):
    """Exchange entries of two qubits in pairs, with factors; or the transpose. Others have ``2**bits`` entries."""
    vector, at = space[0], space[1]
    lane, lanes = crew[2], crew[3]
    shift0, shift1, row, way = 2 * step[1], 2 * step[2], step[3], 1 if is_back else 0
    low, high = min(shift0, shift1), max(shift0, shift1)
    for t in range(lane, places[row, 0, 0] << bits, lanes):
        k = t >> bits
        i = at + _quad(_quad(t - (k << bits), low), high)
        p, q = places[row, k + 1, 0], places[row, k + 1, 1]
        left = i + ((p & 3) << shift0) + ((p >> 2) << shift1)
        right = i + ((q & 3) << shift0) + ((q >> 2) << shift1)
        a, b = vector[left], vector[right]
        vector[left], vector[right] = factors[row, way, k, 0] * b, factors[row, way, k, 1] * a


@device
def apply_block(space, step, blocks, values, is_back, crew):
    """Multiply the 16 entries of two qubits by a block, or by its transpose; ``values`` is this lane's memory."""
    vector, at, size = space[0], space[1], space[2]
    lane, lanes = crew[2], crew[3]
    shift0, shift1, row = 2 * step[1], 2 * step[2], step[3]
    low, high = min(shift0, shift1), max(shift0, shift1)
    for t in range(lane, size >> 4, lanes):
        i = at + _quad(_quad(t, low), high)
        for p in range(16):
            values[p] = vector[i + ((p & 3) << shift0) + ((p >> 2) << shift1)]
        for p in range(16):
            total = values[0] - values[0]
            for q in range(16):
                total += (blocks[row, q, p] if is_back else blocks[row, p, q]) * values[q]
            vector[i + ((p & 3) << shift0) + ((p >> 2) << shift1)] = total

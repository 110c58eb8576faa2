"""Pauli-transfer kernels: noisy programs on the Pauli vector ``r_P = Tr(P rho)``, and gradients by the adjoint method.

The vector has one base-4 digit per qubit in the order I, X, Y, Z, qubit 0 least significant. All one-qubit gates and
channels between two two-qubit gates on a qubit are one run: a single 4 x 4 block, one pass over the vector. Two-qubit
gates are signed and damped exchanges of 16 entries, or 16 x 16 blocks. Large vectors are processed in chunks that
stay in the cache for several steps.

Backwards, the observable is pulled back by transposes while the state returns by inverses. Small states, and those
that noise has left without stable inverses, are kept before every run instead. Both meet in one 4 x 4 correlation per
run, from which follow the derivatives of all its angles, and the exact sinusoid of each.
"""

from __future__ import annotations

import math

import numpy as np

from qas_simulators.kernels.compile import inlined, inner
from qas_simulators.kernels.passes import passes
from qas_simulators.kernels.pauli_plan import BACK, CHUNK_LOW, EXCHANGE2, PULL, RUN, RX, RY, RZ, TUNE
from qas_simulators.kernels.pauli_plan import workspace as workspace
from qas_simulators.kernels.tasks import ENERGY, GRADIENT, SCAN
from qas_simulators.kernels.trigonometry import cosines_and_sines


@inner
def _mixed_rows(kind):
    """Return the Pauli digits that a rotation mixes: RX Y and Z, RY Z and X, RZ X and Y."""
    return (kind + 1) % 3 + 1, (kind + 2) % 3 + 1


@inner
def _rotate_rows(block, kind, c, s):
    """Multiply a 4 x 4 block by a rotation from the left."""
    first, second = _mixed_rows(kind)
    for q in range(4):
        a, b = block[first, q], block[second, q]
        block[first, q], block[second, q] = c * a - s * b, s * a + c * b


@inlined
def _fuse(program, work, params, with_derivatives):
    """Multiply every run's gates and noise, ``blocks[run, 0]``, and the transposes of their inverses."""
    items, rotations, blocks, before, blocks1 = work.items, work.rotations, work.blocks, work.before, program.blocks1
    cosines_and_sines(params, 1.0, rotations)
    for inverse in range(2 if with_derivatives and work.has_inverses else 1):
        for run in range(blocks.shape[0]):
            for p in range(4):
                for q in range(4):
                    blocks[run, inverse, p, q] = 1.0 if p == q else 0.0
        for k in range(items.shape[0]):
            kind, row, param, run = items[k, 0], items[k, 1], items[k, 2], items[k, 3]
            block, noise = 32 * run + 16 * inverse, 32 * row + 16 * inverse
            if with_derivatives and inverse == 0:
                passes.copy4(blocks, block, before, 16 * k)
            c, s = (rotations[param, 0], rotations[param, 1]) if kind <= RZ else (1.0, 0.0)
            if kind == RX:
                passes.follow_rx(blocks, block, blocks1, noise, c, s)
            elif kind == RY:
                passes.follow_ry(blocks, block, blocks1, noise, c, s)
            elif kind == RZ:
                passes.follow_rz(blocks, block, blocks1, noise, c, s)
            else:
                passes.follow_fixed(blocks, block, blocks1, noise, c, s)


@inlined
def _exchange(vector, qubit0, qubit1, program, row, way):
    """Damped and signed exchange of the 16 entries of two qubits."""
    places, factors = program.swap_places, program.swap_factors
    pair_places, pair_factors = program.pair_places, program.pair_factors
    inner_masks, inner_factors = program.inner_masks, program.inner_factors
    low, high = min(qubit0, qubit1), max(qubit0, qubit1)
    run, inner_block, outer_block = 1 << 2 * low, 4 << 2 * low, 1 << 2 * high
    which = 0 if low == qubit0 else 1
    if high == 1 and inner_masks[row, which] >= 0:
        offset = 64 * (4 * (2 * row + which) + way)
        if inner_masks[row, which] == 0:
            passes.mix_inner_first(vector, inner_factors, offset)
        elif inner_masks[row, which] == 1:
            passes.mix_inner_second(vector, inner_factors, offset)
        else:
            passes.mix_inner_both(vector, inner_factors, offset)
    elif low < 2 and high >= 2 and pair_places[row, which, 0] == 1:
        for pair in range(2):
            offset = 16 * (2 * (4 * (2 * row + which) + way) + pair)
            first = pair_places[row, which, 1 + 3 * pair] * outer_block
            second = pair_places[row, which, 2 + 3 * pair] * outer_block
            mask = pair_places[row, which, 3 + 3 * pair]
            if low == 0:
                if mask == 0:
                    passes.mix_pair00(vector, pair_factors, offset, first, second, outer_block)
                elif mask == 1:
                    passes.mix_pair01(vector, pair_factors, offset, first, second, outer_block)
                else:
                    passes.mix_pair03(vector, pair_factors, offset, first, second, outer_block)
            elif mask == 0:
                passes.mix_pair10(vector, pair_factors, offset, first, second, outer_block)
            elif mask == 1:
                passes.mix_pair11(vector, pair_factors, offset, first, second, outer_block)
            else:
                passes.mix_pair13(vector, pair_factors, offset, first, second, outer_block)
    else:
        for k in range(places[row, 0, 0]):
            p, q = places[row, k + 1, 0], places[row, k + 1, 1]
            to_p, to_q = factors[row, way, k, 0], factors[row, way, k, 1]
            left = ((p & 3) << 2 * qubit0) + ((p >> 2) << 2 * qubit1)
            right = ((q & 3) << 2 * qubit0) + ((q >> 2) << 2 * qubit1)
            if low == 0:
                passes.exchange_runs1(vector, outer_block, inner_block, run, left, right, to_p, to_q)
            elif low == 1:
                passes.exchange_runs4(vector, outer_block, inner_block, run, left, right, to_p, to_q)
            else:
                passes.exchange_runs16(vector, outer_block, inner_block, run, left, right, to_p, to_q)


@inlined
def _apply(program, work, vector, step, places, is_bra, back):
    """Apply a step to the state forwards or to the observable backwards; the other way round, its inverse."""
    blocks, steps, offsets = work.blocks, work.steps, work.offsets
    kind, row = steps[step, 0], steps[step, 3]
    qubit0 = places[steps[step, 1]]
    inverse = 1 if is_bra != back else 0
    if kind == RUN:
        block = 32 * row + 16 * inverse
        is_unital = True
        for k in range(1, 4):
            is_unital = is_unital and blocks[row, inverse, 0, k] == 0.0 and blocks[row, inverse, k, 0] == 0.0
        if qubit0 == 0:
            passes.mix_lanes0(vector, blocks, block, back)
        elif qubit0 == 1:
            passes.mix_lanes1(vector, blocks, block, back)
        elif is_unital:
            passes.mix_runs_unital(vector, blocks, block, back, 1 << 2 * qubit0)
        else:
            passes.mix_runs(vector, blocks, block, back, 1 << 2 * qubit0)
    else:
        qubit1 = places[steps[step, 2]]
        low, high = min(qubit0, qubit1), max(qubit0, qubit1)
        run, inner_block, outer_block = 1 << 2 * low, 4 << 2 * low, 1 << 2 * high
        if kind == EXCHANGE2:
            _exchange(vector, qubit0, qubit1, program, row, 2 * inverse + (1 if back else 0))
        else:
            for p in range(16):
                offsets[p] = ((p & 3) << 2 * qubit0) + ((p >> 2) << 2 * qubit1)
            plain = 256 * (4 * row + 2 * inverse + (1 if back else 0))
            turned = 256 * (4 * row + 2 * inverse + (0 if back else 1))
            if low < 2:
                passes.mix2_scattered(vector, program.blocks2, turned, offsets, outer_block, inner_block, run)
            else:
                passes.mix2_runs(vector, program.blocks2, plain, offsets, outer_block, inner_block, run)


@inlined
def _correlate(bra, ket, qubit, run, pulls, work):
    """Add to ``pulled[run, p, q]``, ``p > 0``, the products of ``bra`` at digit ``p`` and ``ket`` at digit ``q``.

    Then pull ``bra`` back through a block, in the same pass.
    """
    blocks, pulled, sums = work.blocks, work.pulled, work.sums
    if qubit < 2:
        if qubit == 0:
            passes.correlate_lanes0(bra, ket, sums, blocks, 32 * pulls)
        else:
            passes.correlate_lanes1(bra, ket, sums, blocks, 32 * pulls)
        for m in range(4):
            for k in range(16):
                p = (k >> 2 * qubit) & 3
                pulled[run, p, p ^ m] += sums[16 * m + k]
    else:
        passes.correlate_runs(bra, ket, sums, blocks, 32 * pulls, 1 << 2 * qubit)
        for k in range(12):
            for j in range(8):
                pulled[run, 1 + (k >> 2), k & 3] += sums[8 * k + j]


@inner
def _copy_chunk(vector, chunk, group, number, back):
    """Copy the entries of chunk ``number`` of a group from the vector, or back there.

    ``group[q]`` is the place of qubit ``q`` in the chunk, -1 if ``number`` holds its digit.
    """
    run, base = 1 << 2 * CHUNK_LOW, 0
    digits = number
    for qubit in range(group.size):
        if group[qubit] < 0:
            base += (digits & 3) << 2 * qubit
            digits >>= 2
    for k in range(chunk.size >> 2 * CHUNK_LOW):
        offset = base
        for qubit in range(CHUNK_LOW, group.size):
            if group[qubit] >= 0:
                offset += ((k >> 2 * (group[qubit] - CHUNK_LOW)) & 3) << 2 * qubit
        inside, outside = chunk[k * run : (k + 1) * run], vector[offset : offset + run]
        for i in range(run):
            if back:
                outside[i] = inside[i]
            else:
                inside[i] = outside[i]


@inlined
def _prepare(program, work, with_observable):
    """Fill the state |0...0>, which is 1 on every product of I and Z, and the observable."""
    ket, bra = work.ket, work.bra
    for i in range(ket.size):
        ket[i] = 1.0 if (i ^ (i >> 1)) & 0x5555555555555555 == 0 else 0.0
    if with_observable:
        for i in range(bra.size):
            bra[i] = 0.0
        for k in range(program.indices.size):
            bra[program.indices[k]] += program.coefficients[k]
        for run in range(work.pulled.shape[0]):
            for k in range(16):
                work.pulled[run, k >> 2, k & 3] = 0.0


@inner
def _pull_item(blocks1, items, before, rotations, item, pulled, run):
    """Pull a run's correlation back through one item; return the item's sinusoid, cosine and sine parts."""
    kind, row, param = items[item, 0], items[item, 1], items[item, 2]
    passes.multiply4(blocks1, 32 * row, pulled, 16 * run, kind >= 0)
    cosine, sine = 0.0, 0.0
    if kind <= RZ:
        first, second = _mixed_rows(kind)
        for q in range(4):
            cosine += pulled[run, first, q] * before[item, first, q] + pulled[run, second, q] * before[item, second, q]
            sine += pulled[run, second, q] * before[item, first, q] - pulled[run, first, q] * before[item, second, q]
        _rotate_rows(pulled[run], kind, rotations[param, 0], -rotations[param, 1])
    return cosine, sine


@inner
def _tune_run(blocks1, items, before, rotations, blocks, pulled, partial, params, first, run):
    """Move the angles of one run from index ``first`` on, one after the other, to the minimum of their sinusoids."""
    for tuned in range(items.shape[0]):
        kind, param = items[tuned, 0], items[tuned, 2]
        if items[tuned, 3] != run or kind > RZ or param < first:
            continue
        passes.copy4(pulled, 16 * run, partial, 0)
        cosine, sine = 0.0, 0.0
        for k in range(items.shape[0] - tuned):  # later angles keep their old values until their turn
            item = items.shape[0] - 1 - k
            if items[item, 3] == run:
                cosine, sine = _pull_item(blocks1, items, before, rotations, item, partial, 0)
        if sine * sine + cosine * cosine > 1e-24:
            params[param] = math.atan2(-sine, -cosine)
            rotations[param, 0], rotations[param, 1] = math.cos(params[param]), math.sin(params[param])
        passes.copy4(before, 16 * tuned, blocks, 32 * run)
        for item in range(tuned, items.shape[0]):  # the product before each later item changes
            if items[item, 3] != run:
                continue
            passes.copy4(blocks, 32 * run, before, 16 * item)
            if items[item, 0] <= RZ:
                turn = items[item, 2]
                _rotate_rows(blocks[run, 0], items[item, 0], rotations[turn, 0], rotations[turn, 1])
            passes.multiply4(blocks1, 32 * items[item, 1], blocks, 32 * run, kind < 0)


@inlined
def _meet(program, work, vector, other, is_bra, back, run, places):
    """Correlate the state and the observable where they meet, before a run of gates."""
    left, right = (vector, other) if is_bra else (other, vector)
    pulls = run if back else work.blocks.shape[0] - 1  # the last block is the identity
    _correlate(left, right, places, run, pulls, work)


@inlined
def _tune(program, work, params, first, run):
    """Tune the angles of a run."""
    rows = work.items, work.before, work.rotations, work.blocks
    _tune_run(program.blocks1, *rows, work.pulled, work.partial, params, first, run)


@inlined
def _walk(program, work, way, params, first, begin, end):
    """Go through the steps in positions ``begin`` to ``end`` in one of four ways.

    - ``FORWARD``: the state forwards.
    - ``BACK``: the state and the observable backwards; they meet in ``pulled`` at every run.
    - ``PULL``: the observable backwards.
    - ``TUNE``: the observable forwards again and the state; where they meet, angles from index ``first`` on are tuned.

    The last two need all of the vector at every step. Without stable inverses, ``FORWARD`` keeps what ``BACK`` needs
    and ``PULL`` what ``TUNE`` does. All ways share one loop, because every call of ``_apply`` is compiled again.
    """
    back = way == BACK or way == PULL
    meets = way == BACK or way == TUNE
    is_chunked = way <= BACK and work.chunks.shape[1] > 0
    num_groups = work.starts.size - 1 if is_chunked else 1
    for k in range(num_groups):
        group = num_groups - 1 - k if back else k
        places, ket, bra = work.everywhere, work.ket, work.bra
        if is_chunked:
            places, ket, bra = work.places[group], work.chunks[0], work.chunks[1]
            begin, end = work.starts[group], work.starts[group + 1]
        for number in range(work.ket.size // ket.size):
            if is_chunked:
                _copy_chunk(work.ket, ket, places, number, way < 0)
                if back:
                    _copy_chunk(work.bra, bra, places, number, way < 0)
            for position in range(begin, end):
                step = work.order[begin + end - 1 - position if back else position]
                is_run, run = work.steps[step, 0] == RUN, work.steps[step, 3]
                for part in range(2):  # first the vector that moves by inverses, then the other
                    is_bra = back == (part == 1)
                    vector = bra if is_bra else ket
                    if part == 0 and not (meets and work.has_inverses):
                        continue
                    if part == 1 and is_run:
                        if meets:
                            other = work.tape[run] if not work.has_inverses else ket if is_bra else bra
                            _meet(program, work, vector, other, is_bra, back, run, places[work.steps[step, 1]])
                            if way == BACK:
                                continue
                            if way == TUNE:
                                _tune(program, work, params, first, run)
                        elif work.tape.shape[0] > 0:
                            tape = work.tape[run]
                            for i in range(tape.size):
                                tape[i] = vector[i]
                    _apply(program, work, vector, step, places, is_bra, back)
            if is_chunked:
                _copy_chunk(work.ket, ket, places, number, way >= 0)
                if back:
                    _copy_chunk(work.bra, bra, places, number, way >= 0)


@inlined
def _fill_gradient(program, work, gradient):
    """Differentiate every run's block by its angles, last item first."""
    items, rotations = work.items, work.rotations
    for k in range(items.shape[0]):
        item = items.shape[0] - 1 - k
        param = items[item, 2]
        cosine, sine = _pull_item(program.blocks1, items, work.before, rotations, item, work.pulled, items[item, 3])
        if param >= 0:
            gradient[param] = rotations[param, 0] * sine - rotations[param, 1] * cosine


@inner
def _is_tuned(items, steps, step, first):
    """Return whether a step has an angle from index ``first`` on."""
    for k in range(items.shape[0]):
        if items[k, 0] <= RZ and items[k, 2] >= first and items[k, 3] == steps[step, 3]:
            return steps[step, 0] == RUN
    return False


@inner
def _expectation(indices, coefficients, vector):
    s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0  # four chains of additions, because an addition waits for the one before
    whole = indices.size & ~3
    for k in range(0, whole, 4):
        s0 += coefficients[k] * vector[indices[k]]
        s1 += coefficients[k + 1] * vector[indices[k + 1]]
        s2 += coefficients[k + 2] * vector[indices[k + 2]]
        s3 += coefficients[k + 3] * vector[indices[k + 3]]
    for k in range(whole, indices.size):
        s0 += coefficients[k] * vector[indices[k]]
    return (s0 + s1) + (s2 + s3)


def evaluate(program, params, gradient, task, first, work):
    """Do one task with one set of angles.

    - ``ENERGY``: return Tr(H rho), by one walk forwards with the state.
    - ``GRADIENT``: return it and fill ``gradient``, one entry per angle, by one walk backwards with the observable.
    - ``SCAN``: move the angles from index ``first`` on to the exact minima of their sinusoids, in place, in the order
      of the steps. The state walks forwards while the observable, pulled back once, returns: all angles for about the
      cost of a gradient. The value returned has no meaning.

    One function for all tasks, because ``_walk`` is compiled into every caller.
    """
    is_scan, with_bra = task == SCAN, task != ENERGY
    _fuse(program, work, params, with_bra)
    _prepare(program, work, with_bra)
    begin, end = np.int64(0), work.order.size
    while is_scan and begin < end and not _is_tuned(work.items, work.steps, work.order[begin], first):
        begin += 1
    value = 0.0
    for part in range(3 if is_scan else 2 if with_bra else 1):
        way = part + 1 if is_scan and part > 0 else part
        start, stop = (0, begin if is_scan else end) if part == 0 else (begin, end)
        _walk(program, work, way, params, first, start, stop)
        if part == 0:
            value = _expectation(program.indices, program.coefficients, work.ket)
    if task == GRADIENT:
        _fill_gradient(program, work, gradient)
    return value

"""Pauli-transfer kernels: noisy programs on the Pauli vector ``r_P = Tr(P rho)``, and gradients by the adjoint method.

The vector has one base-4 digit per qubit in the order I, X, Y, Z, qubit 0 least significant. All one-qubit gates and
channels between two two-qubit gates on a qubit are one run: a single 4 x 4 block, one pass over the vector. Two-qubit
gates are signed and damped exchanges of 16 entries, or 16 x 16 blocks. Large vectors are worked on in chunks that stay
in the cache for several steps.

Backwards, the observable is pulled back by transposes while the state returns by inverses. Small states, and those
that noise has left without stable inverses, are kept before every run instead. Both meet in one 4 x 4 correlation per
run, from which follow the derivatives of all its angles, and the exact sinusoid of each.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qas_simulators.kernels import lanes
from qas_simulators.kernels.compile import inlined, inner
from qas_simulators.kernels.trigonometry import cosines_and_sines

RX, RY, RZ, FIXED1, EXCHANGE2, BLOCK2, RUN = range(7)
FORWARD, BACK, PULL, TUNE = range(4)  # ways through the steps
CHUNK = 8  # qubits of a chunk
CHUNK_LOW = 4  # of these, the lowest of the register: contiguous runs of 2 KiB
MAX_GROWTH = math.log(1e4)  # of rounding errors by inverses
SMALL_TAPE = 1 << 17  # entries: up to so many, keeping states takes less time than inverses


class PauliTransferProgram(NamedTuple):
    """Everything the kernels need to know of a circuit, its noise and an observable."""

    table: NDArray[np.int32]  # (num_gates, 4)
    kinds: NDArray[np.int64]  # (gate table,)
    channels: NDArray[np.int64]  # (gate table, n, n + 1): row in one of the arrays below, by gate, qubit0, qubit1 + 1
    after: NDArray[np.int64]  # (gate table, n, n + 1, 2): rows of blocks1 that follow a two-qubit gate, or -1
    blocks1: NDArray[np.float64]  # (rows, 2, 4, 4): one-qubit gate and noise (rotations: noise); inverse, transposed
    swap_places: NDArray[np.int64]  # (rows, 17, 2): two-qubit gates that exchange entries; see ``program.Swaps``
    swap_factors: NDArray[np.float64]  # (rows, 4, 16, 2)
    pair_places: NDArray[np.int64]  # (rows, 2, 7)
    pair_factors: NDArray[np.float64]  # (rows, 2, 4, 2, 16)
    inner_masks: NDArray[np.int64]  # (rows, 2)
    inner_factors: NDArray[np.float64]  # (rows, 2, 4, 4, 16)
    blocks2: NDArray[np.float64]  # (rows, 2, 2, 16, 16): gate and noise or inverse, transposed; each also transposed
    growth1: NDArray[np.float64]  # (rows,): logarithm of the norm of the inverse
    growth2: NDArray[np.float64]  # (rows,)
    indices: NDArray[np.int64]  # (terms,) of the observable
    coefficients: NDArray[np.float64]  # (terms,)


class Workspace(NamedTuple):
    """The plan of a program, and scratch memory that all its evaluations reuse.

    Items are one-qubit gates and channels in the order of the circuit, steps runs of them and two-qubit gates. The
    steps ``order[starts[g]:starts[g + 1]]`` make group ``g``, done chunk by chunk: qubit ``q`` is number
    ``places[g, q]`` of the chunk, or -1 if it is not there.
    """

    items: NDArray[np.int64]  # (num_items, 4): kind, row of blocks1, parameter, run
    steps: NDArray[np.int64]  # (num_steps, 4): kind, qubit0, qubit1, row or run
    order: NDArray[np.int64]  # (num_steps,)
    starts: NDArray[np.int64]  # (num_groups + 1,)
    places: NDArray[np.int64]  # (num_groups, n)
    has_inverses: bool  # steps are undone by inverses; else states are kept on the tape
    ket: NDArray[np.float64]  # (4**n,): the state
    bra: NDArray[np.float64]  # (4**n,): the observable
    chunks: NDArray[np.float64]  # (2, 4**CHUNK) or empty
    tape: NDArray[np.float64]  # (num_runs, 4**n) or empty
    blocks: NDArray[np.float64]  # (num_runs + 1, 2, 4, 4): every run, and the transpose of its inverse; last 1
    before: NDArray[np.float64]  # (num_items, 4, 4): product of the items before this one in its run
    pulled: NDArray[np.float64]  # (num_runs, 4, 4): correlation of bra after and ket before a run
    rotations: NDArray[np.float64]  # (num_params, 2): cosine, sine
    everywhere: NDArray[np.int64]  # (n,): places of the qubits in the whole vector
    offsets: NDArray[np.int64]  # (16,)
    sums: NDArray[np.float64]  # (96,)
    partial: NDArray[np.float64]  # (1, 4, 4)


@inner
def _plan(program, items, steps, open_runs):
    """Fill ``items`` and ``steps``; return how many runs and steps there are and how much inverses amplify errors."""
    table, kinds, channels, after = program.table, program.kinds, program.channels, program.after
    num_qubits = channels.shape[1]
    for qubit in range(num_qubits):
        open_runs[qubit] = -1
    num_items, num_runs, num_steps, growth = 0, 0, 0, 0.0
    for gate in range(table.shape[0] + 1):
        name, qubit0, qubit1, kind, row = 0, 0, 0, RUN, 0
        if gate < table.shape[0]:
            name, qubit0, qubit1 = table[gate, 0], table[gate, 1], table[gate, 2]
            kind, row = kinds[name], channels[name, qubit0, qubit1 + 1]
        is_two_qubit = kind == EXCHANGE2 or kind == BLOCK2
        if kind > FIXED1:  # a two-qubit gate ends the runs on its qubits, the end of the circuit all
            for qubit in range(num_qubits):
                run = open_runs[qubit]
                if run >= 0 and (kind == RUN or qubit == qubit0 or qubit == qubit1):
                    steps[num_steps, 0], steps[num_steps, 1] = RUN, qubit
                    steps[num_steps, 2], steps[num_steps, 3] = -1, run
                    open_runs[qubit] = -1
                    num_steps += 1
        if is_two_qubit:
            steps[num_steps, 0], steps[num_steps, 1] = kind, qubit0
            steps[num_steps, 2], steps[num_steps, 3] = qubit1, row
            num_steps += 1
            growth += program.growth2[row]
        for k in range(0 if kind == RUN else 2 if is_two_qubit else 1):
            own = after[name, qubit0, qubit1 + 1, k] if is_two_qubit else row
            if own < 0:
                continue
            qubit = qubit1 if k == 1 else qubit0
            if open_runs[qubit] < 0:
                open_runs[qubit] = num_runs
                num_runs += 1
            items[num_items, 0], items[num_items, 1] = min(kind, FIXED1), own
            items[num_items, 2], items[num_items, 3] = table[gate, 3], open_runs[qubit]
            num_items += 1
            growth += program.growth1[own]
    return num_items, num_runs, num_steps, growth


@inner
def _group(steps, num_qubits, is_chunked, order, starts, places, is_done, is_blocked):
    """Order the steps in groups on ``CHUNK`` qubits each, always the lowest ones; return how many groups."""
    largest = CHUNK if is_chunked else num_qubits
    num_steps = steps.shape[0]
    num_groups, done = 0, 0
    for step in range(num_steps):
        is_done[step] = 0
    while done < num_steps or num_groups == 0:
        starts[num_groups] = done
        size = CHUNK_LOW if is_chunked else num_qubits
        for qubit in range(num_qubits):
            places[num_groups, qubit] = qubit if qubit < size else -1
            is_blocked[qubit] = 0
        for step in range(num_steps):
            if is_done[step]:
                continue
            qubit0, qubit1 = steps[step, 1], steps[step, 2]
            second = qubit1 if qubit1 >= 0 else qubit0
            needed = (places[num_groups, qubit0] < 0) + (qubit1 >= 0 and places[num_groups, second] < 0)
            if is_blocked[qubit0] or is_blocked[second] or size + needed > largest:
                is_blocked[qubit0] = is_blocked[second] = 1  # later steps on these qubits must wait
                continue
            for qubit in (qubit0, second):
                if places[num_groups, qubit] < 0:
                    places[num_groups, qubit] = size
                    size += 1
            order[done] = step
            is_done[step] = 1
            done += 1
        for qubit in range(num_qubits):  # idle ones fill the chunk
            if places[num_groups, qubit] < 0 and size < largest:
                places[num_groups, qubit] = size
                size += 1
        num_groups += 1
    starts[num_groups] = done
    return num_groups


def workspace(program, num_params, memory):
    """Return the plan of a program with ``num_params`` angles, and its arrays.

    ``memory`` has ``4**n`` entries, or twice as many for gradients and scans.
    """
    num_qubits = program.channels.shape[1]
    everywhere = np.empty(num_qubits, np.int64)
    items = np.empty((2 * program.table.shape[0], 4), np.int64)
    steps = np.empty((3 * program.table.shape[0] + num_qubits, 4), np.int64)
    num_items, num_runs, num_steps, growth = _plan(program, items, steps, everywhere)
    size = 1 << 2 * num_qubits
    has_inverses = growth <= MAX_GROWTH and num_runs * size > SMALL_TAPE
    num_tape = 0 if has_inverses or memory.size < 2 * size else num_runs
    is_chunked = num_qubits > CHUNK and num_tape == 0
    chunk = 1 << 2 * CHUNK if is_chunked else 0
    order, starts = np.empty(num_steps, np.int64), np.empty(num_steps + 2, np.int64)
    places = np.empty((num_steps + 1, num_qubits), np.int64)
    num_groups = _group(
        steps[:num_steps], num_qubits, is_chunked, order, starts, places, np.empty(num_steps, np.int64), everywhere
    )
    for qubit in range(num_qubits):
        everywhere[qubit] = qubit
    return Workspace(
        items[:num_items],
        steps[:num_steps],
        order,
        starts[: num_groups + 1],
        places,
        has_inverses,
        memory[:size],
        memory[size : 2 * size],
        np.empty((2, chunk)),
        np.empty((num_tape, size)),
        np.empty((num_runs + 1, 2, 4, 4)),
        np.empty((num_items, 4, 4)),
        np.empty((num_runs, 4, 4)),
        np.empty((num_params, 2)),
        everywhere,
        np.empty(16, np.int64),
        np.empty(96),
        np.empty((1, 4, 4)),
    )


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
                lanes.copy4(blocks, block, before, 16 * k)
            c, s = (rotations[param, 0], rotations[param, 1]) if kind <= RZ else (1.0, 0.0)
            if kind == RX:
                lanes.follow_rx(blocks, block, blocks1, noise, c, s)
            elif kind == RY:
                lanes.follow_ry(blocks, block, blocks1, noise, c, s)
            elif kind == RZ:
                lanes.follow_rz(blocks, block, blocks1, noise, c, s)
            else:
                lanes.follow_fixed(blocks, block, blocks1, noise, c, s)


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
            lanes.mix_inner_first(vector, inner_factors, offset)
        elif inner_masks[row, which] == 1:
            lanes.mix_inner_second(vector, inner_factors, offset)
        else:
            lanes.mix_inner_both(vector, inner_factors, offset)
    elif low < 2 and high >= 2 and pair_places[row, which, 0] == 1:
        for pair in range(2):
            offset = 16 * (2 * (4 * (2 * row + which) + way) + pair)
            first = pair_places[row, which, 1 + 3 * pair] * outer_block
            second = pair_places[row, which, 2 + 3 * pair] * outer_block
            mask = pair_places[row, which, 3 + 3 * pair]
            if low == 0:
                if mask == 0:
                    lanes.mix_pair00(vector, pair_factors, offset, first, second, outer_block)
                elif mask == 1:
                    lanes.mix_pair01(vector, pair_factors, offset, first, second, outer_block)
                else:
                    lanes.mix_pair03(vector, pair_factors, offset, first, second, outer_block)
            elif mask == 0:
                lanes.mix_pair10(vector, pair_factors, offset, first, second, outer_block)
            elif mask == 1:
                lanes.mix_pair11(vector, pair_factors, offset, first, second, outer_block)
            else:
                lanes.mix_pair13(vector, pair_factors, offset, first, second, outer_block)
    else:
        for k in range(places[row, 0, 0]):
            p, q = places[row, k + 1, 0], places[row, k + 1, 1]
            to_p, to_q = factors[row, way, k, 0], factors[row, way, k, 1]
            left = ((p & 3) << 2 * qubit0) + ((p >> 2) << 2 * qubit1)
            right = ((q & 3) << 2 * qubit0) + ((q >> 2) << 2 * qubit1)
            if low == 0:
                lanes.exchange_runs1(vector, outer_block, inner_block, run, left, right, to_p, to_q)
            elif low == 1:
                lanes.exchange_runs4(vector, outer_block, inner_block, run, left, right, to_p, to_q)
            else:
                lanes.exchange_runs16(vector, outer_block, inner_block, run, left, right, to_p, to_q)


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
            lanes.mix_lanes0(vector, blocks, block, back)
        elif qubit0 == 1:
            lanes.mix_lanes1(vector, blocks, block, back)
        elif is_unital:
            lanes.mix_runs_unital(vector, blocks, block, back, 1 << 2 * qubit0)
        else:
            lanes.mix_runs(vector, blocks, block, back, 1 << 2 * qubit0)
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
                lanes.mix2_scattered(vector, program.blocks2, turned, offsets, outer_block, inner_block, run)
            else:
                lanes.mix2_runs(vector, program.blocks2, plain, offsets, outer_block, inner_block, run)


@inlined
def _correlate(bra, ket, qubit, run, pulls, work):
    """Add to ``pulled[run, p, q]``, ``p > 0``, the products of ``bra`` at digit ``p`` and ``ket`` at digit ``q``.

    Then pull ``bra`` back through a block, in the same pass.
    """
    blocks, pulled, sums = work.blocks, work.pulled, work.sums
    if qubit < 2:
        if qubit == 0:
            lanes.correlate_lanes0(bra, ket, sums, blocks, 32 * pulls)
        else:
            lanes.correlate_lanes1(bra, ket, sums, blocks, 32 * pulls)
        for m in range(4):
            for k in range(16):
                p = (k >> 2 * qubit) & 3
                pulled[run, p, p ^ m] += sums[16 * m + k]
    else:
        lanes.correlate_runs(bra, ket, sums, blocks, 32 * pulls, 1 << 2 * qubit)
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
    """Make the state |0...0>, 1 on every product of I and Z, and the observable."""
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
    lanes.multiply4(blocks1, 32 * row, pulled, 16 * run, kind >= 0)
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
        lanes.copy4(pulled, 16 * run, partial, 0)
        cosine, sine = 0.0, 0.0
        for k in range(items.shape[0] - tuned):  # the later angles still have their old values
            item = items.shape[0] - 1 - k
            if items[item, 3] == run:
                cosine, sine = _pull_item(blocks1, items, before, rotations, item, partial, 0)
        if sine * sine + cosine * cosine > 1e-24:
            params[param] = math.atan2(-sine, -cosine)
            rotations[param, 0], rotations[param, 1] = math.cos(params[param]), math.sin(params[param])
        lanes.copy4(before, 16 * tuned, blocks, 32 * run)
        for item in range(tuned, items.shape[0]):  # what comes before each later item changes
            if items[item, 3] != run:
                continue
            lanes.copy4(blocks, 32 * run, before, 16 * item)
            if items[item, 0] <= RZ:
                turn = items[item, 2]
                _rotate_rows(blocks[run, 0], items[item, 0], rotations[turn, 0], rotations[turn, 1])
            lanes.multiply4(blocks1, 32 * items[item, 1], blocks, 32 * run, kind < 0)


@inlined
def _walk(program, work, way, params, first, begin, end):
    """Go through the steps in positions ``begin`` to ``end`` in one of four ways.

    - ``FORWARD``: the state forwards.
    - ``BACK``: the state and the observable backwards; they meet in ``pulled`` at every run.
    - ``PULL``: the observable backwards.
    - ``TUNE``: the observable forwards again and the state; where they meet, angles from index ``first`` on are tuned.

    The last two need all of the vector at every step. Without stable inverses, ``FORWARD`` keeps what ``BACK`` needs
    and ``PULL`` what ``TUNE`` does. All ways in one loop, because every call of ``_apply`` is compiled anew.
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
                for part in range(2):  # what comes to meet the other, by an inverse; then the other
                    is_bra = back == (part == 1)
                    vector = bra if is_bra else ket
                    if part == 0 and not (meets and work.has_inverses):
                        continue
                    if part == 1 and is_run:
                        if meets:
                            other = work.tape[run] if not work.has_inverses else ket if is_bra else bra
                            left, right = (vector, other) if is_bra else (other, vector)
                            pulls = run if back else work.blocks.shape[0] - 1  # a block that is never anything but 1
                            _correlate(left, right, places[work.steps[step, 1]], run, pulls, work)
                            if way == BACK:
                                continue
                            if way == TUNE:
                                _tune_run(
                                    program.blocks1,
                                    work.items,
                                    work.before,
                                    work.rotations,
                                    work.blocks,
                                    work.pulled,
                                    work.partial,
                                    params,
                                    first,
                                    run,
                                )
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
    """Tell whether a step has an angle from index ``first`` on."""
    for k in range(items.shape[0]):
        if items[k, 0] <= RZ and items[k, 2] >= first and items[k, 3] == steps[step, 3]:
            return steps[step, 0] == RUN
    return False


@inner
def _expectation(indices, coefficients, vector):
    s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0  # four chains of additions, because each waits for the one before
    whole = indices.size & ~3
    for k in range(0, whole, 4):
        s0 += coefficients[k] * vector[indices[k]]
        s1 += coefficients[k + 1] * vector[indices[k + 1]]
        s2 += coefficients[k + 2] * vector[indices[k + 2]]
        s3 += coefficients[k + 3] * vector[indices[k + 3]]
    for k in range(whole, indices.size):
        s0 += coefficients[k] * vector[indices[k]]
    return (s0 + s1) + (s2 + s3)


def evaluate(program, params, gradient, first, work):
    """Return Tr(H rho); fill ``gradient`` if it has one entry per angle and not none.

    Once forwards with the state; if there is memory for it, once backwards with the observable. If there are angles
    from index ``first`` on, no energy is wanted: they are moved to the exact minima of their sinusoids instead, one
    after the other, in the order of the steps. The state comes forwards as the observable, pulled back once, returns:
    all angles for about the cost of a gradient. One function for both, because ``_walk`` is compiled into every caller.
    """
    is_scan = first < params.size
    with_bra = work.bra.size > 0
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
    if gradient.size > 0:
        _fill_gradient(program, work, gradient)
    return value

"""Plans of Pauli-transfer programs: runs of one-qubit gates, steps, and groups of steps done chunk by chunk."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qas_simulators.kernels.compile import inner

RX, RY, RZ, FIXED1, EXCHANGE2, BLOCK2, RUN = range(7)
FORWARD, BACK, PULL, TUNE = range(4)  # ways through the steps
CHUNK = 8  # qubits of a chunk
CHUNK_LOW = 4  # of these, the lowest of the register: contiguous runs of 2 KiB
MAX_GROWTH = math.log(1e4)  # of rounding errors by inverses
SMALL_TAPE = 1 << 17  # entries; up to this number, keeping states takes less time than inverses


class PauliTransferProgram(NamedTuple):
    """A circuit, its noise and an observable, as the kernels read them."""

    table: NDArray[np.int32]  # (num_gates, 4)
    kinds: NDArray[np.int64]  # (gate table,)
    channels: NDArray[np.int64]  # (gate table, n, n + 1): row in one of the arrays below, by gate, qubit0, qubit1 + 1
    after: NDArray[np.int64]  # (gate table, n, n + 1, 2): rows of blocks1 that follow a two-qubit gate, or -1
    turns: NDArray[np.int64]  # (gate table, 4): how a two-qubit rotation is done; see ``noise_tables.NoiseTables``
    blocks1: NDArray[np.float64]  # (rows, 2, 4, 4): one-qubit gate and noise (rotations: noise); inverse, transposed
    swap_places: NDArray[np.int64]  # (rows, 17, 2): two-qubit gates that exchange entries; see ``noise_tables.Swaps``
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


class PauliTransferWorkspace(NamedTuple):
    """The plan of a program, and scratch memory that all its evaluations reuse.

    Items are one-qubit gates and channels in the order of the circuit, steps are runs of items and two-qubit gates. The
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
    """Fill ``items`` and ``steps``; return their numbers, that of runs, and how much inverses amplify errors."""
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
        is_turn = kind != RUN and program.turns[name, 0] >= 0
        is_two_qubit = kind == EXCHANGE2 or kind == BLOCK2
        if kind > FIXED1:  # a two-qubit gate ends the runs on its qubits, the end of the circuit all
            for qubit in range(num_qubits):
                run = open_runs[qubit]
                if run >= 0 and (kind == RUN or qubit == qubit0 or qubit == qubit1):
                    steps[num_steps, 0], steps[num_steps, 1] = RUN, qubit
                    steps[num_steps, 2], steps[num_steps, 3] = -1, run
                    open_runs[qubit] = -1
                    num_steps += 1
        if is_turn:  # an exchange, a rotation of one of the qubits, then the exchange again, with the noise
            steps[num_steps, 0], steps[num_steps, 1] = EXCHANGE2, qubit0
            steps[num_steps, 2], steps[num_steps, 3] = qubit1, program.turns[name, 2]
            items[num_items, 0], items[num_items, 1] = program.turns[name, 1], program.turns[name, 3]
            items[num_items, 2], items[num_items, 3] = table[gate, 3], num_runs
            steps[num_steps + 1, 0], steps[num_steps + 1, 1] = RUN, qubit1 if program.turns[name, 0] == 1 else qubit0
            steps[num_steps + 1, 2], steps[num_steps + 1, 3] = -1, num_runs
            num_items, num_runs, num_steps = num_items + 1, num_runs + 1, num_steps + 2
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
            items[num_items, 2], items[num_items, 3] = -1 if is_two_qubit else table[gate, 3], open_runs[qubit]
            num_items += 1
            growth += program.growth1[own]
    return num_items, num_runs, num_steps, growth


@inner
def _group(steps, num_qubits, is_chunked, order, starts, places, is_done, is_blocked):
    """Order the steps in groups on ``CHUNK`` qubits each, always the lowest ones; return the number of groups."""
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
    items = np.empty((3 * program.table.shape[0], 4), np.int64)
    steps = np.empty((5 * program.table.shape[0] + num_qubits, 4), np.int64)
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
    return PauliTransferWorkspace(
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

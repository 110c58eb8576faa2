"""The kernel that does a task for many circuits on a GPU: energies, gradients, scans and whole minimisations.

It is the algorithm of :mod:`qas_simulators.kernels.entries`, one group of lanes for each circuit. Circuits may have
different gates and numbers of angles; a group that has finished a circuit claims the next one.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from numba import float32, float64, int64

from qas_simulators.cuda.descent import minimization_of
from qas_simulators.cuda.lanes import cuda, device, group_of, kernel
from qas_simulators.cuda.walks import evaluation_of, scan_of
from qas_simulators.kernels.tasks import GRADIENT, MINIMIZE, SCAN

MOST_GROUPS: Final = 32
"""Most groups of a block."""


def _task_of(task: int, lanes: int, real: Any) -> Any:
    """Return the device function that does a task for the ``k``-th circuit."""
    if task == SCAN:
        scan = scan_of(lanes, real)

        @device
        def scanned(k, space, circuit, program, params, number, arrays, settings, group, scratch, crew):
            _, _, sizes, counts, _ = arrays
            first = sizes[k, 2]
            if first < circuit[2]:
                scan(space, circuit, program, params, number, first, scratch, crew)
            if crew[2] == 0:
                counts[k, 0] = 3 * max(0, circuit[2] - first)

        return scanned
    if task == MINIMIZE:
        minimize = minimization_of(lanes, real)

        @device
        def minimized(k, space, circuit, program, params, number, arrays, settings, group, scratch, crew):
            _, energies, _, counts, trials = arrays
            value, evaluations = minimize(
                space, circuit, program, params, number, settings, trials, group, scratch, crew
            )
            if crew[2] == 0:
                energies[number] = value
                counts[k, 0], counts[k, 1] = counts[k, 0] + evaluations, evaluations

        return minimized
    evaluate = evaluation_of(lanes, real)

    @device
    def evaluated(k, space, circuit, program, params, number, arrays, settings, group, scratch, crew):
        gradients, energies, _, _, _ = arrays
        gradient = gradients[number if task == GRADIENT else 0]
        value = evaluate(space, circuit, program, params, number, gradient, 0, task == GRADIENT, scratch, crew)
        if crew[2] == 0:
            energies[number] = value

    return evaluated


@cache
def solver(task: int, lanes: int, is_shared: bool, is_single: bool) -> Any:
    """Return the kernel of a task; ``SCAN`` leaves the energies alone, and ``MINIMIZE`` does not scan.

    Args:
        task: As in :mod:`qas_simulators.kernels.tasks`. Every task has a kernel of its own, which is compiled sooner
            and leaves more registers to each lane.
        lanes: Of a group; a power of two.
        is_shared: Whether states are in the block's shared memory; otherwise they are in global memory.
        is_single: Whether numbers have 32 bits instead of 64.
    """
    real = float32 if is_single else float64
    wait, do = group_of(lanes).wait, _task_of(task, lanes, real)

    @kernel
    def solve(
        tables, program, params, gradients, energies, rows, sizes, counts, settings, memory, scratches, trials, cursor
    ):
        claimed = cuda.shared.array(MOST_GROUPS, int64)
        fast = cuda.shared.array(0, real)
        size = program[4].shape[1]
        place, lane = cuda.threadIdx.x // lanes, cuda.threadIdx.x % lanes
        groups = cuda.blockDim.x // lanes
        group = cuda.blockIdx.x * groups + place
        mask = -1 if lanes >= 32 else ((1 << lanes) - 1) << (cuda.threadIdx.x % 32 // lanes * lanes)
        crew = fast, place * lanes, lane, lanes, mask
        space = fast, groups * lanes + place * 4 * size, size
        if not is_shared:
            space = memory, group * 4 * size, size
        arrays = gradients, energies, sizes, counts, trials
        while True:
            wait(mask)
            if lane == 0:
                claimed[place] = cuda.atomic.add(cursor, 0, 1)
            wait(mask)
            k = claimed[place]
            if k >= rows.size:
                break
            number = rows[k]
            circuit = tables[number], sizes[k, 0], sizes[k, 1]
            do(k, space, circuit, program, params, number, arrays, settings, group, scratches[group], crew)

    return solve

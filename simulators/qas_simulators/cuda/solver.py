"""The kernel that does a task for many circuits on a GPU: energies, gradients, scans and whole minimisations.

It is the algorithm of :mod:`qas_simulators.kernels.entries`, one group of lanes for each circuit. Circuits may have
different gates and numbers of angles; a group that has finished a circuit claims the next one.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any, Final

from numba import float32, float64, int64

from qas_simulators.cuda import pauli_walks, walks
from qas_simulators.cuda.descent import minimization_of
from qas_simulators.cuda.lanes import cuda, device, group_of, kernel
from qas_simulators.kernels.tasks import GRADIENT, MINIMIZE, SCAN

MOST_GROUPS: Final = 32
"""Most groups of a block."""


PURE: Final = 4
"""Vectors of a pure state and of the bra: real and imaginary parts. A mixed state has one."""


def _task_of(task: int, lanes: int, real: Any, walked: ModuleType) -> Any:
    """Return the device function that does a task for the ``k``-th circuit."""
    if task == SCAN:
        scan = walked.scan_of(lanes, real)

        @device
        def scanned(k, space, circuit, program, params, number, arrays, settings, group, scratch, crew):
            _, _, sizes, counts, _ = arrays
            first = sizes[k, 2]
            if first < circuit[2]:
                scan(space, circuit, program, params, number, first, scratch, crew)
            if crew[2] == 0:
                counts[k, 0] = 3 * max(0, circuit[2] - first)

        return scanned
    evaluate = walked.evaluation_of(lanes, real)
    if task == MINIMIZE:
        minimize = minimization_of(lanes, real, evaluate)

        @device
        def minimized(k, space, circuit, program, params, number, arrays, settings, group, scratch, crew):
            _, energies, _, counts, trials = arrays
            value, evaluations = minimize(
                space, circuit, program, params, number, settings, trials, group, scratch, crew
            )
            if crew[2] == 0:
                energies[number] = value
                counts[k, 0] += evaluations
                counts[k, 1] = evaluations if circuit[2] > 0 else 0

        return minimized

    @device
    def evaluated(k, space, circuit, program, params, number, arrays, settings, group, scratch, crew):
        gradients, energies, _, _, _ = arrays
        gradient = gradients[number if task == GRADIENT else 0]
        value = evaluate(space, circuit, program, params, number, gradient, 0, task == GRADIENT, scratch, crew)
        if crew[2] == 0:
            energies[number] = value

    return evaluated


@cache
def solver(task: int, lanes: int, is_shared: bool, is_single: bool, is_noisy: bool = False) -> Any:
    """Return the kernel of a task; ``SCAN`` leaves the energies alone, and ``MINIMIZE`` does not scan.

    Args:
        task: As in :mod:`qas_simulators.kernels.tasks`. Every task has a kernel of its own, which is compiled sooner
            and leaves more registers to each lane.
        lanes: Of a group; a power of two.
        is_shared: Whether states are in the block's shared memory; otherwise they are in global memory.
        is_single: Whether numbers have 32 bits instead of 64.
        is_noisy: Whether states are mixed.
    """
    real = float32 if is_single else float64
    walked = pauli_walks if is_noisy else walks
    wait, plan_circuit = group_of(lanes).wait, walked.planning_of(lanes, real)
    do, vectors = _task_of(task, lanes, real, walked), 1 if is_noisy else PURE

    @kernel
    def solve(
        tables,
        program,
        size,
        params,
        gradients,
        energies,
        rows,
        sizes,
        counts,
        settings,
        memory,
        tapes,
        plans,
        scratches,
        trials,
        cursor,
    ):
        claimed = cuda.shared.array(MOST_GROUPS, int64)
        fast = cuda.shared.array(0, real)
        place, lane = cuda.threadIdx.x // lanes, cuda.threadIdx.x % lanes
        groups = cuda.blockDim.x // lanes
        group = cuda.blockIdx.x * groups + place
        mask = -1 if lanes >= 32 else ((1 << lanes) - 1) << (cuda.threadIdx.x % 32 // lanes * lanes)
        crew = fast, place * lanes, lane, lanes, mask
        space = fast, groups * lanes + place * vectors * size, size, tapes[group]
        if not is_shared:
            space = memory, group * vectors * size, size, tapes[group]
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
            circuit = plan_circuit(tables[number], sizes[k, 0], sizes[k, 1], program, plans[group], crew)
            do(k, space, circuit, program, params, number, arrays, settings, group, scratches[group], crew)

    return solve

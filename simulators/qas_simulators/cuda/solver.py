"""The kernel that does a task for many circuits on a GPU: energies, gradients, scans and whole minimisations.

It is the algorithm of :mod:`qas_simulators.kernels.entries`, one group of lanes for each circuit. Circuits may have
different gates and numbers of angles; a group that has finished a circuit claims the next one.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, Final

from numba import float32, float64, int64

from qas_simulators.cuda.lanes import cuda, device, group_of, kernel
from qas_simulators.cuda.states import states_of
from qas_simulators.kernels.entries import ARMIJO, MAX_BACKTRACKS, MAX_STEP, MEMORY
from qas_simulators.kernels.tasks import GRADIENT, MINIMIZE, RZZ, SCAN

VECTORS: Final = 5 + 2 * MEMORY
"""Vectors of a group's scratch memory, each as long as a circuit has angles; two numbers for each kept pair follow."""

MOST_GROUPS: Final = 32
"""Most groups of a block."""


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
    wait, total, largest = group_of(lanes)
    prepare, apply, slope, multiply = states_of(lanes)
    real = float32 if is_single else float64

    @device
    def turn(params, number, scratch, size, lane):
        """Fill cosines and sines of half the angles, the first two vectors of the scratch memory."""
        for k in range(lane, size, lanes):
            scratch[k], scratch[size + k] = math.cos(0.5 * params[number, k]), math.sin(0.5 * params[number, k])

    @device
    def walk(space, at, count, circuit, first, stop, is_back, program, scratch, gradient, begin, crew):
        """Apply gates ``first`` to ``stop`` to ``count`` amplitudes; or undo them and fill the gradient."""
        states, _, size = space
        table, _, num_params = circuit
        fast, base, lane, mask = crew
        for step in range(stop - first):
            k = stop - 1 - step if is_back else first + step
            kind, param = program[0][table[k, 0]], max(0, table[k, 3])
            if is_back and kind <= RZZ:
                part = total(slope(states, at, 2 * size, size, kind, table[k], lane), fast, base, lane, mask)
                if lane == 0:
                    gradient[begin + param] = part
            turned = scratch[param], scratch[num_params + param]
            apply(states, at, 2 * size, count, kind, table[k], turned, program[1], program[2], is_back, lane)
            wait(mask)

    @device
    def evaluate(space, circuit, program, params, number, gradient, begin, has_gradient, scratch, crew):
        """Return the energy at a row of angles; fill its gradient, from an offset on, by walking back once."""
        states, at, size = space
        table, num_gates, num_params = circuit
        fast, base, lane, mask = crew
        turn(params, number, scratch, num_params, lane)
        prepare(states, at, 2 * size, size, lane)
        wait(mask)
        value = real(0.0)
        first, count = 0, size
        for back in range(2 if has_gradient else 1):  # one call in a loop: two would be compiled twice
            walk(space, at, count, circuit, first, num_gates, back == 1, program, scratch, gradient, begin, crew)
            if back == 0:
                part = multiply(states, at, 2 * size, size, program[3], program[4], program[5], has_gradient, lane)
                value = total(part, fast, base, lane, mask)
                wait(mask)
                count = 2 * size
                while first < num_gates and table[first, 3] < 0:  # nothing before the first rotation needs undoing
                    first += 1
        return value

    @device
    def scan(space, circuit, program, params, number, first, scratch, crew):
        """Move each angle from index ``first`` on to the exact minimum of its sinusoid, one after the other."""
        states, at, size = space
        table, num_gates, num_params = circuit
        fast, base, lane, mask = crew
        turn(params, number, scratch, num_params, lane)
        prepare(states, at + size, 2 * size, size, lane)
        wait(mask)
        reached = 0
        for k in range(num_gates):
            param = table[k, 3]
            if param < first:  # also gates without an angle: -1
                continue
            angle = params[number, param]
            low, middle, high = real(0.0), real(0.0), real(0.0)
            for shift in range(-1, 3):  # first the state up to this gate, then the rest at three angles
                if shift >= 0:
                    for i in range(lane, size, lanes):
                        states[at + i] = states[at + size + i]
                        states[at + 2 * size + i] = states[at + 3 * size + i]
                    if lane == 0:
                        half = 0.5 * (angle + 0.5 * math.pi * (shift - 1))
                        scratch[param], scratch[num_params + param] = math.cos(half), math.sin(half)
                    wait(mask)
                place, begin, end = (at + size, reached, k) if shift < 0 else (at, k, num_gates)
                walk(space, place, size, circuit, begin, end, False, program, scratch, scratch, 0, crew)
                if shift >= 0:
                    part = multiply(states, at, 2 * size, size, program[3], program[4], program[5], False, lane)
                    low, middle, high = middle, high, total(part, fast, base, lane, mask)
                    wait(mask)
            reached = k
            sine, cosine = 0.5 * (high - low), middle - 0.5 * (low + high)
            if sine * sine + cosine * cosine > 1e-24:
                angle += math.atan2(-sine, -cosine)
            if lane == 0:
                params[number, param] = angle
                scratch[param], scratch[num_params + param] = math.cos(0.5 * angle), math.sin(0.5 * angle)
            wait(mask)

    @device
    def product(scratch, first, second, size, crew):
        """Return the scalar product of two vectors of the scratch memory."""
        fast, base, lane, mask = crew
        part = real(0.0)
        for i in range(lane, size, lanes):
            part += scratch[first + i] * scratch[second + i]
        return total(part, fast, base, lane, mask)

    @device
    def peak(scratch, first, size, crew):
        """Return the largest absolute entry of a vector of the scratch memory."""
        fast, base, lane, mask = crew
        part = real(0.0)
        for i in range(lane, size, lanes):
            part = max(part, abs(scratch[first + i]))
        return largest(part, fast, base, lane, mask)

    @device
    def two_loop(scratch, size, pairs, crew):
        """Fill the direction with minus the L-BFGS inverse Hessian times the gradient."""
        gradient, direction, steps, changes = 2 * size, 4 * size, 5 * size, (5 + MEMORY) * size
        products, weights = VECTORS * size, VECTORS * size + MEMORY
        lane, mask = crew[2], crew[3]
        for i in range(lane, size, lanes):
            scratch[direction + i] = -scratch[gradient + i]
        wait(mask)
        oldest = max(0, pairs - MEMORY)
        for back in range(pairs - oldest):
            row = (pairs - 1 - back) % MEMORY
            weight = product(scratch, steps + row * size, direction, size, crew) / scratch[products + row]
            if lane == 0:
                scratch[weights + row] = weight
            for i in range(lane, size, lanes):
                scratch[direction + i] -= weight * scratch[changes + row * size + i]
            wait(mask)
        if pairs > 0:
            row = (pairs - 1) % MEMORY
            place = changes + row * size
            scale = scratch[products + row] / product(scratch, place, place, size, crew)
            for i in range(lane, size, lanes):
                scratch[direction + i] *= scale
            wait(mask)
        for k in range(oldest, pairs):
            row = k % MEMORY
            weight = product(scratch, changes + row * size, direction, size, crew)
            weight = scratch[weights + row] - weight / scratch[products + row]
            for i in range(lane, size, lanes):
                scratch[direction + i] += weight * scratch[steps + row * size + i]
            wait(mask)

    @device
    def direct(scratch, size, pairs, crew):
        """Fill the direction of the next step; return the slope along it, its first length, and the pairs kept."""
        gradient, direction = 2 * size, 4 * size
        lane, mask = crew[2], crew[3]
        two_loop(scratch, size, pairs, crew)
        along = product(scratch, gradient, direction, size, crew)
        if along >= 0.0:  # lost positive definiteness to rounding: start again from steepest descent
            pairs = 0
            for i in range(lane, size, lanes):
                scratch[direction + i] = -scratch[gradient + i]
            wait(mask)
            along = -product(scratch, gradient, gradient, size, crew)
        length = real(1.0)
        if pairs == 0:
            length = min(length, real(0.5 / math.sqrt(-along)))
        return along, min(length, real(MAX_STEP / peak(scratch, direction, size, crew))), pairs

    @device
    def minimize(space, circuit, program, params, number, settings, trials, group, scratch, crew):
        """Minimise over all angles of a row; return the energy and the number of gradients.

        One loop over evaluations, so that their code is compiled once: the first one is at the initial angles.
        """
        max_iterations, gradient_tolerance, energy_tolerance = settings
        lane, mask, size = crew[2], crew[3], circuit[2]
        gradient, trial_gradient, direction = 2 * size, 3 * size, 4 * size
        steps, changes, products = 5 * size, (5 + MEMORY) * size, VECTORS * size
        value, along, length = real(0.0), real(0.0), real(0.0)
        evaluations, iterations, backtracks, pairs = 0, 0, 0, 0
        for i in range(lane, size, lanes):
            scratch[direction + i] = real(0.0)
        while True:
            wait(mask)
            for i in range(lane, size, lanes):
                trials[group, i] = params[number, i] + length * scratch[direction + i]
            wait(mask)
            trial_value = evaluate(space, circuit, program, trials, group, scratch, trial_gradient, True, scratch, crew)
            evaluations += 1
            wait(mask)
            if evaluations > 1 and not trial_value <= value + ARMIJO * length * along:
                backtracks += 1
                if backtracks == MAX_BACKTRACKS:
                    break
                parabola = -0.5 * along * length * length / (trial_value - value - along * length)
                length = real(min(max(parabola, 0.1 * length), 0.5 * length))
                continue
            row = pairs % MEMORY
            for i in range(lane, size, lanes):
                scratch[steps + row * size + i] = trials[group, i] - params[number, i]
                scratch[changes + row * size + i] = scratch[trial_gradient + i] - scratch[gradient + i]
                params[number, i] = trials[group, i]
                scratch[gradient + i] = scratch[trial_gradient + i]
            wait(mask)
            decrease = value - trial_value
            value = trial_value
            if evaluations > 1:
                curvature = product(scratch, steps + row * size, changes + row * size, size, crew)
                if curvature > 1e-14:
                    if lane == 0:
                        scratch[products + row] = curvature
                    pairs += 1
                wait(mask)
                if decrease <= energy_tolerance:
                    break
            if iterations == max_iterations or peak(scratch, gradient, size, crew) <= gradient_tolerance:
                break
            iterations += 1
            backtracks = 0
            along, length, pairs = direct(scratch, size, pairs, crew)
        wait(mask)
        for i in range(lane, size, lanes):  # whole turns only change the global phase
            params[number, i] -= 2.0 * math.pi * math.floor(0.5 * params[number, i] / math.pi + 0.5)
        return value, evaluations

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
        crew = fast, place * lanes, lane, mask
        space = fast, groups * lanes + place * 4 * size, size
        if not is_shared:
            space = memory, group * 4 * size, size
        scratch = scratches[group]
        while True:
            wait(mask)
            if lane == 0:
                claimed[place] = cuda.atomic.add(cursor, 0, 1)
            wait(mask)
            k = claimed[place]
            if k >= rows.size:
                break
            number, first = rows[k], sizes[k, 2]
            circuit = tables[number], sizes[k, 0], sizes[k, 1]
            if task == SCAN:
                if first < sizes[k, 1]:
                    scan(space, circuit, program, params, number, first, scratch, crew)
                if lane == 0:
                    counts[k, 0] = 3 * max(0, sizes[k, 1] - first)
            elif task == MINIMIZE:
                value, evaluations = minimize(
                    space, circuit, program, params, number, settings, trials, group, scratch, crew
                )
                if lane == 0:
                    energies[number] = value
                    counts[k, 0], counts[k, 1] = counts[k, 0] + evaluations, evaluations
            else:
                gradient = gradients[number if task == GRADIENT else 0]
                value = evaluate(space, circuit, program, params, number, gradient, 0, task == GRADIENT, scratch, crew)
                if lane == 0:
                    energies[number] = value

    return solve

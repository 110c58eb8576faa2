"""L-BFGS with backtracking on a GPU, by one group of lanes; the same steps as on the CPU.

Scratch memory holds ``VECTORS`` vectors, each as long as the circuit has angles: cosines and sines (of the angles or of
half of them), the gradient, that of the trial, the direction, steps, changes of the gradient. Two numbers for each kept
pair follow. Other arguments are as in :mod:`qas_simulators.cuda.walks`.
"""

from __future__ import annotations

import math
from typing import Any, Final

from qas_simulators.cuda.lanes import device, group_of
from qas_simulators.kernels.entries import ARMIJO, MAX_BACKTRACKS, MAX_STEP, MEMORY

VECTORS: Final = 5 + 2 * MEMORY
"""Vectors of a group's scratch memory."""


@device
def _accept(params, number, trials, group, scratch, row, size, crew):
    """Move to the trial; keep the step and the change of the gradient in a row of the memory."""
    lane, lanes = crew[2], crew[3]
    gradient, trial_gradient, steps, changes = 2 * size, 3 * size, 5 * size, (5 + MEMORY) * size
    for i in range(lane, size, lanes):
        scratch[steps + row * size + i] = trials[group, i] - params[number, i]
        scratch[changes + row * size + i] = scratch[trial_gradient + i] - scratch[gradient + i]
        params[number, i] = trials[group, i]
        scratch[gradient + i] = scratch[trial_gradient + i]


@device
def _wrap(params, number, size, crew):
    """Bring angles within half a turn of zero; whole turns only change the global phase."""
    lane, lanes = crew[2], crew[3]
    for i in range(lane, size, lanes):
        params[number, i] -= 2.0 * math.pi * math.floor(0.5 * params[number, i] / math.pi + 0.5)


def _product_of(lanes: int, real: Any) -> Any:
    _, total, _ = group_of(lanes)

    @device
    def product(scratch, first, second, size, crew):
        """Return the scalar product of two vectors of the scratch memory."""
        fast, base, lane, lanes, mask = crew
        part = real(0.0)
        for i in range(lane, size, lanes):
            part += scratch[first + i] * scratch[second + i]
        return total(part, fast, base, lane, mask)

    return product


def _peak_of(lanes: int, real: Any) -> Any:
    _, _, largest = group_of(lanes)

    @device
    def peak(scratch, first, size, crew):
        """Return the largest absolute entry of a vector of the scratch memory."""
        fast, base, lane, lanes, mask = crew
        part = real(0.0)
        for i in range(lane, size, lanes):
            part = max(part, abs(scratch[first + i]))
        return largest(part, fast, base, lane, mask)

    return peak


def _two_loop_of(lanes: int, real: Any) -> Any:
    wait, product = group_of(lanes).wait, _product_of(lanes, real)

    @device
    def two_loop(scratch, size, pairs, crew):
        """Fill the direction with minus the L-BFGS inverse Hessian times the gradient."""
        gradient, direction, steps, changes = 2 * size, 4 * size, 5 * size, (5 + MEMORY) * size
        products, weights = VECTORS * size, VECTORS * size + MEMORY
        lane, lanes, mask = crew[2], crew[3], crew[4]
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

    return two_loop


def _direction_of(lanes: int, real: Any) -> Any:
    wait, product, peak = group_of(lanes).wait, _product_of(lanes, real), _peak_of(lanes, real)
    two_loop = _two_loop_of(lanes, real)

    @device
    def direct(scratch, size, pairs, crew):
        """Fill the direction of the next step; return the slope along it, its first length, and the pairs kept."""
        gradient, direction = 2 * size, 4 * size
        lane, lanes, mask = crew[2], crew[3], crew[4]
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

    return direct


def minimization_of(lanes: int, real: Any, evaluate: Any) -> Any:
    """Return the device function of minimisations for numbers of type ``real``, given that of energies."""
    wait, direct = group_of(lanes).wait, _direction_of(lanes, real)
    product, peak = _product_of(lanes, real), _peak_of(lanes, real)

    @device
    def minimize(space, circuit, program, params, number, settings, trials, group, scratch, crew):
        """Minimise over all angles of a row; return the energy and the number of gradients.

        One loop over evaluations, so that their code is compiled once: the first one is at the initial angles.
        """
        max_iterations, gradient_tolerance, energy_tolerance = settings
        lane, lanes, mask, size = crew[2], crew[3], crew[4], circuit[2]
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
            _accept(params, number, trials, group, scratch, row, size, crew)
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
        _wrap(params, number, size, crew)
        return value, evaluations

    return minimize

"""Angle optimisation inside compiled code: exact scans of single angles, then L-BFGS on adjoint gradients.

One text serves both simulators: ``_evaluate`` and its siblings resolve by the program's type when compiled.

References:
    Nakanishi, Fujii and Todo, "Sequential minimal optimization for quantum-classical hybrid algorithms",
    arXiv:1903.12166 (an energy is a sinusoid in each angle).
    Nocedal and Wright, "Numerical Optimization", 2nd ed., algorithms 7.4 and 7.5 (L-BFGS), section 3.5 (line search).
"""

from __future__ import annotations

import math

import numpy as np
from numba.extending import overload

from qas_simulators.kernels import pauli_transfer, statevector
from qas_simulators.kernels.compile import INNER, inlined, inner, kernel
from qas_simulators.kernels.pauli_plan import PauliTransferProgram
from qas_simulators.kernels.sharing import claim
from qas_simulators.kernels.statevector import StatevectorProgram

MEMORY = 12  # pairs that L-BFGS keeps
ARMIJO = 1e-4
MAX_BACKTRACKS = 12
MAX_STEP = 1.0  # radians; energies are periodic, so longer steps only look far away


def _evaluate(program, params, gradient, first, work):
    raise NotImplementedError


def _workspace(program, num_params, memory):
    raise NotImplementedError


def _module_of(program):
    """Return the kernel module that evaluates programs of a type."""
    return pauli_transfer if program.instance_class is PauliTransferProgram else statevector


@overload(_evaluate, jit_options=INNER)
def _typed_evaluate(program, params, gradient, first, work):
    return _module_of(program).evaluate


@overload(_workspace)
def _typed_workspace(program, num_params, memory):
    return _module_of(program).workspace


@inner
def _follow(links, params, angles):
    """Fill the rotations' angles."""
    sources, factors, offsets = links
    for k in range(sources.size):
        angles[k] = offsets[k]
        if sources[k] >= 0:
            angles[k] += factors[k] * params[sources[k]]


@inner
def _pull(links, slopes, gradient):
    """Turn the derivatives by the rotations' angles into those by the parameters."""
    sources, factors, _ = links
    for p in range(gradient.size):
        gradient[p] = 0.0
    for k in range(sources.size):
        if sources[k] >= 0:
            gradient[sources[k]] += factors[k] * slopes[k]


@inlined
def _value(program, links, params, gradient, rotations, work):
    """Return the energy; fill the gradient unless it is empty. ``rotations`` holds their angles and slopes."""
    angles, slopes = params, gradient
    if links[0].size > 0:
        angles = rotations[0]
        _follow(links, params, angles)
        if gradient.size > 0:
            slopes = rotations[1]
    value = _evaluate(program, angles, slopes, angles.size, work)  # one call: each would be compiled on its own
    if links[0].size > 0 and gradient.size > 0:
        _pull(links, slopes, gradient)
    return value


@inlined
def _two_loop(gradient, steps, changes, products, count, direction):
    """Fill ``direction`` with minus the L-BFGS inverse Hessian times the gradient; ``count`` pairs were ever stored."""
    size, rows = gradient.size, steps.shape[0]
    weights = np.empty(rows)
    for i in range(size):
        direction[i] = -gradient[i]
    oldest = max(0, count - rows)
    for k in range(count - 1, oldest - 1, -1):
        row = k % rows
        total = 0.0
        for i in range(size):
            total += steps[row, i] * direction[i]
        weights[row] = total / products[row]
        for i in range(size):
            direction[i] -= weights[row] * changes[row, i]
    if count > 0:
        row = (count - 1) % rows
        norm = 0.0
        for i in range(size):
            norm += changes[row, i] * changes[row, i]
        scale = products[row] / norm
        for i in range(size):
            direction[i] *= scale
    for k in range(oldest, count):
        row = k % rows
        total = 0.0
        for i in range(size):
            total += changes[row, i] * direction[i]
        weight = weights[row] - total / products[row]
        for i in range(size):
            direction[i] += weight * steps[row, i]


@inner
def _largest(vector):
    largest = 0.0
    for value in vector:
        largest = max(largest, abs(value))
    return largest


@inlined
def _lbfgs(program, links, params, max_iterations, gradient_tolerance, energy_tolerance, rotations, work):
    """Minimise in place; return the energy and the number of energy-and-gradient evaluations."""
    size = params.size
    gradient, trial, trial_gradient, direction = np.empty(size), np.empty(size), np.empty(size), np.empty(size)
    steps, changes, products = np.empty((MEMORY, size)), np.empty((MEMORY, size)), np.empty(MEMORY)
    value = _value(program, links, params, gradient, rotations, work)
    evaluations, pairs = np.int64(1), np.int64(0)  # typed: a literal 0 would compile _two_loop once more
    for _ in range(max_iterations):
        if _largest(gradient) <= gradient_tolerance:
            break
        _two_loop(gradient, steps, changes, products, pairs, direction)
        slope = 0.0
        for i in range(size):
            slope += gradient[i] * direction[i]
        if slope >= 0.0:  # lost positive definiteness to rounding: start again from steepest descent
            pairs = np.int64(0)
            slope = 0.0
            for i in range(size):
                direction[i] = -gradient[i]
                slope -= gradient[i] * gradient[i]
        length = 1.0 if pairs > 0 else min(1.0, 0.5 / math.sqrt(-slope))
        length = min(length, MAX_STEP / _largest(direction))
        accepted = False
        trial_value = value
        for _ in range(MAX_BACKTRACKS):
            for i in range(size):
                trial[i] = params[i] + length * direction[i]
            trial_value = _value(program, links, trial, trial_gradient, rotations, work)
            evaluations += 1
            if trial_value <= value + ARMIJO * length * slope:
                accepted = True
                break
            parabola = -0.5 * slope * length * length / (trial_value - value - slope * length)
            length = min(max(parabola, 0.1 * length), 0.5 * length)
        if not accepted:
            break
        row = pairs % MEMORY
        product = 0.0
        for i in range(size):
            steps[row, i] = trial[i] - params[i]
            changes[row, i] = trial_gradient[i] - gradient[i]
            product += steps[row, i] * changes[row, i]
            params[i] = trial[i]
            gradient[i] = trial_gradient[i]
        if product > 1e-14:
            products[row] = product
            pairs += 1
        decrease = value - trial_value
        value = trial_value
        if decrease <= energy_tolerance:
            break
    return value, evaluations


@inlined
def _solve(program, memory, links, row, batch, counts, settings):
    """Serve one circuit, whose parameters begin in a row of the batch; see :func:`solve_statevector`."""
    params_batch, gradients, energies = batch
    num_params, first, num_rows = counts[1], counts[2], counts[3]
    num_linked = links[0].size
    max_iterations, gradient_tolerance, energy_tolerance = settings
    work = _workspace(program, max(num_params, num_linked), memory)
    rotations = np.empty(num_linked), np.empty(num_linked)
    params = params_batch[row, :num_params]
    evaluations = np.int64(0)
    if first < num_params:
        _evaluate(program, params, params[:0], first, work)
        evaluations = 3 * (num_params - first)  # what a device would need
    if max_iterations > 0 and num_params > 0:
        energies[row], gradient_evaluations = _lbfgs(
            program, links, params, max_iterations, gradient_tolerance, energy_tolerance, rotations, work
        )
        if num_linked == 0:
            for k in range(num_params):  # a turn more or less is a global phase
                params[k] -= 2.0 * math.pi * math.floor(0.5 * params[k] / math.pi + 0.5)
        counts[1], counts[2] = evaluations + gradient_evaluations, gradient_evaluations
        return
    for b in range(row, row + num_rows):
        gradient = gradients[b, :num_params] if gradients.shape[0] > 0 else params[:0]
        energies[b] = _value(program, links, params_batch[b, :num_params], gradient, rotations, work)
    counts[1] = evaluations if evaluations > 0 else num_rows
    counts[2] = gradients.shape[0]


@kernel
def solve_statevector(
    tables,
    kinds,
    matrices,
    flips,
    diagonals,
    memory,
    links,
    cursor,
    rows,
    batch,
    counts,
    settings,
):
    """Evaluate or minimise, one circuit after the other.

    ``links`` say how rotations follow from the angles, which then are fewer; empty where every rotation has its own.
    They go with one circuit only, whose angles are not scanned: its energy need not be a sinusoid in them.

    Circuit ``r = rows[k]`` has the table ``tables[r]``, its angles in row ``r`` of the batch, and four numbers in
    ``counts[k]``: gates, angles, the first angle to scan, and how many rows of angles there are from ``r`` on. First
    the angles of row ``r`` from that one on are scanned, in place. Then, with ``max_iterations`` 0: energies of the
    rows, and gradients unless that array has no rows; the state is left at the beginning of ``memory``, which is longer
    where there are gradients or scans. Otherwise row ``r`` is minimised over, in place. In the end ``counts[k, 1:3]``
    are the number of evaluations and that of gradients among them. Threads that share ``cursor``, 0 at first, and all
    else but ``memory`` serve the circuits together. One entry for everything, because every entry compiles all that it
    calls anew.

    ``batch`` holds angles, gradients and energies, ``(rows, angles)`` twice and ``(rows,)``; ``settings`` are
    ``max_iterations``, ``gradient_tolerance`` and ``energy_tolerance``.
    """
    k = claim(cursor)
    while k < rows.size:
        row = rows[k]
        program = StatevectorProgram(tables[row, : counts[k, 0]], kinds, matrices, flips, diagonals)
        _solve(program, memory, links, row, batch, counts[k], settings)
        k = claim(cursor)


@kernel
def solve_pauli_transfer(
    tables,
    kinds,
    channels,
    after,
    turns,
    blocks1,
    swap_places,
    swap_factors,
    pair_places,
    pair_factors,
    inner_masks,
    inner_factors,
    blocks2,
    growth1,
    growth2,
    indices,
    coefficients,
    memory,
    links,
    cursor,
    rows,
    batch,
    counts,
    settings,
):
    """Do the same for noisy programs; see :func:`solve_statevector`."""
    k = claim(cursor)
    while k < rows.size:
        row = rows[k]
        program = PauliTransferProgram(
            tables[row, : counts[k, 0]],
            kinds,
            channels,
            after,
            turns,
            blocks1,
            swap_places,
            swap_factors,
            pair_places,
            pair_factors,
            inner_masks,
            inner_factors,
            blocks2,
            growth1,
            growth2,
            indices,
            coefficients,
        )
        _solve(program, memory, links, row, batch, counts[k], settings)
        k = claim(cursor)

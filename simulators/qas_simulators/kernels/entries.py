"""Angle optimisation inside compiled code: exact scans of single angles, then L-BFGS on adjoint gradients.

The same source serves all simulators: ``_evaluate`` and ``_workspace`` resolve by the program's type when compiled.

References:
    Nakanishi, Fujii and Todo, "Sequential minimal optimization for quantum-classical hybrid algorithms",
    arXiv:1903.12166 (an energy is a sinusoid in each angle).
    Nocedal and Wright, "Numerical Optimization", 2nd ed., algorithms 7.4 and 7.5 (L-BFGS), section 3.5 (line search).
"""

from __future__ import annotations

import math

import numpy as np
from numba.extending import overload

from qas_simulators.kernels import amplitudes, pair_rotations, pauli_vectors, real_amplitudes
from qas_simulators.kernels.amplitudes import StatevectorProgram
from qas_simulators.kernels.compile import INNER, inlined, inner, kernel
from qas_simulators.kernels.pair_rotations import PairProgram
from qas_simulators.kernels.passes import claim
from qas_simulators.kernels.pauli_plan import PauliTransferProgram
from qas_simulators.kernels.real_amplitudes import RealProgram
from qas_simulators.kernels.tasks import ENERGY, GRADIENT, MINIMIZE, SCAN

MEMORY = 12  # pairs of steps and gradient changes that L-BFGS keeps
ARMIJO = 1e-4
MAX_BACKTRACKS = 12
MAX_STEP = 1.0  # radians; energies are periodic, so a longer step is a shorter one in disguise


def _evaluate(program, params, gradient, task, first, work):
    raise NotImplementedError


def _workspace(program, num_params, memory):
    raise NotImplementedError


_MODULES = {
    StatevectorProgram: amplitudes,
    PauliTransferProgram: pauli_vectors,
    PairProgram: pair_rotations,
    RealProgram: real_amplitudes,
}


def _module_of(program):
    """Return the kernel module that evaluates programs of a type."""
    return _MODULES[program.instance_class]


@overload(_evaluate, jit_options=INNER)
def _typed_evaluate(program, params, gradient, task, first, work):
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
def _value(program, links, params, gradient, task, rotations, work):
    """Return the energy; with task ``GRADIENT`` also fill the gradient.

    ``rotations`` are two arrays of scratch memory for the rotations' angles and derivatives, used if there are links.
    """
    angles, slopes = params, gradient
    if links[0].size > 0:
        angles = rotations[0]
        _follow(links, params, angles)
        if task == GRADIENT:
            slopes = rotations[1]
    value = _evaluate(program, angles, slopes, task, angles.size, work)  # one call: each would be compiled on its own
    if links[0].size > 0 and task == GRADIENT:
        _pull(links, slopes, gradient)
    return value


@inlined
def _two_loop(gradient, steps, changes, products, count, direction):
    """Fill ``direction`` with minus the L-BFGS inverse Hessian times the gradient.

    ``count`` is the number of pairs stored so far, those that have been overwritten included.
    """
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
    task = np.int64(GRADIENT)
    value = _value(program, links, params, gradient, task, rotations, work)
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
            trial_value = _value(program, links, trial, trial_gradient, task, rotations, work)
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
def _solve(program, memory, links, task, row, batch, sizes, counts, settings):
    """Do the task for one circuit, whose angles begin in a row of the batch; see :func:`solve_statevector`."""
    params_batch, gradients, energies = batch
    num_params, first, num_rows = sizes[1], sizes[2], sizes[3]
    num_linked = links[0].size
    max_iterations, gradient_tolerance, energy_tolerance = settings
    work = _workspace(program, max(num_params, num_linked), memory)
    rotations = np.empty(num_linked), np.empty(num_linked)
    params = params_batch[row, :num_params]
    evaluations = np.int64(0)
    if task >= SCAN and first < num_params:
        _evaluate(program, params, params[:0], np.int64(SCAN), first, work)
        evaluations = 3 * (num_params - first)  # on hardware: three energies an angle
    if task == MINIMIZE and num_params > 0:
        energies[row], gradient_evaluations = _lbfgs(
            program, links, params, max_iterations, gradient_tolerance, energy_tolerance, rotations, work
        )
        if num_linked == 0:
            for k in range(num_params):  # whole turns only change the global phase
                params[k] -= 2.0 * math.pi * math.floor(0.5 * params[k] / math.pi + 0.5)
        counts[0], counts[1] = evaluations + gradient_evaluations, gradient_evaluations
        return
    has_gradient = task == GRADIENT
    for b in range(row, row + num_rows):
        gradient = gradients[b, :num_params] if has_gradient else params[:0]
        kind = np.int64(GRADIENT if has_gradient else ENERGY)
        energies[b] = _value(program, links, params_batch[b, :num_params], gradient, kind, rotations, work)
    counts[0] = evaluations if evaluations > 0 else num_rows
    counts[1] = num_rows if has_gradient else 0


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
    task,
    rows,
    batch,
    sizes,
    counts,
    settings,
):
    """Do one task, see :mod:`qas_simulators.kernels.tasks`, for one circuit after the other.

    There is one entry for all tasks, because every entry compiles all functions that it calls again.

    Args:
        tables: Gates, ``(circuits, num_gates or more, 4)``.
        kinds: As in :class:`StatevectorProgram`; so are ``matrices``, ``flips`` and ``diagonals``.
        matrices: See there.
        flips: See there.
        diagonals: See there.
        memory: Of this thread. The state is left at its beginning, after ``GRADIENT`` the observable behind it.
        links: How rotations follow from the angles, which then are fewer; empty where every rotation has its own. They
            go with one circuit only, whose angles are not scanned: its energy need not be a sinusoid in them.
        cursor: ``(1,)``, 0 at first. Threads that share it, and all else but ``memory``, divide the circuits.
        task: ``ENERGY``, ``GRADIENT``, ``SCAN`` or ``MINIMIZE``.
        rows: The circuits to do: ``r = rows[k]`` has the table ``tables[r]`` and its angles in row ``r`` of the batch.
        batch: Angles, gradients and energies, ``(rows, angles)`` twice and ``(rows,)``. ``SCAN`` and ``MINIMIZE``
            change angles, only ``GRADIENT`` reads or writes the second.
        sizes: ``(len(rows), 4)``, of circuit ``rows[k]``: gates, angles, the first angle to scan, and the number of
            rows of angles from ``r`` on (1 for ``SCAN`` and ``MINIMIZE``).
        counts: Output ``(len(rows), 2)``: evaluations, and gradients among them.
        settings: Of ``MINIMIZE``: most iterations, gradient tolerance and energy tolerance.
    """
    k = claim(cursor)
    while k < rows.size:
        row = rows[k]
        program = StatevectorProgram(tables[row, : sizes[k, 0]], kinds, matrices, flips, diagonals)
        _solve(program, memory, links, task, row, batch, sizes[k], counts[k], settings)
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
    task,
    rows,
    batch,
    sizes,
    counts,
    settings,
):
    """Do the same for noisy circuits; see :func:`solve_statevector` and :class:`PauliTransferProgram`."""
    k = claim(cursor)
    while k < rows.size:
        row = rows[k]
        program = PauliTransferProgram(
            tables[row, : sizes[k, 0]],
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
        _solve(program, memory, links, task, row, batch, sizes[k], counts[k], settings)
        k = claim(cursor)


@kernel
def solve_pairs(
    starts,
    left,
    right,
    factors,
    reference,
    rows,
    columns,
    entries,
    memory,
    links,
    task,
    params,
    gradient,
    settings,
):
    """Do one task, any except ``SCAN``, for a product of exponentials; see :class:`PairProgram`.

    Args:
        starts: As in :class:`PairProgram`; so are ``left`` to ``entries``.
        left: See there.
        right: See there.
        factors: See there.
        reference: See there.
        rows: See there.
        columns: See there.
        entries: See there.
        memory: Two vectors. After ``ENERGY`` they are the state, and the observable times it.
        links: Empty, as every exponential has its own angle.
        task: ``ENERGY``, ``GRADIENT`` or ``MINIMIZE``.
        params: Angles, one for each exponential. ``MINIMIZE`` changes them.
        gradient: Output of ``GRADIENT``, as long as ``params``.
        settings: Of ``MINIMIZE``: most iterations, gradient tolerance and energy tolerance.

    Returns:
        The energy, and the number of evaluations.
    """
    program = PairProgram(starts, left, right, factors, reference, rows, columns, entries)
    work = _workspace(program, params.size, memory)
    rotations = np.empty(0), np.empty(0)
    if task == MINIMIZE:
        most, gradient_tolerance, energy_tolerance = settings
        return _lbfgs(program, links, params, most, gradient_tolerance, energy_tolerance, rotations, work)
    return _value(program, links, params, gradient, task, rotations, work), np.int64(1)

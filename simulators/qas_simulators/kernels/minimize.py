"""Angle optimisation inside compiled code: exact scans of single angles, then L-BFGS on adjoint gradients.

One text serves both simulators: ``energy`` and ``energy_and_gradient`` resolve by the program's type when compiled.

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
from qas_simulators.kernels.compile import inner, kernel
from qas_simulators.kernels.pauli_transfer import PauliTransferProgram
from qas_simulators.kernels.statevector import StatevectorProgram

MEMORY = 12  # pairs that L-BFGS keeps
ARMIJO = 1e-4
MAX_BACKTRACKS = 12


def _energy(program, params, work):
    raise NotImplementedError


def _energy_and_gradient(program, params, gradient, work):
    raise NotImplementedError


def _workspace(program, num_params):
    raise NotImplementedError


def _module_of(program):
    return {StatevectorProgram: statevector, PauliTransferProgram: pauli_transfer}[program.instance_class]


@overload(_energy)
def _typed_energy(program, params, work):
    function = _module_of(program).energy
    return lambda program, params, work: function(program, params, work)


@overload(_energy_and_gradient)
def _typed_energy_and_gradient(program, params, gradient, work):
    function = _module_of(program).energy_and_gradient
    return lambda program, params, gradient, work: function(program, params, gradient, work)


@overload(_workspace)
def _typed_workspace(program, num_params):
    function = _module_of(program).workspace
    return lambda program, num_params: function(program, num_params)


@inner
def _scan(program, params, first, work):
    """Move each angle from index ``first`` on to the exact minimum of its sinusoid; return the energy evaluations."""
    for k in range(first, params.size):
        origin = params[k]
        here = _energy(program, params, work)
        params[k] = origin + 0.5 * math.pi
        up = _energy(program, params, work)
        params[k] = origin - 0.5 * math.pi
        down = _energy(program, params, work)
        sine = 0.5 * (up - down)
        cosine = here - 0.5 * (up + down)
        params[k] = origin
        if sine * sine + cosine * cosine > 1e-24:
            params[k] = origin + math.atan2(-sine, -cosine)
    return 3 * (params.size - first)


@inner
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


@inner
def _lbfgs(program, params, max_iterations, gradient_tolerance, energy_tolerance, work):
    """Minimise in place; return the energy and the number of energy-and-gradient evaluations."""
    size = params.size
    gradient, trial, trial_gradient, direction = np.empty(size), np.empty(size), np.empty(size), np.empty(size)
    steps, changes, products = np.empty((MEMORY, size)), np.empty((MEMORY, size)), np.empty(MEMORY)
    value = _energy_and_gradient(program, params, gradient, work)
    evaluations, pairs = 1, 0
    for _ in range(max_iterations):
        if _largest(gradient) <= gradient_tolerance:
            break
        _two_loop(gradient, steps, changes, products, pairs, direction)
        slope = 0.0
        for i in range(size):
            slope += gradient[i] * direction[i]
        if slope >= 0.0:  # lost positive definiteness to rounding: start again from steepest descent
            pairs = 0
            slope = 0.0
            for i in range(size):
                direction[i] = -gradient[i]
                slope -= gradient[i] * gradient[i]
        length = 1.0 if pairs > 0 else min(1.0, 0.5 / math.sqrt(-slope))
        accepted = False
        trial_value = value
        for _ in range(MAX_BACKTRACKS):
            for i in range(size):
                trial[i] = params[i] + length * direction[i]
            trial_value = _energy_and_gradient(program, trial, trial_gradient, work)
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


@inner
def _minimize(program, params, first, max_iterations, gradient_tolerance, energy_tolerance):
    work = _workspace(program, params.size)
    if params.size == 0:
        return _energy(program, params, work), 1, 0
    scans = _scan(program, params, first, work)
    value, gradients = _lbfgs(program, params, max_iterations, gradient_tolerance, energy_tolerance, work)
    return value, scans + gradients, gradients


@inner
def _evaluate(program, params_batch, gradients):
    work = _workspace(program, params_batch.shape[1])
    energies = np.empty(params_batch.shape[0])
    for b in range(energies.size):
        if gradients.shape[0] > 0:
            energies[b] = _energy_and_gradient(program, params_batch[b], gradients[b], work)
        else:
            energies[b] = _energy(program, params_batch[b], work)
    return energies


@kernel
def evaluate_statevector(table, kinds, matrices, flips, diagonals, params_batch, gradients):
    """Return the energies of a batch; fill ``gradients`` unless it has no rows."""
    return _evaluate(StatevectorProgram(table, kinds, matrices, flips, diagonals), params_batch, gradients)


@kernel
def evaluate_pauli_transfer(
    table, kinds, channels, blocks1, diagonal, sources, factors, blocks2, indices, coefficients, params_batch, gradients
):
    """Return the energies of a batch; fill ``gradients`` unless it has no rows."""
    program = PauliTransferProgram(
        table, kinds, channels, blocks1, diagonal, sources, factors, blocks2, indices, coefficients
    )
    return _evaluate(program, params_batch, gradients)


@kernel
def minimize_statevector(
    table, kinds, matrices, flips, diagonals, params, first, max_iterations, gradient_tolerance, energy_tolerance
):
    """Scan the angles from index ``first`` on, then minimise all in place; return energy, evaluations, gradients."""
    program = StatevectorProgram(table, kinds, matrices, flips, diagonals)
    return _minimize(program, params, first, max_iterations, gradient_tolerance, energy_tolerance)


@kernel
def minimize_pauli_transfer(
    table,
    kinds,
    channels,
    blocks1,
    diagonal,
    sources,
    factors,
    blocks2,
    indices,
    coefficients,
    params,
    first,
    max_iterations,
    gradient_tolerance,
    energy_tolerance,
):
    """Scan the angles from index ``first`` on, then minimise all in place; return energy, evaluations, gradients."""
    program = PauliTransferProgram(
        table, kinds, channels, blocks1, diagonal, sources, factors, blocks2, indices, coefficients
    )
    return _minimize(program, params, first, max_iterations, gradient_tolerance, energy_tolerance)

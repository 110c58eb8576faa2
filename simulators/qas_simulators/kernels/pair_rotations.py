"""Products of exponentials that rotate pairs of amplitudes, on the few basis states that they reach.

The generator of an exponential maps ``|left[k]>`` to ``factors[k] |right[k]>``, and ``|right[k]>`` to
``-conj(factors[k]) |left[k]>``; no basis state is in two of its pairs, and factors have magnitude 1. A pair of twice
the same state is an eigenstate with the imaginary eigenvalue ``factors[k]``. The exponential with an angle is
``cos(angle / 2) + sin(angle / 2) generator`` on these states. Vectors and factors are real or complex; a kernel is
compiled for each. The observable is a sparse matrix in compressed rows.

The gradient comes from the adjoint method: Jones and Gacon, arXiv:2009.02823.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qas_simulators.kernels.compile import inner, kernel
from qas_simulators.kernels.tasks import GRADIENT


class PairProgram(NamedTuple):
    """Exponentials, the reference state and the observable, as the kernels read them."""

    starts: NDArray[np.int64]  # (exponentials + 1,): where the pairs of each begin
    left: NDArray[np.int32]  # (pairs,)
    right: NDArray[np.int32]  # (pairs,)
    factors: NDArray[Any]  # (pairs,)
    reference: NDArray[Any]  # (states,)
    rows: NDArray[np.int64]  # (states + 1,): where the entries of each row begin
    columns: NDArray[np.int32]  # (entries,)
    entries: NDArray[Any]  # (entries,)


class PairWorkspace(NamedTuple):
    """Scratch memory of one program."""

    ket: NDArray[Any]  # (states,)
    bra: NDArray[Any]  # (states,)


def workspace(program, num_params, memory):
    """Return scratch memory; ``memory`` has two times as many entries as there are states."""
    size = program.reference.size
    return PairWorkspace(memory[:size], memory[size:])


@inner
def _rotate(program, k, angle, vector):
    """Apply exponential ``k`` in place."""
    cosine, sine = math.cos(0.5 * angle), math.sin(0.5 * angle)
    left, right, factors = program.left, program.right, program.factors
    for p in range(program.starts[k], program.starts[k + 1]):
        i, j, factor = left[p], right[p], sine * factors[p]
        a, b = vector[i], vector[j]
        vector[i] = cosine * a - np.conj(factor) * b
        vector[j] = cosine * b + factor * a  # the same as above if i is j


@inner
def _slope(program, k, bra, ket):
    """Return the derivative of the energy by angle ``k``, ``Re <bra| generator |ket>``."""
    left, right, factors = program.left, program.right, program.factors
    total = 0.0
    for p in range(program.starts[k], program.starts[k + 1]):
        i, j = left[p], right[p]
        total += (np.conj(bra[j]) * (factors[p] * ket[i])).real
        if i != j:
            total -= (np.conj(bra[i]) * (np.conj(factors[p]) * ket[j])).real
    return total


@inner
def _multiply_observable(program, vector, product):
    """Fill ``product`` with the observable times a vector; return the real part of their overlap."""
    rows, columns, entries = program.rows, program.columns, program.entries
    value = 0.0
    for i in range(vector.size):
        total = 0.0 * vector[i]
        for p in range(rows[i], rows[i + 1]):
            total += entries[p] * vector[columns[p]]
        product[i] = total
        value += (np.conj(vector[i]) * total).real
    return value


@inner
def _prepare(program, params, ket):
    for i in range(ket.size):
        ket[i] = program.reference[i]
    for k in range(params.size):
        _rotate(program, k, params[k], ket)


def evaluate(program, params, gradient, task, first, work):
    """Return the energy; with task ``GRADIENT`` also fill the gradient, by walking back once. Nothing is scanned."""
    ket, bra = work.ket, work.bra
    _prepare(program, params, ket)
    value = _multiply_observable(program, ket, bra)
    if task == GRADIENT:
        for k in range(params.size - 1, -1, -1):
            gradient[k] = _slope(program, k, bra, ket)
            _rotate(program, k, -params[k], ket)
            _rotate(program, k, -params[k], bra)
    return value


@inner
def _sign(bits):
    """Return 1 if the number of set bits is even, else -1."""
    bits ^= bits >> 16
    bits ^= bits >> 8
    bits ^= bits >> 4
    bits ^= bits >> 2
    bits ^= bits >> 1
    return 1.0 - 2.0 * (bits & 1)


@kernel
def slopes_of_moves(bra, ket, states, places, masks, factors, slopes):
    """Fill the derivative of the energy by the angle of an exponential at angle 0, for each move alone.

    Args:
        bra: The observable times the state, ``(states,)``.
        ket: The state.
        states: Basis states, ``(states,)``.
        places: The place of each basis state of the register in ``states``, ``(2**num_qubits,)``.
        masks: Of each move, its fields ``flip``, ``mask``, ``value`` and ``signs``, ``(moves, 4)``.
        factors: Of each move, ``(moves,)``.
        slopes: Output, ``(moves,)``.
    """
    for m in range(factors.size):
        flip, mask, value, signs = masks[m]
        total = 0.0
        for p in range(states.size):
            i = states[p]
            if i & mask == value:
                q = places[i ^ flip]
                element = _sign(i & signs) * factors[m]
                total += (np.conj(bra[q]) * (element * ket[p])).real
                total -= (np.conj(bra[p]) * (np.conj(element) * ket[q])).real
        slopes[m] = total


@kernel
def reach(masks, found, queue, count):
    """Add all basis states that moves reach from those found; return how many are found then.

    Args:
        masks: Of each move, its fields ``flip``, ``mask`` and ``value``, ``(moves, 3)``.
        found: Whether each basis state of the register is found, ``(2**num_qubits,)``.
        queue: Those found, in its first ``count`` places, ``(2**num_qubits,)``.
        count: How many are found at first.
    """
    done = 0
    while done < count:
        here = queue[done]
        done += 1
        for m in range(len(masks)):
            flip, mask, value = masks[m]
            there = here ^ flip
            if (here & mask == value or there & mask == value) and not found[there]:
                found[there] = True
                queue[count] = there
                count += 1
    return count

"""Kernels of noisy Pauli propagation: strings in a hash table, and the graph of how they follow from each other.

A string is a pair of masks ``x, z``: the Hermitian ``i**|x & z| X^x Z^z``. A step maps every string to itself, times a
factor, and to its products with a few other strings, the *shifts*. The factors depend on the string's *digit*: bit
``b`` of it says whether the string anticommutes with detector ``b``. Strings are only added, never removed, so that
the strings before a step are the first ones after it.
"""

from __future__ import annotations

import numpy as np

from qas_simulators.kernels.compile import inner, kernel


@inner
def _ones(mask):
    """Return the number of set bits."""
    count = 0
    while mask:
        mask &= mask - 1
        count += 1
    return count


@inner
def _digit(x, z, detectors):
    digit = 0
    for bit in range(detectors.shape[0]):
        digit |= (_ones((x & detectors[bit, 1]) ^ (z & detectors[bit, 0])) & 1) << bit
    return digit


@inner
def _slot(x, z, xs, zs, slots):
    """Return the slot of a string, or the free one where it belongs; ``slots`` hold indices plus 1, 0 where free."""
    mask = slots.size - 1
    mixed = x * -7046029254386353131 + z * 7809847782465536323  # products wrap around
    mixed ^= mixed >> 29
    place = (mixed * -4658895280553007687) >> 20 & mask
    while slots[place] != 0:
        k = slots[place] - 1
        if xs[k] == x and zs[k] == z:
            break
        place = (place + 1) & mask
    return place


@kernel
def enter(xs, zs, count, slots):
    """Enter the first ``count`` strings into empty slots."""
    for k in range(count):
        slots[_slot(xs[k], zs[k], xs, zs, slots)] = k + 1


@kernel
def damp(xs, zs, count, detectors, table, factors):
    """Multiply the factor of every string by that of its digit."""
    for k in range(count):
        factors[k] *= table[_digit(xs[k], zs[k], detectors)]


@kernel
def spread(strings, count, slots, detectors, stay, amplitude, shifts, weights, phases, limits, found):
    """Do one step; return the number of strings and of edges, or more strings than allowed.

    Args:
        strings: ``x``, ``z`` and the coefficients; there is room for those that are added.
        count: Number of strings.
        slots: Of the hash table, more than twice as many as there will be strings.
        detectors: Masks ``x, z``, ``(bits, 2)``.
        stay: Factors of the string itself, ``(digits,)``.
        amplitude: Factor of all weights, which edges do not have.
        shifts: Masks ``x, z``, and the power of ``i`` in front of ``X^x Z^z``, ``(shifts, 3)``.
        weights: Factors of the products, ``(shifts, digits)``; none where 0.
        phases: Powers of ``i`` that a product is multiplied by, ``(shifts, digits)``.
        limits: Most letters of a new string unless all are Z, its smallest coefficient, and the most strings.
        found: Gets the digit of each string, and of each edge source, target, sign times weight, and digit.
    """
    xs, zs, values = strings
    most_letters, cut, most = limits
    digits, sources, targets, edge_weights, contributions = found
    before, edges = count, 0
    for k in range(before):
        x, z = xs[k], zs[k]
        digit = _digit(x, z, detectors)
        digits[k] = digit
        for s in range(shifts.shape[0]):
            if weights[s, digit] == 0.0:
                continue
            new_x, new_z = x ^ shifts[s, 0], z ^ shifts[s, 1]
            power = _ones(x & z) + shifts[s, 2] + 2 * _ones(z & shifts[s, 0]) + phases[s, digit] - _ones(new_x & new_z)
            sign = 1.0 - (power & 3)  # 1 or -1
            contribution = amplitude * sign * weights[s, digit] * values[k]
            slot = _slot(new_x, new_z, xs, zs, slots)
            if slots[slot] == 0:
                if abs(contribution) <= cut or (new_x != 0 and _ones(new_x | new_z) > most_letters):
                    continue
                if count >= most:
                    return most + 1, 0
                xs[count], zs[count], values[count] = new_x, new_z, 0.0
                count += 1
                slots[slot] = count
            sources[edges], targets[edges] = k, slots[slot] - 1
            edge_weights[edges], contributions[edges] = sign * weights[s, digit], contribution
            edges += 1
    for k in range(before):
        values[k] *= stay[digits[k]]
    for e in range(edges):
        values[targets[e]] += contributions[e]
    return count, edges


@inner
def _forward(starts, edge_starts, rotations, stay, turned, edges, angles, tape):
    """Fill the tape with the coefficients after each level."""
    sources, targets, weights = edges
    for level in range(rotations.size):
        begin, middle, end = starts[level], starts[level + 1], starts[level + 2]
        cosine, sine = 1.0, 1.0
        if rotations[level] >= 0:
            cosine, sine = np.cos(angles[rotations[level]]), np.sin(angles[rotations[level]])
        for k in range(begin, middle):
            tape[middle + k - begin] = stay[k] * tape[k] * (cosine if turned[k] else 1.0)
        for k in range(2 * middle - begin, end):
            tape[k] = 0.0
        for e in range(edge_starts[level], edge_starts[level + 1]):
            tape[middle + targets[e]] += sine * weights[e] * tape[begin + sources[e]]


@inner
def _backward(starts, edge_starts, rotations, stay, turned, edges, angles, tape, slopes, older, gradient):
    """Add the derivatives by all angles, given those by the last coefficients, ``slopes``, which are overwritten."""
    sources, targets, weights = edges
    for level in range(rotations.size - 1, -1, -1):
        begin, middle, rotation = starts[level], starts[level + 1], rotations[level]
        cosine, sine, derivative = 1.0, 1.0, 0.0
        if rotation >= 0:
            cosine, sine = np.cos(angles[rotation]), np.sin(angles[rotation])
        for k in range(begin, middle):
            slope = stay[k] * slopes[k - begin]
            if turned[k]:
                derivative -= sine * slope * tape[k]
                slope *= cosine
            older[k - begin] = slope
        for e in range(edge_starts[level], edge_starts[level + 1]):
            slope = weights[e] * slopes[targets[e]]
            derivative += cosine * slope * tape[begin + sources[e]]
            older[sources[e]] += sine * slope
        if rotation >= 0:
            gradient[rotation] += derivative
        for k in range(middle - begin):
            slopes[k] = older[k]


@kernel
def replay(starts, edge_starts, rotations, stay, turned, edges, first, is_diagonal, angles, tape, gradient):
    """Return the energy at other angles, and its derivatives if ``gradient`` is not empty.

    Args:
        starts: Of each level's strings in ``stay``, ``turned`` and ``tape``, ``(levels + 2,)``.
        edge_starts: Of each level's edges, ``(levels + 1,)``.
        rotations: The rotation that each level is, or -1 for noise, ``(levels,)``.
        stay: Factors of strings that stay.
        turned: Whether the rotation of the level turns the string.
        edges: Sources, targets and weights.
        first: Coefficients before the first level.
        is_diagonal: Mean of each string after the last level, 1 or 0.
        angles: Of all rotations.
        tape: Room for the coefficients before each level and after the last one.
        gradient: Derivatives by ``angles`` are added to it.
    """
    for k in range(first.size):
        tape[k] = first[k]
    _forward(starts, edge_starts, rotations, stay, turned, edges, angles, tape)
    energy, last = 0.0, starts[rotations.size]
    for k in range(is_diagonal.size):
        energy += is_diagonal[k] * tape[last + k]
    if gradient.size > 0:
        slopes, older = is_diagonal.copy(), np.empty(is_diagonal.size)
        _backward(starts, edge_starts, rotations, stay, turned, edges, angles, tape, slopes, older, gradient)
    return energy

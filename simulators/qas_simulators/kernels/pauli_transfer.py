"""Pauli-transfer kernels: noisy programs on the Pauli vector ``r_P = Tr(P rho)``, and gradients by the adjoint method.

The vector has one base-4 digit per qubit in the order I, X, Y, Z, qubit 0 least significant. A gate and its noise are
one map: rotations carry the diagonal of a Pauli channel (or a 4 x 4 block), fixed gates are 4 x 4 blocks, two-qubit
gates signed and damped exchanges of 16 entries (or 16 x 16 blocks).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qas_simulators.kernels.compile import inner

RX, RY, RZ, BLOCK1, EXCHANGE2, BLOCK2 = range(6)
RELAXING, GENERAL = range(2)  # diagonal but for I -> Z (Pauli channels, damping, relaxation); any 4 x 4 block
LONG_RUN = 16  # contiguous entries from which slices pay


class PauliTransferProgram(NamedTuple):
    """Everything the kernels need to know of a circuit, its noise and an observable."""

    table: NDArray[np.int32]  # (num_gates, 4)
    kinds: NDArray[np.int64]  # (gate table,)
    channels: NDArray[np.int64]  # (gate table, n, n + 1): row in one of the arrays below, by gate, qubit0, qubit1 + 1
    blocks1: NDArray[np.float64]  # (rows, 4, 4): one-qubit gate with its noise; for rotations the noise alone
    forms: NDArray[np.int64]  # (rows,): RELAXING or GENERAL
    after: NDArray[np.int64]  # (gate table, n, n + 1, 2): blocks that follow a two-qubit gate, or -1
    sources: NDArray[np.int64]  # (rows, 16): out[k] = factors[k] * in[sources[k]]
    factors: NDArray[np.float64]  # (rows, 16)
    blocks2: NDArray[np.float64]  # (rows, 16, 16)
    indices: NDArray[np.int64]  # (terms,) of the observable
    coefficients: NDArray[np.float64]  # (terms,)


@inner
def _prepare_zero(vector):
    """|0...0>: 1 on every product of I and Z."""
    for i in range(vector.size):
        vector[i] = 1.0 if (i ^ (i >> 1)) & 0x5555555555555555 == 0 else 0.0


@inner
def _turn(vector, stride, first, second, third, m00, m01, m10, m11, f3):
    """(a, b) -> (m00 a + m01 b, m10 a + m11 b) on two Pauli digits of one qubit, and c -> f3 c on the third.

    Indices that numba knows to be positive (unsigned, or local to a slice) are what lets LLVM use vector instructions;
    slices cost a few nanoseconds, so short runs go without.
    """
    if stride < LONG_RUN:
        run, x, y, z = np.uint64(stride), np.uint64(first), np.uint64(second), np.uint64(third)
        for base in range(np.uint64(0), np.uint64(vector.size), np.uint64(4) * run):
            for j in range(run):
                i = base + j
                a, b = vector[i + x], vector[i + y]
                vector[i + x] = m00 * a + m01 * b
                vector[i + y] = m10 * a + m11 * b
                vector[i + z] *= f3
        return
    for base in range(0, vector.size, 4 * stride):
        left = vector[base + first : base + first + stride]
        right = vector[base + second : base + second + stride]
        rest = vector[base + third : base + third + stride]
        for i in range(stride):
            a, b = left[i], right[i]
            left[i] = m00 * a + m01 * b
            right[i] = m10 * a + m11 * b
            rest[i] *= f3


@inner
def _relax(vector, stride, f1, f2, f3, shift, transpose):
    """(I, X, Y, Z) -> (I, f1 X, f2 Y, f3 Z + shift I), or its transpose."""
    run = np.uint64(stride)
    for base in range(np.uint64(0), np.uint64(vector.size), np.uint64(4) * run):
        for j in range(run):
            i0 = base + j
            i1, i2, i3 = i0 + run, i0 + np.uint64(2) * run, i0 + np.uint64(3) * run
            v0, v3 = vector[i0], vector[i3]
            vector[i1] *= f1
            vector[i2] *= f2
            if transpose:
                vector[i0] = v0 + shift * v3
                vector[i3] = f3 * v3
            else:
                vector[i3] = f3 * v3 + shift * v0


@inner
def _channel1(vector, qubit, blocks, row, forms, transpose):
    """Apply a one-qubit channel the cheapest way."""
    if forms[row] == RELAXING:
        f1, f2, f3 = blocks[row, 1, 1], blocks[row, 2, 2], blocks[row, 3, 3]
        _relax(vector, 1 << 2 * qubit, f1, f2, f3, blocks[row, 3, 0], transpose)
    else:
        _block1(vector, 1 << 2 * qubit, blocks, row, transpose)


@inner
def _block1(vector, stride, blocks, row, transpose):
    across, down = (4, 1) if transpose else (1, 4)
    m = blocks[row].ravel()
    m00, m01, m02, m03 = m[0], m[across], m[2 * across], m[3 * across]
    m10, m11, m12, m13 = m[down], m[down + across], m[down + 2 * across], m[down + 3 * across]
    m20, m21, m22, m23 = m[2 * down], m[2 * down + across], m[2 * down + 2 * across], m[2 * down + 3 * across]
    m30, m31, m32, m33 = m[3 * down], m[3 * down + across], m[3 * down + 2 * across], m[3 * down + 3 * across]
    run = np.uint64(stride)
    for base in range(np.uint64(0), np.uint64(vector.size), np.uint64(4) * run):
        for j in range(run):
            i0 = base + j
            i1, i2, i3 = i0 + run, i0 + np.uint64(2) * run, i0 + np.uint64(3) * run
            v0, v1, v2, v3 = vector[i0], vector[i1], vector[i2], vector[i3]
            vector[i0] = m00 * v0 + m01 * v1 + m02 * v2 + m03 * v3
            vector[i1] = m10 * v0 + m11 * v1 + m12 * v2 + m13 * v3
            vector[i2] = m20 * v0 + m21 * v1 + m22 * v2 + m23 * v3
            vector[i3] = m30 * v0 + m31 * v1 + m32 * v2 + m33 * v3


@inner
def _digits(p, qubit0, qubit1):
    """Offset in the Pauli vector of entry ``p`` of 16 on two qubits."""
    return ((p & 3) << 2 * qubit0) + ((p >> 2) << 2 * qubit1)


@inner
def _exchange2(vector, qubit0, qubit1, sources, factors, row, transpose, offsets, weights):
    """Damped and signed exchange of the 16 entries of two qubits: ``out[p] = factors[p] * in[sources[p]]``.

    ``sources`` is its own inverse, as for CX, CZ and SWAP, so entries stand still or change places in pairs.
    """
    count = 0
    for p in range(16):
        source = sources[row, p]
        here, there = factors[row, p], factors[row, source]
        if source < p or (source == p and here == 1.0):
            continue
        offsets[count], offsets[count + 16] = _digits(p, qubit0, qubit1), _digits(source, qubit0, qubit1)
        weights[count], weights[count + 16] = (there, here) if transpose else (here, there)
        count += 1
    low, high = min(qubit0, qubit1), max(qubit0, qubit1)
    run, inner_block, outer_block = 1 << 2 * low, 4 << 2 * low, 1 << 2 * high
    for outer in range(0, vector.size, 4 * outer_block):
        if run == 1:  # the lowest qubit: entries outside, so that the innermost loop is long
            for k in range(count):
                p, q, fp, fq = offsets[k], offsets[k + 16], weights[k], weights[k + 16]
                for i in range(outer, outer + outer_block, inner_block):
                    vector[i + p], vector[i + q] = fp * vector[i + q], fq * vector[i + p]
            continue
        for middle in range(outer, outer + outer_block, inner_block):
            for k in range(count):
                p, q, fp, fq = middle + offsets[k], middle + offsets[k + 16], weights[k], weights[k + 16]
                if run < LONG_RUN:
                    for i in range(run):
                        vector[i + p], vector[i + q] = fp * vector[i + q], fq * vector[i + p]
                    continue
                left, right = vector[p : p + run], vector[q : q + run]
                for i in range(run):
                    left[i], right[i] = fp * right[i], fq * left[i]


@inner
def _base_of_pair(k, low, high):
    """Return ``k`` with the base-4 digit 0 inserted at two digit positions, ``low < high``."""
    i = ((k >> 2 * low) << (2 * low + 2)) | (k & ((1 << 2 * low) - 1))
    return ((i >> 2 * high) << (2 * high + 2)) | (i & ((1 << 2 * high) - 1))


@inner
def _block2(vector, qubit0, qubit1, blocks, row, scratch, transpose):
    low, high = min(qubit0, qubit1), max(qubit0, qubit1)
    for k in range(vector.size >> 4):
        base = _base_of_pair(k, low, high)
        for p in range(16):
            scratch[p] = vector[base + _digits(p, qubit0, qubit1)]
        for p in range(16):
            total = 0.0
            for q in range(16):
                total += (blocks[row, q, p] if transpose else blocks[row, p, q]) * scratch[q]
            vector[base + _digits(p, qubit0, qubit1)] = total


@inner
def _keep(vector, stride, first, second, tape, param):
    """Copy the two Pauli digits that a rotation mixes, half of the vector, to its row of the tape."""
    k = 0
    for base in range(0, vector.size, 4 * stride):
        for i in range(stride):
            tape[param, k + i] = vector[base + first + i]
            tape[param, k + stride + i] = vector[base + second + i]
        k += 2 * stride


@inner
def _generator_overlap(bra, stride, first, second, tape, param):
    """Derivative of a rotation: <bra| J |vector> with J (a, b) = (-b, a), the vector from the tape."""
    total = 0.0
    k = 0
    for base in range(0, bra.size, 4 * stride):
        for i in range(stride):
            total += bra[base + second + i] * tape[param, k + i] - bra[base + first + i] * tape[param, k + stride + i]
        k += 2 * stride
    return total


@inner
def _walk(vector, program, cosines, sines, back, tape, gradient, offsets, scratch):
    """Apply all gates; with ``back`` pull ``vector`` back through their transposes, last gate first.

    Forwards the digits that each rotation mixes are kept on ``tape`` (if it has rows), because a noisy map has no
    stable inverse; backwards it meets the pulled-back observable in ``gradient``.
    """
    table, kinds, channels, blocks1 = program.table, program.kinds, program.channels, program.blocks1
    forms, after, sources = program.forms, program.after, program.sources
    factors, blocks2 = program.factors, program.blocks2
    last = table.shape[0] - 1
    for step in range(last + 1):
        gate = last - step if back else step
        kind = kinds[table[gate, 0]]
        qubit0, qubit1, param = table[gate, 1], table[gate, 2], table[gate, 3]
        row = channels[table[gate, 0], qubit0, qubit1 + 1]
        stride = 1 << 2 * qubit0
        if kind <= RZ:
            first = ((kind + 1) % 3 + 1) * stride  # RX mixes Y, Z; RY mixes Z, X; RZ mixes X, Y
            second = ((kind + 2) % 3 + 1) * stride
            third = (kind + 1) * stride
            c, s = cosines[param], sines[param]
            if not back and tape.shape[0] > 0:
                _keep(vector, stride, first, second, tape, param)
            is_pauli_channel = forms[row] == RELAXING and blocks1[row, 3, 0] == 0.0
            if is_pauli_channel:  # in one pass with the rotation; backwards their transpose
                d1, d2, d3 = first // stride, second // stride, kind + 1
                f1, f2, f3 = blocks1[row, d1, d1], blocks1[row, d2, d2], blocks1[row, d3, d3]
                if back:
                    _turn(vector, stride, first, second, third, c * f1, s * f2, -s * f1, c * f2, f3)
                else:
                    _turn(vector, stride, first, second, third, c * f1, -s * f1, s * f2, c * f2, f3)
            else:
                for part in range(2):  # the rotation first; backwards last
                    if part == back:
                        sine = -s if back else s
                        _turn(vector, stride, first, second, third, c, -sine, sine, c, 1.0)
                    else:
                        _channel1(vector, qubit0, blocks1, row, forms, back)
            if back:
                gradient[param] = _generator_overlap(vector, stride, first, second, tape, param)
        elif kind == BLOCK1:
            _block1(vector, stride, blocks1, row, back)
        elif kind == BLOCK2:
            _block2(vector, qubit0, qubit1, blocks2, row, scratch, back)
        else:
            for part in range(2):  # the gate first; backwards last
                if part == back:
                    _exchange2(vector, qubit0, qubit1, sources, factors, row, back, offsets, scratch)
                elif after[table[gate, 0], qubit0, qubit1 + 1, 0] >= 0:
                    for k in range(2):
                        noise = after[table[gate, 0], qubit0, qubit1 + 1, k]
                        _channel1(vector, qubit1 if k else qubit0, blocks1, noise, forms, back)


class Workspace(NamedTuple):
    """Scratch memory of one program, reused by every evaluation."""

    vector: NDArray[np.float64]  # (4**n,)
    tape: NDArray[np.float64]  # (num_params, 4**n / 2)
    cosines: NDArray[np.float64]  # (num_params,)
    sines: NDArray[np.float64]  # (num_params,)
    offsets: NDArray[np.int64]  # (32,)
    scratch: NDArray[np.float64]  # (32,)


def workspace(program, num_params):
    """Return scratch memory for a program with ``num_params`` angles."""
    size = 1 << 2 * program.channels.shape[1]
    tape = np.empty((num_params, size >> 1))
    return Workspace(
        np.empty(size), tape, np.empty(num_params), np.empty(num_params), np.empty(32, np.int64), np.empty(32)
    )


@inner
def _angles(params, cosines, sines):
    for k in range(params.size):
        cosines[k] = math.cos(params[k])
        sines[k] = math.sin(params[k])


@inner
def _expectation(program, vector):
    total = 0.0
    for k in range(program.indices.size):
        total += program.coefficients[k] * vector[program.indices[k]]
    return total


def evaluate(program, params, gradient, work):
    """Return Tr(H rho); fill ``gradient`` if it has one entry per angle and not none.

    Once forwards with the state, once backwards with the observable.
    """
    vector, cosines, sines = work.vector, work.cosines, work.sines
    _angles(params, cosines, sines)
    _prepare_zero(vector)
    tape = work.tape[: gradient.size]
    value = 0.0
    for back in range(2 if gradient.size > 0 else 1):  # one call in a loop: two calls would be compiled twice
        _walk(vector, program, cosines, sines, back, tape, gradient, work.offsets, work.scratch)
        if back:
            continue
        value = _expectation(program, vector)
        if gradient.size > 0:
            for k in range(vector.size):
                vector[k] = 0.0
            for k in range(program.indices.size):
                vector[program.indices[k]] += program.coefficients[k]
    return value


def final_state(work):
    """Return a view of the Pauli vector ``(4**n,)`` that an evaluation without gradient left."""
    return work.vector

"""Statevector kernels: apply a program, <H>, and its gradient by the adjoint method.

A program is the integer table of a ``Circuit``: rows (gate, qubit0, qubit1, parameter). ``kinds[gate]`` selects the
function that applies a gate. An observable is grouped by the bits it flips:
``(H psi)[i ^ flips[k]] += diagonals[k, i] * psi[i]``.

References:
    Jones and Gacon, "Efficient calculation of gradients in classical simulations of variational quantum algorithms",
    arXiv:2009.02823 (the adjoint method).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qas_simulators.kernels.compile import inlined, inner
from qas_simulators.kernels.tasks import (
    CX,
    CZ,
    GRADIENT,
    MATRIX1,
    PHASE,
    RX,
    RY,
    RYY,
    RZ,
    RZZ,
    SCAN,
    SWAP,
)
from qas_simulators.kernels.trigonometry import cosines_and_sines


class StatevectorProgram(NamedTuple):
    """A circuit and an observable, as the kernels read them."""

    table: NDArray[np.int32]  # (num_gates, 4)
    kinds: NDArray[np.int64]  # (gate table,)
    matrices: NDArray[np.complex128]  # (gate table, 4, 4); one-qubit gates in the upper left 2 x 2
    flips: NDArray[np.int64]  # (groups,)
    diagonals: NDArray[np.complex128]  # (groups, 2**n)


@inner
def _rx(psi, stride, c, s):
    for base in range(0, psi.size, 2 * stride):
        for i in range(base, base + stride):
            a, b = psi[i], psi[i + stride]
            psi[i] = complex(c * a.real + s * b.imag, c * a.imag - s * b.real)
            psi[i + stride] = complex(c * b.real + s * a.imag, c * b.imag - s * a.real)


@inner
def _ry(psi, stride, c, s):
    for base in range(0, psi.size, 2 * stride):
        for i in range(base, base + stride):
            a, b = psi[i], psi[i + stride]
            psi[i] = complex(c * a.real - s * b.real, c * a.imag - s * b.imag)
            psi[i + stride] = complex(s * a.real + c * b.real, s * a.imag + c * b.imag)


@inner
def _rz(psi, stride, c, s):
    for base in range(0, psi.size, 2 * stride):
        for i in range(base, base + stride):
            a, b = psi[i], psi[i + stride]
            psi[i] = complex(c * a.real + s * a.imag, c * a.imag - s * a.real)
            psi[i + stride] = complex(c * b.real - s * b.imag, c * b.imag + s * b.real)


@inner
def _matrix1(psi, stride, m00, m01, m10, m11):
    for base in range(0, psi.size, 2 * stride):
        for i in range(base, base + stride):
            a, b = psi[i], psi[i + stride]
            psi[i] = m00 * a + m01 * b
            psi[i + stride] = m10 * a + m11 * b


@inner
def _without_bits(k, low, high):
    """Return ``k`` with a 0 inserted at two bit positions, ``low < high``."""
    i = ((k >> low) << (low + 1)) | (k & ((1 << low) - 1))
    return ((i >> high) << (high + 1)) | (i & ((1 << high) - 1))


@inner
def _exchange(psi, low, high, first, second):
    """Swap the amplitudes at two settings of the bits ``low`` and ``high``: CX and SWAP."""
    for k in range(psi.size >> 2):
        i = _without_bits(k, low, high)
        psi[i | first], psi[i | second] = psi[i | second], psi[i | first]


@inner
def _cz(psi, low, high):
    both = (1 << low) | (1 << high)
    for k in range(psi.size >> 2):
        i = _without_bits(k, low, high) | both
        psi[i] = -psi[i]


@inner
def _matrix2(psi, bit0, bit1, low, high, matrices, gate, dagger):
    for k in range(psi.size >> 2):
        i = _without_bits(k, low, high)
        a, b, c, d = psi[i], psi[i | bit0], psi[i | bit1], psi[i | bit0 | bit1]
        for row in range(4):
            if dagger:
                m0, m1 = matrices[gate, 0, row].conjugate(), matrices[gate, 1, row].conjugate()
                m2, m3 = matrices[gate, 2, row].conjugate(), matrices[gate, 3, row].conjugate()
            else:
                m0, m1 = matrices[gate, row, 0], matrices[gate, row, 1]
                m2, m3 = matrices[gate, row, 2], matrices[gate, row, 3]
            psi[i | (row & 1) * bit0 | (row >> 1) * bit1] = m0 * a + m1 * b + m2 * c + m3 * d


@inner
def _pauli_pair(psi, kind, bit0, bit1, low, high, c, s):
    """Apply RXX, RYY or RZZ: the first two mix amplitudes that differ in both bits."""
    outer = -s if kind == RYY else s  # YY|00> = -|11>
    for k in range(psi.size >> 2):
        i = _without_bits(k, low, high)
        first, second, third, last = i, i | bit0, i | bit1, i | bit0 | bit1
        p, q, r, t = psi[first], psi[second], psi[third], psi[last]
        if kind == RZZ:
            psi[first] = complex(c * p.real + s * p.imag, c * p.imag - s * p.real)
            psi[second] = complex(c * q.real - s * q.imag, c * q.imag + s * q.real)
            psi[third] = complex(c * r.real - s * r.imag, c * r.imag + s * r.real)
            psi[last] = complex(c * t.real + s * t.imag, c * t.imag - s * t.real)
        else:
            psi[first] = complex(c * p.real + outer * t.imag, c * p.imag - outer * t.real)
            psi[second] = complex(c * q.real + s * r.imag, c * q.imag - s * r.real)
            psi[third] = complex(c * r.real + s * q.imag, c * r.imag - s * q.real)
            psi[last] = complex(c * t.real + outer * p.imag, c * t.imag - outer * p.real)


@inner
def _pair_overlap(pair, kind, bit0, bit1, low, high):
    """Return the same as ``_generator_overlap``, for a two-qubit rotation."""
    half = pair.size >> 1
    outer, total = -1.0 if kind == RYY else 1.0, 0.0
    inner_sign = -1.0 if kind == RZZ else 1.0
    swap = 0 if kind == RZZ else bit0 | bit1
    for k in range(half >> 2):
        i = _without_bits(k, low, high)
        for j in range(4):
            place = i | (j & 1) * bit0 | (j >> 1) * bit1
            left, right = pair[half + place], pair[place ^ swap]
            sign = outer if j == 0 or j == 3 else inner_sign
            total += sign * (left.real * right.imag - left.imag * right.real)
    return total


@inner
def _generator_overlap(pair, kind, stride):
    """Im <bra| P |psi> for the Pauli P of a rotation; with bra = H psi it is the derivative of <H>."""
    half = pair.size >> 1
    total = 0.0
    for base in range(0, half, 2 * stride):
        for i in range(base, base + stride):
            r0, r1, l0, l1 = pair[i], pair[i + stride], pair[half + i], pair[half + i + stride]
            if kind == RX:
                total += l0.real * r1.imag - l0.imag * r1.real + l1.real * r0.imag - l1.imag * r0.real
            elif kind == RY:
                total += l1.real * r0.real + l1.imag * r0.imag - l0.real * r1.real - l0.imag * r1.imag
            else:
                total += l0.real * r0.imag - l0.imag * r0.real - l1.real * r1.imag + l1.imag * r1.real
    return total


@inner
def _walk(vector, table, kinds, matrices, rotations, first, stop, back, gradient):
    """Apply gates ``first`` to ``stop``; with ``back`` undo them in reverse order and fill ``gradient``.

    One loop with leaf calls: a call that passes the whole program costs more than a gate on four qubits. Backwards,
    ``vector`` holds psi and the bra behind it: a gate acts on both as on a register with one more qubit.
    """
    for step in range(stop - first):
        gate = stop - 1 - step if back else first + step
        row = table[gate, 0]
        kind = kinds[row]
        qubit0 = table[gate, 1]
        bit0 = 1 << qubit0
        if kind <= PHASE:
            param = table[gate, 3]
            c, s = rotations[param, 0], rotations[param, 1]
            if back:
                gradient[param] = _generator_overlap(vector, kind, bit0)
                s = -s
            if kind == RX:
                _rx(vector, bit0, c, s)
            elif kind == RY:
                _ry(vector, bit0, c, s)
            elif kind == RZ:
                _rz(vector, bit0, c, s)
            else:
                _matrix1(vector, bit0, complex(1.0, 0.0), 0.0j, 0.0j, complex(c * c - s * s, 2.0 * c * s))
        elif kind == MATRIX1:
            m00, m01, m10, m11 = matrices[row, 0, 0], matrices[row, 0, 1], matrices[row, 1, 0], matrices[row, 1, 1]
            if back:
                m00, m01, m10, m11 = m00.conjugate(), m10.conjugate(), m01.conjugate(), m11.conjugate()
            _matrix1(vector, bit0, m00, m01, m10, m11)
        else:
            qubit1 = table[gate, 2]
            low, high, bit1 = min(qubit0, qubit1), max(qubit0, qubit1), 1 << qubit1
            if kind <= RZZ:
                param = table[gate, 3]
                c, s = rotations[param, 0], rotations[param, 1]
                if back:
                    gradient[param] = _pair_overlap(vector, kind, bit0, bit1, low, high)
                    s = -s
                _pauli_pair(vector, kind, bit0, bit1, low, high, c, s)
            elif kind == CX:
                _exchange(vector, low, high, bit0, bit0 | bit1)
            elif kind == CZ:
                _cz(vector, low, high)
            elif kind == SWAP:
                _exchange(vector, low, high, bit0, bit1)
            else:
                _matrix2(vector, bit0, bit1, low, high, matrices, row, back)


@inner
def _multiply_observable(flips, diagonals, psi, out):
    for i in range(out.size):
        out[i] = 0.0
    for k in range(flips.size):
        flip = flips[k]
        for i in range(psi.size):
            out[i ^ flip] += diagonals[k, i] * psi[i]


@inner
def _real_overlap(left, right):
    total = 0.0
    for i in range(left.size):
        total += left[i].real * right[i].real + left[i].imag * right[i].imag
    return total


class StatevectorWorkspace(NamedTuple):
    """Scratch memory of one program, reused by every evaluation."""

    pair: NDArray[np.complex128]  # (2 * 2**n,): psi, then the bra
    prefix: NDArray[np.complex128]  # (2**n,) or empty: the state before the angle that is being scanned
    rotations: NDArray[np.float64]  # (num_params, 2): cosine and sine of half the angle
    energies: NDArray[np.float64]  # (3,)


def workspace(program, num_params, memory):
    """Return scratch memory for ``num_params`` angles; ``memory`` has two times ``2**n`` entries, three for scans."""
    size = 2 * program.diagonals.shape[1]
    return StatevectorWorkspace(memory[:size], memory[size:], np.empty((num_params, 2)), np.empty(3))


@inner
def _prepare_zero(psi):
    for i in range(psi.size):
        psi[i] = 0.0
    psi[0] = 1.0


@inner
def _turn(angle, param, rotations):
    rotations[param, 0], rotations[param, 1] = math.cos(0.5 * angle), math.sin(0.5 * angle)


@inlined
def _energy(program, params, gradient, has_gradient, work):
    """Return <H>; fill its gradient, if wanted, by walking back once."""
    table, pair, rotations = program.table, work.pair, work.rotations
    half = pair.size >> 1
    psi, bra = pair[:half], pair[half:]
    cosines_and_sines(params, 0.5, rotations)
    _prepare_zero(psi)
    value = 0.0
    first, stop = np.int64(0), table.shape[0]
    for back in range(2 if has_gradient else 1):  # one call in a loop: two calls would be compiled twice
        vector = pair if back else psi
        _walk(vector, table, program.kinds, program.matrices, rotations, first, stop, back == 1, gradient)
        if not back:
            _multiply_observable(program.flips, program.diagonals, psi, bra)
            value = _real_overlap(bra, psi)
            while first < stop and table[first, 3] < 0:  # nothing before the first rotation needs undoing
                first += 1
    return value


@inlined
def _scan(program, params, first, work):
    """Move each angle from index ``first`` on to the exact minimum of its sinusoid, one after the other.

    Each costs three energies; only the gates from its own on are simulated again.
    """
    table, prefix, rotations = program.table, work.prefix, work.rotations
    half = work.pair.size >> 1
    psi, bra = work.pair[:half], work.pair[half:]
    energies = work.energies
    cosines_and_sines(params, 0.5, rotations)
    _prepare_zero(prefix)
    reached, stop = np.int64(0), table.shape[0]
    for gate in range(stop):
        param = table[gate, 3]
        if param < first:  # also gates without angle: -1
            continue
        for shift in range(-1, 3):  # first the prefix up to this gate, then the rest at three angles
            vector = prefix if shift < 0 else psi
            if shift >= 0:
                for i in range(half):
                    psi[i] = prefix[i]
                _turn(params[param] + 0.5 * math.pi * (shift - 1), param, rotations)
            begin, end = (reached, gate) if shift < 0 else (gate, stop)
            _walk(vector, table, program.kinds, program.matrices, rotations, begin, end, False, params)
            if shift >= 0:
                _multiply_observable(program.flips, program.diagonals, psi, bra)
                energies[shift] = _real_overlap(bra, psi)
        reached = np.int64(gate)
        sine = 0.5 * (energies[2] - energies[0])
        cosine = energies[1] - 0.5 * (energies[0] + energies[2])
        if sine * sine + cosine * cosine > 1e-24:
            params[param] += math.atan2(-sine, -cosine)
        _turn(params[param], param, rotations)


def evaluate(program, params, gradient, task, first, work):
    """Do one task with one set of angles.

    - ``ENERGY``: return <H>.
    - ``GRADIENT``: return <H> and fill ``gradient``, one entry per angle.
    - ``SCAN``: scan the angles from index ``first`` on, in place; return 0.
    """
    if task == SCAN:
        _scan(program, params, first, work)
        return 0.0
    return _energy(program, params, gradient, task == GRADIENT, work)

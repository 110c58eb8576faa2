"""Energies, gradients and exact scans of noisy circuits on a GPU, by one group of lanes.

A single vector is in fast memory: the state walks forwards, then the observable is pulled back. What both have at a
rotation meets on a tape in global memory, which holds two of the four digits of the rotated qubit for each angle. There
are no inverses, so that strong noise does not amplify rounding errors.

Arguments are those of :mod:`qas_simulators.cuda.walks`, except for these:

- ``space``: array of the vector, offset, number of entries, and the tape ``(angles, entries / 2)``;
- ``circuit``: plan of :mod:`qas_simulators.cuda.pauli_steps`, number of steps, number of angles;
- ``program``: kinds, channels, relaxation after two-qubit gates, two-qubit rotations, blocks of one qubit, places and
  factors of exchanges, blocks of two qubits, and the observable's indices and coefficients.
"""

from __future__ import annotations

import math
from typing import Any

from numba import int32

from qas_simulators.cuda.lanes import cuda, device, group_of
from qas_simulators.cuda.pauli_steps import (
    KEEP,
    MAX_QUBITS,
    MEET,
    NOTHING,
    apply_block,
    apply_item,
    exchange,
    fill_plan,
    meet,
)
from qas_simulators.kernels.pauli_plan import EXCHANGE2, FIXED1


def planning_of(lanes: int, real: Any) -> Any:
    """Return the device function that plans a circuit."""
    wait, _, _ = group_of(lanes)

    @device
    def plan_circuit(table, num_gates, num_params, program, plan, crew):
        """Return the circuit as the other functions of this module read it."""
        lane, mask = crew[2], crew[4]
        last = plan.shape[0] - 1  # a row that is no step
        wait(mask)
        if lane == 0:
            busy = cuda.local.array(MAX_QUBITS, int32)
            plan[last, 0] = fill_plan(plan, table, num_gates, program[1].shape[1], busy, program)
        wait(mask)
        return plan, plan[last, 0], num_params

    return plan_circuit


@device
def _turn(params, number, scratch, size, crew):
    """Fill cosines and sines of the angles, the first two vectors of the scratch memory."""
    lane, lanes = crew[2], crew[3]
    for k in range(lane, size, lanes):
        scratch[k], scratch[size + k] = math.cos(params[number, k]), math.sin(params[number, k])


def _preparation_of(lanes: int, real: Any) -> Any:
    wait, _, _ = group_of(lanes)

    @device
    def prepare(space, program, is_observable, crew):
        """Fill the state of zeros, which is 1 on every product of I and Z, or the observable."""
        vector, at, size = space[0], space[1], space[2]
        lane, lanes, mask = crew[2], crew[3], crew[4]
        indices, coefficients = program[8], program[9]
        wait(mask)
        for i in range(lane, size, lanes):
            is_diagonal = (i ^ (i >> 1)) & 0x5555555555555555 == 0
            vector[at + i] = real(1.0) if is_diagonal and not is_observable else real(0.0)
        wait(mask)
        if is_observable:
            for k in range(lane, indices.size, lanes):  # no string occurs twice
                vector[at + indices[k]] = coefficients[k]
            wait(mask)

    return prepare


def _walk_of(lanes: int, real: Any) -> Any:
    wait, total, _ = group_of(lanes)

    @device
    def walk(space, circuit, first, stop, is_back, use, program, scratch, gradient, begin, crew):
        """Apply steps ``first`` to ``stop``, or their transposes backwards; ``MEET`` fills the gradient."""
        plan, _, num_params = circuit
        fast, base, lane, _, mask = crew
        values, bits = cuda.local.array(16, real), 2 * program[1].shape[1] - 4
        for number in range(stop - first):
            k = stop - 1 - number if is_back else first + number
            if plan[k, 0] <= FIXED1:
                param = plan[k, 4]
                c, s = real(1.0), real(0.0)
                if param >= 0:
                    c, s = scratch[param], scratch[num_params + param]
                cosine, sine = apply_item(space, plan[k], (c, s), program[4], is_back, use, crew)
                if use == MEET and param >= 0:
                    slope = total(c * sine - s * cosine, fast, base, lane, mask)
                    if lane == 0:
                        gradient[begin + param] = slope
            elif plan[k, 0] == EXCHANGE2:
                exchange(space, plan[k], program[5], program[6], bits, is_back, crew)
            else:
                apply_block(space, plan[k], program[7], values, is_back, crew)
            wait(mask)

    return walk


def evaluation_of(lanes: int, real: Any) -> Any:
    """Return the device function of energies and gradients for numbers of type ``real``."""
    _, total, _ = group_of(lanes)
    walk, prepare = _walk_of(lanes, real), _preparation_of(lanes, real)

    @device
    def evaluate(space, circuit, program, params, number, gradient, begin, has_gradient, scratch, crew):
        """Return the energy at a row of angles; fill its gradient, from an offset on, by walking back once."""
        vector, at, _, _ = space
        plan, num_steps, num_params = circuit
        fast, base, lane, lanes, mask = crew
        indices, coefficients = program[8], program[9]
        _turn(params, number, scratch, num_params, crew)
        value, first = real(0.0), 0
        for back in range(2 if has_gradient else 1):  # one call in a loop: two would be compiled twice
            prepare(space, program, back == 1, crew)
            use = MEET if back == 1 else KEEP if has_gradient else NOTHING
            walk(space, circuit, first, num_steps, back == 1, use, program, scratch, gradient, begin, crew)
            if back == 0:
                part = real(0.0)
                for k in range(lane, indices.size, lanes):
                    part += coefficients[k] * vector[at + indices[k]]
                value = total(part, fast, base, lane, mask)
                while first < num_steps and plan[first, 4] < 0:  # the walk back ends at the first rotation
                    first += 1
        return value

    return evaluate


def scan_of(lanes: int, real: Any) -> Any:
    """Return the device function of scans for numbers of type ``real``."""
    wait, total, _ = group_of(lanes)
    walk, prepare = _walk_of(lanes, real), _preparation_of(lanes, real)

    @device
    def scan(space, circuit, program, params, number, first, scratch, crew):
        """Move each angle from index ``first`` on to the exact minimum of its sinusoid, in the order of the steps.

        The observable is pulled back once; then the state walks forwards, and both meet at every angle.
        """
        plan, num_steps, num_params = circuit
        fast, base, lane, _, mask = crew
        _turn(params, number, scratch, num_params, crew)
        tuned = 0
        while tuned < num_steps and plan[tuned, 4] < first:
            tuned += 1
        for part in range(2 + num_steps - tuned):
            is_back = part == 0
            start, stop = tuned, num_steps
            if part == 1:
                start, stop = 0, tuned
            if part < 2:
                prepare(space, program, is_back, crew)
            else:
                start, stop = tuned + part - 2, tuned + part - 1
                param = plan[start, 4]
                if param >= first:
                    cosine, sine = meet(space, plan[start], real(0.0), crew)
                    cosine, sine = total(cosine, fast, base, lane, mask), total(sine, fast, base, lane, mask)
                    if lane == 0 and sine * sine + cosine * cosine > 1e-24:
                        angle = math.atan2(-sine, -cosine)
                        params[number, param] = angle
                        scratch[param], scratch[num_params + param] = math.cos(angle), math.sin(angle)
                    wait(mask)
            use = KEEP if is_back else NOTHING
            walk(space, circuit, start, stop, is_back, use, program, scratch, scratch, 0, crew)

    return scan

"""Walks through a circuit on a GPU: energies, gradients and exact scans, by one group of lanes.

Device functions that add over lanes are made for a number of lanes and a type of number. Their arguments are tuples:

- ``crew``: scratch memory that the lanes share, the group's offset in it, this lane, the number of lanes, and the
  group's mask in its warp;
- ``space``: array of the states, offset, number of amplitudes, and an array that is not used;
- ``circuit``: table of gates, their number, number of angles;
- ``program``: kinds of gates, matrices (real and imaginary parts), and the observable.
"""

from __future__ import annotations

import math
from typing import Any

from qas_simulators.cuda.lanes import device, group_of
from qas_simulators.cuda.states import apply, multiply, prepare, slope
from qas_simulators.kernels.tasks import RZZ


def planning_of(lanes: int, real: Any) -> Any:
    """Return the device function that plans a circuit, which has no plan but its table."""

    @device
    def plan_circuit(table, num_gates, num_params, program, plan, crew):
        return table, num_gates, num_params

    return plan_circuit


@device
def _turn(params, number, scratch, size, crew):
    """Fill cosines and sines of half the angles, the first two vectors of the scratch memory."""
    lane, lanes = crew[2], crew[3]
    for k in range(lane, size, lanes):
        scratch[k], scratch[size + k] = math.cos(0.5 * params[number, k]), math.sin(0.5 * params[number, k])


def _walk_of(lanes: int) -> Any:
    wait, total, _ = group_of(lanes)

    @device
    def walk(space, at, count, circuit, first, stop, is_back, program, scratch, gradient, begin, crew):
        """Apply gates ``first`` to ``stop`` to ``count`` amplitudes; or undo them and fill the gradient."""
        states, _, size, _ = space
        table, _, num_params = circuit
        fast, base, lane, lanes, mask = crew
        for step in range(stop - first):
            k = stop - 1 - step if is_back else first + step
            kind, param = program[0][table[k, 0]], max(0, table[k, 3])
            if is_back and kind <= RZZ:
                part = total(slope(states, at, 2 * size, size, kind, table[k], lane, lanes), fast, base, lane, mask)
                if lane == 0:
                    gradient[begin + param] = part
            turned = scratch[param], scratch[num_params + param]
            apply(states, at, 2 * size, count, kind, table[k], turned, program[1], program[2], is_back, lane, lanes)
            wait(mask)

    return walk


def evaluation_of(lanes: int, real: Any) -> Any:
    """Return the device function of energies and gradients for numbers of type ``real``."""
    wait, total, _ = group_of(lanes)
    walk = _walk_of(lanes)

    @device
    def evaluate(space, circuit, program, params, number, gradient, begin, has_gradient, scratch, crew):
        """Return the energy at a row of angles; fill its gradient, from an offset on, by walking back once."""
        states, at, size, _ = space
        table, num_gates, num_params = circuit
        fast, base, lane, lanes, mask = crew
        _turn(params, number, scratch, num_params, crew)
        prepare(states, at, 2 * size, size, lane, lanes)
        wait(mask)
        value = real(0.0)
        first, count = 0, size
        for back in range(2 if has_gradient else 1):  # one call in a loop: two would be compiled twice
            walk(space, at, count, circuit, first, num_gates, back == 1, program, scratch, gradient, begin, crew)
            if back == 0:
                part = multiply(
                    states, at, 2 * size, size, program[3], program[4], program[5], has_gradient, lane, lanes
                )
                value = total(part, fast, base, lane, mask)
                wait(mask)
                count = 2 * size
                while first < num_gates and table[first, 3] < 0:  # nothing before the first rotation needs undoing
                    first += 1
        return value

    return evaluate


def scan_of(lanes: int, real: Any) -> Any:
    """Return the device function of scans for numbers of type ``real``."""
    wait, total, _ = group_of(lanes)
    walk = _walk_of(lanes)

    @device
    def scan(space, circuit, program, params, number, first, scratch, crew):
        """Move each angle from index ``first`` on to the exact minimum of its sinusoid, one after the other."""
        states, at, size, _ = space
        table, num_gates, num_params = circuit
        fast, base, lane, lanes, mask = crew
        _turn(params, number, scratch, num_params, crew)
        prepare(states, at + size, 2 * size, size, lane, lanes)
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
                    part = multiply(states, at, 2 * size, size, program[3], program[4], program[5], False, lane, lanes)
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

    return scan

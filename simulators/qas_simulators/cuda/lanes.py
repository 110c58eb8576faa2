"""How the lanes of a group, which work on one circuit, wait for each other and add up what they have found.

A group of up to 32 lanes is part of a warp, and several groups share a block. A larger group is a block of its own.
Under numba's CUDA simulator, which has no warps, every group is a block.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import config

if not hasattr(np, _LOST := "row_stack"):  # numba-cuda 0.30 imports it, and NumPy 2.5 has it no longer
    setattr(np, _LOST, np.vstack)
from numba import cuda as _cuda

cuda: Any = _cuda

IS_SIMULATED = bool(config.ENABLE_CUDASIM)
"""Whether kernels run on the CPU, under ``NUMBA_ENABLE_CUDASIM=1``."""

WARP = 32
_MOST_REGISTERS = 128  # of a lane; with more, too few circuits run at once to hide the time of memory
device: Callable[[Any], Any] = cuda.jit(device=True)
kernel: Callable[[Any], Any] = cuda.jit if IS_SIMULATED else cuda.jit(max_registers=_MOST_REGISTERS)


class Group(NamedTuple):
    """Device functions of a group of lanes.

    Attributes:
        wait: ``wait(mask)``: return when all lanes of the group have called it; what they wrote before is then visible.
        total: ``total(value, scratch, base, lane, mask)``: the sum over all lanes, the same bits in each of them.
        largest: The same for the largest value.
    """

    wait: Any
    total: Any
    largest: Any


def group_of(lanes: int) -> Group:
    """Return the functions of a group.

    Args:
        lanes: A power of two. ``scratch`` holds as many entries of each group from ``base`` on.
    """
    if IS_SIMULATED:
        return _simulated(lanes)
    return _warp(lanes) if lanes <= WARP else _block(lanes)


@device
def _sum(left, right):
    return left + right


@device
def _larger(left, right):
    return max(left, right)


def _simulated(lanes: int) -> Group:
    @device
    def wait(mask):
        cuda.syncthreads()

    def reduction(combine: Any) -> Any:
        @device
        def reduce(value, scratch, base, lane, mask):
            scratch[base + lane] = value
            cuda.syncthreads()
            found = scratch[base]
            for k in range(1, lanes):
                found = combine(found, scratch[base + k])
            cuda.syncthreads()
            return found

        return reduce

    return Group(wait, reduction(_sum), reduction(_larger))


def _in_warp(lanes: int, combine: Any) -> Any:
    @device
    def reduce(value, scratch, base, lane, mask):
        distance = lanes >> 1
        while distance > 0:  # partners combine the same two numbers, so that all lanes end with the same bits
            value = combine(value, cuda.shfl_xor_sync(mask, value, distance))
            distance >>= 1
        return value

    return reduce


def _warp(lanes: int) -> Group:
    @device
    def wait(mask):
        cuda.syncwarp(mask)

    return Group(wait, _in_warp(lanes, _sum), _in_warp(lanes, _larger))


def _block(lanes: int) -> Group:
    num_warps = lanes // WARP

    @device
    def wait(mask):
        cuda.syncthreads()

    def reduction(combine: Any) -> Any:
        in_warp = _in_warp(WARP, combine)

        @device
        def reduce(value, scratch, base, lane, mask):
            value = in_warp(value, scratch, base, lane, mask)
            if lane % WARP == 0:
                scratch[base + lane // WARP] = value
            cuda.syncthreads()
            found = scratch[base]
            for k in range(1, num_warps):
                found = combine(found, scratch[base + k])
            cuda.syncthreads()
            return found

        return reduce

    return Group(wait, reduction(_sum), reduction(_larger))

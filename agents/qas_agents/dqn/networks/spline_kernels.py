"""Kernels for uniform B-splines that pass over memory once, where PyTorch needs a pass per operation."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np

_SETTINGS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "nnan", "nsz"}}


@cache
def kernels(order: int) -> tuple[Callable[..., None], Callable[..., None]]:
    """Return compiled functions for ``order!`` times all splines of an order: their values, and their gradients.

    Arguments are ``float32`` arrays: positions ``(inputs, points)``, measured from the first knot in units of the knot
    distance, and splines or gradients with respect to them, ``(inputs, splines, points)``. The first function fills the
    splines. The second fills a third array ``(inputs, points)`` with the gradients with respect to the positions,
    divided by the order.
    """
    half, zero, one = np.float32(0.5 * (order + 1)), np.float32(0.0), np.float32(1.0)
    factors = np.array([(-1) ** j * math.comb(order + 1, j) for j in range(int(half - 0.25) + 1)], dtype=np.float32)
    terms = len(factors)

    @numba.njit(inline="always")
    def bump(distance, exponent):  # type: ignore[no-untyped-def]
        total = zero
        rest = half - distance
        for j in range(terms):
            positive = rest if rest > zero else zero
            power = one if rest > zero else zero
            for _ in range(exponent):
                power *= positive
            total += factors[j] * power
            rest -= one
        return total

    @numba.njit(**_SETTINGS)
    def forward(positions, splines):  # type: ignore[no-untyped-def]
        for i in range(splines.shape[0]):
            for m in range(splines.shape[1]):
                centre, own, row = half + np.float32(m), positions[i], splines[i, m]
                for k in range(own.size):
                    row[k] = bump(abs(own[k] - centre), order)

    @numba.njit(**_SETTINGS)
    def backward(positions, gradients, slopes):  # type: ignore[no-untyped-def]
        for i in range(gradients.shape[0]):
            own, total = positions[i], slopes[i]
            for k in range(own.size):
                total[k] = zero
            for m in range(gradients.shape[1]):
                centre, row = half + np.float32(m), gradients[i, m]
                for k in range(own.size):
                    offset = own[k] - centre
                    slope = bump(abs(offset), order - 1)
                    total[k] += row[k] * (-slope if offset > zero else slope)

    return forward, backward

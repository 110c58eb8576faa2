"""Scans and L-BFGS outside the kernels, for energies that no kernel evaluates."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from qas_simulators.program import FloatArray, Settings, turn_to_minimum

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

_PAIRS: Final = 12  # of steps and gradient changes that L-BFGS keeps, as in the kernels
_POINTS: Final = 8  # of a period, where an energy is not a sinusoid

Energies = Callable[[FloatArray], FloatArray]
"""Energies ``(B,)`` at angles ``(B, num_params)``."""
Gradients = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
"""Energies ``(B,)`` and gradients ``(B, num_params)`` at angles ``(B, num_params)``."""


def scan(energies: Energies, params: FloatArray, first: int, is_sinusoidal: bool) -> int:
    """Move each angle from index ``first`` on to its minimum, in place, one after the other.

    Args:
        energies: Of angles.
        params: Angles in radians.
        first: The first angle to move.
        is_sinusoidal: Whether the minimum follows from three points; otherwise the best of eight counts.

    Returns:
        The number of energies evaluated.
    """
    num_points = 3 if is_sinusoidal else _POINTS
    for k in range(first, len(params)):
        points = np.tile(params, (num_points, 1))
        points[:, k] += np.array([0.0, 0.5, -0.5]) * np.pi if is_sinusoidal else np.arange(_POINTS) * np.pi / 4
        values = energies(points)
        best = int(np.argmin(np.round(values, 12)))  # the first of equals: symmetry shifts no angle
        params[k] = params[k] + turn_to_minimum(*values)[0] if is_sinusoidal else points[best, k]
    return num_points * max(0, len(params) - first)


def descend(
    evaluate: Gradients, params: FloatArray, settings: Settings, is_linked: bool, path: list[FloatArray] | None = None
) -> tuple[float, int]:
    """Minimise over all angles by L-BFGS, in place.

    Args:
        evaluate: Energies and gradients of angles.
        params: Angles in radians, ``(num_params,)`` with at least one.
        settings: Iterations, gradient tolerance and energy tolerance.
        is_linked: Whether angles are shared or scaled; others are returned in [-pi, pi).
        path: Gets the angles after every iteration.

    Returns:
        The energy, and the number of gradients.
    """
    iterations, gradient_tolerance, energy_tolerance = settings
    last = np.inf

    def wrapped(point: FloatArray) -> FloatArray:
        return point.copy() if is_linked else point - 2 * np.pi * np.floor(0.5 * point / np.pi + 0.5)

    def stop(intermediate_result: OptimizeResult) -> None:
        nonlocal last
        if path is not None:
            path.append(wrapped(intermediate_result.x))
        if last - intermediate_result.fun <= energy_tolerance:
            raise StopIteration
        last = intermediate_result.fun

    from scipy.optimize import minimize  # imports for longer than a command's help may take

    found = minimize(
        lambda point: tuple(part[0] for part in evaluate(np.ascontiguousarray(point)[None])),
        params,
        jac=True,
        method="L-BFGS-B",
        callback=stop,  # SciPy's own tolerance of energies is relative
        options={"maxiter": iterations, "gtol": gradient_tolerance, "ftol": 0.0, "maxcor": _PAIRS},
    )
    params[:] = wrapped(found.x)
    return float(found.fun), int(found.nfev)

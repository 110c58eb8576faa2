"""Heisenberg and XXZ chains: their ground energy by the Bethe ansatz."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from qas_envs.problems.reference import Reference

FloatArray = NDArray[np.float64]

_ITERATIONS: Final = 40
_STEPS: Final = 8  # of the anisotropy, from free fermions on
_RESIDUAL: Final = 1e-9  # radians; Newton's method ends below 1e-12 or has failed
_ROUNDING: Final = 2.0**-52


def xxz_energy(num_qubits: int, anisotropy: float, field: float, periodic: bool) -> Reference | None:
    """Return the ground energy of ``sum (X_i X_j + Y_i Y_j + D Z_i Z_j) + h sum Z_i`` on a chain or a ring.

    For every number of flipped spins, the quasi-momenta of the lowest state solve Bethe's equations with consecutive
    quantum numbers; the field then chooses the number of flipped spins. The equations are solved by Newton's method,
    while the anisotropy grows from 0, where fermions are free.

    Args:
        num_qubits: At least 3 on a ring.
        anisotropy: ``D``.
        field: ``h``.
        periodic: Whether it is a ring.

    Returns:
        The energy with its numerical error; ``None`` where these states are not the lowest ones, which is on open
        chains with ``D > 1`` (there are boundary states), or where Newton's method fails.

    References:
        R. Orbach: Linear antiferromagnetic chain with anisotropic coupling. Physical Review 112 (1958).
        F. C. Alcaraz, M. N. Barber, M. T. Batchelor, R. J. Baxter, G. R. W. Quispel: Surface exponents of the quantum
        XXZ, Ashkin-Teller and Potts models. Journal of Physics A 20 (1987) (open chains).

    Examples:
        >>> round(xxz_energy(4, 1.0, 0.0, periodic=True).energy, 9)  # four spins 1/2 on a ring: -2 in spin operators
        -8.0
    """
    bonds = num_qubits if periodic else num_qubits - 1
    polarised = bonds * anisotropy - num_qubits * abs(field)
    scale = bonds * (2.0 + abs(anisotropy)) + num_qubits * abs(field)
    if anisotropy <= -1.0:
        return Reference(polarised, "polarised state", 4.0 * _ROUNDING * scale)
    if anisotropy > 1.0 and not periodic:
        return None
    energies, residual = [polarised], 0.0
    for flipped in range(1, num_qubits // 2 + 1) if field else [num_qubits // 2]:
        momenta, left = _momenta(num_qubits, flipped, anisotropy, periodic)
        if not left < _RESIDUAL:
            return None
        residual = max(residual, left)
        magnons = float(4.0 * np.sum(-np.cos(momenta) - anisotropy))
        energies.append(bonds * anisotropy + magnons - abs(field) * (num_qubits - 2 * flipped))
    return Reference(min(energies), "Bethe ansatz", 4.0 * num_qubits * (residual + _ROUNDING * scale))


def _momenta(num_qubits: int, flipped: int, anisotropy: float, periodic: bool) -> tuple[FloatArray, float]:
    """Return the quasi-momenta ``(flipped,)``, measured from pi, and the largest residual of their equations."""
    if periodic:
        numbers: FloatArray = np.arange(flipped, dtype=np.float64) - 0.5 * (flipped - 1 - num_qubits % 2)
        momenta = 2.0 * np.pi * numbers / num_qubits
    else:
        numbers = np.arange(1, flipped + 1, dtype=np.float64)
        momenta = np.pi * numbers / (num_qubits + 1)
    left = np.inf
    for delta in np.linspace(0.0, anisotropy, _STEPS + 1)[1:] if anisotropy else [0.0]:
        for _ in range(_ITERATIONS):
            residuals, jacobian = _equations(momenta, numbers, num_qubits, delta, periodic)
            left = float(np.abs(residuals).max())
            if not left < 1e6 or left < 1e-13 * num_qubits:
                break
            momenta = momenta - np.linalg.solve(jacobian, residuals)
    inside = bool(np.abs(momenta).max() < np.pi)
    return momenta, left if inside else np.inf


def _equations(
    momenta: FloatArray, numbers: FloatArray, num_qubits: int, delta: float, periodic: bool
) -> tuple[FloatArray, FloatArray]:
    """Return the residuals of Bethe's equations ``(flipped,)`` and their derivatives ``(flipped, flipped)``."""
    others = 1.0 - np.eye(len(momenta))
    phase, by_own, by_other = _scattering(momenta[:, None], momenta[None, :], delta) * others
    if periodic:
        residuals = num_qubits * momenta - 2.0 * np.pi * numbers - phase.sum(axis=1)
        return residuals, np.diag(num_qubits - by_own.sum(axis=1)) - by_other
    mirrored, mirrored_own, mirrored_other = _scattering(momenta[:, None], -momenta[None, :], delta) * others
    cosine = delta * np.cos(momenta)
    wall = np.arctan2(delta * np.sin(momenta), 1.0 + cosine)  # phase at either end
    by_wall = (cosine + delta**2) / (1.0 + 2.0 * cosine + delta**2)
    residuals = 2.0 * (num_qubits + 1) * momenta - 4.0 * wall - 2.0 * np.pi * numbers - (phase + mirrored).sum(axis=1)
    diagonal = 2.0 * (num_qubits + 1) - 4.0 * by_wall - (by_own + mirrored_own).sum(axis=1)
    return residuals, np.diag(diagonal) - (by_other - mirrored_other)


def _scattering(one: FloatArray, other: FloatArray, delta: float) -> FloatArray:
    """Return the phase of two magnons and its derivatives by both momenta, ``(3, flipped, flipped)``."""
    minus, plus = 0.5 * (one - other), 0.5 * (one + other)
    u, v = delta * np.sin(minus), np.cos(plus) + delta * np.cos(minus)
    u_slope = 0.5 * delta * np.cos(minus)
    v_one = -0.5 * np.sin(plus) - 0.5 * delta * np.sin(minus)
    v_other = -0.5 * np.sin(plus) + 0.5 * delta * np.sin(minus)
    size = np.maximum(u * u + v * v, np.finfo(np.float64).tiny)
    slopes = (u_slope * v - u * v_one) / size, (-u_slope * v - u * v_other) / size
    return np.stack([2.0 * np.arctan2(u, v), 2.0 * slopes[0], 2.0 * slopes[1]])

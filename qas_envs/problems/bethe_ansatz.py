"""Heisenberg and XXZ chains: their ground energy by the Bethe ansatz."""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qas_envs.problems.reference import Reference

FloatArray = NDArray[np.float64]

_ITERATIONS: Final = 60
_STEPS: Final = 8  # of the anisotropy, from free fermions on
_RESIDUAL: Final = 1e-9  # radians; Newton's method ends below 1e-12 or has failed
_LEAST_DECAY: Final = 1e-5  # of a magnon at the boundary; below it the momentum is real, or pi to rounding
_EDGE: Final = 1e-3  # distance of a momentum from pi, below which the equations are badly conditioned
_EDGE_ERROR: Final = 1e-8  # of the energy there, in units of four couplings
_ROUNDING: Final = 2.0**-52


class _Magnons(NamedTuple):
    """The lowest state with some flipped spins.

    Attributes:
        energy: Sum of ``-cos(p) - D`` over all magnons, ``p`` being the quasi-momentum measured from pi.
        residual: Of the equations, in radians; infinite where they were not solved.
        error: Of the energy, beside that by the residual.
    """

    energy: float
    residual: float
    error: float = 0.0


def xxz_energy(
    num_qubits: int, anisotropy: float, field: float, periodic: bool, is_frustrated: bool = True
) -> Reference | None:
    """Return the ground energy of ``sum (X_i X_j + Y_i Y_j + D Z_i Z_j) + h sum Z_i`` on a chain or a ring.

    For every number of flipped spins, the quasi-momenta of the lowest state solve Bethe's equations with consecutive
    quantum numbers; the field then chooses the number of flipped spins. The equations are solved by Newton's method,
    while the anisotropy grows from 0, where fermions are free. On open chains with ``D > 1`` and half of an even
    number of spins flipped, one magnon is bound to the boundary: its momentum is ``pi + i kappa``, and ``kappa``
    follows from its own equation by bisection.

    Args:
        num_qubits: At least 3 on a ring.
        anisotropy: ``D``.
        field: ``h``.
        periodic: Whether it is a ring.
        is_frustrated: Whether an odd ring is as above; otherwise ``X X + Y Y`` has the opposite sign on all of its
            bonds. On even rings and chains this sign makes no difference.

    Returns:
        The energy with its numerical error; ``None`` where the equations were not solved.

    References:
        R. Orbach: Linear antiferromagnetic chain with anisotropic coupling. Physical Review 112 (1958).
        F. C. Alcaraz, M. N. Barber, M. T. Batchelor, R. J. Baxter, G. R. W. Quispel: Surface exponents of the quantum
        XXZ, Ashkin-Teller and Potts models. Journal of Physics A 20 (1987) (open chains).
        A. Kapustin, S. Skorik: Surface excitations and surface energy of the antiferromagnetic XXZ chain by the Bethe
        ansatz approach, arXiv:hep-th/9506067 (magnons at the boundary).

    Examples:
        >>> round(xxz_energy(4, 1.0, 0.0, periodic=True).energy, 9)  # four spins 1/2 on a ring: -2 in spin operators
        -8.0
    """
    bonds = num_qubits if periodic else num_qubits - 1
    polarised = bonds * anisotropy - num_qubits * abs(field)
    scale = bonds * (2.0 + abs(anisotropy)) + num_qubits * abs(field)
    if anisotropy <= -1.0:
        return Reference(polarised, "polarised state", 4.0 * _ROUNDING * scale)
    shift = 0.5 * (num_qubits % 2) if periodic and is_frustrated else 0.0
    energies, residual, error = [polarised], 0.0, 0.0
    for flipped in range(1, num_qubits // 2 + 1) if field else [num_qubits // 2]:
        if anisotropy > 1.0 and not periodic and 2 * flipped == num_qubits:
            found = _half_filled(num_qubits, anisotropy)
        else:
            found = _extended(num_qubits, flipped, anisotropy, periodic, shift)
        if not found.residual < _RESIDUAL:
            return None
        residual, error = max(residual, found.residual), max(error, found.error)
        energies.append(bonds * anisotropy + 4.0 * found.energy - abs(field) * (num_qubits - 2 * flipped))
    return Reference(min(energies), "Bethe ansatz", 4.0 * num_qubits * (residual + _ROUNDING * scale) + 4.0 * error)


def _extended(num_qubits: int, flipped: int, anisotropy: float, periodic: bool, shift: float) -> _Magnons:
    """Return the lowest state in which all momenta are real.

    Args:
        num_qubits: Number of spins.
        flipped: Number of magnons.
        anisotropy: ``D``.
        periodic: Whether it is a ring.
        shift: Of the quantum numbers of a ring.
    """
    if periodic:
        numbers: FloatArray = np.arange(flipped, dtype=np.float64) - 0.5 * (flipped - 1) + shift
        momenta = 2.0 * np.pi * numbers / num_qubits
    else:
        numbers = np.arange(1, flipped + 1, dtype=np.float64)
        momenta = np.pi * numbers / (num_qubits + 1)
    left = np.inf
    for delta in np.linspace(0.0, anisotropy, _STEPS + 1)[1:] if anisotropy else [0.0]:
        momenta, left = _solved(momenta, numbers, num_qubits, float(delta), periodic)
    distance = np.pi - float(np.abs(momenta).max())
    if not distance > 0:
        return _Magnons(np.nan, np.inf)
    energy = float(np.sum(-np.cos(momenta) - anisotropy))
    return _Magnons(energy, left, _EDGE_ERROR if distance < _EDGE else 0.0)


def _half_filled(num_qubits: int, anisotropy: float) -> _Magnons:
    """Return the lowest state of an even open chain with ``D > 1`` in which half of the spins are flipped."""
    numbers: FloatArray = np.arange(1, num_qubits // 2, dtype=np.float64)
    momenta = np.pi * numbers / (num_qubits + 1)
    left = 0.0
    for delta in (1.0 + (anisotropy - 1.0) * np.linspace(0.0, 1.0, _STEPS + 1)[1:] ** 2).tolist():
        momenta, left = _solved(momenta, numbers, num_qubits, delta, False, math.log(delta))

    def excess(decay: float) -> float:
        """Return what is left of the bound magnon's equation, by its decay, which is a trivial zero."""
        nonlocal momenta, left
        momenta, left = _solved(momenta, numbers, num_qubits, anisotropy, False, decay)
        return _binding(momenta, decay, num_qubits, anisotropy) / decay

    decay = math.log(anisotropy)  # of a magnon at the end of an infinite chain
    lowest = excess(_LEAST_DECAY)
    if not lowest > 0:
        return _extended(num_qubits, num_qubits // 2, anisotropy, False, 0.0)
    # Computed once: near a double zero rounding decides their signs.
    ends = {_LEAST_DECAY: lowest, decay: excess(decay)}
    if ends[decay] < 0:
        from scipy.optimize import brentq  # imports for longer than a command's help may take

        def bracketed(value: float) -> float:
            return ends[value] if value in ends else excess(value)

        decay = brentq(bracketed, _LEAST_DECAY, decay, xtol=4 * _ROUNDING, rtol=4 * _ROUNDING)
        excess(decay)
    energy = float(np.sum(-np.cos(momenta) - anisotropy)) + math.cosh(decay) - anisotropy
    return _Magnons(energy, left, _EDGE_ERROR if decay < _EDGE else 0.0)


def _binding(momenta: FloatArray, decay: float, num_qubits: int, delta: float) -> float:
    """Return the residual of the equation of a magnon bound to the boundary, given the real momenta of the others.

    It decays as ``exp(-decay x)``. ``D exp(-decay) - 1`` is exponentially small in long chains; of its two signs, the
    positive one is that of the ground state.
    """
    scattering = 0.0
    for other in (momenta, -momenta):
        u, v = _angles_of(np.pi + 1j * decay, other, delta)
        scattering += float(np.log(np.abs((v + 1j * u) / (v - 1j * u))).sum())
    small = -(num_qubits + 1) * decay + math.log(delta * math.exp(decay) - 1.0) - 0.5 * scattering
    return math.log(delta) - decay - float(np.logaddexp(0.0, small))


def _solved(
    momenta: FloatArray, numbers: FloatArray, num_qubits: int, delta: float, periodic: bool, decay: float | None = None
) -> tuple[FloatArray, float]:
    """Return the quasi-momenta ``(flipped,)``, measured from pi, and the largest residual of their equations.

    Args:
        momenta: To start from.
        numbers: Quantum numbers, ``(flipped,)``.
        num_qubits: Number of spins.
        delta: The anisotropy.
        periodic: Whether it is a ring.
        decay: Of one more magnon, bound to the boundary.
    """
    left = 0.0
    for _ in range(_ITERATIONS if len(momenta) else 0):
        residuals, jacobian = _equations(momenta, numbers, num_qubits, delta, periodic)
        if decay is not None:
            phase, slope = _scattering_by_bound(momenta, decay, delta)
            residuals, jacobian = residuals - phase, jacobian - np.diag(slope)
        left = float(np.abs(residuals).max())
        if not left < 1e6 or left < 1e-13 * num_qubits:
            break
        momenta = momenta - np.linalg.solve(jacobian, residuals)
    return momenta, left


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
    u, v = _angles_of(one, other, delta)
    u_slope = 0.5 * delta * np.cos(minus)
    v_one = -0.5 * np.sin(plus) - 0.5 * delta * np.sin(minus)
    v_other = -0.5 * np.sin(plus) + 0.5 * delta * np.sin(minus)
    size = np.maximum(u * u + v * v, np.finfo(np.float64).tiny)
    slopes = (u_slope * v - u * v_one) / size, (-u_slope * v - u * v_other) / size
    return np.stack([2.0 * np.arctan2(u, v), 2.0 * slopes[0], 2.0 * slopes[1]])


def _angles_of(one: Any, other: Any, delta: float) -> tuple[Any, Any]:
    """Return two numbers, the phase of two magnons being twice the arc tangent of their ratio."""
    minus, plus = 0.5 * (one - other), 0.5 * (one + other)
    return delta * np.sin(minus), np.cos(plus) + delta * np.cos(minus)


def _scattering_by_bound(momenta: FloatArray, decay: float, delta: float) -> tuple[FloatArray, FloatArray]:
    """Return the phases of real momenta by a bound magnon and its mirror image, and their derivatives, ``(flipped,)``.

    Both images have complex conjugate phases.
    """
    bound = np.pi + 1j * decay
    minus, plus = 0.5 * (momenta - bound), 0.5 * (momenta + bound)
    u, v = _angles_of(momenta, bound, delta)
    u_slope, v_slope = 0.5 * delta * np.cos(minus), -0.5 * np.sin(plus) - 0.5 * delta * np.sin(minus)
    phase = 2.0 * np.arctan2(-2.0 * (u * np.conj(v)).real, np.abs(u) ** 2 - np.abs(v) ** 2)
    return phase, 4.0 * ((u_slope * v - u * v_slope) / (u * u + v * v)).real

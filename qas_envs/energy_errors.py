"""Energy errors as text."""

from __future__ import annotations

from typing import Final

EXACT: Final = 1e-9
"""Errors below it are rounding, in Hartree or in units of J."""


def error_text(error: float, digits: int = 2, unit: str = "") -> str:
    """Return an energy error as text, ``"exact"`` if its magnitude is below 1e-9.

    Args:
        error: Difference from the exact energy, negative for noisy estimates below it.
        digits: Digits after the point.
        unit: Unit that follows a number.

    Examples:
        >>> error_text(1.29e-3, unit="Ha"), error_text(-4e-16, unit="Ha")
        ('1.29e-03 Ha', 'exact')
    """
    return "exact" if abs(error) < EXACT else f"{error:.{digits}e} {unit}".rstrip()

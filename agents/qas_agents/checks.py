"""Checks of values in untrusted files, and of sums in training, without PyTorch."""

from __future__ import annotations

import math
from typing import Any

from qas_simulators.errors import must


def check_number(name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> None:
    """Raise ``ValueError`` unless a value is a finite number in a closed interval."""
    if type(value) not in (int, float) or not math.isfinite(value) or not low <= value <= high:
        raise ValueError(must(name, f"be a finite number in [{low:g}, {high:g}]", value))


def check_generator(state: Any) -> None:
    """Raise ``ValueError`` unless a value is the state of a ``PCG64``, NumPy's default generator."""
    bounds = {"state": 2**128, "inc": 2**128, "has_uint32": 2, "uinteger": 2**32}
    is_whole = isinstance(state, dict) and set(state) == {"bit_generator", "state", "has_uint32", "uinteger"}
    if is_whole and state["bit_generator"] == "PCG64" and isinstance(inner := state["state"], dict):
        flat = {**{name: state[name] for name in ("has_uint32", "uinteger")}, **inner}
        if set(flat) == set(bounds) and all(
            type(flat[name]) is int and 0 <= flat[name] < bounds[name] for name in flat
        ):
            return
    raise ValueError(must("rng", "be the state of a PCG64", state))


def require_finite(what: str, value: float, where: str) -> None:
    """Raise if a sum of numbers is not finite.

    Raises:
        ValueError: Training diverged.
    """
    if not math.isfinite(value):
        raise ValueError(
            f"Training diverged at {where}: {what} must be finite, but add up to {value}. Weights and checkpoint "
            "are those from before; try a smaller learning_rate or rewards of moderate size."
        )

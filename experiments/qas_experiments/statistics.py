"""Interquartile means with bootstrap intervals.

References:
    Agarwal et al., "Deep reinforcement learning at the edge of the statistical precipice", arXiv:2108.13264.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import bootstrap, trim_mean


def iqm(values: Any, axis: int = -1) -> Any:
    """Return the mean of the middle half."""
    return trim_mean(values, 0.25, axis=axis)


def iqm_interval(values: Sequence[float], resamples: int = 10_000) -> tuple[float, float, float]:
    """Return the interquartile mean and its 95 % percentile bootstrap interval.

    Raises:
        ValueError: No values.
    """
    data = np.asarray(values, dtype=np.float64)
    if data.size == 0:
        raise ValueError("Argument `values` must not be empty.")
    if data.size == 1 or np.ptp(data) == 0:
        return float(data.mean()), float(data.min()), float(data.max())
    rng = np.random.default_rng(0)
    found = bootstrap((data,), iqm, n_resamples=resamples, rng=rng, method="percentile").confidence_interval
    return float(iqm(data)), float(found.low), float(found.high)


def iqm_with_interval(values: Sequence[float]) -> str:
    """Return ``"mean [low, high]"`` for tables, ``"-"`` where there are no numbers.

    Examples:
        >>> iqm_with_interval([1.0, 1.0, 1.0])
        '1 (all equal)'
    """
    known = [value for value in values if not np.isnan(value)]
    if not known:
        return "-"
    mean, low, high = iqm_interval(known)
    return f"{_short(mean)} (all equal)" if low == high else f"{_short(mean)} [{_short(low)}, {_short(high)}]"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def wilson_interval(successes: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """Return the 95 % score interval of a probability.

    References:
        Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).

    Examples:
        >>> [round(value, 3) for value in wilson_interval(0, 10)]
        [0.0, 0.278]
    """
    share, square = successes / trials, z * z / trials
    middle = (share + square / 2) / (1 + square)
    half = z * np.sqrt(share * (1 - share) / trials + square / (4 * trials)) / (1 + square)
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))

"""Interquartile means with bootstrap intervals, performance profiles, probabilities of improvement.

References:
    Agarwal et al., "Deep reinforcement learning at the edge of the statistical precipice", arXiv:2108.13264.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import bootstrap, trim_mean

from qas_simulators.errors import must


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
        raise ValueError(must("values", "not be empty", values))
    if data.size == 1 or np.ptp(data) == 0:
        return float(data.mean()), float(data.min()), float(data.max())
    rng = np.random.default_rng(0)
    found = bootstrap((data,), iqm, n_resamples=resamples, rng=rng, method="percentile").confidence_interval
    return float(iqm(data)), float(found.low), float(found.high)


def iqm_with_interval(values: Sequence[float]) -> str:
    """Return ``"mean [low, high]"`` for tables, ``"-"`` without numbers.

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


def performance_profile(scores: Sequence[float], thresholds: Sequence[float]) -> list[float]:
    """Return the share of runs with a score above each threshold (Agarwal et al., section 4.2).

    Examples:
        >>> performance_profile([1.0, 2.0, 3.0, 4.0], [0.0, 2.0, 5.0])
        [1.0, 0.5, 0.0]
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.size == 0:
        raise ValueError(must("scores", "not be empty", scores))
    return [float(np.mean(values > threshold)) for threshold in thresholds]


def probability_of_improvement(
    first: Sequence[Sequence[float]], second: Sequence[Sequence[float]], resamples: int = 2000
) -> tuple[float, float, float]:
    """Return the probability that a run of one agent scores above a run of another, with its 95 % bootstrap interval.

    The mean over tasks of the Mann-Whitney statistic, ties counting half (Agarwal et al., section 4.3); runs are
    resampled within each task.

    Args:
        first: Scores of one agent, by task; larger is better.
        second: Scores of the other agent on the same tasks.
        resamples: Number of bootstrap samples.

    Raises:
        ValueError: The numbers of tasks differ, or a task has no runs.

    Examples:
        >>> probability_of_improvement([[2.0, 3.0]], [[1.0, 1.0]])
        (1.0, 1.0, 1.0)
    """
    if not first or len(first) != len(second) or any(not len(scores) for scores in (*first, *second)):
        raise ValueError(must("scores", "hold runs of the same tasks", (list(map(len, first)), list(map(len, second)))))
    pairs = [
        (np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)) for a, b in zip(first, second, strict=True)
    ]
    rng = np.random.default_rng(0)
    drawn = [np.mean([_wins(rng.choice(a, len(a)), rng.choice(b, len(b))) for a, b in pairs]) for _ in range(resamples)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(np.mean([_wins(a, b) for a, b in pairs])), float(low), float(high)


def _wins(first: Any, second: Any) -> float:
    differences = first[:, None] - second[None, :]
    return float(np.mean((differences > 0) + 0.5 * (differences == 0)))


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

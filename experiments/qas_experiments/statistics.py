"""Interquartile means with bootstrap intervals, performance profiles, probabilities of improvement.

References:
    Agarwal et al., "Deep reinforcement learning at the edge of the statistical precipice", arXiv:2108.13264.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from qas_simulators.errors import must


def iqm(values: Any, axis: int = -1) -> Any:
    """Return the mean of the middle half, as ``scipy.stats.trim_mean(values, 0.25)`` does."""
    ordered = np.sort(np.asarray(values, dtype=np.float64), axis=axis)
    cut = ordered.shape[axis] // 4
    return np.take(ordered, np.arange(cut, ordered.shape[axis] - cut), axis=axis).mean(axis=axis)


def iqm_interval(values: Sequence[float], resamples: int = 10_000) -> tuple[float, float, float]:
    """Return the interquartile mean and its 95 % percentile bootstrap interval.

    Raises:
        ValueError: No values.
    """
    if len(values) == 0:
        raise ValueError(must("values", "not be empty", values))
    return _iqm_interval(tuple(map(float, values)), resamples)


@lru_cache(maxsize=10_000)
def _iqm_interval(values: tuple[float, ...], resamples: int) -> tuple[float, float, float]:
    data = np.asarray(values)
    if data.size == 1 or np.ptp(data) == 0:
        return float(data.mean()), float(data.min()), float(data.max())
    low, high = np.percentile(iqm(data[_draws(data.size, resamples)]), [2.5, 97.5])
    return float(iqm(data)), float(low), float(high)


@lru_cache(maxsize=8)
def _draws(size: int, resamples: int) -> Any:
    """Return bootstrap samples as indices, ``(resamples, size)``.

    They are those of scipy.stats.bootstrap, whose import takes a second.
    """
    return np.random.default_rng(0).integers(0, size, (resamples, size))


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
    wins = [_wins(*map(np.asarray, pair)) for pair in zip(first, second, strict=True)]
    rng = np.random.default_rng(0)
    drawn = np.mean([_resampled(of_task, resamples, rng) for of_task in wins], axis=0)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(np.mean([of_task.mean() for of_task in wins])), float(low), float(high)


def _wins(first: Any, second: Any) -> Any:
    """Return, for every pair of runs, 1 if the first scores above the second, 1/2 for a tie; (runs, runs)."""
    greater, equal = first[:, None] > second[None, :], first[:, None] == second[None, :]
    return greater + 0.5 * equal


def _resampled(wins: Any, resamples: int, rng: np.random.Generator) -> Any:
    """Return the mean of wins for every bootstrap sample of the runs of both agents; (resamples,)."""
    num_first, num_second = wins.shape
    # A bootstrap sample is given by how often it has each run.
    of_first = rng.multinomial(num_first, np.full(num_first, 1.0 / num_first), resamples)
    of_second = rng.multinomial(num_second, np.full(num_second, 1.0 / num_second), resamples)
    return ((of_first @ wins) * of_second).sum(axis=1) / wins.size


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

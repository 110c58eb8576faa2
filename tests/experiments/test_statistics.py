"""Statistics against values worked out by hand, and against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from qas_experiments.statistics import (
    iqm,
    iqm_interval,
    iqm_with_interval,
    performance_profile,
    probability_of_improvement,
    wilson_interval,
)


def test_interquartile_mean_by_hand() -> None:
    assert iqm([0.0, 1.0, 2.0, 100.0]) == pytest.approx(1.5)
    mean, low, high = iqm_interval([1.0, 2.0, 3.0, 4.0, 50.0])
    assert mean == pytest.approx(3.0) and 1.0 <= low < mean < high <= 50.0
    assert iqm_interval([7.0]) == (7.0, 7.0, 7.0)
    assert iqm_with_interval([float("nan")]) == "-" and iqm_with_interval([2.0, 2.0]) == "2 (all equal)"


def test_bootstrap_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = [low <= 0.0 <= high for _, low, high in (iqm_interval(rng.normal(size=20), 500) for _ in range(200))]
    assert 0.85 <= np.mean(covered) <= 1.0


def test_performance_profile_by_hand() -> None:
    assert performance_profile([3.0, 1.0, 2.0], [0.5, 1.0, 2.5, 3.0]) == pytest.approx([1.0, 2 / 3, 1 / 3, 0.0])


def test_probability_of_improvement_is_the_mean_of_mann_whitney() -> None:
    rng = np.random.default_rng(1)
    first = [rng.integers(0, 6, 8).astype(float), rng.normal(1.0, 1.0, 5)]
    second = [rng.integers(0, 6, 7).astype(float), rng.normal(0.0, 1.0, 5)]
    expected = np.mean([mannwhitneyu(a, b).statistic / (len(a) * len(b)) for a, b in zip(first, second, strict=True)])
    value, low, high = probability_of_improvement([list(a) for a in first], [list(b) for b in second])
    assert value == pytest.approx(expected) and low < value < high
    other, *_ = probability_of_improvement([list(b) for b in second], [list(a) for a in first])
    assert value + other == pytest.approx(1.0)


def test_wilson_interval_against_scipy() -> None:
    from scipy.stats import binomtest

    for successes, trials in ((0, 10), (3, 10), (97, 100)):
        interval = binomtest(successes, trials).proportion_ci(method="wilson")
        assert wilson_interval(successes, trials) == pytest.approx((interval.low, interval.high), abs=1e-6)


def test_empty_samples_are_refused() -> None:
    for call in (
        lambda: iqm_interval([]),
        lambda: performance_profile([], [1.0]),
        lambda: probability_of_improvement([[1.0]], [[]]),
        lambda: probability_of_improvement([[1.0]], [[1.0], [2.0]]),
    ):
        with pytest.raises(ValueError, match="Argument `"):
            call()


def test_bootstrap_interval_is_that_of_scipy() -> None:
    from scipy.stats import bootstrap, trim_mean

    for size in (2, 5, 11):
        values = np.random.default_rng(size).normal(size=size)
        assert iqm(values) == pytest.approx(trim_mean(values, 0.25))
        found = bootstrap(
            (values,),
            lambda some, axis=-1: trim_mean(some, 0.25, axis=axis),
            n_resamples=500,
            method="percentile",
            rng=np.random.default_rng(0),
        ).confidence_interval
        assert iqm_interval(list(values), 500)[1:] == pytest.approx((found.low, found.high), abs=1e-14)

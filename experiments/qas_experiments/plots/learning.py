"""Learning curves of runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qas_experiments.plots.style import MARKS, SMALLEST, finish, styled
from qas_experiments.runs.metrics import metrics_of
from qas_experiments.statistics import iqm, iqm_interval
from qas_simulators.errors import must, unknown_name
from qas_simulators.pictures import new_figure, theme_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POINTS = 200  # of a curve
_RESAMPLES = 500  # of a bootstrap per point


@dataclass(frozen=True)
class _Measure:
    """A quantity that learning curves show.

    Attributes:
        label: Label of the axis.
        field: Name of the value in ``metrics.jsonl``.
        running: Function from all values to the running quantity.
        is_logarithmic: Whether the scale is logarithmic.
    """

    label: str
    field: str
    running: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    is_logarithmic: bool = False


def _last_mean(values: NDArray[np.float64], count: int = 50) -> NDArray[np.float64]:
    """Return the running mean over the last ``count`` values."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    begins = np.maximum(ends - count, 0)
    return np.asarray((sums[ends] - sums[begins]) / (ends - begins))


MEASURES = {
    "best_error": _Measure("lowest error so far", "energy_error", np.minimum.accumulate, is_logarithmic=True),
    "error": _Measure("error, last 50 episodes", "energy_error", _last_mean, is_logarithmic=True),
    "return": _Measure("return, last 50 episodes", "return", _last_mean),
    "length": _Measure("steps of an episode, last 50", "length", _last_mean),
    "success": _Measure("episodes solved, last 50", "success", _last_mean),
    "gates": _Measure("gates, last 50 episodes", "gates", _last_mean),
    "two_qubit_gates": _Measure("two-qubit gates, last 50 episodes", "two_qubit_gates", _last_mean),
}

_COMPARED = ("best_error", "return", "success", "two_qubit_gates")


def learning_curves(
    runs: Mapping[str, Sequence[Path | str]],
    measure: str = "best_error",
    *,
    against: str = "evaluations",
    accuracy: float | None = None,
    theme: str = "light",
) -> Figure:
    """Return a curve per agent: the interquartile mean over its runs, with its 95 % bootstrap interval as a band.

    Errors are averaged as logarithms and shown on a logarithmic scale. A curve ends where the first of its runs ends,
    because a mean over the remaining seeds would not be comparable.

    Args:
        runs: Run folders of ``qas-train``, by name in the legend.
        measure: One of :data:`MEASURES`.
        against: ``"evaluations"``, ``"steps"`` or ``"episode"``.
        accuracy: Error at which to draw a dashed line.
        theme: ``"light"`` or ``"dark"``.

    Raises:
        ValueError: Unknown measure, no runs, a run without episodes, or runs that do not overlap.
    """
    if measure not in MEASURES:
        raise ValueError(unknown_name("measure", measure, MEASURES))
    if against not in ("evaluations", "steps", "episode"):
        raise ValueError(unknown_name("against", against, ("evaluations", "steps", "episode")))
    if not runs or not all(runs.values()) or any(isinstance(folders, str | Path) for folders in runs.values()):
        raise ValueError(must("runs", "hold a list of at least one run per agent", dict(runs)))
    figure = new_figure(5.2, 3.3, theme)
    _draw(figure.subplots(), runs, MEASURES[measure], against, accuracy, theme)
    return figure


def comparison(runs: Mapping[str, Sequence[Path | str]], *, theme: str = "light") -> Figure:
    """Return four plots of runs against evaluations: lowest error, return, share solved, and two-qubit gates.

    A measure that the metrics of a run of an earlier version do not have is left out.

    Args:
        runs: Run folders of ``qas-train``, by name in the legend.
        theme: ``"light"`` or ``"dark"``.

    Raises:
        ValueError: As of :func:`learning_curves`.
    """
    figure = new_figure(10.4, 6.6, theme)
    folders = [Path(run) for some in runs.values() for run in some]
    for axes, measure in zip(figure.subplots(2, 2).flat, map(MEASURES.get, _COMPARED), strict=True):
        assert measure is not None
        if all(any(row.get(measure.field) is not None for row in metrics_of(run)) for run in folders):
            _draw(axes, runs, measure, "evaluations", None, theme)
        else:
            axes.set_axis_off()
    return figure


def _draw(
    axes: Axes,
    runs: Mapping[str, Sequence[Path | str]],
    chosen: _Measure,
    against: str,
    accuracy: float | None,
    theme: str,
) -> None:
    """Draw a curve for every agent."""
    colours = theme_of(theme).colours
    styled(axes, theme, against, chosen.label)
    for number, (name, folders) in enumerate(runs.items()):
        curves = [_curve(Path(folder), chosen, against) for folder in folders]
        first, last = max(x[0] for x, _ in curves), min(x[-1] for x, _ in curves)
        if first > last:
            lost = f"overlap: the last one of {name} begins, and the first one ends, at {against}"
            raise ValueError(must("runs", lost, (float(first), float(last))))
        grid = np.linspace(first, last, _POINTS)
        values = np.array([y[np.searchsorted(x, grid, side="right") - 1] for x, y in curves])
        colour = colours[number % len(colours)]
        marks: dict[str, Any] = {"marker": MARKS[number % len(MARKS)], "markevery": _POINTS // 8, "ms": 4}
        if chosen.is_logarithmic:
            values = np.log10(values)
        mean, back = iqm(values, axis=0), (lambda y: 10**y) if chosen.is_logarithmic else np.asarray
        axes.plot(grid, back(mean), color=colour, lw=1.5, label=f"{name} ({len(curves)})", **marks)
        if len(curves) > 1:
            bands = np.array([iqm_interval(list(column), _RESAMPLES)[1:] for column in values.T])
            axes.fill_between(grid, *back(bands.T), color=colour, alpha=0.2, lw=0)
    if chosen.is_logarithmic:
        axes.set_yscale("log")
    finish(axes, theme, accuracy)


def _curve(run: Path, measure: _Measure, against: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the position of every episode on the horizontal axis, and the measure there."""
    rows = [row for row in metrics_of(run) if row.get(measure.field) is not None]
    if not rows:
        raise ValueError(must("runs", "be folders of runs with a finished episode", str(run)))
    values = np.array([row[measure.field] for row in rows], dtype=np.float64)
    if measure.is_logarithmic:
        values = np.maximum(values, SMALLEST)
    return np.array([row[against] for row in rows], dtype=np.float64), measure.running(values)

"""Energy errors: against a resource, along an episode, and over the episodes of a policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from qas_experiments.plots.style import MARKS, SMALLEST, finish, styled, whole_numbers
from qas_simulators.errors import must
from qas_simulators.pictures import new_figure, theme_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def pareto_fronts(
    points: Mapping[str, Sequence[tuple[float, float]]],
    *,
    floor: Sequence[tuple[float, float]] = (),
    accuracy: float | None = None,
    resource: str = "two-qubit gates",
    theme: str = "light",
) -> Figure:
    """Return error against a resource: all points, and the Pareto front of each legend entry as a line.

    Args:
        points: Pairs of resource and error, by name in the legend.
        floor: Pairs of resource and lowest error from an exhaustive search.
        accuracy: Error at which to draw a dashed line.
        resource: Label of the horizontal axis.
        theme: ``"light"`` or ``"dark"``.

    Raises:
        ValueError: No points.
    """
    if not points or not all(len(pairs) for pairs in points.values()):
        raise ValueError(must("points", "hold at least one point per entry", dict(points)))
    colours = theme_of(theme)
    figure = new_figure(5.2, 3.3, theme)
    axes = styled(figure.subplots(), theme, resource, "energy error")
    for number, (name, pairs) in enumerate(points.items()):
        given = np.maximum(np.array(sorted(pairs), dtype=np.float64), [-np.inf, SMALLEST])
        lowest = np.minimum.accumulate(given[:, 1])
        colour = colours.colours[number % len(colours.colours)]
        axes.plot(given[:, 0], given[:, 1], MARKS[number % len(MARKS)], color=colour, ms=4, alpha=0.6, label=name)
        axes.step(given[:, 0], lowest, where="post", color=colour, lw=1.3)
    if floor:
        below = np.maximum(np.array(sorted(floor), dtype=np.float64), [-np.inf, SMALLEST])
        axes.plot(*below.T, "x", color=colours.ink, ms=5, mew=1.2, zorder=3, label="floor")
        axes.step(*below.T, where="post", color=colours.ink, lw=1, ls=":")
    axes.set_yscale("log")
    whole_numbers(axes)
    finish(axes, theme, accuracy)
    return figure


def energy_errors(
    traces: Mapping[str, Sequence[float]], *, accuracy: float | None = None, theme: str = "light"
) -> Figure:
    """Return the error after every gate of episodes, on a logarithmic scale.

    Args:
        traces: ``energy - ground_energy`` after 0, 1, ... gates, by name in the legend.
        accuracy: Error at which to draw a dashed line.
        theme: ``"light"`` or ``"dark"``.

    Raises:
        ValueError: No traces.
    """
    if not traces or not all(len(errors) for errors in traces.values()):
        raise ValueError(must("traces", "hold at least one error per entry", dict(traces)))
    colours = theme_of(theme)
    figure = new_figure(5.2, 3.0, theme)
    axes = styled(figure.subplots(), theme, "gates added", "energy error")
    for number, (name, errors) in enumerate(traces.items()):
        style = {"marker": MARKS[number % len(MARKS)], "color": colours.colours[number % len(colours.colours)]}
        axes.semilogy(np.maximum(np.abs(errors), SMALLEST), ms=4, lw=1.3, label=name, **style)
    whole_numbers(axes)
    finish(axes, theme, accuracy)
    return figure


def rollout_histograms(
    errors: Sequence[float],
    two_qubit_gates: Sequence[int],
    depths: Sequence[int],
    *,
    accuracy: float,
    unit: str = "",
    theme: str = "light",
) -> Figure:
    """Return histograms of a policy's episodes.

    Args:
        errors: Error of each episode's last circuit.
        two_qubit_gates: Two-qubit gates of the same circuits.
        depths: Depths of the same circuits.
        accuracy: Error at which to draw a dashed line.
        unit: Unit of errors.
        theme: ``"light"`` or ``"dark"``.

    Raises:
        ValueError: There are no episodes, or the numbers of errors, gates and depths differ.
    """
    if not len(errors) or not len(errors) == len(two_qubit_gates) == len(depths):
        raise ValueError(must("errors", "be as many as gates and depths, and at least one", list(errors)))
    colours = theme_of(theme)
    figure = new_figure(10, 3, theme)
    first, *others = figure.subplots(1, 3)
    styled(first, theme, f"log10 of the energy error{f' [{unit}]' if unit else ''}", "episodes")
    first.hist(np.log10(np.maximum(errors, SMALLEST)), bins=30, color=colours.colours[0])
    first.axvline(np.log10(accuracy), color=colours.colours[1], ls="--")
    highest = max(*two_qubit_gates, *depths)
    bins = [k - 0.5 for k in range(highest + 2)]
    for axes, name, counts in zip(others, ("two-qubit gates", "depth"), (two_qubit_gates, depths), strict=True):
        styled(axes, theme, name).hist(counts, bins=bins, color=colours.colours[0])
    return figure

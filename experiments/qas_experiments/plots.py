"""Pictures: learning curves, fronts, errors along an episode, Kolmogorov-Arnold edges, gadgets, animations.

Every function returns a matplotlib figure, or writes a file, in the theme ``"light"`` or ``"dark"``; colours are Okabe
and Ito's, and lines differ in their marks too. Needs the ``plots`` extra. Circuits alone: ``circuit.draw("mpl")``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qas_envs import CircuitBuildingEnv
from qas_experiments.runs.metrics import metrics_of
from qas_experiments.statistics import iqm, iqm_interval
from qas_simulators import Gadget
from qas_simulators.errors import must, unknown_name
from qas_simulators.pictures import SIDE, circuit_figure, draw_circuit, extent, new_figure, theme_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SMALLEST = 1e-12  # errors below are drawn here
_MARKS = "osD^vP"
_POINTS = 200  # of a curve
_RESAMPLES = 500  # of a bootstrap per point


def _styled(axes: Axes, theme: str, x: str = "", y: str = "") -> Axes:
    """Give axes the colours of a theme, and labels."""
    colours = theme_of(theme)
    axes.set_facecolor(colours.paper)
    axes.tick_params(colors=colours.ink, which="both", labelsize=8)
    for spine in axes.spines.values():
        spine.set_color(colours.wire)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(color=colours.wire, lw=0.4, alpha=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel(x, color=colours.ink, fontsize=9)
    axes.set_ylabel(y, color=colours.ink, fontsize=9)
    return axes


def _finish(axes: Axes, theme: str, accuracy: float | None) -> None:
    """Draw the accuracy as a dashed line, and the legend."""
    colours = theme_of(theme)
    if accuracy is not None:
        axes.axhline(accuracy, color=colours.ink, lw=0.8, ls="--")
    axes.legend(fontsize=8, facecolor=colours.paper, edgecolor=colours.wire, labelcolor=colours.ink)


def _whole_numbers(axes: Axes) -> None:
    """Mark only whole numbers on the horizontal axis."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


# -- learning ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Measure:
    """What a learning curve shows of the metrics of a run.

    Attributes:
        label: Of the axis.
        field: Of a line of ``metrics.jsonl``.
        running: What is made of the values so far.
        is_logarithmic: Scale.
    """

    label: str
    field: str
    running: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    is_logarithmic: bool = False


def _last_mean(values: NDArray[np.float64], count: int = 50) -> NDArray[np.float64]:
    """Return the mean of the last so many values, at every one."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    begins = np.maximum(ends - count, 0)
    return np.asarray((sums[ends] - sums[begins]) / (ends - begins))


MEASURES = {
    "best_error": _Measure("lowest error so far", "energy_error", np.minimum.accumulate, is_logarithmic=True),
    "error": _Measure("error, last 50 episodes", "energy_error", _last_mean, is_logarithmic=True),
    "success": _Measure("episodes solved, last 50", "success", _last_mean),
    "gates": _Measure("gates, last 50 episodes", "gates", _last_mean),
    "two_qubit_gates": _Measure("two-qubit gates, last 50 episodes", "two_qubit_gates", _last_mean),
}


def learning_curves(
    runs: Mapping[str, Sequence[Path | str]],
    measure: str = "best_error",
    *,
    against: str = "evaluations",
    accuracy: float | None = None,
    theme: str = "light",
) -> Figure:
    """Return a curve per agent: the interquartile mean over its runs, in a band that is its 95 % bootstrap interval.

    Errors, on a logarithmic scale, are averaged as logarithms. A curve ends where the first of its runs
    ends: beyond, it would be of other seeds.

    Args:
        runs: By what the legend calls them, the run folders of ``qas-train``.
        measure: One of :data:`MEASURES`.
        against: ``"evaluations"``, ``"steps"`` or ``"episode"``.
        accuracy: A dashed line at this error.
        theme: ``"light"`` or ``"dark"``.

    Raises:
        ValueError: Unknown measure, no runs, a run without episodes, or runs of which one ends before another begins.
    """
    if measure not in MEASURES:
        raise ValueError(unknown_name("measure", measure, MEASURES))
    if against not in ("evaluations", "steps", "episode"):
        raise ValueError(unknown_name("against", against, ("evaluations", "steps", "episode")))
    if not runs or not all(runs.values()) or any(isinstance(folders, str | Path) for folders in runs.values()):
        raise ValueError(must("runs", "hold a list of one run at least per agent", dict(runs)))
    chosen, colours = MEASURES[measure], theme_of(theme).colours
    figure = new_figure(5.2, 3.3, theme)
    axes = _styled(figure.subplots(), theme, against, chosen.label)
    for number, (name, folders) in enumerate(runs.items()):
        curves = [_curve(Path(folder), chosen, against) for folder in folders]
        first, last = max(x[0] for x, _ in curves), min(x[-1] for x, _ in curves)
        if first > last:
            lost = f"have an episode in common: those of {name} begin and end at {against}"
            raise ValueError(must("runs", lost, (float(first), float(last))))
        grid = np.linspace(first, last, _POINTS)
        values = np.array([y[np.searchsorted(x, grid, side="right") - 1] for x, y in curves])
        colour = colours[number % len(colours)]
        marks: dict[str, Any] = {"marker": _MARKS[number % len(_MARKS)], "markevery": _POINTS // 8, "ms": 4}
        if chosen.is_logarithmic:
            values = np.log10(values)
        mean, back = iqm(values, axis=0), (lambda y: 10**y) if chosen.is_logarithmic else np.asarray
        axes.plot(grid, back(mean), color=colour, lw=1.5, label=f"{name} ({len(curves)})", **marks)
        if len(curves) > 1:
            bands = np.array([iqm_interval(list(column), _RESAMPLES)[1:] for column in values.T])
            axes.fill_between(grid, *back(bands.T), color=colour, alpha=0.2, lw=0)
    if chosen.is_logarithmic:
        axes.set_yscale("log")
    _finish(axes, theme, accuracy)
    return figure


def _curve(run: Path, measure: _Measure, against: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what had been spent after every episode, and the measure then."""
    rows = [row for row in metrics_of(run) if row[measure.field] is not None]
    if not rows:
        raise ValueError(must("runs", "be folders of runs with a finished episode", str(run)))
    values = np.array([row[measure.field] for row in rows], dtype=np.float64)
    if measure.is_logarithmic:
        values = np.maximum(values, _SMALLEST)
    return np.array([row[against] for row in rows], dtype=np.float64), measure.running(values)


def pareto_fronts(
    points: Mapping[str, Sequence[tuple[float, float]]],
    *,
    floor: Sequence[tuple[float, float]] = (),
    accuracy: float | None = None,
    resource: str = "two-qubit gates",
    theme: str = "light",
) -> Figure:
    """Return error against a resource: all points, and per legend entry the line that no other of its points beats.

    Args:
        points: By what the legend calls them, pairs of resource and error.
        floor: Pairs of resource and the lowest error that exhaustive search found.
        accuracy: A dashed line at this error.
        resource: Label of the horizontal axis.
        theme: ``"light"`` or ``"dark"``.

    Raises:
        ValueError: No points.
    """
    if not points or not all(len(pairs) for pairs in points.values()):
        raise ValueError(must("points", "hold a point per entry at least", dict(points)))
    colours = theme_of(theme)
    figure = new_figure(5.2, 3.3, theme)
    axes = _styled(figure.subplots(), theme, resource, "energy error")
    for number, (name, pairs) in enumerate(points.items()):
        given = np.maximum(np.array(sorted(pairs), dtype=np.float64), [-np.inf, _SMALLEST])
        lowest = np.minimum.accumulate(given[:, 1])
        colour = colours.colours[number % len(colours.colours)]
        axes.plot(given[:, 0], given[:, 1], _MARKS[number % len(_MARKS)], color=colour, ms=4, alpha=0.6, label=name)
        axes.step(given[:, 0], lowest, where="post", color=colour, lw=1.3)
    if floor:
        below = np.maximum(np.array(sorted(floor), dtype=np.float64), [-np.inf, _SMALLEST])
        axes.plot(*below.T, "x", color=colours.ink, ms=5, mew=1.2, zorder=3, label="floor")
        axes.step(*below.T, where="post", color=colours.ink, lw=1, ls=":")
    axes.set_yscale("log")
    _whole_numbers(axes)
    _finish(axes, theme, accuracy)
    return figure


def energy_errors(
    traces: Mapping[str, Sequence[float]], *, accuracy: float | None = None, theme: str = "light"
) -> Figure:
    """Return the error after every gate of episodes, log scale.

    Args:
        traces: By what the legend calls them, ``energy - ground_energy`` after 0, 1, ... gates.
        accuracy: A dashed line at this error.
        theme: ``"light"`` or ``"dark"``.

    Raises:
        ValueError: No traces.
    """
    if not traces or not all(len(errors) for errors in traces.values()):
        raise ValueError(must("traces", "hold an error per entry at least", dict(traces)))
    colours = theme_of(theme)
    figure = new_figure(5.2, 3.0, theme)
    axes = _styled(figure.subplots(), theme, "gates added", "energy error")
    for number, (name, errors) in enumerate(traces.items()):
        style = {"marker": _MARKS[number % len(_MARKS)], "color": colours.colours[number % len(colours.colours)]}
        axes.semilogy(np.maximum(np.abs(errors), _SMALLEST), ms=4, lw=1.3, label=name, **style)
    _whole_numbers(axes)
    _finish(axes, theme, accuracy)
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
        errors: Of each episode's last circuit.
        two_qubit_gates: Of the same circuits.
        depths: Of the same circuits.
        accuracy: A dashed line at this error.
        unit: Of errors.
        theme: ``"light"`` or ``"dark"``.

    Raises:
        ValueError: No episodes, or another number of gates or depths than of errors.
    """
    if not len(errors) or not len(errors) == len(two_qubit_gates) == len(depths):
        raise ValueError(must("errors", "be of as many episodes as gates and depths, one at least", list(errors)))
    colours = theme_of(theme)
    figure = new_figure(10, 3, theme)
    first, *others = figure.subplots(1, 3)
    _styled(first, theme, f"log10 of the energy error{f' [{unit}]' if unit else ''}", "episodes")
    first.hist(np.log10(np.maximum(errors, _SMALLEST)), bins=30, color=colours.colours[0])
    first.axvline(np.log10(accuracy), color=colours.colours[1], ls="--")
    highest = max(*two_qubit_gates, *depths)
    bins = [k - 0.5 for k in range(highest + 2)]
    for axes, name, counts in zip(others, ("two-qubit gates", "depth"), (two_qubit_gates, depths), strict=True):
        _styled(axes, theme, name).hist(counts, bins=bins, color=colours.colours[0])
    return figure


# -- networks ----------------------------------------------------------------------------------------------------------


def kan_edges(
    network: Any,
    observations: NDArray[np.float32],
    *,
    num_edges: int = 12,
    names: Sequence[str] = (),
    theme: str = "light",
) -> Figure:
    """Return the edge functions of a Kolmogorov-Arnold network that vary most, with what observations bring to them.

    Args:
        network: A KAN, or an agent's network that holds one.
        observations: ``(batch, num_inputs)``.
        num_edges: Panels.
        names: Of the inputs.
        theme: ``"light"`` or ``"dark"``.

    Raises:
        ImportError: No PyTorch.
        ValueError: Another network.
    """
    from qas_agents.dqn.interpretation import edge_functions

    colours = theme_of(theme)
    edges = edge_functions(network, observations, num_edges)
    columns = min(4, len(edges))
    rows = -(-len(edges) // columns)
    figure = new_figure(2.6 * columns, 2.1 * rows, theme)
    panels = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for axes, edge in zip(panels, edges, strict=False):
        _styled(axes, theme)
        axes.plot(edge.x, edge.y, color=colours.colours[edge.layer % len(colours.colours)], lw=1.5)
        axes.plot(edge.seen, np.full(len(edge.seen), axes.get_ylim()[0]), "|", color=colours.ink, alpha=0.3)
        source = names[edge.source] if names and edge.layer == 0 else edge.source
        title = f"layer {edge.layer}: {source} to {edge.target}, spread {edge.spread:.2g}"
        axes.set_title(title, fontsize=8, color=colours.ink)
    for axes in panels[len(edges) :]:
        axes.set_visible(False)
    return figure


def importances(groupings: Mapping[str, Mapping[str, float]], *, num_bars: int = 12, theme: str = "light") -> Figure:
    """Return summed importances of inputs as bars, one panel per way of grouping them.

    Args:
        groupings: By title of the panel, what ``grouped_importance`` of ``qas_agents.dqn.interpretation`` returned.
        num_bars: The largest so many are drawn.
        theme: ``"light"`` or ``"dark"``.

    Raises:
        ValueError: No groupings.
    """
    if not groupings:
        raise ValueError(must("groupings", "not be empty", dict(groupings)))
    figure = new_figure(3.4 * len(groupings), 3, theme)
    panels = np.atleast_1d(figure.subplots(1, len(groupings)))
    for axes, (title, sums) in zip(panels, groupings.items(), strict=True):
        names = list(sums)[:num_bars][::-1]
        _styled(axes, theme, "share of importance").barh(
            names, [sums[name] for name in names], color=theme_of(theme).colours[0]
        )
        axes.set_title(title, fontsize=9, color=theme_of(theme).ink)
    return figure


# -- gadgets and episodes ----------------------------------------------------------------------------------------------


def gadgets_figure(gadgets: Sequence[Gadget], *, theme: str = "light") -> Figure:
    """Return gadgets one below the other, angles as words of their parameters.

    Raises:
        ValueError: No gadgets.
    """
    if not gadgets:
        raise ValueError(must("gadgets", "not be empty", gadgets))
    circuits = [gadget.circuit() for gadget in gadgets]
    sizes = [extent(circuit) for circuit in circuits]
    width = SIDE * (max(columns for columns, _ in sizes) + 1.6)
    heights = [rows + 0.9 for _, rows in sizes]
    figure = new_figure(max(width, 2.5), SIDE * sum(heights), theme)
    panels = np.atleast_1d(figure.subplots(len(gadgets), 1, height_ratios=heights))
    for axes, gadget, circuit in zip(panels, gadgets, circuits, strict=True):
        draw_circuit(axes, circuit, angles=gadget.angle_texts(), theme=theme)
        axes.set_title(gadget.name, fontsize=10, color=theme_of(theme).ink)
    return figure


def animate_episode(
    env: CircuitBuildingEnv, actions: Sequence[int], path: Path | str, *, seconds_per_gate: float = 0.8
) -> Path:
    """Play actions and write a GIF: the circuit, and its error, after every gate.

    Args:
        env: With ``render_mode="rgb_array"``.
        actions: Legal ones, from an empty circuit; what follows the end of the episode is not played.
        path: The file, ``*.gif``.
        seconds_per_gate: How long a picture stays; the last one four times as long.

    Raises:
        ValueError: Another render mode, another kind of file, an illegal action.
    """
    path = Path(path)
    if env.render_mode != "rgb_array":
        raise ValueError(must("env", 'have render_mode="rgb_array"', env.render_mode))
    if path.suffix != ".gif":
        raise ValueError(must("path", "end in .gif", str(path)))
    from PIL import Image

    env.reset(seed=0)
    frames = [env.render()]
    for action in actions:
        *_, terminated, truncated, _ = env.step(action)
        frames.append(env.render())
        if terminated or truncated:
            break
    pictures = [Image.fromarray(frame).quantize(32) for frame in frames]
    lasting = [int(1000 * seconds_per_gate)] * len(pictures)
    lasting[-1] *= 4
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=lasting, loop=0, optimize=True)
    return path


def save(figure: Figure, path: Path | str) -> Path:
    """Write a figure, with nothing in the file that changes from one run to the next."""
    path = Path(path)
    nothing = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    figure.savefig(path, dpi=150, facecolor=figure.get_facecolor(), metadata=nothing.get(path.suffix))
    return path


__all__ = [
    "MEASURES",
    "animate_episode",
    "circuit_figure",
    "energy_errors",
    "gadgets_figure",
    "importances",
    "kan_edges",
    "learning_curves",
    "pareto_fronts",
    "rollout_histograms",
    "save",
]

"""Figures of Kolmogorov-Arnold networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qas_experiments.plots.style import styled
from qas_simulators.errors import must
from qas_simulators.pictures import new_figure, theme_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def kan_edges(
    network: Any,
    observations: NDArray[np.float32],
    *,
    num_edges: int = 12,
    names: Sequence[str] = (),
    theme: str = "light",
) -> Figure:
    """Return the edge functions of a Kolmogorov-Arnold network that vary most, with their inputs from observations.

    Args:
        network: A KAN, or an agent's network that holds one.
        observations: ``(batch, num_inputs)``.
        num_edges: Number of panels.
        names: Names of the inputs.
        theme: ``"light"`` or ``"dark"``.

    Raises:
        ImportError: PyTorch is not installed.
        ValueError: The network holds no KAN.
    """
    from qas_agents.dqn.interpretation import edge_functions

    colours = theme_of(theme)
    edges = edge_functions(network, observations, num_edges)
    columns = min(4, len(edges))
    rows = -(-len(edges) // columns)
    figure = new_figure(2.6 * columns, 2.1 * rows, theme)
    panels = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for axes, edge in zip(panels, edges, strict=False):
        styled(axes, theme)
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
        groupings: Results of ``grouped_importance`` of ``qas_agents.dqn.interpretation``, by title of the panel.
        num_bars: Largest number of bars per panel.
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
        styled(axes, theme, "share of importance").barh(
            names, [sums[name] for name in names], color=theme_of(theme).colours[0]
        )
        axes.set_title(title, fontsize=9, color=theme_of(theme).ink)
    return figure

"""What a trained KAN looks at: edge functions and the importance of inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from qas_agents.dqn.networks import KAN, Dueling
from qas_simulators.errors import must

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")


def holds_kan(network: Any) -> bool:
    """Tell whether an agent's network is a KAN, with dueling heads or without."""
    return isinstance(_body(network), KAN)


def _body(network: Any) -> Any:
    return network.body if isinstance(network, Dueling) else network


def kan_of(network: Any) -> KAN:
    """Return the KAN in an agent's network.

    Raises:
        ValueError: It is another network.
    """
    body = _body(network)
    if not isinstance(body, KAN):
        raise ValueError(must("network", "be a KAN", type(body).__name__))
    return body


@torch.no_grad()
def edge_spreads(network: Any, observations: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return how much every edge's function varies over observations: its standard deviation.

    Args:
        network: A KAN, or an agent's network that holds one.
        observations: ``(batch, num_inputs)``.

    Returns:
        For every layer ``(inputs, outputs)``.
    """
    x, spreads = torch.as_tensor(observations), []
    for layer in kan_of(network).layers:
        values = layer.edges(x)
        spreads.append(values.std(dim=0, correction=0).numpy())
        x = values.sum(dim=1)
    return spreads


def input_importance(network: Any, observations: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return each input's share in how the values vary over observations, ``(num_inputs,)``, adding up to 1.

    Importance flows back from the outputs, equal at first: an edge takes from its node the share that the edge's spread
    has among the node's edges. Inputs that never change have none.
    """
    spreads = edge_spreads(network, observations)
    scores = np.full(spreads[-1].shape[1], 1.0 / spreads[-1].shape[1], dtype=np.float32)
    for spread in reversed(spreads):
        totals = spread.sum(axis=0)
        shares = np.divide(spread, totals, out=np.zeros_like(spread), where=totals > 0)
        scores = shares @ scores
    total = scores.sum()
    return scores / total if total > 0 else scores


def grouped_importance(scores: NDArray[np.float32], groups: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Return the summed importance of groups of inputs, such as moments, gates or qubits, largest first."""
    sums = {name: float(scores[list(places)].sum()) for name, places in groups.items()}
    return dict(sorted(sums.items(), key=lambda item: -item[1]))


def plot_edges(network: Any, observations: NDArray[np.float32], num_edges: int = 12) -> Figure:
    """Draw the edge functions that vary most, one panel each, with the inputs that observations bring to them.

    Args:
        network: A KAN, or an agent's network that holds one.
        observations: ``(batch, num_inputs)``.
        num_edges: Panels.

    Returns:
        A matplotlib figure.
    """
    from matplotlib.figure import Figure

    spreads = edge_spreads(network, observations)
    ranked = sorted(
        ((float(spread[i, o]), k, i, o) for k, spread in enumerate(spreads) for i, o in np.ndindex(spread.shape)),
        reverse=True,
    )[:num_edges]
    columns = min(4, len(ranked))
    rows = -(-len(ranked) // columns)
    figure = Figure(figsize=(2.6 * columns, 2.1 * rows), layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    with torch.no_grad():
        inputs = [torch.as_tensor(observations)]
        layers = kan_of(network).layers
        for layer in layers[:-1]:
            inputs.append(layer.edges(inputs[-1]).sum(dim=1))
        for axis, (spread, k, i, o) in zip(axes, ranked, strict=False):
            seen = inputs[k][:, i]
            low, high = float(seen.min()), float(seen.max())
            x = torch.zeros(200, layers[k].num_inputs)
            x[:, i] = torch.linspace(low - 0.1 * (high - low), high + 0.1 * (high - low), 200)
            axis.plot(x[:, i], layers[k].edges(x)[:, i, o], color=_COLOURS[k % len(_COLOURS)])
            axis.plot(seen, np.full(len(seen), axis.get_ylim()[0]), "|", color="#000000", alpha=0.3)
            axis.set_title(f"layer {k}: {i} to {o}, spread {spread:.2g}", fontsize=8)
            axis.tick_params(labelsize=7)
    for axis in axes[len(ranked) :]:
        axis.set_visible(False)
    return figure


def plot_importance(groupings: Mapping[str, Mapping[str, float]], num_bars: int = 12) -> Figure:
    """Draw summed importances as bars, one panel per way of grouping the inputs.

    Args:
        groupings: For every panel, by its title, what :func:`grouped_importance` returned.
        num_bars: The largest so many are drawn.

    Returns:
        A matplotlib figure.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.4 * len(groupings), 3), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(groupings)))
    for axis, (title, sums) in zip(axes, groupings.items(), strict=True):
        names = list(sums)[:num_bars][::-1]
        axis.barh(names, [sums[name] for name in names], color=_COLOURS[0])
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("share of importance", fontsize=8)
        axis.tick_params(labelsize=7)
    return figure

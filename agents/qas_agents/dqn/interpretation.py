"""Interpretation of a trained KAN: edge functions and the importance of inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from qas_agents.dqn.networks import KAN, Dueling
from qas_simulators.errors import must


def holds_kan(network: Any) -> bool:
    """Return whether an agent's network is a KAN, with or without dueling heads."""
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
    """Return the standard deviation of every edge's function over observations.

    Args:
        network: A KAN, or an agent's network that holds one.
        observations: ``(batch, num_inputs)``.

    Returns:
        An array ``(inputs, outputs)`` for every layer.
    """
    x, spreads = torch.as_tensor(observations), []
    for layer in kan_of(network).layers:
        values = layer.edges(x)
        spreads.append(values.std(dim=0, correction=0).numpy())
        x = values.sum(dim=1)
    return spreads


def input_importance(network: Any, observations: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the importance of every input, ``(num_inputs,)``, with sum 1.

    All outputs are equally important. The importance of a node is distributed over its incoming edges in proportion to
    their standard deviations. Inputs that are constant have importance 0.
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


@dataclass(frozen=True)
class EdgeFunction:
    """The function of one edge of a KAN, over the range of its input and a tenth of it beyond both ends.

    Attributes:
        layer: Number of the layer.
        source: Input of the layer.
        target: Output of the layer.
        spread: Standard deviation of its values over the observations.
        x: ``(200,)``, values of the input.
        y: ``(200,)``, values of the function.
        seen: ``(batch,)``, values of the input for the observations.
    """

    layer: int
    source: int
    target: int
    spread: float
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    seen: NDArray[np.float32]


@torch.no_grad()
def edge_functions(network: Any, observations: NDArray[np.float32], count: int = 12) -> list[EdgeFunction]:
    """Return the edges whose functions vary most over observations, in decreasing order.

    Args:
        network: A KAN, or an agent's network that holds one.
        observations: ``(batch, num_inputs)``.
        count: Largest number of edges.

    Raises:
        ValueError: Another network.
    """
    spreads = edge_spreads(network, observations)
    ranked = sorted(
        ((float(spread[i, o]), k, i, o) for k, spread in enumerate(spreads) for i, o in np.ndindex(spread.shape)),
        reverse=True,
    )[:count]
    layers = kan_of(network).layers
    inputs = [torch.as_tensor(observations)]
    for layer in layers[:-1]:
        inputs.append(layer.edges(inputs[-1]).sum(dim=1))
    found = []
    for spread, k, i, o in ranked:
        seen = inputs[k][:, i]
        low, high = float(seen.min()), float(seen.max())
        x = torch.zeros(200, layers[k].num_inputs)
        x[:, i] = torch.linspace(low - 0.1 * (high - low), high + 0.1 * (high - low), 200)
        y = layers[k].edges(x)[:, i, o]
        found.append(EdgeFunction(k, i, o, spread, x[:, i].numpy(), y.numpy(), seen.numpy()))
    return found

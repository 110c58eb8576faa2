"""Multilayer perceptrons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from torch import nn

from qas_simulators.errors import must, unknown_name

ACTIVATIONS: Final[dict[str, type[nn.Module]]] = {"leaky_relu": nn.LeakyReLU, "relu": nn.ReLU, "silu": nn.SiLU}


def mlp(
    num_inputs: int, num_outputs: int, hidden: Sequence[int] = (256, 256), activation: str = "leaky_relu"
) -> nn.Sequential:
    """Return a multilayer perceptron: a linear layer and an activation per hidden width, then a linear layer.

    CRLQAS uses LeakyReLU, KANQAS ReLU.

    Raises:
        ValueError: No positive widths, or an unknown activation.
    """
    if not hidden or min(hidden) < 1:
        raise ValueError(must("hidden", "be a list of positive widths", tuple(hidden)))
    if activation not in ACTIVATIONS:
        raise ValueError(unknown_name("activation", activation, ACTIVATIONS))
    layers: list[nn.Module] = []
    width = num_inputs
    for next_width in hidden:
        layers += [nn.Linear(width, next_width), ACTIVATIONS[activation]()]
        width = next_width
    return nn.Sequential(*layers, nn.Linear(width, num_outputs))

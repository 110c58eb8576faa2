"""Value networks."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn


def mlp(num_inputs: int, num_actions: int, hidden: Sequence[int]) -> nn.Sequential:
    """Return Linear + LeakyReLU per hidden width, then a linear head of one value per action (CRLQAS)."""
    layers: list[nn.Module] = []
    width = num_inputs
    for next_width in hidden:
        layers += [nn.Linear(width, next_width), nn.LeakyReLU()]
        width = next_width
    return nn.Sequential(*layers, nn.Linear(width, num_actions))

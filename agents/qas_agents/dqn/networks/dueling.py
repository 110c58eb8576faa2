"""Dueling heads: a state value and advantages instead of action values."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Dueling(nn.Module):
    """A network whose first output is the state's value and whose other outputs are advantages.

    ``Q(s, a) = V(s) + A(s, a) - mean_a A(s, a)``.

    Args:
        body: A network with one more output than actions.

    References:
        Wang et al., "Dueling network architectures for deep reinforcement learning", arXiv:1511.06581, eq. 9.
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body: Any = body

    def refit(self, x: Tensor) -> None:
        """Refit the body's grids, if it has any."""
        if hasattr(self.body, "refit"):
            self.body.refit(x)

    def forward(self, observations: Tensor) -> Tensor:
        """Return ``(batch, num_actions)``."""
        outputs: Tensor = self.body(observations)
        value, advantages = outputs[..., :1], outputs[..., 1:]
        return value + advantages - advantages.mean(dim=-1, keepdim=True)

"""Targets and losses as pure functions."""

from __future__ import annotations

import torch
from torch import Tensor


def masked(values: Tensor, action_mask: Tensor) -> Tensor:
    """Return ``values`` with ``-inf`` where the mask is 0; both ``(batch, num_actions)``."""
    return values.masked_fill(action_mask == 0, -torch.inf)


def double_q_target(
    n_step_return: Tensor, discount: Tensor, online_next: Tensor, target_next: Tensor, next_mask: Tensor
) -> Tensor:
    """Return ``R + discount * Q_target(s', argmax_{legal a} Q_online(s', a))``, shape ``(batch,)``.

    Args:
        n_step_return: Discounted sum of the n rewards, ``(batch,)``.
        discount: ``gamma**n``, or 0 where the episode terminated, ``(batch,)``.
        online_next: Values of the online network at the state n steps later, ``(batch, num_actions)``.
        target_next: Values of the target network there, ``(batch, num_actions)``.
        next_mask: Legal actions there, 1 = allowed, ``(batch, num_actions)``.

    References:
        van Hasselt et al., "Deep reinforcement learning with double Q-learning", arXiv:1509.06461, eq. 4.
    """
    best = masked(online_next, next_mask).argmax(dim=1, keepdim=True)
    return n_step_return + discount * target_next.gather(1, best).squeeze(1)

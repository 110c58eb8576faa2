"""The networks of a double DQN and the gradient step that trains them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from qas_agents.checks import require_finite
from qas_agents.dqn.config import DQNConfig
from qas_agents.dqn.losses import double_q_target
from qas_agents.dqn.networks import make_network
from qas_agents.dqn.replay_buffer import Batch
from qas_agents.graph.layout import GraphLayout

CHECK_INTERVAL: Final = 100
"""Gradient steps on a GPU between two checks whether training diverged."""


class Learner:
    """An online network, the target network that follows it, and Adam.

    PyTorch's global generator draws the initial weights.

    On a GPU no gradient step waits for the last one. A step whose loss or gradient is not finite leaves the weights as
    they are, as on the CPU, but it is reported only by the next check: after :data:`CHECK_INTERVAL` steps, at the end
    of training, or before a state is written.

    Args:
        config: Settings.
        num_inputs: Length of an observation.
        num_actions: Number of action values.
        device: Where the networks are.
        layout: Where observations show a graph: how they do.

    Attributes:
        waits: Whether every gradient step is checked at once.
    """

    def __init__(
        self,
        config: DQNConfig,
        num_inputs: int,
        num_actions: int,
        device: torch.device,
        layout: GraphLayout | None = None,
    ) -> None:
        self._config, self._device = config, device
        self.waits = device.type == "cpu"
        self._steps, self._where = 0, ""  # since the last check; the place of the first of them
        self._trouble: Tensor | None = None  # whether one of them was not finite
        sizes = num_inputs, num_actions, config.dueling, layout
        self.online_network = make_network(config.network, *sizes).to(device)
        self.target_network = make_network(config.network, *sizes).to(device)
        self.target_network.load_state_dict(self.online_network.state_dict())
        self.target_network.requires_grad_(False)
        compiled = torch.compile if config.compile else lambda network: network
        self._online, self._target = compiled(self.online_network), compiled(self.target_network)
        self.optimizer = torch.optim.Adam(self.online_network.parameters(), lr=config.learning_rate, fused=True)

    def _precision(self) -> torch.autocast:
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._config.bf16)

    @torch.no_grad()
    def q_values(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the online network's values of observations ``(batch, num_inputs)``, ``(batch, num_actions)``."""
        result: NDArray[np.float32] = self.values(torch.as_tensor(observations, device=self._device)).cpu().numpy()
        return result

    @torch.no_grad()
    def values(self, observations: Tensor) -> Tensor:
        """Return what :meth:`q_values` does, from a tensor on the networks' device and as one."""
        with self._precision():
            values: Tensor = self._online(observations)
        return values.float()

    def update_target(self) -> None:
        """Move the target network towards the online network by the share ``tau``; 1 copies it."""
        tau, online = self._config.tau, self.online_network.state_dict()
        if tau < 1.0:
            target = self.target_network.state_dict()
            online = {name: target[name].lerp(value, tau) for name, value in online.items()}
        self.target_network.load_state_dict(online)

    def refit(self, batch: Batch) -> None:
        """Refit the grids of both networks, which are KANs, to the observations of a batch."""
        observations = torch.as_tensor(batch.observations, device=self._device)
        for network in (self.target_network, self.online_network):
            network.refit(observations)  # type: ignore[operator]

    def gradient_step(
        self, batch: Batch, where: str, further_loss: Callable[[nn.Module], Tensor | None] | None = None
    ) -> tuple[Any, Any]:
        """Take one step on the Huber loss of the double-Q targets; return the loss and the temporal-difference errors.

        Both are tensors on a GPU; otherwise they are a number and an array of NumPy.

        Args:
            batch: Transitions.
            where: Place in the training, for the message of an error.
            further_loss: Returns a scalar that is added to the loss, given the online network; or ``None``.

        Raises:
            ValueError: The loss or the gradient is not finite; the weights have not changed.
        """
        tensors = [torch.as_tensor(array, device=self._device) for array in batch]
        observations, actions, returns, discounts, next_observations, next_masks, weights = tensors

        # The bootstrap is a constant: without no_grad the gradient would also pull the target towards the prediction.
        # The online network selects the next action and the target network evaluates it (double Q-learning), among
        # legal actions only: values of illegal ones are never trained, and their maximum would be noise.
        with torch.no_grad(), self._precision():
            online_next, target_next = self._online(next_observations), self._target(next_observations)
            target = double_q_target(returns, discounts, online_next, target_next, next_masks)

        # Only the values of the actions taken have a target.
        with self._precision():
            values = self._online(observations).gather(1, actions[:, None]).squeeze(1)

        # The loss is computed in float32 even if the networks run in bfloat16, whose 8 bits would round small errors
        # away. Importance weights undo the bias of prioritised sampling; they are 1 for uniform sampling.
        loss = (weights * functional.smooth_l1_loss(values.float(), target, reduction="none")).mean()
        if further_loss is not None:
            with self._precision():
                further = further_loss(self.online_network)
            loss = loss if further is None else loss + further
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]

        # Clip the gradient's norm, so that a single batch with large errors does not spoil the weights.
        norm = torch.zeros_like(loss)
        if self._config.max_grad_norm > 0:
            norm = torch.nn.utils.clip_grad_norm_(self.online_network.parameters(), self._config.max_grad_norm)

        errors, value = target - values.detach().float(), loss.detach()
        if not self.waits:
            self._step_if_finite(value + norm, where)
            return value, errors
        # Check before the step: afterwards the weights would be lost too.
        require_finite("loss and gradient", float(value + norm), where)
        self.optimizer.step()
        return float(value), errors.cpu().numpy()

    def _step_if_finite(self, total: Tensor, where: str) -> None:
        """Step without waiting for a GPU; the optimiser itself leaves the weights alone if a sum is not finite."""
        is_bad = (~torch.isfinite(total)).float()
        self.optimizer.found_inf = is_bad  # type: ignore[attr-defined]
        self.optimizer.step()
        self._trouble = is_bad if self._trouble is None else torch.maximum(self._trouble, is_bad)
        self._where = self._where or where
        self._steps += 1
        if self._steps == CHECK_INTERVAL:
            self.check()

    def check(self) -> None:
        """Wait for the gradient steps on a GPU.

        Raises:
            ValueError: The loss or the gradient of one of the last steps was not finite; it has changed no weights.
        """
        trouble, where = self._trouble, f"{self._where} or up to {CHECK_INTERVAL} gradient steps later"
        self._trouble, self._steps, self._where = None, 0, ""
        if trouble is not None:
            require_finite("loss and gradient", math.nan if trouble.item() else 0.0, where)

"""Settings of the masked double DQN."""

from __future__ import annotations

from dataclasses import dataclass

from qas_simulators.errors import must


@dataclass(frozen=True)
class DQNConfig:
    """Everything that varies in the agent.

    Attributes:
        hidden: Widths of the hidden layers.
        learning_rate: Adam's.
        gamma: Discount of one environment step.
        n_step: Rewards summed before bootstrapping with ``gamma**n``.
        batch_size: Transitions per gradient step.
        buffer_size: Transitions kept.
        learning_starts: Environment steps before the first gradient step, all random.
        train_frequency: Environment steps per gradient step.
        target_update_interval: Gradient steps between two copies to the target network.
        epsilon_start: Probability of a random legal action at first.
        epsilon_end: Its floor.
        epsilon_decay: Factor per gradient step.
        max_grad_norm: Gradients are scaled down to this norm; 0 switches that off.
    """

    hidden: tuple[int, ...] = (256, 256)
    learning_rate: float = 3e-4
    gamma: float = 0.98
    n_step: int = 5
    batch_size: int = 128
    buffer_size: int = 50_000
    learning_starts: int = 2_000
    train_frequency: int = 4
    target_update_interval: int = 500
    epsilon_start: float = 1.0
    epsilon_end: float = 0.05
    epsilon_decay: float = 0.9998
    max_grad_norm: float = 10.0

    def __post_init__(self) -> None:
        for name in ("batch_size", "buffer_size", "n_step", "train_frequency", "target_update_interval"):
            if getattr(self, name) < 1:
                raise ValueError(must(name, "be at least 1", getattr(self, name)))
        for name in ("gamma", "epsilon_start", "epsilon_end", "epsilon_decay"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(must(name, "lie in [0, 1]", getattr(self, name)))
        for name in ("learning_starts", "max_grad_norm"):
            if not getattr(self, name) >= 0:
                raise ValueError(must(name, "not be negative", getattr(self, name)))
        if not self.learning_rate > 0:
            raise ValueError(must("learning_rate", "be positive", self.learning_rate))
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(must("hidden", "hold positive widths", self.hidden))
        if self.buffer_size < self.batch_size:
            raise ValueError(must("buffer_size", f"hold a batch of {self.batch_size}", self.buffer_size))

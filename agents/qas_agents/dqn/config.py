"""Settings of the masked double DQN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from qas_simulators.errors import must, unknown_name

CLOCKS = ("gradient", "environment")
SIZE_FREE = frozenset({"graph"})
"""Networks whose weights do not depend on the number of qubits."""
_AT_LEAST_ONE = (
    "batch_size",
    "buffer_size",
    "n_step",
    "train_frequency",
    "target_update_interval",
    "importance_steps",
)
_SHARES = ("gamma", "epsilon_start", "epsilon_end", "epsilon_decay", "importance_start", "tau")
_NOT_NEGATIVE = ("learning_starts", "max_grad_norm", "prioritization", "refit_interval")


@dataclass(frozen=True)
class DQNConfig:
    """Settings of :class:`MaskedDQN`.

    Attributes:
        network: The value network: ``name`` ("mlp", "kan", "pykan" or "graph") and its sizes.
        instances: What the agent is trained on: arguments of the environment's problem with lists of values, of which
            every combination is an instance. Without any, the environment itself.
        dueling: Split action values into the value of the state and the advantages of the actions.
        learning_rate: Learning rate of Adam.
        gamma: Discount of one environment step.
        n_step: Rewards summed before bootstrapping with ``gamma**n``.
        batch_size: Transitions per gradient step.
        buffer_size: Capacity of the replay buffer in transitions.
        prioritization: Exponent of the priorities in proportional prioritised replay; 0 for uniform sampling.
        importance_start: Initial exponent of the importance weights.
        importance_steps: Gradient steps until the exponent of the importance weights is 1.
        learning_starts: Steps in episodes, with random actions, before the first gradient step.
        train_frequency: Steps in episodes per gradient step.
        target_update_interval: Gradient steps between two updates of the target network.
        tau: Share of the online network in an update of the target network; 1 copies it.
        refit_interval: Gradient steps between two refits of a KAN's grids to a batch; 0 for no refits.
        epsilon_start: Initial probability ε of a random legal action.
        epsilon_end: Lower bound of ε.
        epsilon_decay: Factor of ε per step of ``epsilon_clock``.
        epsilon_clock: Steps that ε decays with: "gradient", or "environment" after ``learning_starts``.
        max_grad_norm: Largest norm of the gradient, which is scaled down to it; 0 for no limit.
        bf16: Let the networks compute in bfloat16 where PyTorch's autocast considers it safe.
        compile: Compile the networks with ``torch.compile``, which needs a C++ compiler.
    """

    network: Mapping[str, Any] = field(default_factory=lambda: {"name": "mlp", "hidden": (256, 256)})
    instances: Mapping[str, Any] = field(default_factory=dict)
    dueling: bool = False
    learning_rate: float = 3e-4
    gamma: float = 0.98
    n_step: int = 5
    batch_size: int = 128
    buffer_size: int = 50_000
    prioritization: float = 0.0
    importance_start: float = 0.4
    importance_steps: int = 100_000
    learning_starts: int = 2_000
    train_frequency: int = 4
    target_update_interval: int = 500
    tau: float = 1.0
    refit_interval: int = 0
    epsilon_start: float = 1.0
    epsilon_end: float = 0.05
    epsilon_decay: float = 0.9998
    epsilon_clock: str = "gradient"
    max_grad_norm: float = 10.0
    bf16: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        for name in _AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise ValueError(must(name, "be at least 1", getattr(self, name)))
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(must(name, "lie in [0, 1]", getattr(self, name)))
        for name in _NOT_NEGATIVE:
            if not getattr(self, name) >= 0:
                raise ValueError(must(name, "not be negative", getattr(self, name)))
        if not isinstance(self.instances, Mapping):
            raise ValueError(must("instances", "be arguments with lists of values", self.instances))
        for name, values in self.instances.items():
            if isinstance(values, str) or not isinstance(values, Sequence) or not values:
                raise ValueError(must(f"instances.{name}", "be a list of values", values))
        if not self.learning_rate > 0:
            raise ValueError(must("learning_rate", "be positive", self.learning_rate))
        if self.epsilon_clock not in CLOCKS:
            raise ValueError(unknown_name("epsilon_clock", self.epsilon_clock, CLOCKS))
        if self.buffer_size < self.batch_size:
            raise ValueError(must("buffer_size", f"hold a batch of {self.batch_size}", self.buffer_size))

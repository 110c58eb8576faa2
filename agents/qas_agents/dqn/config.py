"""Settings of the masked double DQN."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qas_agents.searchers.annealing import SimulatedAnnealing
from qas_simulators.errors import must, unknown_name

CLOCKS = ("gradient", "environment")


@dataclass(frozen=True)
class DQNConfig:
    """Everything that varies in the agent.

    Attributes:
        network: The value network: ``name`` ("mlp", "kan" or "pykan") and its sizes.
        dueling: Split values into the state's value and advantages.
        learning_rate: Adam's.
        gamma: Discount of one environment step.
        n_step: Rewards summed before bootstrapping with ``gamma**n``.
        batch_size: Transitions per gradient step.
        buffer_size: Transitions kept.
        prioritization: Exponent of the priorities in proportional replay; 0 samples uniformly.
        importance_start: First exponent of the importance weights.
        importance_steps: Gradient steps until that exponent is 1.
        learning_starts: Steps in episodes before the first gradient step, all random.
        train_frequency: Steps in episodes per gradient step.
        target_update_interval: Gradient steps between two updates of the target network.
        tau: Share of the online network in such an update; 1 copies it.
        refit_interval: Gradient steps between two refits of a KAN's grids to a batch; 0 for none.
        epsilon_start: Probability of a random legal action at first.
        epsilon_end: Its floor.
        epsilon_decay: Factor per step of ``epsilon_clock``.
        epsilon_clock: "gradient" or "environment" steps; the latter from ``learning_starts`` on.
        max_grad_norm: Gradients are scaled down to this norm; 0 switches that off.
        demonstrations: How many successes, pruned, are kept to lead the agent; 0 for none.
        demonstration_share: Part of the episodes that are led, for a random number of gates.
        search_steps: Circuits of simulated annealing before the first step, whose successes are the first to lead.
        search: Settings of that annealing that differ from its own.
        bf16: Networks compute in bfloat16 where that is safe.
        compile: Networks are compiled by ``torch.compile``, which needs a C++ compiler.
    """

    network: Mapping[str, Any] = field(default_factory=lambda: {"name": "mlp", "hidden": (256, 256)})
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
    demonstrations: int = 0
    demonstration_share: float = 0.25
    search_steps: int = 0
    search: Mapping[str, Any] = field(default_factory=dict)
    bf16: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        for name in (
            "batch_size",
            "buffer_size",
            "n_step",
            "train_frequency",
            "target_update_interval",
            "importance_steps",
        ):
            if getattr(self, name) < 1:
                raise ValueError(must(name, "be at least 1", getattr(self, name)))
        for name in (
            "gamma",
            "epsilon_start",
            "epsilon_end",
            "epsilon_decay",
            "importance_start",
            "tau",
            "demonstration_share",
        ):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(must(name, "lie in [0, 1]", getattr(self, name)))
        for name in (
            "learning_starts",
            "max_grad_norm",
            "prioritization",
            "refit_interval",
            "demonstrations",
            "search_steps",
        ):
            if not getattr(self, name) >= 0:
                raise ValueError(must(name, "not be negative", getattr(self, name)))
        if not self.learning_rate > 0:
            raise ValueError(must("learning_rate", "be positive", self.learning_rate))
        if self.search_steps > 0 and self.demonstrations == 0:
            raise ValueError(must("demonstrations", "be positive where search_steps are", self.demonstrations))
        known = [name for name in inspect.signature(SimulatedAnnealing).parameters if name not in ("env", "seed")]
        for name in self.search:
            if name not in known:
                raise ValueError(unknown_name("setting of the search", name, known))
        if self.epsilon_clock not in CLOCKS:
            raise ValueError(unknown_name("epsilon_clock", self.epsilon_clock, CLOCKS))
        if self.buffer_size < self.batch_size:
            raise ValueError(must("buffer_size", f"hold a batch of {self.batch_size}", self.buffer_size))

"""The rules of one environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qas_envs.catalogue import ActionCatalogue
from qas_envs.curricula import Curriculum
from qas_envs.encodings import Encoding
from qas_envs.families import Family
from qas_envs.halting import Halting
from qas_envs.masks import FrontierMask, Mask
from qas_envs.rewards import Reward
from qas_simulators import Circuit, Simulator
from qas_simulators.errors import must, unknown_name
from qas_simulators.optimizers import Optimizer

ILLEGAL = ("raise", "skip")


@dataclass(frozen=True)
class Rules:
    """The rules of the game: one small object per concept. The environment copies those that keep state."""

    catalogue: ActionCatalogue
    encoding: Encoding
    reward: Reward
    curriculum: Curriculum
    halting: Halting
    simulator: Simulator
    optimizer: Optimizer
    max_gates: int
    initial: Circuit | None = None
    illegal: str = "raise"
    family: Family | None = None
    mask: Callable[[ActionCatalogue], Mask] = FrontierMask

    def __post_init__(self) -> None:
        if self.max_gates < 1:
            raise ValueError(must("max_gates", "be at least 1", self.max_gates))
        if self.illegal not in ILLEGAL:
            raise ValueError(unknown_name("treatment of illegal actions", self.illegal, ILLEGAL))

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
    """The rules of the game: one small object per concept. The environment copies those that keep state.

    Attributes:
        catalogue: Which gate each action appends.
        encoding: What is observed.
        reward: Of a transition.
        curriculum: Below which error an episode succeeds, and against which reference.
        halting: After how many gates an episode is cut.
        simulator: Of energies.
        optimizer: Of angles, after every gate.
        max_gates: The budget.
        initial: Circuit at the beginning; ``None`` for the empty one.
        illegal: ``"raise"``, or ``"skip"``: an illegal action wastes a gate of the budget.
        family: Instances that differ from episode to episode; ``None`` for one instance.
        mask: Makes the mask of a catalogue.

    Raises:
        ValueError: No budget, or an unknown treatment of illegal actions.

    Examples:
        :func:`make_env` makes them from names:

        >>> from qas_envs import make_env
        >>> env = make_env("tfim", problem_settings={"num_qubits": 2}, max_gates=7)
        >>> env.max_gates, len(env.catalogue)
        (7, 8)
    """

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

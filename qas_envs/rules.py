"""The rules of one environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from qas_envs.catalogue import ActionCatalogue
from qas_envs.components import METHODS, check_component, chosen, is_whole
from qas_envs.curricula import Curriculum
from qas_envs.encodings import Encoding
from qas_envs.families import Family
from qas_envs.halting import Halting, NoHalting
from qas_envs.masks import FrontierMask, Mask
from qas_envs.rewards import Reward
from qas_simulators import Circuit, Simulator
from qas_simulators.errors import must
from qas_simulators.optimizers import Optimizer

ILLEGAL = ("raise", "skip")
MOST_GATES: Final = 100_000
"""Largest budget: circuits beyond are no longer something to optimise after every gate."""


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
        ValueError: Something that is of another kind than it should be, or parts that do not fit each other: an
            optimiser that needs exact energies and a simulator with shots, say.

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
        if not isinstance(self.catalogue, ActionCatalogue):
            raise ValueError(must("catalogue", "be an object of class ActionCatalogue", self.catalogue))
        check_simulator(self.simulator)
        for name in METHODS:
            check_component(name, getattr(self, name))
        if not is_whole(self.max_gates, 1, MOST_GATES):
            raise ValueError(must("max_gates", f"be an integer, at most {MOST_GATES} and at least 1", self.max_gates))
        if self.initial is not None and not isinstance(self.initial, Circuit):
            raise ValueError(must("initial", "be an object of class Circuit or None", self.initial))
        chosen("treatment of illegal actions", self.illegal, ILLEGAL)
        if not callable(self.mask):
            raise ValueError(must("mask", "be a function that makes the mask of a catalogue", self.mask))
        self._check_fit()

    def _check_fit(self) -> None:
        """Refuse what would fail at the first step."""
        optimizer, simulator = self.optimizer, self.simulator
        if getattr(optimizer, "needs_kernels", False):
            others = "'adam_spsa', 'cobyla', 'none' or 'rotosolve'"
            if simulator.shots is not None:
                raise ValueError(must("optimizer", f"be one that works with shots ({others})", optimizer))
            if not simulator.has_kernels:
                kind = type(simulator).__name__
                raise ValueError(must("optimizer", f"be one that works with {kind} ({others})", optimizer))
        if not getattr(optimizer, "fits_linked_angles", True):
            if self.catalogue.is_linked:
                raise ValueError(must("optimizer", "be another one where gadgets share or scale angles", optimizer))
            if self.initial is not None and self.initial.is_linked:
                raise ValueError(must("optimizer", "be another one where the initial circuit shares angles", optimizer))

    @property
    def capacity(self) -> int:
        """The most gates that an episode can append: the last gadget may exceed the budget."""
        return self.max_gates + self.catalogue.overhang

    @property
    def halts_at_random(self) -> bool:
        """Whether episodes may be cut at a random length."""
        return not isinstance(self.halting, NoHalting)

    @property
    def is_exact(self) -> bool:
        """Whether energies are free of shot noise, so that they lie between the bounds of the spectrum."""
        return self.simulator.shots is None and getattr(self.optimizer, "stage_shots", None) is None


def check_simulator(simulator: object) -> None:
    """Raise ``ValueError`` unless this is a simulator."""
    if not isinstance(simulator, Simulator):
        wanted = 'be a name, {"name": ..., settings}, an object of a class derived from Simulator, or None'
        raise ValueError(must("simulator", wanted, simulator))

"""The table of rules, and the rules of one environment.

A new rule is a line of :class:`RuleArguments`, an attribute of :class:`Rules`, and the place where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final, TypedDict, get_type_hints

from qas_envs.blocks import ACTIONS, Placements, is_block_set
from qas_envs.catalogue import GATE_SETS, ActionCatalogue, GateSet, gate_set_of
from qas_envs.components import HasMethods, IsInstance, Rule, chosen, is_whole, of_kinds
from qas_envs.couplings import COUPLINGS, edges_of
from qas_envs.curricula import CURRICULA, Curriculum
from qas_envs.devices import PROGRAM, circuit_of, device_of, noise_of
from qas_envs.drift import DRIFTS, NoiseDrift
from qas_envs.encodings import ENCODINGS, Encoding
from qas_envs.families import Family
from qas_envs.gadget_sets import gadget_sets, gadgets_of
from qas_envs.halting import HALTINGS, Halting, NoHalting
from qas_envs.initial_circuits import INITIAL_CIRCUITS
from qas_envs.masks import MASKS, Mask, is_mask_function, usual_mask
from qas_envs.rewards import REWARDS, Reward
from qas_envs.simulation import MITIGATIONS, SETTINGS, SIMULATORS
from qas_simulators import Circuit, Gadget, NoiseModel, Simulator, ZeroNoise
from qas_simulators.errors import must
from qas_simulators.noise_presets import NOISE_MODELS
from qas_simulators.optimizers import OPTIMIZERS, Optimizer

ILLEGAL: Final = {"raise": "raise", "skip": "skip"}
MASK_KEYS: Final = {"rllib": ("observations", "action_mask"), "tianshou": ("obs", "mask")}
"""Keys of observation and mask that libraries read."""
MOST_GATES: Final = 100_000
"""Largest budget: larger circuits are too large to be optimised after every gate."""
Named = str | Mapping[str, Any]
"""A name, or a mapping ``{"name": ..., **settings}``."""


def _is_budget(name: str, value: Any) -> int:
    if not is_whole(value, 1, MOST_GATES):
        raise ValueError(must(name, f"be an integer, at most {MOST_GATES} and at least 1", value))
    return value  # type: ignore[no-any-return]


def _is_bool(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(must(name, "be True or False", value))
    return value


def _is_treatment(name: str, value: Any) -> str:
    return chosen("treatment of illegal actions", value, ILLEGAL)


def _is_choice_of_keys(name: str, value: Any) -> bool | tuple[str, str]:
    if isinstance(value, bool):
        return value
    keys = tuple(value) if isinstance(value, list | tuple) else ()
    if len(set(map(str, keys))) != 2 or not all(isinstance(key, str) and key for key in keys):
        raise ValueError(must(name, f"be True, False, one of {[*MASK_KEYS]}, or two different keys", value))
    return keys[0], keys[1]


class RuleArguments(TypedDict, total=False):
    """The rules as keyword arguments of :func:`qas_envs.make_env` and ``gymnasium.make``: types, and the table's rows.

    :data:`RULES` is this table by name; the table of the documentation is made from it.
    """

    backend: Annotated[
        Named | Any,
        Rule(
            "A Qiskit backend or its name: its best qubits with their gates, couplings and noise",
            None,
            device_of,
        ),
    ]
    gates: Annotated[
        Named | GateSet | Sequence[str],
        Rule(
            "Gate set, a list of gates, a `GateSet`, or the native gates of a Qiskit backend",
            "crlqas",
            lambda _, gates: gate_set_of(gates),
            GATE_SETS,
            kind="gate set",
            makes=of_kinds(GateSet, list, tuple),
        ),
    ]
    actions: Annotated[
        Named | Placements,
        Rule(
            "What an action appends: a gate of the gate set, an entangling gate with rotations, or an excitation",
            "gates",
            is_block_set,
            ACTIONS,
            context=("gates", "problem"),
            kind="kind of actions",
            makes=HasMethods(("placements", "initial_circuit")).makes,
        ),
    ]
    gadgets: Annotated[
        Named | Path | Iterable[Gadget] | None,
        Rule(
            "Gadgets: additional actions that append several gates; a set, a file, or a list of `Gadget`s",
            None,
            lambda _, gadgets: gadgets_of(gadgets),
            gadget_sets(),
            kind="gadget set or file",
            takes_texts=True,
            makes=of_kinds(list, tuple),
        ),
    ]
    couplings: Annotated[
        Named | Iterable[tuple[int, int]] | Any,
        Rule(
            "Pairs of qubits that two-qubit gates may act on; also a list of pairs, a networkx graph, "
            "a Qiskit coupling map or backend",
            "all",
            edges_of,
            COUPLINGS,
            context=("num_qubits",),
            makes=of_kinds(frozenset, set, list, tuple),
        ),
    ]
    stop: Annotated[
        bool,
        Rule(
            "Whether there is an additional action, always legal, that appends nothing and ends the episode",
            False,
            _is_bool,
        ),
    ]
    max_gates: Annotated[int, Rule("The gate budget of an episode, at most 100,000", 40, _is_budget)]
    mask: Annotated[
        Named | Callable[[ActionCatalogue], Mask],
        Rule(
            "Which actions are legal; also a function that makes the mask of a catalogue",
            "auto",
            is_mask_function,
            MASKS,
            context=("catalogue",),
            makes=HasMethods(("move_to", "reset", "update")).makes,
        ),
    ]
    illegal: Annotated[
        Named,
        Rule(
            "What an illegal action does: use up one gate of the budget without appending one, or raise an error",
            "skip",
            _is_treatment,
            ILLEGAL,
            kind="treatment of illegal actions",
        ),
    ]
    mask_in_observation: Annotated[
        bool | Named | Sequence[str],
        Rule(
            "Whether observations are dictionaries of observation and mask; also the two keys, or a library's name",
            False,
            _is_choice_of_keys,
            MASK_KEYS,
            kind="library",
        ),
    ]
    initial: Annotated[
        Named | Circuit | Any | None,
        Rule(
            "The circuit that episodes start with, also as a Qiskit circuit or OpenQASM text; "
            "it counts in the resources, not in the budget",
            "empty",
            circuit_of,
            INITIAL_CIRCUITS,
            context=("problem",),
            kind="initial circuit",
            marker=PROGRAM,
            makes=of_kinds(Circuit),
        ),
    ]
    encoding: Annotated[
        Named | Encoding, Rule("What is observed of the circuit", "tensor", HasMethods(("bind",)), ENCODINGS)
    ]
    reward: Annotated[Named | Reward, Rule("The reward of a step", "crlqas", HasMethods(("__call__",)), REWARDS)]
    curriculum: Annotated[
        Named | Curriculum,
        Rule(
            "The error below which an episode is a success, and how it changes over episodes",
            "fixed",
            HasMethods(("start", "observe", "end_episode")),
            CURRICULA,
        ),
    ]
    halting: Annotated[
        Named | Halting, Rule("Random lengths at which episodes are cut", "none", HasMethods(("sample",)), HALTINGS)
    ]
    optimizer: Annotated[
        Named | Optimizer,
        Rule("The optimiser of all angles after every gate", "scan_lbfgs", HasMethods(("minimize",)), OPTIMIZERS),
    ]
    noise: Annotated[
        Named | NoiseModel | Any | None,
        Rule("The noise model, also one of Qiskit Aer", None, noise_of, NOISE_MODELS, makes=of_kinds(NoiseModel)),
    ]
    drift: Annotated[
        Named | NoiseDrift | None,
        Rule(
            "How the noise changes between episodes: a random walk from `noise`, or a list of noise models",
            None,
            IsInstance(NoiseDrift, or_none=True),
            DRIFTS,
            context=("noise", "num_qubits", "couplings"),
            makes=of_kinds(NoiseDrift),
        ),
    ]
    mitigation: Annotated[
        Named | ZeroNoise | None,
        Rule(
            "Error mitigation: energies extrapolated to zero noise, or readout errors inverted",
            None,
            IsInstance(ZeroNoise, or_none=True),
            MITIGATIONS,
            kind="error mitigation",
        ),
    ]
    simulator: Annotated[
        Named | Simulator,
        Rule(
            "The simulator of energies; settings such as `shots` go with any name, or with none",
            "auto",
            IsInstance(Simulator),
            SIMULATORS,
            context=("noise",),
            unnamed="auto",
            settings_of=SETTINGS,
        ),
    ]


RULES: Final[dict[str, Rule]] = {
    name: replace(hint.__metadata__[0], name=name)
    for name, hint in get_type_hints(RuleArguments, include_extras=True).items()
}
"""The table of rules, by name."""


@dataclass(frozen=True)
class Rules:
    """The rules of one environment as objects. The environment copies those that have a state.

    Attributes:
        catalogue: The actions.
        encoding: What is observed.
        reward: The reward of a transition.
        curriculum: The error below which an episode is a success, and the reference that it is measured from.
        halting: Random lengths at which episodes are cut.
        simulator: Evaluates energies.
        optimizer: Optimises all angles after every gate.
        max_gates: The gate budget.
        initial: The circuit that episodes start with; ``None`` for the empty circuit.
        illegal: ``"skip"``: an illegal action uses up one gate of the budget; or ``"raise"``.
        family: Instances that differ from episode to episode; ``None`` for one instance.
        mask: Makes the mask of a catalogue.
        mask_in_observation: Whether observations are dictionaries with the mask; or their two keys.
        backend: The part of a device that gates, couplings and noise are taken from; ``None`` without a device.
        drift: Noise models that follow each other; ``None`` for one that stays.

    Raises:
        ValueError: An object of another kind, or rules that do not fit each other, such as an optimiser that needs
            exact energies and a simulator with shots.

    Examples:
        :func:`make_env` builds them from names:

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
    illegal: str = "skip"
    family: Family | None = None
    mask: Callable[[ActionCatalogue], Mask] = usual_mask
    mask_in_observation: bool | tuple[str, str] = False
    backend: Any = None
    drift: NoiseDrift | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.catalogue, ActionCatalogue):
            raise ValueError(must("catalogue", "be an object of class ActionCatalogue", self.catalogue))
        for name, rule in RULES.items():
            if name in self.__dataclass_fields__:
                rule.check(name, getattr(self, name))
        self._check_fit()

    def _check_fit(self) -> None:
        """Refuse rules that would fail at the first step."""
        optimizer, simulator = self.optimizer, self.simulator
        if getattr(optimizer, "needs_kernels", False):
            *first, last = sorted(
                name for name, kind in OPTIMIZERS.items() if not getattr(kind, "needs_kernels", False)
            )
            others = f"{', '.join(map(repr, first))} or {last!r}"
            if simulator.shots is not None:
                raise ValueError(must("optimizer", f"be one that works with shots ({others})", optimizer))
            if not simulator.has_kernels:
                kind = type(simulator).__name__
                raise ValueError(must("optimizer", f"be one that works with {kind} ({others})", optimizer))
        if not getattr(optimizer, "fits_linked_angles", True):
            if not simulator.is_sinusoidal:
                needed = "be another one where mitigated energies are no sinusoids: with folding or an exponential fit"
                raise ValueError(must("optimizer", needed, optimizer))
            if self.catalogue.is_linked:
                raise ValueError(must("optimizer", "be another one where gadgets share or scale angles", optimizer))
            if self.initial is not None and self.initial.is_linked:
                raise ValueError(must("optimizer", "be another one where the initial circuit shares angles", optimizer))

    @property
    def capacity(self) -> int:
        """The most gates that an episode can append: the last gadget may exceed the budget."""
        return self.max_gates + self.catalogue.overhang

    @property
    def mask_keys(self) -> tuple[str, str] | None:
        """Keys of observation and mask in observations that are dictionaries; ``None`` for others."""
        keys = self.mask_in_observation
        return (("observation", "action_mask") if keys else None) if isinstance(keys, bool) else keys

    @property
    def halts_at_random(self) -> bool:
        """Whether episodes may be cut at a random length."""
        return not isinstance(self.halting, NoHalting)

    @property
    def is_exact(self) -> bool:
        """Whether energies are free of shot noise."""
        return self.simulator.shots is None and getattr(self.optimizer, "stage_shots", None) is None

    @property
    def is_bounded(self) -> bool:
        """Whether energies lie between the bounds of the spectrum: without shot noise and extrapolation."""
        return self.is_exact and self.simulator.is_bounded

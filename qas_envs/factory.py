"""From keyword arguments to an environment: names become components here, once."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any, Final

from qas_envs.catalogue import ActionCatalogue, GateSet
from qas_envs.circuit_env import CircuitBuildingEnv
from qas_envs.components import check_settings, resolve
from qas_envs.couplings import couplings_of, require_connected
from qas_envs.curricula import CURRICULA, Curriculum, InstanceCurriculum
from qas_envs.encodings import ENCODINGS
from qas_envs.families import Family
from qas_envs.gadget_sets import gadgets_of
from qas_envs.halting import HALTINGS
from qas_envs.masks import MASKS, Mask
from qas_envs.presets import PRESETS
from qas_envs.problems import PROBLEMS, Problem
from qas_envs.problems.states import fidelity_ceiling
from qas_envs.rewards import REWARDS
from qas_envs.rules import Rules
from qas_simulators import (
    Circuit,
    Gadget,
    NoiseModel,
    PauliTransferSimulator,
    Simulator,
    StatevectorSimulator,
)
from qas_simulators.errors import must, unknown_name
from qas_simulators.noise_presets import NOISE_MODELS
from qas_simulators.optimizers import OPTIMIZERS, Optimizer

_MOST_QUBITS = 14  # beyond, looking at all basis states takes seconds
_WITHOUT_DEFAULT = ("noise", "simulator", "couplings", "initial", "illegal", "stop", "mask", "gadgets")
RULES: Final = (*PRESETS["default"], *_WITHOUT_DEFAULT)
"""Names of the rules that can be overridden."""


def make_env(
    problem: Problem | str,
    *,
    preset: str = "default",
    render_mode: str | None = None,
    problem_settings: Mapping[str, Any] | None = None,
    vary: Mapping[str, Any] | None = None,
    **overrides: Any,
) -> CircuitBuildingEnv:
    """Build an environment.

    Args:
        problem: A problem or the name of one.
        preset: A set of rules; see :data:`~qas_envs.presets.PRESETS`.
        render_mode: ``"ansi"`` or ``None``.
        problem_settings: Arguments of a problem given by name.
        vary: Arguments of a problem given by name that differ from episode to episode; see
            :class:`~qas_envs.families.Family`.
        overrides: Any rule by name, mapping or object: ``gates``, ``encoding``, ``reward``, ``curriculum``,
            ``halting``, ``optimizer``, ``max_gates``, ``noise``, ``simulator``, ``couplings``, ``initial``,
            ``illegal``, ``stop``, ``mask``, ``gadgets`` (a shipped set, a file, or gadgets).

    Raises:
        ValueError: An unknown name or an impossible number; the message names the choices.

    Examples:
        >>> env = make_env("h2", problem_settings={"num_qubits": 2}, reward="priced", couplings="line")
        >>> env.problem.name, len(env.catalogue)
        ('H2 (0.7414 Å)', 8)
    """
    if preset not in PRESETS:
        raise ValueError(unknown_name("preset", preset, PRESETS))
    problem, family = _problem(problem, problem_settings or {}, vary)
    rules = {**PRESETS[preset], **overrides}
    for name in rules:
        if name not in RULES:
            raise ValueError(unknown_name("environment argument", name, RULES))
    gates: GateSet | str | Sequence[str] = rules["gates"]
    max_gates = rules["max_gates"]
    if not isinstance(max_gates, int) or isinstance(max_gates, bool):
        raise ValueError(must("max_gates", "be an integer", max_gates))
    stop = rules.get("stop", False)
    if not isinstance(stop, bool):
        raise ValueError(must("stop", "be True or False", stop))
    simulator = _simulator(rules.get("simulator"), rules.get("noise"))
    noise = getattr(simulator, "noise", None)
    couplings = couplings_of(rules.get("couplings"), problem.num_qubits)
    if noise is not None and noise.num_qubits is not None and noise.num_qubits < problem.num_qubits:
        raise ValueError(must("noise", f"have the problem's {problem.num_qubits} qubits", noise.num_qubits))
    if noise is not None and noise.couplings is not None:
        couplings = noise.couplings if couplings is None else couplings & noise.couplings
        require_connected(couplings, problem.num_qubits)
    curriculum = _curriculum(rules["curriculum"], family)
    gadgets = gadgets_of(rules.get("gadgets"))
    _warn_if_unreachable(problem, noise, curriculum)
    initial = _initial(rules.get("initial"), problem)
    if initial is None:  # of another first circuit the environment says whether it is a solution
        _warn_if_x_gates_suffice(problem, curriculum)
    catalogue = ActionCatalogue(problem.num_qubits, gates, couplings, stop, gadgets)
    if noise is not None:
        noise.check(catalogue.table, problem.num_qubits)
    return CircuitBuildingEnv(
        problem,
        Rules(
            catalogue=catalogue,
            encoding=resolve("encoding", rules["encoding"], ENCODINGS),
            reward=resolve("reward", rules["reward"], REWARDS),
            curriculum=curriculum,
            halting=resolve("halting", rules["halting"], HALTINGS),
            simulator=simulator,
            optimizer=_optimizer(rules["optimizer"], gadgets),
            max_gates=max_gates,
            initial=initial,
            illegal=rules.get("illegal", "raise"),
            family=family,
            mask=_mask(rules.get("mask", "frontier")),
        ),
        render_mode,
    )


def _problem(
    choice: Problem | str, settings: Mapping[str, Any], vary: Mapping[str, Any] | None
) -> tuple[Problem, Family | None]:
    """Return the problem, and the family whose first member it is."""
    if not isinstance(choice, str):
        if vary is not None:
            raise ValueError(must("vary", "be None for a problem that is given as an object", vary))
        return choice, None
    if choice not in PROBLEMS:
        raise ValueError(unknown_name("problem", choice, PROBLEMS))
    build = PROBLEMS[choice]
    check_settings(f"problem {choice!r}", build, settings)
    if vary is None:
        return build(**settings), None
    for argument in vary:
        if argument not in signature(build).parameters:
            raise ValueError(unknown_name(f"setting of problem {choice!r}", argument, signature(build).parameters))
    family = Family(build, vary, {name: value for name, value in settings.items() if name not in vary})
    return family.at(family.first()), family


def _curriculum(choice: Any, family: Family | None) -> Curriculum:
    """Return the curriculum, which must go together with the family of instances or the lack of one."""
    curriculum: Curriculum = resolve("curriculum", choice, CURRICULA)
    if isinstance(curriculum, InstanceCurriculum):
        for context in curriculum.contexts():
            if family is None:
                raise ValueError(must("vary", f"hold {[*context]}, which the curriculum schedules", None))
            family.check(context)
    if family is not None and not getattr(curriculum, "fits_families", False):
        raise ValueError(
            must("curriculum", "be 'fixed' or 'scheduled' where instances vary", type(curriculum).__name__)
        )
    return curriculum


def _optimizer(choice: Any, gadgets: list[Gadget]) -> Optimizer:
    optimizer: Optimizer = resolve("optimizer", choice, OPTIMIZERS)
    if not getattr(optimizer, "fits_linked_angles", True) and any(gadget.is_linked for gadget in gadgets):
        raise ValueError(must("optimizer", "be another one where gadgets share or scale angles", optimizer))
    return optimizer


def _initial(choice: Any, problem: Problem) -> Circuit | None:
    choices = {
        "empty": lambda: None,
        "basis_state": problem.best_basis_state,
        "product_state": problem.best_product_state,
    }
    if choice is None or isinstance(choice, Circuit):
        return choice
    if not isinstance(choice, str) or choice not in choices:
        raise ValueError(unknown_name("initial circuit", str(choice), choices))
    return choices[choice]()


def _mask(choice: str | Callable[[ActionCatalogue], Mask]) -> Callable[[ActionCatalogue], Mask]:
    if not isinstance(choice, str):
        return choice
    if choice not in MASKS:
        raise ValueError(unknown_name("mask", choice, MASKS))
    return MASKS[choice]


def _warn_if_unreachable(problem: Problem, noise: NoiseModel | None, curriculum: Curriculum) -> None:
    ceiling = fidelity_ceiling(problem, noise)
    threshold = problem.accuracy if curriculum.threshold is None else curriculum.threshold
    if ceiling is not None and 1 - ceiling >= threshold:
        warnings.warn(
            f"Success is out of reach: under this noise no circuit prepares {problem.name} with a fidelity above "
            f"{ceiling:g}, and the threshold asks for more than {1 - threshold:g}.",
            UserWarning,
            stacklevel=4,
        )


def _warn_if_x_gates_suffice(problem: Problem, curriculum: Curriculum) -> None:
    """Of the empty circuit the environment warns itself, against the curriculum's own reference."""
    threshold = problem.accuracy if curriculum.threshold is None else curriculum.threshold
    if threshold > problem.accuracy or problem.num_qubits > _MOST_QUBITS:
        return
    energies = problem.hamiltonian.basis_energies() - problem.ground_energy
    if energies.min() < threshold <= energies[0]:
        warnings.warn(
            f"{problem.name} is solved by X gates alone: the error of the best basis state is {energies.min():.3g}, "
            f"the threshold {threshold:.3g}.",
            UserWarning,
            stacklevel=4,
        )


def _simulator(simulator: Simulator | None, noise: Any) -> Simulator:
    noise = resolve("noise", noise, NOISE_MODELS)
    if noise is not None and not isinstance(noise, NoiseModel):
        raise ValueError(must("noise", "be a name, a NoiseModel or None", noise))
    if simulator is not None:
        if noise is not None:
            raise ValueError(must("noise", "be given to the simulator when `simulator` is given", noise))
        return simulator
    if noise is None or (noise.is_noiseless and not noise.is_restricted):
        return StatevectorSimulator()
    return PauliTransferSimulator(noise)

"""From keyword arguments to an environment: names become components here, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any, Final, cast

from qas_envs.catalogue import ActionCatalogue
from qas_envs.circuit_env import CircuitBuildingEnv
from qas_envs.components import check_settings, chosen, resolve
from qas_envs.couplings import couplings_of, require_connected
from qas_envs.curricula import CURRICULA, Curriculum, InstanceCurriculum
from qas_envs.encodings import ENCODINGS
from qas_envs.families import Family, check_member
from qas_envs.gadget_sets import gadgets_of
from qas_envs.halting import HALTINGS
from qas_envs.masks import mask_of
from qas_envs.presets import PRESETS, preset_for
from qas_envs.problems import PROBLEMS, Problem
from qas_envs.rewards import REWARDS
from qas_envs.rule_warnings import warn_of
from qas_envs.rules import Rules, check_simulator
from qas_simulators import (
    Circuit,
    NoiseModel,
    PauliTransferSimulator,
    Simulator,
    StatevectorSimulator,
)
from qas_simulators.errors import must
from qas_simulators.noise_presets import NOISE_MODELS
from qas_simulators.optimizers import OPTIMIZERS

_WITHOUT_DEFAULT = ("noise", "simulator", "couplings", "initial", "illegal", "stop", "mask", "gadgets")
RULES: Final = (*PRESETS["default"].rules, *_WITHOUT_DEFAULT)
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
        preset: A set of rules, or a paper that has one for this instance; see :mod:`qas_envs.presets`.
        render_mode: As for :class:`CircuitBuildingEnv`.
        problem_settings: Arguments of a problem given by name.
        vary: Arguments of a problem given by name that differ from episode to episode; see
            :class:`~qas_envs.families.Family`.
        overrides: Any rule by name, mapping or object: ``gates``, ``encoding``, ``reward``, ``curriculum``,
            ``halting``, ``optimizer``, ``max_gates``, ``noise``, ``simulator``, ``couplings``, ``initial``,
            ``illegal``, ``stop``, ``mask``, ``gadgets`` (a shipped set, a file, or gadgets).

    Raises:
        ValueError: An unknown name, an impossible number, something of another kind, or rules that do not fit each
            other; one line, which names the choices.

    Examples:
        >>> env = make_env("h2", problem_settings={"num_qubits": 2}, reward="priced", couplings="line")
        >>> env.problem.name, len(env.catalogue)
        ('H2 (0.7414 Å)', 8)
    """
    of_problem = problem if isinstance(problem, str) else ""
    rules = {**preset_for(preset, of_problem, problem_settings).rules, **overrides}
    for name in rules:
        chosen("environment argument", name, RULES)
    problem, family = _problem(problem, problem_settings, vary)
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
    initial = _initial(rules.get("initial"), problem)
    catalogue = ActionCatalogue(problem.num_qubits, rules["gates"], couplings, stop, gadgets_of(rules.get("gadgets")))
    if noise is not None:
        noise.check(catalogue.table, problem.num_qubits)
    env = CircuitBuildingEnv(
        problem,
        Rules(
            catalogue=catalogue,
            encoding=resolve("encoding", rules["encoding"], ENCODINGS),
            reward=resolve("reward", rules["reward"], REWARDS),
            curriculum=curriculum,
            halting=resolve("halting", rules["halting"], HALTINGS),
            simulator=simulator,
            optimizer=resolve("optimizer", rules["optimizer"], OPTIMIZERS),
            max_gates=rules["max_gates"],
            initial=initial,
            illegal=rules.get("illegal", "raise"),
            family=family,
            mask=mask_of(rules.get("mask", "frontier")),
        ),
        render_mode,
    )
    warn_of(env)
    return env


def _problem(
    choice: Problem | str, settings: Mapping[str, Any] | None, vary: Mapping[str, Any] | None
) -> tuple[Problem, Family | None]:
    """Return the problem, and the family whose first member it is."""
    for name, value in {"problem_settings": settings, "vary": vary}.items():
        if value is not None and not isinstance(value, Mapping):
            raise ValueError(must(name, "be a mapping from names to values, or None", value))
    if isinstance(choice, Problem):
        if vary is not None:
            raise ValueError(must("vary", "be None for a problem that is given as an object", vary))
        return choice, None
    build, settings = PROBLEMS[chosen("problem", choice, PROBLEMS)], settings or {}
    check_settings(f"problem {choice!r}", build, settings)
    if vary is None:
        return build(**settings), None
    for argument in vary:
        chosen(f"setting of problem {choice!r}", argument, signature(build).parameters)
    family = Family(build, vary, {name: value for name, value in settings.items() if name not in vary})
    first, *others = [family.at(context) for context in family.ends()]
    for other in others:
        check_member(first, other)
    return first, family


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


def _initial(choice: Any, problem: Problem) -> Circuit | None:
    choices = {
        "empty": lambda: None,
        "basis_state": problem.best_basis_state,
        "product_state": problem.best_product_state,
    }
    if choice is None or isinstance(choice, Circuit):
        return choice
    return choices[chosen("initial circuit", choice, choices)]()


def _auto(noise: NoiseModel | None = None, **settings: Any) -> Simulator:
    """Return the noiseless simulator where nothing is noisy, the noisy one elsewhere."""
    if noise is None or (noise.is_noiseless and not noise.is_restricted):
        return StatevectorSimulator(**settings)
    return PauliTransferSimulator(noise, **settings)


def _noiseless(noise: NoiseModel | None = None, **settings: Any) -> Simulator:
    if noise is not None and not noise.is_noiseless:
        raise ValueError(must("simulator", "be 'auto' or 'pauli_transfer' where there is noise", "statevector"))
    return StatevectorSimulator(**settings)


SIMULATORS: Final[dict[str, Callable[..., Simulator]]] = {
    "auto": _auto,
    "statevector": _noiseless,
    "pauli_transfer": PauliTransferSimulator,
}
"""Simulators by name: functions of the noise and of the settings of every :class:`Simulator`."""


def _simulator(simulator: Any, noise: Any) -> Simulator:
    noise = resolve("noise", noise, NOISE_MODELS)
    if noise is not None and not isinstance(noise, NoiseModel):
        raise ValueError(must("noise", "be a name, a NoiseModel or None", noise))
    simulator = "auto" if simulator is None else simulator
    if isinstance(simulator, str | Mapping):
        settings = {"name": simulator} if isinstance(simulator, str) else dict(simulator)
        name = chosen("simulator", settings.pop("name", "auto"), SIMULATORS)
        check_settings(f"simulator {name!r}", Simulator, settings)
        return SIMULATORS[name](noise=noise, **settings)
    check_simulator(simulator)
    if noise is not None:
        raise ValueError(must("noise", "be given to the simulator when `simulator` is given", noise))
    return cast(Simulator, simulator)

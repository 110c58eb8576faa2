"""make_env: an environment from keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any, Unpack

from qas_envs.blocks import Placements
from qas_envs.catalogue import ActionCatalogue
from qas_envs.circuit_env import CircuitBuildingEnv
from qas_envs.components import check_settings, chosen
from qas_envs.couplings import Pairs, couplings_of, require_connected
from qas_envs.curricula import Curriculum, InstanceCurriculum
from qas_envs.devices import DeviceChoice
from qas_envs.drift import NoiseDrift, drift_of
from qas_envs.families import Family, check_member
from qas_envs.presets import preset_for
from qas_envs.problems import Problem
from qas_envs.problems.lookup import problem_function
from qas_envs.rule_warnings import warn_of
from qas_envs.rules import RULES, RuleArguments, Rules
from qas_envs.simulation import simulator_of
from qas_simulators import Circuit, NoiseModel, Simulator
from qas_simulators.errors import must, unexpected_argument


def make_env(
    problem: Problem | str,
    *,
    preset: str = "default",
    render_mode: str | None = None,
    problem_settings: Mapping[str, Any] | None = None,
    vary: Mapping[str, Any] | None = None,
    **rules: Unpack[RuleArguments],
) -> CircuitBuildingEnv:
    """Build an environment.

    Args:
        problem: A problem, the name of one or of a plugin, or an import string ``package.module:function``.
        preset: A set of rules, or a paper that has one for this instance; see :mod:`qas_envs.presets`.
        render_mode: As for :class:`CircuitBuildingEnv`.
        problem_settings: Arguments of a problem that is given by name.
        vary: Arguments of such a problem that differ from episode to episode; see :class:`~qas_envs.families.Family`.
        rules: Rules that replace those of the preset, each a name, an import string, ``{"name": ..., settings}`` or an
            object: ``backend``, ``gates``, ``actions``, ``gadgets``, ``couplings``, ``stop``, ``max_gates``, ``mask``,
            ``illegal``, ``initial``, ``encoding``, ``reward``, ``curriculum``, ``halting``, ``optimizer``, ``noise``,
            ``drift``, ``mitigation``, ``simulator``, ``mask_in_observation``; see
            :class:`~qas_envs.rules.RuleArguments`.

    Raises:
        TypeError: An unknown keyword argument.
        ValueError: Wrong rules, or rules that do not fit each other; the message is one line that names the choices.

    Examples:
        >>> env = make_env("h2", problem_settings={"num_qubits": 2}, reward="priced", couplings="line")
        >>> env.problem.name, len(env.catalogue)
        ('H2 (0.7414 Å)', 8)
    """
    for name in rules.keys() - RULES.keys():
        raise TypeError(unexpected_argument("make_env()", name, RULES))
    values = {**preset_for(preset, problem if isinstance(problem, str) else "", problem_settings).rules, **rules}
    problem, family = _problem(problem, problem_settings, vary)
    device = RULES["backend"].resolve(values["backend"])
    if isinstance(device, DeviceChoice):
        values["backend"] = part = device.on(problem.num_qubits)
        values |= {name: own for name, own in device.rules(part).items() if name not in rules}
    parts = {name: rule.resolve(values[name]) for name, rule in RULES.items()}
    simulator, drift, couplings = _noisy(parts, problem)
    actions: Placements | None = parts["actions"]
    actions = actions(gates=parts["gates"], problem=problem) if callable(actions) else actions
    blocks = () if actions is None else actions.placements(problem.num_qubits, couplings)
    catalogue = ActionCatalogue(problem.num_qubits, parts["gates"], couplings, parts["stop"], parts["gadgets"], blocks)
    if drift is None:
        simulator.check_gates(catalogue.table, problem.num_qubits)
    _check_family(parts["curriculum"], family)
    initial = parts["initial"](problem) if callable(parts["initial"]) else parts["initial"]
    start = Circuit(problem.num_qubits) if initial is None else initial
    if actions is not None:
        initial = start = actions.initial_circuit(start)
    if drift is not None:
        drift.check(catalogue, start)
        simulator = simulator.with_noise(drift.models[0])  # type: ignore[attr-defined]
    parts |= {"simulator": simulator, "initial": initial, "drift": drift}
    own = {name: part for name, part in parts.items() if name in Rules.__dataclass_fields__}
    warn_of(env := CircuitBuildingEnv(problem, Rules(catalogue=catalogue, family=family, **own), render_mode))
    return env


def _noisy(parts: Mapping[str, Any], problem: Problem) -> tuple[Simulator, NoiseDrift | None, Pairs | None]:
    """Return the simulator with its noise, what changes the noise, and the couplings that all noise models allow."""
    given_noise = parts["noise"](problem.num_qubits) if callable(parts["noise"]) else parts["noise"]
    drift = drift_of(parts["drift"], given_noise, parts["couplings"], problem.num_qubits)
    if drift is not None and isinstance(parts["simulator"], Simulator):
        raise ValueError(must("drift", "be None where `simulator` is an object, which has its noise", parts["drift"]))
    simulator = simulator_of(parts["simulator"], given_noise if drift is None else drift.noisiest, parts["mitigation"])
    own_couplings = couplings_of(parts["couplings"], problem.num_qubits)
    for noise in (getattr(simulator, "noise", None),) if drift is None else drift.models:
        couplings = _joint_couplings(own_couplings, noise, problem)
    if drift is not None:
        couplings = _union(own_couplings, drift.couplings())
    return simulator, drift, couplings


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
    build, settings = problem_function(choice), settings or {}
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


def _joint_couplings(couplings: Pairs | None, noise: NoiseModel | None, problem: Problem) -> Pairs | None:
    """Return the pairs of qubits that both the rule and the noise model allow."""
    if noise is not None and noise.num_qubits is not None and noise.num_qubits < problem.num_qubits:
        raise ValueError(must("noise", f"have the problem's {problem.num_qubits} qubits", noise.num_qubits))
    if noise is None or noise.couplings is None:
        return couplings
    joint = noise.couplings if couplings is None else couplings & noise.couplings
    require_connected(joint, problem.num_qubits)
    return joint


def _union(couplings: Pairs | None, of_models: Pairs | None) -> Pairs | None:
    """Return the pairs of qubits that the rule and some noise model of a drift allow; ``None`` for all."""
    if couplings is None or of_models is None:
        return of_models if couplings is None else couplings
    return couplings & of_models


def _check_family(curriculum: Curriculum, family: Family | None) -> None:
    """Raise ``ValueError`` unless the curriculum fits the family of instances, or the lack of one."""
    if isinstance(curriculum, InstanceCurriculum):
        for context in curriculum.contexts():
            if family is None:
                raise ValueError(must("vary", f"hold {[*context]}, which the curriculum schedules", None))
            family.check(context)
    if family is not None and not getattr(curriculum, "fits_families", False):
        raise ValueError(
            must("curriculum", "be 'fixed' or 'scheduled' where instances vary", type(curriculum).__name__)
        )

"""Environments from settings."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any, Final, cast

import gymnasium as gym
from omegaconf import OmegaConf

from qas_envs import ENVIRONMENTS, CircuitBuildingEnv
from qas_envs.presets import preset_for
from qas_experiments.agents import entry_of
from qas_experiments.options import option
from qas_experiments.settings import EnvSettings, TrainSettings
from qas_simulators.errors import unknown_name

PRESCRIBED: Final = "preset"
"""Name of a reward, an optimiser or a kind of actions that is replaced by the one of the preset."""


def resolved(settings: TrainSettings) -> TrainSettings:
    """Return settings with the reward, the actions and the optimiser of the preset filled in.

    The preset is ``env.preset``, else the one of the environment's id, else ``priced``. What the user chose stays.

    Raises:
        ValueError: An unknown environment or preset.
    """
    env = settings.env
    if env.id not in ENVIRONMENTS:
        raise ValueError(unknown_name("environment id", env.id, ENVIRONMENTS))
    row = ENVIRONMENTS[env.id]
    own = row.preset if row.preset != "default" else "priced"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the environment gives the same warning
        rules = preset_for(env.preset or own, row.problem, env.problem).rules
    optimizer = _prescribed(settings.optimizer, rules["optimizer"])
    if optimizer is not settings.optimizer:
        optimizer = OmegaConf.to_container(OmegaConf.merge(option("optimizer", optimizer["name"]), optimizer))
    own_rules = {name: _prescribed(getattr(env, name), rules[name]) for name in ("reward", "actions")}
    return dataclasses.replace(settings, env=dataclasses.replace(env, **own_rules), optimizer=optimizer)


def _prescribed(given: Any, rule: Any) -> Any:
    """Return the preset's rule, updated with the given settings, if ``preset`` is chosen; else the given rule."""
    if not isinstance(given, dict) or given.get("name") != PRESCRIBED:
        return given
    return {**given, **({"name": rule} if isinstance(rule, str) else rule)}


def make_environment(
    settings: TrainSettings, *, evaluation: bool = False, is_silent: bool = False
) -> CircuitBuildingEnv:
    """Build the environment.

    Args:
        settings: Settings of the environment, its noise and its optimiser.
        evaluation: Whether success means the problem's accuracy, and no episode is halted at random.
        is_silent: Whether to suppress warnings, for environments that have been built before.

    Raises:
        ValueError: Invalid settings.
    """
    if is_silent:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return make_environment(settings, evaluation=evaluation)
    settings = resolved(settings)
    env = settings.env
    arguments = {**env.problem, "noise": settings.noise, "optimizer": settings.optimizer}
    rules: dict[str, Any] = {name: getattr(env, name) for name in EnvSettings.__dataclass_fields__}
    for name in ("id", "problem"):
        rules.pop(name)
    arguments |= {name: value for name, value in rules.items() if value is not None}
    if not entry_of(settings.agent).obeys_masks():
        arguments.setdefault("illegal", "skip")
    if evaluation:
        arguments |= {"curriculum": "fixed", "halting": "none"}
    return cast(CircuitBuildingEnv, gym.make(env.id, disable_env_checker=True, **arguments).unwrapped)


def is_one_sample(settings: TrainSettings) -> bool:
    """Return whether all seeds give the same run, because neither agent nor environment draws random numbers.

    Raises:
        ValueError: Invalid settings.
    """
    if entry_of(settings.agent).is_random:
        return False
    env = make_environment(settings, is_silent=True)
    has_one_member = env.family is None or bool((env.family.low == env.family.high).all())
    is_exact = env.simulator.shots is None and getattr(env.optimizer, "is_deterministic", False)
    return has_one_member and is_exact and not env.rules.halts_at_random

"""The table of environment ids."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any, Final

import gymnasium as gym

from qas_envs.circuit_env import CircuitBuildingEnv
from qas_envs.factory import make_env
from qas_envs.problems import PROBLEMS


@dataclass(frozen=True)
class EnvironmentId:
    """One row: the problem, the preset it starts from, and rules of its own."""

    problem: str
    preset: str = "default"
    rules: dict[str, Any] = field(default_factory=dict)


ENVIRONMENTS: Final[dict[str, EnvironmentId]] = {
    "QAS-H2-v0": EnvironmentId("h2"),
    "QAS-LiH-v0": EnvironmentId("lih"),
    "QAS-TFIM-v0": EnvironmentId("tfim"),
    "QAS-Bell-v0": EnvironmentId("bell", "kanqas", {"max_gates": 6}),
    "QAS-GHZ-v0": EnvironmentId("ghz", "kanqas", {"max_gates": 12}),
}


def make_registered(environment: str, render_mode: str | None = None, **arguments: Any) -> CircuitBuildingEnv:
    """Build the environment of an id; ``arguments`` go to the problem or override the rules."""
    row = ENVIRONMENTS[environment]
    of_problem = inspect.signature(PROBLEMS[row.problem]).parameters
    settings = {name: arguments.pop(name) for name in of_problem if name in arguments}
    preset = arguments.pop("preset", row.preset)
    rules = {**row.rules, **arguments}
    return make_env(row.problem, preset=preset, render_mode=render_mode, problem_settings=settings, **rules)


def register_all() -> None:
    """Register every id with Gymnasium; calling it again changes nothing."""
    for environment in ENVIRONMENTS:
        if environment not in gym.registry:
            gym.register(
                id=environment,
                entry_point="qas_envs.registration:make_registered",
                kwargs={"environment": environment},
            )

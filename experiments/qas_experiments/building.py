"""Settings to objects: environments and agents."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Protocol, cast

import gymnasium as gym
from omegaconf import OmegaConf

from qas_agents import (
    BeamSearch,
    DQNConfig,
    Evolution,
    FrozenPolicy,
    GreedySearch,
    HardwareEfficient,
    MaskedDQN,
    RandomPolicy,
    SB3Agent,
    SimulatedAnnealing,
)
from qas_agents.sb3 import MASKED
from qas_envs import ENVIRONMENTS, CircuitBuildingEnv
from qas_envs.components import check_settings
from qas_envs.presets import preset_for
from qas_experiments.runs import is_finished, settings_of
from qas_experiments.settings import EnvSettings, TrainSettings
from qas_simulators.errors import must, unknown_name


class Agent(Protocol):
    """What a command needs of an agent; agents that also ``predict`` and ``save`` are evaluated as policies."""

    def learn(self, total_timesteps: int, callback: Any = None) -> Any:
        """Train."""
        ...


PRESCRIBED: Final = "preset"
"""Name of a reward or an optimiser that stands for what the preset prescribes."""


def resolved(settings: TrainSettings) -> TrainSettings:
    """Return settings in which the reward and the optimiser that a preset prescribes stand by their names.

    The preset is ``env.preset``, else the one of the environment's id, else ``priced``. What the user wrote stays.

    Raises:
        ValueError: An unknown environment or preset.
    """
    env = settings.env
    if env.id not in ENVIRONMENTS:
        raise ValueError(unknown_name("environment id", env.id, ENVIRONMENTS))
    row = ENVIRONMENTS[env.id]
    own = row.preset if row.preset != "default" else "priced"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the environment says it
        rules = preset_for(env.preset or own, row.problem, env.problem).rules
    optimizer = _prescribed(settings.optimizer, rules["optimizer"])
    if optimizer is not settings.optimizer:
        file = files("qas_experiments.conf.optimizer").joinpath(f"{optimizer['name']}.yaml")
        optimizer = OmegaConf.to_container(OmegaConf.merge(OmegaConf.create(file.read_text("utf-8")), optimizer))
    reward = _prescribed(env.reward, rules["reward"])
    return dataclasses.replace(settings, env=dataclasses.replace(env, reward=reward), optimizer=optimizer)


def _prescribed(given: Any, rule: Any) -> Any:
    """Return the preset's rule, with further settings that were given, if it is asked for; else what was given."""
    if not isinstance(given, dict) or given.get("name") != PRESCRIBED:
        return given
    return {**given, **({"name": rule} if isinstance(rule, str) else rule)}


def make_environment(
    settings: TrainSettings, *, evaluation: bool = False, is_silent: bool = False
) -> CircuitBuildingEnv:
    """Build the environment.

    Args:
        settings: Of it, its noise and optimiser.
        evaluation: Success is the problem's accuracy, and episodes are not cut at random.
        is_silent: Do not say what is unwise; it was said before.

    Raises:
        ValueError: Settings that do not fit.
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
    if _ignores_masks(settings.agent):
        arguments.setdefault("illegal", "skip")
    if evaluation:
        arguments |= {"curriculum": "fixed", "halting": "none"}
    return cast(CircuitBuildingEnv, gym.make(env.id, disable_env_checker=True, **arguments).unwrapped)


def _ignores_masks(agent: dict[str, Any]) -> bool:
    """Tell whether an agent, or the one whose policy is played, chooses actions that are masked."""
    if agent["name"] == "frozen" and (Path(agent["run"]) / "config.yaml").exists():
        agent = settings_of(Path(agent["run"])).agent
    return agent["name"] == "sb3" and agent["algorithm"] not in MASKED


def _dqn(env: CircuitBuildingEnv, seed: int, device: str, **settings: Any) -> Agent:
    check_settings("agent 'dqn'", DQNConfig, settings)
    return MaskedDQN(env, DQNConfig(**settings), seed, device)


def _searcher(kind: Callable[..., Agent]) -> Callable[..., Agent]:
    """Return the maker of an agent that takes environment, seed and settings."""

    def make(env: CircuitBuildingEnv, seed: int, device: str, **settings: Any) -> Agent:
        check_settings(f"agent {kind.__name__!r}", kind, settings)
        return kind(env, seed, **settings)

    return make


def _sb3(env: CircuitBuildingEnv, seed: int, device: str, algorithm: str, **settings: Any) -> Agent:
    return SB3Agent(env, algorithm, settings, seed, device)


def _frozen(env: CircuitBuildingEnv, seed: int, device: str, run: str, policy: str = "last", **settings: Any) -> Agent:
    """Take the policy of a finished run, which must know the environment's spaces."""
    path = Path(run) / f"policy_{policy}.safetensors"
    kind = SB3Agent if settings_of(Path(run)).agent["name"] == "sb3" else MaskedDQN
    if not path.exists() or not is_finished(Path(run)):
        raise ValueError(must("run", f"hold {path.name}: an agent with a policy, trained to the end", run))
    return FrozenPolicy(env, kind.load(path, env), seed, **settings)


def _external(
    env: CircuitBuildingEnv, seed: int, device: str, target: str, settings: dict[str, Any] | None = None
) -> Agent:
    """Build an agent from outside: ``Agent(env, seed=seed, **settings)``, with :meth:`Agent.learn`."""
    module, _, name = target.partition(":")
    try:
        kind = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(must("agent", f"name a class as package.module:Class ({error})", target)) from None
    agent: Agent = kind(env, seed=seed, **(settings or {}))
    if not callable(getattr(agent, "learn", None)):
        raise ValueError(must("agent", "have a method learn(total_timesteps, callback)", target))
    return agent


AGENTS: Final[dict[str, Callable[..., Agent]]] = {
    "dqn": _dqn,
    "sb3": _sb3,
    "random": _searcher(RandomPolicy),
    "greedy": _searcher(GreedySearch),
    "annealing": _searcher(SimulatedAnnealing),
    "evolution": _searcher(Evolution),
    "beam": _searcher(BeamSearch),
    "hea": _searcher(HardwareEfficient),
    "frozen": _frozen,
    "external": _external,
}


def make_agent(settings: TrainSettings, env: CircuitBuildingEnv) -> Agent:
    """Build the agent for an environment.

    Raises:
        ValueError: Unknown name or settings.
    """
    given = dict(settings.agent)
    name = given.pop("name", None)
    if name not in AGENTS:
        raise ValueError(unknown_name("agent", name, AGENTS))
    return AGENTS[name](env, settings.training.seed, settings.training.device, **given)

"""Settings to objects: environments and agents."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from traceback import extract_tb
from typing import Any, Final, Protocol, cast

import gymnasium as gym
from omegaconf import OmegaConf

from qas_agents import (
    BeamSearch,
    Evolution,
    FrozenPolicy,
    GreedySearch,
    HardwareEfficient,
    MaskedDQN,
    RandomPolicy,
    SB3Agent,
    SimulatedAnnealing,
)
from qas_agents.registry import AGENTS as AGENTS_OF_QAS
from qas_agents.sb3 import MASKED
from qas_envs import ENVIRONMENTS, CircuitBuildingEnv
from qas_envs.components import check_settings
from qas_envs.presets import preset_for
from qas_experiments.benchmark.records import draws_nothing
from qas_experiments.runs.files import is_finished, settings_of
from qas_experiments.settings import EnvSettings, TrainSettings
from qas_simulators.errors import must, unknown_name
from qas_simulators.optimizers import Cobyla, NoOptimizer, Rotosolve, ScanLBFGS

POLICIES: Final = ("best", "last")
"""Policies that a run leaves: of the best greedy episode, and of the last step."""
_EXACT_OPTIMIZERS = (NoOptimizer, ScanLBFGS, Rotosolve, Cobyla)  # that draw nothing


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
    return AGENTS_OF_QAS["dqn"].make(env, seed, device, **settings)


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
    check_settings("agent 'frozen'", FrozenPolicy, settings)
    frozen = load_policy(Path(run), policy, env)
    if not is_finished(Path(run)):
        raise ValueError(must("run", "name a run that was trained to the end", run))
    return FrozenPolicy(env, frozen, seed, **settings)


def policy_path(run: Path, policy: str) -> Path:
    """Return the file of a run's policy.

    Args:
        run: Folder of the run.
        policy: ``"best"`` or ``"last"``.

    Raises:
        ValueError: Another name, or a run without such a file.
    """
    if policy not in POLICIES:
        raise ValueError(unknown_name("policy", policy, POLICIES))
    path = run / f"policy_{policy}.safetensors"
    if not path.exists():
        raise ValueError(must("run", f"hold {path.name}: an agent with a policy, trained to the end", str(run)))
    return path


def load_policy(run: Path, policy: str, env: CircuitBuildingEnv) -> Any:
    """Return the policy of a run as an agent for an environment of the same spaces.

    Raises:
        ValueError: No such run or policy, an agent that cannot be loaded, or an environment with other spaces.
    """
    agent = settings_of(run).agent
    path = policy_path(run, policy)
    if agent["name"] != "external":
        return (SB3Agent if agent["name"] == "sb3" else MaskedDQN).load(path, env)
    kind: Any = imported_agent(agent["target"])
    if not callable(getattr(kind, "load", None)):
        raise ValueError(must("agent", "have a method load(path, env)", agent["target"]))
    return kind.load(str(path), env)


def reseed(agent: Any, seed: int, epsilon: float) -> None:
    """Seed a policy's exploration with a share of random actions; agents from outside may have none to seed."""
    if callable(getattr(agent, "reseed", None)):
        agent.reseed(seed, epsilon)


def imported_agent(target: Any) -> type[Agent]:
    """Return the class that ``package.module:Class`` names.

    Raises:
        ValueError: It cannot be imported, or is no class of agents.
    """
    module, _, name = target.partition(":") if isinstance(target, str) else ("", "", "")
    if not module or not name:
        raise ValueError(must("agent", "name a class as package.module:Class", target))
    try:
        kind = getattr(import_module(module), name)
    except (Exception, SystemExit) as error:  # of any kind: importing runs the module
        raise ValueError(must("agent", f"name a class as package.module:Class ({_told(error)})", target)) from None
    if not isinstance(kind, type) or not callable(getattr(kind, "learn", None)):
        raise ValueError(must("agent", "name a class with a method learn(total_timesteps, callback)", target))
    return kind


def _told(error: BaseException) -> str:
    """Return an error in a line, with the last place of the traceback."""
    last = extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error}, {Path(last.filename).name} line {last.lineno}"


def _external(
    env: CircuitBuildingEnv, seed: int, device: str, target: str, settings: dict[str, Any] | None = None
) -> Agent:
    """Build an agent from outside: ``Agent(env, seed=seed, **settings)``, with :meth:`Agent.learn`."""
    kind: Callable[..., Agent] = imported_agent(target)
    try:
        return kind(env, seed=seed, **(settings or {}))
    except ValueError:
        raise
    except (Exception, SystemExit) as error:  # of any kind: it is someone else's code
        hint = f"be a class that is called with (env, seed=..., agent.settings) ({_told(error)})"
        raise ValueError(must("agent", hint, target)) from None


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


def is_one_sample(settings: TrainSettings) -> bool:
    """Tell whether every seed plays the same: neither the agent nor the environment draws anything.

    Raises:
        ValueError: Settings that do not fit.
    """
    if not draws_nothing(settings.agent):
        return False
    env = make_environment(settings, is_silent=True)
    has_one_member = env.family is None or bool((env.family.low == env.family.high).all())
    is_exact = env.simulator.shots is None and isinstance(env.optimizer, _EXACT_OPTIMIZERS)
    return has_one_member and is_exact and not env.halts_at_random

"""Plans: settings that are resolved once, and what is built from them."""

from __future__ import annotations

import dataclasses
import warnings
from dataclasses import dataclass
from typing import Any, cast

import gymnasium as gym
from omegaconf import OmegaConf

from qas_agents.protocols import Agent
from qas_agents.registry import AgentEntry
from qas_envs import ENVIRONMENTS, CircuitBuildingEnv
from qas_envs.presets import preset_for
from qas_envs.registration import EnvironmentId
from qas_envs.vector import DeviceVectorEnv
from qas_envs.vector.arrays import fits
from qas_experiments.agents import built, entry_of
from qas_experiments.options import option
from qas_experiments.settings import PRESCRIBED, EnvSettings, TrainSettings
from qas_simulators.errors import must, unknown_name


@dataclass(frozen=True)
class Plan:
    """What a training builds: its environments and its agent.

    Commands resolve their settings here once, and pass the plan on.

    Attributes:
        settings: The settings, with the rules of the preset filled in; ``config.yaml`` holds these.
        entry: The entry of the agent.
    """

    settings: TrainSettings
    entry: AgentEntry

    @classmethod
    def of(cls, settings: TrainSettings) -> Plan:
        """Resolve settings.

        Raises:
            ValueError: An unknown environment, preset or agent.
        """
        return cls(resolved(settings), entry_of(settings.agent))

    def make_agent(self, env: CircuitBuildingEnv) -> Agent:
        """Build the agent for an environment.

        Raises:
            ValueError: Unknown settings of the agent, or settings that do not fit the environment.
        """
        training = self.settings.training
        given = self._vector(env) if training.num_envs else env
        agent = built(self.entry, self.settings.agent, given, training.seed, training.device)
        if training.collectors:
            if training.collectors < 0 or not hasattr(agent, "num_collectors"):
                needed = "be 0, or for agent=graph the number of actors"
                raise ValueError(must("training.collectors", needed, training.collectors))
            agent.num_collectors = training.collectors
        return agent

    def _vector(self, env: CircuitBuildingEnv) -> DeviceVectorEnv:
        """Return environments on the device, with the rules of one that is not stepped itself."""
        training = self.settings.training
        if training.num_envs < 0 or not self.entry.takes_tensors:
            raise ValueError(must("training.num_envs", "be 0, or for agent=dqn at least 1", training.num_envs))
        if not fits([env]):
            needed = (
                "be 0 for families, noise that drifts, linked angles, shot noise, and optimisers of single circuits"
            )
            raise ValueError(must("training.num_envs", needed, training.num_envs))
        env.reset(seed=training.seed)
        return DeviceVectorEnv(env, training.num_envs, training.device, "Disabled", training.threads)

    def make_environment(self, *, evaluation: bool = False, is_silent: bool = False) -> CircuitBuildingEnv:
        """Build an environment.

        Args:
            evaluation: Whether success means the problem's accuracy, and no episode is halted at random.
            is_silent: Whether to suppress warnings, for environments that have been built before.

        Raises:
            ValueError: Invalid settings.
        """
        env = self.settings.env
        arguments = {**env.problem, "noise": self.settings.noise, "optimizer": self.settings.optimizer}
        if env.backend is not None and self.settings.noise.get("name") == "none":
            del arguments["noise"]  # the device's noise
        rules = {name: getattr(env, name) for name in EnvSettings.__dataclass_fields__ if name not in ("id", "problem")}
        arguments |= {name: value for name, value in rules.items() if value is not None}
        # an agent that obeys masks and yet chooses an illegal action has a fault, which must not pass unseen
        arguments.setdefault("illegal", "raise" if self.entry.obeys_masks() else "skip")
        if evaluation:
            arguments |= {"curriculum": "fixed", "halting": "none"}
        with warnings.catch_warnings():
            if is_silent:
                warnings.simplefilter("ignore", UserWarning)
            try:
                return cast(CircuitBuildingEnv, gym.make(env.id, disable_env_checker=True, **arguments).unwrapped)
            except TypeError as error:  # an unknown setting of the problem
                raise ValueError(str(error).partition(" was raised from the environment creator")[0]) from None

    def is_one_sample(self) -> bool:
        """Return whether all seeds give the same run, because neither agent nor environment draws random numbers.

        Raises:
            ValueError: Invalid settings.
        """
        if self.entry.is_random:
            return False
        env = self.make_environment(is_silent=True)
        has_one_member = env.family is None or bool((env.family.low == env.family.high).all())
        is_exact = env.simulator.shots is None and getattr(env.optimizer, "is_deterministic", False)
        return has_one_member and is_exact and not env.rules.halts_at_random


def resolved(settings: TrainSettings) -> TrainSettings:
    """Return settings with the reward, the actions and the optimiser of the preset filled in.

    The preset is ``env.preset``, else the one of the environment's id, else ``blocks``. What the user chose stays.

    Raises:
        ValueError: An unknown environment or preset.
    """
    env = settings.env
    if env.id not in ENVIRONMENTS:
        raise ValueError(unknown_name("environment id", env.id, ENVIRONMENTS))
    row = ENVIRONMENTS[env.id]
    own = row.preset if row.preset != "default" else "blocks"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the environment gives the same warning
        rules = preset_for(env.preset or own, _problem_name(row, env), env.problem).rules
    optimizer = _prescribed(settings.optimizer, rules["optimizer"])
    if optimizer is not settings.optimizer:
        optimizer = OmegaConf.to_container(OmegaConf.merge(option("optimizer", optimizer["name"]), optimizer))
    own_rules = {name: _prescribed(getattr(env, name), rules[name]) for name in ("reward", "actions")}
    return dataclasses.replace(settings, env=dataclasses.replace(env, **own_rules), optimizer=optimizer)


def _problem_name(row: EnvironmentId, env: EnvSettings) -> str:
    return row.problem or str(env.problem.get("problem", ""))


def reward_note(settings: TrainSettings) -> str | None:
    """Return a line if the reward differs from that of ``gym.make`` with the same id, else ``None``.

    Args:
        settings: Settings with the reward filled in, as :func:`resolved` returns them.
    """
    env = settings.env
    row = ENVIRONMENTS[env.id]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        usual = {**preset_for(row.preset, _problem_name(row, env), env.problem).rules, **row.rules}["reward"]
    ours, theirs = (rule if isinstance(rule, dict) else {"name": rule} for rule in (env.reward or usual, usual))
    if ours == theirs:
        return None
    return f"reward: {_rule(ours)}; gym.make({env.id!r}) has {_rule(theirs)}, and this one with reward={ours!r}"


def _rule(rule: dict[str, Any]) -> str:
    settings = ", ".join(f"{name}={value}" for name, value in rule.items() if name != "name")
    return f"{rule['name']} ({settings})" if settings else str(rule["name"])


def _prescribed(given: Any, rule: Any) -> Any:
    """Return the preset's rule, updated with the given settings, if ``preset`` is chosen; else the given rule."""
    if not isinstance(given, dict) or given.get("name") != PRESCRIBED:
        return given
    return {**given, **({"name": rule} if isinstance(rule, str) else rule)}


def make_environment(
    settings: TrainSettings, *, evaluation: bool = False, is_silent: bool = False
) -> CircuitBuildingEnv:
    """Build the environment of settings; see :meth:`Plan.make_environment`."""
    return Plan.of(settings).make_environment(evaluation=evaluation, is_silent=is_silent)

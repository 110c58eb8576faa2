"""Agents from settings: those of the registry, frozen policies of runs, and agents from other packages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, Final

from qas_agents import FrozenPolicy
from qas_agents.protocols import Agent, Policy, Reseedable
from qas_agents.registry import AGENTS as OWN_AGENTS
from qas_agents.registry import AgentEntry, Row
from qas_envs import CircuitBuildingEnv
from qas_envs.components import check_settings, chosen
from qas_envs.imports import AGENT_PLUGINS, imported, plugin, plugins, reason_of
from qas_envs.vector import DeviceVectorEnv
from qas_experiments.options import NOT_SETTINGS
from qas_experiments.runs.files import is_finished, settings_of
from qas_experiments.settings import PRESCRIBED, TrainSettings
from qas_simulators.errors import must, needs_extra, unknown_name

POLICIES: Final = ("best", "last")
"""Policies that a run saves: the one with the best greedy episode, and the one after the last step."""


def entry_of(settings: Mapping[str, Any]) -> AgentEntry:
    """Return the entry of an agent.

    Args:
        settings: The ``name`` and the settings of the agent.

    Raises:
        ValueError: Unknown name.
    """
    given = dict(settings)
    name = given.pop("name", None)
    if not isinstance(name, str) or name not in AGENTS:
        raise ValueError(unknown_name("agent", name, AGENTS))
    row = AGENTS[name]
    return row if isinstance(row, AgentEntry) else row(given)


def built(
    entry: AgentEntry, settings: Mapping[str, Any], env: CircuitBuildingEnv | DeviceVectorEnv, seed: int, device: str
) -> Agent:
    """Build the agent of an entry for an environment.

    Args:
        entry: The entry.
        settings: The ``name`` and the settings of the agent.
        env: The environment, or environments on a device.
        seed: Seed of the agent.
        device: PyTorch's name of the device.

    Raises:
        ValueError: Unknown settings, or a device that PyTorch does not find.
    """
    _check_device(device)
    given = dict(settings)
    _check_settings(f"agent {given.pop('name')!r}", entry, given)
    return entry.make(env, seed, device, **given)


def _check_device(device: str) -> None:
    if device == "cpu":
        return  # searches do without PyTorch
    with needs_extra("agents"):
        import torch
    try:
        torch.empty(1, device=device)
    except Exception as error:  # PyTorch raises several kinds, AssertionError among them
        reason = str(error).partition("\n")[0]
        raise ValueError(must("training.device", f"be a device that PyTorch finds ({reason})", device)) from None


def _check_settings(owner: str, entry: AgentEntry, settings: Mapping[str, Any]) -> None:
    """Check names and types of settings, unless the agent's constructor checks them."""
    functions = entry.settings()
    if not functions:
        return
    owners = {
        name: function
        for function in functions
        for name, parameter in signature(function).parameters.items()
        if parameter.kind is not Parameter.VAR_KEYWORD
    }
    for name in NOT_SETTINGS:
        owners.pop(name, None)
    for name, value in settings.items():
        check_settings(owner, owners[chosen(f"setting of {owner}", name, owners)], {name: value})


def is_random(settings: Mapping[str, Any]) -> bool:
    """Return whether an agent draws random numbers; True for names that this version does not know."""
    return settings.get("name") not in AGENTS or entry_of(settings).is_random


def can_grow(name: str) -> bool:
    """Return whether there is an agent of this name that can start from a policy with fewer actions."""
    return name in AGENTS and entry_of({"name": name}).inherit is not None


# -- policies of runs ------------------------------------------------------------------------------------------------


def policy_path(run: Path, policy: str) -> Path:
    """Return the file of a run's policy.

    Args:
        run: Folder of the run.
        policy: ``"best"`` or ``"last"``.

    Raises:
        ValueError: Unknown name, or a run without such a file.
    """
    if policy not in POLICIES:
        raise ValueError(unknown_name("policy", policy, POLICIES))
    path = run / f"policy_{policy}.safetensors"
    if not path.exists():
        raise ValueError(must("run", f"hold {path.name}, which a finished run of an agent with a policy has", str(run)))
    return path


def load_policy(run: Path, policy: str, env: CircuitBuildingEnv) -> Policy:
    """Return the policy of a run for an environment of the same spaces.

    Raises:
        ValueError: No such run or policy, an agent that cannot be loaded, or an environment with other spaces.
    """
    settings = settings_of(run).agent
    path, load = policy_path(run, policy), entry_of(settings).load
    if load is None:
        raise ValueError(must("run", "be of an agent with a policy", settings["name"]))
    return load(path, env)


def with_policy_actions(settings: TrainSettings) -> TrainSettings:
    """Return settings whose environment has the actions of the run whose policy the agent plays.

    A policy fits only the actions that it was trained with. Actions that the user chose stay. Settings of other agents,
    and of policies that choose single gates where that is the default, are returned unchanged.
    """
    run, own = entry_of(settings.agent).run, settings.env.actions
    is_open = own is None or (isinstance(own, Mapping) and own.get("name") == PRESCRIBED)
    if run is None or not is_open or not (run / "config.yaml").exists():
        return settings
    actions: dict[str, Any] = {"actions": settings_of(run).env.actions or "gates"}
    if own is None and actions["actions"] == "gates":
        return settings
    return replace(settings, env=replace(settings.env, **actions))


def reseed(policy: Policy, seed: int, epsilon: float) -> None:
    """Seed a policy's exploration and set its share of random actions, if the policy supports this."""
    if isinstance(policy, Reseedable):
        policy.reseed(seed, epsilon)


def _frozen(settings: Mapping[str, Any]) -> AgentEntry:
    """Return the entry of the agent that plays the policy of a finished run."""
    run = Path(settings["run"]) if "run" in settings else None

    def make(env: CircuitBuildingEnv, seed: int, device: str, run: str, policy: str = "last", **settings: Any) -> Agent:
        frozen = load_policy(Path(run), policy, env)
        if not is_finished(Path(run)):
            raise ValueError(must("run", "name a finished run", run))
        return FrozenPolicy(env, frozen, seed, **settings)

    def obeys_masks() -> bool:
        if run is None or not (run / "config.yaml").exists():
            return True  # building the agent raises the error
        return entry_of(settings_of(run).agent).obeys_masks()

    return AgentEntry(
        make,
        lambda: (FrozenPolicy, make),
        obeys_masks=obeys_masks,
        is_random=settings.get("rollouts", 1) != 1,
        run=run,
    )


# -- agents from other packages --------------------------------------------------------------------------------------


def imported_agent(target: Any) -> type[Agent]:
    """Return the class that an import string or the name of a plugin stands for.

    Raises:
        ValueError: It cannot be imported, or is not a class of agents.
    """
    if isinstance(target, str) and target in plugins(AGENT_PLUGINS):
        kind = plugin("agent", AGENT_PLUGINS, target)
    else:
        kind = imported("agent", target)
    if not isinstance(kind, type) or not issubclass(kind, Agent):
        raise ValueError(must("agent", "name a class with a method learn(total_timesteps, callback)", target))
    return kind


def _external(given: Mapping[str, Any]) -> AgentEntry:
    """Return the entry of a class from another package, which is imported only when needed."""
    named = given.get("target")

    def make(
        env: CircuitBuildingEnv, seed: int, device: str, target: str, settings: Mapping[str, Any] | None = None
    ) -> Agent:
        kind: Callable[..., Agent] = imported_agent(target)
        try:
            return kind(env, seed=seed, **(settings or {}))
        except ValueError:
            raise
        except (Exception, SystemExit) as error:  # a foreign constructor may raise anything
            hint = f"be a class that can be called with (env, seed=..., **agent.settings) ({reason_of(error)})"
            raise ValueError(must("agent", hint, target)) from None

    def load(path: Path, env: CircuitBuildingEnv) -> Policy:
        kind = imported_agent(named)
        if not issubclass(kind, Policy):
            raise ValueError(must("agent", "have methods predict, save and load(path, env)", named))
        return kind.load(str(path), env)

    label = str(named).rpartition(":")[2]  # the class, or the plugin
    return AgentEntry(make, load=load, imported=lambda: imported_agent(named), label=label)


AGENTS: Final[dict[str, Row]] = {**OWN_AGENTS, "frozen": _frozen, "external": _external}
"""Agents by the name in ``agent.name``."""

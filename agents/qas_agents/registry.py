"""The agents by name, and what commands must know of each: one entry per agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qas_agents.protocols import Agent, Policy
from qas_agents.sb3 import MASKED, SB3Agent
from qas_simulators.errors import must, needs_extra

if TYPE_CHECKING:
    from qas_agents.dqn import Growth


@dataclass(frozen=True)
class AgentEntry:
    """What commands must know of an agent.

    Attributes:
        make: Called with ``(env, seed, device, **settings)``; returns the agent.
        settings: Returns the functions and classes of whose parameters the settings are. A function, because the
            classes of agents that learn import PyTorch.
        load: Called with ``(path, env)``; returns a saved policy. ``None`` for an agent that has no policy.
        obeys_masks: Returns whether the agent never chooses an action that is masked.
        is_random: Whether the agent draws random numbers; otherwise all seeds play the same.
        inherit: Called with ``(agent, parent, growth)``; initialises the agent with the policy of another one, trained
            on an environment with fewer actions. ``None`` for an agent that cannot do this.
        run: Folder of the run whose policy the agent plays, if it does not learn one.
        file: Returns the policy file that the agent plays, if it is given as a file.
        imported: Returns the class of an agent from another package.
        label: Name of the agent in tables, if its settings determine it.
        takes_tensors: Whether the agent trains on environments whose steps are tensors.
    """

    make: Callable[..., Agent]
    settings: Callable[[], tuple[Callable[..., Any], ...]] = tuple
    load: Callable[[Path, Any], Policy] | None = None
    obeys_masks: Callable[[], bool] = lambda: True
    is_random: bool = True
    inherit: Callable[[Any, Any, Growth], None] | None = None
    run: Path | None = None
    file: Callable[[], Path] | None = None
    imported: Callable[[], type[Agent]] | None = None
    label: str | None = None
    takes_tensors: bool = False


Row = AgentEntry | Callable[[Mapping[str, Any]], AgentEntry]
"""An entry, or a function that returns it where it depends on the agent's settings."""


def searcher(kind: Callable[..., Agent] | str, is_random: bool = True) -> AgentEntry:
    """Return the entry of a search ``kind(env, seed, **settings)``, which has no policy.

    Args:
        kind: The class, or its name in :mod:`qas_agents.searchers`, which is imported when it is needed.
        is_random: Whether the search draws random numbers.
    """

    def imported() -> Callable[..., Agent]:
        found: Callable[..., Agent] = (
            getattr(import_module("qas_agents.searchers"), kind) if isinstance(kind, str) else kind
        )
        return found

    def make(env: Any, seed: int, device: str, **settings: Any) -> Agent:
        return imported()(env, seed, **settings)

    return AgentEntry(make, lambda: (imported(),), is_random=is_random)


def _make_dqn(env: Any, seed: int, device: str, **settings: Any) -> Agent:
    """Return a MaskedDQN, guided by demonstrations if the settings ask for any."""
    from qas_agents.dqn import Demonstrations, DemonstrationsConfig, DQNConfig, MaskedDQN

    names = [field.name for field in fields(DemonstrationsConfig)]
    given = {name: settings.pop(name) for name in names if name in settings}
    config, guided = DQNConfig(**settings), DemonstrationsConfig(**{"demonstrations": 0, **given})
    if guided.demonstrations and hasattr(env, "num_envs"):
        raise ValueError(must("demonstrations", "be 0 where environments are a vector", guided.demonstrations))
    return MaskedDQN(env, config, seed, device, Demonstrations(env, guided) if guided.demonstrations else None)


def _dqn_settings() -> tuple[Callable[..., Any], ...]:
    with needs_extra("agents"):
        from qas_agents.dqn import DemonstrationsConfig, DQNConfig
    return DQNConfig, DemonstrationsConfig


def _make_ppr_dqn(env: Any, seed: int, device: str, **settings: Any) -> Agent:
    """Return a MaskedDQN that reuses policies of earlier tasks."""
    from qas_agents.dqn import DQNConfig, PolicyReuseConfig, ppr_dqn

    names = [field.name for field in fields(PolicyReuseConfig)]
    reuse = PolicyReuseConfig(**{name: settings.pop(name) for name in names if name in settings})
    return ppr_dqn(env, DQNConfig(**settings), reuse, seed, device)


def _ppr_dqn_settings() -> tuple[Callable[..., Any], ...]:
    with needs_extra("agents"):
        from qas_agents.dqn import DQNConfig, PolicyReuseConfig
    return DQNConfig, PolicyReuseConfig


def _load_dqn(path: Path, env: Any) -> Policy:
    from qas_agents.dqn import MaskedDQN

    return MaskedDQN.load(path, env)


def _inherit_dqn(agent: Any, parent: Any, growth: Growth) -> None:
    from qas_agents.dqn.growing import inherit

    inherit(agent, parent, growth)


def _make_sb3(env: Any, seed: int, device: str, algorithm: str, **settings: Any) -> Agent:
    return SB3Agent(env, algorithm, settings, seed, device)


def _sb3(settings: Mapping[str, Any]) -> AgentEntry:
    """Return the entry of an algorithm of Stable-Baselines3, whose own constructor checks the settings."""
    return AgentEntry(_make_sb3, load=SB3Agent.load, obeys_masks=lambda: settings["algorithm"] in MASKED)


def _make_graph(env: Any, seed: int, device: str, **settings: Any) -> Agent:
    from qas_agents.graph import GraphAgent, GraphConfig

    return GraphAgent(env, GraphConfig(**settings), seed, device)


def _graph_settings() -> tuple[Callable[..., Any], ...]:
    with needs_extra("agents"):
        from qas_agents.graph import GraphConfig
    return (GraphConfig,)


def _load_graph(path: Path, env: Any) -> Policy:
    from qas_agents.graph import GraphAgent

    return GraphAgent.load(path, env)


def _graph_search(settings: Mapping[str, Any]) -> AgentEntry:
    """Return the entry of annealing that a policy file guides."""

    def make(env: Any, seed: int, device: str, **settings: Any) -> Agent:
        from qas_agents.graph import policy_search

        return policy_search(env, seed, **settings)

    def of_settings() -> tuple[Callable[..., Any], ...]:
        with needs_extra("agents"):
            from qas_agents.graph import policy_search
        from qas_agents.searchers import BlockAnnealing

        return BlockAnnealing, policy_search

    def file() -> Path:
        from qas_agents.graph import policy_file

        return policy_file(settings.get("policy", "ising_graphs"))

    return AgentEntry(make, of_settings, file=file)


def _latent(kind: str) -> Callable[[Mapping[str, Any]], AgentEntry]:
    """Return a function that returns the entry of a search of :mod:`qas_agents.latent`, which imports PyTorch."""

    def imported() -> Callable[..., Agent]:
        with needs_extra("agents"):
            found: Callable[..., Agent] = getattr(import_module("qas_agents.latent"), kind)
        return found

    def make(env: Any, seed: int, device: str, **settings: Any) -> Agent:
        return imported()(env, seed, **settings)

    def entry(settings: Mapping[str, Any]) -> AgentEntry:
        file = settings.get("file")
        return AgentEntry(make, lambda: (imported(),), file=None if file is None else lambda: Path(file))

    return entry


AGENTS: Final[dict[str, Row]] = {
    "dqn": AgentEntry(_make_dqn, _dqn_settings, _load_dqn, inherit=_inherit_dqn, takes_tensors=True),
    "ppr_dqn": AgentEntry(_make_ppr_dqn, _ppr_dqn_settings, _load_dqn),
    "graph": AgentEntry(_make_graph, _graph_settings, _load_graph),
    "graph_search": _graph_search,
    "latent_bo": _latent("LatentBO"),
    "latent_reinforce": _latent("LatentREINFORCE"),
    "sb3": _sb3,
    "random": searcher("RandomPolicy"),
    "greedy": searcher("GreedySearch", is_random=False),
    "annealing": searcher("SimulatedAnnealing"),
    "evolution": searcher("Evolution"),
    "beam": searcher("BeamSearch"),
    "hea": searcher("HardwareEfficient"),
    "annealing_blocks": searcher("BlockAnnealing"),
    "beam_blocks": searcher("BlockBeam"),
    "greedy_blocks": searcher("GreedyBlocks"),
    "hea_blocks": searcher("LayeredBlocks"),
    "random_blocks": searcher("RandomBlocks"),
}
"""Agents of this package. A new one is a module and a line here."""

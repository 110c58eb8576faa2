"""Circuits of a search that the graph agent imitates: annealing, by itself or guided by the policy."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qas_agents.callbacks import CallbackObject
from qas_agents.graph.instances import Instance
from qas_agents.graph.proposal import PolicyProposal
from qas_agents.searchers.annealing_blocks import BlockAnnealing

if TYPE_CHECKING:
    from qas_agents.graph.agent import GraphAgent

_TEMPERATURE: Final = 1.5  # of the policy's choices in a guided search, as in policy_search
_UNIFORM: Final = 0.5  # share of mutations that ignore the policy, as in policy_search


class Phase(Enum):
    """What the training does next."""

    SEARCH = "annealing plays a training instance"
    IMITATE = "a gradient step of pure imitation"
    IMITATE_SHORT = "the same, on short circuits"
    GROUP = "a group of the policy's circuits"


def searches(agent: GraphAgent, rounds: int) -> list[int]:
    """Return the instances that are searched, in order: by the teacher, and in the first rounds of expert iteration."""
    everything = [*range(len(agent.instances))]
    by_size = agent.instances.by_size() if agent.config.climb else []
    of_rounds = [by_size[number] if number < len(by_size) else everything for number in range(rounds)]
    return [*(everything if agent.config.teacher else []), *chain.from_iterable(of_rounds)]


def next_phase(agent: GraphAgent) -> Phase:
    """Return what the training does next.

    The teacher plays every instance; ``cloning`` steps imitate it. Each round of expert iteration is a guided search of
    every instance, or with ``climb`` of those of one size, ``expert_steps`` steps and ``expert_groups`` groups. Then
    groups follow.
    """
    config = agent.config
    if agent.num_taught < len(searches(agent, 0)):
        return Phase.SEARCH
    if agent.num_updates < config.cloning:
        return Phase.IMITATE
    number, place = _round(agent)
    if number >= config.expert_rounds:
        return Phase.GROUP
    if agent.num_taught < len(searches(agent, number + 1)):
        return Phase.SEARCH
    return Phase.IMITATE_SHORT if place < config.expert_steps else Phase.GROUP


def _round(agent: GraphAgent) -> tuple[int, int]:
    """Return the round of expert iteration, and the number of its updates so far."""
    return divmod(
        max(0, agent.num_updates - agent.config.cloning), agent.config.expert_steps + agent.config.expert_groups
    )


def group_instances(agent: GraphAgent) -> list[int]:
    """Return the instances that the next group may play: with ``climb`` those of the size of the next round."""
    number = _round(agent)[0] + 1
    by_size = agent.instances.by_size() if agent.config.climb else []
    return by_size[number] if number < min(len(by_size), agent.config.expert_rounds) else [*range(len(agent.instances))]


def groups_so_far(agent: GraphAgent) -> int:
    """Return the number of groups so far: gradient updates without those of pure imitation."""
    config = agent.config
    updates = max(0, agent.num_updates - config.cloning)
    number, place = _round(agent)
    steps = min(number, config.expert_rounds) * config.expert_steps
    return updates - steps - (min(place, config.expert_steps) if number < config.expert_rounds else 0)


def teach(agent: GraphAgent, listener: CallbackObject, advance: Callable[[], None]) -> bool:
    """Search the next training instance, and add the solutions to the agent's elites.

    A blind search has no solutions. All of its circuits compete for the places of the largest length of a group, where
    the policy learns when to stop.

    Args:
        agent: The agent.
        listener: The callback, called after every circuit. The instance is played to its end.
        advance: Called once for every circuit.

    Returns:
        Whether the callback has not asked to stop.
    """
    config, taught = agent.config, agent.num_taught
    number = searches(agent, config.expert_rounds)[taught]
    instance = agent.instances[number]
    running, blind = True, agent.config.blind
    longest = instance.lengths(agent.config.lengths)[1]

    def report(step: dict[str, Any], _: dict[str, Any]) -> bool:
        nonlocal running
        info = step["infos"][0]
        actions = tuple(instance.bench.actions)
        if blind or info["success"]:
            decades = np.log10(max(abs(info["energy_error"]), 1e-15) / info["threshold"])
            length = max(len(actions), longest) if blind else len(actions)
            agent.elites.add(number, length, instance.canonical(actions), actions, -float(max(decades, -1.0)))
        agent.num_timesteps += 1
        listener.update_locals({**step, "self": agent, "circuit_env": instance.env})
        running = listener.on_step() and running
        advance()
        return True

    seed = int(agent.rng.integers(2**31))
    if taught < len(searches(agent, 0)):
        search = BlockAnnealing(instance.env, seed, start_blocks=longest if blind else 0, blind=blind)
        search.learn(agent.config.teacher, report)
    else:
        is_first = config.climb and not config.teacher and number in agent.instances.by_size()[0]
        _guided(agent, instance, seed, is_first).learn(config.expert, report)
    agent.num_taught += 1
    return running


def _guided(agent: GraphAgent, instance: Instance, seed: int, own_pairs: bool) -> BlockAnnealing:
    """Return annealing that begins with circuits of the policy, of the lengths of its groups, or with the own pairs."""
    lengths = agent.config.lengths
    proposal = PolicyProposal(agent, seed, lengths, _TEMPERATURE, _UNIFORM, instance=instance)
    start = instance.lengths(lengths)[1]
    return BlockAnnealing(instance.env, seed, start_blocks=start, proposal=proposal, own_pairs=own_pairs)

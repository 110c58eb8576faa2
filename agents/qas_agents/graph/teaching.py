"""Circuits of a search as the first ones that the graph agent imitates."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from qas_agents.callbacks import CallbackObject
from qas_agents.searchers.annealing_blocks import BlockAnnealing

if TYPE_CHECKING:
    from qas_agents.graph.agent import GraphAgent


def teach(
    agent: GraphAgent,
    listener: CallbackObject,
    end: int,
    after_instance: Callable[[], None] | None,
    advance: Callable[[], None],
) -> bool:
    """Anneal every training instance that has not been, and add the solutions to the agent's elites.

    Args:
        agent: The agent.
        listener: The callback, called after every circuit.
        end: Number of circuits of the agent at which teaching ends; the instance is played to its end.
        after_instance: Called after every instance, when the agent's state may be read.
        advance: Called once for every circuit.

    Returns:
        Whether the callback has not asked to stop.
    """
    running = True
    while running and agent.num_taught < len(agent.instances) and agent.num_timesteps < end:
        number = agent.num_taught
        instance = agent.instances[number]

        def report(step: dict[str, Any], _: dict[str, Any], number: int = number, instance: Any = instance) -> bool:
            nonlocal running
            info = step["infos"][0]
            if info["success"]:
                actions = tuple(instance.bench.actions)
                decades = np.log10(max(abs(info["energy_error"]), 1e-15) / info["threshold"])
                agent.elites.add(number, len(actions), instance.canonical(actions), actions, -float(max(decades, -1.0)))
            agent.num_timesteps += 1
            listener.update_locals({**step, "self": agent, "circuit_env": instance.env})
            running = listener.on_step() and running
            advance()
            return True

        seed = int(agent.rng.integers(2**31))
        BlockAnnealing(instance.env, seed).learn(agent.config.teacher, report)
        agent.num_taught += 1
        if after_instance is not None:
            after_instance()
    return running

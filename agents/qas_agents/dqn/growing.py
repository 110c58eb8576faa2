"""A trained agent that continues with more actions or longer observations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qas_agents.dqn.agent import MaskedDQN
from qas_agents.dqn.guides import Guide
from qas_agents.dqn.networks.growing import transplant
from qas_simulators.errors import must


@dataclass(frozen=True)
class Growth:
    """Correspondence between the spaces of two environments.

    Attributes:
        actions: For every new action the number of the old one, or ``None`` if there was none.
        inputs: The same for every entry of an observation.
    """

    actions: tuple[int | None, ...]
    inputs: tuple[int | None, ...]


def grow(agent: MaskedDQN, env: Any, growth: Growth, keep_replay: bool = True, guide: Guide | None = None) -> MaskedDQN:
    """Return an agent for another environment that begins with the action values of a trained one.

    The value of a new action is the mean of the old ones. Steps, exploration and the optimiser are reset.

    Args:
        agent: The trained agent.
        env: The new environment, as for :class:`MaskedDQN`.
        growth: How actions and observations of the two environments correspond.
        keep_replay: Keep the old transitions, except those of removed actions. Their bootstraps leave out new actions.
            Only valid if the rewards have not changed.
        guide: Guide of the new agent.

    Raises:
        ValueError: The growth does not fit the two environments, or a network that cannot grow.
    """
    grown = MaskedDQN(env, agent.config, agent.seed, str(agent.device), guide)
    _check("actions", growth.actions, agent.num_actions, grown.num_actions)
    _check("inputs", growth.inputs, agent.num_inputs, grown.num_inputs)
    inherit(grown, agent, growth)
    if keep_replay:
        _move_replay(agent, grown, growth)
    return grown


def inherit(agent: MaskedDQN, parent: MaskedDQN, growth: Growth) -> None:
    """Initialise both networks of an agent with those of another; see :func:`grow`."""
    for old, new in (
        (parent.online_network, agent.online_network),
        (parent.target_network, agent.target_network),
    ):
        transplant(old, new, growth.inputs, growth.actions)


def _check(name: str, sources: Sequence[int | None], old: int, new: int) -> None:
    if len(sources) != new:
        raise ValueError(must(name, f"have an entry for each of {new}", len(sources)))
    known = [source for source in sources if source is not None]
    if len({*known}) < len(known) or any(not 0 <= source < old for source in known):
        raise ValueError(must(name, f"name different ones of 0..{old - 1}", known))


def _move_replay(old: MaskedDQN, new: MaskedDQN, growth: Growth) -> None:
    numbers = np.full(old.num_actions, -1)
    for number, source in enumerate(growth.actions):
        if source is not None:
            numbers[source] = number
    fields = old.replay.since(0)
    fields["actions"] = numbers[fields["actions"]]
    for name in ("observations", "next_observations"):
        fields[name] = _columns(fields[name], growth.inputs)
    fields["next_masks"] = _columns(fields["next_masks"], growth.actions)
    bootstraps = (fields["discounts"] == 0) | fields["next_masks"].any(axis=1)
    kept = (fields["actions"] >= 0) & bootstraps
    new.replay.put(0, {name: values[kept] for name, values in fields.items()})
    if new.replay.tree is not None and len(new.replay):
        rows = np.arange(len(new.replay))
        new.replay.tree.set(new.replay.library.sent(rows), 1.0)


def _columns(values: NDArray[Any], sources: Sequence[int | None]) -> NDArray[Any]:
    picks = np.array([-1 if source is None else source for source in sources])
    return np.where(picks >= 0, values[:, picks], 0).astype(values.dtype)

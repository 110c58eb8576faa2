"""The training of the graph agent: group-relative policy gradients and imitation of the best circuits."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from qas_agents.callbacks import CallbackObject
from qas_agents.checks import require_finite
from qas_agents.graph.collecting import Collectors
from qas_agents.graph.drawing import judged, replayed, tensor_on
from qas_agents.graph.groups import Group, play_group
from qas_agents.graph.instances import Instance
from qas_agents.graph.teaching import Phase, group_instances, groups_so_far, next_phase, teach

if TYPE_CHECKING:
    from qas_agents.graph.agent import GraphAgent

_SET_LENGTHS = 4  # lengths of the solutions that are imitated as a set
_WORST, _BEST = 3.0, -1.0  # decades of the error over the threshold, between which rewards differ


def train(
    agent: GraphAgent,
    listener: CallbackObject,
    end: int,
    after_group: Callable[[], None] | None = None,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Train until ``end`` circuits were played, or the callback returned False; a group is always finished.

    Args:
        agent: All that must survive this call belongs to it.
        listener: The callback, called after every circuit.
        end: Number of circuits of the agent at which training ends, rounded up to whole groups.
        after_group: Called at the end of every group, and of every search of a training instance.
        advance: Called once for every circuit.
    """
    running = True
    with ExitStack() as stack:
        collectors: Collectors | None = None
        while running and agent.num_timesteps < end:
            phase = next_phase(agent)
            if phase is Phase.SEARCH:
                running = teach(agent, listener, advance)
                if after_group is not None:
                    after_group()
                continue
            if phase is not Phase.GROUP:
                if phase is Phase.IMITATE_SHORT and agent.config.climb:
                    _clone_sets(agent)
                else:
                    _clone(agent, agent.elites.short_keys() if phase is Phase.IMITATE_SHORT else agent.elites.keys())
                agent.num_updates += 1
                continue
            if agent.num_collectors and collectors is None:
                collectors = stack.enter_context(Collectors(agent))
            group = _next(agent, collectors)
            instance = agent.instances[group.number]
            rewards, running = _reported(agent, instance, group, listener, advance)
            for actions, reward in zip(group.drawn.circuits, rewards.tolist(), strict=True):
                agent.elites.add(group.number, group.length, instance.canonical(actions), tuple(actions), reward)
            _update(agent, instance, group, rewards)
            agent.num_updates += 1
            if after_group is not None:
                after_group()


def _next(agent: GraphAgent, collectors: Collectors | None) -> Group:
    """Play a group, or return the next one that an actor has played."""
    if collectors is not None:
        group = collectors.next_group(lambda: _next_group(agent))
        agent.num_lost = collectors.lost
        return group
    place, config = _next_group(agent), agent.config
    instance, numbers = agent.instances[place[0]], (config.batch, config.max_iterations)
    return play_group(agent.network, instance, place, *numbers, agent.rng, library=agent.library)


def _next_group(agent: GraphAgent) -> tuple[int, int]:
    """Return the instance and the length of the next group.

    With a curriculum, sizes join one after the other, and shorter circuits later than longer ones.
    """
    config, rng = agent.config, agent.rng
    groups = groups_so_far(agent)
    share = 1.0 if config.curriculum == 0 else min(1.0, (groups + 1) / config.curriculum)
    numbers = group_instances(agent)
    number = numbers[int(rng.integers(max(1, math.ceil(share * len(numbers)))))]
    low, high = agent.instances[number].lengths(config.lengths)
    return number, int(rng.integers(high - math.floor(share * (high - low)), high + 1))


def _reported(
    agent: GraphAgent, instance: Instance, group: Group, listener: CallbackObject, advance: Callable[[], None]
) -> tuple[NDArray[np.float64], bool]:
    """Report each circuit of a group; return the rewards, and whether to continue.

    Circuits are reported to the end even if the callback asks to stop, so that a checkpoint is of a whole group.
    """
    bench, played = instance.bench, group.played
    threshold = instance.env.curriculum.threshold
    lengths = np.array([len(actions) for actions in group.drawn.circuits])
    rewards = rewards_of(played.errors, threshold) - agent.config.price * lengths
    require_finite("rewards", float(rewards.sum()), f"circuit {agent.num_timesteps}")
    running = True
    for number, info in enumerate(bench.infos(group.legal, played)):
        agent.num_timesteps += 1
        seen = {
            "self": agent,
            "circuit_env": instance.env,
            "circuit": played.circuits[number],
            "infos": [info],
            "rewards": [rewards[number]],
            "dones": [True],
        }
        listener.update_locals(seen)
        running = listener.on_step() and running
        advance()
    return rewards, running


def rewards_of(errors: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
    """Return minus the decades of errors over the threshold, between -3 and 1, ``(B,)``."""
    decades = np.log10(np.maximum(np.abs(errors), 1e-15) / threshold)
    result: NDArray[np.float64] = -np.clip(decades, _BEST, _WORST)
    return result


def advantages_of(rewards: NDArray[np.float64], best: float = 1.0) -> NDArray[np.float64]:
    """Return the advantages of a group's circuits, ``(B,)``.

    Group-relative: the other circuits of the same instance and length are the baseline, so that hard instances and
    short lengths teach as much as easy ones (Shao et al., arXiv:2402.03300, section 4.1). With ``best`` below 1 the
    baseline is the quantile above which that share lies, and circuits below it have none (Petersen et al.,
    arXiv:1912.04871).
    """
    scale = rewards.std() + 1e-3
    above = rewards - rewards.mean() if best == 1.0 else np.maximum(rewards - np.quantile(rewards, 1.0 - best), 0.0)
    result: NDArray[np.float64] = above / scale
    return result


# -- gradient steps ----------------------------------------------------------------------------------------------------


def _clone(agent: GraphAgent, keys: list[tuple[int, int]]) -> None:
    """Take a gradient step of pure imitation on the circuits of one of these instances and lengths."""
    if not keys:
        return
    number, length = keys[int(agent.rng.integers(len(keys)))]
    instance, best = agent.instances[number], agent.elites.of(number, length)
    model = replayed(instance.table, instance.bench.drafts(len(best), length), best)
    imitated, entropy, _ = judged(agent.network, instance.table, model)
    chosen = _sent(agent, model.chosen >= 0)
    loss = -(imitated * chosen).sum() / chosen.sum()
    _finish(agent, [_step(agent, loss)], loss, (entropy * chosen).sum().detach() / chosen.sum())


def _clone_sets(agent: GraphAgent) -> None:
    """Take a gradient step that raises the probability of the solutions of one instance together.

    The loss is minus the logarithm of the sum of their probabilities, each divided by ``exp(brevity)`` per block more
    than the shortest one: the marginal likelihood of a set of right answers.
    """
    numbers = agent.elites.instances()
    if not numbers:
        return
    number = numbers[int(agent.rng.integers(len(numbers)))]
    instance, solutions = agent.instances[number], agent.elites.solutions(number, _SET_LENGTHS)
    shortest, log_probs, entropies = min(solutions), [], []
    for length, some in solutions.items():
        model = replayed(instance.table, instance.bench.drafts(len(some), length), some)
        imitated, entropy, _ = judged(agent.network, instance.table, model)
        log_probs.append(imitated.sum(dim=1) - agent.config.brevity * (length - shortest))
        entropies.append(entropy.mean().detach())
    loss = -torch.logsumexp(torch.cat(log_probs), dim=0) / shortest
    _finish(agent, [_step(agent, loss)], loss, torch.stack(entropies).mean())


def _sent(agent: GraphAgent, array: Any) -> Tensor:
    """Return an array, or a tensor, on the agent's device."""
    return tensor_on(agent.device, array)


def _step(agent: GraphAgent, loss: Tensor) -> Tensor:
    """Take a step of Adam; return the loss plus the gradient's norm.

    On a GPU nothing waits: the optimiser leaves the weights alone if that is not finite, and :func:`_finish` reports
    it.

    Raises:
        ValueError: The loss or the gradient is not finite; the weights have not changed.
    """
    agent.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    norm = torch.nn.utils.clip_grad_norm_(agent.network.parameters(), agent.config.max_grad_norm)
    total = loss.detach() + norm
    if agent.waits:
        require_finite("loss and gradient", float(total), f"circuit {agent.num_timesteps}")
    else:
        agent.optimizer.found_inf = (~torch.isfinite(total)).float()  # type: ignore[attr-defined]
    agent.optimizer.step()
    return total


def _finish(agent: GraphAgent, totals: list[Tensor], loss: Tensor, entropy: Tensor) -> None:
    """Read the figures of a group's gradient steps, which on a GPU waits for them.

    Raises:
        ValueError: A loss or a gradient was not finite; that step has changed no weights.
    """
    require_finite("loss and gradient", float(sum(totals)), f"circuit {agent.num_timesteps}")
    agent.loss, agent.entropy = float(loss.detach()), float(entropy)


def _update(agent: GraphAgent, instance: Instance, group: Group, rewards: NDArray[np.float64]) -> None:
    """Take the gradient steps of a group."""
    config, table, drawn = agent.config, instance.table, group.drawn
    advantages = _sent(agent, advantages_of(rewards, config.best).astype(np.float32))
    targets = _sent(agent, rewards.astype(np.float32))
    totals = []
    best = agent.elites.of(group.number, group.length) if config.imitation > 0 else []
    model = replayed(table, instance.bench.drafts(len(best), group.length), best) if best else None
    if group.log_probs is None:
        with torch.no_grad():
            before, _, _ = judged(agent.network, table, drawn)
    else:  # an actor had older weights
        before = _sent(agent, group.log_probs)
    for _ in range(config.epochs):
        log_probs, entropy, values = judged(agent.network, table, drawn)
        acted = _sent(agent, drawn.chosen >= 0)
        ratios = (log_probs - before).exp()
        gains = torch.min(
            ratios * advantages[:, None],
            ratios.clamp(1.0 - config.clip, 1.0 + config.clip) * advantages[:, None],
        )
        loss = -(gains * acted).sum() / acted.sum()
        loss = loss - config.entropy * (entropy * acted).sum() / acted.sum()
        loss = loss + config.value * functional.smooth_l1_loss(values, targets[:, None].expand_as(values))
        if model is not None:
            imitated, _, _ = judged(agent.network, table, model)
            chosen = _sent(agent, model.chosen >= 0)
            loss = loss - config.imitation * (imitated * chosen).sum() / chosen.sum()
        totals.append(_step(agent, loss))
    _finish(agent, totals, loss, (entropy * acted).sum().detach() / acted.sum())

"""The training state of an agent: returned, checked and restored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from qas_agents.checks import check_generator as check_generator
from qas_agents.checks import check_number as check_number
from qas_agents.dqn.policies import prefixed
from qas_simulators.errors import must

if TYPE_CHECKING:
    from qas_agents.dqn.agent import MaskedDQN

Arrays = Mapping[str, NDArray[Any]]

_COUNTERS = ("num_timesteps", "num_moves", "num_gradient_steps")
_SCALARS = (*_COUNTERS, "epsilon", "loss")
_PENDING = ("observations", "actions", "rewards")
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")
_FIRST = "first_transition"  # that was not forgotten; missing where none was
_INSTANCES = "instances"  # the episode of the instance that is played; missing without training instances
_TENSORS = "tensors"  # of environments on a device, and what belongs to them
_GUIDE = "demonstrations"  # the guide's state; checkpoints have this name for it


def state_of(agent: MaskedDQN) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return arrays, and numbers that JSON represents exactly; see :meth:`MaskedDQN.state`."""
    agent.learner.check()
    arrays = _weights(agent)
    for k, moments in agent.learner.optimizer.state_dict()["state"].items():
        arrays |= {f"adam.{k}.{key}": value.cpu().numpy() for key, value in moments.items()}
    if agent.next_observations is not None and agent.next_masks is not None:
        arrays |= {"next.observations": _host(agent.next_observations), "next.masks": _host(agent.next_masks)}
    for k, collector in enumerate(agent.collectors):
        if collector.pending:
            observations, actions, rewards = zip(*collector.pending, strict=True)
            arrays |= {
                f"pending.{k}.observations": np.stack(observations),
                f"pending.{k}.actions": np.array(actions, dtype=np.int64),
                f"pending.{k}.rewards": np.array(rewards, dtype=np.float64),
            }
    if (priorities := agent.replay.priorities()) is not None:
        arrays["priorities"] = priorities
    numbers = {name: getattr(agent, name) for name in _SCALARS}
    if agent.replay.first:
        numbers[_FIRST] = agent.replay.first
    if (playing := agent.environments.state()) is not None:
        numbers[_INSTANCES] = playing
    if agent.guide is not None:
        numbers[_GUIDE] = agent.guide.state()
        arrays |= {f"guide.{name}": array for name, array in agent.guide.arrays().items()}
    if agent.tensors is not None:
        on_device, numbers[_TENSORS] = agent.tensors.state()
        arrays |= {f"{_TENSORS}.{name}": array for name, array in on_device.items()}
    return arrays, numbers | {"rng": agent.rng.bit_generator.state, "largest_priority": agent.replay.largest}


def restore_state(agent: MaskedDQN, arrays: Arrays, numbers: Mapping[str, Any]) -> None:
    """Restore what :func:`state_of` returned, after :func:`check_state`."""
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
    agent.online_network.load_state_dict(prefixed(tensors, "online"))
    agent.target_network.load_state_dict(prefixed(tensors, "target"))
    adam: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in prefixed(tensors, "adam").items():
        number, key = name.split(".")
        adam.setdefault(int(number), {})[key] = value
    agent.learner.optimizer.load_state_dict({**agent.learner.optimizer.state_dict(), "state": adam})
    if "next.observations" in arrays:
        place = (lambda array: array) if agent.tensors is None else agent.replay.library.shared
        agent.next_observations = place(np.array(arrays["next.observations"]))
        agent.next_masks = place(np.array(arrays["next.masks"]))
    for k, collector in enumerate(agent.collectors):
        collector.pending.clear()
        if f"pending.{k}.actions" in arrays:
            columns = [arrays[f"pending.{k}.{name}"] for name in _PENDING]
            for seen, chosen, reward in zip(*columns, strict=True):
                collector.pending.append((np.array(seen), int(chosen), float(reward)))
    if agent.replay.tree is not None:
        agent.replay.tree.nodes[:] = agent.replay.library.shared(np.array(arrays["priorities"]))
    agent.replay.largest = numbers["largest_priority"]
    agent.replay.first = numbers.get(_FIRST, 0)
    if _INSTANCES in numbers:
        agent.environments.restore(numbers[_INSTANCES])
    if agent.guide is not None:
        agent.guide.restore(numbers[_GUIDE], _part(arrays, "guide"))
    if agent.tensors is not None:
        agent.tensors.restore(_part(arrays, _TENSORS), numbers[_TENSORS])
    for name in _SCALARS:
        setattr(agent, name, numbers[name])
    agent.rng.bit_generator.state = numbers["rng"]


# -- checks -------------------------------------------------------------------------------------------------------


def check_state(agent: MaskedDQN, arrays: Arrays, numbers: Mapping[str, Any], count: int) -> None:
    """Raise ``ValueError`` unless a state can be restored into this agent and training can continue.

    Args:
        agent: Built with the same settings, on an environment of the same spaces.
        arrays: The first part of what :func:`state_of` returns.
        numbers: The second.
        count: Transitions ever added to the replay buffer.
    """
    _check_numbers(agent, numbers)
    if agent.guide is not None:
        agent.guide.check(numbers[_GUIDE], _part(arrays, "guide"), agent.num_actions)
    if _FIRST in numbers and not (type(numbers[_FIRST]) is int and 0 < numbers[_FIRST] <= count):
        raise ValueError(must(_FIRST, f"be a number of transitions, at most {count}", numbers[_FIRST]))
    left = {name: array for name, array in arrays.items() if agent.guide is None or not name.startswith("guide.")}
    if agent.tensors is not None:
        agent.tensors.check(_part(arrays, _TENSORS), numbers[_TENSORS])
        left = {name: array for name, array in left.items() if not name.startswith(f"{_TENSORS}.")}
    for name, own in _weights(agent).items():
        _check_array(name, left.pop(name, None), own.dtype, own.shape)
    _check_adam(agent, left)
    if "next.observations" in left or "next.masks" in left or numbers["num_moves"]:
        num_envs = agent.environments.num_envs
        _check_array("next.observations", left.pop("next.observations", None), np.float32, (num_envs, agent.num_inputs))
        masks = _check_array("next.masks", left.pop("next.masks", None), np.int8, (num_envs, agent.num_actions))
        if not np.isin(masks, (0, 1)).all() or not masks.any(axis=1).all():
            raise ValueError(must("next.masks", "be 0 or 1, with a legal action", masks.tolist()))
    for k in range(len(agent.collectors)):
        _check_pending(agent, k, left)
    if (tree := agent.replay.tree) is not None:
        nodes = _check_array("priorities", left.pop("priorities", None), np.float64, tree.nodes.shape)
        tree.check(nodes, min(count, agent.replay.capacity))
    if left:
        raise ValueError(must("arrays", "have no other names", sorted(left)))


def _part(arrays: Arrays, part: str) -> dict[str, NDArray[Any]]:
    start = f"{part}."
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}


def _host(array: Any) -> NDArray[Any]:
    result: NDArray[Any] = array.cpu().numpy() if isinstance(array, torch.Tensor) else array
    return result


def _weights(agent: MaskedDQN) -> dict[str, NDArray[Any]]:
    networks = {"online": agent.online_network, "target": agent.target_network}
    return {
        f"{name}.{key}": value.cpu().numpy()
        for name, network in networks.items()
        for key, value in network.state_dict().items()
    }


def _check_array(name: str, value: NDArray[Any] | None, kind: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    if value is None:
        raise ValueError(must("arrays", f"have the name {name!r}", "without it"))
    if value.dtype != kind or value.shape != shape:
        raise ValueError(must(name, f"be {np.dtype(kind)} of shape {shape}", f"{value.dtype} of shape {value.shape}"))
    if not np.isfinite(value).all():
        raise ValueError(must(name, "be finite", "not"))
    return value


def _check_adam(agent: MaskedDQN, left: dict[str, NDArray[Any]]) -> None:
    """Check the optimiser's moments, which parameters have after their first gradient."""
    for k, parameter in enumerate(agent.online_network.parameters()):
        if not any(f"adam.{k}.{key}" in left for key in _MOMENTS):
            continue
        for key in _MOMENTS:
            name, shape = f"adam.{k}.{key}", tuple(parameter.shape)
            if key == "step":  # earlier versions wrote an array of one number
                shape = (1,) if name in left and left[name].ndim else ()
            moment = _check_array(name, left.pop(name, None), np.float32, shape)
            if key != "exp_avg" and (moment < 0).any():
                raise ValueError(must(name, "not be negative", float(moment.min())))


def _check_pending(agent: MaskedDQN, k: int, left: dict[str, NDArray[Any]]) -> None:
    """Check the steps of one environment whose n-step returns are incomplete."""
    names = [f"pending.{k}.{name}" for name in _PENDING]
    if not any(name in left for name in names):
        return
    size = len(np.atleast_1d(left.get(names[1], np.empty(0))))
    if not 0 < size < agent.config.n_step:
        raise ValueError(must(names[1], f"have fewer than {agent.config.n_step} entries", size))
    _check_array(names[0], left.pop(names[0], None), np.float32, (size, agent.num_inputs))
    actions = _check_array(names[1], left.pop(names[1], None), np.int64, (size,))
    _check_array(names[2], left.pop(names[2], None), np.float64, (size,))
    if not ((actions >= 0) & (actions < agent.num_actions)).all():
        raise ValueError(must(names[1], f"lie in 0..{agent.num_actions - 1}", actions.tolist()))


def _check_numbers(agent: MaskedDQN, numbers: Mapping[str, Any]) -> None:
    wanted = {*_SCALARS, "rng", "largest_priority"} | ({_GUIDE} if agent.guide is not None else set())
    if agent.config.instances:
        wanted.add(_INSTANCES)
    wanted |= {_TENSORS} if agent.tensors is not None else set()
    if set(numbers) - {_FIRST} != wanted:
        raise ValueError(must("numbers", f"be {sorted(wanted)}", sorted(numbers)))
    if _INSTANCES in wanted:
        agent.environments.check(numbers[_INSTANCES])
    for name in _COUNTERS:
        if type(numbers[name]) is not int or not 0 <= numbers[name] < 2**63:
            raise ValueError(must(name, "be an integer of at least 0", numbers[name]))
    check_number("epsilon", numbers["epsilon"], 0.0, 1.0)
    if numbers["num_gradient_steps"]:
        check_number("loss", numbers["loss"], 0.0)
    elif type(numbers["loss"]) is not float:
        raise ValueError(must("loss", "be a number", numbers["loss"]))
    check_number("largest_priority", numbers["largest_priority"], 1.0)
    check_generator(numbers["rng"])

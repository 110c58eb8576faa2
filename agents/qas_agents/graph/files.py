"""Policies of the graph agent as files, and its training state."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qas_agents.dqn.policies import prefixed
from qas_agents.dqn.snapshots import check_generator, check_number
from qas_agents.graph.config import GraphConfig
from qas_agents.tensor_files import check_sizes, check_tensors, read_file, write_tensors
from qas_simulators.errors import must

if TYPE_CHECKING:
    from qas_agents.graph.agent import GraphAgent

FORMAT: Final = 1
_KEY: Final = "qas_agents_graph"
_COUNTERS: Final = ("num_timesteps", "num_updates")
_STATE: Final = (*_COUNTERS, "num_taught")
_SCALARS: Final = ("loss", "entropy")
_MOMENTS: Final = ("step", "exp_avg", "exp_avg_sq")


def save_policy(agent: GraphAgent, path: Path) -> None:
    """Write an agent's network and settings; if writing fails, the previous file is intact.

    Of what JSON does not represent in training instances, such as noise models, the file has the name of its class.
    """
    numbers = {name: getattr(agent, name) for name in _COUNTERS}
    config = dataclasses.asdict(agent.config)
    config["instances"] = json.loads(json.dumps(config["instances"], default=lambda one: type(one).__name__))
    about = {"format": FORMAT, "config": config, "num_features": [*agent.num_features], **numbers}
    write_tensors(path, agent.network.state_dict(), _KEY, about)


def read_policy(path: Path, device: str) -> tuple[GraphConfig, dict[str, Tensor], dict[str, Any]]:
    """Return the settings, tensors and numbers of a file written by :func:`save_policy`.

    The settings have no training instances: a policy that is loaded plays, or is trained on its environment.

    Raises:
        ValueError: Another format, or numbers out of range; other exceptions where the file is of another kind.
    """
    numbers, tensors = read_file(path, _KEY, device)
    if numbers["format"] != FORMAT:
        raise ValueError(must("format", f"be {FORMAT}", numbers["format"]))
    for name in _COUNTERS:
        _check_counter(name, numbers[name])
    given = {**numbers["config"], "instances": {}}
    check_sizes([given["hidden"], given["hidden"]], tensors)
    if not 1 <= given["rounds"] <= len(tensors):
        raise ValueError(must("rounds", f"fit a file of {len(tensors)} tensors", given["rounds"]))
    return GraphConfig(**given), tensors, numbers


def state_of(agent: GraphAgent) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return arrays, and numbers that JSON represents exactly; see :meth:`GraphAgent.state`."""
    arrays = {f"network.{key}": value.cpu().numpy() for key, value in agent.network.state_dict().items()}
    for k, moments in agent.optimizer.state_dict()["state"].items():
        arrays |= {f"adam.{k}.{key}": value.cpu().numpy() for key, value in moments.items()}
    arrays |= {f"elites.{key}": value for key, value in agent.elites.arrays().items()}
    return arrays, {name: getattr(agent, name) for name in (*_STATE, *_SCALARS)} | {
        "rng": agent.rng.bit_generator.state
    }


def check_state(agent: GraphAgent, arrays: Mapping[str, NDArray[Any]], numbers: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` unless a state can be restored into this agent and training can continue."""
    if set(numbers) != {*_STATE, *_SCALARS, "rng"}:
        raise ValueError(must("numbers", f"be {sorted((*_STATE, *_SCALARS, 'rng'))}", sorted(numbers)))
    for name in _STATE:
        _check_counter(name, numbers[name])
    check_generator(numbers["rng"])
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
    groups = {name.partition(".")[0] for name in arrays}
    if not groups <= {"network", "adam", "elites"}:
        raise ValueError(must("arrays", "be of the network, of Adam and of the elites", sorted(groups)))
    check_tensors(prefixed(tensors, "network"), agent.network.state_dict())
    if not all(torch.isfinite(one).all() for one in tensors.values()):
        raise ValueError(must("arrays", "be finite", "not"))
    own: dict[str, Tensor] = {}
    for k, parameter in enumerate(agent.network.parameters()):
        own |= {f"{k}.{key}": torch.zeros(()) if key == "step" else parameter.detach() for key in _MOMENTS}
    # Steps of imitation without a solution leave Adam empty and the figures NaN, which is not equal to itself.
    has_learned = "adam" in groups or any(numbers[name] == numbers[name] for name in _SCALARS)
    for name in _SCALARS if has_learned else ():
        check_number(name, numbers[name])
    check_tensors(prefixed(tensors, "adam"), own if has_learned else {})
    agent.elites.check(_of_elites(arrays), len(agent.instances))


def restore_state(agent: GraphAgent, arrays: Mapping[str, NDArray[Any]], numbers: Mapping[str, Any]) -> None:
    """Restore what :func:`state_of` returned, after :func:`check_state`."""
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
    agent.network.load_state_dict(prefixed(tensors, "network"))
    adam: dict[int, dict[str, Tensor]] = {}
    for name, value in prefixed(tensors, "adam").items():
        number, key = name.split(".")
        adam.setdefault(int(number), {})[key] = value
    agent.optimizer.load_state_dict({**agent.optimizer.state_dict(), "state": adam})
    agent.elites.restore(_of_elites(arrays))
    agent.rng.bit_generator.state = numbers["rng"]
    for name in (*_STATE, *_SCALARS):
        setattr(agent, name, numbers[name])


def _of_elites(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    start = "elites."
    return {name.removeprefix(start): np.array(one) for name, one in arrays.items() if name.startswith(start)}


def _check_counter(name: str, value: Any) -> None:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError(must(name, "be an integer of at least 0", value))

"""Trained policies as files that run no code when read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from torch import Tensor

from qas_agents.dqn.config import SIZE_FREE, DQNConfig
from qas_agents.tensor_files import check_sizes, check_tensors, read_file, write_tensors
from qas_simulators.errors import must

if TYPE_CHECKING:
    from qas_agents.dqn.agent import MaskedDQN

FORMAT = 2
_KEY = "qas_agents"
_COUNTERS = ("num_inputs", "num_actions", "num_timesteps", "num_gradient_steps")
_GUIDE: Final = {"demonstrations": 0, "demonstration_share": 0.25, "search_steps": 0, "search": {}}
"""Settings of a guide, which format 2 has among those of the agent, and the values where there is no guide."""
_FOLLOWS_GUIDE: Final = "bf16"  # the agent's setting that comes after them in the file


def prefixed(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with ``prefix.``, without it."""
    start = f"{prefix}."
    return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}


def save_policy(agent: MaskedDQN, path: Path) -> None:
    """Write an agent's networks and settings; if writing fails, the previous file is intact."""
    networks = {"online": agent.online_network, "target": agent.target_network}
    tensors = {
        f"{name}.{key}": value for name, network in networks.items() for key, value in network.state_dict().items()
    }
    numbers = {name: getattr(agent, name) for name in (*_COUNTERS, "epsilon")}
    write_tensors(path, tensors, _KEY, {"format": FORMAT, "config": _settings_of(agent), **numbers})


def read_policy(path: Path, device: str) -> tuple[DQNConfig, dict[str, Tensor], dict[str, Any]]:
    """Return the settings, tensors and numbers of a file written by :func:`save_policy`.

    The settings have no training instances: a policy that is loaded plays, or is trained on its environment.

    Raises:
        ValueError: Another format, or numbers out of range; other exceptions where the file is of another kind.
    """
    numbers, tensors = read_file(path, _KEY, device)
    if numbers["format"] != FORMAT:
        raise ValueError(must("format", f"be {FORMAT}", numbers["format"]))
    for name in _COUNTERS:
        if type(numbers[name]) is not int or not 0 <= numbers[name] < 2**63:
            raise ValueError(must(name, "be an integer of at least 0", numbers[name]))
    if type(numbers["epsilon"]) not in (int, float) or not 0 <= numbers["epsilon"] <= 1:
        raise ValueError(must("epsilon", "lie in [0, 1]", numbers["epsilon"]))
    config = _config(numbers["config"])
    hidden = config.network.get("hidden", ())
    if config.network.get("name") in SIZE_FREE:
        check_sizes([hidden, hidden], tensors)
    else:
        check_sizes([numbers["num_inputs"], *hidden, numbers["num_actions"]], tensors)
    check_sizes(config.network, tensors)
    return config, tensors, numbers


def check_spaces(agent: MaskedDQN, numbers: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` unless the environment of an agent has the spaces of a policy file, or may have others."""
    own = agent.num_inputs, agent.num_actions
    if (numbers["num_inputs"], numbers["num_actions"]) != own and agent.config.network["name"] not in SIZE_FREE:
        sizes = f"{numbers['num_inputs']} inputs and {numbers['num_actions']} actions"
        raise ValueError(must("env", f"have {sizes}", own))


def load_networks(agent: MaskedDQN, tensors: Mapping[str, Tensor]) -> None:
    """Load the tensors of a policy file into an agent's networks.

    Raises:
        ValueError: Other names, shapes or types than those of the networks.
    """
    for name, network in (("online", agent.online_network), ("target", agent.target_network)):
        check_tensors(prefixed(tensors, name), network.state_dict())
        network.load_state_dict(prefixed(tensors, name))


def _settings_of(agent: MaskedDQN) -> dict[str, Any]:
    """Return the settings of an agent and of its guide in the order of the file."""
    given = {} if agent.guide is None else agent.guide.settings()
    settings: dict[str, Any] = {}
    for name, value in dataclasses.asdict(agent.config).items():
        if name == _FOLLOWS_GUIDE:
            settings |= {key: given.get(key, default) for key, default in _GUIDE.items()}
        settings[name] = value
    return settings


def _config(given: dict[str, Any]) -> DQNConfig:
    """Return the agent's settings after checking that all values have the types of the defaults."""
    defaults = dataclasses.asdict(DQNConfig()) | _GUIDE
    for name, value in given.items():
        own = type(defaults.get(name))
        if name in defaults and type(value) is not own and not (own is float and type(value) is int):
            raise ValueError(must(name, f"be a {own.__name__}", value))
    own_settings = {name: value for name, value in given.items() if name not in _GUIDE}
    return DQNConfig(**{**own_settings, "instances": {}})

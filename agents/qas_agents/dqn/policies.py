"""Trained policies as files that run no code when read."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from qas_agents.dqn.config import DQNConfig
from qas_simulators.errors import must

if TYPE_CHECKING:
    from qas_agents.dqn.agent import MaskedDQN

FORMAT = 2


def prefixed(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with ``prefix.``, without it."""
    start = f"{prefix}."
    return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}


def save_policy(agent: MaskedDQN, path: Path) -> None:
    """Write an agent's networks and settings, whole or not at all."""
    tensors = {f"online.{name}": value.contiguous() for name, value in agent.online_network.state_dict().items()}
    tensors |= {f"target.{name}": value.contiguous() for name, value in agent.target_network.state_dict().items()}
    numbers = {
        "format": FORMAT,
        "config": dataclasses.asdict(agent.config),
        "num_inputs": agent.num_inputs,
        "num_actions": agent.num_actions,
        "num_timesteps": agent.num_timesteps,
        "num_gradient_steps": agent.num_gradient_steps,
        "epsilon": agent.epsilon,
    }
    part = path.with_name(f".{path.name}.part")
    save_file(tensors, part, metadata={"qas_agents": json.dumps(numbers)})
    part.replace(path)


def read_policy(path: Path, device: str) -> tuple[DQNConfig, dict[str, Tensor], dict[str, Any]]:
    """Return the settings, tensors and numbers of a file written by :func:`save_policy`.

    Raises:
        ValueError: Not such a file, or another format.
    """
    try:
        with safe_open(path, framework="pt") as file:
            numbers = json.loads((file.metadata() or {})["qas_agents"])
    except (SafetensorError, KeyError, OSError) as error:
        raise ValueError(must("path", f"name a file written by MaskedDQN.save ({error})", str(path))) from None
    if numbers["format"] != FORMAT:
        raise ValueError(must("path", f"name a file of format {FORMAT}", numbers["format"]))
    return DQNConfig(**numbers["config"]), load_file(path, device=device), numbers

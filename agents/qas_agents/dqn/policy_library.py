"""PolicyLibrary: trained policies that are kept for later tasks."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from qas_agents.dqn.networks import make_network
from qas_agents.tensor_files import check_sizes, check_tensors, damage_reported, read_file, write_tensors
from qas_simulators.errors import must

if TYPE_CHECKING:
    from qas_agents.dqn.agent import MaskedDQN

FORMAT = 1
_KEY = "qas_policy_library"
_MOST = 1_000  # policies


class _Kept(NamedTuple):
    label: str
    settings: Mapping[str, Any]  # of the network
    dueling: bool
    network: nn.Module


class PolicyLibrary:
    """Value networks that were trained on earlier tasks with the same observations and actions.

    Args:
        num_inputs: Length of an observation.
        num_actions: Number of actions.
        capacity: Most policies; the oldest is dropped for a further one.

    Raises:
        ValueError: A size below 1.

    Examples:
        >>> import gymnasium as gym, qas_envs
        >>> from qas_agents import MaskedDQN, PolicyLibrary
        >>> agent = MaskedDQN(gym.make("QAS-Bell-v0", disable_env_checker=True), seed=0)
        >>> library = PolicyLibrary(agent.num_inputs, agent.num_actions)
        >>> library.add(agent, "first task")
        >>> library.labels
        ['first task']
    """

    def __init__(self, num_inputs: int, num_actions: int, capacity: int = 32) -> None:
        for name, value in (("num_inputs", num_inputs), ("num_actions", num_actions), ("capacity", capacity)):
            if type(value) is not int or not 1 <= value < 2**31:
                raise ValueError(must(name, "be an integer of at least 1", value))
        self.num_inputs, self.num_actions, self.capacity = num_inputs, num_actions, capacity
        self._kept: list[_Kept] = []

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def labels(self) -> list[str]:
        """What each policy was trained on, oldest first."""
        return [kept.label for kept in self._kept]

    def add(self, agent: MaskedDQN, label: str) -> None:
        """Keep a copy of an agent's present policy.

        Raises:
            ValueError: The agent has other observations or actions.
        """
        if (agent.num_inputs, agent.num_actions) != (self.num_inputs, self.num_actions):
            sizes = f"have {self.num_inputs} inputs and {self.num_actions} actions"
            raise ValueError(must("agent", sizes, (agent.num_inputs, agent.num_actions)))
        network = copy.deepcopy(agent.online_network).cpu().requires_grad_(False)
        self._kept.append(_Kept(label, dict(agent.config.network), agent.config.dueling, network))
        del self._kept[: -self.capacity]

    @torch.no_grad()
    def action(self, number: int, observation: NDArray[np.float32], mask: NDArray[Any]) -> int:
        """Return the greedy legal action of a policy for one observation ``(num_inputs,)``."""
        values = self._kept[number].network(torch.as_tensor(observation)[None])[0].numpy()
        return int(np.where(mask, values, -np.inf).argmax())

    # -- files and checkpoints ---------------------------------------------------------------------------------------

    def about(self) -> list[dict[str, Any]]:
        """Return label, settings and kind of each network, for JSON."""
        return [{"label": one.label, "network": dict(one.settings), "dueling": one.dueling} for one in self._kept]

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights by name: ``<number>.<name in the network>``."""
        return {
            f"{number}.{name}": value
            for number, kept in enumerate(self._kept)
            for name, value in kept.network.state_dict().items()
        }

    def read(self, about: Sequence[Any], tensors: Mapping[str, Tensor]) -> PolicyLibrary:
        """Return a library of the same sizes with policies that :meth:`about` and :meth:`tensors` returned.

        Raises:
            ValueError: They do not fit each other or this library.
        """
        if not isinstance(about, list) or len(about) > min(self.capacity, _MOST):
            raise ValueError(must("policies", f"be a list of at most {min(self.capacity, _MOST)}", about))
        twin = PolicyLibrary(self.num_inputs, self.num_actions, self.capacity)
        left = dict(tensors)
        for number, one in enumerate(about):
            if not isinstance(one, dict) or set(one) != {"label", "network", "dueling"}:
                raise ValueError(must("policies", "have label, network and dueling", one))
            if type(one["label"]) is not str or type(one["dueling"]) is not bool or type(one["network"]) is not dict:
                raise ValueError(must("policies", "have a text, settings and a truth value", one))
            start = f"{number}."
            own = {name.removeprefix(start): left.pop(name) for name in [*left] if name.startswith(start)}
            check_sizes(one["network"], own)
            with torch.random.fork_rng(devices=[]):  # initial weights, which are replaced
                network = make_network(one["network"], self.num_inputs, self.num_actions, one["dueling"])
            check_tensors(own, network.state_dict())
            network.load_state_dict(own)
            twin._kept.append(_Kept(one["label"], one["network"], one["dueling"], network.requires_grad_(False)))
        if left:
            raise ValueError(must("tensors", "be those of the policies", sorted(left)[:4]))
        return twin

    def save(self, path: str | Path) -> None:
        """Write all policies to one safetensors file, which runs no code when read."""
        sizes = {name: getattr(self, name) for name in ("num_inputs", "num_actions", "capacity")}
        write_tensors(Path(path), self.tensors(), _KEY, {"format": FORMAT, **sizes, "policies": self.about()})

    @classmethod
    def load(cls, path: str | Path) -> PolicyLibrary:
        """Read a file that :meth:`save` wrote.

        Raises:
            ValueError: Not such a file, or another format.
        """
        with damage_reported(Path(path), "a file written by PolicyLibrary.save"):
            about, tensors = read_file(Path(path), _KEY, "cpu")
            if about["format"] != FORMAT:
                raise ValueError(must("format", f"be {FORMAT}", about["format"]))
            return cls(about["num_inputs"], about["num_actions"], about["capacity"]).read(about["policies"], tensors)

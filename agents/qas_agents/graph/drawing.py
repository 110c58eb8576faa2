"""Circuits drawn from the policy, many at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from qas_agents.graph.network import PairNetwork, Scores
from qas_simulators.arrays import NUMPY, Array, torch_on
from qas_simulators.errors import must
from qas_simulators.gates import GATES, gate_index

KINDS: Final = 3
"""Kinds of entanglers: those that are a CNOT up to one-qubit gates, rotations, and all others."""
_LIKE_CNOT: Final = ("cx", "cy", "cz", "ecr")
_FEATURES: Final = ("qubits", "pairs", "circuit")


class ActionTable:
    """Which logit of the network belongs to which action.

    Args:
        catalogue: The actions, all of them blocks on two qubits, and perhaps stopping.

    Attributes:
        num_actions: Number of actions without stopping.
        stop: The action that stops, ``None`` if there is none.
        num_gates: Gates of the largest action.

    Raises:
        ValueError: Other actions.
    """

    def __init__(self, catalogue: Any) -> None:
        n, actions = catalogue.num_qubits, catalogue.actions
        if not catalogue.has_blocks or any(len(action.qubits) != 2 for action in actions):
            raise ValueError(must("actions", "be blocks on two qubits for the graph agent", actions[0]))
        numbers = {pair: number for number, pair in enumerate(combinations(range(n), 2))}
        pairs = [numbers[min(action.qubits), max(action.qubits)] for action in actions]
        self._places = torch.tensor(
            [KINDS * pair + _kind(action.gate) for pair, action in zip(pairs, actions, strict=True)]
        )
        self._places_on: dict[torch.device, Tensor] = {}
        self.num_actions, self.stop = len(actions), catalogue.stop
        self.num_gates = max(catalogue.num_gates)

    def __len__(self) -> int:
        return self.num_actions + (self.stop is not None)

    def has_same_actions(self, other: ActionTable) -> bool:
        """Return whether another table has the same actions at the same places."""
        return len(self) == len(other) and torch.equal(self._places, other._places)

    def logits(self, scores: Scores, masks: Tensor) -> Tensor:
        """Return the logits of all actions, stopping last, ``(B, num_actions (+ 1))``; -inf where the mask is 0."""
        return self.values(scores).masked_fill(masks == 0, -torch.inf)

    def values(self, scores: Scores) -> Tensor:
        """Return the outputs for all actions, stopping last, ``(B, num_actions (+ 1))``."""
        device = scores.pairs.device
        if device not in self._places_on:
            self._places_on[device] = self._places.to(device)
        values = scores.pairs.flatten(1)[:, self._places_on[device]]
        return values if self.stop is None else torch.cat([values, scores.stop[:, None]], dim=1)


def _kind(block: str) -> int:
    """Return the kind of a block's entangler."""
    entangler = block.partition("_")[0]
    if entangler in _LIKE_CNOT:
        return 0
    return 1 if GATES[gate_index(entangler)].num_params else 2


@dataclass(frozen=True)
class Drawn:
    """Circuits of one instance, as a policy drew them.

    The first three are arrays of NumPy, or tensors where the drafts were on a device.

    Attributes:
        observations: Before each action and after the last one, ``(B, T + 1, ...)`` by name.
        masks: Legal actions before each action, ``(B, T, num_actions (+ 1))``.
        chosen: The actions, ``(B, T)``; -1 after a circuit was stopped.
        circuits: The actions that appended gates.
    """

    observations: Mapping[str, Array]
    masks: Array
    chosen: Array
    circuits: Sequence[Sequence[int]]

    def __len__(self) -> int:
        return len(self.circuits)


def tensor_on(device: torch.device, array: Any) -> Tensor:
    """Return an array of NumPy or a tensor as a tensor on a device; nothing waits for a GPU."""
    if isinstance(array, Tensor):
        return array.to(device)
    tensor: Tensor = torch_on(str(device)).sent(array)
    return tensor


def scores_of(network: PairNetwork, observations: Mapping[str, Any]) -> Scores:
    """Return the network's scores of observations with any leading axes, which are flattened."""
    device = next(network.parameters()).device
    tensors = [tensor_on(device, observations[name]).flatten(0, -(2 if name == "circuit" else 3)) for name in _FEATURES]
    scores: Scores = network(*tensors)
    return scores


def legal_of(table: ActionTable, drafts: Any, step: int) -> Array:
    """Return the legal actions of drafts; a circuit may stop after its first action."""
    if table.stop is None:
        return drafts.library.copy(drafts.masks)
    size, num_actions = drafts.masks.shape
    legal = drafts.library.zeros((size, num_actions + 1), "int8")
    legal[:, :num_actions] = drafts.masks
    legal[:, num_actions] = int(step > 0)
    return legal


@torch.no_grad()
def draw(
    network: PairNetwork,
    table: ActionTable,
    drafts: Any,
    length: int,
    rng: np.random.Generator,
    temperature: float = 1.0,
) -> Drawn:
    """Draw circuits of at most ``length`` actions.

    With drafts in arrays of NumPy random numbers are drawn on the CPU. With drafts in tensors they are drawn on the
    device, from a generator that ``rng`` seeds, and nothing leaves the device before the last action.

    Args:
        network: The policy.
        table: The actions.
        drafts: Empty circuits that show this length.
        length: Largest number of actions.
        rng: Source of randomness.
        temperature: Divides the logits.
    """
    if drafts.library is not NUMPY:
        return _drawn_on_device(network, table, drafts, length, rng, temperature)
    seen, masks, chosen = [], [], []
    size = len(drafts.masks)
    alive = np.ones(size, dtype=np.bool_)
    for step in range(length):
        seen.append(drafts.observe())
        masks.append(legal_of(table, drafts, step))
        scores = scores_of(network, seen[-1])
        legal = torch_on(str(scores.pairs.device)).sent(masks[-1])
        logits = table.logits(scores, legal).double().cpu().numpy()
        # The largest of logits with Gumbel noise is a draw from their softmax.
        actions = (logits / temperature + rng.gumbel(size=logits.shape)).argmax(axis=1)
        actions = np.where(alive, actions, -1)
        chosen.append(actions)
        alive = alive & (actions != (-2 if table.stop is None else table.stop))
        drafts.append(np.where(alive, actions, -1))
        if not alive.any():
            break
    seen.append(drafts.observe())
    observations = {name: np.stack([one[name] for one in seen], axis=1) for name in _FEATURES}
    circuits = [tuple(own) for own in drafts.actions]
    return Drawn(observations, np.stack(masks, axis=1), np.stack(chosen, axis=1), circuits)


def _drawn_on_device(
    network: PairNetwork, table: ActionTable, drafts: Any, length: int, rng: np.random.Generator, temperature: float
) -> Drawn:
    """Do what :func:`draw` does, over tensors."""
    seen, masks, chosen = [], [], []
    alive = torch.ones(len(drafts.masks), dtype=torch.bool, device=drafts.masks.device)
    generator = torch.Generator(alive.device).manual_seed(int(rng.integers(2**63)))
    for step in range(length):
        seen.append(drafts.observe())
        masks.append(legal_of(table, drafts, step))
        logits = table.logits(scores_of(network, seen[-1]), masks[-1]).double() / temperature
        # Minus the logarithm of an exponential number is a Gumbel number.
        noise = torch.empty_like(logits).exponential_(generator=generator).log()
        actions = torch.where(alive, (logits - noise).argmax(dim=1), -1)
        chosen.append(actions)
        if table.stop is not None:
            alive = alive & (actions != table.stop)
        drafts.append(torch.where(alive, actions, -1))
    seen.append(drafts.observe())
    observations = {name: torch.stack([one[name] for one in seen], dim=1) for name in _FEATURES}
    circuits = [tuple(own) for own in drafts.actions]
    return Drawn(observations, torch.stack(masks, dim=1), torch.stack(chosen, dim=1), circuits)


def replayed(table: ActionTable, drafts: Any, circuits: Sequence[Sequence[int]]) -> Drawn:
    """Return given circuits as if they had been drawn; a circuit that is shorter than the longest one is stopped.

    Args:
        table: The actions.
        drafts: Empty circuits, one for each.
        circuits: Legal actions.
    """
    seen, masks, chosen = [], [], []
    for step in range(max(map(len, circuits))):
        seen.append(drafts.observe())
        masks.append(legal_of(table, drafts, step))
        next_actions = [own[step] if step < len(own) else -1 for own in circuits]
        stops = [table.stop if table.stop is not None and step == len(own) else -1 for own in circuits]
        chosen.append(np.maximum(next_actions, stops))
        drafts.append(np.array(next_actions))
    seen.append(drafts.observe())
    observations = {name: np.stack([one[name] for one in seen], axis=1) for name in _FEATURES}
    return Drawn(observations, np.stack(masks, axis=1), np.stack(chosen, axis=1), [tuple(own) for own in circuits])


def judged(network: PairNetwork, table: ActionTable, drawn: Drawn) -> tuple[Tensor, Tensor, Tensor]:
    """Return log-probabilities of the actions and entropies, ``(B, T)``, and values, ``(B, T + 1)``.

    Log-probabilities are 0 after a circuit was stopped.
    """
    size, steps = drawn.chosen.shape
    scores = scores_of(network, drawn.observations)
    device = scores.pairs.device
    by_step: Any = type(scores)(*(one.reshape(size, steps + 1, *one.shape[1:]) for one in scores))
    acting = type(scores)(*(one[:, :-1].flatten(0, 1) for one in by_step))
    logits = table.logits(acting, tensor_on(device, drawn.masks).flatten(0, 1))
    log_all = functional.log_softmax(logits, dim=-1)
    chosen = tensor_on(device, drawn.chosen).flatten()
    log_probs = log_all.gather(1, chosen.clamp(min=0)[:, None]).squeeze(1)
    log_probs = log_probs.masked_fill(chosen < 0, 0.0)  # of stopped circuits, where it may be that of a masked action
    entropy = -(log_all.exp() * log_all.masked_fill(torch.isinf(log_all), 0.0)).sum(dim=-1)
    return log_probs.reshape(size, steps), entropy.reshape(size, steps), by_step.value

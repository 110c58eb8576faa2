"""Skeletons and blocks that a policy draws for a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from qas_agents.graph.drawing import draw, scores_of
from qas_agents.graph.instances import Instance
from qas_agents.searchers.blocks import Block, Skeleton
from qas_simulators.errors import must

if TYPE_CHECKING:
    from qas_agents.graph.agent import GraphAgent

_SAME_LENGTH: Final = 8  # circuits that are drawn together
_LONG_SEED: Final = 1  # besides the proposal's


class PolicyProposal:
    """Skeletons and blocks from a policy, for :class:`~qas_agents.searchers.annealing_blocks.BlockAnnealing`.

    Args:
        agent: The policy.
        seed: Seeds the draws.
        lengths: Smallest and largest length of a skeleton over the number of qubits.
        temperature: Divides the logits.
        uniform: Share of blocks that are drawn uniformly.
        candidates: Skeletons drawn for each one that is returned; those with the highest predicted reward are.
        instance: What is searched; by default the agent's environment.
        scout_temperature: Divides the logits of :meth:`long_skeletons`; 0 for ``temperature``.

    Raises:
        ValueError: A number out of range.
    """

    def __init__(
        self,
        agent: GraphAgent,
        seed: int | None = None,
        lengths: Sequence[float] = (1.0, 2.5),
        temperature: float = 1.0,
        uniform: float = 0.1,
        candidates: int = 1,
        instance: Instance | None = None,
        scout_temperature: float = 0.0,
    ) -> None:
        if len(lengths) != 2 or not 0 < lengths[0] <= lengths[1]:
            raise ValueError(must("lengths", "be two positive numbers, the smaller one first", lengths))
        if not temperature > 0:
            raise ValueError(must("temperature", "be positive", temperature))
        if not scout_temperature >= 0:
            raise ValueError(must("scout_temperature", "not be negative", scout_temperature))
        if not 0 <= uniform <= 1:
            raise ValueError(must("uniform", "lie in [0, 1]", uniform))
        if candidates < 1:
            raise ValueError(must("candidates", "be at least 1", candidates))
        self._agent, self._instance = agent, instance if instance is not None else agent.instances.own
        self._rng = np.random.default_rng(seed)
        self._long_rng = np.random.default_rng(None if seed is None else [seed, _LONG_SEED])
        self._lengths, self._temperature, self._uniform = lengths, temperature, uniform
        self._candidates, self._scout_temperature = candidates, scout_temperature or temperature

    def skeletons(self, number: int, most: int) -> list[Skeleton]:
        """Return skeletons drawn from the policy, of random lengths up to ``most`` blocks."""
        found: list[Skeleton] = []
        low, high = (min(most, length) for length in self._instance.lengths(self._lengths))
        while len(found) < number:
            size = min(_SAME_LENGTH, number - len(found))
            found += self._of_length(size, int(self._rng.integers(low, high + 1)), self._rng, self._temperature)
        return found

    def long_skeletons(self, number: int, length: float) -> list[Skeleton]:
        """Return skeletons of ``length`` blocks per qubit, or of the most that the gate budget allows.

        They have random numbers of their own.
        """
        most = self._instance.lengths((length, length))[1]
        return self._of_length(number, most, self._long_rng, self._scout_temperature)

    def _of_length(self, size: int, length: int, rng: np.random.Generator, temperature: float) -> list[Skeleton]:
        """Return the most promising skeletons of one length."""
        network, instance = self._agent.network, self._instance
        drafts = instance.bench.drafts(size * self._candidates, length)
        drawn = draw(network, instance.table, drafts, length, rng, temperature)
        with torch.no_grad():
            last = {name: array[:, -1] for name, array in drawn.observations.items()}
            values = scores_of(network, last).value.double().cpu().numpy()
        best = np.argsort(-values, kind="stable")[:size].tolist()
        return [instance.canonical(drawn.circuits[place]) for place in sorted(best)]

    def block(self, blocks: Sequence[Block], most: int) -> Block:
        """Return a block that the policy draws after these, or, with the share ``uniform``, any block."""
        instance = self._instance
        if self._rng.random() < self._uniform:
            return int(self._rng.integers(instance.table.num_actions))
        drafts = instance.bench.drafts(1, max(most, len(blocks) + 1))
        for block in blocks:
            drafts.append([block])
        masks = np.array(drafts.masks)
        if instance.table.stop is not None:
            masks = np.concatenate([masks, np.zeros((1, 1), dtype=np.int8)], axis=1)
        with torch.no_grad():
            scores = scores_of(self._agent.network, drafts.observe())
            logits = (
                instance.table.logits(scores, torch.as_tensor(masks, device=scores.pairs.device)).double().cpu().numpy()
            )
        return int((logits / self._temperature + self._rng.gumbel(size=logits.shape)).argmax())

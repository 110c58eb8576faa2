"""Search that a trained policy guides: its circuits as starts of annealing, its choices as mutations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from qas_agents.graph.agent import GraphAgent
from qas_agents.graph.drawing import draw, scores_of
from qas_agents.searchers.annealing_blocks import BlockAnnealing
from qas_agents.searchers.blocks import Block, Skeleton
from qas_simulators.errors import must

_WEIGHTS: Final = "weights"
_SAME_LENGTH: Final = 8  # circuits that are drawn together


def policy_file(policy: str) -> Path:
    """Return the file of a policy: a path, or the name of one that comes with the library.

    Raises:
        ValueError: Neither.
    """
    folder = Path(str(files(__package__).joinpath(_WEIGHTS)))
    shipped = {path.stem: path for path in sorted(folder.glob("*.safetensors"))}
    if policy in shipped:
        return shipped[policy]
    if not Path(policy).is_file():
        raise ValueError(must("policy", f"be the path of a policy file, or one of {', '.join(shipped)}", policy))
    return Path(policy)


class PolicyProposal:
    """Skeletons and blocks from a policy, for :class:`~qas_agents.searchers.annealing_blocks.BlockAnnealing`.

    Args:
        agent: The policy, on the environment that is searched.
        seed: Seeds the draws.
        lengths: Smallest and largest length of a skeleton over the number of qubits.
        temperature: Divides the logits.
        uniform: Share of blocks that are drawn uniformly.
        candidates: Skeletons drawn for each one that is returned; those with the highest predicted reward are.

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
    ) -> None:
        if len(lengths) != 2 or not 0 < lengths[0] <= lengths[1]:
            raise ValueError(must("lengths", "be two positive numbers, the smaller one first", lengths))
        if not temperature > 0:
            raise ValueError(must("temperature", "be positive", temperature))
        if not 0 <= uniform <= 1:
            raise ValueError(must("uniform", "lie in [0, 1]", uniform))
        if candidates < 1:
            raise ValueError(must("candidates", "be at least 1", candidates))
        self._agent, self._instance = agent, agent.instances.own
        self._rng = np.random.default_rng(seed)
        self._lengths, self._temperature, self._uniform = lengths, temperature, uniform
        self._candidates = candidates

    def skeletons(self, number: int, most: int) -> list[Skeleton]:
        """Return skeletons drawn from the policy, of random lengths up to ``most`` blocks."""
        found: list[Skeleton] = []
        low, high = (min(most, length) for length in self._instance.lengths(self._lengths))
        while len(found) < number:
            size = min(_SAME_LENGTH, number - len(found))
            found += self._of_length(size, int(self._rng.integers(low, high + 1)))
        return found

    def _of_length(self, size: int, length: int) -> list[Skeleton]:
        """Return the most promising skeletons of one length."""
        network, instance = self._agent.network, self._instance
        drafts = instance.bench.drafts(size * self._candidates, length)
        drawn = draw(network, instance.table, drafts, length, self._rng, self._temperature)
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


def policy_search(
    env: Any,
    seed: int | None = None,
    policy: str = "ising_graphs",
    lengths: Sequence[float] = (3.0, 4.0),
    temperature: float = 1.5,
    uniform: float = 0.5,
    candidates: int = 1,
    own_pairs: bool = False,
    openings: int = 16,
    hot: float = 0.15,
    cold: float = 0.05,
    cycle: int = 300,
    max_iterations: int = 200,
    hasty_iterations: int = 20,
    give_up: float = 8.0,
    visits: int = 3,
) -> BlockAnnealing:
    """Return annealing over blocks whose starts and mutations a trained policy draws.

    Cycles begin with circuits from the policy. The defaults were chosen on 40 Ising graphs that are in no table.

    Args:
        env: Its actions are blocks, its encoding is ``hamiltonian_graph``.
        seed: Seeds everything.
        policy: A policy file, or the name of a policy that comes with the library.
        lengths: Smallest and largest length of a circuit from the policy, over the number of qubits.
        temperature: Divides the policy's logits.
        uniform: Share of mutations that ignore the policy.
        candidates: Circuits drawn for each one that is evaluated; those with the highest predicted reward are.
        own_pairs: Whether the first cycle starts from the pairs of the Hamiltonian's terms, where these are local.
        openings: Circuits from the policy at the start of a cycle; the better quarter is optimised to the end.
        hot: Temperature of annealing at the start of a cycle and after a solution, in decades of the error.
        cold: Temperature at the end of a cycle.
        cycle: Mutations without a solution until a cycle ends; then the policy draws again.
        max_iterations: L-BFGS iterations of a circuit.
        hasty_iterations: Iterations after which a mutation may be given up.
        give_up: It is if its error is this many times the current one, or the threshold if that is more.
        visits: How often a skeleton is optimised in a cycle.

    Raises:
        ValueError: A number out of range, no such policy, or an environment that it does not fit.
    """
    agent = GraphAgent.load(policy_file(policy), env)
    proposal = PolicyProposal(agent, seed, lengths, temperature, uniform, candidates)
    return BlockAnnealing(
        env,
        seed,
        start_blocks=math.ceil(lengths[1] * agent.instances.own.num_qubits),
        openings=openings,
        hot=hot,
        cold=cold,
        cycle=cycle,
        max_iterations=max_iterations,
        hasty_iterations=hasty_iterations,
        give_up=give_up,
        visits=visits,
        proposal=proposal,
        own_pairs=own_pairs,
    )

"""What policies are compared with: fixed skeletons, layers, and a policy's circuits without a search.

``python experiments/benchmarks/graph_opponents.py`` prints how many minimisations of zigzag layers are solutions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

import qas_envs  # noqa: F401
from qas_agents import BlockAnnealing, GraphAgent, LayeredBlocks, PolicyProposal
from qas_agents.searchers.blocks import BlockSearcher, Skeletons
from qas_agents.searchers.layered_blocks import PATTERNS

SMALL = 0.1  # of the circle: angles from which long minimisations start
LONG = 1000  # their L-BFGS iterations


class Replay(BlockSearcher):
    """One skeleton, from random angles, until the budget is spent."""

    def __init__(self, env: Any, seed: int, skeleton: Sequence[int]) -> None:
        super().__init__(env, seed, 200, None, None)
        self._skeleton = tuple(skeleton)

    def _search(self, trials: Any) -> None:
        while trials.running:
            for _ in self._played(trials, [self._skeleton] * 8, self._starts(self._skeleton, 8)):
                pass


class Draws(BlockSearcher):
    """Circuits from a policy, each optimised once from random angles: the frozen policy."""

    def __init__(self, env: Any, seed: int, policy: Path, lengths: tuple[float, float]) -> None:
        super().__init__(env, seed, 200, None, None)
        self._proposal = PolicyProposal(GraphAgent.load(policy, env), seed, lengths)

    def _search(self, trials: Any) -> None:
        while trials.running:
            drawn = self._proposal.skeletons(4, 10**6)
            for _ in self._played(trials, drawn, [self._starts(one, 1)[0] for one in drawn]):
                pass


class LongLadder(LayeredBlocks):
    """A ladder with two starts per number of blocks, each a long minimisation from small angles."""

    def __init__(self, env: Any, seed: int) -> None:
        super().__init__(env, seed, starts=2, max_iterations=LONG)

    def _angles(self, number: int) -> Any:
        return SMALL * super()._angles(number)


def zigzag(skeletons: Skeletons, num_qubits: int, length: int) -> list[int]:
    """Return the blocks of zigzag layers, cut at a length."""
    numbers = {(min(pair), max(pair)): number for number, pair in enumerate(skeletons.blocks)}
    layer = [numbers[pair] for pair in PATTERNS["zigzag"](num_qubits)]
    return [layer[k % len(layer)] for k in range(length)]


class ZigzagProposal:
    """Zigzag layers of the lengths of a policy's circuits, and uniform blocks: a policy that has learned nothing."""

    def __init__(self, env: Any, seed: int, lengths: tuple[float, float]) -> None:
        self._skeletons = Skeletons(env.player, env.problem.hamiltonian)
        self._num_qubits = env.problem.num_qubits
        self._lengths = [math.ceil(one * self._num_qubits) for one in lengths]
        self._rng = np.random.default_rng(seed)

    def skeletons(self, number: int, most: int) -> list[tuple[int, ...]]:
        """See :class:`qas_agents.searchers.block_mutations.Proposal`."""
        lengths = np.minimum(self._rng.integers(self._lengths[0], self._lengths[1] + 1, number), most)
        found = [zigzag(self._skeletons, self._num_qubits, length) for length in lengths.tolist()]
        return [tuple(one[place] for place in self._skeletons.canonical(one)) for one in found]

    def long_skeletons(self, number: int, length: float) -> list[tuple[int, ...]]:
        """See there; for scouts, which are not played with this proposal."""
        raise NotImplementedError

    def block(self, blocks: Sequence[int], most: int) -> int:
        """See there."""
        return int(self._rng.integers(len(self._skeletons.blocks)))


def zigzag_search(env: Any, seed: int, lengths: tuple[float, float], **settings: Any) -> BlockAnnealing:
    """Return annealing that starts from zigzag layers."""
    proposal, longest = ZigzagProposal(env, seed, lengths), math.ceil(lengths[1] * env.problem.num_qubits)
    return BlockAnnealing(env, seed, longest, proposal=proposal, own_pairs=False, **settings)


def starts() -> None:
    """Print how many zigzags of three layers solve Ising chains of eight spins, by iterations and initial angles."""
    for field, iterations, spread in product((0.7, 1.1), (200, LONG), (1.0, SMALL)):
        rules = {"actions": "blocks", "max_gates": 120, "disable_env_checker": True}
        env = gym.make("QAS-TFIM-v0", num_qubits=8, field=field, **rules).unwrapped
        skeletons = Skeletons(env.player, env.problem.hamiltonian)
        blocks = zigzag(skeletons, 8, 19)
        actions = skeletons.actions([blocks[place] for place in skeletons.canonical(blocks)])
        angles = spread * np.random.default_rng(0).uniform(-np.pi, np.pi, (16, skeletons.num_params(blocks)))
        played = env.player.play_many([actions] * 16, [*angles], max_iterations=iterations)
        solved = int((np.abs(played.errors) < env.curriculum.threshold).sum())
        print(
            f"field {field}, {iterations} iterations, {spread:g} of the circle: {solved}/16, lowest error "
            f"{np.abs(played.errors).min():.1e}"
        )


if __name__ == "__main__":
    starts()

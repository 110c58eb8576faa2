"""Mutations of sequences of blocks, and what proposes skeletons and blocks in place of uniform draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from qas_agents.searchers.blocks import Block, FloatArray, Skeleton

Change = Callable[[list[int], list[FloatArray]], object]
"""Changes blocks and the angles of each, in place."""


class Proposal(Protocol):
    """Where skeletons and blocks come from, in place of uniform draws."""

    def skeletons(self, number: int, most: int) -> list[Skeleton]:
        """Return skeletons of at most ``most`` blocks, in canonical order and legal."""
        ...

    def long_skeletons(self, number: int, length: float) -> list[Skeleton]:
        """Return skeletons of ``length`` blocks per qubit, or the most that are legal; no other draw changes."""
        ...

    def block(self, blocks: Sequence[Block], most: int) -> Block:
        """Return a block to follow these, in a circuit of at most ``most`` blocks."""
        ...


class BlockMutations:
    """Random changes of blocks and of their angles; blocks come from a proposal, or are uniform."""

    def __init__(self, block_sizes: Sequence[int], rng: np.random.Generator, proposal: Proposal | None) -> None:
        self._block_sizes, self._rng, self._proposal = block_sizes, rng, proposal
        self._limit = 0

    def drawn(self, size: int, limit: int) -> tuple[Change, str]:
        """Return a change of a skeleton of some size, of at most ``limit`` blocks, and its name."""
        self._limit = limit
        draw = self._rng.random()
        if size == 0 or (size < limit and draw < 0.5):
            return self._insert, "insert"
        if draw < 0.1:
            return self._delete, "delete"
        return (self._replace, "replace") if draw < 0.6 else (self._move, "move")

    def _insert(self, blocks: list[int], own: list[FloatArray]) -> None:
        place = int(self._rng.integers(len(blocks) + 1))
        block, angles = self._block(blocks[:place])
        blocks.insert(place, block)
        own.insert(place, angles)

    def _delete(self, blocks: list[int], own: list[FloatArray]) -> None:
        without(int(self._rng.integers(len(blocks))))(blocks, own)

    def _replace(self, blocks: list[int], own: list[FloatArray]) -> None:
        place = int(self._rng.integers(len(blocks)))
        blocks[place], own[place] = self._block(blocks[:place])

    def _move(self, blocks: list[int], own: list[FloatArray]) -> None:
        place, target = self._rng.integers(len(blocks), size=2).tolist()
        blocks.insert(target, blocks.pop(place))
        own.insert(target, own.pop(place))

    def _block(self, before: Sequence[Block]) -> tuple[Block, FloatArray]:
        """Return a block to follow these, and its angles."""
        if self._proposal is None:
            block = int(self._rng.integers(len(self._block_sizes)))
        else:
            block = self._proposal.block(before, self._limit)
        return block, self._rng.uniform(-np.pi, np.pi, self._block_sizes[block])


def without(place: int) -> Change:
    """Return the change that deletes the block at a place."""
    return lambda blocks, own: (blocks.pop(place), own.pop(place))


def redrawn(rows: list[FloatArray], rng: np.random.Generator) -> FloatArray:
    """Return the angles of the first row and of all blocks, those of one or two of them drawn again."""
    for row in rng.integers(len(rows), size=int(rng.integers(1, 3))).tolist():
        rows[row] = rng.uniform(-np.pi, np.pi, len(rows[row]))
    return np.concatenate(rows)

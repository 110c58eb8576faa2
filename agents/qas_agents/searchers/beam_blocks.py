"""Beam search over skeletons of blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qas_agents.searchers.blocks import BlockSearcher, FloatArray, Skeleton
from qas_agents.searchers.whole_circuits import Trials
from qas_simulators.errors import must


class BlockBeam(BlockSearcher):
    """Extends the ``width`` skeletons of lowest error by every block, until all are solved or too long.

    A child keeps its parent's angles; those of the new block are drawn. Children that are the same circuit are played
    once. After a search the width doubles.

    Args:
        env: An environment with a ``player`` of whole circuits, possibly under wrappers.
        seed: Seeds the angles.
        width: Skeletons that are extended at each length in the first search.
        max_iterations: L-BFGS iterations of a circuit.
        entangler: See :class:`~qas_agents.searchers.blocks.Skeletons`.
        dressing: See :class:`~qas_agents.searchers.blocks.Skeletons`.

    Raises:
        TypeError: The environment does not play whole circuits.
        ValueError: A number out of range, or gates that do not make blocks.
    """

    def __init__(
        self,
        env: Any,
        seed: int | None = None,
        width: int = 4,
        max_iterations: int = 100,
        entangler: str | None = None,
        dressing: Sequence[str] | None = None,
    ) -> None:
        if width < 1:
            raise ValueError(must("width", "be at least 1", width))
        super().__init__(env, seed, max_iterations, entangler, dressing)
        self._width = width

    def _search(self, trials: Trials) -> None:
        width = self._width
        while trials.running:
            self._search_once(width, trials)
            width *= 2

    def _search_once(self, width: int, trials: Trials) -> None:
        beam: list[tuple[Skeleton, FloatArray]] = [((), self._angles(self._skeletons.head_size))]
        while beam and trials.running:
            children = self._children(beam)
            skeletons, params = [*children], [*children.values()]
            found = []
            for number, info, angles in self._played(trials, skeletons, params):
                if not info["success"]:  # a solution is not extended: a longer circuit costs more
                    found.append((info["energy_error"], number, angles))
            beam = [(skeletons[number], angles) for _, number, angles in sorted(found, key=lambda one: one[:2])[:width]]

    def _children(self, beam: Sequence[tuple[Skeleton, FloatArray]]) -> dict[Skeleton, FloatArray]:
        """Return each skeleton with one more block, with the angles of its best parent."""
        children: dict[Skeleton, FloatArray] = {}
        for skeleton, params in beam:
            head, own = self._skeletons.split(skeleton, params)
            for block, size in enumerate(self._skeletons.block_sizes):
                order = self._skeletons.canonical([*skeleton, block])
                child = tuple([*skeleton, block][k] for k in order)
                if len(child) > len(skeleton) and child not in children:
                    angles = [*own, self._angles(size)]
                    children[child] = np.concatenate([head, *(angles[k] for k in order)])
        return children

"""Random skeletons of blocks: how far no search at all gets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qas_agents.searchers.blocks import TOGETHER, BlockSearcher
from qas_agents.searchers.whole_circuits import Trials
from qas_simulators.errors import must


class RandomBlocks(BlockSearcher):
    """Draws random skeletons and optimises each from random angles.

    The number of blocks is uniform from 1 to ``most_blocks``.

    Args:
        env: An environment with a ``player`` of whole circuits, possibly under wrappers.
        seed: Seeds skeletons and angles.
        most_blocks: Largest number of blocks; 0 for three times the number of qubits.
        starts: Sets of random angles per skeleton.
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
        most_blocks: int = 0,
        starts: int = 1,
        max_iterations: int = 200,
        entangler: str | None = None,
        dressing: Sequence[str] | None = None,
    ) -> None:
        for name, value, least in (("most_blocks", most_blocks, 0), ("starts", starts, 1)):
            if value < least:
                raise ValueError(must(name, f"be at least {least}", value))
        super().__init__(env, seed, max_iterations, entangler, dressing)
        self._most_blocks = most_blocks or 3 * self._bench.catalogue.num_qubits
        self._each = starts

    def _search(self, trials: Trials) -> None:
        while trials.running:
            sizes = self._rng.integers(1, self._most_blocks + 1, size=TOGETHER).tolist()
            skeletons = [self._random_skeleton(size) for size in sizes for _ in range(self._each)]
            for _ in self._played(trials, skeletons, [self._starts(skeleton, 1)[0] for skeleton in skeletons]):
                pass

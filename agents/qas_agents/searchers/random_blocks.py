"""Random skeletons of blocks: how far no search at all gets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from qas_agents.searchers.blocks import BlockSearcher, Skeleton
from qas_agents.searchers.pruning import TOGETHER
from qas_agents.searchers.whole_circuits import Trials
from qas_simulators.errors import must, unknown_name

PAIRS: Final = ("all", "terms")
"""Which pairs random skeletons are drawn from."""


class RandomBlocks(BlockSearcher):
    """Draws random skeletons and optimises each from random angles.

    The number of blocks is uniform from ``least_blocks`` to ``most_blocks``. With ``pairs="terms"`` a skeleton visits
    the pairs on which a term of the Hamiltonian acts, in random order, all of them before any is repeated. On spin
    models a search has to beat this baseline.

    Args:
        env: An environment with a ``player`` of whole circuits, possibly under wrappers.
        seed: Seeds skeletons and angles.
        most_blocks: Largest number of blocks; 0 for three times the number of qubits.
        starts: Sets of random angles per skeleton.
        pairs: ``"all"``: every block is drawn; ``"terms"``: see above.
        least_blocks: Smallest number of blocks.
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
        pairs: str = "all",
        least_blocks: int = 1,
    ) -> None:
        for name, value, least in (
            ("most_blocks", most_blocks, 0),
            ("starts", starts, 1),
            ("least_blocks", least_blocks, 1),
        ):
            if value < least:
                raise ValueError(must(name, f"be at least {least}", value))
        if pairs not in PAIRS:
            raise ValueError(unknown_name("choice of pairs", pairs, PAIRS))
        super().__init__(env, seed, max_iterations, entangler, dressing)
        self._most_blocks = most_blocks or 3 * self._bench.catalogue.num_qubits
        if least_blocks > self._most_blocks:
            raise ValueError(must("least_blocks", f"be at most {self._most_blocks}", least_blocks))
        self._each, self._least_blocks = starts, least_blocks
        self._layer = self._blocks_of_terms() if pairs == "terms" else None

    def _search(self, trials: Trials) -> None:
        while trials.running:
            sizes = self._rng.integers(self._least_blocks, self._most_blocks + 1, size=TOGETHER).tolist()
            skeletons = [self._drawn(size) for size in sizes for _ in range(self._each)]
            for _ in self._played(trials, skeletons, [self._starts(skeleton, 1)[0] for skeleton in skeletons]):
                pass

    def _drawn(self, size: int) -> Skeleton:
        """Return a random skeleton of at most this number of blocks."""
        if self._layer is None:
            return self._random_skeleton(size)
        rounds = [self._rng.permutation(self._layer).tolist() for _ in range(-(-size // len(self._layer)))]
        return self._canonical([block for one in rounds for block in one][:size])

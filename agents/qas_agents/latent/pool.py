"""Searches among circuits that an autoencoder has embedded: what they have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qas_agents.latent.graphs import CircuitGraphs, Gate, Vocabulary
from qas_agents.latent.vgae import CircuitVGAE
from qas_agents.searchers.blocks import BlockSearcher, Skeleton
from qas_agents.searchers.whole_circuits import Prices, Trials
from qas_simulators.errors import must

_MOST_DRAWS: Final = 20  # times the size of the pool, until it stays smaller
_LEAST_DEVIATION: Final = 1e-6


class LatentSearcher(BlockSearcher):
    """A search over a pool of random skeletons, of which it sees the embeddings.

    Args:
        env: An environment with a ``player`` of whole circuits, possibly under wrappers.
        seed: Seeds everything.
        pool: Number of distinct random skeletons; when all have been played, others are drawn.
        most_blocks: Largest number of blocks of a skeleton; 0 for three times the number of qubits.
        file: A file of :meth:`CircuitVGAE.save` for the register, its blocks and at least ``most_blocks`` nodes.
            Without one, an autoencoder is trained on the first pool.
        epochs: How often it is trained on every skeleton.
        together: Circuits that are chosen before the next energies are known.
        starts: Sets of random angles per circuit, of which the best one counts.
        max_iterations: L-BFGS iterations of a circuit, which starts from random angles.
        entangler: See :class:`~qas_agents.searchers.blocks.Skeletons`.
        dressing: See :class:`~qas_agents.searchers.blocks.Skeletons`.

    Raises:
        TypeError: The environment does not play whole circuits.
        ValueError: A number out of range, a file that does not fit, or gates that do not make blocks.
    """

    def __init__(
        self,
        env: Any,
        seed: int | None,
        pool: int,
        most_blocks: int,
        file: str | None,
        epochs: int,
        together: int,
        starts: int,
        max_iterations: int,
        entangler: str | None,
        dressing: Sequence[str] | None,
    ) -> None:
        for name, value, least in (
            ("pool", pool, 1),
            ("most_blocks", most_blocks, 0),
            ("epochs", epochs, 1),
            ("together", together, 1),
            ("starts", starts, 1),
        ):
            if value < least:
                raise ValueError(must(name, f"be at least {least}", value))
        super().__init__(env, seed, max_iterations, entangler, dressing)
        self._most_blocks = most_blocks or 3 * self._bench.catalogue.num_qubits
        self._size, self._epochs, self._together, self._each = pool, epochs, together, starts
        self._prices = Prices()
        self._vgae = None if file is None else self._loaded(file)
        self.pool: list[Skeleton] = []
        self.embeddings = np.zeros((0, 1))
        self._is_played = np.zeros(0, dtype=np.bool_)

    @abstractmethod
    def _choose(self) -> list[int]:
        """Return rows of the pool to play, none of them played and none twice."""

    @abstractmethod
    def _learn(self, rows: list[int], costs: NDArray[np.float64]) -> None:
        """Learn from the costs of chosen circuits; fewer than chosen if the search ends."""

    def _search(self, trials: Trials) -> None:
        while trials.running:
            if self._is_played.all():
                self._fill()
            rows = self._choose()
            self._is_played[rows] = True
            skeletons = [self.pool[row] for row in rows for _ in range(self._each)]
            starts = [self._starts(skeleton, 1)[0] for skeleton in skeletons]
            costs: dict[int, float] = {}
            for number, info, _ in self._played(trials, skeletons, starts):
                row = rows[number // self._each]
                costs[row] = min(self._prices.cost(info), costs.get(row, np.inf))
            if costs:
                self._learn(list(costs), np.array(list(costs.values())))

    def _fill(self) -> None:
        """Draw skeletons that have not been drawn, and embed all; forget what was played where there are none."""
        known, first = {*self.pool}, len(self.pool)
        for _ in range(_MOST_DRAWS * self._size):
            skeleton = self._random_skeleton(int(self._rng.integers(1, self._most_blocks + 1)))
            if skeleton and skeleton not in known:
                known.add(skeleton)
                self.pool.append(skeleton)
                if len(self.pool) - first == self._size:
                    break
        graphs = self.graphs(self.pool)
        if self._vgae is None:
            self._vgae = CircuitVGAE(graphs.vocabulary, seed=int(self._rng.integers(2**31)))
            self._vgae.fit(graphs, self._epochs)
        raw = self._vgae.embed(graphs).astype(np.float64)
        self.embeddings = (raw - raw.mean(axis=0)) / np.maximum(raw.std(axis=0), _LEAST_DEVIATION)
        self._is_played = np.arange(len(self.pool)) < (first if len(self.pool) > first else 0)

    def graphs(self, skeletons: Sequence[Skeleton]) -> CircuitGraphs:
        """Return skeletons as graphs whose nodes are blocks."""
        names = self._names()
        num_nodes = self._most_blocks if self._vgae is None else self._vgae.vocabulary.num_nodes
        vocabulary = Vocabulary(self._bench.catalogue.num_qubits, tuple(dict.fromkeys(names)), num_nodes)
        blocks: list[Gate] = list(zip(names, self._skeletons.blocks, strict=True))
        return CircuitGraphs.of(vocabulary, [[blocks[k] for k in skeleton] for skeleton in skeletons])

    def _names(self) -> list[str]:
        """Return the name of each block; blocks that are made of gates have a common one."""
        catalogue, size = self._bench.catalogue, len(self._skeletons.blocks)
        return [one.gate for one in catalogue.actions[:size]] if catalogue.has_blocks else ["block"] * size

    def _loaded(self, file: str) -> CircuitVGAE:
        vgae = CircuitVGAE.load(file)
        own = Vocabulary(self._bench.catalogue.num_qubits, tuple(dict.fromkeys(self._names())), self._most_blocks)
        given = vgae.vocabulary
        if (given.num_qubits, given.gates) != (own.num_qubits, own.gates) or given.num_nodes < own.num_nodes:
            raise ValueError(must("file", f"hold an autoencoder of {own}", given))
        return vgae

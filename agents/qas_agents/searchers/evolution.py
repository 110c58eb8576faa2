"""Evolution of whole circuits."""

from __future__ import annotations

from typing import Any

from qas_agents.searchers.whole_circuits import Ansatz, Mutations, Prices, Trials, WholeCircuitSearcher
from qas_simulators.errors import must


class Evolution(WholeCircuitSearcher):
    """A population of circuits: parents win tournaments, children are crossed and mutated, the cheapest survive.

    Circuits that cost the same to nine digits count as one. After ``patience`` generations without a cheaper one all
    starts anew.

    Args:
        env: With a ``player`` of whole circuits, under its wrappers.
        seed: Seeds everything.
        population: Circuits that survive a generation.
        children: Circuits that a generation adds.
        tournament: How many are drawn for each parent, of which the cheapest wins.
        crossover: Probability that a child has two parents.
        mutations: Mean number of mutations of a child beyond the first.
        patience: See above.
        two_qubit: Price of a two-qubit gate.
        one_qubit: Price of another gate.
        unsolved: Price of not being a success.
        start_gates: Random gates of the first generation.

    Raises:
        TypeError: The environment does not serve whole circuits.
        ValueError: Sizes or prices out of range.
    """

    def __init__(
        self,
        env: Any,
        seed: int | None = None,
        population: int = 40,
        children: int = 80,
        tournament: int = 3,
        crossover: float = 0.3,
        mutations: float = 0.5,
        patience: int = 40,
        two_qubit: float = 0.1,
        one_qubit: float = 0.01,
        unsolved: float = 3.0,
        start_gates: int = 40,
    ) -> None:
        sizes = {"population": population, "children": children, "tournament": tournament, "patience": patience}
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(must(name, "be at least 1", size))
        if not 0 <= crossover <= 1:
            raise ValueError(must("crossover", "lie in [0, 1]", crossover))
        if mutations < 0:
            raise ValueError(must("mutations", "not be negative", mutations))
        super().__init__(env, seed)
        self._prices = Prices(two_qubit, one_qubit, unsolved)
        self._mutations = Mutations(self._bench, self._rng, start_gates)
        self._population, self._children, self._tournament = population, children, tournament
        self._crossover, self._more_mutations, self._patience = crossover, mutations, patience

    def _search(self, trials: Trials) -> None:
        while trials.go_on:
            self._live(trials)

    def _live(self, trials: Trials) -> None:
        """Begin with random circuits and go on until nothing gets better."""
        alive: dict[float, Ansatz] = {}  # by cost
        for _ in range(2 * self._population):  # costs may coincide
            if trials.go_on and len(alive) < self._population:
                self._try(self._mutations.random(), alive, trials)
        if not alive:
            return
        best, stale = min(alive), 0
        while trials.go_on and stale < self._patience:
            parents = list(alive.items())
            for k in range(self._children):
                if trials.go_on:
                    self._try(self._child(parents), alive, trials, is_last=k == self._children - 1)
            alive = {cost: alive[cost] for cost in sorted(alive)[: self._population]}
            stale = stale + 1 if min(alive) >= best else 0
            best = min(alive)

    def _try(self, ansatz: Ansatz, alive: dict[float, Ansatz], trials: Trials, is_last: bool = False) -> None:
        legal = trials.checked(ansatz)
        if legal is not None:
            played, info = trials.play(legal, is_last)
            alive.setdefault(round(self._prices.cost(info), 9), played)

    def _child(self, parents: list[tuple[float, Ansatz]]) -> Ansatz:
        child = self._parent(parents)
        if self._rng.random() < self._crossover:
            child = self._mutations.crossed(child, self._parent(parents))
        for _ in range(1 + self._rng.poisson(self._more_mutations)):
            child = self._mutations.mutated(child)
        return child

    def _parent(self, parents: list[tuple[float, Ansatz]]) -> Ansatz:
        drawn = self._rng.integers(len(parents), size=self._tournament)
        _, winner = min((parents[int(k)] for k in drawn), key=lambda parent: parent[0])
        return winner

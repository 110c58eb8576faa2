"""Evolution of whole circuits."""

from __future__ import annotations

from typing import Any

from qas_agents.searchers.whole_circuits import Ansatz, Mutations, Prices, Trials, WholeCircuitSearcher
from qas_simulators.errors import must


class Evolution(WholeCircuitSearcher):
    """A genetic algorithm with tournament selection, crossover and mutation, in which the cheapest circuits survive.

    Of circuits with the same cost to nine digits only the first is kept. After ``patience`` generations without a
    cheaper circuit the search starts again from a random population.

    Args:
        env: An environment with a ``player`` of whole circuits, possibly under wrappers.
        seed: Seeds everything.
        population: Circuits that survive a generation.
        children: New circuits per generation.
        tournament: Circuits drawn for each parent, of which the cheapest is chosen.
        crossover: Probability that a child has two parents.
        mutations: Mean number of mutations of a child in addition to the first.
        patience: Generations without an improvement before a restart.
        two_qubit: Price of a two-qubit gate.
        one_qubit: Price of any other gate.
        unsolved: Price of a circuit that does not solve the problem.
        start_gates: Random gates of a circuit of the first generation.

    Raises:
        TypeError: The environment does not play whole circuits.
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
        while trials.running:
            self._evolve(trials)

    def _evolve(self, trials: Trials) -> None:
        """Evolve a random population until it stops improving."""
        alive: dict[float, Ansatz] = {}  # by cost
        for _ in range(2 * self._population):  # more draws than places, because circuits of equal cost take one
            if trials.running and len(alive) < self._population:
                self._try(self._mutations.random(), alive, trials)
        if not alive:
            return
        best, stale = min(alive), 0
        while trials.running and stale < self._patience:
            parents = list(alive.items())
            for k in range(self._children):
                if trials.running:
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

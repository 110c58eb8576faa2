"""Evolution of whole circuits."""

from __future__ import annotations

from typing import Any

import numpy as np

from qas_agents.callbacks import Callback
from qas_agents.searchers.pruning import workbench
from qas_agents.searchers.whole_circuits import Changes, Design, Prices, Trials, trials_of
from qas_simulators.errors import must


class Evolution:
    """A population of circuits: parents win tournaments, children are crossed and changed, the cheapest survive.

    Circuits that cost the same to nine digits count as one. After ``patience`` generations without a cheaper one all
    starts anew.

    Args:
        env: With ``play``, ``is_legal`` and ``angles``, under its wrappers.
        seed: Seeds everything.
        population: Circuits that survive a generation.
        children: Circuits that a generation adds.
        tournament: How many are drawn for each parent, of which the cheapest wins.
        crossover: Probability that a child has two parents.
        changes: Mean number of changes of a child beyond the first.
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
        changes: float = 0.5,
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
        if changes < 0:
            raise ValueError(must("changes", "not be negative", changes))
        self.env = env
        self.num_timesteps = 0
        self._bench = workbench(env)
        self._rng = np.random.default_rng(seed)
        self._prices = Prices(two_qubit, one_qubit, unsolved)
        self._changes = Changes(self._bench, self._rng, start_gates)
        self._population, self._children, self._tournament = population, children, tournament
        self._crossover, self._more_changes, self._patience = crossover, changes, patience

    def get_env(self) -> Any:
        """Return the environment."""
        return self.env

    def learn(
        self, total_timesteps: int, callback: Callback = None, log_interval: int = 0, progress_bar: bool = False
    ) -> Evolution:
        """Try ``total_timesteps`` circuits, or until the callback returns False."""
        with trials_of(self, self._bench, self._rng, total_timesteps, callback) as trials:
            while trials.go_on:
                self._live(trials)
        return self

    def _live(self, trials: Trials) -> None:
        """Begin with random circuits and go on until nothing gets better."""
        alive: dict[float, Design] = {}  # by cost
        for _ in range(2 * self._population):  # costs may coincide
            if trials.go_on and len(alive) < self._population:
                self._try(self._changes.random(), alive, trials)
        if not alive:
            return
        best, stale = min(alive, default=np.inf), 0
        while trials.go_on and stale < self._patience:
            parents = list(alive.items())
            for k in range(self._children):
                if trials.go_on:
                    self._try(self._child(parents), alive, trials, is_last=k == self._children - 1)
            alive = {cost: alive[cost] for cost in sorted(alive)[: self._population]}
            stale = stale + 1 if min(alive) >= best else 0
            best = min(alive)

    def _try(self, design: Design, alive: dict[float, Design], trials: Trials, is_last: bool = False) -> None:
        if trials.is_legal(design):
            played, info = trials.play(design, is_last)
            alive.setdefault(round(self._prices.cost(info), 9), played)

    def _child(self, parents: list[tuple[float, Design]]) -> Design:
        child = self._parent(parents)
        if self._rng.random() < self._crossover:
            child = self._changes.crossed(child, self._parent(parents))
        for _ in range(1 + self._rng.poisson(self._more_changes)):
            child = self._changes.changed(child)
        return child

    def _parent(self, parents: list[tuple[float, Design]]) -> Design:
        drawn = self._rng.integers(len(parents), size=self._tournament)
        _, winner = min((parents[int(k)] for k in drawn), key=lambda parent: parent[0])
        return winner

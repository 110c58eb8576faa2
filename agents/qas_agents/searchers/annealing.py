"""Simulated annealing over whole circuits."""

from __future__ import annotations

import math
from typing import Any

from qas_agents.searchers.whole_circuits import Ansatz, Mutations, Prices, Trials, WholeCircuitSearcher
from qas_simulators.errors import must


class SimulatedAnnealing(WholeCircuitSearcher):
    """Simulated annealing whose mutations insert, delete, replace or exchange one gate and keep the other angles.

    :class:`Prices` defines the cost of a circuit. The temperature falls geometrically over a cycle; every cycle starts
    from a random circuit.

    Args:
        env: An environment with a ``player`` of whole circuits, possibly under wrappers.
        seed: Seeds starts and mutations.
        two_qubit: Price of a two-qubit gate.
        one_qubit: Price of any other gate.
        unsolved: Price of a circuit that does not solve the problem.
        hot: Temperature at the start of a cycle.
        cold: Temperature at the end of a cycle.
        cycle: Mutations per cycle.
        start_gates: Random gates of the circuit that a cycle starts from; illegal ones are left out.

    Raises:
        TypeError: The environment does not play whole circuits.
        ValueError: Prices or temperatures out of range.
    """

    def __init__(
        self,
        env: Any,
        seed: int | None = None,
        two_qubit: float = 0.1,
        one_qubit: float = 0.01,
        unsolved: float = 3.0,
        hot: float = 0.1,
        cold: float = 0.005,
        cycle: int = 5000,
        start_gates: int = 40,
    ) -> None:
        if not 0 < cold <= hot:
            raise ValueError(must("cold", f"be positive and at most {hot}", cold))
        if cycle < 1:
            raise ValueError(must("cycle", "be at least 1", cycle))
        super().__init__(env, seed)
        self._prices = Prices(two_qubit, one_qubit, unsolved)
        self._mutations = Mutations(self._bench, self._rng, start_gates)
        self._hot, self._cooling, self._cycle = hot, (cold / hot) ** (1.0 / cycle), cycle

    def _search(self, trials: Trials) -> None:
        current, cost, temperature, age, reported = Ansatz(), math.inf, self._hot, 0, 0
        while trials.running:
            if age % self._cycle == 0:
                new, cost, temperature = self._mutations.random(), math.inf, self._hot
            else:
                new = self._mutations.mutated(current)
            age += 1
            temperature *= self._cooling
            legal = trials.checked(new)
            if legal is None:
                continue
            new, info = trials.play(legal, is_last=age // self._cycle > reported)
            reported = age // self._cycle
            new_cost = self._prices.cost(info)
            # Metropolis: a dearer circuit is accepted less often the more it costs and the colder it is.
            if new_cost <= cost or self._rng.random() < math.exp((cost - new_cost) / temperature):
                current, cost = new, new_cost

"""Effect of pruning: the search of guided agents beside plain annealing with the same random numbers.

    OMP_NUM_THREADS=1 python agents/benchmarks/led_search.py

Evaluations to the first solution with at most the given number of CNOTs: medians (means) over 16 seeds; LiH, four
qubits.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

import qas_envs  # noqa: F401
from qas_agents import SimulatedAnnealing
from qas_agents.dqn import Demonstrations, DemonstrationsConfig

SEEDS = range(16)
GATES = (8, 6, 5, 4, 3)
STEPS = 60_000


class Listener:
    """Counts evaluations, notes the first solution of each length, ends the search at the shortest.

    Attributes:
        firsts: Evaluations by number of CNOTs.
    """

    def __init__(self) -> None:
        self._spent = 0
        self.firsts: dict[int, int] = {}

    def __call__(self, info: dict[str, Any]) -> bool:
        """Record one circuit; return whether the search continues."""
        self._spent += info["evaluations"]
        if info["success"]:
            for gates in GATES:
                if info["num_two_qubit_gates"] <= gates:
                    self.firsts.setdefault(gates, self._spent)
        return min(GATES) not in self.firsts


class SameSeed(np.random.Generator):
    """A generator whose first integer is the seed of the annealing."""

    def __init__(self, seed: int) -> None:
        super().__init__(np.random.PCG64(seed))
        self._next = [seed]

    def integers(self, *arguments: Any, **settings: Any) -> Any:
        """Return the seed first."""
        return self._next.pop() if self._next else super().integers(*arguments, **settings)


def firsts_of(env: Any, seed: int, is_pruned: bool) -> dict[int, int]:
    """Search once."""
    listener = Listener()
    if is_pruned:
        Demonstrations(env, DemonstrationsConfig(search_steps=STEPS)).before_training(SameSeed(seed), listener)
    else:
        SimulatedAnnealing(env, seed).learn(STEPS, lambda seen, _: listener(seen["infos"][0]))
    return listener.firsts


def main() -> None:
    """Print the table."""
    print("| bond length | search | " + " | ".join(f"{gates} CNOTs" for gates in GATES) + " |")
    print("| --- " * (len(GATES) + 2) + "|")
    for bond_length in (1.2, 2.2, 3.4):
        env = gym.make("QAS-LiH-v0", bond_length=bond_length)
        for name, is_pruned in (("annealing", False), ("annealing, pruned", True)):
            found = [firsts_of(env, seed, is_pruned) for seed in SEEDS]
            cells = []
            for gates in GATES:
                reached = [firsts[gates] for firsts in found if gates in firsts]
                figures = f"{np.median(reached):,.0f} ({np.mean(reached):,.0f})"
                cells.append(figures + ("" if len(reached) == len(found) else f", {len(reached)}/{len(found)}"))
            print(f"| {bond_length} Å | {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

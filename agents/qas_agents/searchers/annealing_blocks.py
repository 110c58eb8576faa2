"""Simulated annealing over skeletons of blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qas_agents.searchers.blocks import BlockSearcher, FloatArray, Skeleton
from qas_agents.searchers.whole_circuits import Prices, Trials
from qas_simulators.errors import must


@dataclass
class _Visited:
    """What is known of a skeleton: the lowest cost so far, its angles, and how often it was optimised."""

    cost: float = math.inf
    params: FloatArray | None = None
    visits: int = 0


class BlockAnnealing(BlockSearcher):
    """Simulated annealing whose mutations insert, delete, replace or move one block.

    A block is an entangling gate with rotations on both of its qubits, after a row of rotations on all qubits. The
    angles of the other blocks are kept as the start of the optimisation, those of a new block are drawn. Blocks on
    different qubits commute, so each circuit has one canonical order; a circuit that was optimised ``visits`` times
    keeps its lowest cost without being optimised again. The temperature falls geometrically over a cycle; every cycle
    starts from a random skeleton, with a fresh memory.

    Args:
        env: An environment with a ``player`` of whole circuits, possibly under wrappers. Its actions may be blocks or
            single gates; of gates, blocks are made.
        seed: Seeds starts and mutations.
        block: Price of a two-qubit gate; one-qubit gates cost nothing.
        unsolved: Price of a circuit that does not solve the problem; the decimal logarithm of its error over the
            threshold is added.
        hot: Temperature at the start of a cycle.
        cold: Temperature at the end of a cycle.
        cycle: Mutations per cycle.
        start_blocks: Random blocks that a cycle starts from; 0 for twice the number of qubits.
        max_iterations: L-BFGS iterations of a circuit.
        visits: How often a skeleton may be optimised in a cycle, from the angles of different neighbours.
        entangler: The two-qubit gate where the actions are gates; by default the first available of CX, CZ and ECR.
        dressing: One-qubit gates where the actions are gates; by default RY for real Hamiltonians, else RY and RZ, or
            what does the same.

    Raises:
        TypeError: The environment does not play whole circuits.
        ValueError: Numbers out of range, or gates that do not make blocks.
    """

    def __init__(
        self,
        env: Any,
        seed: int | None = None,
        block: float = 0.02,
        unsolved: float = 3.0,
        hot: float = 0.05,
        cold: float = 0.005,
        cycle: int = 3000,
        start_blocks: int = 0,
        max_iterations: int = 40,
        visits: int = 3,
        entangler: str | None = None,
        dressing: Sequence[str] | None = None,
    ) -> None:
        if not 0 < cold <= hot:
            raise ValueError(must("cold", f"be positive and at most {hot}", cold))
        for name, value, least in (
            ("cycle", cycle, 1),
            ("visits", visits, 1),
            ("start_blocks", start_blocks, 0),
        ):
            if value < least:
                raise ValueError(must(name, f"be at least {least}", value))
        super().__init__(env, seed, max_iterations, entangler, dressing)
        self._prices = Prices(block, 0.0, unsolved)
        self._hot, self._cooling, self._cycle = hot, (cold / hot) ** (1.0 / cycle), cycle
        self._start_blocks = start_blocks or 2 * self._bench.catalogue.num_qubits
        self._visits = visits

    def _search(self, trials: Trials) -> None:
        skeleton: Skeleton = ()
        params, cost, temperature, age, reported = np.empty(0), math.inf, self._hot, 0, 0
        seen: dict[Skeleton, _Visited] = {}
        while trials.running:
            if age % self._cycle == 0:
                seen, cost, temperature = {}, math.inf, self._hot
                new = self._random_skeleton(self._start_blocks)
                start = self._angles(self._skeletons.num_params(new))
            else:
                new, start = self._mutated(skeleton, params)
            age += 1
            temperature *= self._cooling
            if new == skeleton and cost < math.inf:
                continue
            visited = seen.setdefault(new, _Visited())
            if visited.visits < self._visits:
                actions = self._skeletons.actions(new)
                if not actions:
                    continue
                visited.visits += 1
                played = self._bench.play_many([actions], [start], max_iterations=self._max_iterations)
                info = self._bench.show(actions, played, 0)
                new_cost = self._prices.cost(info)
                if new_cost < visited.cost:
                    visited.cost, visited.params = new_cost, played.circuits[0].params
                trials.report(info, is_last=age // self._cycle > reported)
                reported = age // self._cycle
            # Metropolis: a dearer circuit is accepted less often the more it costs and the colder it is.
            if visited.params is not None and (
                visited.cost <= cost or self._rng.random() < math.exp((cost - visited.cost) / temperature)
            ):
                skeleton, params, cost = new, visited.params, visited.cost

    def _mutated(self, skeleton: Skeleton, params: FloatArray) -> tuple[Skeleton, FloatArray]:
        """Insert, delete, replace or move a random block; return the skeleton in canonical order, and its angles."""
        head, own = self._skeletons.split(skeleton, params)
        blocks, rng = list(skeleton), self._rng
        kind = int(rng.integers(4)) if blocks else 0
        place = int(rng.integers(len(blocks) + (kind == 0)))
        if kind == 1:
            del blocks[place], own[place]
        elif kind == 3:
            target = int(rng.integers(len(blocks)))
            blocks.insert(target, blocks.pop(place))
            own.insert(target, own.pop(place))
        else:
            block = int(rng.integers(len(self._skeletons.blocks)))
            angles = self._angles(self._skeletons.block_sizes[block])
            if kind == 0:
                blocks.insert(place, block)
                own.insert(place, angles)
            else:
                blocks[place], own[place] = block, angles
        order = self._skeletons.canonical(blocks)
        return tuple(blocks[k] for k in order), np.concatenate([head, *(own[k] for k in order)])

"""Growth of circuits of blocks by insertion, and their shortening by removal, with all angles optimised again."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qas_simulators.block_circuits import BlockBench, BlockCircuit, Insertion
from qas_simulators.errors import must

_SAME: Final = 1e-9  # energies that differ by less are the same


@dataclass(frozen=True)
class Effort:
    """How much work growth, shortening and annealing spend on a choice.

    Attributes:
        iterations: L-BFGS iterations of a circuit that is kept.
        hasty_iterations: Iterations of each promising candidate of growth and shortening.
        width: Candidates that get these.
        tried: Removals that are optimised to the end, the best after the hasty iterations first.
        places: Places of a circuit, drawn at random, at which insertions are compared.
        spread: Standard deviation of the logarithm of the random factors that ranks are multiplied by.
        cycle: Mutations of a cycle of annealing.
        guided: Share of mutations that put two blocks where the energy is steep.
        hot: Temperature at the start of a cycle, in decades of the error.
        cold: Temperature at the end of a cycle.
        first_iterations: Iterations after which a mutation is given up if its error is ``give_up`` times the present
            one or that of the goal, whichever is larger; after three times as many the factor is the square root.
        last_iterations: Iterations of a mutation that is not given up.
        give_up: See there.

    Raises:
        ValueError: A number out of range.
    """

    iterations: int = 60
    hasty_iterations: int = 8
    width: int = 8
    tried: int = 3
    places: int = 12
    spread: float = 0.5
    cycle: int = 100
    guided: float = 0.3
    hot: float = 0.15
    cold: float = 0.05
    first_iterations: int = 20
    last_iterations: int = 200
    give_up: float = 8.0

    def __post_init__(self) -> None:
        whole = "iterations", "hasty_iterations", "width", "tried", "places", "cycle", "first_iterations"
        for name in (*whole, "last_iterations", "give_up"):
            if getattr(self, name) < 1:
                raise ValueError(must(name, "be at least 1", getattr(self, name)))
        if not 0 <= self.guided <= 1:
            raise ValueError(must("guided", "lie in 0..1", self.guided))
        if not 0 < self.cold <= self.hot:
            raise ValueError(must("cold", f"be positive and at most {self.hot}", self.cold))
        if self.spread < 0:
            raise ValueError(must("spread", "not be negative", self.spread))


DEFAULT_EFFORT: Final = Effort()


@dataclass(frozen=True)
class Draft:
    """A circuit at its minimum.

    Attributes:
        circuit: With its angles.
        energy: In the Hamiltonian's unit.
    """

    circuit: BlockCircuit
    energy: float

    @property
    def size(self) -> int:
        """Number of blocks."""
        return len(self.circuit.pairs)


class Workshop:
    """Grows circuits, and shortens them while their energy stays below a limit.

    Args:
        bench: Evaluates and optimises circuits.
        rng: Source of randomness.
        effort: How much work is spent on a choice.
        should_stop: Called before every optimisation; if true, methods return what they have.
    """

    def __init__(
        self,
        bench: BlockBench,
        rng: np.random.Generator,
        effort: Effort = DEFAULT_EFFORT,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.bench, self._rng, self._effort, self._should_stop = bench, rng, effort, should_stop

    def optimized(self, circuits: Sequence[BlockCircuit], iterations: int | None = None) -> list[Draft]:
        """Return the circuits at their minima, the lowest energy first."""
        found = self.bench.minimize(circuits, iterations or self._effort.iterations)
        order = np.argsort(found.energies, kind="stable").tolist()
        return [Draft(found.circuits[k], float(found.energies[k])) for k in order]

    def evaluated(self, circuit: BlockCircuit) -> Draft:
        """Return the circuit with its energy at its own angles."""
        return Draft(circuit, float(self.bench.energies([circuit])[0]))

    # -- shortening ----------------------------------------------------------------------------------------------------

    def shortened(self, draft: Draft, limit: float) -> Draft:
        """Remove blocks, one or two at a time, while the energy stays at or below a limit.

        The removals that raise the energy least before any angle changes are optimised hastily, the best of these to
        the end. Where no single block can be removed, two blocks on the same pair are.
        """
        while draft.size and not self._should_stop():
            shorter = self._shorter(draft, [[k] for k in range(draft.size)], limit)
            if shorter is None:
                shorter = self._shorter(draft, self._couples(draft.circuit), limit)
            if shorter is None:
                break
            draft = shorter
        return draft

    def least_harmed(self, draft: Draft) -> Draft:
        """Return the circuit of lowest energy with one block less, of the most promising removals, drawn at random."""
        candidates = [draft.circuit.without([k]) for k in range(draft.size)]
        harms = np.maximum(self.bench.energies(candidates) - draft.energy, 0.0) * self._factors(len(candidates))
        order = np.argsort(harms, kind="stable")[: self._effort.width].tolist()
        return self.optimized([candidates[k] for k in order])[0]

    def _shorter(self, draft: Draft, removals: Sequence[Sequence[int]], limit: float) -> Draft | None:
        """Return the circuit after one of the removals, or ``None``."""
        candidates = [draft.circuit.without(removed) for removed in removals]
        if not candidates:
            return None
        harms = self.bench.energies(candidates) - draft.energy
        best = int(np.argmin(harms))
        if harms[best] < _SAME and draft.energy + harms[best] <= limit:
            return Draft(candidates[best], float(draft.energy + harms[best]))
        order = np.argsort(np.maximum(harms, 0.0) * self._factors(len(harms)), kind="stable")
        promising = [candidates[k] for k in order[: self._effort.width]]
        for hasty in self.optimized(promising, self._effort.hasty_iterations)[: self._effort.tried]:
            if self._should_stop():
                return None
            found = hasty if hasty.energy <= limit else self.optimized([hasty.circuit])[0]
            if found.energy <= limit:
                return found
        return None

    def renewed(self, draft: Draft, limit: float, growths: int) -> Draft:
        """Insert blocks where the energy is steepest, several times, then shorten: room below the limit for removals.

        Args:
            draft: At its minimum, with an energy of at most the limit.
            limit: Highest energy.
            growths: Number of insertions.
        """
        for _ in range(growths):
            if self._should_stop():
                break
            draft = self.grown(draft, quadruples=False) or draft
        return self.shortened(draft, limit)

    def _factors(self, number: int) -> NDArray[np.float64]:
        return np.exp(self._rng.normal(0.0, self._effort.spread, number))

    @staticmethod
    def _couples(circuit: BlockCircuit) -> list[list[int]]:
        """Return two blocks each that are on the same pair of qubits."""
        sets = [{*pair} for pair in circuit.pairs]
        return [[j, k] for k in range(len(sets)) for j in range(k) if sets[j] == sets[k]]

    # -- growth --------------------------------------------------------------------------------------------------------

    def grown(self, draft: Draft, quadruples: bool) -> Draft | None:
        """Insert two or six blocks; return the best circuit, or ``None`` if no insertion lowers the energy.

        Of the insertions with the steepest slopes, each optimised hastily, the one is kept whose gain is largest beside
        the square root of the number of its blocks, without those that do nothing.

        Args:
            draft: At its minimum.
            quadruples: Whether strings on four qubits are appended, too.
        """
        places = self._rng.permutation(draft.size + 1)[: self._effort.places].tolist()
        found = [one.circuit for one in self._steepest(self.bench.insertions(draft.circuit, places))]
        if quadruples:
            found += [one.circuit for one in self.bench.quadruples(draft.circuit, self._effort.width)]
        if not found or self._should_stop():
            return None
        hasty = self.optimized(found, self._effort.hasty_iterations)
        hasty = [self.trimmed(one, one.energy + _SAME, draft.size) for one in hasty]
        gains = [(draft.energy - one.energy) / math.sqrt(max(1, one.size - draft.size)) for one in hasty]
        best = hasty[int(np.argmax(gains))]
        if draft.energy - best.energy <= _SAME:
            return None
        return self.optimized([best.circuit])[0]

    def scattered(self, draft: Draft) -> Draft:
        """Insert two random blocks in several ways; return the circuit of lowest energy, all angles optimised.

        It leads away from where no slope tells how to lower the energy.
        """
        circuits = [self._with_random(self._with_random(draft.circuit)) for _ in range(self._effort.width)]
        return self.optimized(circuits)[0]

    def _steepest(self, insertions: Sequence[Insertion]) -> list[Insertion]:
        """Return the steepest insertions, at most one of each pair of qubits and place by construction."""
        ranks = np.array([one.slope for one in insertions]) * self._factors(len(insertions))
        return [insertions[k] for k in np.argsort(-ranks, kind="stable")[: self._effort.width].tolist()]

    def trimmed(self, draft: Draft, limit: float, first: int = 0) -> Draft:
        """Remove blocks, the least harmful first, while the energy stays at or below a limit with the angles unchanged.

        Among them are blocks that do nothing, such as those whose control qubit is in a basis state.

        Args:
            draft: The circuit.
            limit: Highest energy.
            first: Number of the first block that may be removed.
        """
        while draft.size > first:
            shorter = [draft.circuit.without([k]) for k in range(first, draft.size)]
            energies = self.bench.energies(shorter)
            best = int(np.argmin(energies))
            if energies[best] > limit:
                break
            draft = Draft(shorter[best], float(energies[best]))
        return draft

    # -- annealing -----------------------------------------------------------------------------------------------------

    def annealed(self, draft: Draft, goal: float, ground: float) -> Draft:
        """Anneal for one cycle at this number of blocks or fewer; return the first circuit with the goal's energy.

        Mutations replace, move, insert or delete a block, or replace two blocks by two equal ones where the energy is
        steepest. A circuit is given up after the hasty iterations if its error is ``give_up`` times the present one, or
        the goal's if that is larger. If no circuit reaches the goal, the one of lowest energy is returned.

        Args:
            draft: At its minimum.
            goal: Highest energy of a solution.
            ground: Exact energy, from which errors are measured.
        """
        effort, most, best, temperature = self._effort, draft.size, draft, self._effort.hot
        for _ in range(effort.cycle):
            temperature *= (effort.cold / effort.hot) ** (1.0 / effort.cycle)
            if self._should_stop() or best.energy <= goal or most == 0:
                break
            new = self._patient(self._mutated(draft, most), max(draft.energy, goal) - ground, ground)
            if new is None:
                continue
            # Metropolis: a worse circuit is accepted less often the worse it is and the colder it is.
            decades = math.log10(max(new.energy - ground, _SAME) / max(draft.energy - ground, _SAME))
            if decades <= 0 or self._rng.random() < math.exp(-decades / temperature):
                draft = new
            best = min(best, draft, key=lambda one: one.energy)
        return best

    def _patient(self, circuit: BlockCircuit, present: float, ground: float) -> Draft | None:
        """Return the circuit at its minimum, or ``None`` if its error stays far above a present one."""
        draft = self.optimized([circuit], self._effort.first_iterations)[0]
        if draft.energy - ground > self._effort.give_up * present:
            return None
        draft = self.optimized([draft.circuit], 2 * self._effort.first_iterations)[0]
        if draft.energy - ground > math.sqrt(self._effort.give_up) * present:
            return None
        return self.optimized([draft.circuit], self._effort.last_iterations)[0]

    def _mutated(self, draft: Draft, most: int) -> BlockCircuit:
        """Return a circuit with another block, or others, of at most some number of blocks."""
        circuit, draw = draft.circuit, self._rng.random()
        if draft.size == 0 or (draft.size < most and draw < 0.5):
            return self._with_random(circuit)
        if draft.size > 1 and draw > 1.0 - self._effort.guided:
            return self._exchanged(circuit)
        place = int(self._rng.integers(draft.size))
        if draw < 0.1:
            return circuit.without([place])
        if draw < 0.6:
            return self._with_random(circuit.without([place]), place if self._rng.random() < 0.5 else None)
        return circuit.moved(place, int(self._rng.integers(draft.size)))

    def _with_random(self, circuit: BlockCircuit, place: int | None = None) -> BlockCircuit:
        """Return the circuit with a random block with random angles, at a random place by default."""
        place = int(self._rng.integers(len(circuit.pairs) + 1)) if place is None else place
        pair = self.bench.ways[int(self._rng.integers(len(self.bench.ways)))]
        made = circuit.with_block(place, [pair], [])
        first = circuit.num_qubits + 2 * place
        made.angles[first : first + 2] = self._rng.uniform(-np.pi, np.pi, 2)
        return made

    def _exchanged(self, circuit: BlockCircuit) -> BlockCircuit:
        """Return the circuit with two equal blocks where the energy is steep, instead of two that do little."""
        harms = self.bench.energies([circuit.without([k]) for k in range(len(circuit.pairs))])
        ranks = (harms - harms.min()) * self._factors(len(harms))
        shorter = circuit.without(np.argsort(ranks, kind="stable")[:2].tolist())
        places = self._rng.permutation(len(shorter.pairs) + 1)[: self._effort.places // 3 + 1].tolist()
        return self._steepest(self.bench.insertions(shorter, places))[0].circuit

"""Greedy growth by blocks, then annealing at a length that shrinks with every solution."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qas_agents.searchers.blocks import LAYERS, BlockSearcher
from qas_agents.searchers.shortening import Draft, Effort, Workshop
from qas_agents.searchers.whole_circuits import Trials
from qas_simulators import Circuit, MPSSimulator, PauliPropagationSimulator
from qas_simulators.block_circuits import ENTANGLERS, BlockBench, BlockCircuit, Pair
from qas_simulators.errors import must

_MARGIN: Final = 1e-9  # in the problem's unit: how far below the threshold a solution must be
_LOCAL_CYCLES: Final = 3  # longer cycles there, in which a circuit costs little and the slopes tell little
_OPENINGS: Final = 16  # random angles of that circuit
_PATIENCE: Final = 5  # cycles without a solution, after which annealing begins again from the last solution
_LONG: Final = 4  # blocks per qubit, above which insertions and removals come before annealing
_GROWTHS: Final = 4  # most insertions before removals
_SLACK: Final = 0.02  # of an insertion's gain, that the removals after it may cost


@dataclass(frozen=True)
class _Played:
    """Circuits as :meth:`Workbench.show` reads them."""

    circuits: list[Circuit]
    energies: NDArray[np.float64]
    evaluations: NDArray[np.int64]
    gradients: NDArray[np.int64]


class GreedyBlocks(BlockSearcher):
    """Inserts blocks where the energy is steepest, from the closed shell; then anneals and shortens.

    Growth: two equal blocks are the identity, so that inserting them anywhere changes nothing until the angles between
    them do. A kernel gives the slopes of all insertions. The steepest ones are optimised, with strings on four qubits
    appended at the end, which a closed shell needs first. The insertion that gains most is kept, and blocks that it
    makes needless are removed. Where no insertion lowers the energy, random blocks are inserted.

    Near the threshold annealing begins (:meth:`~qas_agents.searchers.shortening.Workshop.annealed`), at this number of
    blocks; while there is no solution, every cycle is followed by an insertion. A solution is shortened, and annealing
    continues without the block whose removal does the least harm.

    Where all terms of the Hamiltonian act on at most two qubits, and not on all pairs, the search starts from two
    layers of blocks on these pairs instead of the basis state of lowest energy, and all mutations are random, with
    blocks on qubits at most ``reach`` of these pairs apart. Energies
    are computed in real arithmetic outside of the environment, which shows the results.

    Args:
        env: An environment with a ``player`` of whole circuits, possibly under wrappers; without noise and shots, with
            a real Hamiltonian, and gates RY and CX or CZ.
        seed: Seeds everything.
        width: Candidates that are optimised hastily, for an insertion or a removal.
        places: Places of the circuit, drawn at random, at which insertions are compared.
        cycle: Mutations without a solution until a cycle of annealing ends.
        guided: Share of mutations that put two blocks where the energy is steep.
        hot: Temperature at the start of a cycle, in decades of the error.
        cold: Temperature at the end of a cycle.
        anneal_below: Annealing begins when the error is this number of times the threshold; in circuits of more than
            four blocks per qubit, when it is below the threshold.
        reach: Where interactions are local, the most pairs of the Hamiltonian between the two qubits of a block.
        entangler: By default CX if there is one.

    Raises:
        TypeError: The environment does not play whole circuits.
        ValueError: Numbers out of range, noise or shots, a complex Hamiltonian, other gates, or gates at the start.
    """

    def __init__(
        self,
        env: Any,
        seed: int | None = None,
        width: int = 8,
        places: int = 12,
        cycle: int = 100,
        guided: float = 0.3,
        hot: float = 0.15,
        cold: float = 0.05,
        anneal_below: float = 1.6,
        reach: int = 2,
        entangler: str | None = None,
    ) -> None:
        if anneal_below < 1:
            raise ValueError(must("anneal_below", "be at least 1", anneal_below))
        if reach < 1:
            raise ValueError(must("reach", "be at least 1", reach))
        super().__init__(env, seed, 1, entangler, None)
        bare = getattr(env, "unwrapped", env)
        if isinstance(bare.simulator, PauliPropagationSimulator | MPSSimulator):
            kind = type(bare.simulator).__name__
            raise ValueError(must("simulator", "be 'statevector' for greedy_blocks", kind))
        if bare.simulator.is_noisy or bare.simulator.shots is not None:
            raise ValueError(must("env", "have neither noise nor shots", bare.simulator))
        self._effort = Effort(width=width, places=places, cycle=cycle, guided=guided, hot=hot, cold=cold)
        self._env, self._near = bare, anneal_below
        self._bench_of_blocks = self._blocks_of(bare)
        self._numbers = {pair: number for number, pair in reversed([*enumerate(self._skeletons.blocks)])}
        self._bench_of_blocks.ways = self._near_ways(self._bench_of_blocks.ways, reach)
        self._long = _LONG * self._bench_of_blocks.num_qubits
        self._reported = 0  # evaluations that the callback has seen

    def _blocks_of(self, env: Any) -> BlockBench:
        """Return the bench that evaluates the environment's blocks.

        Raises:
            ValueError: They are no blocks of CX or CZ and RY.
        """
        catalogue, blocks = self._bench.catalogue, self._skeletons.blocks
        for entangler in ENTANGLERS:
            bench = BlockBench(self._hamiltonian, entangler, [*dict.fromkeys(blocks)])
            for number, pair in enumerate(blocks):
                actions = self._skeletons.actions((number,))
                circuit = env.episode.initial.copy()
                for action in actions or ():
                    catalogue.append(circuit, action)
                own = bench.circuit(BlockCircuit((pair,), np.zeros(bench.num_qubits + 2)))
                if actions and not np.array_equal(circuit.table, own.table):
                    break
            else:
                return bench
        block = Circuit(bench.num_qubits)
        for action in self._skeletons.actions((0,)) or ():
            catalogue.append(block, action)
        if any({*block.count_ops()} == {entangler, "ry"} for entangler in ENTANGLERS):
            first = sorted(env.episode.initial.count_ops())
            raise ValueError(must("initial", "have rotations about Y alone for greedy_blocks", first))
        raise ValueError(must("gates", "make blocks of CX or CZ with RY", sorted(block.count_ops())))

    def _near_ways(self, ways: list[Pair], reach: int) -> list[Pair]:
        """Return the pairs of qubits that few of the Hamiltonian's pairs connect, or all where it is not local."""
        own = self._own_pairs()
        if own is None:
            return ways
        linked = np.eye(self._bench_of_blocks.num_qubits, dtype=np.int64)
        for block in own:
            first, second = self._skeletons.blocks[block]
            linked[first, second] = linked[second, first] = 1
        near = np.linalg.matrix_power(linked, reach) > 0
        return [(first, second) for first, second in ways if near[first, second]]

    def _search(self, trials: Trials) -> None:
        self._trials = trials
        effort = self._effort
        if self._own_pairs() is not None:
            effort = replace(effort, guided=0.0, cycle=_LOCAL_CYCLES * effort.cycle)
        workshop = Workshop(self._bench_of_blocks, self._rng, effort, lambda: not trials.running)
        curriculum = self._env.curriculum
        goal, ground = curriculum.reference_energy + curriculum.threshold - _MARGIN, self._env.problem.ground_energy
        while trials.running:
            solution = self._first_solution(workshop, goal, ground)
            if solution is not None:
                self._shorten(workshop, solution, goal, ground)

    # -- growth --------------------------------------------------------------------------------------------------------

    def _first_solution(self, workshop: Workshop, goal: float, ground: float) -> Draft | None:
        """Return a solution, or ``None`` where the gate budget or the trials end first."""
        draft = self._start(workshop)
        self._report(draft)
        while self._trials.running and draft.energy - ground > self._near_of(draft) * (goal - ground):
            longer = workshop.grown(draft, quadruples=True) or workshop.scattered(draft)
            gain = max(0.0, draft.energy - longer.energy)
            legal = self._legal(workshop, workshop.trimmed(longer, longer.energy + _SLACK * gain))
            if legal is not None and legal.energy >= draft.energy and gain > 0:
                legal = self._legal(workshop, workshop.scattered(draft))
            if legal is None or not self._report(legal):
                return None
            draft = legal
        while self._trials.running:
            if draft.energy > goal:
                draft = workshop.annealed(draft, goal, ground)
            legal = self._legal(workshop, draft)
            if legal is None or not self._report(legal):
                return None
            if legal.energy <= goal:
                return legal
            draft = workshop.grown(legal, quadruples=True) or workshop.scattered(legal)
        return None

    def _legal(self, workshop: Workshop, draft: Draft) -> Draft | None:
        """Return a circuit that is allowed, ``None`` where the gate budget forbids it.

        Blocks that repeat themselves are left out, and the other angles are optimised again.
        """
        allowed = self._allowed(draft)
        if allowed.size == draft.size:
            return allowed
        return workshop.optimized([allowed.circuit])[0] if allowed.size else None

    def _near_of(self, draft: Draft) -> float:
        """Return the times of the threshold where growth ends: long circuits are not annealed before a solution."""
        return self._near if draft.size <= self._long else 1.0

    def _start(self, workshop: Workshop) -> Draft:
        """Return layers of the Hamiltonian's pairs where these are local, else the basis state of lowest energy."""
        pairs, n = self._own_pairs(), self._bench_of_blocks.num_qubits
        if pairs is not None:
            own = tuple(self._skeletons.blocks[block] for block in pairs * LAYERS)
            starts = [BlockCircuit(own, self._angles(n + 2 * len(own))) for _ in range(_OPENINGS)]
            hasty = workshop.optimized(starts, self._effort.first_iterations)[: _OPENINGS // 4]
            return workshop.optimized([one.circuit for one in hasty], self._effort.last_iterations)[0]
        lowest = int(np.argmin(self._hamiltonian.basis_energies()))
        bits = np.array([lowest >> qubit & 1 for qubit in range(n)])
        return workshop.evaluated(BlockCircuit((), np.pi * bits))

    # -- shorter solutions ---------------------------------------------------------------------------------------------

    def _shorten(self, workshop: Workshop, solution: Draft, goal: float, ground: float) -> None:
        """Anneal at ever smaller numbers of blocks until the trials end."""
        while self._trials.running:
            shorter = self._legal(workshop, self._renewed(workshop, workshop.shortened(solution, goal), goal))
            solution = shorter if shorter is not None and shorter.energy <= goal else solution
            self._report(solution)
            if solution.size == 0:
                return
            draft, failures = workshop.least_harmed(solution), 0
            while self._trials.running and draft.energy > goal:
                draft = self._legal(workshop, workshop.annealed(draft, goal, ground)) or draft
                self._report(draft)
                failures += 1
                if draft.energy > goal and failures % _PATIENCE == 0:
                    draft = workshop.least_harmed(solution)
            if draft.energy <= goal:
                solution = draft

    def _renewed(self, workshop: Workshop, solution: Draft, goal: float) -> Draft:
        """Insert and remove blocks by turns while the circuit gets shorter, and is long for its number of qubits."""
        failures = 0
        self._report(solution)
        while self._trials.running and solution.size > self._long and failures < _PATIENCE:
            other = workshop.renewed(solution, goal, int(self._rng.integers(1, _GROWTHS + 1)))
            failures = 0 if other.size < solution.size else failures + 1
            if (other.size, other.energy) < (solution.size, solution.energy):
                solution = other
                self._report(solution)
        return solution

    def _report(self, draft: Draft) -> bool:
        """Show a circuit in the environment and report it; return whether its gates are allowed.

        Where a mask allows only one order of blocks that commute, it is shown in this order. Instead of a circuit that
        is not allowed, one is shown without blocks that repeat themselves, or without any.
        """
        if not self._trials.running:
            return False
        shown = self._allowed(draft)
        actions = self._actions(shown.circuit)
        spent = self._bench_of_blocks.evaluations - self._reported
        self._reported += spent
        circuit = self._env.episode.initial.copy()
        for action in actions or ():
            self._bench.catalogue.append(circuit, action)
        circuit.params = shown.circuit.angles
        counts = np.array([spent], dtype=np.int64)
        played = _Played([circuit], np.array([shown.energy]), counts, 0 * counts)
        self._trials.report(self._bench.show(actions or (), played, 0), is_last=True)
        return shown.size == draft.size

    def _allowed(self, draft: Draft) -> Draft:
        """Return the circuit in an order that is allowed, or without the blocks that are not."""
        if self._actions(draft.circuit) is not None:
            return draft
        kept = self._skeletons.canonical([self._numbers[pair] for pair in draft.circuit.pairs])
        if len(kept) == draft.size:
            ordered = Draft(draft.circuit.reordered(kept), draft.energy)
            if self._actions(ordered.circuit) is not None:
                return ordered
        order = sorted(range(len(kept)), key=lambda place: kept[place])  # places in the shorter circuit
        shorter = draft.circuit.without([k for k in range(draft.size) if k not in kept])
        shorter = shorter.reordered(np.argsort(order).tolist())
        if self._actions(shorter) is None:
            shorter = shorter.without([*range(len(shorter.pairs))])
        return Draft(shorter, float(self._bench_of_blocks.energies([shorter])[0]))

    def _actions(self, circuit: BlockCircuit) -> tuple[int, ...] | None:
        return self._skeletons.actions([self._numbers[pair] for pair in circuit.pairs])

"""Simulated annealing over skeletons of blocks, at a length that shrinks with every solution."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from qas_agents.searchers.block_mutations import BlockMutations, Change, Proposal, redrawn, without
from qas_agents.searchers.blocks import BlockSearcher, FloatArray, Skeleton
from qas_agents.searchers.pruning import TOGETHER
from qas_agents.searchers.scouting import LENGTH, Scouting
from qas_agents.searchers.whole_circuits import Trials
from qas_simulators.errors import must

_LEAST_ERROR = 1e-12  # in the problem's unit: what lies below is rounding
_SCOUT_SEED = 1  # besides the search's, so that the search draws what it draws without them
_SMALL = 0.05  # times pi: angles of these layers where mutations draw angles again


class _Circuit(NamedTuple):
    """A skeleton with its angles, its energy error, with the sign, and whether it is a solution."""

    skeleton: Skeleton
    params: FloatArray
    error: float
    success: bool


_Seen = dict[Skeleton, tuple[int, _Circuit | None]]
"""Visits of a skeleton in a cycle, and its lowest error so far."""


def _check(positive: dict[str, float], redraws: float, spread: float, start_blocks: int) -> None:
    """Raise ``ValueError`` if a setting is out of range; ``positive`` are at least 1."""
    for name, value in positive.items():
        if value < 1:
            raise ValueError(must(name, "be at least 1", value))
    if not 0 <= redraws <= 1:
        raise ValueError(must("redraws", "lie in 0..1", redraws))
    if not 0 < spread <= 1:
        raise ValueError(must("spread", "lie in (0, 1]", spread))
    if start_blocks < 0:
        raise ValueError(must("start_blocks", "not be negative", start_blocks))


class BlockAnnealing(BlockSearcher):
    """Simulated annealing whose mutations insert, delete, replace or move one block; fewer blocks after each solution.

    The search minimises the logarithm of the energy error over skeletons with a limited number of blocks. A solution
    lowers the limit: the search continues from the solution without the block whose removal does the least harm, with
    one block fewer. A block is an entangling gate with rotations on both of its qubits, after a row of rotations on all
    qubits. The angles of the other blocks are kept as the start of the optimisation, those of a new block are drawn.

    A cycle that ends without a solution is followed by one from random skeletons or from the best solution, by turns;
    before the first solution the limit grows. Where all terms of the Hamiltonian act on at most two qubits, and not on
    all pairs, the first cycle starts from the pairs of these terms, in order. With ``redraws`` every cycle on such
    models does, with one layer more each time, until there is a solution.

    A blind search sees energies only: the exact ground energy is not used, and no circuit counts as a solution. In
    place of its error, a circuit has the distance of its energy from the lowest one seen, plus the threshold. The limit
    stays as it is. Cycles start from random skeletons and from the circuit of lowest energy, by turns.

    Args:
        env: An environment with a ``player`` of whole circuits, possibly under wrappers. Its actions may be blocks or
            single gates; of gates, blocks are made.
        seed: Seeds starts and mutations.
        start_blocks: Largest number of blocks at the start; 0 for two and a half times the number of qubits.
        openings: Random skeletons, or angles of the first one, that a cycle chooses its start from: each is optimised
            by ``hasty_iterations``, the better quarter to the end.
        hot: Temperature at the start of a cycle and after a solution, in decades of the error.
        cold: Temperature at the end of a cycle.
        cycle: Mutations without a solution until a cycle ends.
        max_iterations: L-BFGS iterations of a circuit.
        hasty_iterations: Iterations after which a mutation is given up if its error is ``give_up`` times the current
            one, or ``give_up`` times the threshold if that is more.
        give_up: See there.
        visits: How often a skeleton is optimised in a cycle, from the angles of different neighbours.
        redraws: Share of mutations that keep the skeleton and draw the angles of one or two blocks again. A skeleton
            with general one-qubit gates has many minima, of which few starts find the lowest.
        entangler: The two-qubit gate where the actions are gates; by default the first available of CX, CZ and ECR.
        dressing: One-qubit gates where the actions are gates; by default RY for real Hamiltonians, else RY and RZ, or
            what does the same.
        blind: Whether the search is blind; for energies with noise, also mitigated ones.
        proposal: Gives the random skeletons and the blocks of mutations; by default they are uniform.
        own_pairs: Whether the first cycle starts from the pairs of the Hamiltonian's terms, where that is possible.
        scouts: Random skeletons of five blocks per qubit that are played before the search, which begins as without
            them; a solution among them is shortened if the first cycle finds none. A blind search plays none.
        spread: Scouts and the first circuits of a cycle start from angles in this share of the circle around 0.
        scout_iterations: See :class:`~qas_agents.searchers.scouting.Scouting`, as for the next two.
        scout_rounds: See there.
        scout_repeats: See there.
        scout_pairs: Whether scouts repeat the pairs of the Hamiltonian's terms in order, where these are local.

    Attributes:
        origin: Where the reported circuit comes from: ``start``, ``insert``, ``delete``, ``replace``, ``move``,
            ``redraw`` or ``shorten``, and the skeleton that was changed; an empty one for ``start``.

    Raises:
        TypeError: The environment does not play whole circuits.
        ValueError: Numbers out of range, or gates that do not make blocks.
    """

    def __init__(
        self,
        env: Any,
        seed: int | None = None,
        start_blocks: int = 0,
        openings: int = 8,
        hot: float = 0.15,
        cold: float = 0.05,
        cycle: int = 300,
        max_iterations: int = 200,
        hasty_iterations: int = 20,
        give_up: float = 8.0,
        visits: int = 3,
        redraws: float = 0.0,
        entangler: str | None = None,
        dressing: Sequence[str] | None = None,
        blind: bool = False,
        proposal: Proposal | None = None,
        own_pairs: bool = True,
        scouts: int = 0,
        spread: float = 1.0,
        scout_iterations: Sequence[int] = (),
        scout_rounds: int = 1,
        scout_repeats: int = 1,
        scout_pairs: bool = False,
    ) -> None:
        if not 0 < cold <= hot:
            raise ValueError(must("cold", f"be positive and at most {hot}", cold))
        numbers = {"openings": openings, "cycle": cycle, "visits": visits, "hasty_iterations": hasty_iterations}
        _check({**numbers, "give_up": give_up}, redraws, spread, start_blocks)
        super().__init__(env, seed, max_iterations, entangler, dressing)
        self._openings, self._cycle, self._visits, self._redraws = openings, cycle, visits, redraws
        self._hot, self._cooling = hot, (cold / hot) ** (1.0 / cycle)
        self._hasty_iterations, self._give_up, self._spread = hasty_iterations, give_up, spread
        self._proposal, self._own_pairs_first, self._blind = proposal, own_pairs, blind
        self._scouting = Scouting(scouts, tuple(scout_iterations), scout_rounds, scout_repeats, max_iterations)
        self._scout_pairs = scout_pairs
        self._scout_rng = np.random.default_rng(None if seed is None else [seed, _SCOUT_SEED])
        self._mutations = BlockMutations(self._skeletons.block_sizes, self._rng, proposal)
        self.origin: tuple[str, Skeleton] = "start", ()
        self._threshold = getattr(env, "unwrapped", env).curriculum.threshold
        self._lowest: _Circuit | None = None
        self._limit = start_blocks or math.ceil(2.5 * self._bench.catalogue.num_qubits)

    def _search(self, trials: Trials) -> None:
        scout = self._scouted(trials) if self._scouting.scouts and not self._blind else None
        cycles = 0
        while self._blind and trials.running:
            layers = self._layers() if cycles == 0 and self._own_pairs_first else None
            begin = self._lowest if cycles % 2 else self._opening(trials, layers)
            if begin is not None:
                self._anneal(trials, begin)
            cycles += 1
        self._search_solutions(trials, scout if scout is not None and scout.success else None)

    def _search_solutions(self, trials: Trials, scout: _Circuit | None) -> None:
        solution: _Circuit | None = None
        shorter: _Circuit | None = None  # the best circuit with a block fewer than the solution
        cycles = 0
        while trials.running:
            if solution is None:
                begin = scout if cycles == 1 and scout is not None else self._first(trials, cycles)
            elif shorter is None or (cycles % 2 and not (self._redraws and self._layers())):
                begin = self._opening(trials)
            else:
                begin = shorter
            cycles += 1
            while begin is not None and trials.running:
                found = begin if begin.success else self._anneal(trials, begin)
                if found is None:
                    break
                solution, shorter = self._shortened(trials, found)
                begin = shorter
                self._limit = max(1, len(solution.skeleton) - 1)

    def _first(self, trials: Trials, cycles: int) -> _Circuit | None:
        """Return the start of a cycle while there is no solution, and set the limit."""
        has_layers = self._own_pairs_first and (self._redraws > 0 or cycles == 0)
        layers = self._layers(cycles) if has_layers else None
        if layers is not None and self._skeletons.actions(layers) is None:
            layers = None  # too long for the gate budget
        begin = self._opening(trials, layers)
        more = self._limit + self._bench.catalogue.num_qubits // 2
        self._limit = len(layers) if layers is not None and self._redraws else more
        return begin

    def _anneal(self, trials: Trials, current: _Circuit) -> _Circuit | None:
        """Return the first solution of a cycle, or ``None``."""
        seen: _Seen = {}
        temperature = self._hot
        for _ in range(self._cycle):
            temperature *= self._cooling
            if not trials.running:
                break
            hopeless = self._give_up * max(self._size(current), self._threshold) + self._reference
            if self._redraws and self._rng.random() < self._redraws:
                head, own = self._skeletons.split(current.skeleton, current.params)
                self.origin = "redraw", current.skeleton
                new = self._optimized(trials, current.skeleton, redrawn([head, *own], self._rng), hopeless)
            else:
                new = self._neighbour(trials, current, seen, hopeless)
            if new is None:
                continue
            # Metropolis: a worse circuit is accepted less often the worse it is and the colder it is.
            decades = math.log10(self._size(new) / self._size(current))
            if decades <= 0 or self._rng.random() < math.exp(-decades / temperature):
                current = new
                if current.success:
                    return current
        return None

    def _neighbour(self, trials: Trials, current: _Circuit, seen: _Seen, hopeless: float) -> _Circuit | None:
        """Return the best circuit so far of a mutated skeleton; ``None`` if it is not legal or the same."""
        skeleton, start = self._changed(current, *self._mutations.drawn(len(current.skeleton), self._limit))
        if skeleton == current.skeleton:
            return None
        visits, best = seen.get(skeleton, (0, None))
        if visits < self._visits:
            both = self._optimized(trials, skeleton, start, hopeless), best
            best = min((one for one in both if one is not None), key=self._size, default=None)
            seen[skeleton] = visits + 1, best
        return best

    def _optimized(
        self, trials: Trials, skeleton: Skeleton, start: FloatArray, hopeless: float | None = None
    ) -> _Circuit | None:
        """Optimise and report a skeleton, in two stages if it may be hopeless; ``None`` if it is not legal."""
        actions = self._skeletons.actions(skeleton)
        if actions is None:
            return None
        most, first = self._max_iterations, self._hasty_iterations
        played = self._bench.play_many(
            [actions], [start], max_iterations=most, give_up_above=hopeless, first_iterations=first
        )
        return self._reported(trials, skeleton, actions, played, 0)

    def _reported(
        self, trials: Trials, skeleton: Skeleton, actions: tuple[int, ...], played: Any, number: int
    ) -> _Circuit:
        info = self._bench.show(actions, played, number)
        trials.report(info, is_last=True)
        success = bool(info["success"]) and not self._blind
        circuit = _Circuit(skeleton, played.circuits[number].params, info["energy_error"], success)
        if self._lowest is None or circuit.error < self._lowest.error:
            self._lowest = circuit
        return circuit

    @property
    def _reference(self) -> float:
        """The error from which the others are measured: 0, or a threshold below the lowest of a blind search."""
        return self._lowest.error - self._threshold if self._blind and self._lowest is not None else 0.0

    def _size(self, circuit: _Circuit) -> float:
        """Return the size of an error, or what a blind search has in its place."""
        return max(abs(circuit.error - self._reference), _LEAST_ERROR)

    def _opening(self, trials: Trials, skeleton: Skeleton | None = None) -> _Circuit | None:
        """Return the best of some random skeletons, or of some random angles of the given one."""
        self.origin = "start", ()
        if self._proposal is not None and skeleton is None:
            skeletons = self._proposal.skeletons(self._openings, self._limit)
        else:
            skeletons = [skeleton or self._random_skeleton(self._limit) for _ in range(self._openings)]
        # Redraws start near the product state, where L-BFGS finds the same good minimum.
        spread = _SMALL if self._redraws and skeleton is not None else self._spread
        starts = [spread * self._angles(self._skeletons.num_params(one)) for one in skeletons]
        if any(self._skeletons.actions(one) is None for one in skeletons):
            return None
        return self._best_of(trials, skeletons, starts, self._hasty_iterations)

    def _best_of(
        self, trials: Trials, skeletons: Sequence[Skeleton], starts: Sequence[FloatArray], iterations: int
    ) -> _Circuit | None:
        """Optimise legal skeletons by some iterations, the better quarter to the end; return the best circuit."""
        hasty = sorted(self._in_parts(trials, [*zip(skeletons, starts, strict=True)], iterations), key=self._size)
        best = None
        for promising in hasty[: max(1, len(hasty) // 4)]:
            if not trials.running:
                break
            found = self._optimized(trials, promising.skeleton, promising.params)
            if found is not None and (best is None or self._size(found) < self._size(best)):
                best = found
        return best

    def _scouted(self, trials: Trials) -> _Circuit | None:
        """Return the best of some long skeletons; the search's own draws do not change."""
        usual, self._rng = self._rng, self._scout_rng
        self.origin = "start", ()
        best = self._scouting.best(self._long_skeletons, partial(self._in_parts, trials), self._size)
        self._rng = usual
        return best

    def _long_skeletons(self, number: int) -> list[Skeleton]:
        """Return legal skeletons of scouts."""
        n, repeats = self._bench.catalogue.num_qubits, self._scouting.repeats
        size = math.ceil(LENGTH * n)
        pairs = self._own_pairs() if self._scout_pairs else None
        if pairs is not None:
            return [self._canonical((pairs * size)[:size])] * number
        if self._proposal is not None:
            drawn = self._proposal.long_skeletons(number, LENGTH / repeats)
        else:
            drawn = [self._random_skeleton(math.ceil(size / repeats)) for _ in range(number)]
        if repeats > 1:
            drawn = [self._canonical((list(one) * repeats)[:size]) for one in drawn]
        return [one for one in drawn if self._skeletons.actions(one) is not None]

    def _in_parts(
        self, trials: Trials, begins: Sequence[tuple[Skeleton, FloatArray | None]], iterations: int
    ) -> Iterator[_Circuit]:
        """Optimise legal skeletons, from random angles where none are given; report and yield them."""
        starts = [
            self._spread * self._angles(self._skeletons.num_params(one)) if own is None else own for one, own in begins
        ]
        for first in range(0, len(begins), TOGETHER):
            skeletons = [one for one, _ in begins[first : first + TOGETHER]]
            actions = [self._skeletons.actions(one) or () for one in skeletons]
            played = self._bench.play_many(actions, starts[first : first + TOGETHER], max_iterations=iterations)
            for number, one in enumerate(skeletons):
                if not trials.running:
                    return
                yield self._reported(trials, one, actions[number], played, number)

    def _shortened(self, trials: Trials, solution: _Circuit) -> tuple[_Circuit, _Circuit | None]:
        """Remove blocks while the circuit stays a solution; return it, and the best one with a block fewer."""
        while True:
            best: _Circuit | None = None
            for place in self._rng.permutation(len(solution.skeleton)).tolist():
                if not trials.running:
                    return solution, None
                shorter = self._changed(solution, without(place), "shorten")
                found = self._optimized(trials, *shorter)
                if found is not None and (best is None or self._size(found) < self._size(best)):
                    best = found
                if found is not None and found.success:
                    break
            if best is None or not best.success:
                return solution, best
            solution = best

    def _changed(self, circuit: _Circuit, change: Change, name: str) -> tuple[Skeleton, FloatArray]:
        self.origin = name, circuit.skeleton
        return self._skeletons.changed(circuit.skeleton, circuit.params, change)

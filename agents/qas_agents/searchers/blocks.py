"""Skeletons of blocks: circuits as sequences of pairs of qubits, for searchers whose unit is the block."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qas_agents.searchers.pruning import TOGETHER, Workbench
from qas_agents.searchers.whole_circuits import Trials, WholeCircuitSearcher
from qas_simulators import PauliSum
from qas_simulators.dressings import usual_dressing, usual_row
from qas_simulators.errors import must
from qas_simulators.gates import GATES, gate_index

Block = int
"""Number of a block in :attr:`Skeletons.blocks`."""
Skeleton = tuple[Block, ...]
FloatArray = NDArray[np.float64]

LAYERS: Final = 2  # of the Hamiltonian's pairs, in the first circuit of a model with local interactions
_ENTANGLERS: Final = ("cx", "cz", "ecr")


class Skeletons:
    """The blocks of an environment: its actions if these are blocks, else sequences of its gates.

    A skeleton is a sequence of blocks after a row of one-qubit gates. Its parameters are one vector: first those of
    the initial circuit and the row, then those of each block.

    Args:
        bench: Plays whole circuits of the environment.
        hamiltonian: Decides which rotations are needed.
        entangler: The two-qubit gate of a block; by default the first available one of CX, CZ and ECR.
        dressing: One-qubit gates on both qubits after the entangler, and on every qubit at the start.

    Attributes:
        blocks: The qubits of each block.
        head_size: Number of parameters before the first block.
        block_sizes: Number of parameters of each block.
        two_qubit_gates: Number of two-qubit gates of each block.

    Raises:
        ValueError: The environment's gates do not make blocks.
    """

    def __init__(
        self,
        bench: Workbench,
        hamiltonian: PauliSum,
        entangler: str | None = None,
        dressing: Sequence[str] | None = None,
    ) -> None:
        self._bench, self._keeps_rows = bench, hamiltonian.preparation is not None
        catalogue = bench.catalogue
        first = len(bench.initial_angles)
        self._row: tuple[int, ...] = ()
        if catalogue.has_blocks:
            self._steps: list[tuple[int, ...]] = [(number,) for number in range(catalogue.num_blocks)]
            self.blocks = [action.qubits for action in catalogue.actions[: catalogue.num_blocks]]
        else:
            numbers = {(action.gate, action.qubits): k for k, action in enumerate(catalogue.actions)}
            entangler, turn = _gates_of_blocks({gate for gate, _ in numbers}, hamiltonian, entangler, dressing)
            row = usual_row(turn, {gate for gate, _ in numbers}, hamiltonian)
            self._row = tuple(numbers[gate, (qubit,)] for qubit in range(catalogue.num_qubits) for gate in row)
            ways: dict[tuple[int, ...], tuple[int, ...]] = {}  # the first available direction of each pair
            for action in catalogue.actions:
                if action.gate == entangler:
                    ways.setdefault(tuple(sorted(action.qubits)), action.qubits)
            self.blocks = [ways[pair] for pair in sorted(ways)]
            self._steps = [
                (numbers[entangler, pair], *(numbers[gate, (qubit,)] for qubit in pair for gate in turn))
                for pair in self.blocks
            ]
        self.head_size: int = first + sum(catalogue.num_angles[action] for action in self._row)
        self.block_sizes: list[int] = [sum(catalogue.num_angles[step] for step in steps) for steps in self._steps]
        self.two_qubit_gates = [sum(catalogue.num_two_qubit_gates[step] for step in steps) for steps in self._steps]

    def actions(self, skeleton: Sequence[Block]) -> tuple[int, ...] | None:
        """Return the environment's actions of a skeleton, ready to be played, or ``None`` if they are not legal."""
        return self._bench.checked([*self._row, *chain.from_iterable(self._steps[block] for block in skeleton)])

    def num_params(self, skeleton: Sequence[Block]) -> int:
        """Return the number of parameters of a skeleton."""
        return self.head_size + sum(self.block_sizes[block] for block in skeleton)

    def canonical(self, skeleton: Sequence[Block]) -> list[int]:
        """Return the order of places in which a skeleton is the lexicographically smallest of the same circuit.

        Of equal blocks in a row on the same qubits, only the first is kept; or all where circuits start after a
        preparation, because one entangler does not replace several for every state.
        """
        kept = list(range(len(skeleton)))
        if self._keeps_rows:
            return self._ordered(skeleton, kept)
        while True:
            ordered = self._ordered(skeleton, kept)
            last: dict[int, Block] = {}
            kept = []
            for place in ordered:
                block = skeleton[place]
                if any(last.get(qubit) != block for qubit in self.blocks[block]):
                    kept.append(place)
                last.update(dict.fromkeys(self.blocks[block], block))
            if len(kept) == len(ordered):
                return kept

    def _ordered(self, skeleton: Sequence[Block], places: Sequence[int]) -> list[int]:
        """Return places of a skeleton in the smallest order in which blocks on common qubits keep their order."""
        left, order = list(places), []
        while left:
            touched: set[int] = set()
            best = left[0]
            for place in left:
                qubits = self.blocks[skeleton[place]]
                if touched.isdisjoint(qubits) and skeleton[place] < skeleton[best]:
                    best = place
                touched.update(qubits)
            left.remove(best)
            order.append(best)
        return order

    def split(self, skeleton: Sequence[Block], params: FloatArray) -> tuple[FloatArray, list[FloatArray]]:
        """Return the parameters before the first block, and those of each block."""
        ends = np.cumsum([self.head_size, *(self.block_sizes[block] for block in skeleton)])
        head, *others = np.split(params, ends[:-1])
        return head, others

    def changed(
        self, skeleton: Skeleton, params: FloatArray, change: Callable[[list[Block], list[FloatArray]], object]
    ) -> tuple[Skeleton, FloatArray]:
        """Return a skeleton after a change of its blocks and their angles, in canonical order, and its angles."""
        head, own = self.split(skeleton, params)
        blocks = list(skeleton)
        change(blocks, own)
        order = self.canonical(blocks)
        return tuple(blocks[k] for k in order), np.concatenate([head, *(own[k] for k in order)])


def _gates_of_blocks(
    available: set[str], hamiltonian: PauliSum, entangler: str | None, dressing: Sequence[str] | None
) -> tuple[str, tuple[str, ...]]:
    """Return the entangler and the one-qubit gates of blocks."""
    chosen = entangler or next((name for name in _ENTANGLERS if name in available), "cx")
    turn = (usual_dressing(available, [chosen], hamiltonian) or ()) if dressing is None else tuple(dressing)
    if not turn or not {*turn, chosen} <= available:
        wanted = (*turn, chosen) if turn else ("ry", "rz", chosen)
        raise ValueError(must("gates", f"include {wanted} for blocks", sorted(available)))
    if GATES[gate_index(chosen)].num_qubits != 2:
        raise ValueError(must("entangler", "be a two-qubit gate", chosen))
    if any(GATES[gate_index(gate)].num_qubits != 1 for gate in turn):
        raise ValueError(must("dressing", "hold one-qubit gates", turn))
    return chosen, turn


class BlockSearcher(WholeCircuitSearcher):
    """A searcher over skeletons of blocks.

    Args:
        env: An environment with a ``player`` of whole circuits, possibly under wrappers. Its actions may be blocks or
            single gates; of gates, blocks are made.
        seed: Seeds everything.
        max_iterations: L-BFGS iterations of a circuit.
        entangler: See :class:`Skeletons`.
        dressing: See :class:`Skeletons`.

    Raises:
        TypeError: The environment does not play whole circuits.
        ValueError: ``max_iterations`` below 1, or gates that do not make blocks.
    """

    def __init__(
        self, env: Any, seed: int | None, max_iterations: int, entangler: str | None, dressing: Sequence[str] | None
    ) -> None:
        if max_iterations < 1:
            raise ValueError(must("max_iterations", "be at least 1", max_iterations))
        super().__init__(env, seed)
        self._hamiltonian = getattr(env, "unwrapped", env).problem.hamiltonian
        self._skeletons = Skeletons(self._bench, self._hamiltonian, entangler, dressing)
        if all(self._skeletons.actions((block,)) is None for block in range(len(self._skeletons.blocks))):
            raise ValueError(must("max_gates", "leave room for a block", "too small"))
        self._max_iterations = max_iterations

    def _angles(self, number: int) -> FloatArray:
        """Return random angles, uniform in [-pi, pi)."""
        return self._rng.uniform(-np.pi, np.pi, number)

    def _starts(self, skeleton: Skeleton, number: int) -> list[FloatArray]:
        """Return random angles of a whole skeleton, several times."""
        return [self._angles(self._skeletons.num_params(skeleton)) for _ in range(number)]

    def _own_pairs(self) -> list[Block] | None:
        """Return a block on each pair of the Hamiltonian's terms, or ``None`` unless interactions are local."""
        terms = [
            [q for q, letter in enumerate(reversed(label)) if letter != "I"] for label in self._hamiltonian.terms()
        ]
        pairs = sorted({(own[0], own[1]) for own in terms if len(own) == 2})
        numbers = {tuple(sorted(qubits)): number for number, qubits in reversed([*enumerate(self._skeletons.blocks)])}
        if self._hamiltonian.preparation is not None:
            return None  # terms also act on qubits that circuits do not have
        is_local = all(len(own) <= 2 for own in terms) and len(pairs) < math.comb(self._hamiltonian.num_qubits, 2)
        if not is_local or not pairs or not all(pair in numbers for pair in pairs):
            return None
        return [numbers[pair] for pair in pairs]

    def _layers(self, more: int = 0) -> Skeleton | None:
        """Return two or more layers of blocks on the pairs of local interactions; ``None`` if some are not local."""
        blocks = (self._own_pairs() or []) * (LAYERS + more)
        return tuple(blocks[place] for place in self._skeletons.canonical(blocks)) or None

    def _random_skeleton(self, size: int) -> Skeleton:
        """Return a random skeleton of at most this number of blocks, fewer if the gate budget does not allow more."""
        return self._canonical(self._rng.integers(len(self._skeletons.blocks), size=size).tolist())

    def _canonical(self, blocks: list[Block]) -> Skeleton:
        """Return blocks in canonical order, without the last ones if the gate budget does not allow them."""
        while True:
            skeleton = tuple(blocks[place] for place in self._skeletons.canonical(blocks))
            if self._skeletons.actions(skeleton) is not None or not blocks:
                return skeleton
            blocks.pop()

    def _blocks_of_terms(self) -> list[Block]:
        """Return a block for each pair of qubits on which some term of the Hamiltonian acts, in order.

        Raises:
            ValueError: No term acts on several qubits, or a pair has no block.
        """
        self._hamiltonian.require_no_preparation("pairs: 'terms'")
        terms = self._hamiltonian.terms()
        own = [[q for q, letter in enumerate(reversed(label)) if letter != "I"] for label in terms]
        pairs = sorted({pair for qubits in own for pair in combinations(qubits, 2)})
        numbers = {tuple(sorted(qubits)): number for number, qubits in reversed([*enumerate(self._skeletons.blocks)])}
        if not pairs or any(pair not in numbers for pair in pairs):
            raise ValueError(must("pairs", "be 'all' unless each pair of the Hamiltonian's terms has a block", "terms"))
        return [numbers[pair] for pair in pairs]

    def _played(
        self, trials: Trials, skeletons: Sequence[Skeleton], params: Sequence[FloatArray]
    ) -> Iterator[tuple[int, dict[str, Any], FloatArray]]:
        """Optimise legal skeletons together and report each; yield its number, its info and its angles."""
        actions = [self._skeletons.actions(skeleton) for skeleton in skeletons]
        legal = [(number, own) for number, own in enumerate(actions) if own is not None]
        for first in range(0, len(legal), TOGETHER):
            part = legal[first : first + TOGETHER]
            played = self._bench.play_many(
                [own for _, own in part], [params[number] for number, _ in part], max_iterations=self._max_iterations
            )
            for place, (number, own) in enumerate(part):
                if not trials.running:
                    return
                info = self._bench.show(own, played, place)
                trials.report(info, is_last=True)
                yield number, info, played.circuits[place].params

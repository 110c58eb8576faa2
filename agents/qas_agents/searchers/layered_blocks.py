"""Blocks in a fixed order, with random initial angles: the baseline that every search has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, Final

from qas_agents.searchers.blocks import BlockSearcher
from qas_agents.searchers.whole_circuits import Trials
from qas_simulators.errors import must, unknown_name


def _ladder(num_qubits: int) -> list[tuple[int, int]]:
    """Each qubit with the next one, from the first to the last."""
    return [(qubit, qubit + 1) for qubit in range(num_qubits - 1)]


def _brick(num_qubits: int) -> list[tuple[int, int]]:
    """Even pairs of neighbours, then odd ones."""
    return [(qubit, qubit + 1) for parity in (0, 1) for qubit in range(parity, num_qubits - 1, 2)]


def _zigzag(num_qubits: int) -> list[tuple[int, int]]:
    """Each qubit with the next one, from the first to the last, and back; no pair twice in a row."""
    return [*_ladder(num_qubits), *_ladder(num_qubits)[-2:0:-1]]


def _all(num_qubits: int) -> list[tuple[int, int]]:
    """Every pair, in lexicographic order."""
    return [*combinations(range(num_qubits), 2)]


PATTERNS: Final = {"ladder": _ladder, "brick": _brick, "zigzag": _zigzag, "all": _all}
"""Pairs of one layer by name."""


class LayeredBlocks(BlockSearcher):
    """Layers of blocks on a fixed pattern of pairs, grown by one block at a time.

    Tries ``starts`` sets of random angles with one block of the pattern, then with two, and so on; after the last pair
    the pattern begins again. It starts over with one block when the gate budget is exhausted.

    Args:
        env: An environment with a ``player`` of whole circuits, possibly under wrappers.
        seed: Seeds the angles.
        pattern: ``"ladder"`` (0-1, 1-2, 2-3, ...), ``"brick"`` (even pairs, then odd ones), ``"zigzag"`` (a ladder
            to the last qubit and back) or ``"all"`` pairs.
        starts: Sets of random angles per number of blocks.
        step: Blocks by which the circuit grows; 0 for a whole layer.
        max_iterations: L-BFGS iterations of a circuit.
        entangler: See :class:`~qas_agents.searchers.blocks.Skeletons`.
        dressing: See :class:`~qas_agents.searchers.blocks.Skeletons`.

    Raises:
        TypeError: The environment does not play whole circuits.
        ValueError: An unknown pattern, a number out of range, gates that do not make blocks, or couplings that have
            not all pairs of the pattern.
    """

    def __init__(
        self,
        env: Any,
        seed: int | None = None,
        pattern: str = "ladder",
        starts: int = 5,
        step: int = 1,
        max_iterations: int = 200,
        entangler: str | None = None,
        dressing: Sequence[str] | None = None,
    ) -> None:
        if pattern not in PATTERNS:
            raise ValueError(unknown_name("pattern", pattern, PATTERNS))
        for name, value, least in (("starts", starts, 1), ("step", step, 0)):
            if value < least:
                raise ValueError(must(name, f"be at least {least}", value))
        super().__init__(env, seed, max_iterations, entangler, dressing)
        numbers = {tuple(sorted(qubits)): number for number, qubits in enumerate(self._skeletons.blocks)}
        pairs = PATTERNS[pattern](self._bench.catalogue.num_qubits)
        if missing := [pair for pair in pairs if pair not in numbers]:
            raise ValueError(must("pattern", f"have pairs that have a block, which {missing[0]} has not", pattern))
        self._layer = [numbers[pair] for pair in pairs]
        self._starts_each, self._step = starts, step or len(self._layer)

    def _search(self, trials: Trials) -> None:
        size = self._step
        while trials.running:
            blocks = [self._layer[k % len(self._layer)] for k in range(size)]
            skeleton = tuple(blocks[place] for place in self._skeletons.canonical(blocks))
            if self._skeletons.actions(skeleton) is None:
                if size == self._step:
                    raise ValueError(must("step", "be a number of blocks that the gate budget allows", self._step))
                size = self._step
                continue
            number = self._starts_each
            for _ in self._played(trials, [skeleton] * number, self._starts(skeleton, number)):
                pass
            size += self._step

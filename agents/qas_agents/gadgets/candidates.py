"""Candidates for gadgets: connected sub-circuits that recur up to qubits and angles."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import permutations

from qas_agents.gadgets.programs import (
    SYMMETRIC,
    Call,
    CallSequence,
    Dependencies,
    Vocabulary,
    made,
    members,
    normal_form,
)
from qas_simulators import Circuit
from qas_simulators.gates import GATE_INDEX, GATES, gate_index

Pattern = tuple[Call, ...]
"""Calls on formal qubits 0, 1, ... in normal form."""

_GENERIC = 0.618  # k-th angle: (k + 1) times this; no two of them add up to a multiple of 2 pi


class CandidateFinder:
    """Finds the connected, convex sub-circuits of call sequences and assigns equal ones the same pattern.

    Sub-circuits are equal if they differ only in angles, qubits and the order of commuting gates. They are convex if no
    other gate has to come between their gates. Patterns that simplify to fewer of the given gates are left out.

    Args:
        vocabulary: The gates and gadgets of the call sequences.
        max_calls: Largest number of gates and gadgets in a candidate, at least 2.
        max_qubits: Largest number of qubits of a candidate.
        gates: Gates that simplified patterns may use; by default all.
        of_blocks: Whether gadgets of the vocabulary are blocks or sequences of blocks. Of a pattern with one of them,
            only two-qubit gates count: the one-qubit gates of two blocks may be redundant.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        max_calls: int = 4,
        max_qubits: int = 2,
        gates: Collection[str] = tuple(GATE_INDEX),
        of_blocks: bool = False,
    ) -> None:
        self._vocabulary = vocabulary
        self._gates, self._of_blocks = frozenset(gates), of_blocks
        self._max_calls, self._max_qubits = max_calls, max_qubits
        self._patterns: dict[tuple[Call, ...], tuple[Pattern, tuple[int, ...]]] = {}
        self._trivial: dict[Pattern, bool] = {}

    def find(self, program: CallSequence) -> tuple[Dependencies, dict[Pattern, list[int]]]:
        """Return the occurrences of each pattern: sets of calls, as bits."""
        dependencies = Dependencies(program, self._vocabulary)
        found: dict[Pattern, list[int]] = {}
        for bits in self._subsets(dependencies):
            pattern, _ = self.pattern([dependencies.calls[k] for k in members(bits)])
            if not self.is_trivial(pattern):
                found.setdefault(pattern, []).append(bits)
        return dependencies, found

    def pattern(self, calls: Sequence[Call]) -> tuple[Pattern, tuple[int, ...]]:
        """Return the pattern of some calls, and the qubit of each formal qubit."""
        qubits = tuple(dict.fromkeys(qubit for call in calls for qubit in call.qubits))
        numbers = {qubit: k for k, qubit in enumerate(qubits)}
        raw = tuple(made(call.name, (numbers[qubit] for qubit in call.qubits)) for call in calls)
        if raw not in self._patterns:
            self._patterns[raw] = min(
                (normal_form([made(c.name, (order[q] for q in c.qubits)) for c in raw], self._vocabulary), order)
                for order in permutations(range(len(qubits)))
            )
        pattern, order = self._patterns[raw]
        return pattern, tuple(qubits[order.index(k)] for k in range(len(qubits)))

    @staticmethod
    def is_connected(pattern: Pattern) -> bool:
        """Return whether two-qubit calls connect all qubits of a pattern."""
        reached = {*pattern[0].qubits}
        for _ in pattern:
            reached |= {q for call in pattern if not reached.isdisjoint(call.qubits) for q in call.qubits}
        return reached == {q for call in pattern for q in call.qubits}

    def matches(self, dependencies: Dependencies, pattern: Pattern) -> list[int]:
        """Return the occurrences of one pattern of any size."""
        found: set[int] = set()
        order = _connected(pattern)
        relations = [self._relations(pattern, order[:k], order[k]) for k in range(len(order))]

        def extend(chosen: list[int], places: dict[int, int]) -> None:
            k, bits = len(chosen), sum(1 << j for j in chosen)
            if dependencies.between(bits).bit_count() > len(pattern) - k:
                return  # more calls have to come between than are left in the pattern
            if k == len(pattern):
                if self._is_at(dependencies, bits, pattern):
                    found.add(bits)
                return
            call = pattern[order[k]]
            candidates = dependencies.named.get(call.name, 0) & ~bits
            for formal in call.qubits:
                candidates &= dependencies.on[places[formal]] if formal in places else dependencies.everything
            for j, relation in zip(chosen, relations[k], strict=True):
                if relation:
                    candidates &= dependencies.after[j] if relation > 0 else dependencies.before[j]
            for j in members(candidates):
                for qubits in _orders(dependencies.calls[j]):
                    bound = dict(places)
                    is_same = all(
                        bound.setdefault(formal, qubit) == qubit
                        for formal, qubit in zip(call.qubits, qubits, strict=True)
                    )
                    if is_same and len({*bound.values()}) == len(bound):
                        extend([*chosen, j], bound)

        extend([], {})
        return sorted(found)

    def _relations(self, pattern: Pattern, chosen: Sequence[int], k: int) -> list[int]:
        """Return whether call ``k`` of a pattern comes after each chosen one, 1, before it, -1, or either, 0."""
        return [0 if self._vocabulary.commute(pattern[i], pattern[k]) else (1 if i < k else -1) for i in chosen]

    def _is_at(self, dependencies: Dependencies, bits: int, pattern: Pattern) -> bool:
        return self.pattern([dependencies.calls[j] for j in members(bits)])[0] == pattern

    def _subsets(self, dependencies: Dependencies) -> set[int]:
        """Return all connected, convex sets of 2 to ``max_calls`` calls that grow call by call."""
        found: set[int] = set()
        grown = {1 << k for k in range(len(dependencies.calls))}
        for _ in range(self._max_calls - 1):
            larger: set[int] = set()
            for bits in grown:
                near = 0
                for k in members(bits):
                    near |= dependencies.neighbours[k]
                larger |= {bits | 1 << k for k in members(near & ~bits)}
            grown = {bits for bits in larger if self._is_small(dependencies, bits) and not dependencies.between(bits)}
            found |= grown
        return found

    def _is_small(self, dependencies: Dependencies, bits: int) -> bool:
        return len({q for k in members(bits) for q in dependencies.calls[k].qubits}) <= self._max_qubits

    def is_trivial(self, pattern: Pattern) -> bool:
        """Return whether a pattern simplifies to fewer gates."""
        if pattern not in self._trivial:
            gates = [gate for call in pattern for gate in self._vocabulary.unrolled(call)]
            circuit = Circuit(1 + max(qubit for gate in gates for qubit in gate.qubits))
            for k, (name, qubits) in enumerate(gates):
                circuit.append(name, qubits, _GENERIC * (k + 1) if GATES[gate_index(name)].num_params else None)
            shorter = circuit.simplified()
            is_shorter = len(shorter) < len(gates)
            if self._of_blocks and any(call.name in self._vocabulary.gadgets for call in pattern):
                is_shorter = shorter.num_two_qubit_gates < circuit.num_two_qubit_gates
            self._trivial[pattern] = is_shorter and {*shorter.count_ops()} <= self._gates
        return self._trivial[pattern]


def _connected(pattern: Pattern) -> list[int]:
    """Return the numbers of a pattern's calls, each next one on qubits of those before wherever possible."""
    left, order = list(range(len(pattern))), list[int]()
    qubits: set[int] = set()
    while left:
        best = max(left, key=lambda k: (len(qubits.intersection(pattern[k].qubits)), len(pattern[k].qubits), -k))
        left.remove(best)
        order.append(best)
        qubits.update(pattern[best].qubits)
    return order


def _orders(call: Call) -> list[tuple[int, ...]]:
    """Return the equivalent orders of a call's qubits."""
    return [call.qubits, call.qubits[::-1]] if call.name in SYMMETRIC else [call.qubits]

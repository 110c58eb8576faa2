"""Extraction of the gadgets that compress a set of circuits best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from qas_agents.gadgets.candidates import CandidateFinder, Pattern
from qas_agents.gadgets.grammar import Candidate, Production, ScoreSettings, Text, score
from qas_agents.gadgets.library import equivalent, gadget_of, name_of
from qas_agents.gadgets.programs import Call, CallSequence, Dependencies, Vocabulary, members
from qas_simulators import Circuit, Gadget
from qas_simulators.errors import must, unknown_name
from qas_simulators.gates import GATES, gate_index

RANKS: Final = ("score", "usage")


@dataclass(frozen=True)
class Extraction:
    """Result of an extraction.

    Attributes:
        gadgets: New gadgets, best first.
        uses: Occurrences of each gadget in the circuits, including those inside other gadgets.
        scores: Score of the grammar initially, and after each accepted gadget.
        programs: The circuits in terms of all accepted gadgets.
    """

    gadgets: tuple[Gadget, ...]
    uses: tuple[int, ...]
    scores: tuple[float, ...]
    programs: tuple[CallSequence, ...]


def extract(
    circuits: Sequence[Circuit],
    count: int = 3,
    *,
    known: Iterable[Gadget] = (),
    blocks: Iterable[Gadget] = (),
    rank: str = "score",
    max_calls: int = 4,
    max_qubits: int = 2,
    min_circuits: int = 2,
    settings: ScoreSettings | None = None,
) -> Extraction:
    """Compress circuits into recurring gadgets, each time the one with the best score.

    Candidates are connected, convex sub-circuits, compared up to qubits, angles and the order of commuting gates.
    Accepted gadgets may be parts of later ones. Extraction ends when no candidate improves the description length.

    Args:
        circuits: At least one; all angles count as free parameters.
        count: Largest number of gadgets to return.
        known: Existing gadgets, in terms of which the circuits are rewritten first; they are not returned.
        blocks: Gadgets that the circuits were built of; the circuits are rewritten in terms of them after ``known``.
            They are not returned, and the redundant one-qubit gates of two of them rule no candidate out.
        rank: ``"score"`` stops after ``count`` gadgets; ``"usage"`` continues until no candidate
            improves the score and returns the most used gadgets.
        max_calls: Largest number of gates and earlier gadgets in a new gadget.
        max_qubits: Largest number of qubits of a gadget.
        min_circuits: Smallest number of circuits that a gadget occurs in.
        settings: Settings of the score; by default those of GRL.

    Returns:
        The gadgets, possibly none.

    Raises:
        ValueError: No circuits, an empty one among them, or settings out of range.

    References:
        Kundu et al., "From Easy to Hard", arXiv:2503.11638. Deviations: candidates are sub-circuits up to commutation,
        not terms in the order of the gates; of overlapping occurrences only disjoint ones are counted.
    """
    if not len(circuits):
        raise ValueError(must("circuits", "contain at least one circuit", list(circuits)))
    if any(not len(circuit) for circuit in circuits):
        raise ValueError(must("circuits", "all contain gates", [len(circuit) for circuit in circuits]))
    check_limits(rank, count=count, max_calls=max_calls, max_qubits=max_qubits, min_circuits=min_circuits)
    limits = CandidateLimits(max_calls, max_qubits, min_circuits)
    state = _Induction(circuits, list(known), list(blocks), limits, settings or ScoreSettings())
    while (rank == "usage" or len(state.new) < count) and state.accept_best():
        pass
    uses = state.uses()
    chosen = sorted(state.new, key=lambda name: -uses[name]) if rank == "usage" else state.new
    names = chosen[:count]
    return Extraction(
        tuple(state.vocabulary.gadgets[name] for name in names),
        tuple(uses[name] for name in names),
        tuple(state.scores),
        tuple(state.programs),
    )


def check_limits(rank: str, **sizes: int) -> None:
    """Raise ``ValueError`` if settings of :func:`extract` are out of range."""
    if rank not in RANKS:
        raise ValueError(unknown_name("rank", rank, RANKS))
    for name, size in sizes.items():
        least = 2 if name == "max_calls" else 1
        if size < least:
            raise ValueError(must(name, f"be at least {least}", size))


@dataclass(frozen=True)
class CandidateLimits:
    """Limits of candidates; see :func:`extract`."""

    max_calls: int
    max_qubits: int
    min_circuits: int


class _Induction:
    """A growing grammar, and the circuits in terms of it."""

    def __init__(
        self,
        circuits: Sequence[Circuit],
        known: list[Gadget],
        blocks: list[Gadget],
        limits: CandidateLimits,
        settings: ScoreSettings,
    ) -> None:
        self.vocabulary = Vocabulary([*known, *blocks])
        self.new: list[str] = []
        self._limits, self._settings = limits, settings
        self.programs = [CallSequence.of(circuit).normal(self.vocabulary) for circuit in circuits]
        gates = sorted({call.name for program in self.programs for call in program.calls})
        self._productions = {name: _of_gate(name) for name in gates}
        self._finder = CandidateFinder(self.vocabulary, limits.max_calls, limits.max_qubits, gates, len(blocks) > 0)
        for some in (known, blocks):
            for gadget in sorted(some, key=lambda gadget: -gadget.num_gates):
                self._write_with(gadget)
        self._found: list[tuple[Dependencies, dict[Pattern, list[int]]] | None] = [None] * len(circuits)
        self.scores = [score(self._texts(), self._productions, None, settings)]

    def accept_best(self) -> bool:
        """Accept the candidate with the best score if it improves the score; return whether it does."""
        texts = self._texts()
        sites = self._sites()
        best: tuple[float, Pattern] | None = None
        for pattern in sorted(sites, key=lambda calls: (len(calls), calls)):
            value = score(texts, self._productions, self._candidate(pattern, sites[pattern]), self._settings)
            if best is None or value > best[0] + 1e-9:
                best = value, pattern
        if best is None or best[0] <= self.scores[-1]:
            return False
        value, pattern = best
        gadget = gadget_of(pattern, self.vocabulary, name_of(pattern, self.vocabulary))
        self.vocabulary.add(gadget)
        self._productions[gadget.name] = self._production(pattern, is_accepted=True)
        for k, places in sites[pattern].items():
            self._rewrite(k, gadget.name, places)
        self.scores.append(value)
        if not any(equivalent(gadget, self.vocabulary.gadgets[name]) for name in self._others(gadget.name)):
            self.new.append(gadget.name)
        return True

    def uses(self) -> Counter[str]:
        """Return the number of occurrences of every gadget, including those inside others."""
        total: Counter[str] = Counter()
        for program in self.programs:
            for call in program.calls:
                if call.name in self.vocabulary.gadgets:
                    _count(self.vocabulary.gadgets[call.name], total)
        return total

    def _others(self, name: str) -> list[str]:
        return [other for other in self.vocabulary.gadgets if other != name]

    def _texts(self) -> list[Text]:
        return [
            Text(p.num_qubits, Counter(c.name for c in p.calls), sum(map(self.vocabulary.num_angles, _names(p))))
            for p in self.programs
        ]

    def _sites(self) -> dict[Pattern, dict[int, list[int]]]:
        """Return the disjoint occurrences, by circuit, of every pattern that occurs in enough circuits."""
        places: dict[Pattern, dict[int, list[int]]] = {}
        for k, program in enumerate(self.programs):
            if self._found[k] is None:
                self._found[k] = self._finder.find(program)
            _, found = self._found[k]  # type: ignore[misc]
            for pattern, occurrences in found.items():
                places.setdefault(pattern, {})[k] = occurrences
        return {
            pattern: {k: self._dependencies(k).disjoint(some) for k, some in by_program.items()}
            for pattern, by_program in places.items()
            if len(by_program) >= self._limits.min_circuits
        }

    def _dependencies(self, k: int) -> Dependencies:
        found = self._found[k]
        assert found is not None
        return found[0]

    def _candidate(self, pattern: Pattern, sites: dict[int, list[int]]) -> Candidate:
        counts = {k: len(some) for k, some in sites.items()}
        return Candidate(self._production(pattern), Counter(call.name for call in pattern), counts)

    def _production(self, pattern: Pattern, is_accepted: bool = False) -> Production:
        parts = [self._productions[call.name] for call in pattern]
        return Production.of_parts(parts, len({q for call in pattern for q in call.qubits}), is_accepted)

    def _rewrite(self, k: int, name: str, occurrences: Sequence[int]) -> None:
        dependencies = self._dependencies(k)
        calls = {}
        for bits in occurrences:
            _, qubits = self._finder.pattern([dependencies.calls[j] for j in members(bits)])
            calls[bits] = Call(name, qubits)
        program = CallSequence(self.programs[k].num_qubits, tuple(dependencies.rewritten(calls)))
        self.programs[k], self._found[k] = program.normal(self.vocabulary), None

    def _write_with(self, gadget: Gadget) -> None:
        """Rewrite all circuits in terms of a known gadget."""
        gates = self.vocabulary.unrolled(Call(gadget.name, tuple(range(gadget.num_qubits))))
        pattern, order = self._finder.pattern(gates)
        self._productions[gadget.name] = Production.of_parts(
            [_of_gate(call.name) for call in pattern], gadget.num_qubits, is_accepted=True
        )
        for k, program in enumerate(self.programs):
            dependencies = Dependencies(program, self.vocabulary)
            calls = {}
            for bits in dependencies.disjoint(self._finder.matches(dependencies, pattern)):
                _, qubits = self._finder.pattern([dependencies.calls[j] for j in members(bits)])
                calls[bits] = Call(gadget.name, tuple(qubits[order.index(q)] for q in range(len(qubits))))
            if calls:
                rewritten = CallSequence(program.num_qubits, tuple(dependencies.rewritten(calls)))
                self.programs[k] = rewritten.normal(self.vocabulary)


def _names(program: CallSequence) -> list[str]:
    return [call.name for call in program.calls]


def _of_gate(name: str) -> Production:
    gate = GATES[gate_index(name)]
    return Production(gate.num_qubits, gate.num_params, 1.0)


def _count(gadget: Gadget, total: Counter[str]) -> None:
    total[gadget.name] += 1
    for part in gadget.parts:
        if isinstance(part.what, Gadget):
            _count(part.what, total)

"""Description length: how much shorter circuits become in terms of a gadget.

The score is that of a fragment grammar, as in GRL's extraction (arXiv:2503.11638; the grammars are those of
O'Donnell, "Productivity and Reuse in Language", MIT Press 2015). A circuit is a chain of calls. Each call is
drawn from the productions, the end of the chain from the variables; every qubit is drawn from the register, every angle
from those of the circuit. Where a candidate occurs, both readings (one call, or its parts) are summed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from qas_simulators.errors import must

_END = ""  # the variable at the end of every circuit


@dataclass(frozen=True)
class ScoreSettings:
    """Settings of the score.

    Attributes:
        structure_penalty: Penalty per unit of a production's size.
        pseudo_counts: Added to the number of uses of every production.
        production_penalty: Penalty per production.

    Raises:
        ValueError: Pseudo-counts that are not positive, or a negative penalty.
    """

    structure_penalty: float = 1.0
    pseudo_counts: float = 10.0
    production_penalty: float = 1.0

    def __post_init__(self) -> None:
        if not self.pseudo_counts > 0:
            raise ValueError(must("pseudo_counts", "be positive", self.pseudo_counts))
        for name in ("structure_penalty", "production_penalty"):
            if not getattr(self, name) >= 0:
                raise ValueError(must(name, "not be negative", getattr(self, name)))


class Production(NamedTuple):
    """A gate or gadget of a grammar.

    Attributes:
        num_qubits: Qubits of a call.
        num_angles: Angles of a call.
        size: 1 per part, and 0.1 per use of a qubit or angle (0.01 in a candidate).
    """

    num_qubits: int
    num_angles: int
    size: float

    @classmethod
    def of_parts(cls, parts: Sequence[Production], num_qubits: int, is_accepted: bool) -> Production:
        """Return the production of several calls on ``num_qubits`` different qubits; all angles are different."""
        num_angles = sum(part.num_angles for part in parts)
        uses = sum(part.num_qubits for part in parts) + num_angles
        return cls(num_qubits, num_angles, len(parts) + (0.1 if is_accepted else 0.01) * uses)


class Text(NamedTuple):
    """The part of a circuit that the score depends on.

    Attributes:
        num_qubits: Size of the register.
        counts: Number of calls by name, including those in occurrences of candidates.
        num_angles: Number of angles of all calls.
        log_likelihood: A constant of the circuit, such as minus its energy in GRL.
    """

    num_qubits: int
    counts: Counter[str]
    num_angles: int
    log_likelihood: float = 0.0


class Candidate(NamedTuple):
    """A production that has not been accepted.

    Attributes:
        production: Its production.
        parts: Number of its calls by name.
        sites: Number of disjoint occurrences in every text.
    """

    production: Production
    parts: Counter[str]
    sites: Mapping[int, int]


class _Group(NamedTuple):
    """All circuits on registers of one size."""

    num_circuits: int
    outside: Counter[str]
    sites: int


class _Account:
    """Sums over the readings of all circuits."""

    def __init__(self) -> None:
        self.log_likelihood = 0.0
        self.uses: Counter[str] = Counter()
        self.variables = 0.0
        self.nodes = 0.0  # places where a call or the end was drawn
        self.arguments = 0.0  # places where a qubit or an angle was drawn


def score(
    texts: Sequence[Text],
    productions: Mapping[str, Production],
    candidate: Candidate | None = None,
    settings: ScoreSettings = ScoreSettings(),
) -> float:
    """Return the score of the productions, and of a candidate if there is one; larger is better.

    The weights follow from the expected uses under equal weights, in one pass, as in the reference.
    """
    known = dict(productions)
    name = "candidate"
    while name in known:
        name += "_"
    if candidate is not None:
        known[name] = candidate.production
    groups = _groups(texts, candidate)
    first = _account(groups, known, name, candidate, dict.fromkeys([*known, _END], 0.0))
    counts, possible = settings.pseudo_counts, first.nodes + settings.pseudo_counts
    weights = {key: math.log((first.uses[key] + counts) / possible) for key in known}
    weights[_END] = math.log((first.variables + counts) / max(first.nodes + first.arguments, 1.0))
    account = _account(groups, known, name, candidate, weights)
    total = account.log_likelihood - sum(t.num_angles * math.log(t.num_angles) for t in texts if t.num_angles)
    sizes = sum(production.size for production in known.values())
    total += sum(text.log_likelihood for text in texts)
    return total - settings.production_penalty * len(known) - settings.structure_penalty * sizes


def _groups(texts: Iterable[Text], candidate: Candidate | None) -> dict[int, _Group]:
    groups: dict[int, _Group] = {}
    for k, text in enumerate(texts):
        number, outside, sites = groups.get(text.num_qubits, _Group(0, Counter(), 0))
        outside.update(text.counts)
        here = candidate.sites.get(k, 0) if candidate is not None else 0
        groups[text.num_qubits] = _Group(number + 1, outside, sites + here)
    if candidate is not None:
        for group in groups.values():
            for part, count in candidate.parts.items():
                group.outside[part] -= count * group.sites
    return groups


def _account(
    groups: Mapping[int, _Group],
    productions: Mapping[str, Production],
    name: str,
    candidate: Candidate | None,
    weights: Mapping[str, float],
) -> _Account:
    top = max(weights.values())
    norm = top + math.log(sum(math.exp(weight - top) for weight in weights.values()))
    total = _Account()
    for num_qubits, (number, outside, sites) in groups.items():
        choice = math.log(num_qubits)
        cost = {key: weights[key] - norm - production.num_qubits * choice for key, production in productions.items()}

        def add(calls: Mapping[str, int], share: float) -> None:
            for key, count in calls.items():
                production = productions[key]
                total.uses[key] += count * share  # type: ignore[assignment]
                total.nodes += count * share
                total.arguments += count * share * (production.num_qubits + production.num_angles)

        add(outside, 1.0)
        total.nodes += number
        total.variables += number
        total.log_likelihood += sum(count * cost[key] for key, count in outside.items())
        total.log_likelihood += number * (weights[_END] - norm)
        if candidate is not None and sites:
            as_one = cost[name]
            as_parts = sum(count * cost[part] for part, count in candidate.parts.items())
            larger = max(as_one, as_parts)
            either = larger + math.log(math.exp(as_one - larger) + math.exp(as_parts - larger))
            total.log_likelihood += sites * either
            share = math.exp(as_one - either)
            add({name: sites}, share)
            add({part: count * sites for part, count in candidate.parts.items()}, 1.0 - share)
    total.variables += total.arguments
    return total

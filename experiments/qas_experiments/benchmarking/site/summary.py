"""The summary on top of the page: for every instance the fewest CNOTs, beside floors, ADAPT and published results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import eq, lt
from typing import Any, NamedTuple

from qas_envs.energy_errors import error_text
from qas_experiments.benchmarking.published import Published
from qas_experiments.benchmarking.records import Record
from qas_experiments.benchmarking.shorter import Counts

Labels = dict[tuple[str, str], str]
"""The label of an instance by suite and name."""


def labels_of(records: Iterable[Record]) -> Labels:
    """Return a label for every instance of a suite.

    Instances of different suites have the same label if their names, exact energies, gates and couplings agree. If only
    the names agree, the suites are part of the labels.
    """
    groups: dict[str, dict[tuple[Any, ...], dict[str, None]]] = {}
    for record in records:
        env = record.settings["env"]
        key = (round(record.figures["ground_energy"], 6), str(env.get("gates")), str(env.get("couplings")))
        groups.setdefault(record.instance, {}).setdefault(key, {})[record.suite] = None
    labels: Labels = {}
    for instance, variants in groups.items():
        for suites in variants.values():
            label = instance if len(variants) == 1 else f"{instance} ({', '.join(suites)})"
            # of two variants in one suite, which only settings by hand can make, the first one counts
            labels = {(suite, instance): label for suite in suites} | labels
    return labels


class Solution(NamedTuple):
    """A circuit below the accuracy: its two-qubit gates and error, and where it stands."""

    gates: int
    error: float
    record: Record
    circuit: str


_REFERENCES = ("floors", "block_floors", "adapt")


def summary_of(
    label: str,
    records: Sequence[Record],
    counts: Mapping[str, Counts],
    reference: Mapping[str, Any] | None,
    papers: Sequence[Published],
) -> dict[str, Any]:
    """Return the row of an instance.

    ``cnot`` is the smallest number of two-qubit gates of any circuit below the accuracy, ``transpiled`` the smallest
    one after Qiskit's transpiler. Floors, qubit-ADAPT and published results are their fewest below the accuracy;
    ``floors_end`` and the like are the most gates that were tried. If all published results leave out CNOTs, their
    fewest are ``partial`` instead of ``published``.

    Args:
        label: Label of the instance.
        records: Its records.
        counts: Counts of simplified circuits, by hash of the record.
        reference: Its references, as of :func:`~qas_experiments.benchmarking.references.reference_of`.
        papers: Published results of the instance.
    """
    accuracy = records[0].figures["accuracy"]
    solutions = [
        Solution(circuit["two_qubit_gates"], circuit["energy_error"], record, name)
        for record in records
        for name, circuit in record.circuits.items()
        if circuit["energy_error"] < accuracy
    ]
    row: dict[str, Any] = {
        "instance": label,
        "suites": list(dict.fromkeys(record.suite for record in records)),
        "qubits": _num_qubits(records[0]),
        "accuracy": accuracy,
        "unit": records[0].figures["unit"],
        "agents": len({record.agent for record in records}),
        "solved_by": len({one.record.agent for one in solutions}),
        "cnot": None,
        "transpiled": _fewest_transpiled(solutions, counts),
    }
    if solutions:
        best = min(solutions, key=lambda found: found[:2])
        finders = [one.record.agent for one in solutions if one.gates == best.gates]
        row |= {"cnot": best.gates, "error": error_text(best.error, 1)}
        row |= {"hash": best.record.hash, "circuit": best.circuit}
        row["finders"] = sorted(set(finders), key=lambda agent: (-finders.count(agent), agent))
    reference = reference or {}
    row |= _references(reference, accuracy)
    known = [paper for paper in papers if paper.cnot is not None and paper.error < accuracy]
    row |= {"published": None, "partial": None}
    if known:
        paper = min(known, key=lambda one: (one.is_partial, one.cnot, one.error))
        row["partial" if paper.is_partial else "published"] = paper.cnot
        row |= {"paper": f"{paper.method}, {paper.source}", "caveat": paper.caveat}
    # Published figures with CNOTs are rare, and what readers look for first.
    kinds = sum(bool(reference.get(key)) for key in _REFERENCES) + 3 * bool(known)
    row["interest"] = [kinds, row["agents"], row["qubits"]]
    return row


def _fewest_transpiled(solutions: Sequence[Solution], counts: Mapping[str, Counts]) -> int | None:
    """Return the fewest two-qubit gates of a solution after Qiskit's transpiler, of those that were counted."""
    known = (counts[one.record.hash][one.circuit] for one in solutions if one.record.hash in counts)
    return min((one["transpiled"]["two_qubit_gates"] for one in known), default=None)


def _references(reference: Mapping[str, Any], accuracy: float) -> dict[str, int | None]:
    """Return the fewest gates below the accuracy, and the most gates that were tried, of each reference."""
    found: dict[str, int | None] = {}
    for key in _REFERENCES:
        path = reference.get(key, ())
        found[key] = min((int(gates) for gates, error in path if error < accuracy), default=None)
        found[f"{key}_end"] = max((int(gates) for gates, _ in path), default=None)
    return found


def _num_qubits(record: Record) -> int:
    """Return the size of the registers of a record's circuits, as their OpenQASM declares it."""
    text = next(iter(record.circuits.values()))["qasm"]
    return int(text.split("qubit[", 1)[1].split("]", 1)[0])


def headlines(rows: Sequence[Mapping[str, Any]], records: Mapping[str, Sequence[Record]]) -> list[str]:
    """Return sentences on top of the summary.

    Args:
        rows: Rows of :func:`summary_of`.
        records: Records of the same instances by label.
    """
    solved = [row for row in rows if row["cnot"] is not None]
    told = [f"{len(solved)} of {len(rows)} instances without noise are solved by at least one agent."]
    wins = Counter(agent for row in solved for agent in row["finders"])
    if wins:
        first, number = max(wins.items(), key=lambda item: (item[1], item[0]))
        played = sum(any(record.agent == first for record in some) for some in records.values())
        told.append(f"{first} has the fewest CNOTs, alone or with others, on {number} of the {played} that it played.")
    floored = [row for row in solved if row["floors"] is not None]
    if floored:
        reached = sum(row["cnot"] <= row["floors"] for row in floored)
        told.append(f"Exhaustive search knows a floor for {len(floored)} of them; {reached} best circuits reach it.")
    for key, name in (
        ("adapt", "qubit-ADAPT"),
        ("published", "the shortest published circuit whose CNOTs are all counted"),
    ):
        known = [row for row in solved if row[key] is not None]
        if known:
            fewer, equal = (sum(compare(row["cnot"], row[key]) for row in known) for compare in (lt, eq))
            ties = f", as many on {equal}" if equal else ""
            told.append(f"Compared with {name}: fewer CNOTs on {fewer} of {len(known)} instances{ties}.")
    return told

"""The rows of the page's tables and the points of its plot, as data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from qas_experiments.benchmarking.records import Record, by_agent
from qas_experiments.benchmarking.shorter import Counts
from qas_experiments.benchmarking.site.summary import Labels
from qas_experiments.benchmarking.tables import (
    CLOCK,
    SHORTER,
    is_ended_by_clock,
    is_solution,
    marked,
    num_ended_by_clock,
    row_of,
    shorter_cnots,
)
from qas_experiments.statistics import iqm

_SEEDS = re.compile(r"'seeds=\[\d+\]'")


def board_of(records: Sequence[Record], counts: Mapping[str, Counts], labels: Labels) -> list[dict[str, Any]]:
    """Return a row for every agent on every instance of a suite, with numbers for sorting and texts for display."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record.suite, record.instance), []).append(record)
    named = [(*key, agent, some) for key, of_key in groups.items() for agent, some in by_agent(of_key).items()]
    return [
        {
            "suite": suite,
            "instance": instance,
            "place": labels[suite, instance],
            "agent": some[0].agent,
            "name": marked(agent, num_ended_by_clock(some)),
            "command": common_command(some),
            **_figures(some),
            **{name: shorter_cnots(some, counts, name) for name in SHORTER},
            **{f"{name}_value": _mean(_shorter(some, counts, name)) for name in SHORTER},
        }
        for suite, instance, agent, some in named
    ]


def _figures(records: Sequence[Record]) -> dict[str, Any]:
    """Return numbers and texts of one agent on one instance."""
    solved, error, cnot, depth, first, frozen, frozen_cnot, _ = row_of(records)
    best = [record.circuits["best"] for record in records if is_solution(record, "best")]
    of_policy = [record.circuits["frozen"] for record in records if is_solution(record, "frozen")]
    evaluations = [record.figures["first_solved"][0] for record in records if record.figures["first_solved"]]
    return {
        "runs": len(records),
        "share": len(best) / len(records),
        "solved": solved,
        "error": float(iqm([record.circuits["best"]["energy_error"] for record in records])),
        "error_text": error,
        "cnot": _mean([circuit["two_qubit_gates"] for circuit in best]),
        "cnot_text": cnot,
        "depth": _mean([circuit["depth"] for circuit in best]),
        "depth_text": depth,
        "first": _mean(evaluations),
        "first_text": first,
        "frozen_share": len(of_policy) / len(records),
        "frozen": frozen,
        "frozen_cnot": _mean([circuit["two_qubit_gates"] for circuit in of_policy]),
        "frozen_cnot_text": frozen_cnot,
    }


def common_command(records: Sequence[Record]) -> str:
    """Return the command that reproduces records of one agent on one instance, with all of their seeds.

    Commands that differ in more than the seed are on lines of their own.
    """
    groups: dict[str, list[int]] = {}
    for record in records:
        groups.setdefault(_SEEDS.sub("'seeds=[]'", record.command), []).append(record.seed)
    return "\n".join(
        text.replace("'seeds=[]'", f"'seeds=[{','.join(map(str, sorted(set(seeds))))}]'")
        for text, seeds in groups.items()
    )


def _shorter(records: Sequence[Record], counts: Mapping[str, Counts], name: str) -> list[int]:
    known = [counts[record.hash] for record in records if is_solution(record, "best") and counts.get(record.hash)]
    return [each["best"][name]["two_qubit_gates"] for each in known]


def _mean(values: Sequence[float]) -> float | None:
    return float(iqm(values)) if len(values) else None


def records_of(records: Sequence[Record], counts: Mapping[str, Counts], labels: Labels) -> list[dict[str, Any]]:
    """Return a row for every record."""
    rows = []
    for record in records:
        best = record.circuits["best"]
        shorter = counts.get(record.hash, {}).get("best")
        rows.append(
            {
                "hash": record.hash,
                "suite": record.suite,
                "instance": record.instance,
                "place": labels[record.suite, record.instance],
                "agent": record.agent,
                "seed": record.seed,
                "solved": is_solution(record, "best"),
                "error": best["energy_error"],
                "cnot": best["two_qubit_gates"],
                **{name: shorter and shorter[name]["two_qubit_gates"] for name in SHORTER},
                "gates": best["gates"],
                "depth": best["depth"],
                "evaluations": record.figures["evaluations"],
                "seconds": round(record.figures["seconds"], 2),
                "clock": CLOCK if is_ended_by_clock(record) else "",
            }
        )
    return rows


def points_of(records: Sequence[Record], labels: Labels) -> list[dict[str, Any]]:
    """Return the points of the plot: the Pareto front and the frozen policy of every record."""
    return [
        {
            "hash": record.hash,
            "circuit": name,
            "suite": record.suite,
            "place": labels[record.suite, record.instance],
            "agent": record.agent,
            "seed": record.seed,
            "cnot": circuit["two_qubit_gates"],
            "depth": circuit["depth"],
            "error": max(circuit["energy_error"], 1e-16),
        }
        for record in records
        for name, circuit in record.circuits.items()
        if name.startswith("front") or name == "frozen"
    ]

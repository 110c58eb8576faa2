"""Recording: the record of a finished run, with the circuits that are worth keeping."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qas_experiments.benchmarking.records import Record, machine_name
from qas_experiments.building import make_environment
from qas_experiments.runs.files import read_circuits
from qas_simulators import Circuit

if TYPE_CHECKING:
    from qas_experiments.benchmarking.cells import Cell

_OF_RUNS = {
    "best": "found in training",
    "frozen": "frozen policy, best",
    "without noise": "best without noise",
}
"""Rows of a summary, by the names of their circuits in records."""
_EXACT = 1e-10  # smaller errors count as equal
_FIGURES = ("steps", "episodes", "successes", "evaluations", "gradients", "seconds")


def record_of(cell: Cell, folder: Path, summary: dict[str, Any]) -> tuple[Record, dict[str, float]]:
    """Return the record of a finished run, and the terms of its instance."""
    training, rows = summary["training"], summary["rows"]
    problem = make_environment(cell.settings, evaluation=True, is_silent=True).problem
    circuits = {}
    for name, row in _OF_RUNS.items():
        path = folder / f"{name.replace(' ', '_')}.qasm"
        if rows.get(row) is not None and path.exists():
            circuits[name] = _circuit(path.read_text(encoding="utf-8"), rows[row])
    front = read_circuits(folder / "front.json")
    for number, place in enumerate(worth_keeping([found.energy_error for found in front], summary["accuracy"])):
        found = front[place]
        circuits[f"front {number}"] = _circuit(found.circuit.to_qasm3(), found.numbers())
    figures = {name: training[name] for name in _FIGURES}
    first = training["first_solved"]
    figures["first_solved"] = None if first is None else [first["evaluations"], first["seconds"]]
    figures["firsts"] = [
        [row["two_qubit_gates"], row["evaluations"], row["seconds"]] for row in training["improvements"]
    ]
    figures |= {name: summary[name] for name in ("ground_energy", "accuracy", "unit")}
    record = Record(
        cell.suite,
        cell.instance,
        cell.agent,
        cell.seed,
        problem.digest,
        dataclasses.asdict(cell.settings),
        summary["versions"] | dict(problem.provenance.get("tool_versions", {})),
        machine_name(),
        cell.command,
        figures,
        circuits,
    )
    return record, problem.hamiltonian.terms()


def worth_keeping(errors: list[float], accuracy: float) -> list[int]:
    """Return the places of errors to keep: a tenth below the last one kept, or the first below the accuracy."""
    kept: list[int] = []
    last = math.inf
    for place, error in enumerate(errors):
        error = max(error, _EXACT)
        if error < 0.9 * last or error < accuracy <= last:
            kept.append(place)
            last = error
    return kept


def _circuit(qasm: str, row: dict[str, Any]) -> dict[str, Any]:
    figures = ("energy", "energy_error", "two_qubit_gates", "gates", "depth", "evaluations", "seconds")
    Circuit.from_qasm3(qasm)  # a file that cannot be read again must not become a record
    return {"qasm": qasm, **{name: row[name] for name in figures}}

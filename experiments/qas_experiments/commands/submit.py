"""``qas-submit``: pack finished runs into a file of records that ``qas-report`` verifies and shows."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from qas_envs.energy_errors import error_text
from qas_experiments.benchmarking.cells import Cell
from qas_experiments.benchmarking.judge import Judge
from qas_experiments.benchmarking.recording import record_of
from qas_experiments.benchmarking.records import Record, write_lines
from qas_experiments.building import resolved
from qas_experiments.commands import arguments
from qas_experiments.commands.errors import check_out, fail
from qas_experiments.counting import number_of
from qas_experiments.runs.files import finished_summary, settings_of
from qas_experiments.training.contents import with_contents
from qas_simulators.errors import must

_INSTRUCTIONS = """to see it beside other records:  qas-report {out} <other files>
to submit it: add the file to experiments/results/leaderboard/ in a pull request (docs/submitting.md)"""


def main() -> None:
    """Entry point of the console script."""
    given = arguments.submit().parse_args()
    try:
        check_out(given.out.parent)
        records = submit(given.runs, given.out, given.suite, given.instance, given.agent)
    except (ValueError, RuntimeError, OSError) as error:
        fail(error)
    console = Console(soft_wrap=True, highlight=False)
    for record in records:
        best = record.circuits["best"]
        figures = f"{best['two_qubit_gates']} CNOT, error {error_text(best['energy_error'], 2, record.figures['unit'])}"
        console.print(f"{record.label}: {figures}, verified", markup=False)
    console.print(f"{number_of(len(records), 'record')} in {given.out}", markup=False)
    console.print(_INSTRUCTIONS.format(out=given.out), markup=False)


def submit(
    runs: Sequence[Path],
    out: Path,
    suite: str = "submitted",
    instance: str | None = None,
    agent: str | None = None,
    judge: Judge | None = None,
) -> list[Record]:
    """Write the records of finished runs to a file, after verifying every circuit as ``qas-report`` does.

    Args:
        runs: Folders of finished runs of ``qas-train``.
        out: The file to write; ``.xz`` compresses it.
        suite: Heading in tables.
        instance: Name of the instance in tables; by default the name of the problem.
        agent: Name of the agent in tables; by default the one in its settings.
        judge: The judge that verifies; by default a new one.

    Returns:
        The records.

    Raises:
        ValueError: A run is not finished, or trains on a family or in rounds; a record is not valid; two runs would
            have the same cell; the file exists.
    """
    if judge is None:
        with Judge() as judge:
            return submit(runs, out, suite, instance, agent, judge)
    if out.exists():
        raise ValueError(must("out", "name a new file", str(out)))
    records: dict[tuple[Any, ...], Record] = {}
    hamiltonians: dict[str, Mapping[str, float]] = {}
    for run in runs:
        record, terms = _record(run, suite, instance, agent)
        if faults := judge.faults(record, terms):
            raise ValueError(must("runs", f"hold valid circuits ({'; '.join(faults[:3])})", str(run)))
        if record.cell in records:
            raise ValueError(must("runs", "differ in their settings or seeds", str(run)))
        records[record.cell] = record
        hamiltonians[record.instance_hash] = terms
    out.parent.mkdir(parents=True, exist_ok=True)
    write_lines(records.values(), out, hamiltonians)
    return [*records.values()]


def _record(run: Path, suite: str, instance: str | None, agent: str | None) -> tuple[Record, dict[str, float]]:
    """Return the record of a run, and the terms of its Hamiltonian."""
    settings = settings_of(run)
    summary = None if settings.rounds else finished_summary(run)
    if summary is None:
        raise ValueError(must("runs", "be folders of finished runs of a single training", str(run)))
    if settings.env.vary is not None:
        raise ValueError(must("runs", "have one instance, not a family", str(run)))
    settings = dataclasses.replace(with_contents(resolved(settings)), run=None, resume=None)
    cell = Cell(
        suite,
        instance or summary["problem"],
        agent or str(settings.agent["name"]),
        settings.training.seed,
        settings,
        _command(run),
    )
    return record_of(cell, run, summary)


def _command(run: Path) -> str:
    """Return the command that made a run, if it was made by one."""
    path = run / "versions.json"
    command = json.loads(path.read_text(encoding="utf-8")).get("command") if path.exists() else None
    return str(command or "qas-train with the settings of this record")


if __name__ == "__main__":
    main()

"""``qas-compare``: settings that differ between runs, their final figures, and their learning curves."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from qas_envs.energy_errors import error_text
from qas_experiments.commands import arguments
from qas_experiments.commands.errors import check_out, fail
from qas_experiments.counting import number_of
from qas_experiments.runs.files import finished_summary, settings_of
from qas_experiments.runs.metrics import metrics_of
from qas_simulators.errors import must

_NOT_COMPARED = ("run", "resume", "contents")
_SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)  # of the evaluations that every run has made
_LAST = 50  # episodes of the final return and length


def main() -> None:
    """Entry point of the console script."""
    given = arguments.compare().parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    try:
        check_out(given.out.parent)
        named = names_of(given.runs)
        for table in (settings_table(named), figures_table(named), curves_table(named)):
            console.print(table, highlight=False)
        _save_picture(named, given.out)
    except ValueError as error:
        fail(error)
    console.print(f"curves are in {given.out}", highlight=False, soft_wrap=True)


def names_of(runs: Sequence[Path]) -> dict[str, Path]:
    """Return folders by the shortest names that tell them apart.

    Raises:
        ValueError: Fewer than two runs, or the same one twice.

    Examples:
        >>> [*names_of([Path("runs/a"), Path("runs/b")])]
        ['a', 'b']
    """
    if len(runs) < 2 or len({run.resolve() for run in runs}) < len(runs):
        one = "; of one run, Run(folder).learning_curve('return') in Python draws the curve" if len(runs) == 1 else ""
        raise ValueError(must("runs", f"name two different folders or more{one}", [str(run) for run in runs]))
    names = [run.resolve().name for run in runs]
    return dict(zip(names if len({*names}) == len(names) else map(str, runs), runs, strict=True))


def differing(settings: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return the settings in which mappings differ, by their full names; one that is missing is None.

    Examples:
        >>> differing([{"agent": {"n_step": 1}, "seed": 0}, {"agent": {"n_step": 5}, "seed": 0}])
        {'agent.n_step': [1, 5]}
    """
    flat = [_flat(each) for each in settings]
    names = dict.fromkeys(name for each in flat for name in each)
    rows = {name: [each.get(name) for each in flat] for name in names}
    return {name: values for name, values in rows.items() if any(value != values[0] for value in values)}


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        is_inner = isinstance(value, Mapping) and value
        flat |= _flat(value, f"{prefix}{name}.") if is_inner else {f"{prefix}{name}": value}
    return flat


def settings_table(runs: Mapping[str, Path]) -> Table:
    """Return a table of the settings that differ.

    Raises:
        ValueError: A folder holds no run.
    """
    every = [dataclasses.asdict(settings_of(run)) for run in runs.values()]
    table = _table("settings that differ", runs)
    for name, values in differing(every).items():
        if name.partition(".")[0] not in _NOT_COMPARED:
            table.add_row(name, *("-" if value is None else str(value) for value in values))
    if not table.row_count:
        table.add_row("none", *[""] * len(runs))
    return table


def figures_table(runs: Mapping[str, Path]) -> Table:
    """Return a table of final figures; a run that is not finished has those of its metrics only."""
    table = _table("final figures", runs)
    columns = [_figures(run) for run in runs.values()]
    for name in dict.fromkeys(name for column in columns for name in column):
        table.add_row(name, *(column.get(name, "-") for column in columns))
    return table


def _figures(run: Path) -> dict[str, str]:
    rows, summary = list(metrics_of(run)), finished_summary(run)
    figures = {"state": "not finished" if summary is None else f"ended by {summary.get('ended_by')}"}
    best = None if summary is None or "rows" not in summary else summary["rows"].get("found in training")
    if best is not None:
        figures["error of the best circuit"] = error_text(best["energy_error"], 3)
        names = {"as built": "", "simplified": "simplified_", "by Qiskit, level 3": "transpiled_"}
        for label, prefix in names.items():
            if f"{prefix}two_qubit_gates" in best:
                figures[f"CNOT, {label}"] = f"{best[f'{prefix}two_qubit_gates']:,}"
        figures["evaluations until that circuit"] = f"{best['evaluations']:,}"
    if summary is not None and "training" in summary:
        first = summary["training"]["first_solved"]
        figures["evaluations until the first solution"] = "-" if first is None else f"{first['evaluations']:,}"
        figures["seconds of the training"] = f"{summary['training']['seconds']:,.1f}"
    if rows:
        last = rows[-1]
        figures["steps of the training"] = f"{last['steps']:,}"
        figures["evaluations of the training"] = f"{last['evaluations']:,}"
        figures["episodes solved"] = f"{sum(row['success'] for row in rows):,} of {len(rows):,}"
        for name in ("return", "length"):
            values = [row[name] for row in rows[-_LAST:] if row.get(name) is not None]
            if values:
                figures[f"{name}, last {number_of(len(values), 'episode')}"] = f"{np.mean(values):.4g}"
    if summary is not None and summary.get("baselines"):
        spent = sum(account["evaluations"] for account in summary["baselines"].values())
        figures["evaluations of its baselines, not counted above"] = f"{spent:,}"
    return figures


def curves_table(runs: Mapping[str, Path]) -> Table:
    """Return a table of the lowest error so far, at shares of the evaluations that every run has made.

    Raises:
        ValueError: A run has no finished episode.
    """
    curves = []
    for run in runs.values():
        rows = [row for row in metrics_of(run) if row["energy_error"] is not None]
        if not rows:
            raise ValueError(must("runs", "be folders of runs with a finished episode", str(run)))
        errors = np.minimum.accumulate([row["energy_error"] for row in rows])
        curves.append((np.array([row["evaluations"] for row in rows]), errors))
    common = min(int(spent[-1]) for spent, _ in curves)
    table = _table("lowest error at the end of an episode", runs, "evaluations")
    for share in _SHARES:
        places = [int(np.searchsorted(spent, share * common, side="right")) - 1 for spent, _ in curves]
        cells = ["-" if k < 0 else error_text(errors[k]) for k, (_, errors) in zip(places, curves, strict=True)]
        table.add_row(f"{share * common:,.0f}", *cells)
    return table


def _table(title: str, runs: Mapping[str, Path], first: str = "") -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1))
    table.add_column(first)
    for name in runs:
        table.add_column(name, justify="right", overflow="fold")
    return table


def _save_picture(runs: Mapping[str, Path], out: Path) -> None:
    from qas_experiments.plots import comparison, save

    out.parent.mkdir(parents=True, exist_ok=True)
    save(comparison({name: [run] for name, run in runs.items()}), out)


if __name__ == "__main__":
    main()

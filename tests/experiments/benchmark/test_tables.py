"""Tables of the benchmark's records."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

from rich.console import Console

from qas_experiments.benchmarking.cells import Cell
from qas_experiments.benchmarking.records import Record
from qas_experiments.benchmarking.site.pages import write_site
from qas_experiments.benchmarking.tables import (
    FOOTNOTE,
    across,
    across_texts,
    instance_table,
    is_ended_by_clock,
    suite_tables,
)
from tests.experiments.conftest import changed


def test_all_instances_together(record: Record) -> None:
    """Two seeds of a better agent: one solves with fewer CNOT than the random policy, one does not solve."""

    def run(agent: str, seed: int, error: float, cnot: int, first: list[float] | None) -> Record:
        made = changed(record, "best", energy_error=error, two_qubit_gates=cnot)
        return dataclasses.replace(made, agent=agent, seed=seed, figures={**made.figures, "first_solved": first})

    runs = [run("mine", 0, 1e-4, 3, [900, 1.0]), run("mine", 1, 1e-2, 0, None)]
    runs += [run("random", seed, 1e-5, 8, [50_000, 9.0]) for seed in (0, 1)]
    rows = {row["agent"]: row for row in across(runs)}
    assert rows["mine"]["better"][0] == 0.5 and rows["random"]["better"] is None
    assert rows["mine"]["profile"] == [0.5] * 4 and rows["random"]["profile"] == [0.0, 0.0, 1.0, 1.0]
    assert across_texts(rows["random"])[1:3] == ["2", "-"]


def test_runs_that_the_clock_ended_are_marked(record: Record, tmp_path: Path) -> None:
    """In every table, with a footnote; a run that spent its evaluations or steps is none, however long it took."""
    training = {**record.settings["training"], "max_seconds": 10.0, "max_evaluations": 1000, "total_timesteps": 500}

    def run(seed: int, seconds: float, evaluations: int, steps: int = 9, **limits: float) -> Record:
        settings = {**record.settings, "training": {**training, "seed": seed, **limits}}
        figures = {**record.figures, "seconds": seconds, "evaluations": evaluations, "steps": steps}
        return dataclasses.replace(record, seed=seed, settings=settings, figures=figures)

    runs = [run(0, 10.2, 700), run(1, 10.0, 999), run(2, 10.2, 1000), run(3, 9.9, 10), run(4, 11.0, 10, steps=500)]
    runs.append(run(5, 1e6, 10, max_seconds=0.0))
    assert [is_ended_by_clock(each) for each in runs] == [True, True, False, False, False, False]
    other = dataclasses.replace(runs[2], agent="random")
    console = Console(width=250, record=True, file=io.StringIO())
    for table in suite_tables("quick", [*runs[:3], other]):
        console.print(table)
    shown = console.export_text()
    assert shown.count("annealing †2") == 2 and "random †" not in shown and shown.count(FOOTNOTE) == 2
    assert [row[0] for row in instance_table([*runs[:3], other])[1]] == ["annealing †2", "random"]
    write_site([*runs[:3], other], tmp_path, "Title", {})
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert page.count('"annealing †2"') == 2 and page.count('"clock": "†"') == 2 and page.count(FOOTNOTE) == 1
    assert not any(FOOTNOTE in str(table.caption) for table in suite_tables("quick", runs[2:3]))


def test_cells_read_well() -> None:
    settings: Any = None
    assert str(Cell("quick", "H2-4", "dqn", 3, settings)) == "H2-4, dqn, seed 3"

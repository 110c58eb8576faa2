"""The tables of ``drift.py`` and ``drift_policies.py``: results/drift.md."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from drift import METHODS, RESULTS, TASKS

from qas_experiments.counting import number_of

HEAD = """# Drifting noise

Interquartile means with 95 % bootstrap intervals over paired seeds. *Reliable*: energies per step of the
drift until 8 of the last 10 episodes succeeded. *First*: until a first circuit succeeded. Both leave out the
first step, for which nothing is known; a step that was not solved counts with its whole budget. *Ratio*: to
learning from scratch on the same walk. *At the end*: share of all noise models that the last network solves
greedily; *first model*: seeds that still solve the first one. Seconds of processor time, all seeds.
Made by `python experiments/benchmarks/drift.py`.

*Graph policy*: a frozen policy of the graph agent, trained under noise models of other walks
(`python experiments/benchmarks/drift_policies.py train`, then `play`); its energies are those of playing, the
training beside. A step whose greedy circuit fails counts as not reliable. The policy plays blocks, so that GHZ-3
is played with blocks of CX and RY too, where success is an error at most 5 % above the lowest one that random blocks
find with 20,000 energies. Bell is not: on two qubits there is one block, and nothing to choose.
"""
COLUMNS = ("method", "reliable", "ratio", "missed", "first", "ratio", "missed", "at the end", "first model", "seconds")
Cell = dict[str, Any]


def after_first(cell: Cell, figure: str) -> int:
    """Return the energies until a first success, or until reliable, summed over all steps but the first one."""
    return sum(row["spent"] if row[figure] is None else row[figure] for row in cell["steps"][1:])


def share(cell: Cell, key: str) -> float:
    """Return the share of noise models that a policy solves at the end."""
    return float(np.mean(cell[key]))


def row_of(name: str, cells: list[Cell], scratch: dict[int, Cell]) -> str:
    """Return a method's row of the table."""
    from qas_experiments.statistics import iqm_with_interval

    columns, is_search = [name], "at_end" not in cells[0]
    for figure in ("reliable", "first"):
        if is_search and figure == "reliable":
            columns += ["-", "-", "-"]
            continue
        pairs = [(after_first(cell, figure), after_first(scratch[cell["seed"]], figure)) for cell in cells]
        steps = len(cells[0]["steps"]) - 1
        columns.append(iqm_with_interval([own / steps for own, _ in pairs]))
        columns.append(iqm_with_interval([own / other for own, other in pairs]))
        missed = [row[figure] is None for cell in cells for row in cell["steps"][1:]]
        columns.append(f"{100 * np.mean(missed):.0f} %")
    columns.append("-" if is_search else iqm_with_interval([share(cell, "at_end") for cell in cells]))
    columns.append("-" if is_search else f"{sum(cell['at_end'][0] for cell in cells)}/{len(cells)}")
    columns.append(f"{sum(cell['seconds'] for cell in cells):.0f}")
    return f"| {' | '.join(columns)} |"


def rows_of_policies(cells: list[Cell], scratch: dict[int, Cell]) -> list[str]:
    """Return the rows of ``drift_policies.py``."""
    methods = dict.fromkeys(cell["method"] for cell in cells)
    return [row_of(method, [cell for cell in cells if cell["method"] == method], scratch) for method in methods]


def head(name: str, steps: int, seeds: int, budget: int) -> list[str]:
    """Return the title and the head of a table."""
    title = f"## {name}: {steps} noise models, {seeds} seeds, at most {budget:,} energies for each"
    return ["", title, "", f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]


def library(kept: list[Cell]) -> list[str]:
    """Return what the policies that PPR-DQN has kept solve at the end."""
    solved = 100 * np.mean([share(cell, "library_at_end") for cell in kept])
    number = np.mean([len(cell["kept"]) for cell in kept])
    first = sum(cell["library_at_end"][0] for cell in kept)
    return [
        "",
        f"PPR-DQN keeps {number:.1f} policies on average. At the end one of them solves {solved:.0f} % of the",
        f"noise models, and the first model in {first} of {len(kept)} seeds.",
    ]


def trainings(cells: list[Cell]) -> list[str]:
    """Return what the trainings of policies cost."""
    costs = [cell["training"] for cell in cells if "training" in cell]
    if not costs:
        return []
    number, models = len({cost["policy"] for cost in costs}), costs[0]["noise_models"]
    energies, seconds = (np.mean([cost[key] for cost in costs]) for key in ("energies", "seconds"))
    return [
        "",
        f"Training of a graph policy: {energies:,.0f} energies, {seconds:.0f} s, {models} noise models; "
        f"{number_of(number, 'training')} with the",
        "noise shown and as many with the noise hidden, by turns over the seeds.",
    ]


def report() -> None:
    """Write the tables of all finished cells."""
    cells = json.loads((RESULTS / "drift.json").read_text("utf-8"))["cells"]
    file = RESULTS / "drift_policies.jsonl"
    policies = [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []
    lines = HEAD.splitlines()
    for name, task in TASKS.items():
        own = [cell for cell in cells if cell["task"] == name]
        seeds = sorted({cell["seed"] for cell in own if cell["method"] == METHODS[-1]})  # played last
        if not seeds:
            continue
        scratch = {cell["seed"]: cell for cell in own if cell["method"] == "from scratch"}
        lines += head(name, task.steps, len(seeds), task.budget)
        for method in METHODS:
            lines.append(row_of(method, [c for c in own if c["method"] == method and c["seed"] in seeds], scratch))
        others = [cell for cell in policies if cell["task"] == name and cell["seed"] in seeds]
        lines += rows_of_policies(others, scratch)
        lines += library([cell for cell in own if cell["method"] == "PPR-DQN" and cell["seed"] in seeds])
        lines += trainings(others)
    for name in dict.fromkeys(cell["task"] for cell in policies if cell["task"].endswith(" with blocks")):
        own = [cell for cell in policies if cell["task"] == name]
        scratch = {cell["seed"]: cell for cell in own if cell["method"] == "from scratch"}
        lines += head(name, len(own[0]["steps"]), len(scratch), 5_000)
        lines += [*rows_of_policies([cell for cell in own if cell["seed"] in scratch], scratch), *trainings(own)]
    (RESULTS / "drift.md").write_text("\n".join(lines) + "\n", "utf-8")

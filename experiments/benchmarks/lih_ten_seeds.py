"""Ten seeds of ``experiment=lih_gates`` (LiH at 3.4 Å): agent and random legal policy at equal energy evaluations.

    OMP_NUM_THREADS=1 qas-benchmark campaign=lih_ten_seeds workers=2    # trains the missing seeds
    python experiments/benchmarks/lih_ten_seeds.py                      # writes results/lih_3.4_ten_seeds.{json,md}

Runs are in ``runs/lih_ten_seeds``; finished ones are not played again.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from qas_experiments.statistics import iqm_with_interval

SEEDS = range(10)
RUNS = Path("runs/lih_ten_seeds")
RESULTS = Path(__file__).parents[1] / "results"
SHOWN = (
    "found in training",
    "frozen policy, best",
    "frozen policy, last",
    "random legal policy",
    "greedy construction",
)


def first_with(account: dict[str, Any], gates: int) -> dict[str, Any] | None:
    """Return the first solution with at most ``gates`` two-qubit gates."""
    return next((row for row in account["improvements"] if row["two_qubit_gates"] <= gates), None)


def training_seconds(summary: dict[str, Any]) -> float:
    """Return the seconds of the training; before version 0.2 the total included the random policy."""
    random = 0.0 if "seconds" in summary else summary["baselines"]["random legal policy"]["seconds"]
    return float(summary["training"]["seconds"] - random)


def circuits_table(summaries: list[dict[str, Any]]) -> list[str]:
    """Return the table of the circuits that agents and baselines found."""
    accuracy = summaries[0]["accuracy"]
    lines = [
        "| circuit | solved | CNOT | depth | rotations | true error [Ha] |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name in SHOWN:
        rows = [summary["rows"][name] for summary in summaries]
        solved = [row for row in rows if row["energy_error"] < accuracy]
        keys = ("two_qubit_gates", "depth", "rotations", "energy_error")
        cells = [iqm_with_interval([row[key] for row in rows]) for key in keys]
        lines.append(f"| {name} | {len(solved)}/{len(rows)} | {' | '.join(cells)} |")
    for name in ("empty circuit", "best basis state", "best product state"):
        row = summaries[0]["rows"][name]
        counts = f"{row['two_qubit_gates']} | {row['depth']} | {row['rotations']}"
        lines.append(f"| {name} | 0 | {counts} | {row['energy_error']:.3g} |")
    return lines


def firsts_table(summaries: list[dict[str, Any]]) -> list[str]:
    """Return the table of the first solutions with few CNOTs, of agent and random policy."""
    lines = [
        "| first solution with at most | seeds: agent / random | agent, seconds | agent, evaluations "
        "| random, evaluations |",
        "| --- | --- | --- | --- | --- |",
    ]
    for gates in (99, 10, 6, 5, 4, 3):
        agent = [first_with(summary["training"], gates) for summary in summaries]
        random = [first_with(summary["baselines"]["random legal policy"], gates) for summary in summaries]
        seconds = [row["seconds"] for row in agent if row]
        cells = [
            f"{np.median(seconds):.2f}" if seconds else "-",
            f"{np.median([row['evaluations'] for row in agent if row]):,.0f}" if seconds else "-",
            f"{np.median([row['evaluations'] for row in random if row]):,.0f}" if any(random) else "-",
        ]
        label = "any CNOTs" if gates == 99 else f"{gates} CNOT"
        found = f"{sum(row is not None for row in agent)} / {sum(row is not None for row in random)}"
        lines.append(f"| {label} | {found} | {' | '.join(cells)} |")
    return lines


def page(summaries: list[dict[str, Any]]) -> str:
    """Return the page of all finished seeds."""
    training = [summary["training"] for summary in summaries]
    seconds = np.median([training_seconds(summary) for summary in summaries])
    evaluations, gradients = (np.median([row[key] for row in training]) for key in ("evaluations", "gradients"))
    lines = [
        f"# {summaries[0]['problem']}, {len(summaries)} seeds of `qas-train experiment=lih_gates`",
        "",
        "Interquartile means with 95 % bootstrap intervals. *Solved*: true error below 1.6e-3 Ha.",
        "",
        *circuits_table(summaries),
        "",
        *firsts_table(summaries),
        "",
        "Medians over the seeds that got there. ",
        f"Training: {seconds:.0f} s (median, one thread, two runs side by side), {training[0]['steps']:,} steps, "
        f"{evaluations:,.0f} energy evaluations, of which {gradients:,.0f} with gradient.",
        "",
        "Made by `qas-benchmark campaign=lih_ten_seeds` and `python experiments/benchmarks/lih_ten_seeds.py`.",
        "",
    ]
    return "\n".join(lines)


def report() -> None:
    """Write the page and the figures of all finished seeds."""
    paths = [RUNS / f"seed{seed}" / "summary.json" for seed in SEEDS]
    summaries = [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]
    if not summaries:
        sys.exit(f"no finished run in {RUNS}: play them with qas-benchmark campaign=lih_ten_seeds")
    names = ("settings", "versions", "training", "seconds", "rows", "baselines")
    kept = [{name: summary[name] for name in names if name in summary} for summary in summaries]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "lih_3.4_ten_seeds.json").write_text(json.dumps(kept, indent=1), encoding="utf-8")
    (RESULTS / "lih_3.4_ten_seeds.md").write_text(page(summaries), encoding="utf-8")
    print(page(summaries))


if __name__ == "__main__":
    report()

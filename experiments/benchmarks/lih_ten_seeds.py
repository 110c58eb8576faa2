"""Ten seeds of ``qas-train`` on LiH at 3.4 Å, agent and random legal policy at equal energy evaluations.

    OMP_NUM_THREADS=1 qas-benchmark campaign=lih_ten_seeds workers=2    # trains the missing seeds
    python experiments/benchmarks/lih_ten_seeds.py                      # writes results/lih_3.4_ten_seeds.{json,md}

Runs are in ``runs/lih_ten_seeds``; finished ones are not played again.
"""

from __future__ import annotations

import json
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


def report() -> None:
    """Write the table of all finished seeds."""
    summaries = [
        json.loads((RUNS / f"seed{s}" / "summary.json").read_text())
        for s in SEEDS
        if (RUNS / f"seed{s}" / "summary.json").exists()
    ]
    accuracy = summaries[0]["accuracy"]
    lines = [f"# {summaries[0]['problem']}, {len(summaries)} seeds of `qas-train`", ""]
    lines += ["Interquartile means with 95 % bootstrap intervals. *Solved*: true error below 1.6e-3 Ha.", ""]
    lines += [
        "| circuit | solved | CNOT | depth | rotations | true error [Ha] |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name in SHOWN:
        rows = [s["rows"][name] for s in summaries]
        solved = [row for row in rows if row["energy_error"] < accuracy]
        cells = [
            iqm_with_interval([row[key] for row in rows])
            for key in ("two_qubit_gates", "depth", "rotations", "energy_error")
        ]
        lines.append(f"| {name} | {len(solved)}/{len(rows)} | {' | '.join(cells)} |")
    for name in ("empty circuit", "best basis state", "best product state"):
        row = summaries[0]["rows"][name]
        lines.append(
            f"| {name} | 0 | {row['two_qubit_gates']} | {row['depth']} | {row['rotations']} "
            f"| {row['energy_error']:.3g} |"
        )
    lines += [
        "",
        "| first solution with at most | seeds: agent / random | agent, seconds | agent, evaluations "
        "| random, evaluations |",
    ]
    lines += ["| --- | --- | --- | --- | --- |"]
    for gates in (99, 10, 6, 5, 4, 3):
        agent = [first_with(s["training"], gates) for s in summaries]
        random = [first_with(s["baselines"]["random legal policy"], gates) for s in summaries]
        seconds = [row["seconds"] for row in agent if row]
        cells = [
            f"{np.median(seconds):.2f}" if seconds else "-",
            f"{np.median([row['evaluations'] for row in agent if row]):,.0f}" if seconds else "-",
            f"{np.median([row['evaluations'] for row in random if row]):,.0f}" if any(random) else "-",
        ]
        label = "any CNOTs" if gates == 99 else f"{gates} CNOT"
        found = f"{sum(r is not None for r in agent)} / {sum(r is not None for r in random)}"
        lines.append(f"| {label} | {found} | {' | '.join(cells)} |")
    training = [s["training"] for s in summaries]
    seconds = [training_seconds(summary) for summary in summaries]
    lines += ["", "Medians over the seeds that got there. "]
    lines += [f"Training: {np.median(seconds):.0f} s (median, one thread, two runs side by side), "]
    lines[-1] += (
        f"{training[0]['steps']:,} steps, {np.median([t['evaluations'] for t in training]):,.0f} energy evaluations, "
    )
    lines[-1] += f"of which {np.median([t['gradients'] for t in training]):,.0f} with gradient."
    commands = "`qas-benchmark campaign=lih_ten_seeds` and `python experiments/benchmarks/lih_ten_seeds.py`"
    lines += ["", f"Made by {commands}.", ""]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "lih_3.4_ten_seeds.md").write_text("\n".join(lines), encoding="utf-8")
    names = ("settings", "versions", "training", "seconds", "rows", "baselines")
    kept = [{k: s[k] for k in names if k in s} for s in summaries]
    (RESULTS / "lih_3.4_ten_seeds.json").write_text(json.dumps(kept, indent=1), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    report()

"""Blocks or single gates: the table of ``qas-benchmark campaign=blocks``.

OMP_NUM_THREADS=1 qas-benchmark campaign=blocks    # trains what is missing
python experiments/benchmarks/blocks.py            # writes results/blocks.json and results/blocks.md
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from qas_experiments.statistics import iqm_with_interval

RUNS = Path("runs/blocks")
RESULTS = Path(__file__).parents[1] / "results"
ROWS = {
    "found in training": "DQN, found in training",
    "frozen policy, best": "DQN, frozen policy, best",
    "random legal policy": "random legal policy",
    "greedy construction": "greedy construction",
}
INSTANCES = {"LiH-4": "LiH-4 3.4 Å", "LiH-6": "LiH-6 2.2 Å"}
ACCURACY = 1.6e-3


def main() -> None:
    """Collect the figures of finished runs and write the table."""
    file = RESULTS / "blocks.json"
    found: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    for summary in sorted(RUNS.glob("*/summary.json")):
        rows = json.loads(summary.read_text("utf-8"))["rows"]
        kept = ("energy_error", "two_qubit_gates", "evaluations", "seconds")
        found[summary.parent.name] = {
            name: None if rows.get(name) is None else {key: rows[name][key] for key in kept} for name in ROWS
        }
    file.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (RESULTS / "blocks.md").write_text("\n".join(table(found)) + "\n", encoding="utf-8")


def table(found: dict[str, Any]) -> list[str]:
    """Return the lines of the report."""
    lines = [
        "# Blocks or single gates",
        "",
        "`qas-benchmark campaign=blocks`: a million energy evaluations a seed, the baselines as many. *Solved*: seeds",
        "with a true error below 1.6e-3 Ha. CNOTs, and evaluations until the best circuit was found, are those of the",
        "solved seeds; interquartile means with 95 % bootstrap intervals.",
        "",
        "| instance | actions | circuit | solved | CNOTs | evaluations |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for instance, actions in dict.fromkeys(tuple(name.split("_")[:2]) for name in found):
        runs = [rows for name, rows in found.items() if name.startswith(f"{instance}_{actions}_")]
        for row, label in ROWS.items():
            played = [run[row] for run in runs if run[row] is not None]
            solved = [one for one in played if one["energy_error"] < ACCURACY]
            cells = [iqm_with_interval([one[key] for one in solved]) for key in ("two_qubit_gates", "evaluations")]
            cells = cells if solved else ["", ""]
            lines.append(
                f"| {INSTANCES[instance]} | {actions} | {label} | {len(solved)}/{len(played)} | {' | '.join(cells)} |"
            )
    return lines


if __name__ == "__main__":
    main()

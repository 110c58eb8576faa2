"""Blocks or single gates as the default of the double DQN: the tables of ``qas-benchmark campaign=dqn_defaults``.

OMP_NUM_THREADS=1 qas-benchmark campaign=dqn_defaults    # trains what is missing
python experiments/benchmarks/dqn_defaults.py            # writes results/dqn_defaults.json and results/dqn_defaults.md
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from qas_experiments.runs.metrics import metrics_of
from qas_experiments.statistics import iqm_with_interval

RESULTS = Path(__file__).parents[1] / "results"
ROWS = (
    "found in training",
    "frozen policy, best",
    "frozen policy, last",
    "random legal policy",
    "greedy construction",
)
AGENTS = {"dqn": "DQN", "guided": "guided DQN"}
INSTANCES = {"LiH-4": "LiH-4 3.0 Å", "TFIM-4": "TFIM-4 h=1.2"}
KEPT = ("energy_error", "two_qubit_gates", "evaluations", "seconds")


def main() -> None:
    """Collect the figures of the campaign's finished runs and write the table."""
    file = RESULTS / "dqn_defaults.json"
    found: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    for summary in sorted(Path("runs/dqn_defaults").glob("*/summary.json")):
        content = json.loads(summary.read_text("utf-8"))
        rows = {name: content["rows"].get(name) for name in ROWS}
        last = [{}, *metrics_of(summary.parent)][-1]  # no episode where the search used all evaluations
        found[summary.parent.name] = {
            "accuracy": content["accuracy"],
            "steps": content["training"]["steps"],
            "replay": [last["replayed"], last["survived"]] if "replayed" in last else None,
            **{name: row and {key: row[key] for key in KEPT} for name, row in rows.items()},
        }
    file.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (RESULTS / "dqn_defaults.md").write_text("\n".join(table(found)) + "\n", encoding="utf-8")


def table(found: dict[str, Any]) -> list[str]:
    """Return the lines of the report."""
    lines = [
        "# Blocks or single gates",
        "",
        "`qas-benchmark campaign=dqn_defaults`: 100,000 energy evaluations a seed, the random legal policy",
        "as many. *Solved*: seeds with a true error below the accuracy of the instance. CNOTs, and evaluations until",
        "the best circuit was found, are those of the solved seeds; interquartile means with 95 % bootstrap intervals.",
        "",
        "| instance | actions | agent | circuit | solved | CNOTs | evaluations |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    groups = list(dict.fromkeys(parts_of(name)[:3] for name in sorted(found)))
    for instance, actions, agent in groups:
        runs = [rows for name, rows in found.items() if parts_of(name)[:3] == (instance, actions, agent)]
        for row in ROWS:
            played = [run[row] | {"accuracy": run["accuracy"]} for run in runs if run[row] is not None]
            solved = [one for one in played if one["energy_error"] < one["accuracy"]]
            cells = [iqm_with_interval([one[key] for one in solved]) for key in ("two_qubit_gates", "evaluations")]
            cells = cells if solved else ["", ""]
            if played:
                first = f"| {INSTANCES[instance]} | {actions} | {AGENTS[agent]} | {row} "
                lines.append(f"{first}| {len(solved)}/{len(played)} | {' | '.join(cells)} |")
    return lines + replays(found, groups)


def replays(found: dict[str, Any], groups: list[tuple[str, str, str]]) -> list[str]:
    """Return the lines on demonstrations that were built action by action."""
    lines = []
    for group in groups:
        counts = [rows["replay"] for name, rows in found.items() if parts_of(name)[:3] == group and rows.get("replay")]
        replayed, survived = (sum(count[k] for count in counts) for k in (0, 1))
        if replayed:
            share = f"{survived / replayed:.0%}"
            lines.append(f"| {INSTANCES[group[0]]} | {group[1]} | {replayed} | {survived} | {share} |")
    if not lines:
        return []
    return [
        "",
        "Pruned circuits that the guided DQN built again, action by action with angles optimised after each, and those",
        "that were solutions then too; all seeds together.",
        "",
        "| instance | actions | replayed | survived | share |",
        "| --- | --- | --- | --- | --- |",
        *lines,
    ]


def parts_of(name: str) -> tuple[str, str, str, str]:
    """Return instance, actions, agent and seed of a run."""
    instance, actions, agent, seed = name.split("_")
    return instance, actions, agent, seed


if __name__ == "__main__":
    main()

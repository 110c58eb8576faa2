"""A fair comparison for KANQAS: does a KAN in the double DQN find circuits that an MLP does not?

    OMP_NUM_THREADS=1 qas-benchmark campaign=kanqas workers=2    # trains what is missing, seed by seed
    python experiments/benchmarks/kanqas.py                      # writes results/kanqas.{json,md}

MLP, KAN (with and without refitted grids) and the random legal policy have the same number of environment steps. The
networks have the same batch size, replay buffer, learning rate and exploration. There are ten seeds per agent and one
thread per cell. A cell is a run folder of the campaign, or a row of the committed results, whose seconds are processor
time. Seeds 0 to 9 are committed: ``campaign.first_seed=10 campaign.seeds=15`` adds five.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

RUNS = Path("runs/kanqas")
RESULTS = Path(__file__).parents[1] / "results"
AGENTS = ("mlp", "kan", "kan_refit", "kan_released", "random")


@dataclass(frozen=True)
class Task:
    """A problem.

    Attributes:
        folder: Beginning of the names of its run folders.
        steps: Environment steps.
        optimal: Gates of the shortest solution; 0 if there is none or it is unknown.
    """

    folder: str
    steps: int
    optimal: int = 0


TASKS = {
    "Bell": Task("Bell", 30_000, 2),
    "GHZ-3": Task("GHZ-3", 40_000, 3),
    "Bell, noisy": Task("Bell_noisy", 15_000),
    "H2, 4 qubits": Task("H2_4_qubits", 40_000),
    "LiH, 4 qubits": Task("LiH_4_qubits", 40_000),
}


def digest(task: str, agent: str, seed: int, run: Path) -> dict[str, Any]:
    """Return the row of a finished run."""
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    metrics = map(json.loads, (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    training, rows = summary["training"], summary["rows"]
    row = {
        "task": task,
        "agent": agent,
        "seed": seed,
        "steps": training["steps"],
        "processor_seconds": training["seconds"],  # one thread
        "evaluations": training["evaluations"],
        "episodes": [(row["success"], row["gates"], row["energy_error"]) for row in metrics],
        "best": rows["found in training"],
    }
    if agent != "random":
        policy = rows["frozen policy, last"]
        row["policy"] = policy | {"success": policy["energy_error"] < summary["accuracy"]}
        row["parameters"] = _parameters(run)
    return row


def _parameters(run: Path) -> int:
    """Return the number of trained parameters of a run's network."""
    from qas_experiments.building import Plan
    from qas_experiments.runs.files import settings_of

    plan = Plan.of(settings_of(run))
    agent: Any = plan.make_agent(plan.make_environment(is_silent=True))
    return sum(parameter.numel() for parameter in agent.online_network.parameters())


def figures(cell: dict[str, Any], optimal: int) -> dict[str, float]:
    """Return the figures of one cell for the table."""
    success = np.array([episode[0] for episode in cell["episodes"]])
    gates = np.array([episode[1] for episode in cell["episodes"]])
    errors = np.array([episode[2] for episode in cell["episodes"]])
    best, policy = cell["best"], cell.get("policy", {})
    return {
        "episodes": float(len(success)),
        "successful episodes, %": 100 * success.mean(),
        "successful among the last 1000, %": 100 * success[-1000:].mean(),
        "successful in the fewest gates, %": 100 * (success & (gates == optimal)).mean() if optimal else float("nan"),
        "error at the end of the last 1000 episodes, mean": errors[-1000:].mean(),
        "frozen policy: success, %": 100.0 * policy["success"] if policy else float("nan"),
        "frozen policy: error": policy.get("energy_error", float("nan")),
        "frozen policy: CNOT": policy.get("two_qubit_gates", float("nan")),
        "best ever: error": max(0.0, best["energy_error"]),
        "best ever: CNOT": best["two_qubit_gates"],
        "best ever: depth": best["depth"],
        "processor time per episode, ms": 1000 * cell["processor_seconds"] / len(success),
    }


def finished() -> dict[tuple[str, str, int], dict[str, Any]]:
    """Return the rows of all finished cells: those of the committed results, and the runs of the campaign."""
    from qas_experiments.runs.files import is_finished

    known = RESULTS / "kanqas.json"
    rows = json.loads(known.read_text(encoding="utf-8")) if known.exists() else []
    for name, task in TASKS.items():
        for run in sorted(RUNS.glob(f"{task.folder}-*-seed*")):
            agent, seed = run.name.removeprefix(f"{task.folder}-").split("-seed")
            if is_finished(run):
                cell = digest(name, agent, int(seed), run)
                row = {key: value for key, value in cell.items() if key != "episodes"}
                row |= {"num_episodes": len(cell["episodes"]), "figures": figures(cell, task.optimal)}
                rows.append(row)
    return {(row["task"], row["agent"], row["seed"]): row for row in rows}


def report() -> None:
    """Write the table of all finished cells."""
    lines = [
        "# MLP against KAN in the double DQN, equal budgets",
        "",
        "Interquartile means with 95 % bootstrap intervals over seeds. Error: infidelity for states, Ha for molecules,",
        "always against the exact value. *Best ever* is the best circuit of a run: fewest CNOT, then gates, then error",
        "among the successful ones. *Frozen policy* is what the agent builds greedily when training is over. Cells ran",
        "side by side with other work on two cores, so processor times vary by half. Made by",
        "`qas-benchmark campaign=kanqas` and `python experiments/benchmarks/kanqas.py`.",
        "",
    ]
    kept = finished()
    for name, task in TASKS.items():
        lines += [f"## {name}, {task.steps:,} steps", "", *_table(name, kept), ""]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "kanqas.md").write_text("\n".join(lines), encoding="utf-8")
    (RESULTS / "kanqas.json").write_text(json.dumps([kept[key] for key in sorted(kept)], indent=1), encoding="utf-8")
    print("\n".join(lines))


def _table(name: str, kept: dict[tuple[str, str, int], dict[str, Any]]) -> list[str]:
    from qas_experiments.statistics import iqm_with_interval

    columns = {agent: [row for key, row in kept.items() if key[:2] == (name, agent)] for agent in AGENTS}
    columns = {agent: rows for agent, rows in columns.items() if rows}
    lines = ["| | " + " | ".join(f"{agent} ({len(rows)} seeds)" for agent, rows in columns.items()) + " |"]
    lines.append("| --- |" + " --- |" * len(columns))
    for key in next(iter(columns.values()))[0]["figures"]:
        values = [iqm_with_interval([row["figures"][key] for row in rows]) for rows in columns.values()]
        if any(value != "-" for value in values):
            lines.append(f"| {key} | {' | '.join(values)} |")
    sizes = [f"{rows[0]['parameters']:,}" if "parameters" in rows[0] else "-" for rows in columns.values()]
    return [*lines, f"| active parameters | {' | '.join(sizes)} |"]


if __name__ == "__main__":
    report()

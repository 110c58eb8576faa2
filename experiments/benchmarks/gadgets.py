"""Do gadgets help? Learned gadgets against none, redundant ones, random ones of equal size, and greedy ADAPT.

    OMP_NUM_THREADS=1 qas-benchmark campaign=gadgets workers=2           # single gates: trains what is missing
    OMP_NUM_THREADS=1 qas-benchmark campaign=gadgets_blocks workers=2    # blocks: the same
    python experiments/benchmarks/gadgets.py                             # writes results/gadgets.{json,md}
    python experiments/benchmarks/gadgets.py random 5                    # random gadgets for a new seed, from its loop

The first problem is the critical Ising chain (h = 1) with IBM's native gates, as in the released code. The loop goes
from 2 to 6 spins; each round has the gadgets of the rounds before. Its opponents are the same agent, trained directly
on each size with as many energy evaluations as all rounds up to that size together, and at most 250,000 steps (150,000
from 5 spins on), a limit that usually ends them first. A short loop spends less than nearly all opponents. With blocks
the loop has 60,000 evaluations a round, and its opponents have exactly those of all rounds up to there. The other
tables are the transfer between problems, targets in CNOTs, and weak fields, which need no search. A cell is a run
folder of the campaign, or rows of the committed results. Seeds 0 to 4 are committed: ``campaign.first_seed=5
campaign.seeds=10`` adds five, and then ``SEEDS`` is to be changed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

SEEDS = range(5)
RUNS = Path("runs/gadgets")
RESULTS = Path(__file__).parents[1] / "results"
ACCURACY = 1e-6
SPINS = (2, 3, 4, 5, 6)
SHORT = range(2, 9)
"""Spins of a loop that spends less in total than nearly all opponents."""
LOOPS = {"learned": SPINS, "short": SHORT, "blocks_learned": SPINS[:-1]}
OPPONENTS = dict.fromkeys(SPINS[1:-1], ("none", "redundant", "random", "blocks_none", "blocks_annealing"))
OPPONENTS[SPINS[-1]] = ("none", "redundant", "random")
TRANSFERS = ("TFIM, 3 to 6 spins", "LiH, 1.2 to 3.4 Å", "H2 to LiH at 3.4 Å")
TARGETS = {"TFIM-4 below 1e-10": (4, 1e-10, 12), "TFIM-6 below 1e-6": (6, 1e-6, 34)}
"""Spins, accuracy and the CNOTs of qubit-ADAPT, for the agent alone and the loop with gates CX, RX, RY, RZ."""
ON_TARGETS = ("agent", "loop", "blocks_none", "blocks_annealing")
ON_TRANSFERS = ("learned", "none", "blocks_learned", "blocks_none")
WEAK_FIELDS = (0.001, 0.05)


def slug(name: str) -> str:
    """Return a name for folders."""
    return name.replace(", ", "_").replace(" ", "_").replace("Å", "A")


def folder_of(task: str, variant: str, seed: int) -> Path:
    """Return the run folder of a cell."""
    return RUNS / f"{slug(task)}-{variant}-seed{seed}"


def wanted() -> list[tuple[str, str, int]]:
    """Return task, variant and seed of every cell, in the order of the results."""
    cells = []
    for seed in SEEDS:
        cells += [("TFIM loop", variant, seed) for variant in LOOPS]
        cells += [(f"TFIM-{spins}", variant, seed) for spins, some in OPPONENTS.items() for variant in some]
        cells += [(task, variant, seed) for task in TARGETS for variant in ON_TARGETS]
        cells += [(task, variant, seed) for task in TRANSFERS for variant in ON_TRANSFERS]
    return cells


def write_random_gadgets(seed: int) -> None:
    """Write files of random gadgets, as large as those of each round of the loop with this seed.

    The files are committed with the results, so that a cell can be played without the loop.
    """
    from qas_agents.gadgets import random_gadgets
    from qas_envs.catalogue import GATE_SETS
    from qas_simulators import load_gadgets, save_gadgets

    gates = GATE_SETS["ibm"].two_qubit + GATE_SETS["ibm"].one_qubit
    for spins in SPINS[1:]:
        path = RESULTS / "random_gadgets" / f"{spins}_spins_seed{seed}.json"
        if not path.exists():
            models = load_gadgets(folder_of("TFIM loop", "learned", seed) / f"round-{spins - 3}" / "gadgets.json")
            path.parent.mkdir(exist_ok=True)
            save_gadgets(random_gadgets(list(models.values()), gates, np.random.default_rng(seed)), path)


def committed() -> dict[tuple[str, str, int], list[dict[str, Any]]]:
    """Return the rows of the committed results by cell."""
    path, found = RESULTS / "gadgets.json", {}
    for row in json.loads(path.read_text())["cells"] if path.exists() else []:
        found.setdefault((row["cell"], row["variant"], row["seed"]), []).append(row)
    return found


def cells() -> dict[tuple[str, str, int], list[dict[str, Any]]]:
    """Return the rows of all finished cells: one per cell, or one per round of a loop."""
    known = committed()
    for cell in wanted():
        path = folder_of(*cell) / "summary.json"
        if path.exists() and not (summary := json.loads(path.read_text()))["interrupted"]:
            known[cell] = rows_of(*cell, summary)
    return {cell: known[cell] for cell in wanted() if cell in known}


def rows_of(task: str, variant: str, seed: int, summary: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a run: the last round, or all rounds of the loop on the Ising chain."""
    base = {"cell": task, "variant": variant, "seed": seed}
    if "rounds" not in summary:
        return [base | {"task": task, **digest(summary)}]
    rounds, rows, spent, seconds = summary["rounds"], [], 0, 0.0
    for number, one in enumerate(rounds):
        spent += one["training"]["evaluations"]
        seconds += one["training"]["seconds"]
        given = rounds[number - 1]["gadgets"] if number else []
        before = {
            "evaluations_before": spent - one["training"]["evaluations"],
            "seconds_before": seconds - one["training"]["seconds"],
        }
        row = {**before, "gadgets": given, **digest(one)}
        if task == "TFIM loop":
            rows.append(base | {"task": f"TFIM-{list(LOOPS[variant])[number]}", **row})
        elif number == len(rounds) - 1:
            rows.append(base | {"task": task, **row})
    return rows


def digest(summary: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of one training."""
    training, best = summary["training"], summary["rows"]["found in training"]
    frozen = summary["rows"].get("frozen policy, best")
    figures = ("energy_error", "two_qubit_gates", "gates", "depth")
    first = training["first_solved"]
    return {
        "accuracy": summary["accuracy"],
        **{name: training[name] for name in ("steps", "evaluations", "seconds", "episodes", "successes")},
        "first_solved": None if first is None else [first["evaluations"], first["seconds"]],
        "firsts": [[row["two_qubit_gates"], row["evaluations"], row["seconds"]] for row in training["improvements"]],
        "best": {figure: best[figure] for figure in figures},
        "frozen": None if frozen is None else {figure: frozen[figure] for figure in figures},
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["random"]:
        write_random_gadgets(int(sys.argv[2]))
    else:
        from gadgets_report import report

        report()

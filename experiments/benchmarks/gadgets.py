"""Do gadgets help? Learned gadgets against none, redundant ones, random ones of equal size, and greedy ADAPT.

    python experiments/benchmarks/gadgets.py run [workers] [seed ...]   # plays the missing cells, seed by seed
    python experiments/benchmarks/gadgets.py report                     # writes results/gadgets.{json,md}

The first problem is the critical Ising chain (h = 1) with IBM's native gates, as in the released code. The loop goes
from 2 to 6 spins; each round has the gadgets of the rounds before. Its opponents are the same agent, trained directly
on each size with as many energy evaluations as all rounds up to that size together, and at most 250,000 steps (150,000
from 5 spins on), a limit that usually ends them first. A short loop spends less than nearly all opponents. The other
tables are the transfer between problems, targets in CNOTs, and weak fields, which need no search. A cell is a run
folder of ``qas-train``; finished cells, and rows of the committed results, are not played again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

SEEDS = range(5)
RUNS = Path("runs/gadgets")
RESULTS = Path(__file__).parents[1] / "results"
ACCURACY = 1e-6
SPINS = {2: (24, 100_000), 3: (40, 600_000), 4: (60, 600_000), 5: (80, 600_000), 6: (100, 600_000)}
"""Gate budget and energy evaluations of each round, by number of spins."""
SHORT = {spins: (20 * spins - 20 if spins > 2 else 24, 100_000) for spins in range(2, 9)}
"""Rounds of a loop that spends less in total than nearly all opponents, and goes to 8 spins."""
LOOPS = {"learned": SPINS, "short": SHORT}
AGENT = ["agent=dqn_guided", "agent.search_steps=10000"]
PLENTY = "training.total_timesteps=250000"  # the limit of evaluations is reached first
QUIET = ["training.progress=false", "training.baselines=false", "training.checkpoint_every=0"]
ISING = ["env=tfim", "env.gates=ibm", f"+env.problem.accuracy={ACCURACY}"]
OPPONENTS = ("none", "redundant", "random")

ROUND = "{{env: {{problem: {problem}, max_gates: {gates}}}, training: {{max_evaluations: {evaluations}}}}}"
TRANSFERS: dict[str, tuple[list[str], list[tuple[str, int, int]]]] = {
    "TFIM, 3 to 6 spins": (ISING, [("{num_qubits: 3}", 40, 600_000), ("{num_qubits: 6}", 100, 1_200_000)]),
    "LiH, 1.2 to 3.4 Å": (["env=lih"], [("{bond_length: 1.2}", 40, 200_000), ("{bond_length: 3.4}", 40, 400_000)]),
    "H2 to LiH at 3.4 Å": (["env=lih"], [("{bond_length: 0.7414}", 40, 100_000), ("{bond_length: 3.4}", 40, 400_000)]),
}
"""Settings, and the problem, gate budget and energy evaluations of each round."""
FIRST_ID = {"H2 to LiH at 3.4 Å": "QAS-H2-v0"}
TARGETS = {"TFIM-4 below 1e-10": (4, 1e-10, 12), "TFIM-6 below 1e-6": (6, 1e-6, 34)}
"""Spins, accuracy and the CNOTs of qubit-ADAPT, for the agent alone and the loop with gates CX, RX, RY, RZ."""
WHOLE_LOOP = {4: 3_200_000, 6: 17_500_000}
"""Energy evaluations of the agent alone, by spins: the total of all rounds of the loop."""
WEAK_FIELDS = (0.001, 0.05)


def slug(name: str) -> str:
    """Return a name for folders."""
    return name.replace(", ", "_").replace(" ", "_").replace("Å", "A")


def folder_of(task: str, variant: str, seed: int) -> Path:
    """Return the run folder of a cell."""
    return RUNS / f"{slug(task)}-{variant}-seed{seed}"


def wanted() -> list[tuple[str, str, int]]:
    """Return task, variant and seed of every cell, in the order in which they are to be played."""
    cells = []
    for seed in SEEDS:
        cells += [("TFIM loop", variant, seed) for variant in LOOPS]
        cells += [(f"TFIM-{spins}", variant, seed) for spins in list(SPINS)[1:] for variant in OPPONENTS]
        cells += [(task, variant, seed) for task in TARGETS for variant in ("agent", "loop")]
        cells += [(task, variant, seed) for task in TRANSFERS for variant in ("learned", "none")]
    return cells


def settings_of(task: str, variant: str, seed: int) -> list[str]:
    """Return the overrides of ``qas-train``."""
    if task == "TFIM loop":
        rounds = [round_of(f"{{num_qubits: {n}}}", *size) for n, size in LOOPS[variant].items()]
        return [*ISING, *AGENT, PLENTY, f"rounds=[{', '.join(rounds)}]"]
    if task in TRANSFERS:
        return [*TRANSFERS[task][0], *AGENT, PLENTY, *transfer(task, variant)]
    if task in TARGETS:
        return ["env=tfim", "agent=dqn_guided", *target(*TARGETS[task][:2], variant)]
    spins = int(task.removeprefix("TFIM-"))
    total = sum(evaluations for n, (_, evaluations) in SPINS.items() if n <= spins)
    settings = [*ISING, *AGENT, f"env.problem.num_qubits={spins}", f"env.max_gates={SPINS[spins][0]}"]
    settings += [f"training.max_evaluations={total}", f"training.total_timesteps={250_000 if spins < 5 else 150_000}"]
    if variant == "none":
        return settings
    return [*settings, f"env.gadgets={'redundant_cz' if variant == 'redundant' else random_file(spins, seed)}"]


def round_of(problem: str, gates: int, evaluations: int, environment: str | None = None) -> str:
    """Return the overrides of a round."""
    text = ROUND.format(problem=problem, gates=gates, evaluations=evaluations)
    return text if environment is None else text.replace("{env: {", f"{{env: {{id: {environment}, ")


def target(spins: int, accuracy: float, variant: str) -> list[str]:
    """Return the problem of a target, or the rounds that lead to it."""
    goal = f"+env.problem.accuracy={accuracy}"
    if variant == "agent":
        size = [f"env.problem.num_qubits={spins}", f"env.max_gates={15 * spins}"]
        steps = [f"agent.search_steps={40_000 * (spins - 1)}", f"training.total_timesteps={60_000 * (spins - 1)}"]
        return [goal, *size, *steps, f"training.max_evaluations={WHOLE_LOOP[spins]}"]
    rounds = [f"{{env: {{problem: {{num_qubits: {n}}}, max_gates: {15 * n}}}}}" for n in range(2, spins + 1)]
    return [goal, "agent.search_steps=40000", "training.total_timesteps=60000", f"rounds=[{', '.join(rounds)}]"]


def transfer(task: str, variant: str) -> list[str]:
    """Return the rounds of a transfer, or the second problem alone with the evaluations of both."""
    _, ((problem, gates, first), (second, more_gates, later)) = TRANSFERS[task]
    if variant == "learned":
        rounds = [round_of(problem, gates, first, FIRST_ID.get(task)), round_of(second, more_gates, later)]
        return [f"rounds=[{', '.join(rounds)}]"]
    key, value = second.strip("{}").split(": ")
    return [f"env.problem.{key}={value}", f"env.max_gates={more_gates}", f"training.max_evaluations={first + later}"]


def random_file(spins: int, seed: int) -> Path:
    """Return a file of random gadgets, as large as those of the loop's round with ``spins`` spins.

    The files are committed with the results, so that a cell can be played without the loop.
    """
    from qas_agents.gadgets import random_gadgets
    from qas_envs.catalogue import GATE_SETS
    from qas_simulators import load_gadgets, save_gadgets

    path = RESULTS / "random_gadgets" / f"{spins}_spins_seed{seed}.json"
    if not path.exists():
        models = load_gadgets(folder_of("TFIM loop", "learned", seed) / f"round-{spins - 3}" / "gadgets.json")
        gates = GATE_SETS["ibm"].two_qubit + GATE_SETS["ibm"].one_qubit
        path.parent.mkdir(exist_ok=True)
        save_gadgets(random_gadgets(list(models.values()), gates, np.random.default_rng(seed)), path)
    return path


def play(task: str, variant: str, seed: int) -> None:
    """Train one cell."""
    folder = folder_of(task, variant, seed)
    if folder.exists():
        start = [f"resume={folder}"]
    else:
        start = [f"run={folder}", f"training.seed={seed}", *settings_of(task, variant, seed), *QUIET]
    RUNS.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.log").open("a") as file:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "qas_experiments.commands.train", *start]
        subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, env=environment, check=True)
    print(task, variant, seed, flush=True)


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


def main(command: str, workers: str = "2", *seeds: str) -> None:
    """Run or report."""
    if command == "report":
        from gadgets_report import report

        report()
        return
    done = cells()
    # Random gadgets are as large as those of the loop with the same seed, so loops are played first.
    for seed in map(int, seeds or SEEDS):
        todo = [cell for cell in wanted() if cell[2] == seed and cell not in done]
        loops = [cell for cell in todo if cell[0] == "TFIM loop"]
        with ThreadPoolExecutor(int(workers)) as pool:
            for some in (loops, [cell for cell in todo if cell not in loops]):
                for _ in pool.map(lambda cell: play(*cell), some):
                    pass


if __name__ == "__main__":
    main(*sys.argv[1:])

"""How many solutions survive being built step by step: solutions of annealing over blocks, played again by ``step``.

    OMP_NUM_THREADS=1 python experiments/benchmarks/replay.py             # plays the rows that results/replay.md lacks
    OMP_NUM_THREADS=1 python experiments/benchmarks/replay.py "TFIM-6"    # those of these instances

A solution that is lost when it is built step by step cannot be shown to an agent that learns from steps. Each optimiser
of the table is used at every step, or at the end of the episode only; evaluations are those of a whole episode.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

import qas_envs  # noqa: F401  # registers the ids
from qas_agents import BlockAnnealing
from qas_experiments.statistics import wilson_interval

RESULT = Path(__file__).parents[1] / "results" / "replay.md"
INSTANCES: dict[str, dict[str, Any]] = {
    "LiH-4 3.4 Å": {"id": "QAS-LiH-v0", "bond_length": 3.4},
    "LiH-6 2.2 Å": {"id": "QAS-LiH-v0", "bond_length": 2.2, "num_qubits": 6, "max_gates": 80},
    "TFIM-6": {"id": "QAS-TFIM-v0", "num_qubits": 6, "max_gates": 80},
}
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "warm start": {},
    "warm start and 1 random": {"starts": 1},
    "warm start and 3 random": {"starts": 3},
    "warm start and 16 redraws": {"redraws": 16},
    "warm start and 32 redraws": {"redraws": 32},
    "3 random": {"starts": 3, "warm": False},
    "at the end, 1 random": {"starts": 1, "warm": False, "when": "end"},
    "at the end, 3 random": {"starts": 3, "warm": False, "when": "end"},
    "at the end, 10 random": {"starts": 10, "warm": False, "when": "end"},
    "at the end, 100 random": {"starts": 100, "warm": False, "when": "end"},
    "at the end, 1 random and 32 redraws": {"starts": 1, "redraws": 32, "warm": False, "when": "end"},
    "at the end, 3 random and 100 redraws": {"starts": 3, "redraws": 100, "warm": False, "when": "end"},
}
SOLUTIONS = 40  # of each instance, from as many searches as needed
OF_ONE_SEARCH = 5  # solutions of one search are alike, so that only the first ones are taken


def solutions(settings: dict[str, Any]) -> list[list[int]]:
    """Return the blocks of distinct solutions of an instance."""
    found: dict[tuple[int, ...], None] = {}
    seed = 0
    while len(found) < SOLUTIONS:
        env = made(settings)
        seen = 0

        def note(locals_: dict[str, Any], _: dict[str, Any]) -> bool:
            nonlocal seen
            if locals_["infos"][0]["success"]:
                seen += 1
                found[tuple(env.player.actions)] = None  # noqa: B023  # within this iteration
            return len(found) < SOLUTIONS and seen < OF_ONE_SEARCH

        # Not from the pairs of a chain: few distinct solutions begin with them.
        BlockAnnealing(env, seed, own_pairs=False).learn(3000, note)
        seed += 1
    return [list(actions) for actions in found]


def made(settings: dict[str, Any], **rules: Any) -> Any:
    """Return the environment of an instance with block actions."""
    given = {**settings, "actions": "blocks", "stop": True, **rules}
    return gym.make(given.pop("id"), **given).unwrapped


def replayed(env: Any, actions: list[int]) -> tuple[bool, int]:
    """Build a circuit by steps; return whether it is solved on the way, and the evaluations spent."""
    env.reset()
    spent = 0
    for action in [*actions, env.catalogue.stop]:
        *_, terminated, _, info = env.step(action)
        spent += info["evaluations"]
        if terminated:
            break
    return bool(info["success"]), spent


def main(names: list[str]) -> None:
    """Play the rows that are missing, of the named instances or of all, and write the table."""
    warnings.simplefilter("ignore")
    text = RESULT.read_text("utf-8") if RESULT.exists() else ""
    rows = {tuple(line.split(" | ")[:2]): line for line in text.splitlines() if line.startswith("| ")}
    for name, settings in INSTANCES.items():
        missing = [label for label in OPTIMIZERS if (f"| {name}", label) not in rows]
        if not missing or (names and name not in names):
            continue
        found = solutions(settings)
        for label in missing:
            env = made(settings, optimizer={"name": "scan_lbfgs", **OPTIMIZERS[label]})
            rows[f"| {name}", label] = line_of(name, label, [replayed(env, actions) for actions in found])
            RESULT.write_text(table_of(rows), encoding="utf-8")


def line_of(name: str, label: str, results: list[tuple[bool, int]]) -> str:
    """Return a row of the table."""
    solved = sum(success for success, _ in results)
    low, high = wilson_interval(solved, len(results))
    spent = np.median([spent for _, spent in results])
    return f"| {name} | {label} | {solved / len(results):.0%} [{low:.0%}, {high:.0%}] | {spent:,.0f} |"


def table_of(rows: dict[tuple[str, ...], str]) -> str:
    """Return the text of the results, with the rows in the order of the tables above."""
    lines = [
        "# Solutions built step by step",
        "",
        f"`python experiments/benchmarks/replay.py`. {SOLUTIONS} distinct solutions of `annealing_blocks` per",
        "instance, built again by `step` with other optimisers: share that is a solution at some step, 95 % score",
        "interval; median evaluations of an episode. Random angles depend on the circuit only. *Redraws*:",
        "minimisations from the lowest minimum so far with two neighbouring angles drawn again.",
        "",
        "| instance | angles | solved | evaluations |",
        "| --- | --- | --- | --- |",
    ]
    keys = [(f"| {name}", label) for name in INSTANCES for label in OPTIMIZERS]
    return "\n".join([*lines, *(rows[key] for key in keys if key in rows)]) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])

"""Which agent finds short circuits, and with how many energy evaluations?

    OMP_NUM_THREADS=1 qas-benchmark campaign=learning workers=2           # single gates: trains what is missing
    OMP_NUM_THREADS=1 qas-benchmark campaign=learning_blocks workers=2    # blocks: the same
    python experiments/benchmarks/learning.py                             # writes results/learning.{json,md}

The problems are LiH on 4 qubits at three bond lengths and on 6 qubits at one, with the full gate set and with blocks.
The double DQN is compared with annealing, the random legal policy, searchers over blocks, ADAPT and algorithms of
Stable-Baselines3, five seeds each, and with the floor of an exhaustive skeleton search. A cell is a run folder of a
campaign, or a row of the committed results. Seeds 0 to 4 are committed: ``campaign.first_seed=5 campaign.seeds=10``
adds five, and then ``SEEDS`` is to be changed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SEEDS = range(5)
RUNS = Path("runs/learning")
RESULTS = Path(__file__).parents[1] / "results"
SB3 = ("sb3_dqn", "sb3_qrdqn", "sb3_a2c", "sb3_ppo", "sb3_maskable_ppo")


@dataclass(frozen=True)
class Instance:
    """One problem.

    Attributes:
        bond_length: In Å.
        num_qubits: Of the register.
        floor: The longest skeletons to try for the floor.
        gates: The agents that choose single gates.
        blocks: The agents that choose blocks.
    """

    bond_length: float
    num_qubits: int
    floor: int
    gates: tuple[str, ...]
    blocks: tuple[str, ...]

    @property
    def agents(self) -> tuple[str, ...]:
        """All agents."""
        return self.gates + self.blocks


SIX = ("dqn_guided", "annealing", "random")
LEARNERS = ("dqn_blocks", "dqn_guided_blocks", "sb3_maskable_ppo_blocks")
WITHOUT_MASKS = ("sb3_dqn_blocks", "sb3_ppo_blocks")
SEARCHERS = ("random_legal_blocks", "annealing_blocks", "greedy_blocks", "hea_blocks", "random_blocks")
INSTANCES = {
    f"LiH, {length} Å, 4 qubits": Instance(
        length, 4, 3, SIX + SB3, LEARNERS + WITHOUT_MASKS * (length == 3.4) + SEARCHERS
    )
    for length in (3.4, 2.2, 1.2)
}
INSTANCES["LiH, 2.2 Å, 6 qubits"] = Instance(2.2, 6, 4, SIX, LEARNERS + SEARCHERS)


def folder_of(instance: str, agent: str, seed: int) -> Path:
    """Return the run folder of a cell."""
    return RUNS / f"{instance.replace(', ', '_').replace(' ', '_').replace('Å', 'A')}-{agent}-seed{seed}"


def committed() -> list[dict[str, Any]]:
    """Return the cells of the committed results."""
    path = RESULTS / "learning.json"
    return list(json.loads(path.read_text())["cells"]) if path.exists() else []


def cells() -> list[dict[str, Any]]:
    """Return all finished cells, in the order of the results."""
    known = {(row["instance"], row["agent"], row["seed"]): row for row in committed()}
    for instance, agent, seed in wanted():
        path = folder_of(instance, agent, seed) / "summary.json"
        summary = json.loads(path.read_text()) if path.exists() else {"interrupted": True}
        if not summary["interrupted"]:
            known[instance, agent, seed] = digest(instance, agent, seed, summary)
    return [known[cell] for cell in wanted() if cell in known]


def wanted() -> list[tuple[str, str, int]]:
    """Return all cells; those of Stable-Baselines3 come last, problem by problem."""
    every = [(name, agent, seed) for seed in SEEDS for name, task in INSTANCES.items() for agent in task.agents]
    order = list(INSTANCES)
    return sorted(every, key=lambda cell: (order.index(cell[0]) + 1) * cell[1].startswith("sb3"))


def digest(instance: str, agent: str, seed: int, summary: dict[str, Any]) -> dict[str, Any]:
    """Return the row of a run."""
    training, rows = summary["training"], summary["rows"]
    figures = ("energy_error", "two_qubit_gates", "gates", "depth")
    return {
        "instance": instance,
        "agent": agent,
        "seed": seed,
        "accuracy": summary["accuracy"],
        **{name: training[name] for name in ("steps", "evaluations", "gradients", "seconds")},
        "before_first_episode": before_first_episode(instance, agent, seed),
        "firsts": [[row["two_qubit_gates"], row["evaluations"], row["seconds"]] for row in training["improvements"]],
        **{
            key: None if rows.get(name) is None else {figure: rows[name][figure] for figure in figures}
            for key, name in (
                ("best", "found in training"),
                ("frozen_best", "frozen policy, best"),
                ("frozen_last", "frozen policy, last"),
            )
        },
    }


def before_first_episode(instance: str, agent: str, seed: int) -> int:
    """Return the evaluations up to the end of the first episode: before it, a guided agent only searches."""
    with (folder_of(instance, agent, seed) / "metrics.jsonl").open() as file:
        return int(json.loads(next(file, '{"evaluations": 0}'))["evaluations"])


def first_with(cell: dict[str, Any], gates: int) -> list[float] | None:
    """Return evaluations and seconds of the first solution with at most ``gates`` two-qubit gates."""
    return next((row[1:] for row in cell["firsts"] if row[0] <= gates), None)


def floors() -> list[dict[str, Any]]:
    """Return the lowest error for each number of CNOTs, by exhaustive search."""
    import gymnasium as gym

    import qas_envs  # noqa: F401
    from qas_agents import skeleton_floors

    found = []
    for name, task in INSTANCES.items():
        env: Any = gym.make("QAS-LiH-v0", bond_length=task.bond_length, num_qubits=task.num_qubits).unwrapped
        problem = env.problem
        for floor in skeleton_floors(problem.hamiltonian, task.floor):
            error = floor.energy - problem.ground_energy
            figures = {"skeletons": floor.skeletons, "evaluations": floor.evaluations}
            found.append({"instance": name, "cnots": floor.two_qubit_gates, "energy_error": error, **figures})
    return found


def adapt(task: Instance) -> Any:
    """Return the circuit of ADAPT with the Pauli pool, its operators removed one by one after the first solution."""
    from qas_agents import adapt_circuit, usual_pool
    from qas_envs.problems import lih

    problem = lih(task.bond_length, num_qubits=task.num_qubits)
    return adapt_circuit(
        problem.hamiltonian,
        usual_pool(problem.hamiltonian),
        problem.ground_energy + problem.accuracy - 1e-9,
        ground_energy=problem.ground_energy,
    )


def report() -> None:
    """Write the tables of all finished cells."""
    played, bounds = cells(), floors()
    lines = [
        "# Short circuits for LiH: agents beside searchers",
        "",
        "Interquartile means with 95 % bootstrap intervals over seeds. *Solved*: true error below 1.6e-3 Ha, always",
        "against the exact ground energy. Evaluations are energies of the simulator, those of pruning and of annealing",
        "included. Seconds are wall time, one thread a run, up to five runs at once on two cores.",
        "A guided agent begins with a search by annealing; *by the search* counts the seeds whose shortest circuit is",
        "the search's, so that training added the frozen policy alone. Of Stable-Baselines3's algorithms only",
        "MaskablePPO knows masks; else an illegal action costs a step and no evaluation.",
        "With blocks all agents have the same number of evaluations; ADAPT ends when its operators were removed one",
        "by one. `random_legal_blocks` is the random legal policy, whose angles are optimised after each block;",
        "`random_blocks` draws whole skeletons.",
        "Made by `qas-benchmark campaign=learning`, the same with `campaign=learning_blocks`, and",
        "`python experiments/benchmarks/learning.py`.",
    ]
    for name, task in INSTANCES.items():
        lines += ["", f"## {name}", "", "Floor by exhaustive skeleton search: "]
        rows = [row for row in bounds if row["instance"] == name]
        lines[-1] += ", ".join(f"{row['cnots']} CNOT {row['energy_error']:.2e} Ha" for row in rows)
        lines[-1] += f" ({sum(row['evaluations'] for row in rows):,} evaluations)."
        own = {agent: [c for c in played if (c["instance"], c["agent"]) == (name, agent)] for agent in task.agents}
        lines += tables_of({agent: own[agent] for agent in task.gates if own[agent]})
        blocks = {agent: own[agent] for agent in task.blocks if own[agent]}
        if blocks:
            found = adapt(task)
            gates, spent = found.circuit.num_two_qubit_gates, found.evaluations
            lines += [
                "",
                f"### {name}, blocks",
                *tables_of(blocks, f"| ADAPT | yes | {gates} | - | - | - | - | {spent:,} | - |"),
            ]
    (RESULTS / "learning.md").write_text("\n".join(lines) + "\n")
    text = ",\n".join(json.dumps(row) for row in played)
    bounds_text = ",\n".join(json.dumps(row) for row in bounds)
    (RESULTS / "learning.json").write_text(f'{{"cells": [\n{text}\n],\n"floors": [\n{bounds_text}\n]}}\n')
    print("\n".join(lines))


def tables_of(of_task: dict[str, list[dict[str, Any]]], *others: str) -> list[str]:
    """Return a table of agents with other rows, and one of the evaluations to each number of CNOTs."""
    from qas_experiments.statistics import iqm_with_interval

    lines = [
        "",
        "| agent | solved | fewest CNOT | by the search | frozen policy: solved | CNOT | steps | evaluations | s |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for agent, some in of_task.items():
        solved = [c["best"]["two_qubit_gates"] for c in some if is_solved(c, "best")]
        frozen = [c["frozen_best"]["two_qubit_gates"] for c in some if is_solved(c, "frozen_best")]
        line = [f"{len(solved)}/{len(some)}", iqm_with_interval(solved) if solved else "-"]
        line.append(searched(some) if "guided" in agent else "-")
        has_policy = some[0]["frozen_best"] is not None
        line += [f"{len(frozen)}/{len(some)}" if has_policy else "-", iqm_with_interval(frozen) if frozen else "-"]
        line += [f"{np.median([c[key] for c in some]):,.0f}" for key in ("steps", "evaluations", "seconds")]
        lines.append(f"| {agent} | {' | '.join(line)} |")
    fewest = sorted({row[0] for some in of_task.values() for c in some for row in c["firsts"]})[:8]
    lines += [*others, "", "Evaluations to the first solution with at most this number of CNOTs: median (seeds).", ""]
    lines += ["| CNOT | " + " | ".join(of_task) + " |", "| --- " * (len(of_task) + 1) + "|"]
    for gates in reversed(fewest):
        line = []
        for some in of_task.values():
            reached = [first[0] for c in some if (first := first_with(c, gates)) is not None]
            line.append(f"{np.median(reached):,.0f} ({len(reached)}/{len(some)})" if reached else "-")
        lines.append(f"| {gates} | {' | '.join(line)} |")
    return lines


def searched(some: list[dict[str, Any]]) -> str:
    """Return the number of seeds whose circuit with the fewest CNOTs was found before the first episode."""
    solved = [c for c in some if c["firsts"]]
    return f"{sum(c['firsts'][-1][1] < c['before_first_episode'] for c in solved)}/{len(solved)}"


def is_solved(cell: dict[str, Any], row: str) -> bool:
    """Return whether a circuit's exact error is below the accuracy."""
    return cell[row] is not None and cell[row]["energy_error"] < cell["accuracy"]


if __name__ == "__main__":
    report()

"""Our records of the suites: the agents of this library beside the searchers that need no learning.

    python experiments/benchmarks/leaderboard.py run [workers]     # plays what is missing, about 10 core-hours in all
    python experiments/benchmarks/leaderboard.py report            # writes results/leaderboard.md, leaderboard/*.jsonl

Each line of ``PLAYS`` is one call of ``qas-benchmark`` per seed; records go to ``runs/leaderboard/records.sqlite``,
after those of the committed results, which are not played again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from qas_envs.problems import known_floors
from qas_experiments.benchmark.published import dominating, published
from qas_experiments.benchmark.records import Record, Records, write_lines
from qas_experiments.benchmark.references import adapt_path
from qas_experiments.benchmark.tables import (
    ACROSS,
    FOOTNOTE,
    across,
    across_texts,
    instance_table,
    is_ended_by_clock,
    marked,
)
from qas_experiments.benchmark.verification import faults_of
from qas_experiments.building import make_environment
from qas_experiments.runs.files import is_finished, settings_from

FOLDER = Path("runs/leaderboard")
RESULTS = Path(__file__).parents[1] / "results"
OPEN_SUITES = ("crlqas", "tensorrl", "grl")  # whose instances anybody may have solved
GUIDED = ["agent=dqn_guided"]  # whose search of 60,000 circuits may spend all evaluations, before anything is learned
LEARNED = [*GUIDED, "agent.search_steps=10000", "label='dqn_guided, short search'"]
LONG = ['instances=["LiH-6 2.2 Å"]', "suite.max_evaluations=4000000", "suite.max_seconds=300"]
MUMBAI = ['instances=["LiH-4 3.4 Å, Mumbai"]', "suite.max_evaluations=3000000"]
LEARNED_CHEAP = ["agent=dqn_guided_cheap", "label='dqn_guided, cheap gates'"]
CHEAP = ["agent=annealing_cheap", "label='annealing, cheap gates'"]
EXACT = ['instances=["H2O-8"]', "+suite.instances.H2O-8.env.curriculum={name:fixed,threshold:1.5e-4}"]
SEARCHERS = (["agent=annealing"], ["agent=random"], ["agent=beam"], ["agent=hea"])
SEEDS = 5
PLAYS = [
    *((suite, agent) for agent in (GUIDED, *SEARCHERS[:2]) for suite in ("crlqas", "tensorrl")),
    *(("noisy", agent) for agent in (GUIDED, ["agent=annealing"], ["agent=random"])),
    ("noisy", ["agent=annealing", "agent.two_qubit=0", "agent.one_qubit=0", "label='annealing, 3 M'", *MUMBAI]),
    *(("families", agent) for agent in SEARCHERS),
    ("families", ["agent=annealing", "label='annealing, 250'", "suite.max_evaluations=250"]),
    ("ablation", ["agent=dqn"]),
    *((suite, agent) for agent in SEARCHERS[2:] for suite in ("crlqas", "tensorrl")),
]
LATER = [
    *((suite, LEARNED) for suite in ("crlqas", "tensorrl")),
    *(("kanqas", [f"agent={agent}"]) for agent in ("kanqas_mlp", "kanqas_kan", "random")),
    *(("presets", [f"agent={agent}"]) for agent in ("dqn", "random")),
    *(("hard", agent) for agent in (GUIDED, *SEARCHERS)),
    *(("grl", agent) for agent in (GUIDED, *SEARCHERS)),
    *((suite, CHEAP) for suite in ("crlqas", "tensorrl", "hard", "grl", "families", "noisy")),
    *((suite, LEARNED_CHEAP) for suite in ("crlqas", "tensorrl")),
    ("tensorrl", [CHEAP[0], "label='annealing, to 1.5e-4'", *EXACT, "suite.max_evaluations=1000000"]),
    ("families", [CHEAP[0], "label='annealing, cheap gates, 250'", "suite.max_evaluations=250"]),
    *(("crlqas", [f"agent={agent}", f"label='{agent}, 4 M'", *LONG]) for agent in ("dqn_guided", "annealing")),
]
"""Suite and overrides, in the order in which they are played."""
POLICIES = {"TFIM-4": "family_tfim", "LiH-4": "family_lih"}
"""Which experiment trains the policy for which instances of the suite of families; evaluations are in its summary."""


def commands_of(calls: list[tuple[str, list[str]]]) -> Iterator[list[str]]:
    """Yield the commands of all seeds: those of instances that take seconds first, then of those that take minutes."""
    for is_slow in (False, True):
        for seed in range(SEEDS):
            for suite, agent in calls:
                if any(override.startswith("instances=") for override in agent):
                    if not is_slow:
                        yield command_of(suite, agent, seed)
                elif names := [
                    name for name in instances_of(suite, seed) if (seeds_of(suite, name) < SEEDS) == is_slow
                ]:
                    yield command_of(suite, [*agent, f"instances={names!r}".replace("'", '"')], seed)


def command_of(suite: str, agent: list[str], seed: int) -> list[str]:
    """Return the call of ``qas-benchmark``, which says where to write too."""
    base = [sys.executable, "-m", "qas_experiments.commands.benchmark", f"suite={suite}", *agent]
    paths = [f"folder={FOLDER}", f"records={FOLDER / 'records.sqlite'}"]
    return [*base, *paths, f"seeds=[{seed}]"]


def instances_of(suite: str, seed: int) -> list[str]:
    """Return which instances of a suite are played with a seed."""
    from omegaconf import OmegaConf

    path = Path(__file__).parents[1] / "qas_experiments" / "conf" / "suite" / f"{suite}.yaml"
    return [name for name in OmegaConf.load(path).instances if seed < seeds_of(suite, name)]


def seeds_of(suite: str, instance: str) -> int:
    """Return how many seeds of an instance are played: 5, but 3 of those that take minutes."""
    if (suite, instance) == ("crlqas", "H2O-8"):
        return 1  # the suite tensorrl has it
    return 3 if "-8" in instance or instance in ("H4 chain", "stretched H2O") else SEEDS


def play_policies(seed: int) -> None:
    """Train a policy per family, play it on the members of the suite."""
    from omegaconf import OmegaConf

    for family, experiment in POLICIES.items():
        run = FOLDER / "policies" / f"{experiment}-seed{seed}"
        if not is_finished(run):
            start = [f"experiment={experiment}", f"run={run}", f"training.seed={seed}"]
            begun = [f"resume={run}"] if run.exists() else [*start, "training.baselines=false"]
            play([sys.executable, "-m", "qas_experiments.commands.train", *begun])
        path = Path(__file__).parents[1] / "qas_experiments" / "conf" / "suite" / "families.yaml"
        names = [name for name in OmegaConf.load(path).instances if name.startswith(family)]
        frozen = ["agent=frozen", f"agent.run={run}", f"instances={names!r}".replace("'", '"')]
        play(command_of("families", frozen, seed))


def play(command: list[str]) -> None:
    """Call ``qas-benchmark`` or ``qas-train``; what it prints goes to a log."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "log.txt").open("a") as log:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        ended = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
    print(" ".join(command[3:]), "" if ended.returncode == 0 else "FAILED", flush=True)


# -- report ------------------------------------------------------------------------------------------------------------


HEAD = """# Our records of the suites

`python experiments/benchmarks/leaderboard.py run`; every circuit verified: energies by us and by Qiskit, gates and
couplings recounted, prefix included. A cell has 500,000 energy evaluations (crlqas a million, noisy 200,000, families
3,000, kanqas 30,000) or 120 s, one thread, other processes beside.
*Solved*: share of seeds with its 95 % score interval; *error*: the best one, interquartile mean
of its logarithm with bootstrap interval; CNOT and depth of the solutions; *frozen*: what the policy builds when asked
once. *Better than random*: how likely one of its runs is better than one of the random policy on the same instance
(mean of the Mann-Whitney statistic, bootstrap interval); *solved in*: share of runs solved within so many evaluations.
`qas-report experiments/results/leaderboard/*.jsonl` makes the site of these records.

{footnote}"""
FRONTS = """
## What no other circuit of ours beats

Per number of CNOT the lowest error of all agents and seeds, where it is lower by a tenth than with fewer; which agents
have it within a hundredth, in how many records; the floor of exhaustive search; and which points of qubit-ADAPT or of a
paper are as good in both and better in one."""


def report() -> None:
    """Write the records as lines of text, and tables of them."""
    records = [record for path in (*committed(), FOLDER / "records.sqlite") for record in Records(path)]
    unique = list({record.cell: record for record in records}.values())
    false = [f"{record.instance}, {record.agent}: {faults}" for record in unique if (faults := faults_of(record))]
    if false:
        raise SystemExit("\n".join(false))
    suites = list(dict.fromkeys(suite for suite, _ in [*PLAYS, *LATER]))
    unique.sort(key=lambda record: (suites.index(record.suite), record.instance, record.agent, record.seed))
    lines = [HEAD.format(footnote=FOOTNOTE)]
    (RESULTS / "leaderboard").mkdir(exist_ok=True)
    for suite in suites:
        some = [record for record in unique if record.suite == suite]
        if some:
            write_lines(some, RESULTS / "leaderboard" / f"{suite}.jsonl")
            lines += ["", f"## {suite}", "", f"| {' | '.join(ACROSS)} |", "| --- " * len(ACROSS) + "|"]
            lines += [f"| {' | '.join(across_texts(row))} |" for row in across(some)]
            lines += tables(some)
    lines += fronts([record for record in unique if record.suite in OPEN_SUITES])
    (RESULTS / "leaderboard.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def committed() -> list[Path]:
    """Return the files of committed records, one per suite."""
    return sorted((RESULTS / "leaderboard").glob("*.jsonl"))


def tables(records: list[Record]) -> list[str]:
    """Return a table per instance."""
    lines = []
    for instance in dict.fromkeys(record.instance for record in records):
        of_instance = [record for record in records if record.instance == instance]
        columns, rows = instance_table(of_instance)
        lines += ["", f"### {instance}", "", f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]
        lines += [f"| {' | '.join(row)} |" for row in rows]
    return lines


def fronts(records: list[Record]) -> list[str]:
    """Return, per instance, the circuits that no other of ours beats, who found them, and what beats them."""
    lines = [FRONTS]
    for instance in dict.fromkeys(record.instance for record in records):
        some = [record for record in records if record.instance == instance]
        problem = make_environment(settings_from(some[0].settings), evaluation=True, is_silent=True).problem
        floors = {floor.two_qubit_gates: floor.error for floor in known_floors(problem)}
        rivals = {"qubit-ADAPT": adapt_path(problem)}
        for row in published():
            if row.instance == instance and row.cnot is not None:
                rivals[f"{row.method}, {row.caveat}" if row.caveat else row.method] = [(row.cnot, row.error)]
        lines += ["", f"### {instance}", "", "| CNOT | error | found by | floor | beaten by |", "| --- " * 5 + "|"]
        best = np.inf
        for gates, error, finders in best_by_gates(some):
            if error > 0.9 * best:
                continue
            best = error
            beaten = [
                f"{name} ({point[0]}, {point[1]:.1e})"
                for name, path in rivals.items()
                for point in dominating(gates, error, path)[-1:]
            ]
            floor = f"{floors[gates]:.1e}" if gates in floors else ""
            lines.append(f"| {gates} | {error:.1e} | {', '.join(finders)} | {floor} | {'; '.join(beaten)} |")
            if error < 1e-9:
                break
    return lines


def best_by_gates(records: list[Record]) -> Iterator[tuple[int, float, list[str]]]:
    """Yield gates, the lowest error of them, and how many records of each agent have it, with those ended by time."""
    found: dict[int, list[tuple[float, str, bool]]] = {}
    for record in records:
        for name, circuit in record.circuits.items():
            if name.startswith("front"):
                told = (circuit["energy_error"], record.agent, is_ended_by_clock(record))
                found.setdefault(circuit["two_qubit_gates"], []).append(told)
    for gates in sorted(found):
        lowest = max(min(found[gates])[0], 1e-12)
        near = [(agent, is_ended) for error, agent, is_ended in found[gates] if error <= 1.01 * lowest]
        ended = Counter(agent for agent, is_ended in near if is_ended)
        finders = Counter(agent for agent, _ in near).most_common()
        yield gates, lowest, [marked(f"{agent} {number}", ended[agent]) for agent, number in finders]


def main(command: str, workers: str = "2") -> None:
    """Run or report."""
    if command == "report":
        report()
    elif command == "run":
        for path in committed():
            for record in Records(path):
                Records(FOLDER / "records.sqlite").add(record)
        with ThreadPoolExecutor(int(workers)) as pool:
            list(pool.map(play_policies, range(SEEDS)))
            for calls in (PLAYS, LATER):
                list(pool.map(play, commands_of(calls)))
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])

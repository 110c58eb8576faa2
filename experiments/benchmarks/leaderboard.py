"""The leaderboard: records of this library's agents and searchers on the suites.

    OMP_NUM_THREADS=1 qas-benchmark campaign=leaderboard workers=2    # plays missing cells (conf/campaign)
    python experiments/benchmarks/leaderboard.py                      # writes results/leaderboard.md, leaderboard/*
    python experiments/benchmarks/leaderboard.py add FILE             # verifies and adds records of suites without any

New records are in ``runs/leaderboard/records.sqlite``; cells with a committed record are not played again.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from qas_envs.problems import known_floors
from qas_experiments.benchmarking.answers import Answers
from qas_experiments.benchmarking.judges import Judges, usable_cores
from qas_experiments.benchmarking.published import dominating, published
from qas_experiments.benchmarking.records import Record, Records, write_lines
from qas_experiments.benchmarking.references import adapt_path
from qas_experiments.benchmarking.shorter import Counts
from qas_experiments.benchmarking.tables import (
    ACROSS,
    FOOTNOTE,
    across,
    across_texts,
    instance_table,
    is_ended_by_clock,
    marked,
)
from qas_experiments.building import make_environment
from qas_experiments.counting import counted
from qas_experiments.runs.files import settings_from

RECORDS = Path("runs/leaderboard/records.sqlite")
RESULTS = Path(__file__).parents[1] / "results"
SUITES = (
    *("crlqas", "tensorrl", "noisy", "families", "ablation", "kanqas", "presets", "hard", "grl", "spins", "large"),
    *("unitaries", "clifford"),
)
OPEN_SUITES = ("crlqas", "tensorrl", "grl")  # with instances from publications
HEAD = """# Our records of the suites

`qas-benchmark campaign=leaderboard`; every circuit verified: energies by us and by Qiskit, gates and
couplings recounted, prefix included. A cell has 500,000 energy evaluations (crlqas a million, noisy 200,000, families
3,000, kanqas 30,000, spins 50,000, with RY and RZ 100,000, unitaries and clifford 20,000) or 120 s (TFIM-8 and TFIM-10
with RY and RZ 600 s, unitaries and clifford 900 s), one thread, other processes beside.
*Solved*: share of seeds with its 95 % score interval; *error*: the best one, interquartile mean
of its logarithm with bootstrap interval, *exact* below 1e-9; CNOT and depth of the solutions; *simplified*: CNOTs after
gates merge and cancel; *by Qiskit*: CNOTs after its transpiler at optimisation level 3, without couplings; *frozen*:
what the policy builds when asked once. *Better than random*: how likely one of its runs is better than one of the
random policy on the same instance (mean of the Mann-Whitney statistic, bootstrap interval); *solved in*: share of runs
solved within that number of evaluations.
`qas-report experiments/results/leaderboard/*.jsonl.xz` makes the site of these records.

{footnote}"""
FRONTS = """
## What no other circuit of ours beats

Per number of CNOT the lowest error of all agents and seeds, where it is lower by a tenth than with fewer; which agents
have it within a hundredth, in how many records; the floors of exhaustive search, with any one-qubit gates and over
blocks ([what they mean](floors.md)); and which points of qubit-ADAPT or of a paper are as good in both and better in
one. The last ones are of the suite
`hard`."""


def report() -> None:
    """Write the records as lines of text, and tables of them."""
    records = [record for path in (*committed(), RECORDS) for record in Records(path)]
    unique = list({record.cell: record for record in records}.values())
    counts = verified(unique)
    unique.sort(key=lambda record: (SUITES.index(record.suite), record.instance, record.agent, record.seed))
    lines = [HEAD.format(footnote=FOOTNOTE)]
    (RESULTS / "leaderboard").mkdir(exist_ok=True)
    for suite in SUITES:
        some = [record for record in unique if record.suite == suite]
        if some:
            lines += section(suite, some, counts)
    lines += fronts([record for record in unique if record.suite in OPEN_SUITES])
    lines += fronts([record for record in unique if record.suite == "hard"])[1:]
    (RESULTS / "leaderboard.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def add(path: Path) -> None:
    """Verify the records of a file, and add their suites, which have no committed records yet."""
    records = sorted(Records(path), key=lambda record: (record.instance, record.agent, record.seed))
    for suite in {record.suite for record in records}:
        if suite not in SUITES or (RESULTS / "leaderboard" / f"{suite}.jsonl.xz").exists():
            raise SystemExit(f"{suite} is no suite of the leaderboard, or has records already; use the campaign.")
    counts, page = verified(records), RESULTS / "leaderboard.md"
    _, heading, below = page.read_text("utf-8").partition("\n\n## ")
    text = HEAD.format(footnote=FOOTNOTE) + heading + below
    for suite in sorted({record.suite for record in records}, key=SUITES.index):
        own = section(suite, [record for record in records if record.suite == suite], counts)
        text = text.replace(FRONTS, "\n".join([*own, FRONTS]), 1)
    page.write_text(text, "utf-8")


def verified(records: list[Record]) -> dict[str, Counts]:
    """Verify records; return their counts of gates by hash."""
    with Judges(workers=usable_cores(), answers=Answers()) as judges, counted("verifying", len(records)) as advance:
        faults = judges.faults([(record, None) for record in records], advance)
        if false := [f"{record.label}: {each}" for record, each in zip(records, faults, strict=True) if each]:
            raise SystemExit("\n".join(false))
        return {record.hash: one for record, (one, _) in zip(records, judges.counts(records), strict=True)}


def section(suite: str, records: list[Record], counts: dict[str, Counts]) -> list[str]:
    """Write the records of a suite; return its part of the page."""
    write_lines(records, RESULTS / "leaderboard" / f"{suite}.jsonl.xz")
    lines = ["", f"## {suite}", "", f"| {' | '.join(ACROSS)} |", "| --- " * len(ACROSS) + "|"]
    lines += [f"| {' | '.join(across_texts(row))} |" for row in across(records)]
    return lines + tables(records, counts)


def committed() -> list[Path]:
    """Return the files of committed records, one per suite."""
    return sorted((RESULTS / "leaderboard").glob("*.jsonl.xz"))


def tables(records: list[Record], counts: dict[str, Counts]) -> list[str]:
    """Return a table per instance."""
    lines = []
    for instance in dict.fromkeys(record.instance for record in records):
        of_instance = [record for record in records if record.instance == instance]
        columns, rows = instance_table(of_instance, counts)
        lines += ["", f"### {instance}", "", f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]
        lines += [f"| {' | '.join(row)} |" for row in rows]
    return lines


def fronts(records: list[Record]) -> list[str]:
    """Return, per instance, the Pareto front of all records, its agents, and references that dominate it."""
    lines = [FRONTS]
    for instance in dict.fromkeys(record.instance for record in records):
        some = [record for record in records if record.instance == instance]
        suites = {record.suite for record in some}
        problem = make_environment(settings_from(some[0].settings), evaluation=True, is_silent=True).problem
        floors = [
            {floor.two_qubit_gates: floor.error for floor in known_floors(problem, unit)}
            for unit in ("gates", "blocks")
        ]
        rivals = {"qubit-ADAPT": adapt_path(problem)}
        for row in published():
            if row.is_of(instance, suites) and row.cnot is not None:
                rivals[f"{row.method}, {row.caveat}" if row.caveat else row.method] = [(row.cnot, row.error)]
        columns = ["CNOT", "error", "found by", "floor", "floor over blocks", "beaten by"]
        lines += ["", f"### {instance}", "", f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]
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
            lowest = " | ".join(f"{known[gates]:.1e}" if gates in known else "" for known in floors)
            lines.append(f"| {gates} | {error:.1e} | {', '.join(finders)} | {lowest} | {'; '.join(beaten)} |")
            if error < 1e-9:
                break
    return lines


def best_by_gates(records: list[Record]) -> Iterator[tuple[int, float, list[str]]]:
    """Yield gates, their lowest error, and per agent the number of records that reach it, marked if ended by time."""
    found: dict[int, list[tuple[float, str, bool]]] = {}
    for record in records:
        for name, circuit in record.circuits.items():
            if name.startswith("front"):
                entry = (circuit["energy_error"], record.agent, is_ended_by_clock(record))
                found.setdefault(circuit["two_qubit_gates"], []).append(entry)
    for gates in sorted(found):
        lowest = max(min(found[gates])[0], 1e-12)
        near = [(agent, is_ended) for error, agent, is_ended in found[gates] if error <= 1.01 * lowest]
        ended = Counter(agent for agent, is_ended in near if is_ended)
        finders = Counter(agent for agent, _ in near).most_common()
        yield gates, lowest, [marked(f"{agent} {number}", ended[agent]) for agent, number in finders]


if __name__ == "__main__":
    if sys.argv[1:2] == ["add"]:
        add(Path(sys.argv[2]))
    else:
        report()

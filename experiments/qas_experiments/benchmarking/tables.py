"""Tables of a suite's records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich import box
from rich.table import Table

from qas_envs.energy_errors import error_text
from qas_experiments.benchmarking.records import Record, by_agent
from qas_experiments.benchmarking.shorter import Counts
from qas_experiments.building import make_environment
from qas_experiments.runs.files import settings_from
from qas_experiments.statistics import (
    iqm_interval,
    iqm_with_interval,
    performance_profile,
    probability_of_improvement,
    wilson_interval,
)
from qas_experiments.training.recorder import rank_of
from qas_simulators import Circuit, StatevectorSimulator

EVALUATIONS = (1_000, 10_000, 100_000, 1_000_000)
ACROSS = ("agent", "runs", "better than random", *(f"solved in {limit:,}" for limit in EVALUATIONS))
"""Columns of :func:`across`."""
CLOCK = "†"
FOOTNOTE = f"{CLOCK}n: n of these runs were ended by the clock, before they had spent their evaluations."
_BASELINE = "random"
_SMALLEST = 1e-12  # smaller errors are rounding
_COLUMNS = ("solved", "error", "CNOT", "depth", "evaluations to solved", "frozen: solved", "CNOT", "s")
"""Columns of :func:`row_of`."""
SHORTER = {"simplified": "simplified", "transpiled": "by Qiskit"}
"""Columns of CNOTs after simplification, by name in :data:`~qas_experiments.benchmarking.shorter.Counts`."""
SHORTER_NOTE = (
    "Simplified: CNOTs after gates merge and cancel; by Qiskit: after its transpiler at optimisation level 3."
)
_CNOT = _COLUMNS.index("CNOT")


def is_ended_by_clock(record: Record) -> bool:
    """Return whether the time limit ended a run before its limits of evaluations and steps."""
    training, figures = record.settings["training"], record.figures
    limits = {"evaluations": "max_evaluations", "steps": "total_timesteps"}
    if any(0 < training.get(limit, 0) <= figures[name] for name, limit in limits.items()):
        return False
    return bool(0 < training.get("max_seconds", 0) <= figures["seconds"])


def marked(name: str, count: int) -> str:
    """Return a name, marked with the number of runs that were ended by the clock."""
    return f"{name} {CLOCK}{count}" if count else name


def num_ended_by_clock(records: Sequence[Record]) -> int:
    """Return how many runs were ended by the clock."""
    return sum(map(is_ended_by_clock, records))


def suite_tables(suite: str, records: Sequence[Record], counts: Mapping[str, Counts] | None = None) -> list[Table]:
    """Return a table for every instance, with one row per agent, and a table over all instances.

    Args:
        suite: Name of the suite.
        records: Its records.
        counts: Counts of their simplified circuits by hash of the record, for two more columns.
    """
    tables = []
    note: dict[str, Any] = {"caption": FOOTNOTE, "caption_justify": "left"} if num_ended_by_clock(records) else {}
    for instance in dict.fromkeys(record.instance for record in records):
        of_instance = [record for record in records if record.instance == instance]
        table = Table(title=f"{suite}: {instance}", title_justify="left", box=box.SIMPLE, padding=(0, 1), **note)
        columns, rows = instance_table(of_instance, counts)
        for column in columns:
            table.add_column(column, justify="left" if column == "agent" else "right")
        for row in rows:
            table.add_row(*row)
        tables.append(table)
    if len({record.agent for record in records}) > 1:
        table = Table(title=f"{suite}: all instances", title_justify="left", box=box.SIMPLE, padding=(0, 1), **note)
        for column in ACROSS:
            table.add_column(column, justify="left" if column == "agent" else "right")
        for together in across(records):
            table.add_row(*across_texts(together))
        tables.append(table)
    return tables


def instance_table(
    records: Sequence[Record], counts: Mapping[str, Counts] | None = None
) -> tuple[list[str], list[list[str]]]:
    """Return columns and rows of one instance, one row per agent; noisy instances also have noiseless errors.

    Args:
        records: The records of the instance.
        counts: As of :func:`suite_tables`.
    """
    is_noisy = any(record.settings["noise"]["name"] != "none" for record in records)
    rows = []
    for agent, some in by_agent(records).items():
        noiseless = [error_with_interval([noiseless_error(record) for record in some])] if is_noisy else []
        figures = row_of(some)
        if counts is not None:
            figures[_CNOT + 1 : _CNOT + 1] = [shorter_cnots(some, counts, name) for name in SHORTER]
        rows.append([marked(agent, num_ended_by_clock(some)), *figures, *noiseless])
    columns = ["agent", *_COLUMNS, *(["error without noise"] if is_noisy else [])]
    if counts is not None:
        columns[_CNOT + 2 : _CNOT + 2] = SHORTER.values()
    return columns, rows


def shorter_cnots(records: Sequence[Record], counts: Mapping[str, Counts], name: str) -> str:
    """Return the CNOTs of the solutions of one agent after simplification, one of :data:`SHORTER`."""
    known = [counts.get(record.hash) for record in records if is_solution(record, "best")]
    return iqm_with_interval([each["best"][name]["two_qubit_gates"] for each in known if each])


def across(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Return a row per agent of a suite, over all of its instances.

    A row has the probability that a run is better than one of the random policy, on the instances that both played
    (mean of the Mann-Whitney statistic with its interval; solved first, then CNOTs, gates, error), and the share of
    runs solved within each number of :data:`EVALUATIONS` (a performance profile).
    """
    groups: dict[str, dict[str, list[Record]]] = {}
    for record in records:
        groups.setdefault(record.agent, {}).setdefault(record.instance, []).append(record)
    rows = []
    for agent, mine in groups.items():
        some = [record for of_instance in mine.values() for record in of_instance]
        first = [record.figures["first_solved"] for record in some]
        scores = [-np.inf if each is None else -float(each[0]) for each in first]
        profile = performance_profile(scores, [-limit - 0.5 for limit in EVALUATIONS])
        row = {"agent": agent, "runs": len(some), "profile": profile, "better": None}
        row["clock"] = num_ended_by_clock(some)
        shared = [name for name in mine if name in groups.get(_BASELINE, {})]
        if agent != _BASELINE and shared:
            pairs = [_scores(mine[name], groups[_BASELINE][name]) for name in shared]
            row["better"] = probability_of_improvement([a for a, _ in pairs], [b for _, b in pairs])
        rows.append(row)
    return sorted(rows, key=lambda row: -row["profile"][-1])


def _scores(first: Sequence[Record], second: Sequence[Record]) -> tuple[list[float], list[float]]:
    """Return scores of runs of the same instance; larger is better."""
    ranks = []
    for record in (*first, *second):
        best = record.circuits["best"]
        figures = (best["energy_error"], best["two_qubit_gates"], best["gates"])
        ranks.append(rank_of(record.figures["accuracy"], *figures))
    order = sorted(set(ranks))
    scores = [-float(order.index(rank)) for rank in ranks]
    return scores[: len(first)], scores[len(first) :]


def across_texts(row: dict[str, Any]) -> list[str]:
    """Return the cells of a row of :func:`across`."""
    better = "-" if row["better"] is None else "{:.2f} [{:.2f}, {:.2f}]".format(*row["better"])
    return [marked(row["agent"], row["clock"]), str(row["runs"]), better, *(f"{share:.2f}" for share in row["profile"])]


def row_of(records: Sequence[Record]) -> list[str]:
    """Return the figures of one agent on one instance.

    These are the share solved with its 95 % score interval, the best error (interquartile mean of its logarithm with
    its bootstrap interval), the CNOTs and the depth of the solutions, the evaluations until the first solution, and
    the results of the frozen policy.
    """
    best = [record.circuits["best"] for record in records]
    is_solved = [is_solution(record, "best") for record in records]
    solved = [circuit for circuit, yes in zip(best, is_solved, strict=True) if yes]
    low, high = wilson_interval(len(solved), len(records))
    frozen = [record.circuits["frozen"] for record in records if is_solution(record, "frozen")]
    first = [record.figures["first_solved"][0] for record in records if record.figures["first_solved"]]
    has_policy = any("frozen" in record.circuits for record in records)
    return [
        f"{len(solved)}/{len(records)} [{low:.2f}, {high:.2f}]",
        error_with_interval([circuit["energy_error"] for circuit in best]),
        iqm_with_interval([circuit["two_qubit_gates"] for circuit in solved]),
        iqm_with_interval([circuit["depth"] for circuit in solved]),
        iqm_with_interval(first),
        f"{len(frozen)}/{len(records)}" if has_policy else "-",
        iqm_with_interval([circuit["two_qubit_gates"] for circuit in frozen]),
        f"{np.median([record.figures['seconds'] for record in records]):.0f}",
    ]


def noiseless_error(record: Record) -> float:
    """Return the lowest noiseless error of the circuits of a noisy training."""
    name = "without noise" if "without noise" in record.circuits else "best"
    problem = make_environment(settings_from(record.settings), evaluation=True, is_silent=True).problem
    circuit = Circuit.from_qasm3(record.circuits[name]["qasm"])
    return float(StatevectorSimulator().expectation(circuit, problem.hamiltonian) - problem.ground_energy)


def is_solution(record: Record, name: str) -> bool:
    """Return whether a circuit's exact error is below the accuracy."""
    return name in record.circuits and record.circuits[name]["energy_error"] < record.figures["accuracy"]


def error_with_interval(errors: Sequence[float]) -> str:
    """Return the interquartile mean of errors on a logarithmic scale, with its interval."""
    mean, low, high = (10**value for value in iqm_interval(np.log10(np.maximum(errors, _SMALLEST)).tolist()))
    texts = [error_text(value, 1) for value in (mean, low, high)]
    return texts[0] if np.isclose(low, high) or texts == ["exact"] * 3 else "{} [{}, {}]".format(*texts)

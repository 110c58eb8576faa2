"""Tables of ``gadgets.py``."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from gadgets import ACCURACY, ON_TARGETS, RESULTS, SHORT, SPINS, TARGETS, TRANSFERS, WEAK_FIELDS, cells

from qas_agents import qubit_adapt, usual_pool
from qas_envs.problems import PROBLEMS
from qas_experiments.statistics import iqm_interval, iqm_with_interval

_SMALLEST = 1e-12  # smaller errors are rounding
_NAMES = {
    "learned": "gadgets learned on fewer spins",
    "short": "the same by a short loop",
    "none": "no gadgets",
    "redundant": "redundant CZ",
    "random": "random gadgets of equal size",
    "agent": "the agent alone",
    "loop": "the loop from 2 spins on",
    "blocks_learned": "blocks, gadgets learned on fewer spins",
    "blocks_none": "blocks, no gadgets",
    "blocks_annealing": "blocks, annealing",
}
_ON_THE_CHAIN = (
    *("learned", "short", "none", "redundant", "random"),
    *("blocks_learned", "blocks_none", "blocks_annealing"),
)
_AT_THE_START = {"learned": "no gadgets yet", "blocks_learned": "blocks, no gadgets yet"}
_IN_TRANSFERS = {
    "learned": "gadgets of the first problem",
    "none": "no gadgets",
    "blocks_learned": "blocks, gadgets of the first problem",
    "blocks_none": "blocks, no gadgets",
}
_HEAD = ["| | solved | error | CZ | gates | depth | evaluations to solved | evaluations | frozen policy: solved |"]
_HEAD.append("| --- " * 9 + "|")
Row = dict[str, Any]


def report() -> None:
    """Write results/gadgets.{json,md}."""
    played = cells()
    rows = [row for some in played.values() for row in some]
    lines = [
        "# Gadgets",
        "",
        "Interquartile means with 95 % bootstrap intervals over seeds, of errors on a logarithmic scale (below 1e-12",
        "is rounding); CZ, gates and depth are of the unrolled best circuit, of the seeds that solved. *Solved*: error",
        f"against the exact ground energy below {ACCURACY:g} J, or chemical accuracy for LiH. Evaluations are energies",
        "of the simulator, those of the search and of pruning included. The agent is `dqn_guided`; with blocks it is",
        "`dqn_blocks`, which does not search, except for targets in CNOT. Rows of blocks have equal numbers of",
        "evaluations: the loop 60,000 a round, the others as many as its rounds together up to that size.",
        "Made by `qas-benchmark campaign=gadgets`, the same with `campaign=gadgets_blocks`, and",
        "`python experiments/benchmarks/gadgets.py`.",
    ]
    lines += ising(rows) + learned_gadgets(rows) + transfers(rows) + targets(rows) + weak_fields()
    (RESULTS / "gadgets.md").write_text("\n".join(lines) + "\n")
    text = ",\n".join(json.dumps(row) for row in rows)
    (RESULTS / "gadgets.json").write_text(f'{{"cells": [\n{text}\n]}}\n')
    print("\n".join(lines))


def ising(rows: list[Row]) -> list[str]:
    """Return the tables of the critical chain."""
    lines = [
        "",
        "## The critical Ising chain, IBM's native gates",
        "",
        "The loop's rounds go from 2 to 6 spins; the evaluations of earlier rounds are in brackets. Its opponents were",
        "to have those of all rounds up to there, but end after 250,000 steps, from 5 spins on 150,000: circuits with",
        "few angles cost few evaluations, so that most had less than half of them there, as the column says. The short",
        "loop has 100,000 evaluations a round, fewer in all than nearly any opponent, and continues to 8 spins.",
        "*Evaluations to solved* are those of the last round. qubit-ADAPT has gates of its own: CX, H, S, rotations.",
    ]
    for spins in SHORT:
        of_size = [row for row in rows if row["task"] == f"TFIM-{spins}"]
        if not of_size:
            continue
        lines += ["", f"### {spins} spins", "", *_HEAD]
        for variant in _ON_THE_CHAIN:
            some = [row for row in of_size if row["variant"] == variant]
            if some:
                lines.append(
                    line_of(_NAMES[variant] if spins > 2 else _AT_THE_START.get(variant, _NAMES[variant]), some)
                )
        problem = PROBLEMS["tfim"](num_qubits=spins)
        for step in qubit_adapt(problem.hamiltonian, usual_pool(problem.hamiltonian), 80):
            error = max(step.energy - problem.ground_energy, 0.0)
            if error < ACCURACY:
                break
        circuit = step.circuit
        counts = f"{circuit.num_two_qubit_gates} | {circuit.num_gates} | {circuit.depth()}"
        solved = "yes" if error < ACCURACY else "no"
        spent = f"{step.evaluations:,}" if error < ACCURACY else "-"
        lines.append(f"| qubit-ADAPT | {solved} | {error:.1e} | {counts} | {spent} | {step.evaluations:,} | - |")
        product = trivial_error(problem, problem.best_product_state())
        lines.append(f"| best product state | no | {product:.2e} | 0 | | | | 1 | - |")
    return lines


def line_of(name: str, some: list[Row]) -> str:
    """Return a row of a table."""
    solved = [row for row in some if row["best"]["energy_error"] < row["accuracy"]]
    errors = [np.log10(max(row["best"]["energy_error"], _SMALLEST)) for row in some]
    cells_ = [f"{len(solved)}/{len(some)}", _powers(errors)]
    for figure in ("two_qubit_gates", "gates", "depth"):
        cells_.append(iqm_with_interval([row["best"][figure] for row in solved]) if solved else "-")
    first = [row["first_solved"][0] for row in some if row["first_solved"]]
    cells_.append(f"{np.median(first):,.0f} ({len(first)}/{len(some)})" if first else "-")
    spent = f"{np.median([row['evaluations'] for row in some]):,.0f}"
    before = np.median([row.get("evaluations_before", 0) for row in some])
    cells_.append(spent + (f" (+{before:,.0f})" if before else ""))
    return f"| {name} | {' | '.join(cells_)} | {_frozen(some)} |"


def _frozen(some: list[Row]) -> str:
    """Return how many frozen policies solved; searches have none."""
    policies = [row["frozen"]["energy_error"] < row["accuracy"] for row in some if row["frozen"] is not None]
    return f"{sum(policies)}/{len(policies)}" if policies else "-"


def _powers(logarithms: list[float]) -> str:
    mean, low, high = (10**value for value in iqm_interval(logarithms))
    return f"{mean:.1e}" if np.isclose(low, high) else f"{mean:.1e} [{low:.1e}, {high:.1e}]"


def learned_gadgets(rows: list[Row]) -> list[str]:
    """Return the table of the gadgets of each round."""
    lines = [
        "",
        "### What was learned",
        "",
        "| seed | " + " | ".join(f"{n} spins are given" for n in SPINS if n > 2) + " |",
    ]
    lines.append("| --- " * len(SPINS) + "|")
    for variant in ("learned", "blocks_learned"):
        of_loop = [row for row in rows if (row["cell"], row["variant"]) == ("TFIM loop", variant)]
        for seed in sorted({row["seed"] for row in of_loop}):
            given = [row["gadgets"] for row in of_loop if row["seed"] == seed][1:]
            first = f"blocks, {seed}" if variant == "blocks_learned" else seed
            names = [", ".join(f"`{name}`" for name in some) or "-" for some in given]
            names += [""] * (len(SPINS) - 1 - len(given))
            lines.append(f"| {first} | {' | '.join(names)} |")
    return lines


def transfers(rows: list[Row]) -> list[str]:
    """Return the tables of transfers."""
    lines = [
        "",
        "## From one problem to another",
        "",
        "Without gadgets the same agent has the evaluations of both problems for the second one.",
    ]
    for task in TRANSFERS:
        some = [row for row in rows if row["task"] == task]
        if some:
            lines += ["", f"### {task}", "", *_HEAD]
            for variant, name in _IN_TRANSFERS.items():
                of_variant = [row for row in some if row["variant"] == variant]
                if of_variant:
                    lines.append(line_of(name, of_variant))
            lines += firsts(some)
    return lines


def firsts(some: list[Row]) -> list[str]:
    """Return the evaluations until each number of two-qubit gates, without those of the first problem."""
    fewest = sorted({first[0] for row in some for first in row["firsts"]})[:5]
    if not fewest:
        return []
    lines = [
        "",
        "Evaluations to the first solution with at most this number of two-qubit gates: median (seeds).",
        "",
    ]
    lines += ["| | " + " | ".join(map(str, fewest)) + " |", "| --- " * (len(fewest) + 1) + "|"]
    for variant in _IN_TRANSFERS:
        line = []
        of_variant = [row for row in some if row["variant"] == variant]
        for gates in fewest:
            found = [next((f[1] for f in row["firsts"] if f[0] <= gates), None) for row in of_variant]
            reached = [value for value in found if value is not None]
            line.append(f"{np.median(reached):,.0f} ({len(reached)}/{len(of_variant)})" if reached else "-")
        if of_variant:
            lines.append(f"| {_IN_TRANSFERS[variant]} | {' | '.join(line)} |")
    return lines


def targets(rows: list[Row]) -> list[str]:
    """Return the table of targets."""
    lines = ["", "## Targets in CNOT", ""]
    lines += [
        "Gates CX, RX, RY, RZ, or blocks of CX. Seconds to a solution with no more CX than qubit-ADAPT needs: those of",
        "earlier rounds included, one thread, other runs beside.",
        "",
    ]
    lines += [
        "| | | qubit-ADAPT | solved | fewest CNOT | error | evaluations | s to ADAPT's CX | frozen policy: solved |"
    ]
    lines.append("| --- " * 9 + "|")
    for task, (_, _, adapt) in TARGETS.items():
        for variant in ON_TARGETS:
            some = [row for row in rows if (row["task"], row["variant"]) == (task, variant)]
            if some:
                name = _NAMES[variant].removeprefix("blocks, ")
                first = f"{task}, blocks" if "blocks" in variant else task
                lines.append(f"| {first} | {name} | {adapt} CX | {' | '.join(_target(some, adapt))} |")
    return lines


def _target(some: list[Row], adapt: int) -> list[str]:
    solved = [row for row in some if row["best"]["energy_error"] < row["accuracy"]]
    seconds = [
        row.get("seconds_before", 0.0) + next((first[2] for first in row["firsts"] if first[0] <= adapt), np.nan)
        for row in solved
    ]
    errors = [np.log10(max(row["best"]["energy_error"], _SMALLEST)) for row in some]
    spent = [row["evaluations"] + row.get("evaluations_before", 0) for row in some]
    return [
        f"{len(solved)}/{len(some)}",
        iqm_with_interval([row["best"]["two_qubit_gates"] for row in solved]),
        _powers(errors),
        f"{np.median(spent):,.0f}",
        iqm_with_interval(seconds),
        _frozen(some),
    ]


def weak_fields() -> list[str]:
    """Return the errors of the empty circuit and the best product state in weak fields."""
    lines = [
        "",
        "## Weak fields",
        "",
        "No agent is needed here: errors of the empty circuit and of the best product state.",
        "",
    ]
    lines += ["| spins | " + " | ".join(f"h = {h}: empty | product" for h in WEAK_FIELDS) + " |", "| --- " * 5 + "|"]
    for spins in SPINS:
        line = []
        for field in WEAK_FIELDS:
            problem = PROBLEMS["tfim"](num_qubits=spins, field=field)
            empty = problem.best_product_state()
            for circuit in (empty.__class__(spins), empty):
                line.append(f"{max(trivial_error(problem, circuit), 0):.1e}")
        lines.append(f"| {spins} | {' | '.join(line)} |")
    return lines


def trivial_error(problem: Any, circuit: Any) -> float:
    """Return the error of a circuit."""
    from qas_simulators import StatevectorSimulator

    return float(StatevectorSimulator().expectation(circuit, problem.hamiltonian) - problem.ground_energy)

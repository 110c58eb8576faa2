"""Tables of the study of policies that see the device: results/device_policies.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np

FILE = Path(__file__).parents[1] / "results" / "device_policies.md"
POLICIES = ("annealing guided by the policy", "circuits of the policy, no search")
TIE = 1e-4  # errors that differ by less are equal, in the unit of the coupling
Line = dict[str, Any]


def within(line: Line, budget: int) -> tuple[float, float]:
    """Return evaluations to the first solution (infinity without one) and the lowest error, within a budget."""
    first = line["first"]
    reached = [error for evaluations, error, _ in line["lowest"] if evaluations <= budget]
    return float("inf") if first is None or first > budget else float(first), min(reached, default=float("inf"))


def compared(own: tuple[float, float], other: tuple[float, float]) -> float:
    """Return 1 for a win, 0 for a tie, -1 for a loss: by the first solution, without solutions by the lowest error."""
    if own[0] != other[0]:
        return 1.0 if own[0] < other[0] else -1.0
    if own[0] < float("inf") or abs(own[1] - other[1]) < TIE:
        return 0.0
    return 1.0 if own[1] < other[1] else -1.0


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean and its 95 % percentile bootstrap interval."""
    data = np.asarray(values)
    means = data[np.random.default_rng(0).integers(0, len(data), (10_000, len(data)))].mean(axis=1)
    return float(data.mean()), *(float(one) for one in np.percentile(means, [2.5, 97.5]))


def wins(own: Sequence[Line], others: Sequence[Line], budget: int, more: int) -> tuple[list[float], list[float]]:
    """Return by instance the shares of training seeds that win, and that tie; ``more`` is the budget of the others."""
    by_instance: dict[str, list[Line]] = {}
    for line in others:
        by_instance.setdefault(line["instance"], []).append(line)
    won: dict[str, list[float]] = {}
    for line in own:
        for other in by_instance.get(line["instance"], []):
            result = compared(within(line, budget), within(other, more))
            won.setdefault(line["instance"], []).append(result)
    shares = [fmean(float(one > 0) for one in results) for results in won.values()]
    return shares, [fmean(float(one == 0) for one in results) for results in won.values()]


def saved(own: Sequence[Line], others: Sequence[Line], budget: int) -> float:
    """Return the mean evaluations that the others need for what a policy reaches, less those of the policy.

    A run of the others that does not reach it counts with its budget: the mean is a lower bound.
    """
    by_instance = {line["instance"]: line for line in others}
    differences = []
    for line in own:
        other = by_instance[line["instance"]]
        first, lowest = within(line, budget)
        spent = first if first < float("inf") else next(e for e, error, _ in line["lowest"] if error <= lowest + TIE)
        needed = [e for e, error, _ in other["lowest"] if error <= lowest + TIE] if first == float("inf") else []
        needed += [other["first"]] if first < float("inf") and other["first"] is not None else []
        differences.append(min(needed, default=other["budget"]) - spent)
    return fmean(differences)


def _row(
    name: str, lines: Sequence[Line], budget: int, policy: Sequence[Line], own_budget: int, with_solutions: bool
) -> str:
    """Return a row of a table."""
    results = [within(line, budget) for line in lines]
    firsts = [first for first, _ in results]
    solved = [first for first in firsts if first < float("inf")]
    middle = median(firsts)
    cells = [f"{len(solved)}/{len(firsts)}", f"{middle:,.0f}" if middle < float("inf") else "not solved"]
    cells = [*(cells if with_solutions else ()), f"{fmean(error for _, error in results):.4f}"]
    shares, ties = wins(policy, lines, own_budget, budget)
    mean, low, high = interval(shares)
    same = policy is lines
    cells.append("" if same else f"{100 * mean:.0f} % [{100 * low:.0f}, {100 * high:.0f}]")
    cells.append("" if same else f"{100 * fmean(ties):.0f} %")
    return f"| {name} | {' | '.join(cells)} |"


def report(lines: Sequence[Line], budgets: Mapping[str, Sequence[int]]) -> None:
    """Write the tables.

    Args:
        lines: The results.
        budgets: Evaluations of an instance by study.
    """
    text = [
        "# Policies that see the device",
        "",
        "`python experiments/benchmarks/device_policies.py`. *Beaten*: share of instances on which annealing guided by",
        "the policy beats the row: it has a solution after fewer evaluations, or without solutions a lower energy, by",
        f"more than {TIE:g} J; with the 95 % bootstrap interval over instances. The policy always has the budget of",
        "the headline. Errors are means over instances.",
        "",
    ]
    for study, own_budgets in budgets.items():
        rows: dict[str, list[Line]] = {}
        for line in (line for line in lines if line["study"] == study):
            rows.setdefault(line["row"], []).append(line)
        own = (name for name in rows if name.startswith(POLICIES[0]))
        guided = POLICIES[0] if POLICIES[0] in rows else next(own, None)
        for budget in own_budgets if guided is not None else ():
            text += _table(study, rows, budget, str(guided))
    FILE.write_text("\n".join(text).rstrip() + "\n", encoding="utf-8")


def _table(study: str, rows: Mapping[str, Sequence[Line]], budget: int, guided: str) -> list[str]:
    """Return the table of a study at a budget; ``guided`` is the row that the others are compared with."""
    policy, most = rows[guided], max(own[0]["budget"] for own in rows.values())
    text = [f"## {study}, {budget:,} evaluations", ""]
    with_solutions = any(line["first"] is not None for own in rows.values() for line in own)
    head = [
        "row",
        *(("solved", "first solution, median") if with_solutions else ()),
        "lowest error [J]",
        "beaten",
        "ties",
    ]
    text += [f"| {' | '.join(head)} |", f"| {' | '.join(['---'] * len(head))} |"]
    for name, own in rows.items():
        text.append(_row(name, own, budget, policy, budget, with_solutions))
        if own[0]["budget"] == most > budget:
            text.append(_row(f"{name}, {most:,} evaluations", own, most, policy, budget, with_solutions))
    text.append("")
    long = next(own for own in rows.values() if own[0]["budget"] == most)
    for name in (name for name in rows if name.startswith(POLICIES) and most > budget):
        more = f"at least {saved(rows[name], long, budget):,.0f}"
        text.append(f"- {name}: saves {more} evaluations of annealing per instance.")
    return [*text, ""]

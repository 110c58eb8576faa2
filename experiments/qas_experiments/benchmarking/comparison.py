"""Comparison of records from different machines, up to rounding, times, folders and versions."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from qas_envs.problems import Problem
from qas_simulators import PauliSum

if TYPE_CHECKING:
    from qas_experiments.benchmarking.records import Record

TOLERANCE = 1e-9
"""Largest difference of energies and of coefficients, relative to twice the sum of the coefficients."""
_ROUNDING = 1e-13  # of floats, relative to the constant shift
_OF_ACCURACY = 1e-6  # a difference of energies below this share of the accuracy is rounding
_ANGLES = re.compile(r"\([^()]*\)")


def allowed_difference(problem: Problem) -> float:
    """Return the largest difference of two energies that counts as rounding, in the problem's unit."""
    spread, middle = problem.upper_bound - problem.lower_bound, (problem.upper_bound + problem.lower_bound) / 2
    return TOLERANCE * spread + _ROUNDING * abs(middle)


def hamiltonian_difference(problem: Problem, other: PauliSum) -> float:
    """Return the largest difference between the coefficients of a problem's Hamiltonian and of another one.

    Another version of PySCF may give an orbital the opposite sign, which changes the signs of Pauli terms but not the
    physics. The terms of a molecule are therefore compared up to conjugation by Z on any set of qubits.
    """
    ours = problem.hamiltonian
    if other.num_qubits != ours.num_qubits:
        return math.inf
    if "molecule" in problem.provenance:
        turned = np.bitwise_count(other.x & _phases(ours, other, allowed_difference(problem))) & 1
        other = PauliSum.from_masks(other.num_qubits, other.x, other.z, other.coefficients * (1.0 - 2.0 * turned))
    return float(np.abs((ours + -1.0 * other).coefficients).max())


def _phases(ours: PauliSum, other: PauliSum, smallest: float) -> int:
    """Return a mask of the qubits on which Z makes the signs of two Hamiltonians equal, if there is one.

    Each pair of terms above ``smallest`` is an equation over GF(2): the number of those qubits that the term flips is
    odd where signs differ.
    """
    pairs = {(x, z): c for x, z, c in zip(ours.x.tolist(), ours.z.tolist(), ours.coefficients.tolist(), strict=True)}
    pivots: dict[int, tuple[int, bool]] = {}
    for x, z, coefficient in zip(other.x.tolist(), other.z.tolist(), other.coefficients.tolist(), strict=True):
        mine = pairs.get((x, z), 0.0)
        is_odd = mine * coefficient < 0
        while x and min(abs(mine), abs(coefficient)) > smallest:
            top = x.bit_length()
            if top not in pivots:
                pivots[top] = (x, is_odd)
                break
            x, is_odd = x ^ pivots[top][0], is_odd ^ pivots[top][1]
    mask = 0
    for top in sorted(pivots):
        flips, is_odd = pivots[top]
        mask |= ((flips & mask).bit_count() % 2 != is_odd) << (top - 1)
    return mask


def differences(first: Record, second: Record) -> list[str]:
    """Return the differences between two records of one cell; an empty list means that they agree.

    Times, folders, versions and the kind of machine are not compared, and numbers only up to rounding.
    """
    found: list[str] = []
    smallest = _OF_ACCURACY * float(first.figures["accuracy"])
    _compare("figures", _without_times(first.figures), _without_times(second.figures), smallest, found)
    _compare("circuits", _of_circuits(first.circuits), _of_circuits(second.circuits), smallest, found)
    return found


def _without_times(figures: dict[str, Any]) -> dict[str, Any]:
    first = figures["first_solved"]
    kept = {name: value for name, value in figures.items() if name != "seconds"}
    return kept | {"first_solved": first and first[:1], "firsts": [row[:2] for row in figures["firsts"]]}


def _of_circuits(circuits: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        name: {key: value for key, value in one.items() if key != "seconds"} | {"qasm": _ANGLES.sub("", one["qasm"])}
        for name, one in circuits.items()
    }


def _compare(name: str, first: Any, second: Any, smallest: float, found: list[str]) -> None:
    """Append every difference with both values; numbers that differ by at most ``smallest`` are equal."""
    if isinstance(first, dict) and isinstance(second, dict):
        for key in sorted({*first, *second}):
            _compare(f"{name}.{key}", first.get(key), second.get(key), smallest, found)
    elif isinstance(first, int | float) and isinstance(second, int | float) and abs(first - second) <= smallest:
        return
    elif first != second:
        texts = [text if len(text) <= 40 else f"{text[:37]}..." for text in (repr(first), repr(second))]
        found.append(f"{name} is {texts[0]} and {texts[1]}")

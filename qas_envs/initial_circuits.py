"""Initial circuits by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from qas_envs.problems import Problem
from qas_simulators import Circuit


def _empty(problem: Problem) -> None:
    """No gates."""


def _basis_state(problem: Problem) -> Circuit:
    """X gates that prepare the basis state of lowest energy."""
    return problem.best_basis_state()


def _product_state(problem: Problem) -> Circuit:
    """RY and RZ on every qubit that prepare the product state of lowest energy."""
    return problem.best_product_state()


INITIAL_CIRCUITS: Final[dict[str, Callable[[Problem], Circuit | None]]] = {
    "empty": _empty,
    "basis_state": _basis_state,
    "product_state": _product_state,
}

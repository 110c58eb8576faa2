"""Initial circuits by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from qas_envs.problems import Problem
from qas_simulators import Circuit, MPSSimulator
from qas_simulators.dmrg import dmrg
from qas_simulators.errors import must
from qas_simulators.mps_circuits import staircase
from qas_simulators.optimizers import ScanLBFGS

_MOST_LAYERS: Final = 4
_DMRG_STARTS: Final = 3  # random states: with so few bonds DMRG may end in a local minimum
_ITERATIONS: Final = 100


def _empty(problem: Problem) -> None:
    """No gates."""


def _basis_state(problem: Problem) -> Circuit:
    """X gates that prepare the basis state of lowest energy."""
    return problem.best_basis_state()


def _product_state(problem: Problem) -> Circuit:
    """RY and RZ on every qubit that prepare the product state of lowest energy."""
    return problem.best_product_state()


def _mps(problem: Problem, layers: int = 1) -> Circuit:
    """RY and CX that prepare a matrix-product state of low energy, in layers of blocks on neighbours.

    One layer is the best state with bond dimension 2 that DMRG finds from several random states, with ``2 n - 3`` CX;
    each further layer has ``2 n - 2``. All angles are then optimised together.
    """
    if not problem.hamiltonian.is_real:
        raise ValueError(must("initial", "not be 'mps' for a Hamiltonian with complex entries", problem.name))
    if not 1 <= layers <= _MOST_LAYERS:
        raise ValueError(must("layers", f"be an integer from 1 to {_MOST_LAYERS}", layers))
    tried = [dmrg(problem.hamiltonian, max_bond=2**layers, seed=seed) for seed in range(_DMRG_STARTS)]
    circuit = staircase(min(tried, key=lambda found: found.energy).state, layers)
    circuit.params = (
        ScanLBFGS(max_iterations=_ITERATIONS).minimize(MPSSimulator(), circuit, problem.hamiltonian, 0).params
    )
    return circuit


INITIAL_CIRCUITS: Final[dict[str, Callable[[Problem], Circuit | None]]] = {
    "empty": _empty,
    "basis_state": _basis_state,
    "product_state": _product_state,
    "mps": _mps,
}

"""Problems by name."""

from collections.abc import Callable

from qas_envs.problems.classification import classifier
from qas_envs.problems.clifford import clifford_state, fewest_two_qubit_gates
from qas_envs.problems.combinatorial import independent_set, max_cut, qubo
from qas_envs.problems.diagonalization import diagonalization
from qas_envs.problems.distributions import distribution
from qas_envs.problems.excited import excited_state
from qas_envs.problems.floors import KnownFloor, known_floors
from qas_envs.problems.graphs import ising_graphs
from qas_envs.problems.hamiltonians import ground_state
from qas_envs.problems.hubbard import hubbard
from qas_envs.problems.linear_costs import linear_cost
from qas_envs.problems.molecules import TABLE, beh2, ch2, h2, h2o, lih, molecule
from qas_envs.problems.problem import CHEMICAL_ACCURACY, Problem
from qas_envs.problems.random_chains import xxz_chains
from qas_envs.problems.spins import heisenberg, j1_j2, tfim
from qas_envs.problems.states import bell, ghz, random_state, state, state_preparation, w
from qas_envs.problems.unitaries import fewest_cx, makhlin_invariants, unitary

_IN_TABLE = "bent_h2o", "h4_chain", "h4_rectangle", "h6_chain", "n2", "stretched_h2o"
bent_h2o, h4_chain, h4_rectangle, h6_chain, n2, stretched_h2o = (TABLE[name] for name in _IN_TABLE)

PROBLEMS: dict[str, Callable[..., Problem]] = {
    "h2": h2,
    "lih": lih,
    "beh2": beh2,
    "h2o": h2o,
    "ch2": ch2,
    **TABLE,
    "molecule": molecule,
    "tfim": tfim,
    "heisenberg": heisenberg,
    "ising_graphs": ising_graphs,
    "xxz_chains": xxz_chains,
    "j1_j2": j1_j2,
    "hubbard": hubbard,
    "ground_state": ground_state,
    "excited_state": excited_state,
    "max_cut": max_cut,
    "independent_set": independent_set,
    "qubo": qubo,
    "bell": bell,
    "ghz": ghz,
    "w": w,
    "random_state": random_state,
    "distribution": distribution,
    "unitary": unitary,
    "diagonalization": diagonalization,
    "classifier": classifier,
    "clifford_state": clifford_state,
    "state": state,
}

__all__ = [
    "CHEMICAL_ACCURACY",
    "PROBLEMS",
    "KnownFloor",
    "Problem",
    "beh2",
    "bell",
    "bent_h2o",
    "ch2",
    "classifier",
    "clifford_state",
    "diagonalization",
    "distribution",
    "excited_state",
    "fewest_cx",
    "fewest_two_qubit_gates",
    "ghz",
    "ground_state",
    "h2",
    "h2o",
    "h4_chain",
    "h4_rectangle",
    "h6_chain",
    "heisenberg",
    "hubbard",
    "independent_set",
    "ising_graphs",
    "j1_j2",
    "known_floors",
    "lih",
    "linear_cost",
    "makhlin_invariants",
    "max_cut",
    "molecule",
    "n2",
    "qubo",
    "random_state",
    "state",
    "state_preparation",
    "stretched_h2o",
    "tfim",
    "unitary",
    "w",
    "xxz_chains",
]

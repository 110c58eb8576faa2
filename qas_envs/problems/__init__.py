"""Problems by name."""

from collections.abc import Callable

from qas_envs.problems.floors import KnownFloor, known_floors
from qas_envs.problems.hamiltonians import ground_state
from qas_envs.problems.molecules import beh2, ch2, h2, h2o, h4_chain, lih, molecule, stretched_h2o
from qas_envs.problems.problem import CHEMICAL_ACCURACY, Problem
from qas_envs.problems.spins import heisenberg, tfim
from qas_envs.problems.states import bell, ghz, random_state, state, state_preparation, w

PROBLEMS: dict[str, Callable[..., Problem]] = {
    "h2": h2,
    "lih": lih,
    "beh2": beh2,
    "h2o": h2o,
    "ch2": ch2,
    "h4_chain": h4_chain,
    "stretched_h2o": stretched_h2o,
    "molecule": molecule,
    "tfim": tfim,
    "heisenberg": heisenberg,
    "ground_state": ground_state,
    "bell": bell,
    "ghz": ghz,
    "w": w,
    "random_state": random_state,
    "state": state,
}

__all__ = [
    "CHEMICAL_ACCURACY",
    "PROBLEMS",
    "KnownFloor",
    "Problem",
    "beh2",
    "bell",
    "ch2",
    "ghz",
    "ground_state",
    "h2",
    "h2o",
    "h4_chain",
    "heisenberg",
    "known_floors",
    "lih",
    "molecule",
    "random_state",
    "state",
    "state_preparation",
    "stretched_h2o",
    "tfim",
    "w",
]

"""The instances, by name."""

from collections.abc import Callable

from qas_envs.problems.molecules import h2, lih
from qas_envs.problems.problem import CHEMICAL_ACCURACY, Problem
from qas_envs.problems.spins import tfim
from qas_envs.problems.states import bell, ghz, state_preparation

__all__ = ["CHEMICAL_ACCURACY", "PROBLEMS", "Problem", "bell", "ghz", "h2", "lih", "state_preparation", "tfim"]

PROBLEMS: dict[str, Callable[..., Problem]] = {"h2": h2, "lih": lih, "tfim": tfim, "bell": bell, "ghz": ghz}

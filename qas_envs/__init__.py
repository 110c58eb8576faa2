"""Quantum architecture search as Gymnasium environments: importing this package registers the ``QAS-...`` ids."""

from qas_envs.circuit_env import CircuitBuildingEnv
from qas_envs.factory import make_env
from qas_envs.problems import Problem
from qas_envs.registration import ENVIRONMENTS, register_all
from qas_envs.rules import Rules

__all__ = ["ENVIRONMENTS", "CircuitBuildingEnv", "Problem", "Rules", "make_env", "register_all"]

__version__ = "0.2.0"

register_all()

"""From a name to the function that builds a problem: of this package, of a plugin, or an import string."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

from qas_envs.imports import PROBLEM_PLUGINS, imported, is_import_string, plugin, plugins
from qas_envs.problems import PROBLEMS
from qas_envs.problems.problem import Problem
from qas_simulators.errors import must, unknown_name


def problem_names() -> list[str]:
    """Return the names of all problems, those of plugins included; no plugin is imported."""
    return sorted({*PROBLEMS, *plugins(PROBLEM_PLUGINS)})


def problem_function(name: Any) -> Callable[..., Problem]:
    """Return the function whose arguments are the settings of a problem.

    Args:
        name: Name of a problem or of a plugin, an import string ``package.module:function``, or a problem.

    Raises:
        ValueError: An unknown name, or one that cannot be imported or makes no problem.

    Examples:
        >>> problem_function("tfim")(num_qubits=2).name
        'TFIM (n=2, h=1)'
    """
    if isinstance(name, Problem):
        return _constant(name)
    if isinstance(name, str) and name in PROBLEMS:
        return PROBLEMS[name]
    if is_import_string(name):
        return _checked(name, imported("problem", name))
    if isinstance(name, str) and name in plugins(PROBLEM_PLUGINS):
        return _checked(name, plugin("problem", PROBLEM_PLUGINS, name))
    raise ValueError(unknown_name("problem", name, problem_names()))


def _constant(problem: Problem) -> Callable[[], Problem]:
    return lambda: problem


def _checked(name: str, found: Any) -> Callable[..., Problem]:
    """Return what was imported if it is a problem or a function that is annotated to return one."""
    if isinstance(found, Problem):
        return _constant(found)
    if inspect.isfunction(found):
        try:
            hint = get_type_hints(found).get("return")
        except Exception:  # names that exist only for type checkers
            hint = found.__annotations__.get("return")
        if hint is Problem or hint in ("Problem", "qas_envs.Problem"):
            return found
    requirement = "name a function that is annotated to return a qas_envs.Problem, or a Problem"
    raise ValueError(must("problem", requirement, name))

"""Training, evaluation, benchmarks and records, for commands and for Python users.

:func:`train`, :func:`benchmark` and :func:`solve` return results as objects. :mod:`qas_experiments.plots` draws them.
:func:`load_circuits` reads circuits of our own searches.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qas_experiments import plots as plots
    from qas_experiments.api import benchmark, solve, train
    from qas_experiments.circuit_data import CircuitTable, load_circuits
    from qas_experiments.results import Benchmark, Run, Table
    from qas_experiments.solving import Solved

__all__ = [
    "Benchmark",
    "CircuitTable",
    "Run",
    "Solved",
    "Table",
    "benchmark",
    "load_circuits",
    "plots",
    "solve",
    "train",
]

_MODULES = {
    "Benchmark": "results",
    "CircuitTable": "circuit_data",
    "Run": "results",
    "Solved": "solving",
    "Table": "results",
    "load_circuits": "circuit_data",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use, so that commands start quickly."""
    if name == "plots":
        return import_module("qas_experiments.plots")
    if name in __all__:
        return getattr(import_module(f"qas_experiments.{_MODULES.get(name, 'api')}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

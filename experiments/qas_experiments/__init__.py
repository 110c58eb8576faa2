"""Training, evaluation, benchmarks, records and pictures; for use from Python :mod:`qas_experiments.plots`."""

from importlib import import_module
from typing import Any

__all__ = ["plots"]


def __getattr__(name: str) -> Any:
    """Import a public module when it is first asked for: commands need not wait for all."""
    if name in __all__:
        return import_module(f"qas_experiments.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

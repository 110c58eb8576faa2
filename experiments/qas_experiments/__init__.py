"""Training, evaluation, benchmarks and records, used by commands; :mod:`qas_experiments.plots` is for Python users."""

from importlib import import_module
from typing import Any

__all__ = ["plots"]


def __getattr__(name: str) -> Any:
    """Import a public module at its first use, so that commands start quickly."""
    if name in __all__:
        return import_module(f"qas_experiments.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Benchmarks: suites of cells, their records, whether these are true.

The package can be called: ``qas_experiments.benchmark(...)`` is the function of that name.

Args:
    arguments: Those of :func:`qas_experiments.api.benchmark`.
    settings: Its keyword arguments.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """A module that is also a function."""

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        from qas_experiments.api import benchmark

        return benchmark(*arguments, **settings)


sys.modules[__name__].__class__ = _Callable

"""Compiled loops. They trust their arguments; ``program`` and few other modules call them (see ``pyproject.toml``)."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any


def __getattr__(name: str) -> Any:
    """Import a module of this package, and with it numba, when a kernel is first needed: it takes half a second."""
    if name.startswith("_") or find_spec(f"{__name__}.{name}") is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{name}")

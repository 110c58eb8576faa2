"""Entry points of the console scripts; missing optional packages give one line instead of a traceback.

The command ``qas-<name>`` is the function ``main`` of the module ``<name>`` in this package.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Final

from qas_simulators.errors import needs_extra

_EXTRAS: Final = {"tune": "sweeps", "run": "devices"}
"""Extras of commands that need another one than ``experiments``."""


def _start(name: str) -> None:
    try:
        with needs_extra(_EXTRAS.get(name, "experiments")):
            main = import_module(f"qas_experiments.commands.{name}").main
    except ImportError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(2) from None
    main()


def __getattr__(name: str) -> Callable[[], None]:
    """Return the function that starts a command."""
    if name.startswith("_") or find_spec(f"qas_experiments.commands.{name}") is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return partial(_start, name)

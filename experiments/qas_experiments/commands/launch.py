"""Entry points of the console scripts; missing optional packages give one line instead of a traceback.

The command ``qas-<name>`` is the function ``main`` of the module ``<name>`` in this package. Its arguments are read
before that module is imported, because most of them import PyTorch, Qiskit or Matplotlib.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Final

from qas_experiments.interrupts import INTERRUPTED
from qas_simulators.errors import MissingExtraError, needs_extra

_EXTRAS: Final = {"tune": "sweeps", "run": "devices"}
"""Extras of commands that need another one than ``experiments``."""


def _start(name: str) -> None:
    try:
        if os.getcwd() not in sys.path:
            sys.path.append(os.getcwd())  # modules of the current folder can be named; installed ones come first
        _main_of(name)()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        raise SystemExit(INTERRUPTED) from None
    except (OSError, MissingExtraError) as error:  # of a file or folder that the command did not check, or a package
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(2) from None


def _main_of(name: str) -> Callable[[], None]:
    """Return the entry point of a command, whose arguments are read first."""
    try:
        with needs_extra(_EXTRAS.get(name, "experiments")):
            import_module("qas_experiments.commands.arguments").read(name)
            main: Callable[[], None] = import_module(f"qas_experiments.commands.{name}").main
    except ImportError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(2) from None
    return main


def __getattr__(name: str) -> Callable[[], None]:
    """Return the function that starts a command."""
    if name.startswith("_") or find_spec(f"qas_experiments.commands.{name}") is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return partial(_start, name)

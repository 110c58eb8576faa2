"""Entry points of the console scripts; missing optional packages give one line instead of a traceback."""

from __future__ import annotations

import sys
from importlib import import_module

from qas_simulators.errors import needs_extra


def _start(module: str, extra: str = "experiments") -> None:
    try:
        with needs_extra(extra):
            main = import_module(module).main
    except ImportError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(2) from None
    main()


def train() -> None:
    """``qas-train``."""
    _start("qas_experiments.commands.train")


def evaluate() -> None:
    """``qas-evaluate``."""
    _start("qas_experiments.commands.evaluate")


def tune() -> None:
    """``qas-tune``."""
    _start("qas_experiments.commands.tune", "sweeps")


def benchmark() -> None:
    """``qas-benchmark``."""
    _start("qas_experiments.commands.benchmark")


def report() -> None:
    """``qas-report``."""
    _start("qas_experiments.commands.report")


def gadgets() -> None:
    """``qas-gadgets``."""
    _start("qas_experiments.commands.gadgets")


def runs() -> None:
    """``qas-runs``."""
    _start("qas_experiments.commands.runs")

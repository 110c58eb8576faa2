"""Angle optimisers, chosen by name or handed in."""

from collections.abc import Callable
from typing import Any

from qas_simulators.errors import unknown_name
from qas_simulators.optimizers.adam_spsa import AdamSPSA
from qas_simulators.optimizers.cobyla import Cobyla
from qas_simulators.optimizers.none import NoOptimizer
from qas_simulators.optimizers.optimizer import BatchOptimizer, BatchResult, OptimizationResult, Optimizer
from qas_simulators.optimizers.rotosolve import Rotosolve
from qas_simulators.optimizers.scan_lbfgs import ScanLBFGS

__all__ = [
    "OPTIMIZERS",
    "AdamSPSA",
    "BatchOptimizer",
    "BatchResult",
    "Cobyla",
    "NoOptimizer",
    "OptimizationResult",
    "Optimizer",
    "Rotosolve",
    "ScanLBFGS",
    "make_optimizer",
]

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "scan_lbfgs": ScanLBFGS,
    "rotosolve": Rotosolve,
    "cobyla": Cobyla,
    "adam_spsa": AdamSPSA,
    "none": NoOptimizer,
}


def make_optimizer(name: str, **settings: Any) -> Optimizer:
    """Return an optimiser by name.

    Raises:
        ValueError: Unknown name or a setting out of range.
    """
    if name not in OPTIMIZERS:
        raise ValueError(unknown_name("optimizer", name, OPTIMIZERS))
    return OPTIMIZERS[name](**settings)

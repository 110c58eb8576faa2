"""How a circuit is run on a device, in a module that does not import Qiskit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from qas_simulators.errors import must, unknown_name

PRIMITIVES: Final = ("estimator", "sampler")
LAYOUTS: Final = ("calibrated", "connected", "qiskit")


@dataclass(frozen=True)
class DeviceSettings:
    """How a circuit is run on a device.

    Attributes:
        backend: A backend, or its name.
        primitive: ``"estimator"``, or ``"sampler"``: counts in bases of commuting terms.
        shots: Shots for each basis.
        seed: Seeds the transpiler, and the simulator of a fake backend.
        layout: ``"calibrated"`` or ``"connected"`` qubits as in
            :func:`~qas_simulators.bridges.backends.best_qubits`, ``"qiskit"`` for Qiskit's choice, or the qubits.
        options: Options of the primitive, such as ``{"resilience_level": 2}``; fake backends ignore resilience.
    """

    backend: Any
    primitive: str = "estimator"
    shots: int = 4096
    seed: int = 0
    layout: Any = "calibrated"
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.primitive not in PRIMITIVES:
            raise ValueError(unknown_name("primitive", self.primitive, PRIMITIVES))
        if isinstance(self.layout, str) and self.layout not in LAYOUTS:
            raise ValueError(unknown_name("layout", self.layout, LAYOUTS))
        if not isinstance(self.shots, int) or isinstance(self.shots, bool) or self.shots < 2:
            raise ValueError(must("shots", "be an integer of at least 2", self.shots))
        if not isinstance(self.seed, int) or isinstance(self.seed, bool) or self.seed < 0:
            raise ValueError(must("seed", "be an integer that is not negative", self.seed))
        if not isinstance(self.options, Mapping):
            raise ValueError(must("options", "be a mapping from names to values", self.options))

"""The rule ``backend``, and rules that are given as objects of Qiskit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from qas_envs.components import check_settings
from qas_simulators import Circuit, NoiseModel
from qas_simulators.errors import must

if TYPE_CHECKING:
    from qas_simulators.bridges.backends import DevicePart

PROGRAM: Final = "OPENQASM"
"""A word by which texts of circuits are recognised."""


@dataclass(frozen=True)
class DeviceChoice:
    """A backend that was chosen for an environment, before the number of qubits is known.

    Attributes:
        backend: A Qiskit backend or its name.
        settings: ``layout``, ``stand_ins``; see :func:`qas_simulators.bridges.backends.device_part`.
        is_noisy: Whether the environment has the device's noise.
    """

    backend: Any
    settings: Mapping[str, Any]
    is_noisy: bool = True
    _parts: dict[int, DevicePart] = field(default_factory=dict, compare=False)

    def on(self, num_qubits: int) -> DevicePart:
        """Return the part of the device for a register; environments of one choice share it."""
        from qas_simulators.bridges.backends import device_part

        if num_qubits not in self._parts:
            self._parts[num_qubits] = device_part(self.backend, num_qubits, **self.settings)
        return self._parts[num_qubits]

    def rules(self, part: DevicePart) -> dict[str, Any]:
        """Return the rules that follow from a part of the device."""
        return {"gates": part.gates, "couplings": part.couplings, "noise": part.noise if self.is_noisy else None}


def device_of(name: str, value: Any) -> Any:
    """Return the :class:`DeviceChoice` that the argument ``backend`` stands for, or ``None``.

    Args:
        name: Name of the argument.
        value: A backend, its name, or ``{"name": ..., "layout": ..., "noise": ..., "stand_ins": ...}``; a
            ``DevicePart`` is returned as it is.

    Raises:
        ValueError: Something else, or an unknown setting.
    """
    if value is None or isinstance(value, DeviceChoice) or type(value).__name__ == "DevicePart":
        return value
    if isinstance(value, str):
        return DeviceChoice(value, {})
    if isinstance(value, Mapping):
        settings = dict(value)
        backend = settings.pop("name", None)
        if not isinstance(backend, str) and not hasattr(backend, "target"):
            raise ValueError(must(name, 'have a name: {"name": ..., settings}', value))
        check_settings("the backend", _settings, settings)
        is_noisy = settings.pop("noise", True)
        return DeviceChoice(backend, settings, is_noisy)
    if isinstance(value, type) or not (hasattr(value, "target") or hasattr(value, "operation_names")):
        raise ValueError(must(name, "be a Qiskit backend, its name, or None", value))
    return DeviceChoice(value, {})


def _settings(layout: Any = "calibrated", noise: bool = True, stand_ins: Any = None) -> None:
    """Have the settings of a backend as parameters."""


def noise_of(name: str, value: Any) -> NoiseModel | Callable[[int], NoiseModel] | None:
    """Return a noise model or ``None``; for one of Qiskit Aer, a function of the number of qubits that converts it.

    A fitted gate set becomes the noise of its gates.

    Raises:
        ValueError: Something else.
    """
    if value is None or isinstance(value, NoiseModel):
        return value
    if type(value).__name__ == "NoiseModel" and type(value).__module__.startswith("qiskit_aer."):
        return partial(_converted, value)
    if type(value).__name__ == "GateSet" and type(value).__module__.startswith("qas_simulators."):
        fitted: NoiseModel = value.noise_model()
        return fitted
    if hasattr(value, "target"):
        raise ValueError(must(name, "be a noise model (the argument `backend` takes backends)", value))
    raise ValueError(must(name, 'be a name, {"name": ..., settings}, a NoiseModel, one of Qiskit Aer, or None', value))


def _converted(model: Any, num_qubits: int) -> NoiseModel:
    return NoiseModel.from_qiskit(model, range(num_qubits))


def circuit_of(name: str, value: Any) -> Circuit | None:
    """Return an initial circuit, given as a circuit of this library or of Qiskit, as OpenQASM text, or ``None``.

    Raises:
        ValueError: Something else, or a circuit that is not unitary.
    """
    if value is None or isinstance(value, Circuit):
        return value
    if isinstance(value, str):
        return Circuit.from_qasm(value)
    if any(kind.__name__ == "QuantumCircuit" and kind.__module__.startswith("qiskit.") for kind in type(value).__mro__):
        return Circuit.from_qiskit(value)
    needed = "or a Circuit, a QuantumCircuit of Qiskit, OpenQASM text, or None"
    raise ValueError(must(name, f'be a name, {{"name": ..., settings}}, {needed}', value))

"""Energies and minimisations of states of many qubits, for optimisers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Final, Protocol

import numpy as np

from qas_simulators.circuit import Circuit
from qas_simulators.descent import descend, scan
from qas_simulators.errors import must
from qas_simulators.memory import check_memory
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray, Links, Settings, links_of
from qas_simulators.simulator import Objective, Simulator

LEAST_QUBITS: Final = 15
"""Registers from this size on are simulated in blocks of gates."""
_BYTES: Final = 56  # of an amplitude: state, the one that is kept, bra and diagonal


class RotationProgram(Protocol):
    """The energy of a circuit as a function of the angles of its rotations."""

    def energy(self, angles: FloatArray) -> float:
        """Return the energy at the angles of all rotations, in radians."""

    def energy_and_gradient(self, angles: FloatArray) -> tuple[float, FloatArray]:
        """Return the energy, and its derivatives by the angles of all rotations."""


class WideObjective(Objective):
    """The energy of one circuit of many qubits as a function of its angles.

    Args:
        simulator: Its shot noise counts.
        circuit: The circuit.
        observable: On as many qubits.
        make: Returns the program of the circuit and of the observable in its own unit.
        noise: Rounding of energies, in the observable's unit; gains below it end a minimisation.
    """

    def __init__(
        self,
        simulator: Simulator,
        circuit: Circuit,
        observable: PauliSum,
        make: Callable[[Circuit, PauliSum], RotationProgram],
        noise: float = 0.0,
    ) -> None:
        simulator.check(circuit, observable)
        self._simulator, self._circuit, self._make = simulator, circuit, make
        self._observable, self._unit = observable.in_unit()
        self._links, self._noise = links_of(circuit), noise / self._unit

    @cached_property
    def _wide(self) -> RotationProgram:
        return self._make(self._circuit, self._observable)

    def _angles(self, params: FloatArray) -> FloatArray:
        return rotation_angles(params, self._links, self._circuit)

    def _pulled_back(self, gradient: FloatArray) -> FloatArray:
        """Return derivatives by the parameters, given those by the angle of every rotation."""
        if not self._circuit.is_linked:
            return gradient
        sources, factors, _ = self._links
        found = np.zeros(self._circuit.num_params + 1)
        if self._circuit.num_rotations:
            np.add.at(found, sources, factors * gradient)
        return found[:-1]

    def _exact(self, params_batch: FloatArray) -> FloatArray:
        return np.array([self._wide.energy(self._angles(params)) for params in params_batch])

    def evaluate(self, params_batch: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the energies ``(B,)`` in the observable's own unit, and gradients ``(B, num_params)``."""
        found = [self._wide.energy_and_gradient(self._angles(params)) for params in params_batch]
        energies = np.array([energy for energy, _ in found])
        return energies, np.array([self._pulled_back(slopes) for _, slopes in found]).reshape(params_batch.shape)

    @property
    def unit(self) -> float:
        """The unit of :meth:`evaluate`, in the observable's."""
        return self._unit

    def sweep(self, params: FloatArray, energy: float) -> float:
        """Move each angle to the minimum of its sinusoid, in place; return the energy there."""
        if self._simulator.shots is not None:
            return super().sweep(params, energy)
        if self._circuit.is_linked:
            raise ValueError(must("circuit", "have no linked angles: energies are no sinusoids in them", self._circuit))
        scan(self._exact, params, 0, True)
        params -= 2 * np.pi * np.floor(0.5 * params / np.pi + 0.5)
        return self._unit * float(self._exact(params[None])[0])

    def minimized(self, params: FloatArray, first: int, settings: Settings) -> tuple[float, int, int]:
        """Scan the angles from index ``first`` on, then run L-BFGS on all, in place.

        Returns:
            Energy, number of evaluations (energies and gradients), number of gradients among them.
        """
        evaluations = scan(self._exact, params, first, not self._circuit.is_linked) if first < len(params) else 0
        if len(params) == 0 or settings[0] == 0:
            return self._unit * float(self._exact(params[None])[0]), evaluations + 1, 0
        settings = *settings[:2], max(settings[2], self._noise)
        energy, gradients = descend(self.evaluate, params, settings, self._circuit.is_linked)
        return self._unit * energy, evaluations + gradients, gradients


def rotation_angles(params: FloatArray, links: Links, circuit: Circuit) -> FloatArray:
    """Return the angle of every rotation of a circuit, given its parameters and links."""
    sources, factors, offsets = links
    own = params if len(sources) == 0 else offsets + factors * np.append(params, 0.0)[sources]
    return own[: circuit.num_rotations]


def check_wide_memory(num_qubits: int) -> None:
    """Raise ``ValueError`` if state, bra and diagonal do not fit into memory."""
    check_memory("hamiltonian", _BYTES << num_qubits, f"states of {num_qubits} qubits")

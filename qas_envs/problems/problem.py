"""Problem: the observable that is minimised, and its exact ground energy."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qas_simulators import Circuit, PauliSum, StatevectorSimulator
from qas_simulators.errors import must
from qas_simulators.optimizers import ScanLBFGS

CHEMICAL_ACCURACY = 1.6e-3
"""Hartree."""
_DIGEST_DECIMALS = 10
_NOT_SMALL = 1e-6  # amplitude whose phase is not rounding


@dataclass(frozen=True)
class Problem:
    """One instance: an observable to minimise over circuits that start in ``|0...0>``.

    State preparation is the same problem with ``hamiltonian = 1 - |psi><psi|``: its energy is the infidelity and its
    ground energy 0. If the Hamiltonian has a preparation (:class:`~qas_simulators.preparation.Preparation`), circuits
    start after it, on fewer qubits than the Hamiltonian has; so costs of a whole unitary become energies.

    Attributes:
        name: Short label for tables.
        hamiltonian: The observable, constant shift included.
        ground_energy: Its lowest eigenvalue; with a preparation, the lowest energy after any unitary.
            ``provenance["reference"]`` says how it is known, and with what error.
        accuracy: Error below which a circuit counts as a solution unless a curriculum says otherwise.
        unit: Unit of energies, e.g. ``"Ha"``; empty for infidelities.
        provenance: Origin of the instance: geometry, mapping, tool versions, hash.

    Raises:
        ValueError: The accuracy is not positive.

    Examples:
        >>> problem = Problem("pair", PauliSum({"ZZ": -1.0, "XI": 0.5}), -1.118033988749895, accuracy=1e-3, unit="J")
        >>> problem.num_qubits, problem.best_basis_state().num_gates
        (2, 0)
    """

    name: str
    hamiltonian: PauliSum
    ground_energy: float
    accuracy: float
    unit: str
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.accuracy > 0:
            raise ValueError(must("accuracy", "be positive", self.accuracy))

    @property
    def num_qubits(self) -> int:
        """Number of qubits that circuits have."""
        return self.hamiltonian.circuit_qubits

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the Hamiltonian's terms, which identifies the instance.

        Coefficients are rounded to ten decimals. If the largest one, without the constant shift, is below 1e-3, more
        decimals are used, so that an operator in small units keeps as many digits. A preparation adds its state.
        """
        terms = self.hamiltonian.terms()
        sizes = [abs(value) for label, value in terms.items() if set(label) != {"I"}]
        largest = max(sizes, default=0.0) or max(map(abs, terms.values()))
        exponent = math.floor(math.log10(largest)) if largest else 0
        decimals = _DIGEST_DECIMALS + max(0, -3 - exponent)
        content: dict[str, Any] = {label: round(value, decimals) + 0.0 for label, value in terms.items()}
        if (first := self.hamiltonian.preparation) is not None:
            state = StatevectorSimulator().statevector(first.circuit)
            state *= np.exp(-1j * np.angle(state[np.argmax(np.abs(state) > _NOT_SMALL)]))
            amplitudes = np.round([*state.real, *state.imag], _DIGEST_DECIMALS) + 0.0
            content["preparation"] = [first.num_qubits, *amplitudes.tolist()]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @cached_property
    def lower_bound(self) -> float:
        """Rayleigh's bound ``c_I - sum |c_k|``: a reference that needs no knowledge of the ground energy."""
        identity = float(self.hamiltonian.terms().get("I" * self.hamiltonian.num_qubits, 0.0))
        return identity - (float(np.abs(self.hamiltonian.coefficients).sum()) - abs(identity))

    @cached_property
    def upper_bound(self) -> float:
        """``c_I + sum |c_k|``: no state has a higher energy."""
        identity = float(self.hamiltonian.terms().get("I" * self.hamiltonian.num_qubits, 0.0))
        return 2 * identity - self.lower_bound

    @cached_property
    def empty_energy(self) -> float:
        """Energy of the empty circuit."""
        if self.hamiltonian.preparation is not None:
            return StatevectorSimulator().expectation(Circuit(self.num_qubits), self.hamiltonian)
        return float(self.hamiltonian.coefficients[self.hamiltonian.x == 0].sum())

    def basis_energies(self) -> NDArray[np.float64]:
        """Return the energies after X gates on the qubits of every basis state, ``(2**n,)``.

        Raises:
            ValueError: They do not fit into memory.
        """
        if self.hamiltonian.preparation is None:
            return self.hamiltonian.basis_energies()
        circuits = [self._flipped(state) for state in range(1 << self.num_qubits)]
        return StatevectorSimulator().expectations_of(circuits, self.hamiltonian)

    def best_basis_state(self) -> Circuit:
        """Return X gates that prepare the basis state of lowest energy (for molecules often Hartree-Fock).

        Raises:
            ValueError: The energies of all basis states, ``(2**n,)``, do not fit into memory.
        """
        return self._flipped(int(np.argmin(self.basis_energies())))

    def _flipped(self, state: int) -> Circuit:
        circuit = Circuit(self.num_qubits)
        for qubit in range(self.num_qubits):
            if state >> qubit & 1:
                circuit.x(qubit)
        return circuit

    def best_product_state(self, starts: int = 20, seed: int = 0) -> Circuit:
        """Return RY, RZ on every qubit with the best angles of ``starts`` random starts and the best basis state.

        After a preparation RZ comes before them, so that the circuit is the best one without entangling gates.
        """
        rng = np.random.default_rng(seed)
        circuit = Circuit(self.num_qubits)
        for qubit in range(self.num_qubits):
            if self.hamiltonian.preparation is not None:
                circuit.rz(0.0, qubit)
            circuit.ry(0.0, qubit).rz(0.0, qubit)
        flipped = {operation.qubits[0] for operation in self.best_basis_state()}
        angles = [np.array([np.pi * (name == "ry" and qubit in flipped) for name, (qubit,), _ in circuit], dtype=float)]
        angles += [rng.uniform(-np.pi, np.pi, circuit.num_params) for _ in range(starts)]
        best_energy = np.inf
        for start in angles:
            trial = circuit.copy()
            trial.params = start
            result = ScanLBFGS().minimize(StatevectorSimulator(), trial, self.hamiltonian, num_new=trial.num_params)
            if result.energy < best_energy:
                best_energy, best = result.energy, result.params
        circuit.params = best
        return circuit

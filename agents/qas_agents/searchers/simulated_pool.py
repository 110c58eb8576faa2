"""Energies and slopes of ADAPT by a simulator, for registers that are too large for vectors of basis states."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qas_simulators import Circuit, PauliSum, Simulator
from qas_simulators.exponentials import Exponential
from qas_simulators.optimizers import ScanLBFGS
from qas_simulators.subspace import Minimum

_ITERATIONS = 500


class SimulatedPool:
    """What :class:`~qas_simulators.subspace.Subspace` does, by circuits that a simulator evaluates.

    The slope of ``exp(-i angle / 2 P)`` at angle 0 after a circuit is the mean of ``i/2 [P, H]``. The strings of all
    these commutators are measured together. Slopes of other exponentials are gradients of the circuit with each of them
    appended.

    Args:
        hamiltonian: The operator.
        reference: The initial circuit.
        pool: The exponentials.
        simulator: Evaluates energies, gradients and means of strings.
    """

    def __init__(
        self, hamiltonian: PauliSum, reference: Circuit, pool: Sequence[Exponential], simulator: Simulator
    ) -> None:
        self._hamiltonian, self._reference, self._pool, self._simulator = hamiltonian, reference, pool, simulator
        simulator.check(reference, hamiltonian)
        simulator.require_exact("ADAPT")
        self._strings = [k for k, exponential in enumerate(pool) if _string_of(exponential) is not None]
        self._measured, self._matrix = self._commutators()

    def circuit(self, sequence: Sequence[int], angles: ArrayLike) -> Circuit:
        """Return the reference, then exponentials of the pool at their angles."""
        circuit = self._reference.copy()
        for k, angle in zip(sequence, np.array(angles, dtype=np.float64).reshape(-1).tolist(), strict=True):
            self._pool[k].append_to(circuit, angle)
        return circuit

    def energy(self, sequence: Sequence[int], angles: ArrayLike) -> float:
        """Return the energy after the exponentials at these angles, in radians."""
        return self._simulator.expectation(self.circuit(sequence, angles), self._hamiltonian)

    def slopes(self, sequence: Sequence[int], angles: ArrayLike) -> NDArray[np.float64]:
        """Return the derivative by the angle of every exponential of the pool, appended at angle 0, ``(pool,)``."""
        circuit, found = self.circuit(sequence, angles), np.zeros(len(self._pool))
        if self._measured is not None:
            found[self._strings] = self._matrix @ self._simulator.term_means(circuit, self._measured)
        for k in sorted({*range(len(self._pool))} - {*self._strings}):
            longer = circuit.copy()
            self._pool[k].append_to(longer, 0.0)
            found[k] = self._simulator.expectation_and_gradient(longer, self._hamiltonian)[1][-1]
        return found

    def minimize(self, sequence: Sequence[int], angles: ArrayLike, tolerance: float = 1e-10) -> Minimum:
        """Minimise over all angles by L-BFGS, until an iteration gains less than the tolerance."""
        optimizer = ScanLBFGS(max_iterations=_ITERATIONS, energy_tolerance=tolerance)
        circuit, first = self.circuit(sequence, angles), self._reference.num_params
        found = optimizer.minimize(self._simulator, circuit, self._hamiltonian)
        return Minimum(found.energy, found.params[first:], found.evaluations)

    def _commutators(self) -> tuple[PauliSum | None, NDArray[np.float64]]:
        """Return the strings of all commutators, and their coefficients ``(strings of the pool, measured)``."""
        places: dict[tuple[int, int], int] = {}
        entries: list[tuple[int, int, float]] = []
        terms = [*zip(self._hamiltonian.x.tolist(), self._hamiltonian.z.tolist(), strict=True)]
        for row, k in enumerate(self._strings):
            x, z = _string_of(self._pool[k]) or (0, 0)
            for (other_x, other_z), coefficient in zip(terms, self._hamiltonian.coefficients.tolist(), strict=True):
                if ((x & other_z).bit_count() + (z & other_x).bit_count()) % 2:
                    key = x ^ other_x, z ^ other_z
                    column = places.setdefault(key, len(places))
                    entries.append((row, column, coefficient * _sign(x, z, other_x, other_z)))
        if not places:
            return None, np.zeros((len(self._strings), 0))
        numbered = PauliSum.from_masks(
            self._hamiltonian.num_qubits,
            [x for x, _ in places],
            [z for _, z in places],
            np.arange(1.0, len(places) + 1.0),
        )
        order = {place: k for k, place in enumerate(np.rint(numbered.coefficients).astype(int).tolist())}
        matrix = np.zeros((len(self._strings), len(places)))
        for row, column, value in entries:
            matrix[row, order[column + 1]] += value
        return numbered, matrix


def _string_of(exponential: Exponential) -> tuple[int, int] | None:
    """Return the masks of the Pauli string of an exponential, ``None`` for other generators."""
    label = exponential.label
    if set(label) - set("IXYZ"):
        return None
    size = len(label)
    x = sum(1 << size - 1 - k for k, letter in enumerate(label) if letter in "XY")
    z = sum(1 << size - 1 - k for k, letter in enumerate(label) if letter in "YZ")
    return x, z


def _sign(x: int, z: int, other_x: int, other_z: int) -> int:
    """Return the sign of ``i P Q`` as a string, ``P`` and ``Q`` being strings that anticommute."""
    power = (x & z).bit_count() + (other_x & other_z).bit_count() - ((x ^ other_x) & (z ^ other_z)).bit_count()
    return 1 if (power + 2 * (z & other_x).bit_count() + 1) % 4 == 0 else -1

"""What appending gates to a circuit would gain, for many candidates by one call of a kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from qas_simulators.circuit import Circuit
from qas_simulators.circuit_batch import CircuitBatch
from qas_simulators.errors import must
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray, scan_each, slopes_each
from qas_simulators.simulator import Simulator


class Candidates(NamedTuple):
    """Energies of candidate circuits before any other angle is changed.

    Attributes:
        energies: At the angles that the circuits have, ``(B,)``.
        slopes: Euclidean norm of the derivatives by the new angles there, ``(B,)``, in energy per radian.
        scanned: After each new angle was moved to the exact minimum of its sinusoid, one after the other, ``(B,)``; a
            shared angle to the best of some points.
        evaluations: Energies spent on each, as on hardware: one, two per new angle for its derivative, and three per
            new angle for its scan, ``(B,)``; more for shared angles.
    """

    energies: FloatArray
    slopes: FloatArray
    scanned: FloatArray
    evaluations: FloatArray


def candidates(
    simulator: Simulator,
    circuits: Sequence[Circuit],
    observable: PauliSum,
    num_new: Sequence[int],
    num_threads: int = 1,
) -> Candidates:
    """Return energies, slopes and exact scans of circuits whose last angles are new.

    Args:
        simulator: Without shots.
        circuits: They are not changed.
        observable: What is minimised.
        num_new: How many angles, the last ones, of each circuit are new.
        num_threads: Threads that share the circuits.

    Raises:
        ValueError: Shots, or circuits and numbers that do not fit each other.

    Examples:
        RY turns ``|0>`` towards the eigenstates of X, RX does not:

        >>> from qas_simulators import StatevectorSimulator
        >>> both = [Circuit(1).ry(0.0, 0), Circuit(1).rx(0.0, 0)]
        >>> found = candidates(StatevectorSimulator(), both, PauliSum({"X": 1.0}), [1, 1])
        >>> found.slopes.round(9).tolist(), found.scanned.round(9).tolist()
        ([1.0, 0.0], [-1.0, 0.0])
    """
    simulator.require_exact("candidates")
    if len(circuits) != len(num_new):
        raise ValueError(must("num_new", f"have {len(circuits)} entries", len(num_new)))
    if not circuits:
        empty = np.empty(0)
        return Candidates(empty, empty, empty, empty)
    observable, unit = observable.in_unit()
    copies = [circuit.copy() for circuit in circuits]
    batch = CircuitBatch(copies, max(1, *(max(circuit.num_gates, circuit.num_params) for circuit in copies)))
    sizes = batch.sizes(range(len(copies)), num_new)
    program = simulator.batch_program(batch, observable)
    if program is None:
        return _one_by_one(simulator, copies, observable, unit, num_new)
    energies, gradients = slopes_each(program, batch.angles, sizes, num_threads)
    is_new = np.arange(gradients.shape[1]) >= sizes[:, 2:3]
    slopes = np.sqrt(np.sum(gradients**2, axis=1, where=is_new & (np.arange(gradients.shape[1]) < sizes[:, 1:2])))
    scanned = scan_each(program, batch.angles, sizes, num_threads)
    return Candidates(unit * energies, unit * slopes, unit * scanned, _evaluations(num_new))


def _one_by_one(
    simulator: Simulator, circuits: Sequence[Circuit], observable: PauliSum, unit: float, num_new: Sequence[int]
) -> Candidates:
    """Do the same for circuits that cannot share a call; scans of linked angles are sampled."""
    energies, slopes, scanned = np.empty((3, len(circuits)))
    evaluations = _evaluations(num_new)
    for k, (circuit, new) in enumerate(zip(circuits, num_new, strict=True)):
        energies[k], gradient = simulator.expectation_and_gradient(circuit, observable)
        first = circuit.num_params - new
        slopes[k] = np.linalg.norm(gradient[first:])
        scanned[k], spent, _ = simulator.minimizer(circuit, observable)(circuit.params, first, (0, 0.0, 0.0))
        evaluations[k] += max(0, spent - 1 - 3 * new)  # shared angles are sampled at more points
    return Candidates(unit * energies, unit * slopes, unit * scanned, simulator.runs_per_energy * evaluations)


def _evaluations(num_new: Sequence[int]) -> FloatArray:
    return 1.0 + 5.0 * np.asarray(num_new, dtype=np.float64)

"""ADAPT-VQE: a greedy classical baseline that appends exponentials of a pool; and pruning of its circuits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qas_agents.searchers.simulated_pool import SimulatedPool
from qas_simulators import Circuit, PauliSum, Simulator
from qas_simulators.errors import must
from qas_simulators.exponentials import Exponential, pauli_exponential, real_exponential
from qas_simulators.subspace import Subspace

_EQUAL = 1e-9  # scores that differ by less are the same
_COARSE = 1e-8  # while pruning, optimisation ends when an iteration gains less; smaller takes four times as long


@dataclass(frozen=True)
class AdaptStep:
    """Result after some number of exponentials.

    Attributes:
        operators: Labels of the exponentials, in order.
        energy: After optimising all angles.
        circuit: The reference, then the exponentials written out, one parameter each; nothing is merged.
        evaluations: Energy evaluations so far, including two per operator and exponential of the pool for the slopes.
    """

    operators: tuple[str, ...]
    energy: float
    circuit: Circuit
    evaluations: int


class _Ansatz:
    """Writes products of exponentials as steps."""

    def __init__(
        self,
        hamiltonian: PauliSum,
        pool: Sequence[str | Exponential],
        reference: Circuit | None,
        real: bool = False,
        simulator: Simulator | None = None,
    ) -> None:
        hamiltonian.require_no_preparation("qubit-ADAPT")
        size = hamiltonian.num_qubits
        labels = [item for item in pool if isinstance(item, str)]
        if not pool or any(len(label) != size for label in labels):
            raise ValueError(must("pool", f"hold labels of {size} letters, or exponentials", list(pool)[:3]))
        of_string = real_exponential if real else pauli_exponential
        self.pool = [of_string(item) if isinstance(item, str) else item for item in pool]
        self.reference = _lowest_basis_state(hamiltonian) if reference is None else reference
        self.subspace: Subspace | SimulatedPool
        if simulator is None:
            self.subspace = Subspace(hamiltonian, self.reference, self.pool)
        else:
            self.subspace = SimulatedPool(hamiltonian, self.reference, self.pool, simulator)
        self.costs = np.array([exponential.num_two_qubit_gates for exponential in self.pool])

    def step(self, sequence: Sequence[int], angles: Sequence[float], energy: float, evaluations: int) -> AdaptStep:
        """Return the step with exponentials given by their places in the pool."""
        circuit = self.reference.copy()
        for k, angle in zip(sequence, angles, strict=True):
            self.pool[k].append_to(circuit, angle)
        return AdaptStep(tuple(self.pool[k].label for k in sequence), energy, circuit, evaluations)


def qubit_adapt(
    hamiltonian: PauliSum,
    pool: Sequence[str | Exponential],
    max_operators: int,
    reference: Circuit | None = None,
    tolerance: float = 1e-7,
    per_cnot: bool = False,
    tetris: bool = False,
    real: bool = False,
    simulator: Simulator | None = None,
) -> Iterator[AdaptStep]:
    """Yield the reference circuit, then the circuit after each step.

    Each step appends the exponential with the steepest slope at angle 0, then optimises all angles by L-BFGS with exact
    gradients.

    Args:
        hamiltonian: The operator whose energy is minimised.
        pool: Labels of Pauli strings, or exponentials (:func:`pauli_pool`, :func:`qeb_pool`, :func:`ceo_pool`); of
            those with equal slopes the first is chosen.
        max_operators: Largest number of operators.
        reference: Initial circuit; by default the basis state of lowest energy.
        tolerance: The search ends when all slopes are below this.
        per_cnot: Compare slopes divided by the CNOTs of the exponential.
        tetris: Each step appends several exponentials: the best, the best on qubits that it leaves free, and so on.
        real: Write the strings with real gates, two CNOTs more for each pair of Y, so that ``annealed_blocks`` can
            shorten the circuits. Circuits of excitations and coupled exchanges need no such option.
        simulator: Evaluates energies and slopes, such as by Pauli propagation or matrix-product states, where vectors
            of all basis states are too large. By default the basis states that the pool reaches are kept.

    Raises:
        ValueError: An empty pool, or one for another register; a reference of another size; with ``real``, a string
            with an even number of Y.

    References:
        Tang et al., "qubit-ADAPT-VQE", PRX Quantum 2, 020310 (2021), arXiv:1911.10205.
        Anastasiou et al., "TETRIS-ADAPT-VQE", arXiv:2209.10562.
    """
    ansatz = _Ansatz(hamiltonian, pool, reference, real, simulator)
    sequence: list[int] = []
    angles = np.empty(0)
    energy, evaluations = ansatz.subspace.energy(sequence, angles), 1
    yield ansatz.step(sequence, angles.tolist(), energy, evaluations)
    while len(sequence) < max_operators:
        slopes = np.abs(ansatz.subspace.slopes(sequence, angles))
        evaluations += 2 * len(pool)  # the cost on a quantum computer
        scores = slopes / np.maximum(ansatz.costs, 1) if per_cnot else slopes
        chosen = _best(np.where(slopes >= tolerance, scores, 0.0), ansatz.pool, max_operators - len(sequence), tetris)
        if not chosen:
            return
        sequence += chosen
        energy, angles, spent = ansatz.subspace.minimize(sequence, [*angles, *(0.0 for _ in chosen)])
        evaluations += spent
        yield ansatz.step(sequence, angles.tolist(), energy, evaluations)


def _best(scores: NDArray[np.float64], pool: Sequence[Exponential], room: int, tetris: bool) -> list[int]:
    """Return the exponential with the highest score, or (``tetris``) several on different qubits; scores above 0."""
    chosen: list[int] = []
    free = np.ones(len(pool), dtype=bool)
    while len(chosen) < (room if tetris else 1) and scores[free].max(initial=0.0) > 0.0:
        chosen.append(int(np.argmax(free & (scores > scores[free].max() - _EQUAL))))
        taken = set(pool[chosen[-1]].qubits)
        free &= np.array([taken.isdisjoint(exponential.qubits) for exponential in pool])
    return chosen


def prune_operators(
    step: AdaptStep,
    hamiltonian: PauliSum,
    pool: Sequence[str | Exponential],
    threshold: float,
    reference: Circuit | None = None,
    real: bool = False,
    simulator: Simulator | None = None,
) -> AdaptStep:
    """Remove operators one by one while the energy, all other angles optimised again, stays below a threshold.

    Operators are tried in the order of the energy that their removal costs at the present angles, per CNOT. After each
    removal the order is found again. In the end no operator can be removed, as far as coarse optimisations tell.

    Args:
        step: Result of :func:`qubit_adapt` with the same Hamiltonian, pool and reference.
        hamiltonian: The operator whose energy is minimised.
        pool: As for :func:`qubit_adapt`.
        threshold: An energy above that of ``step``.
        reference: As for :func:`qubit_adapt`.
        real: As for :func:`qubit_adapt`.
        simulator: As for :func:`qubit_adapt`.

    Returns:
        The shorter circuit; its ``evaluations`` include those of ``step``.

    Raises:
        ValueError: An energy of ``step`` that is not below the threshold, or operators that are not in the pool.
    """
    ansatz = _Ansatz(hamiltonian, pool, reference, real, simulator)
    places = {exponential.label: k for k, exponential in enumerate(ansatz.pool)}
    if not set(step.operators) <= set(places):
        raise ValueError(must("step", "have operators of the pool", step.operators))
    if not step.energy < threshold:
        raise ValueError(must("threshold", f"be above the energy of the step, {step.energy}", threshold))
    sequence = [places[label] for label in step.operators]
    angles = step.circuit.params[step.circuit.num_params - len(sequence) :]
    evaluations = step.evaluations + len(sequence)
    order = _by_removal(ansatz, sequence, angles)
    while order:
        k = order.pop(0)
        shorter = sequence[:k] + sequence[k + 1 :]
        trial = ansatz.subspace.minimize(shorter, np.delete(angles, k), _COARSE)
        evaluations += trial.evaluations
        if trial.energy < threshold:
            sequence, angles = shorter, trial.angles
            order = _by_removal(ansatz, sequence, angles)
            evaluations += len(sequence)
    last = ansatz.subspace.minimize(sequence, angles)
    return ansatz.step(sequence, last.angles.tolist(), last.energy, evaluations + last.evaluations)


def with_real_gates(
    step: AdaptStep, hamiltonian: PauliSum, pool: Sequence[str | Exponential], reference: Circuit | None = None
) -> AdaptStep:
    """Return the step with its strings written with real gates, as with ``real`` of :func:`qubit_adapt`.

    Args:
        step: Of one operator at least.
        hamiltonian: As for :func:`qubit_adapt`.
        pool: As for :func:`qubit_adapt`, or only the operators of the step.
        reference: As for :func:`qubit_adapt`.

    Raises:
        ValueError: A string of the pool with an even number of Y.
    """
    ansatz = _Ansatz(hamiltonian, pool, reference, real=True)
    places = {exponential.label: k for k, exponential in enumerate(ansatz.pool)}
    angles = step.circuit.params[step.circuit.num_params - len(step.operators) :]
    return ansatz.step([places[label] for label in step.operators], angles.tolist(), step.energy, step.evaluations)


def _by_removal(ansatz: _Ansatz, sequence: list[int], angles: NDArray[np.float64]) -> list[int]:
    """Return positions by the energy without each exponential, the others' angles as they are, per CNOT."""
    present = ansatz.subspace.energy(sequence, angles)
    ranks = []
    for k, place in enumerate(sequence):
        energy = ansatz.subspace.energy(sequence[:k] + sequence[k + 1 :], np.delete(angles, k))
        ranks.append((energy - present) / max(ansatz.costs[place], 1))
    return [int(k) for k in np.argsort(ranks, kind="stable")]


def _lowest_basis_state(hamiltonian: PauliSum) -> Circuit:
    lowest = int(np.argmin(hamiltonian.basis_energies()))
    circuit = Circuit(hamiltonian.num_qubits)
    for qubit in range(hamiltonian.num_qubits):
        if lowest >> qubit & 1:
            circuit.x(qubit)
    return circuit

"""qubit-ADAPT-VQE: a greedy classical baseline that appends exponentials of Pauli strings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, product

import numpy as np
from numpy.typing import NDArray

from qas_simulators import Circuit, PauliSum, StatevectorSimulator
from qas_simulators.errors import must
from qas_simulators.optimizers import ScanLBFGS

_INTO_Z = {"X": (("h",), ("h",)), "Y": (("sdg", "h"), ("h", "s")), "Z": ((), ())}
"""Gates that change a Pauli matrix into Z, and gates that undo it."""


@dataclass(frozen=True)
class AdaptStep:
    """Result after some number of exponentials.

    Attributes:
        operators: Labels of the strings, in order.
        energy: After optimising all angles.
        circuit: Exponentials written out, ``2 (weight - 1)`` CX each; nothing is merged.
        evaluations: Energy evaluations so far, including two per operator and string of the pool for the slopes.
    """

    operators: tuple[str, ...]
    energy: float
    circuit: Circuit
    evaluations: int


def pauli_pool(
    num_qubits: int, weights: Sequence[int], letters: str = "XYZ", odd_y: bool = True, chains: bool = False
) -> list[str]:
    """Return the labels of all Pauli strings of given weights.

    Args:
        num_qubits: Length of a label; its last letter belongs to qubit 0.
        weights: How many letters may differ from I.
        letters: Choices for these letters. Molecules: ``"XY"`` with weights 2 and 4; spins: ``"XYZ"`` with 1 and 2.
        odd_y: Only strings with an odd number of Y: the others do not change real states of real Hamiltonians.
        chains: Put Z between the first and the second of these letters, the third and the fourth, and so on. With
            ``"XY"`` and weights 2 and 4 this gives the Jordan-Wigner strings of fermionic excitations.

    Raises:
        ValueError: A weight below 1 or above the number of qubits.

    Examples:
        >>> pauli_pool(2, [2], "XY")
        ['XY', 'YX']
        >>> pauli_pool(3, [2], "XY", chains=True)[2:4]
        ['XZY', 'YZX']
    """
    if any(not 1 <= weight <= num_qubits for weight in weights):
        raise ValueError(must("weights", f"lie in 1..{num_qubits}", list(weights)))
    pool = []
    for weight in weights:
        for places in combinations(range(num_qubits), weight):
            for word in product(letters, repeat=weight):
                if not odd_y or word.count("Y") % 2:
                    label = ["I"] * num_qubits
                    for start, end in zip(places[::2], places[1::2], strict=False) if chains else ():
                        label[start:end] = "Z" * (end - start)
                    for place, letter in zip(places, word, strict=True):
                        label[place] = letter
                    pool.append("".join(label))
    return pool


def usual_pool(hamiltonian: PauliSum) -> list[str]:
    """Return the usual pool for a Hamiltonian: strings on at most as many qubits as its terms, and at most 4.

    For terms of more than two letters on more than four qubits, as of molecules, only strings of X and Y with an even
    weight.

    Args:
        hamiltonian: The Hamiltonian whose energy is minimised.

    Examples:
        >>> usual_pool(PauliSum({"ZZ": 1.0, "XI": 0.5}))
        ['YI', 'IY', 'XY', 'YX', 'YZ', 'ZY']
    """
    weight = max(sum(letter != "I" for letter in label) for label in hamiltonian.terms())
    if hamiltonian.num_qubits > 4 and weight > 2:
        return pauli_pool(hamiltonian.num_qubits, (2, 4), "XY")
    return pauli_pool(hamiltonian.num_qubits, range(1, min(weight, 4) + 1))


def append_exponential(circuit: Circuit, label: str, angle: float = 0.0) -> None:
    """Append ``exp(-i angle / 2 P)`` for the string of a label: basis changes, a chain of CX, one RZ, and back."""
    factors = [(qubit, letter) for qubit, letter in enumerate(reversed(label)) if letter != "I"]
    if len(factors) == 1:
        qubit, letter = factors[0]
        circuit.append(f"r{letter.lower()}", [qubit], angle)
        return
    chain = [(first[0], second[0]) for first, second in pairwise(factors)]
    for qubit, letter in factors:
        for name in _INTO_Z[letter][0]:
            circuit.append(name, [qubit])
    for pair in chain:
        circuit.append("cx", pair)
    circuit.append("rz", [factors[-1][0]], angle)
    for pair in reversed(chain):
        circuit.append("cx", pair)
    for qubit, letter in factors:
        for name in _INTO_Z[letter][1]:
            circuit.append(name, [qubit])


def qubit_adapt(
    hamiltonian: PauliSum,
    pool: Sequence[str],
    max_operators: int,
    reference: Circuit | None = None,
    tolerance: float = 1e-7,
) -> Iterator[AdaptStep]:
    """Yield the reference circuit, then the circuit after each appended operator.

    Each step appends the string with the steepest slope at angle 0, then optimises all angles by L-BFGS.

    Args:
        hamiltonian: The operator whose energy is minimised.
        pool: Labels; of strings with equal slopes the first is chosen.
        max_operators: Largest number of operators.
        reference: Initial circuit; by default the basis state of lowest energy.
        tolerance: The search ends when all slopes are below this.

    References:
        Tang et al., "qubit-ADAPT-VQE", PRX Quantum 2, 020310 (2021), arXiv:1911.10205.
    """
    if any(len(label) != hamiltonian.num_qubits for label in pool) or not pool:
        raise ValueError(must("pool", f"hold labels of {hamiltonian.num_qubits} letters", list(pool)[:3]))
    simulator, optimizer = StatevectorSimulator(), ScanLBFGS(gradient_tolerance=1e-7, energy_tolerance=1e-13)
    circuit = _lowest_basis_state(hamiltonian) if reference is None else reference.copy()
    energy, evaluations = simulator.expectation(circuit, hamiltonian), 1
    operators: tuple[str, ...] = ()
    strings = [PauliSum({label: 1.0}) for label in pool]
    yield AdaptStep(operators, energy, circuit.copy(), evaluations)
    for _ in range(max_operators):
        slopes = _slopes(simulator.statevector(circuit), strings, hamiltonian)
        evaluations += 2 * len(pool)  # the cost on a quantum computer
        steepest = int(np.argmax(slopes > slopes.max() - 1e-9))
        if slopes[steepest] < tolerance:
            return
        append_exponential(circuit, pool[steepest])
        operators = (*operators, pool[steepest])
        result = optimizer.minimize(simulator, circuit, hamiltonian)  # without a scan: the slope at 0 is steep
        circuit.params, energy = result.params, result.energy
        evaluations += result.evaluations
        yield AdaptStep(operators, energy, circuit.copy(), evaluations)


def _slopes(
    statevector: NDArray[np.complex128], strings: Sequence[PauliSum], hamiltonian: PauliSum
) -> NDArray[np.float64]:
    """Return the absolute slope of the energy at angle 0 of each exponential, ``|Im <H psi| P psi>|``."""
    image = hamiltonian.apply(statevector).conj()
    return np.array([abs((image @ string.apply(statevector)).imag) for string in strings])


def _lowest_basis_state(hamiltonian: PauliSum) -> Circuit:
    lowest = int(np.argmin(hamiltonian.basis_energies()))
    circuit = Circuit(hamiltonian.num_qubits)
    for qubit in range(hamiltonian.num_qubits):
        if lowest >> qubit & 1:
            circuit.x(qubit)
    return circuit

"""Pools of ADAPT: exponentials of Pauli strings, qubit excitations and coupled exchanges; and reference states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, product
from typing import Final

from qas_simulators import Circuit, PauliSum
from qas_simulators.errors import must, unknown_name
from qas_simulators.exponentials import Exponential, exchange, qubit_excitation

_ORDERINGS: Final = ("jordan_wigner", "jordan_wigner_blocked")
_Pair = tuple[int, int]


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


def spin_orbitals(num_qubits: int, mapping: str = "jordan_wigner") -> tuple[int, ...]:
    """Return the spin of every qubit's spin orbital, 0 (up) or 1 (down).

    Args:
        num_qubits: An even number.
        mapping: ``"jordan_wigner"``: up and down alternate; ``"jordan_wigner_blocked"``: all up, then all down. In
            other mappings a qubit is not a spin orbital.

    Raises:
        ValueError: Another mapping, or an odd number.

    Examples:
        >>> spin_orbitals(4), spin_orbitals(4, "jordan_wigner_blocked")
        ((0, 1, 0, 1), (0, 0, 1, 1))
    """
    if mapping not in _ORDERINGS:
        raise ValueError(unknown_name("mapping", mapping, _ORDERINGS))
    if num_qubits % 2 or num_qubits < 2:
        raise ValueError(must("num_qubits", "be even and at least 2", num_qubits))
    half = num_qubits // 2
    return (0, 1) * half if mapping == "jordan_wigner" else (0,) * half + (1,) * half


def determinant(spin_of: Sequence[int], up: int, down: int) -> Circuit:
    """Return X gates on the first ``up`` spin orbitals of spin up and the first ``down`` of spin down.

    Spin orbitals of a molecule are in order of energy: with equal numbers this is the closed shell of Hartree-Fock.

    Args:
        spin_of: The spin of every qubit, see :func:`spin_orbitals`.
        up: Number of electrons with spin up.
        down: Number of electrons with spin down.

    Raises:
        ValueError: More electrons of one spin than orbitals.

    Examples:
        >>> [operation.qubits for operation in determinant(spin_orbitals(6), 2, 1)]
        [(0,), (1,), (2,)]
    """
    occupied: list[int] = []
    for name, spin, count in (("up", 0, up), ("down", 1, down)):
        orbitals = [qubit for qubit, other in enumerate(spin_of) if other == spin]
        if not 0 <= count <= len(orbitals):
            raise ValueError(must(name, f"lie in 0..{len(orbitals)}", count))
        occupied += orbitals[:count]
    circuit = Circuit(len(spin_of))
    for qubit in sorted(occupied):
        circuit.x(qubit)
    return circuit


def qeb_pool(spin_of: Sequence[int]) -> list[Exponential]:
    """Return all single and double qubit excitations that keep the numbers of electrons of each spin.

    Args:
        spin_of: The spin of every qubit, see :func:`spin_orbitals`.

    References:
        Yordanov et al., "Qubit-excitation-based adaptive variational quantum eigensolver", arXiv:2011.10540.

    Examples:
        >>> [operator.label for operator in qeb_pool([0, 1, 0, 1])]
        ['0 > 2', '1 > 3', '0 1 > 2 3', '0 3 > 1 2']
    """
    doubles = [qubit_excitation(*halves) for part in _splits(spin_of) for halves in part]
    return [*_singles(spin_of), *doubles]


def ceo_pool(spin_of: Sequence[int]) -> list[Exponential]:
    """Return all single qubit excitations, and all pairs of double ones on the same qubits with one common angle.

    These are the coupled exchanges with one parameter. Each pair occurs twice, with equal and with opposite angles.

    Args:
        spin_of: The spin of every qubit, see :func:`spin_orbitals`.

    References:
        Ramôa et al., "Reducing the resources required by ADAPT-VQE using coupled exchange operators and improved
        subroutines", arXiv:2407.08696.

    Examples:
        >>> [operator.label for operator in ceo_pool([0, 1, 0, 1])][2:]
        ['0 1 > 2 3 + 0 3 > 1 2', '0 1 > 2 3 - 0 3 > 1 2']
    """
    exchanges = []
    for part in _splits(spin_of):
        for ((first, second), targets), ((_, third), _) in combinations(part, 2):
            last = next(qubit for qubit in targets if qubit != third)
            exchanges += [exchange((first, second, third, last), sign) for sign in (1, -1)]
    return [*_singles(spin_of), *exchanges]


def _singles(spin_of: Sequence[int]) -> list[Exponential]:
    pairs = combinations(range(len(spin_of)), 2)
    return [qubit_excitation([a], [b]) for a, b in pairs if spin_of[a] == spin_of[b]]


def _splits(spin_of: Sequence[int]) -> Iterator[list[tuple[_Pair, _Pair]]]:
    """Yield, for every four qubits, their halves with the same spins; the first qubit is in the first half."""
    for a, b, c, d in combinations(range(len(spin_of)), 4):
        halves: list[tuple[_Pair, _Pair]] = [((a, b), (c, d)), ((a, c), (b, d)), ((a, d), (b, c))]
        yield [(left, right) for left, right in halves if _spins(spin_of, left) == _spins(spin_of, right)]


def _spins(spin_of: Sequence[int], qubits: _Pair) -> list[int]:
    return sorted(spin_of[qubit] for qubit in qubits)

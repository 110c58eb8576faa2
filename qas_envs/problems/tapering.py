"""Fewer qubits by parities: a Hamiltonian that keeps parities of some qubits, on a register without these.

In the Jordan-Wigner mapping a molecule keeps the parities of spin-up and of spin-down electrons, and those of the
orbitals of each spatial symmetry. A network of CX computes one qubit of each parity from the others. The Hamiltonian in
the frame before the network leaves these qubits as they are, so that a search needs the other qubits only.

References:
    Bravyi, Gambetta, Mezzacapo and Temme, "Tapering off qubits to simulate fermionic Hamiltonians", arXiv:1701.08213.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Final

import numpy as np

from qas_envs.problems.problem import Problem
from qas_envs.problems.screening import embedded, restricted
from qas_simulators import Circuit, PauliSum
from qas_simulators.errors import must

Pair = tuple[int, int]
_MOST_CHOICES: Final = 5000  # sets of computed qubits that are compared


def parities(hamiltonian: PauliSum) -> tuple[int, ...]:
    """Return masks of qubits whose product of Z commutes with every term; all others are sums of these.

    Args:
        hamiltonian: On any number of qubits.

    Returns:
        One mask each, bit k for qubit k, in ascending order of their number of qubits.

    Examples:
        >>> parities(PauliSum({"XXI": 1.0, "IYY": 0.5, "ZII": 0.3}))
        (7,)
    """
    rows: list[int] = []  # of reduced echelon form, each with a leading bit that no other row has
    for mask in {int(x) for x in hamiltonian.x}:
        for row in rows:
            mask = min(mask, mask ^ row)
        if mask:
            top = 1 << mask.bit_length() - 1
            rows = [*(row ^ mask if row & top else row for row in rows), mask]
    leading = {1 << row.bit_length() - 1 for row in rows}
    found = []
    for qubit in range(hamiltonian.num_qubits):
        if 1 << qubit not in leading:
            found.append(1 << qubit | sum(1 << row.bit_length() - 1 for row in rows if row >> qubit & 1))
    return tuple(_lightest(found))


@dataclass(frozen=True)
class Tapered:
    """A problem on fewer qubits, and the way back.

    Attributes:
        problem: On the qubits that are left.
        qubits: Those of the original register; the k-th is qubit k of the problem.
        network: Control and target of each CX that follows a circuit on these qubits.
        basis_state: Bits of the whole register before the network, qubit 0 last.
    """

    problem: Problem
    qubits: tuple[int, ...]
    network: tuple[Pair, ...]
    basis_state: str

    def expanded(self, circuit: Circuit) -> Circuit:
        """Return the circuit on the original register, with the same energy: X gates, the circuit, and the network.

        Raises:
            ValueError: Another number of qubits.
        """
        whole = embedded(circuit, self.qubits, self.basis_state)
        for control, target in self.network:
            whole.cx(control, target)
        return whole


def tapered(problem: Problem, basis_state: str, masks: Sequence[int] | None = None) -> Tapered:
    """Return the problem without one qubit of each parity.

    Of all choices of these qubits one is taken whose network has the fewest CX, and of those one with the smallest sum
    of coefficients times the number of qubits of their terms.

    Args:
        problem: Whose Hamiltonian keeps parities.
        basis_state: Bits of the original register, qubit 0 last, which give each parity its value.
        masks: Independent parities, see :func:`parities`; all by default.

    Raises:
        ValueError: Masks that are not parities of the Hamiltonian, or another number of bits.

    Examples:
        >>> from qas_envs.problems import lih
        >>> from qas_envs.problems.screening import closed_shell
        >>> whole = lih(1.6, num_qubits=12)
        >>> small = tapered(whole, closed_shell(whole))
        >>> whole.num_qubits - small.problem.num_qubits, len(small.network)
        (4, 12)
    """
    hamiltonian, n = problem.hamiltonian, problem.num_qubits
    chosen = list(parities(hamiltonian) if masks is None else masks)
    if any((int(x) & mask).bit_count() % 2 for x in hamiltonian.x for mask in chosen):
        raise ValueError(must("masks", "be parities of the Hamiltonian", chosen))
    if len(basis_state) != n or set(basis_state) - set("01"):
        raise ValueError(must("basis_state", f"have {n} digits 0 or 1", basis_state))
    networks = {}
    for computed in islice(combinations(range(n), len(chosen)), _MOST_CHOICES):
        network = _network(chosen, computed)
        if network is not None:
            networks[computed] = network
    fewest = min(len(network) for network in networks.values())
    frames = {
        computed: before(hamiltonian, network) for computed, network in networks.items() if len(network) == fewest
    }
    computed = min(frames, key=lambda one: _spread(frames[one]))
    network, bits = networks[computed], int(basis_state, 2)
    for control, target in reversed(network):
        bits ^= (bits >> control & 1) << target
    text = f"{bits:0{n}b}"
    kept = tuple(qubit for qubit in range(n) if qubit not in computed)
    frame = Problem(problem.name, frames[computed], problem.ground_energy, problem.accuracy, problem.unit)
    return Tapered(restricted(frame, kept, text), kept, network, text)


def before(hamiltonian: PauliSum, network: Sequence[Pair]) -> PauliSum:
    """Return the Hamiltonian whose energies before a network of CX are those of the given one after it.

    Args:
        hamiltonian: On the register after the network.
        network: Control and target of each CX, in the order in which they act.

    Examples:
        >>> before(PauliSum({"XX": 1.0, "ZI": 2.0}), [(0, 1)]).terms()
        {'ZZ': 2.0, 'IX': 1.0}
    """
    x, z = hamiltonian.x.astype(np.int64), hamiltonian.z.astype(np.int64)
    coefficients = hamiltonian.coefficients.copy()
    for control, target in reversed(network):
        x_control, z_control, x_target, z_target = x >> control & 1, z >> control & 1, x >> target & 1, z >> target & 1
        coefficients = coefficients * (1 - 2 * (x_control & z_target & (x_target ^ z_control ^ 1)))
        x = x ^ x_control << target
        z = z ^ z_target << control
    return PauliSum.from_masks(hamiltonian.num_qubits, x, z, coefficients)


# -- helpers -----------------------------------------------------------------------------------------------------------


def _lightest(masks: list[int]) -> list[int]:
    """Return masks that span the same, each as light as sums of two make it, the lightest first."""
    masks = list(masks)
    changed = True
    while changed:
        changed = False
        for k, one in enumerate(masks):
            for other in masks[:k] + masks[k + 1 :]:
                if (one ^ other).bit_count() < masks[k].bit_count():
                    masks[k], changed = one ^ other, True
                    break
    return sorted(masks, key=lambda mask: (mask.bit_count(), mask))


def _network(masks: Sequence[int], computed: Sequence[int]) -> tuple[Pair, ...] | None:
    """Return CX that compute a qubit of each parity from the others, or ``None`` if these do not determine them."""
    solved = _solved(masks, computed)
    if solved is None:
        return None
    network: list[Pair] = []
    done: list[tuple[int, int]] = []  # qubits computed so far, with what they are sums of
    for qubit, sources in sorted(solved, key=lambda one: one[1].bit_count()):
        network += ((source, qubit) for source in _fewest_sources(sources, done))
        done.append((qubit, sources))
    return tuple(network)


def _solved(masks: Sequence[int], computed: Sequence[int]) -> list[tuple[int, int]] | None:
    """Return each computed qubit with the mask of qubits, none of them computed, that it is the sum of."""
    rows = list(masks)
    for place, qubit in enumerate(computed):
        pivot = next((k for k in range(place, len(rows)) if rows[k] >> qubit & 1), None)
        if pivot is None:
            return None
        rows[place], rows[pivot] = rows[pivot], rows[place]
        rows = [row ^ rows[place] if k != place and row >> qubit & 1 else row for k, row in enumerate(rows)]
    return [(qubit, rows[place] ^ 1 << qubit) for place, qubit in enumerate(computed)]


def _fewest_sources(sources: int, done: Sequence[tuple[int, int]]) -> list[int]:
    """Return the fewest qubits, of those kept and those computed before, whose sum is a given one of those kept."""
    best: list[int] = _bits(sources)
    for used in _subsets(done):
        rest = sources
        for _, own in used:
            rest ^= own
        both = [*_bits(rest), *(qubit for qubit, _ in used)]
        best = both if len(both) < len(best) else best
    return best


def _subsets(items: Sequence[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], ...]]:
    for size in range(1, len(items) + 1):
        yield from combinations(items, size)


def _bits(mask: int) -> list[int]:
    return [k for k in range(mask.bit_length()) if mask >> k & 1]


def _spread(hamiltonian: PauliSum) -> float:
    """Return the sum of coefficients times the number of qubits of their terms."""
    sizes = np.bitwise_count(hamiltonian.x | hamiltonian.z)
    return float(np.abs(hamiltonian.coefficients) @ sizes)

"""Which qubits of a molecule matter, and the Hamiltonian on these alone.

Three rules choose spatial orbitals; the qubits of both spins of an orbital are kept or left out together. Their
thresholds are the same for all molecules. Qubits that are left out keep their bits of the closed-shell basis state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qas_envs.problems.chemistry import MeanField, Molecule, mean_field_of
from qas_envs.problems.cisd import mutual_information, occupations
from qas_envs.problems.problem import Problem
from qas_envs.problems.reference import exact_energy
from qas_simulators import Circuit, PauliSum
from qas_simulators.errors import must

OCCUPATION: Final = 1e-3
"""Electrons by which a spin orbital's occupation must differ from 0 and 1."""
INFORMATION: Final = 1e-2
"""Nats that a spin orbital must share with another one."""
_NOBLE_GASES: Final = (0, 2, 10, 18, 36, 54, 86)  # electrons
_ORDER: Final = 9  # of the rotation about a linear molecule: orbitals up to |m| = 4 differ
_POINTS: Final = 40  # for each nucleus
_SAME: Final = 1e-3


def by_symmetry(problem: Problem) -> tuple[int, ...]:
    """Keep valence orbitals that are occupied, and empty ones of the same symmetry as one of these.

    The symmetry is that of the operations that leave every nucleus in its place: the rotations about a linear molecule
    (sigma, pi, delta), the reflection in the plane of a planar one. Symmetries that exchange nuclei are not used,
    because they separate bonding from antibonding orbitals. The cores of atoms, their last noble gas, are left out.

    Raises:
        ValueError: Not a molecule, or a mapping in which qubits are not spin orbitals.
        ImportError: The ``chemistry`` extra is missing.
    """
    solved = _solved(problem)
    labels, core = orbital_symmetries(solved), _core_orbitals(solved)
    valence = [k for k in solved.active if k >= core and solved.pyscf.mo_occ[k] > 0]
    kept = [k for k in solved.active if k >= core and np.abs(labels[k] - labels[valence]).min(initial=1.0) < _SAME]
    return _qubits(problem, [solved.active.index(k) for k in kept])


def by_occupation(problem: Problem, threshold: float = OCCUPATION) -> tuple[int, ...]:
    """Keep orbitals whose occupation in the CISD state differs from that of the mean field.

    Args:
        problem: A molecule.
        threshold: Electrons by which one of both spin orbitals must differ from 0 and 1.

    Raises:
        ValueError: Not a molecule, or a mapping in which qubits are not spin orbitals.
        ImportError: The ``chemistry`` extra is missing.
    """
    filled = occupations(_solved(problem).integrals)
    differs = np.minimum(filled, 1 - filled).max(axis=0)
    return _qubits(problem, np.flatnonzero(differs > threshold).tolist())


def by_mutual_information(problem: Problem, threshold: float = INFORMATION) -> tuple[int, ...]:
    """Keep orbitals whose spin orbitals share information with others in the CISD state.

    Args:
        problem: A molecule.
        threshold: Mutual information, in nats, that one of both spin orbitals must have with any other.

    Raises:
        ValueError: Not a molecule, or a mapping in which qubits are not spin orbitals.
        ImportError: The ``chemistry`` extra is missing.
    """
    most = mutual_information(_solved(problem).integrals).max(axis=1).reshape(2, -1).max(axis=0)
    return _qubits(problem, np.flatnonzero(most > threshold).tolist())


SCREENINGS: Final[dict[str, Callable[..., tuple[int, ...]]]] = {
    "symmetry": by_symmetry,
    "occupation": by_occupation,
    "mutual_information": by_mutual_information,
}
"""The rules by name."""


def closed_shell(problem: Problem) -> str:
    """Return the basis state in which the electrons fill the lowest orbitals in pairs, qubit 0 last.

    Raises:
        ValueError: Not a molecule with an even number of electrons and qubits that are spin orbitals.

    Examples:
        >>> from qas_envs.problems import h4_chain
        >>> closed_shell(h4_chain())
        '00001111'
    """
    electrons = problem.provenance.get("molecule", {}).get("active_electrons", 0)
    if electrons < 2 or electrons % 2:
        raise ValueError(must("problem", "be a molecule with an even number of electrons", problem.name))
    occupied = _qubits(problem, range(electrons // 2))
    return "".join("1" if qubit in occupied else "0" for qubit in reversed(range(problem.num_qubits)))


def restricted(problem: Problem, qubits: Sequence[int], basis_state: str | None = None) -> Problem:
    """Return the problem on some qubits while all others keep their bits of a basis state.

    The Hamiltonian is the exact block: on a qubit that is left out, Z is the sign of its bit, and terms with X or Y are
    dropped. The ground energy is that of the block, which is at least that of the whole.

    Args:
        problem: On more qubits.
        qubits: Those that are kept. The k-th becomes qubit k.
        basis_state: Bits of the whole register, qubit 0 last; by default :func:`closed_shell`.

    Raises:
        ValueError: Qubits that are repeated or out of range, or another number of bits.
    """
    bits = _bits(problem.num_qubits, qubits, closed_shell(problem) if basis_state is None else basis_state)
    hamiltonian = _block(problem.hamiltonian, qubits, bits)
    return Problem(
        name=f"{problem.name}, {len(qubits)} of {problem.num_qubits} qubits",
        hamiltonian=hamiltonian,
        ground_energy=exact_energy(hamiltonian, None),
        accuracy=problem.accuracy,
        unit=problem.unit,
        provenance={
            "restricted_from": problem.name,
            "digest": problem.digest,
            "ground_energy": problem.ground_energy,
            "qubits": list(qubits),
            "basis_state": f"{bits:0{problem.num_qubits}b}",
        },
    )


def embedded(circuit: Circuit, qubits: Sequence[int], basis_state: str) -> Circuit:
    """Return the circuit on the whole register: X gates on occupied qubits that are left out, then the circuit's gates.

    Args:
        circuit: On the qubits that were kept, of which the k-th is qubit k.
        qubits: Those that were kept.
        basis_state: Bits of the whole register, qubit 0 last.

    Returns:
        The circuit, with the same parameters.

    Raises:
        ValueError: Qubits that are repeated or out of range, or another number than the circuit has.

    Examples:
        >>> embedded(Circuit(2).h(0).cx(0, 1), [1, 3], "0101").count_ops()
        {'x': 2, 'h': 1, 'cx': 1}
    """
    bits = _bits(len(basis_state), qubits, basis_state)
    if circuit.num_qubits != len(qubits):
        raise ValueError(must("qubits", f"be the {circuit.num_qubits} qubits of the circuit", list(qubits)))
    whole = Circuit(len(basis_state))
    for qubit in range(whole.num_qubits):
        if bits >> qubit & 1 and qubit not in qubits:
            whole.x(qubit)
    part = Circuit(whole.num_qubits)
    for value in circuit.params if circuit.is_linked else ():
        part.append_param(value)
    links, values = circuit.links, circuit.angles
    for gate, first, second, param in circuit.table.tolist():
        places = qubits[first], qubits[second] if second >= 0 else -1
        if param >= 0 and circuit.is_linked:
            part.append_linked(gate, *places, links[param])
        else:
            part.append_row(gate, *places, float(values[param]) if param >= 0 else 0.0)
    return whole.extend(part)


# -- helpers -----------------------------------------------------------------------------------------------------------


def _block(hamiltonian: PauliSum, qubits: Sequence[int], bits: int) -> PauliSum:
    fixed = sum(1 << qubit for qubit in range(hamiltonian.num_qubits) if qubit not in qubits)
    stays = hamiltonian.x & fixed == 0
    ones = hamiltonian.z[stays] & (fixed & bits)
    odd = sum(ones >> qubit & 1 for qubit in range(hamiltonian.num_qubits)) % 2
    x, z = np.zeros(len(odd), np.int64), np.zeros(len(odd), np.int64)
    for position, qubit in enumerate(qubits):
        x |= (hamiltonian.x[stays] >> qubit & 1) << position
        z |= (hamiltonian.z[stays] >> qubit & 1) << position
    return PauliSum.from_masks(len(qubits), x, z, hamiltonian.coefficients[stays] * (1 - 2 * odd)).without_small()


def _bits(num_qubits: int, qubits: Sequence[int], basis_state: str) -> int:
    """Check the qubits and the basis state; return it as a number."""
    if not qubits or len({*qubits}) != len(qubits) or not set(qubits) <= set(range(num_qubits)):
        raise ValueError(must("qubits", f"be distinct qubits in 0..{num_qubits - 1}", list(qubits)))
    if len(basis_state) != num_qubits or set(basis_state) - set("01"):
        raise ValueError(must("basis_state", f"have {num_qubits} digits 0 or 1", basis_state))
    return int(basis_state, 2)


def _qubits(problem: Problem, orbitals: Sequence[int]) -> tuple[int, ...]:
    """Return the qubits of both spins of active orbitals, in order."""
    mapping = problem.provenance.get("molecule", {}).get("mapping")
    if mapping == "jordan_wigner":
        return tuple(2 * orbital + spin for orbital in orbitals for spin in (0, 1))
    if mapping == "jordan_wigner_blocked":
        return tuple(orbital + spin * problem.num_qubits // 2 for spin in (0, 1) for orbital in orbitals)
    raise ValueError(must("problem", "be a molecule in the Jordan-Wigner mapping", problem.name))


def _solved(problem: Problem) -> MeanField:
    """Return the mean field of a molecule's problem."""
    _qubits(problem, [])
    record: dict[str, Any] = dict(problem.provenance["molecule"])
    active = record["active_orbitals"]
    return mean_field_of(
        Molecule(
            problem.name,
            tuple((symbol, tuple(place)) for symbol, place in record["atoms"]),
            record["unit"],
            record["basis"],
            record["mapping"],
            tuple(record["frozen_orbitals"]),
            None if active == "all" else tuple(active),
            record["charge"],
            record["unpaired_electrons"],
        )
    )


def _core_orbitals(solved: MeanField) -> int:
    """Return the number of orbitals of the atoms' noble-gas cores that no core potential replaces."""
    mol, count = solved.pyscf.mol, 0
    for atom in range(mol.natm):
        replaced = int(mol.atom_nelec_core(atom))
        electrons = int(mol.atom_charge(atom)) + replaced
        count += max(0, max(gas for gas in _NOBLE_GASES if gas < electrons) - replaced) // 2
    return count


def orbital_symmetries(solved: MeanField) -> NDArray[np.float64]:
    """Return ``<orbital| O |orbital>``, ``(num_orbitals,)``, of the operation that leaves all nuclei in their places.

    A linear molecule: ``cos(m 2 pi / 9)`` for a rotation, 1 for sigma. A planar one: 1 or -1 for the reflection. Any
    other: 1. The integral is a sum over points that the operation maps onto themselves.
    """
    nuclei = solved.pyscf.mol.atom_coords()
    axes = np.linalg.svd(nuclei - nuclei.mean(axis=0))
    extent = int(np.sum(axes.S > _SAME))
    operation, order = np.eye(3), 1
    if extent == 1:
        angle, order = 2 * np.pi / _ORDER, _ORDER
        plane = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
        operation = axes.Vh.T @ plane @ axes.Vh
    elif extent == 2:
        operation, order = np.eye(3) - 2 * np.outer(axes.Vh[2], axes.Vh[2]), 2
    rng = np.random.default_rng(0)
    points = np.concatenate([place + rng.normal(size=(_POINTS, 3)) for place in nuclei]) - nuclei.mean(axis=0)
    images = [points]
    for _ in range(order - 1):
        images.append(images[-1] @ operation.T)
    grid = np.concatenate([*images, *(image @ operation.T for image in images)]) + nuclei.mean(axis=0)
    here, there = np.split(solved.pyscf.mol.eval_gto("GTOval", grid) @ solved.orbitals, 2)
    return np.asarray((here * there).sum(axis=0) / (here**2).sum(axis=0))

"""Molecules to qubit Hamiltonians with PySCF and OpenFermion (the ``chemistry`` extra)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qas_simulators import PauliSum
from qas_simulators.errors import must, needs_extra, unknown_name

Atom = tuple[str, tuple[float, float, float]]
MAPPINGS = ("jordan_wigner", "parity", "parity_total")
UNITS = ("angstrom", "bohr")
_NEAREST = 0.05  # no two nuclei of a molecule are nearer


@dataclass(frozen=True)
class Molecule:
    """What defines a molecular instance.

    Attributes:
        name: What tables call it.
        atoms: Element symbols and coordinates.
        unit: ``"angstrom"`` or ``"bohr"``; there is no default, because published files mix them up.
        basis: Gaussian basis set, as PySCF names it.
        frozen: Doubly occupied spatial orbitals left out, by index in order of energy.
        active: Spatial orbitals kept, by index; ``None`` keeps all that are not frozen.
        mapping: ``"jordan_wigner"`` (spin orbitals interleaved: up, down, up, ...), ``"parity"`` (all up, then all
            down, the two qubits fixed by the particle numbers removed) or ``"parity_total"`` (only the one fixed by
            the number of all particles removed).
        charge: Total charge.
        spin: Unpaired electrons of the mean field, restricted open-shell if any.
    """

    name: str
    atoms: tuple[Atom, ...]
    unit: str
    basis: str
    mapping: str
    frozen: tuple[int, ...] = ()
    active: tuple[int, ...] | None = None
    charge: int = 0
    spin: int = 0

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ValueError(unknown_name("unit", self.unit, UNITS))
        if self.mapping not in MAPPINGS:
            raise ValueError(unknown_name("mapping", self.mapping, MAPPINGS))
        for (first, here), (second, there) in combinations(self.atoms, 2):
            if np.linalg.norm(np.subtract(here, there)) < _NEAREST:
                raise ValueError(
                    must("atoms", f"be {_NEAREST} {self.unit} apart at least", (first, here, second, there))
                )


def parse_geometry(geometry: Any) -> tuple[Atom, ...]:
    """Read ``"H 0 0 0; H 0 0 0.74"`` or pairs of element and three coordinates.

    Raises:
        ValueError: Something else; the message shows the entry.
    """
    entries = geometry.split(";") if isinstance(geometry, str) else list(geometry)
    atoms = []
    for entry in entries:
        parts = entry.split() if isinstance(entry, str) else [entry[0], *entry[1]]
        try:
            symbol, x, y, z = parts
            atoms.append((str(symbol), (float(x), float(y), float(z))))
        except (TypeError, ValueError):
            raise ValueError(must("geometry", "hold an element and three coordinates per atom", entry)) from None
    if not atoms:
        raise ValueError(must("geometry", "have at least one atom", geometry))
    return tuple(atoms)


def with_active_space(molecule: Molecule, active_space: Sequence[int] | None) -> Molecule:
    """Return the molecule with so many electrons in so many orbitals around the Fermi level.

    Raises:
        ValueError: The electrons do not leave an even number of others, or are more than there are.
    """
    if active_space is None:
        return molecule
    with needs_extra("chemistry"):
        from pyscf import gto

    electrons, orbitals = (int(number) for number in active_space)
    try:
        nuclear = sum(gto.charge(symbol) for symbol, _ in molecule.atoms) - molecule.charge
    except (RuntimeError, KeyError) as error:
        raise ValueError(f"PySCF cannot build the molecule: {error}") from None
    rest = nuclear - electrons
    if rest < 0 or rest % 2 or orbitals < 1:
        raise ValueError(must("active_space", f"leave an even number of the {nuclear} electrons", tuple(active_space)))
    frozen = tuple(range(rest // 2))
    return replace(molecule, frozen=frozen, active=tuple(range(rest // 2, rest // 2 + orbitals)))


@dataclass(frozen=True)
class QubitHamiltonian:
    """A molecule's Hamiltonian on qubits, in Hartree, with what was computed on the way.

    Attributes:
        hamiltonian: On all numbers of electrons that the mapping leaves.
        hartree_fock_energy: Of the mean field.
        num_electrons: In the active space.
        lowest_energy: The lowest with that many electrons, by full configuration interaction.
        tool_versions: Of what computed it.
    """

    hamiltonian: PauliSum
    hartree_fock_energy: float
    num_electrons: int
    lowest_energy: float
    tool_versions: dict[str, str]


def molecular_hamiltonian(molecule: Molecule) -> QubitHamiltonian:
    """Run restricted Hartree-Fock and map the active space's Hamiltonian to qubits.

    Orbital signs are fixed (largest coefficient positive), so that the same molecule gives the same Pauli terms.

    Raises:
        ValueError: PySCF refuses the molecule, Hartree-Fock does not converge, or orbitals are out of range.
    """
    with needs_extra("chemistry"):
        from openfermion import get_fermion_operator, jordan_wigner
        from openfermion.chem.molecular_data import spinorb_from_spatial
        from openfermion.ops import InteractionOperator
        from pyscf import ao2mo, fci, gto, lib, scf

    lib.num_threads(1)  # sums in one order: the same digits every time

    atoms = [[symbol, coordinates] for symbol, coordinates in molecule.atoms]
    try:
        mol = gto.M(
            atom=atoms,
            unit=molecule.unit,
            basis=molecule.basis,
            charge=molecule.charge,
            spin=molecule.spin,
            verbose=0,
        )
    except (RuntimeError, KeyError, ValueError, AssertionError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"PySCF cannot build the molecule: {reason}") from None
    mean_field = scf.ROHF(mol) if molecule.spin else scf.RHF(mol)
    mean_field.conv_tol, mean_field.conv_tol_grad = 1e-13, 1e-9
    energy = float(mean_field.kernel())
    if not mean_field.converged:
        raise ValueError(must("atoms", "be a geometry at which Hartree-Fock converges", molecule.atoms))
    orbitals = _fix_signs(np.asarray(mean_field.mo_coeff))
    count = orbitals.shape[1]
    active = [k for k in range(count) if k not in molecule.frozen] if molecule.active is None else list(molecule.active)
    if not set(active) | set(molecule.frozen) <= set(range(count)) or set(active) & set(molecule.frozen):
        raise ValueError(must("active", f"be orbitals in 0..{count - 1} that are not frozen", active))
    one_body = orbitals.T @ mean_field.get_hcore() @ orbitals
    two_body = ao2mo.restore(1, ao2mo.kernel(mol, orbitals), count)  # chemists' (pq|rs)
    effective, kept, constant = _active_space(one_body, two_body, molecule.frozen, active)
    constant += mol.energy_nuc()
    spin_one, spin_two = spinorb_from_spatial(effective, kept.transpose(0, 2, 3, 1))  # h[p, q, r, s] a+_p a+_q a_r a_s
    spin_two *= 0.5
    fermions = get_fermion_operator(InteractionOperator(constant, spin_one, spin_two))
    electrons = mol.nelectron - 2 * len(molecule.frozen)
    if not molecule.spin <= electrons <= 2 * len(active) - molecule.spin:
        raise ValueError(must("active", f"be orbitals that hold {electrons} electrons", active))
    if molecule.mapping == "jordan_wigner":
        operator = jordan_wigner(fermions)
        hamiltonian = _to_pauli_sum(operator, 2 * len(active))
    else:
        both = molecule.mapping == "parity"
        hamiltonian = _parity(fermions, 2 * len(active), electrons, (electrons + molecule.spin) // 2 if both else None)
    shares = _shares(electrons, molecule.spin, len(active), molecule.mapping)
    solver = fci.direct_spin1.FCI()
    lowest = min(float(solver.kernel(effective, kept, len(active), share, conv_tol=1e-11)[0]) for share in shares)
    lowest += constant
    versions = {name: version(name) for name in ("pyscf", "openfermion")}
    return QubitHamiltonian(hamiltonian, energy, electrons, lowest, versions)


def _shares(electrons: int, spin: int, orbitals: int, mapping: str) -> list[tuple[int, int]]:
    """Return how many electrons are up and down where the lowest state with all of them may be.

    A state of every total spin has as many up as down, or one more. But ``"parity"`` fixes whether the number of those
    that are up is even.
    """
    if mapping != "parity":
        return [((electrons + 1) // 2, electrons // 2)]
    first, last = max(0, electrons - orbitals), min(electrons, orbitals)
    up = range(first, last + 1)
    return [(number, electrons - number) for number in up if (number - (electrons + spin) // 2) % 2 == 0]


def _fix_signs(orbitals: NDArray[np.float64]) -> NDArray[np.float64]:
    largest = np.argmax(np.abs(orbitals) > np.abs(orbitals).max(axis=0) - 1e-6, axis=0)
    return np.asarray(orbitals * np.sign(orbitals[largest, np.arange(orbitals.shape[1])]))


def _active_space(
    one_body: NDArray[np.float64], two_body: NDArray[np.float64], frozen: Sequence[int], active: list[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Fold frozen orbitals into the constant and the one-body integrals; return both integrals, and the constant."""
    core = list(frozen)
    constant = sum(2.0 * one_body[i, i] for i in core)
    constant += sum(2.0 * two_body[i, i, j, j] - two_body[i, j, j, i] for i in core for j in core)
    effective = one_body[np.ix_(active, active)].copy()
    for i in core:
        effective += 2.0 * two_body[np.ix_(active, active, [i], [i])][:, :, 0, 0]
        effective -= two_body[np.ix_(active, [i], [i], active)][:, 0, 0, :]
    return effective, two_body[np.ix_(active, active, active, active)], float(constant)


def _to_pauli_sum(operator: Any, num_qubits: int) -> PauliSum:
    terms: dict[str, float] = {}
    for factors, coefficient in operator.terms.items():
        letters = ["I"] * num_qubits
        for qubit, letter in factors:
            letters[num_qubits - 1 - qubit] = letter
        if abs(coefficient.real) > 1e-12:
            terms["".join(letters)] = float(coefficient.real)
    return PauliSum(terms)


def _parity(fermions: Any, num_modes: int, num_electrons: int, num_up: int | None) -> PauliSum:
    """Map by parities, all up modes before all down modes, without the qubits of the conserved parities."""
    from openfermion import binary_code_transform, reorder
    from openfermion.transforms import parity_code
    from openfermion.utils import up_then_down

    operator = binary_code_transform(reorder(fermions, up_then_down, num_modes), parity_code(num_modes))
    half = num_modes // 2
    signs = {num_modes - 1: (-1) ** num_electrons}
    if num_up is not None:
        signs[half - 1] = (-1) ** num_up
    kept = [qubit for qubit in range(num_modes) if qubit not in signs]
    full = _to_pauli_sum(operator, num_modes)
    coefficients = full.coefficients.copy()
    x, z = np.zeros(len(full), np.int64), np.zeros(len(full), np.int64)
    for qubit, sign in signs.items():
        assert not np.any(full.x >> qubit & 1), "a conserved parity is never flipped"
        coefficients *= np.where(full.z >> qubit & 1, sign, 1)
    for position, qubit in enumerate(kept):
        x |= (full.x >> qubit & 1) << position
        z |= (full.z >> qubit & 1) << position
    return PauliSum.from_masks(len(kept), x, z, coefficients)

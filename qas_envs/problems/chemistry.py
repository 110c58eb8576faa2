"""Molecules to qubit Hamiltonians with PySCF and OpenFermion (the ``chemistry`` extra)."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qas_envs.problems.core_potentials import check_cores, potentials_of
from qas_envs.problems.fermions import Integrals, check_register, to_qubits
from qas_envs.problems.geometry import Atom as Atom
from qas_envs.problems.mappings import MAPPINGS
from qas_envs.problems.sectors import Sector, sector_of
from qas_simulators import PauliSum
from qas_simulators.errors import must, needs_extra, unknown_name

UNITS = ("angstrom", "bohr")
_DEGENERATE = 1e-7  # Hartree, of orbital energies
_NEAREST = 0.05  # no two nuclei of a molecule are nearer


@dataclass(frozen=True)
class Molecule:
    """The definition of a molecular instance.

    Attributes:
        name: What tables call it.
        atoms: Element symbols and coordinates.
        unit: ``"angstrom"`` or ``"bohr"``; there is no default, because published files mix them up.
        basis: Gaussian basis set, as PySCF names it, or a name for each element. The core potential that belongs to a
            basis comes with it; then orbitals and electrons are counted without the core it replaces.
        frozen: Doubly occupied spatial orbitals left out, by index in order of energy.
        active: Spatial orbitals kept, by index; ``None`` keeps all that are not frozen.
        mapping: ``"jordan_wigner"`` (spin orbitals interleaved: up, down, up, ...), ``"parity"`` (all up, then all
            down, the two qubits fixed by the particle numbers removed), ``"parity_total"`` (only the one fixed by
            the number of all particles removed), ``"bravyi_kitaev"``, or those of released codes
            (:func:`~qas_envs.problems.mappings.map_fermions`).
        charge: Total charge.
        spin: Unpaired electrons of the mean field, restricted open-shell if any.
        sector: What is asked for instead of the lowest state of the register, as
            :func:`~qas_envs.problems.sectors.sector_of` reads it.
    """

    name: str
    atoms: tuple[Atom, ...]
    unit: str
    basis: str | Mapping[str, str]
    mapping: str
    frozen: tuple[int, ...] = ()
    active: tuple[int, ...] | None = None
    charge: int = 0
    spin: int = 0
    sector: tuple[Any, ...] | None = None

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


def with_active_space(molecule: Molecule, active_space: Sequence[int] | None) -> Molecule:
    """Return the molecule with an active space ``(electrons, orbitals)`` around the Fermi level.

    Raises:
        ValueError: The number of other electrons is odd or negative.
    """
    if active_space is None:
        return molecule
    try:
        electrons, orbitals = map(operator.index, active_space)
    except (TypeError, ValueError):
        raise ValueError(must("active_space", "be a number of electrons and one of orbitals", active_space)) from None
    nuclear = _built(molecule).nelectron
    rest = nuclear - electrons
    if electrons < 1 or rest < 0 or rest % 2 or orbitals < 1:
        raise ValueError(must("active_space", f"leave an even number of the {nuclear} electrons", tuple(active_space)))
    frozen = tuple(range(rest // 2))
    return replace(molecule, frozen=frozen, active=tuple(range(rest // 2, rest // 2 + orbitals)))


def _built(molecule: Molecule) -> Any:
    """Return PySCF's molecule, with the core potentials that belong to its basis sets."""
    with needs_extra("chemistry"):
        from pyscf import gto

    potentials = potentials_of(molecule.basis, [symbol for symbol, _ in molecule.atoms])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PySCF advertises another library where it does not know a basis
            mol = gto.M(
                atom=[[symbol, coordinates] for symbol, coordinates in molecule.atoms],
                unit=molecule.unit,
                basis=molecule.basis if isinstance(molecule.basis, str) else dict(molecule.basis),
                ecp=potentials,
                charge=molecule.charge,
                spin=molecule.spin,
                verbose=0,
            )
    except (RuntimeError, KeyError, ValueError, TypeError, AssertionError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"PySCF cannot build the molecule: {reason}") from None
    check_cores(mol, molecule.basis)
    return mol


@dataclass(frozen=True)
class QubitHamiltonian:
    """A molecule's Hamiltonian on qubits, in Hartree, with intermediate results.

    Attributes:
        hamiltonian: On all numbers of electrons that the mapping leaves.
        hartree_fock_energy: Of the mean field.
        sector: How many electrons of the active space, and their Sz: those asked for, or the mean field's.
        ground_energy: The lowest of the register, where it is known without diagonalising its Hamiltonian.
        lowest_energy: The lowest with that many electrons, by full configuration interaction.
        sector_energy: The lowest with that many electrons and that Sz.
        core_electrons: What core potentials replace, by atom.
        tool_versions: Of what computed it.
    """

    hamiltonian: PauliSum
    hartree_fock_energy: float
    sector: Sector
    ground_energy: float | None
    lowest_energy: float
    sector_energy: float
    core_electrons: dict[str, int]
    tool_versions: dict[str, str]

    @property
    def num_electrons(self) -> int:
        """Number of electrons in the active space."""
        return self.sector.electrons


def molecular_hamiltonian(molecule: Molecule) -> QubitHamiltonian:
    """Run restricted Hartree-Fock and map the active space's Hamiltonian to qubits.

    Orbital signs are fixed (largest coefficient positive), and so are rotations of degenerate orbitals, so that the
    same molecule gives the same Pauli terms.

    Raises:
        ValueError: PySCF refuses the molecule, Hartree-Fock does not converge, orbitals are out of range, or the
            register would not fit into memory.
    """
    with needs_extra("chemistry"):
        import openfermion  # noqa: F401  (said before the mean field is computed)

    asked = sector_of(molecule.sector)
    solved = mean_field_of(molecule)
    integrals = solved.integrals if asked is None else replace(solved.integrals, sector=asked)
    mapped = to_qubits(integrals, molecule.mapping, asked is not None and asked.aim == "penalty")
    return QubitHamiltonian(
        mapped.hamiltonian,
        float(solved.pyscf.e_tot),
        integrals.sector,
        mapped.ground_energy,
        mapped.lowest_energy,
        mapped.sector_energy,
        {symbol: int(potential[0]) for symbol, potential in sorted(solved.pyscf.mol._ecp.items())},
        {name: version(name) for name in ("pyscf", "openfermion")},
    )


@dataclass(frozen=True)
class MeanField:
    """A molecule's restricted Hartree-Fock state.

    Attributes:
        pyscf: PySCF's object, converged.
        orbitals: Coefficients, ``(num_basis_functions, num_orbitals)``, in order of energy.
        active: Indices of the orbitals that are kept.
        integrals: Of the active space, with the mean field's numbers of electrons.
    """

    pyscf: Any
    orbitals: NDArray[np.float64]
    active: list[int]
    integrals: Integrals


def mean_field_of(molecule: Molecule) -> MeanField:
    """Run restricted Hartree-Fock.

    Raises:
        ValueError: As for :func:`molecular_hamiltonian`.
    """
    with needs_extra("chemistry"):
        from pyscf import lib, scf

    lib.num_threads(1)  # sums in one order: the same digits every time
    mol = _built(molecule)
    active = _active_orbitals(molecule, mol.nao)
    check_register(len(active), molecule.mapping)
    electrons = mol.nelectron - 2 * len(molecule.frozen)
    if not molecule.spin <= electrons <= 2 * len(active) - molecule.spin:
        raise ValueError(must("active", f"be orbitals that hold {electrons} electrons", active))
    mean_field = scf.ROHF(mol) if molecule.spin else scf.RHF(mol)
    mean_field.conv_tol, mean_field.conv_tol_grad = 1e-13, 1e-9
    mean_field.kernel()
    if not mean_field.converged:
        raise ValueError(must("atoms", "be a geometry at which Hartree-Fock converges", molecule.atoms))
    orbitals = _canonical(mean_field)
    sector = Sector(electrons, molecule.spin / 2)
    return MeanField(mean_field, orbitals, active, _integrals(mean_field, orbitals, molecule.frozen, active, sector))


def _active_orbitals(molecule: Molecule, count: int) -> list[int]:
    """Return the indices of the orbitals that are kept."""
    active = [k for k in range(count) if k not in molecule.frozen] if molecule.active is None else list(molecule.active)
    if not set(active) | set(molecule.frozen) <= set(range(count)) or set(active) & set(molecule.frozen):
        raise ValueError(must("active", f"be orbitals in 0..{count - 1} that are not frozen", active))
    return active


def _integrals(
    mean_field: Any, orbitals: NDArray[np.float64], frozen: Sequence[int], active: list[int], sector: Sector
) -> Integrals:
    """Return the active space's integrals in the mean field's orbitals, frozen orbitals folded in."""
    from pyscf import ao2mo

    one_body = orbitals.T @ mean_field.get_hcore() @ orbitals
    two_body = ao2mo.restore(1, ao2mo.kernel(mean_field.mol, orbitals), orbitals.shape[1])  # chemists' (pq|rs)
    effective, kept, constant = _active_space(one_body, two_body, frozen, active)
    return Integrals(constant + float(mean_field.mol.energy_nuc()), effective, kept, sector)


def _canonical(mean_field: Any) -> NDArray[np.float64]:
    """Return the orbitals of a mean field, ``(num_basis_functions, num_orbitals)``, signs and rotations fixed.

    The pi orbitals of a linear molecule come in pairs of one energy, which the diagonalisation rotates at random.
    """
    orbitals = np.array(mean_field.mo_coeff)
    levels = np.column_stack([mean_field.mo_energy, 1e3 * mean_field.mo_occ])
    start = 0
    for end in range(1, len(levels) + 1):
        if end == len(levels) or np.abs(levels[end] - levels[start]).max() > _DEGENERATE:
            if end - start > 1:
                orbitals[:, start:end] = _fix_rotation(orbitals[:, start:end])
            start = end
    return _fix_signs(orbitals)


def _fix_rotation(orbitals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotate orbitals so that the k-th has all weight on one basis function that it and the later ones have.

    This function is the one on which they have the largest weight, the first one of equals.
    """
    rotated = orbitals.copy()
    for done in range(rotated.shape[1] - 1):
        rest = rotated[:, done:]
        weights = np.linalg.norm(rest, axis=1)
        chosen = rest[np.argmax(weights > weights.max() - 1e-6)]
        reflected = np.linalg.qr(np.column_stack([chosen, np.eye(len(chosen))]))[0]
        rotated[:, done:] = rest @ reflected
    return rotated


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

"""Electrons in orbitals: mapped to qubits, and their exact energy in a sector."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qas_envs.problems.mappings import REMOVED, SMALLEST, map_fermions, penalty
from qas_envs.problems.sectors import Sector
from qas_simulators import PauliSum
from qas_simulators.errors import must, needs_extra
from qas_simulators.memory import check_memory

_MOST_QUBITS: Final = 30  # of molecules, whose ground energy is computed
_DENSE: Final = 500  # determinants; above, Lanczos
_MARGIN: Final = 1.0  # Hartree between the lowest state of the sector and every state of another sector
FEW_QUBITS: Final = 12  # larger registers are diagonalised sector by sector
_SYMMETRY: Final = 8  # operations of the largest Abelian point group, the most that symmetry divides excitations by


@dataclass(frozen=True)
class Integrals:
    """A Hamiltonian of electrons in real spatial orbitals, in Hartree.

    Attributes:
        constant: Nuclear repulsion and frozen electrons.
        one_body: ``(n, n)``.
        two_body: Chemists' ``(pq|rs)``, ``(n, n, n, n)``.
        sector: How many electrons, and their Sz.
    """

    constant: float
    one_body: NDArray[np.float64]
    two_body: NDArray[np.float64]
    sector: Sector

    @property
    def orbitals(self) -> int:
        """Number of spatial orbitals."""
        return len(self.one_body)


@dataclass(frozen=True)
class OnQubits:
    """Integrals mapped to qubits, with exact energies of sectors.

    Attributes:
        hamiltonian: With the penalty, if there is one.
        ground_energy: The lowest of the register, where it is known without diagonalising its Hamiltonian: with a
            penalty, and on more than 12 qubits as the lowest of all sectors.
        lowest_energy: With the same number of electrons, whatever their Sz.
        sector_energy: With the same number of electrons and the same Sz.
    """

    hamiltonian: PauliSum
    ground_energy: float | None
    lowest_energy: float
    sector_energy: float


def to_qubits(integrals: Integrals, mapping: str, is_penalised: bool) -> OnQubits:
    """Map integrals to qubits; with a penalty, the lowest state is the lowest of the integrals' sector.

    Raises:
        ValueError: The result would not fit into memory.
    """
    with needs_extra("chemistry"):
        from openfermion import get_fermion_operator
        from openfermion.chem.molecular_data import spinorb_from_spatial
        from openfermion.ops import InteractionOperator

    sector, modes = integrals.sector, 2 * integrals.orbitals
    sector.check(integrals.orbitals)
    spin_one, spin_two = spinorb_from_spatial(integrals.one_body, integrals.two_body.transpose(0, 2, 3, 1))
    fermions = get_fermion_operator(InteractionOperator(integrals.constant, spin_one, 0.5 * spin_two))
    hamiltonian = map_fermions(fermions, modes, mapping, sector, SMALLEST)
    hamiltonian.check_memory()
    energy = full_configuration_interaction(integrals, sector.up, sector.down)
    lowest = _lowest(integrals, _shares(sector, integrals.orbitals, mapping))
    ground = None
    if hamiltonian.num_qubits > FEW_QUBITS:
        ground = _lowest(integrals, _all_shares(sector, integrals.orbitals, mapping))
    if is_penalised:
        ground = hamiltonian.ground_energy() if ground is None else ground
        hamiltonian = hamiltonian + (energy - ground + _MARGIN) * penalty(modes, mapping, sector)
        ground = energy
    return OnQubits(hamiltonian, ground, lowest, energy)


def full_configuration_interaction(integrals: Integrals, up: int, down: int) -> float:
    """Return the lowest energy with numbers of electrons up and down.

    The matrix of all determinants is applied by PySCF; its eigenvalue is found densely or by Lanczos from a random
    vector, since Davidson's method, started from one determinant, may stay in a subspace of higher symmetry.

    Raises:
        ValueError: The determinants would not fit into memory.
    """
    from pyscf.fci import direct_spin1
    from scipy.sparse.linalg import LinearOperator, eigsh

    orbitals, electrons = integrals.orbitals, (up, down)
    shape = comb(orbitals, up), comb(orbitals, down)
    size = shape[0] * shape[1]
    if up + down == 0:
        return integrals.constant
    check_memory("active_space", 8 * 60 * size, f"{size} determinants")
    absorbed = direct_spin1.absorb_h1e(integrals.one_body, integrals.two_body, orbitals, electrons, 0.5)

    def multiply(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        product = direct_spin1.contract_2e(absorbed, vector.reshape(shape), orbitals, electrons)
        return np.asarray(product).ravel()

    if size <= _DENSE:
        matrix = np.array([multiply(row) for row in np.eye(size)])
        return float(np.linalg.eigvalsh((matrix + matrix.T) / 2)[0]) + integrals.constant
    start = np.random.default_rng(0).normal(size=size)
    operator = LinearOperator((size, size), matvec=multiply, dtype=np.float64)
    lowest = eigsh(operator, k=1, which="SA", v0=start, ncv=40, tol=1e-12, return_eigenvectors=False)
    return float(lowest[0]) + integrals.constant


def _lowest(integrals: Integrals, shares: list[tuple[int, int]]) -> float:
    """Return the lowest energy of several sectors; up and down may be exchanged, so each pair is solved once."""
    return min(
        full_configuration_interaction(integrals, *share) for share in {(max(pair), min(pair)) for pair in shares}
    )


def _shares(sector: Sector, orbitals: int, mapping: str) -> list[tuple[int, int]]:
    """Return the numbers of electrons up and down among which the lowest state must be.

    Every total spin has a state with as many electrons up as down, or one more. But a mapping that removes two qubits
    fixes the parity of the number of electrons up.
    """
    if REMOVED.get(mapping) != 2:
        return [((sector.electrons + 1) // 2, sector.electrons // 2)]
    return [share for share in _all_shares(sector, orbitals, mapping) if sum(share) == sector.electrons]


def _all_shares(sector: Sector, orbitals: int, mapping: str) -> list[tuple[int, int]]:
    """Return all numbers of electrons up and down on the register."""
    shares = [(up, down) for up in range(orbitals + 1) for down in range(orbitals + 1)]
    if mapping in REMOVED:
        shares = [share for share in shares if (sum(share) - sector.electrons) % 2 == 0]
    if REMOVED.get(mapping) == 2:
        shares = [share for share in shares if (share[0] - sector.up) % 2 == 0]
    return shares


def check_register(orbitals: int, mapping: str) -> None:
    """Check the number of spin orbitals before anything is computed.

    Every distinct set of bits that a term flips is a diagonal of ``2**num_qubits`` complex numbers: one for each single
    and double excitation, up to eight times fewer with symmetry.

    Raises:
        ValueError: More qubits than a register may have, or more memory than there is.
    """
    num_qubits = 2 * orbitals - REMOVED.get(mapping, 0)
    choose = f"be chosen so that at most {_MOST_QUBITS} qubits are needed (now {num_qubits})"
    if num_qubits > _MOST_QUBITS:
        raise ValueError(must("active_space", choose, f"{orbitals} orbitals"))
    pairs = comb(orbitals, 2)
    excitations = 1 + 2 * pairs + 2 * comb(orbitals, 4) + pairs**2
    needed = (excitations // _SYMMETRY) << max(num_qubits, 1) + 4
    check_memory("active_space", needed, f"the Hamiltonian of {orbitals} orbitals on {num_qubits} qubits, at least")

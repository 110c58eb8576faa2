"""Fermions to qubits: the mappings, and the penalty on all sectors except one."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from qas_envs.problems.sectors import Sector
from qas_simulators import PauliSum
from qas_simulators.bridges.operators import sum_of_factors
from qas_simulators.errors import must, unknown_name

REMOVED: Final = {"parity": 2, "parity_total": 1, "checksum": 2, "checksum_total": 1}
"""Number of qubits that a mapping removes because the sector fixes parities: of up and down, or of all."""
MAPPINGS: Final = ("jordan_wigner", "jordan_wigner_blocked", "bravyi_kitaev", *REMOVED)
SMALLEST: Final = 1e-12
"""Hartree; smaller terms of a molecule are rounding errors."""

_LOST: Final = 1e-8  # OpenFermion drops terms below this while it adds them up


def penalty(modes: int, mapping: str, sector: Sector) -> PauliSum:
    """Return ``(N - electrons)**2 + (Sz - sz)**2``, which is 0 in the sector and at least 1 in every other."""
    from openfermion import FermionOperator

    number = FermionOperator("", -sector.electrons)
    spin = FermionOperator("", -sector.sz)
    for mode in range(modes):
        number += FermionOperator(f"{mode}^ {mode}")
        spin += FermionOperator(f"{mode}^ {mode}", -0.5 if mode % 2 else 0.5)
    return map_fermions(number * number + spin * spin, modes, mapping, sector, SMALLEST)


def map_fermions(fermions: Any, modes: int, mapping: str, sector: Sector | None, smallest: float = 0.0) -> PauliSum:
    """Map a ``FermionOperator`` of interleaved modes (even: up, odd: down) to qubits.

    Args:
        fermions: Hermitian.
        modes: How many spin orbitals there are.
        mapping: One of :data:`MAPPINGS`. ``"parity"`` and ``"parity_total"`` order all up modes before all down modes;
            ``"jordan_wigner_blocked"`` and ``"checksum"`` do so too. The checksum mappings keep occupations and leave
            out the last mode, of up and of down or (``"checksum_total"``, modes interleaved) of all.
        sector: Whose parities are fixed, for mappings that remove qubits.
        smallest: Terms up to this magnitude are left out.

    Raises:
        ValueError: An unknown mapping, no sector where it is needed, or not Hermitian.
    """
    from openfermion import binary_code_transform, bravyi_kitaev, checksum_code, jordan_wigner, reorder
    from openfermion.transforms import parity_code
    from openfermion.utils import up_then_down

    if mapping == "jordan_wigner":
        return _pauli_sum(jordan_wigner(fermions), modes, smallest)
    if mapping == "bravyi_kitaev":
        return _pauli_sum(bravyi_kitaev(fermions, modes), modes, smallest)
    if mapping == "jordan_wigner_blocked":
        return _pauli_sum(jordan_wigner(reorder(fermions, up_then_down, modes)), modes, smallest)
    if mapping not in MAPPINGS:
        raise ValueError(unknown_name("mapping", mapping, MAPPINGS))
    if sector is None or modes % 2:
        raise ValueError(must("mapping", "be 'jordan_wigner' or 'bravyi_kitaev' without a sector", mapping))
    if mapping == "checksum_total":
        code = checksum_code(modes, sector.electrons % 2)
        return _pauli_sum(binary_code_transform(fermions, code), modes - 1, smallest)
    blocked = reorder(fermions, up_then_down, modes)
    if mapping == "checksum":
        code = checksum_code(modes // 2, sector.up % 2) + checksum_code(modes // 2, (sector.electrons - sector.up) % 2)
        return _pauli_sum(binary_code_transform(blocked, code), modes - 2, smallest)
    operator = binary_code_transform(blocked, parity_code(modes))
    signs = {modes - 1: (-1) ** sector.electrons}
    if mapping == "parity":
        signs[modes // 2 - 1] = (-1) ** sector.up
    return _without(_pauli_sum(operator, modes, smallest), signs)


def _pauli_sum(operator: Any, num_qubits: int, smallest: float) -> PauliSum:
    terms = [(factors, weight) for factors, weight in operator.terms.items() if abs(weight) > smallest]
    if smallest:  # of a molecule, Hermitian: one of two conjugate terms may be lost
        return sum_of_factors(terms or [((), 0.0)], num_qubits, _LOST)
    return sum_of_factors(terms or [((), 0.0)], num_qubits)


def _without(full: PauliSum, signs: dict[int, int]) -> PauliSum:
    """Leave out qubits whose Z has a fixed value."""
    kept = [qubit for qubit in range(full.num_qubits) if qubit not in signs]
    if not kept:
        raise ValueError(must("mapping", "leave at least one qubit: 'jordan_wigner' removes none", "a parity mapping"))
    coefficients = full.coefficients.copy()
    x, z = np.zeros(len(full), np.int64), np.zeros(len(full), np.int64)
    for qubit, sign in signs.items():
        if np.any(full.x >> qubit & 1):
            raise ValueError(must("mapping", "be 'jordan_wigner' where electrons or Sz are not conserved", "parity"))
        coefficients *= np.where(full.z >> qubit & 1, sign, 1)
    for position, qubit in enumerate(kept):
        x |= (full.x >> qubit & 1) << position
        z |= (full.z >> qubit & 1) << position
    return PauliSum.from_masks(len(kept), x, z, coefficients)

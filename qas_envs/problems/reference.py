"""The exact ground energy of a problem: computed, or given and checked where that is cheap."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Final, NamedTuple

from qas_simulators import PauliSum
from qas_simulators.dmrg import dmrg
from qas_simulators.errors import must

DENSE_QUBITS: Final = 10
"""Largest number of qubits for which the matrix is diagonalised."""
LANCZOS_QUBITS: Final = 20
"""Largest number of qubits for which Lanczos iterations are run; they take a minute."""
_DMRG_QUBITS: Final = 17
_DMRG_BONDS: Final = 64, 128  # bond dimensions, the second one where the first is not enough
_TOLERANCE: Final = 1e-6  # of the sum of all coefficients
_LANCZOS_ERROR: Final = 1e-10  # of the same sum; ARPACK stops at residuals of 1e-12
_ROUNDING: Final = 2.0**-52


class Reference(NamedTuple):
    """A ground energy, how it is known, and how far it may be off.

    Attributes:
        energy: In the unit of the Hamiltonian.
        method: ``"diagonalisation"``, ``"Lanczos"``, ``"free fermions"``, ``"Bethe ansatz"``, ``"DMRG"``,
            ``"polarised state"``, ``"full configuration interaction"`` or ``"given"``.
        error: A bound of the numerical error, in the same unit; ``None`` for a given energy that was not checked
            against another method. For DMRG the standard deviation of the Hamiltonian in the state that was found: an
            eigenvalue lies within it; the error of the energy is usually of the order of its square.
    """

    energy: float
    method: str
    error: float | None

    @property
    def provenance(self) -> dict[str, Any]:
        """The entry ``"reference"`` of a problem's provenance."""
        return {"method": self.method, "error": self.error}


def exact_energy(hamiltonian: PauliSum, given: float | None, known: float | None = None) -> float:
    """Return the energy of :func:`reference_of`, where ``known`` is from full configuration interaction."""
    found = None if known is None else Reference(known, "full configuration interaction", None)
    return reference_of(hamiltonian, given, found).energy


def reference_of(hamiltonian: PauliSum, given: float | None, known: Reference | None = None) -> Reference:
    """Return the lowest eigenvalue, computed or as given.

    Args:
        hamiltonian: Dense to 10 qubits, by Lanczos to 20.
        given: What the user says, which spares the computation above 10 qubits.
        known: What another method found: a closed form, or full configuration interaction.

    Raises:
        ValueError: The given one is not the lowest eigenvalue (to 10 qubits, or where it is known), or is outside the
            bounds that are cheap: above a basis state, or below minus the sum of all coefficients. None is given nor
            known, and there are more than 20 qubits.
    """
    if given is None:
        return _computed(hamiltonian) if known is None else known
    try:
        energy = float(given)
    except (TypeError, ValueError):
        energy = math.nan
    spread = float(abs(hamiltonian.coefficients).sum())
    if known is None and hamiltonian.num_qubits <= DENSE_QUBITS:
        known = _computed(hamiltonian)
    low, high = (-spread, _basis_energy(hamiltonian)) if known is None else (known.energy, known.energy)
    if not low - _TOLERANCE * spread <= energy <= high + _TOLERANCE * spread:
        wanted = f"be the lowest eigenvalue, which is {low:.9g}" if low == high else f"lie in [{low:.9g}, {high:.9g}]"
        raise ValueError(must("ground_energy", wanted, given))
    return Reference(energy, "given", None if known is None else _TOLERANCE * spread)


def chain_reference(hamiltonian: PauliSum, accuracy: float, periodic: bool) -> Reference | None:
    """Return the ground energy of a chain by DMRG, computed once for each chain; ``None`` for short chains.

    These have 16 qubits at most, rings 20: Lanczos is more exact, and on rings about as fast.

    Raises:
        ValueError: The error is not below half of the accuracy.
    """
    if hamiltonian.num_qubits < (LANCZOS_QUBITS + 1 if periodic else _DMRG_QUBITS):
        return None
    return _by_dmrg(hamiltonian.num_qubits, tuple(hamiltonian.terms().items()), accuracy)


def ladder_reference(hamiltonian: PauliSum, rows: int, accuracy: float) -> Reference | None:
    """Return the ground energy of a ladder, two rows or two columns of sites, by DMRG from rung to rung.

    Args:
        hamiltonian: Site ``row * columns + column`` is qubit ``row * columns + column``.
        rows: Rows of the lattice.
        accuracy: The error must be below half of it.

    Returns:
        ``None`` for other lattices, and for 20 qubits or fewer.

    Raises:
        ValueError: The error is not below half of the accuracy.
    """
    size = hamiltonian.num_qubits
    columns = size // rows
    if size <= LANCZOS_QUBITS or 2 not in (rows, columns):
        return None
    order = [row * columns + column for column in range(columns) for row in range(rows)] if rows == 2 else range(size)
    terms = {
        "".join(label[size - 1 - site] for site in reversed(order)): coefficient
        for label, coefficient in hamiltonian.terms().items()
    }
    return _by_dmrg(size, tuple(terms.items()), accuracy)


@lru_cache(maxsize=64)
def _by_dmrg(num_qubits: int, terms: tuple[tuple[str, float], ...], accuracy: float) -> Reference:
    error = math.inf
    for max_bond in _DMRG_BONDS:
        found = dmrg(PauliSum(dict(terms)), max_bond)
        error = found.deviation
        if error < 0.5 * accuracy:
            return Reference(found.energy, "DMRG", error)
    needed = f"be given: the energy by DMRG has an error of {error:.2g}, above half of the accuracy {accuracy:g}"
    raise ValueError(must("ground_energy", needed, f"None on {num_qubits} qubits"))


def rounding_error(hamiltonian: PauliSum) -> float:
    """Return a bound of the rounding of sums over all qubits: some units in the last place of all coefficients."""
    return 4.0 * hamiltonian.num_qubits * _ROUNDING * float(abs(hamiltonian.coefficients).sum())


def _computed(hamiltonian: PauliSum) -> Reference:
    """Return the lowest eigenvalue, by a dense matrix or by Lanczos."""
    num_qubits = hamiltonian.num_qubits
    if num_qubits > LANCZOS_QUBITS:
        needed = f"be given above {LANCZOS_QUBITS} qubits where no closed form is known"
        raise ValueError(must("ground_energy", needed, f"None on {num_qubits} qubits"))
    if num_qubits <= DENSE_QUBITS:
        return Reference(hamiltonian.ground_energy(), "diagonalisation", 4.0 * rounding_error(hamiltonian))
    spread = float(abs(hamiltonian.coefficients).sum())
    return Reference(hamiltonian.ground_energy(), "Lanczos", _LANCZOS_ERROR * spread)


def _basis_energy(hamiltonian: PauliSum) -> float:
    """Return the energy of the best basis state; above 20 qubits, that of the better one of ``|0...0>`` and Néel's."""
    if hamiltonian.num_qubits <= LANCZOS_QUBITS:
        return float(hamiltonian.basis_energies().min())
    diagonal = hamiltonian.x == 0
    alternating = sum(1 << qubit for qubit in range(1, hamiltonian.num_qubits, 2))
    signs = [1 - 2 * ((int(z) & alternating).bit_count() & 1) for z in hamiltonian.z[diagonal]]
    values = hamiltonian.coefficients[diagonal]
    return float(min(values.sum(), (values * signs).sum()))

"""The exact ground energy of a problem: computed, or given and checked where that is cheap."""

from __future__ import annotations

import math

from qas_simulators import PauliSum
from qas_simulators.errors import must

DENSE_QUBITS = 10
"""Largest number of qubits for which the matrix is diagonalised."""
_TOLERANCE = 1e-6  # of the sum of all coefficients


def exact_energy(hamiltonian: PauliSum, given: float | None, known: float | None = None) -> float:
    """Return the lowest eigenvalue, computed or as given.

    Args:
        hamiltonian: Dense to 10 qubits, by Lanczos above.
        given: What the user says, which spares the computation above 10 qubits.
        known: What another method found: a closed form, or full configuration interaction.

    Raises:
        ValueError: The given one is not the lowest eigenvalue (to 10 qubits, or where it is known), or is outside the
            bounds that are cheap: above the lowest basis state, or below minus the sum of all coefficients.
    """
    if given is None:
        return hamiltonian.ground_energy() if known is None else known
    hamiltonian.check_memory()
    try:
        energy = float(given)
    except (TypeError, ValueError):
        energy = math.nan
    spread = float(abs(hamiltonian.coefficients).sum())
    if known is not None:
        low = high = known
    elif hamiltonian.num_qubits <= DENSE_QUBITS:
        low = high = hamiltonian.ground_energy()
    else:
        low, high = -spread, float(hamiltonian.basis_energies().min())
    if not low - _TOLERANCE * spread <= energy <= high + _TOLERANCE * spread:
        wanted = f"be the lowest eigenvalue, which is {low:.9g}" if low == high else f"lie in [{low:.9g}, {high:.9g}]"
        raise ValueError(must("ground_energy", wanted, given))
    return energy

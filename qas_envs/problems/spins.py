"""Spin models on chains and square lattices, open or periodic."""

from __future__ import annotations

import math
from collections.abc import Iterator

from qas_envs.problems.bethe_ansatz import xxz_energy
from qas_envs.problems.free_fermions import chain_energy
from qas_envs.problems.problem import Problem
from qas_envs.problems.reference import (
    DENSE_QUBITS,
    Reference,
    chain_reference,
    ladder_reference,
    reference_of,
    rounding_error,
)
from qas_simulators import PauliSum
from qas_simulators.errors import must
from qas_simulators.flat_circuit import MASK_QUBITS


def tfim(
    num_qubits: int = 4,
    field: float = 1.0,
    coupling: float = 1.0,
    periodic: bool = False,
    rows: int = 1,
    accuracy: float = 1e-3,
    ground_energy: float | None = None,
) -> Problem:
    """Transverse-field Ising model, ``H = -J sum Z_i Z_j - h sum X_i`` over neighbours i, j.

    Args:
        num_qubits: Number of spins, 2 to 60; lattices above 20 need ``ground_energy``, except open ladders of two rows.
        field: Transverse field ``h``.
        coupling: ``J``, the unit of energy if left at 1.
        periodic: Close the chain to a ring, the lattice to a torus.
        rows: Rows of a square lattice; 1 for a chain.
        accuracy: Error below which a state counts as found, in the unit of ``coupling``.
        ground_energy: If it is known: above 10 qubits it spares the computation, which takes a minute on 20. Chains and
            rings are free fermions and need none.

    Raises:
        ValueError: An impossible size, a strength that is not finite, or an accuracy that is not positive.
    """
    _check(num_qubits, rows, periodic, accuracy, field=field, coupling=coupling)
    terms = {_label(num_qubits, "X", site): -float(field) for site in range(num_qubits)}
    for first, second in _bonds(num_qubits, rows, periodic):
        terms[_label(num_qubits, "Z", first, second)] = -float(coupling)
    hamiltonian = PauliSum(terms)
    chain = None
    if _is_long_chain(num_qubits, rows):  # in the basis where the bonds are X X
        energy = chain_energy(num_qubits, -float(coupling), 0.0, -float(field), periodic)
        chain = Reference(energy, "free fermions", rounding_error(hamiltonian))
    elif ground_energy is None and not periodic:
        chain = ladder_reference(hamiltonian, rows, accuracy)
    reference = reference_of(hamiltonian, ground_energy, chain)
    settings = {"field": field, "coupling": coupling}
    return _problem("TFIM", f"h={field:g}", hamiltonian, reference, rows, periodic, settings, accuracy)


def heisenberg(
    num_qubits: int = 5,
    anisotropy: float = 1.0,
    field: float = 0.0,
    coupling: float = 1.0,
    periodic: bool = False,
    rows: int = 1,
    accuracy: float = 1e-3,
    ground_energy: float | None = None,
) -> Problem:
    """Heisenberg or XXZ model, ``H = J sum (X_i X_j + Y_i Y_j + D Z_i Z_j) + h sum Z_i``, antiferromagnetic for J > 0.

    Args:
        num_qubits: Number of spins, 2 to 60; lattices above 20 need ``ground_energy``, except open ladders of two rows.
        anisotropy: ``D``; 1 for the isotropic model.
        field: Longitudinal field ``h``.
        coupling: ``J``, for Pauli matrices; spin operators have a quarter of it.
        periodic: Close the chain to a ring, the lattice to a torus.
        rows: Rows of a square lattice; 1 for a chain.
        accuracy: Error below which a state counts as found, in the unit of ``coupling``.
        ground_energy: If it is known: above 10 qubits it spares the computation, which takes a minute on 20. Chains and
            rings need none: those without anisotropy are free fermions, others have a Bethe ansatz.

    Raises:
        ValueError: An impossible size, a strength that is not finite, or an accuracy that is not positive.
    """
    _check(num_qubits, rows, periodic, accuracy, anisotropy=anisotropy, field=field, coupling=coupling)
    terms = {}
    for first, second in _bonds(num_qubits, rows, periodic):
        for letter, weight in (("X", 1.0), ("Y", 1.0), ("Z", anisotropy)):
            if weight:
                terms[_label(num_qubits, letter, first, second)] = float(coupling * weight)
    for site in range(num_qubits if field else 0):
        terms[_label(num_qubits, "Z", site)] = float(field)
    hamiltonian = PauliSum(terms)
    chain = None
    if _is_long_chain(num_qubits, rows) and anisotropy == 0:
        energy = chain_energy(num_qubits, float(coupling), float(coupling), float(field), periodic)
        chain = Reference(energy, "free fermions", rounding_error(hamiltonian))
    elif _is_long_chain(num_qubits, rows):
        chain = _interacting_chain(num_qubits, float(anisotropy), float(field), float(coupling), periodic)
        if chain is None and ground_energy is None:
            chain = chain_reference(hamiltonian, accuracy, periodic)
    elif ground_energy is None and not periodic:
        chain = ladder_reference(hamiltonian, rows, accuracy)
    reference = reference_of(hamiltonian, ground_energy, chain)
    name = "Heisenberg" if anisotropy == 1 else "XXZ"
    settings = {"anisotropy": anisotropy, "field": field, "coupling": coupling}
    text = f"h={field:g}" if anisotropy == 1 else f"D={anisotropy:g}, h={field:g}"
    return _problem(name, text, hamiltonian, reference, rows, periodic, settings, accuracy)


def _interacting_chain(
    num_qubits: int, anisotropy: float, field: float, coupling: float, periodic: bool
) -> Reference | None:
    """Return the ground energy by the Bethe ansatz, or ``None`` where it does not apply.

    Half a turn about z of every second spin exchanges the sign of the coupling for that of the anisotropy.
    """
    if coupling == 0:
        return None
    unit = abs(coupling)
    turned = math.copysign(anisotropy, anisotropy * coupling)
    found = xxz_energy(num_qubits, turned, field / unit, periodic, is_frustrated=coupling > 0)
    if found is None or found.error is None:
        return None
    return found._replace(energy=unit * found.energy, error=unit * found.error)


def j1_j2(
    num_qubits: int = 6,
    next_coupling: float = 0.5,
    coupling: float = 1.0,
    periodic: bool = True,
    accuracy: float = 1e-3,
    ground_energy: float | None = None,
) -> Problem:
    """Frustrated Heisenberg chain, ``H = J1 sum S_i S_{i+1} + J2 sum S_i S_{i+2}`` with spins ``S = sigma / 2``.

    At ``J2 = J1 / 2`` the ground states of a ring with an even number ``N`` of spins are products of singlets on
    neighbours, with the energy ``-3 N J1 / 8`` (Majumdar, Ghosh, J. Math. Phys. 10, 1388, 1969).

    Args:
        num_qubits: Number of spins, 4 to 60; at least 5 on a ring, where bonds would otherwise coincide.
        next_coupling: ``J2``.
        coupling: ``J1``, the unit of energy if left at 1.
        periodic: Close the chain to a ring.
        accuracy: Error below which a state counts as found, in the unit of ``coupling``.
        ground_energy: If it is known: above 10 qubits it spares the computation. From 17 qubits on, on rings from
            21, that is DMRG, which takes some seconds.

    Raises:
        ValueError: An impossible size, a strength that is not finite, or an accuracy that is not positive.

    Examples:
        >>> round(j1_j2(6).ground_energy, 9)
        -2.25
    """
    _check(num_qubits, 1, periodic, accuracy, next_coupling=next_coupling, coupling=coupling)
    if num_qubits < (5 if periodic else 4):
        raise ValueError(must("num_qubits", f"be at least {5 if periodic else 4}", num_qubits))
    terms = {}
    for distance, strength in ((1, coupling), (2, next_coupling)):
        for first in range(num_qubits if periodic else num_qubits - distance):
            for letter in "XYZ" if strength else "":
                terms[_label(num_qubits, letter, first, (first + distance) % num_qubits)] = 0.25 * float(strength)
    hamiltonian = PauliSum(terms)
    chain = chain_reference(hamiltonian, accuracy, periodic) if ground_energy is None else None
    reference = reference_of(hamiltonian, ground_energy, chain)
    settings = {"next_coupling": next_coupling, "coupling": coupling}
    return _problem("J1-J2", f"J2={next_coupling:g}", hamiltonian, reference, 1, periodic, settings, accuracy)


def _is_long_chain(num_qubits: int, rows: int) -> bool:
    """Return whether a closed form is used; shorter chains are diagonalised, as recorded energies were."""
    return num_qubits > DENSE_QUBITS and rows in (1, num_qubits)


def _problem(
    model: str,
    settings_text: str,
    hamiltonian: PauliSum,
    reference: Reference,
    rows: int,
    periodic: bool,
    settings: dict[str, float],
    accuracy: float,
) -> Problem:
    num_qubits = hamiltonian.num_qubits
    size = f"n={num_qubits}" if rows == 1 else f"{rows}x{num_qubits // rows}"
    return Problem(
        name=f"{model} ({size}{', periodic' if periodic else ''}, {settings_text})",
        hamiltonian=hamiltonian,
        ground_energy=reference.energy,
        accuracy=accuracy,
        unit="J",
        provenance={
            "model": model,
            "rows": rows,
            "periodic": periodic,
            **settings,
            "reference": reference.provenance,
        },
    )


def _check(num_qubits: int, rows: int, periodic: bool, accuracy: float, **strengths: float) -> None:
    if not 2 <= num_qubits <= MASK_QUBITS:
        raise ValueError(must("num_qubits", f"lie in 2..{MASK_QUBITS}", num_qubits))
    if rows < 1 or num_qubits % rows:
        raise ValueError(must("rows", f"divide num_qubits = {num_qubits}", rows))
    if periodic and min(length for length in (rows, num_qubits // rows) if length > 1) < 3:
        raise ValueError(must("periodic", "be False along fewer than three spins", periodic))
    if not accuracy > 0:
        raise ValueError(must("accuracy", "be positive", accuracy))
    for argument, value in strengths.items():
        if not math.isfinite(value):
            raise ValueError(must(argument, "be finite", value))


def _bonds(num_qubits: int, rows: int, periodic: bool) -> Iterator[tuple[int, int]]:
    """Yield every pair of neighbours once; site ``row * columns + column``."""
    columns = num_qubits // rows
    for row in range(rows):
        for column in range(columns):
            site = row * columns + column
            if column + 1 < columns or (periodic and columns > 2):
                yield site, row * columns + (column + 1) % columns
            if row + 1 < rows or (periodic and rows > 2):
                yield site, (row + 1) % rows * columns + column


def _label(num_qubits: int, letter: str, *sites: int) -> str:
    letters = ["I"] * num_qubits
    for site in sites:
        letters[num_qubits - 1 - site] = letter
    return "".join(letters)

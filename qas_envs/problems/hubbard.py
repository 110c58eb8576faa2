"""The Fermi-Hubbard model at half filling, on qubits by the Jordan-Wigner transformation."""

from __future__ import annotations

import math

from qas_envs.problems.problem import Problem
from qas_envs.problems.reference import exact_energy
from qas_simulators import PauliSum
from qas_simulators.errors import must


def hubbard(
    num_sites: int = 2,
    repulsion: float = 4.0,
    hopping: float = 1.0,
    periodic: bool = False,
    accuracy: float = 1e-3,
    ground_energy: float | None = None,
) -> Problem:
    """Fermi-Hubbard chain, ``H = -t sum (c+ c + h.c.) + U sum (n_up - 1/2)(n_down - 1/2)``.

    The repulsion is written so that it includes the chemical potential of half filling: the ground state of all numbers
    of electrons has one electron per site (Lieb, Phys. Rev. Lett. 62, 1201, 1989), and needs no penalty. Qubit ``k``
    holds the electron of spin up on site ``k``, qubit ``num_sites + k`` that of spin down.

    Args:
        num_sites: 1 to 6; there are twice as many qubits.
        repulsion: ``U``, positive or zero.
        hopping: ``t``, the unit of energy if left at 1.
        periodic: Close the chain to a ring of at least three sites; half filling is assured for even rings.
        accuracy: Error below which a state counts as found, in the unit of ``hopping``.
        ground_energy: If it is known: above 10 qubits it spares the computation.

    Raises:
        ValueError: An impossible size, or a strength that is not finite.

    Examples:
        >>> problem = hubbard(2, repulsion=4.0)
        >>> problem.num_qubits, round(problem.ground_energy, 9)  # -sqrt(U**2 + 16 t**2) / 2
        (4, -2.828427125)
    """
    if not 1 <= num_sites <= 6:
        raise ValueError(must("num_sites", "lie in 1..6", num_sites))
    if periodic and (num_sites < 3 or num_sites % 2):
        raise ValueError(must("periodic", "be False for fewer than three sites or an odd number", periodic))
    if not math.isfinite(hopping):
        raise ValueError(must("hopping", "be finite", hopping))
    if not (math.isfinite(repulsion) and repulsion >= 0):
        raise ValueError(must("repulsion", "be finite and at least 0", repulsion))
    x, z, values = [], [], []
    for spin in range(2):
        bonds = [(site, site + 1) for site in range(num_sites - 1)] + ([(0, num_sites - 1)] if periodic else [])
        for first, last in bonds:
            low, high = first + spin * num_sites, last + spin * num_sites
            ends, between = (1 << low) + (1 << high), (1 << high) - (1 << (low + 1))  # XX and YY around a string of Z
            x += [ends, ends]
            z += [between, between + ends]
            values += [-0.5 * hopping] * 2
    for site in range(num_sites):
        x.append(0)
        z.append((1 << site) + (1 << (site + num_sites)))
        values.append(0.25 * repulsion)
    hamiltonian = PauliSum.from_masks(2 * num_sites, x, z, values)
    return Problem(
        name=f"Hubbard ({num_sites} sites{', periodic' if periodic else ''}, U={repulsion:g})",
        hamiltonian=hamiltonian,
        ground_energy=exact_energy(hamiltonian, ground_energy),
        accuracy=accuracy,
        unit="t",
        provenance={"model": "Hubbard", "repulsion": repulsion, "hopping": hopping, "periodic": periodic},
    )

"""XXZ chains with random anisotropies and random fields."""

from __future__ import annotations

import math

import numpy as np

from qas_envs.problems.problem import Problem
from qas_envs.problems.reference import reference_of
from qas_simulators import PauliSum
from qas_simulators.errors import must
from qas_simulators.flat_circuit import MASK_QUBITS


def xxz_chains(
    num_qubits: int = 6,
    seed: int = 17,
    coupling: float = 1.0,
    anisotropy: float = 1.0,
    field: float = 1.0,
    accuracy: float = 1e-3,
    ground_energy: float | None = None,
) -> Problem:
    """Open XXZ chain, ``H = sum J (X_i X_i+1 + Y_i Y_i+1) + D_i Z_i Z_i+1 + sum h_i Z_i``, with random ``D_i, h_i``.

    ``D_i`` is drawn for every bond, uniform in [0, 2), then ``h_i`` for every spin, uniform in [-2, 2). The numbers
    come from the bit generator PCG64, so that a seed is the same instance on every machine. The chain with random
    fields and equal couplings is a standard model of disorder (Znidaric, Prosen, Prelovsek, arXiv:0706.2539).

    Args:
        num_qubits: Number of spins, 2 to 60.
        seed: Of everything that is drawn, at least 0.
        coupling: ``J``, for Pauli matrices, the unit of energy if left at 1.
        anisotropy: Factor of all ``D_i``. With 0 the chain is one of free fermions.
        field: Factor of all ``h_i``.
        accuracy: Error below which a state counts as found, in the unit of ``coupling``.
        ground_energy: If it is known: above 10 qubits it spares the computation, which takes a minute on 20;
            above 20 it must be given.

    Raises:
        ValueError: A number out of range.

    Examples:
        >>> problem = xxz_chains(num_qubits=4, seed=3)
        >>> problem.num_qubits, len(problem.hamiltonian)
        (4, 13)
    """
    _check(num_qubits, seed, accuracy, coupling=coupling, anisotropy=anisotropy, field=field)
    rng = np.random.Generator(np.random.PCG64(seed))
    bonds = [3 << site for site in range(num_qubits - 1)]
    anisotropies = [float(anisotropy * 2.0 * value) for value in rng.random(len(bonds))]
    fields = [float(field * (4.0 * value - 2.0)) for value in rng.random(num_qubits)]
    none = [0] * len(bonds)
    x = [*bonds, *bonds, *none, *[0] * num_qubits]
    z = [*none, *bonds, *bonds, *(1 << site for site in range(num_qubits))]
    hamiltonian = PauliSum.from_masks(num_qubits, x, z, [*[float(coupling)] * (2 * len(bonds)), *anisotropies, *fields])
    reference = reference_of(hamiltonian, ground_energy)
    return Problem(
        name=f"XXZ chain (n={num_qubits}, seed {seed})",
        hamiltonian=hamiltonian,
        ground_energy=reference.energy,
        accuracy=accuracy,
        unit="J",
        provenance={
            "model": "XXZ chain",
            "seed": seed,
            "coupling": coupling,
            "anisotropies": anisotropies,
            "fields": fields,
            "reference": reference.provenance,
        },
    )


def _check(num_qubits: int, seed: int, accuracy: float, **factors: float) -> None:
    if not 2 <= num_qubits <= MASK_QUBITS:
        raise ValueError(must("num_qubits", f"lie in 2..{MASK_QUBITS}", num_qubits))
    if seed < 0:
        raise ValueError(must("seed", "be at least 0", seed))
    if not accuracy > 0:
        raise ValueError(must("accuracy", "be positive", accuracy))
    for argument, value in factors.items():
        if not math.isfinite(value):
            raise ValueError(must(argument, "be finite", value))

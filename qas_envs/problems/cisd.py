"""A cheap correlated state: configuration interaction with single and double excitations, and what it says of modes."""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import NDArray

from qas_envs.problems.fermions import Integrals
from qas_simulators.errors import needs_extra
from qas_simulators.memory import check_memory

_DENSE = 500  # determinants; above, Lanczos


def cisd(integrals: Integrals) -> tuple[float, NDArray[np.float64]]:
    """Return the lowest state of all determinants with at most two excitations from the lowest orbitals.

    PySCF applies the Hamiltonian to all determinants; those with more excitations are projected out.

    Returns:
        The energy in Hartree, and the amplitudes ``(num_strings_up, num_strings_down)`` in PySCF's order of strings.

    Raises:
        ValueError: The determinants would not fit into memory.
    """
    with needs_extra("chemistry"):
        from pyscf.fci import direct_spin1
    from scipy.sparse.linalg import LinearOperator, eigsh

    orbitals, electrons = integrals.orbitals, (integrals.sector.up, integrals.sector.down)
    size = comb(orbitals, electrons[0]) * comb(orbitals, electrons[1])
    check_memory("active_space", 8 * 60 * size, f"{size} determinants")
    excited = [_excitations(orbitals, count) for count in electrons]
    kept = np.add.outer(*excited) <= 2
    absorbed = direct_spin1.absorb_h1e(integrals.one_body, integrals.two_body, orbitals, electrons, 0.5)

    def multiply(amplitudes: NDArray[np.float64]) -> NDArray[np.float64]:
        vector = np.zeros(kept.shape)
        vector[kept] = amplitudes.ravel()
        return np.asarray(direct_spin1.contract_2e(absorbed, vector, orbitals, electrons))[kept]

    count = int(kept.sum())
    if count <= _DENSE:
        matrix = np.array([multiply(row) for row in np.eye(count)])
        values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    else:
        start = np.random.default_rng(0).normal(size=count)
        operator = LinearOperator((count, count), matvec=multiply, dtype=np.float64)
        values, vectors = eigsh(operator, k=1, which="SA", v0=start, tol=1e-12)
    state = np.zeros(kept.shape)
    state[kept] = vectors[:, 0]
    return float(values[0]) + integrals.constant, state


def _excitations(orbitals: int, count: int) -> NDArray[np.int64]:
    """Return how many of the lowest orbitals each string of ``count`` electrons leaves, ``(num_strings,)``."""
    return np.asarray(count - _occupied(orbitals, count)[:, :count].sum(axis=1))


def _occupied(orbitals: int, count: int) -> NDArray[np.int64]:
    """Return which orbitals each string occupies, ``(num_strings, num_orbitals)``."""
    from pyscf.fci import cistring

    strings = np.asarray(cistring.make_strings(range(orbitals), count), dtype=np.int64)
    return np.asarray(strings[:, None] >> np.arange(orbitals) & 1)


def occupations(integrals: Integrals) -> NDArray[np.float64]:
    """Return the CISD occupations of spin orbitals, up and down, ``(2, num_orbitals)``, each in [0, 1]."""
    state, sector = cisd(integrals)[1], integrals.sector
    chances = state**2
    up, down = (_occupied(integrals.orbitals, count) for count in (sector.up, sector.down))
    return np.array([chances.sum(axis=1) @ up, chances.sum(axis=0) @ down])


def mutual_information(integrals: Integrals) -> NDArray[np.float64]:
    """Return ``I_ij = S_i + S_j - S_ij`` of the CISD state's spin orbitals, all up, then all down.

    With fixed numbers of electrons, the state of one spin orbital is ``(1 - n_i, n_i)``. That of two is diagonal except
    for ``<a_i^+ a_j>`` between the states with one electron, which is 0 for opposite spins.

    Returns:
        ``(2 * num_orbitals, 2 * num_orbitals)``, in nats, with a diagonal of zeros.

    References:
        J. Rissler, R. M. Noack, S. R. White: Measuring orbital interaction using quantum information theory,
        arXiv:cond-mat/0508524.
    """
    from pyscf.fci import direct_spin1

    state, sector, orbitals = cisd(integrals)[1], integrals.sector, integrals.orbitals
    up, down = (_occupied(orbitals, count) for count in (sector.up, sector.down))
    chances = state**2
    both = np.block(
        [
            [up.T @ (chances.sum(axis=1)[:, None] * up), up.T @ chances @ down],
            [down.T @ chances.T @ up, down.T @ (chances.sum(axis=0)[:, None] * down)],
        ]
    )
    blocks = direct_spin1.make_rdm1s(state, orbitals, (sector.up, sector.down))
    coherence = np.zeros_like(both)
    coherence[:orbitals, :orbitals], coherence[orbitals:, orbitals:] = blocks
    filled = np.diag(both)
    first, second = np.meshgrid(filled, filled, indexing="ij")
    one_i, one_j = first - both, second - both  # only i is occupied; only j
    middle, split = (one_i + one_j) / 2, np.hypot((one_i - one_j) / 2, coherence)
    weights = [both, 1 - first - second + both, middle + split, middle - split]
    single = _entropy([filled, 1 - filled])
    information = np.add.outer(single, single) - _entropy(weights)
    np.fill_diagonal(information, 0.0)
    return np.asarray(np.maximum(information, 0.0))


def _entropy(weights: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return ``-sum p log p`` over the list, element by element."""
    clipped = [np.clip(weight, 1e-300, 1.0) for weight in weights]
    return np.asarray(-sum(weight * np.log(weight) for weight in clipped))

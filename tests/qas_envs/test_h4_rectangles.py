"""Rectangles of four hydrogen atoms: files for training, validation and test, and their energies by PySCF."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from qas_envs.problems import h4_rectangle
from qas_envs.problems.instances import H4_RECTANGLES
from qas_envs.problems.instances import h4_rectangle as define


@pytest.mark.parametrize(("radius", "angle"), [(0.8, 60.0), (1.3, 85.0), (1.2, 75.0)])
def test_energies_of_all_orbitals_by_pyscf(radius: float, angle: float) -> None:
    """Full configuration interaction of the atoms as written here, not of the qubits' Hamiltonian."""
    pytest.importorskip("pyscf")
    from pyscf import fci, gto, scf

    sides = 2 * radius * np.cos(np.radians(angle / 2)), 2 * radius * np.sin(np.radians(angle / 2))
    corners = [(0.0, 0.0), (sides[0], 0.0), (sides[0], sides[1]), (0.0, sides[1])]
    molecule = gto.M(atom=[("H", (x, y, 0.0)) for x, y in corners], basis="sto-3g", verbose=0)
    mean_field = scf.RHF(molecule).run(conv_tol=1e-12)
    problem = h4_rectangle(radius, angle)
    assert problem.num_qubits == 6
    assert problem.ground_energy == pytest.approx(fci.FCI(mean_field).kernel()[0], abs=1e-8)
    assert problem.hamiltonian.ground_energy() == pytest.approx(problem.ground_energy, abs=1e-8)


def test_the_splits_have_files_and_share_no_geometry() -> None:
    sets = {name: {tuple(each.values()) for each in split} for name, split in H4_RECTANGLES.items()}
    assert [len(each) for each in sets.values()] == [12, 2, 9]
    assert not any(first & second for first, second in combinations(sets.values(), 2))
    energies = [h4_rectangle(**each).ground_energy for split in H4_RECTANGLES.values() for each in split]
    assert len({round(energy, 6) for energy in energies}) == 23


def test_atoms_have_the_radius_and_diagonals_the_angle() -> None:
    first, second, third, _ = (np.array(position) for _, position in define(1.1, 65.0).atoms)
    np.testing.assert_allclose([np.linalg.norm(first), np.linalg.norm(first + third)], [1.1, 0.0], atol=1e-7)
    assert np.degrees(np.arccos(first @ second / 1.1**2)) == pytest.approx(65.0, abs=1e-5)


@pytest.mark.parametrize(("settings", "name"), [({"radius": 0.0}, "radius"), ({"angle": 180.0}, "angle")])
def test_impossible_rectangles(settings: dict[str, float], name: str) -> None:
    with pytest.raises(ValueError, match=f"`{name}` must lie in"):
        h4_rectangle(**settings)

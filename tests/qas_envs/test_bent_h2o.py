"""H2O along bond, angle and active space: one file for training, validation and test, and its energies by PySCF."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import yaml

import qas_envs  # noqa: F401
import qas_experiments
from qas_envs.problems import bent_h2o, stretched_h2o
from qas_envs.problems.instances import BENT_H2O, file_of, shipped
from qas_envs.problems.instances import bent_h2o as define

CONF = Path(qas_experiments.__file__).parent / "conf"


def mean_field_of(bond_length: float, angle: float) -> Any:
    """Hartree-Fock with symmetry of a molecule in PySCF's own internal coordinates; the plane is that of y and z."""
    gto, scf = pytest.importorskip("pyscf.gto"), pytest.importorskip("pyscf.scf")
    atoms = f"O; H 1 {bond_length}; H 1 {bond_length} 2 {angle}"
    molecule = gto.M(atom=atoms, basis="sto-3g", symmetry="C2v", verbose=0)
    return scf.RHF(molecule).run(conv_tol=1e-12)


@pytest.mark.parametrize(("bond_length", "angle"), [(0.9, 96.0), (0.95, 114.0), (1.1, 104.0), (1.2, 116.0)])
@pytest.mark.parametrize("frozen_orbital", [2, 3, 4])
def test_energies_and_orbitals_by_pyscf(bond_length: float, angle: float, frozen_orbital: int) -> None:
    """Complete configuration interaction, from PySCF's own geometry and active space."""
    mean_field = mean_field_of(bond_length, angle)
    symmetry, mcscf = pytest.importorskip("pyscf.symm"), pytest.importorskip("pyscf.mcscf")
    mol = mean_field.mol
    labels = symmetry.label_orb_symm(mol, mol.irrep_name, mol.symm_orb, mean_field.mo_coeff)
    assert labels[3] == "A1" and {labels[2], labels[4]} == {"B1", "B2"}
    space = mcscf.CASCI(mean_field, 4, 4)
    space.fcisolver.conv_tol = 1e-12
    active = [place + 1 for place in range(2, 7) if place != frozen_orbital]
    energy = space.kernel(space.sort_mo(active))[0]
    problem = bent_h2o(bond_length, angle, frozen_orbital)
    assert problem.num_qubits == 8
    assert problem.ground_energy == pytest.approx(energy, abs=1e-8)
    assert problem.hamiltonian.ground_energy() == pytest.approx(energy, abs=1e-8)


def test_the_lone_pair_is_the_orbital_across_the_plane() -> None:
    """Up to 1.2 Å and 116 degrees; it is a p orbital of the oxygen alone."""
    for bond_length, angle in ((0.9, 96.0), (0.9, 116.0), (1.2, 96.0), (1.2, 116.0)):
        mean_field = mean_field_of(bond_length, angle)
        weights = np.abs(mean_field.mo_coeff[:, 4])
        assert np.sort(weights)[-1] == pytest.approx(1.0, abs=1e-9) and np.sort(weights)[-2] < 1e-9


def test_the_splits_have_a_file_and_share_no_instance() -> None:
    sets = {name: {tuple(each.values()) for each in split} for name, split in BENT_H2O.items()}
    assert [len(each) for each in sets.values()] == [36, 6, 27]
    assert not any(first & second for first, second in combinations(sets.values(), 2))
    own = [name for name in shipped() if file_of(name)[0] == "bent_h2o_8_jordan_wigner.json"]
    assert len(own) == 69
    problems = [bent_h2o(**each) for split in BENT_H2O.values() for each in split]
    assert len({problem.digest for problem in problems}) == 69


def test_the_stretched_molecule_is_one_of_them() -> None:
    pytest.importorskip("pyscf")
    problem = bent_h2o(1.5, 104.45, 2)
    assert problem.ground_energy == pytest.approx(stretched_h2o().ground_energy, abs=1e-6)  # its angle is 104.448


def test_atoms_have_the_bonds_and_the_angle() -> None:
    oxygen, first, second = (np.array(position) for _, position in define(1.1, 97.0).atoms)
    bonds = first - oxygen, second - oxygen
    np.testing.assert_allclose([np.linalg.norm(bond) for bond in bonds], 1.1, atol=1e-7)
    assert np.degrees(np.arccos(bonds[0] @ bonds[1] / 1.1**2)) == pytest.approx(97.0, abs=1e-5)


@pytest.mark.parametrize("make", [bent_h2o, lambda **settings: gym.make("QAS-BentH2O-v0", **settings)])
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"angle": 0.0}, "`angle` must lie in [1, 180] degrees, but is 0.0."),
        ({"angle": float("nan")}, "`angle` must "),
        ({"bond_length": 0.0}, "`bond_length` must lie in [0.2, 20] ångström, but is 0.0."),
        ({"frozen_orbital": 5}, "`frozen_orbital` must be 2, 3 or 4, but is 5."),
        ({"frozen_orbital": 2.5}, "`frozen_orbital` must be "),
        ({"frozen_orbital": "3"}, "`frozen_orbital` must be "),
    ],
)
def test_impossible_instances(make: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make(**settings)


def test_suite_and_experiment_have_the_instances_of_their_splits() -> None:
    suite = yaml.safe_load((CONF / "suite" / "bent_h2o.yaml").read_text("utf-8"))["instances"]
    tested = [one["env"]["problem"] for one in suite.values()]
    assert tested == [dict(each) for each in BENT_H2O["test"]]
    settings = yaml.safe_load((CONF / "experiment" / "bent_h2o.yaml").read_text("utf-8"))
    values = settings["agent"]["instances"]
    trained = [
        {"bond_length": bond, "angle": angle, "frozen_orbital": orbital}
        for bond in values["bond_length"]
        for angle in values["angle"]
        for orbital in values["frozen_orbital"]
    ]
    assert trained == [dict(each) for each in BENT_H2O["train"]]
    assert settings["env"]["problem"] in [dict(each) for each in BENT_H2O["validation"]]

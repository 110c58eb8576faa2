"""Molecules against PySCF's own solvers: exact energies, core potentials, sectors, geometries, memory."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import qas_envs  # noqa: F401
from qas_envs.problems import Problem, chemistry, molecule
from qas_envs.problems.chemistry import Molecule, molecular_hamiltonian, with_active_space
from qas_envs.problems.fermions import Integrals, full_configuration_interaction
from qas_envs.problems.geometry import parse_geometry, read_geometry
from qas_envs.problems.sectors import Sector
from qas_simulators import memory

pytest.importorskip("pyscf")
pytest.importorskip("openfermion")
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # PySCF's temporary files

WATER = "O 0 0 0; H 0.757 0.586 0; H -0.757 0.586 0"
OXYGEN = {"geometry": "O 0 0 0; O 0 0 1.2075", "unit": "angstrom", "active_space": (4, 4), "spin": 2}
SINGLET, TRIPLET = -147.640235, -147.632907  # O2 (4, 4), STO-3G, by PySCF's CASCI with (2, 2) and (3, 1) electrons


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAS_ENVS_CACHE_DIR", str(tmp_path / "kernels"))


def defined(
    geometry: str, active_space: tuple[int, int] | None = None, basis: Any = "sto-3g", spin: int = 0
) -> Molecule:
    plain = Molecule("molecule", parse_geometry(geometry), "angstrom", basis, "jordan_wigner", spin=spin)
    return with_active_space(plain, active_space)


def casci(definition: Molecule, ecp: Any = None) -> float:
    """Return PySCF's own energy: its mean field, its active space, its Davidson iteration with several roots."""
    from pyscf import fci, gto, mcscf, scf

    atoms, spin = [[symbol, place] for symbol, place in definition.atoms], definition.spin
    mol = gto.M(atom=atoms, basis=definition.basis, ecp=ecp or {}, spin=spin, verbose=0)
    mean_field = (scf.ROHF if spin else scf.RHF)(mol)
    mean_field.conv_tol = 1e-13
    mean_field.kernel()
    active = mol.nao - len(definition.frozen) if definition.active is None else len(definition.active)
    electrons = mol.nelectron - 2 * len(definition.frozen)
    solver = mcscf.CASCI(mean_field, active, ((electrons + spin) // 2, (electrons - spin) // 2))
    solver.fcisolver = fci.direct_spin1.FCI()
    solver.fcisolver.conv_tol, solver.fcisolver.nroots = 1e-12, 4 if ecp is None else 1
    return float(np.min(solver.kernel()[0]))


@pytest.mark.parametrize(
    ("geometry", "spin", "active_space", "energy"),
    [
        ("H 0 0 0; H 0 0 8", 0, None, -0.933164),  # 2 E(H), singlet and triplet degenerate
        ("H 0 0 0; H 0 0 10", 0, None, -0.933164),
        (";".join(f"H 0 0 {k}" for k in range(6)), 0, None, -3.236066),  # exactly 400
        pytest.param("Be 0 0 0; H 0 0 1.33; H 0 0 -1.33", 0, None, -15.595118, marks=pytest.mark.slow),
        ("B 0 0 0", 1, None, None),  # degenerate P states
        ("C 0 0 0", 2, None, None),
        ("F 0 0 0", 1, None, None),
        ("O 0 0 0; H 0 0 0.97", 1, (5, 4), None),
        ("N 0 0 0", 3, None, None),
        ("Li 0 0 0; Li 0 0 2.67", 0, (2, 6), None),
    ],
)
def test_exact_energies_are_those_of_pyscf(
    geometry: str, spin: int, active_space: tuple[int, int] | None, energy: float | None
) -> None:
    definition = defined(geometry, active_space, spin=spin)
    result = molecular_hamiltonian(definition)
    assert result.sector_energy == pytest.approx(casci(definition), abs=1e-8)
    if energy is not None:
        assert result.sector_energy == pytest.approx(energy, abs=1e-6)


def test_dense_and_lanczos_agree_in_every_sector(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of integrals without any symmetry of space; the determinants with the lowest diagonal need not matter."""
    rng = np.random.default_rng(3)
    pairs = rng.normal(size=(4, 4, 8))
    pairs += pairs.transpose(1, 0, 2)
    one_body = rng.normal(size=(4, 4))
    integrals = Integrals(0.5, one_body + one_body.T, 0.1 * np.einsum("pqk,rsk->pqrs", pairs, pairs), Sector(4, 0))
    shares = [(up, down) for up in range(5) for down in range(5)]
    dense = [full_configuration_interaction(integrals, *share) for share in shares]
    monkeypatch.setattr("qas_envs.problems.fermions._DENSE", 15)
    lanczos = [full_configuration_interaction(integrals, *share) for share in shares]
    np.testing.assert_allclose(lanczos, dense, atol=1e-9)
    assert np.ptp(dense) > 1


def test_fourteen_qubits_have_their_exact_energy() -> None:
    """441 determinants, above PySCF's switch at 400."""
    problem = molecule(WATER, "angstrom")
    assert problem.num_qubits == 14
    assert problem.ground_energy == pytest.approx(-75.012437, abs=1e-6)  # PySCF's FCI


@pytest.mark.parametrize(
    ("geometry", "basis", "ecp", "energy", "core"),
    [
        ("Na 0 0 0; H 0 0 1.89", "lanl2dz", {"Na": "lanl2dz"}, -0.708524, {"Na": 10}),
        ("H 0 0 0; I 0 0 1.609", "def2-svp", {"I": "def2-svp"}, -297.2319, {"I": 28}),
        ("Cu 0 0 0; H 0 0 1.46", "LANL2DZ", {"Cu": "lanl2dz"}, -195.5358, {"Cu": 10}),
        ("Na 0 0 0; H 0 0 1.89", {"Na": "stuttgart", "H": "6-31g"}, {"Na": "stuttgart"}, None, {"Na": 10}),
        ("Na 0 0 0; H 0 0 1.89", {"Na": "crenbl", "default": "sto-3g"}, {"Na": "crenbl"}, None, {"Na": 2}),
        ("Li 0 0 0; H 0 0 1.6", "ccecp-cc-pvdz", {"Li": "ccecp", "H": "ccecp"}, None, {"H": 0, "Li": 2}),
        ("Li 0 0 0; H 0 0 1.6", "bfd-vdz", "bfd", None, {"H": 0, "Li": 2}),
        ("Na 0 0 0; H 0 0 1.89", "def2-svp", None, None, {}),  # a light element of a family that has potentials
    ],
)
def test_core_potentials_come_with_their_basis(
    geometry: str, basis: Any, ecp: Any, energy: float | None, core: dict[str, int]
) -> None:
    definition = defined(geometry, (2, 2), basis)
    result = molecular_hamiltonian(definition)
    named = {"default": "sto-3g", **basis} if isinstance(basis, dict) else basis
    plain = Molecule("", definition.atoms, "angstrom", named, "jordan_wigner", definition.frozen, definition.active)
    assert result.sector_energy == pytest.approx(casci(plain, ecp or {}), abs=1e-8)
    assert result.core_electrons == core
    if energy is not None:
        assert result.sector_energy == pytest.approx(energy, abs=1e-4 if energy < -100 else 1e-6)


@pytest.mark.parametrize(
    ("geometry", "basis", "message"),
    [
        ("C 0 0 0; O 0 0 1.13", "gth-szv", "all electrons of C, or come with a core potential .* 'gth-szv'"),
        ("H 0 0 0; H 0 0 0.74", "gth-szv", "all electrons of H"),
        ("C 0 0 0; O 0 0 1.13", {"C": "sto-3g"}, "a basis set for O"),
        ("H 0 0 0; H 0 0 0.74", "nonsense", "PySCF cannot build the molecule: .*nonsense"),
        ("I 0 0 0; H 0 0 1.6", "aug-cc-pvdz-pp", "PySCF cannot build"),
    ],
)
def test_valence_bases_without_a_potential_are_refused(geometry: str, basis: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        molecular_hamiltonian(Molecule("", parse_geometry(geometry), "angstrom", basis, "jordan_wigner"))
    assert "\n" not in str(caught.value)
    del caught
    gc.collect()


def test_another_spin_is_told() -> None:
    with pytest.warns(UserWarning, match=r"-147\.640235 Ha, is that of another spin: with Sz = 1 .* -147\.632907 Ha"):
        register = molecule(**OXYGEN)
    assert register.ground_energy == pytest.approx(SINGLET, abs=1e-6)
    assert register.hamiltonian.ground_energy() == pytest.approx(SINGLET, abs=1e-6)


@pytest.mark.parametrize(
    ("mapping", "num_qubits", "sector", "energy"),
    [
        ("jordan_wigner", 8, (4, -1), TRIPLET),
        ("jordan_wigner", 8, (4, 0), SINGLET),
        ("parity", 6, (4, 1), TRIPLET),
        ("parity", 6, (4, 0), SINGLET),
        ("parity_total", 7, (4, 1), TRIPLET),
    ],
)
def test_a_sector_is_the_lowest_with_its_penalty(mapping: str, num_qubits: int, sector: Any, energy: float) -> None:
    """The reduction by parities follows the sector: where three are up and one is down there is no singlet."""
    problem = molecule(**OXYGEN, mapping=mapping, sector=sector)
    assert problem.num_qubits == num_qubits
    assert problem.ground_energy == pytest.approx(energy, abs=1e-6)
    assert problem.hamiltonian.ground_energy() == pytest.approx(energy, abs=1e-6)


def test_the_penalty_leaves_the_sector_alone_and_lifts_the_others() -> None:
    """Every eigenvector with four electrons and Sz = 1 keeps its energy; all others are above the lowest of these."""
    with pytest.warns(UserWarning, match="another spin"):
        plain = molecule(**OXYGEN).hamiltonian.to_matrix()
    penalised = molecule(**OXYGEN, sector=(4, 1)).hamiltonian.to_matrix()
    up, down = np.array([[f"{k:08b}"[::-1][part::2].count("1") for part in (0, 1)] for k in range(256)]).T
    inside = (up == 3) & (down == 1)
    np.testing.assert_allclose(penalised[np.ix_(inside, inside)], plain[np.ix_(inside, inside)], atol=1e-9)
    others = np.linalg.eigvalsh(penalised[np.ix_(~inside, ~inside)])
    assert others[0] > TRIPLET + 0.9


def test_a_sector_as_reference_leaves_the_hamiltonian() -> None:
    problem = molecule(**OXYGEN, sector=(4, 1, "reference"))
    assert problem.ground_energy == pytest.approx(TRIPLET, abs=1e-6)
    assert problem.hamiltonian.ground_energy() == pytest.approx(SINGLET, abs=1e-6)


def test_an_ion_is_asked_for_by_its_electrons() -> None:
    """Far apart, HeH+ takes up an electron; with two electrons it is the helium atom and a proton (see PySCF)."""
    definition = Molecule("", parse_geometry("He 0 0 0; H 0 0 1.5"), "angstrom", "sto-3g", "jordan_wigner", charge=1)
    problem = molecule("He 0 0 0; H 0 0 1.5", "angstrom", charge=1, sector=(2, 0))
    assert problem.ground_energy == pytest.approx(-2.8246, abs=1e-4)
    assert problem.hamiltonian.ground_energy() == pytest.approx(
        molecular_hamiltonian(definition).lowest_energy, abs=1e-8
    )


@pytest.mark.parametrize(
    ("sector", "message"),
    [
        ((4, 0.5), "with a possible Sz"),
        ((4, 3), "with a possible Sz"),
        ((9, 0.5), "fit into 4 orbitals"),
        ((4,), "electrons, Sz"),
        ((4, 1, "no"), "penalty"),
        ("x", "electrons, Sz"),
        ((4.5, 0), "electrons, Sz"),
        (4, "electrons, Sz"),
    ],
)
def test_impossible_sectors(sector: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        molecule(**OXYGEN, sector=sector)


def test_bravyi_kitaev_has_the_same_spectrum() -> None:
    spectra = [
        molecule("Li 0 0 0; H 0 0 1.6", "angstrom", active_space=(2, 3), mapping=mapping).hamiltonian.eigenvalues(64)
        for mapping in ("jordan_wigner", "bravyi_kitaev")
    ]
    np.testing.assert_allclose(*spectra, atol=1e-9)


XYZ = "2\nhydrogen, in angstrom\nH 0.0 0.0 0.0\nH 0.0 0.0 0.7414 0.1 0.2\n"


def test_geometries_in_all_formats(tmp_path: Path) -> None:
    expected: Any = (("H", (0.0, 0.0, 0.0)), ("H", (0.0, 0.0, 0.7414)))
    for form in (
        "H 0 0 0; H 0 0 0.7414",
        "\nH 0 0 0\nH, 0, 0, 0.7414\n",
        [["H", (0, 0, 0)], ["H", [0, 0, 0.7414]]],
        [("H", 0, 0, 0), ("H", 0.0, 0.0, 0.7414)],
        [["H", np.zeros(3)], ["H", np.array([0, 0, 0.7414])]],
        ["H 0 0 0", "H 0 0 0.7414"],
    ):
        assert read_geometry(form, "bohr") == (expected, "bohr")
    path = tmp_path / "h2.xyz"
    path.write_text(XYZ)
    for form in (XYZ, str(path), path):
        for unit in (None, "angstrom"):
            assert read_geometry(form, unit) == (expected, "angstrom")
    problem: Problem = gym.make("QAS-Molecule-v0", geometry=str(path)).unwrapped.problem  # type: ignore[attr-defined]
    assert problem.ground_energy == pytest.approx(-1.13727017, abs=1e-6)


@pytest.mark.parametrize(
    ("geometry", "unit", "message"),
    [
        (XYZ, "bohr", "'angstrom', the unit of XYZ files"),
        ("3" + XYZ[1:], None, "3 atoms that its first line states, but is '2 lines"),
        (XYZ + "H 0 0 2\n", None, "2 atoms that its first line states"),
        ("missing.xyz", None, "file that can be read .No such file"),
        ("H 0 0 0; H 0 0 1", None, "needs the argument `unit`"),
        ("O; H 1 0.96; H 1 0.96 2 104.5", "angstrom", "three coordinates"),
        ("H 0 0 nan", "angstrom", "three coordinates"),
        ([("H", 0, 0)], "angstrom", "three coordinates"),
        ([(1, (0, 0, 0))], "angstrom", "an element"),
        ("", "angstrom", "at least one atom"),
        (None, "angstrom", "XYZ file"),
        (5, "angstrom", "XYZ file"),
    ],
)
def test_geometries_that_are_none(geometry: Any, unit: str | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_geometry(geometry, unit)


def test_molecules_too_large_say_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the mean field is computed; 13 orbitals have 1 + 156 + 1430 + 6084 excitations, an eighth by symmetry."""
    monkeypatch.setattr(memory, "available_memory", lambda: 8 * 2**30)
    monkeypatch.setattr(chemistry, "_integrals", lambda *_: pytest.fail("computed"))
    with pytest.raises(ValueError, match=r"fit into the 8\.0 GiB of memory available, but is '958\.0 GiB .* at least'"):
        molecule(WATER, "angstrom", basis="6-31g")
    with pytest.raises(ValueError, match=r"at most 30 qubits are needed \(now 48\)"):
        molecule(WATER, "angstrom", basis="cc-pvdz")


@pytest.mark.slow
def test_twenty_qubits_under_a_limit_of_eight_gib(monkeypatch: pytest.MonkeyPatch) -> None:
    """H2 in cc-pVDZ has 534 sets of flipped bits, each with 2**20 complex numbers: 8.3 GiB, and 20 vectors beside."""
    monkeypatch.setattr(memory, "available_memory", lambda: 8 * 2**30)
    with pytest.raises(ValueError, match=r"'8\.7 GiB for 534 groups of terms on 20 qubits'"):
        molecule("H 0 0 0; H 0 0 0.74", "angstrom", basis="cc-pvdz")

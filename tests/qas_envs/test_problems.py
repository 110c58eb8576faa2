"""Instances against the figures of the literature (specs: recomputed instance sheet), and everything refused."""

from __future__ import annotations

import gc
import hashlib
import json
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from qas_envs.problems import (
    Problem,
    beh2,
    ch2,
    ground_state,
    h2,
    h2o,
    h4_chain,
    heisenberg,
    lih,
    molecule,
    random_state,
    state,
    stretched_h2o,
    tfim,
    w,
)
from qas_envs.problems.chemistry import molecular_hamiltonian
from qas_envs.problems.instances import file_of, shipped
from qas_envs.problems.molecules import load_molecule
from qas_simulators import PauliSum, StatevectorSimulator

DATA = Path(__file__).parents[2] / "qas_envs" / "problems" / "data"

SHEET = [  # ground energy, error of the best basis state, gap (degeneracy)
    (lambda: h2(0.7414, 2), -1.13727017, 2.059e-2, 0.6048, 1),
    (lambda: h2(0.7414, 3), -1.13727017, 2.059e-2, 0.6048, 1),
    (lambda: h2(0.7414, 4), -1.13727017, 2.059e-2, 0.5986, 1),
    (lambda: h2(0.7), -1.13618945, 1.884e-2, 0.6143, 1),
    (lambda: h2(2.63), -0.93499020, 2.773e-3, 0.002773, 1),
    (lambda: lih(1.2, 6), -7.8506985, 1.508e-2, 0.08018, 1),
    (lambda: lih(2.2, 6), -7.844879, 3.688e-2, 0.06821, 1),
    (lambda: lih(3.4, 6), -7.7890887, 7.083e-2, 0.008368, 1),
    (lambda: lih(3.4, 6, "legacy-bohr"), -7.85120758, 1.124e-3, 0.075, 1),
    (lambda: lih(3.4, 12), -7.789499, 7.12e-2, 0.008379, 1),
    (lambda: lih(3.4, 12, "legacy-bohr"), -7.874569, 2.449e-2, 0.07387, 1),
    (lambda: beh2("legacy-bohr"), -14.86158918, 5.921e-3, 0.1654, 1),
    (lambda: beh2(), -15.563137, 3.04e-3, 0.2149, 1),
    (lambda: h2o(8, "legacy-bohr"), -73.29410676, 2.626e-3, 0.5424, 1),
    (lambda: h2o(8), -74.972336, 7.81e-3, 0.3618, 1),
    (lambda: h2o(10, "legacy-bohr"), -74.568075, 4.690e-3, 0.2581, 1),
    (lambda: h2o(10), -75.986286, 3.04e-3, 0.1984, 1),
    (lambda: h2o(12, "legacy-bohr"), -74.588442, 2.506e-2, 0.2565, 1),
    (lambda: h2o(12), -75.999173, 1.59e-2, 0.1966, 1),
    (h4_chain, -2.166387, 6.784e-2, 0.2326, 1),
    (ch2, -38.41738158, 3.205e-3, 0.02628, 3),
    (stretched_h2o, -74.75086427, 4.668e-2, 0.09388, 1),
]


@pytest.mark.parametrize(("build", "ground", "basis_error", "gap", "degeneracy"), SHEET)
def test_molecules_state_what_the_literature_does(
    build: object, ground: float, basis_error: float, gap: float, degeneracy: int
) -> None:
    problem: Problem = build()  # type: ignore[operator]
    assert problem.ground_energy == pytest.approx(ground, abs=2e-6)
    error = problem.hamiltonian.basis_energies().min() - problem.ground_energy
    assert error == pytest.approx(basis_error, rel=2e-3)
    assert problem.provenance["gap"] == pytest.approx(gap, rel=1e-3)
    assert problem.provenance["degeneracy"] == degeneracy
    energies = problem.provenance["energies"]
    assert energies["best_basis_state"] - problem.ground_energy == pytest.approx(error, abs=1e-9)
    assert energies["best_product_state"] <= energies["best_basis_state"] + 1e-9


def test_ground_energies_are_those_of_the_terms() -> None:
    for problem in [h2(0.7414, 3), lih(3.4, 6), beh2(), h2o(8), ch2(), lih(3.4, 12)]:
        assert problem.hamiltonian.ground_energy() == pytest.approx(problem.ground_energy, abs=1e-8), problem.name


@pytest.mark.parametrize("length", [1.4, 1.8, 2.4, 2.8, 3.6])
def test_shipped_lih_has_the_energies_of_pyscf(length: float) -> None:
    """Two electrons in the same three orbitals: PySCF's complete active space, and its Hartree-Fock state."""
    from pyscf import gto, mcscf, scf

    problem = lih(length)
    mean_field = scf.RHF(gto.M(atom=f"Li 0 0 0; H 0 0 {length}", basis="sto-3g", verbose=0)).run()
    space = mcscf.CASCI(mean_field, 3, 2)
    energy = space.kernel(space.sort_mo([2, 3, 6]))[0]  # counted from 1
    assert problem.ground_energy == pytest.approx(energy, abs=1e-8)
    assert problem.hamiltonian.ground_energy() == pytest.approx(energy, abs=1e-8)
    assert problem.hamiltonian.basis_energies().min() == pytest.approx(mean_field.e_tot, abs=1e-8)


def with_terms(terms: dict[str, float]) -> Problem:
    return Problem("any", PauliSum(terms), 0.0, 1.0, "")


@pytest.mark.parametrize("scale", [1e-300, 4.36e-18, 1e-6, 1e-3, 1.0, 1e6, 1e300])
def test_digests_differ_where_operators_do(scale: float) -> None:
    """In any unit: another coefficient, another shift, another unit, none at all."""
    terms = {"ZZ": -1.0, "XI": -0.5, "II": 0.25}
    variants = [terms, {**terms, "XI": -0.5001}, {**terms, "II": 0.2501}, dict.fromkeys(terms, 0.0)]
    variants += [{label: 2.0 * value for label, value in terms.items()}, {"ZZ": -1.0, "XI": -0.5}]
    digests = [with_terms({label: scale * value for label, value in each.items()}).digest for each in variants]
    assert len({*digests}) == len(digests)
    rounded = {label: scale * value * (1 + 1e-13) for label, value in terms.items()}
    if 1e-3 <= scale <= 1.0:
        assert with_terms(rounded).digest == digests[0], "rounding is no difference"


def test_digests_of_old_records_stay() -> None:
    """The rule for ordinary operators, ten digits after the point, written out once more."""
    for name in shipped():
        problem = load_molecule(*file_of(name))
        terms = {label: round(value, 10) + 0.0 for label, value in problem.hamiltonian.terms().items()}
        assert problem.digest == hashlib.sha256(json.dumps(terms, sort_keys=True).encode()).hexdigest()
    small = with_terms({"ZZ": 1e-18, "II": 1.0})
    assert small.digest != with_terms({"ZZ": 2e-18, "II": 1.0}).digest, "a shift is no scale"


def test_every_shipped_molecule_has_its_file_and_no_other() -> None:
    contents = {path.name: json.loads(path.read_text("utf-8")) for path in DATA.glob("*.json")}
    stored = {
        (file, "") if "terms" in content else (file, one) for file, content in contents.items() for one in content
    }
    assert stored == {file_of(name) for name in shipped()}
    for name, definition in shipped().items():
        file, instance = file_of(name)
        record = contents[file][instance] if instance else contents[file]
        assert record["name"] == definition.name
        assert record["molecule"]["unit"] == definition.unit
        assert record["molecule"]["atoms"] == [[symbol, list(place)] for symbol, place in definition.atoms]


@pytest.mark.parametrize(
    ("problem", "ground", "basis_error"),
    [
        (heisenberg(5, field=1.0), -8.71154501, 3.712),
        (heisenberg(9, rows=3, periodic=True, coupling=0.25), -3.96900175, 2.469),
        (tfim(6, field=1e-3), -5.000002, 2.0e-6),
        (tfim(2, field=1.0), -2.236068, 1.236),
    ],
)
def test_spin_models(problem: Problem, ground: float, basis_error: float) -> None:
    assert problem.ground_energy == pytest.approx(ground, abs=1e-6)
    assert problem.hamiltonian.basis_energies().min() - problem.ground_energy == pytest.approx(basis_error, rel=1e-3)


def test_lattices() -> None:
    """A ring is the chain plus one bond; a torus of 3 x 3 has 18; XXZ at D = 0 is free fermions."""
    assert len(tfim(6, periodic=True).hamiltonian) == len(tfim(6).hamiltonian) + 1
    assert len(tfim(6, rows=2).hamiltonian) == 6 + 7
    assert len(heisenberg(9, rows=3, periodic=True).hamiltonian) == 3 * 18
    modes = 2 * np.cos(np.pi * np.arange(1, 7) / 7)
    assert heisenberg(6, anisotropy=0.0).ground_energy == pytest.approx(-2 * modes[modes > 0].sum(), abs=1e-9)
    for settings, message in [
        ({"num_qubits": 6, "rows": 4}, "divide"),
        ({"num_qubits": 2, "periodic": True}, "fewer than three"),
        ({"num_qubits": 6, "rows": 2, "periodic": True}, "fewer than three"),
        ({"num_qubits": 1}, r"2\.\.60"),
        ({"field": float("nan")}, "finite"),
    ]:
        with pytest.raises(ValueError, match=message):
            tfim(**settings)  # type: ignore[arg-type]


def test_ground_state_of_anything() -> None:
    observable = PauliSum({"ZZ": -1.0, "XI": -0.5, "IX": -0.5})
    forms: list[object] = [observable, observable.terms(), observable.to_matrix()]
    if pytest.importorskip("qiskit"):
        forms.append(observable.to_qiskit())
    openfermion = pytest.importorskip("openfermion")
    operator = sum(
        (
            openfermion.QubitOperator(((0, "Z"), (1, "Z")), -1.0),
            openfermion.QubitOperator(((0, "X"),), -0.5),
            openfermion.QubitOperator(((1, "X"),), -0.5),
        ),
        openfermion.QubitOperator(),
    )
    forms.append(operator)
    for form in forms:
        problem = ground_state(form)
        assert problem.hamiltonian.terms() == pytest.approx(observable.terms())
        assert problem.ground_energy == pytest.approx(-np.sqrt(2.0), abs=1e-12)
    assert ground_state(operator, num_qubits=3).num_qubits == 3
    for bad, message in [
        (1j * openfermion.QubitOperator("Z0"), "Hermitian"),
        (np.array([[0, 1], [0, 0]]), "Hermitian"),
        ("ZZ", "a matrix"),
        (np.eye(3), "shape"),
    ]:
        with pytest.raises(ValueError, match=message):
            ground_state(bad)


def test_states() -> None:
    assert w(3).hamiltonian.basis_energies().min() == pytest.approx(1 - 1 / 3)
    again, other = random_state(3, seed=1), random_state(3, seed=2)
    assert random_state(3, seed=1).hamiltonian == again.hamiltonian != other.hamiltonian
    vector = np.array([0.6, 0.8j])
    for phase in (1, 1j, -1):
        assert state(phase * vector).hamiltonian.terms() == pytest.approx(state(vector).hamiltonian.terms())
    for bad, message in [
        ([1.0, 1.0], "norm 1.41"),
        ([1.0, 0.0, 0.0], "power of two"),
        ([[1.0, 0.0]], "power of two"),
        ([float("nan"), 0.0], "norm"),
    ]:
        with pytest.raises(ValueError, match=message):
            state(bad)


def test_unreachable_fidelity_is_flagged() -> None:
    import qas_envs  # noqa: F401

    with pytest.warns(UserWarning, match=r"above 0\.85"):
        gym.make("QAS-Bell-v0", noise="kanqas")
    gym.make("QAS-Bell-v0", noise="kanqas", curriculum={"name": "fixed", "threshold": 0.2})
    gym.make("QAS-GHZ-v0", noise="kanqas")


@pytest.mark.parametrize(
    "name", ["h2_3_parity_total_2.63_angstrom", "lih_4_parity_3.4_angstrom", "ch2_8_jordan_wigner_angstrom"]
)
def test_ground_energies_are_those_of_full_configuration_interaction(name: str) -> None:
    """PySCF finds them in the space of all determinants with the right number of electrons, without any qubit."""
    pytest.importorskip("pyscf")
    lowest = molecular_hamiltonian(shipped()[name]).lowest_energy
    assert lowest == pytest.approx(load_molecule(*file_of(name)).ground_energy, abs=1e-9)


def test_a_ground_state_with_other_electrons_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HeH+ far apart takes up an electron: He and H, not He and a proton. The next time it is read from the cache."""
    pytest.importorskip("pyscf")
    monkeypatch.setenv("QAS_ENVS_CACHE_DIR", str(tmp_path))
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"-3\.2542.* Ha, is that of another number .* the lowest is -2\.8246"):
            molecule("He 0 0 0; H 0 0 1.5", "angstrom", charge=1)


def test_parity_fixes_which_electrons_may_flip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HeH+ as a triplet: its two electrons are both up, or both down; the qubits' ground state has four."""
    pytest.importorskip("pyscf")
    monkeypatch.setenv("QAS_ENVS_CACHE_DIR", str(tmp_path))
    with pytest.warns(UserWarning, match=r"-2\.6105.* another number of electrons: .* the lowest is -2\.1737"):
        molecule("He 0 0 0; H 0 0 0.9", "angstrom", charge=1, spin=2, mapping="parity")


def test_other_bond_lengths_are_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyscf")
    import qas_envs.problems.molecules as module

    monkeypatch.setenv("QAS_ENVS_CACHE_DIR", str(tmp_path / "kernels"))
    first = h2(0.9123)
    assert len([*tmp_path.rglob("molecules/*.json")]) == 1
    monkeypatch.setattr(module, "instance_record", lambda definition: pytest.fail("computed again"))
    module._at_bond_length.cache_clear()
    assert h2(0.9123).hamiltonian == first.hamiltonian


def test_molecules_on_the_fly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyscf")
    import qas_envs.problems.molecules as module

    monkeypatch.setattr(module, "_cache_folder", lambda: tmp_path)
    computed = []
    real = module.instance_record
    monkeypatch.setattr(module, "instance_record", lambda definition: computed.append(definition) or real(definition))
    shipped_h2 = h2(0.7414)
    problem = molecule("H 0 0 0; H 0 0 0.7414", "angstrom")
    assert problem.ground_energy == pytest.approx(shipped_h2.ground_energy, abs=1e-9)
    in_bohr = molecule([("H", (0, 0, 0)), ("H", (0, 0, 0.7414 / 0.529177210903))], "bohr", mapping="parity")
    assert in_bohr.ground_energy == pytest.approx(shipped_h2.ground_energy, abs=1e-7) and in_bohr.num_qubits == 2
    small = molecule("Li 0 0 0; H 0 0 1.6", "angstrom", active_space=(2, 2), mapping="parity")
    assert small.num_qubits == 2 and len(computed) == 3
    assert molecule("H 0 0 0; H 0 0 0.7414", "angstrom").hamiltonian == problem.hamiltonian and len(computed) == 3
    broken = next(path for path in tmp_path.glob("*.json") if json.loads(path.read_text())["num_qubits"] == 4)
    broken.write_text(broken.read_text()[:-200])
    assert molecule("H 0 0 0; H 0 0 0.7414", "angstrom").hamiltonian == problem.hamiltonian and len(computed) == 4
    ion = molecule("He 0 0 0; H 0 0 0.77", "angstrom", charge=1, mapping="parity")
    assert ion.ground_energy < -2.8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"geometry": "H 0 0 0; H 0 0", "unit": "angstrom"}, "three coordinates"),
        ({"geometry": "H 0 0 0; H 0 0 1", "unit": "nm"}, "Unknown unit 'nm'"),
        ({"geometry": "H 0 0 0; H 0 0 1"}, "needs the argument `unit`"),
        ({"geometry": "H 0 0 0; H 0 0 1", "unit": "bohr", "spin": 1}, "not consistent"),
        ({"geometry": "H 0 0 0; H 0 0 1", "unit": "bohr", "charge": 1}, "not consistent"),
        ({"geometry": "H 0 0 0; H 0 0 1", "unit": "bohr", "active_space": (3, 2)}, "even number"),
        ({"geometry": "H 0 0 0; H 0 0 1", "unit": "bohr", "active_space": (2, 9)}, r"orbitals in 0\.\.1"),
        ({"geometry": "H 0 0 0; H 0 0 1", "unit": "bohr", "mapping": "jw"}, "Unknown mapping"),
        ({"geometry": "Qq 0 0 0", "unit": "bohr"}, "PySCF cannot build"),
        ({"geometry": "H 0 0 0; H 0 0 0", "unit": "bohr"}, "0.05 bohr apart at least"),
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # PySCF forgets a temporary file
def test_impossible_molecules(arguments: dict[str, object], message: str) -> None:
    pytest.importorskip("pyscf")
    import qas_envs  # noqa: F401

    with pytest.raises(ValueError, match=message) as caught:
        gym.make("QAS-Molecule-v0", **arguments)
    assert "\n" not in str(caught.value)
    del caught
    gc.collect()


def test_best_product_state_is_at_most_the_best_basis_state() -> None:
    problem = heisenberg(5, field=1.0)
    energy = StatevectorSimulator().expectation(problem.best_product_state(), problem.hamiltonian)
    assert energy - problem.ground_energy == pytest.approx(3.595, abs=1e-3)

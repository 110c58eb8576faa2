"""Larger molecules against PySCF, the table of molecules, and spin models against independent solutions."""

from __future__ import annotations

import builtins
import itertools
import pickle
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from scipy.optimize import root
from scipy.sparse import csr_array, identity, kron
from scipy.sparse.linalg import eigsh

import qas_envs  # noqa: F401
from qas_envs.problems import PROBLEMS, Problem, beh2, h2o, h6_chain, heisenberg, ising_graphs, lih, n2, tfim
from qas_envs.problems.chemistry import _fix_rotation
from qas_envs.problems.instances import MOLECULES, file_of, shipped

# Full configuration interaction of PySCF 2 in STO-3G; N2 by CASCI(6, 6).
LARGE = {
    "LiH-12 1.6": (lambda: lih(1.6, 12), -7.882324379, 631),
    "LiH-12 3.0": (lambda: lih(3.0, 12), -7.798843160, 631),
    "LiH-12 3.4": (lambda: lih(3.4, 12), -7.789498785, 631),
    "BeH2-14 1.3": (lambda: beh2(num_qubits=14, bond_length=1.3), -15.595047081, 666),
    "BeH2-14 3.0": (lambda: beh2(num_qubits=14, bond_length=3.0), -15.336804236, 666),
    "H6 1.0": (lambda: h6_chain(1.0), -3.236066280, 919),
    "H6 1.5": (lambda: h6_chain(1.5), -2.995565426, 919),
    "N2-12": (n2, -107.623101772, 247),
    "H2O-14": (lambda: h2o(14), -75.015636189, 2098),
}


@pytest.mark.parametrize("name", LARGE)
def test_large_molecules_have_the_energies_of_pyscf(name: str) -> None:
    build, energy, terms = LARGE[name]
    problem: Problem = build()
    assert problem.ground_energy == pytest.approx(energy, abs=1e-8)
    assert len(problem.hamiltonian) == terms
    kept = {key: problem.provenance[key] for key in ("molecule", "command", "sha256", "tool_versions")}
    assert kept["molecule"]["unit"] == "angstrom" and kept["molecule"]["basis"] == "sto-3g"
    assert problem.hamiltonian.basis_energies().min() == pytest.approx(
        problem.provenance["energies"]["best_basis_state"], abs=1e-9
    )


@pytest.mark.parametrize("name", ["LiH-12 1.6", "N2-12", "H6 1.0", "BeH2-14 1.3", "H2O-14"])
def test_energies_are_found_again_by_pyscf(name: str) -> None:
    """PySCF's own mean field with symmetry switched on, and its own active space and Davidson iteration."""
    pytest.importorskip("pyscf")
    from pyscf import gto, mcscf, scf

    problem: Problem = LARGE[name][0]()
    record = problem.provenance["molecule"]
    mol = gto.M(atom=record["atoms"], basis="sto-3g", symmetry=True, verbose=0)
    mean_field = scf.RHF(mol).set(conv_tol=1e-13).run()
    space = mcscf.CASCI(mean_field, problem.num_qubits // 2, record["active_electrons"])
    space.fcisolver.conv_tol = 1e-12
    assert problem.ground_energy == pytest.approx(space.kernel()[0], abs=1e-8)
    assert problem.provenance["energies"]["hartree_fock"] == pytest.approx(mean_field.e_tot, abs=1e-9)


@pytest.mark.slow  # python -m pytest tests/qas_envs/test_instances.py -m slow
@pytest.mark.parametrize("name", LARGE)
def test_energies_are_those_of_the_whole_register(name: str) -> None:
    """The lowest eigenvalue of the terms, by Lanczos over all numbers of electrons."""
    problem: Problem = LARGE[name][0]()
    assert problem.hamiltonian.ground_energy() == pytest.approx(problem.ground_energy, abs=1e-8)


@pytest.mark.slow  # python -m pytest tests/qas_envs/test_instances.py -m slow
def test_files_follow_from_their_definitions() -> None:
    """``generate`` gives the same terms up to the convergence of the mean field, degenerate orbitals included."""
    pytest.importorskip("pyscf")
    from qas_envs.problems.chemistry import molecular_hamiltonian
    from qas_envs.problems.molecules import load_molecule

    for name, definition in shipped().items():
        made = molecular_hamiltonian(definition).hamiltonian
        difference = made + (-1.0) * load_molecule(*file_of(name)).hamiltonian
        assert np.abs(difference.coefficients).max() < 5e-8, name  # OpenFermion drops sums below 1e-8


def test_degenerate_orbitals_have_one_rotation() -> None:
    """However a space is rotated, the result is the same, orthonormal in the same metric, and spans the space."""
    rng = np.random.default_rng(0)
    space = rng.normal(size=(6, 3))
    results = []
    for _ in range(3):
        rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        found = _fix_rotation(space @ rotation)
        np.testing.assert_allclose(found @ found.T, space @ space.T, atol=1e-12)
        results.append(found * np.sign(found[np.abs(found).argmax(axis=0), [0, 1, 2]]))
    np.testing.assert_allclose(results[1], results[0], atol=1e-12)
    np.testing.assert_allclose(results[2], results[0], atol=1e-12)
    assert np.sum(np.abs(results[0]) < 1e-12) >= 3, "two functions have one orbital and two orbitals"


# -- the table of molecules --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MOLECULES)
def test_a_row_is_a_problem_and_an_environment(name: str) -> None:
    """Nothing but the row and the file: the problem, its documentation, its pickle, its id."""
    row, build = MOLECULES[name], PROBLEMS[name]
    assert build.__name__ == name and build.__doc__ == row.define.__doc__
    assert pickle.loads(pickle.dumps(build)) is build
    problem = build()
    assert problem.name == row.define().name
    made = gym.make(row.environment, disable_env_checker=True).unwrapped.problem  # type: ignore[attr-defined]
    assert made.digest == problem.digest
    assert {build(**settings).name for settings in row.settings} == {each.name for each in row.instances().values()}


def test_lengths_may_vary() -> None:
    env = gym.make("QAS-H6-v0", vary={"bond_length": [1.0, 1.5, 1.0]}, disable_env_checker=True)
    _, info = env.reset(seed=0, options={"bond_length": 1.5})
    assert info["bond_length"] == 1.5


def test_other_lengths_need_chemistry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QAS_ENVS_CACHE_DIR", str(tmp_path / "kernels"))
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.split(".")[0] in ("pyscf", "openfermion"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    for build, shown in [
        (lambda: h6_chain(1.25), "1.0, 1.5"),
        (lambda: n2(1.3), "1.1"),
        (lambda: beh2(num_qubits=14, bond_length=2.0), "1.3, 3.0"),
        (lambda: lih(2.0, 12), "1.6, 3.0, 3.4"),
    ]:
        with pytest.raises(ValueError, match=rf"shipped {shown} Å .*qas-envs\[chemistry\]") as caught:
            build()
        assert "\n" not in str(caught.value)
    for bad in (0.1, 21, float("nan")):
        with pytest.raises(ValueError, match=r"lie in \[0\.2, 20\]"):
            h6_chain(bad)
    with pytest.raises(ValueError, match=r"except at 1\.33 with 6 qubits"):
        beh2("legacy-bohr", 14)
    with pytest.raises(ValueError, match="angstrom"):
        h2o(14, "legacy-bohr")


def test_other_lengths_are_computed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("pyscf")
    from pyscf import fci, gto, scf

    monkeypatch.setenv("QAS_ENVS_CACHE_DIR", str(tmp_path / "kernels"))
    problem = PROBLEMS["h4_chain"](bond_length=1.23)
    mol = gto.M(atom=[("H", (0, 0, 1.23 * k)) for k in range(4)], basis="sto-3g", verbose=0)
    assert problem.name == "H4 chain (1.23 Å)"
    assert problem.ground_energy == pytest.approx(fci.FCI(scf.RHF(mol).run()).kernel()[0], abs=1e-8)


# -- spin models -------------------------------------------------------------------------------------------------------

X, Z = csr_array([[0.0, 1.0], [1.0, 0.0]]), csr_array([[1.0, 0.0], [0.0, -1.0]])
Y = csr_array([[0.0, -1.0j], [1.0j, 0.0]])


def on(num_qubits: int, factors: dict[int, Any]) -> Any:
    """Return a product of one-qubit matrices as a sparse matrix; qubit 0 is the last factor."""
    matrix = identity(1, format="csr")
    for qubit in reversed(range(num_qubits)):
        matrix = kron(matrix, factors.get(qubit, identity(2)), format="csr")
    return matrix


def lowest(matrix: Any) -> float:
    start = np.random.default_rng(5).normal(size=matrix.shape[0])
    return float(eigsh(matrix, k=1, which="SA", v0=start, tol=1e-12, return_eigenvectors=False)[0])


@pytest.mark.parametrize(
    ("num_qubits", "anisotropy", "field", "periodic"),
    [(8, 1.0, 0.0, False), (8, 0.5, 0.0, False), (8, 2.0, 0.3, True), (11, 0.5, 0.0, False), (12, 1.0, 0.0, False)],
)
def test_xxz_chains_against_sparse_matrices(num_qubits: int, anisotropy: float, field: float, periodic: bool) -> None:
    bonds = [(i, (i + 1) % num_qubits) for i in range(num_qubits if periodic else num_qubits - 1)]
    matrix = sum(
        weight * on(num_qubits, {i: pauli, j: pauli})
        for i, j in bonds
        for pauli, weight in ((X, 1.0), (Y, 1.0), (Z, anisotropy))
    )
    matrix = matrix + field * sum(on(num_qubits, {i: Z}) for i in range(num_qubits))
    problem = heisenberg(num_qubits, anisotropy, field, periodic=periodic)
    assert problem.ground_energy == pytest.approx(lowest(matrix.real), abs=1e-8)


def bethe_energy(num_qubits: int, anisotropy: float) -> float:
    """Return the ground energy of an even XXZ ring with anisotropy in (-1, 1] from the Bethe equations.

    ``N phi(x_j, 1) = 2 pi I_j + sum_k phi(x_j - x_k, 2)`` with half-integers I_j symmetric about 0.
    H. Bethe, Z. Phys. 71 (1931); C. N. Yang, C. P. Yang, Phys. Rev. 150 (1966).
    """
    down = num_qubits // 2
    numbers = np.arange(down) - (down - 1) / 2
    angle = np.arccos(anisotropy)

    def phase(x: Any, order: int) -> Any:
        if anisotropy == 1:
            return 2 * np.arctan(2 * x / order)
        return 2 * np.arctan(np.tanh(x) / np.tan(order * angle / 2))

    def equations(x: Any) -> Any:
        return (
            num_qubits * phase(x, 1) - 2 * np.pi * numbers - phase(x[:, None] - x[None, :], 2).sum(axis=1)
        ) / num_qubits

    found = root(equations, 0.3 * numbers / down, tol=1e-14)
    assert np.abs(equations(found.x)).max() < 1e-10
    if anisotropy == 1:
        gains = 2 / (found.x**2 + 0.25)
    else:
        gains = 4 * np.sin(angle) ** 2 / (np.cosh(2 * found.x) - np.cos(angle))
    return float(num_qubits * anisotropy - gains.sum())


@pytest.mark.parametrize("anisotropy", [1.0, 0.5, 0.2, -0.3])
@pytest.mark.parametrize("num_qubits", [6, 8, 12])
def test_xxz_rings_against_the_bethe_ansatz(num_qubits: int, anisotropy: float) -> None:
    assert heisenberg(num_qubits, anisotropy, periodic=True).ground_energy == pytest.approx(
        bethe_energy(num_qubits, anisotropy), abs=1e-8
    )


@pytest.mark.parametrize("num_qubits", [8, 10, 12])
def test_long_chains_against_closed_forms(num_qubits: int) -> None:
    """The critical Ising chain (Pfeuty, 1970) and the XX chain: sums over modes."""
    assert tfim(num_qubits).ground_energy == pytest.approx(1 - 1 / np.sin(np.pi / (4 * num_qubits + 2)), abs=1e-9)
    modes = 4 * np.cos(np.pi * np.arange(1, num_qubits + 1) / (num_qubits + 1))
    assert heisenberg(num_qubits, anisotropy=0.0).ground_energy == pytest.approx(-modes[modes > 0].sum(), abs=1e-9)


# -- random graphs -----------------------------------------------------------------------------------------------------

DIGESTS = {
    (6, 17): "c45968856320b53c81664b3de79fdbcd5f3a0ab2f73db11f3275ebd484c69a30",
    (6, 18): "35d691732fa969d15bff43198f6847189b8febf139a8172ab6c81f3f7b81e412",
    (8, 17): "1f98786e0ef41d372defc1644c8ae3b735eceb9f1c439d09d994da7dd8b1f772",
}


@pytest.mark.parametrize(("num_qubits", "seed"), DIGESTS)
def test_a_seed_is_an_instance(num_qubits: int, seed: int) -> None:
    """The same digest on every machine; the terms as recorded; the energy of an independently built matrix."""
    problem = ising_graphs(num_qubits, seed)
    assert problem.digest == DIGESTS[num_qubits, seed]
    edges, couplings, fields = (problem.provenance[key] for key in ("edges", "couplings", "fields"))
    matrix = sum(weight * on(num_qubits, {i: Z, j: Z}) for (i, j), weight in zip(edges, couplings, strict=True))
    matrix = matrix + sum(weight * on(num_qubits, {i: X}) for i, weight in enumerate(fields))
    assert problem.ground_energy == pytest.approx(lowest(matrix), abs=1e-8)
    np.testing.assert_allclose(problem.hamiltonian.to_matrix(), matrix.toarray(), atol=1e-12)


def test_graphs_are_connected_and_drawn_as_described() -> None:
    edges, couplings, fields = [], [], []
    for seed in range(60):
        drawn = ising_graphs(6, seed).provenance
        adjacency = np.eye(6)
        for i, j in drawn["edges"]:
            assert 0 <= i < j < 6
            adjacency[i, j] = adjacency[j, i] = 1
        assert (np.linalg.matrix_power(adjacency, 6) > 0).all()
        edges.append(len(drawn["edges"]))
        couplings += drawn["couplings"]
        fields += drawn["fields"]
    connected = [len(graph) for graph in _graphs(6)]
    assert np.mean(edges) == pytest.approx(np.mean(connected), abs=4 * np.std(connected) / np.sqrt(60))
    assert -1 <= min(couplings) < -0.9 and 0.9 < max(couplings) < 1 and abs(np.mean(couplings)) < 0.1
    assert 0.5 <= min(fields) < 0.55 and 1.45 < max(fields) < 1.5
    scaled = ising_graphs(6, 3, coupling=2.0, field=0.0, edge_probability=1.0)
    assert len(scaled.provenance["edges"]) == 15 and len(scaled.hamiltonian.without_small()) == 15
    assert scaled.ground_energy == pytest.approx(scaled.hamiltonian.basis_energies().min(), abs=1e-9)


def _graphs(size: int) -> list[tuple[tuple[int, int], ...]]:
    """Return all connected graphs: those of which the second smallest eigenvalue of the Laplacian is positive."""
    pairs = list(itertools.combinations(range(size), 2))
    choices = np.array(list(itertools.product([0, 1], repeat=len(pairs))))
    adjacency = np.zeros((len(choices), size, size))
    for column, (i, j) in enumerate(pairs):
        adjacency[:, i, j] = adjacency[:, j, i] = choices[:, column]
    laplacian = adjacency.sum(axis=1)[:, :, None] * np.eye(size) - adjacency
    kept = np.linalg.eigvalsh(laplacian)[:, 1] > 1e-9
    return [tuple(pair for pair, chosen in zip(pairs, row, strict=True) if chosen) for row in choices[kept]]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_qubits": 1}, r"2\.\.60"),
        ({"seed": -1}, "at least 0"),
        ({"edge_probability": 0.0}, r"\[0\.2, 1\]"),
        ({"field": float("inf")}, "finite"),
        ({"accuracy": 0.0}, "positive"),
        ({"ground_energy": -1.0}, "lowest eigenvalue"),
    ],
)
def test_impossible_graphs(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ising_graphs(**settings)


def test_a_seed_may_vary() -> None:
    """Members need as many edges; on the complete graph they have."""
    env = gym.make("QAS-IsingGraph-v0", edge_probability=1.0, vary={"seed": (0, 5)}, disable_env_checker=True)
    first, second = (env.reset(seed=seed, options={"seed": seed})[1]["seed"] for seed in (1, 4))
    assert (first, second) == (1, 4)

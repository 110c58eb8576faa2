"""Lattices, combinatorial optimisation, excited states and distributions: values from independent sources."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from qas_envs import make_env
from qas_envs.problems import (
    distribution,
    excited_state,
    hubbard,
    independent_set,
    j1_j2,
    max_cut,
    qubo,
    tfim,
)
from qas_envs.problems.distributions import DISTRIBUTIONS, masses_of, multiplexed_ry
from qas_envs.problems.graphs import ising_graphs
from qas_simulators import Circuit, StatevectorSimulator


@pytest.mark.parametrize(("num_sites", "periodic"), [(1, False), (2, False), (3, False), (4, True)])
def test_hubbard_equals_openfermion(num_sites: int, periodic: bool) -> None:
    openfermion = pytest.importorskip("openfermion")
    fermions = openfermion.FermionOperator()
    bonds = [(k, k + 1) for k in range(num_sites - 1)] + ([(num_sites - 1, 0)] if periodic else [])
    for spin in range(2):
        for a, b in bonds:
            p, q = a + spin * num_sites, b + spin * num_sites
            fermions += openfermion.FermionOperator(f"{p}^ {q}", -1.0) + openfermion.FermionOperator(f"{q}^ {p}", -1.0)
    for site in range(num_sites):
        half = openfermion.FermionOperator("", -0.5)
        up = openfermion.FermionOperator(f"{site}^ {site}") + half
        fermions += 3.0 * up * (openfermion.FermionOperator(f"{site + num_sites}^ {site + num_sites}") + half)
    matrix = openfermion.get_sparse_operator(fermions, 2 * num_sites).toarray()  # its qubit 0 is the most significant
    problem = hubbard(num_sites, repulsion=3.0, periodic=periodic)
    energies = np.linalg.eigvalsh(problem.hamiltonian.to_matrix())
    np.testing.assert_allclose(energies, np.linalg.eigvalsh(matrix), atol=1e-9)
    assert problem.ground_energy == pytest.approx(energies[0], abs=1e-9)


@pytest.mark.parametrize("repulsion", [0.0, 1.0, 8.0])
def test_the_hubbard_dimer_and_its_filling(repulsion: float) -> None:
    assert hubbard(2, repulsion).ground_energy == pytest.approx(-np.sqrt(repulsion**2 + 16) / 2, abs=1e-9)
    problem = hubbard(4, max(repulsion, 0.5))
    _, states = np.linalg.eigh(problem.hamiltonian.to_matrix())
    electrons = sum(abs(amplitude) ** 2 * k.bit_count() for k, amplitude in enumerate(states[:, 0]))
    assert electrons == pytest.approx(4.0, abs=1e-8)


@pytest.mark.parametrize("num_qubits", [6, 8, 12])
def test_majumdar_ghosh(num_qubits: int) -> None:
    problem = j1_j2(num_qubits, coupling=2.0, next_coupling=1.0)
    assert problem.ground_energy == pytest.approx(-2.0 * 3.0 * num_qubits / 8.0, abs=1e-8)
    singlets = Circuit(num_qubits)  # half as many CNOTs as spins
    for first in range(0, num_qubits, 2):
        singlets.x(first).h(first).x(first + 1).cx(first, first + 1)
    energy = StatevectorSimulator().expectation(singlets, problem.hamiltonian)
    assert energy == pytest.approx(problem.ground_energy, abs=1e-9)


def test_open_chains_of_spins_one_half() -> None:
    """Without the second coupling it is the Heisenberg chain, of which four spins have -(3 + 2 sqrt(3)) / 4."""
    assert j1_j2(4, 0.0, periodic=False).ground_energy == pytest.approx(-(3 + 2 * np.sqrt(3)) / 4, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_combinatorial_optima_by_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = 5
    bits = np.array(list(itertools.product([0, 1], repeat=size)))[:, ::-1]  # bit k of the index is variable k
    matrix = rng.normal(size=(size, size))
    problem = qubo(matrix)
    values = np.einsum("ki,ij,kj->k", bits, matrix, bits)
    np.testing.assert_allclose(problem.hamiltonian.basis_energies(), values, atol=1e-12)
    assert problem.ground_energy == pytest.approx(values.min(), abs=1e-12)

    weighted = max_cut(size, seed, weights=None)
    edges = weighted.provenance["edges"]
    cut = [sum(row[i] != row[j] for i, j in edges) for row in bits]
    np.testing.assert_allclose(weighted.hamiltonian.basis_energies(), np.negative(cut), atol=1e-12)
    weights = rng.uniform(0.5, 2.0, len(edges)).tolist()
    heaviest = max(sum(w for (i, j), w in zip(edges, weights, strict=True) if row[i] != row[j]) for row in bits)
    assert max_cut(size, edges=edges, weights=weights).ground_energy == pytest.approx(-heaviest, abs=1e-12)

    largest = max(row.sum() for row in bits if not any(row[i] and row[j] for i, j in edges))
    assert independent_set(size, seed, penalty=1.5).ground_energy == pytest.approx(-largest, abs=1e-12)
    assert edges == ising_graphs(size, seed).provenance["edges"]


def test_petersen_graph() -> None:
    """Its maximum cut has 12 of 15 edges, its largest independent set 4 of 10 vertices."""
    outer = [(k, (k + 1) % 5) for k in range(5)]
    edges = outer + [(k, k + 5) for k in range(5)] + [(5 + k, 5 + (k + 2) % 5) for k in range(5)]
    assert max_cut(10, edges=edges).ground_energy == pytest.approx(-12, abs=1e-9)
    assert independent_set(10, edges=edges).ground_energy == pytest.approx(-4, abs=1e-9)


@pytest.mark.parametrize("level", range(8))
def test_every_level_is_a_ground_state(level: int) -> None:
    terms = tfim(3, field=0.7).hamiltonian.terms()
    problem = excited_state(terms, level)
    expected = np.linalg.eigvalsh(tfim(3, field=0.7).hamiltonian.to_matrix())
    assert problem.ground_energy == pytest.approx(expected[level], abs=1e-9)
    assert np.linalg.eigvalsh(problem.hamiltonian.to_matrix())[0] == pytest.approx(expected[level], abs=1e-9)


def test_degenerate_levels() -> None:
    """The singlet of two spins, then three states of the triplet."""
    levels = [excited_state({"XX": 1.0, "YY": 1.0, "ZZ": 1.0}, level).ground_energy for level in range(4)]
    assert levels == pytest.approx([-3.0, 1.0, 1.0, 1.0], abs=1e-9)


@pytest.mark.parametrize("num_qubits", [3, 4])
def test_distributions_against_scipy(num_qubits: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    x, last = np.arange(2**num_qubits), 2.0**num_qubits - 1
    expected = {
        "log_normal": stats.lognorm(s=1.0, scale=np.e).pdf(x),
        "triangular": stats.triang(c=2 / 7, loc=0, scale=last).pdf(x),
        "bimodal": stats.norm(0.5, 1.0).pdf(x) + stats.norm(3.5, 0.5).pdf(x),
    }
    assert set(expected) == set(DISTRIBUTIONS)
    for kind, density in expected.items():
        np.testing.assert_allclose(masses_of(kind, num_qubits), density / density.sum(), atol=1e-12)


@pytest.mark.parametrize("num_qubits", [2, 3, 5])
def test_uniformly_controlled_rotations_load_any_distribution(num_qubits: int) -> None:
    masses = np.random.default_rng(num_qubits).dirichlet(np.ones(2**num_qubits))
    circuit = multiplexed_ry(masses)
    found = StatevectorSimulator().statevector(circuit)
    np.testing.assert_allclose(np.abs(found) ** 2, masses, atol=1e-12)
    assert circuit.num_two_qubit_gates == 2**num_qubits - 2
    problem = distribution(num_qubits=num_qubits, probabilities=masses)
    assert StatevectorSimulator().expectation(circuit, problem.hamiltonian) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("hubbard", {"num_sites": 7}, r"1\.\.6"),
        ("hubbard", {"num_sites": 3, "periodic": True}, "odd number"),
        ("hubbard", {"repulsion": -1.0}, "at least 0"),
        ("hubbard", {"accuracy": 0.0}, "positive"),
        ("j1_j2", {"num_qubits": 4}, "at least 5"),
        ("j1_j2", {"next_coupling": float("nan")}, "finite"),
        ("qubo", {"matrix": [[1.0, 2.0]]}, "square"),
        ("qubo", {"matrix": [["a"]]}, "real numbers"),
        ("qubo", {"matrix": [[float("inf")]]}, "finite"),
        ("max_cut", {"num_qubits": 21}, r"2\.\.20"),
        ("max_cut", {"edges": [(0, 0)]}, "different vertices"),
        ("max_cut", {"edges": [(0, 1), (1, 0)]}, "none twice"),
        ("max_cut", {"edges": [(0, 1)], "weights": [1.0, 2.0]}, "1 finite numbers"),
        ("independent_set", {"penalty": 1.0}, "above 1"),
        ("independent_set", {"seed": -1}, "at least 0"),
        ("excited_state", {"hamiltonian": {"ZZ": 1.0}, "level": 4}, r"0\.\.3"),
        ("excited_state", {"hamiltonian": {"ZZZZZZZ": 1.0}}, "at most 6 qubits"),
        ("excited_state", {"hamiltonian": {"Z": 1.0}, "penalty": 1.0}, "above 2"),
        ("distribution", {"kind": "lognormal"}, "Did you mean 'log_normal'"),
        ("distribution", {"probabilities": [0.5] * 8}, "add up to 1"),
        ("distribution", {"num_qubits": 11}, r"2\.\.10"),
    ],
)
def test_impossible_problems(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_env(name, problem_settings=settings)

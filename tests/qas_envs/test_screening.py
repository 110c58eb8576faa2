"""Screening of qubits against PySCF and explicit partial traces; restricted Hamiltonians against embedded circuits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qas_envs.problems import Problem, beh2, ch2, h2, h2o, h4_chain, h6_chain, lih, n2, stretched_h2o, tfim
from qas_envs.problems.chemistry import Molecule, mean_field_of
from qas_envs.problems.cisd import cisd, mutual_information, occupations
from qas_envs.problems.fermions import Integrals, full_configuration_interaction
from qas_envs.problems.screening import (
    SCREENINGS,
    by_mutual_information,
    by_occupation,
    by_symmetry,
    closed_shell,
    embedded,
    orbital_symmetries,
    restricted,
)
from qas_envs.problems.sectors import Sector
from qas_simulators import Circuit, PauliSum, StatevectorSimulator
from tests.conftest import random_circuit

SIGMA = (2, 3, 4, 5, 10, 11)  # LiH-12: both spins of 2, 3 and 4 sigma
PAGE = Path(__file__).parents[2] / "docs" / "environments" / "screening.md"


def chain(num_atoms: int) -> Integrals:
    atoms = tuple(("H", (0.0, 0.0, 0.9 * k)) for k in range(num_atoms))
    return mean_field_of(Molecule("", atoms, "angstrom", "sto-3g", "jordan_wigner")).integrals


def random_integrals(orbitals: int, sector: Sector) -> Integrals:
    """Without any symmetry: all reduced density matrices have off-diagonal elements."""
    rng = np.random.default_rng(2)
    pairs = rng.normal(size=(orbitals, orbitals, 2 * orbitals))
    pairs += pairs.transpose(1, 0, 2)
    one_body = rng.normal(size=(orbitals, orbitals))
    return Integrals(0.3, one_body + one_body.T, 0.1 * np.einsum("pqk,rsk->pqrs", pairs, pairs), sector)


# -- the cheap state ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("atoms", ["H 0 0 0; H 0 0 1; H 0 0 2; H 0 0 3", "O 0 0 0; H 0.757 0.586 0; H -0.757 0.586 0"])
def test_cisd_is_that_of_pyscf(atoms: str) -> None:
    """Energy and occupations of PySCF's own module, in the same orbitals."""
    pytest.importorskip("pyscf")
    from pyscf import ci, gto, scf

    rows = [(row.split()[0], tuple(map(float, row.split()[1:]))) for row in atoms.split(";")]
    integrals = mean_field_of(Molecule("", tuple(rows), "angstrom", "sto-3g", "jordan_wigner")).integrals  # type: ignore[arg-type]
    mean_field = scf.RHF(gto.M(atom=atoms, basis="sto-3g", verbose=0)).set(conv_tol=1e-13, conv_tol_grad=1e-9).run()
    theirs = ci.CISD(mean_field).set(conv_tol=1e-12).run()
    energy, state = cisd(integrals)
    assert energy == pytest.approx(theirs.e_tot, abs=1e-8)
    assert np.linalg.norm(state) == pytest.approx(1)
    np.testing.assert_allclose(occupations(integrals).sum(axis=0), np.diag(theirs.make_rdm1()), atol=1e-5)


@pytest.mark.parametrize("sector", [Sector(2, 0), Sector(3, 0.5), Sector(5, 0.5)])
def test_cisd_of_few_electrons_or_holes_is_exact(sector: Sector) -> None:
    """No determinant of three orbitals has more than two excitations then; open shells included."""
    pytest.importorskip("pyscf")
    integrals = random_integrals(3, sector)
    exact = full_configuration_interaction(integrals, sector.up, sector.down)
    if sector.electrons != 3:
        assert cisd(integrals)[0] == pytest.approx(exact, abs=1e-9)
    assert cisd(integrals)[0] >= exact - 1e-9


@pytest.mark.parametrize(("orbitals", "sector"), [(3, Sector(3, 0.5)), (4, Sector(4, 0))])
def test_mutual_information_is_that_of_partial_traces(orbitals: int, sector: Sector) -> None:
    """The state on a register, all up then all down. A mode passes those between it and its partner with their sign."""
    pytest.importorskip("pyscf")
    from pyscf.fci import cistring

    integrals = random_integrals(orbitals, sector)
    state, size = cisd(integrals)[1], 2 * orbitals
    ups, downs = (cistring.make_strings(range(orbitals), count) for count in (sector.up, sector.down))
    vector = np.zeros(1 << size)
    vector[np.add.outer(ups, downs << orbitals)] = state
    bits = np.arange(1 << size)[:, None] >> np.arange(size) & 1

    def entropy(amplitudes: Any, modes: list[int]) -> float:
        tensor = amplitudes.reshape([2] * size)
        kept = np.moveaxis(tensor, [size - 1 - mode for mode in modes], range(len(modes))).reshape(1 << len(modes), -1)
        weights = np.linalg.svd(kept, compute_uv=False) ** 2
        return float(-sum(weight * np.log(weight) for weight in weights if weight > 1e-15))

    found = mutual_information(integrals)
    assert np.abs(found).max() > 0.01 and np.abs(found - found.T).max() < 1e-12
    for i in range(size):
        for j in range(i + 1, size):
            signs = 1 - 2 * (bits[:, i] * bits[:, i + 1 : j].sum(axis=1) % 2)
            expected = entropy(vector, [i]) + entropy(vector, [j]) - entropy(vector * signs, [i, j])
            assert found[i, j] == pytest.approx(expected, abs=1e-9), (i, j)


# -- rules -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1.6, 3.0, 3.4])
def test_every_rule_keeps_the_sigma_orbitals_of_lih(length: float) -> None:
    pytest.importorskip("pyscf")
    problem = lih(length, 12)
    assert {name: rule(problem) for name, rule in SCREENINGS.items()} == dict.fromkeys(SCREENINGS, SIGMA)
    part = restricted(problem, SIGMA)
    assert part.num_qubits == 6 and 0 <= part.ground_energy - problem.ground_energy < 1.6e-3
    core = lih(3.4, 6)
    if length == 3.4:  # the library's six qubits, where 1 sigma is frozen: the same operator
        assert part.ground_energy == pytest.approx(core.ground_energy, abs=1e-8)
        terms = core.hamiltonian.terms()
        assert part.hamiltonian.terms() == pytest.approx(terms, abs=1e-8)


@pytest.mark.parametrize(
    "atoms",
    [
        (("Li", (0.1, 0.2, 0.3)), ("H", (1.1, 1.2, 1.3))),
        (("N", (0.0, 0.0, 0.0)), ("N", (0.0, 1.1, 0.0))),
        (("H", (0.0, -1.3, 0.0)), ("Be", (0.0, 0.0, 0.0)), ("H", (0.0, 1.3, 0.0))),
        (("H", (-0.021, -0.002, 0.0)), ("O", (0.835, 0.452, 0.0)), ("H", (1.477, -0.273, 0.0))),
        (("H", (1.0, 1.0, 1.0)), ("H", (-1.0, -1.0, 1.0)), ("H", (-1.0, 1.0, -1.0)), ("H", (1.2, -1.0, -1.0))),
    ],
)
def test_symmetries_are_those_of_pyscf(atoms: Any) -> None:
    """The irreducible representations that PySCF names, in any direction of space: A and E, A' and A''."""
    pytest.importorskip("pyscf")
    from pyscf import gto, scf

    solved = mean_field_of(Molecule("", atoms, "angstrom", "sto-3g", "jordan_wigner"))
    mol = gto.M(atom=[[symbol, place] for symbol, place in atoms], basis="sto-3g", symmetry=True, verbose=0)
    mean_field = scf.RHF(mol).set(conv_tol=1e-12).run()
    np.testing.assert_allclose(mean_field.mo_energy, solved.pyscf.mo_energy, atol=1e-6)
    if len(atoms) == 4:  # its mirror plane exchanges two nuclei
        np.testing.assert_allclose(orbital_symmetries(solved), 1.0, atol=1e-12)
        return
    names = [mol.irrep_name[list(mol.irrep_id).index(k)] for k in mean_field.get_orbsym()]
    odd, value = ("E1", np.cos(2 * np.pi / 9)) if mol.topgroup in ("Coov", "Dooh") else ('"', -1.0)
    expected = [value if odd in name else 1.0 for name in names]
    assert {*expected} == {1.0, value}
    np.testing.assert_allclose(orbital_symmetries(solved), expected, atol=1e-6)


def test_small_molecules_keep_what_they_need() -> None:
    """Hydrogen chains have sigma orbitals only. Water keeps both bonds; N2 its three."""
    pytest.importorskip("pyscf")
    for problem in (h2(), h4_chain()):
        for rule in SCREENINGS.values():
            assert rule(problem) == tuple(range(problem.num_qubits))
    assert by_symmetry(h2o(14)) == tuple(range(2, 14)), "all but the core"
    assert by_occupation(h2o(14)) == by_mutual_information(h2o(14)) == (2, 3, 4, 5, 6, 7, 10, 11, 12, 13)
    assert by_symmetry(n2()) == tuple(range(12))
    assert by_occupation(h4_chain(), threshold=0.04) == (2, 3, 4, 5)
    assert by_mutual_information(h4_chain(), threshold=0.1) == (2, 3, 4, 5)


def test_both_orders_of_spin_orbitals() -> None:
    pytest.importorskip("pyscf")
    interleaved, blocked = lih(2.2, 6), lih(2.2, 6, mapping="jordan_wigner_blocked")
    assert closed_shell(interleaved) == "000011" and closed_shell(blocked) == "001001"
    for problem, expected in [(interleaved, (0, 1, 4, 5)), (blocked, (0, 2, 3, 5))]:
        assert by_occupation(problem, threshold=0.03) == expected
    parts = [restricted(problem, by_occupation(problem, 0.03)) for problem in (interleaved, blocked)]
    assert parts[0].ground_energy == pytest.approx(parts[1].ground_energy, abs=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: by_symmetry(tfim()), "molecule in the Jordan-Wigner mapping"),
        (lambda: by_occupation(lih()), "molecule in the Jordan-Wigner mapping"),
        (lambda: closed_shell(tfim()), "even number of electrons"),
        (lambda: restricted(h4_chain(), [0, 0]), "distinct qubits"),
        (lambda: restricted(h4_chain(), [8]), r"in 0\.\.7"),
        (lambda: restricted(h4_chain(), []), "distinct qubits"),
        (lambda: restricted(h4_chain(), [0], "01"), "8 digits"),
        (lambda: restricted(tfim(2), [0], "0x"), "2 digits"),
        (lambda: embedded(Circuit(3), [0, 1], "0011"), "the 3 qubits of the circuit"),
    ],
)
def test_what_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


# -- restricted and embedded -------------------------------------------------------------------------------------------


def embeddings() -> list[tuple[Problem, list[int], str]]:
    return [
        (h4_chain(), [2, 3, 4, 5], closed_shell(h4_chain())),
        (ch2(), [7, 0, 5, 2, 1], "00110110"),
        (lih(1.6, 12), [*SIGMA], closed_shell(lih(1.6, 12))),
        (tfim(5), [1, 4], "01101"),
    ]


@pytest.mark.parametrize("case", range(4))
def test_a_part_has_the_energy_of_the_whole(case: int) -> None:
    problem, qubits, state = embeddings()[case]
    part, simulator = restricted(problem, qubits, state), StatevectorSimulator()
    circuits = [Circuit(len(qubits)), *(random_circuit(len(qubits), 30, seed) for seed in range(4))]
    energies = []
    for circuit in circuits:
        whole = embedded(circuit, qubits, state)
        assert whole.num_qubits == problem.num_qubits and whole.num_params == circuit.num_params
        inside = simulator.expectation(circuit, part.hamiltonian)
        assert simulator.expectation(whole, problem.hamiltonian) == pytest.approx(inside, abs=1e-10)
        energies.append(inside)
    assert np.ptp(energies) > 1e-2 and min(energies) >= part.ground_energy - 1e-9
    basis = part.hamiltonian.basis_energies()
    whole_basis = problem.hamiltonian.basis_energies()
    fixed = sum(1 << q for q in range(problem.num_qubits) if q not in qubits and int(state, 2) >> q & 1)
    for index in range(len(basis)):
        place = fixed + sum(1 << qubit for position, qubit in enumerate(qubits) if index >> position & 1)
        assert basis[index] == pytest.approx(whole_basis[place], abs=1e-10)


def test_the_part_is_a_block_of_the_matrix() -> None:
    problem = restricted(ch2(), [6, 1, 3], "00111111")
    matrix = ch2().hamiltonian.to_matrix()
    places = [0b00110101] * 8  # qubits 1, 3 and 6 are 0
    for index in range(8):
        for position, qubit in enumerate([6, 1, 3]):
            places[index] |= (index >> position & 1) << qubit
    np.testing.assert_allclose(problem.hamiltonian.to_matrix(), matrix[np.ix_(places, places)], atol=1e-10)
    assert problem.provenance["qubits"] == [6, 1, 3] and problem.provenance["ground_energy"] == ch2().ground_energy


def test_shared_angles_stay_shared() -> None:
    from qas_simulators.flat_circuit import Link
    from qas_simulators.gates import gate_index

    circuit = Circuit(2)
    first = circuit.append_param(0.4)
    circuit.h(0)
    circuit.append_linked(gate_index("ry"), 0, -1, Link(first, 1.0, 0.0))
    circuit.cx(0, 1)
    circuit.append_linked(gate_index("rz"), 1, -1, Link(first, -2.0, 0.1))
    whole = embedded(circuit, [2, 0], "0110")
    assert whole.num_params == 1 and [*whole.links] == [*circuit.links]
    part = restricted(tfim(4), [2, 0], "0110")
    for angle in (0.4, -1.3):
        inside = StatevectorSimulator().expectation(circuit, part.hamiltonian, np.array([angle]))
        outside = StatevectorSimulator().expectation(whole, tfim(4).hamiltonian, np.array([angle]))
        assert outside == pytest.approx(inside, abs=1e-12)


def test_a_part_without_terms_is_a_constant() -> None:
    part = restricted(Problem("", PauliSum({"XX": 1.0, "ZI": 0.5}), -1.5, 1e-3, ""), [0], "10")
    assert part.hamiltonian.terms() == {"I": -0.5} and part.ground_energy == pytest.approx(-0.5)


# -- the table of the docs ---------------------------------------------------------------------------------------------

MOLECULES = {
    "LiH-12 1.6 Å": lambda: lih(1.6, 12),
    "LiH-12 3.0 Å": lambda: lih(3.0, 12),
    "LiH-12 3.4 Å": lambda: lih(3.4, 12),
    "BeH2-14 1.3 Å": lambda: beh2(num_qubits=14, bond_length=1.3),
    "BeH2-14 3.0 Å": lambda: beh2(num_qubits=14, bond_length=3.0),
    "H2O-14": lambda: h2o(14),
    "H6 1.0 Å": h6_chain,
    "H6 1.5 Å": lambda: h6_chain(1.5),
    "N2-12 1.1 Å": n2,
    "H4 1.0 Å": h4_chain,
    "stretched H2O": stretched_h2o,
}


@pytest.mark.slow  # python -m pytest tests/qas_envs/test_screening.py -m slow
@pytest.mark.parametrize("name", MOLECULES)
def test_the_table_of_the_docs(name: str) -> None:
    pytest.importorskip("pyscf")
    assert row(name, MOLECULES[name]()) in PAGE.read_text("utf-8")


def row(name: str, problem: Problem) -> str:
    """Return a line of the table: for each rule the kept qubits and the error of the restricted exact energy."""
    cells = []
    for rule in SCREENINGS.values():
        qubits = rule(problem)
        error = restricted(problem, qubits).ground_energy - problem.ground_energy
        pairs = [f"{first}–{last}" for first, last in _runs(qubits)]
        kept = "all" if len(qubits) == problem.num_qubits else f"{len(qubits)}: {', '.join(pairs)}"
        cells.append(f"{kept} | {error:.1e}" if error > 1e-9 else f"{kept} | exact")
    return f"| {name} | {' | '.join(cells)} |"


def _runs(qubits: tuple[int, ...]) -> list[tuple[int, int]]:
    starts = [q for q in qubits if q - 1 not in qubits]
    return [(q, next(e for e in range(q, max(qubits) + 1) if e + 1 not in qubits)) for q in starts]

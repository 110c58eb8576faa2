"""Hamiltonians that users bring: FCIDUMP files, fermionic operators, given energies; free-fermion chains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import qas_envs  # noqa: F401
from qas_envs.problems import ground_state, heisenberg, tfim
from qas_envs.problems.fcidump import read_fcidump
from qas_envs.problems.free_fermions import chain_energy
from qas_simulators import PauliSum


def assert_refused(message: str, *arguments: Any, **settings: Any) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        ground_state(*arguments, **settings)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def oxygen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float, float]:
    """O2 as a triplet, (4, 4), STO-3G: its file as PySCF writes it, and PySCF's lowest singlet and triplet."""
    pyscf = pytest.importorskip("pyscf")
    pytest.importorskip("openfermion")
    from pyscf import fci, gto, mcscf, scf
    from pyscf.tools import fcidump

    assert pyscf
    mol = gto.M(atom="O 0 0 0; O 0 0 1.2075", basis="sto-3g", spin=2, verbose=0)
    space = mcscf.CASCI(scf.ROHF(mol).run(), 4, (3, 1))
    triplet = float(space.kernel()[0])
    one_body, constant = space.get_h1eff()
    two_body = space.get_h2eff()
    singlet = fci.direct_spin1.kernel(one_body, two_body, 4, (2, 2))[0] + constant
    path = tmp_path_factory.mktemp("integrals") / "O2.fcidump"
    fcidump.from_integrals(str(path), one_body, two_body, 4, 4, constant, ms=2)
    return path, float(singlet), triplet


def test_fcidump_files_are_read_as_pyscf_does(oxygen: tuple[Path, float, float]) -> None:
    from pyscf import ao2mo
    from pyscf.tools import fcidump

    theirs = fcidump.read(str(oxygen[0]), verbose=False)
    ours = read_fcidump(oxygen[0])
    np.testing.assert_allclose(ours.one_body, theirs["H1"], atol=1e-14)
    np.testing.assert_allclose(ours.two_body, ao2mo.restore(1, theirs["H2"], 4), atol=1e-14)
    assert ours.constant == theirs["ECORE"] and (ours.sector.electrons, ours.sector.sz) == (4, 1.0)


def test_fcidump_files_are_problems(oxygen: tuple[Path, float, float]) -> None:
    path, singlet, triplet = oxygen
    with pytest.warns(UserWarning, match=r"another spin: with Sz = 1 the lowest is -147\.632907 Ha"):
        env = gym.make("QAS-GroundState-v0", hamiltonian=str(path))
    problem = env.unwrapped.problem  # type: ignore[attr-defined]
    assert problem.num_qubits == 8 and problem.unit == "Ha"
    assert problem.ground_energy == pytest.approx(singlet, abs=1e-8)
    for settings, num_qubits in [({}, 8), ({"mapping": "parity"}, 6), ({"mapping": "bravyi_kitaev"}, 8)]:
        asked = ground_state(path, sector=(4, 1), **settings)  # type: ignore[arg-type]
        assert asked.num_qubits == num_qubits
        assert asked.ground_energy == pytest.approx(triplet, abs=1e-8)
        assert asked.hamiltonian.ground_energy() == pytest.approx(triplet, abs=1e-8)
    reference = ground_state(path, sector=(4, 1, "reference"))
    assert reference.ground_energy == pytest.approx(triplet, abs=1e-8)
    assert reference.hamiltonian.ground_energy() == pytest.approx(singlet, abs=1e-8)


def test_fcidump_headers_of_other_programs(oxygen: tuple[Path, float, float], tmp_path: Path) -> None:
    text, path = oxygen[0].read_text(), tmp_path / "other"
    for header in ("&fci norb=4, nelec=4,\nms2=0, orbsym=1,1,1,1\n/", "&FCI NORB=4 NELEC=4 MS2=0 UHF=.FALSE. $END"):
        path.write_text(header + text.split("&END")[1].replace("e-", "D-"))
        assert ground_state(path).ground_energy == pytest.approx(oxygen[1], abs=1e-8)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("&FCI", "&FICI", "a header"),
        ("NELEC= 4", "NELEC= four", "an integer NELEC"),
        ("NORB=   4", "NORB=   99", r"NORB in 1\.\.15"),
        ("NELEC= 4", "NELEC= 40", "NELEC and MS2 that go together"),
        ("MS2=2", "MS2=1", "NELEC and MS2 that go together"),
        ("MS2=2", "MS2=2,IUHF=1", "spin-restricted"),
        ("MS2=2", "MS2=2,UHF=.TRUE.", "spin-restricted"),
        ("&END\n", "&END\n 0.5 1 2\n", "in line 5, but is '0.5 1 2'"),
        ("&END\n", "&END\n 0.5 9 1 0 0\n", r"orbitals in 0\.\.4 in line 5"),
        ("&END\n", "&END\n nan 1 1 0 0\n", "a real number .* in line 5"),
        ("&END\n", "&END\n (0.5,0.1) 1 1 0 0\n", "a real number .* in line 5"),
        ("&END\n", "&END\n 0.5 1 0 1 0\n", "in line 5"),
        ("&END\n", "&END\n 0.9 1 1 2 2\n 0.8 2 2 1 1\n", "symmetry of real orbitals"),
        ("&END\n", "&END\n 3.0 0 0 0 0\n", "one constant"),
    ],
)
def test_damaged_fcidump_files(
    oxygen: tuple[Path, float, float], tmp_path: Path, old: str, new: str, message: str
) -> None:
    text, path = oxygen[0].read_text(), tmp_path / "damaged"
    assert old in text
    path.write_text(text.replace(old, new))
    assert_refused(message, path)


def test_files_that_are_no_fcidump(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(bytes(range(256)))
    (tmp_path / "empty").write_text("")
    (tmp_path / "header").write_text("&FCI NORB=2, NELEC=2 &END\n")
    assert_refused("no text", tmp_path / "bytes")
    assert_refused("a header", tmp_path / "empty")
    assert_refused("one-electron integrals", tmp_path / "header")
    assert_refused("can be read .Is a directory", tmp_path)
    assert_refused("the path of an FCIDUMP file, but is 'ZZ'", "ZZ")
    assert_refused("the path of an FCIDUMP file", tmp_path / "missing")


def hubbard() -> Any:
    """Two sites, t = 1, U = 4, modes interleaved: two electrons with Sz = 0 have (U - sqrt(U**2 + 16)) / 2."""
    openfermion = pytest.importorskip("openfermion")
    return openfermion.fermi_hubbard(2, 1, 1.0, 4.0, periodic=False)


def test_fermionic_operators() -> None:
    """Against OpenFermion's own matrix of the fermions, of three modes of which no two may be exchanged."""
    openfermion = pytest.importorskip("openfermion")
    make = openfermion.FermionOperator
    chain = make("0^ 1", 2.0) + make("1^ 0", 2.0) + make("0^ 0", 0.5) - make("2^ 2", 0.25)
    matrix = openfermion.get_sparse_operator(chain).toarray()
    turned = matrix.reshape([2] * 6).transpose([2, 1, 0, 5, 4, 3]).reshape(8, 8)  # mode 0 the least significant bit
    forms = [chain, openfermion.get_majorana_operator(chain)]
    for form in forms:
        np.testing.assert_allclose(ground_state(form).hamiltonian.to_matrix(), turned, atol=1e-12)
    other = ground_state(chain, mapping="bravyi_kitaev")
    np.testing.assert_allclose(other.hamiltonian.eigenvalues(8), np.linalg.eigvalsh(matrix), atol=1e-12)
    assert ground_state(chain, num_qubits=5).num_qubits == 5
    interaction = openfermion.InteractionOperator(0.1, np.diag([1.0, 2.0, 3.0, -4.0]), np.zeros((4,) * 4))
    assert ground_state(interaction).ground_energy == pytest.approx(-3.9)
    assert_refused("Hermitian", make("0^ 1"))
    assert_refused("at least one term", make())
    assert_refused("Unknown mapping 'jw'", chain, mapping="jw")
    assert_refused("without a sector", hubbard(), mapping="parity")
    assert_refused(r"an integer in 3\.\.60", chain, num_qubits=2)


def test_fermions_of_pennylane() -> None:
    qml = pytest.importorskip("pennylane")
    pytest.importorskip("openfermion")
    word = qml.FermiWord
    sentence = qml.FermiSentence(
        {
            word({(0, 0): "+", (1, 1): "-"}): 2.0,
            word({(0, 1): "+", (1, 0): "-"}): 2.0,
            word({(0, 2): "+", (1, 2): "-"}): 0.5,
        }
    )
    theirs = ground_state(qml.jordan_wigner(sentence)).hamiltonian
    np.testing.assert_allclose(ground_state(sentence).hamiltonian.to_matrix(), theirs.to_matrix(), atol=1e-12)
    assert ground_state(word({(0, 0): "+", (1, 0): "-"})).hamiltonian.terms() == pytest.approx({"I": 0.5, "Z": -0.5})


@pytest.mark.parametrize(
    ("mapping", "num_qubits"), [("jordan_wigner", 4), ("bravyi_kitaev", 4), ("parity", 2), ("parity_total", 3)]
)
def test_sectors_of_fermionic_operators(mapping: str, num_qubits: int) -> None:
    half_filled = (4 - np.sqrt(32)) / 2
    problem = ground_state(hubbard(), mapping=mapping, sector=(2, 0))
    assert problem.num_qubits == num_qubits
    assert problem.ground_energy == pytest.approx(half_filled, abs=1e-9)
    assert problem.hamiltonian.ground_energy() == pytest.approx(half_filled, abs=1e-9)
    polarised = ground_state(hubbard(), mapping=mapping, sector=(2, 1, "reference"))
    assert polarised.ground_energy == pytest.approx(0.0, abs=1e-9)


def test_sectors_that_make_no_sense() -> None:
    make = pytest.importorskip("openfermion").FermionOperator
    assert_refused("not conserved", make("0^ 1^") + make("1 0"), sector=(1, 0.5))
    assert_refused("knows no electrons", {"ZZ": 1.0}, sector=(1, 0.5))
    assert_refused("fit into 2 orbitals", hubbard(), sector=(6, 0))
    assert_refused("be None for an FCIDUMP file", __file__, num_qubits=4)
    assert_refused("be None with a sector", hubbard(), sector=(2, 0), ground_energy=-1.0)


def test_a_given_ground_energy() -> None:
    """To 10 qubits it is checked by diagonalisation, above against bounds; ZZ on a ring of 12 has -12."""
    assert ground_state({"ZZ": 1.0}, ground_energy=-1.0).ground_energy == -1.0
    for wrong in (-2.0, 1.0, float("nan"), "one"):
        assert_refused("be the lowest eigenvalue, which is -1", {"ZZ": 1.0}, ground_energy=wrong)
    ring = PauliSum({"".join("Z" if k in (j, (j + 1) % 12) else "I" for k in range(12)): 1.0 for j in range(12)})
    assert ground_state(ring, ground_energy=-12.0).ground_energy == -12.0
    for wrong in (-12.1, -11.9):
        assert_refused("be the lowest eigenvalue, which is -12", ring, ground_energy=wrong)
    tilted = ring + PauliSum({"X" * 12: 0.5})
    assert_refused(r"lie in \[-12\.5, -12\]", tilted, ground_energy=-11.9)


def test_free_fermions_have_a_closed_form() -> None:
    """Against diagonalisation, with fields and couplings of both signs, at the critical point, without a field."""
    rng = np.random.default_rng(1)
    for num_qubits in (2, 3, 4, 5, 8):
        for periodic in (False, True)[: 1 + (num_qubits > 2)]:
            for field, coupling in [(0.0, 1.0), (1.0, 1.0), (1.0, -1.0), *rng.normal(size=(4, 2)).tolist()]:
                ising = tfim(num_qubits, field, coupling, periodic).hamiltonian.ground_energy()
                assert chain_energy(num_qubits, -coupling, 0.0, -field, periodic) == pytest.approx(ising, abs=1e-10)
                flips = heisenberg(num_qubits, 0.0, field, coupling, periodic).hamiltonian.ground_energy()
                assert chain_energy(num_qubits, coupling, coupling, field, periodic) == pytest.approx(flips, abs=1e-10)


def test_twenty_qubits_need_no_diagonalisation(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the critical point an open chain has 1 - 1 / sin(pi / (4 n + 2)) (P. Pfeuty, 1970)."""
    monkeypatch.setattr(PauliSum, "eigenvalues", lambda *_: pytest.fail("diagonalised"))
    for problem in (tfim(20), tfim(20, rows=20)):
        assert problem.ground_energy == pytest.approx(1 - 1 / np.sin(np.pi / 82), abs=1e-9)
    assert tfim(20, periodic=True).ground_energy == pytest.approx(-2 / np.sin(np.pi / 40), abs=1e-9)
    modes = 2 * np.cos(np.pi * np.arange(1, 21) / 21)
    assert heisenberg(20, anisotropy=0.0).ground_energy == pytest.approx(-2 * modes[modes > 0].sum(), abs=1e-9)
    lattice = tfim(20, rows=4, ground_energy=-40.0)  # 31 pairs; no closed form
    assert lattice.ground_energy == -40.0 and lattice.provenance["reference"] == {"method": "given", "error": None}
    with pytest.raises(ValueError, match=r"lie in \[-51, -31\]"):
        tfim(20, rows=4, ground_energy=-60.0)
    with pytest.raises(ValueError, match=r"lowest eigenvalue, which is -47\.878"):  # by the Bethe ansatz
        heisenberg(20, anisotropy=2.0, ground_energy=-47.0)
    with pytest.raises(ValueError, match=r"lowest eigenvalue, which is -25\.1077971"):
        tfim(20, ground_energy=-25.0)


def test_lanczos_above_the_closed_form() -> None:
    """Eleven qubits, diagonalised by Lanczos, against the closed form."""
    for problem in (tfim(11, 0.7), tfim(11, 0.7, periodic=True), heisenberg(11, 0.0, 0.3, periodic=True)):
        assert problem.hamiltonian.ground_energy() == pytest.approx(problem.ground_energy, abs=1e-9)

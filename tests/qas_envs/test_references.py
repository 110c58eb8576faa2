"""Ground energies that scale: free fermions and the Bethe ansatz against diagonalisation and known values."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from qas_envs import make_env
from qas_envs.problems import Problem, ground_state, h2, heisenberg, ising_graphs, tfim
from qas_envs.problems.bethe_ansatz import xxz_energy
from qas_simulators import PauliSum


def lowest_energy(num_qubits: int, anisotropy: float, field: float, periodic: bool) -> float:
    """Return the ground energy of an XXZ chain by dense matrices, one for each number of spins down."""
    energies = sector_energies(num_qubits, anisotropy, periodic)
    return min(energy - abs(field) * (num_qubits - 2 * flipped) for flipped, energy in enumerate(energies))


@lru_cache
def sector_energies(num_qubits: int, anisotropy: float, periodic: bool) -> tuple[float, ...]:
    """Return the lowest energy without a field for each number of spins down, to half of them."""
    states = np.arange(1 << num_qubits)
    ups = np.bitwise_count(states)
    bonds = [(site, (site + 1) % num_qubits) for site in range(num_qubits if periodic else num_qubits - 1)]
    energies = []
    for flipped in range(num_qubits // 2 + 1):
        basis = states[ups == flipped]
        place = {int(state): k for k, state in enumerate(basis)}
        matrix: NDArray[np.float64] = np.zeros((len(basis), len(basis)))
        for first, second in bonds:
            differs = ((basis >> first) ^ (basis >> second)) & 1
            matrix[np.diag_indices(len(basis))] += anisotropy * (1 - 2 * differs)
            for row in np.flatnonzero(differs).tolist():
                matrix[place[int(basis[row]) ^ (1 << first) ^ (1 << second)], row] += 2.0
        energies.append(float(np.linalg.eigvalsh(matrix)[0]))
    return tuple(energies)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("anisotropy", [1.0, 0.6, -0.4, -1.0, -1.5, 1.3, 2.5, 30.0])
def test_bethe_ansatz_against_diagonalisation(anisotropy: float, periodic: bool) -> None:
    """Even and odd sizes; without a field, and with fields that polarise a part of the spins."""
    for num_qubits in (3, 4, 5, 6, 7, 8):
        for field in (0.0, 0.7, -1.6):
            found = xxz_energy(num_qubits, anisotropy, field, periodic)
            assert found is not None and found.error is not None and found.error < 1e-9
            assert found.energy == pytest.approx(lowest_energy(num_qubits, anisotropy, field, periodic), abs=1e-9)


@pytest.mark.parametrize(("num_qubits", "critical"), [(2, 3.0), (4, 2.3044809669475277), (10, 1.8020323351017837)])
def test_open_chains_where_a_magnon_becomes_bound(num_qubits: int, critical: float) -> None:
    """Its momentum reaches pi at the given anisotropy, where the equations have a double zero."""
    for anisotropy in (0.99 * critical, critical - 1e-9, critical, critical + 1e-9, 1.01 * critical):
        found = xxz_energy(num_qubits, anisotropy, 0.0, periodic=False)
        assert found is not None and found.error is not None and found.error < 1e-7
        exact = lowest_energy(num_qubits, anisotropy, 0.0, periodic=False)
        assert found.energy == pytest.approx(exact, abs=max(1e-9, found.error))


def test_odd_rings_with_either_sign_of_the_coupling() -> None:
    """Below eleven spins problems are diagonalised."""
    for num_qubits in (3, 5, 9):
        for anisotropy in (-2.0, -0.6, 0.8):
            problem = heisenberg(num_qubits, anisotropy=anisotropy, field=0.4, coupling=-1.0, periodic=True)
            found = xxz_energy(num_qubits, -anisotropy, 0.4, periodic=True, is_frustrated=False)
            assert found is not None
            assert found.energy == pytest.approx(problem.ground_energy, abs=1e-9)
    assert method_of(heisenberg(31, anisotropy=-2.0, coupling=-1.0, periodic=True)) == "Bethe ansatz"


@pytest.mark.slow
@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("num_qubits", [11, 12])
def test_bethe_ansatz_on_twelve_qubits(num_qubits: int, periodic: bool) -> None:
    """python -m pytest tests/qas_envs/test_references.py -m slow"""
    for anisotropy in (1.0, 0.3, 1.6, 4.0):
        found = xxz_energy(num_qubits, anisotropy, 0.0, periodic)
        assert found is not None
        assert found.energy == pytest.approx(lowest_energy(num_qubits, anisotropy, 0.0, periodic), abs=1e-9)


def test_long_chains_approach_the_infinite_one() -> None:
    """``1 - 4 ln 2`` a site (L. Hulthen, 1938); on rings ``-pi**2 / 3 / n**2`` beside it (in Pauli matrices)."""
    site = 1.0 - 4.0 * np.log(2.0)
    for num_qubits in (40, 60):
        ring = heisenberg(num_qubits, periodic=True).ground_energy / num_qubits
        assert (ring - site) * num_qubits**2 == pytest.approx(-(np.pi**2) / 3.0, rel=0.05)
    bulk = heisenberg(60).ground_energy - heisenberg(40).ground_energy
    assert bulk / 20 == pytest.approx(site, abs=2e-3)


def test_signs_of_the_coupling_by_a_turn_of_every_second_spin() -> None:
    for problem in (
        heisenberg(12, anisotropy=-0.5, coupling=-2.0, field=0.3),
        heisenberg(12, anisotropy=0.5, coupling=-2.0, periodic=True),
    ):
        assert problem.provenance["reference"]["method"] == "Bethe ansatz"
        assert problem.ground_energy == pytest.approx(problem.hamiltonian.ground_energy(), abs=1e-9)


def method_of(problem: Problem) -> str:
    reference = problem.provenance["reference"]
    assert reference["error"] is None or 0 <= reference["error"] < 1e-7
    return str(reference["method"])


def test_provenance_says_how_the_energy_is_known() -> None:
    assert method_of(tfim(4)) == "diagonalisation"
    assert method_of(tfim(40)) == method_of(heisenberg(30, anisotropy=0.0, periodic=True)) == "free fermions"
    assert method_of(heisenberg(30)) == "Bethe ansatz"
    assert method_of(heisenberg(30, coupling=-1.0, periodic=True)) == "polarised state"
    assert method_of(ising_graphs(11, seed=1, ground_energy=-20.0)) == "given"
    assert method_of(ground_state({"ZZ": 1.0})) == "diagonalisation"
    assert method_of(h2()) == "full configuration interaction"


def test_what_has_no_closed_form_needs_a_ground_energy() -> None:
    for make in (
        lambda **energy: heisenberg(24, rows=4, anisotropy=2.0, **energy),
        lambda **energy: tfim(24, rows=4, **energy),
        lambda **energy: ising_graphs(24, **energy),
    ):
        with pytest.raises(ValueError, match="`ground_energy` must be given above 20 qubits"):
            make()
    assert method_of(tfim(24, rows=4, ground_energy=-60.0)) == "given"
    with pytest.raises(ValueError, match=r"lie in \[-62, -38\]"):  # 38 bonds, 24 fields
        tfim(24, rows=4, ground_energy=-30.0)


def test_operators_on_forty_qubits() -> None:
    """Masks of 40 bits are sorted and added like shorter ones."""
    top = PauliSum.from_masks(40, [1 << 39, 0, 1 << 39], [1 << 39, 1 << 39, 1 << 39], [1.0, 2.0, 0.5])
    assert top.terms() == {"Z" + "I" * 39: 2.0, "Y" + "I" * 39: 1.5}
    assert PauliSum(tfim(40).hamiltonian.terms()) == tfim(40).hamiltonian


def test_what_needs_a_state_says_how_large_it_would_be() -> None:
    for simulator in ("auto", "statevector"):
        with pytest.raises(ValueError, match=r"fit into 8 GiB, but is '4.92e\+04 GiB'.*pauli_propagation"):
            make_env("tfim", problem_settings={"num_qubits": 40}, simulator=simulator)
    with pytest.raises(ValueError, match="GiB for the basis states of 40 qubits"):
        tfim(40).best_basis_state()


def test_large_environments_are_made_without_a_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PauliSum, "grouped", lambda _: pytest.fail("2**n numbers"))
    monkeypatch.setattr(PauliSum, "basis_energies", lambda _: pytest.fail("2**n numbers"))
    for actions in ("gates", "blocks"):
        env = make_env("tfim", problem_settings={"num_qubits": 20}, actions=actions)
        assert env.energy == env.problem.empty_energy == -19.0
        assert env.problem.ground_energy == pytest.approx(1 - 1 / np.sin(np.pi / 82), abs=1e-9)

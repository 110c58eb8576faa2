"""XXZ chains with random anisotropies and fields: the same on every machine, and their exact energies."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from numpy.typing import NDArray

from qas_envs.problems import xxz_chains

DIGESTS = {
    (4, 1000): "c6aae2484854cce2b04c6db73a1e0f41f279f8346ad7dbf62022531f5fd99cb8",
    (6, 17): "4f0ff2d4c12b98d478615748ed55d4410d4c4d43e9c75389ba06929165c70b9a",
    (8, 1000): "2714692345e76eb5b9e7cf7662b154666c4bf42ea02f041edb7b2f0142994a14",
}


def sector(
    size: int, num_down: int, coupling: float, anisotropies: list[float], fields: list[float]
) -> NDArray[np.float64]:
    """The block of ``num_down`` flipped spins: two neighbours that differ exchange with ``2 J``."""
    places = [*combinations(range(size), num_down)]
    numbers = {place: number for number, place in enumerate(places)}
    matrix = np.zeros((len(places), len(places)))
    for place, number in numbers.items():
        spins = [-1.0 if site in place else 1.0 for site in range(size)]
        matrix[number, number] = sum(h * spin for h, spin in zip(fields, spins, strict=True))
        for site, weight in enumerate(anisotropies):
            matrix[number, number] += weight * spins[site] * spins[site + 1]
            if spins[site] != spins[site + 1]:
                swapped = {site, site + 1}.symmetric_difference(place)
                matrix[number, numbers[tuple(sorted(swapped))]] += 2.0 * coupling
    return matrix


@pytest.mark.parametrize(("num_qubits", "seed"), [*DIGESTS, (10, 1001)])
def test_energies_against_blocks_of_equal_magnetisation(num_qubits: int, seed: int) -> None:
    problem = xxz_chains(num_qubits, seed)
    drawn = problem.provenance["coupling"], problem.provenance["anisotropies"], problem.provenance["fields"]
    blocks = [sector(num_qubits, down, *drawn) for down in range(num_qubits + 1)]
    assert problem.ground_energy == pytest.approx(min(np.linalg.eigvalsh(block)[0] for block in blocks), abs=1e-9)
    assert np.trace(problem.hamiltonian.to_matrix()).real == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("num_qubits", "seed"), DIGESTS)
def test_a_seed_is_an_instance(num_qubits: int, seed: int) -> None:
    assert xxz_chains(num_qubits, seed).digest == DIGESTS[num_qubits, seed]


@pytest.mark.parametrize("num_qubits", [3, 8, 12])
def test_chains_without_anisotropy_are_free_fermions(num_qubits: int) -> None:
    """``sum h`` plus the negative modes: a flipped spin is a fermion, which hops with ``2 J`` and costs ``-2 h``."""
    problem = xxz_chains(num_qubits, seed=5, coupling=1.5, anisotropy=0.0, field=0.7)
    fields = np.array(problem.provenance["fields"])
    hopping = 3.0 * (np.eye(num_qubits, k=1) + np.eye(num_qubits, k=-1))
    modes = np.linalg.eigvalsh(hopping - 2.0 * np.diag(fields))
    assert problem.ground_energy == pytest.approx(fields.sum() + modes[modes < 0].sum(), abs=1e-8)


def test_numbers_are_drawn_as_described() -> None:
    drawn = [xxz_chains(6, seed).provenance for seed in range(80)]
    anisotropies, fields = (np.array([one[name] for one in drawn]) for name in ("anisotropies", "fields"))
    assert anisotropies.shape == (80, 5) and fields.shape == (80, 6)
    assert 0 <= anisotropies.min() < 0.02 and 1.98 < anisotropies.max() < 2 and abs(anisotropies.mean() - 1) < 0.1
    assert -2 <= fields.min() < -1.96 and 1.96 < fields.max() < 2 and abs(fields.mean()) < 0.2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_qubits": 1}, r"2\.\.60"),
        ({"seed": -1}, "at least 0"),
        ({"coupling": float("nan")}, "finite"),
        ({"accuracy": 0.0}, "positive"),
        ({"ground_energy": -1.0}, "lowest eigenvalue"),
    ],
)
def test_impossible_chains(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        xxz_chains(**settings)


def test_the_environment_shows_anisotropies_and_fields() -> None:
    settings = {"actions": "blocks", "encoding": "hamiltonian_graph"}
    env = gym.make("QAS-XXZChain-v0", num_qubits=3, seed=2, disable_env_checker=True, **settings)
    observation, _ = env.reset(seed=0)
    drawn = env.unwrapped.problem.provenance  # type: ignore[attr-defined]
    largest = max(1.0, *drawn["anisotropies"], *map(abs, drawn["fields"]))
    np.testing.assert_allclose(observation["qubits"][:, 0], np.array(drawn["fields"]) / largest, atol=1e-6)
    zz = np.array([drawn["anisotropies"][0], 0.0, drawn["anisotropies"][1]]) / largest  # pairs 01, 02, 12
    np.testing.assert_allclose(observation["pairs"][:, 0], zz, atol=1e-6)

"""Floors over blocks: the list of skeletons is complete, and known least numbers of CNOTs come out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, permutations, product
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from numpy.typing import NDArray

import qas_envs  # noqa: F401  # registers the ids
from qas_agents import best_of, block_circuits, distinct_skeletons, skeleton_floors
from qas_agents.searchers.skeleton import Skeleton, skeletons
from qas_simulators import PauliSum

RING = PauliSum({label.replace("P", letter): 1.0 for letter in "XYZ" for label in ("PPI", "IPP", "PIP")})
CHAIN = PauliSum({"ZZI": -1.0, "IZZ": -1.0, "XII": -0.7, "IXI": -0.9, "IIX": -0.7})
UNEVEN = PauliSum({"ZZI": -1.0, "IZZ": -1.0, "XII": -0.7, "IXI": -0.9, "IIX": -0.6})
PAIRS = [(0, 1), (0, 2), (1, 2)]


def of_blocks(hamiltonian: PauliSum, length: int, **settings: Any) -> list[float]:
    """Return the floors over blocks, as errors."""
    ground = np.linalg.eigvalsh(hamiltonian.to_matrix())[0]
    floors = skeleton_floors(hamiltonian, length, circuit_of=block_circuits(), **settings)
    return [floor.energy - ground for floor in floors]


def moved(skeleton: Skeleton, permutation: tuple[int, ...]) -> Skeleton:
    return tuple((min(a, b), max(a, b)) for a, b in ((permutation[p], permutation[q]) for p, q in skeleton))


def symmetries(hamiltonian: PauliSum) -> Iterator[tuple[int, ...]]:
    """Yield the permutations of qubits that leave the dense matrix unchanged."""
    n, matrix = hamiltonian.num_qubits, hamiltonian.to_matrix()
    for permutation in permutations(range(n)):
        places = [sum((k >> q & 1) << permutation[q] for q in range(n)) for k in range(2**n)]
        if np.allclose(matrix[np.ix_(places, places)], matrix):
            yield permutation


def useful(length: int) -> list[Skeleton]:
    """Return all sequences of three qubits' pairs, of which none commute, without those that prepare nothing new."""
    found = []
    for skeleton in product(PAIRS, repeat=length):
        doubled_at_once = length > 1 and skeleton[0] == skeleton[1]
        if not doubled_at_once and all(len({*skeleton[k : k + 4]}) > 1 for k in range(length - 3)):
            found.append(skeleton)
    return found


@pytest.mark.parametrize(("hamiltonian", "size"), [(RING, 6), (CHAIN, 2), (UNEVEN, 1)])
@pytest.mark.parametrize("length", [1, 2, 3, 5, 6])
def test_each_orbit_has_one_skeleton(hamiltonian: PauliSum, size: int, length: int) -> None:
    """Against all sequences on three qubits; the number of orbits is that of Burnside's lemma."""
    group = list(symmetries(hamiltonian))
    assert len(group) == size
    everything = useful(length)
    fixed = sum(moved(skeleton, permutation) == skeleton for skeleton in everything for permutation in group)
    found = list(distinct_skeletons(hamiltonian, length))
    assert len(found) == len({*found}) == fixed / len(group)
    assert {moved(skeleton, permutation) for skeleton in found for permutation in group} == {*everything}


def test_symmetries_are_those_of_the_matrix() -> None:
    """On four qubits, where some blocks commute: every skeleton is an image of a distinct one, up to order."""
    pairs = list(combinations(range(4), 2))
    bonds = dict.fromkeys(("ZZII", "IZZI", "IIZZ", "ZIIZ"), 1.0)
    square = PauliSum({**bonds, **dict.fromkeys(("XIII", "IXII", "IIXI", "IIIX"), 0.5)})
    group = list(symmetries(square))
    assert len(group) == 8

    def per_qubit(skeleton: Skeleton) -> tuple[Skeleton, ...]:
        """What does not change when commuting blocks change places."""
        return tuple(tuple(pair for pair in skeleton if qubit in pair) for qubit in range(4))

    for length in (1, 2, 3):
        everything = {per_qubit(skeleton) for skeleton in skeletons(4, pairs, length)}
        found = list(distinct_skeletons(square, length))
        orbits = [{per_qubit(moved(skeleton, permutation)) for permutation in group} for skeleton in found]
        assert set.union(*orbits) == everything and sum(map(len, orbits)) == len(everything)


def test_images_have_the_same_least_energy() -> None:
    circuit_of = block_circuits()
    for skeleton in useful(2):
        energies = [
            best_of(CHAIN, 2, [(0, one)], starts=12, circuit_of=circuit_of).energy  # type: ignore[union-attr]
            for one in (skeleton, moved(skeleton, (2, 1, 0)))
        ]
        assert energies[0] == pytest.approx(energies[1], abs=1e-7)


def test_known_floors_of_blocks() -> None:
    """One CNOT for two qubits, two for GHZ-3 and three for W-3, whose fidelity without any is 4/9."""
    pair = PauliSum({"ZZ": -1.0, "XI": -1.0, "IX": -1.0})
    product_error = of_blocks(pair, 1)
    assert product_error[0] > 0.1 and product_error[1:] == pytest.approx([0.0], abs=1e-8)
    assert of_blocks(gym.make("QAS-Bell-v0").unwrapped.problem.hamiltonian, 1) == pytest.approx([0.5, 0.0], abs=1e-8)
    assert of_blocks(gym.make("QAS-GHZ-v0").unwrapped.problem.hamiltonian, 2) == pytest.approx([0.5, 0.5, 0], abs=1e-8)
    w = of_blocks(gym.make("QAS-W-v0").unwrapped.problem.hamiltonian, 3)
    assert w[0] == pytest.approx(5 / 9, abs=1e-8) and w[2] > 1e-3 and w[3] == pytest.approx(0.0, abs=1e-8)


def overlap(target: NDArray[np.float64], skeleton: Skeleton, starts: int = 8) -> float:
    """Return the largest fidelity with a real state that a skeleton of blocks reaches."""
    target = target.ravel() / np.linalg.norm(target)
    found = best_of(-1.0 * PauliSum.projector(target), 0, [(0, skeleton)], starts, circuit_of=block_circuits())
    assert found is not None
    return -found.energy


def test_what_is_left_out_prepares_nothing_new() -> None:
    """One block reaches every real state of two qubits, and two in a row every rotation in SO(4): four no more."""
    rng = np.random.default_rng(0)
    for _ in range(3):
        assert overlap(rng.normal(size=4), ((0, 1),)) == pytest.approx(1.0, abs=1e-7)
    for _ in range(3):
        rotation, _ = np.linalg.qr(rng.normal(size=(4, 4)))
        rotation[:, 0] *= np.linalg.det(rotation)
        # Two Bell pairs, 0 with 2 and 1 with 3, then a rotation of qubits 0 and 1: its Choi state.
        assert overlap(rotation.T, ((0, 2), (1, 3), (0, 1), (0, 1)), starts=30) == pytest.approx(1.0, abs=1e-6)
    rotation[:, 0] *= -1.0  # a reflection needs three, or one
    assert overlap(rotation.T, ((0, 2), (1, 3), (0, 1), (0, 1)), starts=30) < 0.999
    assert overlap(rotation.T, ((0, 2), (1, 3), (0, 1), (0, 1), (0, 1)), starts=30) == pytest.approx(1.0, abs=1e-6)


def test_circuits_are_those_of_environments_over_blocks() -> None:
    for arguments in ({"num_qubits": 3}, {"num_qubits": 3, "gates": ["rx", "ry", "rz", "cz"]}):
        env: Any = gym.make("QAS-TFIM-v0", actions="blocks", **arguments).unwrapped
        env.reset(seed=0)
        actions = [next(k for k, one in enumerate(env.catalogue.actions) if one.qubits == pair) for pair in PAIRS]
        entangler = "cz" if "gates" in arguments else "cx"
        built = env.player.play_many([actions], starts=1).circuits[0]
        circuit = block_circuits(entangler, ("ry",))(3, (*PAIRS,))
        assert [(name, qubits) for name, qubits, _ in circuit] == [(name, qubits) for name, qubits, _ in built]
    assert block_circuits("cx", ("sx", "rz", "sx"))(2, ((0, 1),)).count_ops() == {"sx": 8, "rz": 4, "cx": 1}
    with pytest.raises(ValueError, match="`entangler` must be 'cx' or 'cz'"):
        block_circuits("swap")

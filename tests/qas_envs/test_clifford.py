"""Stabiliser states as targets: their generators, the environment, and the fewest two-qubit gates."""

from __future__ import annotations

from collections import deque
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from qiskit.quantum_info import Statevector

from qas_agents import BeamSearch, Evolution, RandomPolicy
from qas_envs import make_env
from qas_envs.problems import clifford_state, fewest_two_qubit_gates
from qas_envs.problems.clifford import TARGETS, target_state
from qas_envs.problems.stabilizer_targets import GRAPHS, ghz, graph_state, steane, surface, toric
from qas_simulators import Circuit, StabilizerState, StatevectorSimulator
from qas_simulators.stabilizers import PauliSlices, graph_form


def made(**arguments: Any) -> Any:
    env = gym.make("QAS-Clifford-v0", **arguments).unwrapped
    env.reset(seed=0)
    return env


@pytest.mark.parametrize("target", TARGETS)
def test_targets_are_prepared_by_their_graphs(target: str) -> None:
    problem = clifford_state(target)
    circuit = graph_form(target_state(problem)).circuit
    assert StatevectorSimulator().expectation(circuit, problem.hamiltonian) == pytest.approx(0.0, abs=1e-12)
    assert problem.hamiltonian.ground_energy() == pytest.approx(0.0, abs=1e-12)
    assert len(problem.hamiltonian) == problem.num_qubits + 1


def test_ghz_and_graph_states_by_their_amplitudes() -> None:
    amplitudes = StatevectorSimulator().statevector(graph_form(ghz(4)).circuit)
    np.testing.assert_allclose(np.abs(amplitudes[[0, -1]]) ** 2, 0.5, atol=1e-12)
    edges = [(0, 1), (1, 3), (2, 3)]
    circuit = Circuit(4).h(0).h(1).h(2).h(3)
    for edge in edges:
        circuit = circuit.cz(*edge)
    assert StabilizerState.of_circuit(circuit) == graph_state(4, edges)


def test_encoded_zeros() -> None:
    """Published amplitudes: 16 words of the five-qubit code, the even words of the Hamming code for Steane's."""
    five = Statevector(graph_form(target_state(clifford_state("five_qubit"))).circuit.to_qiskit()).data
    words = np.flatnonzero(np.abs(five) > 1e-9)
    assert len(words) == 16 and all(int(word).bit_count() % 2 == 0 for word in words)
    np.testing.assert_allclose(np.abs(five[words]), 0.25, atol=1e-12)
    seven = Statevector(graph_form(steane()).circuit.to_qiskit()).data
    assert {int(word).bit_count() for word in np.flatnonzero(np.abs(seven) > 1e-9)} == {0, 4}


@pytest.mark.parametrize("distance", [3, 5])
def test_the_surface_code_has_its_distance(distance: int) -> None:
    """Checks touch 2 or 4 qubits; a logical X, a column, commutes with all checks and flips the encoded zero."""
    state = surface(distance)
    assert state.num_qubits == distance**2
    column = sum(1 << distance * row for row in range(distance))
    anticommuting = [string for string in state.strings if (column & string[1]).bit_count() & 1]
    flipped = StabilizerState(
        distance**2, [(x, z, sign ^ ((column & z).bit_count() & 1)) for x, z, sign in state.strings]
    )
    assert anticommuting and state.overlap(flipped) == 0.0 and state.common_rank(flipped) == distance**2


def test_the_toric_code_has_one_plus_one_logical_qubits() -> None:
    state = toric(3)
    stars = [x for x, _, _ in state.strings if x]
    assert state.num_qubits == 18 and len(stars) == 8  # one star is the product of the others


def test_random_states_follow_the_seed() -> None:
    first, again, other = (clifford_state("random", 6, seed=seed, two_qubit_gates=4) for seed in (1, 1, 2))
    assert first.digest == again.digest != other.digest
    assert first.provenance["planted_two_qubit_gates"] == 4
    assert fewest_two_qubit_gates(target_state(first)) <= 4


# -- the fewest two-qubit gates ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_qubits", range(2, 7))
def test_ghz_states_need_a_tree(num_qubits: int) -> None:
    assert fewest_two_qubit_gates(ghz(num_qubits)) == num_qubits - 1
    assert fewest_two_qubit_gates(ghz(num_qubits), GRAPHS["line"](num_qubits)) == num_qubits - 1


def test_known_numbers() -> None:
    """Fewest edges of the classes of Hein, Eisert and Briegel, quant-ph/0307130, table II: ring of four, five, six."""
    rings = {size: fewest_two_qubit_gates(graph_state(size, GRAPHS["ring"](size))) for size in (4, 5, 6)}
    assert rings == {4: 3, 5: 5, 6: 6}
    assert fewest_two_qubit_gates(target_state(clifford_state("five_qubit"))) == 5
    assert fewest_two_qubit_gates(target_state(clifford_state("complete", 6))) == 5  # a GHZ state


@pytest.mark.slow  # pytest -m slow: 2**21 graphs, 4 s
def test_the_steane_code_needs_eight() -> None:
    """As the circuit of H. Goto, Scientific Reports 6, 19578 (2016) has."""
    assert fewest_two_qubit_gates(steane()) == 8


def test_all_states_of_three_qubits_by_brute_force() -> None:
    """Breadth-first search over all 1080 states themselves: gates on single qubits are free, CX cost one."""
    start = StabilizerState.of_circuit(Circuit(3))
    free = [Circuit(3).append(name, (qubit,)) for name in ("h", "s") for qubit in range(3)]
    pairs = [Circuit(3).cx(a, b) for a in range(3) for b in range(3) if a != b]
    known, queue = {start: 0}, deque([start])
    while queue:
        state = queue.popleft()
        for gates, cost in ((free, 0), (pairs, 1)):
            for gate in gates:
                slices = PauliSlices(3, state.strings)
                slices.conjugate(gate)
                reached = StabilizerState(3, slices.strings())
                if known.get(reached, 99) > known[state] + cost:
                    known[reached] = known[state] + cost
                    queue.appendleft(reached) if cost == 0 else queue.append(reached)
    assert len(known) == 1080
    assert all(fewest_two_qubit_gates(state) == number for state, number in known.items())


def test_couplings_that_do_not_connect() -> None:
    with pytest.raises(ValueError, match="connect the qubits"):
        fewest_two_qubit_gates(ghz(3), [(0, 1)])
    with pytest.raises(ValueError, match="at most 7 qubits"):
        fewest_two_qubit_gates(ghz(8))


# -- environments ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_qubits", [3, 100])
def test_an_episode_ends_with_the_target(num_qubits: int) -> None:
    env = made(num_qubits=num_qubits, max_gates=num_qubits + 5, couplings="line")
    gates = [("h", 0)] + [("cx", qubit, qubit + 1) for qubit in range(num_qubits - 1)]
    for k, gate in enumerate(gates):
        observation, reward, terminated, _, info = env.step(env.catalogue.index(*gate))
        assert info["success"] == terminated == (k == num_qubits - 1)
        assert info["energy"] * 2 % 1 == 0 and observation in env.observation_space
    assert reward > 4 and info["num_two_qubit_gates"] == num_qubits - 1
    assert StabilizerState.of_circuit(env.circuit) == ghz(num_qubits)


def test_success_means_the_same_state() -> None:
    """A state with all generators up to one sign is no success."""
    env = made(generators=["-XX", "+ZZ"])
    for gate in (("h", 0), ("cx", 0, 1)):
        *_, info = env.step(env.catalogue.index(*gate))
    assert not info["success"] and info["energy"] == 1.0
    for _ in range(2):  # Z
        *_, info = env.step(env.catalogue.index("s", 0))
        env.episode.mask.reset()
    assert info["success"] and info["energy"] == 0.0


def test_energies_are_those_of_other_simulators() -> None:
    rng = np.random.default_rng(3)
    ours, theirs = made(target="random", num_qubits=4), made(target="random", num_qubits=4, simulator="statevector")
    for _ in range(15):
        action = int(rng.choice(np.flatnonzero(ours.action_masks())))
        first, second = ours.step(action), theirs.step(action)
        assert first[4]["energy"] == pytest.approx(second[4]["energy"], abs=1e-12)
        if first[2]:
            break


def test_vector_environments_and_families() -> None:
    envs = gym.make_vec("QAS-Clifford-v0", num_envs=3, target="random", num_qubits=4, vary={"seed": (0, 50)})
    envs.reset(seed=0)
    names = {one.problem.name for one in envs.envs}  # type: ignore[attr-defined]
    _, _, _, _, infos = envs.step(np.array([0, 5, 12]))
    assert len(names) > 1 and infos["energy"].shape == (3,)


@pytest.mark.parametrize("searcher", [BeamSearch, RandomPolicy, Evolution])
def test_searchers_find_a_ghz_state(searcher: Any) -> None:
    infos: list[dict[str, Any]] = []
    env = gym.make("QAS-Clifford-v0", num_qubits=3, max_gates=6)

    def listen(seen: dict[str, Any], _: Any) -> bool:
        infos.append(seen["infos"][0])
        return True

    searcher(env, 0).learn(2000, callback=listen)
    assert min(info["num_two_qubit_gates"] for info in infos if info["success"]) >= 2


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"gates": "crlqas"}, r"`gates` must be Clifford gates.*\['rx', 'ry', 'rz'\]"),
        ({"gates": ["cx", "t", "h"]}, r"`gates` must be Clifford gates.*\['t'\]"),
        ({"noise": "mumbai"}, "`noise` must be None"),
        ({"simulator": {"name": "stabilizer", "shots": 5}}, "no shot noise"),
        ({"initial": Circuit(5).rx(0.3, 0)}, "Clifford gates only"),
        ({"target": "gzh"}, "Did you mean 'ghz'"),
        ({"num_qubits": 129}, r"2\.\.128"),
        ({"target": "steane", "num_qubits": 5}, "must be 7 for steane code"),
        ({"target": "surface", "distance": 4}, "must be odd"),
        ({"target": "toric", "distance": 9}, r"2\.\.8"),
        ({"edges": [(0, 1), (1, 1)]}, "pairs of different vertices"),
        ({"target": "random", "seed": -1}, "not be negative"),
    ],
)
def test_what_it_refuses(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gym.make("QAS-Clifford-v0", **rules)


def test_the_simulator_by_one_word() -> None:
    env = make_env("tfim", gates="clifford", simulator="stabilizer")
    env.reset(seed=0)
    assert env.step(env.catalogue.index("h", 0))[4]["energy"] == pytest.approx(-3.0 + 1.0 - 1.0, abs=1e-9)

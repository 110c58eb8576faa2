"""Shot noise: seeds decide it, spaces hold it, and what cannot work with it is refused at once."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import SyncVectorEnv

from qas_envs import ENVIRONMENTS, CircuitBuildingEnv
from qas_envs.encodings import ENCODINGS
from qas_envs.snapshots import restore, state_of
from qas_simulators import (
    Circuit,
    Gadget,
    NoiseModel,
    PauliTransferSimulator,
    Simulator,
    StatevectorSimulator,
)
from qas_simulators.flat_circuit import Link
from qas_simulators.gadgets import Part
from tests.conftest import LARGE

SEEDED = StatevectorSimulator(shots=100, seed=5)
FEW: dict[str, Any] = {"name": "rotosolve", "max_sweeps": 1}


def aer(**settings: Any) -> Simulator:
    pytest.importorskip("qiskit_aer")
    from qas_simulators.bridges.aer import AerSimulator

    return AerSimulator(**settings)


SIMULATORS: dict[str, Callable[..., Simulator]] = {
    "statevector": StatevectorSimulator,
    "pauli transfer": PauliTransferSimulator,
    "noisy": lambda **settings: PauliTransferSimulator(NoiseModel.depolarizing(0.01, 0.05), **settings),
    "aer": aer,
}


def build(environment: str = "QAS-TFIM-v0", **settings: Any) -> CircuitBuildingEnv:
    settings = {"optimizer": FEW, "simulator": StatevectorSimulator(shots=100), **settings}
    env = gym.make(environment, **settings).unwrapped
    assert isinstance(env, CircuitBuildingEnv)
    return env


def energies(env: CircuitBuildingEnv, seed: int | None, steps: int = 3) -> list[float]:
    """Return the first energy and those after some gates, of two episodes, of which only the first is seeded."""
    found = []
    for own in (seed, None):
        _, info = env.reset(seed=own)
        found.append(info["energy"])
        for _ in range(steps):
            _, _, terminated, _, info = env.step(int(np.flatnonzero(info["action_mask"])[-1]))
            found.append(info["energy"])
            if terminated:
                break
    return found


@pytest.mark.parametrize("kind", SIMULATORS)
def test_a_seed_decides_all_shots(kind: str) -> None:
    settings: dict[str, Any] = {"num_qubits": 2, "max_gates": 4}
    first, second, other = (build(simulator=SIMULATORS[kind](shots=100), **settings) for _ in range(3))
    energies(other, seed=1)  # a past of its own
    expected = energies(first, seed=7)
    assert expected == energies(second, seed=7) == energies(other, seed=7)
    assert expected != energies(first, seed=8)
    assert len(set(expected)) == len(expected), "every energy has noise of its own, the first ones too"


def test_the_first_energy_is_measured_at_every_reset() -> None:
    """On |00>, <ZZ> = 1 without variance and <X> = 0 with variance 1: E = -J plus noise of width h sqrt(2 / shots)."""
    env = build(num_qubits=2, field=0.7, simulator=StatevectorSimulator(shots=50))
    assert env.energy == pytest.approx(-1.0), "before the first reset, nothing has been measured"
    measured = [env.reset(seed=3)[1]["energy"], *(env.reset()[1]["energy"] for _ in range(999))]
    width = 0.7 * np.sqrt(2 / 50)
    assert np.mean(measured) == pytest.approx(-1.0, abs=5 * width / np.sqrt(1000))
    assert np.std(measured) == pytest.approx(width, rel=0.1)


def test_environments_of_one_simulator_have_streams_of_their_own() -> None:
    shared = StatevectorSimulator(shots=100, seed=5)
    first, second, alone = build(simulator=shared), build(simulator=shared), build(simulator=copy.deepcopy(SEEDED))
    measured: dict[CircuitBuildingEnv, list[float]] = {first: [], second: [], alone: []}
    for env in (first, second, alone):
        env.reset()
    for action in (0, 1, 2):
        for env in (first, second, first, second) if action == 0 else (first, second):
            env.reset()
            measured[env].append(env.step(action)[4]["energy"])
    for action in (0, 0, 1, 2):
        alone.reset()
        measured[alone].append(alone.step(action)[4]["energy"])
    assert measured[first] == measured[alone], "what the second one measured did not move the stream of the first"
    assert set(measured[first]).isdisjoint(measured[second])
    assert shared.rng.bit_generator.state == SEEDED.rng.bit_generator.state, "nor that of the simulator handed in"


def test_copies_go_on_alike() -> None:
    env = build(max_gates=6)
    env.reset(seed=0)
    env.step(0)
    twin = pickle.loads(pickle.dumps(env))
    restored = build(max_gates=6)
    restore(restored, state_of(env))
    for action in (1, 2, 5):
        assert env.step(action)[4]["energy"] == twin.step(action)[4]["energy"] == restored.step(action)[4]["energy"]
    assert env.reset()[1]["energy"] == twin.reset()[1]["energy"] == restored.reset()[1]["energy"]


@pytest.mark.parametrize("settings", [{}, {"vary": {"field": (0.5, 1.5)}}, {"simulator": SIMULATORS["noisy"](shots=9)}])
def test_a_vector_environment_equals_single_ones(settings: dict[str, Any]) -> None:
    settings = {
        "num_qubits": 2,
        "max_gates": 3,
        "optimizer": FEW,
        "simulator": StatevectorSimulator(shots=9),
    } | settings
    ours = gym.make_vec("QAS-TFIM-v0", 3, num_threads=2, **settings)
    theirs = SyncVectorEnv([lambda: gym.make("QAS-TFIM-v0", **settings)] * 3)
    one, other = ours.reset(seed=7), theirs.reset(seed=7)
    rng = np.random.default_rng(0)
    for _ in range(10):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[-1]["energy"], other[-1]["energy"])
        assert ours.observation_space.contains(one[0])
        actions = np.array([rng.choice(np.flatnonzero(row)) for row in one[-1]["action_mask"]])
        one, other = ours.step(actions), theirs.step(actions)
    assert len({*ours.reset()[1]["energy"].tolist()}) == 3, "without seeds no two environments share their noise"


@pytest.mark.parametrize("environment", [name for name in ENVIRONMENTS if name not in LARGE])
def test_every_environment_keeps_gymnasium_s_rules_with_shots(environment: str) -> None:
    if environment == "QAS-Molecule-v0":
        pytest.importorskip("pyscf")
    settings = {**ENVIRONMENTS[environment].example, "simulator": StatevectorSimulator(shots=3), "max_gates": 5}
    env, twin = build(environment, **settings), build(environment, **settings)
    check_env(env, skip_render_check=True)
    assert energies(env, seed=2) == energies(twin, seed=2)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("optimizer", [FEW, {"name": "adam_spsa", "iterations": (3,), "stage_shots": (1,)}], ids=str)
def test_observations_lie_in_their_space(encoding: str, optimizer: dict[str, Any]) -> None:
    """One shot of TFIM at 2 qubits leaves the spectrum's bounds within a few measurements."""
    exact = optimizer["name"] == "adam_spsa"  # whose own shots are noise enough
    simulator = StatevectorSimulator(shots=None if exact else 1)
    env = build(num_qubits=2, max_gates=4, encoding=encoding, optimizer=optimizer, simulator=simulator)
    bounds, errors = (env.problem.lower_bound, env.problem.upper_bound), []
    for seed in range(30):
        observation, info = env.reset(seed=seed)
        assert env.observation_space.contains(observation)
        for action in (3, 6):
            observation, _, terminated, _, info = env.step(action)
            assert env.observation_space.contains(observation)
            errors.append(info["energy_error"])
            if terminated:
                break
    assert min(errors) < 0.0, "an estimate may lie below the exact energy"
    assert min(errors) + env.problem.ground_energy < bounds[0]


LINKED = Gadget("zz", 2, 1, (Part("rz", (0,), (Link(0, 2.0, 0.0),)), Part("cx", (0, 1)), Part("cx", (1, 0))))
LINKED_START = LINKED.circuit([0.3])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"simulator": StatevectorSimulator(shots=100)}, "`optimizer` must be one that works with shots"),
        ({"simulator": SIMULATORS["noisy"](shots=1)}, "'adam_spsa', 'cobyla', 'none' or 'rotosolve'"),
        (
            {"simulator": StatevectorSimulator(shots=2), "optimizer": {"name": "scan_lbfgs", "scan_all": True}},
            "works with shots",
        ),
        ({"simulator": aer}, "works with AerSimulator"),
        ({"optimizer": "rotosolve", "gadgets": [LINKED]}, "where gadgets share or scale angles"),
        ({"optimizer": "rotosolve", "initial": LINKED_START}, "where the initial circuit shares angles"),
        ({"simulator": StatevectorSimulator(shots=9), "noise": "mumbai", "optimizer": "cobyla"}, "`noise`"),
    ],
)
def test_what_would_fail_at_the_first_step_is_refused(settings: dict[str, Any], message: str) -> None:
    settings = {"num_qubits": 2} | {name: value() if value is aer else value for name, value in settings.items()}
    for make in (gym.make, gym.make_vec):
        with pytest.raises(ValueError, match=message):
            make("QAS-TFIM-v0", **settings)


@pytest.mark.parametrize("optimizer", ["adam_spsa", "cobyla", "none", "rotosolve"])
def test_the_optimisers_that_the_message_names_do_work(optimizer: str) -> None:
    for simulator in (StatevectorSimulator(shots=9), aer()):
        env = build(num_qubits=2, optimizer=FEW if optimizer == "rotosolve" else optimizer, simulator=simulator)
        if optimizer != "none" and simulator.shots is None:
            continue  # hundreds of runs of Aer; construction is what is tested
        env.reset(seed=0)
        assert env.step(3)[4]["num_gates"] == 1


def test_linked_angles_with_optimisers_that_fit() -> None:
    env = build(num_qubits=2, optimizer="cobyla", gadgets=[LINKED], initial=LINKED_START, simulator=None)
    env.reset(seed=0)
    assert env.step(len(env.catalogue) - 1)[4]["num_params"] == 2
    assert isinstance(env.circuit, Circuit) and env.circuit.is_linked

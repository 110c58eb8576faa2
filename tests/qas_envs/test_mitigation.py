"""Environments, searchers and whole circuits on mitigated energies."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from qas_agents import BlockAnnealing
from qas_envs import CircuitBuildingEnv, make_env
from qas_envs.problems import lih, tfim
from qas_envs.problems.problem import Problem
from qas_envs.vector import CircuitBuildingVectorEnv
from qas_simulators import MitigatedSimulator, NoiseModel, PauliTransferSimulator, StatevectorSimulator, ZeroNoise
from qas_simulators.noise_presets import mumbai
from tests.qas_envs.test_bad_rules import refused

QUADRATIC = {"name": "zero_noise", "scales": [1, 2, 3], "order": 2}
SHOTS: dict[str, Any] = {"simulator": {"shots": 100}, "optimizer": {"name": "cobyla", "max_evaluations": 6}}


def build(problem: Problem | None = None, **rules: Any) -> CircuitBuildingEnv:
    return make_env(problem or tfim(num_qubits=3), **{"noise": "mumbai", "mitigation": QUADRATIC, **rules})


def test_rewards_and_optimisers_see_mitigated_energies() -> None:
    env = build(reward="log_error")
    env.reset(seed=0)
    own = MitigatedSimulator(PauliTransferSimulator(mumbai()), ZeroNoise())
    for action in (("ry", 0), ("cx", 0, 1), ("rx", 1)):
        _, reward, _, _, info = env.step(env.catalogue.index(*action))
        energy = own.expectation(env.circuit, env.problem.hamiltonian)
        assert info["energy"] == pytest.approx(energy, abs=1e-12)
        assert reward == pytest.approx(-np.log10(abs(energy - env.problem.ground_energy)), abs=1e-9)
        assert info["evaluations"] % 3 == 0 and info["gradients"] % 3 == 0
    _, slopes = own.expectation_and_gradient(env.circuit, env.problem.hamiltonian)
    assert len(slopes) == 2 and np.abs(slopes).max() < 1e-3


def test_whole_circuits_gains_and_vectors_agree_with_steps() -> None:
    env = build(actions="blocks", max_gates=20)
    env.reset(seed=0)
    starts = [np.linspace(-1, 1, 3 + 4)]
    played = env.player.play_many([[0, 2]], starts)
    assert played.evaluations[0] % 3 == 0
    expected = env.simulator.expectation(played.circuits[0], env.problem.hamiltonian)
    assert played.energies[0] == pytest.approx(expected, abs=1e-12)
    gains = env.player.gains()
    assert gains.evaluations % 3 == 0 and np.nanmax(gains.slopes) >= 0
    stepped = [env.step(action)[-1]["energy"] for action in (0, 2)]
    vector = CircuitBuildingVectorEnv([build(actions="blocks", max_gates=20) for _ in range(2)])
    vector.reset(seed=0)
    for action, energy in zip((0, 2), stepped, strict=True):
        infos = vector.step(np.array([action, action]))[-1]
        np.testing.assert_allclose(infos["energy"], energy, atol=1e-9)


@pytest.mark.parametrize("encoding", ["tensor", "gates", "pauli", "graph"])
@pytest.mark.parametrize("shots", [False, True])
def test_observations_lie_in_their_space(encoding: str, shots: bool) -> None:
    env = build(encoding=encoding, **(SHOTS if shots else {}))
    observation, info = env.reset(seed=3)
    rng = np.random.default_rng(0)
    for _ in range(6):
        assert env.observation_space.contains(observation)
        observation, _, terminated, _, info = env.step(int(rng.choice(np.flatnonzero(info["action_mask"]))))
        if terminated:
            break
    assert env.observation_space.contains(observation)


def test_energies_may_lie_below_the_spectrum() -> None:
    env = build(tfim(num_qubits=2), noise=NoiseModel.depolarizing(0.05, 0.2), optimizer="none")
    assert np.isinf(env.observation_space.low[-1]) or env.observation_space.low[-1] < env.problem.lower_bound - 100


def test_seeds_decide_the_shot_noise() -> None:
    found = []
    for env in (build(**SHOTS), pickle.loads(pickle.dumps(build(**SHOTS)))):
        _, info = env.reset(seed=7)
        found.append([info["energy"], env.step(6)[-1]["energy"], env.step(0)[-1]["energy"]])
    assert found[0] == found[1] and len(set(found[0])) == 3


def test_all_shots_are_counted() -> None:
    env = build(**SHOTS)
    assert env.simulator.shots_used == 0
    env.reset(seed=0)
    first = env.simulator.shots_used
    spent = sum(env.step(action)[-1]["evaluations"] for action in (6, 0))
    terms = len(env.problem.hamiltonian)
    assert first == 3 * 100 * terms and env.simulator.shots_used - first == spent * 100 * terms


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"noise": None}, "`noise`"),
        ({"noise": "none"}, "`noise`"),
        ({"noise": None, "simulator": StatevectorSimulator()}, "`noise`"),
        ({"mitigation": {"name": "zero_noise", "scales": [1, 2]}}, "`order`"),
        ({"mitigation": {"name": "zero_noise", "scales": [-1, 2, 3]}}, "`scales`"),
        ({"mitigation": {"name": "zero_noise", "scales": "123"}}, "`scales`"),
        ({"mitigation": {"name": "zero_noise", "order": 2.5}}, "`order`"),
        ({"mitigation": {"name": "zero_noise", "degree": 2}}, "degree"),
        ({"mitigation": {"name": "readout", "order": 2}}, "order"),
        ({"mitigation": "zero"}, "zero"),
        ({"mitigation": 3}, "`mitigation`"),
        ({"noise": NoiseModel.depolarizing(0.4)}, "scaled by 3"),
        ({"noise": NoiseModel.depolarizing(0.01).add_readout(0.5)}, "inverse"),
        ({"optimizer": "rotosolve", "mitigation": {**QUADRATIC, "fit": "exponential"}}, "`optimizer`"),
        ({"optimizer": "rotosolve", "mitigation": {**QUADRATIC, "scales": [1, 3, 5], "scaling": "folding"}}, "`opt"),
        ({"simulator": {"shots": 10}}, "`optimizer`"),
    ],
)
def test_bad_rules_are_refused_in_one_line(rules: dict[str, Any], message: str) -> None:
    assert message in refused(build, **rules)


def test_folding_needs_gates_whose_inverse_is_known() -> None:
    noise = NoiseModel.depolarizing(0.01, 0.02).refuse("tdg", (0,), "not calibrated")
    folding = {"name": "zero_noise", "scales": [1, 3], "order": 1, "scaling": "folding"}
    assert "not calibrated" in refused(build, noise=noise, gates=["ry", "t", "cx"], mitigation=folding)
    assert build(noise=noise, gates=["ry", "t", "cx"], mitigation={**folding, "scaling": "rates"}).energy


def test_rules_by_gym() -> None:
    env = gym.make("QAS-LiH-v0", noise="mumbai", mitigation="readout").unwrapped
    assert isinstance(env, CircuitBuildingEnv) and env.simulator.runs_per_energy == 1


def lowest(env: CircuitBuildingEnv, num_circuits: int = 30, **settings: Any) -> tuple[float, float, list[float]]:
    """Return the lowest energy error of a search, the error without noise of its circuit, and all errors in order."""
    seen: list[tuple[float, float]] = []

    def note(locals_: dict[str, Any], _: dict[str, Any]) -> bool:
        true = StatevectorSimulator().expectation(env.circuit, env.problem.hamiltonian) - env.problem.ground_energy
        seen.append((locals_["infos"][0]["energy"], true))
        return True

    BlockAnnealing(env, 1, start_blocks=5, **settings).learn(num_circuits, note)
    return *min(seen), [energy for energy, _ in seen]


def test_searches_on_mitigated_energies_pick_better_circuits() -> None:
    raw = lowest(build(lih(), actions="blocks", mitigation=None), blind=True)
    mitigated = lowest(build(lih(), actions="blocks"), blind=True)
    assert raw[1] > 1.6e-3 > 1e-3 > mitigated[1]


def test_blind_searches_do_not_use_the_ground_energy() -> None:
    problem = tfim(num_qubits=3)
    shifted = dataclasses.replace(problem, ground_energy=problem.ground_energy - 0.3)
    runs = [lowest(build(one, actions="blocks"), 14, blind=True)[2] for one in (problem, shifted)]
    np.testing.assert_allclose(runs[0], runs[1], atol=1e-12)
    informed = [lowest(build(one, actions="blocks"), 14)[2] for one in (problem, shifted)]
    assert not np.allclose(informed[0], informed[1], atol=1e-12)

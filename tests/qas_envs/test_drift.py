"""Noise that drifts: schedules, walks, dropouts, and environments that continue to the same bits."""

from __future__ import annotations

import json
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from qas_envs import CircuitBuildingEnv, make_env
from qas_envs.drift import NoiseDrift, walk
from qas_envs.problems import tfim
from qas_envs.snapshots import restore, state_of
from qas_simulators import Circuit, NoiseModel, PauliTransferSimulator, StatevectorSimulator
from qas_simulators.channels import depolarizing, thermal_relaxation
from qas_simulators.noise_presets import mumbai, ourense
from tests.qas_envs.test_bad_rules import refused

LEVELS = (0.0, 0.01, 0.2)
MODELS = [NoiseModel.depolarizing(p1=p) for p in LEVELS]


def build(**rules: Any) -> CircuitBuildingEnv:
    given = {"problem_settings": {"num_qubits": 3}, "gates": "clifford", "optimizer": "none", "max_gates": 6}
    return make_env("ghz", **{**given, **rules})


def present(env: CircuitBuildingEnv, episodes: int) -> list[int]:
    """Return the number of the noise model in the first episodes."""
    return [int(env.reset(seed=0 if k == 0 else None)[1]["noise"]) for k in range(episodes)]


# -- schedules ---------------------------------------------------------------------------------------------------------


def test_a_new_model_after_every_k_episodes() -> None:
    assert present(build(drift=NoiseDrift(MODELS, every=2)), 8) == [0, 0, 1, 1, 2, 2, 2, 2]
    assert present(build(drift=NoiseDrift(MODELS, every=1, cycle=True)), 5) == [0, 1, 2, 0, 1]
    env = build(drift=NoiseDrift(MODELS, every=None))
    assert present(env, 4) == [0] * 4
    assert env.reset(options={"noise": 2})[1]["noise"] == env.noise_step == env.reset()[1]["noise"] == 2
    assert env.reset(seed=1)[1]["noise"] == 0


def test_energies_are_those_of_the_present_model() -> None:
    """X under depolarising noise p leaves <Z> = -(1 - p): worked by hand on one more qubit of a chain of two."""
    env = make_env(
        "tfim", problem_settings={"num_qubits": 2}, gates="kanqas", optimizer="none", drift=NoiseDrift(MODELS)
    )
    for number, p in enumerate(LEVELS):
        env.reset(options={"noise": number})
        info = env.step(env.catalogue.index("x", 0))[-1]
        # H = -Z0 Z1 - X0 - X1 on |01>, without noise +1 (the X terms vanish)
        assert info["energy"] == pytest.approx(1 - p, abs=1e-12) and info["noise"] == number
        twin = PauliTransferSimulator(MODELS[number])
        assert info["energy"] == pytest.approx(twin.expectation(env.circuit, env.problem.hamiltonian), abs=1e-15)


def test_the_first_energy_follows_the_noise() -> None:
    readout = [NoiseModel().add_readout(p) for p in (0.0, 0.1, 0.3)]
    env = make_env(tfim(num_qubits=2), drift=NoiseDrift(readout))
    for number, p in enumerate((0.0, 0.1, 0.3)):
        # each of two qubits is misread with p: <ZZ> = (1 - 2p)**2
        assert env.reset(options={"noise": number})[1]["energy"] == pytest.approx(-((1 - 2 * p) ** 2), abs=1e-12)


def test_random_numbers_and_shots_continue() -> None:
    def played(drift: NoiseDrift) -> tuple[list[float], int]:
        env = build(drift=drift, simulator={"shots": 50}, gates="crlqas", optimizer={"name": "adam_spsa"})
        env.reset(seed=3)
        found = []
        for _ in range(3):
            found.append(float(env.step(8)[-1]["energy"]))
            env.reset()
        return found, env.simulator.shots_used

    same = [NoiseModel.depolarizing(p1=0.01)] * 3
    assert played(NoiseDrift(same, every=1)) == played(NoiseDrift(same, every=None))


# -- walks -------------------------------------------------------------------------------------------------------------


def rates(drift: NoiseDrift) -> np.ndarray[Any, Any]:
    """Return p of the depolarising noise after X on each qubit and CX on (0, 1), (steps, 4)."""
    rows = []
    for model in drift.models:
        one = [1 - model.transfer_matrix("x", (q,))[3, 3] for q in range(3)]
        rows.append([*one, 1 - model.transfer_matrix("cx", (0, 1))[5, 5]])
    return np.array(rows)


def test_a_walk_follows_from_its_seed() -> None:
    noise = NoiseModel.depolarizing(1e-3, 1e-2)
    first, again, other = (rates(walk(noise, 3, None, seed=seed)) for seed in (0, 0, 1))
    assert (first == again).all() and (first[0] == other[0]).all() and (first[1:] != other[1:]).all()
    np.testing.assert_allclose(first[0], [1e-3, 1e-3, 1e-3, 1e-2], rtol=1e-9)
    assert len({*first[1].tolist()}) == 4, "each qubit and each pair has a factor of its own"


def test_steps_of_a_walk_are_log_normal_and_stay_in_bounds() -> None:
    noise = NoiseModel().add(depolarizing(1e-3), ["x"])

    def factors(**settings: float) -> np.ndarray[Any, Any]:
        models = walk(noise, 3, None, steps=300, seed=5, **settings).models  # type: ignore[arg-type]
        return np.array([[1 - model.transfer_matrix("x", (q,))[3, 3] for q in range(3)] for model in models]) / 1e-3

    jumps = np.diff(np.log(factors(size=0.05, bound=50.0)), axis=0)
    assert jumps.std() == pytest.approx(0.05, rel=0.08) and abs(jumps.mean()) < 0.005
    bounded = factors(size=1.0, bound=2.0)
    assert bounded.min() > 0.5 - 1e-9 and bounded.max() < 2 + 1e-9
    assert bounded.min() < 0.52 and bounded.max() > 1.9


def test_relaxation_times_and_readout_walk_too() -> None:
    noise = NoiseModel().add(thermal_relaxation(50.0, 70.0, 0.1), ["x"]).add_readout(0.02, 0.04)
    model = walk(noise, 2, None, steps=2, seed=0).models[1]
    for qubit in (0, 1):
        matrix = model.transfer_matrix("x", (qubit,))
        t1, t2 = -0.1 / np.log(matrix[3, 3]), -0.1 / np.log(matrix[1, 1])
        assert t2 / t1 == pytest.approx(1.4, rel=1e-9) and t1 != pytest.approx(50.0, rel=1e-3)
    assert walk(mumbai(), 3, None, steps=3).models[2].num_qubits is None
    assert walk(ourense(), 4, None, steps=3).models[2].couplings == ourense().couplings


def test_couplings_drop_out_and_their_gates_are_masked() -> None:
    drift = {"name": "walk", "steps": 12, "every": 1, "dropout": 0.5, "seed": 2}
    env = build(noise={"name": "depolarizing", "p2": 0.01}, drift=drift)
    pairs = [action.qubits if len(action.qubits) == 2 else None for action in env.catalogue.actions]
    lost = 0
    for number in range(12):
        _, info = env.reset(options={"noise": number})
        couplings = env.rules.drift.models[number].couplings  # type: ignore[union-attr]
        expected = [pair is None or couplings is None or pair in couplings for pair in pairs]
        assert info["action_mask"].tolist() == expected and env.player.checked([expected.index(True)]) is not None
        if not all(expected):
            lost += 1
            assert env.player.checked([expected.index(False)]) is None
            info = env.step(expected.index(False))[-1]
            assert info["num_gates"] == 0, "an action on a lost coupling appends nothing"
    assert 3 < lost < 12


def test_masks_of_other_rules_still_hold() -> None:
    env = build(
        noise={"name": "depolarizing", "p2": 0.01}, drift={"name": "walk", "steps": 12, "dropout": 0.5, "seed": 2}
    )
    hadamard = env.catalogue.index("h", 0)
    lost = next(k for k, model in enumerate(env.rules.drift.models) if model.couplings)  # type: ignore[union-attr]
    env.reset(options={"noise": lost})
    info = env.step(hadamard)[-1]
    assert info["action_mask"][hadamard] == 0 and info["action_mask"].sum() < len(env.catalogue) - 1


# -- observations ------------------------------------------------------------------------------------------------------


def test_the_noise_is_hidden_or_shown() -> None:
    hidden, shown = (build(drift=NoiseDrift(MODELS, shown=is_shown)) for is_shown in (False, True))
    plain, seen = hidden.reset(options={"noise": 1})[0], shown.reset(options={"noise": 1})[0]
    assert len(seen) == len(plain) + 3 + 3 + 3 and (seen[:-9] == plain).all()
    # depolarising p on one qubit has the process infidelity 3 p / 4
    np.testing.assert_allclose(seen[-9:-6], np.sqrt(0.75 * 0.01), rtol=1e-6)
    assert not seen[-6:].any() and shown.observation_space.contains(seen)
    check_env(shown, skip_render_check=True)
    check_env(build(drift=NoiseDrift(MODELS, every=1, shown=True)), skip_render_check=True)


def test_dictionaries_get_an_entry_and_readout_is_shown() -> None:
    models = [NoiseModel().add_readout(0.1, 0.2, [0]), NoiseModel().add_readout(0.0)]
    env = build(encoding="hamiltonian_graph", drift=NoiseDrift(models, shown=True), mask_in_observation=True)
    observation = env.reset()[0]
    assert env.observation_space.contains(observation)
    np.testing.assert_allclose(observation["observation"]["noise"][-3:], [np.sqrt(0.15), 0, 0], rtol=1e-6)
    message = refused(build, encoding="graph", drift=NoiseDrift(MODELS, shown=True))
    assert "`encoding` must give vectors or dictionaries" in message


# -- checkpoints, failures, vectors ------------------------------------------------------------------------------------


def test_a_checkpoint_continues_to_the_same_bits() -> None:
    drift = {"name": "walk", "steps": 5, "every": 2, "dropout": 0.4, "shown": True}
    rules = {"noise": "mumbai", "drift": drift, "gates": "crlqas", "optimizer": "scan_lbfgs"}
    env, twin, rng = build(**rules), build(**rules), np.random.default_rng(0)

    def play(one: CircuitBuildingEnv, actions: list[int]) -> list[Any]:
        found = []
        for action in actions:
            mask = one.action_masks()
            legal = np.flatnonzero(mask)
            observation, reward, over, cut, info = one.step(legal[action % len(legal)])
            found.append((observation.tolist(), reward, float(info["energy"]), int(info["noise"])))
            if over or cut:
                one.reset()
        return found

    env.reset(seed=0)
    play(env, rng.integers(0, 100, 17).tolist())
    later = rng.integers(0, 100, 40).tolist()
    state = json.loads(json.dumps(state_of(env)))
    assert state["drift"] == [1, 1], "the third episode, with the second model"
    expected = play(env, later)
    restore(twin, state)
    assert play(twin, later) == expected and expected[-1][3] > 1


def test_a_failed_reset_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    env = build(drift=NoiseDrift(MODELS, every=1))
    env.reset(seed=0)
    env.step(0)
    before, simulator = state_of(env), env.simulator

    def fail(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(type(env.episode), "observe", fail)
    with pytest.raises(KeyboardInterrupt):
        env.reset()
    monkeypatch.undo()
    assert state_of(env) == before and env.simulator is simulator
    assert "`noise` must be the number of a noise model in 0..2, but is 3" in refused(env.reset, options={"noise": 3})
    assert state_of(env) == before and env.reset()[1]["noise"] == 1


def test_many_environments_equal_single_ones() -> None:
    rules = {"noise": {"name": "depolarizing", "p1": 0.01}, "drift": {"name": "walk", "every": 1, "shown": True}}
    arguments = {"num_qubits": 2, "gates": "clifford", "optimizer": "none", "max_gates": 2, **rules}
    many = gym.make_vec("QAS-GHZ-v0", num_envs=2, vectorization_mode="vector_entry_point", **arguments)
    assert many.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    single = gym.make("QAS-GHZ-v0", disable_env_checker=True, **arguments)
    observations, infos = many.reset(seed=0)
    observation, info = single.reset(seed=0)
    for action in (0, 2, 1, 0, 2, 1):
        assert (observations[0] == observation).all() and infos["noise"].tolist() == [info["noise"]] * 2
        observations, _, _, _, infos = many.step(np.array([action, action]))
        if single.unwrapped.episode.over:  # type: ignore[attr-defined]
            observation, info = single.reset()
        else:
            observation, _, _, _, info = single.step(action)
    assert info["noise"] > 0
    message = refused(
        gym.make_vec,
        "QAS-GHZ-v0",
        num_envs=2,
        vectorization_mode="vector_entry_point",
        device="cpu",
        **arguments,
    )
    assert "noise that drifts" in message


def test_mitigated_energies_follow_the_noise() -> None:
    models = [NoiseModel.depolarizing(p1=p) for p in (0.01, 0.05)]
    env = make_env(tfim(num_qubits=2), drift=NoiseDrift(models), mitigation={"name": "zero_noise"}, optimizer="none")
    for number in (0, 1):
        env.reset(options={"noise": number})
        for action in (("ry", 0), ("rx", 1)):
            info = env.step(env.catalogue.index(*action))[-1]
        exact = StatevectorSimulator().expectation(env.circuit, env.problem.hamiltonian)
        assert info["energy"] == pytest.approx(exact, abs=1e-3)
    assert env.simulator.base.noise is models[1]  # type: ignore[attr-defined]


# -- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"drift": "walk"}, "`noise` must be the noise model with which the walk begins"),
        ({"drift": {"name": "walk", "steps": 0}, "noise": "mumbai"}, "`steps` must be an integer from 1"),
        ({"drift": {"name": "walk", "size": -0.1}, "noise": "mumbai"}, "`size` must be a number of at least 0"),
        ({"drift": {"name": "walk", "bound": 0.5}, "noise": "mumbai"}, "`bound` must be a number of at least 1"),
        ({"drift": {"name": "walk", "dropout": 1.5}, "noise": "mumbai"}, "`dropout` must lie in"),
        ({"drift": {"name": "walk", "seed": -1}, "noise": "mumbai"}, "`seed` must be"),
        ({"drift": {"name": "walk", "size": 9.0, "bound": 9.0}, "noise": "kanqas"}, "Noise cannot be varied"),
        ({"drift": {"name": "wlak"}, "noise": "mumbai"}, "Did you mean 'walk'"),
        ({"drift": {"name": "sequence", "models": []}}, "`models` must be a list of noise models"),
        ({"drift": {"name": "sequence", "models": ["mumbay"]}}, "Did you mean 'mumbai'"),
        ({"drift": {"name": "sequence", "models": ["none"]}}, "`models` must have noise"),
        ({"drift": {"name": "sequence", "models": ["mumbai"], "every": 0}}, "`every` must be an integer of at least 1"),
        ({"drift": NoiseDrift(MODELS), "noise": "mumbai"}, "`noise` must be None where `drift` lists"),
        ({"drift": NoiseDrift(MODELS), "simulator": "statevector"}, "`simulator` must be"),
        ({"drift": NoiseDrift(MODELS), "simulator": PauliTransferSimulator()}, "where `simulator` is an object"),
        ({"drift": NoiseDrift([ourense()]), "initial": Circuit(3).cx(0, 2)}, "couplings"),
    ],
)
def test_bad_input(rules: dict[str, Any], message: str) -> None:
    assert message in refused(build, **rules)


def test_options_without_a_drift() -> None:
    env = build()
    assert env.noise_step == 0 and "noise" not in env.reset()[1]
    assert "`options` must be empty" in refused(env.reset, options={"noise": 0})

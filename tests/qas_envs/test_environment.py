"""Behaviour of every registered environment, and of the rules."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings
from itertools import pairwise
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from qas_envs import ENVIRONMENTS, CircuitBuildingEnv, make_env
from qas_envs.catalogue import GATE_SETS, ActionCatalogue, GateSet
from qas_envs.masks import CommutingMask, FrontierMask
from qas_envs.problems import lih
from qas_envs.problems.molecules import load_molecule
from qas_envs.rewards import FixedEnds, PricedGates, Transition
from qas_simulators import Circuit, NoiseModel, StatevectorSimulator, reference
from tests.conftest import LARGE

SMALL = [environment for environment in ENVIRONMENTS if environment not in LARGE]


def build(environment: str, **settings: object) -> CircuitBuildingEnv:
    if environment == "QAS-Molecule-v0":
        pytest.importorskip("pyscf")
    env = gym.make(environment, **(ENVIRONMENTS[environment].example | settings)).unwrapped
    assert isinstance(env, CircuitBuildingEnv)
    return env


def play(env: CircuitBuildingEnv, steps: int, seed: int) -> list[tuple[Any, ...]]:
    """Play random legal actions and return everything that was seen."""
    rng = np.random.default_rng(seed)
    observation, info = env.reset(seed=seed)
    seen: list[tuple[Any, ...]] = []
    for _ in range(steps):
        action = int(rng.choice(np.flatnonzero(info["action_mask"])))
        observation, reward, terminated, truncated, info = env.step(action)
        seen.append((action, observation.tobytes(), reward, terminated, truncated, info["energy"]))
        if terminated or truncated:
            _, info = env.reset()
    return seen


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_gymnasium_checker(environment: str) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not within the observation space|.*different action space.*")
        check_env(build(environment), skip_render_check=True)


@pytest.mark.parametrize("environment", SMALL)
def test_same_seed_same_bits(environment: str) -> None:
    assert play(build(environment), 150, seed=3) == play(build(environment), 150, seed=3)


@pytest.mark.parametrize("environment", SMALL)
def test_long_random_play_stays_in_the_spaces(environment: str) -> None:
    env = build(environment, render_mode="ansi")
    rng = np.random.default_rng(1)
    observation, info = env.reset(seed=1)
    for _ in range(250):
        assert env.observation_space.contains(observation) and info["action_mask"].any()
        np.testing.assert_array_equal(info["action_mask"], env.action_masks())
        action = rng.choice(np.flatnonzero(info["action_mask"]))
        observation, reward, terminated, truncated, info = env.step(action)
        assert isinstance(reward, float) and np.isfinite(reward)
        assert info["energy_error"] >= -1e-9
        assert terminated == (info["success"] or info["num_gates"] == env.max_gates)
        if terminated or truncated:
            simulated = reference.expectation(env.circuit, env.problem.hamiltonian)
            assert info["energy"] == pytest.approx(simulated, abs=1e-10), "the angles must belong to the energy"
            assert f"{info['energy']:.9f}" in (env.render() or "")
            observation, info = env.reset()


@pytest.mark.parametrize("environment", SMALL)
def test_a_thousand_random_legal_steps(environment: str) -> None:
    env = build(environment, optimizer="none")
    rng = np.random.default_rng(2)
    observation, info = env.reset(seed=2)
    for draw in rng.random(1_000):
        legal = np.flatnonzero(info["action_mask"])
        observation, _, terminated, truncated, info = env.step(int(legal[int(draw * len(legal))]))
        assert info["energy_error"] >= -1e-9 and info["num_gates"] <= env.max_gates
        if terminated or truncated:
            assert env.observation_space.contains(observation)
            observation, info = env.reset()


def test_asynchronous_vector_by_spawn() -> None:
    envs = gym.make_vec(
        "qas_envs:QAS-Bell-v0", num_envs=2, vectorization_mode="async", vector_kwargs={"context": "spawn"}
    )
    observations, infos = envs.reset(seed=0)
    single = build("QAS-Bell-v0")
    single.reset(seed=0)
    observations, rewards, *_ = envs.step(np.array([5, 0]))
    np.testing.assert_array_equal(observations[0], single.step(5)[0])
    assert infos["action_mask"].shape == (2, 12) and rewards.shape == (2,)
    envs.close()


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_pickled_environment_goes_on_alike(environment: str) -> None:
    env = build(environment)
    env.reset(seed=0)
    env.step(0)
    twin = pickle.loads(pickle.dumps(env))
    for action in (1, 2):
        assert env.step(action)[4]["energy"] == twin.step(action)[4]["energy"]


def test_vectorised_equals_single() -> None:
    envs = gym.make_vec("QAS-TFIM-v0", num_envs=3, vectorization_mode="sync", num_qubits=2, max_gates=5)
    observations, _ = envs.reset(seed=0)
    single = build("QAS-TFIM-v0", num_qubits=2, max_gates=5)
    single.reset(seed=0)
    for action in (3, 6, 0):
        observations, rewards, *_ = envs.step(np.full(3, action))
        observation, reward, *_ = single.step(action)
        np.testing.assert_array_equal(observations, np.tile(observation, (3, 1)))
        assert rewards.tolist() == [reward] * 3
    envs.close()


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 5), st.sampled_from(sorted(GATE_SETS)), st.integers(0, 10_000))
def test_frontier_mask_equals_its_definition(num_qubits: int, gates: str, seed: int) -> None:
    """Forbidden: a gate identical to one after which no later gate touches any of its qubits."""
    catalogue = ActionCatalogue(num_qubits, gates)
    mask, rng, history = FrontierMask(catalogue), np.random.default_rng(seed), []
    for _ in range(60):
        action = int(rng.choice(np.flatnonzero(mask.array)))
        mask.update(action)
        history.append(action)
        forbidden = set()
        for position, earlier in enumerate(history):
            qubits = set(catalogue.actions[earlier].qubits)
            if all(qubits.isdisjoint(catalogue.actions[later].qubits) for later in history[position + 1 :]):
                forbidden.add(earlier)
        assert set(np.flatnonzero(mask.array == 0).tolist()) == forbidden


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 4), st.sampled_from(["crlqas", "ry_cz"]), st.integers(0, 10_000))
def test_commuting_mask_allows_no_circuit_that_can_be_simplified(num_qubits: int, gates: str, seed: int) -> None:
    catalogue, rng = ActionCatalogue(num_qubits, gates), np.random.default_rng(seed)
    mask, circuit = CommutingMask(catalogue), Circuit(num_qubits)

    def longer(action: int) -> Circuit:
        trial = circuit.copy()
        catalogue.append(trial, action)
        trial.params = rng.uniform(0.1, 1.0, trial.num_params)
        return trial

    for _ in range(15):
        for action, is_legal in enumerate(mask.array):
            trial = longer(action)
            assert (len(trial.simplified()) == len(trial)) == bool(is_legal), (trial.draw(), action)
        action = int(rng.choice(np.flatnonzero(mask.array)))
        circuit = longer(action)
        mask.update(action)
    mask.reset()
    assert mask.array.all()


def test_no_mask_lets_an_agent_repeat_itself() -> None:
    env = build("QAS-TFIM-v0", num_qubits=2, max_gates=4, mask="none")
    env.reset(seed=0)
    for _ in range(3):
        *_, info = env.step(0)
        assert info["action_mask"].all()
    assert info["num_gates"] == 3
    envs = gym.make_vec("QAS-TFIM-v0", num_envs=2, num_qubits=2, mask="none")
    assert envs.reset(seed=0)[1]["action_mask"].all()


def test_commuting_mask_where_everything_commutes() -> None:
    mask = CommutingMask(ActionCatalogue(2, GateSet(("cz",), ("rz",))))
    for action, legal in [(0, [0, 1, 1]), (1, [0, 0, 1]), (2, [1, 1, 1])]:
        mask.update(action)
        assert mask.array.tolist() == legal
    kanqas = CommutingMask(catalogue := ActionCatalogue(1, "kanqas"))
    names = [action.gate for action in catalogue.actions]
    kanqas.update(names.index("t"))
    assert kanqas.array[names.index("t")] == 1, "two T make an S, which is no action"
    kanqas.reset()
    kanqas.update(names.index("x"))
    assert dict(zip(names, kanqas.array.tolist(), strict=True)) == {"x": 0, "y": 0, "z": 0, "h": 1, "t": 1}


def test_illegal_action_changes_nothing() -> None:
    env = build("QAS-LiH-v0", illegal="raise")
    env.reset(seed=0)
    env.step(12)
    before = pickle.dumps(env.__dict__)
    circuit, energy = env.circuit.copy(), env.energy
    for action, message in [
        (12, "Action 12 .* is masked"),
        (24, "0..23, but is 24"),
        (-1, "but is -1"),
        (1.5, "integer"),
    ]:
        with pytest.raises(ValueError, match=message):
            env.step(action)  # type: ignore[arg-type]
    assert env.circuit == circuit and env.energy == energy
    assert pickle.dumps(env.__dict__) == before


def test_step_outside_an_episode() -> None:
    env = build("QAS-Bell-v0")
    with pytest.raises(ResetNeeded):
        env.step(0)
    env.reset()
    env.step(5)
    assert env.step(0)[2]
    with pytest.raises(ResetNeeded):
        env.step(1)


def test_endings() -> None:
    exhausted = build("QAS-LiH-v0", max_gates=2)
    exhausted.reset()
    exhausted.step(12)
    _, reward, terminated, truncated, _ = exhausted.step(13)
    assert (reward, terminated, truncated) == (-5.0, True, False)
    halted = build("QAS-LiH-v0", halting={"name": "negative_binomial", "low": 1, "high": 1})
    halted.reset(seed=0)
    halted.step(12)
    _, reward, terminated, truncated, _ = halted.step(13)
    assert (terminated, truncated) == (False, True) and -1 <= reward <= 1
    succeeded = build("QAS-TFIM-v0", num_qubits=2, curriculum={"name": "fixed", "threshold": 1.0})
    succeeded.reset()
    _, reward, terminated, truncated, info = succeeded.step(3)
    assert (reward, terminated, truncated, info["success"]) == (5.0, True, False, True)


def test_rewards_of_edge_cases() -> None:
    assert FixedEnds()(Transition(-3.0, -3.0, -3.0, False, False, 0, 1)) == 0.0
    assert FixedEnds()(Transition(-1.0, 5.0, -3.0, False, False, 0, 1)) == -1.0
    assert FixedEnds()(Transition(-1.0, -2.0, -3.0, True, True, 0, 1)) == 5.0
    priced = PricedGates(bonus=5, two_qubit=0.3, one_qubit=0.05, progress=2, floor=1e-3)
    assert priced(Transition(-2.0, -2.9, -3.0, False, False, 1, 0)) == pytest.approx(2 * 1 - 0.3)
    assert priced(Transition(-2.0, -3.0, -3.0, True, True, 0, 1)) == pytest.approx(5 + 2 * 3 - 0.05)
    assert priced(Transition(-2.9, -2.0, -3.0, False, True, 0, 1)) == pytest.approx(-5 - 2 * 1 - 0.05)


def test_priced_gates_do_not_pay_for_detours() -> None:
    """Any path from one error to another earns the same before prices; relative gains earn more in small steps."""
    energies = [-2.0, -2.7, -2.5, -2.95, -2.99]
    steps = [Transition(a, b, -3.0, False, False, 0, 1) for a, b in pairwise(energies)]
    direct = Transition(energies[0], energies[-1], -3.0, False, False, 0, 1)
    free = PricedGates(one_qubit=0)
    assert sum(map(free, steps)) == pytest.approx(free(direct))
    assert sum(map(FixedEnds(), [steps[0], steps[2], steps[3]])) > FixedEnds()(direct)


def test_moving_threshold_lives_across_episodes() -> None:
    env = build(
        "QAS-TFIM-v0", num_qubits=2, max_gates=2, curriculum={"name": "moving", "initial": 1.5, "shift_time": 15}
    )
    assert env.curriculum.reference_energy == pytest.approx(-3.0)
    for _ in range(15):
        env.reset()
        over = False
        for action in (3, 6):
            over = over or env.step(action)[2]
            if over:
                break
    # the first RY reaches -sqrt(2), whose distance to the bound is below 1.6; the best energy seen moves the threshold
    best = env.curriculum.best_energy  # type: ignore[attr-defined]
    assert env.curriculum.threshold == pytest.approx(abs(-3.0 - best) + 5e-4)


def test_two_environments_do_not_share_a_curriculum() -> None:
    from qas_envs.curricula import MovingThreshold

    shared = MovingThreshold(initial=2.0)
    first, second = build("QAS-TFIM-v0", curriculum=shared), build("QAS-TFIM-v0", curriculum=shared)
    first.curriculum.observe(-100.0)
    assert second.curriculum.best_energy != -100.0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reward": "crlqs"}, "Unknown reward 'crlqs'. Choices: .* Did you mean 'crlqas'"),
        ({"optimizer": "cobila"}, "Did you mean 'cobyla'"),
        ({"optimizer": {"name": "cobyla", "max_evaluation": 3}}, "Did you mean 'max_evaluations'"),
        ({"optimizer": {"name": "cobyla", "max_evaluations": 0}}, "at least 1, but is 0"),
        ({"optimizer": {"name": "cobyla", "max_evaluations": "many"}}, "of type int"),
        ({"gates": ["ry", "cy"]}, "Unknown gate 'cy'"),
        ({"gates": 3}, "a list of gates or a GateSet"),
        ({"noise": {"p1": 0.1}}, "`noise` must have a name"),
        ({"max_gates": 0}, "at least 1, but is 0"),
        ({"max_gates": 2.5}, "integer"),
        ({"noise": {"name": "depolarizing", "p1": -0.1}}, r"lie in \[0, 1\], but is -0.1"),
        ({"noise": 0.1}, "NoiseModel"),
        ({"bond_length": -1.0}, "ångström, but is -1.0"),
        ({"curriculum": {"name": "fixed", "threshold": -1.0}}, "positive, but is -1.0"),
        ({"gates": "crlqa"}, "Unknown gate set"),
        ({"preset": "paper"}, "Unknown preset"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gym.make("QAS-LiH-v0", **arguments)


def test_unknown_arguments_raise_as_in_python() -> None:
    message = "got an unexpected keyword argument 'frameskip'. Choices: "  # the words that TorchRL's GymEnv looks for
    for make in (gym.make, gym.make_vec, make_env):
        with pytest.raises(TypeError, match=message):
            make("tfim" if make is make_env else "QAS-TFIM-v0", frameskip=1)  # type: ignore[operator]
    with pytest.raises(TypeError, match="Did you mean 'bond_length'"):
        gym.make("QAS-LiH-v0", bond_lenght=2.2)


def test_gates_and_actions_by_name() -> None:
    env = build("QAS-TFIM-v0", num_qubits=3, gates=["ry", "cz"])
    assert env.catalogue.gates == GateSet(("cz",), ("ry",))
    assert env.catalogue.actions[env.catalogue.index("cz", 2, 0)].qubits == (0, 2)
    assert env.catalogue.actions[env.catalogue.index("ry", 1)].gate == "ry"
    for wrong, message in ((("rx", 0), "Unknown gate 'rx'"), (("ry", 3), "`qubits` must be among those of ry")):
        with pytest.raises(ValueError, match=message):
            env.catalogue.index(*wrong)
    env.reset()
    for action in ("ry", ("ry", 0), 1.5):
        with pytest.raises(ValueError, match=r"be an integer in 0\.\.5, .*catalogue.index"):
            env.step(action)
    with pytest.raises(ValueError, match="hold a tuple for every action"):
        env.player.play([env.catalogue.index("ry", 1)], [0.3])


def test_instances_that_x_gates_solve_say_so() -> None:
    with pytest.warns(UserWarning, match="solved by X gates alone: the error of the best basis state is 0.00112"):
        gym.make("QAS-LiH-v0", num_qubits=6, geometry="legacy-bohr")


def test_zero_qubits() -> None:
    with pytest.raises(ValueError, match=r"lie in 2\.\.60, but is 0"):
        gym.make("QAS-TFIM-v0", num_qubits=0)


def test_trivial_threshold_warns() -> None:
    with pytest.warns(UserWarning, match="empty circuit already meets the success threshold"):
        gym.make("QAS-TFIM-v0", field=0.001)


def test_noise_reaches_the_energy() -> None:
    noise = NoiseModel.depolarizing(0.01, 0.05)
    env = build("QAS-LiH-v0", noise=noise)
    env.reset(seed=0)
    for action in (13, 0, 16):
        info = env.step(action)[4]
    assert info["energy"] == pytest.approx(
        reference.expectation(env.circuit, env.problem.hamiltonian, noise), abs=1e-10
    )
    noiseless = StatevectorSimulator().expectation(env.circuit, env.problem.hamiltonian)
    assert abs(info["energy"] - noiseless) > 1e-3


def test_instance_files_are_checked_by_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    import qas_envs.problems.molecules as module

    monkeypatch.setattr(module, "hash_of_terms", lambda terms: "other")
    with pytest.raises(ValueError, match="its hash differs"):
        load_molecule.__wrapped__("lih_4_parity_3.4_angstrom.json")


def test_instances_equal_their_generator() -> None:
    pytest.importorskip("pyscf")
    from qas_envs.problems import instances
    from qas_envs.problems.molecules import instance_record

    record = instance_record(instances.lih(3.4, 4))
    stored = lih(3.4)
    assert record["energies"]["ground"] == pytest.approx(stored.ground_energy, abs=1e-9)
    shipped = stored.hamiltonian.terms()
    assert record["terms"].keys() == shipped.keys()
    for label, coefficient in record["terms"].items():
        assert coefficient == pytest.approx(shipped[label], abs=1e-7)


def test_import_is_light() -> None:
    code = "import sys, qas_envs; sys.exit(any(m in sys.modules for m in ('torch', 'qiskit', 'pyscf', 'matplotlib')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    by_name = "import gymnasium; print(gymnasium.make('qas_envs:QAS-Bell-v0').reset()[0].shape)"
    result = subprocess.run([sys.executable, "-c", by_name], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "(84,)"

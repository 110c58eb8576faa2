"""The vector environment: the same as Gymnasium's synchronous one, bit for bit."""

from __future__ import annotations

import pickle
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import RenderCollection

from qas_envs import ENVIRONMENTS
from qas_envs.vector import CircuitBuildingVectorEnv
from qas_envs.vector.threads import PAUSE, ThreadChoice
from qas_simulators.optimizers import Cobyla, NoOptimizer, ScanLBFGS

SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("QAS-TFIM-v0", {"num_qubits": 2, "max_gates": 5}),
    ("QAS-LiH-v0", {"max_gates": 12, "halting": {"name": "negative_binomial", "n": 5, "p": 0.5, "low": 2, "high": 9}}),
    ("QAS-H2-v0", {"noise": "mumbai", "max_gates": 6, "optimizer": {"name": "adam_spsa", "iterations": [5]}}),
    ("QAS-Bell-v0", {}),
    ("QAS-TFIM-v0", {"vary": {"field": (0.5, 1.5)}, "max_gates": 4}),
    ("QAS-TFIM-v0", {"encoding": "graph", "max_gates": 4}),
    ("QAS-TFIM-v0", {"encoding": {"name": "gates", "threshold": True}, "max_gates": 4, "stop": True}),
    ("QAS-TFIM-v0", {"encoding": "pauli", "max_gates": 4, "noise": "depolarizing", "initial": "basis_state"}),
    ("QAS-TFIM-v0", {"encoding": {"name": "tensor", "angles": True}, "max_gates": 4, "noise": "ourense"}),
    ("QAS-TFIM-v0", {"max_gates": 4, "optimizer": {"name": "scan_lbfgs", "scan_all": True}}),
]


def legal(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.array([rng.choice(np.flatnonzero(row)) for row in mask])


def same(left: Any, right: Any) -> None:
    if isinstance(left, tuple) and not hasattr(left, "nodes"):
        for one, other in zip(left, right, strict=True):
            same(one, other)
    elif hasattr(left, "nodes"):
        for one, other in zip(left, right, strict=True):
            np.testing.assert_array_equal(one, other)
    else:
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
@pytest.mark.parametrize(("environment", "settings"), SETTINGS)
def test_equal_to_single_environments(
    environment: str, settings: dict[str, Any], mode: AutoresetMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    num_envs, rng = 5, np.random.default_rng(0)
    ours = gym.make_vec(environment, num_envs, autoreset_mode=mode.value, num_threads=2, **settings)
    assert isinstance(ours, CircuitBuildingVectorEnv) and ours.metadata["autoreset_mode"] is mode
    singles = [lambda: gym.make(environment, **settings).unwrapped for _ in range(num_envs)]
    theirs = SyncVectorEnv(singles, autoreset_mode=mode)
    one, other = ours.reset(seed=7), theirs.reset(seed=7)
    ended = 0
    monkeypatch.setattr(ThreadChoice, "number", lambda _: 2)  # however fast the steps are
    for _ in range(40):
        same(one[0], other[0])
        for key in ("action_mask", "energy", "num_gates", "depth", "evaluations"):
            np.testing.assert_array_equal(one[-1][key], other[-1][key], err_msg=key)
            assert one[-1][f"_{key}"].all()
        np.testing.assert_array_equal(one[-1]["action_mask"], ours.action_masks())
        assert np.asarray(one[-1]["action_mask"]).any(axis=1).all()
        if len(one) == 5:
            for k in (1, 2, 3):
                np.testing.assert_array_equal(one[k], other[k])
            over = one[2] | one[3]
            ended += over.sum()
            if mode is AutoresetMode.SAME_STEP and over.any():
                np.testing.assert_array_equal(one[-1]["_final_info"], over)
                for k in np.flatnonzero(over):
                    same(one[-1]["final_obs"][k], other[-1]["final_obs"][k])
                final, expected = one[-1]["final_info"], other[-1]["final_info"]
                np.testing.assert_array_equal(final["energy"][over], expected["energy"][over])
        actions = legal(one[-1]["action_mask"], rng)
        one, other = ours.step(actions), theirs.step(actions)
    assert ended > 0
    ours.close()
    theirs.close()


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_id_has_one(environment: str) -> None:
    if environment == "QAS-Molecule-v0":
        pytest.importorskip("pyscf")
    envs = gym.make_vec(environment, num_envs=2, **ENVIRONMENTS[environment].example)
    observations, infos = envs.reset(seed=0)
    assert envs.observation_space.contains(observations)
    observations, rewards, *_ = envs.step(legal(infos["action_mask"], np.random.default_rng(0)))
    assert envs.observation_space.contains(observations) and rewards.shape == (2,)


def test_a_bad_action_changes_no_environment() -> None:
    envs = gym.make_vec("QAS-TFIM-v0", num_envs=3, num_qubits=2, illegal="raise")
    envs.reset(seed=0)
    envs.step([0, 1, 2])
    for bad in ([1, 1, 3], [1, 0, 99]):
        with pytest.raises(ValueError, match=r"Action 1|be an integer"):
            envs.step(bad)
        assert [env.circuit.num_gates for env in envs.unwrapped.envs] == [1, 1, 1]
    for settings, message in [({"num_threads": 0}, "num_threads"), ({"autoreset_mode": "Never"}, "Never")]:
        with pytest.raises(ValueError, match=message):
            gym.make_vec("QAS-TFIM-v0", num_envs=2, **settings)
    with pytest.raises(ValueError, match="at least one"):
        CircuitBuildingVectorEnv([])
    with pytest.raises(ValueError, match="seed"):
        envs.reset(seed=[1, 2])


def test_shared_curriculum() -> None:
    curriculum = {"name": "moving", "initial": 1.0, "shift_time": 1}
    for shared in (False, True):
        envs = gym.make_vec(
            "QAS-TFIM-v0", num_envs=3, num_qubits=2, max_gates=3, curriculum=curriculum, shared_curriculum=shared
        ).unwrapped
        _, infos = envs.reset(seed=0)
        rng = np.random.default_rng(0)
        for _ in range(60):
            *_, infos = envs.step(legal(infos["action_mask"], rng))
        assert (len({id(env.curriculum) for env in envs.envs}) == 1) == shared
        if shared:
            assert len(set(infos["threshold"].tolist())) == 1


def test_reset_mask() -> None:
    envs = gym.make_vec("QAS-TFIM-v0", num_envs=3, num_qubits=2, autoreset_mode="Disabled")
    envs.reset(seed=0)
    envs.step([0, 0, 0])
    _, infos = envs.reset(options={"reset_mask": np.array([True, False, True])})
    assert infos["num_gates"].tolist() == [0, 1, 0]


@pytest.mark.parametrize("seeds", [11, [3, None, 5]], ids=["one", "some"])
def test_seeds_in_the_middle_of_episodes(seeds: Any) -> None:
    """Environments and their random generators are those of single ones after a reset with seeds."""
    halting = {"name": "negative_binomial", "n": 5, "p": 0.5, "low": 1, "high": 4}
    settings: dict[str, Any] = {"num_qubits": 2, "halting": halting, "optimizer": "none"}
    ours = gym.make_vec("QAS-TFIM-v0", 3, autoreset_mode="Disabled", **settings).unwrapped
    singles = [gym.make("QAS-TFIM-v0", **settings).unwrapped for _ in range(3)]
    ours.reset(seed=0)
    for k, env in enumerate(singles):
        env.reset(seed=k)
        env.step(0)
    ours.step([0, 0, 0])
    observations, infos = ours.reset(seed=seeds)
    given = seeds if isinstance(seeds, list) else [11, 12, 13]
    for k, (env, seed) in enumerate(zip(singles, given, strict=True)):
        observation, info = env.reset(seed=seed)
        same(observations[k], observation)
        assert infos["energy"][k] == info["energy"] and infos["num_gates"][k] == 0
        mine = ours.envs[k]
        assert mine.episode.halt_at == env.episode.halt_at and mine.np_random_seed == env.np_random_seed
        assert mine.np_random.bit_generator.state == env.np_random.bit_generator.state
        assert mine.simulator.rng.bit_generator.state == env.simulator.rng.bit_generator.state


def test_a_reset_with_seeds_that_fails_changes_nothing() -> None:
    """The last seed is none; the generators of the first environments are as before."""
    envs = gym.make_vec("QAS-TFIM-v0", 3, num_qubits=2, autoreset_mode="Disabled").unwrapped
    envs.reset(seed=0)
    envs.step([0, 1, 2])

    def state() -> list[Any]:
        return [
            (env.np_random.bit_generator.state, env.simulator.rng.bit_generator.state, env.circuit.num_gates)
            for env in envs.envs
        ]

    before = state()
    with pytest.raises(gym.error.Error):
        envs.reset(seed=[5, 6, -1])
    assert state() == before


def test_a_pickled_one_goes_on_alike() -> None:
    envs = gym.make_vec("QAS-TFIM-v0", num_envs=3, max_gates=4, autoreset_mode="SameStep").unwrapped
    rng = np.random.default_rng(0)
    _, infos = envs.reset(seed=0)
    for _ in range(3):
        *_, infos = envs.step(legal(infos["action_mask"], rng))
    twin = pickle.loads(pickle.dumps(envs))
    for _ in range(6):
        actions = legal(infos["action_mask"], rng)
        one, other = envs.step(actions), twin.step(actions)
        for left, right in zip(one[:4], other[:4], strict=True):
            np.testing.assert_array_equal(left, right)
        infos = one[-1]
        np.testing.assert_array_equal(infos["action_mask"], other[-1]["action_mask"])


def test_environments_must_be_alike() -> None:
    members = [gym.make("QAS-TFIM-v0", num_qubits=2, field=field).unwrapped for field in (0.5, 1.0)]
    with pytest.raises(ValueError, match="same Hamiltonian"):
        CircuitBuildingVectorEnv(members)


def pair(**settings: Any) -> tuple[Any, SyncVectorEnv]:
    """Return ours and Gymnasium's, of the same environments."""
    settings = {"num_qubits": 2, "max_gates": 3} | settings
    ours = gym.make_vec("QAS-TFIM-v0", 3, num_threads=2, **settings)
    return ours, SyncVectorEnv([lambda: gym.make("QAS-TFIM-v0", **settings)] * 3)


def outcome(function: Any, *arguments: Any) -> Any:
    """Return what a call returns, or the kind of error that it raises."""
    try:
        return function(*arguments)
    except Exception as error:
        return type(error)


def test_attributes_as_gymnasium_reads_and_sets_them() -> None:
    ours, theirs = pair()
    for envs in (ours, theirs):
        envs.reset(seed=0)
        envs.step(np.array([0, 1, 2]))
    for name, arguments in [
        ("action_masks", ()),
        ("energy", ()),
        ("max_gates", ()),
        ("optimize_angles", (0,)),
        ("optimize_angles", (99,)),
        ("get_wrapper_attr", ("energy",)),
        ("get_wrapper_attr", ("nothing",)),
        ("nothing", ()),
    ]:
        same(outcome(ours.call, name, *arguments), outcome(theirs.call, name, *arguments))
        same(outcome(ours.get_attr, name), outcome(theirs.get_attr, name))
    for values in (5, [1, 2, 3], (4, 5, 6), [1, 2], [], "abc", np.array([7, 8, 9])):
        same(outcome(ours.set_attr, "own", values), outcome(theirs.set_attr, "own", values))
        same(ours.get_attr("own"), theirs.get_attr("own"))


def test_components_that_are_set_are_used() -> None:
    """One optimiser each: what all have in common is optimised together, the rest one by one."""
    ours, theirs = pair(max_gates=8)
    different = [ScanLBFGS(), NoOptimizer(), Cobyla(max_evaluations=7)]
    rng = np.random.default_rng(0)
    one, other = ours.reset(seed=0), theirs.reset(seed=0)
    for optimizer in (different, different[::-1], NoOptimizer(), ScanLBFGS()):
        for envs in (ours, theirs):
            envs.set_attr("optimizer", optimizer)
        for _ in range(6):
            actions = legal(one[-1]["action_mask"], rng)
            one, other = ours.step(actions), theirs.step(actions)
            for key in ("energy", "evaluations"):
                np.testing.assert_array_equal(one[-1][key], other[-1][key])


@pytest.mark.parametrize("actions", [[0, 1], [0, 1, 2, 3], [], 0, np.array(1), None, [[0], [1], [2]], [0.5, 1, 2]])
def test_a_wrong_number_of_actions(actions: Any) -> None:
    """As Gymnasium's, which raises only once the first environments have been stepped; ours has changed none."""
    ours, theirs = pair()
    ours.reset(seed=0)
    theirs.reset(seed=0)
    expected = outcome(theirs.step, actions)
    assert expected in (ValueError, TypeError) and outcome(ours.step, actions) is expected
    assert [len(circuit) for circuit in ours.get_attr("circuit")] == [0, 0, 0]


def test_lists_of_texts() -> None:
    """As Gymnasium's wrapper collects them: one of every reset and step since the last reset or the last call."""
    ours, theirs = pair(render_mode="ansi_list")
    single = {"num_qubits": 2, "max_gates": 3, "render_mode": "ansi"}
    singles = [RenderCollection(gym.make("QAS-TFIM-v0", **single)) for _ in range(3)]
    assert ours.render_mode == theirs.render_mode == singles[0].render_mode == "ansi_list"
    for k, env in enumerate(singles):
        env.reset(seed=k)
    ours.reset(seed=0)
    theirs.reset(seed=0)
    for step, action in enumerate((0, 1, 4, 5, 2)):
        ours.step([action] * 3)
        theirs.step([action] * 3)
        for env in singles:
            if step == 3:
                env.reset()  # after the third gate the budget is exhausted
            else:
                env.step(action)
        if step != 0:
            expected = [env.render() for env in singles]
            assert [len(frames) for frames in expected] == [{1: 3, 2: 1, 3: 1, 4: 1}[step]] * 3
            same_frames(ours.render(), expected)
            same_frames(theirs.render(), expected)
    assert ours.render() == theirs.render() == ([], [], [])


def test_lists_of_pictures() -> None:
    pytest.importorskip("matplotlib")
    settings = {"num_qubits": 2, "max_gates": 3}
    ours = gym.make("QAS-TFIM-v0", render_mode="rgb_array_list", **settings)  # in all of Gymnasium's own wrappers
    envs = gym.make_vec("QAS-TFIM-v0", 1, render_mode="rgb_array_list", **settings)
    theirs = RenderCollection(gym.make("QAS-TFIM-v0", render_mode="rgb_array", **settings))
    for env in (ours, envs, theirs):
        env.reset(seed=0)
        env.step([3] if env is envs else 3)
    expected = theirs.render()
    assert len(expected) == 2 and (expected[0] != expected[1]).any()
    same_frames([ours.render()], [expected])
    same_frames(envs.render(), [expected])
    assert ours.render() == [] and envs.render() == ([],)


def same_frames(left: Any, right: Any) -> None:
    for one, other in zip(left, right, strict=True):
        assert isinstance(one, list) and len(one) == len(other)
        for frame, expected in zip(one, other, strict=True):
            np.testing.assert_array_equal(frame, expected)


def test_lists_of_frames_where_the_last_step_resets() -> None:
    ours = gym.make_vec("QAS-TFIM-v0", 2, num_qubits=2, max_gates=2, autoreset_mode="SameStep", render_mode="ansi_list")
    ours.reset(seed=0)
    ours.step([0, 0])
    assert [len(frames) for frames in ours.render()] == [2, 2]
    ours.step([1, 1])
    assert [len(frames) for frames in ours.render()] == [1, 1], "the reset has cleared the frames"


@pytest.mark.parametrize("num_envs", [0, -1, 2.0, "3", None, True])
def test_the_number_of_environments(num_envs: Any) -> None:
    with pytest.raises(ValueError, match="`num_envs` must be an integer of at least 1"):
        gym.make_vec("QAS-TFIM-v0", num_envs)


@pytest.mark.parametrize("encoding", [{"name": "tensor", "angles": True}, {"name": "gates", "threshold": True}])
def test_observations_that_are_not_copied(encoding: dict[str, Any]) -> None:
    """They have the same values, until the next step changes them; nobody else can."""
    settings = {"num_qubits": 2, "max_gates": 3, "encoding": encoding, "autoreset_mode": "SameStep"}
    shared, copied = (gym.make_vec("QAS-TFIM-v0", 3, copy=copy, **settings) for copy in (False, True))
    rng = np.random.default_rng(0)
    infos = shared.reset(seed=0)[1]
    copied.reset(seed=0)
    actions = legal(infos["action_mask"], rng)
    one, other = shared.step(actions), copied.step(actions)
    before = one[0]
    for _ in range(8):
        np.testing.assert_array_equal(one[0], other[0])
        assert np.shares_memory(one[0], before) and not np.shares_memory(other[0], before)
        with pytest.raises(ValueError, match="read-only"):
            one[0][0, 0] = 7.0
        other[0][:] = 7.0
        actions = legal(one[-1]["action_mask"], rng)
        one, other = shared.step(actions), copied.step(actions)
        if "final_obs" in one[-1]:
            for k in np.flatnonzero(one[-1]["_final_obs"]):
                np.testing.assert_array_equal(one[-1]["final_obs"][k], other[-1]["final_obs"][k])
    with pytest.raises(ValueError, match="copy"):
        gym.make_vec("QAS-TFIM-v0", 2, device="cpu", copy=False)


def test_how_many_threads() -> None:
    """Several where optimisations are long, and one for a while after several saved nothing."""
    choice = ThreadChoice(4)
    assert choice.number() == 1
    choice.learn(1, wall=1e-5, processor=1e-5)
    assert choice.number() == 1
    choice.learn(1, wall=5e-3, processor=1e-3)  # a busy machine
    assert choice.number() == 4
    choice.learn(4, wall=3e-4, processor=1e-3)
    assert choice.number() == 4
    choice.learn(4, wall=2e-3, processor=1e-3)
    for _ in range(PAUSE):
        assert choice.number() == 1
        choice.learn(1, wall=1e-3, processor=1e-3)
    assert choice.number() == 4
    choice.learn(4, wall=1e-5, processor=2e-5)
    assert choice.number() == 1

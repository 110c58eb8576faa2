"""Environments as tensors of PyTorch, against those over arrays of NumPy, which equal single environments."""

from __future__ import annotations

import json
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from qas_envs.vector import DeviceVectorEnv
from qas_envs.vector.rules import picked
from qas_simulators.cuda.batch import TensorBatch
from tests.conftest import steady
from tests.qas_envs.test_rules_of_many import GATES, HALTING, SETTINGS, OddCurriculum, OddMask, OddReward
from tests.qas_envs.test_vector import same

torch = pytest.importorskip("torch")

ON_DEVICE = [settings for settings in SETTINGS if settings.get("encoding") not in ("pauli", "graph")]


def on_host(value: Any) -> Any:
    """Return tensors as arrays."""
    if isinstance(value, dict):
        return {key: on_host(one) for key, one in value.items()}
    return value.numpy() if isinstance(value, torch.Tensor) else value


def close(one: Any, other: Any) -> None:
    """Require equality, of numbers to rounding; of types exactly."""
    if isinstance(one, dict):
        for key in one:
            close(one[key], other[key])
        return
    assert one.dtype == other.dtype and one.shape == other.shape
    if one.dtype.kind == "f":
        np.testing.assert_allclose(one, other, atol=1e-6 if one.dtype == np.float32 else 1e-11)
    else:
        np.testing.assert_array_equal(one, other)


def both(mode: str, number: int = 4, **rules: Any) -> tuple[Any, Any]:
    rules = {"num_qubits": 3, "max_gates": 5, "optimizer": "none", "gates": GATES, "autoreset_mode": mode, **rules}
    return (
        gym.make_vec("QAS-TFIM-v0", number, device="cpu", **rules).unwrapped,
        gym.make_vec("QAS-TFIM-v0", number, **rules).unwrapped,
    )


@pytest.mark.parametrize(
    "settings",
    [pytest.param(one, marks=pytest.mark.slow) if k % 2 else one for k, one in enumerate(ON_DEVICE)],
    ids=steady,
)
def test_the_same_on_tensors(settings: dict[str, Any]) -> None:
    compare_steps(settings, "SameStep")


@pytest.mark.parametrize(  # all: python -m pytest tests/qas_envs/test_device_vector.py -m "slow or not slow"
    "settings",
    [pytest.param(one, marks=pytest.mark.slow) if k % 4 else one for k, one in enumerate(ON_DEVICE)],
    ids=steady,
)
def test_the_same_on_tensors_with_resets_in_the_next_step(settings: dict[str, Any]) -> None:
    compare_steps(settings, "NextStep")


def compare_steps(settings: dict[str, Any], mode: str) -> None:
    """Everything that a step returns, illegal actions included; without random halting, which draws elsewhere."""
    ours, theirs = both(mode, **{name: value for name, value in settings.items() if name != "halting"})
    rng, ends = np.random.default_rng(1), 0
    one, other = ours.reset(seed=3), theirs.reset(seed=3)
    for _ in range(25):
        infos = {key: value for key, value in one[-1].items() if not key.startswith("final")}
        close(on_host(infos), other[-1])
        for left, right in zip(one[:-1], other[:-1], strict=True):
            close(on_host(left), right)
        over = other[2] | other[3] if len(other) == 5 else np.zeros(4, dtype=np.bool_)
        if mode == "SameStep" and over.any():
            ended = np.flatnonzero(over)
            np.testing.assert_array_equal(one[-1]["final_rows"], ended)
            final = other[-1]["final_info"]
            close(on_host(one[-1]["final_info"]), {name: final[name][ended] for name in one[-1]["final_info"]})
            for place, row in enumerate(ended):
                close(on_host(picked(one[-1]["final_obs"], place)), other[-1]["final_obs"][row])
        ends += int(over.sum())
        masks = other[-1]["action_mask"]
        legal = (rng.random(masks.shape) * masks).argmax(axis=1)
        actions = np.where(rng.random(4) < 0.8, legal, rng.integers(masks.shape[1], size=4))
        one, other = ours.step(torch.from_numpy(actions)), theirs.step(actions)
    assert ends > 5
    for row in range(4):
        circuit, expected = ours.circuit(row), theirs.envs[row].circuit
        np.testing.assert_array_equal(circuit.table, expected.table)
        np.testing.assert_allclose(circuit.params, expected.params, atol=1e-6)


def test_random_halting() -> None:
    """Lengths lie in the range of the rule, and the same seed gives the same ones."""
    found = []
    for _ in range(2):
        envs, _ = both("SameStep", 64, halting=HALTING, max_gates=30, mask="none")
        envs.reset(seed=5)
        lengths = []
        for _ in range(12):
            *_, infos = envs.step(np.ones(64, dtype=np.int64))
            lengths += infos["final_info"]["num_gates"].tolist()
        assert {*lengths} <= {2, 3, 4, 5} and len({*lengths}) > 2  # the cut comes after the step of that number
        found.append(lengths)
    assert found[0] == found[1]


def test_kernels_of_a_gpu_change_the_tensors_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under numba's simulator of a GPU: scans and minimisations, some rows only, without a copy of the circuits."""
    optimizer = {"name": "scan_lbfgs", "max_iterations": 3}
    rules = {"num_qubits": 2, "optimizer": optimizer, "gates": ["cx", "ry"], "max_gates": 3}
    simulator = {"name": "statevector", "device": "cuda"}
    ours = gym.make_vec("QAS-TFIM-v0", 3, device="cpu", simulator=simulator, **rules).unwrapped
    theirs = gym.make_vec("QAS-TFIM-v0", 3, **rules).unwrapped
    one, other = ours.reset(seed=0), theirs.reset(seed=0)
    calls, solve = [], TensorBatch.solve
    monkeypatch.setattr(TensorBatch, "solve", lambda *own: calls.append(len(own[2])) or solve(*own))
    for actions in ([2, 3, 2], [2, 2, 3], [0, 1, 0]):  # the second begins with an illegal action
        one, other = ours.step(actions), theirs.step(actions)
        for name in ("energy", "evaluations", "gradients", "num_params"):
            np.testing.assert_allclose(one[4][name].numpy(), other[4][name], atol=1e-9)
        np.testing.assert_allclose(one[0].numpy(), other[0], atol=1e-6)
    assert calls == [3, 2, 3]


def test_a_step_that_fails_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    envs, calm = both("SameStep", optimizer="scan_lbfgs")[0], both("SameStep", optimizer="scan_lbfgs")[0]
    envs.reset(seed=0)
    calm.reset(seed=0)
    for step in range(6):
        actions = [step, 2 * step, 3, 1 + step]
        with monkeypatch.context() as broken:
            broken.setattr(type(envs._episodes), "figures", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                envs.step(actions)
        one, other = envs.step(actions), calm.step(actions)
        assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])


def test_bad_arguments() -> None:
    envs, _ = both("Disabled", illegal="raise")
    with pytest.raises(ResetNeeded):
        envs.step([0, 1, 2, 3])
    envs.reset(seed=0)
    for actions, message in (
        ([0, 1, 2], "be 4 integers"),
        ([0.5, 1, 2, 3], "be 4 integers"),
        ([0, 1, 2, 99], r"integers in 0\.\."),
        ([0, -1, 2, 3], r"integers in 0\.\."),
    ):
        with pytest.raises(ValueError, match=message):
            envs.step(actions)
    envs.step([0, 0, 0, 0])
    with pytest.raises(ValueError, match="be legal"):
        envs.step([1, 0, 1, 1])
    assert envs.step([1, 2, 3, 1])[4]["num_gates"].tolist() == [2, 2, 2, 2]
    for actions in ([0, 1, 2, 0], [1, 2, 3, 1], [0, 1, 2, 0]):
        envs.step(actions)
    with pytest.raises(ResetNeeded):
        envs.step([1, 2, 3, 1])
    _, infos = envs.reset(options={"reset_mask": torch.tensor([True, False, False, True])})
    assert infos["num_gates"].tolist() == [0, 5, 5, 0]
    for options in ({"seed": 3}, {"reset_mask": [True]}):
        with pytest.raises(ValueError, match="reset_mask"):
            envs.reset(options=options)
    with pytest.raises(ValueError, match=r"0\.\.3"):
        envs.circuit(4)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"encoding": "graph"}, "`encoding` must have methods for many"),
        ({"reward": OddReward()}, "`reward` must have methods for many"),
        ({"mask": OddMask}, "`mask` must have methods for many"),
        ({"curriculum": OddCurriculum(1.0)}, "`curriculum` must have methods for many"),
        ({"vary": {"field": (0.5, 1.5)}}, "families"),
        ({"optimizer": "cobyla"}, "optimisers of single circuits"),
        ({"shared_curriculum": True}, "shared_curriculum"),
        ({"device": "nowhere"}, r"Unknown device 'nowhere'\. Choices: cpu, cuda"),
        ({"num_threads": 0}, "num_threads"),
    ],
    ids=steady,
)
def test_what_does_not_fit_is_refused(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gym.make_vec("QAS-TFIM-v0", 2, **({"num_qubits": 2, "device": "cpu"} | rules))


def test_spaces_hold_what_is_returned() -> None:
    envs = gym.make_vec("QAS-TFIM-v0", 2, num_qubits=2, device="cpu").unwrapped
    assert isinstance(envs, DeviceVectorEnv)
    observations, infos = envs.reset(seed=0)
    assert envs.observation_space.contains(observations.numpy())
    assert envs.action_space.contains(infos["action_mask"].argmax(1).numpy())
    assert envs.action_masks().dtype == torch.bool
    envs.close()


STATES: list[dict[str, Any]] = [
    {"curriculum": {"name": "staged", "thresholds": [1.4, 0.9, None], "successes": 2}, "encoding": {"name": "tensor"}},
    {"actions": "blocks", "gates": None, "max_gates": 12, "mask": "canonical", "stop": True},
    {"gadgets": "grl", "mask": "none", "encoding": {"name": "tensor", "tokens": True}, "halting": HALTING},
]


@pytest.mark.parametrize("mode", ["NextStep", "Disabled"])
@pytest.mark.parametrize("settings", STATES, ids=["staged", "blocks", "gadgets"])
def test_restored_environments_continue_alike(settings: dict[str, Any], mode: str) -> None:
    """Through JSON, into other environments in the middle of their episodes: all later steps are the same."""
    settings = {name: value for name, value in settings.items() if value is not None}
    if "actions" in settings:
        settings["gates"] = "ibm"
    (ours, _), (twin, _) = both(mode, **settings), both(mode, **settings)
    rng = np.random.default_rng(0)
    _, infos = ours.reset(seed=3)
    twin.reset(seed=4)
    twin.step(twin.action_masks().long().argmax(1))

    def steps(envs: Any, infos: Any, seed: int, number: int) -> list[Any]:
        rng, found = np.random.default_rng(seed), []
        for _ in range(number):
            masks = infos["action_mask"].numpy()
            observations, rewards, terminated, truncated, infos = envs.step((rng.random(masks.shape) * masks).argmax(1))
            found.append(on_host({"seen": observations, "rewards": rewards, "over": terminated | truncated, **infos}))
            if mode == "Disabled":
                _, infos = envs.reset(options={"reset_mask": terminated | truncated})
        return [infos, *found]

    infos = steps(ours, infos, int(rng.integers(9)), 7)[0]
    arrays, numbers = ours.state()
    arrays = {name: array.copy() for name, array in arrays.items()}
    twin.restore(arrays, json.loads(json.dumps(numbers)))
    for name, array in twin.state()[0].items():
        np.testing.assert_array_equal(array, arrays[name], err_msg=name)
    for one, other in zip(steps(ours, infos, 5, 9)[1:], steps(twin, infos, 5, 9)[1:], strict=True):
        assert one.keys() == other.keys()
        for name, value in one.items():
            same(value, other[name])
    histories = twin.histories([2, 0])
    for row, circuit, actions in zip([2, 0], twin.circuits([2, 0]), histories, strict=True):
        np.testing.assert_array_equal(circuit.table, twin.circuit(row).table)
        assert sum(twin._env.catalogue.num_gates[action] for action in actions[actions >= 0]) + (
            twin._env.initial.num_gates
        ) == (circuit.num_gates)


def test_states_that_do_not_fit_are_refused() -> None:
    envs, _ = both("Disabled", **STATES[0])
    envs.reset(seed=0)
    envs.step(envs.action_masks().long().argmax(1))
    arrays, numbers = envs.state()
    for name, place, value, message in (
        ("curriculum.stage", 0, 3, "be at most 2"),
        ("curriculum.threshold", 0, np.inf, "be finite"),
        ("wasted", 0, 99, "be at most 5"),
        ("actions", (0, 0), 99, "be at most"),
    ):
        changed = {key: array.copy() for key, array in arrays.items()}
        changed[name][place] = value
        with pytest.raises(ValueError, match=message):
            envs.restore(changed, numbers)
    with pytest.raises(ValueError, match="be the state of a PCG64"):
        envs.restore(arrays, {"rng": {"state": 1}})
    with pytest.raises(ValueError, match=r"be \['rng'\]"):
        envs.restore(arrays, {})
    with pytest.raises(ValueError, match="be float64 of shape"):
        envs.restore({**arrays, "energy": arrays["energy"][:2]}, numbers)
    for name, array in envs.state()[0].items():
        np.testing.assert_array_equal(array, arrays[name])
    with pytest.raises(ValueError, match=r"be integers in 0\.\.3"):
        envs.circuits([4])

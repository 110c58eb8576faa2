"""Every built-in rule computes for many environments at once what it computes for each alone, bit for bit."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from qas_envs.catalogue import ActionCatalogue
from qas_envs.curricula import CURRICULA, MovingThreshold
from qas_envs.encodings import ENCODINGS
from qas_envs.encodings.tensor import TensorEncoder, TensorEncoding
from qas_envs.halting import NegativeBinomialHalting
from qas_envs.masks import MASKS, FrontierMask
from qas_envs.rewards import REWARDS, FixedEnds, Transition
from qas_envs.vector.arrays import ArrayEngine
from qas_envs.vector.episodes import EpisodeArrays
from qas_envs.vector.rules import LoopedCurricula, LoopedEncoders, LoopedMasks, own_method
from tests.conftest import steady
from tests.qas_envs.test_vector import same

GATES = ["cx", "h", "ry", "rz"]
BLOCKS = {"actions": "blocks", "max_gates": 12}
GADGETS = {"gadgets": "grl"}
HALTING = {"name": "negative_binomial", "n": 5, "p": 0.5, "low": 1, "high": 4}
MOVING = {"name": "moving", "initial": 2.4, "shift_time": 3, "successes": 2, "radius_shifts": 3, "amortisation": 0.3}
STAGED = {"name": "staged", "thresholds": [1.4, 0.9, None], "successes": 2}
EASY = {"name": "fixed", "threshold": 0.9}
TENSOR = {"name": "tensor", "threshold": True, "angles": True}

SETTINGS: list[dict[str, Any]] = [
    *({"reward": reward, "curriculum": EASY} for reward in REWARDS),
    {"reward": {"name": "qaser", "bonus": None}, "gates": ["h", "cz"], "curriculum": EASY},
    {"reward": {"name": "log_error", "bonus": 3.0, "floor": 0.5}, "curriculum": EASY},
    {"curriculum": MOVING},
    {"curriculum": {**MOVING, "reference": "ground", "initial": 1.4, "switch": 0.6}},
    {"curriculum": STAGED},
    {"curriculum": {**STAGED, "in_a_row": True, "thresholds": [1.2, 0.6]}},
    *({"mask": mask} for mask in MASKS),
    {"mask": "commuting", "gates": ["h", "t", "cx"]},
    {"mask": "canonical", **GADGETS},
    {"mask": "frontier", **GADGETS},
    {"mask": "none", **GADGETS, "encoding": {**TENSOR, "tokens": True}},
    {**BLOCKS},
    {**BLOCKS, "mask": "frontier", "num_qubits": 2},
    {**BLOCKS, "mask": "canonical", "stop": True, "num_qubits": 2},
    {**BLOCKS, "encoding": "hamiltonian_graph"},
    {"encoding": "hamiltonian_graph", "mask_in_observation": True},
    {"encoding": TENSOR, "initial": "product_state"},
    {"encoding": {"name": "tensor", "energy": False}, "stop": True},
    {"encoding": {"name": "gates", "threshold": True}, "initial": "product_state", **GADGETS},
    {"encoding": "pauli"},
    {"encoding": "graph", "mask_in_observation": "rllib"},
    {"halting": HALTING, "encoding": TENSOR, "mask_in_observation": True},
    {"halting": {**HALTING, "terminates": True, "draws": 3}},
    {"optimizer": {"name": "scan_lbfgs", "when": "end"}, "stop": True, "halting": HALTING},
    {"optimizer": {"name": "scan_lbfgs", "when": "end"}, "reward": "priced", **BLOCKS},
    {"optimizer": {"name": "scan_lbfgs", "starts": 2, "warm": False}},
    {"optimizer": {"name": "scan_lbfgs", "starts": 1, "scan_all": True}, **BLOCKS},
    {"optimizer": "scan_lbfgs", "noise": "percent_1_5", **GADGETS},
]


def play(
    settings: dict[str, Any], mode: AutoresetMode, steps: int, is_legal: float = 0.8, **objects: Any
) -> tuple[Any, int, int]:
    """Play at random in our environments and in Gymnasium's of single ones; return ours, ends, and successes."""
    rules = {"num_qubits": 3, "max_gates": 5, "optimizer": "none", "gates": GATES, **settings, **objects}
    ours = gym.make_vec("QAS-TFIM-v0", 4, num_threads=1, autoreset_mode=mode.value, **rules).unwrapped
    theirs = SyncVectorEnv([lambda: gym.make("QAS-TFIM-v0", **rules).unwrapped] * 4, autoreset_mode=mode)
    rng, ends, successes = np.random.default_rng(1), 0, 0
    one, other = ours.reset(seed=3), theirs.reset(seed=3)
    for _ in range(steps):
        same_values(one, other)
        masks = one[-1]["action_mask"]
        legal = (rng.random(masks.shape) * masks).argmax(axis=1)
        actions = np.where(rng.random(4) < is_legal, legal, rng.integers(masks.shape[1], size=4))
        one, other = ours.step(actions), theirs.step(actions)
        ends += int((one[2] | one[3]).sum())
        successes += int(one[-1].get("final_info", one[-1])["success"].sum())
    same_values(one, other)
    for k, env in enumerate(theirs.envs):
        assert ours._engine._episodes.circuits.circuit(k) == env.circuit
    return ours, ends, successes


def same_values(one: Any, other: Any) -> None:
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            same_values(one[key], other[key])
    elif isinstance(one, tuple) and not hasattr(one, "nodes"):
        for left, right in zip(one, other, strict=True):
            same_values(left, right)
    elif isinstance(one, np.ndarray) and one.dtype == object:
        for left, right in zip(one, other, strict=True):
            assert (left is None) == (right is None)
            if left is not None:
                same_values(left, right)
    else:
        same(one, other)
        if isinstance(one, np.ndarray):
            assert one.dtype == other.dtype


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP], ids=["same", "next"])
@pytest.mark.parametrize("settings", SETTINGS, ids=steady)
def test_a_rule_of_many_is_the_rule_of_each(settings: dict[str, Any], mode: AutoresetMode) -> None:
    """Everything that a step returns, types included, with illegal actions now and then."""
    ours, ends, successes = play(settings, mode, steps=40)
    assert ends > 8 and isinstance(ours._engine, ArrayEngine)
    assert successes > 0 or not {"reward", "curriculum"} & {*settings}


def test_which_built_in_rules_are_called_one_by_one() -> None:
    """Only encodings whose observations have no fixed size, or need the state of each circuit."""
    catalogue = ActionCatalogue(2)
    assert all(own_method(make(catalogue), "for_many") for make in MASKS.values())
    assert all(own_method(make(), "of_each") for make in REWARDS.values())
    single = {name for name, kind in CURRICULA.items() if "end_each" not in vars(kind)}
    assert single == {"scheduled"}, "it needs a family, and families are stepped one by one"
    looped = set()
    for name in ENCODINGS:
        envs = gym.make_vec("QAS-TFIM-v0", 2, num_qubits=2, encoding=name).unwrapped
        envs.reset(seed=0)
        envs.step([0, 1])
        if isinstance(envs._engine._episodes.encoders, LoopedEncoders):
            looped.add(name)
    assert looped == {"pauli", "graph"}


class OddReward(FixedEnds):
    """A reward of someone's own, which knows one environment at a time."""

    def __call__(self, transition: Transition) -> float:
        return 2.0 * super().__call__(transition) + transition.depth


class OddMask(FrontierMask):
    """Also forbids the first action after an odd one."""

    def update(self, action: int) -> None:
        super().update(action)
        if action % 2:
            self.array[0] = 0


class OddCurriculum(MovingThreshold):
    """Keeps a list."""

    energies: list[float]

    def start(self, problem: Any) -> None:
        super().start(problem)
        self.energies = []

    def observe(self, energy: float) -> None:
        self.energies.append(energy)
        super().observe(min(self.energies[-5:]))


class OddEncoder(TensorEncoder):
    def append(self, operation: int) -> None:
        super().append(operation)
        self.vector[0] = operation


class OddEncoding(TensorEncoding):
    def bind(self, *arguments: Any) -> Any:
        _, catalogue, max_gates, energies = arguments
        encoder = OddEncoder(energies, catalogue, max_gates, self)
        encoder.space.high[0] = len(catalogue)
        return encoder


class OddHalting(NegativeBinomialHalting):
    def sample(self, rng: np.random.Generator) -> int | None:
        return None if rng.random() < 0.5 else 2


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP], ids=["same", "next"])
@pytest.mark.parametrize(
    ("rules", "part"),
    [
        ({"reward": OddReward()}, None),
        ({"mask": OddMask}, LoopedMasks),
        ({"curriculum": OddCurriculum(2.4, amortisation=0.3, shift_time=3)}, LoopedCurricula),
        ({"encoding": OddEncoding(threshold=True)}, LoopedEncoders),
        ({"halting": OddHalting()}, None),
    ],
    ids=["reward", "mask", "curriculum", "encoding", "halting"],
)
def test_rules_that_know_one_environment_only(rules: dict[str, Any], part: Any, mode: AutoresetMode) -> None:
    """A subclass of a built-in rule does not inherit its methods for many: it may have changed what they rely on."""
    ours, ends, _ = play({}, mode, steps=40, **rules)
    assert ends > 8 and isinstance(ours._engine, ArrayEngine)
    episodes = ours._engine._episodes
    if part is not None:
        assert any(isinstance(own, part) for own in (episodes.masks, episodes.curricula, episodes.encoders))


@pytest.mark.parametrize("settings", [{}, {"curriculum": MOVING, "halting": HALTING, "encoding": TENSOR}, GADGETS])
def test_reading_the_environments_changes_nothing(settings: dict[str, Any]) -> None:
    """Steps with and without a look at the environments in between are the same."""
    rules = {
        "num_qubits": 3,
        "max_gates": 5,
        "optimizer": "none",
        "gates": GATES,
        "autoreset_mode": "SameStep",
        **settings,
    }
    ours, calm = (gym.make_vec("QAS-TFIM-v0", 4, **rules).unwrapped for _ in range(2))
    rng = np.random.default_rng(0)
    one, other = ours.reset(seed=1), calm.reset(seed=1)
    for step in range(30):
        same_values(one, other)
        masks = one[-1]["action_mask"]
        if step % 3 == 0:
            for k, env in enumerate(ours.envs):
                np.testing.assert_array_equal(env.episode.mask.array, masks[k])
                assert env.energy == one[-1]["energy"][k] and env.circuit.depth() == one[-1]["depth"][k]
                single = env.observe()
                np.testing.assert_array_equal(single, one[0][k])
        actions = (rng.random(masks.shape) * masks).argmax(axis=1)
        one, other = ours.step(actions), calm.step(actions)


@pytest.mark.parametrize("settings", [{}, {"curriculum": MOVING, "halting": HALTING}, {"encoding": TENSOR, **GADGETS}])
def test_a_failure_in_the_middle_of_a_step(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every part fails once; afterwards the environments are as they were, and continue like others."""
    rules = {"num_qubits": 3, "max_gates": 4, "autoreset_mode": "SameStep", **settings}
    ours, calm = (gym.make_vec("QAS-TFIM-v0", 4, **rules).unwrapped for _ in range(2))
    rng, failed, stepped = np.random.default_rng(0), 0, None
    one, _ = ours.reset(seed=1), calm.reset(seed=1)
    for step in range(36):
        masks = one[-1]["action_mask"]
        actions = (rng.random(masks.shape) * masks).argmax(axis=1)
        # without halting, episodes end at every fourth step
        name = "reset" if step % 4 == 3 else ("_append", "_record", "observe", "figures", "end_step")[step % 5]
        with monkeypatch.context() as broken:
            broken.setattr(EpisodeArrays, name, fails_once(getattr(EpisodeArrays, name)))
            try:
                stepped = ours.step(actions)
            except KeyboardInterrupt:
                failed, stepped = failed + 1, None
        one, other = ours.step(actions) if stepped is None else stepped, calm.step(actions)
        same_values(one, other)
    assert failed > 30, "all but some resets, where no episode ended"


def fails_once(method: Any) -> Any:
    """Return a method that raises after its first call."""
    calls: list[int] = []

    def failing(*arguments: Any, **named: Any) -> Any:
        result = method(*arguments, **named)
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return result

    return failing

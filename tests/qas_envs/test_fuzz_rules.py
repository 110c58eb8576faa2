"""Hypothesis draws rules, good and bad: they are refused in one line, or the environment keeps its word."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from qas_envs import CircuitBuildingEnv
from qas_envs.catalogue import GATE_SETS, GateSet
from qas_envs.couplings import COUPLINGS
from qas_envs.curricula import CURRICULA
from qas_envs.encodings import ENCODINGS
from qas_envs.gadget_sets import gadget_sets
from qas_envs.halting import HALTINGS
from qas_envs.masks import MASKS
from qas_envs.presets import PRESETS
from qas_envs.rewards import REWARDS
from qas_simulators import Circuit, NoiseModel, PauliTransferSimulator, StatevectorSimulator, reference
from qas_simulators.gates import GATES
from qas_simulators.noise_presets import NOISE_MODELS
from qas_simulators.optimizers import Cobyla, Rotosolve

NUMBERS = st.one_of(
    st.sampled_from([0, 1, 2, 3, 5, 0.5, 1.0, 1e-3, 10]),
    st.sampled_from([-1, float("nan"), float("inf"), 10**9, 10**400, True, None, "3", 2.5, 1e-300]),
)
LISTS = st.lists(NUMBERS, max_size=4)
JUNK = st.one_of(
    st.none(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=3),
    LISTS,
    st.dictionaries(st.sampled_from(["name", "x"]), st.text(max_size=3) | NUMBERS, max_size=2),
    st.sampled_from([object(), int, len, StatevectorSimulator, Circuit, GateSet, b"x", 1j, {1}, np.zeros(2)]),
)
SETTINGS = [
    "bonus",
    "floor",
    "two_qubit",
    "one_qubit",
    "progress",
    "initial",
    "amortisation",
    "shift_time",
    "successes",
]
SETTINGS += ["radius_shifts", "switch", "reference", "threshold", "thresholds", "in_a_row", "parameter", "values", "n"]
SETTINGS += [
    "patience",
    "p",
    "low",
    "high",
    "draws",
    "energy",
    "angles",
    "tokens",
    "max_sweeps",
    "max_evaluations",
    "p1",
]
SETTINGS += ["tolerance", "iterations", "stage_shots", "scan_all", "p2", "level"]


def named(choices: Any) -> st.SearchStrategy[Any]:
    """Mappings with settings that may or may not be those of their name."""
    values = st.one_of(NUMBERS, LISTS, st.booleans(), st.sampled_from(["field", "ground", "lower_bound", "median"]))
    more = st.dictionaries(st.sampled_from(SETTINGS), values, max_size=2)
    return st.builds(lambda name, own: {"name": name, **own}, st.sampled_from([*choices, "nothing"]), more)


ROTATIONS_AND_PAIRS = (("ry", "cx"), ("rx", "rz", "cz"), ("h", "t", "ecr"), ("ry", "rz", "swap", "cx"))
NOISE = NoiseModel.depolarizing(0.01, 0.1).add_readout(0.02, 0.05)
GOOD: dict[str, st.SearchStrategy[Any]] = {
    "gates": st.sampled_from([*GATE_SETS, *ROTATIONS_AND_PAIRS]),
    "encoding": st.sampled_from([*ENCODINGS, {"name": "tensor", "angles": True, "threshold": True}]),
    "reward": st.sampled_from([*REWARDS]),
    "curriculum": st.sampled_from(
        ["fixed", {"name": "moving", "initial": 0.5, "shift_time": 1}, {"name": "staged", "thresholds": [1.0, None]}]
    ),
    "halting": st.sampled_from(["none", {"name": "negative_binomial", "low": 1, "high": 3}]),
    "max_gates": st.integers(1, 6),
    "noise": st.sampled_from([*NOISE_MODELS]),
    "couplings": st.sampled_from(["all", *COUPLINGS]),
    "initial": st.sampled_from(["empty", "basis_state", "product_state", "mps"]),
    "illegal": st.sampled_from(["raise", "skip"]),
    "stop": st.booleans(),
    "mask": st.sampled_from([*MASKS]),
    "gadgets": st.sampled_from([*gadget_sets()]),
    "num_qubits": st.integers(2, 4),
    "field": st.floats(-2.0, 2.0),
}
MORE: dict[str, st.SearchStrategy[Any]] = {
    "vary": st.just({"field": (0.5, 1.5)}),
    "preset": st.sampled_from([*PRESETS]),
    "simulator": st.builds(StatevectorSimulator, shots=st.none() | st.integers(1, 20))
    | st.builds(PauliTransferSimulator, st.just(NOISE), shots=st.none() | st.integers(1, 9)),
}
OPTIMIZER = st.sampled_from(["scan_lbfgs", "none", Cobyla(max_evaluations=8), Rotosolve(max_sweeps=1)])
ODD: dict[str, st.SearchStrategy[Any]] = {
    "gates": st.lists(st.sampled_from([gate.name for gate in GATES if gate.num_params < 2]), max_size=5),
    "encoding": named(ENCODINGS),
    "reward": named(REWARDS),
    "curriculum": named(CURRICULA),
    "halting": named(HALTINGS),
    "optimizer": named(["scan_lbfgs", "none", "rotosolve"]),
    "max_gates": NUMBERS,
    "noise": named(NOISE_MODELS),
    "couplings": st.lists(st.tuples(st.integers(-1, 4), st.integers(0, 3)), max_size=6),
    "initial": st.sampled_from([Circuit(2).h(0).cx(0, 1), Circuit(3).ry(0.3, 1)]),
    "vary": st.dictionaries(st.sampled_from(["field", "coupling", "num_qubits"]), LISTS, max_size=2),
    "num_qubits": NUMBERS.filter(lambda value: value != 10),  # quick instances only
}
ODD_RULE = st.sampled_from([*GOOD, *MORE, "optimizer", "illegal"]).flatmap(
    lambda rule: st.tuples(st.just(rule), JUNK | ODD.get(rule, JUNK))
)
RULES = st.tuples(
    st.fixed_dictionaries({}, optional=GOOD),
    st.none() | st.sampled_from([*MORE]).flatmap(lambda rule: st.tuples(st.just(rule), MORE[rule])),
    st.none() | st.none() | ODD_RULE,
).map(lambda parts: {**parts[0], **dict(part for part in parts[1:] if part is not None)})


def built(rules: dict[str, Any], seed: int) -> CircuitBuildingEnv | None:
    """Return the environment, or None if it is refused as it should be."""
    message = ""
    try:
        env: Any = gym.make("QAS-TFIM-v0", **rules).unwrapped
    except (ValueError, TypeError) as error:
        message = f"{type(error).__name__}: {error}"
    if message:
        assert message.startswith(("ValueError: ", "TypeError: ")) and "\n" not in message and len(message) < 2000
        return None
    assert isinstance(env, CircuitBuildingEnv)
    env.reset(seed=seed)
    return env


def check(env: CircuitBuildingEnv, info: dict[str, Any], observation: Any) -> None:
    """What must hold after every reset and step."""
    assert env.observation_space.contains(observation)
    mask = info["action_mask"]
    assert mask.shape == (env.action_space.n,) and {*mask.tolist()} <= {0, 1} and mask.any()
    assert info["num_gates"] == len(env.circuit) and info["depth"] == env.circuit.depth()
    assert np.isfinite([info[name] for name in ("energy", "energy_error", "threshold")]).all()
    if env.simulator.shots is None:
        noise = getattr(env.simulator, "noise", None)
        hamiltonian = env.problem.hamiltonian if noise is None else noise.measured(env.problem.hamiltonian)
        expected = reference.expectation(env.circuit, hamiltonian, noise)
        assert abs(info["energy"] - expected) < 1e-8, "the energy of another circuit"
        assert info["energy_error"] >= -1e-9


def play(env: CircuitBuildingEnv, seed: int, steps: int = 8) -> list[Any]:
    rng, seen = np.random.default_rng(seed), []
    observation, info = env.reset(seed=seed)
    check(env, info, observation)
    for _ in range(steps):
        action = int(rng.choice(np.flatnonzero(info["action_mask"])))
        observation, reward, terminated, truncated, info = env.step(action)
        check(env, info, observation)
        assert isinstance(reward, float | int) and np.isfinite(reward)
        seen.append((action, reward, terminated, truncated, info["energy"], info["num_gates"]))
        if terminated or truncated:
            observation, info = env.reset()
            check(env, info, observation)
    return seen


def examine(rules: dict[str, Any], optimizer: Any, seed: int) -> None:
    rules = {"max_gates": 4, "num_qubits": 2, "optimizer": optimizer, **rules}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        env = built(rules, seed)
        event("refused" if env is None else "built")
        if env is not None:
            twin = pickle.loads(pickle.dumps(built(rules, seed + 1)))
            assert play(env, seed) == play(twin, seed), "a seed decides everything"


@settings(max_examples=60, deadline=None, suppress_health_check=[*HealthCheck], derandomize=True)
@given(RULES, OPTIMIZER, st.integers(0, 99))
def test_rules_are_refused_or_kept(rules: dict[str, Any], optimizer: Any, seed: int) -> None:
    examine(rules, optimizer, seed)


@pytest.mark.slow
@settings(max_examples=2_000, deadline=None, suppress_health_check=[*HealthCheck])
@given(RULES, OPTIMIZER, st.integers(0, 10_000))
def test_many_more_rules(rules: dict[str, Any], optimizer: Any, seed: int) -> None:
    examine(rules, optimizer, seed)

"""Environments whose actions append gadgets: counts, masks and observations are those of the unrolled gates."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from qas_envs.catalogue import ActionCatalogue
from qas_envs.masks import FrontierMask
from qas_envs.snapshots import restore, state_of
from qas_simulators import Circuit, Gadget, save_gadgets
from qas_simulators.flat_circuit import Link
from qas_simulators.gadgets import Part
from tests.qas_envs.test_environment import build

SETS = ("grl", "excitations", "redundant_cz")
RYRX = Gadget("ryrx", 2, 1, (Part("ry", (0,), (Link(0, 1.0, 0.0),)), Part("rx", (1,), (Link(0, 1.0, 0.0),))))


def walk(env: Any, seed: int, steps: int = 400) -> Any:
    """Yield after random legal steps: action, observation and info."""
    rng = np.random.default_rng(seed)
    _, info = env.reset(seed=seed)
    for _ in range(steps):
        action = int(rng.choice(np.flatnonzero(info["action_mask"])))
        observation, _, terminated, truncated, info = env.step(action)
        yield action, observation, info
        if terminated or truncated:
            _, info = env.reset()


@pytest.mark.parametrize("gadgets", SETS)
@pytest.mark.parametrize(
    "encoding", ["tensor", "graph", *(pytest.param(name, marks=pytest.mark.slow) for name in ("gates", "pauli"))]
)
def test_everything_is_unrolled(gadgets: str, encoding: str) -> None:
    env = build("QAS-H2-v0", gadgets=gadgets, gates="ibm", max_gates=12, encoding=encoding, noise="mumbai")
    check_env(env, skip_render_check=True)
    catalogue, seen = env.catalogue, set()
    for action, observation, info in walk(env, 0):
        seen.add(catalogue.actions[action].gate)
        assert env.observation_space.contains(observation)
        circuit = Circuit(4)
        for used in env.episode.actions:
            catalogue.append(circuit, used)
        names = [catalogue.operations[part] for used in env.episode.actions for part in catalogue.parts[used]]
        assert [(o.gate, o.qubits) for o in names] == [
            (name, tuple(sorted(qubits)) if name == "cz" else qubits) for name, qubits, _ in env.circuit
        ]
        assert circuit.table.tolist() == env.circuit.table.tolist()
        assert info["num_gates"] == sum(catalogue.num_gates[used] for used in env.episode.actions) == len(names)
        assert info["num_two_qubit_gates"] == sum(len(o.qubits) == 2 for o in names)
        assert info["depth"] == env.circuit.depth()
        assert [len(some) for some in env.episode.angles] == [
            catalogue.num_angles[used] for used in env.episode.actions
        ]
        assert env.player.checked(env.episode.actions) is not None
    assert {action.gate for action in catalogue.actions} <= seen, "every gate and gadget was among them"


def test_tokens_mark_the_qubits_and_first_moment_of_gadgets() -> None:
    """RZ·CZ on qubits 2, 0 after a gate on qubit 2: the gates as ever, its token in the second moment on both."""
    settings: dict[str, Any] = {"num_qubits": 3, "gates": "ibm", "gadgets": "grl", "max_gates": 10}
    plain = build("QAS-TFIM-v0", **settings)
    env = build("QAS-TFIM-v0", encoding={"name": "tensor", "tokens": True}, **settings)
    names = [(action.gate, action.qubits) for action in env.catalogue.actions]
    for step in (("sx", (2,)), ("rz_cz", (2, 0)), ("x_sx", (1,))):
        for one in (plain, env):
            if step[0] == "sx":
                one.reset()
            observation, *_ = one.step(names.index(step))
    shape = plain.rules.capacity, 6 * 3
    size = shape[0] * shape[1]
    wide = observation[:-1].reshape(shape[0], -1)
    assert wide.shape[1] == shape[1] + 2 * 3
    np.testing.assert_array_equal(wide[:, : shape[1]].ravel(), plain.encoder.observe(plain.view())[:size])
    tokens = wide[:, shape[1] :].reshape(-1, 2, 3)  # (moment, gadget, qubit)
    assert {tuple(place) for place in np.argwhere(tokens)} == {(1, 0, 0), (1, 0, 2), (0, 1, 1)}
    marked = [label for label, value in zip(env.encoder.labels(), observation, strict=False) if value]
    assert {(1, "rz_cz", (2,)), (1, "rz_cz", (0,)), (0, "x_sx", (1,))} <= {*marked}
    assert len({*env.encoder.names()}) == env.observation_space.shape[0]


def test_gates_keep_their_numbers() -> None:
    plain, grown = ActionCatalogue(3, "ibm"), ActionCatalogue(3, "ibm", stop=True, gadgets=[RYRX])
    assert grown.actions[: len(plain)] == plain.actions and grown.stop == len(grown) - 1
    assert [action.qubits for action in grown.actions[len(plain) :]] == [
        (a, b) for a in range(3) for b in range(3) if a != b
    ]
    assert grown.alphabet.one_qubit == ("sx", "x", "rz", "ry", "rx")
    assert (grown.num_gates[-1], grown.num_two_qubit_gates[-1], grown.num_angles[-1]) == (2, 0, 1)


def test_the_same_gates_are_offered_once() -> None:
    catalogue = ActionCatalogue(3, "ibm", gadgets=build("QAS-H2-v0", gadgets="redundant_cz").catalogue._gadgets[:1])
    assert sum(action.gate == "redundant_cz" for action in catalogue.actions) == 3


def test_a_shared_angle_is_one_angle() -> None:
    env = build("QAS-TFIM-v0", num_qubits=2, gadgets=[RYRX], max_gates=6)
    env.reset()
    action = len(env.catalogue) - 1
    *_, info = env.step(action)
    first, second = env.circuit.angles
    assert (info["num_params"], info["num_gates"]) == (1, 2) and first == second != 0.0
    assert info["energy"] == pytest.approx(env.simulator.expectation(env.circuit, env.problem.hamiltonian))


@pytest.mark.parametrize("gadgets", SETS)
def test_mask_by_its_definition(gadgets: str) -> None:
    """No gate on the frontier is repeated by an action's first gates, and no gadget at once."""
    env = build("QAS-H2-v0", gadgets=gadgets, gates="ibm", max_gates=30)
    catalogue = env.catalogue
    for _, _, info in walk(env, 1, 100):
        last: dict[int, Any] = {}
        owner: dict[int, int] = {}
        for place, used in enumerate(env.episode.actions):
            for part in catalogue.parts[used]:
                last |= dict.fromkeys(catalogue.operations[part].qubits, catalogue.operations[part])
            owner |= dict.fromkeys(catalogue.actions[used].qubits, place)
        for action, parts in enumerate(catalogue.parts):
            touched: set[int] = set()
            legal = True
            for part in parts:
                operation = catalogue.operations[part]
                if not touched & {*operation.qubits} and all(last.get(q) == operation for q in operation.qubits):
                    legal = False
                touched |= {*operation.qubits}
            places = {owner.get(qubit) for qubit in catalogue.actions[action].qubits}
            if len(places) == 1 and len(parts) > 1:
                place = places.pop()
                legal &= place is None or env.episode.actions[place] != action
            assert info["action_mask"][action] == legal, catalogue.actions[action]


def test_budget_is_in_gates() -> None:
    """The last gadget may go beyond it; what observations hold is made for that."""
    env = build("QAS-H2-v0", gadgets="excitations", max_gates=10)
    double = next(k for k, action in enumerate(env.catalogue.actions) if action.gate == "double_excitation")
    env.reset()
    *_, terminated, _, info = env.step(double)
    assert terminated and info["num_gates"] == 28
    assert env.rules.capacity == 37


def test_couplings_confine_gadgets() -> None:
    env = build("QAS-H2-v0", gadgets="grl", gates="ibm", couplings="line")
    pairs = {action.qubits for action in env.catalogue.actions if action.gate == "rz_cz"}
    assert pairs == {(a, b) for a in range(4) for b in range(4) if abs(a - b) == 1}
    with pytest.raises(ValueError, match="fit on 4 qubits and their couplings"):
        build("QAS-H2-v0", gadgets="excitations", couplings="line")


def test_state_vectors_and_pickles() -> None:
    settings: dict[str, Any] = {"gadgets": "excitations", "max_gates": 70, "reward": "priced"}
    env, twin = build("QAS-H2-v0", **settings), build("QAS-H2-v0", **settings)
    list(walk(env, 3, 4))
    restore(twin, state_of(env))
    copy = pickle.loads(pickle.dumps(env))
    for other in (twin, copy):
        assert other.circuit == env.circuit
        np.testing.assert_array_equal(other.action_masks(), env.action_masks())
    envs = gym.make_vec("QAS-H2-v0", num_envs=3, autoreset_mode="Disabled", **settings)
    singles = [build("QAS-H2-v0", **settings) for _ in range(3)]
    rng = np.random.default_rng(0)
    envs.reset(seed=0)
    for single in singles:
        single.reset()
    for _ in range(60):  # about every second action is a gadget; circuits with shared angles and without side by side
        actions = [int(rng.choice(np.flatnonzero(single.action_masks()))) for single in singles]
        observations, *signals, infos = envs.step(np.array(actions))
        steps = [single.step(action) for single, action in zip(singles, actions, strict=True)]
        np.testing.assert_array_equal(observations, np.stack([step[0] for step in steps]))
        for k, signal in enumerate(signals, start=1):
            np.testing.assert_array_equal(signal, [step[k] for step in steps])
        np.testing.assert_array_equal(infos["energy"], [step[4]["energy"] for step in steps])
        over = signals[1] | signals[2]
        if over.any():
            envs.reset(options={"reset_mask": over})
            for single in np.flatnonzero(over):
                singles[single].reset()


def test_bad_gadget_settings(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Did you mean 'grl'"):
        build("QAS-H2-v0", gadgets="gr1")
    with pytest.raises(ValueError, match="objects of class Gadget"):
        build("QAS-H2-v0", gadgets=["grl"])
    with pytest.raises(ValueError, match="different names"):
        build("QAS-H2-v0", gadgets=[RYRX, RYRX])
    with pytest.raises(ValueError, match="where there are gadgets"):
        build("QAS-H2-v0", gadgets="grl", mask="commuting")
    with pytest.raises(ValueError, match="fit on 2 qubits"):
        build("QAS-TFIM-v0", num_qubits=2, gadgets="excitations")
    with pytest.raises(ValueError, match="another one where gadgets share"):
        build("QAS-H2-v0", gadgets="excitations", optimizer="rotosolve")
    save_gadgets([RYRX], tmp_path / "mine.json")
    assert build("QAS-H2-v0", gadgets=str(tmp_path / "mine.json")).catalogue.has_gadgets
    assert FrontierMask(ActionCatalogue(2)).array.all()


def test_a_gadget_with_the_name_of_a_block_gets_a_free_name() -> None:
    """Rounds over blocks learn such gadgets: extraction joins the names of gates, as blocks do."""
    block = gym.make("QAS-TFIM-v0", num_qubits=3, gates="ibm", actions="blocks").unwrapped.catalogue.actions[0].gate
    first = Gadget(block, 2, 0, (Part("cz", (0, 1), ()), Part("sx", (1,), ())))
    second = Gadget(f"{block}_2", 2, 0, (Part("cz", (0, 1), ()), Part("x", (0,), ())))
    env = gym.make("QAS-TFIM-v0", num_qubits=3, gates="ibm", actions="blocks", gadgets=[first, second]).unwrapped
    catalogue = env.catalogue
    assert len({*catalogue.actions}) == len(catalogue.actions)
    assert [name for name in catalogue.gadget_names if name.startswith(block)] == [block, f"{block}_3", f"{block}_2"]
    for name, gates in ((f"{block}_3", {"cz": 1, "sx": 1}), (f"{block}_2", {"cz": 1, "x": 1})):
        circuit = Circuit(3)
        catalogue.append(circuit, next(k for k, action in enumerate(catalogue.actions) if action.gate == name))
        assert circuit.count_ops() == gates

"""Rules of a wrong kind, size or shape: one line at construction, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from qas_envs import make_env
from qas_envs.catalogue import ActionCatalogue, GateSet
from qas_envs.curricula import FixedThreshold, MovingThreshold, ScheduledInstances, StagedThreshold
from qas_envs.encodings import TensorEncoding
from qas_envs.families import Family
from qas_envs.halting import NegativeBinomialHalting
from qas_envs.masks import FrontierMask
from qas_envs.problems import tfim
from qas_envs.rewards import FixedEnds
from qas_envs.rules import Rules
from qas_simulators import Circuit, Gadget, NoiseModel, StatevectorSimulator, load_gadgets
from qas_simulators.flat_circuit import Link
from qas_simulators.gadgets import Part
from qas_simulators.optimizers import ScanLBFGS
from tests.conftest import steady

RULES = ["gates", "encoding", "reward", "curriculum", "halting", "optimizer"]
RULES += ["noise", "drift", "mitigation", "simulator", "couplings", "initial", "mask", "gadgets"]
INF, NAN = float("inf"), float("nan")
NESTED: list[Any] = []
for _ in range(5000):
    NESTED = [NESTED]
WRONG = [5, 2.5, True, b"x", 1j, {1: 2}, {"name": 5}, {"name": ["a"]}, {"title": "x"}, [5], [None], object(), int, len]
WRONG += [lambda: None, np.zeros(3), NAN, 10**5000, "", "\x00", "a" * 10_000, NESTED, {"name": "x" * 10_000, "y": 1}]
CLASSES = [ScanLBFGS, FixedEnds, FixedThreshold, NegativeBinomialHalting, TensorEncoding, StatevectorSimulator]
CLASSES += [NoiseModel, Circuit, Gadget, GateSet]


def refused(make: Callable[..., Any], *arguments: Any, **settings: Any) -> str:
    """Return the message, after checking that it is one line of a ValueError or TypeError."""
    with pytest.raises((ValueError, TypeError)) as raised:
        make(*arguments, **settings)
    message = str(raised.value)
    assert type(raised.value) in (ValueError, TypeError) and 0 < len(message) < 2000 and "\n" not in message
    return message


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_of_a_wrong_kind(rule: str) -> None:
    for value in [*WRONG, *CLASSES]:
        is_function = callable(value) and not isinstance(value, type)
        if (rule == "reward" and is_function) or (rule in ("noise", "drift", "mitigation") and value is None):
            continue  # functions of a transition
        if rule == "mask" and callable(value):
            if value not in (len, int):
                refused(gym.make, "QAS-TFIM-v0", mask=value)
            continue
        message = refused(gym.make, "QAS-TFIM-v0", **{rule: value})
        assert rule.removesuffix("s") in message or "gate" in message, (value, message)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_gates": 10**9}, "`max_gates` must be an integer, at most 100000"),
        ({"max_gates": 99_999, "num_qubits": 12}, "must give observations of at most 16777216 numbers"),
        ({"max_gates": 99_999, "num_qubits": 12, "encoding": {"name": "tensor", "angles": True}}, "16777216 numbers"),
        ({"max_gates": 10**9, "encoding": "gates"}, "`max_gates`"),
        ({"max_gates": 10**9, "encoding": "graph"}, "`max_gates`"),
        ({"max_gates": 10**5000}, "`max_gates` must be an integer, .* but is a int"),
        ({"max_gates": "40"}, "`max_gates` must be an integer"),
        ({"max_gates": True}, "but is True"),
        ({"max_gates": INF}, "but is inf"),
        ({"gates": ["ry", "ry"]}, "`gates` must be different ones, but is \\('ry', 'ry'\\)"),
        ({"gates": []}, "`gates` must give more than"),
        ({"gates": ["cx", "ry", "cx"]}, "`gates` must be different ones"),
        ({"gates": ["ry", 5]}, "list of gates"),
        ({"gates": "ry"}, "Unknown gate set 'ry'"),
        ({"gates": {"ry": 1}}, "`gates` must have a name"),
        ({"couplings": 5}, "`couplings` must be one of .*, but is 5"),
        ({"couplings": [(0, 1.5)]}, "`couplings`"),
        ({"couplings": [(0, 1, 2)]}, "`couplings`"),
        ({"couplings": [0, 1]}, "`couplings`"),
        ({"couplings": {}}, "`couplings` must have a name"),
        ({"couplings": [(0, 9)]}, "different qubits in 0..3"),
        ({"couplings": [(0, INF)]}, "`couplings`"),
        ({"mask": 5}, "`mask` must be a name"),
        ({"mask": {"name": "frontiers"}}, "Unknown mask 'frontiers'.*Did you mean 'frontier'"),
        ({"mask": {"name": "frontier", "size": 3}}, "Unknown setting of mask 'frontier' 'size'"),
        ({"mask": lambda catalogue: 5}, "`mask` must make objects with `array` of 24 entries"),
        ({"mask": lambda catalogue: FrontierMask(ActionCatalogue(2))}, "`mask` must make objects"),
        ({"mask": FrontierMask(ActionCatalogue(4))}, "`mask` must be a name"),
        ({"vary": 5}, "`vary` must be a mapping"),
        ({"vary": 0}, "`vary` must be a mapping"),
        ({"vary": []}, "`vary` must be a mapping"),
        ({"vary": "field"}, "`vary` must be a mapping"),
        ({"vary": {"field": 5}}, r"`vary\['field'\]` must be \(low, high\)"),
        ({"vary": {"field": "ab"}}, r"be \(low, high\)"),
        ({"vary": {"field": ("a", "b")}}, r"be \(low, high\)"),
        ({"vary": {"field": {"train": 5}}}, r"be \(low, high\)"),
        ({"vary": {"field": {5: (0, 1)}}}, "Unknown split 5"),
        ({"vary": {"field": (0.5, 10**400)}}, r"be \(low, high\)"),
        ({"vary": {"field": (False, True)}}, r"be \(low, high\)"),
        ({"vary": {5: (0.5, 1.0)}}, "Unknown setting of problem 'tfim' 5"),
        ({"vary": {"num_qubits": (2, 4)}}, "`vary` must keep the qubits"),
        ({"vary": {"num_qubits": [4, 4, 5]}}, "`vary` must keep the qubits"),
        ({"vary": {"num_qubits": (4, 10**6)}}, "`num_qubits` must"),
        ({"vary": {"field": (0.5, 1.0)}, "curriculum": {"name": "staged", "thresholds": [0.1]}}, "instances vary"),
        ({"reward": {"name": "priced", "two_qubit": NAN}}, "`two_qubit` must be of type float"),
        ({"reward": {"name": "crlqas", "bonus": INF}}, "`bonus` must be of type float, numbers finite, but is inf"),
        ({"reward": {"name": "crlqas", "bonus": "5"}}, "`bonus`"),
        ({"reward": {"name": "crlqas", "bonus": 10**400}}, "`bonus`"),
        ({"reward": {"name": "crlqas", "bonus": [5]}}, "`bonus`"),
        ({"reward": {"bonus": 5}}, "`reward` must have a name"),
        ({"reward": {"name": "crlqas", "bonus": 5, "floor": 1}}, "Unknown setting of reward 'crlqas' 'floor'"),
        ({"reward": {"name": "crlqas", 5: 5}}, "Unknown setting of reward 'crlqas' 5"),
        ({"curriculum": {"name": "moving"}}, "needs the setting `initial`"),
        ({"curriculum": {"name": "moving", "initial": 1.0, "switch": NAN}}, "`switch`"),
        ({"curriculum": {"name": "staged", "thresholds": 5}}, "`thresholds`"),
        ({"curriculum": {"name": "staged", "thresholds": "ab"}}, "`thresholds`"),
        ({"curriculum": {"name": "staged", "thresholds": [0.1, "a"]}}, "`thresholds`"),
        ({"curriculum": {"name": "staged", "thresholds": [INF, 1.0]}}, "`thresholds`"),
        ({"curriculum": {"name": "scheduled", "parameter": "field", "values": 1.0}}, "`values`"),
        ({"curriculum": {"name": "scheduled", "parameter": 5, "values": [1.0]}}, "`parameter`"),
        ({"curriculum": {"name": "scheduled", "parameter": "field", "values": [1.0]}}, "`vary`"),
        ({"halting": {"name": "negative_binomial", "draws": 10**12}}, "`draws`"),
        ({"halting": {"name": "negative_binomial", "high": 10**12}}, "`high`"),
        ({"halting": {"name": "negative_binomial", "n": 10**30}}, "`n`"),
        ({"halting": {"name": "negative_binomial", "p": 1e-300}}, "`p`"),
        ({"halting": {"name": "negative_binomial", "high": 10}}, "`low` must be an integer in 0..10"),
        ({"optimizer": {"name": "adam_spsa", "iterations": 5}}, "`iterations`"),
        ({"optimizer": {"name": "adam_spsa", "iterations": ["a"]}}, "`iterations`"),
        ({"optimizer": {"name": "cobyla", "tolerance": INF}}, "`tolerance`"),
        ({"noise": {"name": "depolarizing", "p1": NAN}}, "`p1`"),
        ({"noise": {"name": "mumbai", "level": 5}}, "`level`"),
        ({"simulator": 5}, "`simulator` must be a name"),
        ({"simulator": ["statevector"]}, "`simulator` must be a name"),
        ({"simulator": "statevektor"}, "Did you mean 'statevector'"),
        ({"simulator": {"shots": 0}}, "`shots`"),
        ({"simulator": {"shots": True}}, "`shots`"),
        ({"simulator": {"shots": 10}}, "`optimizer` must be one that works with shots"),
        ({"simulator": {"shot_noise": "none"}}, "Unknown shot noise 'none'"),
        ({"simulator": {"noise": "mumbai"}}, "Unknown setting of simulator 'auto' 'noise'"),
        ({"simulator": "statevector", "noise": "mumbai"}, "where there is noise"),
        ({"initial": ["h"]}, "`initial` must be a name, .*, OpenQASM text, or None"),
        ({"initial": Circuit(7)}, "`initial` must have 4 qubits"),
        ({"illegal": ["raise"]}, "Unknown treatment of illegal actions"),
        ({"stop": 1}, "`stop`"),
        ({"preset": 5}, "Unknown preset 5"),
        ({"preset": ["default"]}, "Unknown preset"),
        ({"render_mode": 5}, "`render_mode`"),
        ({"render_mode": "human_list"}, "`render_mode`"),
        ({"num_qubits": 4.0}, "`num_qubits` must be of type int"),
        ({"num_qubits": True}, "`num_qubits`"),
        ({"field": NAN}, "`field`"),
        ({"field": None}, "`field`"),
        ({"fields": 1.0}, "Did you mean 'field'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_in_one_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message) as raised:
        gym.make("QAS-TFIM-v0", **settings)
    refused(gym.make, "QAS-TFIM-v0", **settings)
    assert type(raised.value) in (ValueError, TypeError)


def test_what_make_env_and_rules_refuse_by_themselves() -> None:
    assert "problem" in refused(make_env, 5)
    assert "problem" in refused(make_env, ["tfim"])
    assert "`problem_settings`" in refused(make_env, "tfim", problem_settings=5)
    assert "`vary`" in refused(make_env, tfim(2), vary={"field": (0.5, 1.0)})
    assert "unexpected keyword argument 'gate'" in refused(make_env, "tfim", gate="crlqas")
    good = make_env("tfim", problem_settings={"num_qubits": 2})
    parts = {
        "catalogue": good.catalogue,
        "encoding": TensorEncoding(),
        "reward": FixedEnds(),
        "curriculum": FixedThreshold(),
        "halting": NegativeBinomialHalting(),
        "simulator": StatevectorSimulator(),
        "optimizer": ScanLBFGS(),
        "max_gates": 3,
    }
    Rules(**parts)  # type: ignore[arg-type]
    for name in parts:
        assert name in refused(Rules, **{**parts, name: None})
    for name, value in {"initial": 5, "illegal": 5, "mask": 5, "max_gates": 0}.items():
        assert name in refused(Rules, **{**parts, name: value})


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (FixedThreshold, {"threshold": INF}),
        (FixedThreshold, {"threshold": "a"}),
        (MovingThreshold, {"initial": INF}),
        (MovingThreshold, {"initial": 1.0, "amortisation": NAN}),
        (MovingThreshold, {"initial": 1.0, "successes": 2.5}),
        (MovingThreshold, {"initial": 1.0, "reference": ["ground"]}),
        (StagedThreshold, {"thresholds": {0.1}}),
        (StagedThreshold, {"thresholds": [None, 0.1]}),
        (ScheduledInstances, {"parameter": "field", "values": [NAN]}),
        (ScheduledInstances, {"parameter": "field", "values": [1.0], "patience": 0}),
        (NegativeBinomialHalting, {"p": NAN}),
        (NegativeBinomialHalting, {"low": 2.0}),
        (GateSet, {"two_qubit": ("ry",), "one_qubit": ("rx",)}),
        (GateSet, {"two_qubit": (), "one_qubit": ("cx",)}),
        (GateSet, {"two_qubit": 5, "one_qubit": 5}),
        (GateSet, {"two_qubit": ("cx",), "one_qubit": "rx"}),
        (GateSet, {"two_qubit": ("cx", "cx"), "one_qubit": ()}),
        (Family, {"build": tfim, "vary": 5}),
        (Family, {"build": tfim, "vary": {"field": np.zeros((2, 2))}}),
    ],
    ids=steady,
)
def test_components_made_by_hand(make: Any, settings: dict[str, Any]) -> None:
    refused(make, **settings)


# -- gadgets -----------------------------------------------------------------------------------------------------------


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    (path / "set.json").write_text(json.dumps({"format": "qas-gadgets", "version": 1, "gadgets": rows}))
    return path / "set.json"


def row(name: str, *parts: Any, qubits: Any = 1, params: Any = 0) -> dict[str, Any]:
    return {"name": name, "qubits": qubits, "params": params, "parts": list(parts)}


def call(what: str, **settings: Any) -> dict[str, Any]:
    return {"what": what, "qubits": [0], **settings}


TURN = {"angles": [{"param": 0, "factor": 1e200}]}
DEEP = [row("g0", call("x")), *(row(f"g{k}", call(f"g{k - 1}")) for k in range(1, 3000))]
DOUBLED = [row("g0", call("x")), *(row(f"g{k}", call(f"g{k - 1}"), call(f"g{k - 1}")) for k in range(1, 60))]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (DEEP, "levels"),
        (DEEP[::-1], "levels"),
        (DOUBLED, "gates of gadget 'g14'` must be at most 10000, but is 16384"),
        (DOUBLED[::-1], "at most 10000"),
        ([row("a", call("x"), qubits=10**9)], r"be 0\.\.999999999, all used"),
        ([row("a", call("x"), params=10**400)], "parameters of gadget"),
        ([row("a", call("x"), qubits=-1)], "be integers"),
        ([row("a", call("rx", angles=[{"value": 10**400}]))], "be numbers, finite ones"),
        ([row("a", call("rx", angles=[{"value": INF}]))], "be numbers, finite ones"),
        ([row("a", call("rx", **TURN), params=1), row("b", call("a", **TURN), params=1)], "finite products"),
        ([row("a", call("rx", angles=5))], "part of gadget 'a'` must be of a gate or gadget on a list of qubits"),
        ([row("a", call("rx", angles=[5]), params=1)], "angle of gadget 'a'"),
        ([row("a", 5)], "part of gadget"),
        ([5], "gadget"),
        ([row("a", {"what": ["x"], "qubits": [0]})], "part of gadget"),
    ],
    ids=lambda value: value if isinstance(value, str) else "rows",
)
def test_hostile_gadget_files(rows: list[Any], message: str, tmp_path: Path) -> None:
    path = written(tmp_path, rows)
    for make, settings in ((gym.make, {"id": "QAS-TFIM-v0", "gadgets": path}), (load_gadgets, {"path": path})):
        if make is load_gadgets and message == "finite products":
            continue  # only once it is unrolled
        with pytest.raises(ValueError, match=message):
            make(**settings)
        refused(make, **settings)


@pytest.mark.parametrize(
    "text", ["", "[" * 100_000, "5", "null", "{", "\x00", '{"format": "qas-gadgets", "gadgets": 5}']
)
def test_files_that_hold_no_gadgets(text: str, tmp_path: Path) -> None:
    (tmp_path / "set.json").write_text(text)
    assert "gadget" in refused(gym.make, "QAS-TFIM-v0", gadgets=str(tmp_path / "set.json"))
    assert "gadget" in refused(gym.make, "QAS-TFIM-v0", gadgets=str(tmp_path))


def test_the_largest_gadgets() -> None:
    """100 levels and 10,000 gates pass; one more does not. A gadget of ten qubits has too many places."""
    gadget: Gadget = Gadget("g1", 1, 0, (Part("x", (0,)),))
    for k in range(2, 101):
        gadget = Gadget(f"g{k}", 1, 0, (Part(gadget, (0,)),))
    assert len(gadget.unrolled()) == 1
    assert "levels" in refused(Gadget, "more", 1, 0, (Part(gadget, (0,)),))
    wide = Gadget("wide", 1, 0, (Part("x", (0,)),) * 10_000)
    assert wide.num_gates == 10_000
    assert "10000" in refused(Gadget, "more", 1, 0, (*wide.parts, wide.parts[0]))
    ladder = Gadget("ladder", 10, 0, tuple(Part("cx", (k, k + 1)) for k in range(9)))
    assert "choices of qubits" in refused(gym.make, "QAS-TFIM-v0", num_qubits=12, gadgets=[ladder])
    for parts in (5, (5,), (Part(5, (0,)),), ((("x", (0,)),))):  # type: ignore[arg-type]
        refused(Gadget, "a", 1, 0, parts)
    refused(Gadget, "a", 1, 1, (Part("rx", (0,), (Link(0, NAN, 0.0),)),))

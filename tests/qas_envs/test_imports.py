"""Import strings for every rule and for problems; what may be called, and what never is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from qas_envs import CircuitBuildingEnv, Problem, make_env
from qas_envs.imports import no_imports
from qas_envs.problems import tfim
from qas_envs.problems.lookup import problem_function, problem_names
from qas_envs.rules import RULES

CODE = """
from __future__ import annotations

import numpy as np

from qas_envs import Problem
from qas_envs.blocks import Placements
from qas_envs.catalogue import ActionCatalogue
from qas_envs.curricula import FixedThreshold
from qas_envs.encodings import ENCODINGS
from qas_envs.halting import NoHalting
from qas_envs.masks import Mask, NoMask
from qas_envs.problems import tfim
from qas_simulators import Circuit, NoiseModel, StatevectorSimulator, ZeroNoise, load_gadgets
from qas_simulators.channels import depolarizing
from qas_simulators.optimizers import NoOptimizer, Rotosolve

called = []


class Reward:
    def __init__(self, price: float = 0.5) -> None:
        self.price = price

    def __call__(self, transition) -> float:
        return -self.price


def plain(transition):
    return 7.0


def scaled(transition, factor: float) -> float:
    return 2.0 * factor


def bare(transition, factor=1.0):
    called.append(factor)
    return factor


class Inner:
    class Reward(Reward):
        pass


class Curriculum(FixedThreshold):
    pass


class Halting:
    def sample(self, rng):
        return 0


class Encoding(ENCODINGS["gates"]):
    pass


def mask(catalogue: ActionCatalogue) -> Mask:
    return NoMask(catalogue)


def star(num_qubits: int) -> list[tuple[int, int]]:
    return [(0, q) for q in range(1, num_qubits)] + [(q, 0) for q in range(1, num_qubits)]


def start(problem: Problem, qubit: int = 0) -> Circuit:
    return Circuit(problem.num_qubits).x(qubit)


def lossy(p: float = 0.01) -> NoiseModel:
    return NoiseModel().add(depolarizing(p), ["cx"])


class Exact(StatevectorSimulator):
    def __init__(self, noise: NoiseModel | None = None) -> None:
        super().__init__()


def chain(num_qubits: int = 2, field: float = 0.5) -> Problem:
    return tfim(num_qubits, field)


def no_problem() -> NoiseModel:
    return lossy()


pairs = [(0, 1), (1, 0), (1, 2), (2, 1)]
gates = ["ry", "cz"]
constant = tfim(2)
mitigation = ZeroNoise()
"""


@pytest.fixture(scope="module", autouse=True)
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A module ``own_parts``."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_parts.py").write_text(CODE)
    sys.path.append(str(folder))
    yield
    sys.path.remove(str(folder))
    sys.modules.pop("own_parts", None)


def built(**rules: Any) -> CircuitBuildingEnv:
    env = make_env("tfim", problem_settings={"num_qubits": 3}, **{"optimizer": "none", **rules})
    env.reset(seed=0)
    return env


@pytest.mark.parametrize(
    ("reward", "first"),
    [
        ("own_parts:Reward", -0.5),
        ({"name": "own_parts:Reward", "price": 0.25}, -0.25),
        ({"_target_": "own_parts.Reward", "price": 0.25}, -0.25),
        ({"_target_": "own_parts:Inner.Reward", "name": "crlqas", "price": 1}, -1.0),
        ("own_parts:plain", 7.0),
        ({"name": "own_parts:scaled", "factor": 1.5}, 3.0),
    ],
)
def test_rewards(reward: Any, first: float) -> None:
    assert built(reward=reward).step(0)[1] == first


def test_other_rules() -> None:
    env = built(
        curriculum="own_parts:Curriculum",
        encoding="own_parts:Encoding",
        mask="own_parts:mask",
        couplings="own_parts:star",
        initial={"name": "own_parts:start", "qubit": 1},
        simulator="own_parts:Exact",
        optimizer="own_parts:NoOptimizer",
    )
    for name, kind in (("curriculum", "Curriculum"), ("encoding", "Encoding"), ("simulator", "Exact")):
        assert type(getattr(env.rules, name)).__name__ == kind
    assert type(env.episode.mask).__name__ == "NoMask"
    assert {a.qubits for a in env.catalogue.actions if len(a.qubits) == 2} == {(0, 1), (0, 2), (1, 0), (2, 0)}
    assert [operation[:2] for operation in env.circuit] == [("x", (1,))]
    assert built(halting="own_parts:Halting").step(0)[3]  # the episode is cut after its first action


def test_objects_of_a_module() -> None:
    env = built(couplings="own_parts:pairs", gates="own_parts:gates")
    assert {a.qubits for a in env.catalogue.actions if len(a.qubits) == 2} == {(0, 1), (1, 2)}
    assert {a.gate for a in env.catalogue.actions} == {"ry", "cz"}
    noisy = built(noise={"name": "own_parts:lossy", "p": 0.1}, mitigation="own_parts:mitigation")
    assert noisy.simulator.is_noisy


def test_every_rule_knows_import_strings() -> None:
    for name, rule in RULES.items():
        with pytest.raises(ValueError, match="No module named 'nowhere'"):
            rule.resolve("nowhere.at:All")
        assert rule.name == name


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"reward": {"name": "own_parts:Reward", "pirce": 1.0}}, "Did you mean 'price'"),
        ({"reward": {"name": "own_parts:Reward", "price": "much"}}, "`price` must be of type float"),
        ({"reward": {"name": "own_parts:scaled"}}, "needs the setting `factor`"),
        ({"reward": {"name": "own_parts:bare", "factor": 2.0}}, "annotated with what it returns"),
        ({"reward": "own_parts:Halting"}, "name an object for `reward` with __call__"),
        ({"encoding": "own_parts:Reward"}, "name an object for `encoding` with bind"),
        ({"noise": "own_parts:chain"}, "name an object for `noise`"),
        ({"noise": {"name": "timeit:timeit", "setup": "raise SystemExit"}}, "annotated with what it returns"),
        ({"optimizer": {"_target_": "subprocess.Popen", "args": "true"}}, "name an object for `optimizer`"),
        ({"couplings": {"name": "own_parts:pairs", "a": 1}}, "Unknown setting of couplings"),
        ({"mask": "own_parts:star"}, "name an object for `mask`"),
        ({"reward": {"_target_": 3}}, "Unknown reward 3"),
    ],
)
def test_what_is_refused(rules: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        built(**rules)
    assert told in str(caught.value) and "\n" not in str(caught.value)
    assert not sys.modules["own_parts"].called


def test_nothing_is_imported_where_records_are_verified() -> None:
    with no_imports(), pytest.raises(ValueError, match="where records are verified"):
        built(reward="own_parts:Reward")
    assert built(reward="own_parts:Reward").step(0)[1] == -0.5


def test_problems() -> None:
    env = make_env("own_parts:chain", problem_settings={"field": 0.25})
    assert env.problem.digest == tfim(2, 0.25).digest
    gym_env = gym.make("QAS-Problem-v0", problem="own_parts:chain", num_qubits=3, vary={"field": [0.5, 1.5]})
    assert gym_env.unwrapped.family.names == ("field",)  # type: ignore[attr-defined]
    for value in ("own_parts:constant", tfim(2)):
        made = gym.make("QAS-Problem-v0", problem=value, max_gates=3).unwrapped
        assert made.problem.digest == tfim(2).digest and made.max_gates == 3  # type: ignore[attr-defined]
    assert problem_function("tfim") is tfim and "tfim" in problem_names()
    for value, told in [
        ("own_parts:no_problem", "annotated to return a qas_envs.Problem"),
        ("own_parts:Reward", "annotated to return a qas_envs.Problem"),
        ("tfmi", "Did you mean 'tfim'"),
    ]:
        with pytest.raises(ValueError, match=told):
            gym.make("QAS-Problem-v0", problem=value)
    with pytest.raises(ValueError, match="`problem` is needed"):
        gym.make("QAS-Problem-v0")
    with pytest.raises(TypeError, match="'filed'"):
        gym.make("QAS-Problem-v0", problem="own_parts:chain", filed=1.0)
    assert isinstance(env.problem, Problem) and np.isfinite(env.problem.ground_energy)


def test_a_file_of_gadgets_is_no_import_string(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a:b").write_text("{}")
    with pytest.raises(ValueError, match="gadget"):
        built(gadgets="a:b")

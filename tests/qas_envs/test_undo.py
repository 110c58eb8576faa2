"""A step, reset or play that fails leaves the environment as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from qas_envs import CircuitBuildingEnv
from qas_envs.curricula import MovingThreshold
from qas_envs.episode import Episode
from qas_envs.masks import FrontierMask
from qas_envs.rendering import Renderer
from qas_envs.rewards import FixedEnds
from qas_envs.snapshots import restore, state_of
from qas_simulators import StatevectorSimulator
from qas_simulators.optimizers import Cobyla, OptimizationResult, Optimizer, Rotosolve, ScanLBFGS
from tests.conftest import steady

ERRORS = [RuntimeError, ValueError, MemoryError, KeyboardInterrupt, SystemExit]


class Failing:
    """An optimiser that raises ``error`` when one is set."""

    error: type[BaseException] | None = None

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer

    def minimize(self, *arguments: Any) -> OptimizationResult:
        if self.error is not None:
            raise self.error
        return self.optimizer.minimize(*arguments)


def build(**settings: Any) -> CircuitBuildingEnv:
    env = gym.make("QAS-TFIM-v0", **{"num_qubits": 3, "max_gates": 4, "render_mode": "ansi_list"} | settings).unwrapped
    assert isinstance(env, CircuitBuildingEnv)
    return env


def standing(env: CircuitBuildingEnv) -> bytes:
    """Return all that an agent, a checkpoint or a picture could see, with the places of all generators."""
    observation = env.encoder.observe(env.view()._replace(simulator=StatevectorSimulator()))
    circuits = [[*map(tuple, circuit)] for circuit in (env.circuit, env.finished)]
    sizes = env.circuit.num_gates, env.circuit.num_params, env.circuit.depth(), env.circuit.num_two_qubit_gates
    seen = state_of(env), observation, env.episode.mask.array.tolist(), env.problem.name, env._renderer.shown
    return repr((seen, circuits, sizes, env.player.angles)).encode()


def random_legal(env: CircuitBuildingEnv, rng: np.random.Generator) -> int:
    return int(rng.choice(np.flatnonzero(env.episode.mask.array)))


SETTINGS: list[dict[str, Any]] = [
    {"encoding": {"name": "tensor", "angles": True}, "curriculum": {"name": "moving", "initial": 0.5, "shift_time": 2}},
    {"encoding": "pauli", "gadgets": "grl", "optimizer": Cobyla(max_evaluations=20)},
    {"encoding": "graph", "mask": "commuting", "optimizer": Rotosolve(max_sweeps=2)},
    {"encoding": "gates", "simulator": StatevectorSimulator(shots=10), "optimizer": Cobyla(max_evaluations=9)},
    {"vary": {"field": (0.5, 1.5)}, "stop": True, "halting": {"name": "negative_binomial", "low": 1, "high": 2}},
]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("settings", SETTINGS, ids=steady)
def test_an_optimiser_that_fails_now_and_then(settings: dict[str, Any], error: type[BaseException]) -> None:
    """A run with failures goes on as one without."""
    env, calm = build(**settings), build(**settings)
    env.optimizer = failing = Failing(env.optimizer)
    rng = np.random.default_rng(0)
    env.reset(seed=1)
    calm.reset(seed=1)
    for step in range(25):
        action = random_legal(env, rng)
        if step % 3 == 2 and action != env.catalogue.stop:
            before, failing.error = standing(env), error
            with pytest.raises(error):
                env.step(action)
            failing.error = None
            assert standing(env) == before
        one, other = env.step(action), calm.step(action)
        assert one[1:4] == other[1:4] and standing(env) == standing(calm)
        if one[2] or one[3]:
            assert env.reset()[1]["energy"] == calm.reset()[1]["energy"]


class History(MovingThreshold):
    """A curriculum that changes a list in place."""

    def start(self, problem: Any) -> None:
        super().start(problem)
        self.energies: list[float] = []

    def observe(self, energy: float) -> None:
        self.energies.append(energy)
        super().observe(energy)


def once(method: Callable[..., Any], result: Any = ArithmeticError) -> Callable[..., Any]:
    """Return a method that raises, or returns what it should not, at its first call."""
    calls = iter([result])

    def changed(*arguments: Any, **settings: Any) -> Any:
        first = next(calls, None)
        if first is None:
            return method(*arguments, **settings)
        if first is ArithmeticError:
            raise ArithmeticError
        return first

    return changed


@pytest.mark.parametrize(
    ("owner", "method", "result"),
    [
        (ScanLBFGS, "minimize", OptimizationResult(0.0, np.array([0.1]), 1, 0)),
        (ScanLBFGS, "minimize", OptimizationResult(0.0, np.array([np.nan, 0.1, 0.1]), 1, 0)),
        (StatevectorSimulator, "term_means", ArithmeticError),  # in the encoding
        (Episode, "info", ArithmeticError),
        (MovingThreshold, "end_episode", ArithmeticError),
        (FixedEnds, "__call__", ArithmeticError),
        (FrontierMask, "update", ArithmeticError),
        (Renderer, "follow", ArithmeticError),
    ],
)
def test_whatever_fails_in_a_step(owner: type, method: str, result: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    env = build(curriculum=History(1e-9), encoding="pauli", max_gates=3)
    env.reset(seed=0)
    env.step(6)
    env.step(9)
    before = standing(env)
    with monkeypatch.context() as broken:
        broken.setattr(owner, method, once(getattr(owner, method), result))
        with pytest.raises((ArithmeticError, ValueError)):
            env.step(12)
    assert standing(env) == before
    assert env.step(12)[2], "the last gate of the budget"


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_simulator_that_fails_at_the_kth_energy(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With shots: the generator goes back too, so that the same step, reset or play then gives what it would have."""
    settings = {"simulator": StatevectorSimulator(shots=5), "optimizer": Cobyla(max_evaluations=5)}
    env = build(**settings)
    env.reset(seed=0)
    env.step(6)
    attempts: list[tuple[Callable[[CircuitBuildingEnv], Any], tuple[Any, ...], dict[str, Any], int]] = [
        (lambda env: env.step, (9,), {}, 3),
        (lambda env: env.player.play, ([6, 9, 12],), {}, 3),
        (lambda env: env.reset, (), {"seed": 4}, 1),
        (lambda env: env.reset, (), {}, 1),
    ]
    for method, arguments, named, most in attempts:
        before, twin = standing(env), build(**settings)
        restore(twin, state_of(env))
        measure, calls = StatevectorSimulator._term_means, iter(range(1, 1000))

        def failing(*own: Any, measure: Any = measure, calls: Any = calls, at: int = min(k, most)) -> Any:
            if next(calls) == at:
                raise KeyboardInterrupt
            return measure(*own)

        with monkeypatch.context() as broken:
            broken.setattr(StatevectorSimulator, "_term_means", failing)
            with pytest.raises(KeyboardInterrupt):
                method(env)(*arguments, **named)
        assert standing(env) == before
        one, other = (method(some)(*arguments, **named)[-1] for some in (env, twin))
        assert one["energy"] == other["energy"]


def test_bad_options_of_a_reset_do_not_reseed() -> None:
    env = build(vary={"field": (0.5, 1.5)})
    env.reset(seed=0)
    before = standing(env)
    with pytest.raises(ValueError, match="Unknown split"):
        env.reset(seed=5, options={"split": "tset"})
    with pytest.raises(ValueError, match=r"lie in \[0.5, 1.5\]"):
        env.reset(options={"field": 3.0})
    assert standing(env) == before


MODES = ["NextStep", "SameStep"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer": Rotosolve(max_sweeps=2), "simulator": StatevectorSimulator(shots=10)},
        {"noise": "depolarizing", "optimizer": Cobyla(max_evaluations=9)},  # on threads
        {"vary": {"field": (0.5, 1.5)}},
    ],
    ids=steady,
)
def test_a_vector_environment_changes_none_of_its_own(settings: dict[str, Any], mode: str) -> None:
    """One of them fails: also those that were stepped or reset before it go back, whatever the mode."""
    settings = {"num_qubits": 3, "max_gates": 3, "autoreset_mode": mode, "num_threads": 2} | settings
    envs, calm = (gym.make_vec("QAS-TFIM-v0", 4, **settings).unwrapped for _ in range(2))
    rng, resets = np.random.default_rng(0), 0
    one, other = envs.reset(seed=1), calm.reset(seed=1)
    for step in range(16):
        actions = [random_legal(env, rng) for env in envs.envs]
        if step % 2:
            before = [standing(env) for env in envs.envs]
            waits, optimizers = envs._waits.copy(), envs.get_attr("optimizer")
            broken = Failing(optimizers[step % 4])
            broken.error = ERRORS[step % 5]
            envs.set_attr("optimizer", [*optimizers[: step % 4], broken, *optimizers[step % 4 + 1 :]])
            if not waits[step % 4]:
                with pytest.raises(broken.error):
                    envs.step(actions)
            envs.set_attr("optimizer", list(optimizers))
            assert [standing(env) for env in envs.envs] == before and (envs._waits == waits).all()
            resets += waits.sum()
        one, other = envs.step(actions), calm.step(actions)
        np.testing.assert_array_equal(one[0], other[0])
        for k in (1, 2, 3):
            np.testing.assert_array_equal(one[k], other[k])
        assert [standing(env) for env in envs.envs] == [standing(env) for env in calm.envs]
    assert resets > 0 or mode == "SameStep"


@pytest.mark.parametrize("mode", MODES)
def test_a_reset_that_fails_in_a_vector_environment(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every third reset fails, in the middle of a step: the others, and the gates of that step, are undone."""
    settings = {"num_qubits": 2, "max_gates": 2, "autoreset_mode": mode, "vary": {"field": (0.5, 1.5)}}
    envs = gym.make_vec("QAS-TFIM-v0", 3, **settings).unwrapped
    envs.reset(seed=0)
    for action in (0, 1) if mode == "NextStep" else (0,):
        envs.step([action] * 3)
    before = [standing(env) for env in envs.envs]
    draw, calls = type(envs.envs[0].family).draw, iter(range(1, 10))

    def failing(*arguments: Any) -> Any:
        if next(calls) == 3:
            raise MemoryError
        return draw(*arguments)

    with monkeypatch.context() as broken:
        broken.setattr(type(envs.envs[0].family), "draw", failing)
        with pytest.raises(MemoryError):
            envs.step([1] * 3)
    assert [standing(env) for env in envs.envs] == before
    envs.step([1] * 3)
    assert [standing(env) for env in envs.envs] != before

"""Checks of a checkpoint's content, apart from the agent's state, before any of it is restored."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from qas_agents.checks import check_generator, check_number
from qas_envs import CircuitBuildingEnv
from qas_envs.curricula import CURRICULA
from qas_envs.snapshots import state_of
from qas_experiments.settings import TrainSettings
from qas_experiments.training.recorder import Recorder, Solution
from qas_simulators.errors import must

_COUNTS = ("steps", "episodes", "successes", "evaluations", "gradients")
_SINCE = {"return", "length", "ideal_error"}  # missing in earlier checkpoints
_SINGLE = ("best", "first_solved", "without_noise")


def identity_of(settings: TrainSettings) -> str:
    """Return the SHA-256 of the settings that determine a training, except its length."""
    everything = dataclasses.asdict(settings)
    kept = {name: everything[name] for name in ("agent", "optimizer", "noise")}
    kept["env"] = {name: value for name, value in everything["env"].items() if value is not None}
    kept["seed"] = settings.training.seed
    if settings.training.num_envs:
        kept["num_envs"] = settings.training.num_envs
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def check_env(state: Any, env: CircuitBuildingEnv) -> None:
    """Raise ``ValueError`` unless ``state`` can be restored to ``env``."""
    own = state_of(env)
    _check_keys("env", state, own)
    for name in ("rng", "simulator_rng"):
        check_generator(state[name])
    _check_curriculum(state["curriculum"], own["curriculum"], env)
    if env.drift is not None:
        _check_drift(state["drift"], len(env.drift.drift.models))
    if env.family is not None:
        env.family.check(dict(zip(env.family.names, _finite("context", state["context"]), strict=True)))
    elif state["context"]:
        raise ValueError(must("context", "be empty for an environment without a family", state["context"]))
    actions = state["actions"]
    if not isinstance(actions, list) or any(type(action) is not int for action in actions):
        raise ValueError(must("actions", "be a list of integers", actions))
    if env.player.checked(actions) is None:
        raise ValueError(must("actions", "be a legal sequence", actions))
    num_params = env.initial.num_params + sum(env.catalogue.num_angles[action] for action in actions)
    if len(_finite("params", state["params"])) != num_params:
        raise ValueError(must("params", f"have {num_params} entries", len(state["params"])))
    for name in ("energy", "first_energy", "threshold"):
        check_number(name, state[name])
    if type(state["wasted"]) is not int or not 0 <= state["wasted"] <= env.max_gates:
        raise ValueError(must("wasted", "be a number of steps", state["wasted"]))
    if state["halt_at"] is not None:
        _check_count("halt_at", state["halt_at"])
    if type(state["over"]) is not bool:
        raise ValueError(must("over", "be true or false", state["over"]))


def _check_drift(state: Any, size: int) -> None:
    """Raise ``ValueError`` unless the state is the number of a noise model and a count of episodes."""
    if len(_listed("drift", state)) != 2:
        raise ValueError(must("drift", "be a number of a model and one of episodes", state))
    for value in state:
        _check_count("drift", value)
    if state[0] >= size:
        raise ValueError(must("drift", f"be one of {size} models", state[0]))


def _check_curriculum(state: Any, own: Mapping[str, Any], env: CircuitBuildingEnv) -> None:
    """Raise ``ValueError`` unless the settings are those of the run and all other values have the same types."""
    _check_keys("curriculum", state, own)
    curriculum = env.curriculum
    is_built_in = type(curriculum) in CURRICULA.values()
    settings = {field.name for field in dataclasses.fields(curriculum) if field.init} if is_built_in else set()  # type: ignore[arg-type]
    for name, value in own.items():
        given = state[name]
        if name in settings:
            if json.dumps(given) != json.dumps(value):
                raise ValueError(must(name, f"be {value}, as in the settings", given))
        elif is_built_in and type(value) is int:
            _check_count(name, given)
        elif is_built_in:
            check_number(name, given)
        elif value is not None and type(given) is not type(value) and not isinstance(value, list | tuple | float):
            raise ValueError(must(name, f"be a {type(value).__name__}", given))
    stages = getattr(curriculum, "thresholds", getattr(curriculum, "values", None))
    if is_built_in and stages is not None and state["stage"] >= len(stages):
        raise ValueError(must("stage", f"be one of {len(stages)}", state["stage"]))


def check_watcher(state: Any, env: CircuitBuildingEnv) -> None:
    """Raise ``ValueError`` unless ``state`` is the state of a ``PolicyWatcher``."""
    _check_keys("watcher", state, {"best": None, "env": None})
    if state["best"] is not None:
        check_solution(state["best"], env)
    check_env(state["env"], env)


def check_recorder(state: Any, recorder: Recorder, env: CircuitBuildingEnv) -> None:
    """Raise ``ValueError`` unless ``state`` can be restored to a training's recorder."""
    wanted = set(recorder.state())
    if not isinstance(state, dict) or not wanted - _SINCE <= set(state) <= wanted:
        raise ValueError(must("recorder", f"hold {sorted(wanted)}", state))
    for name in _COUNTS:
        _check_count(name, state[name])
    if not state["successes"] <= state["episodes"] <= state["steps"]:
        raise ValueError(must("episodes", "be at most the steps and at least the successes", state["episodes"]))
    check_number("seconds", state["seconds"], 0.0)
    for name in _SINCE & set(state):
        if state[name] is not None:
            check_number(name, state[name])
    for name in _SINGLE:
        if state[name] is not None:
            check_solution(state[name], env)
    for name in ("kept", "lowest"):
        for found in _listed(name, state[name]):
            check_solution(found, env)
    for row in _listed("improvements", state["improvements"]):
        _check_count("steps", row["steps"])
        _finite("improvements", [value for value in row.values() if isinstance(value, float)])


def check_solution(state: Any, env: CircuitBuildingEnv) -> None:
    """Raise ``ValueError`` unless ``state`` is a circuit on the environment's qubits, with its figures."""
    _check_keys("circuit", state, [field.name for field in dataclasses.fields(Solution)])
    if state["circuit"]["num_qubits"] != env.problem.num_qubits:
        raise ValueError(must("circuit", f"have {env.problem.num_qubits} qubits", state["circuit"]["num_qubits"]))
    for name in ("energy", "energy_error"):
        check_number(name, state[name])
    _check_count("evaluations", state["evaluations"])
    check_number("seconds", state["seconds"], 0.0)
    for _, qubits, angle in state["circuit"]["gates"]:
        if any(type(qubit) is not int for qubit in qubits) or type(angle) not in (int, float, type(None)):
            raise ValueError(must("gates", "be lists of name, qubits and angle", state["circuit"]["gates"]))
    Solution.of_state(state)


def _check_keys(what: str, value: Any, wanted: Any) -> None:
    if not isinstance(value, dict) or set(value) != set(wanted):
        raise ValueError(must(what, f"hold {sorted(wanted)}", sorted(value) if isinstance(value, dict) else value))


def _check_count(name: str, value: Any) -> None:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError(must(name, "be an integer from 0 to 2**63 - 1", value))


def _listed(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(must(name, "be a list", value))
    return value


def _finite(name: str, values: Any) -> list[float]:
    for value in _listed(name, values):
        if type(value) not in (int, float) or not math.isfinite(value):
            raise ValueError(must(name, "be finite numbers", value))
    return list(values)

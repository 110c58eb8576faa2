"""Damaged, swapped and hostile checkpoints: the same state, or one line; nothing outside is touched."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console
from safetensors.numpy import load, save

from qas_envs.snapshots import state_of
from qas_experiments.agents import make_agent
from qas_experiments.building import make_environment
from qas_experiments.interrupts import Interrupt
from qas_experiments.runs.checkpoints import Checkpoints, DamagedCheckpointError
from qas_experiments.runs.files import settings_of
from qas_experiments.runs.folders import RunFolder
from qas_experiments.training.run import train
from qas_experiments.training.session import Session
from tests.experiments.conftest import QUICK, compose
from tests.experiments.runs.test_checkpoints import cut_power

SMALL = [
    *QUICK,
    "training.total_timesteps=260",
    "training.checkpoint_every=110",
    "env=tfim",
    "env.problem.num_qubits=2",
    "env.curriculum={name: moving, initial: 1.0, shift_time: 5}",
    "agent.learning_starts=40",
    "agent.network.hidden=[4]",
    "agent.batch_size=8",
    "agent.buffer_size=120",
    "agent.n_step=3",
    "agent.prioritization=0.6",
]


@pytest.fixture(scope="session")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run cut off after its second checkpoint; tests take copies."""
    path = tmp_path_factory.mktemp("cut") / "run"
    with pytest.MonkeyPatch.context() as monkeypatch:
        cut_power(monkeypatch, compose(*SMALL, f"run={path}"), 2)
    return path


@pytest.fixture(scope="module")
def standing(cut: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Session]]:
    """A copy of the run, opened; what is refused leaves it as it was."""
    run = shutil.copytree(cut, tmp_path_factory.mktemp("standing") / "run")
    session, folder = session_of(run)
    yield run, session
    folder.close()


def session_of(run: Path) -> tuple[Session, RunFolder]:
    """Return all that resumes a run."""
    chosen = settings_of(run)
    env, judge = make_environment(chosen), make_environment(chosen, evaluation=True)
    folder = RunFolder.reopen(run)
    console = Console(quiet=True)
    return Session(chosen.training, make_agent(chosen, env), env, judge, folder, console, Interrupt()), folder


def resumed(run: Path, steps: int = 0) -> str:
    """Resume a run; return a digest of everything that was taken up, and train on for some steps."""
    session, folder = session_of(run)
    try:
        assert session.resume()
        arrays, numbers = session._agent.state()
        state = [numbers, state_of(session._env), session._watcher.state(), session.recorder.state()]
        digest = hashlib.sha256(json.dumps(state).encode())
        for name in sorted(arrays):
            digest.update(arrays[name].tobytes())
        for values in session._agent.replay.since(0).values():
            digest.update(values.tobytes())
        if steps:
            session._agent.learn(steps)
        return digest.hexdigest()
    finally:
        folder.close()


def sign(checkpoint: Path) -> None:
    """Let ``latest.json`` tell the sums of the files as they are: only their content can give a damage away."""
    latest = json.loads((checkpoint / "latest.json").read_text())
    for name in latest["sha256"]:
        if (checkpoint / name).is_file():
            latest["sha256"][name] = hashlib.sha256((checkpoint / name).read_bytes()).hexdigest()
    (checkpoint / "latest.json").write_text(json.dumps(latest))


def check_refused(cut: Path, standing: tuple[Path, Session], damage: Callable[[Path], None]) -> None:
    """Damage a checkpoint, see that it is refused in one line and left alone, and mend it."""
    run, session = standing
    damage(run)
    before = contents(run)
    try:
        with pytest.raises(DamagedCheckpointError, match="whole checkpoint") as caught:
            session.resume()
        assert "\n" not in str(caught.value) and contents(run) == before
    finally:
        shutil.rmtree(run / "checkpoint")
        shutil.copytree(cut / "checkpoint", run / "checkpoint")


def refused(run: Path) -> str:
    """Return the one line with which a run is refused, by the whole command; nothing in its folder changes."""
    before = contents(run)
    with pytest.raises(ValueError, match=r"resume|run") as caught:
        train(compose(f"resume={run}"))
    assert contents(run) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock"]
    return {str(path): path.read_bytes() for path in files}


def numbers_file(run: Path) -> Path:
    return next((run / "checkpoint").glob("numbers-*.json"))


def edit_numbers(run: Path, change: Callable[[dict[str, Any]], None]) -> None:
    numbers = json.loads(numbers_file(run).read_text())
    change(numbers)
    numbers_file(run).write_text(json.dumps(numbers))


def edit_arrays(run: Path, pattern: str, change: Callable[[dict[str, Any]], None]) -> None:
    path = next((run / "checkpoint").glob(pattern))
    arrays = {name: value.copy() for name, value in load(path.read_bytes()).items()}
    change(arrays)
    path.write_bytes(save(arrays))


def put(*keys: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    """Return what puts a value at a place in nested mappings, lists and arrays."""

    def change(content: dict[str, Any]) -> None:
        inner: Any = content
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value

    return change


def deep(levels: int) -> list[Any]:
    content: list[Any] = []
    for _ in range(levels):
        content = [content]
    return content


WRONG_NUMBERS = {
    "an action of no gate": put("env", "actions", value=[10**6]),
    "a negative action": put("env", "actions", value=[-1]),
    "an action that is true": put("env", "actions", value=[True]),
    "angles that are no numbers": put("env", "params", value=["1"]),
    "too many angles": put("env", "params", value=[0.1] * 40),
    "an energy that is none": put("env", "energy", value=float("nan")),
    "a generator of another kind": put("env", "rng", "bit_generator", value="MT19937"),
    "a negative state of the generator": put("env", "rng", "state", "state", value=-1),
    "an episode that is neither over nor not": put("env", "over", value=1),
    "a negative count of episodes": put("env", "curriculum", "_episode_count", value=-3),
    "another curriculum": put("env", "curriculum", "shift_time", value=6),
    "a threshold that is none": put("env", "curriculum", "threshold", value=float("inf")),
    "an attribute that hides a method": put("env", "curriculum", "observe", value=1),
    "the judge's actions": put("watcher", "env", "actions", value=[0, 0]),
    "a circuit on many qubits": put("recorder", "best", "circuit", "num_qubits", value=10**9),
    "a gate of no table": put("recorder", "best", "circuit", "gates", value=[["ry", [9], 0.1]]),
    "a negative counter": put("recorder", "evaluations", value=-1),
    "more successes than episodes": put("recorder", "successes", value=10**6),
    "a clock that is none": put("recorder", "seconds", value=float("nan")),
    "steps that are not the agent's": put("recorder", "steps", value=1),
    "a step that is not the agent's": put("step", value=109),
    "a negative counter of the agent": put("agent", "num_gradient_steps", value=-5),
    "a counter that is a fraction": put("agent", "num_timesteps", value=220.0),
    "exploration beyond 1": put("agent", "epsilon", value=1.5),
    "a largest priority that is none": put("agent", "largest_priority", value=float("inf")),
    "metrics beyond the file": put("metrics_size", value=10**6),
    "metrics that end within a line": put("metrics_size", value=3),
    "a negative size of metrics": put("metrics_size", value=-1),
    "a later format": put("format", value=99),
    "chunks elsewhere": put("chunks", value=["../replay-0-110.safetensors"]),
    "chunks that are a word": put("chunks", value="replay-0-110.safetensors"),
    "no transitions": put("chunks", value=[]),
    "deep JSON": put("env", "actions", value=deep(400)),
    "other settings": put("settings", value="0" * 64),
    "one key more": put("more", value=1),
}


@pytest.mark.parametrize("name", WRONG_NUMBERS)
def test_numbers_that_no_run_has_are_refused(name: str, cut: Path, standing: tuple[Path, Session]) -> None:
    def damage(run: Path) -> None:
        edit_numbers(run, WRONG_NUMBERS[name])
        sign(run / "checkpoint")

    check_refused(cut, standing, damage)


def at(name: str, value: float) -> Callable[[dict[str, Any]], None]:
    return lambda arrays: arrays[name].reshape(-1).__setitem__(0, value)


def renamed(name: str, change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    return lambda arrays: arrays.__setitem__(name, change(arrays[name]))


WRONG_ARRAYS = {
    "weights that are no numbers": ("arrays-*", at("online.0.weight", np.nan)),
    "a target network that is infinite": ("arrays-*", at("target.2.bias", np.inf)),
    "moments that are no numbers": ("arrays-*", at("adam.0.exp_avg", np.nan)),
    "second moments below 0": ("arrays-*", at("adam.0.exp_avg_sq", -1.0)),
    "steps of Adam below 0": ("arrays-*", at("adam.0.step", -1.0)),
    "weights of another kind": ("arrays-*", renamed("online.0.weight", lambda value: value.astype(np.float64))),
    "weights of another shape": ("arrays-*", renamed("online.0.weight", lambda value: value[:, :-1].copy())),
    "no weights": ("arrays-*", lambda arrays: arrays.pop("online.0.weight")),
    "arrays of another agent": ("arrays-*", lambda arrays: arrays.update(other=np.zeros(3))),
    "priorities that are no numbers": ("arrays-*", at("priorities", np.nan)),
    "priorities that do not add up": ("arrays-*", lambda arrays: arrays["priorities"].__setitem__(1, 1e9)),
    "a mask without a legal action": ("arrays-*", renamed("next.masks", np.zeros_like)),
    "a pending action of no gate": ("arrays-*", at("pending.0.actions", 10**6)),
    "an action of no gate": ("replay-*", at("actions", 10**6)),
    "a negative action": ("replay-*", at("actions", -1)),
    "returns that are no numbers": ("replay-*", at("returns", np.nan)),
    "a discount above 1": ("replay-*", at("discounts", 2.0)),
    "a mask of twos": ("replay-*", at("next_masks", 2)),
    "a huge shape": ("replay-*", at("observations.shape", 10**12)),
    "a negative shape": ("replay-*", at("observations.shape", -1)),
    "a place outside": ("replay-*", renamed("observations.places", lambda value: value + 10**9)),
    "places that are fractions": ("replay-*", renamed("observations.places", lambda value: value.astype(np.float64))),
    "fewer transitions than its name says": ("replay-*", renamed("actions", lambda value: value[:-1].copy())),
}


@pytest.mark.parametrize("name", WRONG_ARRAYS)
def test_arrays_that_no_run_has_are_refused(name: str, cut: Path, standing: tuple[Path, Session]) -> None:
    def damage(run: Path) -> None:
        edit_arrays(run, *WRONG_ARRAYS[name])
        sign(run / "checkpoint")

    check_refused(cut, standing, damage)


def test_another_runs_files_are_refused(cut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut_power(monkeypatch, compose(*SMALL, "training.seed=1", f"run={tmp_path / 'other'}"), 2)
    for pattern in ("numbers-*", "arrays-*", "replay-*"):
        run = shutil.copytree(cut, tmp_path / pattern[:-2])
        mine = next((run / "checkpoint").glob(pattern))
        shutil.copy(next((tmp_path / "other" / "checkpoint").glob(pattern)), mine)
        assert "be the file that was written" in refused(run)
    run = shutil.copytree(cut, tmp_path / "whole folder")
    shutil.rmtree(run / "checkpoint")
    shutil.copytree(tmp_path / "other" / "checkpoint", run / "checkpoint")
    assert "`settings` must be those of the run" in refused(run)


def test_shorter_metrics_are_not_padded(cut: Path, tmp_path: Path) -> None:
    run = shutil.copytree(cut, tmp_path / "run")
    (run / "metrics.jsonl").write_bytes((run / "metrics.jsonl").read_bytes()[:100])
    assert "`metrics.jsonl` must hold the" in refused(run)


@pytest.mark.parametrize("name", ["latest.json", "numbers", "arrays", "replay"])
@pytest.mark.parametrize("damage", ["missing", "empty", "half", "folder", "text", "deep", "digits", "braces"])
def test_files_that_are_not_whole_are_refused(
    name: str, damage: str, cut: Path, standing: tuple[Path, Session]
) -> None:
    def spoil(run: Path) -> None:
        path = next((run / "checkpoint").glob(f"{name}*"))
        content = path.read_bytes()
        path.unlink()
        if damage == "folder":
            path.mkdir()
        elif damage != "missing":
            others = {
                "empty": b"",
                "text": b"\xff\xfe no",
                "deep": b"[" * 100_000,
                "digits": b"9" * 5000,
                "braces": b"{}",
            }
            path.write_bytes(others.get(damage, content[: len(content) // 2]))

    check_refused(cut, standing, spoil)


def test_a_checkpoint_of_the_first_format_goes_on(cut: Path, tmp_path: Path) -> None:
    run = shutil.copytree(cut, tmp_path / "run")

    def as_before(numbers: dict[str, Any]) -> None:
        numbers["format"] = 1
        del numbers["settings"], numbers["recorder"]["return"]

    edit_numbers(run, as_before)
    latest = json.loads((run / "checkpoint" / "latest.json").read_text())
    del latest["sha256"]
    (run / "checkpoint" / "latest.json").write_text(json.dumps(latest))
    assert not train(compose(f"resume={run}"))["interrupted"]


def test_a_second_process_is_told_that_the_run_is_taken(cut: Path, whole: str, tmp_path: Path) -> None:
    run = shutil.copytree(cut, tmp_path / "run")
    with FileLock(run / ".lock"):
        assert "no other process uses" in refused(run)
    assert resumed(run) == whole, "the first one has lost nothing"


def test_a_folder_that_cannot_be_written_is_told(cut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = shutil.copytree(cut, tmp_path / "run")
    original = Path.open

    def opened(path: Path, mode: str = "r", *arguments: Any, **settings: Any) -> Any:
        if "a" in mode or "x" in mode:
            raise PermissionError(13, "Permission denied")
        return original(path, mode, *arguments, **settings)

    monkeypatch.setattr(Path, "open", opened)
    assert "Permission denied" in refused(run)


def test_only_files_that_were_written_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint folder that leads elsewhere, with files of others, some named as ours."""
    others = tmp_path / "others"
    others.mkdir()
    for name in ("thesis.tex", "arrays-1.safetensors", "replay-0-7.safetensors.bak"):
        (others / name).write_text(name)
    original = RunFolder._open

    def open_with_link(folder: RunFolder, path: Path) -> None:
        original(folder, path)
        (path / "checkpoint").symlink_to(others)

    with monkeypatch.context() as context:
        context.setattr(RunFolder, "_open", open_with_link)
        with pytest.raises(ValueError, match=r"its latest\.json"):  # named as ours: it may be the rest of a checkpoint
            train(compose(*SMALL, f"run={tmp_path / 'first'}"))
        assert sorted(path.name for path in others.iterdir()) == [
            "arrays-1.safetensors",
            "replay-0-7.safetensors.bak",
            "thesis.tex",
        ]
        (others / "arrays-1.safetensors").unlink()
        train(compose(*SMALL, "checkpoint.keep=false", f"run={tmp_path / 'second'}"))
    assert sorted(path.name for path in others.iterdir()) == ["replay-0-7.safetensors.bak", "thesis.tex"]
    assert (others / "thesis.tex").read_text() == "thesis.tex"


def test_a_run_does_not_write_over_anothers_checkpoint(cut: Path, tmp_path: Path) -> None:
    run = shutil.copytree(cut, tmp_path / "run")
    before = contents(run / "checkpoint")
    env = make_environment(settings_of(run))
    agent = make_agent(settings_of(run), env)
    with pytest.raises(ValueError, match="have a separate checkpoint folder"):
        Checkpoints(run / "checkpoint").write(agent, {})
    assert contents(run / "checkpoint") == before


def test_weights_that_are_no_numbers_do_not_replace_the_last_checkpoint(cut: Path, tmp_path: Path) -> None:
    run = shutil.copytree(cut, tmp_path / "run")
    session, folder = session_of(run)
    assert session.resume()
    before = contents(run / "checkpoint")
    with np.errstate(all="ignore"):
        next(session._agent.online_network.parameters()).data.fill_(float("nan"))
    with pytest.raises(ValueError, match="must be finite"):
        session.checkpoint()
    folder.close()
    assert contents(run / "checkpoint") == before


# -- the fuzzer ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(cut: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A digest of what the undamaged checkpoint holds."""
    return resumed(shutil.copytree(cut, tmp_path_factory.mktemp("whole") / "run"))


SEEDS = st.integers(0, 2**32 - 1)


def damaged(run: Path, rng: np.random.Generator) -> bool:
    """Damage one file of a checkpoint at random; return whether the sums are made to fit afterwards."""
    checkpoint = run / "checkpoint"
    files = [*sorted(checkpoint.iterdir()), run / "metrics.jsonl"]
    path = files[rng.integers(len(files))]
    content = bytearray(path.read_bytes())
    kind = rng.integers(6)
    if kind == 0 and content:
        for place in rng.integers(len(content), size=rng.integers(1, 5)):
            content[place] ^= 1 << rng.integers(8)
    elif kind == 1:
        del content[rng.integers(len(content) + 1) :]
    elif kind == 2:
        place = rng.integers(len(content) + 1)
        content[place:place] = rng.bytes(rng.integers(1, 40))
    elif kind == 3:
        content = bytearray(files[rng.integers(len(files))].read_bytes())
    elif kind == 4 and path.suffix == ".json":
        content = bytearray(json.dumps(mutated(json.loads(content), rng)).encode())
    elif path.suffix == ".safetensors":
        content = bytearray(save(mutated_arrays(load(bytes(content)), rng)))
    path.write_bytes(bytes(content))
    return bool(rng.integers(2)) and path.name != "latest.json"


def mutated(value: Any, rng: np.random.Generator) -> Any:
    """Replace something within JSON by something else."""
    numbers = [True, -1, 0, 10**6, 10**30, 1e308, float("nan"), float("-inf")]
    others = [None, *numbers, "", "x" * 50, [], {}, [[]], deep(80)]
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = sorted(value)[rng.integers(len(value))]
        return {**value, key: mutated(value[key], rng)} if rng.random() < 0.9 else {**value, key + "x": value[key]}
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = int(rng.integers(len(value)))
        return [*value[:place], mutated(value[place], rng), *value[place + 1 :]]
    return others[rng.integers(len(others))]


def mutated_arrays(arrays: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Change one array of a file: its name, shape, kind or a number."""
    name = sorted(arrays)[rng.integers(len(arrays))]
    value = arrays.pop(name).copy()
    kind = rng.integers(5)
    if kind == 0:
        return arrays
    if kind == 1:
        name += "x"
    elif kind == 2:
        value = value.astype([np.float64, np.float32, np.int64, np.uint8][rng.integers(4)])
    elif kind == 3:
        value = np.concatenate([value.ravel(), value.ravel()[: rng.integers(1, 4)]])
    elif value.size:
        is_float = value.dtype.kind == "f"
        numbers = [np.nan, np.inf, -1.0, 1e30, 2.0] if is_float else [-1, 2, 100, np.iinfo(value.dtype).max]
        value.reshape(-1)[rng.integers(value.size)] = numbers[rng.integers(len(numbers))]
    return {**arrays, name: value}


def check_damage(cut: Path, place: Path, expected: str, seed: int) -> None:
    """Damage a copy; it must load to the same, or end in one line; with other sums also to something that trains on."""
    shutil.rmtree(place, ignore_errors=True)
    run = shutil.copytree(cut, place / "run")
    (place / "beside.txt").write_text("beside")
    is_signed = damaged(run, np.random.default_rng(seed))
    if is_signed:
        sign(run / "checkpoint")
    before, refusal = contents(run), None
    try:
        found = resumed(run, steps=10)
    except ValueError as error:
        refusal = error
    if refusal is None:
        assert is_signed or found == expected
    else:
        assert "\n" not in str(refusal)
        assert contents(run) == before or not isinstance(refusal, DamagedCheckpointError)
    assert sorted(path.name for path in place.iterdir()) == ["beside.txt", "run"]
    assert (place / "beside.txt").read_text() == "beside"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=SEEDS)
def test_a_damaged_checkpoint_loads_to_the_same_or_is_refused(cut: Path, whole: str, tmp_path: Path, seed: int) -> None:
    check_damage(cut, tmp_path / "fuzz", whole, seed)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=SEEDS)
def test_many_damaged_checkpoints(cut: Path, whole: str, tmp_path: Path, seed: int) -> None:
    check_damage(cut, tmp_path / "fuzz", whole, seed)

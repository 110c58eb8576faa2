"""What the tests of checkpoints share: a run that was cut off, and ways to damage and resume it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from safetensors.numpy import load, save

from qas_envs.snapshots import state_of
from qas_experiments.building import Plan
from qas_experiments.interrupts import Interrupt
from qas_experiments.runs.checkpoints import DamagedCheckpointError
from qas_experiments.runs.files import settings_of
from qas_experiments.runs.folders import RunFolder
from qas_experiments.runs.metrics import reproducible_metrics
from qas_experiments.settings import TrainSettings
from qas_experiments.training.run import train
from qas_experiments.training.session import Session
from tests.experiments.conftest import QUICK, compose

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


def cut_power(monkeypatch: pytest.MonkeyPatch, settings: TrainSettings, stop_after: int) -> None:
    """Train until a given number of checkpoints is written."""
    original, written = Session.checkpoint, []

    def checkpoint(session: Session) -> None:
        original(session)
        written.append(1)
        if len(written) == stop_after:
            raise RuntimeError("power cut")

    with monkeypatch.context() as context:
        context.setattr(Session, "checkpoint", checkpoint)
        with pytest.raises(RuntimeError, match="power cut"):
            train(settings)


def same_after_a_cut(settings: Sequence[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Train in ``folder/whole``, and with a power cut in ``folder/cut``; compare both, and return the summary."""
    whole = train(compose(*settings, f"run={folder / 'whole'}"))
    cut_power(monkeypatch, compose(*settings, f"run={folder / 'cut'}"), 2)
    resumed = train(compose(f"resume={folder / 'cut'}"))
    for name in ("policy_last.safetensors", "policy_best.safetensors"):
        assert (folder / "whole" / name).read_bytes() == (folder / "cut" / name).read_bytes(), name
    assert reproducible_metrics(folder / "whole") == reproducible_metrics(folder / "cut")
    for key in ("steps", "episodes", "successes", "evaluations", "gradients"):
        assert whole["training"][key] == resumed["training"][key]
    return whole


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
    plan = Plan.of(chosen)
    env, judge = plan.make_environment(), plan.make_environment(evaluation=True)
    folder = RunFolder.reopen(run)
    console = Console(quiet=True)
    return Session(chosen.training, plan.make_agent(env), env, judge, folder, console, Interrupt()), folder


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


@pytest.fixture(scope="module")
def whole(cut: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A digest of what the undamaged checkpoint holds."""
    return resumed(shutil.copytree(cut, tmp_path_factory.mktemp("whole") / "run"))

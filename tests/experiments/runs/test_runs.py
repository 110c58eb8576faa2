"""Run folders: their names, locks, clocks, metrics, and what is told of runs that did not end."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from qas_agents import RandomPolicy
from qas_envs import CircuitBuildingEnv
from qas_envs.curricula import MovingThreshold
from qas_experiments.benchmarking.records import settings_hash
from qas_experiments.building import Plan, make_environment
from qas_experiments.runs import files as run_files
from qas_experiments.runs import folders
from qas_experiments.runs.files import git_commit, new_folder
from qas_experiments.runs.folders import RunFolder
from qas_experiments.runs.metrics import metrics_of, reproducible_metrics
from qas_experiments.runs.progress import drop_checkpoints, progress_of
from qas_experiments.training import clock
from qas_experiments.training.run import train
from qas_experiments.training.session import Session
from tests.experiments.conftest import compose
from tests.experiments.runs.conftest import SMALL, cut_power

RANDOM = ["env=tfim", "env.problem.num_qubits=2", "agent=random", "training.progress=false", "training.baselines=false"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that came to its end; tests take copies."""
    path = tmp_path_factory.mktemp("finished") / "run"
    train(compose(*SMALL, f"run={path}"))
    return path


def at_once(function: Callable[[], Any], number: int) -> list[Any]:
    """Call a function on many threads at the same moment; return what each returned or raised."""
    barrier = Barrier(number)

    def call(_: int) -> Any:
        barrier.wait()
        try:
            return function()
        except ValueError as error:
            return error

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(call, range(number)))


def test_runs_started_in_the_same_second_have_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = compose(*RANDOM)
    made = at_once(lambda: new_folder(settings), 8)
    assert len({folder.path for folder in made}) == 8
    for folder in made:
        assert (folder.path / "config.yaml").exists() and (folder.path / "versions.json").exists()
        folder.close()


def test_one_of_many_gets_a_folder_that_is_named(tmp_path: Path) -> None:
    settings = compose(*RANDOM, f"run={tmp_path / 'run'}")
    made = at_once(lambda: new_folder(settings), 8)
    taken = [outcome for outcome in made if isinstance(outcome, ValueError)]
    assert len(taken) == 7 and all("never overwritten" in str(error) for error in taken)
    next(outcome for outcome in made if outcome not in taken).close()


@pytest.mark.parametrize("kind", ["file", "link"])
def test_folders_that_cannot_be_made_are_told(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if kind == "file":
        (tmp_path / "runs").write_text("not a folder")
    else:
        (tmp_path / "runs").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="name a folder that can be created") as caught:
        new_folder(compose(*RANDOM))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["file", "link"])
def test_checkpoints_that_have_no_place_are_told(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = RunFolder.write_progress

    def tell(folder: RunFolder, *told: Any) -> None:
        original(folder, *told)
        if kind == "file":
            (folder.path / "checkpoint").write_text("not a folder")
        else:
            (folder.path / "checkpoint").symlink_to(tmp_path / "nowhere")

    monkeypatch.setattr(RunFolder, "write_progress", tell)
    with pytest.raises(ValueError, match="have a folder for checkpoints") as caught:
        train(compose(*SMALL, f"run={tmp_path / 'run'}"))
    assert "\n" not in str(caught.value) and not (tmp_path / "nowhere").exists()


class FakeTime:
    """Time that parts of a run take at will."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.offset = 0.0
        real = time.perf_counter
        monkeypatch.setattr(clock.time, "perf_counter", lambda: real() + self.offset)

    def lengthen(self, monkeypatch: pytest.MonkeyPatch, place: Any, name: str, seconds: float) -> None:
        original = getattr(place, name)

        def longer(*arguments: Any, **settings: Any) -> Any:
            self.offset += seconds
            return original(*arguments, **settings)

        monkeypatch.setattr(place, name, longer)


def test_each_part_has_its_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts take 1, 10, 100 and 1000 hours: whatever else they take does not matter then."""
    hour, module = 3600.0, sys.modules["qas_experiments.training.run"]
    fake = FakeTime(monkeypatch)
    fake.lengthen(monkeypatch, Plan, "make_agent", 1 * hour)
    fake.lengthen(monkeypatch, Session, "frozen", 10 * hour)
    fake.lengthen(monkeypatch, module, "_play_baselines", 100 * hour)
    fake.lengthen(monkeypatch, module, "_write_circuits", 1000 * hour)
    summary = train(
        compose(*SMALL, "training.total_timesteps=60", "training.baselines=true", f"run={tmp_path / 'run'}")
    )
    told = {name: round(seconds / hour) for name, seconds in summary["seconds"].items()}
    assert told == {"ready": 1, "training": 0, "evaluation": 10, "baselines": 100, "saving": 1000}
    assert summary["training"]["seconds"] == summary["seconds"]["training"] < hour
    assert all(other["seconds"] < hour for other in summary["baselines"].values())


def test_the_clock_of_the_training_stands_still_between_two_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeTime(monkeypatch)
    cut_power(monkeypatch, compose(*SMALL, f"run={tmp_path / 'run'}"), 2)
    fake.offset += 1e6
    summary = train(compose(f"resume={tmp_path / 'run'}"))
    rows = [row["seconds"] for row in metrics_of(tmp_path / "run")]
    assert rows[0] > 0 and rows == sorted(rows) and rows[-1] <= summary["training"]["seconds"] < 1e5


@pytest.mark.parametrize(
    ("limit", "name"),
    [
        ("training.total_timesteps=50", "total_timesteps"),
        ("training.max_evaluations=40", "max_evaluations"),
        ("training.max_seconds=0.05", "max_seconds"),
    ],
)
def test_the_summary_tells_what_ended_the_training(limit: str, name: str, tmp_path: Path) -> None:
    summary = train(compose(*RANDOM, limit, f"run={tmp_path / 'run'}"))
    assert (summary["ended_by"], summary["interrupted"], summary["interrupted_by"]) == (name, False, None)


def test_metrics_tell_the_member_the_return_and_the_time(tmp_path: Path) -> None:
    family = [*RANDOM, "env.vary={field: [0.5, 1.0, 1.5]}", "training.total_timesteps=300", "env.max_gates=6"]
    settings = compose(*family, f"run={tmp_path / 'run'}")
    train(settings)
    expected: list[dict[str, float]] = [{"return": 0.0}]

    def hear(locals_: dict[str, Any], _globals: dict[str, Any]) -> bool:
        expected[-1]["return"] += locals_["rewards"][0]
        if locals_["dones"][0]:
            expected[-1]["field"] = locals_["infos"][0]["field"]
            expected.append({"return": 0.0})
        return True

    RandomPolicy(make_environment(settings), 0).learn(300, hear)
    rows = list(metrics_of(tmp_path / "run"))
    assert len(rows) == len(expected) - 1 and {row["field"] for row in rows} == {0.5, 1.0, 1.5}
    for row, told in zip(rows, expected, strict=False):
        assert {name: row[name] for name in told} == told
    seconds = [row["seconds"] for row in rows]
    assert seconds == sorted(seconds) and seconds[0] > 0
    assert all("seconds" not in line and "return" in line for line in reproducible_metrics(tmp_path / "run"))


# -- runs that did not end -------------------------------------------------------------------------------------------


def test_an_aborted_run_tells_why_until_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    cut_power(monkeypatch, compose(*SMALL, f"run={run}"), 2)
    assert json.loads((run / "aborted.json").read_text())["reason"] == "RuntimeError: power cut"
    progress = progress_of(run)
    assert (progress.state, progress.note) == ("aborted", "RuntimeError: power cut")
    train(compose(f"resume={run}"))
    assert progress_of(run).state == "finished" and not (run / "aborted.json").exists()


def test_a_second_signal_is_a_reason_too(tmp_path: Path) -> None:
    def interrupt(_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(compose(*RANDOM, f"run={tmp_path / 'run'}"), interrupt)
    assert progress_of(tmp_path / "run").note.startswith("KeyboardInterrupt")


def test_rewards_that_are_no_numbers_keep_the_last_checkpoint(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, original, count = tmp_path / "run", CircuitBuildingEnv.step, 0

    def step(env: CircuitBuildingEnv, action: Any) -> Any:
        nonlocal count
        observation, reward, *rest = original(env, action)
        count += isinstance(env.curriculum, MovingThreshold)  # where the agent learns, not where it is judged
        return observation, (np.nan if count == 151 else reward), *rest

    with monkeypatch.context() as context:
        context.setattr(CircuitBuildingEnv, "step", step)
        with pytest.raises(ValueError, match=r"Training diverged at step 150, .*rewards must be finite") as caught:
            train(compose(*SMALL, f"run={run}"))
    assert "\n" not in str(caught.value)
    assert json.loads((run / "aborted.json").read_text())["reason"] == f"ValueError: {caught.value}"
    resumed = train(compose(f"resume={run}"))
    assert resumed["ended_by"] == "total_timesteps"
    whole = json.loads((finished / "summary.json").read_text())
    assert resumed["training"]["evaluations"] == whole["training"]["evaluations"]
    assert (run / "policy_last.safetensors").read_bytes() == (finished / "policy_last.safetensors").read_bytes()


def test_a_run_is_heard_of_whatever_it_is_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "_HEARTBEAT_SECONDS", 0.01)
    folder = new_folder(compose(*RANDOM, "training.max_seconds=100", f"run={tmp_path / 'run'}"))
    folder.write_progress(10, 200, 25.0, "baselines")
    for name in ("metrics.jsonl", "progress.json"):
        os.utime(folder.path / name, (time.time() - 1000,) * 2)
    deadline = time.monotonic() + 60
    while progress_of(folder.path).state != "running" and time.monotonic() < deadline:
        pass
    progress = progress_of(folder.path)
    assert (progress.state, progress.note, progress.share) == ("running", "baselines", 0.25)
    assert progress.left == pytest.approx(75.0), "25 of 100 seconds are over"
    folder.close()
    for name in ("metrics.jsonl", "progress.json"):
        os.utime(folder.path / name, (time.time() - 1000,) * 2)
    assert progress_of(folder.path).state == "stopped", "nobody is at it"


# -- what stays ------------------------------------------------------------------------------------------------------


def test_checkpoints_of_finished_runs_are_dropped_on_request(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("kept", "shared"):
        shutil.copytree(finished, tmp_path / name)
    assert (tmp_path / "kept" / "checkpoint" / "latest.json").exists(), "the default keeps it"
    (tmp_path / "shared" / "checkpoint" / "notes.txt").write_text("mine")
    cut_power(monkeypatch, compose(*SMALL, "checkpoint.keep=false", f"run={tmp_path / 'cut'}"), 1)
    assert drop_checkpoints([tmp_path]) == 2
    assert not (tmp_path / "kept" / "checkpoint").exists()
    assert [path.name for path in (tmp_path / "shared" / "checkpoint").iterdir()] == ["notes.txt"]
    assert (tmp_path / "cut" / "checkpoint" / "latest.json").exists(), "it is not finished"
    train(compose(f"resume={tmp_path / 'cut'}"))
    assert not (tmp_path / "cut" / "checkpoint").exists()


def test_keeping_checkpoints_does_not_make_another_cell_of_a_benchmark() -> None:
    kept, dropped = (compose(*RANDOM, f"checkpoint.keep={keep}") for keep in ("true", "false"))
    assert settings_hash(asdict(kept)) == settings_hash(asdict(dropped))
    before = asdict(kept)
    del before["checkpoint"]
    assert settings_hash(asdict(kept)) == settings_hash(before), "as before there was such a setting"


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_files_of_a_run_are_readable_by_the_group(run: Path) -> None:
    mask = os.umask(0o022)
    os.umask(mask)
    for path in run.rglob("*"):
        if path.is_file() and path.name != ".lock":
            assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask, path.name


def test_the_commit_is_that_of_the_packages_checkout(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*arguments: str, cwd: Path = Path(run_files.__file__).parent) -> str:
        done = subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    told = json.loads((run / "versions.json").read_text())["git_commit"]
    if git("ls-files", "files.py"):
        assert told.removesuffix("-dirty") == git("rev-parse", "HEAD")
    else:
        assert told is None
    for folder in ("installed", "user/site-packages"):  # the second lies in a checkout of something else
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "files.py").write_text("")
    git("init", cwd=tmp_path / "user")
    for folder in ("installed", "user/site-packages"):
        monkeypatch.setattr(run_files, "__file__", str(tmp_path / folder / "files.py"))
        git_commit.cache_clear()
        assert git_commit() is None
    git_commit.cache_clear()


@pytest.mark.parametrize("text", ["", "[1, 2]", "{", "env: \t- x", "a: &a [*a]", "\x00", "!!python/name:os.system ''"])
def test_settings_that_cannot_be_read_are_told_in_a_line(text: str, run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    (copy / "summary.json").unlink()
    (copy / "config.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"config\.yaml|settings") as caught:
        train(compose(f"resume={copy}"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", "{", "null"])
def test_a_summary_that_cannot_be_read_is_told_in_a_line(text: str, run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    (copy / "summary.json").write_text(text)
    with pytest.raises(ValueError, match=r"have a readable summary\.json") as caught:
        train(compose(f"resume={copy}"))
    assert "\n" not in str(caught.value) and (copy / "summary.json").read_text() == text

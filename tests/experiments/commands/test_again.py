"""Sweeps: the same command again skips, resumes and starts; interrupted ones end; failed ones are named."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from qas_experiments import interrupts
from qas_experiments.commands import launch
from qas_experiments.runs.metrics import reproducible_metrics
from qas_experiments.training import run as training
from qas_experiments.training.continuing import no_failed_start, played_once
from qas_experiments.training.run import train
from tests.experiments.conftest import QUICK, compose

PAIR = [*QUICK, "env=tfim", "env.problem.num_qubits=2", "training.total_timesteps=300", "env.max_gates=6"]
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Call ``qas-train -m`` in an empty folder; return its exit status and what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")

    def call(*overrides: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["qas-train", "-m", *overrides])
        with pytest.raises(SystemExit) as ended:
            launch.train()
        assert isinstance(ended.value.code, int)
        return ended.value.code, *capsys.readouterr()

    return call


def runs() -> dict[int, Path]:
    """The runs of the working directory by seed."""
    found = [path.parent for path in Path("runs").glob("*/config.yaml")]
    return {int(path.name.partition("seed")[2].partition("-")[0]): path for path in found}


def test_the_same_command_again(sweep: Call) -> None:
    status, out, _ = sweep(*PAIR, "training.seed=0,1,2")
    assert status == 0 and "3 jobs: 3 played" in out
    first, second, third = (runs()[seed] for seed in range(3))
    metrics = reproducible_metrics(second)
    before = (first / "summary.json").stat().st_mtime_ns
    summary = json.loads((second / "summary.json").read_text())
    (second / "summary.json").write_text(json.dumps({**summary, "interrupted": True}))
    shutil.rmtree(third)
    status, out, _ = sweep(*PAIR, "training.seed=0,1,2")
    assert status == 0 and "3 jobs: 1 finished before, 1 resumed, 1 played" in out
    assert (first / "summary.json").stat().st_mtime_ns == before
    assert reproducible_metrics(second) == metrics and len(runs()) == 3
    assert not json.loads((second / "summary.json").read_text())["interrupted"]
    assert not list(Path().glob(".qas-sweep-*"))
    status, out, _ = sweep(*PAIR, "training.seed=2,3", "training.threads=1")
    assert status == 0 and "2 jobs: 1 finished before, 1 played" in out


@pytest.mark.slow  # python -m pytest tests/experiments/commands/test_again.py -m slow
def test_ctrl_c_ends_a_sequential_sweep(sweep: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = []

    def interrupted(settings: Any) -> dict[str, Any]:
        seeds.append(settings.training.seed)
        with interrupts.interrupt_requests() as interrupt:
            os.kill(os.getpid(), signal.SIGINT)
            assert interrupt.requested
        return {"interrupted": interrupt.requested}

    with monkeypatch.context() as patch:
        patch.setattr(training, "train", interrupted)
        status, out, err = sweep(*PAIR, "training.seed=0,1,2")
    assert status == 130 and seeds == [0]
    assert "1 job: 1 interrupted" in out and "run the same command to resume" in err
    between = signal.getsignal(signal.SIGINT)
    status, out, _ = sweep(*PAIR, "training.seed=0,1")
    assert status == 0 and "2 jobs: 2 played" in out and signal.getsignal(signal.SIGINT) is between


def test_ctrl_c_between_two_jobs(sweep: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def ends(settings: Any) -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGTERM)
        return {"interrupted": False}

    monkeypatch.setattr(training, "train", ends)
    status, out, err = sweep(*PAIR, "training.seed=0,1,2")
    assert status == 130 and "1 job: 1 played" in out and "interrupted; run the same command to resume" in err


@pytest.mark.slow  # python -m pytest tests/experiments/commands/test_again.py -m slow
def test_a_job_that_fails_is_named_and_blocks_nothing(sweep: Call) -> None:
    numbered = "run='runs/mine-seed${training.seed}'"
    status, out, err = sweep(*PAIR, numbered, "env.problem.num_qubits=1,2")
    assert status == 2 and "2 jobs: 1 failed, 1 played" in out
    assert err.startswith("error: job 0: Argument `num_qubits` must lie in") and err.count("\n") == 1
    status, out, _ = sweep(*PAIR, numbered, "training.seed=0,1")
    assert status == 0 and "2 jobs: 1 finished before, 1 played" in out
    status, _, err = sweep(*PAIR, "run=runs/mine-seed0", "training.seed=0,1")
    assert status == 2 and "job 1: Argument `run` must name a new folder, or one of a run with the same settings" in err
    status, _, err = sweep(*PAIR, "training.seed=0,x")
    assert status == 2 and "could not be converted to Integer" in err and err.count("\n") == 1


def test_starts_that_fail_leave_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error before the first step; or a process that was killed before it had written its settings."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "fails_at_once.py").write_text(
        "class Mine:\n    def __init__(self, env, seed): ...\n"
        "    def learn(self, total_timesteps, callback=None): raise ValueError('not yet written')\n"
    )
    settings = compose(*PAIR[4:], "agent=external", "agent.target='fails_at_once:Mine'", f"run={tmp_path / 'run'}")
    with pytest.raises(ValueError, match="not yet written"):
        played_once(settings, train)
    assert not (tmp_path / "run").exists()
    corrected = compose(*PAIR, f"run={tmp_path / 'run'}")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".versions.json.part").touch()
    assert played_once(corrected, train)[0] == "played"
    (tmp_path / "run" / "summary.json").unlink()
    with pytest.raises(RuntimeError, match="after a step"), no_failed_start(tmp_path / "run"):
        raise RuntimeError("after a step")
    assert played_once(corrected, train)[0] == "resumed"


def test_a_folder_of_someone_else_is_kept(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").touch()
    with pytest.raises(ValueError, match="`run` must name a new folder"):
        played_once(compose(*PAIR, f"run={tmp_path / 'run'}"), train)
    assert (tmp_path / "run" / "thesis.tex").exists()


# -- processes ---------------------------------------------------------------------------------------------------------


def begun(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a sweep of three long runs, two at once; return when both have metrics."""
    longer = ["training.total_timesteps=100000", "training.checkpoint_every=500", "agent.train_frequency=8"]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "qas_experiments.commands.train",
            "-m",
            *arguments,
            *PAIR,
            *longer,
            "training.seed=0,1,2",
        ],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 300
    while len([*tmp_path.glob("runs/*/checkpoint/latest.json")]) < 2:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.2)
    return process


@pytest.mark.slow
def test_workers_of_joblib_end_at_their_next_step(tmp_path: Path) -> None:
    """Where the command alone gets the signal; it used to kill them."""
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    process = begun(tmp_path, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 130, output
    summaries = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*/summary.json")]
    assert len(summaries) == 2 and all(summary["interrupted"] for summary in summaries)


@pytest.mark.slow
@pytest.mark.parametrize("killed", ["qas_experiments.commands.sweeps", "LokyProcess-1"])
def test_a_killed_process_does_not_end_the_others(killed: str, tmp_path: Path) -> None:
    """The process of a run, and the worker of joblib that waits for it."""
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    process = begun(tmp_path, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    children = psutil.Process(process.pid).children(recursive=True)
    next(child for child in children if killed in " ".join(child.cmdline())).kill()
    output, _ = process.communicate(timeout=600)
    summaries = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*/summary.json")]
    assert not any(summary["interrupted"] for summary in summaries)
    if killed == "LokyProcess-1":
        assert process.returncode == 0 and len(summaries) == 3, output
    else:
        assert process.returncode == 2 and len(summaries) == 2 and "ended by signal 9" in output, output

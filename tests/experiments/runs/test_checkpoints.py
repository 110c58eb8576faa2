"""Runs that are cut off, killed and resumed end in the same bytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from qas_experiments.runs.metrics import reproducible_metrics
from qas_experiments.training.run import train
from tests.experiments.conftest import QUICK, command, compose
from tests.experiments.runs.conftest import cut_power

LONG = [
    *QUICK,
    "training.total_timesteps=900",
    "training.checkpoint_every=150",
    "env=tfim",
    "env.problem.num_qubits=2",
    "agent.buffer_size=400",
    "agent.n_step=3",
]
VARIANTS = {
    "plain": [],
    "priorities, shot noise": [
        "agent.prioritization=0.6",
        "noise=mumbai",
        "optimizer=adam_spsa",
        "optimizer.iterations=[5]",
    ],
    "kan": ["agent.network={name: kan, hidden: [3]}", "agent.refit_interval=50", "agent.dueling=true"],
    "demonstrations": ["agent.demonstrations=4", "agent.search_steps=50", "env.max_gates=8"],
    "gadgets": ["env.gadgets=grl", "env.gates=ibm", "env.max_gates=20"],
    "curriculum, halting": [
        "env.curriculum={name: moving, initial: 1.0, shift_time: 5}",
        "env.halting={name: negative_binomial, n: 5, p: 0.5, low: 2, high: 9}",
    ],
    "environments on the device": [
        *("training.num_envs=8", "training.checkpoint_every=15", "training.evaluate_every=1"),
        *("agent.prioritization=0.6", "env.max_gates=7"),
        "env.curriculum={name: moving, initial: 1.0, shift_time: 5}",
        "env.halting={name: negative_binomial, n: 5, p: 0.5, low: 2, high: 9}",
    ],
}


_SLOW = (
    "kan",
    "gadgets",
    "demonstrations",
    "curriculum, halting",
    "priorities, shot noise",
)  # python -m pytest tests/experiments/runs/test_checkpoints.py -m slow


@pytest.mark.parametrize(
    "variant", [pytest.param(name, marks=pytest.mark.slow) if name in _SLOW else name for name in VARIANTS]
)
def test_a_resumed_run_ends_in_the_same_bytes(variant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = [entry for entry in LONG if not ("network" in entry and "network" in "".join(VARIANTS[variant]))]
    settings += VARIANTS[variant]
    whole = train(compose(*settings, f"run={tmp_path / 'whole'}"))
    for stop_after in (1, 4):  # checkpoints, counted from the last start
        start = f"resume={tmp_path / 'cut'}" if (tmp_path / "cut").exists() else f"run={tmp_path / 'cut'}"
        cut_power(monkeypatch, compose(start) if start.startswith("resume") else compose(*settings, start), stop_after)
    resumed = train(compose(f"resume={tmp_path / 'cut'}"))
    for name in ("policy_last.safetensors", "policy_best.safetensors", "best.qasm"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes(), name
    assert reproducible_metrics(tmp_path / "whole") == reproducible_metrics(tmp_path / "cut")
    for key in ("steps", "episodes", "evaluations", "gradients"):
        assert whole["training"][key] == resumed["training"][key]
    with pytest.raises(ValueError, match="this one is finished"):
        train(compose(f"resume={tmp_path / 'cut'}"))


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.slow
@pytest.mark.parametrize(("kills", "steps"), [(1, 1500), (10, 20_000)])
def test_killed_and_resumed(kills: int, steps: int, tmp_path: Path) -> None:
    """Needs minutes: python -m pytest tests/experiments/runs/test_checkpoints.py -m slow."""
    script = Path(__file__).parents[3] / "experiments" / "benchmarks" / "kill_and_resume.py"
    result = subprocess.run(
        [sys.executable, str(script), str(kills), str(steps), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{kills} kills" in result.stdout and "all files are the same bytes" in result.stdout


def test_bad_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = command("resume=nowhere", cwd=tmp_path)
    assert result.returncode == 2 and "must name the folder of a run" in result.stderr
    result = command("resume=nowhere", "env=h2", cwd=tmp_path)
    assert result.returncode == 2 and "come with no other settings than limits" in result.stderr
    cut_power(monkeypatch, compose(*LONG, f"run={tmp_path / 'run'}"), 1)
    numbers = next((tmp_path / "run" / "checkpoint").glob("numbers-*.json"))
    numbers.write_text(numbers.read_text()[:100])
    with pytest.raises(ValueError, match="whole checkpoint"):
        train(compose(f"resume={tmp_path / 'run'}"))

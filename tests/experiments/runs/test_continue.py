"""Finished runs that are continued to a larger limit, of this package's agents and of Stable-Baselines3."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from safetensors.numpy import load_file

from qas_experiments.commands import launch
from qas_experiments.runs.files import settings_of
from qas_experiments.runs.metrics import metrics_of, reproducible_metrics
from qas_experiments.runs.progress import drop_checkpoints
from qas_experiments.training.run import train
from tests.experiments.conftest import QUICK, command, compose

TFIM = ["env=tfim", "env.problem.num_qubits=2"]
SB3 = [
    *TFIM,
    "agent=sb3_dqn",
    "agent.learning_starts=50",
    "agent.buffer_size=500",
    "training.baselines=false",
    "training.progress=false",
]


def test_a_continued_run_equals_a_longer_one(tmp_path: Path) -> None:
    settings = [*QUICK, *TFIM]
    train(compose(*settings, f"run={tmp_path / 'whole'}"))
    train(compose(*settings, "training.total_timesteps=350", f"run={tmp_path / 'part'}"))
    first = reproducible_metrics(tmp_path / "part")
    result = command(f"resume={tmp_path / 'part'}", "training.total_timesteps=600", cwd=tmp_path)
    assert result.returncode == 0 and "resumed after 350 steps" in result.stdout, result.stderr
    found = reproducible_metrics(tmp_path / "part")
    assert found == reproducible_metrics(tmp_path / "whole") and found[: len(first)] == first
    for name in ("policy_last.safetensors", "best.qasm"):
        assert (tmp_path / "part" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert settings_of(tmp_path / "part").training.total_timesteps == 600


def test_a_finished_run_needs_a_larger_limit(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"come with a larger limit, such as training.total_timesteps=\.\.\."):
        train(compose(f"resume={run}"))
    with pytest.raises(ValueError, match="come with a larger limit"):
        train(compose(f"resume={run}"), limits={"total_timesteps": 600})
    result = command(f"resume={run}", "env=h2", cwd=tmp_path)
    assert result.returncode == 2 and "no other settings than limits (training.total_timesteps" in result.stderr


def test_a_run_of_stable_baselines3_continues(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(compose(*SB3, "training.total_timesteps=120", f"run={folder}"))
    place = next((folder / "checkpoint").glob("step-*"))
    assert place.name == "step-120" and {path.name for path in place.iterdir()} == {
        "model.zip",
        "numbers.json",
        "replay.pkl",
    }
    begun: dict[str, Any] = {}

    def watch(recorder: Any) -> None:
        begun.setdefault("steps", recorder.steps)

    before, policy = list(metrics_of(folder)), load_file(folder / "policy_last.safetensors")
    from stable_baselines3 import DQN

    stored = DQN.load(place / "model.zip")
    for name, value in stored.policy.state_dict().items():
        assert (policy[name] == value.numpy()).all(), "Stable-Baselines3 reads what was trained"
    train(compose(f"resume={folder}"), watch, {"total_timesteps": 200})
    after = list(metrics_of(folder))
    assert begun["steps"] == 121 and after[: len(before)] == before and after[-1]["steps"] <= 200
    assert json.loads((folder / "summary.json").read_text())["training"]["steps"] == 200
    longer = DQN.load(folder / "checkpoint" / "step-200" / "model.zip")
    longer.load_replay_buffer(folder / "checkpoint" / "step-200" / "replay.pkl")
    assert longer.num_timesteps == 200 and longer.replay_buffer is not None and longer.replay_buffer.size() == 200
    assert drop_checkpoints([tmp_path]) == 1 and not (folder / "checkpoint").exists()


def test_a_changed_file_of_stable_baselines3_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(compose(*SB3, "training.total_timesteps=60", f"run={folder}"))
    model = folder / "checkpoint" / "step-60" / "model.zip"
    model.write_bytes(model.read_bytes() + b"x")
    with pytest.raises(ValueError, match=r"whole checkpoint .*`model.zip` must be the file that was written"):
        train(compose(f"resume={folder}"), limits={"total_timesteps": 90})


def test_ctrl_c_ends_any_command_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    modules = {"arguments": SimpleNamespace(read=lambda name: None), "report": SimpleNamespace(main=interrupted)}
    monkeypatch.setattr(launch, "import_module", lambda name: modules[name.rpartition(".")[2]])
    with pytest.raises(SystemExit) as ended:
        launch.report()
    assert ended.value.code == 130 and capsys.readouterr().err == "interrupted\n"


def test_noise_that_drifts_and_reused_policies_continue(tmp_path: Path) -> None:
    """Noise, policies, and the noise under which policies are evaluated are those of a longer run."""
    settings = [
        *("env=bell", "agent=ppr_dqn", "env.max_gates=4", "noise=depolarizing", "optimizer=none"),
        "env.drift={name: walk, steps: 6, every: 12, dropout: 0.2, shown: true}",
        *("agent.learning_starts=20", "agent.network.hidden=[16]", "agent.batch_size=16"),
        *("training.total_timesteps=240", "training.progress=false", "training.baselines=false"),
        "training.evaluate_every=5",
    ]
    train(compose(*settings, f"run={tmp_path / 'whole'}"))
    train(compose(*settings, "training.total_timesteps=130", f"run={tmp_path / 'part'}"))
    train(compose(f"resume={tmp_path / 'part'}"), limits={"total_timesteps": 240})
    assert reproducible_metrics(tmp_path / "part") == reproducible_metrics(tmp_path / "whole")
    assert [*metrics_of(tmp_path / "part")][-1]["policies"] >= 1
    for name in ("policy_last.safetensors", "best.qasm"):
        assert (tmp_path / "part" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()

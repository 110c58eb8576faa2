"""Damaged, swapped and hostile checkpoints: the same state, or one line; nothing outside is touched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from qas_experiments.building import Plan
from qas_experiments.runs.checkpoints import Checkpoints
from qas_experiments.runs.files import settings_of
from qas_experiments.runs.folders import RunFolder
from qas_experiments.training.run import train
from qas_experiments.training.session import Session
from tests.experiments.conftest import compose
from tests.experiments.runs.conftest import (
    SMALL,
    check_refused,
    contents,
    cut_power,
    deep,
    edit_arrays,
    edit_numbers,
    put,
    refused,
    resumed,
    session_of,
    sign,
)

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
    plan = Plan.of(settings_of(run))
    env = plan.make_environment()
    agent = plan.make_agent(env)
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
    session.recorder.steps += 1  # a step's files are written once
    with pytest.raises(ValueError, match="must be finite"):
        session.checkpoint()
    folder.close()
    assert contents(run / "checkpoint") == before

"""Records whose settings name code: what the energies do not need is left out, and nothing is imported."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest

from qas_experiments.benchmarking.judge import Judge
from qas_experiments.benchmarking.records import Record
from qas_experiments.benchmarking.verification import faults_of


def naming(record: Record, **env: Any) -> Record:
    settings = {**record.settings, "env": {**record.settings["env"], **env}}
    return dataclasses.replace(record, settings=settings)


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the module ``trap`` writes when it is imported."""
    path = tmp_path / "trodden"
    (tmp_path / "trap.py").write_text(f"open({str(path)!r}, 'w').close()\n\n\ndef step(transition):\n    return 0.0\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    return path


def test_rewards_are_not_needed(record: Record, trap: Path) -> None:
    own: dict[str, Any] = {"reward": {"_target_": "trap.step"}, "halting": "trap:step", "curriculum": "trap:step"}
    assert faults_of(naming(record, **own)) == [] and not trap.exists()


def test_a_judge_imports_nothing(record: Record, trap: Path) -> None:
    with Judge() as judge:  # started after the trap is on the path
        faults = judge.faults(naming(record, gates="trap:step"))
        other = judge.faults(naming(record, id="QAS-Problem-v0", problem={"problem": "trap:step"}))
        assert all("where records are verified" in "; ".join(found) for found in (faults, other))
        assert judge.faults(record) == [] and not trap.exists()

"""``qas-runs``: the state of runs as their files tell it."""

import json
import os
import shutil
import time
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from qas_experiments.runs.progress import progress_of, table_of


def test_finished_running_interrupted_stopped(run: Path, tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("finished", "running", "interrupted", "stopped")}
    for folder in folders.values():
        shutil.copytree(run, folder)
    for name in ("running", "stopped"):
        (folders[name] / "summary.json").unlink()
    summary = json.loads((run / "summary.json").read_text())
    summary["training"]["steps"] = 150
    (folders["interrupted"] / "summary.json").write_text(json.dumps({**summary, "interrupted": True}))
    with (folders["running"] / "metrics.jsonl").open("a") as file:
        file.write('{"episode": 99, "ste')  # a line under way
    os.utime(folders["stopped"] / "metrics.jsonl", (time.time() - 1000,) * 2)
    found = {name: progress_of(folder) for name, folder in folders.items()}
    assert {name: progress.state for name, progress in found.items()} == {name: name for name in folders}
    assert found["finished"].share == 1.0 and found["interrupted"].share == 0.25
    assert found["finished"].energy_error == summary["rows"]["found in training"]["energy_error"]
    (folders["stopped"] / "progress.json").write_text('{"steps": 599, "evaluations": 123456}')
    alive = progress_of(folders["stopped"])
    assert (alive.state, alive.share, alive.evaluations) == ("running", 599 / 600, 123456), "it was heard of just now"
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert found["running"].energy_error == min(row["energy_error"] for row in rows)
    assert found["running"].evaluations == rows[-1]["evaluations"]
    assert found["running"].successes == sum(row["success"] for row in rows)


def test_the_table_counts_all_and_shows_the_unfinished(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "done")
    shutil.copytree(run, tmp_path / "under way")
    (tmp_path / "under way" / "metrics.jsonl").touch()
    (tmp_path / "under way" / "summary.json").unlink()
    for with_finished in (False, True):
        Console(width=500, file=(buffer := StringIO())).print(table_of([tmp_path], with_finished))
        text = buffer.getvalue()
        assert "2 runs: 1 finished, 1 running, 0 interrupted, 0 stopped" in text
        assert "under way" in text and (f"{tmp_path.name}/done" in text) == with_finished
    (tmp_path / "under way" / "summary.json").write_text("{}")
    (tmp_path / "done" / "metrics.jsonl").write_text("\0\n")
    (tmp_path / "done" / "summary.json").unlink()
    Console(width=500, file=(buffer := StringIO())).print(table_of([tmp_path], True))
    assert "2 unreadable" in buffer.getvalue()
    with pytest.raises(ValueError, match="must exist"):
        table_of([tmp_path / "none"], True)

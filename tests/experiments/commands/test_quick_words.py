"""Help and wrong words need none of the large packages: their imports take longer than everything else together."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from qas_experiments.commands.arguments import PARSERS

LARGE = (
    *("torch", "numba", "scipy.stats", "scipy.optimize", "matplotlib", "qiskit", "stable_baselines3", "tensorboard"),
    "rich.progress",
)
SCRIPT = """
import contextlib, io, json, sys
from qas_experiments.commands import launch
sys.argv = json.loads(sys.argv[1])
status = 0
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    try:
        getattr(launch, sys.argv[0].removeprefix("qas-"))()
    except SystemExit as ended:
        status = ended.code
print(json.dumps([status, sorted(sys.modules)]))
"""


def imported(*command: str, cwd: Path) -> tuple[int, set[str]]:
    """Call a command in a process of its own; return its exit status and the modules that it imported."""
    line = [sys.executable, "-c", SCRIPT, json.dumps(command)]
    done = subprocess.run(line, cwd=cwd, capture_output=True, text=True, check=True)
    status, modules = json.loads(done.stdout)
    return status, set(modules)


@pytest.mark.parametrize("name", [*PARSERS, "train", "benchmark"])
def test_help_imports_nothing_large(name: str, tmp_path: Path) -> None:
    status, modules = imported(f"qas-{name}", "--help", cwd=tmp_path)
    assert status == 0 and not modules & {*LARGE, "hydra"}
    if name in PARSERS:
        assert not modules & {"numpy", "gymnasium"}


WRONG = [
    ("qas-train", "env=lhi"),
    ("qas-train", "trainig.seed=1"),
    ("qas-runs", "--hlep"),
    ("qas-run", "nowhere"),
    ("qas-run", __file__, "env=QAS-LiH-v0", "backend=fake_manila", "shts=3"),
    ("qas-solve", "QAS-LiHH-v0"),
    ("qas-evaluate", "nowhere"),
    ("qas-tune", "tune.trial=3"),
]


def test_the_help_of_searches_imports_nothing_large(tmp_path: Path) -> None:
    status, modules = imported("qas-tune", "--help", cwd=tmp_path)
    assert status == 0 and not modules & {*LARGE, "optuna"}


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_wrong_words_import_nothing_large(words: tuple[str, ...], tmp_path: Path) -> None:
    status, modules = imported(*words, cwd=tmp_path)
    assert status == 2 and not modules & {*LARGE}


def test_a_training_without_networks_needs_no_pytorch(tmp_path: Path) -> None:
    words = ["env=bell", "agent=random", "optimizer=none", "training.total_timesteps=20", "training.progress=false"]
    status, modules = imported("qas-train", *words, "training.baselines=false", "run=run", cwd=tmp_path)
    assert status == 0 and (tmp_path / "run" / "summary.json").exists() and "torch" not in modules

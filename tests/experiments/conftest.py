"""What the tests of the commands share: small settings, commands, one run."""

from __future__ import annotations

import dataclasses
import io
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from qas_experiments.benchmarking.cells import benchmark
from qas_experiments.benchmarking.judge import Judge
from qas_experiments.benchmarking.records import Record, Records
from qas_experiments.commands import launch
from qas_experiments.composition import Composer
from qas_experiments.settings import BenchmarkSettings, TrainSettings
from qas_experiments.training.run import train

QUICK = [
    "training.total_timesteps=600",
    "agent.learning_starts=200",
    "agent.network.hidden=[16]",
    "agent.batch_size=32",
    "training.progress=false",
    "training.evaluate_every=2",
    "training.baselines=false",
    "env.actions=gates",
]


@pytest.fixture(autouse=True)
def commands_end() -> Iterator[None]:
    """Forget what Hydra keeps of a command that a test called in this process."""
    yield
    forget_hydra()


def forget_hydra() -> None:
    HydraConfig.instance().cfg = None
    GlobalHydra.instance().clear()


def compose(*overrides: str) -> TrainSettings:
    settings = Composer().settings("train", overrides)
    assert isinstance(settings, TrainSettings)
    return settings


def call(program: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Call ``qas-<program>`` in this process, in a folder; return its exit status and what it prints."""
    out, err, status = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(cwd)
        patch.setenv("HYDRA_FULL_ERROR", "1")  # restored afterwards
        patch.setattr(sys, "argv", [f"qas-{program}", *arguments])
        try:
            getattr(launch, program)()
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else 1
    forget_hydra()
    return subprocess.CompletedProcess([program, *arguments], status, out.getvalue(), err.getvalue())


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Call ``qas-train`` in this process; see :func:`call`."""
    return call("train", *arguments, cwd=cwd)


def process(program: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run ``qas-<program>`` in a process of its own."""
    line = [sys.executable, "-m", f"qas_experiments.commands.{program}", *arguments]
    return subprocess.run(line, cwd=cwd, capture_output=True, text=True, check=False)


def conf(group: str) -> list[str]:
    names = [entry.name for entry in files("qas_experiments.conf").joinpath(group).iterdir()]
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One small run with baselines; tests that write into it take a copy."""
    path = tmp_path_factory.mktemp("runs") / "first"
    train(compose(*QUICK, "training.baselines=true", "env=tfim", "env.problem.num_qubits=2", f"run={path}"))
    return path


SMALL = [
    "suite=quick",
    "agent=annealing",
    "instances=[H2-4,TFIM-3]",
    "seeds=[0]",
    "suite.max_evaluations=3000",
    "suite.total_timesteps=2000",
]


def composed(folder: Path, *overrides: str) -> BenchmarkSettings:
    places = [f"folder={folder / 'cells'}", f"records={folder / 'records.sqlite'}"]
    settings = Composer().settings("benchmark", [*overrides, *places])
    assert isinstance(settings, BenchmarkSettings)
    return settings


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small benchmark: ``cells`` and ``records.sqlite``; tests add nothing to them."""
    folder = tmp_path_factory.mktemp("benchmark")
    benchmark(composed(folder, *SMALL))
    return folder


@pytest.fixture
def record(played: Path) -> Record:
    """The first record of the small benchmark."""
    return next(iter(Records(played / "records.sqlite")))


def changed(record: Record, circuit: str, **figures: Any) -> Record:
    """Return a record with other figures of a circuit."""
    circuits = {**record.circuits, circuit: {**record.circuits[circuit], **figures}}
    return dataclasses.replace(record, circuits=circuits)


def of_another_machine(record: Record) -> Record:
    """Return the record that another machine would have of the same cell: other times, folder, versions and angles."""
    first = record.figures["first_solved"]
    figures = {
        **record.figures,
        "seconds": record.figures["seconds"] * 3.0,
        "first_solved": first and [first[0], first[1] * 3.0],
        "firsts": [[*row[:2], row[2] * 3.0] for row in record.figures["firsts"]],
        "ground_energy": record.figures["ground_energy"] + 4e-12,
    }
    circuits = {
        name: {**told, "seconds": 9.0, "energy": told["energy"] + 3e-12, "qasm": told["qasm"].replace("1) q", "2) q")}
        for name, told in record.circuits.items()
    }
    settings = {**record.settings, "run": "/elsewhere"}
    told = {"versions": {**record.versions, "numpy": "9.9.9"}, "machine": "Darwin arm64"}
    return dataclasses.replace(record, settings=settings, figures=figures, circuits=circuits, **told)


@pytest.fixture(scope="session")
def judge() -> Iterator[Judge]:
    """One process that verifies records; it takes seconds to start."""
    with Judge() as made:
        yield made

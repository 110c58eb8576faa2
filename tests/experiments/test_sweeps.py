"""Hydra's launchers start sweeps on processes, Slurm's interface and a Ray cluster of two nodes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.experiments.conftest import QUICK, command

SWEEP = [*QUICK, "env=tfim", "env.problem.num_qubits=2", "training.total_timesteps=300", "training.seed=0,1"]


def finished(folder: Path) -> list[int]:
    summaries = [json.loads(path.read_text()) for path in folder.glob("runs/*/summary.json")]
    assert not any(summary["interrupted"] for summary in summaries)
    return sorted(summary["settings"]["training"]["seed"] for summary in summaries)


@pytest.mark.parametrize("launcher", [["joblib", "hydra.launcher.n_jobs=2"], ["submitit_local"]])
def test_sweep_on_this_machine(launcher: list[str], tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_" + launcher[0].partition("_")[0] + "_launcher")
    ended = command("-m", f"hydra/launcher={launcher[0]}", *launcher[1:], *SWEEP, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert finished(tmp_path) == [0, 1]


def test_sweep_on_a_ray_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two nodes with one CPU each: a run on either."""
    pytest.importorskip("hydra_plugins.hydra_ray_launcher")
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster
    from ray.util.state import list_tasks

    monkeypatch.chdir(tmp_path)  # where a node was started, its runs are written
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        cluster.add_node(num_cpus=1)
        address = f"hydra.launcher.ray.init.address={cluster.address}"
        ended = command("-m", "hydra/launcher=ray_cluster", address, *SWEEP, cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
        ray.init(address=cluster.address, log_to_driver=False)
        nodes = [task.node_id for task in list_tasks() if task.name == "_run_job"]
        assert len(nodes) == len(set(nodes)) == 2
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert finished(tmp_path) == [0, 1]


def test_a_benchmark_in_parts_is_merged(tmp_path: Path) -> None:
    """One file of records for every job; nothing is written by two machines."""
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    settings = ["suite=quick", "agent=random", 'instances=["TFIM-3"]', "suite.max_evaluations=300"]
    jobs = ["-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "records=runs/part-${hydra:job.num}.sqlite"]

    def benchmark(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "qas_experiments.benchmark.command", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    ended = benchmark(*jobs, *settings, "seeds=[0],[1]")
    assert ended.returncode == 0, ended.stderr
    merged = benchmark(*settings, "seeds=[0,1]", "records=runs/part-0.sqlite", "merge=runs/part-1.sqlite")
    assert "1 records added from runs/part-1.sqlite" in merged.stdout, merged.stderr
    assert "2 cells, 2 of them recorded" in merged.stdout

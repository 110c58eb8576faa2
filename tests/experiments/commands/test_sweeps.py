"""Hydra's launchers start sweeps on processes, Slurm's interface and a Ray cluster of two nodes."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from qas_simulators.kernels.compile import cache_directory
from tests.experiments.conftest import QUICK, call, process

SWEEP = [*QUICK, "env=tfim", "env.problem.num_qubits=2", "training.total_timesteps=300", "training.seed=0,1"]

OWN_REWARD = """
from pathlib import Path

class Gained:
    def __call__(self, transition):
        Path("used").touch()
        return transition.previous_energy - transition.energy
"""


def finished(folder: Path) -> list[int]:
    summaries = [json.loads(path.read_text()) for path in folder.glob("runs/*/summary.json")]
    assert not any(summary["interrupted"] for summary in summaries)
    return sorted(summary["settings"]["training"]["seed"] for summary in summaries)


@pytest.mark.parametrize(
    "launcher",
    [["joblib", "hydra.launcher.n_jobs=2"], ["submitit_local"], ["ray", "+hydra.launcher.ray.init.address=local"]],
    ids=["joblib", "submitit", "ray"],
)
@pytest.mark.slow
def test_sweep_on_this_machine(launcher: list[str], tmp_path: Path) -> None:
    """Needs minutes: python -m pytest tests/experiments/commands/test_sweeps.py -m slow."""
    pytest.importorskip("hydra_plugins.hydra_" + launcher[0].partition("_")[0] + "_launcher")
    (tmp_path / "own_reward.py").write_text(OWN_REWARD)
    own = "env.reward=own_reward:Gained"  # a module of the current folder, which the workers must find
    ended = process("train", "-m", f"hydra/launcher={launcher[0]}", *launcher[1:], *SWEEP, own, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert finished(tmp_path) == [0, 1]
    assert (tmp_path / "used").exists()


def documented(first: str) -> list[str]:
    """Return the commands of the block of docs/sweeps.md that has one with these words, comments left out."""
    text = (Path(__file__).parents[3] / "docs" / "sweeps.md").read_text("utf-8")
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    lines = next(block for block in blocks if first in block).splitlines()
    return [line.partition("  #")[0].strip() for line in lines if not line.startswith("#")]


@pytest.mark.slow
def test_sweep_on_a_ray_cluster(tmp_path: Path) -> None:
    """The documented commands, for two nodes with homes of their own: a run on either.

    Replaced are the shared folder, the first node's name, its port, and the size of what is played; a run asks for all
    processors of a node, so that no node plays both.
    """
    pytest.importorskip("hydra_plugins.hydra_ray_launcher")
    pytest.importorskip("ray")
    token, setting, head, node, folder, play, list_runs, end = documented("ray start --head")
    assert end == "ray stop" and list_runs.startswith("qas-runs")  # the first would end other people's clusters too
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    train = shlex.join([sys.executable, "-m", "qas_experiments.commands.train"])
    sizes = shlex.join([*SWEEP, f"+hydra.launcher.ray.remote.num_cpus={os.cpu_count()}"])
    assert "env=lih training.seed='range(64)'" in play
    play = play.replace("env=lih training.seed='range(64)'", sizes).replace("qas-train", train)

    def shell(*lines: str, home: str) -> None:
        text = " && ".join(lines).replace("/shared/study", str(tmp_path))
        text = text.replace("<first node>", "127.0.0.1").replace("6379", port)
        (tmp_path / home).mkdir(exist_ok=True)
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        variables = {**os.environ, "HOME": str(tmp_path / home), "PATH": path, "RAY_ADDRESS": f"127.0.0.1:{port}"}
        variables.setdefault("QAS_ENVS_CACHE_DIR", str(cache_directory().parent))  # kernels compiled before
        if "ray start" in text or "get-auth-token" in text:
            variables.pop("RAY_ADDRESS")
        log = tmp_path / f"{home}.log"  # a pipe would stay open as long as the node
        with log.open("a") as file:
            ended = subprocess.run(["bash", "-c", text], env=variables, stdout=file, stderr=file, check=False)
        assert ended.returncode == 0, log.read_text()

    try:
        shell(token, home="first")
        shell(setting, head, home="first")
        shell(setting, node, home="second")
        shell(setting, folder, play, home="first")
        nodes = [shlex.join([sys.executable, "-c", NODES])]
        shell(setting, *nodes, home="first")
        played_on = (tmp_path / "first.log").read_text().splitlines()[-1].split()
        assert len(played_on) == len(set(played_on)) == 2
    finally:
        end_processes_of(tmp_path)
    assert finished(tmp_path) == [0, 1]


NODES = """
import ray
from ray.util.state import list_tasks
ray.init(address="auto", log_to_driver=False)
print(*[task.node_id for task in list_tasks() if task.name == "_run_job"])
"""


def end_processes_of(folder: Path) -> None:
    """End the processes whose home is in a folder."""
    for running in psutil.process_iter():
        with suppress(psutil.Error):
            if running.environ().get("HOME", "").startswith(f"{folder}{os.sep}"):
                running.kill()


@pytest.mark.slow  # python -m pytest tests/experiments/commands/test_sweeps.py -m slow
def test_a_benchmark_in_parts_is_merged(tmp_path: Path) -> None:
    """One file of records for every job; nothing is written by two machines."""
    settings = ["suite=quick", "agent=random", 'instances=["TFIM-3"]', "suite.max_evaluations=300"]
    ended = call(
        "benchmark", "-m", "records=runs/part-${hydra:job.num}.sqlite", *settings, "seeds=[0],[1]", cwd=tmp_path
    )
    assert ended.returncode == 0, ended.stderr
    parts = ["records=runs/part-0.sqlite", "merge=runs/part-1.sqlite"]
    merged = call("benchmark", *settings, "seeds=[0,1]", *parts, cwd=tmp_path)
    assert "1 records added from runs/part-1.sqlite" in merged.stdout, merged.stderr
    assert "2 cells, 2 recorded" in merged.stdout

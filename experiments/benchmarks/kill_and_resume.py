"""Kill a training at random moments, resume it each time, and compare it with an uninterrupted one.

    python experiments/benchmarks/kill_and_resume.py [kills] [steps] [folder]

Final weights, best policy, best circuit, and metrics except wall time must be the same bytes. A process that is killed
before its first new checkpoint makes no progress, so the moments are drawn after training has begun. The default is 100
kills; the tests run fewer.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from qas_experiments.runs.metrics import reproducible_metrics

SAME = ("policy_last.safetensors", "policy_best.safetensors", "best.qasm")
SETTINGS = [
    "env=tfim",
    "env.problem.num_qubits=3",
    "env.halting={name: negative_binomial, n: 8, p: 0.4, low: 3, high: 20}",
    "agent.network.hidden=[32]",
    "agent.prioritization=0.6",
    "agent.learning_starts=300",
    "agent.buffer_size=1500",
    "agent.train_frequency=2",
    "agent.demonstrations=8",
    "agent.search_steps=100",
    "training.checkpoint_every=250",
    "training.evaluate_every=5",
    "training.baselines=false",
    "training.progress=false",
]


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start ``qas-train``."""
    command = [sys.executable, "-m", "qas_experiments.commands.train", *arguments]
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"})


def kill_at_random(process: subprocess.Popen[bytes], metrics: Path, rng: random.Random) -> bool:
    """Wait until training writes, then kill at a random moment; return whether it was still running."""
    before, deadline = metrics.stat().st_mtime_ns if metrics.exists() else 0, time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if metrics.exists() and metrics.stat().st_mtime_ns != before:
            break
        time.sleep(0.002)
    time.sleep(rng.random() * 0.6)
    if process.poll() is not None:
        return False
    process.send_signal(signal.SIGKILL)
    process.wait()
    return True


def main(kills: int, steps: int, folder: Path) -> int:
    """Return the exit status."""
    settings = [*SETTINGS, f"training.total_timesteps={steps}"]
    whole = start(folder, *settings, "run=whole")
    if whole.wait() != 0:
        print((folder / "log.txt").read_text())
        return 1
    rng, done = random.Random(0), 0
    process = start(folder, *settings, "run=killed")
    while done < kills and kill_at_random(process, folder / "killed" / "metrics.jsonl", rng):
        done += 1
        print(f"kill {done}", flush=True)
        process = start(folder, *(["resume=killed"] if (folder / "killed").exists() else [*settings, "run=killed"]))
    if process.wait() != 0:
        print((folder / "log.txt").read_text())
        return 1
    different = [
        name for name in SAME if (folder / "whole" / name).read_bytes() != (folder / "killed" / name).read_bytes()
    ]
    if reproducible_metrics(folder / "whole") != reproducible_metrics(folder / "killed"):
        different.append("metrics.jsonl")
    print(
        f"{done} kills, {steps} steps: " + (f"different: {different}" if different else "all files are the same bytes")
    )
    return 1 if different or done < kills else 0


if __name__ == "__main__":
    given = sys.argv[1:]
    where = Path(given[2]) if len(given) > 2 else Path(tempfile.mkdtemp())
    where.mkdir(parents=True, exist_ok=True)
    sys.exit(main(int(given[0]) if given else 100, int(given[1]) if len(given) > 1 else 60_000, where))

"""Our records of the suites: the agents of this library beside the searchers that need no learning.

    python experiments/benchmarks/leaderboard.py run [workers]     # plays what is missing, about 3 core-hours in all

Each line of ``PLAYS`` is one call of ``qas-benchmark``; records are added to ``runs/leaderboard/records.sqlite``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FOLDER = Path("runs/leaderboard")
GUIDED = ["agent=dqn_guided"]
SEARCHERS = (["agent=annealing"], ["agent=random"], ["agent=beam"], ["agent=hea"])
EIGHT_QUBITS = {"H2O-8", "H2O-8 bohr", "CH2-8", "CH2-8 bohr"}
SEEDS = 5
PLAYS = [
    *(("crlqas", agent) for agent in (GUIDED, *SEARCHERS)),
    *(("tensorrl", agent) for agent in (GUIDED, *SEARCHERS)),
    ("ablation", ["agent=dqn"]),
    *(("noisy", agent) for agent in (GUIDED, ["agent=annealing"], ["agent=random"])),
    *(("grl", agent) for agent in (GUIDED, *SEARCHERS)),
]
"""Suite and overrides; of instances with 8 qubits three seeds."""


def command_of(suite: str, agent: list[str], seed: int) -> list[str]:
    """Return the call of ``qas-benchmark``, which says where to write too."""
    base = [sys.executable, "-m", "qas_experiments.benchmark.command", f"suite={suite}", *agent]
    paths = [f"folder={FOLDER}", f"records={FOLDER / 'records.sqlite'}"]
    return [*base, *paths, f"seeds=[{seed}]", *instances_of(suite, seed)]


def instances_of(suite: str, seed: int) -> list[str]:
    """Return which instances are played with a seed: all, or from the fourth seed on those of at most six qubits."""
    if seed < 3:
        return []
    from omegaconf import OmegaConf

    path = Path(__file__).parents[1] / "qas_experiments" / "conf" / "suite" / f"{suite}.yaml"
    names = [name for name in OmegaConf.load(path).instances if not any(large in name for large in EIGHT_QUBITS)]
    return [f"instances={names!r}".replace("'", '"')]


def play(command: list[str]) -> None:
    """Call ``qas-benchmark``; what it prints goes to a log."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "log.txt").open("a") as log:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        ended = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
    print(" ".join(command[3:]), "" if ended.returncode == 0 else "FAILED", flush=True)


def main(command: str, workers: str = "2") -> None:
    """Run."""
    if command != "run":
        raise SystemExit(__doc__)
    with ThreadPoolExecutor(int(workers)) as pool:
        for _ in pool.map(play, [command_of(*call, seed) for seed in range(SEEDS) for call in PLAYS]):
            pass


if __name__ == "__main__":
    main(*sys.argv[1:])

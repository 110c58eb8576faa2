"""Steps per second of single and vector environments, random legal actions, medians of five rounds.

    OMP_NUM_THREADS=1 python qas_envs/benchmarks/vector.py [--only LiH] [--rounds 5] [--page docs/environments/many.md]

The single environment is stepped by a bare Python loop. With and without re-optimisation of the angles; one and two
threads. Drawing the actions is part of the time. In every round the three runs of a case follow each other, so that a
busy machine slows all of them. The last two columns count the processor time of a step on one thread, which other
processes disturb less.
"""

from __future__ import annotations

import argparse
import platform
import re
import time
from collections.abc import Callable
from datetime import date
from os import cpu_count, getloadavg
from pathlib import Path
from typing import NamedTuple

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

import qas_envs  # noqa: F401


class Case(NamedTuple):
    """An environment, the number of environments of the vector, and the steps of a run."""

    environment: str
    settings: dict[str, object]
    num_envs: int
    steps: int


CASES: dict[str, Case] = {
    "LiH, 4 qubits, no optimisation": Case("QAS-LiH-v0", {"optimizer": "none"}, 64, 10_240),
    "LiH, 4 qubits, no optimisation, 256": Case("QAS-LiH-v0", {"optimizer": "none"}, 256, 20_480),
    "LiH, 4 qubits, no optimisation, 1024": Case("QAS-LiH-v0", {"optimizer": "none"}, 1024, 40_960),
    "LiH, 4 qubits": Case("QAS-LiH-v0", {}, 64, 8_000),
    "LiH, 4 qubits, mumbai noise": Case("QAS-LiH-v0", {"noise": "mumbai"}, 64, 2_000),
    "BeH2, 6 qubits": Case("QAS-BeH2-v0", {"initial": "basis_state"}, 64, 4_000),
    "BeH2, 6 qubits, 1 % and 5 % noise": Case(
        "QAS-BeH2-v0", {"initial": "basis_state", "noise": "percent_1_5"}, 64, 640
    ),
    "H2O, 8 qubits": Case("QAS-H2O-v0", {"initial": "basis_state"}, 64, 1_280),
}


def single(case: Case) -> Callable[[], int]:
    """Return a function that takes steps in one environment and returns how many."""
    env = gym.make(case.environment, **case.settings).unwrapped

    def run() -> int:
        rng, steps = np.random.default_rng(0), max(500, case.steps // 20)
        _, info = env.reset(seed=0)
        for _ in range(steps):
            legal = np.flatnonzero(info["action_mask"])
            *_, terminated, truncated, info = env.step(int(legal[int(rng.random() * len(legal))]))
            if terminated or truncated:
                _, info = env.reset()
        return steps

    return run


def vectorised(case: Case, num_threads: int) -> Callable[[], int]:
    """Return a function that takes steps in environments together and returns how many."""
    envs = gym.make_vec(
        case.environment, case.num_envs, num_threads=num_threads, autoreset_mode="SameStep", **case.settings
    )

    def run() -> int:
        rng, steps = np.random.default_rng(0), case.steps // case.num_envs
        _, infos = envs.reset(seed=0)
        for _ in range(steps):
            *_, infos = envs.step(random_legal(infos["action_mask"], rng))
        return steps * case.num_envs

    return run


def random_legal(masks: NDArray[np.int8], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return one of the legal actions of each environment, all equally likely."""
    number = rng.random(len(masks)) * masks.sum(axis=1)
    return (masks.cumsum(axis=1) > number[:, None]).argmax(axis=1)


def rates(run: Callable[[], int]) -> tuple[float, float]:
    """Return the steps per second of wall time, and per second of processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    steps = run()
    return steps / (time.perf_counter() - wall), steps / (time.process_time() - processor)


class Row(NamedTuple):
    """Medians of a case; rates are steps per second, and those of a processor count its time instead of wall time."""

    name: str
    num_envs: int
    single: float
    one_thread: float
    two_threads: float
    ratio: float  # two threads over the single environment, by wall time
    processor: float  # one thread, processor time
    processor_ratio: float  # over the single environment

    def cells(self) -> list[str]:
        """Return the row as text."""
        rates = (f"{rate:,.0f}" for rate in (self.single, self.one_thread, self.two_threads))
        ratios = f"{self.ratio:.1f}", f"{self.processor:,.0f}", f"{self.processor_ratio:.1f}"
        return [self.name, str(self.num_envs), *rates, *ratios]


HEAD = ("", "envs", "single", "1 thread", "2 threads", "ratio", "1 thread, processor", "ratio, processor")


def measured(name: str, case: Case, rounds: int) -> Row:
    """Measure a case."""
    runs = single(case), vectorised(case, 1), vectorised(case, 2)
    for run in runs:
        run()
    times = np.array([[rates(run) for run in runs] for _ in range(rounds)])  # (rounds, 3, 2)
    medians = np.median(times, axis=0)
    ratios = np.median(times[:, 2, 0] / times[:, 0, 0]), np.median(times[:, 1, 1] / times[:, 0, 1])
    return Row(name, case.num_envs, *medians[:, 0], ratios[0], medians[1, 1], ratios[1])


def write(page: Path, rows: list[Row]) -> None:
    """Replace the table of a page, which is between two comments."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (HEAD, ["---"] * len(HEAD), *(row.cells() for row in rows))]
    load = ", ".join(f"{one:.1f}" for one in getloadavg())
    note = f"{date.today()}, {cpu_count()} cores of {processor_name()}, load averages at the end {load}."
    block = "\n".join(["<!-- benchmarks/vector.py -->", *lines, "", note, "<!-- end -->"])
    text = page.read_text(encoding="utf-8")
    pattern = r"<!-- benchmarks/vector\.py -->.*?<!-- end -->"
    page.write_text(re.sub(pattern, lambda _: block, text, count=1, flags=re.DOTALL), encoding="utf-8")


def processor_name() -> str:
    """Return the name of the processor, where Linux says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def main() -> None:
    """Print a row per case."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="cases whose name contains this text")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--page", type=Path, help="page whose table is replaced, docs/environments/many.md")
    arguments = parser.parse_args()
    print(f"{HEAD[0]:37s} " + " ".join(f"{name:>10s}" for name in HEAD[1:]))
    rows = []
    for name, case in CASES.items():
        if arguments.only in name:
            rows.append(measured(name, case, arguments.rounds))
            print(f"{name:37s} " + " ".join(f"{cell:>10s}" for cell in rows[-1].cells()[1:]), flush=True)
    if arguments.page:
        write(arguments.page, rows)


if __name__ == "__main__":
    main()

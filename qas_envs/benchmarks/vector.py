"""Steps per second of single and vector environments, random legal actions, medians of five rounds.

    OMP_NUM_THREADS=1 python qas_envs/benchmarks/vector.py [--only LiH] [--rounds 5]

The single environment is stepped by a bare Python loop. With and without re-optimisation of the angles; one and two threads. Drawing the actions is part of the time. In every
round the three runs of a case follow each other, so that a busy machine slows all of them. The last column compares
the processor time of a step on one thread, which other processes disturb less.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
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
    "LiH, 4 qubits, no optimisation": Case("QAS-LiH-v0", {"optimizer": "none"}, 64, 16_000),
    "LiH, 4 qubits, no optimisation, 256": Case("QAS-LiH-v0", {"optimizer": "none"}, 256, 25_600),
    "LiH, 4 qubits, no optimisation, 1024": Case("QAS-LiH-v0", {"optimizer": "none"}, 1024, 81_920),
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
        rng, steps = np.random.default_rng(0), case.steps // 4
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


def main() -> None:
    """Print a row per case."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="cases whose name contains this text")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{'':37s} envs  single  1 thread 2 threads  ratio to single  by processor time, 1 thread")
    for name, case in CASES.items():
        if arguments.only not in name:
            continue
        runs = single(case), vectorised(case, 1), vectorised(case, 2)
        for run in runs:
            run()
        rounds = np.array([[rates(run) for run in runs] for _ in range(arguments.rounds)])  # (rounds, 3, 2)
        one, alone, both = (statistics.median(column) for column in rounds[:, :, 0].T)
        ratio = statistics.median(rounds[:, 2, 0] / rounds[:, 0, 0])
        by_processor = statistics.median(rounds[:, 1, 1] / rounds[:, 0, 1])
        print(
            f"{name:37s} {case.num_envs:4d} {one:7.0f} {alone:9.0f} {both:9.0f} {ratio:16.2f} {by_processor:14.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""Steps per second of single and vector environments, random legal actions, medians of five.

    OMP_NUM_THREADS=1 python qas_envs/benchmarks/vector.py

With and without re-optimisation of the angles; one and two threads. Drawing the actions is part of the time.
"""

from __future__ import annotations

import statistics
import time

import gymnasium as gym
import numpy as np

import qas_envs  # noqa: F401

NUM_ENVS = 64
CASES: dict[str, tuple[str, dict[str, object], int]] = {
    "LiH, 4 qubits, no optimisation": ("QAS-LiH-v0", {"optimizer": "none"}, 16_000),
    "LiH, 4 qubits": ("QAS-LiH-v0", {}, 8_000),
    "LiH, 4 qubits, mumbai noise": ("QAS-LiH-v0", {"noise": "mumbai"}, 2_000),
    "BeH2, 6 qubits": ("QAS-BeH2-v0", {"initial": "basis_state"}, 4_000),
    "BeH2, 6 qubits, 1 % and 5 % noise": ("QAS-BeH2-v0", {"initial": "basis_state", "noise": "percent_1_5"}, 640),
    "H2O, 8 qubits": ("QAS-H2O-v0", {"initial": "basis_state"}, 1_280),
}


def single(environment: str, settings: dict[str, object], steps: int) -> float:
    """Return steps per second of one environment."""
    env = gym.make(environment, **settings).unwrapped
    rng = np.random.default_rng(0)
    _, info = env.reset(seed=0)
    started = time.perf_counter()
    for _ in range(steps):
        legal = np.flatnonzero(info["action_mask"])
        *_, terminated, truncated, info = env.step(int(legal[int(rng.random() * len(legal))]))
        if terminated or truncated:
            _, info = env.reset()
    return steps / (time.perf_counter() - started)


def vectorised(environment: str, settings: dict[str, object], steps: int, num_threads: int) -> float:
    """Return steps per second of ``NUM_ENVS`` environments together."""
    envs = gym.make_vec(environment, NUM_ENVS, num_threads=num_threads, autoreset_mode="SameStep", **settings)
    rng = np.random.default_rng(0)
    _, infos = envs.reset(seed=0)
    started = time.perf_counter()
    for _ in range(steps // NUM_ENVS):
        mask = infos["action_mask"]
        *_, infos = envs.step((rng.random(mask.shape) * mask).argmax(axis=1))
    return steps // NUM_ENVS * NUM_ENVS / (time.perf_counter() - started)


def main() -> None:
    """Print a row per case."""
    print(f"{'':34s} single   {NUM_ENVS} on 1 thread   on 2 threads   ratio to single")
    for name, (environment, settings, steps) in CASES.items():
        rates = []
        for run in (
            lambda: single(environment, settings, steps),  # noqa: B023
            lambda: vectorised(environment, settings, steps, 1),  # noqa: B023
            lambda: vectorised(environment, settings, steps, 2),  # noqa: B023
        ):
            run()
            rates.append(statistics.median(run() for _ in range(5)))
        print(f"{name:34s} {rates[0]:6.0f} {rates[1]:15.0f} {rates[2]:14.0f} {rates[2] / rates[0]:17.2f}", flush=True)


if __name__ == "__main__":
    main()

"""Rows of ``gpu.py`` that also run without a GPU: all cores beside one thread, energies beside Aer's, and floors.

python simulators/benchmarks/rows.py [--small]
"""

from __future__ import annotations

import argparse
import statistics
import time
from itertools import islice
from os import cpu_count
from typing import Any

import gymnasium as gym
import numpy as np

import qas_envs  # noqa: F401
from qas_agents import block_circuits, distinct_skeletons
from qas_envs.problems import PROBLEMS
from qas_simulators import PauliTransferSimulator, StatevectorSimulator
from qas_simulators.circuit_batch import CircuitBatch
from qas_simulators.optimizers import ScanLBFGS
from simulators import aer, our_noise, random_problem, seconds

CORES: dict[str, tuple[str, dict[str, Any], int, int]] = {  # number of environments, steps of each
    "LiH, 4 qubits": ("QAS-LiH-v0", {}, 1_024, 20),
    "LiH, 4 qubits, no optimisation": ("QAS-LiH-v0", {"optimizer": "none"}, 4_096, 40),
    "LiH, 4 qubits, mumbai noise": ("QAS-LiH-v0", {"noise": "mumbai"}, 256, 10),
    "H2O, 8 qubits": ("QAS-H2O-v0", {}, 256, 10),
}
CORES_GOAL = 12.0  # times one thread, on 16 cores
AER_GOALS = {4: 200.0, 6: 200.0, 8: 80.0, 10: 35.0}
AER_BATCH = {4: 400, 6: 400, 8: 100, 10: 20}


def steps_per_second(case: str, num_threads: int, is_small: bool) -> float:
    """Return steps per second of a vector environment with random legal actions, after some that are not timed."""
    environment, settings, number, steps = CORES[case]
    if is_small:
        number, steps = 4, 2
    envs = gym.make_vec(environment, number, num_threads=num_threads, autoreset_mode="SameStep", **settings)
    infos, rng = envs.reset(seed=0)[1], np.random.default_rng(0)

    def play() -> None:
        nonlocal infos
        for _ in range(steps):
            masks = infos["action_mask"]
            chosen = rng.random(number) * masks.sum(axis=1)
            infos = envs.step((masks.cumsum(axis=1) > chosen[:, None]).argmax(axis=1))[-1]

    play()
    times = []
    for _ in range(3):
        started = time.perf_counter()
        play()
        times.append(time.perf_counter() - started)
    return number * steps / statistics.median(times)


def cores(is_small: bool) -> list[dict[str, Any]]:
    """Print and return steps per second on one thread and on all cores."""
    most = cpu_count() or 1
    print(f"environment steps per second, {most} cores; goal {CORES_GOAL:g} times one thread on 16 cores")
    print(f"{'environment':30s}  number   1 thread  {most:3d} threads  ratio")
    rows = []
    for case, (_, _, many, _) in CORES.items():
        number = 4 if is_small else many
        one, all_of_them = (steps_per_second(case, threads, is_small) for threads in (1, most))
        rows.append({"case": case, "cores": most, "one thread": one, "all": all_of_them})
        print(f"{case:30s} {number:7d} {one:10.4g} {all_of_them:12.4g} {all_of_them / one:6.2f}", flush=True)
    return rows


def beside_aer(is_small: bool) -> list[dict[str, Any]]:
    """Print and return noisy energies per second, depolarising noise, one thread each, of this library and of Aer.

    Aer runs a density matrix, all sets of angles in one call, which is its fastest way. Both energies are compared.
    """
    print("noisy energies (depolarising, 40 gates, 100 terms), one thread each")
    print("qubits       ours        Aer  ratio   goal")
    rows = []
    for num_qubits, goal in list(AER_GOALS.items())[: 1 if is_small else None]:
        circuit, observable = random_problem(num_qubits, 6 if is_small else 40)
        number = 2 if is_small else AER_BATCH[num_qubits]
        angles = np.tile(circuit.params, (number, 1)) + np.random.default_rng(0).normal(size=(number, 1))
        simulator, theirs = PauliTransferSimulator(our_noise("depolarizing")), aer(circuit, observable, "depolarizing")
        few = angles[:2]
        worst = float(np.abs(simulator.expectations(circuit, observable, few) - np.array(theirs(few))).max())
        if worst > 1e-9:
            raise SystemExit(f"energies differ by {worst:.1e}")
        repetitions = 1 if is_small else 3
        ours = seconds(
            lambda c=circuit, o=observable, s=simulator, a=angles: s.expectations(c, o, a), 0.05, repetitions
        )
        other = seconds(lambda f=theirs, a=angles: f(a), 0.0, repetitions)
        rows.append({"qubits": num_qubits, "ours": number / ours, "Aer": number / other, "difference": worst})
        print(
            f"{num_qubits:6d} {number / ours:10.4g} {number / other:10.4g} {other / ours:6.1f} {goal:6.0f}", flush=True
        )
    return rows


def floors(device: str, is_small: bool) -> dict[str, Any]:
    """Print and return how fast skeletons of six blocks on six qubits are optimised, and the lowest energy error.

    A floor needs all skeletons of a length; these are the first ones of the list, four random starts each.
    """
    problem = PROBLEMS["tfim"](num_qubits=3 if is_small else 6)
    length, number, starts = (2, 2, 1) if is_small else (6, 8_192 if device == "cuda" else 256, 4)
    build, rng = block_circuits("cx", ("ry",)), np.random.default_rng(0)
    circuits = [
        build(problem.num_qubits, skeleton)
        for skeleton in islice(distinct_skeletons(problem.hamiltonian, length), number)
        for _ in range(starts)
    ]
    for circuit in circuits:
        circuit.params = rng.uniform(-np.pi, np.pi, circuit.num_params)
    batch = CircuitBatch(circuits, max(max(circuit.num_gates, circuit.num_params) for circuit in circuits))
    optimizer, simulator = ScanLBFGS(max_iterations=4 if is_small else 400), StatevectorSimulator(device=device)
    first = range(min(len(batch), starts))
    optimizer.minimize_each(simulator, batch, problem.hamiltonian, first, [0] * len(first))  # compiles
    started = time.perf_counter()
    found = optimizer.minimize_each(simulator, batch, problem.hamiltonian, range(len(batch)), [0] * len(batch))
    taken = time.perf_counter() - started
    assert found is not None
    skeletons, error = len(batch) // starts, float(found.energies.min()) - problem.ground_energy
    where = "the GPU" if device == "cuda" else "one core"
    print(f"floors: TFIM-{problem.num_qubits}, {length} blocks, {skeletons} skeletons, {starts} starts, on {where}")
    print(f"{skeletons / taken:.4g} skeletons per second, lowest error {error:.2e}", flush=True)
    return {"device": device, "blocks": length, "skeletons": skeletons, "per second": skeletons / taken, "error": error}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--small", action="store_true", help="a few environments and energies, to try the script")
    is_small = parser.parse_args().small
    cores(is_small)
    beside_aer(is_small)
    floors("cpu", is_small)


if __name__ == "__main__":
    main()

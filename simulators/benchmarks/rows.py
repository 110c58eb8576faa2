"""Rows of ``gpu.py`` that also run without a GPU: all cores beside one thread, energies beside Aer's, and floors.

python simulators/benchmarks/rows.py [--small] [--seconds 280]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from os import cpu_count
from typing import Any

import gymnasium as gym
import numpy as np
from clock import Clock

import qas_envs  # noqa: F401
from qas_agents import block_circuits, distinct_skeletons
from qas_envs.problems import PROBLEMS
from qas_simulators import PauliTransferSimulator, StatevectorSimulator
from qas_simulators.circuit_batch import CircuitBatch
from qas_simulators.optimizers import ScanLBFGS
from simulators import aer, our_noise, random_problem, seconds

SECONDS = 280.0
"""For all rows together, so that the script with its imports ends within five minutes."""
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


CORES_HEAD = f"environment steps per second, {cpu_count() or 1} cores; goal {CORES_GOAL:g} times one thread on 16 cores"


def cores(case: str, is_small: bool) -> dict[str, Any]:
    """Return steps per second on one thread and on all cores."""
    most = cpu_count() or 1
    one, all_of_them = (steps_per_second(case, threads, is_small) for threads in (1, most))
    return {"cores": most, "one thread": one, "all": all_of_them, "ratio": all_of_them / one, "goal": CORES_GOAL}


AER_HEAD = "noisy energies per second (depolarising, 40 gates, 100 terms), one thread each"


def beside_aer(num_qubits: int, is_small: bool) -> dict[str, Any]:
    """Return noisy energies per second, depolarising noise, one thread each, of this library and of Aer.

    Aer runs a density matrix, all sets of angles in one call, which is its fastest way. Both energies are compared.
    """
    circuit, observable = random_problem(num_qubits, 6 if is_small else 40)
    number = 2 if is_small else AER_BATCH[num_qubits]
    angles = np.tile(circuit.params, (number, 1)) + np.random.default_rng(0).normal(size=(number, 1))
    simulator, theirs = PauliTransferSimulator(our_noise("depolarizing")), aer(circuit, observable, "depolarizing")
    few = angles[:2]
    worst = float(np.abs(simulator.expectations(circuit, observable, few) - np.array(theirs(few))).max())
    if worst > 1e-9:
        raise SystemExit(f"energies differ by {worst:.1e}")
    repetitions = 1 if is_small else 3
    ours = seconds(lambda: simulator.expectations(circuit, observable, angles), 0.05, repetitions)
    other = seconds(lambda: theirs(angles), 0.0, repetitions)
    rates = {"ours": number / ours, "Aer": number / other, "ratio": other / ours}
    return {**rates, "goal": AER_GOALS[num_qubits], "difference": worst}


FLOORS_HEAD = "floors: skeletons of six blocks on six qubits, optimised from four starts each, per second"


def floors(device: str, is_small: bool) -> dict[str, Any]:
    """Return how fast skeletons of six blocks on six qubits are optimised, and the lowest energy error.

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
    return {"blocks": length, "skeletons": skeletons, "per second": skeletons / taken, "lowest error": error}


@dataclass(frozen=True)
class Row:
    """One row of the tables.

    Attributes:
        section: The head of its table.
        case: What is measured.
        limit: Seconds after which the measurement is given up, if there are :data:`SECONDS` for all.
        measure: Returns the numbers of the row by name.
    """

    section: str
    case: str
    limit: float
    measure: Callable[[], dict[str, Any]]


def cpu_rows(floors_device: str, is_small: bool) -> list[Row]:
    """Return the rows that need no GPU, the important ones first."""
    rows = [Row(FLOORS_HEAD, floors_device, 40.0, partial(floors, floors_device, is_small))]
    rows += [Row(CORES_HEAD, case, 30.0, partial(cores, case, is_small)) for case in CORES]
    sizes = list(AER_GOALS)[: 1 if is_small else None]
    return rows + [Row(AER_HEAD, f"{n} qubits", 40.0, partial(beside_aer, n, is_small)) for n in sizes]


def printed(rows: Sequence[Row], clock: Clock) -> dict[str, list[dict[str, Any]]]:
    """Measure rows, print each with its numbers, and return these by section; those without time say so."""
    results: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row.section not in results:
            print(row.section)
        try:
            found = clock.run(row.limit * clock.total / SECONDS, row.measure) or {"not measured": "out of time"}
        except Exception as error:  # the other rows are measured all the same
            found = {"failed": f"{type(error).__name__}: {error}"}
        results.setdefault(row.section, []).append({"case": row.case, **found})
        cells = ", ".join(f"{name}: {_shown(value)}" for name, value in found.items())
        print(f"  {row.case}: {cells}", flush=True)
    return results


def exit_where_failed(results: dict[str, list[dict[str, Any]]]) -> None:
    """End the program with an error if a row failed.

    Raises:
        SystemExit: A row failed.
    """
    failed = [row["case"] for rows in results.values() for row in rows if "failed" in row]
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--small", action="store_true", help="a few environments and energies, to try the script")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for all rows")
    arguments = parser.parse_args()
    exit_where_failed(printed(cpu_rows("cpu", arguments.small), Clock(arguments.seconds)))


if __name__ == "__main__":
    main()

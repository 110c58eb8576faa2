"""Batches of small circuits on a GPU, beside one core of the CPU; results are checked equal before timing.

    pip install -e ".[cuda]"
    python simulators/benchmarks/gpu.py [--json results.json] [--seconds 280]
    NUMBA_ENABLE_CUDASIM=1 python simulators/benchmarks/gpu.py --small   # the same code without one, a few circuits

Circuits of 40 random gates {RX, RY, RZ, CX}, each with another structure; the observables of LiH, BeH2 and H2O.
Rates are medians of seven launches with all arrays on the device; copies to and from it are in ``minimisations``,
which is the call that environments of ``gym.make_vec`` make. Environments with ``device="cuda"``, training, floors,
all cores beside one thread, and Aer are measured too. A clock ends every row after its limit, a share of ``--seconds``,
and all of them after these; rows without time are printed as "not measured: out of time".
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import time
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch  # before any measurement, whose interruption would leave it half imported
from clock import Clock
from rows import SECONDS, Row, cpu_rows, exit_where_failed, printed

import qas_envs  # noqa: F401
from qas_simulators import Circuit, PauliSum, PauliTransferSimulator, StatevectorSimulator
from qas_simulators.circuit_batch import CircuitBatch
from qas_simulators.cuda.batch import DeviceBatch
from qas_simulators.cuda.lanes import IS_SIMULATED, cuda
from qas_simulators.kernels.tasks import GRADIENT
from qas_simulators.noise_presets import mumbai
from qas_simulators.optimizers import ScanLBFGS
from qas_simulators.program import slopes_each
from qas_simulators.simulator import Simulator

PROBLEMS: dict[int, tuple[str, dict[str, Any]]] = {
    4: ("QAS-LiH-v0", {}),
    6: ("QAS-BeH2-v0", {}),
    8: ("QAS-H2O-v0", {}),
    10: ("QAS-H2O-v0", {"num_qubits": 10}),
}
NOISY: dict[int, tuple[str, dict[str, Any]]] = {4: PROBLEMS[4], 6: PROBLEMS[6]}
GOALS = {4: 1.5e8, 6: 5e7, 8: 1.5e7, 10: 1.5e6}  # energies with gradients per second, float64
NUM_GATES, REPETITIONS, CHECKED = 40, 7, 200
NAMES = ("rx", "ry", "rz", "cx")


def random_batch(num_qubits: int, number: int, num_gates: int) -> CircuitBatch:
    """Return circuits of random gates."""
    rng, circuits = np.random.default_rng(num_qubits), []
    for _ in range(number):
        circuit = Circuit(num_qubits)
        for kind in rng.integers(len(NAMES), size=num_gates):
            qubits = rng.choice(num_qubits, 2 if kind == 3 else 1, replace=False).tolist()
            circuit.append(NAMES[kind], qubits, None if kind == 3 else float(rng.normal()))
        circuits.append(circuit)
    return CircuitBatch(circuits, num_gates)


def repeated(batch: CircuitBatch, sizes: np.ndarray, times: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return tables, angles and sizes of a batch several times over, with other angles each time."""
    angles = np.tile(batch.angles, (times, 1)) + np.random.default_rng(0).normal(size=(times * len(batch), 1))
    return np.tile(batch.tables, (times, 1, 1)), angles, np.tile(sizes, (times, 1))


def seconds(run: Any, repetitions: int = REPETITIONS) -> float:
    """Return the median wall time of a call, after one that compiles."""
    run()
    times = []
    for _ in range(1 if IS_SIMULATED else repetitions):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


Problem = tuple[str, dict[str, Any]]
"""An environment and its settings."""


def observable_of(problem: Problem) -> PauliSum:
    """Return the Hamiltonian of an environment."""
    env: Any = gym.make(problem[0], **problem[1]).unwrapped
    hamiltonian: PauliSum = env.problem.hamiltonian
    return hamiltonian


def gradients(num_qubits: int, problem: Problem, is_small: bool, simulator: Simulator) -> dict[str, Any]:
    """Return rates of energies with gradients, and the worst difference from the CPU."""
    observable = observable_of(problem)
    number, num_gates = (2, 4) if is_small else (CHECKED, NUM_GATES)
    batch = random_batch(num_qubits, number, num_gates)
    sizes = batch.sizes(range(number), [0] * number)
    program = simulator.batch_program(batch, observable)
    assert program is not None
    wanted, slopes = slopes_each(program, batch.angles, sizes)
    on_cpu = seconds(lambda: slopes_each(program, batch.angles, sizes)) / number
    row: dict[str, Any] = {"groups": len(observable.grouped()[0]), "one core": 1 / on_cpu}
    if not simulator.is_noisy:
        row["goal in float64"] = GOALS[num_qubits]
    for name, is_single in (("float64", False), ("float32", True)):
        checked = DeviceBatch(program.constants, program.tables, batch.angles, sizes, is_single=is_single)
        checked.run(GRADIENT)
        worst = np.abs(checked.energies.copy_to_host() - wanted).max()
        row[f"{name}: difference"] = float(max(worst, np.abs(checked.gradients.copy_to_host() - slopes).max()))
        most = 2 ** (20 - (2 if simulator.is_noisy else 1) * max(0, num_qubits - 4))
        copies = 1 if is_small else max(1, most // number)
        many = DeviceBatch(program.constants, *repeated(batch, sizes, copies), is_single=is_single)

        def launch(many: DeviceBatch = many) -> None:
            many.run(GRADIENT)
            cuda.synchronize()

        row[name] = number * copies / seconds(launch)
    return row


def minimisations(num_qubits: int, problem: Problem, is_small: bool) -> dict[str, Any]:
    """Return whole minimisations per second, copies included, and how the minima of both devices compare."""
    observable = observable_of(problem)
    number, num_gates = (1, 3) if is_small else (4096, 20)
    optimizer = ScanLBFGS(max_iterations=2 if is_small else 200, scan_all=True)
    rates: dict[str, Any] = {}
    energies = []
    for name, device in (("one core", "cpu"), ("GPU", "cuda")):
        own = number if device == "cuda" else max(1, number // 64)
        simulator = StatevectorSimulator(device=device)

        def run(own: int = own, simulator: StatevectorSimulator = simulator) -> np.ndarray:
            batch = random_batch(num_qubits, own, num_gates)
            new = [0] * own
            return optimizer.minimize_each(simulator, batch, observable, range(own), new).energies  # type: ignore[union-attr]

        energies.append(run())
        rates[name] = own / seconds(run, 3)
    common = min(map(len, energies))
    rates["within 1e-6"] = float((np.abs(energies[0][:common] - energies[1][:common]) < 1e-6).mean())
    return rates


ENVIRONMENTS: dict[str, tuple[str, dict[str, Any], int, float]] = {  # number of environments, goal in steps per second
    "LiH, 4 qubits": ("QAS-LiH-v0", {}, 16_384, 5e6),
    "H2O, 8 qubits": ("QAS-H2O-v0", {}, 4_096, 5e5),
    "LiH, 4 qubits, mumbai noise": ("QAS-LiH-v0", {"noise": "mumbai"}, 16_384, 3e5),
}


def environment_steps(
    environment: str, settings: dict[str, Any], number: int, goal: float, is_small: bool
) -> dict[str, Any]:
    """Return steps per second, all angles re-optimised, of environments whose episodes are on the device."""
    device = "cpu" if IS_SIMULATED else "cuda"
    if IS_SIMULATED:
        kind = "pauli_transfer" if "noise" in settings else "statevector"
        settings = settings | {"simulator": {"name": kind, "device": "cuda"}}
    if is_small:
        number, settings = 2, settings | {"optimizer": {"name": "scan_lbfgs", "max_iterations": 2}}
    envs = gym.make_vec(environment, number, device=device, autoreset_mode="SameStep", **settings)
    infos = envs.reset(seed=0)[1]
    generator = torch.Generator(device).manual_seed(0)

    def play(steps: int) -> None:
        nonlocal infos
        for _ in range(steps):
            mask = infos["action_mask"]
            chosen = torch.rand(mask.shape, device=device, generator=generator) * mask
            infos = envs.step(chosen.argmax(1))[-1]
        cuda.synchronize()

    play(1 if is_small else 45)  # until episodes of all lengths are there
    steps = 2 if is_small else 20
    started = time.perf_counter()
    play(steps)
    rate = number * steps / (time.perf_counter() - started)
    return {"environments": number, "steps per second": rate, "goal": goal}


TRAINING: dict[str, tuple[list[int], int, bool, float]] = {  # hidden layers, batch, TF32, goal in steps per second
    "5 x 1000 units, batch 1000, float32": ([1000] * 5, 1000, False, 800.0),
    "5 x 1000 units, batch 1000, TF32": ([1000] * 5, 1000, True, 1500.0),
    "2 x 128 units, batch 128, float32": ([128, 128], 128, False, float("nan")),
}


def collected_steps(is_small: bool) -> dict[str, Any]:
    """Return steps per second of a double DQN whose environments are on the device too: LiH, all angles re-optimised.

    There is one gradient step for 4,096 environment steps.
    """
    from qas_agents import DQNConfig, MaskedDQN

    number, device = (2, "cpu") if is_small else (16_384, "cpu" if IS_SIMULATED else "cuda")
    torch.backends.cuda.matmul.allow_tf32 = False
    network = {"name": "mlp", "hidden": [16] if is_small else [128, 128]}
    config = DQNConfig(network=network, batch_size=8 if is_small else 4096, buffer_size=50 * number)
    config = dataclasses.replace(config, train_frequency=max(1, number // 4), learning_starts=number)
    envs = gym.make_vec("QAS-LiH-v0", number, device=device, autoreset_mode="Disabled")
    agent = MaskedDQN(envs, config, seed=0, device=device)
    agent.learn(2 * number)
    started, steps = time.perf_counter(), (2 if is_small else 40) * number
    agent.learn(steps)
    return {"steps per second": steps / (time.perf_counter() - started), "goal": 1e6}


def training_steps(hidden: list[int], batch: int, tf32: bool, goal: float, is_small: bool) -> dict[str, Any]:
    """Return steps per second of a double DQN: a step in LiH on four qubits on the CPU, then a gradient step."""
    from qas_agents import DQNConfig, MaskedDQN

    batch, steps = (8, 5) if is_small else (batch, 500)
    config = DQNConfig(
        network={"name": "mlp", "hidden": [16] if is_small else hidden},
        batch_size=batch,
        train_frequency=1,
        learning_starts=batch,
        buffer_size=20_000,
    )
    agent = MaskedDQN(gym.make("QAS-LiH-v0").unwrapped, config, seed=0, device="cpu" if IS_SIMULATED else "cuda")
    torch.backends.cuda.matmul.allow_tf32 = tf32
    agent.learn(batch + 5)
    started = time.perf_counter()
    agent.learn(steps)  # waits for the last step
    return {"steps per second": steps / (time.perf_counter() - started), "goal": goal}


def gpu_rows(is_small: bool) -> list[Row]:
    """Return the rows that are measured on the GPU, the important ones first; limits are estimates with reserve."""
    first = 1 if is_small else None
    rows = []
    for head, limit, problems, simulator in (
        (f"energies with gradients per second, {NUM_GATES} gates", 25.0, PROBLEMS, StatevectorSimulator()),
        (f"the same with Mumbai noise, {NUM_GATES} gates", 25.0, NOISY, PauliTransferSimulator(mumbai())),
    ):
        for n in list(problems)[:first]:
            rows.append(Row(head, f"{n} qubits", limit, partial(gradients, n, problems[n], is_small, simulator)))
    head = "environment steps per second, episodes on the device"
    for case, settings in list(ENVIRONMENTS.items())[:first]:
        rows.append(Row(head, case, 30.0, partial(environment_steps, *settings, is_small)))
    head = "training steps per second, environment on the CPU, agent on the device"
    for case, numbers in list(TRAINING.items())[:first]:
        rows.append(Row(head, case, 20.0, partial(training_steps, *numbers, is_small)))
    head = "training steps per second, environments on the device too"
    rows.append(Row(head, "LiH, 4 qubits", 25.0, partial(collected_steps, is_small)))
    head = "minimisations per second (scan of all angles, L-BFGS), copies included"
    sizes = list(PROBLEMS)[: 1 if is_small else 3]
    return rows + [Row(head, f"{n} qubits", 20.0, partial(minimisations, n, PROBLEMS[n], is_small)) for n in sizes]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--small", action="store_true", help="a few small circuits, for the simulator of a GPU")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for all rows")
    arguments = parser.parse_args()
    clock, small = Clock(arguments.seconds), arguments.small
    name = "the simulator of a GPU" if IS_SIMULATED else cuda.get_current_device().name.decode()
    print(name)
    results: dict[str, Any] = {"device": name, "rows": printed([*gpu_rows(small), *cpu_rows("cuda", small)], clock)}
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    exit_where_failed(results["rows"])


if __name__ == "__main__":
    main()

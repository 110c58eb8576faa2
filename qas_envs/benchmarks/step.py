"""Speed of an environment step with all angles re-optimised on one core, compared with the usual method of the field.

    OMP_NUM_THREADS=1 python qas_envs/benchmarks/step.py

Uniformly random legal episodes of up to 40 gates on LiH (4 qubits, 3.4 Å). The first figure is the whole
``CircuitBuildingEnv.step``. The others replay the same actions and time only the optimisation: optimisers of this
library, and SciPy's COBYLA (at most 1000 evaluations) on Qulacs, with the same warm start. The results are compared by
the mean energy after the step.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable

import gymnasium as gym
import numpy as np

import qas_envs  # noqa: F401  registers the ids
from qas_envs import CircuitBuildingEnv
from qas_simulators import Circuit
from qas_simulators.optimizers import Cobyla, ScanLBFGS

REPETITIONS = 5
STEPS = 8_000
REPLAYED_EPISODES = 3


def play(env: CircuitBuildingEnv, steps: int, seed: int) -> tuple[float, int]:
    """Play random legal actions; return seconds and energy evaluations."""
    rng = np.random.default_rng(seed)
    _, info = env.reset(seed=seed)
    evaluations, started = 0, time.perf_counter()
    for _ in range(steps):
        legal = np.flatnonzero(info["action_mask"])
        _, _, terminated, truncated, info = env.step(legal[rng.integers(len(legal))])
        evaluations += info["evaluations"]
        if terminated or truncated:
            _, info = env.reset()
    return time.perf_counter() - started, evaluations


def episodes(env: CircuitBuildingEnv, count: int) -> list[list[tuple[Circuit, int]]]:
    """Return the circuits, warm-start angles included, and numbers of new angles that random episodes optimise."""
    rng = np.random.default_rng(0)
    result = []
    for _ in range(count):
        _, info = env.reset(seed=0)
        rows: list[tuple[Circuit, int]] = []
        over = False
        while not over:
            action = int(rng.choice(np.flatnonzero(info["action_mask"])))
            before = env.circuit.copy()
            num_new = env.catalogue.append(before, action)
            rows.append((before, num_new))
            _, _, terminated, truncated, info = env.step(action)
            over = terminated or truncated
        result.append(rows)
    return result


def qulacs_cobyla(env: CircuitBuildingEnv) -> Callable[[Circuit, int], float]:
    """Return SciPy's COBYLA on Qulacs: parametric circuit built once per step, angles set per evaluation."""
    from qulacs import Observable, ParametricQuantumCircuit, QuantumState
    from scipy.optimize import minimize

    observable = Observable(env.problem.num_qubits)
    for label, coefficient in env.problem.hamiltonian:
        observable.add_operator(coefficient, " ".join(f"{p} {q}" for q, p in enumerate(reversed(label)) if p != "I"))
    state = QuantumState(env.problem.num_qubits)

    def optimise(circuit: Circuit, _num_new: int) -> float:
        twin = ParametricQuantumCircuit(circuit.num_qubits)
        for name, qubits, angle in circuit:
            if angle is None:
                twin.add_CNOT_gate(*qubits)
            else:  # Qulacs rotates by exp(+i angle / 2 P)
                getattr(twin, f"add_parametric_{name.upper()}_gate")(qubits[0], -angle)

        def energy(params: np.ndarray) -> float:
            for k, value in enumerate(params):
                twin.set_parameter(k, -value)
            state.set_zero_state()
            twin.update_quantum_state(state)
            return float(observable.get_expectation_value(state))

        if circuit.num_params == 0:
            return energy(np.empty(0))
        return float(minimize(energy, circuit.params, method="COBYLA", options={"maxiter": 1000}).fun)

    return optimise


def time_each(rows: list[tuple[Circuit, int]], optimise: Callable[[Circuit, int], float]) -> tuple[float, float]:
    """Return seconds per step and the mean energy reached."""
    started = time.perf_counter()
    energies = [optimise(circuit, num_new) for circuit, num_new in rows]
    return (time.perf_counter() - started) / len(rows), statistics.fmean(energies)


def main() -> None:
    """Print the table."""
    env = gym.make("QAS-LiH-v0").unwrapped
    assert isinstance(env, CircuitBuildingEnv)
    play(env, 100, seed=99)  # compiles
    runs = [play(env, STEPS, seed) for seed in range(REPETITIONS)]
    rates = [STEPS / seconds for seconds, _ in runs]
    evaluations = sum(count for _, count in runs) / (REPETITIONS * STEPS)
    print(f"environment step: {statistics.median(rates):,.0f} steps/s on one core")
    print(f"  (median of {REPETITIONS} x {STEPS:,} steps, {min(rates):,.0f} to {max(rates):,.0f};", end=" ")
    print(f"{evaluations:.1f} evaluations a step)")

    rows = [row for episode in episodes(env, REPLAYED_EPISODES) for row in episode]
    simulator, hamiltonian = env.simulator, env.problem.hamiltonian
    contestants: dict[str, Callable[[Circuit, int], float]] = {
        "scan + L-BFGS (ours)": lambda c, new: ScanLBFGS().minimize(simulator, c, hamiltonian, new).energy,
        "the same, all angles scanned": lambda c, new: (
            ScanLBFGS(scan_all=True).minimize(simulator, c, hamiltonian, new).energy
        ),
        "COBYLA 1000, nlopt on our kernels": lambda c, new: Cobyla().minimize(simulator, c, hamiltonian, new).energy,
        "COBYLA 1000, SciPy on Qulacs": qulacs_cobyla(env),
    }
    print(
        f"\nthe optimisation alone, {len(rows)} steps of {REPLAYED_EPISODES} random episodes, median of {REPETITIONS}:"
    )
    base = None
    for name, optimise in contestants.items():
        repetitions = REPETITIONS if "SciPy" not in name else 3
        timed = [time_each(rows, optimise) for _ in range(repetitions)]
        seconds = statistics.median(t for t, _ in timed)
        base = seconds if base is None else base
        print(
            f"  {name:36s} {seconds * 1e6:12,.0f} us/step   {seconds / base:8,.1f} x   mean energy {timed[0][1]:.6f} Ha"
        )


if __name__ == "__main__":
    warnings.simplefilter("ignore", RuntimeWarning)
    main()

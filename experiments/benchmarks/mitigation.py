"""Searching on energies that are extrapolated to zero noise: what a rule picks that sees only noisy energies.

    OMP_NUM_THREADS=1 python experiments/benchmarks/mitigation.py          # plays what is missing, five CPU minutes
    OMP_NUM_THREADS=1 python experiments/benchmarks/mitigation.py report   # writes results/mitigation.md
    OMP_NUM_THREADS=1 python experiments/benchmarks/mitigation.py verify   # noisy energies again, by Aer's own channels

The search is blind: it uses no exact energy. The rule picks the circuit with the lowest energy seen, mitigated or not.
The error of that circuit without noise is computed afterwards, by Qiskit.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import qiskit.qasm3
from qiskit.quantum_info import Statevector

from qas_agents import BlockAnnealing
from qas_envs import CircuitBuildingEnv, make_env
from qas_simulators import (
    Circuit,
    MitigatedSimulator,
    NoiseModel,
    PauliSum,
    PauliTransferSimulator,
    StatevectorSimulator,
    ZeroNoise,
)
from qas_simulators.noise_presets import NOISE_MODELS
from qas_simulators.optimizers import ScanLBFGS

RESULTS = Path(__file__).parents[1] / "results"
FILE = RESULTS / "mitigation.json"
ACCURACY = 1.6e-3
ERROR = 1e-3  # standard error of an energy in the picks with shots, in Hartree
PICKS = 2000

ZERO = {"name": "zero_noise"}
CLOSE = {"scales": [1, 1.25, 1.5], "order": 2, "fit": "exponential"}
FOURTH = {"scales": [1, 1.25, 1.5, 1.75, 2], "order": 4}
METHODS: dict[str, dict[str, Any] | None] = {
    "none": None,
    "readout inverted": {"name": "readout"},
    "quadratic, x1 x2 x3": {**ZERO},
    "quadratic, readout kept": {**ZERO, "readout": "kept"},
    "exponential of a quadratic, x1 x1.25 x1.5": {**ZERO, **CLOSE},
    "order 4, x1 x1.25 to x2": {**ZERO, **FOURTH},
}
LIH, WATER = "LiH-4 3.4 Å, Mumbai", "H2O-8, 1 % and 5 %"
EXPONENTIAL = "exponential of a quadratic, x1 x1.25 x1.5"
FOURTH_ORDER = "order 4, x1 x1.25 to x2"
INSTANCES: dict[str, dict[str, Any]] = {
    LIH: {"problem": "lih", "noise": "mumbai"},
    WATER: {"problem": "h2o", "noise": "percent_1_5"},
}


class Job(NamedTuple):
    """Searches that differ by their seed."""

    instance: str
    method: str
    seeds: int
    evaluations: int  # runs of the noisy simulator
    agent: Mapping[str, Any]


# Eight blocks, because the usual limit of 20 exceeds 40 gates. The cuts were chosen on stretched H2O without noise.
SHORT: dict[str, Any] = {"start_blocks": 8}
CUT: dict[str, Any] = {**SHORT, "max_iterations": 40, "hasty_iterations": 10, "give_up": 1.5}
JOBS = [
    *(Job(LIH, method, 5, 60_000, {}) for method in ("quadratic, x1 x2 x3", "none", "readout inverted")),
    Job(WATER, EXPONENTIAL, 1, 45_000, SHORT),
    Job(WATER, FOURTH_ORDER, 1, 30_000, CUT),
    Job(LIH, "quadratic, readout kept", 2, 60_000, {}),
]


def environment(instance: str, method: str) -> CircuitBuildingEnv:
    """Return the environment of one row."""
    given = INSTANCES[instance]
    rules = {"noise": given["noise"], "mitigation": METHODS[method]}
    return make_env(given["problem"], actions="blocks", **rules)


def play(job: Job, seed: int) -> dict[str, Any]:
    """Search blindly; return what the rule picks, with exact energies and with shots."""
    instance, method = job.instance, job.method
    started, env = time.process_time(), environment(instance, method)
    ideal = StatevectorSimulator()
    hamiltonian, ground = env.problem.hamiltonian, env.problem.ground_energy
    seen: list[tuple[float, float, int, Circuit]] = []  # energy and true errors, CNOTs
    spent = 0

    def note(locals_: dict[str, Any], _: dict[str, Any]) -> bool:
        nonlocal spent
        info = locals_["infos"][0]
        spent += info["evaluations"]
        true = ideal.expectation(env.circuit, hamiltonian) - ground
        seen.append((info["energy_error"], true, info["num_two_qubit_gates"], env.circuit.copy()))
        return spent < job.evaluations

    BlockAnnealing(env, seed, blind=True, **job.agent).learn(2**62, note)
    picked, best = min(seen, key=lambda one: one[0]), min(seen, key=lambda one: one[1])
    true = by_qiskit(picked[3], hamiltonian) - ground
    if not abs(true - picked[1]) < 1e-9:
        raise SystemExit(f"Qiskit gives another energy for {instance}, {method}, seed {seed}")
    row = {"instance": instance, "method": method, "seed": seed, "evaluations": spent, "circuits": len(seen)}
    row |= {"energy_error": picked[0], "error": true, "cnots": picked[2], "qasm": picked[3].to_qasm3()}
    row |= {"raw_error": raw_energy(env, picked[3]) - ground, "best_seen": best[1], "best_seen_cnots": best[2]}
    if METHODS[method] is not None:
        row |= picks_with_shots(env, seen, seed)
    return {**row, "cpu_seconds": round(time.process_time() - started, 1)}


def picks_with_shots(env: CircuitBuildingEnv, seen: list[Any], seed: int) -> dict[str, Any]:
    """Measure all circuits with a standard error of 1e-3 and pick the lowest, many times; count the shots."""
    hamiltonian, rng = env.problem.hamiltonian, np.random.default_rng(seed)
    energies, true = np.array([one[0] for one in seen]), np.array([one[1] for one in seen])
    simulator = env.simulator
    terms = simulator.objective(seen[0][3], hamiltonian).num_measured
    shots = [int(np.ceil((simulator.standard_error(one[3], hamiltonian, 1) / ERROR) ** 2)) for one in seen]
    noisy = energies + ERROR * rng.standard_normal((PICKS, len(seen)))
    errors = true[noisy.argmin(axis=1)]
    return {
        "picks_below": float(np.mean(errors < ACCURACY)),
        "picks_median": float(np.median(errors)),
        "share_below": float(np.mean(true < ACCURACY)),
        "shots_per_term": int(np.median(shots)),
        "shots": int(sum(shots)) * terms,
    }


def raw_energy(env: CircuitBuildingEnv, circuit: Circuit) -> float:
    """Return the noisy energy of a circuit, readout errors included."""
    return PauliTransferSimulator(noise_of(env)).expectation(circuit, env.problem.hamiltonian)


def noise_of(env: CircuitBuildingEnv) -> NoiseModel:
    """Return the noise model of an environment."""
    noise: NoiseModel = env.simulator.noise  # type: ignore[attr-defined]
    return noise


def by_qiskit(circuit: Circuit, hamiltonian: PauliSum) -> float:
    """Return the energy of a circuit without noise, by Qiskit."""
    state = Statevector(circuit.to_qiskit())
    return float(state.expectation_value(hamiltonian.to_qiskit()).real)


# -- why ---------------------------------------------------------------------------------------------------------------

BIASES = {
    "none": ZeroNoise((1,), 0),
    "linear, x1 x2": ZeroNoise((1, 2), 1),
    "quadratic, x1 x2 x3": ZeroNoise(),
    "order 3, x1 to x4": ZeroNoise((1, 2, 3, 4), 3),
    "order 4, x1 to x5": ZeroNoise((1, 2, 3, 4, 5), 4),
    "order 4, x1 x1.25 to x2": ZeroNoise((1, 1.25, 1.5, 1.75, 2), 4),
    "exponential, x1 x2": ZeroNoise((1, 2), 1, "exponential"),
    "exponential of a quadratic, x1 x2 x3": ZeroNoise(fit="exponential"),
    "exponential of a quadratic, x1 x1.25 x1.5": ZeroNoise((1, 1.25, 1.5), 2, "exponential"),
    "exponential of order 4, x1 x1.25 to x2": ZeroNoise((1, 1.25, 1.5, 1.75, 2), 4, "exponential"),
    "quadratic, folding x1 x3 x5": ZeroNoise((1, 3, 5), 2, scaling="folding"),
}


def biases(instance: str) -> Iterator[dict[str, Any]]:
    """Yield what each extrapolation leaves of the noise, for the best circuits of a noiseless search by size."""
    given = INSTANCES[instance]
    env, best = make_env(given["problem"], actions="blocks"), {}

    def note(locals_: dict[str, Any], _: dict[str, Any]) -> bool:
        info = locals_["infos"][0]
        size = info["num_two_qubit_gates"]
        if size not in best or info["energy_error"] < best[size][0]:
            best[size] = info["energy_error"], env.circuit.copy()
        return True

    BlockAnnealing(env, 0, start_blocks=7).learn(250, note)
    hamiltonian, base = env.problem.hamiltonian, PauliTransferSimulator(NOISE_MODELS[given["noise"]]())
    for size, (error, circuit) in sorted(best.items()):
        found = {}
        for name, method in BIASES.items():
            simulator = MitigatedSimulator(base, method)
            bias = simulator.expectation(circuit, hamiltonian) - env.problem.ground_energy - error
            found[name] = bias, simulator.standard_error(circuit, hamiltonian, 1)
        yield {"instance": instance, "cnots": size, "error": error, "biases": found}


# -- where the angles are best -----------------------------------------------------------------------------------------

SEEDS = 3  # noiseless searches for the circuits
SEARCHED = 40_000  # evaluations of each
ON = {"noisy": ZeroNoise((1,), 0), FOURTH_ORDER: BIASES[FOURTH_ORDER]}


def minima(instance: str) -> Iterator[dict[str, Any]]:
    """Yield the best circuits of noiseless searches by size, and their errors after optimisation on other energies.

    All minimisations begin at the noiseless minimum.
    """
    given = INSTANCES[instance]
    env, best, spent = make_env(given["problem"], actions="blocks"), {}, 0

    def note(locals_: dict[str, Any], _: dict[str, Any]) -> bool:
        nonlocal spent
        info = locals_["infos"][0]
        spent += info["evaluations"]
        size = info["num_two_qubit_gates"]
        if size not in best or info["energy_error"] < best[size][0]:
            best[size] = info["energy_error"], env.circuit.copy()
        return spent < SEARCHED

    for seed in range(SEEDS):
        spent = 0
        BlockAnnealing(env, seed, start_blocks=8).learn(2**62, note)
    hamiltonian, ground = env.problem.hamiltonian, env.problem.ground_energy
    base, least = PauliTransferSimulator(NOISE_MODELS[given["noise"]]()), np.inf
    for size, (error, circuit) in sorted(best.items()):
        if not error < min(ACCURACY, 0.9 * least):
            continue
        least = error
        row = {"instance": instance, "cnots": int(size), "error": by_qiskit(circuit, hamiltonian) - ground}
        row |= {"raw_error": base.expectation(circuit, hamiltonian) - ground, "qasm": circuit.to_qasm3()}
        for name, method in ON.items():
            other = circuit.copy()
            found = ScanLBFGS().minimize(MitigatedSimulator(base, method), circuit, hamiltonian)
            other.params = found.params
            row[name] = float(found.energy - ground), by_qiskit(other, hamiltonian) - ground
        yield row


# -- an independent check ----------------------------------------------------------------------------------------------


def verify(rows: list[dict[str, Any]]) -> None:
    """Compute mitigated energies of the picks again: Aer's channels and density matrices, NumPy's fits."""
    for instance in INSTANCES:
        for method in ("quadratic, x1 x2 x3", EXPONENTIAL, FOURTH_ORDER):
            own = [row for row in rows if (row["instance"], row["method"]) == (instance, method)]
            for row in own[:1]:
                problem = make_env(INSTANCES[instance]["problem"]).problem
                rule = {**(METHODS[method] or {})}
                scales = rule.get("scales", [1, 2, 3])
                circuit = qiskit.qasm3.loads(row["qasm"])
                operator = problem.hamiltonian.to_qiskit()
                energies = [by_aer(circuit, operator, INSTANCES[instance]["noise"], scale) for scale in scales]
                mixed = float(np.real(np.trace(operator.to_matrix()))) / 2**problem.num_qubits
                if rule.get("fit") == "exponential":
                    found = mixed - np.exp(np.polyfit(scales, np.log(mixed - np.array(energies)), 2)[-1])
                else:
                    found = np.polyfit(scales, energies, len(scales) - 1)[-1]
                difference = found - problem.ground_energy - row["energy_error"]
                print(f"{instance}, {method}, seed {row['seed']}: Aer's mitigated energy differs by {difference:.1e}")


def by_aer(circuit: Any, operator: Any, noise: str, scale: float) -> float:
    """Return the noisy energy without readout errors by Aer, from the numbers of the noise model."""
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel as AerNoiseModel
    from qiskit_aer.noise import depolarizing_error, thermal_relaxation_error

    if noise == "mumbai":  # depolarising and relaxation on each qubit: arXiv:2402.03500
        one = depolarizing_error(scale * 2.44e-4, 1)
        one = one.compose(thermal_relaxation_error(1 / 2.862e-4, 1 / 2.093e-4, scale, 0.0758))
        each = depolarizing_error(scale * 8.25e-3, 1)
        each = each.compose(thermal_relaxation_error(1 / 3.402e-3, 1 / 2.488e-3, scale, 0.0758))
        two = each.expand(each)
    else:
        one, two = depolarizing_error(scale * 0.01, 1), depolarizing_error(scale * 0.05, 2)
    model = AerNoiseModel(basis_gates=["ry", "cx"])
    model.add_all_qubit_quantum_error(one, ["ry"])
    model.add_all_qubit_quantum_error(two, ["cx"])
    circuit = circuit.copy()
    circuit.save_expectation_value(operator, list(range(circuit.num_qubits)))
    simulator = AerSimulator(method="density_matrix", noise_model=model)
    return float(simulator.run(circuit).result().data(0)["expectation_value"])


# -- running and reporting ---------------------------------------------------------------------------------------------


def main() -> None:
    """Play what is missing, or write the report."""
    found: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {"rows": [], "biases": []}
    if sys.argv[1:] == ["report"]:
        (RESULTS / "mitigation.md").write_text(report(found))
        return
    if sys.argv[1:] == ["verify"]:
        verify(found["rows"])
        return
    for instance in INSTANCES:
        if instance not in {row["instance"] for row in found["biases"]}:
            found["biases"] += biases(instance)
        if instance not in {row["instance"] for row in found.setdefault("minima", [])}:
            found["minima"] += minima(instance)
            FILE.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    for job in JOBS:
        for seed in range(job.seeds):
            if (job.instance, job.method, seed) in {
                (row["instance"], row["method"], row["seed"]) for row in found["rows"]
            }:
                continue
            found["rows"].append(play(job, seed))
            FILE.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
            print({key: value for key, value in found["rows"][-1].items() if key != "qasm"}, flush=True)


def report(found: dict[str, Any]) -> str:
    """Return the tables as Markdown."""
    return "\n".join(["# Mitigated energies", "", *tables(found), ""])


def tables(found: dict[str, Any]) -> list[str]:
    """Return the lines of the tables."""
    lines = []
    for instance in INSTANCES:
        rows = [row for row in found["rows"] if row["instance"] == instance]
        lines += [f"## {instance}", "", *_picks(rows), ""]
        lines += [*_biases([row for row in found["biases"] if row["instance"] == instance]), ""]
        lines += [*_minima([row for row in found["minima"] if row["instance"] == instance]), ""]
    return lines[:-1]


def _picks(rows: list[dict[str, Any]]) -> list[str]:
    header = ["mitigation", "seeds", "error of the pick: least, median, most", "CNOTs", "its noisy energy, error"]
    header += ["best of all seen", "picks with shots below 1.6e-3", "shots per term", "shots of a selection"]
    table = [header, ["---"] * len(header)]
    for method in METHODS:
        own = [row for row in rows if row["method"] == method]
        if not own:
            continue
        errors = sorted(row["error"] for row in own)
        line = [method, str(len(own)), f"{errors[0]:.1e}, {np.median(errors):.1e}, {errors[-1]:.1e}"]
        line.append(", ".join(str(row["cnots"]) for row in own))
        line.append(f"{np.median([row['raw_error'] for row in own]):.3f}")
        line.append(f"{np.median([row['best_seen'] for row in own]):.1e}")
        shots = [row for row in own if "shots" in row]
        line.append(f"{100 * np.mean([row['picks_below'] for row in shots]):.1f} %" if shots else "")
        line += [
            f"{np.median([row[key] for row in shots]):.1e}" if shots else "" for key in ("shots_per_term", "shots")
        ]
        table.append(line)
    return [f"| {' | '.join(line)} |" for line in table]


def _biases(rows: list[dict[str, Any]]) -> list[str]:
    rows = [row for row in rows if row["error"] < 0.02]
    header = ["extrapolation", *(f"{row['cnots']} CNOTs" for row in rows), "standard error of one shot"]
    table = [header, ["---"] * len(header), ["true error", *(f"{row['error']:.1e}" for row in rows), ""]]
    for name in BIASES:
        values = [row["biases"][name] for row in rows]
        table.append(
            [name, *(f"{bias:+.1e}" for bias, _ in values), f"{np.median([error for _, error in values]):.2g}"]
        )
    return [f"| {' | '.join(line)} |" for line in table]


def _minima(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        f"Best circuits of {SEEDS} noiseless searches of {SEARCHED:,} evaluations: error without noise at the angles",
        "of each minimum, by Qiskit. Minimisations on other energies begin at the noiseless one.",
        "",
        "| CNOTs | noiseless minimum | its noisy energy, error | minimum of the noisy energy | its noisy energy, error "
        f"| minimum of {FOURTH_ORDER} | its energy, error |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        (noisy, after_noisy), (extrapolated, after) = (row[name] for name in ON)
        lines.append(
            f"| {row['cnots']} | {row['error']:.1e} | {row['raw_error']:.3f} | {after_noisy:.1e} | {noisy:.3f} "
            f"| {after:.1e} | {extrapolated:+.1e} |"
        )
    return lines


if __name__ == "__main__":
    main()

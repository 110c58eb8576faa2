"""Does a search on mitigated energies pick circuits with a lower noiseless error at equal shots?

    OMP_NUM_THREADS=1 python experiments/benchmarks/mitigation_shots.py          # plays what is missing
    OMP_NUM_THREADS=1 python experiments/benchmarks/mitigation_shots.py GHZ-4    # plays one instance only
    python experiments/benchmarks/mitigation_shots.py report                     # writes results/mitigation_shots.md

The searches are those of ``mitigation.py``: blind annealing over blocks, with equal runs of the noisy simulator. Then
all circuits of a search are measured, with the same total number of shots in each row, divided equally among circuits,
terms and scales, and the lowest energy is picked. Angles are optimised on exact energies of the row's kind.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from cell_file import play_missing
from mitigation import METHODS, by_qiskit

from qas_agents import BlockAnnealing
from qas_envs import CircuitBuildingEnv, make_env
from qas_simulators import Circuit, StatevectorSimulator
from qas_simulators.mitigation import MitigatedSimulator

RESULTS = Path(__file__).parents[1] / "results"
FILE = RESULTS / "mitigation_shots.json"
SEEDS = range(10)
RUNS = 20_000  # of the noisy simulator
TOTALS = (1e5, 1e6, 1e7, 1e8, 1e9, 1e10)  # shots of a selection
PICKS = 2_000
ROWS = ("none", "readout inverted", "quadratic, x1 x2 x3")
INSTANCES: dict[str, dict[str, Any]] = {
    "GHZ-4, Mumbai": {
        "problem": "ghz",
        "problem_settings": {"num_qubits": 4},
        "gates": ["ry", "cx"],
        "optimizer": "scan_lbfgs",
    },
    "LiH-4 3.4 Å, Mumbai": {"problem": "lih"},
}


def play(instance: str, row: str, seed: int) -> dict[str, Any]:
    """Search blindly, then pick with shots, many times."""
    started = time.process_time()
    env: CircuitBuildingEnv = make_env(**INSTANCES[instance], noise="mumbai", mitigation=METHODS[row], actions="blocks")
    hamiltonian, ground = env.problem.hamiltonian, env.problem.ground_energy
    seen: list[tuple[float, float, float, int, Circuit]] = []  # energy, true error, deviation of one shot, CNOTs
    simulator, ideal, spent = env.simulator, StatevectorSimulator(), 0

    def note(locals_: dict[str, Any], _: dict[str, Any]) -> bool:
        nonlocal spent
        info = locals_["infos"][0]
        spent += int(info["evaluations"])
        true = ideal.expectation(env.circuit, hamiltonian) - ground
        deviation = simulator.standard_error(env.circuit, hamiltonian, 1)
        circuit = env.circuit.copy()
        seen.append((float(info["energy_error"]), true, deviation, int(info["num_two_qubit_gates"]), circuit))
        return spent < RUNS

    BlockAnnealing(env, seed, blind=True, start_blocks=8).learn(2**62, note)
    energies, true, deviations = (np.array([one[k] for one in seen]) for k in range(3))
    exact = min(range(len(seen)), key=lambda k: energies[k])
    if not abs(by_qiskit(seen[exact][4], hamiltonian) - ground - true[exact]) < 1e-9:
        raise SystemExit(f"Qiskit gives another energy for {instance}, {row}, seed {seed}")
    rule = METHODS[row]
    scales = len(simulator.method.scales) if isinstance(simulator, MitigatedSimulator) and rule else 1
    terms = sum(set(label) != {"I"} for label, _ in hamiltonian)
    rng, picks = np.random.default_rng(seed), []
    for total in TOTALS:
        each = total / (len(seen) * terms * scales)
        noise = deviations / np.sqrt(max(each, 1.0)) * rng.standard_normal((PICKS, len(seen)))
        picks.append([float(np.mean(true[(energies + noise).argmin(axis=1)])), float(each)])
    found = {"instance": instance, "row": row, "seed": seed, "runs": spent, "circuits": len(seen), "terms": terms}
    found |= {"exact": float(true[exact]), "cnots": seen[exact][3], "best_seen": float(true.min()), "picks": picks}
    return {**found, "seconds": round(time.process_time() - started, 1), "qasm": seen[exact][4].to_qasm3()}


def report(cells: list[dict[str, Any]]) -> str:
    """Return the tables as Markdown."""
    from qas_experiments.statistics import iqm_with_interval

    lines = [
        "# Mitigated energies at equal shots",
        "",
        f"`python experiments/benchmarks/mitigation_shots.py`: blind annealing with {RUNS:,} noisy runs;",
        "error without noise of the circuit that is picked when all circuits of the search are measured with the given",
        "number of shots in all (mean over 2,000 selections). Interquartile means over seeds with 95 % bootstrap",
        "intervals. A dash: less than one shot per circuit, term and scale. *Ratio*: to no mitigation, same seed.",
    ]
    for instance in INSTANCES:
        own = [cell for cell in cells if cell["instance"] == instance]
        seeds = {cell["seed"] for cell in own}
        seeds = {seed for seed in seeds if sum(cell["seed"] == seed for cell in own) == len(ROWS)}
        if not seeds:
            continue
        lines += ["", f"## {instance}, {len(seeds)} seeds", ""]
        header = ["energy", "CNOTs", *(f"{total:.0e} shots" for total in TOTALS), "exact energies", "best of all seen"]
        lines += [f"| {' | '.join(header)} |", f"|{' --- |' * len(header)}"]
        for row in ROWS:
            some = [cell for cell in own if cell["row"] == row and cell["seed"] in seeds]
            texts = [row, ", ".join(str(cell["cnots"]) for cell in some)]
            for k in range(len(TOTALS)):
                enough = all(cell["picks"][k][1] >= 1 for cell in some)
                texts.append(iqm_with_interval([cell["picks"][k][0] for cell in some]) if enough else "-")
            texts += [iqm_with_interval([cell[key] for cell in some]) for key in ("exact", "best_seen")]
            lines.append(f"| {' | '.join(texts)} |")
        none = {cell["seed"]: cell for cell in own if cell["row"] == "none"}
        for row in ROWS[1:]:
            some = [cell for cell in own if cell["row"] == row and cell["seed"] in seeds]
            texts = [f"ratio: {row}", ""]
            for k in range(len(TOTALS)):
                pairs = [(cell["picks"][k], none[cell["seed"]]["picks"][k]) for cell in some]
                enough = all(mine[1] >= 1 and other[1] >= 1 for mine, other in pairs)
                texts.append(iqm_with_interval([mine[0] / other[0] for mine, other in pairs]) if enough else "-")
            texts += [iqm_with_interval([cell["exact"] / none[cell["seed"]]["exact"] for cell in some]), ""]
            lines.append(f"| {' | '.join(texts)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Play what is missing, then write the report."""
    asked = sys.argv[1:]
    chosen = [name for name in INSTANCES if not asked or name.split(",")[0].split()[0] in asked]
    wanted = [(instance, row, seed) for instance in chosen for seed in SEEDS for row in ROWS]
    cells = play_missing(FILE, ("instance", "row", "seed"), wanted, play)
    (RESULTS / "mitigation_shots.md").write_text(report(cells), "utf-8")


if __name__ == "__main__":
    main()

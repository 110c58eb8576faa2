"""Does a search on mitigated energies pick circuits with a lower noiseless error at equal shots?

    OMP_NUM_THREADS=1 python experiments/benchmarks/mitigation_shots.py          # plays what is missing
    OMP_NUM_THREADS=1 python experiments/benchmarks/mitigation_shots.py GHZ-4    # plays one instance only
    OMP_NUM_THREADS=1 python experiments/benchmarks/mitigation_shots.py H2O-8 --seeds=5
    python experiments/benchmarks/mitigation_shots.py report                     # writes results/mitigation_shots.md

The searches are those of ``mitigation.py``: blind annealing over blocks, with equal runs of the noisy simulator. Then
all circuits of a search are measured, with the same total number of shots in each row, divided equally among circuits,
terms and scales, and the lowest energy is picked. Angles are optimised on exact energies of the row's kind.

H2O-8 has no readout errors, so that no row inverts them; its searches have the settings of ``mitigation.py`` that were
chosen on stretched H2O without noise.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from cell_file import play_missing
from mitigation import CUT, FOURTH_ORDER, METHODS, SHORT, WATER, by_qiskit

from qas_agents import BlockAnnealing
from qas_envs import CircuitBuildingEnv, make_env
from qas_simulators import Circuit, StatevectorSimulator
from qas_simulators.mitigation import MitigatedSimulator

RESULTS = Path(__file__).parents[1] / "results"
FILE = RESULTS / "mitigation_shots.json"
SEEDS = range(10)
PICKS = 2_000


@dataclass(frozen=True)
class Study:
    """One instance with its rows.

    Attributes:
        rules: Of the environment.
        rows: Kinds of energies, names of :data:`mitigation.METHODS`; ``"none"`` is the first one.
        agent: Settings of the annealing.
        runs: Of the noisy simulator in a search.
        totals: Shots of a selection.
    """

    rules: Mapping[str, Any]
    rows: tuple[str, ...] = ("none", "readout inverted", "quadratic, x1 x2 x3")
    agent: Mapping[str, Any] = field(default_factory=lambda: SHORT)
    runs: int = 20_000
    totals: tuple[float, ...] = (1e5, 1e6, 1e7, 1e8, 1e9, 1e10)


GHZ: dict[str, Any] = {"problem_settings": {"num_qubits": 4}, "gates": ["ry", "cx"], "optimizer": "scan_lbfgs"}
STUDIES = {
    "GHZ-4, Mumbai": Study({"problem": "ghz", **GHZ, "noise": "mumbai"}),
    "LiH-4 3.4 Å, Mumbai": Study({"problem": "lih", "noise": "mumbai"}),
    WATER: Study(
        {"problem": "h2o", "noise": "percent_1_5"},
        rows=("none", "quadratic, x1 x2 x3", FOURTH_ORDER),
        agent=CUT,
        totals=(1e6, 1e8, 1e10, 1e12, 1e14, 1e16),
    ),
}


def play(instance: str, row: str, seed: int) -> dict[str, Any]:
    """Search blindly, then pick with shots, many times."""
    started = time.process_time()
    study = STUDIES[instance]
    env: CircuitBuildingEnv = make_env(**study.rules, mitigation=METHODS[row], actions="blocks")
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
        return spent < study.runs

    BlockAnnealing(env, seed, blind=True, **study.agent).learn(2**62, note)
    energies, true, deviations = (np.array([one[k] for one in seen]) for k in range(3))
    exact = min(range(len(seen)), key=lambda k: energies[k])
    if not abs(by_qiskit(seen[exact][4], hamiltonian) - ground - true[exact]) < 1e-9:
        raise SystemExit(f"Qiskit gives another energy for {instance}, {row}, seed {seed}")
    rule = METHODS[row]
    scales = len(simulator.method.scales) if isinstance(simulator, MitigatedSimulator) and rule else 1
    terms = sum(set(label) != {"I"} for label, _ in hamiltonian)
    rng, picks = np.random.default_rng(seed), []
    for total in study.totals:
        each = total / (len(seen) * terms * scales)
        noise = deviations / np.sqrt(max(each, 1.0)) * rng.standard_normal((PICKS, len(seen)))
        picks.append([float(np.mean(true[(energies + noise).argmin(axis=1)])), float(each)])
    found = {"instance": instance, "row": row, "seed": seed, "runs": spent, "circuits": len(seen), "terms": terms}
    found |= {"exact": float(true[exact]), "cnots": seen[exact][3], "best_seen": float(true.min()), "picks": picks}
    return {**found, "seconds": round(time.process_time() - started, 1), "qasm": seen[exact][4].to_qasm3()}


def report(cells: list[dict[str, Any]]) -> str:
    """Return the tables as Markdown."""
    lines = [
        "# Mitigated energies at equal shots",
        "",
        "`python experiments/benchmarks/mitigation_shots.py`: blind annealing with 20,000 noisy runs;",
        "error without noise of the circuit that is picked when all circuits of the search are measured with the given",
        "number of shots in all (mean over 2,000 selections). Interquartile means over seeds with 95 % bootstrap",
        "intervals. A dash: less than one shot per circuit, term and scale. *Ratio*: to no mitigation, same seed.",
    ]
    for instance, study in STUDIES.items():
        own = [cell for cell in cells if cell["instance"] == instance]
        seeds = {cell["seed"] for cell in own}
        seeds = {seed for seed in seeds if sum(cell["seed"] == seed for cell in own) == len(study.rows)}
        if seeds:
            of_seeds = [cell for cell in own if cell["seed"] in seeds]
            lines += ["", f"## {instance}, {len(seeds)} seeds", "", *table(study, of_seeds)]
    return "\n".join(lines) + "\n"


def table(study: Study, cells: list[dict[str, Any]]) -> list[str]:
    """Return the table of one instance as Markdown."""
    from qas_experiments.statistics import iqm_with_interval

    header = ["energy", "CNOTs", *(f"{total:.0e} shots" for total in study.totals), "exact energies"]
    header += ["best of all seen"]
    lines = [f"| {' | '.join(header)} |", f"|{' --- |' * len(header)}"]
    for row in study.rows:
        some = [cell for cell in cells if cell["row"] == row]
        texts = [row, ", ".join(str(cell["cnots"]) for cell in some)]
        for k in range(len(study.totals)):
            enough = all(cell["picks"][k][1] >= 1 for cell in some)
            texts.append(iqm_with_interval([cell["picks"][k][0] for cell in some]) if enough else "-")
        texts += [iqm_with_interval([cell[key] for cell in some]) for key in ("exact", "best_seen")]
        lines.append(f"| {' | '.join(texts)} |")
    none = {cell["seed"]: cell for cell in cells if cell["row"] == study.rows[0]}
    for row in study.rows[1:]:
        some = [cell for cell in cells if cell["row"] == row]
        texts = [f"ratio: {row}", ""]
        for k in range(len(study.totals)):
            pairs = [(cell["picks"][k], none[cell["seed"]]["picks"][k]) for cell in some]
            enough = all(mine[1] >= 1 and other[1] >= 1 for mine, other in pairs)
            texts.append(iqm_with_interval([mine[0] / other[0] for mine, other in pairs]) if enough else "-")
        texts += [iqm_with_interval([cell["exact"] / none[cell["seed"]]["exact"] for cell in some]), ""]
        lines.append(f"| {' | '.join(texts)} |")
    return lines


def main() -> None:
    """Play what is missing, then write the report."""
    number = next((int(word.removeprefix("--seeds=")) for word in sys.argv if word.startswith("--seeds=")), len(SEEDS))
    asked = [word for word in sys.argv[1:] if not word.startswith("--")]
    chosen = [name for name in STUDIES if not asked or name.split(",")[0].split()[0] in asked]
    wanted = [(name, row, seed) for name in chosen for seed in SEEDS[:number] for row in STUDIES[name].rows]
    cells = play_missing(FILE, ("instance", "row", "seed"), wanted, play)
    (RESULTS / "mitigation_shots.md").write_text(report(cells), "utf-8")


if __name__ == "__main__":
    main()

"""Large molecules in parts: search on the qubits that a screening keeps, then embed and re-optimise on the whole.

    OMP_NUM_THREADS=1 python experiments/benchmarks/large.py          # plays what is missing, about ten minutes
    OMP_NUM_THREADS=1 python experiments/benchmarks/large.py report   # writes results/large.md

Circuits are in ``results/large.json``. Every energy is computed again by Qiskit before it is written.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from qiskit.quantum_info import Statevector

from qas_agents import BlockAnnealing, pruned
from qas_envs import make_env
from qas_envs.problems import lih
from qas_envs.problems.problem import Problem
from qas_envs.problems.screening import SCREENINGS, closed_shell, embedded, restricted
from qas_experiments.statistics import iqm_with_interval
from qas_simulators import Circuit

RESULTS = Path(__file__).parents[1] / "results"
FILE = RESULTS / "large.json"
SEEDS = 5
EVALUATIONS = 500_000
RULE = "occupation"
LENGTHS = (1.6, 3.0, 3.4)


def search(part: Problem, threshold: float, seed: int) -> dict[str, Any]:
    """Return the shortest solution of a search on the part, with the evaluations spent until it was found."""
    env = make_env(part, max_gates=100, curriculum={"name": "fixed", "threshold": threshold})
    spent, first, best = 0, None, None

    def note(locals_: dict[str, Any], _: dict[str, Any]) -> bool:
        nonlocal spent, first, best
        info = locals_["infos"][0]
        spent += info["evaluations"]
        if info["success"]:
            first = spent if first is None else first
            rank = info["num_two_qubit_gates"], info["energy_error"]
            if best is None or rank < best[0]:
                best = rank, env.circuit.copy(), spent
        return spent < EVALUATIONS

    BlockAnnealing(env, seed).learn(2**62, note)
    return {"first": first, "circuit": None if best is None else best[1], "found_at": None if best is None else best[2]}


def play(length: float, seed: int) -> dict[str, Any]:
    """Search on the part of a molecule, embed the circuit, remove needless gates and optimise all angles again."""
    started = time.process_time()
    whole = lih(length, num_qubits=12)
    kept = SCREENINGS[RULE](whole)
    part = restricted(whole, kept)
    left = whole.accuracy - (part.ground_energy - whole.ground_energy)
    found = search(part, left, seed)
    row: dict[str, Any] = {"instance": f"LiH-12 {length:g} Å", "seed": seed, "kept": list(kept), "left": left}
    row |= {"first": found["first"], "found_at": found["found_at"], "cpu_seconds": time.process_time() - started}
    if found["circuit"] is None:
        return {**row, "cnots": None, "error": None, "qasm": None}
    full = embedded(found["circuit"], kept, closed_shell(whole))
    short = pruned(full, whole.hamiltonian, whole.ground_energy + whole.accuracy)
    error = measured(short.circuit, whole) - whole.ground_energy
    if not abs(error - (short.energy - whole.ground_energy)) < 1e-9:
        raise SystemExit(f"Qiskit gives another energy for {row}")
    row |= {"cnots": short.circuit.num_two_qubit_gates, "gates": short.circuit.num_gates, "error": error}
    row |= {"whole_evaluations": short.evaluations, "cpu_seconds": time.process_time() - started}
    return {**row, "qasm": short.circuit.to_qasm3()}


def measured(circuit: Circuit, problem: Problem) -> float:
    """Return the energy of a circuit by Qiskit."""
    state = Statevector(circuit.to_qiskit())
    return float(state.expectation_value(problem.hamiltonian.to_qiskit()).real)


def report(rows: list[dict[str, Any]]) -> None:
    """Write the table."""
    lines = [
        "# Large molecules in parts",
        "",
        f"`python experiments/benchmarks/large.py`. The screening `by_{RULE}` chooses the qubits, `annealing_blocks`",
        f"searches on them with {EVALUATIONS:,} evaluations (actions: RY and CX), the circuit is embedded, pruned and",
        "optimised on all qubits. Errors are by Qiskit, below the exact energy of the whole molecule in Hartree.",
        "*First*: evaluations to the first solution, interquartile mean with bootstrap interval. *Part*: error of the",
        "exact ground state of the kept qubits, which no circuit on them can undercut.",
        "",
        "| instance | qubits kept | part | solved | CNOTs by seed | error of the shortest | first | CPU s a seed |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for instance in dict.fromkeys(row["instance"] for row in rows):
        own = sorted((row for row in rows if row["instance"] == instance), key=lambda row: row["seed"])
        solved = [row for row in own if row["cnots"] is not None]
        fewest = min((row["cnots"], row["error"]) for row in solved) if solved else ("", np.nan)
        lines.append(
            f"| {instance} | {len(own[0]['kept'])} | {1.6e-3 - own[0]['left']:.1e} | {len(solved)}/{len(own)} "
            f"| {', '.join(str(row['cnots']) for row in own)} | {fewest[1]:.2e} "
            f"| {iqm_with_interval([row['first'] for row in solved]) if solved else ''} "
            f"| {np.mean([row['cpu_seconds'] for row in own]):.0f} |"
        )
    (RESULTS / "large.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Play what is missing, or write the report."""
    warnings.simplefilter("ignore")
    rows: list[dict[str, Any]] = json.loads(FILE.read_text("utf-8")) if FILE.exists() else []
    if sys.argv[1:] != ["report"]:
        known = {(row["instance"], row["seed"]) for row in rows}
        for seed in range(SEEDS):
            for length in LENGTHS:
                if (f"LiH-12 {length:g} Å", seed) not in known:
                    rows.append(play(length, seed))
                    FILE.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    report(rows)


if __name__ == "__main__":
    main()

"""What annealing over blocks saves after ADAPT: CNOTs of ``adapt_circuit`` without and with a budget for it.

    OMP_NUM_THREADS=1 python experiments/benchmarks/adapt_blocks.py           # plays what is missing
    OMP_NUM_THREADS=1 python experiments/benchmarks/adapt_blocks.py report    # writes results/adapt_blocks.md

Energies are computed again by Qiskit. Rows are in ``results/adapt_blocks.json``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qiskit.quantum_info import Statevector

from qas_agents import adapt_circuit, ceo_pool, determinant, spin_orbitals, usual_pool
from qas_envs.problems import beh2, h4_chain, lih
from qas_envs.problems.problem import Problem
from qas_simulators import Circuit

RESULTS = Path(__file__).parents[1] / "results"
FILE = RESULTS / "adapt_blocks.json"
BUDGETS = (0, 30_000, 300_000)
SEEDS = 3
INSTANCES: dict[str, Callable[[], Problem]] = {
    "LiH-6 2.8 Å": lambda: lih(2.8, num_qubits=6),
    "H4 chain 1.3 Å": lambda: h4_chain(bond_length=1.3),
    "LiH-12 1.6 Å": lambda: lih(1.6, num_qubits=12),
    "LiH-12 3.0 Å": lambda: lih(3.0, num_qubits=12),
    "BeH2-14 1.3 Å": lambda: beh2(bond_length=1.3, num_qubits=14),
}
ELECTRONS = {"H4 chain 1.3 Å": 4, "LiH-12 1.6 Å": 4, "LiH-12 3.0 Å": 4, "BeH2-14 1.3 Å": 6}
"""Of instances whose qubits are all spin orbitals."""
POOLS = ("usual_pool", "ceo_pool")


def pool_of(name: str, instance: str, problem: Problem) -> tuple[list[Any], Circuit | None]:
    """Return a pool and its reference; a pool of coupled exchanges needs spin orbitals on all qubits."""
    if name == "usual_pool":
        return list(usual_pool(problem.hamiltonian)), None
    spin_of, pairs = (
        spin_orbitals(problem.num_qubits, problem.provenance["molecule"]["mapping"]),
        ELECTRONS[instance] // 2,
    )
    return list(ceo_pool(spin_of)), determinant(spin_of, up=pairs, down=pairs)


def play(instance: str, pool_name: str, budget: int, seed: int) -> dict[str, Any]:
    """Return the figures of one circuit."""
    problem = INSTANCES[instance]()
    pool, reference = pool_of(pool_name, instance, problem)
    limit, started = problem.ground_energy + problem.accuracy, time.process_time()
    found = adapt_circuit(
        problem.hamiltonian,
        pool,
        limit - 1e-9,
        reference=reference,
        evaluations=budget,
        ground_energy=problem.ground_energy,
        seed=seed,
    )
    energy = Statevector(found.circuit.to_qiskit()).expectation_value(problem.hamiltonian.to_qiskit()).real
    if not (abs(energy - found.energy) < 1e-9 and energy < limit):
        raise SystemExit(f"Qiskit gives another energy for {instance}, {pool_name}")
    row: dict[str, Any] = {"instance": instance, "pool": pool_name, "budget": budget, "seed": seed}
    row |= {"cnots": found.circuit.num_two_qubit_gates, "error": energy - problem.ground_energy}
    row |= {"evaluations": found.evaluations, "cpu_seconds": time.process_time() - started}
    return {**row, "qasm": found.circuit.to_qasm3()}


def cells() -> list[tuple[str, str, int, int]]:
    """Return instance, pool, budget and seed of every row; without annealing nothing depends on the seed."""
    pools = [(instance, pool) for instance in INSTANCES for pool in POOLS if pool == POOLS[0] or instance in ELECTRONS]
    return [(*pair, budget, seed) for pair in pools for budget in BUDGETS for seed in range(SEEDS if budget else 1)]


def rows() -> list[dict[str, Any]]:
    """Return the rows so far."""
    found: list[dict[str, Any]] = json.loads(FILE.read_text("utf-8")) if FILE.exists() else []
    return found


def report() -> None:
    """Write the table."""
    lines = [
        "# Annealing over blocks after ADAPT",
        "",
        "`python experiments/benchmarks/adapt_blocks.py`: `adapt_circuit`. Operators are removed one by one after the",
        "first solution (error below 1.6e-3 Ha). *Budget*: energy evaluations of annealing over blocks after that.",
        "CNOTs and errors by seed, errors by Qiskit. LiH-6 at 2.8 Å and the H4 chain at 1.3 Å are in no suite;",
        "nothing was chosen on the molecules of 12 and 14 qubits.",
        "",
        "| instance | pool | budget | CNOTs by seed | error of the shortest | evaluations in all | CPU s |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    known = rows()
    for instance, pool, budget in dict.fromkeys(cell[:3] for cell in cells()):
        own = [row for row in known if (row["instance"], row["pool"], row["budget"]) == (instance, pool, budget)]
        if own:
            error = min((row["cnots"], row["error"]) for row in own)[1]
            lines.append(
                f"| {instance} | `{pool}` | {budget:,} | {', '.join(str(row['cnots']) for row in own)} | {error:.2e} "
                f"| {max(row['evaluations'] for row in own):,} | {max(row['cpu_seconds'] for row in own):.0f} |"
            )
    (RESULTS / "adapt_blocks.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Play what is missing, and write the report."""
    if sys.argv[1:] != ["report"]:
        for cell in cells():
            known = rows()
            if cell not in {(row["instance"], row["pool"], row["budget"], row["seed"]) for row in known}:
                text = json.dumps([*known, play(*cell)], indent=1, ensure_ascii=False)
                FILE.write_text(text + "\n", encoding="utf-8")
                print(*cell, rows()[-1]["cnots"], flush=True)
    report()


if __name__ == "__main__":
    main()

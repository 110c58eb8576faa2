"""How few CNOTs can there be? A resumable, exhaustive skeleton search of every instance.

    python experiments/benchmarks/floors.py run [instance ...]    # searches missing floors; an hour on one core for all
    python experiments/benchmarks/floors.py report                # writes results/floors.md

The search covers all skeletons of up to five two-qubit gates on two to six qubits, with four random starts each. A
finished part is a line of ``runs/floors/*.jsonl``. Floors in ``qas_envs/problems/floors.json`` are not searched again.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

import qas_envs.problems
from qas_agents import best_of, distinct_skeletons
from qas_envs.problems import PROBLEMS, Problem

RUNS = Path("runs/floors")
RESULTS = Path(__file__).parents[1] / "results"
DATA = Path(qas_envs.problems.__file__).with_name("floors.json")
PART = 200  # skeletons
LONGEST = 5  # two-qubit gates
EXACT = 1e-9
INSTANCES: dict[str, tuple[str, dict[str, Any]]] = {
    "Bell": ("bell", {}),
    "GHZ-3": ("ghz", {"num_qubits": 3}),
    "W-3": ("w", {"num_qubits": 3}),
    "W-4": ("w", {"num_qubits": 4}),
    "H2-4 0.7414 Å": ("h2", {"bond_length": 0.7414}),
    **{f"LiH-4 {length} Å": ("lih", {"bond_length": length}) for length in (1.2, 2.2, 3.4)},
    **{f"TFIM-{spins}": ("tfim", {"num_qubits": spins}) for spins in (2, 3, 4)},
    "Heisenberg-4": ("heisenberg", {"num_qubits": 4, "field": 1.0}),
    "TFIM-5": ("tfim", {"num_qubits": 5}),
    "Heisenberg-5": ("heisenberg", {"num_qubits": 5, "field": 1.0}),
    "TFIM-6": ("tfim", {"num_qubits": 6}),
    "BeH2-6": ("beh2", {"geometry": "angstrom"}),
    "BeH2-6 bohr": ("beh2", {"geometry": "legacy-bohr"}),
    "LiH-6 2.2 Å": ("lih", {"bond_length": 2.2, "num_qubits": 6}),
    "LiH-6 3.4 Å": ("lih", {"bond_length": 3.4, "num_qubits": 6}),
}


def search(name: str, problem: Problem, length: int) -> dict[str, Any]:
    """Return the floor of one length; resume after the last finished part."""
    RUNS.mkdir(parents=True, exist_ok=True)
    path = RUNS / f"{''.join(letter if letter.isalnum() else '_' for letter in name)}-{length}.jsonl"
    parts = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    numbered = enumerate(distinct_skeletons(problem.hamiltonian, length))
    for _ in islice(numbered, sum(part["skeletons"] for part in parts)):
        pass
    while some := list(islice(numbered, PART)):
        started = time.perf_counter()
        floor = best_of(problem.hamiltonian, length, some, enough=problem.ground_energy + EXACT)
        assert floor is not None
        figures = {"skeletons": floor.skeletons, "evaluations": floor.evaluations}
        seconds = time.perf_counter() - started
        part = {"energy": floor.energy, "qasm": floor.circuit.to_qasm3(), **figures, "seconds": seconds}
        with path.open("a") as file:
            file.write(json.dumps(part) + "\n")
        parts.append(part)
        print(f"{name}, {length}: {sum(part['skeletons'] for part in parts)} skeletons", flush=True)
        if floor.energy - problem.ground_energy < EXACT:
            break
    best = min(parts, key=lambda part: part["energy"])
    return {
        "instance": name,
        "instance_hash": problem.digest,
        "two_qubit_gates": length,
        "error": max(best["energy"] - problem.ground_energy, 0.0),
        "accuracy": problem.accuracy,
        **{key: sum(part[key] for part in parts) for key in ("skeletons", "evaluations", "seconds")},
        "qasm": best["qasm"],
    }


def committed() -> list[dict[str, Any]]:
    """Return the rows of the committed results."""
    rows: list[dict[str, Any]] = json.loads(DATA.read_text())
    return rows


def commit(row: dict[str, Any]) -> None:
    """Add a row to the results, and write them atomically."""
    order = list(INSTANCES)
    rows = sorted([*committed(), row], key=lambda row: (order.index(row["instance"]), row["two_qubit_gates"]))
    draft = DATA.with_name(".floors.json.part")
    draft.write_text("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n")
    draft.replace(DATA)


def report() -> None:
    """Write the table of the results."""
    lengths = range(6)
    lines = [
        "# Floors: the lowest error of so many two-qubit gates",
        "",
        "`python experiments/benchmarks/floors.py run`. All orders of CZ (or CX) on all pairs, one of each class that",
        "prepares the same states, free turns between, four random starts each: no circuit of these gates does better,",
        "but for minima that four starts miss. Bold: below the accuracy of the problem; none after an exact one is",
        "searched. Seconds on one core, other processes beside.",
        "",
    ]
    lines += [f"| | {' | '.join(map(str, lengths))} | skeletons | s |", "| --- " * 9 + "|"]
    rows = committed()
    for name in dict.fromkeys(row["instance"] for row in rows):
        some = {row["two_qubit_gates"]: row for row in rows if row["instance"] == name}
        cells = [cell_of(some[length]) if length in some else "" for length in lengths]
        seconds, skeletons = (sum(row[key] for row in some.values()) for key in ("seconds", "skeletons"))
        lines.append(f"| {name} | {' | '.join(cells)} | {skeletons:,} | {seconds:.0f} |")
    (RESULTS / "floors.md").write_text("\n".join(lines) + "\n")


def cell_of(row: dict[str, Any]) -> str:
    """Return an error as text, bold if it solves the problem."""
    text = f"{row['error']:.1e}" if row["error"] > EXACT else "exact"
    return f"**{text}**" if row["error"] < row["accuracy"] else text


def run(names: list[str]) -> None:
    """Search for the floors that are missing from the results."""
    for name in names or INSTANCES:
        choice, settings = INSTANCES[name]
        problem = PROBLEMS[choice](**settings)
        known = {row["two_qubit_gates"]: row["error"] for row in committed() if row["instance"] == name}
        for length in range(LONGEST + 1):
            if min(known.values(), default=1.0) < EXACT:
                break
            if length not in known:
                commit(row := search(name, problem, length))
                known[length] = row["error"]
        report()


if __name__ == "__main__":
    if sys.argv[1:] == ["report"]:
        report()
    elif sys.argv[1:2] == ["run"]:
        run(sys.argv[2:])
    else:
        raise SystemExit(__doc__)

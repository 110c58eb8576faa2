"""How few CNOTs can there be? A resumable, exhaustive skeleton search of every instance.

    python experiments/benchmarks/floors.py run [instance ...]            # searches missing floors over gates
    python experiments/benchmarks/floors.py run --blocks [instance ...]   # over blocks
    python experiments/benchmarks/floors.py report                        # writes results/floors.md

The search covers all skeletons, one of each class of equivalent ones, from ``--starts`` random angles each. Lengths end
at ``--longest``: by default five two-qubit gates; six blocks on four qubits and five on more. A finished part is a line
of ``runs/floors/*.jsonl``; a search that was cut off continues after it. Floors in ``qas_envs/problems/floors.json``
are not searched again. Gates take an hour on one core, blocks half an hour.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import islice
from pathlib import Path
from typing import Any

import qas_envs.problems
from qas_agents import best_of, block_circuits, distinct_skeletons
from qas_envs.problems import PROBLEMS, Problem
from qas_simulators.dressings import usual_dressing

RUNS = Path("runs/floors")
RESULTS = Path(__file__).parents[1] / "results"
DATA = Path(qas_envs.problems.__file__).with_name("floors.json")
PART = 500  # skeletons
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
    **{f"unitary {target}": ("unitary", {"target": target}) for target in ("cx", "ch", "cs", "iswap", "swap", "qft")},
    "unitary random": ("unitary", {}),
    "diagonalisation-2": ("diagonalization", {}),
    "diagonalisation-2 Heisenberg": ("diagonalization", {"kind": "heisenberg"}),
    "classifier blobs": ("classifier", {}),
    "classifier xor": ("classifier", {"kind": "xor"}),
    "unitary toffoli": ("unitary", {"target": "toffoli"}),
}
HEAD = """# Floors: the lowest error for each number of two-qubit gates

`python experiments/benchmarks/floors.py run`, and the same with `--blocks`. All skeletons were tried, one of each class
of equivalent ones. Left out are other orders of gates on different qubits, images under permutations of the qubits that
leave the Hamiltonian unchanged, and repetitions on one pair that prepare no other states.

**What "least" means.** The list of skeletons is complete. The angles of each skeleton are optimised (L-BFGS) from some
random starts, which is no proof of a global minimum. So a number below is the lowest error found, an upper bound of the
true floor, and "no circuit has fewer" holds except for minima that all starts of a skeleton missed.

Bold: below the accuracy of the problem. After an exact floor the search ends. Seconds on one core with other processes
beside."""
PARTS = {
    "gates": """## Any one-qubit gates between the two-qubit gates

CZ or CX on all pairs of qubits, with any one-qubit gates between them.""",
    "blocks": """## Blocks

Blocks as in environments with `actions="blocks"`: a row of RY on all qubits, then CX or CZ on any pair with RY on both
of its qubits. States are real, so that the true floors may be higher than those above, never lower. Where a number is
lower (LiH-4 with four and more gates), the starts above missed a minimum.""",
}


def search(name: str, problem: Problem, length: int, unit: str, starts: int) -> dict[str, Any]:
    """Return the floor of one length; resume after the last finished part."""
    path = part_file(name, length, unit, starts)
    parts = finished_parts(path)
    numbered = enumerate(distinct_skeletons(problem.hamiltonian, length))
    for _ in islice(numbered, sum(part["skeletons"] for part in parts)):
        pass
    enough = problem.ground_energy + EXACT
    dressing = dressing_of(problem)
    circuit_of = block_circuits("cx", dressing) if unit == "blocks" else None
    while (not parts or parts[-1]["energy"] >= enough) and (some := list(islice(numbered, PART))):
        started = time.perf_counter()
        floor = best_of(problem.hamiltonian, length, some, starts, enough=enough, circuit_of=circuit_of)
        assert floor is not None
        figures = {"skeletons": floor.skeletons, "evaluations": floor.evaluations}
        seconds = time.perf_counter() - started
        part = {"energy": floor.energy, "qasm": floor.circuit.to_qasm3(), **figures, "seconds": seconds}
        with path.open("a") as file:
            file.write(json.dumps(part) + "\n")
        parts.append(part)
        print(f"{name}, {length} {unit}: {sum(part['skeletons'] for part in parts)} skeletons", flush=True)
    best = min(parts, key=lambda part: part["energy"])
    return {
        "instance": name,
        "instance_hash": problem.digest,
        "unit": unit,
        **({"block": ["cx", *dressing]} if unit == "blocks" else {}),
        "two_qubit_gates": length,
        "error": max(best["energy"] - problem.ground_energy, 0.0),
        "accuracy": problem.accuracy,
        "starts": starts,
        **{key: sum(part[key] for part in parts) for key in ("skeletons", "evaluations", "seconds")},
        "qasm": best["qasm"],
    }


def dressing_of(problem: Problem) -> tuple[str, ...]:
    """Return the one-qubit gates of blocks that the environment of a problem has by default."""
    dressing = usual_dressing({"rx", "ry", "rz"}, ["cx"], problem.hamiltonian)
    assert dressing is not None
    return dressing


def part_file(name: str, length: int, unit: str, starts: int) -> Path:
    """Return the file of a search's finished parts; searches with other settings have other files."""
    RUNS.mkdir(parents=True, exist_ok=True)
    words = "".join(letter if letter.isalnum() else "_" for letter in name)
    return RUNS / f"{words}-{length}-{unit}-{starts}.jsonl"


def finished_parts(path: Path) -> list[dict[str, Any]]:
    """Return the finished parts of a search; a line that was cut off while it was written is removed."""
    if not path.exists():
        return []
    whole, _, torn = path.read_text("utf-8").rpartition("\n")
    if torn:
        path.write_text(whole + "\n" if whole else "", "utf-8")
    return [json.loads(line) for line in whole.splitlines()]


def committed() -> list[dict[str, Any]]:
    """Return the rows of the committed results."""
    rows: list[dict[str, Any]] = json.loads(DATA.read_text("utf-8"))
    return rows


def commit(row: dict[str, Any]) -> None:
    """Add a row to the results, and write them atomically."""
    order = list(INSTANCES)
    rows = sorted(
        [*committed(), row],
        key=lambda row: (order.index(row["instance"]), row["unit"] != "gates", row["two_qubit_gates"]),
    )
    draft = DATA.with_name(".floors.json.part")
    draft.write_text("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n", "utf-8")
    draft.replace(DATA)


def report() -> None:
    """Write the tables of the results."""
    lines = [HEAD]
    for unit, text in PARTS.items():
        rows = [row for row in committed() if row["unit"] == unit]
        if rows:
            lines += ["", text, "", *table(rows)]
    (RESULTS / "floors.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Return the table of one unit's floors."""
    lengths = range(max(row["two_qubit_gates"] for row in rows) + 1)
    columns = ["", *map(str, lengths), "skeletons", "starts of each", "evaluations", "s"]
    lines = [f"| {' | '.join(columns)} |".replace("|  |", "| |"), "| --- " * len(columns) + "|"]
    for name in dict.fromkeys(row["instance"] for row in rows):
        some = {row["two_qubit_gates"]: row for row in rows if row["instance"] == name}
        cells = [cell_of(some[length]) if length in some else "" for length in lengths]
        skeletons, evaluations, seconds = (
            sum(row[key] for row in some.values()) for key in ("skeletons", "evaluations", "seconds")
        )
        starts = starts_of(some)
        lines.append(f"| {name} | {' | '.join(cells)} | {skeletons:,} | {starts} | {evaluations:,} | {seconds:.0f} |")
    return lines


def starts_of(rows: dict[int, dict[str, Any]]) -> str:
    """Return the numbers of random starts as text, with the lengths where they are not the same for all."""
    numbers = sorted({row["starts"] for row in rows.values()}, reverse=True)
    if len(numbers) == 1:
        return str(numbers[0])
    return ", ".join(
        f"{number} ({min(own)} to {max(own)})" if len(own) > 1 else f"{number} ({own[0]})"
        for number in numbers
        if (own := [length for length, row in rows.items() if row["starts"] == number])
    )


def cell_of(row: dict[str, Any]) -> str:
    """Return an error as text, bold if it solves the problem."""
    text = f"{row['error']:.1e}" if row["error"] > EXACT else "exact"
    return f"**{text}**" if row["error"] < row["accuracy"] else text


def run(names: list[str], unit: str, longest: int | None, starts: int) -> None:
    """Search for the floors that are missing from the results."""
    for name in names or INSTANCES:
        choice, settings = INSTANCES[name]
        problem = PROBLEMS[choice](**settings)
        if unit == "blocks" and problem.hamiltonian.preparation is not None:
            continue  # whose blocks have another row at the start
        most = longest if longest is not None else 6 if unit == "blocks" and problem.num_qubits <= 4 else 5
        own = [row for row in committed() if row["instance"] == name and row["unit"] == unit]
        known = {row["two_qubit_gates"]: row["error"] for row in own}
        for length in range(most + 1):
            if min(known.values(), default=1.0) < EXACT:
                break
            if length not in known:
                commit(row := search(name, problem, length, unit, starts))
                known[length] = row["error"]
        report()


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    searching = commands.add_parser("run", help="search for floors that are missing")
    searching.add_argument("instances", nargs="*", choices=[*INSTANCES, []], metavar="instance")
    searching.add_argument("--blocks", action="store_true", help="skeletons of blocks instead of gates")
    searching.add_argument("--longest", type=int, help="most two-qubit gates")
    searching.add_argument("--starts", type=int, default=4, help="random starts of each skeleton (4)")
    commands.add_parser("report", help="write the table")
    given = parser.parse_args(arguments)
    if given.command == "report":
        report()
    else:
        run(given.instances, "blocks" if given.blocks else "gates", given.longest, given.starts)


if __name__ == "__main__":
    main()

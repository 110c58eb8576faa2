"""Does a start from a matrix-product state save CNOTs, its own counted? The critical Ising chain, J = h = 1, and H6.

    OMP_NUM_THREADS=1 python experiments/benchmarks/mps_starts.py 12 mps 3e-4 0     # one size, start, goal and seed
    OMP_NUM_THREADS=1 python experiments/benchmarks/mps_starts.py H6 mps 0.075 0     # the chain of six atoms, 1.0 Å
    OMP_NUM_THREADS=1 python experiments/benchmarks/mps_starts.py report           # writes results/mps_starts.md

Starts: ``empty``, ``basis_state`` (of H6: the Hartree-Fock state, without CNOTs) and ``mps`` (one staircase of blocks,
``initial="mps"``), each followed by ``annealing_blocks``; ``pruned`` is two staircases, from which
``qas_agents.pruned`` removes gates while the energy stays below the goal. All gates are counted. The goal is a relative
error, against the energy of free fermions; of H6 an error in Hartree. Intervals are those of the mean over seeds, by
Student's t.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np

from qas_agents import BlockAnnealing, pruned
from qas_envs import make_env
from qas_envs.initial_circuits import INITIAL_CIRCUITS
from qas_envs.problems import Problem, h6_chain, tfim
from qas_simulators import Circuit, MPSSimulator, Simulator, StatevectorSimulator

RESULTS: Final = Path(__file__).parents[1] / "results"
FILE: Final = RESULTS / "mps_starts.json"
SECONDS: Final = {12: 30.0, 20: 60.0}  # of the CPU, for each run
_STATE_QUBITS: Final = 12
H6: Final = "H6"


def problem_of(name: str) -> Problem:
    """Return a chain, given its number of qubits, or H6."""
    return h6_chain(bond_length=1.0) if name == H6 else tfim(int(name))


def allowed(problem: Problem, goal: float) -> float:
    """Return the error that a goal is, in the unit of the problem."""
    return goal if "molecule" in problem.provenance else goal * abs(problem.ground_energy)


def annealed(problem: Problem, start: str, goal: float, seed: int) -> tuple[Circuit | None, int]:
    """Return the circuit with the fewest CNOTs that annealing over blocks finds, and the energies it evaluated."""
    threshold = allowed(problem, goal)
    env = make_env(
        problem,
        actions="blocks",
        couplings="line",
        max_gates=400,
        initial=start,
        reward="priced",
        simulator=_simulator(problem),
        curriculum={"name": "fixed", "threshold": threshold},
    )
    started, evaluations = time.process_time(), 0
    initial, best = env.episode.initial.copy(), None
    if env.episode.first_energy - problem.ground_energy < threshold:
        best = initial  # with rows of rotations that the blocks begin with, at angle 0

    def note(locals_: dict[str, Any], _: dict[str, Any]) -> bool:
        nonlocal best, evaluations
        info = locals_["infos"][0]
        evaluations += int(info["evaluations"])
        if info["success"] and (best is None or info["num_two_qubit_gates"] < best.num_two_qubit_gates):
            best = env.circuit.copy()
        return time.process_time() - started < SECONDS[problem.num_qubits]

    BlockAnnealing(env, seed).learn(2**62, note)
    return best, evaluations


def _simulator(problem: Problem) -> Simulator:
    """Return the faster simulator."""
    return StatevectorSimulator(real_arithmetic=True) if problem.num_qubits <= _STATE_QUBITS else MPSSimulator()


def pruned_staircases(problem: Problem, goal: float) -> Circuit:
    """Return two staircases without the gates that the goal does not need."""
    circuit = INITIAL_CIRCUITS["mps"](problem, layers=2)  # type: ignore[call-arg]
    assert circuit is not None
    limit = problem.ground_energy + allowed(problem, goal)
    started = time.process_time()
    return pruned(
        circuit,
        problem.hamiltonian,
        limit,
        simulator=_simulator(problem),
        should_stop=lambda: time.process_time() - started > 2 * SECONDS[problem.num_qubits],
    ).circuit


def play(name: str, start: str, goal: float, seed: int) -> dict[str, Any]:
    """Return the record of one run."""
    problem, started = problem_of(name), time.process_time()
    circuit: Circuit | None
    if start == "pruned":
        circuit, evaluations = pruned_staircases(problem, goal), None
    else:
        circuit, evaluations = annealed(problem, start, goal, seed)
    row: dict[str, Any] = {"problem": H6} if name == H6 else {}
    row |= {"num_qubits": problem.num_qubits, "start": start, "goal": goal, "seed": seed}
    row |= {"evaluations": evaluations, "seconds": time.process_time() - started}
    if circuit is None:
        return row | {"cnots": None, "depth": None, "relative_error": None, "qasm": None}
    simulator = MPSSimulator(max_bond=256)
    energy = simulator.expectation(circuit, problem.hamiltonian)
    assert simulator.state(circuit).discarded < 1e-20
    error = (energy - problem.ground_energy) / abs(problem.ground_energy)
    assert energy - problem.ground_energy <= allowed(problem, goal)
    figures = {"cnots": circuit.num_two_qubit_gates, "depth": circuit.depth(), "relative_error": error}
    return row | figures | {"qasm": circuit.to_qasm3()}


def interval(values: list[int]) -> str:
    """Return mean and 95 % interval of the mean."""
    from scipy.stats import t

    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:.1f}"
    half = float(t.ppf(0.975, len(values) - 1)) * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return f"{mean:.1f} [{mean - half:.1f}, {mean + half:.1f}]"


_SECTIONS: Final = (
    ("Open critical Ising chain", "relative error", True),
    ("H6, 1.0 Å, blocks on the line of spin orbitals", "error in Hartree", False),
)
_FOOT: Final = (
    "",
    "The Hartree-Fock state of H6 is 0.1005 above the ground energy, one staircase of 21 CNOTs 0.0812, two of 43 CNOTs",
    "0.0731. The goal, three quarters of the correlation energy left, was chosen before any search: chemical accuracy",
    "needs more than 130 CNOTs ([large.md](large.md)), which is beyond these seconds.",
)


def report(rows: list[dict[str, Any]]) -> None:
    """Write the table."""
    lines = [
        "# Starts from matrix-product states",
        "",
        "`python experiments/benchmarks/mps_starts.py <qubits or H6> <start> <goal> <seed>`: CNOTs in all of the",
        f"shortest circuit found in {SECONDS[12]:.0f} CPU seconds, {SECONDS[20]:.0f} on 20 qubits (twice that for",
        "`pruned`, which is not random). *Mean*: over the seeds that reached the goal, with its 95 % interval. Errors",
        "are exact, against free fermions and full configuration interaction. Circuits are in `mps_starts.json`; only",
        "the figures were kept of `pruned` on 20 qubits.",
    ]
    for title, name, is_chain in _SECTIONS:
        lines += ["", f"## {title}", "", f"| qubits | {name} | start | solved | mean CNOTs | each seed |"]
        lines += ["| --- | --- | --- | --- | --- | --- |"]
        own = [row for row in rows if (row.get("problem") == H6) is not is_chain]
        for key in sorted({(row["num_qubits"], -row["goal"], row["start"]) for row in own}):
            group = [row for row in own if (row["num_qubits"], -row["goal"], row["start"]) == key]
            solved = [row["cnots"] for row in sorted(group, key=lambda row: row["seed"]) if row["cnots"] is not None]
            lines.append(
                f"| {key[0]} | {-key[1]:g} | `{key[2]}` | {len(solved)} of {len(group)} "
                f"| {interval(solved) if solved else ''} | {', '.join(map(str, solved))} |"
            )
    lines += _FOOT
    (RESULTS / "mps_starts.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Play one run, or write the report."""
    warnings.simplefilter("ignore")
    rows: list[dict[str, Any]] = json.loads(FILE.read_text("utf-8")) if FILE.exists() else []
    if sys.argv[1:] == ["report"]:
        report(rows)
        return
    name, start, goal, seed = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
    row = play(name, start, goal, seed)
    print({name: value for name, value in row.items() if name != "qasm"}, flush=True)
    names = ("problem", "num_qubits", "start", "goal", "seed")
    others = [one for one in rows if [one.get(name) for name in names] != [row.get(name) for name in names]]
    FILE.write_text(json.dumps([*others, row], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

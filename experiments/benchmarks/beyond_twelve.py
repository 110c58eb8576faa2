"""Chains of 12, 20 and 40 qubits: circuits with a relative error of at most 1e-3, and their cost.

    OMP_NUM_THREADS=1 python experiments/benchmarks/beyond_twelve.py tfim 12 qaoa   # a chain, size and method: one row
    OMP_NUM_THREADS=1 python experiments/benchmarks/beyond_twelve.py report         # writes results/beyond_twelve.md

Chains: ``tfim`` (critical, h = J = 1), ``heisenberg`` and ``xxz`` (anisotropy 0.5), all open. References: free
fermions, and the Bethe ansatz.

Methods: ``qaoa`` (layers of the chain's terms, shared angles: two a layer of the Ising chain, four of the others),
``free`` (the same gates, angles of their own), ``pruned`` (the first ``free`` circuit of exchanges that reaches the
goal, without those exchanges that it does not need), ``adapt`` (TETRIS-ADAPT, see :func:`play_adapt`), ``mps``
(staircases of blocks that prepare a matrix-product state), ``ladder`` and ``brick`` (``hea_blocks``), ``annealing``
(``annealing_blocks``). Rotations about ZZ are written as CX, RZ, CX. Circuits to 20 qubits are in
``results/beyond_twelve.json``.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any, Final

import numpy as np
from chain_circuits import exchange_layers, exchanges, ising_layers, layer_bonds

from qas_agents import BlockAnnealing, LayeredBlocks
from qas_agents.searchers.adapt import qubit_adapt
from qas_envs import make_env
from qas_envs.initial_circuits import INITIAL_CIRCUITS
from qas_envs.problems import Problem, heisenberg, tfim
from qas_simulators import Circuit, MPSSimulator, PauliPropagationSimulator, Simulator, StatevectorSimulator
from qas_simulators.optimizers import ScanLBFGS

RESULTS: Final = Path(__file__).parents[1] / "results"
FILE: Final = RESULTS / "beyond_twelve.json"
GOAL: Final = 1e-3  # relative error
SECONDS: Final = {12: 60.0, 20: 120.0, 40: 120.0}  # of the CPU, for each method
COEFFICIENT: Final = 1e-3  # of truncated propagation
STRINGS: Final = {"tfim": 1_000_000, "heisenberg": 200_000, "xxz": 200_000}  # that it may need
STATE_QUBITS: Final = 20
TRIALS: Final = 6  # exchanges that are tried before pruning ends
SMALL: Final = 12  # qubits of the chain whose shared angles larger exchange layers start from
NEAR: Final = 1.2  # times the goal: errors at which layers on more spins are worth an optimisation
MIDDLE: Final = {("xxz", False): 16, ("xxz", True): 16, ("heisenberg", True): 16}
"""Spins whose shared angles are found from those of 12 where the latter miss the goal, by chain and whether free."""
CLOSE: Final = 2.0  # times the goal: errors at which that is worth it
FIRST_TURN: Final = 0.4  # angle of the first layer of exchanges; 0 is a stationary point
CHAINS: Final[dict[str, Callable[[int], Problem]]] = {
    "tfim": tfim,
    "heisenberg": heisenberg,
    "xxz": partial(heisenberg, anisotropy=0.5),
}


def play_layers(chain: str, num_qubits: int, is_free: bool) -> Iterator[tuple[Circuit, float]]:
    """Yield circuits of more and more layers with their energies."""
    if chain == "tfim":
        return play_ising_layers(num_qubits, is_free)
    return play_exchange_layers(chain, num_qubits, is_free)


def play_ising_layers(num_qubits: int, is_free: bool) -> Iterator[tuple[Circuit, float]]:
    """Yield circuits of more and more layers with their energies.

    The angles of a layer start at those of a linear ramp; with an angle for each gate, at those of the shared ones.
    """
    simulator, hamiltonian = PauliPropagationSimulator(), tfim(num_qubits).hamiltonian
    for depth in range(1, num_qubits):
        ramp = (np.arange(depth) + 0.5) / depth
        circuit = ising_layers(num_qubits, depth, is_free=False)
        circuit.params = np.stack([-1.2 * ramp, -1.2 * (1.0 - ramp)], axis=1).ravel()
        found = ScanLBFGS(max_iterations=400).minimize(simulator, circuit, hamiltonian)
        circuit.params = found.params
        if is_free:
            circuit = ising_layers(num_qubits, depth, is_free=True)
            circuit.params = np.repeat(found.params, [num_qubits - 1, num_qubits] * depth)
            found = ScanLBFGS(max_iterations=400).minimize(simulator, circuit, hamiltonian)
            circuit.params = found.params
        yield circuit, found.energy


def play_exchange_layers(chain: str, num_qubits: int, is_free: bool) -> Iterator[tuple[Circuit, float]]:
    """Yield circuits of more and more layers with their energies, by statevectors.

    The shared angles of a layer start at those of the layer before; free ones at the shared ones. On more than 12 spins
    both have the shared angles of 12 spins (of 16 spins where these nearly suffice, see ``MIDDLE``), and are optimised
    only where the error is then a little above the goal, free ones up to twice the goal.
    """
    simulator, problem = StatevectorSimulator(), CHAINS[chain](num_qubits)
    goal, near, close = (
        problem.ground_energy + times * GOAL * abs(problem.ground_energy) for times in (1.0, NEAR, CLOSE)
    )
    is_refined = num_qubits > MIDDLE.get((chain, is_free), num_qubits)
    for depth, shared in enumerate(shared_angles(chain), start=1):
        circuit = exchange_layers(num_qubits, depth, is_free=False)
        circuit.params = shared
        energy = simulator.expectation(circuit, problem.hamiltonian)
        if is_refined and goal < energy <= close:
            circuit.params = angles_on(MIDDLE[chain, is_free], chain, depth, shared)
            energy = simulator.expectation(circuit, problem.hamiltonian)
        if is_free:
            bonds = [(num_qubits - 1) // 2, num_qubits // 2] * depth  # between the singlets, and within
            angles = np.repeat(circuit.params.reshape(-1, 2), bonds, axis=0).ravel()
            circuit = exchange_layers(num_qubits, depth, is_free)
            circuit.params = angles
        if num_qubits <= SMALL or goal < energy <= (close if is_free and is_refined else near):
            found = ScanLBFGS(max_iterations=400 if num_qubits <= SMALL else 30).minimize(
                simulator, circuit, problem.hamiltonian
            )
            circuit.params, energy = found.params, found.energy
        yield circuit, energy


def shared_angles(chain: str) -> Iterator[np.ndarray[Any, np.dtype[np.float64]]]:
    """Yield the shared angles of one, two, ... layers of exchanges on 12 spins."""
    simulator, hamiltonian, kept = StatevectorSimulator(), CHAINS[chain](SMALL).hamiltonian, np.full(4, FIRST_TURN)
    for depth in range(1, SMALL):
        circuit = exchange_layers(SMALL, depth, is_free=False)
        circuit.params = np.concatenate([kept, kept[-4:]])[: 4 * depth]
        kept = ScanLBFGS(max_iterations=400).minimize(simulator, circuit, hamiltonian).params
        yield kept


def angles_on(
    num_qubits: int, chain: str, depth: int, shared: np.ndarray[Any, np.dtype[np.float64]]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the shared angles of layers of exchanges on another number of spins, optimised from given ones."""
    circuit = exchange_layers(num_qubits, depth, is_free=False)
    circuit.params = shared
    optimizer = ScanLBFGS(max_iterations=30)
    return optimizer.minimize(StatevectorSimulator(), circuit, CHAINS[chain](num_qubits).hamiltonian).params


def play_pruned(chain: str, num_qubits: int) -> Iterator[tuple[Circuit, float]]:
    """Yield the first circuit of free exchanges that reaches the goal, without the exchanges that it does not need.

    Of a round, the exchange whose loss raises the energy least, before optimisation, is tried first.
    """
    problem, simulator = CHAINS[chain](num_qubits), StatevectorSimulator()
    limit = problem.ground_energy + GOAL * abs(problem.ground_energy)
    depth, circuit, energy = next(
        (depth, circuit, energy)
        for depth, (circuit, energy) in enumerate(play_exchange_layers(chain, num_qubits, is_free=True), start=1)
        if energy <= limit
    )
    bonds, angles = layer_bonds(num_qubits, depth), circuit.params.reshape(-1, 2)
    yield circuit, energy
    while True:
        shorter = [(bonds[:k] + bonds[k + 1 :], np.delete(angles, k, axis=0)) for k in range(len(bonds))]
        rises = [
            simulator.expectation(exchanges(num_qubits, own), problem.hamiltonian, left.ravel())
            for own, left in shorter
        ]
        for k in np.argsort(rises)[:TRIALS]:
            found = ScanLBFGS(max_iterations=200).minimize(simulator, *_started(num_qubits, *shorter[k], problem))
            if found.energy <= limit:
                bonds, angles = shorter[k][0], found.params.reshape(-1, 2)
                circuit = exchanges(num_qubits, bonds)
                circuit.params = found.params
                yield circuit, found.energy
                break
        else:
            return


def _started(
    num_qubits: int, bonds: list[int], angles: np.ndarray[Any, np.dtype[np.float64]], problem: Problem
) -> tuple[Circuit, Any]:
    """Return exchanges at given angles, and the Hamiltonian."""
    circuit = exchanges(num_qubits, bonds)
    circuit.params = angles.ravel()
    return circuit, problem.hamiltonian


def play_adapt(chain: str, num_qubits: int) -> Iterator[tuple[Circuit, float]]:
    """Yield the circuits of TETRIS-ADAPT with their energies.

    The pool of the Ising chain are rotations about Y Z and Z Y on neighbours, after H on every qubit; strings are
    propagated. That of the other chains are rotations about X Y Z in any order on three neighbours, after singlets:
    those of two spins have no slope there, because a singlet has no direction.
    """
    n, is_ising = num_qubits, chain == "tfim"
    words = ["YZ", "ZY"] if is_ising else ["".join(word) for word in permutations("XYZ")]
    pool = ["I" * (n - len(word) - first) + word + "I" * first for word in words for first in range(n + 1 - len(word))]
    reference = ising_layers(n, 0, is_free=True) if is_ising else exchange_layers(n, 0, is_free=True)
    simulator = PauliPropagationSimulator() if is_ising else None  # amplitudes of the basis states within reach
    hamiltonian = CHAINS[chain](n).hamiltonian
    for step in qubit_adapt(hamiltonian, pool, n * n, reference, tetris=True, simulator=simulator):
        yield step.circuit, step.energy


def play_staircases(chain: str, num_qubits: int) -> Iterator[tuple[Circuit, float]]:
    """Yield one to four staircases of blocks that prepare a matrix-product state near the ground state."""
    problem = CHAINS[chain](num_qubits)
    for number in range(1, 5):
        circuit = INITIAL_CIRCUITS["mps"](problem, layers=number)  # type: ignore[call-arg]
        assert circuit is not None
        yield circuit, MPSSimulator(max_bond=256).expectation(circuit, problem.hamiltonian)


def play_search(problem: Problem, method: str, seed: int) -> Iterator[tuple[Circuit, float]]:
    """Yield the circuits of a search over blocks that have a lower energy than all before, with their energies."""
    simulator: Any = StatevectorSimulator(real_arithmetic=True)
    if problem.num_qubits > 12:
        simulator = {"name": "pauli_propagation", "coefficient": COEFFICIENT}
    rules: dict[str, Any] = {"actions": "blocks", "couplings": "line", "max_gates": 5000, "reward": "priced"}
    threshold = GOAL * abs(problem.ground_energy)
    env = make_env(problem, simulator=simulator, curriculum={"name": "fixed", "threshold": threshold}, **rules)
    found: list[tuple[Circuit, float]] = []
    started = time.process_time()

    def note(locals_: dict[str, Any], _: dict[str, Any]) -> bool:
        info = locals_["infos"][0]
        is_better = not found or info["energy"] < found[-1][1] - 1e-9
        fewer = bool(info["success"]) and info["num_two_qubit_gates"] < found[-1][0].num_two_qubit_gates if found else 0
        if is_better or fewer:
            found.append((env.circuit.copy(), float(info["energy"])))
        solved = bool(info["success"]) and method != "annealing"
        return not solved and time.process_time() - started < SECONDS[problem.num_qubits]

    searcher: Any = (
        BlockAnnealing(env, seed)
        if method == "annealing"
        else LayeredBlocks(env, seed, pattern=method, starts=3 if problem.num_qubits <= 12 else 1, step=0)
    )
    searcher.learn(2**62, note)
    yield from found


def tried(chain: str, num_qubits: int, method: str, seed: int) -> Iterator[tuple[Circuit, float]]:
    """Return the circuits that a method tries."""
    if method in ("qaoa", "free"):
        return play_layers(chain, num_qubits, method == "free")
    others = {"adapt": play_adapt, "pruned": play_pruned, "mps": play_staircases}
    if method in others:
        return others[method](chain, num_qubits)
    return play_search(CHAINS[chain](num_qubits), method, seed)


def play(chain: str, num_qubits: int, method: str, seed: int) -> dict[str, Any]:
    """Return the circuit with the fewest CNOTs among those that reach the goal, else the one with the lowest energy."""
    problem, started = CHAINS[chain](num_qubits), time.process_time()
    best: tuple[tuple[float, ...], Circuit] | None = None
    for circuit, energy in tried(chain, num_qubits, method, seed):
        exact = exact_energy(circuit, problem, chain)
        value = energy if exact is None else exact
        error = (value - problem.ground_energy) / abs(problem.ground_energy)
        spent = time.process_time() - started
        figures = circuit.num_two_qubit_gates, circuit.depth(), f"{error:.2e}", f"{spent:.0f} s"
        print(chain, num_qubits, method, *figures, flush=True)
        rank = (0.0, float(circuit.num_two_qubit_gates), error) if error <= GOAL else (1.0, error, 0.0)
        if best is None or rank < best[0]:
            best = rank, circuit.copy()
        is_search = method in ("ladder", "brick", "annealing", "pruned")
        if (error <= GOAL and not is_search) or spent > 2 * SECONDS[num_qubits]:
            break
    assert best is not None
    return row_of(best[1], problem, (chain, method, seed), time.process_time() - started)


def exact_energy(circuit: Circuit, problem: Problem, chain: str) -> float | None:
    """Return the energy without truncation, by propagation, by a statevector to 20 qubits, or ``None``."""
    simulators: list[Simulator] = [StatevectorSimulator()] if circuit.num_qubits <= STATE_QUBITS else []
    if chain == "tfim":  # whose layers have few strings
        simulators = [PauliPropagationSimulator(max_strings=100_000), *simulators]
    for simulator in simulators:
        try:
            return simulator.expectation(circuit, problem.hamiltonian)
        except ValueError:
            continue
    return None


def row_of(circuit: Circuit, problem: Problem, key: tuple[str, str, int], seconds: float) -> dict[str, Any]:
    """Return the record of a circuit."""
    chain, method, seed = key
    exact = exact_energy(circuit, problem, chain)
    truncated = PauliPropagationSimulator(coefficient=COEFFICIENT, max_strings=STRINGS[chain])
    try:
        energy: float | None = truncated.expectation(circuit, problem.hamiltonian)
    except ValueError:  # too many strings
        energy = None
    reference = problem.ground_energy
    return {
        "chain": chain,
        "num_qubits": problem.num_qubits,
        "method": method,
        "seed": seed,
        "cnots": circuit.num_two_qubit_gates,
        "depth": circuit.depth(),
        "params": circuit.num_params,
        "energy": exact,
        "reference": reference,
        "relative_error": None if exact is None else (exact - reference) / abs(reference),
        "truncated_error": None if exact is None or energy is None else energy - exact,
        "truncation_estimate": None if energy is None else truncated.truncation_error(circuit, problem.hamiltonian),
        "seconds": seconds,
        "qasm": circuit.to_qasm3() if problem.num_qubits <= STATE_QUBITS else None,
    }


HEAD: Final = f"""# Chains beyond twelve qubits

`python experiments/benchmarks/beyond_twelve.py <chain> <qubits> <method>`: open chains. Each method ends with the first
circuit whose relative error is at most 1e-3, or after about {SECONDS[12]:.0f} CPU seconds
({SECONDS[20]:.0f} from 20 qubits on); annealing uses all of them, layers, ADAPT and pruning may use twice as many.
One seed. Energies are exact: by propagation of all strings, or by a statevector. *Truncated*: error of the same
circuit's energy by propagation with `coefficient={COEFFICIENT:g}`; *estimate*: what `truncation_error` says of it;
empty where it needs more than a million strings (200,000 on Heisenberg and XXZ chains)."""

SECTIONS: Final = {
    "tfim": (
        "Critical Ising chain, h = J = 1, against free fermions",
        """\
Layers of rotations about Z Z and X are free fermions themselves, and so are the rotations of `adapt`: a few thousand
strings suffice at any depth, so that these circuits are easy to simulate and no quantum advantage is claimed for them.
`adapt` is TETRIS-ADAPT, `qubit_adapt(..., tetris=True, simulator=...)`, from all spins along the field, with rotations
about YZ and ZY on neighbours; gradients of the pool are means of commutators.""",
    ),
    "heisenberg": (
        "Heisenberg chain, against the Bethe ansatz",
        """\
Layers are exchanges of three CNOTs on all bonds, after singlets on every other bond; on 20 qubits `qaoa` has the angles
that are shared on 12, `free` begins with those of 16. `adapt` is TETRIS-ADAPT from the same singlets, with rotations
about X Y Z in any order on three neighbours; on 20 qubits it ends with its time. `annealing` cannot be played on 20
qubits: energies of its circuits need more than a million strings. `mps` are staircases of blocks.""",
    ),
    "xxz": (
        "XXZ chain, anisotropy 0.5, against the Bethe ansatz",
        """\
As above; on 20 qubits `qaoa` has the angles that are shared on 16 spins.""",
    ),
}


def _short(value: float | None) -> str:
    """Return a number for the table."""
    return "" if value is None or not np.isfinite(value) else f"{value:.1e}"


def report(rows: list[dict[str, Any]]) -> None:
    """Write the table."""
    head = (
        "| qubits | method | CNOTs | depth | angles | energy | reference | relative error | truncated | estimate "
        "| CPU s |"
    )
    lines = HEAD.splitlines()
    for chain, (title, foot) in SECTIONS.items():
        own = [row for row in rows if row["chain"] == chain]
        lines += ["", f"## {title}", "", head, "|" + " --- |" * 11] if own else []
        for row in sorted(
            own, key=lambda row: (row["num_qubits"], (row["relative_error"] or 1.0) > GOAL, row["cnots"])
        ):
            lines.append(
                f"| {row['num_qubits']} | `{row['method']}` | {row['cnots']} | {row['depth']} | {row['params']} "
                f"| {'' if row['energy'] is None else round(row['energy'], 6)} | {row['reference']:.6f} "
                f"| {_short(row['relative_error'])} "
                f"| {_short(row['truncated_error'])} | {_short(row['truncation_estimate'])} | {row['seconds']:.0f} |"
            )
        lines += ["", *foot.splitlines()] if own and foot else []
    (RESULTS / "beyond_twelve.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Play one size with one method, or write the report."""
    warnings.simplefilter("ignore")
    rows: list[dict[str, Any]] = json.loads(FILE.read_text("utf-8")) if FILE.exists() else []
    if sys.argv[1:] == ["report"]:
        report(rows)
        return
    chain, num_qubits, method = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    row, names = play(chain, num_qubits, method, seed), ("chain", "num_qubits", "method", "seed")
    rows = json.loads(FILE.read_text("utf-8"))
    others = [one for one in rows if [one[name] for name in names] != [row[name] for name in names]]
    FILE.write_text(json.dumps([*others, row], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

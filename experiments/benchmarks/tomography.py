"""Does a search on fitted gate sets find circuits that are good on the device that was fitted?

    OMP_NUM_THREADS=1 python experiments/benchmarks/tomography.py          # plays what is missing, ten CPU minutes
    OMP_NUM_THREADS=1 python experiments/benchmarks/tomography.py H2-2     # plays one task only
    python experiments/benchmarks/tomography.py report                     # writes results/tomography.md

A device is a random noise model with coherent errors, another one for every seed. Gate set tomography of simulated
counts gives Pauli transfer matrices of its gates and its readout errors. A blind search minimises the energy that some
model believes, and picks the circuit with the lowest one. The energy of the pick on the true device is computed
afterwards.
"""

from __future__ import annotations

import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from cell_file import play_missing

import qas_envs  # noqa: F401  # registers the ids
from qas_agents import BlockAnnealing
from qas_envs import CircuitBuildingEnv
from qas_simulators import Channel, Circuit, NoiseModel, PauliSum, PauliTransferSimulator, StatevectorSimulator
from qas_simulators.channels import depolarizing, thermal_relaxation
from qas_simulators.gates import GATES, gate_index
from qas_simulators.tomography import (
    Estimator,
    GateSet,
    device_noise,
    gauge_distance,
    gauge_fixed,
    linear_inversion,
    pair_target,
    usual_design,
)

RESULTS = Path(__file__).parents[1] / "results"
FILE = RESULTS / "tomography.json"
SEEDS = range(5)
SHOTS = (100, 1_000, 10_000)  # of each circuit of the tomography
LENGTH = 8  # gates of the longest germs
ONE = [("sx", (0,)), ("s", (0,))]
TWO = [("sx", (0,)), ("s", (0,)), ("sx", (1,)), ("s", (1,)), ("cx", (0, 1))]
STAND_INS = {"rz": "s"}
KNOWN = 100.0  # weight in the choice of the gauge: S is a change of the frame, and pairs get the frames of their qubits
ROWS = (
    "the device itself",
    *(f"tomography, {shots:,} shots" for shots in SHOTS),
    "linear inversion, 10,000 shots",
    "depolarising noise of the same infidelity",
    "no noise",
)
TASKS: dict[str, dict[str, Any]] = {
    "H2-2": {
        "make": {"id": "QAS-H2-v0", "num_qubits": 2},
        "num_qubits": 2,
        "evaluations": 3_000,
        "start_blocks": 3,
        "rows": ROWS,
    },
    "LiH-4": {
        "make": {"id": "QAS-LiH-v0"},
        "num_qubits": 4,
        "evaluations": 20_000,
        "start_blocks": 6,
        "rows": (ROWS[0], ROWS[3], *ROWS[5:]),
    },
}


def device(num_qubits: int, seed: int) -> NoiseModel:
    """Return a chain of qubits with SX and CX whose errors are coherent and not; RZ and S are exact."""
    rng, model = np.random.default_rng(seed), NoiseModel()
    for qubit in range(num_qubits):
        model.add(turn("rx", rng.normal(0.0, 0.03)), ["sx"], [qubit])
        model.add(turn("rz", rng.normal(0.0, 0.02)), ["sx"], [qubit])
        model.add(thermal_relaxation(1.0, rng.uniform(0.6, 1.4), 5e-4), ["sx"], [qubit])
        model.add(depolarizing(3e-4), ["sx"], [qubit])
        model.add_readout(rng.uniform(0.005, 0.02), rng.uniform(0.01, 0.04), [qubit])
    pairs = [(qubit, qubit + 1) for qubit in range(num_qubits - 1)]
    for first, second in pairs:
        for axis in ("rzz", "ryy"):
            model.add(turn(axis, rng.normal(0.0, 0.06)), ["cx"], [first, second])
        for way in ("rz", "rx"):
            ahead = turn(way, rng.normal(0.0, 0.04)), turn(way, rng.normal(0.0, 0.04))
            model.add(ahead[0].tensor(ahead[1]), ["cx"], [first, second])
        decay = thermal_relaxation(1.0, 1.0, 4e-3)
        model.add(decay.tensor(decay), ["cx"], [first, second])
        model.add(depolarizing(rng.uniform(0.004, 0.012), 2), ["cx"], [first, second])
    model.couplings = pairs
    return model


def turn(gate: str, angle: float) -> Channel:
    """Return a coherent error: a rotation by a fixed angle."""
    return Channel.from_kraus([GATES[gate_index(gate)].matrix(angle)])


@cache
def estimator(num_qubits: int) -> Estimator:
    """Return the fits of a qubit or a pair."""
    keys = ONE if num_qubits == 1 else TWO
    return Estimator(usual_design(num_qubits, keys, LENGTH), GateSet.ideal(num_qubits, keys))


def part(model: NoiseModel, qubits: tuple[int, ...]) -> GateSet:
    """Return the gates of a qubit or a pair of the device as they are."""
    keys = ONE if len(qubits) == 1 else TWO
    whole = NoiseModel()
    for name, own in keys:
        for channel, places in model.channels(name, tuple(qubits[one] for one in own)):
            if len(places) == len(own):
                whole.add(channel, [name], own)
    for own, qubit in enumerate(qubits):
        letter = model.measured(PauliSum.from_masks(qubit + 1, [0], [1 << qubit], [1.0]))
        terms = dict(zip(letter.z.tolist(), letter.coefficients.tolist(), strict=True))
        scale, shift = terms.get(1 << qubit, 0.0), terms.get(0, 0.0)
        whole.add_readout((1 - scale - shift) / 2, (1 - scale + shift) / 2, [own])
    return GateSet.of_noise(whole, len(qubits), keys)


def fits(model: NoiseModel, num_qubits: int, shots: int, seed: int, linear: bool) -> dict[tuple[int, ...], GateSet]:
    """Return repaired gate sets of all qubits and pairs, from simulated counts."""
    seeds = iter(np.random.SeedSequence([seed, shots]).generate_state(2 * num_qubits).tolist())

    def estimate(qubits: tuple[int, ...], target: GateSet) -> GateSet:
        fit = estimator(len(qubits))
        counts = fit.design.simulated(part(model, qubits), shots, next(seeds))
        raw = linear_inversion(counts, fit.target) if linear else fit.fit(counts)
        exact = {"s": KNOWN} if len(qubits) == 1 else {"s": KNOWN, "sx": KNOWN}
        return gauge_fixed(raw, target, most=np.inf, gate_weights=exact)

    found = {(qubit,): estimate((qubit,), GateSet.ideal(1, ONE)) for qubit in range(num_qubits)}
    for first in range(num_qubits - 1):
        target = pair_target(found[first,], found[first + 1,], TWO)
        found[first, first + 1] = estimate((first, first + 1), target)
    return {place: fit.repaired() for place, fit in found.items()}


def depolarised(model: NoiseModel, num_qubits: int) -> NoiseModel:
    """Return what a calibration sheet has: depolarising noise of the same infidelities, and the readout errors."""
    found = NoiseModel()
    for qubit in range(num_qubits):
        share = 1 - np.trace(model.transfer_matrix("sx", (qubit,))[1:, 1:]) / 3
        found.add(depolarizing(share), ["sx"], [qubit])
        found.add_readout(*part(model, (qubit,)).readout(0), [qubit])
    for first in range(num_qubits - 1):
        share = 1 - np.trace(model.transfer_matrix("cx", (first, first + 1))[1:, 1:]) / 15
        found.add(depolarizing(share, 2), ["cx"], [first, first + 1])
    found.couplings = model.couplings
    return found


def believed(row: str, true: NoiseModel, num_qubits: int, seed: int) -> tuple[NoiseModel, dict[str, float]]:
    """Return the noise model of a row, and how far its gates are from the device's."""
    if row == ROWS[0]:
        return true, {}
    if row == "depolarising noise of the same infidelity":
        return depolarised(true, num_qubits), {}
    if row == "no noise":
        empty = NoiseModel()
        empty.couplings = true.couplings
        return empty, {}
    shots = int(row.split()[-2].replace(",", ""))
    started = time.process_time()
    found = fits(true, num_qubits, shots, seed, row.startswith("linear"))
    model = device_noise(found, STAND_INS)
    errors: dict[str, float] = {}
    for size, name in ((1, "one_qubit_error"), (2, "pair_error")):
        distances = [gauge_distance(fit, part(true, place)) for place, fit in found.items() if len(place) == size]
        errors[name] = float(np.sqrt(np.mean(np.square(distances))))
    circuits = num_qubits * len(estimator(1).design.runs()) + (num_qubits - 1) * len(estimator(2).design.runs())
    return model, {**errors, "shots": circuits * shots, "fit_seconds": round(time.process_time() - started, 1)}


def play(task: str, row: str, seed: int) -> dict[str, Any]:
    """Search on the energies that a model believes; return its pick and what it is on the device."""
    given = TASKS[task]
    number = given["num_qubits"]
    true = device(number, seed)
    model, about = believed(row, true, number, seed)
    started = time.process_time()
    rules = {"gates": ["sx", "rz", "cx"], "couplings": sorted(true.couplings or ()), "noise": model}
    made: Any = gym.make(**given["make"], **rules, actions="blocks", max_gates=200, disable_env_checker=True)
    env: CircuitBuildingEnv = made.unwrapped
    hamiltonian, ground = env.problem.hamiltonian, env.problem.ground_energy
    best: list[tuple[float, Circuit]] = []
    spent = circuits = 0

    def note(locals_: dict[str, Any], _: dict[str, Any]) -> bool:
        nonlocal spent, circuits
        info = locals_["infos"][0]
        spent, circuits = spent + int(info["evaluations"]), circuits + 1
        if not best or info["energy_error"] < best[0][0]:
            best[:] = [(float(info["energy_error"]), env.circuit.copy())]
        return spent < given["evaluations"]

    BlockAnnealing(env, seed, blind=True, start_blocks=given["start_blocks"]).learn(2**62, note)
    error, circuit = best[0]
    names = dict(circuit.count_ops())
    found = {"task": task, "row": row, "seed": seed, "evaluations": spent, "circuits": circuits, **about}
    found |= {"believed": error, "true": energy(PauliTransferSimulator(true), circuit, hamiltonian) - ground}
    found |= {
        "noiseless": energy(StatevectorSimulator(), circuit, hamiltonian) - ground,
        "cnots": int(names.get("cx", 0)),
    }
    seconds = round(time.process_time() - started, 1)
    return {**found, "seconds": seconds, "qasm": circuit.to_qasm3()}


def energy(simulator: Any, circuit: Circuit, hamiltonian: PauliSum) -> float:
    """Return an energy."""
    return float(simulator.expectation(circuit, hamiltonian))


# -- reporting ---------------------------------------------------------------------------------------------------------


def report(cells: list[dict[str, Any]]) -> str:
    """Return the tables as Markdown."""
    from qas_experiments.statistics import iqm_with_interval

    lines = [
        "# Searches on fitted gate sets",
        "",
        "`python experiments/benchmarks/tomography.py`. Errors of energies in mHa above the exact ground energy, of",
        "the circuit whose energy the model of the row believes to be lowest. Interquartile means over seeds, each",
        "with a device of its own, with 95 % bootstrap intervals. *Above the best row*: error on the device minus",
        "that of the search on the device itself, same seed. *Entries*: root mean square error of the",
        "entries of the fitted matrices, in the best gauge.",
    ]
    for task in TASKS:
        own = [cell for cell in cells if cell["task"] == task]
        if not own:
            continue
        number = len({cell["seed"] for cell in own})
        lines += ["", f"## {task}, {number} devices, {TASKS[task]['evaluations']:,} evaluations for each search", ""]
        header = ["model", "believed", "on the device", "above the best row", "difference of both", "without noise"]
        header += ["CNOTs", "entries, one qubit", "entries, pair", "shots"]
        lines += [f"| {' | '.join(header)} |", f"|{' --- |' * len(header)}"]
        base = {cell["seed"]: cell["true"] for cell in own if cell["row"] == ROWS[0]}
        for row in ROWS:
            some = [cell for cell in own if cell["row"] == row]
            if not some:
                continue
            columns = [[cell["believed"] for cell in some], [cell["true"] for cell in some]]
            columns.append([cell["true"] - base[cell["seed"]] for cell in some])
            columns.append([cell["believed"] - cell["true"] for cell in some])
            columns.append([cell["noiseless"] for cell in some])
            texts = [row, *(iqm_with_interval([1e3 * value for value in column]) for column in columns)]
            texts.append(", ".join(str(cell["cnots"]) for cell in some))
            for key in ("one_qubit_error", "pair_error"):
                texts.append(f"{np.median([cell[key] for cell in some]):.1e}" if key in some[0] else "")
            texts.append(f"{some[0]['shots']:.1e}" if "shots" in some[0] else "")
            lines.append(f"| {' | '.join(texts)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Play what is missing, then write the report."""
    chosen = [name for name in TASKS if name in (sys.argv[1:] or TASKS)]
    wanted = [(task, row, seed) for task in chosen for seed in SEEDS for row in TASKS[task]["rows"]]
    cells = play_missing(FILE, ("task", "row", "seed"), wanted, play)
    (RESULTS / "tomography.md").write_text(report(cells), "utf-8")


if __name__ == "__main__":
    main()

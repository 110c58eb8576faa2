"""Verification of records: energies and gates are computed again and compared with those of the record."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from qas_envs import CircuitBuildingEnv
from qas_envs.imports import is_import_string
from qas_envs.problems import Problem
from qas_experiments.agents import entry_of
from qas_experiments.benchmarking.comparison import allowed_difference, hamiltonian_difference
from qas_experiments.benchmarking.records import Record
from qas_experiments.building import make_environment
from qas_experiments.qiskit_energies import energy_by_qiskit, state_by_qiskit
from qas_experiments.runs.files import settings_from
from qas_experiments.settings import TrainSettings
from qas_simulators import Circuit, PauliSum, StabilizerSimulator, StatevectorSimulator
from qas_simulators.gates import GATES, gate_index
from qas_simulators.preparation import whole

MOST_GATES = 10_000
"""Largest number of gates of a circuit; longer ones are not simulated."""
_CHECKED = ("qasm", "energy", "energy_error", "two_qubit_gates", "gates", "depth")
_MOST_QUBITS_OF_MATRIX = 12  # of Hamiltonians that Qiskit multiplies as sparse matrices, which is faster up to there
_TEXT_OF_GATE = 200  # characters of OpenQASM per gate at most


def faults_of(record: Record, hamiltonian: PauliSum | Callable[[], PauliSum] | None = None) -> list[str]:
    """Return the record's faults; an empty list means it is valid.

    The environment is built again from the settings. Every circuit is read from its OpenQASM and simulated by this
    library's simulator with the record's noise and, without noise, also with the matrices of Qiskit's gates and
    Qiskit's matrix of the Hamiltonian. Gates are counted again; they must belong to the instance's gate set and
    couplings, and stay within the budget. Figures must be consistent.

    Args:
        record: The record.
        hamiltonian: The Hamiltonian of its instance in its file, or a function that reads it. It is needed if this
            machine computes other last digits. It must then differ by no more than rounding, and energies are computed
            with it.
    """
    try:
        env = _environment_of(record)
        problem = _problem_of(record, env.problem, hamiltonian)
    except ValueError as error:
        return [f"settings: {error}"]
    if isinstance(problem, str):
        return [f"instance: {problem}"]
    faults = _faults_of_figures(problem, record)
    checked: dict[str, list[str]] = {}  # the best circuit is often also one of the front
    for name, claimed in record.circuits.items():
        key = json.dumps({figure: claimed[figure] for figure in _CHECKED})
        if key not in checked:
            checked[key] = _faults_of_circuit(env, problem, claimed)
        faults += [f"{name}: {fault}" for fault in checked[key]]
    return faults


def _environment_of(record: Record) -> CircuitBuildingEnv:
    """Return the environment of a record; records that differ in agent, seed and folder share one.

    Raises:
        ValueError: Invalid settings.
    """
    settings = {**record.settings, "contents": {}}  # checked by schema
    if isinstance(settings.get("run"), str):
        settings["run"] = None
    # Energies depend on neither agent nor training, so only errors of these are looked for.
    entry_of(settings["agent"]).obeys_masks()
    settings["agent"] = {"name": "random"}
    training = dict(settings["training"])
    if type(training.get("seed")) is int:
        training["seed"] = 0
    _check_training(json.dumps(training))
    return _environment(json.dumps({**settings, "training": {}}))


@lru_cache(maxsize=64)
def _check_training(training: str) -> None:
    """Raise ``ValueError`` for invalid settings of the training."""
    rest = {name: {"name": "none"} for name in ("agent", "optimizer", "noise")}
    settings_from({**rest, "env": {"id": ""}, "training": json.loads(training)})


_NOT_OF_ENERGIES = ("reward", "encoding", "mask", "curriculum", "halting")


@lru_cache(maxsize=16)
def _environment(settings: str) -> CircuitBuildingEnv:
    return make_environment(without_own_code(settings_from(json.loads(settings))), evaluation=True, is_silent=True)


def without_own_code(settings: TrainSettings) -> TrainSettings:
    """Return settings without the import strings of rules on which the energies of circuits do not depend."""
    env, none = settings.env, {"name": "none"}
    own: dict[str, Any] = {name: None for name in _NOT_OF_ENERGIES if _is_own(getattr(env, name))}
    optimizer = none if _is_own(settings.optimizer) else settings.optimizer
    return replace(settings, env=replace(env, **own), optimizer=optimizer)


def _is_own(rule: Any) -> bool:
    return is_import_string(rule.get("name") if isinstance(rule, dict) else rule)


def _problem_of(record: Record, ours: Problem, hamiltonian: PauliSum | Callable[[], PauliSum] | None) -> Problem | str:
    """Return the problem that a record is verified with, or the fault of its Hamiltonian."""
    if ours.digest == record.instance_hash:
        return ours
    other = f"{ours.name} has another Hamiltonian than the record's"
    if hamiltonian is None:
        return f"{other}, and the file does not contain the record's"
    if not isinstance(hamiltonian, PauliSum):
        hamiltonian = hamiltonian()
    first = ours.hamiltonian.preparation  # files hold terms alone
    if first is not None and hamiltonian.num_qubits == ours.hamiltonian.num_qubits:
        hamiltonian = hamiltonian.prepared(first)
    theirs = replace(ours, hamiltonian=hamiltonian, ground_energy=math.nan)
    if theirs.digest != record.instance_hash:
        return f"{other}, and the one in the file does not have the record's hash"
    difference, allowed = hamiltonian_difference(ours, hamiltonian), allowed_difference(ours)
    if not difference <= allowed:
        return f"{other}: they differ by {difference:.2g} {ours.unit}, and rounding by {allowed:.1g} at most"
    return replace(theirs, ground_energy=hamiltonian.ground_energy() if first is None else ours.ground_energy)


def _faults_of_figures(problem: Problem, record: Record) -> list[str]:
    """Return the figures that are inconsistent with the problem or with each other."""
    faults, figures = [], record.figures
    allowed = {"accuracy": 1e-9 * problem.accuracy, "ground_energy": allowed_difference(problem)}
    for name, difference in allowed.items():
        value = getattr(problem, name)
        if not abs(figures[name] - value) <= difference:
            faults.append(f"{name}: {figures[name]!r}, but {value!r}")
    if figures["unit"] != problem.unit:
        faults.append(f"unit: {figures['unit']!r}, but {problem.unit!r}")
    if "best" not in record.circuits:
        faults.append("circuits: no best one")
    moments = [row[1] for row in figures["firsts"]]
    first = figures["first_solved"]
    if first is not None and moments != sorted([*moments, first[0]])[-len(moments) :]:
        faults.append("firsts: not in the order in which evaluations were spent")
    if moments and moments[-1] > figures["evaluations"]:
        faults.append(f"evaluations: {figures['evaluations']}, but {moments[-1]} until the last solution")
    return faults


def _faults_of_circuit(env: CircuitBuildingEnv, problem: Problem, claimed: dict[str, Any]) -> list[str]:
    # A hostile record could hold a circuit that takes hours to read or to simulate, so check its size first.
    most = min(env.rules.capacity + env.initial.num_gates, MOST_GATES)
    if len(claimed["qasm"]) > _TEXT_OF_GATE * (most + 10):
        return [f"OpenQASM: {len(claimed['qasm'])} characters are too many for {most} gates"]
    try:
        circuit = Circuit.from_qasm3(claimed["qasm"])
    except (ValueError, ArithmeticError, RecursionError, MemoryError) as error:
        return [f"OpenQASM: {str(error) or type(error).__name__}"]
    if circuit.num_qubits != problem.num_qubits:
        return [f"{circuit.num_qubits} qubits instead of {problem.num_qubits}"]
    faults = _gates(env, circuit)
    if circuit.num_gates > most:
        return [*faults, f"{circuit.num_gates} gates, but at most {most} are allowed"]
    allowed = allowed_difference(problem)
    energies = {"ours": env.simulator.expectation(circuit, problem.hamiltonian)}
    if isinstance(env.simulator, StatevectorSimulator | StabilizerSimulator):
        theirs = _by_qiskit(circuit, problem)
        energies |= {} if theirs is None else {"Qiskit": theirs}
    for simulator, energy in energies.items():
        if not abs(energy - claimed["energy"]) <= allowed:
            faults.append(f"energy {claimed['energy']!r}, but {energy!r} by {simulator}")
    if not abs(claimed["energy_error"] - (claimed["energy"] - problem.ground_energy)) <= allowed:
        faults.append(f"error {claimed['energy_error']!r}, but the ground energy is {problem.ground_energy!r}")
    counts = {
        "two_qubit_gates": circuit.num_two_qubit_gates,
        "gates": circuit.num_gates,
        "depth": circuit.depth(),
    }
    faults += [f"{claimed[name]} {name}, but {count}" for name, count in counts.items() if claimed[name] != count]
    return faults


def _gates(env: CircuitBuildingEnv, circuit: Circuit) -> list[str]:
    """Return the gates that the instance does not offer, except those of its initial circuit."""
    offered = _offered(tuple((operation.gate, operation.qubits) for operation in env.catalogue.operations))
    prefix = [(name, qubits) for name, qubits, _ in env.initial]
    gates = [(name, qubits) for name, qubits, _ in circuit]
    if gates[: len(prefix)] != prefix:
        return ["does not begin with the instance's initial circuit"]
    foreign = sorted({gate for gate in gates[len(prefix) :] if gate not in offered})
    return [f"{name} on {qubits} is not offered" for name, qubits in foreign]


@lru_cache(maxsize=16)
def _offered(operations: tuple[tuple[str, tuple[int, ...]], ...]) -> frozenset[tuple[str, tuple[int, ...]]]:
    """Return operations, and those on reversed qubits that are the same."""
    other = {(gate, qubits[::-1]) for gate, qubits in operations if GATES[gate_index(gate)].is_symmetric}
    return frozenset(other.union(operations))


def _by_qiskit(circuit: Circuit, problem: Problem) -> float | None:
    """Return the energy by Qiskit's matrices of gates and of Pauli strings; of large circuits by its simulators."""
    if problem.hamiltonian.num_qubits > _MOST_QUBITS_OF_MATRIX:
        return energy_by_qiskit(circuit, problem.hamiltonian)
    terms, state = problem.hamiltonian, state_by_qiskit(whole(circuit, problem.hamiltonian))
    masks = [each.astype(np.int64).tobytes() for each in (terms.x, terms.z)]
    matrix = _matrix_by_qiskit(terms.num_qubits, *masks, terms.coefficients.tobytes())
    return float(np.vdot(state, matrix @ state).real)


@lru_cache(maxsize=2)
def _matrix_by_qiskit(num_qubits: int, x: bytes, z: bytes, coefficients: bytes) -> Any:
    """Return the sparse matrix that Qiskit makes of the Pauli strings with some masks, as bytes."""
    from qiskit.quantum_info import SparsePauliOp

    flips, signs = (np.frombuffer(each, dtype=np.int64) for each in (x, z))
    terms = PauliSum.from_masks(num_qubits, flips, signs, np.frombuffer(coefficients))
    return SparsePauliOp.from_list(list(terms)).to_matrix(sparse=True)

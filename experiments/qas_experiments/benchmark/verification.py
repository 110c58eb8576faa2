"""Does a circuit have the energy and the gates that a record says?"""

from __future__ import annotations

import math
from typing import Any

from qas_envs import CircuitBuildingEnv
from qas_experiments.benchmark.records import Record
from qas_experiments.building import make_environment
from qas_experiments.runs import settings_from
from qas_simulators import Circuit, StatevectorSimulator
from qas_simulators.gates import GATES, gate_index

_NUMBERS = ("steps", "episodes", "successes", "evaluations", "seconds")
TOLERANCE = 1e-9
"""Largest difference of energies, relative to the sum of the Hamiltonian's coefficients."""


def faults_of(record: Record) -> list[str]:
    """Return what is wrong with a record, in words; nothing is what one hopes for.

    The environment is built anew from the settings. Every circuit is read from its OpenQASM, simulated by our simulator
    with the record's noise and, without noise, by Qiskit; gates are counted anew and must be of the instance's set and
    couplings, no more than the budget. Figures must fit the problem and each other.
    """
    try:
        env = make_environment(settings_from(record.settings), evaluation=True, is_silent=True)
    except ValueError as error:
        return [f"settings: {error}"]
    if env.problem.digest != record.instance_hash:
        return [f"instance: {env.problem.name} has another Hamiltonian than the record's"]
    faults = _faults_of_figures(env, record)
    for name, told in record.circuits.items():
        faults += [f"{name}: {fault}" for fault in _faults_of_circuit(env, told)]
    return faults


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _faults_of_figures(env: CircuitBuildingEnv, record: Record) -> list[str]:
    """Return which figures do not fit the problem or each other."""
    faults, figures, problem = [], record.figures, env.problem
    missing = [name for name in _NUMBERS if not _is_finite(figures.get(name))]
    if missing or not isinstance(figures.get("firsts"), list) or "first_solved" not in figures:
        return [f"figures: no finite {', '.join(missing) or 'firsts'}"]
    for name in ("accuracy", "ground_energy", "unit"):
        if figures.get(name) != getattr(problem, name):
            faults.append(f"{name}: {figures.get(name)!r}, but {getattr(problem, name)!r}")
    if "best" not in record.circuits:
        faults.append("circuits: no best one")
    moments = [row[1] for row in figures["firsts"]]
    first = figures["first_solved"]
    if first is not None and moments != sorted([*moments, first[0]])[-len(moments) :]:
        faults.append("firsts: not in the order in which evaluations were spent")
    if moments and moments[-1] > figures["evaluations"]:
        faults.append(f"evaluations: {figures['evaluations']}, but {moments[-1]} until the last solution")
    return faults


def _faults_of_circuit(env: CircuitBuildingEnv, told: dict[str, Any]) -> list[str]:
    try:
        circuit = Circuit.from_qasm3(told["qasm"])
    except ValueError as error:
        return [f"OpenQASM: {error}"]
    problem = env.problem
    if circuit.num_qubits != problem.num_qubits:
        return [f"{circuit.num_qubits} qubits instead of {problem.num_qubits}"]
    faults = _gates(env, circuit)
    if circuit.num_gates - env.initial.num_gates > env.capacity:
        faults.append(f"{circuit.num_gates} gates, but at most {env.capacity + env.initial.num_gates} are allowed")
    allowed = TOLERANCE * max(1.0, problem.upper_bound - problem.lower_bound)
    energies = {"ours": env.simulator.expectation(circuit, problem.hamiltonian)}
    if isinstance(env.simulator, StatevectorSimulator):
        energies["Qiskit"] = _by_qiskit(circuit, env)
    for simulator, energy in energies.items():
        if not abs(energy - told["energy"]) <= allowed:
            faults.append(f"energy {told['energy']!r}, but {energy!r} by {simulator}")
    if not abs(told["energy_error"] - (told["energy"] - problem.ground_energy)) <= allowed:
        faults.append(f"error {told['energy_error']!r}, but the ground energy is {problem.ground_energy!r}")
    counts = {
        "two_qubit_gates": circuit.num_two_qubit_gates,
        "gates": circuit.num_gates,
        "depth": circuit.depth(),
    }
    faults += [f"{told[name]} {name}, but {count}" for name, count in counts.items() if told[name] != count]
    return faults


def _gates(env: CircuitBuildingEnv, circuit: Circuit) -> list[str]:
    """Return which gates the instance does not offer, those of its initial circuit left aside."""
    offered = {(operation.gate, operation.qubits) for operation in env.catalogue.operations}
    offered |= {(gate, qubits[::-1]) for gate, qubits in offered if GATES[gate_index(gate)].is_symmetric}
    prefix = [(name, qubits) for name, qubits, _ in env.initial]
    gates = [(name, qubits) for name, qubits, _ in circuit]
    if gates[: len(prefix)] != prefix:
        return ["does not begin with the instance's initial circuit"]
    foreign = sorted({gate for gate in gates[len(prefix) :] if gate not in offered})
    return [f"{name} on {qubits} is not offered" for name, qubits in foreign]


def _by_qiskit(circuit: Circuit, env: CircuitBuildingEnv) -> float:
    from qiskit.quantum_info import Statevector

    state = Statevector(circuit.to_qiskit())
    return float(state.expectation_value(env.problem.hamiltonian.to_qiskit()).real)

"""From a Hamiltonian to a circuit that is checked by Qiskit: policy, guided annealing, pruning, within a budget."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import gymnasium as gym
import numpy as np

from qas_agents import BlockAnnealing, policy_search
from qas_envs import CircuitBuildingEnv
from qas_experiments.plots import circuit_figure, save
from qas_experiments.problem_files import problem_of as problem_of
from qas_experiments.results import EnergyError, Table
from qas_experiments.training.recorder import Recorder, Solution, counts_of
from qas_experiments.training.shortening import reported
from qas_simulators import Circuit, PauliSum, StatevectorSimulator
from qas_simulators.errors import must
from qas_simulators.preparation import whole

TOLERANCE: Final = 1e-9
"""Largest difference from Qiskit's energy, relative to the sum of the Hamiltonian's coefficients."""
POLICIES: Final = ("auto", "none")
"""Values of ``policy`` besides policy files and the names of policies that come with the library."""
_BLOCKS: Final = 8  # the most of a circuit, over the number of qubits
_GATES: Final = 7  # the most of a block


@dataclass(frozen=True)
class Solved:
    """A circuit for a problem.

    Attributes:
        found: The circuit, without redundant gates, and the resources that were spent until it was found.
        env: The environment that it was found in.
        policy: The policy that guided the search; empty without one.
        evaluations: Energy evaluations in total.
        seconds: Wall time in total.
        checked: Difference from Qiskit's energy.

    Examples:
        >>> from qas_experiments import solve
        >>> found = solve("QAS-LiH-v0", evaluations=2000)  # doctest: +SKIP
        >>> found.is_solution, found.circuit.num_two_qubit_gates  # doctest: +SKIP
        (True, 3)
    """

    found: Solution
    env: CircuitBuildingEnv
    policy: str
    evaluations: int
    seconds: float
    checked: float

    @property
    def circuit(self) -> Circuit:
        """The circuit."""
        return self.found.circuit

    @property
    def energy_error(self) -> float:
        """Difference from the ground energy, in the problem's unit."""
        return self.found.energy_error

    @property
    def is_solution(self) -> bool:
        """Whether the error is below the accuracy of the problem."""
        return self.found.energy_error < self.env.problem.accuracy

    def summary(self) -> dict[str, Any]:
        """Return the figures for ``summary.json``."""
        problem = self.env.problem
        return {
            "problem": problem.name,
            "num_qubits": problem.num_qubits,
            "ground_energy": problem.ground_energy,
            "accuracy": problem.accuracy,
            "unit": problem.unit,
            "solved": self.is_solution,
            "energy": self.found.energy,
            "energy_error": self.found.energy_error,
            **counts_of(self.found.circuit),
            "found_after_evaluations": self.found.evaluations,
            "evaluations": self.evaluations,
            "seconds": self.seconds,
            "policy": self.policy,
            "difference_from_qiskit": self.checked,
        }

    def table(self) -> Table:
        """Return the figures of :meth:`summary` as a table, without the wall time."""
        figures = self.summary() | {"energy_error": EnergyError(self.energy_error)}
        rows = [(name.replace("_", " "), value) for name, value in figures.items() if name != "seconds"]
        return Table(self.env.problem.name, ("figure", "value"), rows)

    def __str__(self) -> str:
        return f"{self.table()}\n\n{self.circuit.draw()}"

    def _repr_html_(self) -> str:
        return self.table()._repr_html_() + self.circuit.draw("svg")

    def write(self, folder: Path) -> None:
        """Write ``circuit.qasm`` (OpenQASM 3), ``circuit.txt``, ``circuit.png`` and ``summary.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        circuit = self.found.circuit
        (folder / "circuit.qasm").write_text(circuit.to_qasm3(), encoding="utf-8")
        (folder / "circuit.txt").write_text(circuit.draw() + "\n", encoding="utf-8")
        save(circuit_figure(circuit), folder / "circuit.png")
        (folder / "summary.json").write_text(json.dumps(self.summary(), indent=1) + "\n", encoding="utf-8")


def solve(
    environment: str,
    arguments: Mapping[str, Any] | None = None,
    *,
    policy: str = "auto",
    evaluations: int = 20_000,
    seconds: float = 0.0,
    seed: int = 0,
    watch: Callable[[Recorder], None] = lambda _: None,
) -> Solved:
    """Find a circuit whose energy is within the problem's accuracy, with as few two-qubit gates as the budget allows.

    Circuits are made of blocks: an entangling gate of the gate set with rotations on both qubits. A policy draws the
    starts and the mutations of annealing; solutions are shortened block by block, and the last one gate by gate.

    Args:
        environment: An environment's id.
        arguments: Arguments of the problem and rules such as ``gates`` and ``couplings``.
        policy: A policy file, the name of a policy that comes with the library, ``"none"``, or ``"auto"``: the
            library's policy for Hamiltonians whose terms act on at most two qubits, and none for others.
        evaluations: Largest number of energy evaluations, as counted by
            :class:`~qas_simulators.optimizers.OptimizationResult`; exceeded by at most a batch of circuits.
        seconds: Largest wall time; 0 for none.
        seed: Seeds the search.
        watch: Function called after every step of the search.

    Raises:
        ValueError: Arguments that do not fit, or an energy that Qiskit does not confirm.
    """
    if evaluations < 1 or seconds < 0:
        raise ValueError(must("evaluations", "be at least 1, and seconds not negative", (evaluations, seconds)))
    if seed < 0:
        raise ValueError(must("seed", "not be negative", seed))
    given = {"actions": "blocks", "encoding": "hamiltonian_graph", "max_gates": 100_000, **(arguments or {})}
    env = cast(CircuitBuildingEnv, gym.make(environment, disable_env_checker=True, **given).unwrapped)
    if "max_gates" not in (arguments or {}):
        given["max_gates"] = _BLOCKS * _GATES * env.problem.num_qubits
        env = cast(CircuitBuildingEnv, gym.make(environment, disable_env_checker=True, **given).unwrapped)
    name = _policy_for(policy, env.problem.hamiltonian)
    agent = policy_search(env, seed, name) if name else BlockAnnealing(env, seed)

    def is_spent() -> bool:
        watch(recorder)
        return recorder.evaluations >= evaluations or 0 < seconds <= recorder.seconds

    recorder = Recorder(env, lambda row: None, is_spent)
    with suppress(KeyboardInterrupt):  # the best circuit so far is the result
        agent.learn(2**62, recorder)
    recorder.clock.stop()
    if recorder.best is None:
        raise KeyboardInterrupt
    found = _with_own_gates(reported(recorder.best, env), recorder.best, env)
    checked = difference_from_qiskit(found.circuit, found.energy, env.problem.hamiltonian)
    return Solved(found, env, name, recorder.evaluations, recorder.seconds, checked)


def _policy_for(policy: str, hamiltonian: PauliSum) -> str:
    """Return the policy, empty for none."""
    if policy not in POLICIES:
        return policy
    letters = {label.replace("I", "") for label in hamiltonian.terms()}
    if policy == "none" or max(map(len, letters)) != 2 or hamiltonian.preparation is not None:
        return ""
    return "xxz_chains" if {"XX", "YY"} <= letters else "ising_graphs"


def _with_own_gates(short: Solution, whole: Solution, env: CircuitBuildingEnv) -> Solution:
    """Return the shortened solution, unless merging left a gate that the gate set does not have."""
    gates = env.catalogue.gates
    allowed = {*gates.two_qubit, *gates.one_qubit, *whole.circuit.count_ops()}
    return short if {*short.circuit.count_ops()} <= allowed else whole


def difference_from_qiskit(circuit: Circuit, energy: float, hamiltonian: PauliSum) -> float:
    """Return the size of the difference of an energy from Qiskit's for the same circuit, without noise.

    Raises:
        ValueError: It is more than :data:`TOLERANCE`, relative to the sum of the Hamiltonian's coefficients.
    """
    from qiskit.quantum_info import Statevector

    theirs = float(Statevector(whole(circuit, hamiltonian).to_qiskit()).expectation_value(hamiltonian.to_qiskit()).real)
    ours = StatevectorSimulator().expectation(circuit, hamiltonian)
    scale = max(1.0, float(np.abs(hamiltonian.coefficients).sum()))
    if max(abs(theirs - ours), abs(theirs - energy)) > TOLERANCE * scale:
        raise ValueError(f"Qiskit finds the energy {theirs!r}, but the search {energy!r}, for\n{circuit.to_qasm3()}")
    return abs(theirs - energy)

"""The first solution of a training: drawn without redundant gates, and verified by Qiskit."""

from __future__ import annotations

from dataclasses import replace

from qas_envs import CircuitBuildingEnv
from qas_envs.energy_errors import error_text
from qas_experiments.counting import number_of
from qas_experiments.qiskit_energies import energy_by_qiskit
from qas_experiments.training.recorder import Solution
from qas_experiments.training.shortening import reported

_MOST_QUBITS = 8  # of circuits whose redundant gates are searched while the training waits


def first_solution(found: Solution, env: CircuitBuildingEnv, width: int = 110) -> str:
    """Return lines that show the first solution of a training.

    Args:
        found: The circuit with its energy and the time until it was found.
        env: The environment of the training.
        width: Largest number of columns of a drawing; a wider one is left out.

    Raises:
        ValueError: Qiskit finds another energy for the circuit.
    """
    problem = env.problem
    if problem.num_qubits > _MOST_QUBITS:
        short = replace(found, circuit=found.circuit.simplified())
    else:
        short = reported(found, env)
    circuit = short.circuit
    counts = f"{circuit.num_two_qubit_gates} CNOT and {number_of(circuit.num_rotations, 'rotation')}"
    line = (
        f"first solution after {found.seconds:.1f} s: {counts}, error {error_text(short.energy_error, 2, problem.unit)}"
    )
    if env.family is None and not env.simulator.is_noisy:
        line += f"; {_verified(short, env)}"
    drawing = circuit.draw()
    is_narrow = max(map(len, drawing.splitlines())) <= width
    return f"{line}\n{drawing}" if is_narrow else line


def _verified(found: Solution, env: CircuitBuildingEnv) -> str:
    """Return a note on Qiskit's energy of a circuit.

    Raises:
        ValueError: It differs.
    """
    hamiltonian = env.problem.hamiltonian
    theirs = energy_by_qiskit(found.circuit, hamiltonian)
    if theirs is None:
        return f"too many qubits for Qiskit: {found.circuit.num_qubits}"
    if abs(theirs - found.energy) > 1e-8 * max(1.0, float(abs(hamiltonian.coefficients).sum())):
        raise ValueError(f"Qiskit finds the energy {theirs!r}, but this library {found.energy!r}.")
    return f"verified by Qiskit: {theirs:.6f} {env.problem.unit}".rstrip()

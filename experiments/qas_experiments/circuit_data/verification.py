"""Whether other programs agree with the data set: parsers of OpenQASM, and Qiskit's energies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np

import qas_envs  # noqa: F401  # registers the ids
from qas_experiments.circuit_data.table import CircuitTable, Instance
from qas_simulators import PauliSum
from qas_simulators.errors import must, needs_extra

MOST_DIFFERENCE = 1e-9
"""Between a stored energy and Qiskit's, in the instance's unit."""


def accepted(table: CircuitTable, rows: Sequence[int], version: int = 2) -> int:
    """Return how many rows Qiskit's parser of OpenQASM reads as the same circuit.

    Args:
        table: The data set.
        rows: Rows to export and to parse.
        version: 2 for the parser in Rust, 3 for the reference parser of OpenQASM 3, which takes 100 times as long.

    Raises:
        ValueError: A program that the parser rejects, or reads as other gates.
    """
    parse = _parser(version)
    for row in rows:
        circuit = table.circuit(row)
        text = circuit.to_qasm2() if version == 2 else circuit.to_qasm3()
        try:
            parsed = parse(text)
        except Exception as error:  # each parser has classes of its own
            raise ValueError(f"row {row}: OpenQASM {version} was rejected: {error}") from None
        if _gates(parsed) != [(name, qubits, angle) for name, qubits, angle in circuit]:
            raise ValueError(f"row {row}: the parser of OpenQASM {version} reads other gates")
    return len(rows)


def _parser(version: int) -> Callable[[str], Any]:
    with needs_extra("qiskit"):
        from qiskit import qasm2, qasm3
    found: Callable[[str], Any] = qasm2.loads if version == 2 else qasm3.loads
    return found


def _gates(parsed: Any) -> list[tuple[str, tuple[int, ...], float | None]]:
    """Return name, qubits and angle of each gate of a circuit of Qiskit."""
    found = []
    for one in parsed.data:
        qubits = tuple(parsed.find_bit(qubit).index for qubit in one.qubits)
        found.append((one.operation.name, qubits, float(one.operation.params[0]) if one.operation.params else None))
    return found


def largest_difference(table: CircuitTable, rows: Sequence[int]) -> float:
    """Return the largest difference between the stored energies and those that Qiskit computes from OpenQASM 2.

    Raises:
        ValueError: The Hamiltonian of an instance is another one than when the data set was generated.
    """
    from qiskit.quantum_info import Statevector

    parse, largest = _parser(2), 0.0
    observables: dict[str, Any] = {}
    for row in rows:
        instance = table.instance(row)
        if instance.name not in observables:
            observables[instance.name] = _hamiltonian(instance).to_qiskit()
        state = Statevector(parse(table.circuit(row).to_qasm2()))
        energy = float(state.expectation_value(observables[instance.name]).real)
        largest = max(largest, abs(energy - float(table.columns["energy"][row])))
    return largest


def _hamiltonian(instance: Instance) -> PauliSum:
    env: Any = gym.make(instance.environment, disable_env_checker=True, **instance.arguments).unwrapped
    if env.problem.digest != instance.digest:
        raise ValueError(must("digest", f"be {instance.digest} for {instance.name}", env.problem.digest))
    hamiltonian: PauliSum = env.problem.hamiltonian
    return hamiltonian


def drawn(table: CircuitTable, size: int, seed: int = 0) -> list[int]:
    """Return random rows, each once."""
    rows: list[int] = np.random.default_rng(seed).choice(len(table), size=min(size, len(table)), replace=False).tolist()
    return rows

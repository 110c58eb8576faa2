"""Circuits and Pauli sums to and from Qiskit (the ``qiskit`` extra)."""

from __future__ import annotations

import numpy as np

from qas_simulators.circuit import Circuit
from qas_simulators.errors import must, needs_extra
from qas_simulators.gates import GATE_INDEX
from qas_simulators.pauli import NEGLIGIBLE, PauliSum

with needs_extra("qiskit"):
    from qiskit import QuantumCircuit
    from qiskit.quantum_info import SparsePauliOp


def to_qiskit(circuit: Circuit) -> QuantumCircuit:
    """Return the same gates on the same qubit numbers; our gate names are Qiskit's method names."""
    result = QuantumCircuit(circuit.num_qubits)
    for name, qubits, angle in circuit:
        getattr(result, name)(*(() if angle is None else (angle,)), *qubits)
    return result


def from_qiskit(circuit: QuantumCircuit) -> Circuit:
    """Read a circuit of gates in our table with bound angles; barriers are skipped.

    Raises:
        ValueError: An instruction outside our table, or an angle that is still a symbol.
    """
    result = Circuit(circuit.num_qubits)
    for instruction in circuit.data:
        name = instruction.operation.name
        if name == "barrier":
            continue
        if name not in GATE_INDEX:
            raise ValueError(must("circuit", f"consist of the gates {sorted(GATE_INDEX)}", name))
        qubits = [circuit.find_bit(qubit).index for qubit in instruction.qubits]
        try:
            angles = [float(value) for value in instruction.operation.params]
        except TypeError:
            raise ValueError(must("circuit", "have bound parameters", str(instruction.operation.params))) from None
        result.append(name, qubits, angles[0] if angles else None)
    return result


def pauli_sum_to_qiskit(observable: PauliSum) -> SparsePauliOp:
    """Return the same terms with their labels unchanged."""
    return SparsePauliOp.from_list(list(observable))


def pauli_sum_from_qiskit(operator: SparsePauliOp) -> PauliSum:
    """Return the operator with its labels unchanged; equal strings add up.

    Raises:
        ValueError: A coefficient is not real, up to 1e-12 of the largest.
    """
    coefficients = np.asarray(operator.coeffs, dtype=np.complex128)
    imaginary = np.abs(coefficients.imag)
    if not imaginary.max() <= NEGLIGIBLE * np.abs(coefficients).max():
        raise ValueError(must("operator", "have real coefficients", coefficients[imaginary.argmax()]))
    bits = np.int64(1) << np.arange(operator.num_qubits)
    x, z = operator.paulis.x @ bits, operator.paulis.z @ bits
    return PauliSum.from_masks(operator.num_qubits, x, z, coefficients.real).without_small()

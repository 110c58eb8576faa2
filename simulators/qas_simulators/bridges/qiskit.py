"""Circuits and Pauli sums to and from Qiskit (the ``qiskit`` extra)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from qas_simulators.circuit import Circuit
from qas_simulators.errors import must, needs_extra
from qas_simulators.gates import GATES, Gate, gate_index
from qas_simulators.pauli import NEGLIGIBLE, PauliSum

with needs_extra("qiskit"):
    from qiskit import QuantumCircuit
    from qiskit.circuit import Gate as QiskitGate
    from qiskit.circuit import ParameterVector
    from qiskit.circuit.library import UnitaryGate
    from qiskit.quantum_info import SparsePauliOp

from qas_simulators.bridges.qiskit_expansion import QISKIT_NAMES, RefusedInstructionError, append_all


def to_qiskit(circuit: Circuit, symbols: str | ParameterVector | None = None) -> QuantumCircuit:
    """Return the same gates on the same qubit numbers.

    A gate that Qiskit does not have is an instruction of this name, defined by its matrix.

    Args:
        circuit: The circuit.
        symbols: Replaces parameters by symbols: a vector, or its name. Angles stay linked to them as they are.

    Raises:
        ValueError: A vector of another length, or symbols in a gate that Qiskit does not have.
    """
    vector = ParameterVector(symbols, circuit.num_params) if isinstance(symbols, str) else symbols
    if vector is not None and len(vector) != circuit.num_params:
        raise ValueError(must("symbols", f"have the circuit's {circuit.num_params} parameters", len(vector)))
    result, links = QuantumCircuit(circuit.num_qubits), iter(circuit.links)
    for name, qubits, value in circuit:
        link = None if value is None else next(links)
        angle: Any = value
        if vector is not None and link is not None and link.source >= 0:
            if name not in QISKIT_NAMES:
                raise ValueError(
                    must("symbols", f"be None for a circuit with gate {name!r}, unknown to Qiskit", symbols)
                )
            symbol = vector[link.source]
            angle = symbol if link[1:] == (1.0, 0.0) else link.offset + link.factor * symbol
        if name in QISKIT_NAMES:
            getattr(result, name)(*(() if angle is None else (angle,)), *qubits)
        else:
            result.append(defined_by_matrix(GATES[gate_index(name)], angle), qubits)
    return result


def transpiled(circuits: Sequence[Circuit], gates: Sequence[str] = ("cx", "rz", "sx", "x")) -> list[QuantumCircuit]:
    """Return circuits as Qiskit's transpiler at optimisation level 3 leaves them, without couplings.

    Args:
        circuits: The circuits.
        gates: Names of gates that the result consists of; by default those of many devices.

    Examples:
        >>> [found] = transpiled([Circuit(2).ry(0.1, 0).cx(0, 1).cx(0, 1)])
        >>> found.num_nonlocal_gates()
        0
    """
    return list(_transpiler(tuple(gates)).run([to_qiskit(circuit) for circuit in circuits], num_processes=1))


@cache
def _transpiler(gates: tuple[str, ...]) -> Any:
    """Return the passes of ``transpile`` at level 3, which take longer to make than to run on a small circuit."""
    from qiskit.transpiler import generate_preset_pass_manager

    return generate_preset_pass_manager(3, basis_gates=list(gates), seed_transpiler=0)


def defined_by_matrix(gate: Gate, angle: float | None) -> QiskitGate:
    """Return a gate as an instruction of its name whose definition is its matrix; :func:`from_qiskit` recognises it."""
    instruction = QiskitGate(gate.name, gate.num_qubits, [] if angle is None else [angle])
    definition = QuantumCircuit(gate.num_qubits)
    definition.append(UnitaryGate(gate.matrix(angle or 0.0)), range(gate.num_qubits))
    instruction.definition = definition
    return instruction


def from_qiskit(circuit: QuantumCircuit, params: ArrayLike | None = None) -> Circuit:
    """Read a circuit, up to a global phase.

    Gates are recognised by their class, not by their name. Gates outside the gate table are expanded by
    their definitions, or by their matrices where they have no definition. Barriers are skipped. Measurements at the end
    of the circuit are left out with a warning.

    Args:
        circuit: The circuit.
        params: Values of the symbols, in the order of ``circuit.parameters``. They become the parameters; angles stay
            linked to them.

    Raises:
        ValueError: Symbols without values, an angle that is no affine function of one symbol, control flow, a
            condition, a reset, a gate after a measurement of its qubit, or a gate without definition and matrix.
    """
    if circuit.parameters and params is not None:
        from qas_simulators.bridges.qiskit_symbols import read_symbols

        return read_symbols(circuit, params, from_qiskit)
    if circuit.parameters:
        names = [parameter.name for parameter in circuit.parameters]
        raise ValueError(must("circuit", "have bound parameters, or `params` their values", names))
    result = Circuit(circuit.num_qubits)
    try:
        append_all(circuit, result)
    except RefusedInstructionError as error:
        raise ValueError(f"Argument `circuit` must consist of unitary gates, then measurements, but {error}.") from None
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

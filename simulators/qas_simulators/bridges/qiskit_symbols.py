"""Circuits of Qiskit with symbolic angles (the ``qiskit`` extra): links between angles and parameters are kept."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from qas_simulators.checks import real_array
from qas_simulators.circuit import Circuit
from qas_simulators.errors import must, needs_extra
from qas_simulators.flat_circuit import Link

with needs_extra("qiskit"):
    from qiskit import QuantumCircuit

_NONE = 1e-10  # slopes and differences below are rounding


def read_symbols(circuit: QuantumCircuit, params: ArrayLike, read: Callable[[QuantumCircuit], Circuit]) -> Circuit:
    """Read a circuit with symbols; each angle is an affine function of at most one of them.

    The circuit is read at some values of the symbols, and with each of them moved by 1: the differences of the angles
    are the factors, whatever definitions the gates were expanded by. Another reading confirms that angles are affine.

    Args:
        circuit: The circuit.
        params: Values of ``circuit.parameters``, in this order: by name, vectors by index.
        read: Reads a circuit without symbols.

    Raises:
        ValueError: Another number of values, or an angle that is no affine function of one symbol.
    """
    names = [str(parameter.name) for parameter in circuit.parameters]
    values = real_array("params", params)
    if values.shape != (len(names),):
        raise ValueError(must("params", f"have a value for each of {names}", values))
    base, other = np.random.default_rng(0).uniform(0.3, 1.2, (2, len(names)))  # no value at which a gate vanishes
    first = read(circuit.assign_parameters(base))
    moved = [read(circuit.assign_parameters(base + step)) for step in np.eye(len(names))]
    control = read(circuit.assign_parameters(other))
    if any(not np.array_equal(one.table, first.table) for one in [*moved, control]):
        raise ValueError(must("circuit", "have the same gates for all values of its parameters", names))
    slopes = np.array([one.angles - first.angles for one in moved])  # (symbols, rotations)
    if np.abs(first.angles + (other - base) @ slopes - control.angles).max(initial=0.0) > _NONE:
        raise ValueError(must("circuit", "have angles that are affine functions of its parameters", names))
    slopes[np.abs(slopes) < _NONE] = 0.0
    if (np.count_nonzero(slopes, axis=0) > 1).any():
        raise ValueError(must("circuit", "have angles that depend on one parameter each", names))
    links = []
    for rotation, angle in enumerate(first.angles.tolist()):
        sources = np.flatnonzero(slopes[:, rotation])
        source = int(sources[0]) if len(sources) else -1
        factor = round(float(slopes[source, rotation]), 12) if len(sources) else 0.0
        offset = angle - factor * float(base[source]) if len(sources) else angle
        links.append(Link(source, factor, 0.0 if abs(offset) < _NONE else offset))
    return _linked(first, links, values.tolist())


def _linked(circuit: Circuit, links: list[Link], values: list[float]) -> Circuit:
    """Return the same gates with these links; without explicit links where each rotation has its own parameter."""
    if links == [Link(k, 1.0, 0.0) for k in range(len(values))]:
        twin = circuit.copy()
        twin.params = values
        return twin
    result = Circuit(circuit.num_qubits)
    for value in values:
        result.append_param(value)
    for gate, qubit0, qubit1, param in circuit.table.tolist():
        if param < 0:
            result.append_row(gate, qubit0, qubit1, 0.0)
        else:
            result.append_linked(gate, qubit0, qubit1, links[param])
    return result

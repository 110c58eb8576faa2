"""How hard a circuit is to simulate classically: Clifford gates, propagated Pauli strings, bond dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from qas_simulators.circuit import Circuit
from qas_simulators.cliffords import PauliRotations, pauli_rotations
from qas_simulators.flat_circuit import MASK_QUBITS
from qas_simulators.pauli import PauliSum
from qas_simulators.preparation import whole
from qas_simulators.program import FloatArray, links_of
from qas_simulators.stabilizers import is_clifford
from qas_simulators.statevector import StatevectorSimulator

MOST_QUBITS: Final = 14
"""Of states whose bond dimensions are computed."""
MOST_STRINGS: Final = 20_000
"""Strings above which a propagation stops."""
_ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class Simulability:
    """What three classical methods need for a circuit.

    Attributes:
        clifford_fraction: Share of the gates that are Clifford gates, rotations by multiples of pi / 2 included; 1 for
            an empty circuit.
        non_clifford_gates: Number of the others.
        strings: Most Pauli strings that the observable has on its way back through the circuit, strings with a
            coefficient below ``cutoff`` dropped; ``None`` if they are more than 20,000, or on more than 60 qubits.
        cutoff: In the observable's unit.
        energy: Of that propagation; ``None`` where there is none.
        bond_dimensions: Schmidt rank of the state across the cut after each qubit, ``n - 1`` of them; ``None`` for more
            than 14 qubits.
        entropies: Entanglement entropies across the same cuts, in bits; ``None`` for more than 14 qubits.

    Examples:
        >>> ghz = Circuit(3).h(0).cx(0, 1).cx(1, 2)
        >>> found = simulability(ghz, PauliSum({"XXX": 1.0}))
        >>> found.clifford_fraction, found.strings, found.bond_dimensions
        (1.0, 1, (2, 2))
    """

    clifford_fraction: float
    non_clifford_gates: int
    strings: int | None
    cutoff: float
    energy: float | None
    bond_dimensions: tuple[int, ...] | None
    entropies: tuple[float, ...] | None


def simulability(circuit: Circuit, observable: PauliSum, cutoff: float = 1e-4) -> Simulability:
    """Return what Clifford simulation, Pauli propagation and matrix-product states need for a circuit.

    Args:
        circuit: With its angles.
        observable: On as many qubits, or with a preparation, whose gates are simulated but not counted.
        cutoff: Coefficients below which strings are dropped, in the observable's unit; 0 keeps all.

    Raises:
        ValueError: A gate is neither a Clifford gate nor a rotation about a Pauli string.
    """
    others = _non_clifford(circuit)
    strings, energy = None, None
    full = whole(circuit, observable)
    if full.num_qubits <= MASK_QUBITS:
        strings, energy = propagated(full, observable, cutoff)
    ranks, entropies = None, None
    if full.num_qubits <= MOST_QUBITS:
        ranks, entropies = schmidt_spectra(full)
    share = 1.0 - others / circuit.num_gates if circuit.num_gates else 1.0
    return Simulability(share, others, strings, cutoff, energy, ranks, entropies)


def _angles_of(circuit: Circuit) -> FloatArray:
    """Return the angle of every rotation."""
    sources, factors, offsets = links_of(circuit)
    own = circuit.params if len(sources) == 0 else offsets + factors * np.append(circuit.params, 0.0)[sources]
    return own[: circuit.num_rotations]


def _non_clifford(circuit: Circuit) -> int:
    angles, count = _angles_of(circuit), 0
    for gate, _, _, param in circuit.table.tolist():
        if param < 0:
            count += not is_clifford(gate)
        else:
            quarters = angles[param] / (0.5 * np.pi)
            count += bool(abs(quarters - round(quarters)) > _ROUNDING)
    return count


def propagated(circuit: Circuit, observable: PauliSum, cutoff: float) -> tuple[int | None, float | None]:
    """Return the most strings of a truncated propagation, and its energy; both ``None`` if they are too many."""
    rotations = pauli_rotations(circuit, observable)
    moved, most = rotations.observable, len(rotations.observable)
    angles = rotations.angles(_angles_of(circuit))
    for k in reversed(range(len(angles))):
        moved = _rotated(moved, rotations, k, float(angles[k]), cutoff)
        most = max(most, len(moved))
        if most > MOST_STRINGS:
            return None, None
    return most, float(moved.coefficients[moved.x == 0].sum())


def _rotated(moved: PauliSum, rotations: PauliRotations, k: int, angle: float, cutoff: float) -> PauliSum:
    """Return the observable before a rotation: ``cos P + sin i G P`` for each string that does not commute with G."""
    x, z = int(rotations.x[k]), int(rotations.z[k])
    counts = np.bitwise_count(moved.x & z).astype(np.int64) + np.bitwise_count(moved.z & x)
    odd = counts % 2 == 1
    new_x, new_z = moved.x[odd] ^ x, moved.z[odd] ^ z
    power = 1 + (x & z).bit_count() + np.bitwise_count(moved.x[odd] & moved.z[odd]).astype(np.int64)
    power += 2 * np.bitwise_count(moved.x[odd] & z).astype(np.int64) - np.bitwise_count(new_x & new_z)
    turned = np.sin(angle) * rotations.signs[k] * (1 - (power & 3)) * moved.coefficients[odd]
    kept = np.where(odd, np.cos(angle), 1.0) * moved.coefficients
    both = PauliSum.from_masks(
        moved.num_qubits,
        np.concatenate([moved.x, new_x]),
        np.concatenate([moved.z, new_z]),
        np.concatenate([kept, turned]),
    )
    large = np.abs(both.coefficients) > max(cutoff, 1e-15)
    if large.all() or not large.any():
        return both if large.any() else 0.0 * both
    return PauliSum.from_masks(both.num_qubits, both.x[large], both.z[large], both.coefficients[large])


def schmidt_spectra(circuit: Circuit) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return Schmidt rank and entanglement entropy, in bits, of the prepared state across the cut after each qubit."""
    state = StatevectorSimulator().statevector(circuit)
    ranks, entropies = [], []
    for qubit in range(1, circuit.num_qubits):
        values = np.linalg.svd(state.reshape(-1, 1 << qubit), compute_uv=False)
        ranks.append(int((values > _ROUNDING).sum()))
        shares = values[values > _ROUNDING] ** 2
        entropies.append(float(max(0.0, -(shares * np.log2(shares)).sum())))
    return tuple(ranks), tuple(entropies)

"""Energies of shallow circuits of many qubits by light cones: exact, at the cost of a few qubits for each term.

The mean of a Pauli string depends only on those gates from which a path of later gates leads to one of its qubits: its
light cone (Hastings, Phys. Rev. B 69, 104431; Evenbly and Vidal, arXiv:0801.2449, call it causal cone). All other
gates cancel in ``U^dagger P U``. The terms of an observable are divided into groups, each of which is simulated on the
qubits of its cone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qas_simulators.bit_masks import Masks
from qas_simulators.circuit import Circuit
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray, KernelProgram, energies, energies_and_gradients
from qas_simulators.wide_objective import RotationProgram

_MOST_SUPPORTS: Final = 1024  # sets of qubits that terms act on; molecules have more, and cones on all qubits
_LEAST_BITS: Final = 10  # a state of fewer qubits costs no less: it is the call that counts
_WORTH: Final = 0.8  # of the cost of the whole state, which cones must be below

Flags = NDArray[np.bool_]


def _cost(gates: NDArray[np.int64], qubits: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the cost of circuits, given their numbers of gates and of qubits."""
    return (1.0 + gates) * 2.0 ** np.maximum(_LEAST_BITS, qubits)


class Cone(NamedTuple):
    """Terms of an observable, and what their means depend on."""

    qubits: Flags  # (num_qubits,)
    gates: Flags  # (num_gates,)
    terms: Flags  # (num_terms,)

    @property
    def cost(self) -> float:
        """In amplitudes times gates."""
        return float(_cost(self.gates.sum(), self.qubits.sum()))

    def joined(self, other: Cone) -> Cone:
        """Return the cone of the terms of both."""
        return Cone(self.qubits | other.qubits, self.gates | other.gates, self.terms | other.terms)


class Part(NamedTuple):
    """A circuit on the qubits of a cone, and its terms."""

    circuit: Circuit
    observable: PauliSum
    rotations: NDArray[np.int64]  # those of the whole circuit that its rotations are


def light_cones(circuit: Circuit, observable: PauliSum) -> list[Part] | None:
    """Return the parts that the energy is the sum of, or ``None`` if the whole state costs no more than they do.

    Args:
        circuit: Any circuit.
        observable: On as many qubits, at most 60; without preparation.
    """
    table, supports = circuit.table, observable.x | observable.z
    whole = (1 + len(table)) << circuit.num_qubits
    distinct, owners = np.unique(supports, return_inverse=True)
    if len(distinct) > _MOST_SUPPORTS:
        return None
    qubits, gates = _backwards(table, distinct, circuit.num_qubits)
    if _cost(gates.sum(axis=1), qubits.sum(axis=1)).max() > _WORTH * whole:
        return None
    groups: list[Cone] = []
    for k in sorted(range(len(distinct)), key=lambda k: -int(qubits[k].sum())):  # the largest cones first
        if not distinct[k]:
            continue  # the identity
        cone = Cone(qubits[k], gates[k], owners == k)
        host = next((i for i, one in enumerate(groups) if _holds(one, cone)), None)
        if host is None:
            groups.append(cone)
        else:
            groups[host] = groups[host].joined(cone)
    groups = _joined(groups)
    if sum(cone.cost for cone in groups) > _WORTH * whole:
        return None
    return [_part(cone, circuit, observable) for cone in groups]


def _backwards(table: NDArray[np.int32], supports: Masks, num_qubits: int) -> tuple[Flags, Flags]:
    """Return the qubits and the gates of the light cone of each support, ``(supports, qubits)``, ``(supports, gates)``.

    Gates on qubits that the cone does not reach later are left out.
    """
    qubits: Flags = ((supports[:, None] >> np.arange(num_qubits)) & 1).astype(np.bool_)
    gates = np.zeros((len(supports), len(table)), dtype=np.bool_)
    for row in range(len(table) - 1, -1, -1):
        first, second = int(table[row, 1]), int(table[row, 2])
        hit = qubits[:, first].copy()
        if second >= 0:
            hit |= qubits[:, second]
            qubits[hit, first] = qubits[hit, second] = True
        gates[:, row] = hit
    return qubits, gates


def _holds(group: Cone, cone: Cone) -> bool:
    return not (cone.qubits & ~group.qubits).any() and not (cone.gates & ~group.gates).any()


def _joined(groups: list[Cone]) -> list[Cone]:
    """Join neighbouring cones while that costs less than both of them."""
    found: list[Cone] = []
    for cone in sorted(groups, key=lambda cone: np.flatnonzero(cone.qubits).tolist()):
        both = found[-1].joined(cone) if found else cone
        if found and both.cost <= found[-1].cost + cone.cost:
            found[-1] = both
        else:
            found.append(cone)
    return found


def _part(cone: Cone, circuit: Circuit, observable: PauliSum) -> Part:
    """Return a cone as a circuit of its own."""
    kept, own = np.flatnonzero(cone.qubits), circuit.table[cone.gates]
    places = {int(qubit): place for place, qubit in enumerate(kept)} | {-1: -1}
    small = Circuit(len(kept))
    for gate, first, second, _ in own.tolist():
        small.append_row(gate, places[first], places[second])
    x, z = (_compressed(masks[cone.terms], kept) for masks in (observable.x, observable.z))
    rotations = own[:, 3][own[:, 3] >= 0].astype(np.int64)
    return Part(small, PauliSum.from_masks(len(kept), x, z, observable.coefficients[cone.terms]), rotations)


def _compressed(masks: Masks, kept: NDArray[np.int64]) -> Masks:
    """Return masks of the qubits that are kept."""
    return np.asarray(((masks[:, None] >> kept & 1) << np.arange(len(kept))).sum(axis=1))


class KernelRotations:
    """The energy of one circuit as a function of the angles of its rotations, by a program of a few qubits.

    Args:
        program: Of one circuit without links.
    """

    def __init__(self, program: KernelProgram) -> None:
        self._program = program

    def energy(self, angles: FloatArray) -> float:
        """Return the energy at the angles of all rotations, in radians."""
        return float(energies(self._program, angles[None])[0])

    def energy_and_gradient(self, angles: FloatArray) -> tuple[float, FloatArray]:
        """Return the energy, and its derivatives by the angles of all rotations."""
        values, gradients = energies_and_gradients(self._program, angles[None])
        return float(values[0]), gradients[0]


class ConeProgram:
    """The energy of one circuit as a function of the angles of its rotations, as a sum over light cones.

    The energies of parts whose angles did not change are kept: a scan of one angle evaluates its cones only.

    Args:
        parts: Of :func:`light_cones`.
        constant: Coefficient of the identity.
        num_rotations: Of the whole circuit.
        make: Returns the program of a part.
    """

    def __init__(
        self,
        parts: list[Part],
        constant: float,
        num_rotations: int,
        make: Callable[[Circuit, PauliSum], RotationProgram],
    ) -> None:
        self._programs = [make(part.circuit, part.observable) for part in parts]
        self._rotations = [part.rotations for part in parts]
        self._constant, self._num_rotations = constant, num_rotations
        self._last: list[tuple[bytes, float]] = [(b"none", np.nan)] * len(parts)

    def energy(self, angles: FloatArray) -> float:
        """Return the energy at the angles of all rotations, in radians."""
        total = self._constant
        for k, (program, rotations) in enumerate(zip(self._programs, self._rotations, strict=True)):
            own = angles[rotations]
            key = own.tobytes()
            if key != self._last[k][0]:
                self._last[k] = key, program.energy(own)
            total += self._last[k][1]
        return total

    def energy_and_gradient(self, angles: FloatArray) -> tuple[float, FloatArray]:
        """Return the energy, and its derivatives by the angles of all rotations."""
        total, gradient = self._constant, np.zeros(self._num_rotations)
        for program, rotations in zip(self._programs, self._rotations, strict=True):
            energy, slopes = program.energy_and_gradient(angles[rotations])
            gradient[rotations] += slopes
            total += energy
        return total, gradient


def constant_of(observable: PauliSum) -> float:
    """Return the coefficient of the identity."""
    is_identity: Any = (observable.x | observable.z) == 0
    return float(observable.coefficients[is_identity].sum())

"""Preparation: the state in which circuits start, on their own qubits and on others that they leave alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qas_simulators.circuit import Circuit
from qas_simulators.errors import must
from qas_simulators.flat_circuit import Table
from qas_simulators.gates import GATES

if TYPE_CHECKING:
    from qas_simulators.pauli import PauliSum


@dataclass(frozen=True)
class Preparation:
    """A fixed circuit V, after which circuits U begin: energies are those of ``(1 x U) V |0...0>``.

    U acts on the first qubits. The others hold what a mixed state, a label or the other half of an entangled pair
    needs; they keep their state after V. The gates of V count in no figure, and its angles are never optimised.

    Attributes:
        circuit: V, on all qubits.
        num_qubits: Number of qubits that circuits have.

    Raises:
        ValueError: No qubits, or more than V has; linked angles.

    Examples:
        The fidelity with a Bell pair, of which circuits turn one half:

        >>> from qas_simulators import Circuit, PauliSum, StatevectorSimulator
        >>> bell = PauliSum({"II": 0.25, "XX": 0.25, "YY": -0.25, "ZZ": 0.25})
        >>> overlap = bell.prepared(Preparation(Circuit(2).h(1).cx(1, 0), 1))
        >>> [round(StatevectorSimulator().expectation(one, overlap), 9) for one in (Circuit(1), Circuit(1).x(0))]
        [1.0, 0.0]
    """

    circuit: Circuit
    num_qubits: int

    def __post_init__(self) -> None:
        if self.circuit.is_linked:
            raise ValueError(must("circuit", "have no linked angles", self.circuit))
        if not 1 <= self.num_qubits <= self.circuit.num_qubits:
            raise ValueError(must("num_qubits", f"lie in 1..{self.circuit.num_qubits}", self.num_qubits))

    def whole(self, circuit: Circuit) -> Circuit:
        """Return the preparation followed by a circuit, on all qubits.

        Raises:
            ValueError: The circuit has another number of qubits.
        """
        if circuit.num_qubits != self.num_qubits:
            raise ValueError(must("circuit", f"have {self.num_qubits} qubits", circuit.num_qubits))
        wide = Circuit(self.circuit.num_qubits)
        for gate, first, second, _ in circuit.table.tolist():
            wide.append_row(gate, first, second)
        if circuit.is_linked:
            wide.link_like(circuit)
        else:
            wide.params = circuit.params
        return self.circuit.copy().extend(wide)

    @cached_property
    def fixed_gates(self) -> tuple[Table, NDArray[np.complex128]]:
        """Rows of the circuit's gates, ``(gates, 4)``, and matrices of its rotations, ``(rotations, 4, 4)``.

        The rows name rotation ``k`` as gate ``len(GATES) + k``, so that no gate has an angle. Matrices of one qubit
        fill the corner of theirs.
        """
        table, angles = self.circuit.table.copy(), self.circuit.angles
        turns = np.flatnonzero(table[:, 3] >= 0)
        matrices = np.zeros((len(turns), 4, 4), dtype=np.complex128)
        for matrix, row in zip(matrices, turns.tolist(), strict=True):
            own = GATES[table[row, 0]].matrix(float(angles[table[row, 3]]))
            matrix[: len(own), : len(own)] = own
        table[turns, 0], table[turns, 3] = len(GATES) + np.arange(len(turns)), -1
        return table, matrices


def whole(circuit: Circuit, observable: PauliSum) -> Circuit:
    """Return a circuit with the preparation of an observable before it; itself where there is none."""
    return circuit if observable.preparation is None else observable.preparation.whole(circuit)

"""Graphs of any size as rows of one tensor, as a replay buffer holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from torch import Tensor

from qas_agents.graph.drawing import ActionTable

_INVERSE_SIZE: Final = 3  # place of the feature 4 / n among those of the circuit
_OF_INVERSE: Final = 4.0


@dataclass(frozen=True)
class GraphLayout:
    """Where the features of a graph are in a vector: those of the circuit, of all pairs, of all qubits, then zeros.

    Attributes:
        num_features: Numbers of features of a qubit, of a pair and of the circuit.
        tables: The actions, by number of qubits.
    """

    num_features: tuple[int, int, int]
    tables: Mapping[int, ActionTable]

    @property
    def num_actions(self) -> int:
        """The most actions of any size, stopping included."""
        return max(map(len, self.tables.values()))

    def sizes_of(self, rows: Tensor) -> Tensor:
        """Return the number of qubits of every row ``(B, num_inputs)``, ``(B,)``."""
        return (_OF_INVERSE / rows[:, _INVERSE_SIZE]).round()

    def unpacked(self, rows: Tensor, num_qubits: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features of qubits ``(B, n, .)``, pairs ``(B, n (n - 1) / 2, .)`` and the circuit ``(B, .)``."""
        of_qubit, of_pair, of_circuit = self.num_features
        num_pairs = num_qubits * (num_qubits - 1) // 2
        first = of_circuit + num_pairs * of_pair
        pairs = rows[:, of_circuit:first].reshape(-1, num_pairs, of_pair)
        qubits = rows[:, first : first + num_qubits * of_qubit].reshape(-1, num_qubits, of_qubit)
        return qubits, pairs, rows[:, :of_circuit]

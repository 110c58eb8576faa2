"""Circuits as graphs for a network: a node is a gate or a block, an edge a qubit that two nodes share in succession."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qas_simulators.errors import must

Gate = tuple[str, tuple[int, ...]]
"""Name and qubits of a gate or of a block; of two qubits, the first is the control."""
NUM_RELATIONS: Final = 4
"""Kinds of edges: 2 times the role of the qubit in the earlier node, plus its role in the later one; control 0, target
1. The qubit of a one-qubit gate is a target."""


@dataclass(frozen=True)
class Vocabulary:
    """What the nodes of a graph may be.

    Attributes:
        num_qubits: Size of the register.
        gates: Names of gates or blocks.
        num_nodes: Largest number of nodes; shorter circuits are filled up with empty ones.

    Raises:
        ValueError: A number below 1, or no gates.
    """

    num_qubits: int
    gates: tuple[str, ...]
    num_nodes: int

    def __post_init__(self) -> None:
        for name in ("num_qubits", "num_nodes"):
            if getattr(self, name) < 1:
                raise ValueError(must(name, "be at least 1", getattr(self, name)))
        if not self.gates or len({*self.gates}) < len(self.gates):
            raise ValueError(must("gates", "hold names, none twice", self.gates))


@dataclass(frozen=True, eq=False)
class CircuitGraphs:
    """Circuits without angles and without energies: all that :class:`CircuitVGAE` learns from.

    Attributes:
        vocabulary: What the nodes may be.
        gates: Number of each node's gate from 1 on, 0 for an empty node, ``(circuits, num_nodes)``.
        controls: The qubit of its control, ``num_qubits`` for none, ``(circuits, num_nodes)``.
        targets: The qubit of its target, ``num_qubits`` for none, ``(circuits, num_nodes)``.

    Examples:
        >>> graphs = CircuitGraphs.of(Vocabulary(2, ("ry", "cx"), 4), [[("ry", (0,)), ("cx", (0, 1)), ("ry", (1,))]])
        >>> graphs.gates.tolist(), graphs.controls.tolist(), graphs.targets.tolist()
        ([[1, 2, 1, 0]], [[2, 0, 2, 2]], [[0, 1, 1, 2]])
        >>> np.argwhere(graphs.adjacency()[0]).tolist()  # relation, earlier node, later node
        [[2, 0, 1], [3, 1, 2]]
    """

    vocabulary: Vocabulary
    gates: NDArray[np.int64]
    controls: NDArray[np.int64]
    targets: NDArray[np.int64]

    @classmethod
    def of(cls, vocabulary: Vocabulary, circuits: Sequence[Sequence[Gate]]) -> CircuitGraphs:
        """Return the graphs of circuits.

        Raises:
            ValueError: A circuit with too many gates, an unknown gate, or qubits outside of the register.
        """
        n, shape = vocabulary.num_qubits, (len(circuits), vocabulary.num_nodes)
        gates = np.zeros(shape, dtype=np.int64)
        controls, targets = np.full((2, *shape), n, dtype=np.int64)
        numbers = {name: number for number, name in enumerate(vocabulary.gates, start=1)}
        for row, circuit in enumerate(circuits):
            if len(circuit) > vocabulary.num_nodes:
                raise ValueError(must("circuits", f"have at most {vocabulary.num_nodes} gates", len(circuit)))
            for place, (name, qubits) in enumerate(circuit):
                if name not in numbers or len(qubits) not in (1, 2) or not all(0 <= qubit < n for qubit in qubits):
                    raise ValueError(must("circuits", f"have gates of {vocabulary}", (name, qubits)))
                gates[row, place], targets[row, place] = numbers[name], qubits[-1]
                if len(qubits) == 2:
                    controls[row, place] = qubits[0]
        return cls(vocabulary, gates, controls, targets)

    def __len__(self) -> int:
        return len(self.gates)

    def take(self, rows: NDArray[np.int64] | Sequence[int]) -> CircuitGraphs:
        """Return the graphs of some rows."""
        chosen = np.asarray(rows, dtype=np.int64)
        return CircuitGraphs(self.vocabulary, self.gates[chosen], self.controls[chosen], self.targets[chosen])

    def adjacency(self) -> NDArray[np.float32]:
        """Return the edges from each node to the next one on each of its qubits, ``(circuits, 4, nodes, nodes)``."""
        size, nodes = self.gates.shape
        found = np.zeros((size, NUM_RELATIONS, nodes, nodes), dtype=np.float32)
        rows = np.arange(size)
        last = np.full(
            (2, size, self.vocabulary.num_qubits + 1), -1
        )  # last node on a qubit, and the qubit's role in it
        for place in range(nodes):
            for role, qubits in enumerate((self.controls[:, place], self.targets[:, place])):
                earlier, roles = last[0, rows, qubits], last[1, rows, qubits]
                known = (earlier >= 0) & (qubits < self.vocabulary.num_qubits)
                found[rows[known], 2 * roles[known] + role, earlier[known], place] = 1.0
            for role, qubits in enumerate((self.controls[:, place], self.targets[:, place])):
                last[0, rows, qubits], last[1, rows, qubits] = place, role
        return found

    def circuits(self) -> list[list[Gate] | None]:
        """Return the circuits; ``None`` for a graph that is none.

        A graph is no circuit if a gate follows an empty node, or if a node has no target, a gate without a name, or the
        same qubit twice.
        """
        return [self._circuit(row) for row in range(len(self))]

    def _circuit(self, row: int) -> list[Gate] | None:
        n, ended = self.vocabulary.num_qubits, False
        found: list[Gate] = []
        nodes = zip(self.gates[row].tolist(), self.controls[row].tolist(), self.targets[row].tolist(), strict=True)
        for gate, control, target in nodes:
            if gate == 0:
                if control < n or target < n:
                    return None
                ended = True
                continue
            if ended or target == n or control == target:
                return None
            qubits = (target,) if control == n else (control, target)
            found.append((self.vocabulary.gates[gate - 1], qubits))
        return found

"""ActionCatalogue: which gate each action appends."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from qas_simulators import Circuit
from qas_simulators.errors import must, unknown_name
from qas_simulators.gates import GATES, gate_index


@dataclass(frozen=True)
class GateSet:
    """Gates an agent may use.

    Attributes:
        two_qubit: Two-qubit gates; symmetric ones (CZ, SWAP) are offered once per unordered pair.
        one_qubit: One-qubit gates, offered on every qubit.
    """

    two_qubit: tuple[str, ...]
    one_qubit: tuple[str, ...]


GATE_SETS: Final[dict[str, GateSet]] = {
    "crlqas": GateSet(("cx",), ("rx", "ry", "rz")),  # arXiv:2402.03500
    "kanqas": GateSet(("cx",), ("x", "y", "z", "h", "t")),  # arXiv:2406.17630
    "ry_cz": GateSet(("cz",), ("ry",)),  # real states; the action set of the random-search bar
    "ibm": GateSet(("cz",), ("sx", "x", "rz")),  # arXiv:2503.11638
    "ibm_ecr": GateSet(("ecr",), ("sx", "x", "rz")),  # IBM's Eagle devices
}

_SYMMETRIC = ("cz", "swap")


@dataclass(frozen=True)
class Action:
    """One entry: the gate's name and its qubits, ``(control, target)`` for controlled gates."""

    gate: str
    qubits: tuple[int, ...]


class ActionCatalogue:
    """The discrete actions of one gate set on one register.

    Two-qubit gates come first (outer loop first qubit, inner loop offset, second qubit ``(first + offset) mod n``;
    pairs in lexicographic order for symmetric gates), then one-qubit gates (outer loop qubit, inner loop gate): the
    numbering of CRLQAS and KANQAS.

    Args:
        num_qubits: Size of the register.
        gates: A gate set or the name of one.
        couplings: Ordered pairs of qubits to which two-qubit gates are confined; ``None`` for all.
        stop: Offer one action more, the last, that appends nothing and ends the episode.

    Attributes:
        actions: Every action that appends a gate.
        stop: The number of the action that ends the episode, or ``None``.
        num_angles: How many angles each action's gate has, 0 or 1.
        is_two_qubit: Whether each action's gate acts on two qubits.

    Raises:
        ValueError: Unknown gate set or gate, or so few actions that all could be illegal at once.
    """

    def __init__(
        self,
        num_qubits: int,
        gates: GateSet | str = "crlqas",
        couplings: Collection[tuple[int, int]] | None = None,
        stop: bool = False,
    ) -> None:
        if isinstance(gates, str):
            if gates not in GATE_SETS:
                raise ValueError(unknown_name("gate set", gates, GATE_SETS))
            gates = GATE_SETS[gates]
        self.num_qubits = num_qubits
        self.gates = gates
        pairs = [a for a in _two_qubit_actions(num_qubits, gates) if couplings is None or a.qubits in couplings]
        self.actions = (*pairs, *_one_qubit_actions(num_qubits, gates))
        if len(self.actions) <= num_qubits:
            raise ValueError(must("gates", f"give more than {num_qubits} actions on {num_qubits} qubits", gates))
        self.stop = len(self.actions) if stop else None
        # rows of (gate, qubit0, qubit1 or -1), ready for Circuit.append_row
        self._rows = [
            (gate_index(a.gate), a.qubits[0], a.qubits[1] if len(a.qubits) == 2 else -1) for a in self.actions
        ]
        self.is_two_qubit = tuple(len(action.qubits) == 2 for action in self.actions)
        self.num_angles = tuple(GATES[row[0]].num_params for row in self._rows)

    def __len__(self) -> int:
        return len(self.actions) + (self.stop is not None)

    def append(self, circuit: Circuit, action: int) -> int:
        """Append the action's gate with angle 0 and return how many angles it brought."""
        gate, qubit0, qubit1 = self._rows[action]
        circuit.append_row(gate, qubit0, qubit1)
        return self.num_angles[action]


def _two_qubit_actions(num_qubits: int, gates: GateSet) -> list[Action]:
    actions = []
    for name in gates.two_qubit:
        if name in _SYMMETRIC:
            actions += [Action(name, pair) for pair in combinations(range(num_qubits), 2)]
        else:
            pairs = [(q, (q + offset) % num_qubits) for q in range(num_qubits) for offset in range(1, num_qubits)]
            actions += [Action(name, pair) for pair in pairs]
    return actions


def _one_qubit_actions(num_qubits: int, gates: GateSet) -> list[Action]:
    return [Action(name, (qubit,)) for qubit in range(num_qubits) for name in gates.one_qubit]

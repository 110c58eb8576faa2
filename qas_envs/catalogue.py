"""ActionCatalogue: the gates that each action appends."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations, count, permutations
from math import perm
from typing import Final

import numpy as np

from qas_envs.components import chosen
from qas_simulators import Circuit, Gadget
from qas_simulators.errors import must, unknown_name
from qas_simulators.flat_circuit import Table
from qas_simulators.gates import GATES, gate_index


@dataclass(frozen=True)
class GateSet:
    """The gates that an agent may use.

    Attributes:
        two_qubit: Two-qubit gates; symmetric ones (CZ, SWAP, RXX, RYY, RZZ) have one action per unordered pair.
        one_qubit: One-qubit gates; each has one action per qubit.

    Raises:
        ValueError: An unknown gate, a gate in the wrong list, or a gate that is named twice.
    """

    two_qubit: tuple[str, ...]
    one_qubit: tuple[str, ...]

    def __post_init__(self) -> None:
        for number, names in ((2, self.two_qubit), (1, self.one_qubit)):
            if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
                raise ValueError(must("gates", "be the name of a set, a list of gates or a GateSet of tuples", names))
            if any(GATES[gate_index(name)].num_qubits != number for name in names):
                raise ValueError(must("gates", f"act on {number} qubit(s) at this place of a GateSet", names))
            if len({*names}) < len(names):
                raise ValueError(must("gates", "be different ones", names))


GATE_SETS: Final[dict[str, GateSet]] = {
    "crlqas": GateSet(("cx",), ("rx", "ry", "rz")),  # arXiv:2402.03500
    "kanqas": GateSet(("cx",), ("x", "y", "z", "h", "t")),  # arXiv:2406.17630
    "clifford": GateSet(("cx",), ("h", "s")),  # generate all Clifford circuits
    "clifford_cz": GateSet(("cz",), ("h", "s")),
    "ry_cz": GateSet(("cz",), ("ry",)),  # real states; the action set of the random-search bar
    "ibm": GateSet(("cz",), ("sx", "x", "rz")),  # arXiv:2503.11638
    "ibm_ecr": GateSet(("ecr",), ("sx", "x", "rz")),  # IBM's Eagle devices
}

_SYMMETRIC = tuple(gate.name for gate in GATES if gate.is_symmetric)
_MOST_PLACEMENTS: Final = 200_000  # of a gadget; each is an action


@dataclass(frozen=True)
class Action:
    """One entry: the name of a gate or gadget and its qubits, ``(control, target)`` for controlled gates."""

    gate: str
    qubits: tuple[int, ...]


class ActionCatalogue:
    """The discrete actions of a gate set, and of gadgets if there are any, on one register.

    Two-qubit gates come first (outer loop first qubit, inner loop offset, second qubit ``(first + offset) mod n``;
    pairs in lexicographic order for symmetric gates), then one-qubit gates (outer loop qubit, inner loop gate): the
    numbering of CRLQAS and KANQAS. Gadgets follow, on every choice of qubits that the couplings allow; of choices that
    append the same gates, only the first is an action. With blocks, these come first, and single gates are no actions.

    Args:
        num_qubits: Size of the register.
        gates: A gate set, the name of one, or gates by name.
        couplings: Ordered pairs of qubits to which two-qubit gates are confined; ``None`` for all.
        stop: Whether there is an additional last action that appends nothing and ends the episode.
        gadgets: Gadgets, whose actions append several gates each. One that has the name of a block gets a number after
            its name.
        blocks: Gadgets on given qubits that are actions instead of the gates of the gate set.

    Attributes:
        actions: Every action that appends something.
        gadget_names: Names of the gadgets, blocks included.
        num_blocks: Number of blocks, which are the first actions; 0 where single gates are actions.
        stop: The number of the action that ends the episode, or ``None``.
        operations: Every gate that some action appends; the first are the actions of the gate set.
        alphabet: The gates of all operations.
        rotates: Whether each operation is a rotation.
        parts: The operations that each action appends, by number.
        num_angles: Number of parameters of each action.
        num_gates: Number of gates that each action appends.
        num_two_qubit_gates: Number of two-qubit gates that each action appends.

    Raises:
        ValueError: An unknown gate set or gate, so few actions that all could be illegal at once, two gadgets of one
            name, or a gadget that fits nowhere.
    """

    def __init__(
        self,
        num_qubits: int,
        gates: GateSet | str | Sequence[str] = "crlqas",
        couplings: Collection[tuple[int, int]] | None = None,
        stop: bool = False,
        gadgets: Sequence[Gadget] = (),
        blocks: Sequence[tuple[Gadget, tuple[int, ...]]] = (),
    ) -> None:
        if isinstance(gates, str):
            gates = GATE_SETS[chosen("gate set", gates, GATE_SETS)]
        gates = gate_set_of(gates)
        names = [gadget.name for gadget in gadgets]
        if len({*names}) < len(names):
            raise ValueError(must("gadgets", "have different names", names))
        of_blocks = [*dict.fromkeys(gadget.name for gadget, _ in blocks)]
        gadgets = [_with_free_name(gadget, {*of_blocks}, {*names}) for gadget in gadgets]
        names = [*of_blocks, *(gadget.name for gadget in gadgets)]
        self.num_qubits = num_qubits
        self.gates = gates
        self.num_blocks = len(blocks)
        plain = () if self.has_blocks else _plain_actions(num_qubits, gates, couplings)
        # rows of (gate, qubit0, qubit1 or -1), ready for Circuit.append_row
        self._rows = [(gate_index(a.gate), a.qubits[0], a.qubits[1] if len(a.qubits) == 2 else -1) for a in plain]
        numbers = {action: k for k, action in enumerate(plain)}
        parts: list[tuple[int, ...]] = [(k,) for k in range(len(plain))]
        placed: list[tuple[Gadget, Action]] = []
        on_qubits = [(gadget, [_placed(gadget, qubits)]) for gadget, qubits in blocks]
        for gadget, choices in [*on_qubits, *((one, _placements(one, num_qubits, couplings)) for one in gadgets)]:
            for action, steps in choices:
                placed.append((gadget, action))
                parts.append(tuple(numbers.setdefault(step, len(numbers)) for step in steps))
        self._gadgets = [gadget for gadget, _ in placed]
        self.actions = (*plain, *(action for _, action in placed))
        self.gadget_names = tuple(names)
        self.stop = len(self.actions) if stop else None
        self.operations = tuple(numbers)
        self.alphabet = GateSet(*(self._alphabet(number) for number in (2, 1)))
        self.rotates = tuple(GATES[gate_index(operation.gate)].num_params == 1 for operation in self.operations)
        self.parts = tuple(parts)
        self.num_angles = (
            *(GATES[row[0]].num_params for row in self._rows),
            *(gadget.num_params for gadget in self._gadgets),
        )
        self.num_gates = tuple(len(steps) for steps in parts)
        self.num_two_qubit_gates = tuple(
            sum(len(self.operations[step].qubits) == 2 for step in steps) for steps in parts
        )

    def _alphabet(self, num_qubits: int) -> tuple[str, ...]:
        of_set = self.gates.two_qubit if num_qubits == 2 else self.gates.one_qubit
        known = () if self.has_blocks else of_set
        names = [operation.gate for operation in self.operations if len(operation.qubits) == num_qubits]
        return tuple(dict.fromkeys([*known, *names]))

    def __len__(self) -> int:
        return len(self.actions) + (self.stop is not None)

    def index(self, gate: str, *qubits: int) -> int:
        """Return the number of the action that appends a gate or gadget on qubits, control first.

        Raises:
            ValueError: There is no such action.

        Examples:
            >>> ActionCatalogue(2).index("cx", 1, 0), ActionCatalogue(2, "ry_cz").index("cz", 1, 0)
            (1, 0)
        """
        wanted = tuple(sorted(qubits)) if gate in _SYMMETRIC else qubits
        for number, action in enumerate(self.actions):
            if action.gate == gate and action.qubits == wanted:
                return number
        names = {action.gate for action in self.actions}
        if gate not in names:
            raise ValueError(unknown_name("gate", gate, names))
        choices = [action.qubits for action in self.actions if action.gate == gate]
        raise ValueError(must("qubits", f"be among those of {gate}, {choices}", qubits))

    @property
    def table(self) -> Table:
        """Every gate that some action appends, as rows of a circuit, ``(gates, 4)``."""
        circuit = Circuit(self.num_qubits)
        for operation in self.operations:
            circuit.append(
                operation.gate, operation.qubits, 0.0 if GATES[gate_index(operation.gate)].num_params else None
            )
        return circuit.table

    @property
    def has_blocks(self) -> bool:
        """Whether blocks replace single gates."""
        return self.num_blocks > 0

    @property
    def blocks(self) -> tuple[Gadget, ...]:
        """The blocks as gadgets on formal qubits, each once."""
        return tuple({gadget.name: gadget for gadget in self._gadgets[: self.num_blocks]}.values())

    @property
    def has_gadgets(self) -> bool:
        """Whether some actions append several gates."""
        return len(self._gadgets) > 0

    @property
    def is_linked(self) -> bool:
        """Whether some gadget shares or scales an angle."""
        return any(gadget.is_linked for gadget in self._gadgets)

    @property
    def overhang(self) -> int:
        """The most gates that an action appends, minus one: a gadget can exceed the budget by this number."""
        return max(self.num_gates) - 1

    def append(self, circuit: Circuit, action: int) -> int:
        """Append the action's gates with all parameters 0 and return their number."""
        if action < len(self._rows):
            gate, qubit0, qubit1 = self._rows[action]
            circuit.append_row(gate, qubit0, qubit1)
            return self.num_angles[action]
        return self._gadgets[action - len(self._rows)].append_to(circuit, self.actions[action].qubits)


def gate_set_of(names: GateSet | Sequence[str]) -> GateSet:
    """Return the gate set of gates by name, such as ``["ry", "cz"]``, or of a Qiskit backend; a gate set stays.

    Raises:
        ValueError: Something else, or an unknown gate.
    """
    if isinstance(names, GateSet):
        return names
    if hasattr(names, "operation_names") and not isinstance(names, type):
        from qas_simulators.bridges.backends import native_gates

        names = native_gates(names)
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise ValueError(must("gates", "be the name of a set, a list of gates or a GateSet", names))
    of_two = [GATES[gate_index(name)].num_qubits == 2 for name in names]
    pairs = tuple(name for name, is_pair in zip(names, of_two, strict=True) if is_pair)
    return GateSet(pairs, tuple(name for name, is_pair in zip(names, of_two, strict=True) if not is_pair))


def _placements(
    gadget: Gadget, num_qubits: int, couplings: Collection[tuple[int, int]] | None
) -> list[tuple[Action, tuple[Action, ...]]]:
    """Return the choices of qubits for a gadget, each with the gates it appends."""
    if perm(num_qubits, gadget.num_qubits) > _MOST_PLACEMENTS:
        requirement = f"have at most {_MOST_PLACEMENTS} choices of qubits on {num_qubits} qubits"
        raise ValueError(must("gadgets", requirement, f"{gadget.name!r} on {gadget.num_qubits}"))
    seen: set[tuple[Action, ...]] = set()
    found: list[tuple[Action, tuple[Action, ...]]] = []
    for qubits in permutations(range(num_qubits), gadget.num_qubits):
        pairs = [tuple(qubits[q] for q in formal) for _, formal, _ in gadget.unrolled() if len(formal) == 2]
        if couplings is not None and not {*pairs} <= {*couplings}:
            continue
        action, steps = _placed(gadget, qubits)
        if steps not in seen:
            seen.add(steps)
            found.append((action, steps))
    if not found:
        raise ValueError(must("gadgets", f"fit on {num_qubits} qubits and their couplings", gadget.name))
    return found


def _with_free_name(gadget: Gadget, taken: Collection[str], others: Collection[str]) -> Gadget:
    """Return a gadget with a number after its name if that name is taken, and then neither taken nor of the others."""
    if gadget.name not in taken:
        return gadget
    names = (f"{gadget.name}_{number}" for number in count(2))
    return replace(gadget, name=next(name for name in names if name not in taken and name not in others))


def _placed(gadget: Gadget, qubits: tuple[int, ...]) -> tuple[Action, tuple[Action, ...]]:
    """Return the action of a gadget on these qubits, and the gates that it appends."""
    steps = [Action(name, tuple(qubits[q] for q in formal)) for name, formal, _ in gadget.unrolled()]
    ordered = (Action(a.gate, tuple(sorted(a.qubits))) if a.gate in _SYMMETRIC else a for a in steps)
    return Action(gadget.name, qubits), tuple(ordered)


def _plain_actions(
    num_qubits: int, gates: GateSet, couplings: Collection[tuple[int, int]] | None
) -> tuple[Action, ...]:
    """Return the actions that append one gate of the gate set each."""
    pairs = [a for a in _two_qubit_actions(num_qubits, gates) if couplings is None or a.qubits in couplings]
    plain = (*pairs, *_one_qubit_actions(num_qubits, gates))
    if len(plain) <= num_qubits:
        raise ValueError(must("gates", f"give more than {num_qubits} actions on {num_qubits} qubits", gates))
    return plain


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


def check_angles(angles: Sequence[Sequence[float]], counts: Sequence[int]) -> None:
    """Raise ``ValueError`` unless every action has the right number of angles, all finite."""
    try:
        fit = [len(some) for some in angles] == list(counts)
    except TypeError:
        fit = False
    if not fit:
        raise ValueError(must("angles", "hold a tuple for every action, such as [(0.3,), ()]", angles))
    if not np.isfinite([*chain.from_iterable(angles)]).all():
        raise ValueError(must("angles", "be finite", angles))

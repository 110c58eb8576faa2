"""Blocks: actions that append an entangling gate with the one-qubit gates after it, or an excitation of a molecule."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final, Protocol

import numpy as np

from qas_envs.catalogue import GateSet
from qas_envs.problems import Problem
from qas_simulators import Circuit, Gadget
from qas_simulators.dressings import usual_dressing, usual_row
from qas_simulators.errors import must
from qas_simulators.excitations import coupled_exchange, single_excitation
from qas_simulators.flat_circuit import Link
from qas_simulators.gadgets import Part
from qas_simulators.gates import GATES, gate_index


class Placements(Protocol):
    """A set of blocks: which circuits are actions, on which qubits, and what every circuit begins with."""

    def placements(
        self, num_qubits: int, couplings: Collection[tuple[int, int]] | None
    ) -> list[tuple[Gadget, tuple[int, ...]]]:
        """Return the blocks and the qubits that each acts on, in the order of the actions."""
        ...

    def initial_circuit(self, initial: Circuit) -> Circuit:
        """Return the circuit that episodes start with, given the circuit of the rule ``initial``."""
        ...


@dataclass(frozen=True)
class BlockSet:
    """Blocks of an entangler and one-qubit gates on both of its qubits, after a row of one-qubit gates on all qubits.

    A circuit of blocks is determined by its sequence of pairs, up to the angles. With RY after CX or CZ on real states,
    and with rotations about two axes on all states, the direction of CX does not matter: the other direction prepares
    the same states at other angles. So a block has one action per unordered pair.

    Attributes:
        entanglers: Two-qubit gates; each gives one block per pair.
        dressing: One-qubit gates that follow the entangler on both qubits, in order.
        row: One-qubit gates on every qubit at the start of the circuit, in order.
        directed: Whether both directions of an asymmetric entangler are actions.

    Raises:
        ValueError: Unknown gates, gates on another number of qubits, or no entangler.

    Examples:
        >>> blocks = BlockSet(("cx",), ("ry",), ("ry",))
        >>> gadget, qubits = blocks.placements(3, None)[1]
        >>> gadget.name, qubits, gadget.num_gates
        ('cx_ry', (0, 2), 3)
    """

    entanglers: tuple[str, ...]
    dressing: tuple[str, ...]
    row: tuple[str, ...] = ()
    directed: bool = False

    def __post_init__(self) -> None:
        if not self.entanglers:
            raise ValueError(must("entanglers", "hold at least one two-qubit gate", self.entanglers))
        for name, number, gates in (
            ("entanglers", 2, self.entanglers),
            ("dressing", 1, self.dressing),
            ("row", 1, self.row),
        ):
            if (
                not isinstance(gates, tuple)
                or (name == "entanglers" and len({*gates}) < len(gates))
                or any(GATES[gate_index(gate)].num_qubits != number for gate in gates)
            ):
                raise ValueError(must(name, f"be a tuple of gates on {number} qubit(s), no entangler twice", gates))

    def gadget(self, entangler: str) -> Gadget:
        """Return the block of an entangler as a gadget on two formal qubits."""
        gates = [(entangler, (0, 1)), *((gate, (qubit,)) for qubit in (0, 1) for gate in self.dressing)]
        parts: list[Part] = []
        num_params = 0
        for gate, qubits in gates:
            links = tuple(Link(num_params + k, 1.0, 0.0) for k in range(GATES[gate_index(gate)].num_params))
            num_params += len(links)
            parts.append(Part(gate, qubits, links))
        return Gadget("_".join([entangler, *self.dressing, *["block"] * (not self.dressing)]), 2, num_params, (*parts,))

    def placements(
        self, num_qubits: int, couplings: Collection[tuple[int, int]] | None
    ) -> list[tuple[Gadget, tuple[int, ...]]]:
        """See :class:`Placements`."""
        found: list[tuple[Gadget, tuple[int, ...]]] = []
        for entangler in self.entanglers:
            gadget = self.gadget(entangler)
            both = self.directed and not GATES[gate_index(entangler)].is_symmetric
            for pair in combinations(range(num_qubits), 2):
                ways = [way for way in (pair, pair[::-1]) if couplings is None or way in couplings]
                found += [(gadget, way) for way in ways[: 2 if both else 1]]
        if num_qubits < 2:
            raise ValueError(must("actions", "be 'gates' on one qubit", "blocks"))
        if not found:
            raise ValueError(must("couplings", "leave a pair of qubits for blocks", couplings))
        return found

    def initial_circuit(self, initial: Circuit) -> Circuit:
        """See :class:`Placements`."""
        circuit = initial.copy()
        for qubit in range(circuit.num_qubits):
            for k, gate in enumerate(self.row):
                # SX RZ(pi) SX is a phase, so that the row keeps basis states; all other rotations do so at angle 0.
                is_between = gate == "rz" and (*self.row[k - 1 : k], *self.row[k + 1 : k + 2]) == ("sx", "sx")
                angle = np.pi if is_between else 0.0
                circuit.append(gate, (qubit,), angle if GATES[gate_index(gate)].num_params else None)
        return circuit


@dataclass(frozen=True, eq=False)
class ExcitationSet:
    """Qubit excitations of a molecule as actions: they conserve the numbers of electrons of both spins.

    A circuit starts with a basis state. Single excitations have 2 CNOTs. On four qubits, pairs of double excitations
    with equal or opposite angles are actions: coupled exchanges, with 9 CNOTs instead of 13 for one double excitation.

    Attributes:
        spin_of: The spin of every qubit's spin orbital, 0 or 1.
        reference: Prepares the basis state where the rule ``initial`` gives no circuit.

    References:
        Yordanov et al., "Qubit-excitation-based adaptive variational quantum eigensolver", arXiv:2011.10540.
        Ramôa et al., coupled exchange operators, arXiv:2407.08696.
    """

    spin_of: tuple[int, ...]
    reference: Circuit

    def placements(
        self, num_qubits: int, couplings: Collection[tuple[int, int]] | None
    ) -> list[tuple[Gadget, tuple[int, ...]]]:
        """See :class:`Placements`."""
        single = single_excitation()
        exchanges = coupled_exchange(1), coupled_exchange(-1)
        found: list[tuple[Gadget, tuple[int, ...]]] = [
            (single, pair) for pair in combinations(range(num_qubits), 2) if len({self.spin_of[q] for q in pair}) == 1
        ]
        for a, b, c, d in combinations(range(num_qubits), 4):
            halves = [((a, b), (c, d)), ((a, c), (b, d)), ((a, d), (b, c))]
            fitting = [(left, right) for left, right in halves if self._spins(left) == self._spins(right)]
            for ((first, second), targets), ((_, third), _) in combinations(fitting, 2):
                last = next(qubit for qubit in targets if qubit != third)
                found += [(exchange, (first, second, third, last)) for exchange in exchanges]
        allowed = [one for one in found if couplings is None or _pairs_of(*one) <= {*couplings}]
        if not allowed:
            raise ValueError(must("couplings", "allow an excitation", couplings))
        return allowed

    def initial_circuit(self, initial: Circuit) -> Circuit:
        """See :class:`Placements`."""
        return initial if len(initial) else self.reference.copy()

    def _spins(self, qubits: tuple[int, int]) -> list[int]:
        return sorted(self.spin_of[qubit] for qubit in qubits)


def _pairs_of(gadget: Gadget, qubits: tuple[int, ...]) -> set[tuple[int, ...]]:
    """Return the pairs that the two-qubit gates of a placed gadget act on."""
    return {tuple(qubits[q] for q in formal) for _, formal, _ in gadget.unrolled() if len(formal) == 2}


# -- choices of the rule `actions` -------------------------------------------------------------------------------------


def _single_gates(gates: GateSet, problem: Problem) -> None:
    """Every gate of the gate set is an action."""


def _blocks(
    gates: GateSet,
    problem: Problem,
    entanglers: Sequence[str] | None = None,
    dressing: Sequence[str] | None = None,
    row: Sequence[str] | None = None,
    directed: bool = False,
) -> BlockSet:
    """Blocks of the gate set's gates: each of its two-qubit gates, followed by rotations.

    By default the rotations are RY where the Hamiltonian and the entanglers are real, otherwise RY and RZ, or what does
    the same with the gates of the set. The row at the start is like the dressing; where circuits start after a
    preparation, RZ comes before it.
    """
    entanglers = gates.two_qubit if entanglers is None else entanglers
    if dressing is None:
        dressing = usual_dressing(gates.one_qubit, entanglers, problem.hamiltonian)
        if dressing is None:
            requirement = "include ry (and rz), or sx and rz, for blocks; actions='gates' needs none of them"
            raise ValueError(must("gates", requirement, gates.one_qubit))
    if row is None:
        row = usual_row(dressing, gates.one_qubit, problem.hamiltonian)
    return BlockSet(tuple(entanglers), tuple(dressing), tuple(row), directed)


def _excitations(gates: GateSet, problem: Problem) -> ExcitationSet:
    """Qubit excitations and coupled exchanges of a molecule, from its basis state of lowest energy."""
    mapping = problem.provenance.get("molecule", {}).get("mapping")
    half = problem.num_qubits // 2
    orders = {"jordan_wigner": (0, 1) * half, "jordan_wigner_blocked": (0,) * half + (1,) * half}
    if mapping not in orders or problem.num_qubits % 2:
        raise ValueError(
            must("actions", "be 'blocks' or 'gates': excitations need a molecule in Jordan-Wigner", mapping)
        )
    return ExcitationSet(orders[mapping], problem.best_basis_state())


ACTIONS: Final[dict[str, Callable[..., Placements | None]]] = {
    "gates": _single_gates,
    "blocks": _blocks,
    "excitations": _excitations,
}
"""What an action appends, by name: functions of the gate set and the problem."""


def is_block_set(name: str, value: Any) -> Any:
    """Return a set of blocks.

    Raises:
        ValueError: It has not the methods of :class:`Placements`; ``name`` is the argument's name for the message.
    """
    if isinstance(value, type) or not all(
        callable(getattr(value, method, None)) for method in ("placements", "initial_circuit")
    ):
        raise ValueError(must(name, 'be a name, {"name": ..., settings}, or a BlockSet', value))
    return value

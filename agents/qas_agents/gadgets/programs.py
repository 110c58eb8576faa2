"""Circuits as sequences of calls of gates and gadgets, in a normal order up to commutation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from qas_simulators import Circuit, Gadget
from qas_simulators.errors import must
from qas_simulators.gates import GATES, gate_index
from qas_simulators.simplification import commute

SYMMETRIC = tuple(gate.name for gate in GATES if gate.is_symmetric)


class Call(NamedTuple):
    """One gate or gadget.

    Attributes:
        name: Name of a gate, or of a gadget of the vocabulary.
        qubits: Its qubits, in rising order for symmetric gates; formal qubits in a pattern.
    """

    name: str
    qubits: tuple[int, ...]


class Vocabulary:
    """The gates and the named gadgets that call sequences consist of.

    Args:
        gadgets: Initial gadgets.

    Raises:
        ValueError: Two different gadgets of the same name.
    """

    def __init__(self, gadgets: Iterable[Gadget] = ()) -> None:
        self.gadgets: dict[str, Gadget] = {}
        self._commuting: dict[tuple[str, str, tuple[int, ...], tuple[int, ...]], bool] = {}
        for gadget in gadgets:
            self.add(gadget)

    def add(self, gadget: Gadget) -> None:
        """Add a gadget."""
        if self.gadgets.setdefault(gadget.name, gadget) != gadget:
            raise ValueError(must("gadgets", "have different names", gadget.name))

    def num_angles(self, name: str) -> int:
        """Return the number of angles of a call."""
        return self.gadgets[name].num_params if name in self.gadgets else GATES[gate_index(name)].num_params

    def unrolled(self, call: Call) -> list[Call]:
        """Return the gates of a call."""
        if call.name not in self.gadgets:
            return [call]
        gates = self.gadgets[call.name].unrolled()
        return [made(name, [call.qubits[q] for q in formal]) for name, formal, _ in gates]

    def commute(self, first: Call, second: Call) -> bool:
        """Return whether two calls commute: every gate of one with every gate of the other."""
        there = {qubit: k for k, qubit in enumerate(dict.fromkeys(first.qubits + second.qubits))}
        if len(there) == len(first.qubits) + len(second.qubits):
            return True
        places = tuple(there[q] for q in first.qubits), tuple(there[q] for q in second.qubits)
        key = first.name, second.name, *places
        if key not in self._commuting:
            pairs = [(a, b) for a in self.unrolled(first) for b in self.unrolled(second)]
            self._commuting[key] = all(commute(a.name, a.qubits, b.name, b.qubits) for a, b in pairs)
        return self._commuting[key]


def made(name: str, qubits: Iterable[int]) -> Call:
    """Return a call, with its qubits in rising order if the gate is symmetric."""
    places = tuple(qubits)
    return Call(name, tuple(sorted(places)) if name in SYMMETRIC else places)


@dataclass(frozen=True)
class CallSequence:
    """A circuit as a sequence of calls, without angles.

    Attributes:
        num_qubits: Size of the register.
        calls: The calls in order.
    """

    num_qubits: int
    calls: tuple[Call, ...]

    @classmethod
    def of(cls, circuit: Circuit) -> CallSequence:
        """Return the gates of a circuit in the same order, without their angles."""
        return cls(circuit.num_qubits, tuple(made(name, qubits) for name, qubits, _ in circuit))

    def normal(self, vocabulary: Vocabulary) -> CallSequence:
        """Return the same circuit in the normal order of its calls."""
        return CallSequence(self.num_qubits, normal_form(self.calls, vocabulary))


def normal_form(calls: Sequence[Call], vocabulary: Vocabulary) -> tuple[Call, ...]:
    """Return calls in the smallest order, by qubits and name, that exchanges only commuting calls."""
    before = [{j for j in range(k) if not vocabulary.commute(calls[j], calls[k])} for k in range(len(calls))]
    left, order = list(range(len(calls))), []
    placed: set[int] = set()
    while left:
        ready = min((k for k in left if before[k] <= placed), key=lambda k: (calls[k].qubits, calls[k].name, k))
        left.remove(ready)
        placed.add(ready)
        order.append(calls[ready])
    return tuple(order)


class Dependencies:
    """The order that non-commuting calls of a sequence impose; sets of calls are the bits of integers.

    Args:
        program: The calls.
        vocabulary: Defines which calls commute.

    Attributes:
        after: For every call those that must come after it.
        before: For every call those that must come before it.
        neighbours: For every call those that share a qubit with it.
    """

    def __init__(self, program: CallSequence, vocabulary: Vocabulary) -> None:
        calls = program.calls
        self.calls = calls
        self.before, self.after, self.neighbours = [0] * len(calls), [0] * len(calls), [0] * len(calls)
        for k, call in enumerate(calls):
            for j in range(k - 1, -1, -1):
                if not set(call.qubits).isdisjoint(calls[j].qubits):
                    self.neighbours[k] |= 1 << j
                    self.neighbours[j] |= 1 << k
                    if not self.before[k] >> j & 1 and not vocabulary.commute(calls[j], call):
                        self.before[k] |= self.before[j] | 1 << j
        for k in range(len(calls)):
            for j in members(self.before[k]):
                self.after[j] |= 1 << k

    @cached_property
    def named(self) -> dict[str, int]:
        """The calls of each name."""
        found: dict[str, int] = {}
        for k, call in enumerate(self.calls):
            found[call.name] = found.get(call.name, 0) | 1 << k
        return found

    @cached_property
    def on(self) -> dict[int, int]:
        """The calls on each qubit."""
        found: dict[int, int] = {}
        for k, call in enumerate(self.calls):
            for qubit in call.qubits:
                found[qubit] = found.get(qubit, 0) | 1 << k
        return found

    @cached_property
    def everything(self) -> int:
        """All calls."""
        return (1 << len(self.calls)) - 1

    def between(self, chosen: int) -> int:
        """Return the other calls that must come between two chosen ones; a set is convex if there are none."""
        before = after = 0
        for k in members(chosen):
            before |= self.before[k]
            after |= self.after[k]
        return before & after & ~chosen

    def disjoint(self, occurrences: Sequence[int]) -> list[int]:
        """Choose disjoint occurrences that can all be replaced by single calls, those that end first."""
        chosen: list[int] = []
        used = 0
        for occurrence in sorted(occurrences, key=lambda bits: (bits.bit_length(), bits)):
            if not occurrence & used and (not chosen or self._order([*chosen, occurrence]) is not None):
                chosen.append(occurrence)
                used |= occurrence
        return chosen

    def rewritten(self, occurrences: Mapping[int, Call]) -> list[Call]:
        """Return the calls with each occurrence, chosen by :meth:`disjoint`, replaced by one call."""
        blocks = self._order(list(occurrences))
        assert blocks is not None
        return [occurrences[bits] if bits in occurrences else self.calls[bits.bit_length() - 1] for bits in blocks]

    def _order(self, occurrences: Sequence[int]) -> list[int] | None:
        """Return the calls in blocks, one per occurrence, in a valid order, or ``None`` if there is none."""
        covered = 0
        for bits in occurrences:
            covered |= bits
        blocks = [*occurrences, *(1 << k for k in members(self.everything & ~covered))]
        needs = []
        for bits in blocks:
            before = 0
            for k in members(bits):
                before |= self.before[k]
            needs.append(before & ~bits)
        order, done, left = [], 0, sorted(range(len(blocks)), key=lambda b: blocks[b] & -blocks[b])
        while left:
            ready = next((b for b in left if not needs[b] & ~done), None)
            if ready is None:
                return None
            left.remove(ready)
            order.append(blocks[ready])
            done |= blocks[ready]
        return order


def members(bits: int) -> list[int]:
    """Return the positions of the bits that are set."""
    found = []
    while bits:
        low = bits & -bits
        found.append(low.bit_length() - 1)
        bits ^= low
    return found

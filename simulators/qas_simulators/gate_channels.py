"""Gate channels: which channel follows which gate on which qubits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qas_simulators.channels import Channel
from qas_simulators.checks import distinct_qubits
from qas_simulators.errors import must
from qas_simulators.gates import GATES, gate_index


class ChannelRule(NamedTuple):
    """A channel, the gates it follows, and on which qubits: on these alone, or on all but some."""

    channel: Channel
    gates: frozenset[str]
    where: tuple[int, ...] | None
    except_on: frozenset[tuple[int, ...]]


Place = tuple[int, tuple[int, ...]]
"""The number of a rule, and qubits in ascending order."""


class GateChannels:
    """Rules in the order in which their channels act; see :meth:`NoiseModel.add`."""

    def __init__(self, rules: Iterable[ChannelRule] = ()) -> None:
        self._rules = list(rules)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def __iter__(self) -> Iterator[ChannelRule]:
        return iter(self._rules)

    def add(
        self,
        channel: Channel,
        gates: Iterable[str],
        qubits: Sequence[int] | None,
        except_on: Iterable[tuple[int, ...]],
        num_qubits: int | None,
    ) -> ChannelRule:
        """Append a rule and return it; ``num_qubits`` is the size of the device, ``None`` for any.

        Raises:
            ValueError: No gates, an unknown gate, a two-qubit channel on a one-qubit gate, or qubits on which one of
                the gates cannot act.
        """
        if not isinstance(channel, Channel):
            raise ValueError(must("channel", "be a Channel", channel))
        names = frozenset([gates] if isinstance(gates, str) else gates)
        if not names:
            raise ValueError(must("gates", "name at least one gate", sorted(names)))
        where = None if qubits is None else distinct_qubits("qubits", qubits, num_qubits)
        spared = frozenset(distinct_qubits("except_on", place, num_qubits) for place in except_on)
        sizes = {name: GATES[gate_index(name)].num_qubits for name in sorted(names)}
        for name, number in sizes.items():
            if number < channel.num_qubits:
                raise ValueError(must("channel", f"act on one qubit to follow gate {name!r}", channel.num_qubits))
            if where is not None and len(where) != number:
                raise ValueError(must("qubits", f"be {number} qubit(s) for gate {name!r}", list(where)))
        for place in spared:
            if len(place) not in sizes.values():
                raise ValueError(must("except_on", f"hold qubits of {sorted(names)}", place))
        rule = ChannelRule(channel, names, where, spared)
        self._rules.append(rule)
        return rule

    def scaled(self, factor: float) -> GateChannels:
        """Return the rules with ``factor`` times the noise.

        Raises:
            ValueError: A probability would exceed 1, or a power is not a channel.
        """
        return GateChannels(rule._replace(channel=rule.channel.scaled(factor)) for rule in self._rules)

    def places(self, num_qubits: int) -> list[Place]:
        """Return every rule with the qubits of each gate that it follows on a register of this size."""
        return [*dict.fromkeys((number, tuple(sorted(qubits))) for number, qubits, _ in self._split(num_qubits))]

    def varied(self, factors: Mapping[Place, float], num_qubits: int) -> GateChannels:
        """Return the rules for a register of this size, with each of :meth:`places` at ``factors`` times the noise.

        Raises:
            ValueError: A probability would exceed 1, or a power is not a channel.
        """
        found: dict[tuple[int, float], Channel] = {}
        rules = []
        for number, qubits, names in self._split(num_qubits):
            key = number, factors[number, tuple(sorted(qubits))]
            if key not in found:
                found[key] = self._rules[number].channel.scaled(key[1])
            rules.append(ChannelRule(found[key], names, qubits, frozenset()))
        return GateChannels(rules)

    def _split(self, num_qubits: int) -> Iterator[tuple[int, tuple[int, ...], frozenset[str]]]:
        """Yield the number of each rule with the qubits and the names of gates that it follows there."""
        for number, (_, names, where, except_on) in enumerate(self._rules):
            for size in (1, 2):
                own = frozenset(name for name in names if GATES[gate_index(name)].num_qubits == size)
                places = permutations(range(num_qubits), size) if where is None else (where,) * (len(where) == size)
                for qubits in places:
                    if own and qubits not in except_on and max(qubits) < num_qubits:
                        yield number, qubits, own

    def after(self, gate: str, qubits: tuple[int, ...]) -> list[tuple[Channel, tuple[int, ...]]]:
        """Return the channels that follow ``gate`` on ``qubits``, in order, each with the qubits it acts on."""
        found: list[tuple[Channel, tuple[int, ...]]] = []
        for channel, names, where, except_on in self._rules:
            if gate not in names or where not in (None, qubits) or qubits in except_on:
                continue
            if channel.num_qubits == len(qubits):
                found.append((channel, qubits))
            else:
                found += [(channel, (qubit,)) for qubit in qubits]
        return found

    def transfer_matrix(self, gate: str, qubits: tuple[int, ...]) -> NDArray[np.float64]:
        """Return all noise after ``gate`` as one Pauli transfer matrix, ``(4, 4)`` or ``(16, 16)``."""
        total: NDArray[np.float64] = np.eye(4 ** len(qubits))
        for channel, places in self.after(gate, qubits):
            wide = channel.ptm
            if len(places) < len(qubits):
                wide = np.asarray(np.kron(np.eye(4), wide) if places[0] == qubits[0] else np.kron(wide, np.eye(4)))
            total = wide @ total
        return total

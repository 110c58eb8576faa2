"""Gadget: a named, parametrised sub-circuit, unrolled before anything counts or simulates it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qas_simulators.bridges.qasm3_definitions import definition
from qas_simulators.circuit import Circuit
from qas_simulators.drawing import draw_text
from qas_simulators.errors import must
from qas_simulators.flat_circuit import Link
from qas_simulators.gates import GATE_INDEX, GATES, gate_index

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_WORDS = """OPENQASM include defcalgrammar def cal defcal gate extern box let break continue if else end return for
while in switch case default nop pragma input output const readonly mutable qreg qubit creg bool bit int uint float
angle complex array void duration stretch gphase inv pow ctrl negctrl dim durationof delay reset measure barrier true
false im pi tau euler U CX u1 u2 u3 u p cp cphase phase id ccx cswap cy ch crx cry crz cu"""
_RESERVED = frozenset(_WORDS.split())
_MOST_GATES: Final = 10_000  # of a gadget, unrolled
MOST_LEVELS: Final = 100  # of gadgets inside gadgets


Unrolled = tuple[str, tuple[int, ...], Link | None]
"""A gate of the table, formal qubits, and how its angle follows from the parameters."""


class Part(NamedTuple):
    """One operation of a gadget.

    Attributes:
        what: The name of a gate, or a gadget.
        qubits: Formal qubits that it acts on.
        links: How each of its angles follows from the parameters of the gadget that holds it.
    """

    what: str | Gadget
    qubits: tuple[int, ...]
    links: tuple[Link, ...] = ()


@dataclass(frozen=True)
class Gadget:
    """A sub-circuit over formal qubits, whose angles are parameters, shared or scaled ones, or constants.

    Attributes:
        name: A valid OpenQASM identifier, different from every gate's name.
        num_qubits: Number of formal qubits; every one is used.
        num_params: Number of parameters; every one is used.
        parts: Gates and gadgets, in order.

    Raises:
        ValueError: A name, qubit or parameter that does not fit; more than 10,000 gates after unrolling, or more than
            100 levels of gadgets.

    Examples:
        >>> gadget = Gadget("rz_cz", 2, 1, (Part("rz", (0,), (Link(0, 1.0, 0.0),)), Part("cz", (0, 1))))
        >>> gadget.circuit([0.3], num_qubits=3, qubits=[2, 0]).count_ops()
        {'rz': 1, 'cz': 1}
    """

    name: str
    num_qubits: int
    num_params: int
    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.match(self.name):
            raise ValueError(must("name", "be an identifier: letters, digits, underscores", self.name))
        if self.name in GATE_INDEX or self.name in _RESERVED:
            raise ValueError(must("name", "not be that of a gate or a word of OpenQASM", self.name))
        if not self.parts:
            raise ValueError(must("parts", f"hold at least one operation of gadget {self.name!r}", self.parts))
        sizes = self.num_qubits, self.num_params
        if not all(is_integer(size) and size >= 0 for size in sizes):
            raise ValueError(must(f"qubits and parameters of gadget {self.name!r}", "be integers", sizes))
        qubits, sources = set(), set()
        for part in self.parts:
            self._check(part)
            qubits |= {*part.qubits}
            sources |= {link.source for link in part.links if link.source >= 0 and link.factor != 0}
        for what, size, most in (("gates", self._extent[0], _MOST_GATES), ("levels", self._extent[1], MOST_LEVELS)):
            if size > most:
                raise ValueError(must(f"{what} of gadget {self.name!r}", f"be at most {most}", size))
        for what, used, number in (("qubits", qubits, self.num_qubits), ("parameters", sources, self.num_params)):
            if sorted(used) != list(range(min(number, len(used) + 1))):
                raise ValueError(must(f"{what} of gadget {self.name!r}", f"be 0..{number - 1}, all used", sorted(used)))

    @cached_property
    def _extent(self) -> tuple[int, int]:
        """Number of gates after unrolling, and of levels of gadgets."""
        inner = [part.what._extent for part in self.parts if isinstance(part.what, Gadget)]
        num_gates = len(self.parts) - len(inner) + sum(gates for gates, _ in inner)
        return num_gates, 1 + max((levels for _, levels in inner), default=0)

    def _check(self, part: Part) -> None:
        if not isinstance(part, Part) or not isinstance(part.what, str | Gadget):
            raise ValueError(must(f"parts of gadget {self.name!r}", "be objects of class Part", part))
        if not all(is_integer(qubit) for qubit in part.qubits):
            raise ValueError(must(f"qubits of gadget {self.name!r}", "be integers", part.qubits))
        label = part.what if isinstance(part.what, str) else part.what.name
        where = f"of {label!r} in gadget {self.name!r}"
        num_qubits, num_params = _sizes(part.what)
        if len(part.qubits) != num_qubits or len({*part.qubits}) != num_qubits:
            raise ValueError(must(f"qubits {where}", f"be {num_qubits} distinct ones", part.qubits))
        if len(part.links) != num_params:
            raise ValueError(must(f"angles {where}", f"be {num_params}", part.links))
        for link in part.links:
            if not -1 <= link.source < self.num_params:
                raise ValueError(must(f"parameters {where}", f"lie in 0..{self.num_params - 1}", link.source))
            if not np.isfinite([link.factor, link.offset]).all():
                raise ValueError(must(f"angles {where}", "be finite", link))

    def unrolled(self) -> tuple[Unrolled, ...]:
        """Return gates, formal qubits, and how the angle follows from the parameters (``None`` for fixed gates)."""
        return self._unrolled

    @cached_property
    def _unrolled(self) -> tuple[Unrolled, ...]:
        return tuple(self._unroll())

    def _unroll(self) -> Iterator[Unrolled]:
        for what, qubits, links in self.parts:
            if isinstance(what, str):
                yield what, qubits, links[0] if links else None
                continue
            for name, inner_qubits, inner in what.unrolled():
                places = tuple(qubits[qubit] for qubit in inner_qubits)
                yield name, places, None if inner is None else _composed(inner, links)

    @cached_property
    def is_linked(self) -> bool:
        """Whether some angle is not a parameter of its own, in the order of the gates."""
        links = [link for _, _, link in self.unrolled() if link is not None]
        return links != [Link(k, 1.0, 0.0) for k in range(self.num_params)]

    @property
    def num_two_qubit_gates(self) -> int:
        """Two-qubit gates after unrolling."""
        return sum(len(qubits) == 2 for _, qubits, _ in self.unrolled())

    @property
    def num_gates(self) -> int:
        """Gates after unrolling."""
        return len(self.unrolled())

    def append_to(self, circuit: Circuit, qubits: Sequence[int], params: Sequence[float] | None = None) -> int:
        """Append the unrolled gates and the parameters to a circuit; return the number of parameters.

        Args:
            circuit: The circuit, which is changed.
            qubits: One for every formal qubit.
            params: In radians; 0 by default.

        Raises:
            ValueError: Qubits or parameters that do not fit; the circuit is unchanged.
        """
        if len(qubits) != self.num_qubits or len({*qubits}) != len(qubits):
            raise ValueError(must("qubits", f"be {self.num_qubits} distinct ones for {self.name!r}", tuple(qubits)))
        if not all(0 <= qubit < circuit.num_qubits for qubit in qubits):
            raise ValueError(must("qubits", f"lie in 0..{circuit.num_qubits - 1}", tuple(qubits)))
        values = [0.0] * self.num_params if params is None else [float(value) for value in params]
        if len(values) != self.num_params or not np.isfinite(values).all():
            raise ValueError(must("params", f"be {self.num_params} finite numbers for {self.name!r}", params))
        gates, is_plain = self.unrolled(), not self.is_linked
        first = circuit.num_params
        if not is_plain:
            for value in values:
                circuit.append_param(value)
        for name, formal, link in gates:
            row, places = gate_index(name), [qubits[qubit] for qubit in formal]
            second = places[1] if len(places) == 2 else -1
            if link is None or is_plain:
                circuit.append_row(row, places[0], second, values[link.source] if link else 0.0)
            else:
                source = link.source + first if link.source >= 0 else -1
                circuit.append_linked(row, places[0], second, Link(source, link.factor, link.offset))
        return self.num_params

    def circuit(
        self, params: Sequence[float] | None = None, num_qubits: int | None = None, qubits: Sequence[int] | None = None
    ) -> Circuit:
        """Return a circuit of this gadget alone, by default on its own formal qubits."""
        circuit = Circuit(self.num_qubits if num_qubits is None else num_qubits)
        self.append_to(circuit, range(self.num_qubits) if qubits is None else qubits, params)
        return circuit

    def unitary(self, params: Sequence[float] | None = None) -> NDArray[np.complex128]:
        """Return the matrix ``(2**n, 2**n)``, formal qubit 0 the least significant bit."""
        from qas_simulators.reference import apply_left

        matrix = np.eye(1 << self.num_qubits, dtype=np.complex128)
        for name, qubits, angle in self.circuit(params):
            matrix = apply_left(GATES[gate_index(name)].matrix(angle or 0.0), qubits, matrix)
        return matrix

    def draw(self) -> str:
        """Return a text drawing, parameters written ``p0``, ``p1``, ..."""
        return draw_text(self.circuit(), self.angle_texts())

    def angle_texts(self) -> list[str]:
        """Return each rotation's angle as an expression of the parameters, such as ``0.5 * p0``."""
        return [_expression(link) for *_, link in self.unrolled() if link is not None]

    def to_qasm3(self) -> str:
        """Return an OpenQASM 3 definition, after those of the gadgets inside it."""
        return definitions([self])

    def _define(self, found: dict[str, str]) -> None:
        lines = []
        for what, qubits, links in self.parts:
            if isinstance(what, Gadget):
                what._define(found)
            elif (text := definition(what)) is not None:
                found[what] = text
            name = what if isinstance(what, str) else what.name
            angles = f"({', '.join(_expression(link) for link in links)})" if links else ""
            lines.append(f"  {name}{angles} {', '.join(f'q{qubit}' for qubit in qubits)};")
        params = f"({', '.join(f'p{k}' for k in range(self.num_params))})" if self.num_params else ""
        head = f"gate {self.name}{params} {', '.join(f'q{k}' for k in range(self.num_qubits))} {{"
        found[self.name] = "\n".join([head, *lines, "}"])


def definitions(gadgets: Iterable[Gadget]) -> str:
    """Return OpenQASM 3 definitions of gadgets and of all gates inside them beyond ``stdgates.inc``, each once."""
    found: dict[str, str] = {}
    for gadget in gadgets:
        gadget._define(found)
    return "\n".join(found.values())


def _sizes(what: str | Gadget) -> tuple[int, int]:
    """Return the numbers of qubits and of angles of a gate or gadget."""
    if isinstance(what, Gadget):
        return what.num_qubits, what.num_params
    gate = GATES[gate_index(what)]
    return gate.num_qubits, gate.num_params


def _composed(inner: Link, outer: Sequence[Link]) -> Link:
    """Return the link of an angle that follows from a parameter, which itself follows from another."""
    if inner.source < 0:
        return inner
    source, factor, offset = outer[inner.source]
    link = Link(source, inner.factor * factor if source >= 0 else 0.0, inner.offset + inner.factor * offset)
    if not np.isfinite(link[1:]).all():
        raise ValueError(must("factors", "have finite products over all levels of a gadget", inner.factor))
    return link


def _expression(link: Link) -> str:
    if link.source < 0:
        return repr(float(link.offset))
    text = f"p{link.source}" if link.factor == 1 else f"{float(link.factor)!r} * p{link.source}"
    return text if link.offset == 0 else f"{text} + {float(link.offset)!r}"


def is_integer(value: object) -> bool:
    """Return whether a value is a Python or NumPy integer, not a truth value."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)

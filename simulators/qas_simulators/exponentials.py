"""Exponentials of Pauli strings, qubit excitations and coupled exchanges, each with its circuit and its generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from qas_simulators.circuit import Circuit
from qas_simulators.errors import must
from qas_simulators.excitations import coupled_exchange, double_excitation, single_excitation
from qas_simulators.flat_circuit import Link
from qas_simulators.gadgets import Gadget, Part

_INTO_Z = {"X": (("h",), ("h",)), "Y": (("sdg", "h"), ("h", "s")), "Z": ((), ())}
"""Gates that change a Pauli matrix into Z, and gates that undo it."""


class Move(NamedTuple):
    """A part of an anti-Hermitian generator: from each basis state ``i`` with ``i & mask == value`` to ``i ^ flip``.

    The generator maps ``|i>`` to ``factor * sign |i ^ flip>``, and ``|i ^ flip>`` to ``-conj(factor) * sign |i>``,
    where ``sign`` is -1 if ``i & signs`` has an odd number of bits. If ``flip`` is 0, the two are added.
    """

    flip: int
    mask: int
    value: int
    signs: int = 0
    factor: complex = 1.0


@dataclass(frozen=True)
class Exponential:
    """``exp(angle / 2 * generator)`` on qubits of a register.

    Attributes:
        label: Unique in a pool.
        gadget: The circuit, with one parameter, the angle.
        qubits: Where the gadget acts.
        moves: The generator. No basis state is in two moves, and factors have magnitude 1, or 1/2 where ``flip`` is 0.
    """

    label: str
    gadget: Gadget
    qubits: tuple[int, ...]
    moves: tuple[Move, ...]

    @property
    def num_two_qubit_gates(self) -> int:
        """CNOTs of the circuit."""
        return self.gadget.num_two_qubit_gates

    def append_to(self, circuit: Circuit, angle: float = 0.0) -> None:
        """Append the gates, and one parameter.

        Args:
            circuit: The circuit, which is changed.
            angle: In radians.
        """
        self.gadget.append_to(circuit, self.qubits, [angle])


def pauli_exponential(label: str) -> Exponential:
    """Return ``exp(-i angle / 2 P)`` of a Pauli string: ``2 (weight - 1)`` CNOTs.

    Args:
        label: Read right to left like Qiskit's: the last letter is qubit 0.

    Raises:
        ValueError: Letters other than I, X, Y, Z, or only I.

    Examples:
        >>> pauli_exponential("XIZ").gadget.circuit().count_ops()
        {'h': 2, 'cx': 2, 'rz': 1}
    """
    letters = {qubit: letter for qubit, letter in enumerate(reversed(label)) if letter != "I"}
    if not letters or not set(letters.values()) <= {"X", "Y", "Z"}:
        raise ValueError(must("label", "have letters I, X, Y, Z, and not only I", label))
    flip = sum(1 << qubit for qubit, letter in letters.items() if letter in "XY")
    signs = sum(1 << qubit for qubit, letter in letters.items() if letter in "YZ")
    factor = -1j * 1j ** (flip & signs).bit_count() if flip else -0.5j
    move = Move(flip, flip & -flip, 0, signs, factor)
    return Exponential(label, _pauli_gadget("".join(letters.values())), tuple(letters), (move,))


@cache
def _pauli_gadget(letters: str) -> Gadget:
    """Return basis changes, a chain of CX, one RZ, and back; the first letter belongs to qubit 0."""
    name, last = f"exp_{letters.lower()}", len(letters) - 1
    if last == 0:
        return Gadget(name, 1, 1, (Part(f"r{letters.lower()}", (0,), (Link(0, 1.0, 0.0),)),))
    into, back = ([Part(name, (q,)) for q, x in enumerate(letters) for name in _INTO_Z[x][k]] for k in (0, 1))
    chain = [Part("cx", pair) for pair in pairwise(range(last + 1))]
    turn = Part("rz", (last,), (Link(0, 1.0, 0.0),))
    return Gadget(name, last + 1, 1, (*into, *chain, turn, *reversed(chain), *back))


def real_exponential(label: str) -> Exponential:
    """Return ``exp(-i angle / 2 P)`` of a Pauli string with an odd number of Y, of RY and CX.

    It has ``2 (weight - 1)`` CNOTs, and two more for each pair of Y. RY acts on the qubit of the first Y. CX from it to
    a qubit with X, and from a qubit with Z to it, extend the string; another CX turns X and Z on two qubits into Y.

    Args:
        label: As for :func:`pauli_exponential`.

    Raises:
        ValueError: Other letters than I, X, Y, Z, or an even number of Y.

    Examples:
        >>> real_exponential("XZY").gadget.circuit().count_ops()
        {'cx': 4, 'ry': 1}
        >>> real_exponential("XYYY").num_two_qubit_gates
        8
    """
    plain = pauli_exponential(label)
    letters = [label[-1 - qubit] for qubit in plain.qubits]
    if letters.count("Y") % 2 == 0:
        raise ValueError(must("label", "have an odd number of Y", label))
    center, *others = (q for q, letter in enumerate(letters) if letter == "Y")
    couples = list(zip(others[::2], others[1::2], strict=True))
    flipped = {q for q, letter in enumerate(letters) if letter == "X"} | {first for first, _ in couples}
    outer = [Part("cx", couple) for couple in couples]  # X on the control and Z on the target become -Y Y
    inner = [Part("cx", (center, q) if q in flipped else (q, center)) for q in range(len(letters)) if q != center]
    turn = Part("ry", (center,), (Link(0, (-1.0) ** len(couples), 0.0),))
    parts = *outer, *inner, turn, *reversed(inner), *reversed(outer)
    gadget = Gadget(f"real_exp_{''.join(letters).lower()}", len(letters), 1, parts)
    return Exponential(label, gadget, plain.qubits, plain.moves)


def qubit_excitation(sources: Sequence[int], targets: Sequence[int]) -> Exponential:
    """Return the excitation from one or two qubits to as many others; see :mod:`qas_simulators.excitations`.

    Args:
        sources: One qubit, or two.
        targets: As many others.

    Raises:
        ValueError: Other numbers of qubits, or a qubit given twice.

    Examples:
        >>> qubit_excitation([0, 1], [4, 5]).label
        '0 1 > 4 5'
    """
    qubits = *sources, *targets
    if len(sources) != len(targets) or len(qubits) not in (2, 4) or len({*qubits}) != len(qubits):
        raise ValueError(must("sources and targets", "be one or two qubits each, all different", (sources, targets)))
    gadget = single_excitation() if len(sources) == 1 else double_excitation()
    return Exponential(_label(sources, targets), gadget, qubits, (_excitation(sources, targets),))


def exchange(qubits: Sequence[int], sign: int) -> Exponential:
    """Return the excitation from 0 and 1 to 2 and 3, with that from 0 and 2 to 1 and 3, of four given qubits.

    Args:
        qubits: Four different ones.
        sign: 1, or -1 if the second excitation has the opposite angle.

    Raises:
        ValueError: Not four different qubits, or another sign.

    Examples:
        >>> exchange([2, 3, 4, 5], -1).label
        '2 3 > 4 5 - 2 4 > 3 5'
    """
    if len(qubits) != 4 or len({*qubits}) != 4:
        raise ValueError(must("qubits", "be four different ones", tuple(qubits)))
    gadget = coupled_exchange(sign)
    a, b, c, d = qubits
    label = f"{_label((a, b), (c, d))} {'+' if sign == 1 else '-'} {_label((a, c), (b, d))}"
    moves = _excitation((a, b), (c, d)), _excitation((a, c), (b, d))._replace(factor=float(sign))
    return Exponential(label, gadget, (a, b, c, d), moves)


def _excitation(sources: Sequence[int], targets: Sequence[int]) -> Move:
    value = sum(1 << qubit for qubit in sources)
    mask = value | sum(1 << qubit for qubit in targets)
    return Move(mask, mask, value)


def _label(sources: Sequence[int], targets: Sequence[int]) -> str:
    return f"{' '.join(map(str, sorted(sources)))} > {' '.join(map(str, sorted(targets)))}"

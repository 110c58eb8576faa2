"""Qubit excitations and coupled exchanges as gadgets, with the fewest CNOTs known for each.

A qubit excitation moves occupation from source qubits to target qubits without the signs of fermions. With an angle,
``|source> -> cos(angle / 2) |source> + sin(angle / 2) |target>`` and
``|target> -> cos(angle / 2) |target> - sin(angle / 2) |source>``; all other basis states stay as they are.

References:
    Yordanov, Arvidsson-Shukur and Barnes, "Efficient quantum circuits for quantum computational chemistry",
    arXiv:2005.14475 (single and double excitations).
    Yordanov, Armaos, Barnes and Arvidsson-Shukur, "Qubit-excitation-based adaptive variational quantum eigensolver",
    arXiv:2011.10540.
    Ramôa, Anastasiou, Santos, Mayhall, Barnes and Economou, "Reducing the resources required by ADAPT-VQE using coupled
    exchange operators and improved subroutines", arXiv:2407.08696 (coupled exchanges).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from qas_simulators.errors import must
from qas_simulators.flat_circuit import Link
from qas_simulators.gadgets import Gadget, Part


@cache
def single_excitation() -> Gadget:
    """Return the excitation from qubit 0 to qubit 1: two CNOTs.

    ``exp(angle / 4 (i Y0 X1 - i X0 Y1))``: H on qubit 0 and one CNOT turn the strings into ``-Y0`` and ``Y1``. All
    gates are real.

    Examples:
        >>> single_excitation().num_two_qubit_gates
        2
    """
    turns = Part("ry", (0,), (Link(0, 0.5, 0.0),)), Part("ry", (1,), (Link(0, 0.5, 0.0),))
    parts = Part("h", (0,)), Part("cx", (0, 1)), *turns, Part("cx", (0, 1)), Part("h", (0,))
    return Gadget("single_qubit_excitation", 2, 1, parts)


@cache
def double_excitation() -> Gadget:
    """Return the excitation from qubits 0 and 1 to qubits 2 and 3: 13 CNOTs.

    Three CNOTs make the two basis states differ in qubit 0 only, which a rotation with three controls then turns.

    Examples:
        >>> double_excitation().num_two_qubit_gates
        13
    """
    into = Part("cx", (0, 2)), Part("cx", (1, 3)), Part("cx", (0, 1))
    turn = _controlled_ry(0, {2: 1, 3: 1, 1: 0})
    back = *_flip_after_phase(0, 1), Part("cx", (0, 2)), Part("cx", (1, 3))
    return Gadget("double_qubit_excitation", 4, 1, (*into, *turn, *back))


@cache
def coupled_exchange(sign: int) -> Gadget:
    """Return the excitation from 0 and 1 to 2 and 3 together with that from 0 and 2 to 1 and 3: nine CNOTs.

    Both have the same angle, or (``sign=-1``) opposite ones. Qubits 0 and 3 differ in all four basis states, and so do
    1 and 2: two CNOTs make these differences controls of ``exp(i angle / 2 Y0 X1)``, or ``exp(i angle / 2 X0 Y1)``.

    Args:
        sign: 1 or -1.

    Raises:
        ValueError: Another sign.

    Examples:
        >>> coupled_exchange(-1).num_two_qubit_gates
        9
    """
    if sign not in (1, -1):
        raise ValueError(must("sign", "be 1 or -1", sign))
    turned, flipped, second, first = (0, 1, 2, 3) if sign == 1 else (1, 0, 3, 2)
    into = Part("cx", (turned, first)), Part("cx", (flipped, second)), Part("cx", (turned, flipped))
    turn = _controlled_ry(turned, {second: 1, first: 1})
    back = Part("cx", (turned, flipped)), Part("cx", (flipped, second)), *_flip_after_phase(turned, first)
    return Gadget(f"coupled_exchange_{'plus' if sign == 1 else 'minus'}", 4, 1, (*into, *turn, *back))


def _controlled_ry(target: int, controls: dict[int, int]) -> list[Part]:
    """Return RY by minus the parameter where each control has its value, without the last of its CZ.

    With ``c`` controls there are ``2**c`` rotations by equal fractions of the angle, each followed by a CZ with the
    control that the Gray code names; a CZ reverses the rotations before it. CZ is CX between two H, and RY between two
    H is RY by the opposite angle, so that two H are enough. The last CZ is with the last control.
    """
    order = _gray_code(list(controls))
    parts = [Part("h", (target,))]
    for k, control in enumerate(order):
        later = [qubit for qubit, value in controls.items() if order[k:].count(qubit) % 2 and value]
        fraction = (-1.0) ** len(later) / len(order)
        parts.append(Part("ry", (target,), (Link(0, fraction, 0.0),)))
        if k < len(order) - 1:
            parts.append(Part("cx", (control, target)))
    return [*parts, Part("h", (target,))]


def _gray_code(items: Sequence[int]) -> list[int]:
    """Return the items that change in a cyclic Gray code, as ``0 1 0 2 0 1 0 2`` for three."""
    half: list[int] = []
    for item in items[:-1]:
        half = [*half, item, *half]
    return [*half, items[-1]] * 2


def _flip_after_phase(control: int, target: int) -> tuple[Part, ...]:
    """Return CZ and then CX, which are together one CX: where the control is 1, ``X Z = -i Y``."""
    return Part("sdg", (target,)), Part("cx", (control, target)), Part("s", (target,)), Part("sdg", (control,))

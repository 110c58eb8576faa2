"""Dimension of the dynamical Lie algebra: what rotations and Clifford gates can reach together.

If the dimension is polynomial in the number of qubits, energies and gradients can be computed classically (Goh et al.,
arXiv:2308.01432). The variance of gradients of deep circuits falls with its inverse (Ragone et al., arXiv:2309.09342;
Fontana et al., arXiv:2309.07902).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from qas_simulators.circuit import Circuit
from qas_simulators.errors import must
from qas_simulators.pauli import PauliSum
from qas_simulators.stabilizers import PauliSlices

MOST_STRINGS: Final = 100_000
"""Dimension above which a count stops."""
_ROUNDING: Final = 1e-9
Mask = tuple[int, int]
Element = dict[Mask, float]


def algebra_of_strings(
    num_qubits: int, strings: Iterable[Mask], cliffords: Sequence[Circuit] = (), most: int = MOST_STRINGS
) -> int | None:
    """Return the dimension of the Lie algebra that Pauli strings generate, closed under Clifford gates too.

    Nested commutators of single strings are single strings, so they are counted one by one.

    Args:
        num_qubits: Size of the register.
        strings: Masks ``(x, z)`` of the strings that rotations turn about.
        cliffords: Circuits of Clifford gates that can act between rotations.
        most: Largest dimension to count.

    Returns:
        The dimension, without the identity; ``None`` if it is larger than ``most``.

    Examples:
        The terms of the open transverse-field Ising chain generate ``n (2 n - 1)`` dimensions:

        >>> pairs, fields = [(0, 0b11 << k) for k in range(3)], [(1 << k, 0) for k in range(4)]
        >>> algebra_of_strings(4, pairs + fields)
        28
    """
    generators = {string for string in strings if string != (0, 0)}
    known: set[Mask] = set()
    new = set(generators)
    while new:
        known |= new
        if len(known) > most:
            return None
        found = {image for clifford in cliffords for image in _conjugated(num_qubits, new, clifford)}
        for x, z in new:
            for gx, gz in generators:  # moved generators follow, because known strings are moved too
                if ((x & gz).bit_count() ^ (z & gx).bit_count()) & 1:
                    found.add((x ^ gx, z ^ gz))
            if len(found) > most + len(known):
                return None
        new = found - known
    return len(known)


def _conjugated(num_qubits: int, strings: Iterable[Mask], clifford: Circuit) -> list[Mask]:
    slices = PauliSlices(num_qubits, ((x, z, 0) for x, z in strings))
    slices.conjugate(clifford)
    return [(x, z) for x, z, _ in slices.strings()]


def algebra_of_sums(generators: Sequence[PauliSum], most: int = 2000) -> int | None:
    """Return the dimension of the Lie algebra that sums of Pauli strings generate, such as those of layers.

    Args:
        generators: Hermitian operators on one register.
        most: Largest dimension to count.

    Returns:
        The dimension; ``None`` if it is larger than ``most``.

    Raises:
        ValueError: No generators, or registers of different sizes.

    Examples:
        The two sums of the open transverse-field Ising chain generate ``n**2`` dimensions:

        >>> algebra_of_sums([PauliSum({"ZZI": 1.0, "IZZ": 1.0}), PauliSum({"XII": 1.0, "IXI": 1.0, "IIX": 1.0})])
        9
    """
    if len({one.num_qubits for one in generators}) != 1:
        raise ValueError(must("generators", "act on one register", [one.num_qubits for one in generators]))
    elements = [_element(one) for one in generators]
    basis: dict[Mask, Element] = {}
    new = [element for element in elements if _is_new(element, basis)]
    while new:
        found = []
        for element in new:
            for generator in elements:
                commutator = _commutator(generator, element)
                if commutator and _is_new(commutator, basis):
                    found.append(commutator)
            if len(basis) > most:
                return None
        new = found
    return len(basis)


def _element(operator: PauliSum) -> Element:
    masks = zip(operator.x.tolist(), operator.z.tolist(), strict=True)
    element = dict(zip(masks, operator.coefficients.tolist(), strict=True))
    element.pop((0, 0), None)
    return element


def _commutator(first: Element, second: Element) -> Element:
    """Return ``i [first, second] / 2``, divided by its largest coefficient."""
    found: Element = {}
    for (x, z), a in first.items():
        for (u, v), b in second.items():
            if not ((x & v).bit_count() ^ (z & u).bit_count()) & 1:
                continue
            string = x ^ u, z ^ v
            power = (x & z).bit_count() + (u & v).bit_count() + 2 * (z & u).bit_count()
            power += 1 - (string[0] & string[1]).bit_count()
            found[string] = found.get(string, 0.0) + a * b * (1 - (power & 3))
    largest = max(map(abs, found.values()), default=0.0)
    return {string: value / largest for string, value in found.items() if abs(value) > _ROUNDING * largest}


def _is_new(element: Element, basis: dict[Mask, Element]) -> bool:
    """Add an element to a basis in echelon form, by pivots; return whether it was independent."""
    rest = dict(element)
    while rest:
        pivot = max(rest, key=lambda string: (abs(rest[string]), string))
        if abs(rest[pivot]) <= _ROUNDING:
            return False
        held = [string for string in rest if string in basis]
        if not held:
            scale = rest[pivot]
            basis[pivot] = {string: value / scale for string, value in rest.items()}
            return True
        string = held[0]
        factor = rest[string]
        for other, value in basis[string].items():
            value = rest.get(other, 0.0) - factor * value
            if abs(value) > _ROUNDING:
                rest[other] = value
            else:
                rest.pop(other, None)
    return False

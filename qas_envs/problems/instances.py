"""Definitions of the shipped molecules: the tables that ``generate`` turns into files.

A molecule with one register is a row of :data:`MOLECULES`. Its problem, its environment id and its file follow from the
row. Molecules with several registers or mappings have a function of their own in
:mod:`~qas_envs.problems.molecules`.

``legacy-bohr`` variants read the published coordinates as bohr, as the released codes did although their file names
suggest ångström; the others are the true geometries.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final

from qas_envs.problems.chemistry import Atom, Molecule
from qas_simulators.errors import must

GEOMETRIES: Final = {"angstrom": "angstrom", "legacy-bohr": "bohr"}
H2_BOND_LENGTHS: Final = (0.7, 0.7414, 2.63)
LIH_BOND_LENGTHS: Final[dict[int, tuple[float, ...]]] = {
    4: (1.2, 1.4, 1.8, 2.2, 2.4, 2.8, 3.4, 3.6),  # with the members of the suite of families
    6: (1.2, 2.2, 3.4),
    12: (1.6, 3.0, 3.4),
}
BEH2_BOND_LENGTHS: Final = {6: (1.33,), 14: (1.3, 3.0)}
H2_MAPPINGS: Final = {2: "parity", 3: "parity_total", 4: "jordan_wigner"}
LIH_MAPPINGS: Final = {4: "parity", 6: "jordan_wigner", 12: "jordan_wigner"}
RELEASED_MAPPINGS: Final = {"h2": {2: "checksum", 3: "checksum_total"}, "lih": {6: "jordan_wigner_blocked"}}
"""Mappings in which CRLQAS released these instances; the others have the same mapping, qubits in reverse order."""
_H2O: Final[tuple[Atom, ...]] = (
    ("H", (-0.021, -0.002, 0.0)),
    ("O", (0.835, 0.452, 0.0)),
    ("H", (1.477, -0.273, 0.0)),
)
_H2O_SPACES: Final = {8: ("sto-3g", (3, 4, 5, 6)), 10: ("6-31g", (3, 4, 5, 6, 7)), 12: ("6-31g", (3, 4, 5, 6, 7, 8))}
H2O_QUBITS: Final = (*_H2O_SPACES, 14)
_H2O_VALENCE: Final = (2, 3, 4)  # occupied orbitals above 1s and 2s, by energy
_CH2: Final[tuple[Atom, ...]] = (("C", (0.0, 0.0, 0.0)), ("H", (1.08, 0.0, 0.0)), ("H", (-0.225, 1.056, 0.0)))


def diatomic(symbols: tuple[str, str], bond_length: float) -> tuple[Atom, ...]:
    """Return two atoms on the z axis."""
    return ((symbols[0], (0.0, 0.0, 0.0)), (symbols[1], (0.0, 0.0, bond_length)))


def h2(bond_length: float, num_qubits: int, mapping: str | None = None) -> Molecule:
    """H2, STO-3G, all orbitals; ``bond_length`` in ångström."""
    atoms = diatomic(("H", "H"), bond_length)
    return Molecule(f"H2 ({bond_length} Å)", atoms, "angstrom", "sto-3g", mapping or H2_MAPPINGS[num_qubits])


def lih(bond_length: float, num_qubits: int, geometry: str = "angstrom", mapping: str | None = None) -> Molecule:
    """LiH, STO-3G: (2e, 3o) in the sigma orbitals with 4 or 6 qubits, all orbitals with 12.

    The released 6-qubit file in bohr takes the three orbitals of lowest energy, one of them pi, instead.
    """
    unit = GEOMETRIES[geometry]
    name = f"LiH ({bond_length} {'Å' if unit == 'angstrom' else 'bohr, legacy'})"
    atoms, mapping = diatomic(("Li", "H"), bond_length), mapping or LIH_MAPPINGS[num_qubits]
    if num_qubits == 12:
        return Molecule(name, atoms, unit, "sto-3g", mapping)
    active = (1, 2, 5) if unit == "angstrom" else (1, 2, 3)
    return Molecule(name, atoms, unit, "sto-3g", mapping, frozen=(0,), active=active)


def beh2(geometry: str, num_qubits: int = 6, bond_length: float = 1.33) -> Molecule:
    """BeH2, linear, STO-3G, Jordan-Wigner: (4e, 3o) with 6 qubits, all orbitals with 14; both bonds are equal."""
    atoms: tuple[Atom, ...] = (("H", (0.0, 0.0, -bond_length)), ("Be", (0.0, 0.0, 0.0)), ("H", (0.0, 0.0, bond_length)))
    if num_qubits == 14:
        return Molecule(f"BeH2 (14 qubits, {bond_length} Å)", atoms, GEOMETRIES[geometry], "sto-3g", "jordan_wigner")
    name = f"BeH2 ({geometry})" if bond_length == 1.33 else f"BeH2 ({bond_length} Å)"
    return Molecule(name, atoms, GEOMETRIES[geometry], "sto-3g", "jordan_wigner", frozen=(0,), active=(1, 2, 3))


def h2o(num_qubits: int, geometry: str) -> Molecule:
    """H2O, Jordan-Wigner: four active electrons in STO-3G on 8 qubits, in 6-31G on 10 and 12; all STO-3G on 14."""
    name = f"H2O ({num_qubits} qubits, {geometry})"
    if num_qubits == 14:
        return Molecule(name, _H2O, GEOMETRIES[geometry], "sto-3g", "jordan_wigner")
    basis, active = _H2O_SPACES[num_qubits]
    return Molecule(name, _H2O, GEOMETRIES[geometry], basis, "jordan_wigner", frozen=(0, 1, 2), active=active)


def ch2(geometry: str) -> Molecule:
    """CH2, STO-3G, (6e, 4o) of closed-shell orbitals, Jordan-Wigner, 8 qubits.

    The ground state is a triplet. With the orbitals of the triplet one determinant would be exact. The orbitals of the
    released file (-37.08629756 Ha, coordinates in bohr) are unknown; those used here give -37.08490006 Ha.
    """
    name, unit = f"CH2 ({geometry})", GEOMETRIES[geometry]
    return Molecule(name, _CH2, unit, "sto-3g", "jordan_wigner", frozen=(0,), active=(1, 2, 3, 4))


def _hydrogen_chain(num_atoms: int, bond_length: float) -> Molecule:
    atoms = tuple(("H", (0.0, 0.0, bond_length * k)) for k in range(num_atoms))
    return Molecule(f"H{num_atoms} chain ({bond_length} Å)", atoms, "angstrom", "sto-3g", "jordan_wigner")


def h4_chain(bond_length: float = 1.0) -> Molecule:
    """Four hydrogen atoms in a row, STO-3G, 8 qubits; ``bond_length`` in ångström: 1.0 is shipped."""
    return _hydrogen_chain(4, bond_length)


def h6_chain(bond_length: float = 1.0) -> Molecule:
    """Six hydrogen atoms in a row, STO-3G, 12 qubits; ``bond_length`` in ångström: 1.0 and 1.5 are shipped."""
    return _hydrogen_chain(6, bond_length)


def n2(bond_length: float = 1.1) -> Molecule:
    """N2, STO-3G, (6e, 6o), 12 qubits; ``bond_length`` in ångström: 1.1 is shipped.

    The four orbitals of lowest energy are frozen: 1s and 2s of both atoms (1 and 2 sigma g, 1 and 2 sigma u). Kept are
    the bonding and antibonding orbitals of the three bonds: 3 sigma g, 3 sigma u, and both pairs of pi orbitals.
    """
    atoms, active = diatomic(("N", "N"), bond_length), (4, 5, 6, 7, 8, 9)
    return Molecule(
        f"N2 ({bond_length} Å)", atoms, "angstrom", "sto-3g", "jordan_wigner", frozen=(0, 1, 2, 3), active=active
    )


def stretched_h2o() -> Molecule:
    """H2O with both bonds stretched to 1.5 Å at 104.45 degrees, STO-3G, (4e, 4o), Jordan-Wigner, 8 qubits."""
    atoms: tuple[Atom, ...] = (
        ("O", (0.0, 0.0, 0.0)),
        ("H", (1.5, 0.0, 0.0)),
        ("H", (-0.3743182, 1.4525440, 0.0)),
    )
    name = "stretched H2O (1.5 Å)"
    return Molecule(name, atoms, "angstrom", "sto-3g", "jordan_wigner", frozen=(0, 1, 2), active=(3, 4, 5, 6))


def h4_rectangle(radius: float = 1.2, angle: float = 75.0) -> Molecule:
    """Four hydrogen atoms at the corners of a rectangle, STO-3G, parity mapping, 6 qubits.

    At 90 degrees it is a square, whose two lowest configurations are degenerate (Van Voorhis, Head-Gordon, J. Chem.
    Phys. 113, 8873, 2000). Other geometries than the shipped ones need the ``chemistry`` extra.

    Args:
        radius: Distance of the atoms from the centre, in ångström.
        angle: Between the diagonals, in degrees.
    """
    if not 0.1 <= radius <= 10:
        raise ValueError(must("radius", "lie in [0.1, 10] ångström", radius))
    if not 1 <= angle <= 179:
        raise ValueError(must("angle", "lie in [1, 179] degrees", angle))
    half = math.radians(angle) / 2
    x, y = round(radius * math.cos(half), 8), round(radius * math.sin(half), 8)
    atoms = tuple(("H", (sign * x, other * y, 0.0)) for sign, other in ((1, 1), (1, -1), (-1, -1), (-1, 1)))
    return Molecule(f"H4 rectangle ({radius} Å, {angle} degrees)", atoms, "angstrom", "sto-3g", "parity")


def bent_h2o(bond_length: float = 1.0, angle: float = 104.0, frozen_orbital: int = 3) -> Molecule:
    """H2O with two equal bonds, STO-3G, (4e, 4o), Jordan-Wigner, 8 qubits, along bond, angle and active space.

    The seven orbitals are numbered by energy. The two lowest ones, the oxygen's 1s and 2s in the main, are frozen, and
    so is one of the three other occupied ones; the two remaining ones and the two empty ones, both antibonding, are
    active. Up to 1.2 Å and 116 degrees orbital 2 is the antisymmetric bond (1b2), 3 the symmetric bond and lone pair
    (3a1), and 4 the lone pair across the plane (1b1): without the last, both bonds are correlated. Beyond, the order
    changes. Other instances than the shipped ones need the ``chemistry`` extra.

    Args:
        bond_length: Of both bonds, in ångström.
        angle: Between the bonds, in degrees.
        frozen_orbital: 2, 3 or 4, the valence orbital that is doubly occupied.
    """
    if not 1 <= angle <= 180:
        raise ValueError(must("angle", "lie in [1, 180] degrees", angle))
    if frozen_orbital not in _H2O_VALENCE:
        raise ValueError(must("frozen_orbital", "be 2, 3 or 4", frozen_orbital))
    half = math.radians(angle) / 2
    x, y = round(bond_length * math.sin(half), 8), round(bond_length * math.cos(half), 8)
    atoms: tuple[Atom, ...] = (("O", (0.0, 0.0, 0.0)), ("H", (x, y, 0.0)), ("H", (-x, y, 0.0)))
    kept = tuple(k for k in _H2O_VALENCE if k != frozen_orbital)
    name = f"bent H2O ({bond_length} Å, {angle} degrees, orbital {frozen_orbital} frozen)"
    frozen, active = (0, 1, frozen_orbital), (*kept, 5, 6)
    return Molecule(name, atoms, "angstrom", "sto-3g", "jordan_wigner", frozen=frozen, active=active)


@dataclass(frozen=True)
class MoleculeRow:
    """One row of the table of molecules with one register.

    Attributes:
        environment: Environment id.
        define: Returns the molecule. Its arguments, with their defaults, are those of the problem, and its docstring
            describes the problem.
        file: Name of an instance's file, without the ending; ``{argument}`` stands for its value. A slash stands
            between the name of a file with many instances and that of the instance in it.
        settings: Arguments of the instances with a file.
    """

    environment: str
    define: Callable[..., Molecule]
    file: str
    settings: tuple[Mapping[str, float], ...] = ({},)

    @property
    def signature(self) -> inspect.Signature:
        """Arguments with defaults."""
        return inspect.signature(self.define, eval_str=True)

    def instances(self) -> dict[str, Molecule]:
        """Return the shipped molecules by the name of their file."""
        return {self.file.format(**each): self.define(**each) for each in self.settings}


def _grid(**values: tuple[float, ...]) -> tuple[Mapping[str, float], ...]:
    """Return all combinations of the values of arguments."""
    return tuple(dict(zip(values, each, strict=True)) for each in product(*values.values()))


def _lengths(*bond_lengths: float) -> tuple[Mapping[str, float], ...]:
    return _grid(bond_length=bond_lengths)


H4_RECTANGLES: Final = {
    "train": _grid(radius=(0.8, 1.0, 1.2, 1.4), angle=(60.0, 70.0, 80.0)),
    "validation": _grid(radius=(1.0, 1.2), angle=(75.0,)),
    "test": _grid(radius=(0.9, 1.1, 1.3), angle=(65.0, 75.0, 85.0)),
}
"""Geometries of :func:`h4_rectangle` with a file, by what they are for."""
BENT_H2O: Final = {
    "train": _grid(bond_length=(0.9, 1.0, 1.1, 1.2), angle=(96.0, 106.0, 116.0), frozen_orbital=_H2O_VALENCE),
    "validation": _grid(bond_length=(1.0, 1.1), angle=(104.0,), frozen_orbital=_H2O_VALENCE),
    "test": _grid(bond_length=(0.95, 1.05, 1.15), angle=(100.0, 107.0, 114.0), frozen_orbital=_H2O_VALENCE),
}
"""Arguments of :func:`bent_h2o` in the file, by what they are for."""

MOLECULES: Final[dict[str, MoleculeRow]] = {
    "h4_chain": MoleculeRow("QAS-H4-v0", h4_chain, "h4_8_jordan_wigner_{bond_length}_angstrom", _lengths(1.0)),
    "h6_chain": MoleculeRow("QAS-H6-v0", h6_chain, "h6_12_jordan_wigner_{bond_length}_angstrom", _lengths(1.0, 1.5)),
    "n2": MoleculeRow("QAS-N2-v0", n2, "n2_12_jordan_wigner_{bond_length}_angstrom", _lengths(1.1)),
    "stretched_h2o": MoleculeRow("QAS-StretchedH2O-v0", stretched_h2o, "stretched_h2o_8_jordan_wigner_angstrom"),
    "h4_rectangle": MoleculeRow(
        "QAS-H4Rectangle-v0",
        h4_rectangle,
        "h4_rectangle_6_parity_{radius}_{angle}_angstrom",
        tuple(each for split in H4_RECTANGLES.values() for each in split),
    ),
    "bent_h2o": MoleculeRow(
        "QAS-BentH2O-v0",
        bent_h2o,
        "bent_h2o_8_jordan_wigner/{bond_length}_{angle}_{frozen_orbital}",
        tuple(each for split in BENT_H2O.values() for each in split),
    ),
}
"""Molecules with one register, by the name of the problem."""


def file_of(name: str) -> tuple[str, str]:
    """Return the file of a shipped molecule, and the name of its instance in a file with many; else an empty one."""
    stem, _, instance = name.partition("/")
    return f"{stem}.json", instance


def shipped() -> dict[str, Molecule]:
    """Return every shipped molecule by its name, as :func:`file_of` takes it."""
    table = {f"h2_{n}_{mapping}_{r}_angstrom": h2(r, n) for n, mapping in H2_MAPPINGS.items() for r in H2_BOND_LENGTHS}
    for n in LIH_BOND_LENGTHS:
        table |= {f"lih_{n}_{LIH_MAPPINGS[n]}_{r}_angstrom": lih(r, n) for r in LIH_BOND_LENGTHS[n]}
    for geometry in GEOMETRIES:
        label = geometry.replace("-", "_")
        table[f"beh2_6_jordan_wigner_{label}"] = beh2(geometry)
        table[f"ch2_8_jordan_wigner_{label}"] = ch2(geometry)
        table |= {f"h2o_{n}_jordan_wigner_{label}": h2o(n, geometry) for n in _H2O_SPACES}
    table |= {f"h2_{n}_{name}_0.7414_angstrom": h2(0.7414, n, name) for n, name in RELEASED_MAPPINGS["h2"].items()}
    table["lih_6_jordan_wigner_blocked_2.2_angstrom"] = lih(2.2, 6, mapping="jordan_wigner_blocked")
    table |= {f"lih_{n}_jordan_wigner_3.4_legacy_bohr": lih(3.4, n, "legacy-bohr") for n in (6, 12)}
    table |= {f"beh2_14_jordan_wigner_{r}_angstrom": beh2("angstrom", 14, r) for r in BEH2_BOND_LENGTHS[14]}
    table["h2o_14_jordan_wigner_angstrom"] = h2o(14, "angstrom")
    for row in MOLECULES.values():
        table |= row.instances()
    return table

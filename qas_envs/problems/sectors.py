"""Sectors: states with a given number of electrons and a given Sz."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from qas_simulators.errors import must

AIMS: Final = ("penalty", "reference")


@dataclass(frozen=True)
class Sector:
    """All states with a given number of electrons and a given Sz.

    Attributes:
        electrons: Number of electrons in the active space.
        sz: Half the difference of up and down, in units of hbar: 1 for a triplet of highest weight.
        aim: ``"penalty"`` adds a multiple of ``(N - electrons)**2 + (Sz - sz)**2`` to the Hamiltonian, so that the
            sector's lowest state is the lowest of all; ``"reference"`` leaves the Hamiltonian and makes the sector's
            lowest energy the ground energy of the problem, although states of other sectors may have lower energies.
    """

    electrons: int
    sz: float
    aim: str = "penalty"

    @property
    def up(self) -> int:
        """Number of electrons with spin up."""
        return round(self.electrons / 2 + self.sz)

    @property
    def down(self) -> int:
        """Number of electrons with spin down."""
        return self.electrons - self.up

    def check(self, orbitals: int) -> None:
        """Check that the electrons fit into the orbitals.

        Raises:
            ValueError: More electrons of one spin than orbitals.
        """
        if not (0 <= self.up <= orbitals and 0 <= self.down <= orbitals):
            raise ValueError(must("sector", f"fit into {orbitals} orbitals", (self.electrons, self.sz)))


def sector_of(value: Sequence[Any] | None) -> Sector | None:
    """Read ``(electrons, sz)`` or ``(electrons, sz, "reference")``.

    Raises:
        ValueError: Something else, or an Sz that is impossible for the number of electrons.
    """
    if value is None:
        return None
    wanted = f"be (electrons, Sz) with a possible Sz, and optionally one of {list(AIMS)} as a third entry"
    try:
        electrons, sz, *rest = value
        sector = Sector(int(electrons), float(sz), *rest)
        fits = sector.electrons == electrons >= 0 and 2 * sector.sz == round(2 * sector.sz)
        fits = fits and sector.up - sector.down == 2 * sector.sz and 0 <= sector.up <= sector.electrons
    except (TypeError, ValueError, OverflowError):
        raise ValueError(must("sector", wanted, value)) from None
    if not fits or sector.aim not in AIMS:
        raise ValueError(must("sector", wanted, value))
    return sector


def warn_of_sector(name: str, sector: Sector, ground: float, with_electrons: float | None, own: float) -> None:
    """Warn that the lowest state of a register is in another sector than the molecule.

    Args:
        name: Name of the instance.
        sector: Sector of the molecule.
        ground: The lowest energy of the register, in Hartree.
        with_electrons: The lowest energy with the molecule's number of electrons, if the lowest state has another one.
        own: The lowest energy of the molecule's sector.
    """
    if with_electrons is not None:
        other = f"another number of electrons: with its own the lowest is {with_electrons:.6f} Ha"
    else:
        other = f"another spin: with Sz = {sector.sz:g} the lowest is {own:.6f} Ha"
    warnings.warn(
        f"The exact energy of {name}, {ground:.6f} Ha, is that of {other}. The qubits' Hamiltonian knows neither "
        f"charge nor spin; `sector=({sector.electrons}, {sector.sz:g})` asks for the molecule's own.",
        UserWarning,
        stacklevel=4,
    )

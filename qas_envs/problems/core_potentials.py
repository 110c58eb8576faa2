"""Effective core potentials: the potential of a basis set, and basis sets that need one."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Final

from qas_simulators.errors import must, needs_extra

_FAMILIES: Final = (re.compile(r"(ccecp(?:he|reg|28|36|46|60|78)?)(?:aug)?ccpv"), re.compile(r"(bfd)v"))
"""Potentials of basis sets whose potential has another name."""
_CORE: Final = 0.8  # of the energy of one electron around the bare nucleus


def potentials_of(basis: str | Mapping[str, str], symbols: Iterable[str]) -> dict[str, str]:
    """Return the name of the potential of every element whose basis set comes with one.

    Args:
        basis: Name of a basis set, or one name for each element (``"default"`` for the others).
        symbols: The atoms.

    Raises:
        ValueError: No basis for one of the atoms.
    """
    with needs_extra("chemistry"):
        from pyscf import gto

    found = {}
    for symbol in sorted(set(symbols)):
        element = re.sub(r"[^A-Za-z]", "", symbol)
        name = basis_of(basis, symbol)
        squeezed = re.sub(r"[-_ ()]", "", name.lower())
        family = next((match[1] for pattern in _FAMILIES if (match := pattern.match(squeezed))), name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                potential = gto.basis.load_ecp(family, element)
            except (RuntimeError, KeyError, TypeError, ValueError, AssertionError):
                continue  # of a basis that PySCF does not know it says so itself
        if potential:
            found[symbol] = family
    return found


def basis_of(basis: str | Mapping[str, str], symbol: str) -> str:
    """Return the name of an atom's basis set.

    Raises:
        ValueError: There is none.
    """
    if isinstance(basis, str):
        return basis
    element = re.sub(r"[^A-Za-z]", "", symbol)
    for name in (symbol, element, "default"):
        if isinstance(basis.get(name), str):
            return basis[name]
    raise ValueError(must("basis", f"have the name of a basis set for {symbol}", dict(basis)))


def check_cores(mol: Any, basis: str | Mapping[str, str]) -> None:
    """Raise an error for valence-only basis sets without their potential.

    One electron around the bare nucleus has the energy -Z**2 / 2. Every basis for all electrons comes near it, a basis
    for valence electrons reaches no more than about three quarters.

    Raises:
        ValueError: A basis without core functions where the molecule has no core potential.
    """
    from pyscf import gto
    from scipy.linalg import eigh

    for symbol in sorted({mol.atom_symbol(k) for k in range(mol.natm)} - set(mol._ecp)):
        charge = gto.charge(symbol)
        name = basis_of(basis, symbol)
        if charge == 0:
            continue
        atom = gto.M(atom=[[symbol, (0.0, 0.0, 0.0)]], basis={symbol: mol._basis[symbol]}, spin=None, verbose=0)
        one_electron = atom.intor("int1e_kin") + atom.intor("int1e_nuc")
        lowest = eigh(one_electron, atom.intor("int1e_ovlp"), eigvals_only=True)[0]
        if lowest > -_CORE * charge**2 / 2 or name.lower().startswith("gth"):
            hint = f"be for all electrons of {symbol}, or come with a core potential that PySCF knows"
            raise ValueError(must("basis", hint, name))

"""FCIDUMP files: integrals of electrons in orbitals, as most quantum chemistry programs write them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qas_envs.problems.fermions import Integrals
from qas_envs.problems.sectors import Sector, sector_of
from qas_simulators.errors import must

_HEADER: Final = re.compile(r"\s*&FCI\b(.*?)(?:&END|\$END|/)", re.DOTALL | re.IGNORECASE)
_ENTRY: Final = re.compile(r"([A-Za-z]\w*)\s*=\s*([^=]*?)\s*,?\s*(?=[A-Za-z]\w*\s*=|$)")
_SAME: Final = 1e-8  # Hartree: how far apart integrals may be that symmetry makes equal
_MOST_ORBITALS: Final = 15
_HEADER_SIZE: Final = 10_000  # characters

Row = tuple[float, int, int, int, int]


def read_fcidump(path: str | os.PathLike[str]) -> Integrals:
    """Read an FCIDUMP file of real, spin-restricted orbitals (Knowles and Handy, 1989).

    ``value i j k l`` is the integral ``(ij|kl)`` in chemists' notation, orbitals counted from 1; with k = l = 0 a
    one-electron integral, with all 0 the constant. Orbital energies (j = k = l = 0) are skipped. The sector is that of
    NELEC and MS2.

    Raises:
        ValueError: The file cannot be read, is damaged, or has unrestricted or complex orbitals; the line is named.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no text"
        raise ValueError(must("hamiltonian", f"name an FCIDUMP file that can be read ({reason})", str(path))) from None
    header = _HEADER.match(text[:_HEADER_SIZE])
    if header is None:
        raise _fault(path, "a header &FCI ... &END", text[:40])
    orbitals, sector = _settings(path, header[1])
    first_line = text.count("\n", 0, header.end()) + 1
    rows = list(_rows(path, text[header.end() :], first_line, orbitals))
    one_body, two_body = np.zeros((orbitals,) * 2), np.zeros((orbitals,) * 4)
    constants = [value for value, *indices in rows if not any(indices)]
    if len(constants) > 1 and np.ptp(constants) > _SAME:
        raise _fault(path, "one constant (unrestricted orbitals have several)", constants[:3])
    _fill(path, one_body, [(value, i, j) for value, i, j, k, _ in rows if j and not k], [(0, 1)])
    _fill(path, two_body, [row for row in rows if row[4]], [(0, 1), (2, 3)])
    if not one_body.any():
        raise _fault(path, "one-electron integrals", f"{len(rows)} lines without any")
    return Integrals(constants[-1] if constants else 0.0, one_body, two_body, sector)


def _settings(path: str | os.PathLike[str], header: str) -> tuple[int, Sector]:
    """Return the number of orbitals and the sector that the header states."""
    settings = {name.upper(): value.strip(" ,\n\r\t") for name, value in _ENTRY.findall(header.strip())}
    if any(settings.get(name, "").strip(".").upper()[:1] in ("T", "1") for name in ("UHF", "IUHF")):
        raise _fault(path, "spin-restricted orbitals", "UHF")
    numbers = {}
    for name in ("NORB", "NELEC", "MS2"):
        try:
            numbers[name] = int(settings.get(name, "0" if name == "MS2" else ""))
        except ValueError:
            raise _fault(path, f"an integer {name}", settings.get(name)) from None
    orbitals = numbers["NORB"]
    if not 1 <= orbitals <= _MOST_ORBITALS:
        raise _fault(path, f"NORB in 1..{_MOST_ORBITALS} (two qubits each)", orbitals)
    try:
        sector = sector_of((numbers["NELEC"], numbers["MS2"] / 2))
        assert sector is not None
        sector.check(orbitals)
    except ValueError:
        raise _fault(path, "NELEC and MS2 that go together and fit NORB", numbers) from None
    return orbitals, sector


def _rows(path: str | os.PathLike[str], body: str, first_line: int, orbitals: int) -> Iterator[Row]:
    """Yield the value and the four indices of every line."""
    for number, line in enumerate(body.split("\n"), start=first_line):
        words = line.split()
        if not words:
            continue
        try:
            value, (i, j, k, m) = float(re.sub("[dD]", "e", words[0])), map(int, words[1:])
            known = np.isfinite(value) and all(0 <= index <= orbitals for index in (i, j, k, m))
        except ValueError:
            known = False
        if not known or (not j and k) or bool(k) != bool(m) or (j and not i):
            raise _fault(path, f"a real number and four orbitals in 0..{orbitals} in line {number}", line.strip()[:80])
        yield value, i, j, k, m


def _fill(
    path: str | os.PathLike[str],
    tensor: NDArray[np.float64],
    rows: list[tuple[float | int, ...]],
    pairs: list[tuple[int, int]],
) -> None:
    """Set an integral and all integrals that are equal to it by symmetry."""
    values = np.array([row[0] for row in rows])
    indices = np.array([row[1:] for row in rows], dtype=np.int64).reshape(len(rows), tensor.ndim).T - 1
    for order in _orders(pairs):
        tensor[tuple(indices[list(order)])] = values
    if np.abs(tensor[tuple(indices)] - values).max(initial=0.0) > _SAME:
        raise _fault(path, "integrals with the symmetry of real orbitals", "two values for one integral")


def _orders(pairs: list[tuple[int, int]]) -> Iterator[tuple[int, ...]]:
    for first in (pairs, pairs[::-1]):
        for turned in product((False, True), repeat=len(pairs)):
            yield tuple(
                place for pair, turn in zip(first, turned, strict=True) for place in (pair[::-1] if turn else pair)
            )


def _fault(path: str | os.PathLike[str], requirement: str, found: object) -> ValueError:
    return ValueError(must("hamiltonian", f"name an FCIDUMP file ({path}) that has {requirement}", found))

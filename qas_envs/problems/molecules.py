"""Molecular instances: data files with provenance, checked by hash when read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from qas_envs.problems.problem import CHEMICAL_ACCURACY, Problem
from qas_simulators import PauliSum
from qas_simulators.errors import must

H2_BOND_LENGTHS = (0.7414,)
LIH_BOND_LENGTHS = (1.2, 2.2, 3.4)


def hash_of_terms(terms: Mapping[str, float]) -> str:
    """Return the SHA-256 of the Pauli terms, sorted by label, coefficients with all their digits."""
    return hashlib.sha256(json.dumps(dict(sorted(terms.items()))).encode()).hexdigest()


@cache
def load_molecule(file_name: str) -> Problem:
    """Read one instance of ``qas_envs/problems/data``.

    Raises:
        ValueError: The file's terms do not have the hash it states.
    """
    record: dict[str, Any] = json.loads(files("qas_envs.problems.data").joinpath(file_name).read_text("utf-8"))
    terms = record.pop("terms")
    if hash_of_terms(terms) != record["sha256"]:
        raise ValueError(must("file_name", "name an intact instance file (its hash differs)", file_name))
    return Problem(
        name=record["name"],
        hamiltonian=PauliSum(terms),
        ground_energy=record["energies"]["ground"],
        accuracy=CHEMICAL_ACCURACY,
        unit="Ha",
        provenance=MappingProxyType(record),
    )


def h2(bond_length: float = 0.7414) -> Problem:
    """H2, STO-3G, Jordan-Wigner, 4 qubits; ``bond_length`` in ångström."""
    _check("bond_length", bond_length, H2_BOND_LENGTHS)
    return load_molecule(f"h2_4_jordan_wigner_{bond_length}_angstrom.json")


def lih(bond_length: float = 3.4) -> Problem:
    """LiH, STO-3G, two electrons in three sigma orbitals, parity mapping, 4 qubits; ``bond_length`` in ångström."""
    _check("bond_length", bond_length, LIH_BOND_LENGTHS)
    return load_molecule(f"lih_4_parity_{float(bond_length)}_angstrom.json")


def _check(argument: str, value: float, choices: tuple[float, ...]) -> None:
    if value not in choices:
        raise ValueError(must(argument, f"be one of the shipped {', '.join(map(str, choices))} (ångström)", value))

"""Molecular instances: data files with provenance, checked by hash when read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from qas_envs.problems.chemistry import Molecule, molecular_hamiltonian
from qas_envs.problems.problem import CHEMICAL_ACCURACY, Problem
from qas_simulators import PauliSum, StatevectorSimulator
from qas_simulators.errors import must

H2_BOND_LENGTHS = (0.7414,)
LIH_BOND_LENGTHS = (1.2, 2.2, 3.4)
_DEGENERATE = 1e-8  # Hartree
_DECIMALS = 12  # of the coefficients; more would record the rounding of one machine's linear algebra


def hash_of_terms(terms: Mapping[str, float]) -> str:
    """Return the SHA-256 of the Pauli terms, sorted by label, coefficients with all their digits."""
    return hashlib.sha256(json.dumps(dict(sorted(terms.items()))).encode()).hexdigest()


def instance_record(molecule: Molecule) -> dict[str, Any]:
    """Compute everything an instance file states; energies in Hartree (needs the ``chemistry`` extra)."""
    result = molecular_hamiltonian(molecule)
    terms = {label: round(value, _DECIMALS) for label, value in result.hamiltonian}
    hamiltonian = PauliSum(terms)
    spectrum = np.linalg.eigvalsh(hamiltonian.to_matrix())
    degeneracy = int(np.sum(spectrum - spectrum[0] < _DEGENERATE))
    problem = Problem(molecule.name, hamiltonian, float(spectrum[0]), CHEMICAL_ACCURACY, "Ha")
    basis = hamiltonian.basis_energies()
    best = int(basis.argmin())
    return {
        "name": molecule.name,
        "molecule": {
            "atoms": [[symbol, list(position)] for symbol, position in molecule.atoms],
            "unit": molecule.unit,
            "basis": molecule.basis,
            "frozen_orbitals": list(molecule.frozen),
            "active_orbitals": "all" if molecule.active is None else list(molecule.active),
            "active_electrons": result.num_electrons,
            "mapping": molecule.mapping,
        },
        "num_qubits": hamiltonian.num_qubits,
        "num_terms": len(hamiltonian),
        "energies": {
            "ground": float(spectrum[0]),
            "highest": float(spectrum[-1]),
            "hartree_fock": result.hartree_fock_energy,
            "empty_circuit": float(basis[0]),
            "best_basis_state": float(basis[best]),
            "best_product_state": StatevectorSimulator().expectation(problem.best_product_state(), hamiltonian),
            "lower_bound": problem.lower_bound,
        },
        "best_basis_state": f"{best:0{hamiltonian.num_qubits}b}",
        "degeneracy": degeneracy,
        "gap": float(spectrum[degeneracy] - spectrum[0]),
        "tool_versions": result.tool_versions,
        "command": "python -m qas_envs.problems.generate",
        "sha256": hash_of_terms(terms),
        "terms": terms,
    }


def _problem(record: dict[str, Any]) -> Problem:
    return Problem(
        name=record["name"],
        hamiltonian=PauliSum(record["terms"]),
        ground_energy=record["energies"]["ground"],
        accuracy=CHEMICAL_ACCURACY,
        unit="Ha",
        provenance={key: value for key, value in record.items() if key != "terms"},
    )


@cache
def load_molecule(file_name: str) -> Problem:
    """Read one instance of ``qas_envs/problems/data``.

    Raises:
        ValueError: The file's terms do not have the hash it states.
    """
    record: dict[str, Any] = json.loads(files("qas_envs.problems.data").joinpath(file_name).read_text("utf-8"))
    if hash_of_terms(record["terms"]) != record["sha256"]:
        raise ValueError(must("file_name", "name an intact instance file (its hash differs)", file_name))
    return _problem(record)


def h2_molecule(bond_length: float) -> Molecule:
    """Define H2: STO-3G, all orbitals, Jordan-Wigner, 4 qubits; ``bond_length`` in ångström."""
    atoms = (("H", (0.0, 0.0, 0.0)), ("H", (0.0, 0.0, bond_length)))
    return Molecule(f"H2 ({bond_length} Å)", atoms, "angstrom", "sto-3g", "jordan_wigner")


def lih_molecule(bond_length: float) -> Molecule:
    """Define LiH: STO-3G, (2e, 3o) in the sigma orbitals, parity mapping, 4 qubits; ``bond_length`` in ångström."""
    atoms = (("Li", (0.0, 0.0, 0.0)), ("H", (0.0, 0.0, bond_length)))
    return Molecule(f"LiH ({bond_length} Å)", atoms, "angstrom", "sto-3g", "parity", frozen=(0,), active=(1, 2, 5))


def h2(bond_length: float = 0.7414) -> Problem:
    """H2, STO-3G, Jordan-Wigner, 4 qubits; ``bond_length`` in ångström, 0.7414 is shipped."""
    return _at_bond_length(h2_molecule, "h2_4_jordan_wigner", float(bond_length), H2_BOND_LENGTHS)


def lih(bond_length: float = 3.4) -> Problem:
    """LiH, STO-3G, (2e, 3o), parity mapping, 4 qubits; ``bond_length`` in ångström, 1.2, 2.2, 3.4 are shipped."""
    return _at_bond_length(lih_molecule, "lih_4_parity", float(bond_length), LIH_BOND_LENGTHS)


@cache
def _at_bond_length(
    define: Callable[[float], Molecule], stem: str, bond_length: float, shipped: tuple[float, ...]
) -> Problem:
    if bond_length in shipped:
        return load_molecule(f"{stem}_{bond_length}_angstrom.json")
    if not 0.2 <= bond_length <= 20:
        raise ValueError(must("bond_length", "lie in [0.2, 20] ångström", bond_length))
    try:
        record = instance_record(define(bond_length))
    except ImportError:
        choices = ", ".join(map(str, shipped))
        raise ValueError(
            must("bond_length", f"be one of the shipped {choices} Å (others need the `chemistry` extra)", bond_length)
        ) from None
    return _problem(record)

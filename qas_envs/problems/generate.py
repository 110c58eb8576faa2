"""Regenerate the shipped instances: ``python -m qas_envs.problems.generate`` (needs the ``chemistry`` extra).

Writes one JSON file each into the folder ``data`` beside this file, or into the folder given as the only argument.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from qas_envs.problems.chemistry import Molecule, molecular_hamiltonian
from qas_envs.problems.molecules import H2_BOND_LENGTHS, LIH_BOND_LENGTHS, hash_of_terms
from qas_envs.problems.problem import CHEMICAL_ACCURACY, Problem
from qas_simulators import PauliSum, StatevectorSimulator

_DEGENERATE = 1e-8  # Hartree
_DIGITS = 15  # of the coefficients kept; more would record the rounding of one machine's linear algebra


def instances() -> dict[str, tuple[str, Molecule]]:
    """Return every shipped molecule: file name -> (display name, definition)."""
    table = {}
    for length in H2_BOND_LENGTHS:
        atoms = (("H", (0.0, 0.0, 0.0)), ("H", (0.0, 0.0, length)))
        table[f"h2_4_jordan_wigner_{length}_angstrom.json"] = (
            f"H2 ({length} Å)",
            Molecule(atoms, "angstrom", "sto-3g", "jordan_wigner"),
        )
    for length in LIH_BOND_LENGTHS:
        atoms = (("Li", (0.0, 0.0, 0.0)), ("H", (0.0, 0.0, length)))
        table[f"lih_4_parity_{length}_angstrom.json"] = (
            f"LiH ({length} Å)",
            Molecule(atoms, "angstrom", "sto-3g", "parity", frozen=(0,), active=(1, 2, 5)),
        )
    return table


def record(name: str, molecule: Molecule) -> dict[str, Any]:
    """Compute everything an instance file states; energies in Hartree."""
    result = molecular_hamiltonian(molecule)
    terms = {label: float(f"{value:.{_DIGITS}g}") for label, value in result.hamiltonian}
    hamiltonian = PauliSum(terms)
    spectrum = np.linalg.eigvalsh(hamiltonian.to_matrix())
    degeneracy = int(np.sum(spectrum - spectrum[0] < _DEGENERATE))
    problem = Problem(name, hamiltonian, float(spectrum[0]), CHEMICAL_ACCURACY, "Ha")
    basis = hamiltonian.basis_energies()
    best = int(basis.argmin())
    product = StatevectorSimulator().expectation(problem.best_product_state(), hamiltonian)
    return {
        "name": name,
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
            "best_product_state": product,
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


def main() -> None:
    """Write all files."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "data"
    for file_name, (name, molecule) in instances().items():
        text = json.dumps(record(name, molecule), indent=1, ensure_ascii=False) + "\n"
        (folder / file_name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{folder / file_name}\n")


if __name__ == "__main__":
    main()

"""Ground states of Hamiltonians given by the user."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from qas_envs.problems.fcidump import read_fcidump
from qas_envs.problems.fermion_operators import is_fermionic, operator_on_qubits
from qas_envs.problems.fermions import to_qubits
from qas_envs.problems.problem import Problem
from qas_envs.problems.reference import exact_energy, reference_of
from qas_envs.problems.sectors import Sector, sector_of, warn_of_sector
from qas_simulators.bridges.operators import READABLE, read_operator
from qas_simulators.errors import must

_SAME = 1e-8  # Hartree


def ground_state(
    hamiltonian: Any,
    name: str = "Hamiltonian",
    accuracy: float = 1e-3,
    unit: str = "",
    num_qubits: int | None = None,
    mapping: str = "jordan_wigner",
    sector: Sequence[Any] | None = None,
    ground_energy: float | None = None,
) -> Problem:
    """The ground state of an observable; its exact energy is computed (dense to 10 qubits, Lanczos above).

    Args:
        hamiltonian: What :func:`~qas_simulators.bridges.operators.read_operator` reads (labels, matrices, operators of
            Qiskit, PennyLane, OpenFermion and Cirq); electrons as OpenFermion's ``FermionOperator``,
            ``MajoranaOperator`` or ``InteractionOperator`` or PennyLane's ``FermiSentence``; the path of an FCIDUMP
            file.
        name: For tables.
        accuracy: Error below which a circuit counts as a solution.
        unit: Unit of energies; Hartree for FCIDUMP files.
        num_qubits: Size of the register, for formats that do not know it; by default what they touch.
        mapping: Of electrons to qubits: ``"jordan_wigner"``, ``"bravyi_kitaev"``, or, with a sector, ``"parity"`` or
            ``"parity_total"``.
        sector: Of electrons, the number and Sz of the state asked for, as in
            :func:`~qas_envs.problems.molecules.molecule`.
        ground_energy: If it is known: above 10 qubits it spares the computation.

    Raises:
        ValueError: Not Hermitian, another format, or a ground energy that cannot be.
    """
    asked = sector_of(sector)
    if asked is not None and ground_energy is not None:
        raise ValueError(must("ground_energy", "be None with a sector, whose energy is computed", ground_energy))
    source = {"source": type(hamiltonian).__name__}
    if isinstance(hamiltonian, os.PathLike | str):
        if not os.path.exists(hamiltonian):
            raise ValueError(must("hamiltonian", f"{READABLE}, or the path of an FCIDUMP file", str(hamiltonian)))
        if num_qubits is not None:
            raise ValueError(must("num_qubits", "be None for an FCIDUMP file, which has its orbitals", num_qubits))
        return _of_fcidump(hamiltonian, name, accuracy, unit or "Ha", mapping, asked, ground_energy)
    if is_fermionic(hamiltonian):
        observable, energy = operator_on_qubits(hamiltonian, num_qubits, mapping, asked)
        energy = exact_energy(observable, ground_energy) if energy is None else energy
        return Problem(name, observable, energy, accuracy, unit, {**source, "mapping": mapping})
    if asked is not None:
        raise ValueError(must("sector", "be None for an operator on qubits, which knows no electrons", sector))
    observable = read_operator(hamiltonian, num_qubits)
    reference = reference_of(observable, ground_energy)
    return Problem(name, observable, reference.energy, accuracy, unit, {**source, "reference": reference.provenance})


def _of_fcidump(
    path: str | os.PathLike[str],
    name: str,
    accuracy: float,
    unit: str,
    mapping: str,
    asked: Sector | None,
    ground_energy: float | None,
) -> Problem:
    integrals = read_fcidump(path)
    sector = asked or integrals.sector
    integrals = replace(integrals, sector=sector)
    mapped = to_qubits(integrals, mapping, asked is not None and asked.aim == "penalty")
    ground = mapped.sector_energy
    if asked is None:
        ground = exact_energy(mapped.hamiltonian, ground_energy, mapped.ground_energy)
        with_electrons = mapped.lowest_energy if mapped.lowest_energy > ground + _SAME else None
        if mapped.sector_energy > ground + _SAME:
            warn_of_sector(name, sector, ground, with_electrons, mapped.sector_energy)
    provenance = {"source": os.path.basename(path), "mapping": mapping, "sector": asdict(sector)}
    return Problem(name, mapped.hamiltonian, ground, accuracy, unit, provenance)

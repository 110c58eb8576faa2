"""Fermionic operators of OpenFermion and PennyLane on qubits."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from qas_envs.problems.mappings import map_fermions, penalty
from qas_envs.problems.sectors import Sector
from qas_simulators import PauliSum
from qas_simulators.bridges.operators import package_of
from qas_simulators.errors import must, needs_extra
from qas_simulators.flat_circuit import MASK_QUBITS

_FERMIONIC: Final = (
    "FermionOperator",
    "MajoranaOperator",
    "InteractionOperator",
    "DiagonalCoulombHamiltonian",
    "QuadraticHamiltonian",
)


def is_fermionic(operator: Any) -> bool:
    """Return whether an operator of OpenFermion or PennyLane acts on fermions or Majorana modes."""
    name = type(operator).__name__
    return (package_of(operator) == "openfermion" and name in _FERMIONIC) or (
        package_of(operator) == "pennylane" and name in ("FermiSentence", "FermiWord")
    )


def operator_on_qubits(
    operator: Any, num_qubits: int | None, mapping: str, asked: Sector | None
) -> tuple[PauliSum, float | None]:
    """Map a fermionic operator to qubits; return it, and the energy of the sector if one is given.

    Args:
        operator: Modes interleaved, as OpenFermion has them: even ones up, odd ones down.
        num_qubits: How many modes there are; ``None`` for what is touched.
        mapping: One of :data:`MAPPINGS`.
        asked: A sector; the operator must then conserve electrons and Sz.

    Raises:
        ValueError: Not Hermitian, too few modes, or an operator that mixes sectors.
    """
    fermions = _fermion_operator(operator)
    if not fermions.terms:
        raise ValueError(must("hamiltonian", "have at least one term", "empty"))
    touched = max((mode for term in fermions.terms for mode, _ in term), default=0) + 1
    touched = max(touched, getattr(operator, "n_qubits", None) or 0)
    if asked is not None:
        touched += touched % 2
    modes = touched if num_qubits is None else num_qubits
    if not isinstance(modes, int) or not touched <= modes <= MASK_QUBITS:
        raise ValueError(
            must("num_qubits", f"be an integer in {touched}..{MASK_QUBITS}, the modes of the operator", modes)
        )
    hamiltonian = map_fermions(fermions, modes, mapping, asked)
    if asked is None:
        return hamiltonian, None
    asked.check(modes // 2)
    if any(_balance(term) != (0, 0) for term in fermions.terms):
        raise ValueError(must("sector", "be None where electrons or Sz are not conserved", (asked.electrons, asked.sz)))
    others = penalty(modes, mapping, asked)
    sizes = np.abs(hamiltonian.coefficients[(hamiltonian.x | hamiltonian.z) != 0])
    energy = (hamiltonian + (2.0 * float(sizes.sum()) + 1.0) * others).ground_energy()
    if asked.aim == "reference":
        return hamiltonian, energy
    lift = energy - hamiltonian.ground_energy() + float(sizes.max(initial=0.0))
    return hamiltonian + lift * others, energy


def _fermion_operator(operator: Any) -> Any:
    """Return OpenFermion's ``FermionOperator``."""
    with needs_extra("chemistry"):
        from openfermion import FermionOperator, get_fermion_operator

    if package_of(operator) == "openfermion":
        return operator if isinstance(operator, FermionOperator) else get_fermion_operator(operator)
    sentence = {operator: 1.0} if type(operator).__name__ == "FermiWord" else operator
    result = FermionOperator()
    for word, weight in sentence.items():
        steps = sorted(word.items())  # by position in the product
        result += FermionOperator(tuple((int(mode), int(sign == "+")) for (_, mode), sign in steps), complex(weight))
    return result


def _balance(term: tuple[tuple[int, int], ...]) -> tuple[int, int]:
    """Return the change of the numbers of electrons up and down by a product of operators."""
    changes = [0, 0]
    for mode, raises in term:
        changes[mode % 2] += 1 if raises else -1
    return changes[0], changes[1]

"""One-qubit gates around entangling gates: which of them suffice for a Hamiltonian."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

import numpy as np

from qas_simulators.gates import GATES, gate_index
from qas_simulators.pauli import PauliSum

_REAL: Final = (("ry",), ("sx", "rz", "sx"))
"""Gates that turn real states into all real states of a qubit, up to X; the first available is used."""

_COMPLEX: Final = (("ry", "rz"), ("rx", "rz"), ("sx", "rz", "sx", "rz"))
"""Gates that, around an entangler, leave no direction out; the first available is used."""


def usual_dressing(
    available: Collection[str], entanglers: Iterable[str], hamiltonian: PauliSum
) -> tuple[str, ...] | None:
    """Return the one-qubit gates that follow an entangler on both of its qubits, or ``None`` if none are available.

    A real Hamiltonian has a real ground state, which RY and real entanglers (CX, CZ, SWAP) suffice to prepare.
    Otherwise, and where circuits start after a preparation, rotations about two axes are needed.

    Args:
        available: Names of one-qubit gates.
        entanglers: Names of two-qubit gates.
        hamiltonian: The Hamiltonian whose energy is minimised.

    Examples:
        >>> chain = PauliSum({"ZZ": 1.0, "XI": 0.5})
        >>> usual_dressing({"rx", "ry", "rz"}, ["cx"], chain), usual_dressing({"sx", "x", "rz"}, ["ecr"], chain)
        (('ry',), ('sx', 'rz', 'sx', 'rz'))
    """
    is_real = (
        hamiltonian.preparation is None and hamiltonian.is_real and all(_has_real_matrix(name) for name in entanglers)
    )
    choices = (*_REAL, *_COMPLEX) if is_real else _COMPLEX
    return next((gates for gates in choices if {*available}.issuperset(gates)), None)


def usual_row(dressing: Sequence[str], available: Collection[str], hamiltonian: PauliSum) -> tuple[str, ...]:
    """Return the one-qubit gates with which circuits begin: the dressing, where it suffices for the state there.

    After a preparation any rotation may be needed, of which a dressing leaves out the first one about Z.
    """
    return ("rz", *dressing) if hamiltonian.preparation is not None and "rz" in available else tuple(dressing)


def _has_real_matrix(name: str) -> bool:
    gate = GATES[gate_index(name)]
    return gate.num_params == 0 and not np.any(gate.matrix().imag)

"""State preparation: minimise the infidelity with a target."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from qas_envs.problems.problem import Problem
from qas_simulators import NoiseModel, PauliSum
from qas_simulators.errors import must
from qas_simulators.noise_presets import kanqas

STATE_ACCURACY = 0.02
"""Infidelity: a fidelity of 0.98, as in KANQAS (arXiv:2406.17630)."""


def state_preparation(name: str, statevector: ArrayLike) -> Problem:
    """Return the problem whose energy is ``1 - |<target|psi>|**2`` (with noise ``1 - <target|rho|target>``)."""
    projector = PauliSum.projector(statevector)
    hamiltonian = PauliSum({"I" * projector.num_qubits: 1.0}) + (-1.0) * projector
    return Problem(name, hamiltonian, ground_energy=0.0, accuracy=STATE_ACCURACY, unit="", provenance={"target": name})


def state(statevector: ArrayLike, name: str = "state") -> Problem:
    """Any pure state; amplitudes may be complex, the global phase does not matter.

    Args:
        statevector: ``2**n`` amplitudes of norm 1, 1 to 10 qubits, qubit 0 the least significant bit of the index.
        name: For tables.

    Raises:
        ValueError: Not a vector of a power of two, or the norm is not 1; the message has the norm.
    """
    vector = np.asarray(statevector)
    if vector.ndim != 1 or len(vector) not in {1 << n for n in range(1, 11)}:
        raise ValueError(must("statevector", "be a vector of 2 to 1024 amplitudes, a power of two", vector.shape))
    return state_preparation(name, vector)


def ghz(num_qubits: int = 3) -> Problem:
    """``(|0...0> + |1...1>) / sqrt(2)`` on 2 to 10 qubits."""
    _check_size(num_qubits)
    target = np.zeros(1 << num_qubits)
    target[[0, -1]] = np.sqrt(0.5)
    return state_preparation(f"GHZ-{num_qubits}", target)


def w(num_qubits: int = 3) -> Problem:
    """Equal superposition of all states with one 1, on 2 to 10 qubits."""
    _check_size(num_qubits)
    target = np.zeros(1 << num_qubits)
    target[[1 << qubit for qubit in range(num_qubits)]] = num_qubits**-0.5
    return state_preparation(f"W-{num_qubits}", target)


def random_state(num_qubits: int = 3, seed: int = 0) -> Problem:
    """Haar-random state on 2 to 10 qubits, the same for the same seed."""
    _check_size(num_qubits)
    rng = np.random.default_rng(seed)
    target = rng.normal(size=1 << num_qubits) + 1j * rng.normal(size=1 << num_qubits)
    return state_preparation(f"random state ({num_qubits} qubits, seed {seed})", target / np.linalg.norm(target))


def bell() -> Problem:
    """``(|00> + |11>) / sqrt(2)``."""
    target = np.zeros(4)
    target[[0, -1]] = np.sqrt(0.5)
    return state_preparation("Bell", target)


def fidelity_ceiling(problem: Problem, noise: NoiseModel | None) -> float | None:
    """Return the highest fidelity that any circuit of KANQAS' gates can reach under a noise model, where it is known.

    The Bell state under KANQAS' noise: H and CX leave ``1 - 0.2 + 0.2 / 4 = 0.85``, and no circuit does better (all
    circuits up to six gates were enumerated).
    """
    if noise is None or problem.name != "Bell":
        return None
    known = kanqas()
    gates = [(name, (0,)) for name in ("x", "y", "z", "h", "t")] + [("cx", (0, 1)), ("cx", (1, 0))]
    same = all(np.allclose(noise.transfer_matrix(*gate), known.transfer_matrix(*gate)) for gate in gates)
    return 0.85 if same else None


def _check_size(num_qubits: int) -> None:
    if not 2 <= num_qubits <= 10:
        raise ValueError(must("num_qubits", "lie in 2..10", num_qubits))

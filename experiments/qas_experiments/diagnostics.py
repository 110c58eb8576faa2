"""Diagnostics of a result: no advantage is claimed where the circuit is easy to simulate."""

from __future__ import annotations

import dataclasses
from typing import Any

from qas_envs import CircuitBuildingEnv
from qas_envs.diagnostics import gradient_variance, lie_algebra_dimension
from qas_envs.problems import Problem
from qas_simulators import Circuit
from qas_simulators.simulability import MOST_STRINGS, simulability

_CUTOFF = 0.1  # of the problem's accuracy
_CIRCUITS = 20


def diagnose(
    env: CircuitBuildingEnv, circuit: Circuit, problem: Problem | None = None, seed: int = 0
) -> dict[str, Any]:
    """Return how hard a circuit is to simulate, what the actions can reach, and how gradients vary.

    Args:
        env: The environment of the circuit.
        circuit: With its angles.
        problem: The instance, if the environment has a family.
        seed: Of the random circuits.

    Returns:
        JSON content. ``simulability``: see :class:`~qas_simulators.simulability.Simulability`; strings with a
        coefficient below a tenth of the accuracy are dropped. ``lie_algebra``: the dimension, None if it is above
        100,000 or undefined, and that of all operations, ``4**n - 1``. ``gradients``: see
        :class:`~qas_envs.diagnostics.GradientVariance`; None without angles, with noise or without gradients.
    """
    problem = env.problem if problem is None else problem
    found: dict[str, Any] = {}
    try:
        cutoff = _CUTOFF * problem.accuracy
        found["simulability"] = dataclasses.asdict(simulability(circuit, problem.hamiltonian, cutoff))
    except ValueError:  # a gate that is neither a Clifford gate nor a rotation
        found["simulability"] = None
    try:
        dimension = lie_algebra_dimension(env.catalogue)
    except ValueError:
        dimension = None
    found["lie_algebra"] = {"dimension": dimension, "all": 4**problem.num_qubits - 1}
    has_gradients = any(env.catalogue.rotates) and env.simulator.has_kernels and not env.simulator.is_noisy
    found["gradients"] = gradient_variance(env, _CIRCUITS, seed=seed)._asdict() if has_gradients else None
    return found


def lines_of(found: dict[str, Any]) -> list[str]:
    """Return diagnostics as sentences.

    Args:
        found: What :func:`diagnose` returned.
    """
    lines, own = [], found["simulability"]
    if own is None:
        lines.append("simulability: not known for these gates")
    else:
        strings = f"more than {MOST_STRINGS:,}" if own["strings"] is None else f"{own['strings']:,}"
        lines.append(
            f"best circuit: {100 * own['clifford_fraction']:.0f} % Clifford gates, {own['non_clifford_gates']} others; "
            f"Pauli propagation needs {strings} strings (cut-off {own['cutoff']:.1g})"
        )
        if own["bond_dimensions"]:
            lines.append(
                f"best circuit: bond dimensions {', '.join(map(str, own['bond_dimensions']))}, "
                f"entanglement at most {max(own['entropies']):.2f} bits"
            )
    algebra = found["lie_algebra"]
    dimension = "unknown" if algebra["dimension"] is None else f"{algebra['dimension']:,}"
    lines.append(f"actions: dynamical Lie algebra of dimension {dimension} of {algebra['all']:,}")
    if found["gradients"] is not None:
        variance = found["gradients"]
        lines.append(
            f"random circuits of {variance['gates']} gates: variance of gradients {variance['variance']:.3g}, "
            f"largest derivative {variance['largest']:.3g}"
        )
    return lines

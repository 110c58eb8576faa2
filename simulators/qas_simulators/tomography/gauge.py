"""The gauge of a gate set: the frame in which it comes nearest to a target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qas_simulators.errors import must
from qas_simulators.tomography.gate_set import GateSet, Key

FloatArray = NDArray[np.float64]

_ITERATIONS: Final = 2000


def gauge_fixed(
    gate_set: GateSet,
    target: GateSet,
    state_weight: float = 100.0,
    effects_weight: float = 100.0,
    most: float = 10.0,
    gate_weights: Mapping[str, float] | None = None,
) -> GateSet:
    """Return a gate set in the gauge in which it is nearest to a target.

    The sum of squared Frobenius distances of all gates that both sets have, of the state and of the effects, each times
    its weight, is minimised over all invertible matrices that keep the trace, from the identity. Vectors count
    in the normalised Pauli basis. Of the effects, only the components with X or Y count, which readout errors do not
    cause. By default both weights are large, so that in the result the preparation has as little error as the gauge
    allows, and the measurement as few errors other than misread bits: a noise model has neither.

    Args:
        gate_set: Estimates of gates, state and effects.
        target: For example :meth:`GateSet.ideal`.
        state_weight: Of the state.
        effects_weight: Of the components of the effects with X or Y.
        most: Largest condition number of the gauge, above which it is refused.
        gate_weights: Of gates by name, 1 for others. Gates that are known to be exact, such as an S that is a change of
            the frame, or that have been fitted before, should weigh much.

    Raises:
        ValueError: Different registers, no common gate, a negative weight, or estimates so far from the target that no
            gauge near the identity relates them.

    References:
        Nielsen et al., "Gate set tomography", arXiv:2009.07301, section 3.4 (gauge optimisation).

    Examples:
        >>> ideal = GateSet.ideal(1, [("sx", (0,)), ("s", (0,))])
        >>> turned = ideal.transformed([[1, 0, 0, 0], [0, 1, 0.1, 0], [0, -0.1, 1, 0], [0, 0, 0.2, 1]])
        >>> found = gauge_fixed(turned, ideal)
        >>> bool(abs(found.gates["sx", (0,)] - ideal.gates["sx", (0,)]).max() < 1e-6)
        True
    """
    if gate_set.num_qubits != target.num_qubits:
        raise ValueError(must("target", f"have {gate_set.num_qubits} qubits", target.num_qubits))
    by_name = gate_weights or {}
    for name, weight in {"state_weight": state_weight, "effects_weight": effects_weight, **by_name}.items():
        if not weight >= 0:
            raise ValueError(must(name, "not be negative", weight))
    common = [key for key in gate_set.gates if key in target.gates]
    if not common:
        raise ValueError(must("target", f"have gates of {sorted(gate_set.gates)}", sorted(target.gates)))
    from scipy.optimize import minimize  # imports for a tenth of a second

    by_gate = [by_name.get(name, 1.0) for name, _ in common]
    loss = _Loss(gate_set, target, common, by_gate, state_weight, effects_weight)
    size = len(gate_set.state)
    options = {"maxiter": _ITERATIONS, "maxfun": 2 * _ITERATIONS, "maxcor": 20, "ftol": 0.0, "gtol": 1e-11}
    found = minimize(loss, np.eye(size)[1:].ravel(), jac=True, method="L-BFGS-B", options=options)
    gauge = np.vstack([np.eye(size)[0], found.x.reshape(size - 1, size)])
    condition = float(np.linalg.cond(gauge))
    if not condition < most:
        raise ValueError(must("gate_set", "be related to the target by a gauge near the identity", condition))
    return gate_set.transformed(gauge)


def gauge_distance(gate_set: GateSet, target: GateSet) -> float:
    """Return the root mean square difference of the gates' entries, first rows left out, in the best gauge.

    State and effects do not count for the gauge. The number is the same in every gauge of the two sets, up to changes
    of the target's that stretch it.
    """
    moved = gauge_fixed(gate_set, target, 0.0, 0.0, np.inf)
    differences = [(moved.gates[key] - target.gates[key])[1:] for key in moved.gates if key in target.gates]
    return float(np.sqrt(np.mean(np.square(differences))))


class _Loss:
    """The weighted sum of squared distances in a gauge, and its gradient by the gauge's rows but the first."""

    def __init__(
        self,
        gate_set: GateSet,
        target: GateSet,
        common: list[Key],
        weights: list[float],
        state: float,
        effects: float,
    ) -> None:
        self._by_gate = np.array(weights)[:, None, None]
        self._gates = np.array([gate_set.gates[key] for key in common])
        self._wanted = np.array([target.gates[key] for key in common])
        self._state, self._wanted_state = gate_set.state, target.state
        self._effects, self._wanted_effects = gate_set.effects, target.effects
        scale = 2.0**gate_set.num_qubits  # of squares in the normalised basis
        digits = np.arange(len(gate_set.state))[:, None] // 4 ** np.arange(gate_set.num_qubits) % 4
        self._seen = np.isin(digits, (1, 2)).any(axis=1)  # strings with X or Y
        self._weights = state / scale, effects * scale

    def __call__(self, rows: FloatArray) -> tuple[float, FloatArray]:
        """Return the loss and its gradient ``(size * (size - 1),)``."""
        size = len(self._state)
        gauge = np.vstack([np.eye(size)[0], rows.reshape(size - 1, size)])
        try:
            inverse = np.linalg.inv(gauge)
        except np.linalg.LinAlgError:
            return 1e9, np.zeros_like(rows)
        right = self._gates @ inverse
        moved = gauge @ right
        rest = moved - self._wanted
        weighted = self._by_gate * rest
        slope = (weighted @ right.swapaxes(1, 2) - moved.swapaxes(1, 2) @ weighted @ inverse.T).sum(axis=0)
        of_state = gauge @ self._state - self._wanted_state
        of_effects = self._seen * (self._effects @ inverse - self._wanted_effects)
        slope += self._weights[0] * np.outer(of_state, self._state)
        slope -= self._weights[1] * (self._effects @ inverse).T @ of_effects @ inverse.T
        loss = (
            (weighted * rest).sum() + self._weights[0] * (of_state**2).sum() + self._weights[1] * (of_effects**2).sum()
        )
        return float(loss), 2 * slope[1:].ravel()

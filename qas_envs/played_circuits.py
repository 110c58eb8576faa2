"""What :class:`~qas_envs.whole_circuits.CircuitPlayer` returns of circuits that it has played."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qas_envs.episode import info_of
from qas_simulators import Circuit


@dataclass(frozen=True)
class PlayedCircuits:
    """Circuits with optimised angles, in the order in which they were given.

    Attributes:
        circuits: With their angles, the initial circuit included.
        energies: In the problem's unit, ``(B,)``.
        errors: Energies minus the exact ground energy, ``(B,)``.
        success: Whether each error is below the threshold, ``(B,)``.
        evaluations: Energy evaluations spent on each, ``(B,)``.
        gradients: Gradients among them, ``(B,)``.
    """

    circuits: Sequence[Circuit]
    energies: NDArray[np.float64]
    errors: NDArray[np.float64]
    success: NDArray[np.bool_]
    evaluations: NDArray[np.int64]
    gradients: NDArray[np.int64]

    def infos(self, threshold: float) -> list[dict[str, Any]]:
        """Return the numbers of :data:`~qas_envs.episode.FIGURES` of each circuit by name.

        Args:
            threshold: That ``success`` was judged by.
        """
        columns = (self.energies, self.errors, self.success, self.evaluations, self.gradients)
        return [
            info_of(
                (energy, error, success, threshold),
                (own.num_gates, own.num_two_qubit_gates, own.num_params, own.depth(), evaluations, gradients),
            )
            for own, energy, error, success, evaluations, gradients in zip(
                self.circuits, *(column.tolist() for column in columns), strict=True
            )
        ]


@dataclass(frozen=True)
class Gains:
    """What each action would gain before any other angle changes; ``nan`` for actions that are not legal.

    Attributes:
        slopes: Euclidean norm of the energy's derivatives by the action's angles at 0, ``(num_actions,)``.
        scanned: Energy now minus the energy after the action, each of its angles moved to the exact minimum of its
            sinusoid, ``(num_actions,)``; negative where no angle undoes the harm of a fixed gate.
        evaluations: Energies that a device would spend: one for the circuit, one per action and five per angle; more
            where angles are shared.
    """

    slopes: NDArray[np.float64]
    scanned: NDArray[np.float64]
    evaluations: int

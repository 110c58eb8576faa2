"""Groups: circuits of one instance and one length, drawn from a policy and played together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from qas_agents.graph.drawing import Drawn, draw, judged
from qas_agents.graph.instances import Instance
from qas_agents.graph.network import PairNetwork
from qas_simulators.arrays import NUMPY, ArrayLibrary


@dataclass(frozen=True)
class Group:
    """A group, as a policy has drawn and played it.

    Attributes:
        number: The instance.
        length: Most actions of a circuit.
        drawn: The circuits.
        legal: Their actions, checked.
        played: Optimised circuits, energies and errors, as :meth:`CircuitPlayer.play_many` returns them.
        log_probs: Logarithms of the probabilities with which the actions were drawn, ``(B, T)``; ``None`` if the policy
            has not changed since.
    """

    number: int
    length: int
    drawn: Drawn
    legal: Sequence[Any]
    played: Any
    log_probs: NDArray[np.float32] | None = None


def play_group(
    network: PairNetwork,
    instance: Instance,
    place: tuple[int, int],
    size: int,
    max_iterations: int,
    rng: np.random.Generator,
    with_log_probs: bool = False,
    library: ArrayLibrary = NUMPY,
) -> Group:
    """Draw circuits, and optimise all of them from random angles.

    Args:
        network: The policy.
        instance: What is played.
        place: Number of the instance, and most actions of a circuit.
        size: Number of circuits.
        max_iterations: L-BFGS iterations of a circuit.
        rng: Source of randomness.
        with_log_probs: Whether the policy may change before the group is learned from.
        library: Of the arrays in which circuits are drawn.
    """
    bench, length = instance.bench, place[1]
    drawn = draw(network, instance.table, bench.drafts(size, length, library), length, rng)
    legal = [bench.checked(actions) for actions in drawn.circuits]
    starts = [rng.uniform(-np.pi, np.pi, instance.skeletons.num_params(actions)) for actions in drawn.circuits]
    played = bench.play_many(legal, starts, starts=0, max_iterations=max_iterations)
    log_probs = None
    if with_log_probs:
        with torch.no_grad():
            log_probs = judged(network, instance.table, drawn)[0].cpu().numpy()
    return Group(*place, drawn, legal, played, log_probs)

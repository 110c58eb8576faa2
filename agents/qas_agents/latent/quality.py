"""How good a representation of circuits is: reconstruction, validity and uniqueness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qas_agents.latent.graphs import CircuitGraphs, Gate
from qas_agents.latent.vgae import CircuitVGAE


@dataclass(frozen=True)
class Quality:
    """Shares between 0 and 1.

    Attributes:
        nodes: Nodes of which gate, control and target are reconstructed.
        circuits: Circuits of which all nodes are.
        edges: Edges and missing edges that are predicted, the mean of the shares of both.
        distinct: Distinct embeddings among those of distinct circuits, to 1e-4 in every number.
        valid: Random latent vectors that decode to a circuit.
        unique: Distinct circuits among the valid ones.
        new: Distinct valid circuits that are not in the training data.
    """

    nodes: float
    circuits: float
    edges: float
    distinct: float
    valid: float
    unique: float
    new: float


def quality(
    vgae: CircuitVGAE,
    training: CircuitGraphs,
    held_out: CircuitGraphs,
    size: int = 1000,
    seed: int = 0,
    is_legal: Callable[[list[Gate]], bool] = lambda circuit: True,
) -> Quality:
    """Return the quality of a trained autoencoder.

    Args:
        vgae: The autoencoder.
        training: What it was trained on: random latent vectors have its mean and deviation.
        held_out: Circuits that it was not trained on, for reconstruction.
        size: Number of random latent vectors.
        seed: Seeds them.
        is_legal: Whether a circuit is valid beyond its syntax, such as a legal sequence of actions.
    """
    decoded, edges = vgae.decode(vgae.encode(held_out))
    right = np.ones(held_out.gates.shape, dtype=np.bool_)
    for name in ("gates", "controls", "targets"):
        right &= getattr(decoded, name) == getattr(held_out, name)
    truth = held_out.adjacency() > 0
    circuits = [circuit for circuit in vgae.sample(training, size, seed).circuits() if circuit and is_legal(circuit)]
    known = {tuple(circuit) for circuit in training.circuits() if circuit is not None}
    found = {tuple(circuit) for circuit in circuits}
    rounded = np.round(vgae.embed(held_out), 4)
    return Quality(
        nodes=float(right.mean()),
        circuits=float(right.all(axis=1).mean()),
        edges=float((edges[truth].mean() + (~edges[~truth]).mean()) / 2),
        distinct=len(np.unique(rounded, axis=0)) / max(1, len({str(circuit) for circuit in held_out.circuits()})),
        valid=len(circuits) / size,
        unique=len(found) / max(1, len(circuits)),
        new=len(found - known) / max(1, len(found)),
    )

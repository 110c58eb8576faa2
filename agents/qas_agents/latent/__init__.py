"""Learned representations of circuits, and searches among them."""

from qas_agents.latent.bayesian import LatentBO
from qas_agents.latent.graphs import CircuitGraphs, Vocabulary
from qas_agents.latent.quality import Quality, quality
from qas_agents.latent.reinforce import LatentREINFORCE
from qas_agents.latent.vgae import CircuitVGAE, VGAEConfig

__all__ = [
    "CircuitGraphs",
    "CircuitVGAE",
    "LatentBO",
    "LatentREINFORCE",
    "Quality",
    "VGAEConfig",
    "Vocabulary",
    "quality",
]

"""CircuitVGAE: a variational autoencoder of circuit graphs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from qas_agents.latent.graphs import NUM_RELATIONS, CircuitGraphs, Vocabulary
from qas_agents.tensor_files import check_sizes, damage_reported, read_file, write_tensors
from qas_simulators.errors import must

FORMAT: Final = 1
_KEY: Final = "qas_agents_vgae"
_TOGETHER: Final = 1024  # graphs that are encoded by one call


@dataclass(frozen=True)
class VGAEConfig:
    """Settings of :class:`CircuitVGAE`.

    Attributes:
        latent: Numbers that describe a node.
        hidden: Width of the network.
        layers: Rounds of messages along the edges.
        divergence: Weight of the Kullback-Leibler divergence from a standard normal distribution.
        learning_rate: Of Adam.
        batch: Circuits of a gradient step.

    Raises:
        ValueError: A number out of range.
    """

    latent: int = 16
    hidden: int = 64
    layers: int = 3
    divergence: float = 0.01
    learning_rate: float = 2e-3
    batch: int = 64

    def __post_init__(self) -> None:
        for name in ("latent", "hidden", "layers", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(must(name, "be at least 1", getattr(self, name)))
        if not self.divergence >= 0:
            raise ValueError(must("divergence", "not be negative", self.divergence))
        if not self.learning_rate > 0:
            raise ValueError(must("learning_rate", "be positive", self.learning_rate))


class _Messages(nn.Module):
    """A layer of a graph isomorphism network with weights for every relation and direction."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weights = nn.Linear(width, 2 * NUM_RELATIONS * width, bias=False)
        self.own = nn.Parameter(torch.zeros(()))
        self.update = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.LayerNorm(width))

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        """Return new features ``(B, nodes, width)``; ``edges`` are of both directions, ``(B, 8, nodes, nodes)``."""
        size, count, width = nodes.shape
        sent = self.weights(nodes).view(size, count, 2 * NUM_RELATIONS, width)
        received = torch.einsum("brij,bjrw->biw", edges, sent)
        out: Tensor = torch.relu(self.update((1 + self.own) * nodes + received))
        return out


class _Network(nn.Module):
    """Encoder and decoder."""

    def __init__(self, vocabulary: Vocabulary, config: VGAEConfig) -> None:
        super().__init__()
        self.sizes = len(vocabulary.gates) + 1, vocabulary.num_qubits + 1, vocabulary.num_qubits + 1
        self.first = nn.Linear(sum(self.sizes), config.hidden)
        self.layers = nn.ModuleList(_Messages(config.hidden) for _ in range(config.layers))
        self.mean, self.log_variance = (nn.Linear(config.hidden, config.latent) for _ in range(2))
        self.nodes = nn.Sequential(
            nn.Linear(config.latent, config.hidden), nn.ReLU(), nn.Linear(config.hidden, sum(self.sizes))
        )
        self.pairs = nn.Parameter(torch.randn(NUM_RELATIONS, config.latent, config.latent) / config.latent)
        self.bias = nn.Parameter(torch.full((NUM_RELATIONS, 1, 1), -2.0))

    def encode(self, labels: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and logarithm of the variance of every node, ``(B, nodes, latent)``."""
        parts = [functional.one_hot(labels[..., k], size).float() for k, size in enumerate(self.sizes)]
        nodes = torch.relu(self.first(torch.cat(parts, dim=-1)))
        both = torch.cat([edges, edges.transpose(2, 3)], dim=1)
        for layer in self.layers:
            nodes = layer(nodes, both)
        return self.mean(nodes), self.log_variance(nodes).clamp(-10, 10)

    def decode(self, latents: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Return logits of gate, control and target of every node, and of every edge."""
        gates, controls, targets = torch.split(self.nodes(latents), list(self.sizes), dim=-1)
        edges = torch.einsum("bil,rlm,bjm->brij", latents, self.pairs, latents) + self.bias
        return (gates, controls, targets), edges


class CircuitVGAE:
    """A variational graph autoencoder of circuits, trained without energies.

    The encoder is a graph isomorphism network in which an edge knows whether its qubit is the control or the target of
    both gates. Every node gets a latent vector; the mean over the nodes is the embedding of the circuit. The decoder
    predicts gate, control and target of every node from its vector, and every edge from two vectors.

    Args:
        vocabulary: What the nodes may be.
        config: Settings.
        seed: Seeds weights and training.

    Attributes:
        num_steps: Gradient steps so far.
        loss: Of the last gradient step.

    Examples:
        >>> vocabulary = Vocabulary(3, ("cx_ry",), num_nodes=4)
        >>> graphs = CircuitGraphs.of(vocabulary, [[("cx_ry", (0, 1))], [("cx_ry", (0, 1)), ("cx_ry", (1, 2))]])
        >>> vgae = CircuitVGAE(vocabulary, seed=0)
        >>> vgae.fit(graphs, epochs=2)
        >>> vgae.embed(graphs).shape
        (2, 16)

    References:
        Sun et al., "Quantum Architecture Search with Unsupervised Representation Learning", arXiv:2401.11576. Yan et
        al., "Does Unsupervised Architecture Representation Learning Help Neural Architecture Search?" (arch2vec),
        arXiv:2006.06936. Kipf, Welling, "Variational Graph Auto-Encoders", arXiv:1611.07308. Here a shared qubit is an
        edge with the roles of the qubit as its kind, and nodes for the ends of the register are left out.
    """

    def __init__(self, vocabulary: Vocabulary, config: VGAEConfig | None = None, seed: int | None = None) -> None:
        self.vocabulary, self.config = vocabulary, config if config is not None else VGAEConfig()
        self._rng = np.random.default_rng(seed)
        self._noise = torch.Generator().manual_seed(int(self._rng.integers(2**31)))
        with torch.random.fork_rng(devices=[]):  # does not disturb the caller's generator
            torch.manual_seed(int(self._rng.integers(2**31)))
            self.network = _Network(vocabulary, self.config)
        self._optimizer = torch.optim.Adam(self.network.parameters(), lr=self.config.learning_rate)
        self.num_steps = 0
        self.loss = float("nan")

    def fit(self, graphs: CircuitGraphs, epochs: int) -> None:
        """Train on all circuits ``epochs`` times.

        Raises:
            ValueError: Graphs with another vocabulary, or none, or a loss that is not finite.
        """
        self._check(graphs)
        if len(graphs) == 0:
            raise ValueError(must("graphs", "hold at least one circuit", 0))
        labels, edges = _tensors(graphs)
        for _ in range(epochs):
            order = torch.from_numpy(self._rng.permutation(len(graphs)))
            for first in range(0, len(order), self.config.batch):
                rows = order[first : first + self.config.batch]
                loss = self._loss(labels[rows], edges[rows])
                self._optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                self._optimizer.step()
                self.num_steps += 1
                self.loss = loss.item()
                if not np.isfinite(self.loss):
                    raise ValueError(must("loss", "be finite", self.loss))

    def _loss(self, labels: Tensor, edges: Tensor) -> Tensor:
        """Return the negative evidence lower bound, per node; the divergence has its weight."""
        mean, log_variance = self.network.encode(labels, edges)
        noise = torch.randn(mean.shape, generator=self._noise)
        logits, edge_logits = self.network.decode(mean + noise * torch.exp(0.5 * log_variance))
        of_nodes = sum(
            functional.cross_entropy(own.flatten(0, 1), labels[..., k].flatten()) for k, own in enumerate(logits)
        )
        of_edges = (
            functional.binary_cross_entropy_with_logits(edge_logits, edges, reduction="sum") / mean[..., 0].numel()
        )
        divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(-1).mean()
        return of_nodes + of_edges + self.config.divergence * divergence

    def encode(self, graphs: CircuitGraphs) -> NDArray[np.float32]:
        """Return the means of the latent vectors of all nodes, ``(circuits, nodes, latent)``."""
        self._check(graphs)
        found = [np.zeros((0, self.vocabulary.num_nodes, self.config.latent), dtype=np.float32)]
        with torch.no_grad():
            for first in range(0, len(graphs), _TOGETHER):
                part = graphs.take(np.arange(first, min(first + _TOGETHER, len(graphs))))
                found.append(self.network.encode(*_tensors(part))[0].numpy())
        return np.concatenate(found)

    def embed(self, graphs: CircuitGraphs) -> NDArray[np.float32]:
        """Return the embedding of each circuit, the mean over its nodes, ``(circuits, latent)``."""
        return np.asarray(self.encode(graphs).mean(axis=1), dtype=np.float32)

    def decode(self, latents: NDArray[np.float32]) -> tuple[CircuitGraphs, NDArray[np.bool_]]:
        """Return the most probable graphs of latent vectors ``(B, nodes, latent)``, and the edges as predicted."""
        with torch.no_grad():
            logits, edges = self.network.decode(torch.from_numpy(np.ascontiguousarray(latents, dtype=np.float32)))
        gates, controls, targets = (own.argmax(dim=-1).numpy() for own in logits)
        return CircuitGraphs(self.vocabulary, gates, controls, targets), (edges > 0).numpy()

    def sample(self, like: CircuitGraphs, size: int, seed: int | None = None) -> CircuitGraphs:
        """Return graphs of random latent vectors: normal, with mean and covariance of those of ``like``."""
        latents = self.encode(like).astype(np.float64)
        flat = latents.reshape(len(latents), -1)
        rng, covariance = np.random.default_rng(seed), np.atleast_2d(np.cov(flat, rowvar=False, ddof=0))
        drawn = rng.multivariate_normal(flat.mean(axis=0), covariance, size, check_valid="ignore", method="eigh")
        return self.decode(drawn.reshape(size, *latents.shape[1:]).astype(np.float32))[0]

    def save(self, path: str | Path) -> None:
        """Write network and settings as one safetensors file, which runs no code when read."""
        about = {"format": FORMAT, "config": asdict(self.config), "vocabulary": asdict(self.vocabulary)}
        write_tensors(Path(path), self.network.state_dict(), _KEY, about | {"num_steps": self.num_steps})

    @classmethod
    def load(cls, path: str | Path) -> CircuitVGAE:
        """Read a file of :meth:`save`.

        Raises:
            ValueError: Not such a file.
        """
        with damage_reported(Path(path), "a file written by CircuitVGAE.save"):
            about, tensors = read_file(Path(path), _KEY, "cpu")
            if about["format"] != FORMAT:
                raise ValueError(must("format", f"be {FORMAT}", about["format"]))
            given: dict[str, Any] = about["vocabulary"]
            check_sizes([about["config"]["hidden"]] * 2, tensors)
            vocabulary = Vocabulary(given["num_qubits"], tuple(given["gates"]), given["num_nodes"])
            vgae = cls(vocabulary, VGAEConfig(**about["config"]))
            vgae.network.load_state_dict(tensors)
            vgae.num_steps = int(about["num_steps"])
        return vgae

    def _check(self, graphs: CircuitGraphs) -> None:
        if graphs.vocabulary != self.vocabulary:
            raise ValueError(must("graphs", f"have the vocabulary {self.vocabulary}", graphs.vocabulary))


def _tensors(graphs: CircuitGraphs) -> tuple[Tensor, Tensor]:
    """Return labels ``(B, nodes, 3)`` and edges ``(B, 4, nodes, nodes)``."""
    labels = np.stack([graphs.gates, graphs.controls, graphs.targets], axis=-1)
    return torch.from_numpy(labels), torch.from_numpy(graphs.adjacency())

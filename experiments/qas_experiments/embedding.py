"""Embeddings of circuits as observations: an encoding that an environment takes by its import string."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from qas_agents.latent import CircuitGraphs, CircuitVGAE
from qas_agents.latent.graphs import Gate
from qas_envs.catalogue import ActionCatalogue
from qas_envs.encodings import Encoder, VectorEncoder, View
from qas_envs.encodings.encoding import Range
from qas_envs.problems import Problem
from qas_simulators.errors import must


@dataclass(frozen=True)
class EmbeddingEncoding:
    """The embedding of the present circuit by an autoencoder that is not trained further.

    Shape ``(latent,)``, or ``(num_nodes * latent,)`` with ``nodes``, plus one each for energy and threshold. Actions
    are the nodes of the graph; angles are not shown.

    Attributes:
        file: Written by :meth:`qas_agents.CircuitVGAE.save`.
        nodes: Show the latent vectors of all nodes, in the order of the actions, instead of their mean.
        scale: Factor of the latent vectors, such as the inverse of their standard deviation over circuits.
        energy: Append the energy of the last step, in the problem's unit.
        threshold: Append the curriculum's threshold.

    Raises:
        ValueError: Not such a file, or a scale that is not positive and finite; in an environment: other qubits or
            gates than the autoencoder's, or more actions in an episode than it has nodes.

    Examples:
        >>> import os, tempfile
        >>> from qas_agents.latent import Vocabulary
        >>> from qas_envs import make_env
        >>> path = os.path.join(tempfile.mkdtemp(), "vgae.safetensors")
        >>> CircuitVGAE(Vocabulary(2, ("cx_ry",), num_nodes=4), seed=0).save(path)
        >>> encoding = {"name": "qas_experiments.embedding:EmbeddingEncoding", "file": path}
        >>> make_env("bell", actions="blocks", gates=["ry", "cx"], max_gates=12, encoding=encoding).reset()[0].shape
        (17,)
    """

    file: str
    nodes: bool = False
    scale: float = 1.0
    energy: bool = True
    threshold: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.scale < float("inf"):
            raise ValueError(must("scale", "be positive and finite", self.scale))

    def bind(self, problem: Problem, catalogue: ActionCatalogue, max_gates: int, energies: Range) -> Encoder:
        """See :class:`~qas_envs.encodings.Encoding`."""
        return EmbeddingEncoder(energies, catalogue, max_gates, self)


class EmbeddingEncoder(VectorEncoder):
    """See :class:`EmbeddingEncoding`."""

    def __init__(
        self, energies: Range, catalogue: ActionCatalogue, max_gates: int, encoding: EmbeddingEncoding
    ) -> None:
        self._vgae = CircuitVGAE.load(Path(encoding.file))
        vocabulary = self._vgae.vocabulary
        self._gates: list[Gate] = [(action.gate, action.qubits) for action in catalogue.actions]
        unknown = sorted({name for name, _ in self._gates} - set(vocabulary.gates))
        if unknown or catalogue.num_qubits != vocabulary.num_qubits:
            wanted = f"have {vocabulary.num_qubits} qubits and actions of {list(vocabulary.gates)} for this autoencoder"
            raise ValueError(must("env", wanted, f"with {catalogue.num_qubits} and {unknown or 'these'}"))
        most = max_gates // min(len(parts) for parts in catalogue.parts)
        if most > vocabulary.num_nodes:
            raise ValueError(must("max_gates", f"allow at most {vocabulary.num_nodes} actions, as many as nodes", most))
        size = self._vgae.config.latent * (vocabulary.num_nodes if encoding.nodes else 1)
        most_negative, largest = np.finfo(np.float32).min, np.finfo(np.float32).max  # the latent vectors have no bounds
        super().__init__(np.full(size, most_negative), np.full(size, largest), energies, encoding)
        self._scale = encoding.scale
        self._shows_nodes, self._circuit, self._is_current = encoding.nodes, list[Gate](), False

    def copy(self) -> Self:
        """See :class:`~qas_envs.encodings.Encoder`."""
        twin = super().copy()
        twin._circuit = self._circuit.copy()
        return twin

    def reset(self, problem: Problem) -> None:
        """See :class:`~qas_envs.encodings.Encoder`."""
        self._circuit, self._is_current = [], False

    def begin(self, action: int) -> None:
        """See :class:`~qas_envs.encodings.Encoder`."""
        self._circuit.append(self._gates[action])
        self._is_current = False

    def append(self, operation: int) -> None:
        """See :class:`~qas_envs.encodings.Encoder`."""

    def _show(self, view: View) -> None:
        if self._is_current:
            return
        latents = self._vgae.encode(CircuitGraphs.of(self._vgae.vocabulary, [self._circuit]))[0]
        shown = latents.reshape(-1) if self._shows_nodes else latents.mean(axis=0)
        self.vector[: self._size] = self._scale * shown
        self._is_current = True

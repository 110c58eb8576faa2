"""The network of the graph agent as a value network: one action value per pair of qubits and kind of entangler."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from qas_agents.graph.drawing import KINDS, ActionTable
from qas_agents.graph.layout import GraphLayout
from qas_agents.graph.network import PairNetwork
from qas_simulators.errors import must


class GraphQNetwork(nn.Module):
    """Action values from message passing over qubits and pairs; permuting the qubits permutes them.

    The weights do not depend on the number of qubits: one network is trained on several sizes and plays others. Rows of
    different sizes are computed separately.

    Args:
        num_outputs: The most actions of any size; one more if the first output is the value of the state, as
            :class:`~qas_agents.dqn.networks.Dueling` expects. Outputs without an action of the row's size are 0.
        layout: Of the inputs, and the actions of every size.
        hidden: Width of all layers.
        rounds: Rounds of messages.

    Raises:
        ValueError: A number below 1.
    """

    def __init__(self, num_outputs: int, layout: GraphLayout, hidden: int = 48, rounds: int = 2) -> None:
        super().__init__()
        for name, value in {"hidden": hidden, "rounds": rounds}.items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(must(name, "be a whole number of at least 1 for the network 'graph'", value))
        self._layout, self._num_outputs = layout, num_outputs
        self._has_value = num_outputs > layout.num_actions
        self.trunk = PairNetwork(layout.num_features, hidden, rounds, KINDS)

    def forward(self, rows: Tensor) -> Tensor:
        """Return ``(batch, num_outputs)`` of observations ``(batch, num_inputs)``."""
        tables = self._layout.tables
        if len(tables) == 1:
            return self._values(rows, *next(iter(tables.items())))
        # Reading which rows have which size waits for a GPU; a network of one size does not.
        sizes = self._layout.sizes_of(rows)
        places = {n: torch.nonzero(sizes == n).squeeze(1) for n in tables}
        values = [self._values(rows[own], n, tables[n]) for n, own in places.items() if len(own)]
        order = torch.cat([own for own in places.values() if len(own)]).argsort()
        return torch.cat(values)[order]

    def _values(self, rows: Tensor, num_qubits: int, table: ActionTable) -> Tensor:
        scores = self.trunk(*self._layout.unpacked(rows, num_qubits))
        values = table.values(scores)
        if self._has_value:
            values = torch.cat([scores.value[:, None], values], dim=1)
        return nn.functional.pad(values, (0, self._num_outputs - values.shape[1]))

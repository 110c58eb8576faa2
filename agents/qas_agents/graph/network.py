"""A network over qubits and pairs of qubits that gives permuted outputs for permuted qubits, for any number of them."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class Scores(NamedTuple):
    """Outputs of the network.

    Attributes:
        pairs: A logit for each pair and kind of entangler, ``(B, num_pairs, kinds)``.
        stop: The logit of stopping, ``(B,)``.
        value: Predicted reward, ``(B,)``.
    """

    pairs: Tensor
    stop: Tensor
    value: Tensor


@lru_cache(64)
def _incidence(num_qubits: int) -> tuple[Tensor, Tensor]:
    """Return which qubits are in each pair, and the same with opposite signs for the two, ``(num_pairs, num_qubits)``.

    Products with these matrices are several times as fast as gathering rows, whose gradients are scattered.
    """
    pairs = [*combinations(range(num_qubits), 2)]
    both, signed = torch.zeros(2, len(pairs), num_qubits)
    for number, (first, second) in enumerate(pairs):
        both[number, [first, second]] = 1.0
        signed[number, first], signed[number, second] = 1.0, -1.0
    return both, signed


class _Mixed(nn.Module):
    """Two layers on each row of a set, of which the first also reads the mean and the largest value of all rows."""

    def __init__(self, width: int, pooled: int, hidden: int, out: int) -> None:
        super().__init__()
        self.of_row, self.of_all = nn.Linear(width, hidden), nn.Linear(2 * pooled, hidden, bias=False)
        self.last = nn.Linear(hidden, out)

    def forward(self, rows: Tensor, pooled: Tensor) -> Tensor:
        everything = torch.cat([pooled.mean(dim=1), pooled.amax(dim=1)], dim=-1)
        result: Tensor = self.last(functional.silu(self.of_row(rows) + self.of_all(everything)[:, None]))
        return result


class _Round(nn.Module):
    """Qubits receive from their pairs, then pairs receive from their qubits and from all pairs."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.pair_norm, self.qubit_norm = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.gate_and_message = nn.Linear(hidden, 2 * hidden)
        self.of_qubits = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.SiLU(), nn.Linear(hidden, hidden))
        self.of_pairs = _Mixed(3 * hidden, hidden, hidden, hidden)

    def forward(self, qubits: Tensor, pairs: Tensor, both: Tensor, signed: Tensor) -> tuple[Tensor, Tensor]:
        p = self.pair_norm(pairs)
        # A gated sum, not a mean: on a sparse graph most pairs are silent, and more of them the larger the graph.
        gate, message = self.gate_and_message(p).chunk(2, dim=-1)
        received = both.T @ (torch.sigmoid(gate) * message)
        qubits = qubits + self.of_qubits(torch.cat([self.qubit_norm(qubits), received], dim=-1))
        # Sums and sizes of differences do not change if the qubits of a pair are exchanged.
        ends = torch.cat([p, both @ qubits, (signed @ qubits).abs()], dim=-1)
        return qubits, pairs + self.of_pairs(ends, p)


class PairNetwork(nn.Module):
    """Message passing over qubits and pairs; a logit per pair and kind of entangler, one for stopping, and a value.

    Permuting the qubits permutes the logits and changes neither the logit of stopping nor the value. The weights do not
    depend on the number of qubits.

    Args:
        num_features: Numbers of features of a qubit, of a pair and of the circuit.
        hidden: Width of all layers.
        rounds: Rounds of messages.
        kinds: Kinds of entanglers.
    """

    def __init__(self, num_features: tuple[int, int, int], hidden: int = 48, rounds: int = 2, kinds: int = 3) -> None:
        super().__init__()
        of_qubit, of_pair, of_circuit = num_features
        self.qubits_in = nn.Linear(of_qubit + of_circuit, hidden)
        self.pairs_in = nn.Linear(of_pair + of_circuit, hidden)
        self.rounds = nn.ModuleList(_Round(hidden) for _ in range(rounds))
        self.norm = nn.LayerNorm(hidden)
        self.pair_head = _Mixed(hidden, hidden, hidden, kinds)
        self.circuit_head = nn.Sequential(nn.Linear(2 * hidden + of_circuit, hidden), nn.SiLU(), nn.Linear(hidden, 2))

    def forward(self, qubits: Tensor, pairs: Tensor, circuit: Tensor) -> Scores:
        """Return the scores of features ``(B, n, .)``, ``(B, n (n - 1) / 2, .)`` and ``(B, .)``."""
        both, signed = (one.to(qubits) for one in _incidence(qubits.shape[1]))
        q = self.qubits_in(torch.cat([qubits, circuit[:, None].expand(-1, qubits.shape[1], -1)], dim=-1))
        p = self.pairs_in(torch.cat([pairs, circuit[:, None].expand(-1, pairs.shape[1], -1)], dim=-1))
        for one in self.rounds:
            q, p = one(q, p, both, signed)
        p = self.norm(p)
        of_circuit = self.circuit_head(torch.cat([p.mean(dim=1), p.amax(dim=1), circuit], dim=-1))
        return Scores(self.pair_head(p, p), of_circuit[:, 0], of_circuit[:, 1])

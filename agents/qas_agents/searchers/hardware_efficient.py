"""Hardware-efficient ansätze with random initial angles."""

from __future__ import annotations

from typing import Any

import numpy as np

from qas_agents.searchers.whole_circuits import Ansatz, Trials, WholeCircuitSearcher
from qas_simulators.errors import must

_TURNS = (("ry", "rz"), ("rx", "rz"), ("ry",), ("rx",), ("sx", "rz", "sx", "rz"))
"""Rotations of a layer in order of preference: the first whose gates are all available is used."""


class HardwareEfficient(WholeCircuitSearcher):
    """Layers of rotations on every qubit and two-qubit gates between neighbours, with random initial angles.

    Tries ``starts`` sets of angles with one layer, then with two layers, and so on up to the gate budget, then starts
    again with one layer. The last layer is followed by rotations. Neighbours are the pairs (0, 1), (1, 2), ...

    Args:
        env: An environment with a ``player`` of whole circuits, possibly under wrappers.
        seed: Seeds the angles.
        rotations: Gates on every qubit, in order; by default RY and RZ, or their substitutes from RX, RZ and SX.
        entangler: The two-qubit gate; by default the first available one of CX, CZ and ECR.
        starts: Sets of random angles per number of layers.

    Raises:
        TypeError: The environment does not play whole circuits.
        ValueError: Actions that are blocks, gates that are not among the actions, or a number out of range.

    References:
        Kandala et al., "Hardware-efficient variational quantum eigensolver", arXiv:1704.05018.
    """

    def __init__(
        self,
        env: Any,
        seed: int | None = None,
        rotations: tuple[str, ...] | None = None,
        entangler: str | None = None,
        starts: int = 20,
    ) -> None:
        if starts < 1:
            raise ValueError(must("starts", "be at least 1", starts))
        super().__init__(env, seed)
        if self._bench.catalogue.has_blocks:
            raise ValueError(must("actions", "be 'gates' for 'hea'; 'hea_blocks' has layers of blocks", "blocks"))
        self._starts = starts
        self._numbers = {(action.gate, action.qubits): k for k, action in enumerate(self._bench.catalogue.actions)}
        gates = {gate for gate, _ in self._numbers}
        self._rotations = tuple(rotations or next((turn for turn in _TURNS if gates.issuperset(turn)), ()))
        self._entangler = entangler or next((name for name in ("cx", "cz", "ecr") if name in gates), "cx")
        if not self._rotations or not {*self._rotations, self._entangler} <= gates:
            wanted = (*self._rotations, self._entangler) if self._rotations else ("ry", "rz", self._entangler)
            raise ValueError(must("gates", f"include {wanted} for a hardware-efficient ansatz", sorted(gates)))
        if self._bench.checked(self._layers(1)) is None:
            raise ValueError(must("max_gates", f"allow a layer of {len(self._layers(1))} legal gates", "smaller"))

    def _search(self, trials: Trials) -> None:
        num_layers, start = 1, 0
        while trials.running:
            actions = self._bench.checked(self._layers(num_layers))
            if actions is None:
                num_layers, start = 1, 0
                continue
            counts = [self._bench.catalogue.num_angles[action] for action in actions]
            angles = tuple(tuple(self._rng.uniform(-np.pi, np.pi, count).tolist()) for count in counts)
            start += 1
            trials.play(Ansatz(actions, angles), is_last=start == self._starts)
            if start == self._starts:
                num_layers, start = num_layers + 1, 0

    def _layers(self, number: int) -> list[int]:
        num_qubits = 1 + max(qubit for _, qubits in self._numbers for qubit in qubits)
        turns = [(name, (qubit,)) for qubit in range(num_qubits) for name in self._rotations]
        pairs = [self._pair(qubit) for qubit in range(num_qubits - 1)]
        return [self._numbers[step] for step in [*turns, *pairs] * number + turns]

    def _pair(self, qubit: int) -> tuple[str, tuple[int, ...]]:
        """Return the entangler on a qubit and the next one, in the direction that is available."""
        for pair in ((qubit, qubit + 1), (qubit + 1, qubit)):
            if (self._entangler, pair) in self._numbers:
                return self._entangler, pair
        raise ValueError(must("couplings", "connect each qubit with the next one", (qubit, qubit + 1)))

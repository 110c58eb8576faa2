"""Hardware-efficient ansätze: fixed layers, many random starts."""

from __future__ import annotations

from typing import Any

import numpy as np

from qas_agents.searchers.whole_circuits import Ansatz, Trials, WholeCircuitSearcher
from qas_simulators.errors import must

_TURNS = (("ry", "rz"), ("rx", "rz"), ("ry",), ("rx",), ("sx", "rz", "sx", "rz"))
"""What turns a qubit anywhere or half-way there, the last one as RY and RZ do; the first that is offered is taken."""


class HardwareEfficient(WholeCircuitSearcher):
    """Layers of rotations on every qubit and two-qubit gates between neighbours, from random angles.

    Starts with one layer; after ``starts`` random starts comes the next layer, and after the last that fits the budget
    all over again. A last row of rotations follows the last layer. Neighbours are the pairs (0, 1), (1, 2), ...

    Args:
        env: With a ``player`` of whole circuits, under its wrappers.
        seed: Seeds the angles.
        rotations: Gates on every qubit, in turn; by default RY and RZ, or what of RX, RZ and SX does the same.
        entangler: The two-qubit gate; by default the first of CX, CZ, ECR that there is.
        starts: Random starts per number of layers.

    Raises:
        TypeError: The environment does not serve whole circuits.
        ValueError: Gates that are no actions, or a number out of range.

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
        self._starts = starts
        self._numbers = {(action.gate, action.qubits): k for k, action in enumerate(self._bench.catalogue.actions)}
        gates = {gate for gate, _ in self._numbers}
        self._rotations = tuple(rotations or next((turn for turn in _TURNS if gates.issuperset(turn)), ()))
        self._entangler = entangler or next((name for name in ("cx", "cz", "ecr") if name in gates), "cx")
        if not self._rotations or not {*self._rotations, self._entangler} <= gates:
            wanted = (*self._rotations, self._entangler) if self._rotations else ("ry", "rz", self._entangler)
            raise ValueError(must("gates", f"offer {wanted} to a hardware-efficient ansatz", sorted(gates)))
        if self._bench.checked(self._layers(1)) is None:
            raise ValueError(must("max_gates", f"hold a layer of {len(self._layers(1))} legal gates", "smaller"))

    def _search(self, trials: Trials) -> None:
        num_layers, start = 1, 0
        while trials.go_on:
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
        """Return the entangler on a qubit and the next, in the order of its qubits that there is."""
        for pair in ((qubit, qubit + 1), (qubit + 1, qubit)):
            if (self._entangler, pair) in self._numbers:
                return self._entangler, pair
        raise ValueError(must("couplings", "join each qubit with the next one", (qubit, qubit + 1)))

"""Restrictions: the circuits that a noise model refuses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from qas_simulators.checks import distinct_qubits
from qas_simulators.errors import must
from qas_simulators.flat_circuit import Table
from qas_simulators.gates import GATES, gate_index


class Restrictions:
    """The size and the couplings of a device, and gates whose noise is unknown.

    Attributes:
        num_qubits: Largest register; ``None`` for any.
        couplings: Ordered pairs of qubits on which two-qubit gates are allowed; ``None`` for all.
        refused: Why a gate's noise is unknown, by gate and qubits.
    """

    def __init__(self) -> None:
        self.num_qubits: int | None = None
        self.couplings: frozenset[tuple[int, int]] | None = None
        self.refused: dict[tuple[str, tuple[int, ...]], str] = {}
        self._allowed: dict[int, NDArray[np.bool_]] = {}

    def __bool__(self) -> bool:
        """Return whether any circuit is refused."""
        return self.num_qubits is not None or self.couplings is not None or bool(self.refused)

    def set_couplings(self, pairs: Iterable[Sequence[int]] | None) -> None:
        """Allow two-qubit gates on these ordered pairs only; ``None`` for all pairs.

        Raises:
            ValueError: Something other than pairs of different qubits.
        """
        found = None if pairs is None else [distinct_qubits("couplings", pair) for pair in pairs]
        if found is not None and any(len(pair) != 2 for pair in found):
            raise ValueError(must("couplings", "hold pairs of qubits", pairs))
        self.couplings = None if found is None else frozenset((a, b) for a, b in found)
        self._allowed = {}

    def refuse(self, gate: str, qubits: Sequence[int], reason: str) -> None:
        """Refuse a gate; see :meth:`NoiseModel.refuse`."""
        place = distinct_qubits("qubits", qubits, self.num_qubits)
        if len(place) != GATES[gate_index(gate)].num_qubits:
            raise ValueError(must("qubits", f"be those of gate {gate!r}", place))
        self.refused[gate, place] = reason
        self._allowed = {}

    def allow(self, gates: frozenset[str], where: tuple[int, ...] | None, spared: frozenset[tuple[int, ...]]) -> None:
        """Allow gates again, on the qubits ``where`` or on all except ``spared``: their noise is known now."""
        known = [(gate, where) for gate in gates] if where is not None else list(self.refused)
        for gate, place in known:
            if gate in gates and place not in spared:
                self.refused.pop((gate, place), None)
        self._allowed = {}

    def check(self, tables: Table, num_qubits: int) -> None:
        """Raise ``ValueError`` for a gate that is refused; see :meth:`NoiseModel.check`."""
        if self.num_qubits is not None and num_qubits > self.num_qubits:
            raise ValueError(must("circuit", f"have at most the noise model's {self.num_qubits} qubits", num_qubits))
        if self.couplings is None and not self.refused:
            return
        allowed = self._allowed_on(num_qubits)[tables[..., 0], tables[..., 1], tables[..., 2] + 1]
        if not allowed.all():
            gate, first, second, _ = tables[~allowed][0].tolist()
            self.require(GATES[gate].name, (first,) if second < 0 else (first, second))

    def require(self, gate: str, qubits: tuple[int, ...]) -> None:
        """Raise ``ValueError`` if a gate is refused on these qubits."""
        reason = self.reason_against(gate, qubits)
        if reason is not None:
            raise ValueError(must("circuit", reason, f"{gate} on {qubits}"))

    def reason_against(self, gate: str, qubits: tuple[int, ...]) -> str | None:
        """Return the requirement that a gate on these qubits violates, ``None`` if it is allowed."""
        if self.num_qubits is not None and max(qubits) >= self.num_qubits:
            return f"use the noise model's {self.num_qubits} qubits"
        if (gate, qubits) in self.refused:
            return f"use gates whose noise is known ({self.refused[gate, qubits]})"
        if len(qubits) == 2 and self.couplings is not None and qubits not in self.couplings:
            return f"use the noise model's couplings {sorted(self.couplings)}"
        return None

    def _allowed_on(self, num_qubits: int) -> NDArray[np.bool_]:
        """Return which gates are allowed by gate, first qubit and second qubit + 1, which is 0 if there is none."""
        if num_qubits not in self._allowed:
            places = [*((q,) for q in range(num_qubits)), *permutations(range(num_qubits), 2)]
            allowed = np.zeros((len(GATES), num_qubits, num_qubits + 1), dtype=np.bool_)
            for row, gate in enumerate(GATES):
                for place in places:
                    if len(place) == gate.num_qubits:
                        is_allowed = self.reason_against(gate.name, place) is None
                        allowed[row, place[0], place[1] + 1 if len(place) == 2 else 0] = is_allowed
            self._allowed[num_qubits] = allowed
        return self._allowed[num_qubits]

"""NoiseModel: which channel follows which gate on which qubits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from qas_simulators.channels import Channel, bit_flip, depolarizing, probability
from qas_simulators.errors import must
from qas_simulators.gates import GATES, gate_index
from qas_simulators.pauli import PauliSum, pauli_indices

ONE_QUBIT_GATES = tuple(gate.name for gate in GATES if gate.num_qubits == 1)
TWO_QUBIT_GATES = tuple(gate.name for gate in GATES if gate.num_qubits == 2)


class NoiseModel:
    """Channels applied right after their gate, on the gate's qubits, and readout errors; idle qubits are noiseless.

    Examples:
        >>> noise = NoiseModel.depolarizing(p1=1e-3, p2=1e-2)
        >>> noise = NoiseModel().add(bit_flip(0.3), ["h", "t"]).add(depolarizing(0.2, 2), ["cx"])
    """

    def __init__(self) -> None:
        self._rules: list[tuple[Channel, frozenset[str], tuple[int, ...] | None]] = []
        self._readout: list[tuple[float, float, frozenset[int] | None]] = []

    def add(self, channel: Channel, gates: Iterable[str], qubits: Sequence[int] | None = None) -> NoiseModel:
        """Append a rule; rules that match the same gate act one after the other.

        Args:
            channel: A one-qubit channel on a two-qubit gate acts on each of its qubits.
            gates: Names of the gate table.
            qubits: Only gates on exactly these qubits, in this order; ``None`` for all.

        Raises:
            ValueError: Unknown gate, or a two-qubit channel on a one-qubit gate.
        """
        names = frozenset(gates)
        for name in names:
            if GATES[gate_index(name)].num_qubits < channel.num_qubits:
                raise ValueError(must("channel", f"act on one qubit to follow gate {name!r}", channel.num_qubits))
        self._rules.append((channel, names, None if qubits is None else tuple(qubits)))
        return self

    def add_readout(self, p01: float, p10: float | None = None, qubits: Sequence[int] | None = None) -> NoiseModel:
        """Append a readout error: read 1 where 0 was with ``p01``, 0 where 1 was with ``p10`` (default ``p01``).

        It acts on each measured Pauli term after its change of basis, so X and Y terms feel it like Z terms.

        Raises:
            ValueError: A probability outside [0, 1].
        """
        flips = (probability("p01", p01), probability("p10", p01 if p10 is None else p10))
        self._readout.append((*flips, None if qubits is None else frozenset(qubits)))
        return self

    @classmethod
    def depolarizing(cls, p1: float = 0.0, p2: float = 0.0) -> NoiseModel:
        """Return depolarising noise: ``p1`` after every one-qubit gate, two-qubit ``p2`` after every two-qubit gate."""
        probability("p1", p1)
        probability("p2", p2)
        model = cls()
        if p1 > 0:
            model.add(depolarizing(p1), ONE_QUBIT_GATES)
        if p2 > 0:
            model.add(depolarizing(p2, 2), TWO_QUBIT_GATES)
        return model

    @classmethod
    def bit_flip(cls, p: float) -> NoiseModel:
        """Return bit flips with probability ``p`` after every one-qubit gate."""
        channel = bit_flip(probability("p", p))
        return cls().add(channel, ONE_QUBIT_GATES) if p > 0 else cls()

    @property
    def is_noiseless(self) -> bool:
        """True when no rule was added."""
        return not self._rules and not self._readout

    def channels(self, gate: str, qubits: tuple[int, ...]) -> list[tuple[Channel, tuple[int, ...]]]:
        """Return the channels that follow ``gate`` on ``qubits``, in order, each with the qubits it acts on."""
        found: list[tuple[Channel, tuple[int, ...]]] = []
        for channel, names, where in self._rules:
            if gate not in names or where not in (None, qubits):
                continue
            if channel.num_qubits == len(qubits):
                found.append((channel, qubits))
            else:
                found += [(channel, (qubit,)) for qubit in qubits]
        return found

    def measured(self, observable: PauliSum) -> PauliSum:
        """Return the observable whose exact expectation is what misread terms average to."""
        x, z, factors, source = self._misread(observable)
        return PauliSum.from_masks(observable.num_qubits, x, z, factors * observable.coefficients[source])

    def term_means(self, observable: PauliSum, pauli_vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what each term of the observable averages to when read with errors, ``(num_terms,)``."""
        x, z, factors, source = self._misread(observable)
        values = factors * pauli_vector[pauli_indices(x, z, observable.num_qubits)]
        return np.bincount(source, weights=values, minlength=len(observable)).astype(np.float64)

    def _misread(
        self, observable: PauliSum
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
        """Expand every term by its misreadings: masks, factors, and which term each comes from.

        A letter ``P`` on a qubit with confusions ``p01``, ``p10`` reads ``(1 - p01 - p10) P + (p10 - p01)``.
        """
        x, z, factors = observable.x, observable.z, np.ones(len(observable))
        source = np.arange(len(observable))
        for p01, p10, where in self._readout:
            for qubit in range(observable.num_qubits) if where is None else sorted(where):
                bit = np.int64(1 << qubit)
                touched = ((x | z) & bit) != 0
                scaled = np.where(touched, (1 - p01 - p10) * factors, factors)
                if p01 == p10:
                    factors = scaled
                    continue
                x, z = np.concatenate([x, x[touched] & ~bit]), np.concatenate([z, z[touched] & ~bit])
                factors = np.concatenate([scaled, (p10 - p01) * factors[touched]])
                source = np.concatenate([source, source[touched]])
        return x, z, factors, source

"""NoiseModel: which channel follows which gate on which qubits."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qas_simulators.channels import Channel, bit_flip, depolarizing, probability, ptm_of_kraus
from qas_simulators.checks import real_array
from qas_simulators.circuit import Circuit
from qas_simulators.errors import must
from qas_simulators.flat_circuit import Table
from qas_simulators.gate_channels import GateChannels
from qas_simulators.gates import GATES, gate_index
from qas_simulators.pauli import PauliSum
from qas_simulators.readout import ReadoutErrors
from qas_simulators.restrictions import Restrictions

if TYPE_CHECKING:
    from qiskit_aer.noise import NoiseModel as AerNoiseModel

ONE_QUBIT_GATES = tuple(gate.name for gate in GATES if gate.num_qubits == 1)
TWO_QUBIT_GATES = tuple(gate.name for gate in GATES if gate.num_qubits == 2)


class NoiseModel:
    """Channels that act right after a gate, on the gate's qubits; readout errors; noise on idle qubits.

    Attributes:
        has_idle_noise: Whether qubits are noisy where no gate acts on them; set by :meth:`add_idle`.

    Examples:
        >>> noise = NoiseModel.depolarizing(p1=1e-3, p2=1e-2)
        >>> noise = NoiseModel().add(bit_flip(0.3), ["h", "t"]).add(depolarizing(0.2, 2), ["cx"])
    """

    def __init__(self) -> None:
        self._channels = GateChannels()
        self._readout = ReadoutErrors()
        self._restrictions = Restrictions()
        self.has_idle_noise = False

    @property
    def num_qubits(self) -> int | None:
        """Number of the device's qubits, or of those chosen from it; larger circuits are refused; ``None`` for any."""
        return self._restrictions.num_qubits

    @num_qubits.setter
    def num_qubits(self, value: int | None) -> None:
        self._restrictions.num_qubits = value

    @property
    def couplings(self) -> frozenset[tuple[int, int]] | None:
        """Ordered pairs of qubits on which a device has two-qubit gates, and known noise; ``None`` for all."""
        return self._restrictions.couplings

    @couplings.setter
    def couplings(self, pairs: Iterable[Sequence[int]] | None) -> None:
        self._restrictions.set_couplings(pairs)

    def add(
        self,
        channel: Channel,
        gates: Iterable[str],
        qubits: Sequence[int] | None = None,
        except_on: Iterable[tuple[int, ...]] = (),
    ) -> NoiseModel:
        """Append a rule; rules that match the same gate act one after the other.

        Args:
            channel: A one-qubit channel on a two-qubit gate acts on each of its qubits.
            gates: Names of the gate table, or one name.
            qubits: Only gates on exactly these qubits, in this order; ``None`` for all.
            except_on: Gates on exactly these qubits are left out.

        Raises:
            ValueError: No gates, an unknown gate, a two-qubit channel on a one-qubit gate, or qubits on which one of
                the gates cannot act.
        """
        rule = self._channels.add(channel, gates, qubits, except_on, self.num_qubits)
        self._restrictions.allow(rule.gates, rule.where, rule.except_on)
        return self

    def refuse(self, gate: str, qubits: Sequence[int], reason: str) -> NoiseModel:
        """Refuse a gate whose noise is not known, until a rule is added for it.

        Args:
            gate: A name of the gate table.
            qubits: The qubits on which it acts, in order.
            reason: Why its noise is unknown, for the message.

        Raises:
            ValueError: Unknown gate, or qubits on which it cannot act.
        """
        self._restrictions.refuse(gate, qubits, reason)
        return self

    def add_idle(self, channel: Channel, qubit: int | None = None) -> NoiseModel:
        """Append noise on every qubit that no gate touches in a moment of the circuit.

        Moments are those of :meth:`Circuit.depth`: every gate sits in the earliest that it can. The gate ``id`` counts
        as idling and gets the same noise.

        Args:
            channel: A one-qubit channel, for one moment.
            qubit: The idle qubit; ``None`` for all.
        """
        self.add(channel, ["id"], None if qubit is None else (qubit,))
        self.has_idle_noise = True
        return self

    def add_readout(self, p01: float, p10: float | None = None, qubits: Sequence[int] | None = None) -> NoiseModel:
        """Append a readout error: read 1 where 0 was with ``p01``, 0 where 1 was with ``p10`` (default ``p01``).

        It acts on each measured Pauli term after its change of basis, so it affects X and Y terms like Z terms. Several
        errors of one qubit act in the order added: the second misreads the outcomes of the first.

        Raises:
            ValueError: A probability outside [0, 1], or qubits that are not a list of different ones.
        """
        self._readout.add(p01, p10, qubits, self.num_qubits)
        return self

    def without_readout(self) -> NoiseModel:
        """Return a copy without readout errors, to which others can be added; the original is not changed."""
        twin = copy.deepcopy(self)
        twin._readout = ReadoutErrors()
        return twin

    @classmethod
    def depolarizing(cls, p1: float = 0.0, p2: float = 0.0) -> NoiseModel:
        """Return depolarising noise: ``p1`` after every one-qubit gate, two-qubit ``p2`` after every two-qubit gate."""
        p1, p2 = probability("p1", p1), probability("p2", p2)
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

    @classmethod
    def from_ptms(
        cls, ptms: Mapping[tuple[str, tuple[int, ...]], ArrayLike], with_gate: bool = False, tolerance: float = 1e-9
    ) -> NoiseModel:
        """Return the noise of Pauli transfer matrices by gate and qubits.

        Args:
            ptms: ``(4, 4)`` or ``(16, 16)``, the gate's first qubit the least significant digit of I, X, Y, Z.
            with_gate: The matrices hold the gate too, as tomography gives them; only gates without an angle then.
            tolerance: Largest violation of complete positivity and of trace preservation.

        Raises:
            ValueError: Unknown gate, wrong shape, or not a channel; the message says by how much.
        """
        model = cls()
        for (name, qubits), ptm in ptms.items():
            model.add(Channel.from_ptm(_noise_of(name, qubits, ptm, with_gate), tolerance), [name], qubits)
        return model

    @classmethod
    def from_qiskit(
        cls, model: AerNoiseModel, qubits: Sequence[int] | None = None, stand_ins: Mapping[str, str] | None = None
    ) -> NoiseModel:
        """Convert a ``qiskit_aer.noise.NoiseModel`` (needs ``qiskit-aer``): gate errors and readout errors.

        A gate on which the model has an error gets this error. If the model has ``basis_gates``, as those of backends
        do, or errors on gates outside the gate table, such as ``u3``, then any other gate gets the noise of its
        decomposition into the model's gates by Qiskit's transpiler; otherwise it is noiseless, as in Aer. Pairs of
        qubits without an error are noiseless too: only :meth:`from_backend` reads couplings.

        Args:
            model: Errors on one- and two-qubit gates; what acts on more qubits is left out.
            qubits: The device's qubits that become qubits 0, 1, ...; ``None`` keeps the numbers.
            stand_ins: For some gates, the model's gates whose noise they get instead, one after the other, such as
                ``{"rx": "sx", "ry": ["sx", "sx"]}``.

        Raises:
            ValueError: An unknown gate in ``stand_ins``, or a gate of the model without noise; readout errors of
                several qubits together.
        """
        from qas_simulators.bridges.devices import noise_from_qiskit

        return noise_from_qiskit(model, qubits, stand_ins)

    @classmethod
    def from_backend(
        cls, backend: Any, qubits: Sequence[int] | None = None, stand_ins: Mapping[str, str] | None = None
    ) -> NoiseModel:
        """Return the noise and the couplings of a Qiskit backend, for instance a fake one of ``qiskit-ibm-runtime``.

        Errors are those of Aer's ``NoiseModel.from_backend``. A gate that the device lacks has the noise of its
        decomposition by Qiskit's transpiler; it is refused where that noise is unknown.
        ``couplings`` holds the device's pairs in both directions. Gates with a calibrated error of 1 are left out
        with a warning. Circuits may not have more qubits than were chosen.

        Args:
            backend: A backend with a target, or the target.
            qubits: As in :meth:`from_qiskit`; only these are read.
            stand_ins: As in :meth:`from_qiskit`.

        Raises:
            ValueError: The chosen qubits are not on the device, or one is coupled to no other; a name or a class in
                place of a backend.
        """
        from qas_simulators.bridges.devices import noise_from_backend

        return noise_from_backend(backend, qubits, stand_ins)

    @classmethod
    def from_pygsti(cls, model: Any, gates: Mapping[str, str] | None = None, tolerance: float = 1e-9) -> NoiseModel:
        """Return the noise of an explicit pyGSTi model: its matrices without the ideal gates.

        Gates without a matrix are refused until a rule is added for them, since their noise is not known.

        Args:
            model: ``pygsti.models.ExplicitOpModel`` on qubits, in the Pauli-product basis.
            gates: The gate of each of pyGSTi's names; by default the standard ones (``Gxpi2`` is ``sx``).
            tolerance: As in :meth:`from_ptms`; estimates need not be completely positive.

        Raises:
            ValueError: A matrix is not a channel.
        """
        from qas_simulators.bridges.pygsti import noise_from_pygsti

        return noise_from_pygsti(model, gates, tolerance)

    def scaled(self, factor: float, readout: float | None = None) -> NoiseModel:
        """Return the model with ``factor`` times the noise; see :meth:`Channel.scaled`.

        Args:
            factor: Of all channels, those on idle qubits included; not negative.
            readout: Of the probabilities of readout errors; by default as ``factor``.

        Raises:
            ValueError: A probability would exceed 1, or a power is not a channel.
        """
        twin = copy.copy(self)
        try:
            twin._channels = self._channels.scaled(factor)
            twin._readout = self._readout.scaled(factor if readout is None else readout)
        except ValueError as error:
            raise ValueError(f"Noise cannot be scaled by {factor:g}. {error}") from None
        twin._restrictions = copy.deepcopy(self._restrictions)
        return twin

    @property
    def is_noiseless(self) -> bool:
        """Whether the model has neither channels nor readout errors."""
        return not self._channels and not self._readout

    @property
    def has_channels(self) -> bool:
        """Whether gates, or qubits that idle, are noisy."""
        return bool(self._channels)

    @property
    def is_restricted(self) -> bool:
        """Whether some circuits are refused: for their size, their two-qubit gates, or gates of unknown noise."""
        return bool(self._restrictions)

    def check(self, tables: Table, num_qubits: int) -> None:
        """Raise ``ValueError`` for a gate that the model refuses.

        Args:
            tables: Rows of circuits, ``(..., 4)``.
            num_qubits: Of the register, which may not be larger than that of a device.
        """
        self._restrictions.check(tables, num_qubits)

    def reason_against(self, gate: str, qubits: tuple[int, ...]) -> str | None:
        """Return the requirement that a gate on these qubits violates; ``None`` if the gate is allowed."""
        return self._restrictions.reason_against(gate, qubits)

    def scheduled(self, circuit: Circuit) -> Circuit:
        """Return the circuit as it runs: with ``id`` on idle qubits where these are noisy.

        Raises:
            ValueError: A gate that the model refuses, see :meth:`check`.
        """
        self.check(circuit.table, circuit.num_qubits)
        return _with_idling(circuit) if self.has_idle_noise else circuit

    def channels(self, gate: str, qubits: tuple[int, ...]) -> list[tuple[Channel, tuple[int, ...]]]:
        """Return the channels that follow ``gate`` on ``qubits``, in order, each with the qubits it acts on.

        Raises:
            ValueError: The model refuses the gate there: its noise is not known.
        """
        self._restrictions.require(gate, qubits)
        return self._channels.after(gate, qubits)

    def transfer_matrix(self, gate: str, qubits: tuple[int, ...]) -> NDArray[np.float64]:
        """Return all noise after ``gate`` as one Pauli transfer matrix, ``(4, 4)`` or ``(16, 16)``.

        Raises:
            ValueError: As for :meth:`channels`.
        """
        self._restrictions.require(gate, qubits)
        return self._channels.transfer_matrix(gate, qubits)

    def measured(self, observable: PauliSum) -> PauliSum:
        """Return the observable whose exact expectation is the mean of the misread outcomes."""
        return self._readout.measured(observable)

    def unmeasured(self, observable: PauliSum) -> PauliSum:
        """Return the observable whose misread outcomes average to the exact expectation of ``observable``.

        Raises:
            ValueError: The readout errors have no inverse.
        """
        return self._readout.unmeasured(observable)

    def check_readout_inverse(self) -> None:
        """Raise ``ValueError`` if the readout errors of a qubit have no inverse."""
        self._readout.check_inverse()

    def term_means(self, observable: PauliSum, pauli_vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean misread outcome of each term of the observable, ``(num_terms,)``."""
        return self._readout.term_means(observable, pauli_vector)


def _noise_of(name: str, qubits: tuple[int, ...], ptm: ArrayLike, with_gate: bool) -> NDArray[np.float64]:
    """Return the noise in one of the matrices of :meth:`NoiseModel.from_ptms`."""
    gate, matrix = GATES[gate_index(name)], real_array(f"ptms[{name!r}, {qubits}]", ptm)
    if len(qubits) != gate.num_qubits or matrix.shape != (4**gate.num_qubits,) * 2:
        size = 4**gate.num_qubits
        raise ValueError(must(f"ptms[{name!r}, {qubits}]", f"have shape ({size}, {size})", matrix.shape))
    if not with_gate:
        return matrix
    if gate.axis is not None:
        raise ValueError(must("ptms", "be of gates without an angle if they hold the gate", name))
    return np.asarray(matrix @ ptm_of_kraus([gate.matrix()]).T)


def _with_idling(circuit: Circuit) -> Circuit:
    """Return the circuit with an ``id`` on every qubit in every moment in which no gate acts on it."""
    angles = circuit.angles
    idle, free = gate_index("id"), [0] * circuit.num_qubits
    result = Circuit(circuit.num_qubits)
    for gate, qubit0, qubit1, param in circuit.table.tolist():
        busy = [qubit0] if qubit1 < 0 else [qubit0, qubit1]
        moment = max(free[qubit] for qubit in busy)
        for qubit in busy:
            for _ in range(moment - free[qubit]):
                result.append_row(idle, qubit, -1)
            free[qubit] = moment + 1
        result.append_row(gate, qubit0, qubit1, angles[param] if param >= 0 else 0.0)
    for qubit in range(circuit.num_qubits):
        for _ in range(max(free) - free[qubit]):
            result.append_row(idle, qubit, -1)
    if circuit.is_linked:
        result.link_like(circuit)
    return result

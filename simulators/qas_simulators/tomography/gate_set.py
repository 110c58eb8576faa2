"""GateSet: Pauli transfer matrices of gates with a state and effects, as gate set tomography gives them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qas_simulators.channels import ptm_of_kraus
from qas_simulators.checks import distinct_qubits, real_array
from qas_simulators.errors import must
from qas_simulators.files import write_whole
from qas_simulators.gates import GATES, gate_index
from qas_simulators.noise import NoiseModel
from qas_simulators.pauli import PauliSum
from qas_simulators.tomography.projection import nearest_channel, nearest_effects, nearest_state

FloatArray = NDArray[np.float64]
Key = tuple[str, tuple[int, ...]]
"""A gate: its name in the gate table and its qubits."""

_FORMAT: Final = "qas-envs gate set"


@dataclass(frozen=True, eq=False)
class GateSet:
    """Gates, a preparation and a measurement of one or two qubits.

    All matrices and vectors belong to the whole register, with the Pauli strings in the order of the base-4 digits
    I, X, Y, Z, qubit 0 least significant. The probability of an outcome after gates ``g1, g2, ...`` is
    ``effects[outcome] @ ... @ ptm(g2) @ ptm(g1) @ state``. It is the same after a change of gauge, see
    :meth:`transformed`. Estimates need not be physical, see :meth:`repaired`.

    Attributes:
        gates: Pauli transfer matrices by gate and qubits, ``(4**n, 4**n)``.
        state: ``Tr(P rho)``, ``(4**n,)``.
        effects: ``Tr(P E) / 2**n`` of each outcome, ``(2**n, 4**n)``; bit ``q`` of the outcome's number is qubit ``q``.

    Raises:
        ValueError: Unknown gates, qubits that do not fit, or arrays of wrong shapes.

    Examples:
        >>> ideal = GateSet.ideal(1, [("sx", (0,))])
        >>> ideal.probabilities([("sx", (0,)), ("sx", (0,))]).round(9).tolist()
        [0.0, 1.0]
        >>> ideal.transformed(np.diag([1.0, 0.9, 0.8, 0.7])).probabilities([("sx", (0,))]).round(9).tolist()
        [0.5, 0.5]
    """

    gates: Mapping[Key, FloatArray]
    state: FloatArray
    effects: FloatArray

    def __post_init__(self) -> None:
        state, effects = real_array("state", self.state), real_array("effects", self.effects)
        if state.shape not in ((4,), (16,)):
            raise ValueError(must("state", "have shape (4,) or (16,)", state.shape))
        number = 1 if len(state) == 4 else 2
        if effects.shape != (2**number, 4**number):
            raise ValueError(must("effects", f"have shape ({2**number}, {4**number})", effects.shape))
        gates = {}
        for (name, qubits), given in self.gates.items():
            places, ptm = distinct_qubits("qubits", qubits, number), real_array(f"ptm of {name}", given)
            if GATES[gate_index(name)].num_qubits != len(places):
                raise ValueError(must("qubits", f"be {GATES[gate_index(name)].num_qubits} for gate {name!r}", qubits))
            if ptm.shape != (4**number, 4**number):
                raise ValueError(must(f"ptm of {name}", f"have shape {(4**number, 4**number)}", ptm.shape))
            gates[name, places] = ptm
        if not all(np.isfinite(array).all() for array in (state, effects, *gates.values())):
            raise ValueError(must("gates", "hold finite numbers", "infinite or not a number"))
        for name, value in (("gates", gates), ("state", state), ("effects", effects)):
            object.__setattr__(self, name, value)

    @classmethod
    def ideal(cls, num_qubits: int, gates: Iterable[Key]) -> GateSet:
        """Return gates without noise, the state ``|0...0>`` and the measurement of all qubits."""
        return cls.of_noise(NoiseModel(), num_qubits, gates)

    @classmethod
    def of_noise(cls, noise: NoiseModel, num_qubits: int, gates: Iterable[Key]) -> GateSet:
        """Return the gates of a noise model with the noise after them, for example to simulate tomography.

        Args:
            noise: Without noise on idle qubits. Readout errors act on the effects.
            num_qubits: 1 or 2.
            gates: Without angles.

        Raises:
            ValueError: A gate with an angle, or one that the model refuses.
        """
        if num_qubits not in (1, 2) or noise.has_idle_noise:
            raise ValueError(must("num_qubits", "be 1 or 2, and idle qubits without noise", num_qubits))
        ptms = {}
        for name, qubits in gates:
            gate = GATES[gate_index(name)]
            if gate.axis is not None:
                raise ValueError(must("gates", "be gates without angles", name))
            own = noise.transfer_matrix(name, qubits) @ ptm_of_kraus([gate.matrix()])
            ptms[name, qubits] = _on_register(own, qubits, num_qubits)
        state: Any = [1.0]
        effects: Any = np.ones((1, 1))
        for qubit in range(num_qubits):
            state = np.kron([1.0, 0.0, 0.0, 1.0], state)
            effects = np.kron(_outcomes(noise, qubit), effects)
        return cls(ptms, state, effects)

    @classmethod
    def from_pygsti(cls, model: Any, gates: Mapping[str, str] | None = None) -> GateSet:
        """Return an explicit model of pyGSTi with one preparation and one measurement; estimates are not repaired.

        Args:
            model: ``pygsti.models.ExplicitOpModel`` on one or two qubits, in the Pauli-product basis.
            gates: The gate of each of pyGSTi's names; by default the standard ones (``Gxpi2`` is ``sx``).

        Raises:
            ValueError: Another basis, or a gate on another number of qubits.
        """
        from qas_simulators.bridges.pygsti import gate_set_from_pygsti

        return gate_set_from_pygsti(model, gates)

    @classmethod
    def load(cls, path: str | Path) -> GateSet:
        """Read a file of :meth:`save`, which any program can write.

        Raises:
            ValueError: Another format.
        """
        content = json.loads(Path(path).read_text("utf-8"))
        if not isinstance(content, dict) or content.get("format") != _FORMAT:
            raise ValueError(must("path", f"hold JSON with the format {_FORMAT!r}", str(path)))
        gates = {(one["name"], tuple(one["qubits"])): one["ptm"] for one in content["gates"]}
        return cls(gates, content["state"], content["effects"])

    def save(self, path: str | Path) -> None:
        """Write JSON with ``format``, ``state``, ``effects``, and ``gates`` of a ``name``, ``qubits`` and a ``ptm``."""
        gates = [{"name": name, "qubits": qubits, "ptm": ptm.tolist()} for (name, qubits), ptm in self.gates.items()]
        content = {"format": _FORMAT, "state": self.state.tolist(), "effects": self.effects.tolist(), "gates": gates}
        write_whole(Path(path), (json.dumps(content) + "\n").encode())

    @property
    def num_qubits(self) -> int:
        """1 or 2."""
        return 1 if len(self.state) == 4 else 2

    def probabilities(self, sequence: Iterable[Key]) -> FloatArray:
        """Return the probability of each outcome after a sequence of gates, ``(2**n,)``."""
        vector = self.state
        for key in sequence:
            vector = self.gates[key] @ vector
        return self.effects @ vector

    def transformed(self, gauge: ArrayLike) -> GateSet:
        """Return the gate set in another gauge: gates ``T G T^-1``, state ``T rho``, effects ``E T^-1``.

        Args:
            gauge: Invertible ``T``, ``(4**n, 4**n)``. The trace is kept where its first row is ``(1, 0, ..., 0)``.

        Raises:
            ValueError: Wrong shape, or no inverse.
        """
        matrix = real_array("gauge", gauge)
        if matrix.shape != (len(self.state),) * 2 or not np.linalg.cond(matrix) < 1e12:
            raise ValueError(must("gauge", f"be an invertible matrix of {len(self.state)} rows", matrix.shape))
        inverse = np.linalg.inv(matrix)
        gates = {key: matrix @ ptm @ inverse for key, ptm in self.gates.items()}
        return GateSet(gates, matrix @ self.state, self.effects @ inverse)

    def repaired(self) -> GateSet:
        """Return the nearest physical gate set in the Frobenius norm: channels, a state, and effects that sum to 1."""
        gates = {key: nearest_channel(ptm) for key, ptm in self.gates.items()}
        return GateSet(gates, nearest_state(self.state), nearest_effects(self.effects))

    def on_gate(self, key: Key) -> FloatArray:
        """Return a gate's matrix on its own qubits, the first one least significant, ``(4**k, 4**k)``.

        The other qubit, if there is one, begins in the maximally mixed state and is discarded.
        """
        _, qubits = key
        size = self.num_qubits
        dense = self.gates[key].reshape((4,) * (2 * size))  # the last qubit first
        if len(qubits) < size:
            other = 1 - qubits[0]
            axis = size - 1 - other
            return np.asarray(np.take(np.take(dense, 0, axis=size + axis), 0, axis=axis))
        axes = [size - 1 - qubit for qubit in reversed(qubits)]
        order = axes + [size + axis for axis in axes]
        return np.asarray(dense.transpose(order).reshape(4**size, 4**size))

    def noise_model(self, stand_ins: Mapping[str, str] | None = None, tolerance: float = 1e-7) -> NoiseModel:
        """Return the gates' noise and the readout errors as a noise model; all other gates are refused.

        The probability of misreading a qubit is that of the effects in the states ``|0...0>`` and with this qubit in
        ``|1>``. A noise model has no errors of preparation: what the gauge leaves of them is not in it.

        Args:
            stand_ins: Gates with an angle, and the gate whose noise each has after it: ``{"rz": "s"}``.
            tolerance: Largest violation of complete positivity and of trace preservation, see :meth:`repaired`.

        Raises:
            ValueError: A matrix that is no channel, or a stand-in that is not in the gate set.
        """
        from qas_simulators.tomography.device import device_noise

        return device_noise({tuple(range(self.num_qubits)): self}, stand_ins, tolerance)

    def readout(self, qubit: int) -> tuple[float, float]:
        """Return the probabilities of reading 1 where a qubit is 0, and 0 where it is 1; the other qubit is 0."""
        errors = []
        for bit in (0, 1):
            vector: Any = [1.0]
            for other in range(self.num_qubits):
                vector = np.kron([1.0, 0.0, 0.0, -1.0 if bit and other == qubit else 1.0], vector)
            outcomes = self.effects @ vector
            errors.append(sum(outcomes[k] for k in range(len(outcomes)) if (k >> qubit & 1) != bit))
        return float(np.clip(errors[0], 0, 1)), float(np.clip(errors[1], 0, 1))


def _outcomes(noise: NoiseModel, qubit: int) -> FloatArray:
    """Return the effects of reading a qubit, ``(2, 4)``."""
    measured = noise.measured(PauliSum.from_masks(qubit + 1, [0], [1 << qubit], [1.0]))
    mean = np.zeros(4 ** (qubit + 1))
    mean[measured.pauli_indices()] = measured.coefficients
    shift, scale = mean[0], mean[3 * 4**qubit]
    return np.array([[1 + shift, 0, 0, scale], [1 - shift, 0, 0, -scale]]) / 2


def _on_register(ptm: FloatArray, qubits: tuple[int, ...], num_qubits: int) -> FloatArray:
    """Return a gate's matrix on the whole register."""
    if num_qubits == 1 or (len(qubits) == 2 and qubits == (0, 1)):
        return ptm
    if len(qubits) == 1:
        return np.asarray(np.kron(np.eye(4), ptm) if qubits[0] == 0 else np.kron(ptm, np.eye(4)))
    return np.asarray(ptm.reshape((4,) * 4).transpose(1, 0, 3, 2).reshape(16, 16))

"""Noise models of devices whose qubits and pairs were fitted one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import permutations

import numpy as np

from qas_simulators.channels import Channel, ptm_of_kraus
from qas_simulators.checks import distinct_qubits
from qas_simulators.errors import must
from qas_simulators.gates import GATES, gate_index
from qas_simulators.noise import NoiseModel
from qas_simulators.tomography.gate_set import GateSet, Key


def pair_target(first: GateSet, second: GateSet, gates: Iterable[Key]) -> GateSet:
    """Return the target of a pair of qubits that were fitted on their own: their gates, and ideal two-qubit gates.

    In the gauge of this target the two-qubit gates of a fit of the pair belong to the same frames as the gates of the
    two qubits.

    Args:
        first: The fit of qubit 0 of the pair.
        second: The fit of qubit 1.
        gates: Of the pair; those on one qubit are in the fits, where they act on qubit 0.
    """
    wide = GateSet.ideal(2, gates)
    ptms = dict(wide.gates)
    for name, qubits in ptms:
        if len(qubits) == 1:
            own = (first, second)[qubits[0]].gates[name, (0,)]
            ptms[name, qubits] = np.asarray(np.kron(np.eye(4), own) if qubits == (0,) else np.kron(own, np.eye(4)))
    effects = np.array([np.kron(b, a) for b in second.effects for a in first.effects])
    return GateSet(ptms, np.asarray(np.kron(second.state, first.state)), effects)


def device_noise(
    fits: Mapping[tuple[int, ...], GateSet], stand_ins: Mapping[str, str] | None = None, tolerance: float = 1e-7
) -> NoiseModel:
    """Return the noise of a device from physical gate sets of its qubits and pairs; gates that none has are refused.

    Where several gate sets have a gate, that of the smallest one counts, as for readout errors. The pairs with a
    two-qubit gate are the couplings of the model.

    Args:
        fits: Gate sets by the device's qubits, such as ``{(0,): ..., (1,): ..., (0, 1): ...}``.
        stand_ins: Gates that none of the gate sets has, and the gate whose noise each has after it: ``{"rz": "s"}``.
        tolerance: As in :meth:`NoiseModel.from_ptms`.

    Raises:
        ValueError: Qubits that do not fit a gate set, a matrix that is no channel, or an unknown stand-in.

    Examples:
        >>> fit = GateSet.of_noise(NoiseModel.depolarizing(p1=0.01), 1, [("sx", (0,)), ("s", (0,))])
        >>> noise = device_noise({(0,): fit, (1,): fit}, {"rz": "s"})
        >>> noise.num_qubits, noise.transfer_matrix("rz", (1,)).round(9)[3, 3]
        (2, np.float64(0.99))
    """
    noise: dict[Key, Channel] = {}
    model = NoiseModel()
    read = set[int]()
    for place, fit in sorted(fits.items(), key=lambda item: (len(item[0]), item[0])):
        qubits = distinct_qubits("fits", place)
        if len(qubits) != fit.num_qubits:
            raise ValueError(must("fits", f"have {fit.num_qubits} qubits as their gate set", place))
        noise = {**_noise_of(fit, qubits, tolerance), **noise}
        for own, qubit in enumerate(qubits):
            if qubit not in read:
                model.add_readout(*fit.readout(own), qubits=[qubit])
                read.add(qubit)
    names = {name for name, _ in noise}
    for name, source in (stand_ins or {}).items():
        if source not in names or GATES[gate_index(name)].num_qubits != GATES[gate_index(source)].num_qubits:
            raise ValueError(must("stand_ins", f"name gates of {sorted(names)} on as many qubits", source))
        noise |= {(name, where): channel for (gate, where), channel in noise.items() if gate == source}
    for (name, where), channel in noise.items():
        model.add(channel, [name], where)
    model.num_qubits = max(read) + 1
    if any(len(where) == 2 for _, where in noise):
        model.couplings = [where for _, where in noise if len(where) == 2]
    for gate in GATES:
        for where in permutations(range(max(read) + 1), gate.num_qubits):
            if (gate.name, where) not in noise:
                model.refuse(gate.name, where, f"no gate set has {gate.name}")
    return model


def _noise_of(fit: GateSet, qubits: tuple[int, ...], tolerance: float) -> dict[Key, Channel]:
    """Return the noise after each gate of a gate set, by the device's qubits."""
    found = {}
    for name, own in fit.gates:
        ideal = ptm_of_kraus([GATES[gate_index(name)].matrix()])
        channel = Channel.from_ptm(fit.on_gate((name, own)) @ ideal.T, tolerance)
        found[name, tuple(qubits[one] for one in own)] = channel
    return found

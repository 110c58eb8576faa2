"""Noise of IBM devices on one day, from shipped calibrations: the snapshots that Qiskit's fake backends hold.

``python -m qas_simulators.bridges.snapshots`` writes the file of calibrations, which needs the ``devices`` extra.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import permutations
from typing import Any, Final, NamedTuple

import numpy as np

from qas_simulators.channels import Channel, depolarizing, ptm_of_kraus, thermal_relaxation
from qas_simulators.checks import distinct_qubits
from qas_simulators.errors import must, unknown_name
from qas_simulators.gates import GATES, gate_index
from qas_simulators.noise import NoiseModel

FILE: Final = "snapshots.json"
_VIRTUAL: Final = ("rz", "z", "s", "sdg", "t", "tdg", "p")  # changes of a frame, which take no time
_PULSES: Final = ("sx", "x", "h")  # one pulse; those of H and X differ from SX by RZ
_TURNS: Final = {"rx": 2.5 * np.pi, "ry": 3.0 * np.pi}  # RX and RY are SX, RZ, SX, and RZ with this angle


class Calibration(NamedTuple):
    """A qubit on one day.

    Attributes:
        t1: Relaxation time, in microseconds.
        t2: Dephasing time, in microseconds; at most twice ``t1`` is used.
        error: Average gate infidelity of SX, on older devices of U3.
        duration: Of this gate, in nanoseconds.
        misread: Probability that the qubit is misread.
    """

    t1: float
    t2: float
    error: float
    duration: float
    misread: float


class Snapshot(NamedTuple):
    """A device on one day.

    Attributes:
        gates_per_turn: Gates of a rotation about X or Y: two SX, or one U3.
        qubits: The qubits; ``None`` for those that did not work.
        pairs: Average gate infidelity of CX, and its duration in nanoseconds, by control and target.
    """

    gates_per_turn: int
    qubits: tuple[Calibration | None, ...]
    pairs: Mapping[tuple[int, int], tuple[float, float]]


@cache
def _data() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(files(__package__).joinpath("data", FILE).read_text("utf-8"))["devices"]
    return data


def snapshot_names() -> tuple[str, ...]:
    """Return the names of the devices with a snapshot."""
    return tuple(_data())


@cache
def read_snapshot(device: str) -> Snapshot:
    """Return the calibration of a device.

    Raises:
        ValueError: No snapshot has this name.

    Examples:
        >>> manila = read_snapshot("manila")
        >>> len(manila.qubits), sorted(manila.pairs)[:3]
        (5, [(0, 1), (1, 0), (1, 2)])
    """
    if device not in _data():
        raise ValueError(unknown_name("device", device, _data()))
    own = _data()[device]
    qubits = tuple(None if one is None else Calibration(*one) for one in own["qubits"])
    pairs: dict[tuple[int, int], tuple[float, float]] = {}
    for first, second, error, there, back in own["pairs"]:
        pairs |= {(first, second): (error, there), (second, first): (error, back)}
    return Snapshot(own["gates_per_turn"], qubits, pairs)


def snapshot(device: str = "manila", qubits: Sequence[int] | None = None) -> NoiseModel:
    """An IBM device on one day, from shipped calibrations: the channels and couplings of its fake backend in Qiskit.

    After a gate the qubits relax for its duration; before that they are depolarised such that the average infidelity is
    the calibrated error, as in Aer's noise models of devices. RX and RY are two SX with RZ in between and behind, on
    older devices a U3. RZ is free of noise. There are also CX on coupled pairs, and SX, X and H where the device has
    SX; other gates are refused.

    Args:
        device: The name of the device, such as ``"manila"``; see :func:`snapshot_names`.
        qubits: The device's qubits that become qubits 0, 1, ...; by default all.

    Raises:
        ValueError: An unknown device, qubits that it has not, that did not work on the day, or of which one is coupled
            to no other one.

    Examples:
        >>> noise = snapshot("manila", [1, 2, 3])
        >>> sorted(noise.couplings), noise.num_qubits
        ([(0, 1), (1, 0), (1, 2), (2, 1)], 3)
    """
    read = read_snapshot(device)
    working = [number for number, one in enumerate(read.qubits) if one is not None]
    places = distinct_qubits("qubits", working if qubits is None else qubits, len(read.qubits))
    if broken := [place for place in places if read.qubits[place] is None]:
        raise ValueError(must("qubits", "have worked on the day of the snapshot", broken))
    pairs = [pair for pair in permutations(range(len(places)), 2) if tuple(places[k] for k in pair) in read.pairs]
    lonely = {*range(len(places))} - {qubit for pair in pairs for qubit in pair}
    if lonely and len(places) > 1:
        raise ValueError(must("qubits", "be coupled to others", [places[k] for k in sorted(lonely)]))
    model = NoiseModel()
    model.num_qubits, model.couplings = len(places), pairs
    for number, place in enumerate(places):
        own = read.qubits[place]
        assert own is not None
        channel = _noise([own], own.error, own.duration)
        model.add_readout(own.misread, qubits=[number])
        if read.gates_per_turn == 1:
            model.add(channel, _TURNS, [number])
            continue
        model.add(channel, _PULSES, [number])
        for gate, angle in _TURNS.items():
            model.add(_after_two(channel, angle), [gate], [number])
    for pair in pairs:
        control, target = (read.qubits[places[k]] for k in pair)
        assert control is not None and target is not None
        model.add(_noise([control, target], *read.pairs[places[pair[0]], places[pair[1]]]), ["cx"], pair)
    known = {*_VIRTUAL, *_TURNS, "cx", "id", *(_PULSES if read.gates_per_turn == 2 else ())}
    one: list[tuple[int, ...]] = [(qubit,) for qubit in range(len(places))]
    for other in (gate for gate in GATES if gate.name not in known):
        for place_of_gate in pairs if other.num_qubits == 2 else one:
            model.refuse(other.name, place_of_gate, f"the snapshot has no calibration of {other.name}")
    return model


def _after_two(channel: Channel, angle: float) -> Channel:
    """Return the noise after SX, RZ, SX and RZ, of which each SX has the channel and the last RZ this angle.

    A rotation about Z commutes with the channel, so that the angle of the first RZ does not matter.
    """
    last = GATES[gate_index("rz")].matrix(angle) @ GATES[gate_index("sx")].matrix()
    turned = ptm_of_kraus([last])
    return Channel.from_ptm(channel.ptm @ turned @ channel.ptm @ turned.T)


def _noise(qubits: Sequence[Calibration], error: float, duration: float) -> Channel:
    """Return relaxation for a duration after depolarisation, together with the average infidelity ``error``."""
    relaxation = [thermal_relaxation(1e3 * q.t1, 1e3 * min(q.t2, 2 * q.t1), duration) for q in qubits]
    whole = relaxation[0] if len(qubits) == 1 else relaxation[0].tensor(relaxation[1])
    matrix = whole.ptm
    size = len(matrix)
    dimension = float(np.sqrt(size))
    fidelity = (np.trace(matrix) / dimension + 1.0) / (dimension + 1.0)
    if error > 1.0 - fidelity:
        wanted = min(error, dimension / (dimension + 1.0))
        p = min(1.0, dimension * (fidelity - 1.0 + wanted) / (dimension * fidelity - 1.0))
        matrix = matrix @ depolarizing(p, len(qubits)).ptm
    return Channel.from_ptm(matrix)

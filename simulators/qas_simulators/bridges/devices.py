"""Noise of devices and of Aer's noise models, for every gate of the gate table (needs ``qiskit-aer``).

A gate that a device lacks is decomposed into those it has, as Qiskit's transpiler does. Its noise is that of the
decomposition without the gate itself. Where that depends on the gate's angle, the gate is refused.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import permutations
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

import numpy as np

from qas_simulators.bridges.qiskit import to_qiskit
from qas_simulators.channels import Channel, ptm_of_kraus
from qas_simulators.checks import distinct_qubits
from qas_simulators.circuit import Circuit
from qas_simulators.errors import must, needs_extra
from qas_simulators.flat_circuit import MASK_QUBITS
from qas_simulators.gates import GATE_INDEX, GATES, Gate
from qas_simulators.noise import NoiseModel
from qas_simulators.program import FloatArray

with needs_extra("devices"):
    from qiskit import transpile
    from qiskit.circuit import Gate as QiskitGate
    from qiskit.circuit.library import PauliGate, get_standard_gate_name_mapping
    from qiskit.exceptions import QiskitError
    from qiskit.quantum_info import PTM, Operator
    from qiskit.transpiler import InstructionProperties, QubitProperties, Target
    from qiskit_aer.noise import NoiseModel as AerNoiseModel
    from qiskit_aer.noise import QuantumError

StandIns = Mapping[str, str | Sequence[str]]
Place = tuple[int, ...]
Errors = dict[str, dict[Place | None, QuantumError]]
_ANGLES: Final = 0.7, 2.3, -1.1  # gates without errors of their own
_STANDARD: Final = get_standard_gate_name_mapping()
_MANY: Final = 20  # broken gates that a warning names


class _Step(NamedTuple):
    """A gate of the device in a decomposition, on the decomposed gate's first or second qubit or both."""

    name: str
    qubits: Place
    ptm: FloatArray  # without noise, on all qubits of the decomposed gate


class _Device:
    """Which gates a device or a model has where, and their errors."""

    def __init__(
        self, errors: Errors, everywhere: Iterable[str], places: Mapping[str, Iterable[Place]], is_large: bool = False
    ) -> None:
        self.errors = errors
        self._is_large = is_large  # then transpiling for every qubit by itself would take minutes
        self._everywhere = frozenset(everywhere)
        self._places = {name: frozenset(own) for name, own in places.items()}
        self._ptms: dict[int, FloatArray] = {}  # by identity: a default error is the same everywhere
        self._gates: dict[Place, frozenset[tuple[str, Place, float, int]]] = {}
        self._noises: dict[tuple[str, frozenset[Any]], FloatArray | str] = {}

    def _gates_on(self, place: Place) -> frozenset[tuple[str, Place, float, int]]:
        """Return the gates on these qubits, which are numbered from 0 on: infidelities and identities of errors."""
        if place not in self._gates:
            found = set()
            for count in range(1, len(place) + 1):
                for local in permutations(range(len(place)), count):
                    own = tuple(place[k] for k in local)
                    names = {name for name in self._everywhere if _STANDARD[name].num_qubits == count}
                    names |= {name for name, places in self._places.items() if own in places}
                    found |= {(name, local, self._infidelity(name, own), id(self.error(name, own))) for name in names}
            self._gates[place] = frozenset(found)
        return self._gates[place]

    def _infidelity(self, name: str, place: Place) -> float:
        """Return a gate's average infidelity; on large devices one number for all that are noisy."""
        error, size = self.error(name, place), 2 ** len(place)
        if error is None:
            return 0.0
        return 1e-3 * len(place) ** 3 if self._is_large else float(size / (size + 1) * (1 - np.trace(error) / size**2))

    def error(self, name: str, place: Place) -> FloatArray | None:
        """Return the error of one of the device's gates as a Pauli transfer matrix; ``None`` if there is none."""
        local = self.errors.get(name, {})
        error = local.get(place, local.get(None))
        if error is None:
            return None
        if id(error) not in self._ptms:
            self._ptms[id(error)] = _ptm_of_error(error)
        return self._ptms[id(error)]

    def noise(self, gate: Gate, place: Place) -> FloatArray | str:
        """Return the noise of a gate as a Pauli transfer matrix, or the reason why it is unknown.

        It is computed once for all places that have the same gates with the same errors.
        """
        key = (gate.name, self._gates_on(place))
        if key not in self._noises:
            self._noises[key] = self._new_noise(gate, place)
        return self._noises[key]

    def _new_noise(self, gate: Gate, place: Place) -> FloatArray | str:
        native = frozenset((name, local, infidelity) for name, local, infidelity, _ in self._gates_on(place))
        found = []
        for angle in _ANGLES if gate.num_params else (0.0,):
            steps = _decomposition(gate.name, angle, native)
            if steps is None:
                return f"the device's gates cannot make {gate.name} there"
            total: FloatArray = np.eye(4 ** len(place))
            for step in steps:
                total = step.ptm @ total
                error = self.error(step.name, tuple(place[k] for k in step.qubits))
                if error is not None:
                    total = _widened(error, step.qubits, len(place)) @ total
            found.append(total @ ptm_of_kraus([gate.matrix(angle)]).T)
        if max(np.abs(noise - found[0]).max() for noise in found) > 1e-9:
            return f"that of {gate.name} depends on its angle; `stand_ins` may name gates to take it from"
        return found[0]

    def noise_like(self, names: Sequence[str], place: Place) -> FloatArray:
        """Return the noise of some of the device's gates, one after the other; that of a pair in either direction."""
        total: FloatArray = np.eye(4 ** len(place))
        for name in names:
            error = self.error(name, place)
            if error is None and len(place) == 2:
                turned = self.error(name, place[::-1])
                error = None if turned is None else _widened(turned, (1, 0), 2)
            total = total if error is None else error @ total
        return total


@cache
def _decomposition(name: str, angle: float, native: frozenset[tuple[str, Place, float]]) -> tuple[_Step, ...] | None:
    """Return the decomposition of a gate into those that a device has; ``None`` if they do not suffice.

    The transpiler prefers gates of small infidelity, as on the whole device.
    """
    gate = GATES[GATE_INDEX[name]]
    own = tuple(range(gate.num_qubits))
    whole = ptm_of_kraus([gate.matrix(angle)])
    if any(native_name == name and place == own for native_name, place, _ in native):
        return (_Step(name, own, whole),)
    target = Target(num_qubits=gate.num_qubits)
    for other in sorted({other for other, _, _ in native}):
        errors = {place: error for known, place, error in sorted(native) if known == other}
        known = {place: InstructionProperties(error=error) for place, error in errors.items()}
        target.add_instruction(_STANDARD[other], known)
    circuit = to_qiskit(Circuit(gate.num_qubits).append(name, own, angle if gate.num_params else None))
    level = 2 if gate.num_qubits == 1 else 1  # Qiskit's default, but that one would rename qubits in place of a SWAP
    try:
        twin = transpile(circuit, target=target, optimization_level=level, initial_layout=list(own), seed_transpiler=0)
    except QiskitError:
        return None
    steps = []
    for instruction in twin.data:
        places = tuple(twin.find_bit(qubit).index for qubit in instruction.qubits)
        ptm = _widened(ptm_of_kraus([Operator(instruction.operation).data]), places, gate.num_qubits)
        steps.append(_Step(instruction.operation.name, places, ptm))
    product: FloatArray = np.eye(len(whole))
    for step in steps:
        product = step.ptm @ product
    return tuple(steps) if np.abs(product - whole).max() < 1e-9 else None


def _ptm_of_error(error: QuantumError) -> FloatArray:
    """Return Qiskit's ``PTM(error)``, computed faster."""
    total = np.zeros((4**error.num_qubits,) * 2)
    for circuit, weight in zip(error.circuits, error.probabilities, strict=True):
        ptm: FloatArray = np.eye(len(total))
        for instruction in circuit.data:
            operation, places = instruction.operation, tuple(circuit.find_bit(q).index for q in instruction.qubits)
            is_pauli = operation.name == "pauli"
            if is_pauli or (operation.name in _STANDARD and not operation.params):
                own = _ptm_of_named(operation.name, operation.params[0] if is_pauli else "")
            else:
                own = np.asarray(PTM(operation).data.real)
            ptm = _widened(own, places, error.num_qubits) @ ptm
        total += weight * ptm
    return total


@cache
def _ptm_of_named(name: str, label: str) -> FloatArray:
    return np.asarray(PTM(PauliGate(label) if name == "pauli" else _STANDARD[name]).data.real)


def _widened(ptm: FloatArray, qubits: Place, num_qubits: int) -> FloatArray:
    """Return the Pauli transfer matrix of a map on some of one or two qubits, in this order, as one on all of them."""
    if len(qubits) < num_qubits:
        return np.asarray(np.kron(np.eye(4), ptm) if qubits == (0,) else np.kron(ptm, np.eye(4)))
    if qubits == (1, 0):
        return ptm.reshape(4, 4, 4, 4).transpose(1, 0, 3, 2).reshape(16, 16)
    return ptm


def noise_from_qiskit(
    model: AerNoiseModel, qubits: Sequence[int] | None = None, stand_ins: StandIns | None = None
) -> NoiseModel:
    """Convert a noise model; see :meth:`NoiseModel.from_qiskit`."""
    errors: Errors = {name: {None: error} for name, error in model._default_quantum_errors.items()}
    for name, local in model._local_quantum_errors.items():
        errors.setdefault(name, {}).update({tuple(place): error for place, error in local.items()})
    device = _Device(errors, filter(_is_known, _gates_of(model)), {})
    is_local = any(place is not None for local in errors.values() for place in local)
    places = distinct_qubits("qubits", range(MASK_QUBITS) if qubits is None else qubits)
    result = NoiseModel()
    result.num_qubits = None if qubits is None else len(places)
    if is_local or qubits is not None:
        _add_noise(result, device, places, list(permutations(range(len(places)), 2)), stand_ins)
    else:
        _add_noise_everywhere(result, device, stand_ins)
    _add_readout(result, model, places)
    return result


def _gates_of(model: AerNoiseModel) -> set[str]:
    """Return a model's own gates: its basis gates and those with errors, or the whole gate table if it has no basis.

    A model without basis gates whose errors are all on gates of the table is read by name: other gates are noiseless.
    """
    noisy, basis = set(model.noise_instructions), set(model.basis_gates)
    default = set(AerNoiseModel().basis_gates)
    is_given = not default <= basis <= noisy | default
    is_by_name = not is_given and all(name in GATE_INDEX or not _is_known(name) for name in noisy)
    if is_by_name:
        return noisy | set(GATE_INDEX)
    return noisy | (basis if is_given else {"cx", "id"})


def _is_known(name: str) -> bool:
    return name in _STANDARD and isinstance(_STANDARD[name], QiskitGate) and _STANDARD[name].num_qubits in (1, 2)


def _add_noise(
    result: NoiseModel, device: _Device, qubits: Place, pairs: Iterable[Place], stand_ins: StandIns | None
) -> None:
    """Add the noise of every gate on every qubit and on these pairs, or refuse the gate there."""
    takes = _checked_stand_ins(device, stand_ins)
    channels: dict[bytes, Channel] = {}
    for place in [*((k,) for k in range(len(qubits))), *pairs]:
        there = tuple(qubits[k] for k in place)
        alike: dict[bytes, list[str]] = {}
        for gate in (gate for gate in GATES if gate.num_qubits == len(place)):
            noise = device.noise_like(takes[gate.name], there) if gate.name in takes else device.noise(gate, there)
            if isinstance(noise, str):
                result.refuse(gate.name, place, noise)
            elif np.abs(noise - np.eye(len(noise))).max() > 1e-14:
                alike.setdefault(noise.tobytes(), []).append(gate.name)
        for entries, names in alike.items():
            if entries not in channels:
                channels[entries] = Channel.from_ptm(np.frombuffer(entries).reshape((4 ** len(place),) * 2))
            result.add(channels[entries], names, place)


def _add_noise_everywhere(result: NoiseModel, device: _Device, stand_ins: StandIns | None) -> None:
    """Add the noise of every gate, which is the same on all qubits."""
    sample = NoiseModel()
    _add_noise(sample, device, (0, 1), [(0, 1)], stand_ins)
    for channel, names, where, _ in sample._channels:
        if where in ((0,), (0, 1)):
            result.add(channel, names)
    for (gate, place), reason in sample._restrictions.refused.items():
        for other in permutations(range(MASK_QUBITS), len(place)) if place in ((0,), (0, 1)) else ():
            result.refuse(gate, other, reason)


def _checked_stand_ins(device: _Device, stand_ins: StandIns | None) -> dict[str, tuple[str, ...]]:
    takes = {}
    for name, choice in (stand_ins or {}).items():
        takes[name] = (choice,) if isinstance(choice, str) else tuple(choice)
        known = {other for other, errors in device.errors.items() if name in GATE_INDEX and _fits(name, errors)}
        if name not in GATE_INDEX or not set(takes[name]) <= known:
            requirement = f"map gates of the gate table to gates of the model {sorted(device.errors)}"
            raise ValueError(must("stand_ins", requirement, choice))
    return takes


def _fits(name: str, errors: Mapping[Any, QuantumError]) -> bool:
    return all(error.num_qubits == GATES[GATE_INDEX[name]].num_qubits for error in errors.values())


def _add_readout(result: NoiseModel, model: AerNoiseModel, qubits: Place) -> None:
    """Add the readout error of every qubit."""
    if any(len(place) > 1 for place in model._local_readout_errors):
        raise ValueError(must("model", "have readout errors of single qubits", sorted(model._local_readout_errors)))
    for k, qubit in enumerate(qubits):
        error = model._local_readout_errors.get((qubit,), model._default_readout_error)
        if error is not None:
            (_, p01), (p10, _) = np.asarray(error.probabilities).tolist()
            result.add_readout(p01, p10, [k])


def noise_from_backend(
    backend: Any,
    qubits: Sequence[int] | None = None,
    stand_ins: StandIns | None = None,
    needs_couplings: bool = True,
) -> NoiseModel:
    """Read a backend's noise and couplings; see :meth:`NoiseModel.from_backend`.

    Args:
        backend: See there.
        qubits: See there.
        stand_ins: See there.
        needs_couplings: Whether a chosen qubit that is coupled to no other is refused.
    """
    target = _target_of(backend)
    places = distinct_qubits("qubits", range(target.num_qubits) if qubits is None else qubits, target.num_qubits)
    part, broken = _part(target, places)
    pairs = _pairs(part)
    if needs_couplings and qubits is not None and pairs is not None and len(places) > 1:
        _require_couplings(places, pairs | {place for _, place in broken if len(place) == 2})
    if broken:
        names = [f"{name} on {tuple(places[k] for k in place)}" for name, place in broken]
        more = f" and {len(names) - _MANY} more" if len(names) > _MANY else ""
        warnings.warn(
            f"Gates with a calibrated error of 1 are left out: {', '.join(names[:_MANY])}{more}.", stacklevel=3
        )
    shell = SimpleNamespace(version=2, operation_names=list(part.operation_names), target=part, dt=part.dt)
    model = AerNoiseModel.from_backend(shell)
    errors: Errors = {name: dict(local) for name, local in model._local_quantum_errors.items()}
    known = [name for name in part.operation_names if _is_same(part.operation_from_name(name), name)]
    everywhere = [name for name in known if None in (part[name] or {None: None})]
    device = _Device(
        errors, everywhere, {name: part[name] for name in known if name not in everywhere}, len(places) > MASK_QUBITS
    )
    result = NoiseModel()
    result.num_qubits = len(places)
    both = None if pairs is None else sorted(pairs | {pair[::-1] for pair in pairs})
    result.couplings = both
    own = tuple(range(len(places)))
    _add_noise(result, device, own, permutations(own, 2) if both is None else both, stand_ins)
    _add_readout(result, model, own)
    return result


def _target_of(backend: Any) -> Target:
    """Return the target of a backend, or the target itself."""
    if isinstance(backend, type):
        raise ValueError(must("backend", f"be a backend, {backend.__name__}(), not its class", backend))
    target = backend if isinstance(backend, Target) else getattr(backend, "target", None)
    if not isinstance(target, Target) or not target.num_qubits:
        raise ValueError(must("backend", "be a backend or target of Qiskit, such as FakeMumbaiV2()", backend))
    return target


def _is_same(operation: Any, name: str) -> bool:
    """Return whether a device's gate is the standard gate of that name in Qiskit."""
    return _is_known(name) and getattr(operation, "base_class", None) is _STANDARD[name].base_class


def _part(target: Target, qubits: Place) -> tuple[Target, list[tuple[str, Place]]]:
    """Return the target of some qubits, numbered from 0 on, and the gates left out because their error is 1."""
    places = {qubit: k for k, qubit in enumerate(qubits)}
    properties = target.qubit_properties or [QubitProperties()] * target.num_qubits
    part = Target(num_qubits=len(qubits), dt=target.dt, qubit_properties=[properties[qubit] for qubit in qubits])
    broken = []
    for name in target.operation_names:
        operation = target.operation_from_name(name)
        known: dict[Place | None, Any] = {}
        if isinstance(operation, type):
            continue  # control flow
        for there, details in (target[name] or {None: None}).items():
            if there is None:
                known[None] = None
            elif not set(there) <= set(places):
                continue
            elif isinstance(operation, QiskitGate) and details is not None and (details.error or 0.0) >= 1.0:
                broken.append((name, tuple(places[qubit] for qubit in there)))
            elif name != "measure" or (details is not None and details.error is not None):
                known[tuple(places[qubit] for qubit in there)] = details
        if known:
            part.add_instruction(operation, None if None in known else known, name=name)
    return part, broken


def _pairs(part: Target) -> frozenset[Place] | None:
    """Return the pairs of qubits that some two-qubit gate of the device acts on, ``None`` for all."""
    found: set[Place] = set()
    for name in part.operation_names:
        if _is_known(name) and _STANDARD[name].num_qubits == 2:
            if None in (part[name] or {None: None}):
                return None
            found |= set(part[name])
    return frozenset(found)


def _require_couplings(qubits: Place, pairs: Iterable[Place]) -> None:
    coupled = {k for pair in pairs for k in pair}
    lone = [qubit for k, qubit in enumerate(qubits) if k not in coupled]
    if lone:
        raise ValueError(must("qubits", f"be coupled on the device, as {lone} to no other is not", list(qubits)))

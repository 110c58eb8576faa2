"""The best part of a device for a register: its qubits, couplings, gates and noise (needs the ``devices`` extra)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

from qas_simulators.bridges.devices import StandIns, _target_of, noise_from_backend
from qas_simulators.errors import must, needs_extra, unknown_name
from qas_simulators.gates import GATE_INDEX, GATES
from qas_simulators.noise import NoiseModel

with needs_extra("devices"):
    from qiskit.transpiler import Target

LAYOUTS: Final = ("calibrated", "connected")
"""Ways to choose qubits; see :func:`best_qubits`."""
_BEAM: Final = 64  # partial choices that are kept while qubits are added
_NOT_USED: Final = ("id",)  # gates that agents have no use for
_ANY_ROTATION: Final = ("u", "u3", "r", "prx")  # one such gate is any rotation about an axis, up to virtual phases


@dataclass(frozen=True)
class DevicePart:
    """Some qubits of a device as a register of their own.

    Attributes:
        name: The device's name.
        qubits: The device's qubits that become qubits 0, 1, ...
        gates: Gates of the gate table that the device has on these qubits.
        couplings: Pairs of the register that two-qubit gates act on, in both directions; ``None`` for all.
        noise: The calibrated noise of the gates and of readout.
    """

    name: str
    qubits: tuple[int, ...]
    gates: tuple[str, ...]
    couplings: frozenset[tuple[int, int]] | None
    noise: NoiseModel


def backend_of(choice: Any) -> Any:
    """Return a Qiskit backend, given itself or its name.

    Args:
        choice: A backend or target; or a name: that of a fake backend of ``qiskit-ibm-runtime`` (``"fake_mumbai"``,
            ``"FakeMumbaiV2"``), or that of a device, which is looked up with the user's saved IBM Quantum account.

    Raises:
        ValueError: No fake backend and no device of the account has this name, or there is no account.
    """
    if not isinstance(choice, str):
        _target_of(choice)
        return choice
    with needs_extra("devices"):
        from qiskit_ibm_runtime import QiskitRuntimeService, fake_provider

    names = [name for name in dir(fake_provider) if name.startswith("Fake") and not name.startswith("FakeProvider")]
    fakes = {_plain(name): name for name in sorted(names, key=lambda name: name.endswith("V2"))}  # V2 before others
    if _plain(choice) in fakes:
        return getattr(fake_provider, fakes[_plain(choice)])()
    if choice.lower().startswith("fake"):
        raise ValueError(unknown_name("backend", choice, [f"fake_{name}" for name in fakes]))
    try:
        return QiskitRuntimeService().backend(choice)
    except Exception as error:  # no account, no network, no such device: the library's own errors differ by version
        raise ValueError(must("backend", f"be a device of your IBM Quantum account ({error})", choice)) from None


def _plain(name: str) -> str:
    return name.lower().removeprefix("fake").replace("_", "").removesuffix("v2")


def device_part(
    backend: Any,
    num_qubits: int,
    layout: str | Sequence[int] = "calibrated",
    stand_ins: StandIns | None = None,
) -> DevicePart:
    """Return the best part of a device for a register.

    Args:
        backend: As for :func:`backend_of`.
        num_qubits: Size of the register.
        layout: A name of :data:`LAYOUTS`, or the device's qubits.
        stand_ins: As for :meth:`NoiseModel.from_backend`.

    Raises:
        ValueError: The device is too small, has not as many working and connected qubits, or none of our gates.
    """
    backend = backend_of(backend)
    target = _target_of(backend)
    if isinstance(layout, str):
        qubits = best_qubits(target, num_qubits, layout)
    else:
        qubits = tuple(int(qubit) for qubit in layout)
        if len(qubits) != num_qubits:
            raise ValueError(must("layout", f"have {num_qubits} qubits", list(layout)))
    noise = noise_from_backend(backend, qubits, stand_ins)
    couplings = None if noise.couplings is None else frozenset(noise.couplings)
    name = getattr(backend, "name", None) or "target"
    return DevicePart(str(name), qubits, native_gates(target, qubits), couplings, noise)


def native_gates(backend: Any, qubits: Sequence[int] | None = None) -> tuple[str, ...]:
    """Return the gates of the gate table that a device has on all of these qubits, in the table's order.

    A device whose one-qubit gate has several angles (``u``, ``u3``) has RX, RY and RZ. The identity is left out.

    Args:
        backend: A backend or target.
        qubits: The device's qubits; ``None`` for all.

    Raises:
        ValueError: There is no one-qubit gate, or no two-qubit gate where there are pairs.
    """
    target = _target_of(backend)
    own = set(range(target.num_qubits) if qubits is None else qubits)
    found = {name for name in target.operation_names if name in GATE_INDEX and _covers(target, name, own)}
    if any(name in target.operation_names and _covers(target, name, own) for name in _ANY_ROTATION):
        found |= {"rx", "ry", "rz"}
    found -= {*_NOT_USED}
    gates = tuple(gate.name for gate in GATES if gate.name in found)
    sizes = {GATES[GATE_INDEX[name]].num_qubits for name in gates}
    if 1 not in sizes or (2 not in sizes and len(own) > 1):
        raise ValueError(must("backend", "have one- and two-qubit gates of the gate table", target.operation_names))
    return gates


def _covers(target: Target, name: str, qubits: Collection[int]) -> bool:
    """Return whether a one-qubit gate is on all of these qubits, or a two-qubit gate on some pair of them."""
    places = target[name]
    if not places or None in places:
        return True
    there = [place for place in places if set(place) <= set(qubits)]
    return {*there} >= {(qubit,) for qubit in qubits} if len(next(iter(places))) == 1 else bool(there)


def best_qubits(backend: Any, num_qubits: int, by: str = "calibrated") -> tuple[int, ...]:
    """Return connected qubits of a device, in ascending order.

    ``"calibrated"`` chooses the smallest sum of errors: of readout and of the worst one-qubit gate of every qubit, and
    of the two-qubit gates along the minimum spanning tree. ``"connected"`` chooses the largest number of couplings;
    among equals, the smallest sum of errors. Qubits are added one by one, and the 64 best partial choices are kept.
    Gates that are calibrated with an error of 1 are not used.

    Args:
        backend: A backend or target.
        num_qubits: How many.
        by: A name of :data:`LAYOUTS`.

    Raises:
        ValueError: An unknown name, or there are not as many connected qubits.

    Examples:
        >>> from qiskit_ibm_runtime.fake_provider import FakeManilaV2
        >>> best_qubits(FakeManilaV2(), 3)
        (2, 3, 4)
    """
    if by not in LAYOUTS:
        raise ValueError(unknown_name("layout", by, LAYOUTS))
    target = _target_of(backend)
    if not 1 <= num_qubits <= target.num_qubits:
        raise ValueError(must("num_qubits", f"be at most the device's {target.num_qubits}", num_qubits))
    one, two = _qubit_errors(target), _pair_errors(target)
    neighbours: dict[int, set[int]] = {qubit: set() for qubit in one}
    for pair in two:
        for qubit in pair:
            neighbours[qubit] |= pair - {qubit} if qubit in neighbours else set()
    beam: Collection[frozenset[int]] = {frozenset([qubit]) for qubit in one}
    for _ in range(num_qubits - 1):
        wider = {chosen | {new} for chosen in beam for qubit in chosen for new in neighbours[qubit] & set(one) - chosen}
        beam = sorted(wider, key=lambda chosen: _cost(chosen, one, two, by))[:_BEAM]
    if not beam:
        raise ValueError(must("num_qubits", "be at most the number of connected qubits that work", num_qubits))
    return tuple(sorted(min(beam, key=lambda chosen: _cost(chosen, one, two, by))))


def _cost(
    chosen: Iterable[int], one: Mapping[int, float], two: Mapping[frozenset[int], float], by: str
) -> tuple[float | list[int], ...]:
    """Return a key that is smaller for a better choice; the numbers of the qubits decide between equals."""
    qubits = sorted(chosen)
    pairs = [(a, b) for a, b in combinations(qubits, 2) if frozenset((a, b)) in two]
    edges = sorted((two[frozenset((a, b))], a, b) for a, b in pairs)
    group = {qubit: qubit for qubit in qubits}
    total = sum(one[qubit] for qubit in qubits)
    for error, a, b in edges:  # Kruskal's algorithm
        if group[a] != group[b]:
            total += error
            old = group[b]
            group.update({qubit: group[a] for qubit in qubits if group[qubit] == old})
    total = round(total, 15)
    return (-len(edges), total, qubits) if by == "connected" else (total, qubits)


def _qubit_errors(target: Target) -> dict[int, float]:
    """Return the errors of readout and of the worst one-qubit gate of every qubit that works, added."""
    found = {}
    for qubit in range(target.num_qubits):
        gates = [_error(target, name, (qubit,)) for name in target.operation_names if name != "measure"]
        readout = _error(target, "measure", (qubit,)) if "measure" in target.operation_names else None
        if all((error or 0.0) < 1.0 for error in [*gates, readout]):
            found[qubit] = max((error for error in gates if error is not None), default=0.0) + (readout or 0.0)
    return found


def _pair_errors(target: Target) -> dict[frozenset[int], float]:
    """Return the smallest error of a two-qubit gate on every coupled pair where one works."""
    if target.build_coupling_map() is None:
        return {frozenset(pair): 0.0 for pair in combinations(range(target.num_qubits), 2)}
    found: dict[frozenset[int], float] = {}
    for name in target.operation_names:
        for place in target[name] or ():
            if place is not None and len(place) == 2:
                error = _error(target, name, place) or 0.0
                if error < min(1.0, found.get(frozenset(place), 1.0)):
                    found[frozenset(place)] = error
    return found


def _error(target: Target, name: str, place: tuple[int, ...]) -> float | None:
    details = (target[name] or {}).get(place)
    return None if details is None else details.error

"""A circuit on a device of Qiskit, real or fake: transpiled, run, and beside what simulation predicts."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qas_envs.problems import Problem
from qas_experiments.device_settings import DeviceSettings as DeviceSettings
from qas_experiments.training.recorder import counts_of
from qas_simulators import Circuit, PauliTransferSimulator, StatevectorSimulator
from qas_simulators.errors import must, needs_extra
from qas_simulators.pauli import PauliSum

with needs_extra("devices"):
    from qiskit import QuantumCircuit
    from qiskit.quantum_info import PauliList, SparsePauliOp
    from qiskit.transpiler import generate_preset_pass_manager
    from qiskit_ibm_runtime import EstimatorV2, SamplerV2

    from qas_simulators.bridges.backends import backend_of, best_qubits
    from qas_simulators.bridges.devices import noise_from_backend

_MOST_PREDICTED: Final = 12  # qubits of a circuit whose noisy energy is simulated
_SAME: Final = 1e-8  # largest difference of energies before and after transpilation, of the sum of coefficients


@dataclass(frozen=True)
class Measured:
    """An energy from a device.

    Attributes:
        energy: In the problem's unit.
        error_bar: Its standard error.
        job: Number of the job, by which its result can be fetched again.
    """

    energy: float
    error_bar: float
    job: str


def transpiled(circuit: Circuit, backend: Any, layout: Any, seed: int, level: int) -> QuantumCircuit:
    """Return a circuit in the gates of a device, on its couplings.

    Args:
        circuit: The circuit.
        backend: Qiskit's backend.
        layout: As in :class:`DeviceSettings`.
        seed: Seeds the transpiler.
        level: Qiskit's optimisation level, 0 to 3.

    Raises:
        ValueError: ``layout`` has not as many different qubits of the device as the circuit has.
    """
    places = layout
    if not isinstance(layout, str):
        is_list = isinstance(layout, Sequence) and all(isinstance(place, int) for place in layout)
        known = set(range(backend.num_qubits)).intersection(layout) if is_list else ()
        if not is_list or not len(known) == len(layout) == circuit.num_qubits:
            needed = f"be {circuit.num_qubits} different qubits in 0..{backend.num_qubits - 1}"
            raise ValueError(must("layout", needed, layout))
    else:
        places = None if layout == "qiskit" else list(best_qubits(backend, circuit.num_qubits, layout))
    manager = generate_preset_pass_manager(level, backend=backend, initial_layout=places, seed_transpiler=seed)
    return manager.run(circuit.to_qiskit())


def run_on_device(circuit: Circuit, problem: Problem, settings: DeviceSettings) -> dict[str, Any]:
    """Run a circuit on a device and return all figures, as JSON content.

    Two candidates are transpiled: the circuit after gates merge and cancel, on the qubits of ``layout`` at level 1,
    which translates and routes, and the circuit of the file at level 3. The one with fewer two-qubit gates is run;
    among equals, the one with the smaller depth.

    Raises:
        ValueError: Unknown settings, a device that is too small, or a circuit whose energy transpilation has changed.
    """
    problem.hamiltonian.require_no_preparation("runs on devices")
    backend = backend_of(settings.backend)
    if backend.num_qubits < circuit.num_qubits:
        raise ValueError(must("backend", f"have at least {circuit.num_qubits} qubits", backend.num_qubits))
    simple = circuit.simplified()
    ours = transpiled(simple, backend, settings.layout, settings.seed, level=1)
    theirs = transpiled(circuit, backend, "qiskit", settings.seed, level=3)
    candidates = {"gates merged, transpiled": ours, "Qiskit level 3": theirs}
    chosen = min(candidates, key=lambda name: (_counts(candidates[name])["two_qubit_gates"], candidates[name].depth()))
    program = candidates[chosen]
    qubits, local, observable = on_active_qubits(program, problem.hamiltonian)
    noiseless = StatevectorSimulator().expectation(circuit, problem.hamiltonian)
    _check_same(noiseless, local, observable)
    measured = (_estimated if settings.primitive == "estimator" else _sampled)(backend, program, problem, settings)
    return {
        "problem": problem.name,
        "unit": problem.unit,
        "backend": str(backend.name),
        "primitive": settings.primitive,
        "shots": settings.shots,
        "seed": settings.seed,
        "options": dict(settings.options),
        "qubits": list(qubits),
        "counts": {
            "in the file": _table_row(counts_of(circuit)),
            "gates merged": _table_row(counts_of(simple)),
            **{name: _counts(candidate) for name, candidate in candidates.items()},
        },
        "run": chosen,
        "exact": problem.ground_energy,
        "noiseless": noiseless,
        "predicted": predicted(backend, qubits, local, observable),
        **asdict(measured),
    }


def _table_row(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: counts[name] for name in ("two_qubit_gates", "gates", "depth")}


def _counts(program: QuantumCircuit) -> dict[str, int]:
    """Return the counts of a Qiskit circuit; barriers are no gates."""
    gates = [part for part in program.data if part.operation.name != "barrier"]
    pairs = sum(len(part.qubits) == 2 for part in gates)
    return {"two_qubit_gates": pairs, "gates": len(gates), "depth": program.depth()}


def on_active_qubits(program: QuantumCircuit, hamiltonian: PauliSum) -> tuple[tuple[int, ...], Circuit, PauliSum]:
    """Return a transpiled circuit and its observable on the qubits that matter, numbered from 0 on.

    Args:
        program: Of the device's size, with a layout.
        hamiltonian: The observable before transpilation.

    Returns:
        The device's qubits, the circuit and the observable.
    """
    observable = hamiltonian.to_qiskit().apply_layout(program.layout)
    used = {program.find_bit(qubit).index for part in program.data for qubit in part.qubits}
    used |= set(program.layout.final_index_layout())  # a qubit without gates is still measured
    qubits = tuple(sorted(used))
    place = {qubit: k for k, qubit in enumerate(qubits)}
    small = QuantumCircuit(len(qubits))
    for part in program.data:
        small.append(part.operation, [place[program.find_bit(qubit).index] for qubit in part.qubits])
    paulis = PauliList.from_symplectic(observable.paulis.z[:, list(qubits)], observable.paulis.x[:, list(qubits)])
    return qubits, Circuit.from_qiskit(small), PauliSum.from_qiskit(SparsePauliOp(paulis, observable.coeffs))


def _check_same(energy: float, local: Circuit, observable: PauliSum) -> None:
    if local.num_qubits > 20:
        return
    again = StatevectorSimulator().expectation(local, observable)
    if abs(again - energy) > _SAME * max(1.0, float(np.abs(observable.coefficients).sum())):
        raise ValueError(f"The circuit has the energy {energy!r}, but {again!r} after transpilation.")


def predicted(backend: Any, qubits: tuple[int, ...], local: Circuit, observable: PauliSum) -> float | None:
    """Return the energy under the device's calibrated noise, ``None`` where the circuit is too large to simulate."""
    if len(qubits) > _MOST_PREDICTED:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about gates that are calibrated as broken
        noise = noise_from_backend(backend, qubits, needs_couplings=False)  # a circuit may not entangle a qubit
    flips = _readout_flips(backend, qubits)
    if flips is not None:
        noise = noise.without_readout()
        for number, (p01, p10) in enumerate(flips):
            noise.add_readout(p01, p10, [number])
    return PauliTransferSimulator(noise).expectation(local, observable)


def _readout_flips(backend: Any, qubits: tuple[int, ...]) -> list[tuple[float, float]] | None:
    """Return both probabilities of a wrong bit for each qubit, ``None`` if only their mean is known.

    A target has the mean; the properties of a device also have the two parts, which differ by a factor of three.
    """
    properties = backend.properties() if callable(getattr(backend, "properties", None)) else None
    found = []
    for qubit in qubits:
        known = {} if properties is None else properties.qubit_property(qubit)
        if "prob_meas1_prep0" not in known or "prob_meas0_prep1" not in known:
            return None
        found.append((float(known["prob_meas1_prep0"][0]), float(known["prob_meas0_prep1"][0])))
    return found


# -- primitives of qiskit-ibm-runtime ----------------------------------------------------------------------------------


def _primitive(kind: type[Any], backend: Any, settings: DeviceSettings) -> Any:
    """Return a primitive with its options.

    Raises:
        ValueError: Options that it does not have.
    """
    options: dict[str, Any] = {"default_shots": settings.shots, **settings.options}
    if not hasattr(backend, "service"):  # a fake backend, which is simulated here
        options.setdefault("simulator", {"seed_simulator": settings.seed or 1})  # 0 would count as no seed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return kind(mode=backend, options=options)
        except (TypeError, ValueError, AttributeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(must("options", f"be options of {kind.__name__} ({reason})", settings.options)) from None


def _finished(primitive: Any, pubs: list[Any]) -> tuple[Any, str]:
    """Run and return the result and the number of the job."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*local testing mode.*")
        warnings.simplefilter("ignore", DeprecationWarning)
        job = primitive.run(pubs)
        return job.result(), str(job.job_id())


def _estimated(backend: Any, program: QuantumCircuit, problem: Problem, settings: DeviceSettings) -> Measured:
    observable = problem.hamiltonian.to_qiskit().apply_layout(program.layout)
    result, job = _finished(_primitive(EstimatorV2, backend, settings), [(program, observable)])
    return Measured(float(result[0].data.evs), float(result[0].data.stds), job)


def _sampled(backend: Any, program: QuantumCircuit, problem: Problem, settings: DeviceSettings) -> Measured:
    """Measure in one basis for each group of terms that commute qubit by qubit."""
    manager = generate_preset_pass_manager(0, backend=backend, seed_transpiler=settings.seed)
    observable = problem.hamiltonian.to_qiskit()
    places = program.layout.final_index_layout()
    groups = observable.group_commuting(qubit_wise=True)
    pubs = []
    for group in groups:
        change = QuantumCircuit(program.num_qubits, len(places))
        for qubit, place in enumerate(places):
            if (group.paulis.x[:, qubit] & group.paulis.z[:, qubit]).any():
                change.sdg(place)
            if group.paulis.x[:, qubit].any():
                change.h(place)
            change.measure(place, qubit)
        bare = QuantumCircuit(program.num_qubits, len(places), global_phase=program.global_phase)
        bare.compose(program, range(program.num_qubits), inplace=True)
        pubs.append((manager.run(bare.compose(change)),))
    result, job = _finished(_primitive(SamplerV2, backend, settings), pubs)
    energy = variance = 0.0
    for group, measured in zip(groups, result, strict=True):
        values = _energies(group, measured.data.c.get_counts())
        energy += float(values.mean())
        variance += float(values.var(ddof=1)) / len(values)
    return Measured(energy, variance**0.5, job)


def _energies(group: SparsePauliOp, counts: Mapping[str, int]) -> NDArray[np.float64]:
    """Return the energy of a group of terms in every shot, after the change of basis, ``(shots,)``."""
    bits = np.array([[int(bit) for bit in reversed(word)] for word in counts], dtype=np.int64)  # (words, qubits)
    support = (group.paulis.x | group.paulis.z).astype(np.int64)  # (terms, qubits)
    values = (1 - 2 * (bits @ support.T % 2)) @ group.coeffs.real
    return np.repeat(values, list(counts.values()))

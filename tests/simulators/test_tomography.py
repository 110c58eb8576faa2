"""Gate set tomography, against pyGSTi, Qiskit, closed forms and the statistics of likelihood ratios."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qas_envs  # noqa: F401
from qas_simulators import Channel, Circuit, NoiseModel, PauliSum, PauliTransferSimulator
from qas_simulators.channels import amplitude_damping
from qas_simulators.gates import GATES, gate_index
from qas_simulators.tomography import (
    Counts,
    Design,
    Estimator,
    GateSet,
    gauge_distance,
    gauge_fixed,
    linear_inversion,
    log_likelihood,
    nearest_channel,
    nearest_effects,
    nearest_state,
    usual_design,
)
from qas_simulators.tomography.gate_set import Key
from qas_simulators.tomography.information import fisher_matrix
from qas_simulators.tomography.likelihood import Misfit

ONE: list[Key] = [("sx", (0,)), ("s", (0,))]
TWO: list[Key] = [("sx", (0,)), ("s", (0,)), ("sx", (1,)), ("s", (1,)), ("cx", (0, 1))]


def device() -> NoiseModel:
    """Return noise with coherent errors on two qubits."""
    turned = Channel.from_kraus([GATES[gate_index("rx")].matrix(0.05)])
    twisted = Channel.from_kraus([GATES[gate_index("rzz")].matrix(-0.08)])
    noise = NoiseModel.depolarizing(0.004, 0.02).add(turned, ["sx"], [0]).add(amplitude_damping(0.01), ["sx"], [1])
    return noise.add(twisted, ["cx"]).add_readout(0.01, 0.04).add_readout(0.02, 0.0, qubits=[1])


def random_gauge(size: int, seed: int, spread: float = 0.1) -> np.ndarray[Any, Any]:
    return np.eye(size) + spread * np.random.default_rng(seed).normal(size=(size, size))


def runs(keys: list[Key], seed: int) -> list[tuple[Key, ...]]:
    rng = np.random.default_rng(seed)
    return [tuple(keys[k] for k in rng.integers(len(keys), size=size)) for size in range(12)]


# -- gate sets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "keys"), [(1, ONE), (2, [*TWO, ("cx", (1, 0))])])
def test_probabilities_are_those_of_the_noisy_simulator(number: int, keys: list[Key]) -> None:
    gates = GateSet.of_noise(device(), number, keys)
    simulator = PauliTransferSimulator(device())
    for run in runs(keys, 0):
        circuit = Circuit(number)
        for name, qubits in run:
            circuit.append(name, qubits)
        found = gates.probabilities(run)
        assert found.sum() == pytest.approx(1.0, abs=1e-12)
        for mask in range(2**number):
            signs = np.array([(-1.0) ** (outcome & mask).bit_count() for outcome in range(2**number)])
            expected = simulator.expectation(circuit, PauliSum.from_masks(number, [0], [mask], [1.0]))
            assert signs @ found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("number", "keys"), [(1, ONE), (2, TWO)])
def test_probabilities_do_not_depend_on_the_gauge(number: int, keys: list[Key]) -> None:
    gates = GateSet.of_noise(device(), number, keys)
    for seed in range(3):
        moved = gates.transformed(random_gauge(4**number, seed, 0.1 / number))
        assert abs(moved.gates[keys[0]] - gates.gates[keys[0]]).max() > 1e-2
        for run in runs(keys, seed):
            np.testing.assert_allclose(moved.probabilities(run), gates.probabilities(run), atol=1e-12)


@pytest.mark.parametrize(("pack", "number"), [("smq1Q_XYI", 1), ("smq2Q_XYCNOT", 2)])
def test_models_of_pygsti_have_its_probabilities(pack: str, number: int) -> None:
    modelpack = pytest.importorskip(f"pygsti.modelpacks.{pack}")
    from pygsti.circuits import Circuit as Labels

    register = tuple(range(number))
    model = modelpack.target_model().depolarize(op_noise=0.02, spam_noise=0.03)
    model = model.rotate(np.linspace(-0.05, 0.04, 4**number - 1).tolist())
    model.set_all_parameterizations("full")
    gates = GateSet.from_pygsti(model, {"Gxpi2": "sx", "Gypi2": "h", "Gcnot": "cx"})  # the names do not matter here
    assert gates.num_qubits == number and len(gates.gates) == (2 if number == 1 else 5)
    names = {"sx": "Gxpi2", "h": "Gypi2", "cx": "Gcnot"}
    for run in runs([*gates.gates], 1):
        expected = model.probabilities(Labels([(names[name], *qubits) for name, qubits in run], line_labels=register))
        found = gates.probabilities(run)
        for outcome, value in expected.items():
            assert found[int("".join(outcome)[::-1], 2)] == pytest.approx(value, abs=1e-12)


def test_files_hold_everything(tmp_path: Path) -> None:
    gates = GateSet.of_noise(device(), 2, TWO).transformed(random_gauge(16, 0, 0.02))
    gates.save(tmp_path / "fit.json")
    again = GateSet.load(tmp_path / "fit.json")
    assert [*again.gates] == TWO
    for key in TWO:
        np.testing.assert_array_equal(again.gates[key], gates.gates[key])
    np.testing.assert_array_equal(again.state, gates.state)
    np.testing.assert_array_equal(again.effects, gates.effects)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match="format 'qas-envs gate set'"):
        GateSet.load(tmp_path / "other.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"state": [1.0, 0.0]}, "state"),
        ({"effects": np.eye(4)}, "effects"),
        ({"gates": {("sx", (1,)): np.eye(4)}}, "qubits"),
        ({"gates": {("cx", (0,)): np.eye(4)}}, "qubits"),
        ({"gates": {("sx", (0,)): np.eye(16)}}, "shape"),
        ({"gates": {("sx", (0,)): np.full((4, 4), np.nan)}}, "finite"),
    ],
)
def test_wrong_arrays_are_refused(changes: dict[str, Any], message: str) -> None:
    ideal = GateSet.ideal(1, ONE)
    with pytest.raises(ValueError, match=message):
        GateSet(**{"gates": ideal.gates, "state": ideal.state, "effects": ideal.effects, **changes})


# -- gauge -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "keys"), [(1, ONE), (2, TWO)])
def test_a_gauge_is_undone(number: int, keys: list[Key]) -> None:
    gates = GateSet.of_noise(device(), number, keys)
    gauge = random_gauge(4**number, 5, 0.05 / number)
    gauge[0] = np.eye(4**number)[0]
    found = gauge_fixed(gates.transformed(gauge), gates)
    for key in keys:
        np.testing.assert_allclose(found.gates[key], gates.gates[key], atol=1e-8)
    np.testing.assert_allclose(found.state, gates.state, atol=1e-8)
    assert gauge_distance(gates.transformed(gauge), gates) < 1e-8


def test_the_gauge_is_that_of_pygsti() -> None:
    modelpack = pytest.importorskip("pygsti.modelpacks.smq1Q_XY")
    from pygsti.algorithms import gaugeopt_to_target

    target = modelpack.target_model("full TP")
    model = target.depolarize(op_noise=0.03, spam_noise=0.02).rotate((0.05, -0.03, 0.08))
    names = {"Gxpi2": "sx", "Gypi2": "h"}
    weights = {"gates": 1.0, "spam": 0.0}
    expected = GateSet.from_pygsti(gaugeopt_to_target(model, target, item_weights=weights, tol=1e-14), names)
    before = GateSet.from_pygsti(model, names)
    found = gauge_fixed(before, GateSet.from_pygsti(target, names), 0.0, 0.0)
    assert len(found.gates) == 2
    for key in found.gates:
        np.testing.assert_allclose(found.gates[key], expected.gates[key], atol=1e-5)
        assert abs(found.gates[key] - before.gates[key]).max() > 1e-2


def test_impossible_gauges_are_refused() -> None:
    ideal = GateSet.ideal(1, ONE)
    with pytest.raises(ValueError, match="invertible"):
        ideal.transformed(np.zeros((4, 4)))
    with pytest.raises(ValueError, match="1 qubits"):
        gauge_fixed(ideal, GateSet.ideal(2, TWO))
    with pytest.raises(ValueError, match="state_weight"):
        gauge_fixed(ideal, ideal, -1.0)
    with pytest.raises(ValueError, match="have gates"):
        gauge_fixed(ideal, GateSet.ideal(1, [("h", (0,))]))


# -- repair ------------------------------------------------------------------------------------------------------------


def test_diagonal_matrices_become_pauli_channels() -> None:
    """Averages over Paulis are channels and come no farther away, so that the nearest channel is a Pauli channel."""
    signs = np.array([[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]], dtype=np.float64)
    for diagonal in ([1.0, 1.1, 0.9, 1.05], [1.0, -0.9, 0.8, 0.95], [1.0, 0.5, 0.2, 0.1]):
        probabilities = signs @ diagonal / 4
        ordered = np.sort(probabilities)[::-1]
        shifts = [(ordered[: k + 1].sum() - 1) / (k + 1) for k in range(4)]
        shift = next(s for k, s in reversed([*enumerate(shifts)]) if ordered[k] > s)
        expected = signs @ np.maximum(probabilities - shift, 0.0)
        np.testing.assert_allclose(nearest_channel(np.diag(diagonal)), np.diag(expected), atol=1e-8)


@pytest.mark.parametrize("number", [1, 2])
def test_repaired_matrices_are_the_nearest_channels(number: int) -> None:
    """For every channel R, the angle between it and the estimate, seen from the projection, is not acute."""
    info = pytest.importorskip("qiskit.quantum_info")
    rng, size = np.random.default_rng(number), 4**number
    gate = GATES[gate_index("sx" if number == 1 else "cx")].matrix()
    given = Channel.from_kraus([gate]).ptm + 0.05 * rng.normal(size=(size, size))
    found = nearest_channel(given)
    choi = info.Choi(info.PTM(found))
    assert info.PTM(found).is_tp(atol=1e-12) and np.linalg.eigvalsh(choi.data)[0] > -1e-12
    for seed in range(20):
        other = info.PTM(info.random_quantum_channel(2**number, 2**number, seed=seed)).data.real
        assert np.sum((given - found) * (other - found)) <= 1e-7
    np.testing.assert_allclose(nearest_channel(found), found, atol=1e-8)


def test_states_and_effects_become_physical() -> None:
    rng = np.random.default_rng(0)
    state = GateSet.ideal(2, TWO).state + np.append(0.0, 0.2 * rng.normal(size=15))
    paulis = [p.to_matrix() for p in _paulis(2)]
    found = nearest_state(state)
    assert found[0] == pytest.approx(1.0) and np.linalg.eigvalsh(np.tensordot(found, paulis, 1))[0] > -1e-12
    effects = nearest_effects(GateSet.ideal(2, TWO).effects + 0.05 * rng.normal(size=(4, 16)))
    np.testing.assert_allclose(effects.sum(axis=0), np.eye(16)[0], atol=1e-9)
    assert min(np.linalg.eigvalsh(np.tensordot(effect, paulis, 1))[0] for effect in effects) > -1e-8


def _paulis(number: int) -> list[Any]:
    info = pytest.importorskip("qiskit.quantum_info")
    letters = "IXYZ"
    return [info.Pauli("".join(letters[k // 4**q % 4] for q in reversed(range(number)))) for k in range(4**number)]


# -- estimates ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "keys"), [(1, ONE), (2, TWO)])
def test_linear_inversion_of_exact_probabilities_is_exact(number: int, keys: list[Key]) -> None:
    true = GateSet.of_noise(device(), number, keys)
    counts = usual_design(number, keys, 2).simulated(true, 0)
    found = linear_inversion(counts, GateSet.ideal(number, keys))
    for run in runs(keys, 2):
        np.testing.assert_allclose(found.probabilities(run), true.probabilities(run), atol=1e-10)


def test_linear_inversion_is_that_of_pygsti() -> None:
    """The same counts give the same probabilities of all circuits, where counts determine the gate set."""
    pytest.importorskip("pygsti")
    from pygsti.algorithms import run_lgst
    from pygsti.circuits import Circuit as Labels
    from pygsti.data import DataSet
    from pygsti.models.modelconstruction import create_explicit_model_from_expressions

    true, design = GateSet.of_noise(device(), 1, ONE), usual_design(1, ONE, 1)
    seen = dict(zip(design.runs(), design.simulated(true, 2_000, seed=3).numbers.reshape(-1, 2), strict=True))
    counts = Counts.of(design, np.array([seen[run] for run in design.runs()]))  # pyGSTi counts a sequence only once
    names = {"sx": "Gxpi2", "s": "Gzpi2"}
    data = DataSet(outcome_labels=["0", "1"])

    def labels(run: tuple[Key, ...]) -> Any:
        return Labels([(names[name], 0) for name, _ in run], line_labels=(0,))

    for run, row in seen.items():
        data.add_count_dict(labels(run), {"0": row[0], "1": row[1]}, record_zero_counts=True)
    data.done_adding_data()
    target = create_explicit_model_from_expressions([(0,)], [("Gxpi2", 0), ("Gzpi2", 0)], ["X(pi/2,0)", "Z(pi/2,0)"])
    fiducials = [[*map(labels, part)] for part in (design.preparations, design.measurements)]
    theirs = run_lgst(data, *fiducials, target)
    found = linear_inversion(counts, GateSet.ideal(1, ONE))
    errors = []
    for run in runs(ONE, 4)[1:6]:
        expected = theirs.probabilities(labels(run))["0",]
        errors += [(found.probabilities(run)[0] - expected, expected - true.probabilities(run)[0])]
    difference, statistical = np.abs(errors).max(axis=0)
    assert difference < 1e-10 < 1e-3 < statistical


@pytest.mark.parametrize("is_likelihood", [True, False])
def test_slopes_of_the_misfit_are_difference_quotients(is_likelihood: bool) -> None:
    true = GateSet.of_noise(device(), 2, TWO)
    design = usual_design(2, TWO, 2)
    few = Design(design.preparations[::5], design.middles[::3], design.measurements[::4])
    misfit = Misfit(few.simulated(true, 100, seed=0), TWO, is_likelihood)
    rng = np.random.default_rng(0)
    params = misfit.params(true) + 0.01 * rng.normal(size=misfit.params(true).size)
    way = rng.normal(size=params.size)
    slope = (misfit(params + 1e-6 * way)[0] - misfit(params - 1e-6 * way)[0]) / 2e-6
    assert misfit(params)[1] @ way == pytest.approx(slope, rel=1e-4)
    again = misfit.gate_set(misfit.params(true))
    np.testing.assert_allclose(again.effects, true.effects, atol=1e-14)


def test_the_fisher_matrix_has_the_gauge_as_null_space() -> None:
    """Of 16 entries of a gauge on one qubit, 12 keep the trace; all other directions are seen by the circuits."""
    matrix = fisher_matrix(GateSet.ideal(1, ONE), usual_design(1, ONE), ONE)
    values = np.linalg.eigvalsh(matrix)
    assert (values < 1e-9 * values[-1]).sum() == 12 and len(values) == 2 * 12 + 3 + 4


def test_the_fisher_matrix_is_the_curvature_of_the_misfit() -> None:
    true = GateSet.of_noise(NoiseModel.depolarizing(0.3).add_readout(0.1), 1, ONE)  # no small probabilities
    design = usual_design(1, ONE, 2)
    misfit = Misfit(design.simulated(true, 0), ONE, is_likelihood=True)
    params, step = misfit.params(true), 1e-5
    rows = [(misfit(params + step * axis)[1] - misfit(params - step * axis)[1]) / (2 * step) for axis in np.eye(31)]
    np.testing.assert_allclose(fisher_matrix(true, design, ONE), rows, atol=1e-6)


def test_likelihood_ratios_of_fits_have_their_distribution() -> None:
    true = GateSet.of_noise(device(), 1, ONE)
    estimator = Estimator(usual_design(1, ONE), GateSet.ideal(1, ONE))
    free = len(estimator.design.runs()) - (31 - 12)  # frequencies, less parameters that are not gauge
    ratios = []
    for seed in range(10):
        counts = estimator.design.simulated(true, 2_000, seed)
        fit = estimator.fit(counts)
        model, best = log_likelihood(fit, counts)
        assert model >= log_likelihood(true, counts)[0]
        ratios.append(2 * (best - model))
    assert np.mean(ratios) == pytest.approx(free, abs=5 * np.sqrt(2 * free / 10))


def test_fits_of_a_pair_come_nearer_with_more_shots() -> None:
    true, ideal = GateSet.of_noise(device(), 2, TWO), GateSet.ideal(2, TWO)
    estimator = Estimator(usual_design(2, TWO, 2), ideal)
    start = gauge_distance(ideal, true)
    fits = [estimator.fit(estimator.design.simulated(true, shots, 0)) for shots in (100, 10_000)]
    distances = [gauge_distance(fit, true) for fit in fits]
    assert distances[1] < 0.2 * distances[0] and distances[1] < 0.2 * start


def test_counts_and_designs_that_cannot_be_used_are_refused() -> None:
    ideal, design = GateSet.ideal(1, ONE), usual_design(1, ONE, 1)
    with pytest.raises(ValueError, match="prepare four independent states"):
        usual_design(1, [("s", (0,))])
    with pytest.raises(ValueError, match="without angles"):
        usual_design(1, [("rx", (0,))])
    with pytest.raises(ValueError, match="shape"):
        Counts.of(design, [[1, 2]])
    with pytest.raises(ValueError, match="not all of them 0"):
        Counts.of(design, np.zeros((len(design.runs()), 2)))
    counts = design.simulated(ideal, 0)
    with pytest.raises(ValueError, match="all gates alone"):
        linear_inversion(counts.up_to(0), ideal)
    few = Design(design.preparations[:2], design.middles, design.measurements).simulated(ideal, 0)
    with pytest.raises(ValueError, match="preparations that span 4"):
        linear_inversion(few, ideal)

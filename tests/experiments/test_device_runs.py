"""``qas-run``: circuits on fake devices, beside what our noise model predicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

pytest.importorskip("qiskit_ibm_runtime")

from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from qas_envs.problems import tfim
from qas_experiments.commands.run import nested, run
from qas_experiments.device_runs import (
    DeviceSettings,
    _energies,
    on_active_qubits,
    predicted,
    run_on_device,
    transpiled,
)
from qas_simulators import Circuit, PauliSum, StatevectorSimulator
from qas_simulators.bridges.backends import backend_of
from tests.experiments.conftest import call, compose

CIRCUIT = Circuit(2).ry(0.8, 0).h(1).cx(0, 1).cx(0, 1).cx(0, 1).rz(0.4, 1).ry(-0.3, 0)


@pytest.mark.parametrize("primitive", ["estimator", "sampler"])
def test_measured_energy_is_the_predicted_one(primitive: str) -> None:
    """Aer simulates the fake device; our simulator predicts the energy from the same calibration."""
    problem, circuit = tfim(3), Circuit(3)
    for k in range(9):
        circuit.ry(0.3 + 0.1 * k, k % 3).cx(k % 3, (k + 1) % 3)
    settings = DeviceSettings(FakeManilaV2(), primitive, shots=10_000, seed=3)
    found = run_on_device(circuit, problem, settings)
    assert abs(found["energy"] - found["predicted"]) < 5 * found["error_bar"]
    assert 0.001 < found["error_bar"] < 0.05
    exact = Statevector(circuit.to_qiskit()).expectation_value(problem.hamiltonian.to_qiskit()).real
    assert found["noiseless"] == pytest.approx(exact, abs=1e-12) and found["exact"] == problem.ground_energy
    assert abs(found["predicted"] - found["noiseless"]) > 6 * found["error_bar"], "noise shows"
    assert len(found["qubits"]) >= 3 and json.loads(json.dumps(found)) == found
    if primitive == "sampler":
        assert run_on_device(circuit, problem, settings)["energy"] == found["energy"], "seeded"


def test_a_transpiled_circuit_has_the_same_energy() -> None:
    """Also where routing exchanges qubits: a CX between the ends of a line."""
    circuit, observable = (
        Circuit(3).ry(0.7, 0).cx(0, 2).ry(0.2, 1).cx(1, 0).rx(0.4, 2),
        PauliSum({"ZIX": 0.3, "IYZ": 1.0}),
    )
    expected = StatevectorSimulator().expectation(circuit, observable)
    for layout, level in (([0, 1, 2], 1), ("qiskit", 3), ("calibrated", 1)):
        program = transpiled(circuit, FakeManilaV2(), layout, seed=0, level=level)
        qubits, local, mapped = on_active_qubits(program, observable)
        assert StatevectorSimulator().expectation(local, mapped) == pytest.approx(expected, abs=1e-9)
        assert len(qubits) == local.num_qubits <= 5 and {"cx", "rz", "sx", "x"} >= set(local.count_ops())
    for wrong in ([0, 1], [0, 1, 1], [0, 1, 5], 3, ["a", 1, 2], [[0], 1, 2]):
        with pytest.raises(ValueError, match=r"`layout` must be 3 different qubits in 0\.\.4, but is"):
            transpiled(circuit, FakeManilaV2(), wrong, seed=0, level=1)


def test_energies_of_shots() -> None:
    """Words are read from the right; X and Z are measured as bits after the change of basis."""
    group = SparsePauliOp(["IZ", "XI", "XZ"], [0.5, 2.0, -1.0])
    assert sorted(_energies(group, {"01": 1, "10": 2, "00": 1}).tolist()) == sorted(
        [-0.5 + 2.0 + 1.0, 0.5 - 2.0 + 1.0, 0.5 - 2.0 + 1.0, 0.5 + 2.0 - 1.0]
    )


def test_settings() -> None:
    words = ["backend=fake_manila", "shots=100", "options.resilience.zne_mitigation=True", "options.resilience_level=1"]
    assert nested(words) == {
        "backend": "fake_manila",
        "shots": 100,
        "options": {"resilience": {"zne_mitigation": True}, "resilience_level": 1},
    }
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"primitive": "estimate"}, "Did you mean 'estimator'"),
        ({"layout": "best"}, "Unknown layout"),
        ({"shots": 1}, "at least 2"),
        ({"options": 5}, "mapping"),
        ({"seed": "one"}, "`seed` must be an integer"),
        ({"seed": -1}, "`seed` must be an integer"),
    ]
    for settings, message in wrong:
        with pytest.raises(ValueError, match=message):
            DeviceSettings("fake_manila", **settings)
    with pytest.raises(ValueError, match=r"options of EstimatorV2 .*no_such"):
        run_on_device(CIRCUIT, tfim(2), DeviceSettings("fake_manila", options={"no_such": 1}))
    with pytest.raises(ValueError, match="at least 6 qubits"):
        run_on_device(Circuit(6).h(0), tfim(6), DeviceSettings("fake_manila"))


def test_qubits_that_no_gate_entangles_may_be_apart() -> None:
    """Their noise is their own, so that the energy of two is the sum of both."""
    backend = backend_of("fake_manila")
    circuits = Circuit(1).sx(0).rz(0.3, 0).sx(0), Circuit(1).sx(0).rz(-1.1, 0).sx(0)
    both = Circuit(2).sx(0).rz(0.3, 0).sx(0).sx(1).rz(-1.1, 1).sx(1)
    alone = [predicted(backend, (3 * k,), one, PauliSum({"Z": 1.0})) for k, one in enumerate(circuits)]
    together = predicted(backend, (0, 3), both, PauliSum({"IZ": 1.0, "ZI": 1.0}))
    assert None not in alone and together == pytest.approx(sum(one or 0.0 for one in alone), abs=1e-12)
    found = run_on_device(both, tfim(2), DeviceSettings("fake_manila", shots=500, layout=[0, 3]))
    assert np.isfinite([found["energy"], found["predicted"]]).all()


def test_resilience_options_are_accepted() -> None:
    """Fake devices ignore them; real ones get them."""
    options = {"resilience_level": 1, "dynamical_decoupling": {"enable": True}}
    found = run_on_device(CIRCUIT, tfim(2), DeviceSettings("fake_manila", shots=500, options=options))
    assert found["options"] == options and np.isfinite(found["energy"])
    counts = {name: row["two_qubit_gates"] for name, row in found["counts"].items()}
    assert counts == {"in the file": 3, "gates merged": 1, "gates merged, transpiled": 1, "Qiskit level 3": 1}


def test_files_are_checked_before_the_device_is_used(tmp_path: Path) -> None:
    settings = {"backend": "fake_manila", "env": "QAS-TFIM-v0", "num_qubits": 2}
    (tmp_path / "circuit.qasm").write_text(CIRCUIT.to_qasm3())
    with pytest.raises(ValueError, match="in a folder that can be written to"):
        run(tmp_path / "circuit.qasm", settings, out=tmp_path / "circuit.qasm" / "figures.json")
    (tmp_path / "picture.qasm").write_bytes(bytes(range(256)))
    with pytest.raises(ValueError, match="file of OpenQASM, which is text"):
        run(tmp_path / "picture.qasm", settings)


def test_command_on_a_file_and_on_a_run(tmp_path: Path) -> None:
    (tmp_path / "circuit.qasm").write_text(CIRCUIT.to_qasm3())
    words = ["backend=fake_manila", "shots=1000", "env=QAS-TFIM-v0", "num_qubits=2"]
    done = call("run", "circuit.qasm", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    saved = json.loads((tmp_path / "device-fake_manila.json").read_text())
    assert "Qiskit level 3" in done.stdout and "±" in done.stdout and f"{saved['energy']:.6f}" in done.stdout
    assert saved["shots"] == 1000 and saved["circuit"] == "circuit.qasm" and "qiskit" in saved["versions"]

    folder = tmp_path / "run"
    folder.mkdir()
    settings = compose("env=tfim", "env.problem.num_qubits=2", "env.backend=fake_manila")
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.structured(settings)))
    (folder / "best.qasm").write_text(Circuit(2).sx(0).cx(0, 1).rz(0.3, 1).to_qasm3())
    done = call("run", "run", "shots=1000", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads((folder / "device-fake_manila.json").read_text())["backend"] == "fake_manila", "that of the run"

    for arguments, message in [
        (["circuit.qasm", "backend=fake_manila"], "environment is needed"),
        (["circuit.qasm", "env=QAS-TFIM-v0", "num_qubits=2"], "A backend is needed"),
        (["circuit.qasm", *words[:3]], "have the problem's 4 qubits"),
        (["circuit.qasm", *words, "shot=3"], "Did you mean 'shots'"),
        (["run", "shot=3"], "Did you mean 'shots'"),
        (["nothing", *words], "a file of OpenQASM"),
        (["circuit.qasm", "backend=fake_manilla", *words[1:]], "Did you mean 'fake_manila'"),
    ]:
        done = call("run", *arguments, cwd=tmp_path)
        assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1, (
            arguments,
            done.stderr,
        )

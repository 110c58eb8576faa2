"""``qas-evaluate``: frozen policies of our agents and of Stable-Baselines3's."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qiskit.transpiler import generate_preset_pass_manager

from qas_experiments.building import make_environment
from qas_experiments.commands import launch
from qas_experiments.commands.evaluate import evaluate
from qas_experiments.runs.files import settings_of
from qas_experiments.training.run import train
from qas_simulators import Circuit
from tests.experiments.conftest import QUICK, compose, conf


def test_evaluation_of_a_run(run: Path, tmp_path: Path) -> None:
    """The frozen policy's row is the one that training printed, and every number follows from the rollouts."""
    run = shutil.copytree(run, tmp_path / "run")
    summary = evaluate(run, policy="last", rollouts=20, epsilon=1.0)
    trained = json.loads((run / "summary.json").read_text())["rows"]["frozen policy, last"]
    for key in ("energy", "two_qubit_gates", "depth", "gates"):
        assert summary["greedy"][key] == trained[key]
    stochastic = summary["stochastic"]
    assert stochastic["rollouts"] == 20 and 0 <= stochastic["success_probability"] <= 1
    low, high = stochastic["interval"]
    assert low <= stochastic["success_probability"] <= high and high - low > 0.1
    for name in ("two_qubit_gates", "depth"):
        assert summary["greedy"][f"transpiled_{name}"] == trained[f"transpiled_{name}"]
    best = Circuit.from_qasm3(summary["best"]["qasm"]).to_qiskit()
    manager = generate_preset_pass_manager(3, basis_gates=["cx", "rz", "sx", "x"], seed_transpiler=0)
    assert summary["best"]["transpiled_two_qubit_gates"] == manager.run(best).num_nonlocal_gates()
    at_most = stochastic["transpiled_two_qubit_gates"]["max"]
    assert summary["best"]["transpiled_two_qubit_gates"] <= 3 >= at_most, "two qubits need three CNOTs at most"
    assert stochastic["energy_error"]["min"] <= stochastic["energy_error"]["median"]
    assert summary["checked_by_qiskit"] < 1e-12
    assert json.loads((run / "evaluation.json").read_text()) == summary
    assert (run / "evaluation.png").read_bytes().startswith(b"\x89PNG")
    again = evaluate(run, policy="last", rollouts=20, epsilon=1.0)
    assert again == summary, "seeded"


def test_diagnostics_of_a_run(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two qubits, RX, RY, RZ and CX: all 15 dimensions, and a bond dimension of two at most."""
    run = shutil.copytree(run, tmp_path / "run")
    monkeypatch.setattr(sys, "argv", ["qas-evaluate", str(run), "--rollouts", "3", "--diagnostics"])
    launch.evaluate()
    assert "dynamical Lie algebra of dimension 15 of 15" in capsys.readouterr().out
    summary = json.loads((run / "evaluation.json").read_text())
    own = summary["diagnostics"]["simulability"]
    assert own["energy"] == pytest.approx(summary["best"]["energy"], abs=1e-2)
    assert own["bond_dimensions"] in ([1], [2]) and 0 <= own["clifford_fraction"] <= 1
    assert summary["diagnostics"]["gradients"]["variance"] > 0


@pytest.mark.slow  # python -m pytest tests/experiments/commands/test_evaluate.py -m slow
def test_what_a_kan_looks_at(tmp_path: Path) -> None:
    settings = [entry for entry in QUICK if "network" not in entry]
    settings += ["agent=kanqas_kan", "env=bell", "optimizer=none"]
    train(compose(*settings, f"run={tmp_path / 'run'}"))
    found = evaluate(tmp_path / "run", policy="last", rollouts=3)["importance"]
    assert set(found) == {"moments", "gates", "qubits"}
    assert set(found["gates"]) == {"cx", "x", "y", "z", "h", "t"} and sum(found["gates"].values()) == pytest.approx(1.0)
    assert sum(found["moments"].values()) == pytest.approx(1.0)
    for name in ("kan_edges.png", "kan_importance.png"):
        assert (tmp_path / "run" / name).read_bytes().startswith(b"\x89PNG")


def test_bad_evaluations(run: Path, tmp_path: Path) -> None:
    for arguments, message in [
        ({"run": tmp_path}, "folder of a run"),
        ({"run": run, "rollouts": 0}, "at least 1"),
        ({"run": run, "epsilon": 2.0}, r"\[0, 1\]"),
    ]:
        with pytest.raises(ValueError, match=message):
            evaluate(**arguments)  # type: ignore[arg-type]


_SB3 = [name for name in conf("agent") if name.startswith("sb3")]
_QUICK_SB3 = (
    "sb3_dqn",
    "sb3_maskable_ppo",
)  # the others: python -m pytest tests/experiments/commands/test_evaluate.py -m slow


@pytest.mark.parametrize(
    "agent", [name if name in _QUICK_SB3 else pytest.param(name, marks=pytest.mark.slow) for name in _SB3]
)
def test_agents_of_stable_baselines(agent: str, tmp_path: Path) -> None:
    settings = [*(entry for entry in QUICK if not entry.startswith("agent.")), "training.total_timesteps=300"]
    small = {"sb3_dqn": "learning_starts", "sb3_qrdqn": "learning_starts"}.get(agent, "n_steps")
    settings += ["agent.batch_size=32"] if "ppo" in agent else []
    settings += [f"agent={agent}", f"agent.{small}=64", "env=tfim", "env.problem.num_qubits=2", "env.max_gates=6"]
    summary = train(compose(*settings, f"run={tmp_path / 'run'}"))
    best = summary["rows"]["found in training"]
    circuit = Circuit.from_qasm3((tmp_path / "run" / "best.qasm").read_text())
    assert circuit.num_gates == best["gates"] > 0
    found = evaluate(tmp_path / "run", policy="last", rollouts=3)
    assert found["greedy"]["energy"] == summary["rows"]["frozen policy, last"]["energy"]


# -- families ----------------------------------------------------------------------------------------------------------

PAIR = [*QUICK, "env=tfim", "env.problem.num_qubits=2", "env.max_gates=6", "training.total_timesteps=300"]
FIELDS = "env.vary={field: [0.5, 1.0, 1.5]}"
SCHEDULED = "env.curriculum={name: scheduled, parameter: field, values: [0.5, 1.5], successes: 2, patience: 5}"
PPO = [entry for entry in PAIR if not entry.startswith("agent.")]
PPO += ["agent=sb3_ppo", "agent.n_steps=64", "agent.batch_size=64"]


def pair(field: float) -> np.ndarray[Any, Any]:
    """The chain of two spins, -ZZ - h (X + X), as a matrix; its lowest eigenvalue is -sqrt(1 + 4 h^2)."""
    x, z, one = np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0]), np.eye(2)
    return -np.kron(z, z) - field * (np.kron(x, one) + np.kron(one, x))


@pytest.mark.parametrize(  # all: python -m pytest tests/experiments/commands/test_evaluate.py -m "slow or not slow"
    "settings",
    [
        pytest.param([*PAIR, FIELDS], id="drawn", marks=pytest.mark.slow),
        pytest.param([*PAIR, "env.vary={field: [0.5, 1.5]}", SCHEDULED], id="scheduled", marks=pytest.mark.slow),
        pytest.param([*PAIR, FIELDS, "noise=depolarizing"], id="noisy"),
        pytest.param([*PPO, FIELDS], id="sb3", marks=pytest.mark.slow),
    ],
)
def test_episodes_of_a_family_are_judged_by_their_members(
    settings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The documented command; energies and errors follow from the member's matrix."""
    from qiskit import qasm3
    from qiskit.quantum_info import Statevector

    run = tmp_path / "run"
    train(compose(*settings, f"run={run}"))
    monkeypatch.setattr(sys, "argv", ["qas-evaluate", str(run), "--rollouts", "20"])
    launch.evaluate()
    assert "family of TFIM (n=2, h=0.5): field" in capsys.readouterr().out
    summary = json.loads((run / "evaluation.json").read_text())
    for row in (summary["greedy"], summary["best"]):
        field, ground = row["member"]["field"], -np.sqrt(1 + 4 * row["member"]["field"] ** 2)
        assert row["problem"] == f"TFIM (n=2, h={field:g})"
        assert row["energy"] - row["energy_error"] == pytest.approx(ground, abs=1e-12)
        assert row["success"] == (row["energy"] - ground < 1e-3)
    state = Statevector(qasm3.loads(summary["best"]["qasm"])).data.real
    field = summary["best"]["member"]["field"]
    if "noise=depolarizing" not in settings:
        assert state @ pair(field) @ state == pytest.approx(summary["best"]["energy"], abs=1e-9)
    episodes = summary["stochastic"]["episodes"]
    assert len(episodes) == 20 and len({episode["member"]["field"] for episode in episodes}) > 1
    share = sum(episode["success"] for episode in episodes) / 20
    assert summary["stochastic"]["success_probability"] == share


def test_members_have_accuracies_of_their_own(tmp_path: Path) -> None:
    """The product of random actions seldom solves: below 1e-9 never, below 10 always."""
    run = tmp_path / "run"
    train(compose(*PAIR, "env.vary={accuracy: [1e-9, 10.0, 10.0]}", "agent.epsilon_end=1.0", f"run={run}"))
    summary = evaluate(run, policy="last", rollouts=20)
    assert summary["accuracy"] == 1e-9
    for episode in summary["stochastic"]["episodes"]:
        assert episode["success"] == (episode["energy_error"] < episode["member"]["accuracy"])
    assert 0 < summary["stochastic"]["success_probability"] < 1


def test_the_circuit_without_noise_is_judged_by_its_member(tmp_path: Path) -> None:
    """Stable-Baselines3 draws the next member before it calls back."""
    from qiskit import qasm3
    from qiskit.quantum_info import Statevector

    run = tmp_path / "run"
    summary = train(compose(*PPO, FIELDS, "noise=depolarizing", f"run={run}"))
    row = summary["rows"]["best without noise"]
    ground = row["energy"] - row["energy_error"]
    field = min((0.5, 1.0, 1.5), key=lambda field: abs(ground + np.sqrt(1 + 4 * field**2)))
    state = Statevector(qasm3.loads((run / "without_noise.qasm").read_text())).data.real
    ideal = state @ pair(field) @ state
    assert ideal + np.sqrt(1 + 4 * field**2) < row["energy_error"], "noise costs energy"


WITH_POLICY = '''
from pathlib import Path

import numpy as np

class First:
    """Always takes the first legal action."""

    def __init__(self, env, seed=0):
        self.env = env

    def learn(self, total_timesteps, callback=None):
        _, info = self.env.reset(seed=0)
        for _ in range(total_timesteps):
            action, _ = self.predict(None, action_masks=info["action_mask"])
            _, reward, terminated, truncated, info = self.env.step(action)
            over = terminated or truncated
            if not callback({"self": self, "infos": [info], "rewards": [reward], "dones": [over]}, {}):
                break
            if over:
                _, info = self.env.reset()
        return self

    def predict(self, observation, state=None, episode_start=None, deterministic=True, action_masks=None):
        return int(np.flatnonzero(action_masks)[0]), None

    def save(self, path):
        Path(path).write_text("{}")

    @classmethod
    def load(cls, path, env):
        return cls(env)
'''


def test_agents_from_outside_and_agents_without_a_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "first_legal.py").write_text(WITH_POLICY)
    monkeypatch.syspath_prepend(str(tmp_path))
    base = ["env=tfim", "env.problem.num_qubits=2", "env.max_gates=6", "training.total_timesteps=20", FIELDS]
    base += ["training.baselines=false", "training.progress=false"]
    outside = ["agent=external", "agent.target='first_legal:First'"]
    train(compose(*base, *outside, f"run={tmp_path / 'outside'}"))
    assert evaluate(tmp_path / "outside", policy="last", rollouts=3)["stochastic"]["rollouts"] == 3
    train(compose(*base, "agent=random", f"run={tmp_path / 'random'}"))
    with pytest.raises(
        ValueError, match=r"hold policy_best\.safetensors, which a finished run of an agent with a policy"
    ):
        evaluate(tmp_path / "random")
    with pytest.raises(ValueError, match="Unknown policy 'first'"):
        evaluate(tmp_path / "outside", policy="first")


@pytest.mark.parametrize(
    "shots",
    [
        pytest.param(["env.simulator={shots: 10}", "optimizer=none"], marks=pytest.mark.slow),
        ["optimizer=adam_spsa", "optimizer.iterations=[3]", "optimizer.stage_shots=[10]"],
        ["env.simulator={shots: 10, shot_noise: crlqas}", "noise=depolarizing", "optimizer=none"],
    ],
)
def test_results_are_exact_where_training_sees_shots(shots: list[str], tmp_path: Path) -> None:
    from qiskit import qasm3
    from qiskit.quantum_info import Statevector

    run = tmp_path / "run"
    chain = ["env=tfim", "env.problem.num_qubits=2", "env.max_gates=6"]
    train(compose(*QUICK, *chain, *shots, "training.total_timesteps=60", "agent.learning_starts=10", f"run={run}"))
    summary = json.loads((run / "summary.json").read_text())
    found = summary["rows"]["found in training"]
    assert min(row["energy_error"] for row in summary["rows"].values() if row is not None) > -1e-12
    assert evaluate(run, policy="last", rollouts=3)["best"]["energy_error"] > -1e-12
    if not any(setting.startswith("noise=") for setting in shots):
        hamiltonian = make_environment(settings_of(run)).problem.hamiltonian.to_qiskit()
        state = Statevector(qasm3.loads((run / "best.qasm").read_text()))
        assert found["energy"] == pytest.approx(state.expectation_value(hamiltonian).real, abs=1e-9)

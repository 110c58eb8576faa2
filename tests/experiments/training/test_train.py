"""``qas-train``: what it writes, what it says, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from qas_experiments.agents import AGENTS
from qas_experiments.building import Plan, make_environment
from qas_experiments.composition import check_overrides
from qas_experiments.options import without_file
from qas_experiments.runs.metrics import reproducible_metrics
from qas_experiments.settings import PRESCRIBED, register_schemas
from qas_experiments.training.recorder import Recorder
from qas_experiments.training.run import train
from qas_simulators import Circuit
from qas_simulators.noise_presets import NOISE_MODELS
from qas_simulators.optimizers import OPTIMIZERS
from tests.experiments.conftest import QUICK, command, compose, conf

FILES = {
    ".lock",
    "best.png",
    "best.qasm",
    "best.txt",
    "checkpoint",
    "circuits.json",
    "front.json",
    "config.yaml",
    "frozen.qasm",
    "metrics.jsonl",
    "policy_best.safetensors",
    "policy_last.safetensors",
    "simplified.qasm",
    "summary.json",
    "summary.txt",
    "tensorboard",
    "versions.json",
}


def test_run_folder(run: Path) -> None:
    assert {entry.name for entry in run.iterdir()} == FILES
    config = OmegaConf.load(run / "config.yaml")
    assert (config.env.id, config.training.total_timesteps) == ("QAS-TFIM-v0", 600)
    assert json.loads((run / "versions.json").read_text())["numpy"] == np.__version__
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["episode"] for row in rows] == list(range(1, len(rows) + 1))
    assert (run / "best.png").read_bytes().startswith(b"\x89PNG")
    assert any((run / "tensorboard").iterdir())


def test_summary_holds_every_row_and_adds_up(run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text())
    assert list(summary["rows"]) == [
        "found in training",
        "frozen policy, best",
        "frozen policy, last",
        "empty circuit",
        "best basis state",
        "best product state",
        "random legal policy",
        "greedy construction",
    ]
    for name, row in summary["rows"].items():
        assert row["energy_error"] == pytest.approx(row["energy"] - summary["ground_energy"], abs=1e-12)
        assert name in (run / "summary.txt").read_text()
    assert summary["rows"]["best product state"]["energy"] == pytest.approx(-2.0, abs=1e-7)
    random = summary["baselines"]["random legal policy"]
    budget = summary["training"]["evaluations"]
    assert budget <= random["evaluations"] < budget + 1000, "the baseline gets the same evaluations"


def test_qasm_file_has_the_printed_energy_by_qiskit(run: Path) -> None:
    from qiskit import qasm3
    from qiskit.quantum_info import SparsePauliOp, Statevector

    summary = json.loads((run / "summary.json").read_text())
    state = Statevector(qasm3.loads((run / "best.qasm").read_text()))
    hamiltonian = make_environment(compose("env=tfim", "env.problem.num_qubits=2")).problem.hamiltonian
    energy = state.expectation_value(SparsePauliOp.from_list(list(hamiltonian))).real
    assert energy == pytest.approx(summary["rows"]["found in training"]["energy"], abs=1e-9)
    circuit = Circuit.from_qasm3((run / "best.qasm").read_text())
    assert circuit.num_two_qubit_gates == summary["rows"]["found in training"]["two_qubit_gates"]


def test_a_run_in_which_nothing_was_learned_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair = [*QUICK, "env=tfim", "env.problem.num_qubits=2", "training.total_timesteps=60"]
    train(compose(*pair, f"run={tmp_path / 'short'}"))
    assert "warning: nothing was learned in 60 steps (agent.learning_starts=200)" in capsys.readouterr().out
    train(compose(*pair, "agent.learning_starts=10", f"run={tmp_path / 'long'}"))
    assert "nothing was learned" not in capsys.readouterr().out


def test_same_seed_same_bits(tmp_path: Path) -> None:
    for name in ("a", "b"):
        train(compose(*QUICK, "training.seed=5", f"run={tmp_path / name}"))
    for file in ("best.qasm", "policy_best.safetensors", "policy_last.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file
    assert reproducible_metrics(tmp_path / "a") == reproducible_metrics(tmp_path / "b")
    train(compose(*QUICK, "training.seed=6", f"run={tmp_path / 'c'}"))
    assert reproducible_metrics(tmp_path / "c") != reproducible_metrics(tmp_path / "a")


def test_a_run_is_never_overwritten(run: Path) -> None:
    before = (run / "summary.json").read_bytes()
    with pytest.raises(ValueError, match="never overwritten"):
        train(compose(*QUICK, f"run={run}"))
    assert (run / "summary.json").read_bytes() == before


# one of each paper; all: python -m pytest tests/experiments/training/test_train.py -m "slow or not slow"
_QUICK_EXPERIMENTS = (
    "crlqas_lih4",
    "family_lih",
    "grl_tfim",
    "kanqas_bell_noisy_kan",
    "lih_first",
    "tensorrl_beh2",
    "tfim",
)


@pytest.mark.filterwarnings("ignore:.*already meets|.*rounding decides|Success is out of reach")  # as published
@pytest.mark.parametrize(
    "experiment",
    [one if one in _QUICK_EXPERIMENTS else pytest.param(one, marks=pytest.mark.slow) for one in conf("experiment")],
)
def test_every_experiment_composes_and_takes_a_step(experiment: str) -> None:
    settings = compose(f"experiment={experiment}")
    env = make_environment(settings)
    agent = Plan.of(settings).make_agent(env)
    recorder = Recorder(env, lambda row: None, lambda: False)
    agent.learn(1, callback=recorder)
    steps = settings.agent.get("teacher") or settings.agent.get("batch", 1)  # instances and groups are whole
    assert recorder.steps == steps and recorder.evaluations >= 1


def test_gates_are_a_set_or_a_list() -> None:
    by_list = make_environment(compose("env=tfim", "env.actions=gates", "env.gates=[ry,cz]"))
    by_name = make_environment(compose("env=tfim", "env.actions=gates", "env.gates=ry_cz"))
    assert {action.gate for action in by_list.catalogue.actions} == {"ry", "cz"}
    assert {action.gate for action in by_name.catalogue.actions} == {"ry", "cz"}
    with pytest.raises(ValueError, match=r"Unknown gate 'cq'.*Did you mean 'cz'"):
        make_environment(compose("env=tfim", "env.gates=[ry,cq]"))


def test_cheap_agents_have_the_same_prices() -> None:
    search = compose("env=tfim", "agent=dqn_guided_cheap").agent["search"]
    cheap, usual = (compose("env=tfim", f"agent={name}").agent for name in ("annealing_cheap", "annealing"))
    assert search == {name: value for name, value in cheap.items() if value != usual[name]}


def test_every_option_has_its_component() -> None:
    for group, table in [("optimizer", OPTIMIZERS), ("noise", NOISE_MODELS), ("agent", AGENTS)]:
        texts = [
            files(f"qas_experiments.conf.{group}").joinpath(f"{option}.yaml").read_text() for option in conf(group)
        ]
        names = {OmegaConf.create(text)["name"] for text in texts} - {PRESCRIBED}
        assert names <= set(table) <= names | set(without_file(group)), group


@pytest.mark.filterwarnings("ignore:Success is out of reach")
def test_noise_and_optimizer_reach_the_environment() -> None:
    settings = compose("env=bell", "noise=kanqas", "optimizer=none")
    env = make_environment(settings)
    env.reset()
    env.step(5)
    assert env.step(0)[4]["energy"] == pytest.approx(0.15, abs=1e-12)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["env=lihh"],
            "Unknown env 'lihh'. Choices: beh2, bell, bent_h2o, ch2, classifier, clifford, diagonalization,",
        ),
        (["agent=dnq"], "Did you mean 'dqn'"),
        (["optimizer=cobila"], "Did you mean 'cobyla'"),
        (["noise=depolarising"], "Did you mean 'depolarizing'"),
        (["env.max_gate=3"], "Did you mean 'env.max_gates'"),
        (["trainig.seed=3"], "Did you mean 'training'"),
        (["agent=random", "agent.network.hidden=[3]"], "Unknown override 'agent.network.hidden'"),
    ],
)
def test_unknown_names(overrides: list[str], message: str) -> None:
    register_schemas()
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        check_overrides("train", overrides)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_settings_of_a_component_can_be_given(tmp_path: Path) -> None:
    result = command("env.reward.two_qubit=-1", "env.curriculum={name: fixed, threshold: 0.1}", cwd=tmp_path)
    assert result.stderr == "error: Argument `two_qubit` must not be negative, but is -1.\n"


def test_sweeps_pass_the_check() -> None:
    register_schemas()
    check_overrides("train", ["training.seed=0,1,2", "env=h2,lih", "agent.network.hidden=[8],[16]"])


@pytest.mark.parametrize(
    "overrides",
    [
        ["training.total_timesteps=0"],
        ["training.seed=-1"],
        ["env.max_gates=0"],
        ["noise=depolarizing", "noise.p1=-0.1"],
        ["env=tfim", "env.problem.num_qubits=0"],
        ["agent.batch_size=0"],
    ],
)
def test_impossible_numbers_leave_no_run_folder(overrides: list[str], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must"):
        train(compose(*overrides, f"run={tmp_path / 'run'}"))
    assert not (tmp_path / "run").exists()


def test_command_line_fails_in_one_line(tmp_path: Path) -> None:
    for arguments in (["env=lihh"], ["training.seed=x"], ["env.max_gates=0"], ["foo"]):
        result = command(*arguments, cwd=tmp_path)
        assert result.returncode == 2, arguments
        assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1, result.stderr
    assert not any(tmp_path.iterdir())


def test_command_line_warns_of_a_trivial_threshold(tmp_path: Path) -> None:
    result = command(
        *QUICK, "training.total_timesteps=250", "env=tfim", "env.problem.field=0.001", "run=trivial", cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    assert "warning: The empty circuit already meets the success threshold" in result.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_ends_cleanly_with_everything_saved(tmp_path: Path) -> None:
    arguments = ["training.total_timesteps=100000000", "run=cut", "agent.network.hidden=[16]", "agent.batch_size=32"]
    process = subprocess.Popen(
        [sys.executable, "-m", "qas_experiments.commands.train", *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    deadline = time.monotonic() + 120
    metrics, curves = tmp_path / "cut" / "metrics.jsonl", tmp_path / "cut" / "tensorboard"
    while time.monotonic() < deadline and not (curves.exists() and metrics.stat().st_size > 2_000):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "Traceback" not in output and "was skipped" in output
    assert {entry.name for entry in (tmp_path / "cut").iterdir()} == FILES | {"checkpoint"}
    summary = json.loads((tmp_path / "cut" / "summary.json").read_text())
    assert summary["interrupted"] and summary["rows"]["found in training"]["energy_error"] > -1e-9


NEEDED = {
    "ground_state": ["env.problem.hamiltonian={ZZ: -1.0, XI: -0.5}"],
    "excited_state": ["env.problem.hamiltonian={ZZ: -1.0, XI: -0.5}"],
    "qubo": ["env.problem.matrix=[[-1.0, 2.0], [0.0, -1.0]]"],
    "problem": ["env.problem.problem=bell"],
    "molecule": ["env.problem.geometry='H 0 0 0; H 0 0 0.74'", "env.problem.unit=angstrom"],
}


@pytest.mark.parametrize("environment", conf("env"))
def test_every_environment_can_be_composed_and_stepped(environment: str) -> None:
    env = make_environment(compose(f"env={environment}", "optimizer=none", *NEEDED.get(environment, [])))
    env.reset(seed=0)
    assert np.isfinite(env.step(0)[4]["energy"])


def test_couplings_and_initial_circuits_from_the_command_line() -> None:
    env = make_environment(
        compose("env=tfim", "env.couplings=line", "env.initial=basis_state", "env.problem.field=0.5")
    )
    env.reset(seed=0)
    assert max(abs(a.qubits[0] - a.qubits[-1]) for a in env.catalogue.actions) == 1


@pytest.mark.slow  # python -m pytest tests/experiments/training/test_train.py -m slow
def test_a_frozen_policy_that_ignores_masks(tmp_path: Path) -> None:
    small = ["env=tfim", "env.problem.num_qubits=2", "training.baselines=false", "training.progress=false"]
    train(compose(*small, "agent=sb3_ppo", "training.total_timesteps=64", f"run={tmp_path / 'ppo'}"))
    frozen = ["agent=frozen", f"agent.run={tmp_path / 'ppo'}", "agent.rollouts=3"]
    assert train(compose(*small, *frozen, f"run={tmp_path / 'f'}"))["training"]["episodes"] == 3


def test_a_policy_of_a_family_plays_an_unseen_member(tmp_path: Path) -> None:
    run = tmp_path / "family"
    family = ["env=tfim", "env.problem.num_qubits=2", "env.vary={field: [0.5, 1.0, 1.5]}", "env.max_gates=6"]
    summary = train(compose(*QUICK, *family, f"run={run}"))
    assert {*summary["rows"]} == {"found in training", "frozen policy, best", "frozen policy, last"}
    assert summary["problem"] == "family of TFIM (n=2, h=0.5): field"
    assert "each row is for one member" in (run / "summary.txt").read_text()
    member = [
        "env=tfim",
        "env.actions=gates",
        "env.problem.num_qubits=2",
        "env.vary={field: [0.7, 0.7, 0.7]}",
        "env.max_gates=6",
    ]
    frozen = [*member, "agent=frozen", f"agent.run={run}", "training.baselines=false", "training.progress=false"]
    once = train(compose(*frozen, f"run={tmp_path / 'once'}"))
    assert once["training"]["episodes"] == 1 and once["training"]["steps"] <= 6
    more = train(compose(*frozen, "agent.rollouts=5", "agent.epsilon=0.5", f"run={tmp_path / 'more'}"))
    assert more["training"]["episodes"] == 5
    best = [each["rows"]["found in training"]["energy_error"] for each in (more, once)]
    assert best[0] <= best[1], "the first rollout is the same"
    with pytest.raises(ValueError, match=r"`run` must hold policy_last.safetensors.*none"):
        train(compose(*member, "agent=frozen", f"agent.run={tmp_path / 'none'}", f"run={tmp_path / 'x'}"))
    half = tmp_path / "half"
    shutil.copytree(run, half)
    (half / "summary.json").write_text(json.dumps(summary | {"interrupted": True}))
    with pytest.raises(ValueError, match="a finished run"):
        train(compose(*member, "agent=frozen", f"agent.run={half}", f"run={tmp_path / 'z'}"))
    with pytest.raises(ValueError, match="`env` must have"):
        train(compose("env=bell", "optimizer=none", "agent=frozen", f"agent.run={run}", f"run={tmp_path / 'y'}"))

"""Rounds of gadgets: what each leaves, going on after an interruption, and the commands around them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qas_agents import RandomPolicy
from qas_envs.factory import make_env
from qas_experiments.building import make_environment
from qas_experiments.commands.gadgets import learn_gadgets
from qas_experiments.runs.files import read_circuits
from qas_experiments.runs.metrics import reproducible_metrics
from qas_experiments.training.corpus import Corpus
from qas_experiments.training.recorder import Recorder, Solution
from qas_experiments.training.run import train
from qas_experiments.training.transfer import growth_between
from qas_simulators import Circuit, Gadget, StatevectorSimulator, load_gadgets
from qas_simulators.flat_circuit import Link
from qas_simulators.gadgets import Part
from tests.experiments.conftest import call, compose

LOOP = [
    "env=tfim",
    "env.actions=gates",
    "agent=dqn_guided",
    "agent.search_steps=600",
    "agent.network.hidden=[16]",
    "agent.batch_size=32",
    "env.max_gates=16",
    "extraction.circuits=8",
    "training.total_timesteps=900",
    "training.progress=false",
    "training.baselines=false",
    "rounds=[{env: {problem: {num_qubits: 2}}}, {env: {problem: {num_qubits: 3}}, training: {seed: 1}}]",
]


def settings_in(folder: Path, *more: str) -> list[str]:
    return [*LOOP, f"run={folder}", *more]


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("loop") / "whole"
    train(compose(*settings_in(path)))
    return path


def test_every_round_is_a_run_and_leaves_gadgets_for_the_next(loop: Path) -> None:
    summary = json.loads((loop / "summary.json").read_text())
    assert not summary["interrupted"] and len(summary["rounds"]) == 2
    first, second = (json.loads((loop / f"round-{k}" / "summary.json").read_text()) for k in range(2))
    assert (first["problem"], second["problem"]) == ("TFIM (n=2, h=1)", "TFIM (n=3, h=1)")
    learned = load_gadgets(loop / "round-0" / "gadgets.json")
    assert learned and summary["rounds"][0]["gadgets"] == [*learned]
    assert Path(second["settings"]["env"]["gadgets"]) == loop / "round-0" / "gadgets.json"
    assert first["settings"]["env"]["gadgets"] is None


def test_interrupted_rounds_go_on_where_they_were(loop: Path, tmp_path: Path) -> None:
    """Finished rounds are read, the others played: the same gadgets and figures come out."""
    copy = tmp_path / "copy"
    shutil.copytree(loop, copy)
    shutil.rmtree(copy / "round-1")
    (copy / "summary.json").unlink()
    kept = (copy / "round-0" / "summary.json").stat().st_mtime_ns
    again = train(compose(*LOOP, f"resume={copy}"))
    assert (copy / "round-0" / "summary.json").stat().st_mtime_ns == kept
    assert json.loads((copy / "round-1" / "gadgets.json").read_text()) == json.loads(
        (loop / "round-1" / "gadgets.json").read_text()
    )
    whole = json.loads((loop / "summary.json").read_text())
    for key in ("evaluations", "steps", "episodes"):
        assert [one["training"][key] for one in again["rounds"]] == [one["training"][key] for one in whole["rounds"]]
    with pytest.raises(ValueError, match="this one is finished"):
        train(compose(*LOOP, f"resume={loop}"))


def test_policies_are_carried_to_more_spins_and_more_actions(loop: Path, tmp_path: Path) -> None:
    train(compose(*settings_in(tmp_path / "carried", "extraction.carry_policy=true")))
    old = make_environment(compose("env=tfim", "env.actions=gates", "env.problem.num_qubits=2", "env.max_gates=16"))
    gadgets = f"env.gadgets={loop / 'round-0' / 'gadgets.json'}"
    new = make_environment(
        compose("env=tfim", "env.actions=gates", "env.problem.num_qubits=3", "env.max_gates=16", gadgets)
    )
    growth = growth_between(old, new)
    for k, source in enumerate(growth.actions):
        known = new.catalogue.actions[k] in old.catalogue.actions
        assert (source is not None) == known
        if source is not None:
            assert old.catalogue.actions[source] == new.catalogue.actions[k]
    known_inputs = [source for source in growth.inputs if source is not None]
    assert len(known_inputs) == 16 * 8 + 1, "8 gates of two spins in 16 moments, and the energy"
    with pytest.raises(ValueError, match="`policy` must be of an agent of the same class"):
        train(compose("agent=random", f"policy={loop / 'round-0'}", "env=tfim", f"run={tmp_path / 'no'}"))
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("rounds", "message"),
    [
        ("[{env: {problemm: {}}}]", "`rounds` must hold valid overrides"),
        ("[{run: here}]", "`rounds` must not override 'run'"),
        ("[3]", "`rounds` must be a list of mappings of overrides"),
        ("[{env: {gadgets: grl}}]", "`rounds` must not override 'gadgets'"),
    ],
)
def test_wrong_rounds_leave_no_folder(rounds: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        train(compose("env=tfim", "agent=random", f"rounds={rounds}", f"run={tmp_path / 'none'}"))
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("extraction.rank=scor", "Unknown rank 'scor'"),
        ("extraction.circuits=0", r"`extraction\.circuits` must not be negative"),
        ("extraction.max_calls=1", "`max_calls` must be at least 2"),
        ("extraction.pseudo_counts=0", "`pseudo_counts` must be positive"),
        (
            "extraction.carry_policy=true",
            r"`extraction\.carry_policy` must be false unless all rounds have the same agent",
        ),
    ],
)
def test_wrong_extraction_is_told_before_anything_is_played(setting: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        train(compose("env=tfim", "agent=random", "rounds=[{}]", setting, f"run={tmp_path / 'none'}"))
    assert not (tmp_path / "none").exists()


def test_a_round_killed_before_its_extraction_is_finished(loop: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(loop, copy)
    for name in ("round-1/gadgets.json", "round-1/summary.json", "summary.json"):
        (copy / name).unlink()
    train(compose(*LOOP, f"resume={copy}"))
    for name in ("round-1/gadgets.json", "round-1/policy_last.safetensors"):
        assert (copy / name).read_bytes() == (loop / name).read_bytes()
    assert reproducible_metrics(copy / "round-1") == reproducible_metrics(loop / "round-1")


def test_gadgets_of_one_name_are_told_apart_by_their_gates() -> None:
    free = (Link(0, 1.0, 0.0),)
    first = Gadget("ry_cx", 2, 1, (Part("ry", (0,), free), Part("cx", (0, 1))))
    second = Gadget("ry_cx", 2, 1, (Part("ry", (1,), free), Part("cx", (0, 1))))
    old, same, other = (
        make_env("tfim", problem_settings={"num_qubits": 2}, gadgets=[gadget])
        for gadget in (first, replace(first, name="another"), second)
    )
    assert None not in growth_between(old, same).actions
    assert growth_between(old, other).actions[-2:] == (None, None)


def test_training_ends_when_its_evaluations_are_spent(tmp_path: Path) -> None:
    settings = compose(
        *LOOP[:-1], "env.problem.num_qubits=2", "training.max_evaluations=700", f"run={tmp_path / 'few'}"
    )
    training = train(settings)["training"]
    assert training["steps"] < 900 and 700 <= training["evaluations"] < 900  # the frozen policy's are counted too


# -- what a run keeps --------------------------------------------------------------------------------------------------


def test_recorder_keeps_the_best_circuits_that_differ() -> None:
    env = make_environment(compose("env=tfim", "env.problem.num_qubits=2"))
    recorder = Recorder(env, lambda row: None, lambda: False, num_kept=2)

    def hear(error: float, *gates: tuple[str, list[int], float | None]) -> None:
        env.episode.circuit = Circuit(2)
        for gate in gates:
            env.circuit.append(*gate)
        figures = {"energy": error, "energy_error": error, "evaluations": 1, "gradients": 0, "success": error < 1e-3}
        counts = {"num_gates": len(gates), "num_two_qubit_gates": env.circuit.num_two_qubit_gates}
        infos = [{**figures, **counts, "threshold": 1e-3}]
        assert recorder({"self": None, "infos": infos, "dones": [False]}, {})

    hear(0.5, ("ry", [0], 0.1))
    hear(0.4, ("ry", [0], 0.2))  # the same but for its angle: the better one stays
    hear(0.3, ("ry", [0], 0.2), ("rx", [1], 0.1))
    hear(0.2, ("rx", [1], 0.1), ("ry", [0], 0.2))  # the same but for the order on different qubits
    hear(0.9, ("cx", [0, 1], None))
    assert [found.energy_error for found in recorder.kept] == [0.2, 0.4]
    assert [found.energy_error for found in recorder.front] == [0.2], "the gate on two qubits has not paid yet"
    hear(0.1, ("cx", [0, 1], None))
    hear(0.0, ("cx", [0, 1], None), ("ry", [0], 0.2))
    hear(0.0, ("cx", [0, 1], None), ("cx", [0, 1], None))  # no better, and longer
    assert [(found.energy_error, len(found.circuit)) for found in recorder.front] == [(0.2, 2), (0.0, 2)]
    again = Recorder(env, lambda row: None, lambda: False, num_kept=2)
    again.restore(json.loads(json.dumps(recorder.state())))
    assert [found.state() for found in again.kept] == [found.state() for found in recorder.kept]
    assert [found.state() for found in again.front] == [found.state() for found in recorder.front]


def test_circuits_of_a_run_are_read_back(loop: Path) -> None:
    circuits = read_circuits(loop / "round-1")
    env = make_environment(compose("env=tfim", "env.problem.num_qubits=3"))
    assert len(circuits) == 8
    for found in circuits:
        energy = env.simulator.expectation(found.circuit, env.problem.hamiltonian)
        assert energy == pytest.approx(found.energy, abs=1e-12)


# -- qas-gadgets -------------------------------------------------------------------------------------------------------


def test_show_prints_counts_pictures_and_qasm(tmp_path: Path) -> None:
    shown = call("gadgets", "show", "grl", cwd=tmp_path).stdout
    assert "rz_cz" in shown and "q0: ──RZ(p0)──●" in shown
    assert "gate rz_cz(p0) q0, q1 {" in call("gadgets", "show", "grl", "--qasm", cwd=tmp_path).stdout


def test_draw_writes_a_picture_of_each(tmp_path: Path) -> None:
    assert call("gadgets", "draw", "grl", "--out", str(tmp_path / "new"), cwd=tmp_path).returncode == 0
    for name in ("rz_cz", "x_sx"):
        assert (tmp_path / "new" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_extract_writes_what_an_environment_takes(loop: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.json"
    found = learn_gadgets([loop / "round-0", loop / "round-1"], out, count=1)
    assert [*load_gadgets(out)] == [gadget.name for gadget in found.gadgets]
    env = make_environment(compose("env=tfim", "env.actions=gates", f"env.gadgets={out}"))
    assert len(env.catalogue) > 24
    with pytest.raises(ValueError, match="`out` must name a new file"):
        learn_gadgets([loop / "round-0"], out)


def test_runs_over_blocks_are_read_as_sequences_of_blocks(tmp_path: Path) -> None:
    """Circuits have their blocks alone; a file, whose blocks nobody knows, has the simplified circuits."""
    run = tmp_path / "run"
    more = ["agent=random_blocks", "training.total_timesteps=300", "training.progress=false", "extraction.circuits=6"]
    train(compose("env=tfim", "env.problem.num_qubits=3", "training.baselines=false", f"run={run}", *more))
    corpus = Corpus.of([run])
    (of_pair,) = corpus.blocks
    assert of_pair.num_gates == 3 and len(corpus.circuits) == 6
    for circuit in corpus.circuits:
        rows = [(name, qubits) for name, qubits, _ in circuit]
        for k in range(0, len(rows), 3):
            pair = rows[k][1]
            assert rows[k : k + 3] == [("cx", pair), ("ry", pair[:1]), ("ry", pair[1:])]
    found = learn_gadgets([run], tmp_path / "gadgets.json", max_qubits=3, count=2)
    assert not any(gadget.num_gates % 3 for gadget in found.gadgets)
    alone = Corpus.of([run / "circuits.json"])
    assert alone.blocks == () and [*map(len, alone.circuits)] != [*map(len, corpus.circuits)]


def test_wrong_input_ends_in_one_line_and_writes_nothing(loop: Path, tmp_path: Path) -> None:
    empty = tmp_path / "circuits.json"
    empty.write_text("[]")
    out = str(tmp_path / "out.json")
    for arguments, message in (
        (["show", "gr1"], "Did you mean 'grl'?"),
        (["extract", str(loop), "--out", out], "must name a finished run"),
        (["extract", str(empty), "--out", out], "`circuits` must contain at least one circuit"),
        (["extract", str(loop / "round-0"), "--out", out, "--rank", "best"], "Unknown rank 'best'"),
    ):
        ended = call("gadgets", *arguments, cwd=tmp_path)
        assert ended.returncode == 2 and message in ended.stderr and len(ended.stderr.splitlines()) == 1
    assert not Path(out).exists()


def test_circuits_with_nothing_in_common_have_no_gadgets(tmp_path: Path) -> None:
    path = tmp_path / "circuits.json"
    circuits = [Circuit(2).h(0), Circuit(2).cx(0, 1)]
    rows = [Solution(circuit, 0.0, 0.0, 1, 0.0).state() for circuit in circuits]
    path.write_text(json.dumps(rows))
    assert learn_gadgets([path], tmp_path / "none.json").gadgets == ()
    assert load_gadgets(tmp_path / "none.json") == {}
    assert np.isfinite(learn_gadgets([path], tmp_path / "again.json").scores).all()


def test_a_noisy_run_keeps_the_best_circuit_without_noise(tmp_path: Path) -> None:
    """Its error without noise is the lowest of all circuits that a callback saw."""
    env = make_environment(compose("env=tfim", "env.problem.num_qubits=2", "noise=depolarizing"))
    recorder = Recorder(env, lambda row: None, lambda: False)
    errors: list[float] = []

    def hear(seen: dict[str, Any], rest: dict[str, Any]) -> bool:
        ideal = StatevectorSimulator().expectation(env.circuit, env.problem.hamiltonian)
        errors.append(ideal - env.problem.ground_energy)
        return recorder(seen, rest)

    RandomPolicy(env, seed=0).learn(60, callback=hear)
    assert recorder.without_noise is not None and recorder.best is not None
    found = StatevectorSimulator().expectation(recorder.without_noise.circuit, env.problem.hamiltonian)
    assert found - env.problem.ground_energy == pytest.approx(min(errors), abs=1e-12)
    assert recorder.without_noise.energy_error > min(errors) + 1e-3, "as simulated with noise"
    again = Recorder(env, lambda row: None, lambda: False)
    again.restore(json.loads(json.dumps(recorder.state())))
    assert again.state() | {"seconds": 0} == recorder.state() | {"seconds": 0}

"""Cells are told apart by what the files hold that their settings name, and one sample is counted once."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from qas_experiments.agents import with_policy_actions
from qas_experiments.benchmarking.cells import Cell, benchmark, cells_of, play
from qas_experiments.benchmarking.records import Record, Records, by_agent
from qas_experiments.benchmarking.verification import faults_of
from qas_experiments.building import resolved
from qas_experiments.training.contents import with_contents
from qas_experiments.training.run import train
from tests.experiments.conftest import QUICK, compose, composed

PAIR = [
    "env=tfim",
    "env.problem.num_qubits=2",
    "training.baselines=false",
    "training.progress=false",
]
RESULTS = Path(__file__).parents[3] / "experiments/results/leaderboard"


def instance(name: str = "pair", **changes: Any) -> list[str]:
    settings = {"env": {"id": "QAS-TFIM-v0", "problem": {"num_qubits": 2}, **changes.pop("env", {})}, **changes}
    return ["suite=quick", f"+suite.instances.{name}={json.dumps(settings)}".replace('"', ""), f"instances=[{name}]"]


def only(cells: list[Cell]) -> Cell:
    (cell,) = cells
    return cell


@pytest.fixture(scope="module")
def policies(run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs that differ in their seed."""
    other = tmp_path_factory.mktemp("policies") / "other"
    train(compose(*QUICK, *PAIR, "training.baselines=true", "training.seed=1", f"run={other}"))
    return run, other


@pytest.mark.slow  # python -m pytest tests/experiments/runs/test_contents.py -m slow
def test_another_policy_under_the_same_name_is_played(policies: tuple[Path, Path], tmp_path: Path) -> None:
    place = tmp_path / "policy"
    overrides = [*instance(), "agent=frozen", f"agent.run={place}"]
    records = Records(tmp_path / "records.sqlite")
    for number, policy in enumerate(policies, 1):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(policy, place)
        benchmark(composed(tmp_path, *overrides))
        assert len(list(records)) == number
        benchmark(composed(tmp_path, *overrides))
        assert len(list(records)) == number, "recorded"
    first, second = records
    assert first.settings["agent"] == second.settings["agent"] and first.cell != second.cell
    assert first.settings["contents"]["agent.training"] == second.settings["contents"]["agent.training"]
    assert faults_of(first) == faults_of(second) == []
    moved = [*instance(), "agent=frozen", f"agent.run={shutil.copytree(place, tmp_path / 'moved')}"]
    cell = only(cells_of(composed(tmp_path, *moved)))
    assert records.has(cell.suite, cell.instance, cell.agent, cell.seed, dataclasses.asdict(cell.settings))
    best = [*moved, "agent.policy=best"]
    assert only(cells_of(composed(tmp_path, *best))).settings.contents != cell.settings.contents or (
        (place / "policy_best.safetensors").read_bytes() == (place / "policy_last.safetensors").read_bytes()
    )


def test_a_policy_over_blocks_plays_its_blocks_on_suites(tmp_path: Path) -> None:
    """Instances of suites have single gates, of which the policy has another number."""
    place = tmp_path / "policy"
    blocks = [*(text for text in QUICK if text != "env.actions=gates"), "+env.actions.directed=true"]
    train(compose(*blocks, *PAIR, f"run={place}"))
    frozen = ["agent=frozen", f"agent.run={place}"]
    outcome = play(only(cells_of(composed(tmp_path, *instance(), *frozen))))
    assert outcome.record is not None, outcome.problem
    shutil.rmtree(place)
    assert faults_of(outcome.record) == [], "another machine does not have the run"
    assert outcome.record.settings["env"]["actions"] == {"name": "blocks", "directed": True}

    train(compose(*QUICK, *PAIR, f"run={place}"))
    assert resolved(with_policy_actions(compose(*PAIR, *frozen))).env.actions == "gates"
    assert only(cells_of(composed(tmp_path, *instance(), *frozen))).settings.env.actions is None, "as in old records"
    chosen = composed(tmp_path, *instance(env={"actions": "blocks"}), *frozen)
    assert "`env` must have" in play(only(cells_of(chosen))).problem, "what the user chose stays"


def test_a_policy_that_changes_while_it_waits_is_refused(policies: tuple[Path, Path], tmp_path: Path) -> None:
    place = shutil.copytree(policies[0], tmp_path / "policy")
    cell = only(cells_of(composed(tmp_path, *instance(), "agent=frozen", f"agent.run={place}")))
    shutil.copy(policies[1] / "policy_last.safetensors", place)
    assert "`agent.run` must have the same content as when the run started" in play(cell).problem


@pytest.mark.slow  # python -m pytest tests/experiments/runs/test_contents.py -m slow
def test_one_sample_has_one_seed(policies: tuple[Path, Path], tmp_path: Path) -> None:
    """A deterministic policy plays the same with every seed; with random actions, or shots, it does not."""
    frozen = ["agent=frozen", f"agent.run={policies[0]}"]
    assert [cell.seed for cell in cells_of(composed(tmp_path, *instance(), *frozen))] == [0]
    assert [cell.seed for cell in cells_of(composed(tmp_path, *instance(), *frozen, "seeds=[3]"))] == [3]
    with pytest.raises(ValueError, match="`seeds` must be one for 'frozen' on pair, where seeds change nothing"):
        cells_of(composed(tmp_path, *instance(), *frozen, "seeds=[0,1]"))
    assert [cell.seed for cell in cells_of(composed(tmp_path, *instance(), "agent=greedy"))] == [0]
    for random in (
        [*instance(), *frozen, "agent.rollouts=5"],
        [*instance(optimizer={"name": "adam_spsa"}), *frozen],
        [*instance(env={"halting": "negative_binomial"}), *frozen],
        [*instance(env={"vary": {"field": [0.5, 1.5]}}), "agent=greedy"],
        [*instance(), "agent=annealing"],
    ):
        assert len(cells_of(composed(tmp_path, *random))) == 3
    one_member = instance(env={"vary": {"field": [0.5, 0.5, 0.5]}})
    assert len(cells_of(composed(tmp_path, *one_member, "agent=greedy"))) == 1


def test_tables_count_one_sample_once(policies: tuple[Path, Path], tmp_path: Path) -> None:
    """Also in records that were made seed by seed, or before contents were kept."""
    record = play(only(cells_of(composed(tmp_path, *instance(), "agent=frozen", f"agent.run={policies[0]}")))).record
    assert record is not None
    for settings in (record.settings, {name: value for name, value in record.settings.items() if name != "contents"}):
        seeds = [seeded(dataclasses.replace(record, settings=settings), seed) for seed in range(5)]
        assert {name: len(some) for name, some in by_agent(seeds).items()} == {"frozen": 1}
        several = [
            dataclasses.replace(one, settings={**one.settings, "agent": {**one.settings["agent"], "rollouts": 2}})
            for one in seeds
        ]
        assert {name: len(some) for name, some in by_agent(several).items()} == {"frozen": 5}


def seeded(record: Record, seed: int) -> Record:
    training = {**record.settings["training"], "seed": seed}
    return dataclasses.replace(record, seed=seed, settings={**record.settings, "training": training})


def test_committed_records_of_policies_count_and_verify() -> None:
    """They were made before contents were kept: five policies on each instance."""
    records = [one for one in Records(RESULTS / "families.jsonl.xz") if one.agent == "frozen"]
    some = [record for record in records if record.instance == "TFIM-4 h=0.5"]
    assert {name: len(same) for name, same in by_agent(some).items()} == {"frozen": 5}
    assert all("contents" not in record.settings and faults_of(record) == [] for record in some)


def test_other_files_make_other_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The source of an agent from outside, a file of gadgets, the policy that training begins with."""
    monkeypatch.syspath_prepend(str(tmp_path))
    source, gadgets, policy = tmp_path / "changing_agent.py", tmp_path / "gadgets.json", tmp_path / "begun"
    source.write_text("class Mine:\n    def learn(self, total_timesteps, callback=None): ...\n")
    shipped = Path(__file__).parents[3] / "qas_envs/gadget_sets"
    first, second = sorted(shipped.glob("*.json"))[:2]
    shutil.copy(first, gadgets)
    policy.mkdir()
    (policy / "policy_last.safetensors").write_bytes(b"1")
    (policy / "config.yaml").write_text("{}")
    outside = ["agent=external", "agent.target='changing_agent:Mine'"]
    settings = compose(*PAIR, *outside, f"env.gadgets={gadgets}", f"policy={policy}")
    before = with_contents(settings)
    assert {*before.contents} == {"agent.source", "env.gadgets", "policy"}
    assert with_contents(before) == before
    for path, content, name in (
        (source, source.read_bytes() + b"# faster\n", "agent.source"),
        (gadgets, second.read_bytes(), "env.gadgets"),
        (policy / "policy_last.safetensors", b"2", "policy"),
    ):
        kept = path.read_bytes()
        path.write_bytes(content)
        after = with_contents(settings)
        assert {key for key in before.contents if before.contents[key] != after.contents[key]} == {name}
        with pytest.raises(ValueError, match=f"`{name}` must have the same content as when the run started"):
            with_contents(before)
        path.write_bytes(kept)


def test_settings_without_files_have_no_contents() -> None:
    assert with_contents(compose(*PAIR)).contents == {}
    geometry = "env.problem.geometry='" + "H 0 0 0; " * 100 + "'"
    assert with_contents(compose("env=molecule", geometry, "env.problem.unit=angstrom")).contents == {}

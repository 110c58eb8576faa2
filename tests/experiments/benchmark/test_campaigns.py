"""Campaigns: what is recorded is not played, what is missing is, and only policies that something needs are trained."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from qas_experiments.benchmarking import campaigns
from qas_experiments.benchmarking.campaigns import campaign
from qas_experiments.benchmarking.cells import benchmark
from qas_experiments.benchmarking.records import Records, write_lines
from qas_experiments.settings import (
    BenchmarkSettings,
    CallSettings,
    CampaignSettings,
    CampaignTraining,
    register_schemas,
)
from tests.experiments.conftest import SMALL, composed, conf

ROOT = Path(__file__).parents[3]
BUDGET = ["suite.max_evaluations=300", "suite.total_timesteps=200"]


def settings_of(tmp_path: Path, plan: CampaignSettings, **others: Any) -> BenchmarkSettings:
    return BenchmarkSettings(
        composed(tmp_path, *SMALL).suite, {"name": "annealing"}, {"name": "scan_lbfgs"}, campaign=plan, **others
    )


def test_a_campaign_plays_what_is_missing(played: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The records of the fixture are known from a file; one label is new, with one seed of a slow instance."""
    write_lines(Records(played / "records.sqlite"), tmp_path / "known.jsonl.xz")
    recorded = CallSettings(["quick"], SMALL[1:2] + SMALL[4:], instances=["H2-4", "TFIM-3"])
    new = CallSettings(["quick"], ["agent=random", *BUDGET], label="new, one", instances=["TFIM-3"])
    plan = CampaignSettings(
        str(tmp_path / "folder"), seeds=1, known=[str(tmp_path / "*.jsonl.xz")], calls=[recorded, new]
    )
    assert campaign(settings_of(tmp_path, plan, dry_run=True)) == {"interrupted": False}
    told = capsys.readouterr().out
    assert "3 cells, 2 recorded" in told and "to play: 1 cell of new, one on quick" in told
    assert not (tmp_path / "folder").exists()
    campaign(settings_of(tmp_path, plan))
    (record,) = Records(tmp_path / "folder" / "records.sqlite")
    assert (record.instance, record.agent, record.seed) == ("TFIM-3", "new, one", 0)
    assert record.command.startswith("qas-benchmark suite=quick agent=random")
    assert "'instances=[\"TFIM-3\"]' 'seeds=[0]'" in record.command and "label=" in record.command
    campaign(settings_of(tmp_path, plan))
    assert "3 cells, 3 recorded" in capsys.readouterr().out


def test_slow_instances_have_fewer_seeds(tmp_path: Path) -> None:
    call = CallSettings(["quick"], ["agent=random"])
    plan = CampaignSettings(str(tmp_path), seeds=3, fewer_seeds={"quick": {"H2-4": 1}}, calls=[call])
    cells = [(cell.instance, cell.seed) for cell in campaigns._cells_of_calls(plan)]
    assert sorted(cells) == sorted(
        [("H2-4", 0), *((name, seed) for name in ("TFIM-3", "LiH-4 3.4 Å") for seed in range(3))]
    )


@pytest.mark.slow  # python -m pytest tests/experiments/benchmark/test_campaigns.py -m slow
def test_policies_are_trained_where_a_cell_needs_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quick = [
        "env=tfim",
        "env.problem.num_qubits=2",
        "training.total_timesteps=60",
        "training.baselines=false",
    ]
    plays = CallSettings(["quick"], ["agent=frozen", *BUDGET], instances=["TFIM-3"])
    training = CampaignTraining("policies/seed{seed}", [*quick, "env.problem.num_qubits=3"], plays)
    plan = CampaignSettings(str(tmp_path / "folder"), seeds=1, trainings=[training])
    campaign(settings_of(tmp_path, plan, dry_run=True))
    assert f"to train: {tmp_path / 'folder' / 'policies' / 'seed0'}" in capsys.readouterr().out
    campaign(settings_of(tmp_path, plan))
    (record,) = Records(tmp_path / "folder" / "records.sqlite")
    assert (record.instance, record.agent, record.seed) == ("TFIM-3", "frozen", 0)
    elsewhere = CampaignSettings(
        str(tmp_path / "other"), seeds=1, known=[str(tmp_path / "folder" / "records.sqlite")], trainings=[training]
    )
    capsys.readouterr()
    campaign(settings_of(tmp_path, elsewhere, dry_run=True))
    assert "to train" not in capsys.readouterr().out, "its cell is recorded"


def test_committed_records_are_those_of_the_campaign() -> None:
    """Agents that draw, and are recorded for all seeds: none of their cells is missing."""
    register_schemas()
    root = Path(__file__).parents[3]
    plan = campaigns._composed(["campaign=leaderboard"])[0].campaign
    plan.known = [str(root / name) for name in plan.known]
    plan.calls = [call for call in plan.calls if call.label in ("annealing, 250", "annealing, 3 M", "annealing, 4 M")]
    recorded = campaigns._Recorded(plan)
    assert list(campaigns._trainings(plan, recorded)) == []
    cells = list(campaigns._cells_of_calls(plan))
    assert len(cells) == 45 + 5 + 5 and all(map(recorded.has, cells))


def test_every_campaign_composes() -> None:
    register_schemas()
    for name in conf("campaign"):
        plan = campaigns._composed([f"campaign={name}"])[0].campaign
        assert plan.calls or plan.trainings
        for suite, fewer in plan.fewer_seeds.items():
            assert set(fewer) <= set(campaigns._composed([f"suite={suite}"])[0].suite.instances)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("learning", 27),
        pytest.param("learning_blocks", 34, marks=pytest.mark.slow),
        pytest.param("gadgets_blocks", 13, marks=pytest.mark.slow),
        pytest.param("gadgets", 24, marks=pytest.mark.slow),
        pytest.param("kanqas", 21, marks=pytest.mark.slow),
    ],
)
def test_trainings_of_a_campaign_compose(name: str, number: int) -> None:
    """For a seed that is not the first; its number is filled in wherever a training names it."""
    register_schemas()
    plan = campaigns._composed([f"campaign={name}", "campaign.first_seed=3", "campaign.seeds=4"])[0].campaign
    trainings = list(campaigns._trainings(plan, campaigns._Recorded(plan)))
    assert len(trainings) == len({cell.settings.run for cell in trainings}) == number
    for cell in trainings:
        settings = dataclasses.asdict(cell.settings)
        assert cell.settings.training.seed == 3 and "{seed}" not in str(settings) and settings["run"].endswith("seed3")
        gadgets = settings["env"]["gadgets"]
        assert gadgets in (None, "redundant_cz") or (ROOT / gadgets).exists()


def test_a_training_for_each_combination_of_values() -> None:
    sizes, agents = {"4": ["env.max_gates=40"], "6": ["env.max_gates=60"]}, {"a": ["agent=dqn"], "b": []}
    training = CampaignTraining("{spins}-{agent}-seed{seed}", ["n={spins}"], {"spins": sizes, "agent": agents})
    single = [*campaigns._single_trainings(CampaignSettings(trainings=[training]))]
    assert [(one.run, one.overrides) for one in single] == [
        ("4-a-seed{seed}", ["n=4", "env.max_gates=40", "agent=dqn"]),
        ("4-b-seed{seed}", ["n=4", "env.max_gates=40"]),
        ("6-a-seed{seed}", ["n=6", "env.max_gates=60", "agent=dqn"]),
        ("6-b-seed{seed}", ["n=6", "env.max_gates=60"]),
    ]


@pytest.mark.parametrize(
    ("run", "for_each", "message"),
    [
        ("r{seed}", {"a": {"x": [], "y": []}}, "`run` must differ between trainings"),
        ("r{agnet}", {"agent": {"x": []}}, "name values of for_each alone"),
        ("r{a}", {"a": {}}, "`for_each` must have values"),
        ("r{seed}", {"seed": {"1": []}}, "names other than 'seed'"),
        ("{a}-{b}", {"a": {"{b}": []}, "b": {"y": []}}, "name values of for_each alone"),
    ],
)
def test_combinations_that_do_not_fit_are_refused(
    run: str, for_each: dict[str, dict[str, list[str]]], message: str
) -> None:
    plan = CampaignSettings(trainings=[CampaignTraining(run, [], for_each)])
    with pytest.raises(ValueError, match=message):
        list(campaigns._single_trainings(plan))


def test_a_dry_run_plays_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark(composed(tmp_path, *SMALL, "dry_run=true"))
    assert "to play: 2 cells of annealing on quick" in capsys.readouterr().out and not list(tmp_path.iterdir())


def test_overrides_beside_a_campaign_are_refused() -> None:
    campaigns._check_overrides(["campaign=leaderboard", "campaign.seeds=1", "workers=2", "dry_run=true"])
    for text in ("suite=quick", "agent.cycle=3", "+suite.instances.x={}", "seeds=[0]"):
        with pytest.raises(ValueError, match="must be left out beside a campaign"):
            campaigns._check_overrides([text])

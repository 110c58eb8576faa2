"""Options without a YAML file are made from the tables of agents, optimisers and noise models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hydra.core.config_store import ConfigStore

from qas_agents import RandomPolicy
from qas_agents.registry import AGENTS, searcher
from qas_experiments import agents, options
from qas_experiments.building import Plan, make_environment
from qas_experiments.commands import launch
from qas_experiments.composition import Composer, check_overrides
from qas_experiments.words import without_other_network
from qas_simulators import NoiseModel
from qas_simulators.noise_presets import NOISE_MODELS
from qas_simulators.optimizers import OPTIMIZERS, NoOptimizer
from tests.experiments.conftest import compose


@dataclass(frozen=True)
class Still(NoOptimizer):
    patience: int = 3
    steps: tuple[int, ...] = (1, 2)


class Mine(RandomPolicy):
    def __init__(self, env: object, seed: int = 0, share: float = 0.5) -> None:
        super().__init__(env, seed)
        self.share = share


def damped(p: float, scale: float = 2.0) -> NoiseModel:
    return NoiseModel.depolarizing(p, scale * p)


@pytest.fixture
def new_rows(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(OPTIMIZERS, "still", Still)
    monkeypatch.setitem(NOISE_MODELS, "damped", damped)
    for table in (AGENTS, agents.AGENTS):
        monkeypatch.setitem(table, "mine", searcher(Mine))
    yield
    for group, name in (("optimizer", "still"), ("noise", "damped"), ("agent", "mine")):
        ConfigStore.instance().repo[group].pop(f"{name}.yaml", None)


@pytest.mark.usefixtures("new_rows")
def test_a_row_of_a_table_is_an_option_with_the_defaults_of_its_code() -> None:
    overrides = ["env=tfim", "optimizer=still", "optimizer.patience=5", "noise=damped", "noise.p=0.01", "agent=mine"]
    settings = compose(*overrides)
    assert settings.optimizer == {"name": "still", "patience": 5, "steps": [1, 2]}
    assert settings.noise == {"name": "damped", "p": 0.01, "scale": 2.0}
    assert settings.agent == {"name": "mine", "share": 0.5}
    check_overrides("train", overrides)
    env = make_environment(settings)
    assert env.optimizer == Still(5, [1, 2]) and Plan.of(settings).make_agent(env).share == 0.5  # type: ignore[arg-type,attr-defined]
    with pytest.raises(ValueError, match="Did you mean 'still'"):
        check_overrides("train", ["optimizer=stilly"])
    with pytest.raises(ValueError, match=r"Unknown override 'agent\.shares'"):
        check_overrides("train", ["agent=mine", "agent.shares=1"])


def test_files_come_first() -> None:
    assert all(options.without_file(group) == {} for group in ("agent", "optimizer", "noise", "env"))
    assert options.option("optimizer", "rotosolve") == {"name": "rotosolve", "max_sweeps": 50, "energy_tolerance": 1e-8}


@pytest.mark.parametrize(
    ("given", "network"),
    [
        (["agent.network.name=pykan"], {"name": "pykan"}),
        (["agent.network.name=kan", "agent.network.hidden=[8]"], {"name": "kan", "hidden": [8]}),
        (["agent=kanqas_kan", "agent.network.name=mlp"], {"name": "mlp"}),
        (["agent.network.name=mlp"], {"name": "mlp", "hidden": [128, 128]}),
        (["agent.network.name=mlpp"], {"name": "mlpp"}),
    ],
)
def test_another_network_has_its_own_settings(given: list[str], network: dict[str, object]) -> None:
    assert compose(*given, *without_other_network(Composer(), "train", given)).agent["network"] == network


def test_networks_of_a_sweep_or_of_no_agent_are_left_alone() -> None:
    for given in (
        ["agent.network.name=kan,mlp"],
        ["agent=random", "agent.network.name=kan"],
        ["training.seed=1"],
        ["agent=dqnn", "agent.network.name=kan"],
    ):
        assert without_other_network(Composer(), "train", given) == []


def test_commands_are_the_modules_of_their_names() -> None:
    assert callable(launch.train) and callable(launch.runs)
    with pytest.raises(AttributeError, match="'trainer'"):
        launch.trainer  # noqa: B018

"""The schema of the configuration follows the environments' table of rules."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable

import pytest

from qas_envs import CircuitBuildingEnv
from qas_envs.encodings import ENCODINGS
from qas_envs.masks import NoMask
from qas_envs.rules import RULES
from qas_experiments.building import Plan, make_environment
from qas_experiments.composition import check_overrides
from qas_experiments.settings import EnvSettings, TrainSettings
from qas_experiments.words import rewritten
from tests.experiments.conftest import compose

OF_THEIR_OWN = {"optimizer", "noise"}  # rules that are groups of the configuration


def test_every_rule_is_a_setting() -> None:
    settings = {field.name for field in dataclasses.fields(EnvSettings)}
    assert settings - {"id", "problem", "preset", "vary"} == set(RULES) - OF_THEIR_OWN
    groups = {field.name for field in dataclasses.fields(TrainSettings)}
    assert groups >= OF_THEIR_OWN


@pytest.mark.parametrize(
    ("override", "holds"),
    [
        ("env.simulator.shots=100", lambda env: env.simulator.shots == 100),
        ("env.mask.name=none", lambda env: isinstance(env.episode.mask, NoMask)),
        ("env.encoding.name=gates", lambda env: isinstance(env.rules.encoding, ENCODINGS["gates"])),
        ("env.initial.name=basis_state", lambda env: env.initial.num_gates > 0),
    ],
)
def test_settings_of_every_rule_with_choices_can_be_overridden(
    override: str, holds: Callable[[CircuitBuildingEnv], bool]
) -> None:
    arguments = rewritten(["env=lih", "optimizer=none", override])
    check_overrides("train", arguments)
    assert holds(make_environment(compose(*arguments)))


@pytest.mark.parametrize(
    ("optimizer", "is_one"), [("scan_lbfgs", True), ("cobyla", True), ("none", True), ("adam_spsa", False)]
)
def test_seeds_are_one_sample_where_nothing_is_drawn(optimizer: str, is_one: bool) -> None:
    settings = compose("env=tfim", "env.problem.num_qubits=2", "agent=greedy", f"optimizer={optimizer}")
    assert Plan.of(settings).is_one_sample() == is_one
    settings.env.simulator = {"shots": 10}
    if optimizer != "scan_lbfgs":  # refuses shots
        assert not Plan.of(settings).is_one_sample()


@pytest.mark.parametrize(
    ("overrides", "kind"),
    [
        (["env=lih"], "blocks"),
        (["env=lih", "env.actions=gates"], "gates"),
        (["env=h4_chain", "env.actions=excitations"], "excitations"),
        (["env=lih", "env.preset=crlqas"], "gates"),
        (["env=lih", "env.preset=priced"], "gates"),
        (["env=bell", "agent=kanqas_mlp"], "gates"),
        (["experiment=crlqas_lih6"], "gates"),
        (["experiment=grl_tfim2_h1"], "gates"),
        (["experiment=family_lih"], "gates"),
        (["experiment=lih_gates"], "gates"),
        (["experiment=grl_tfim"], "gates"),
        (["experiment=lih_quick"], "blocks"),
    ],
)
def test_blocks_are_the_default_and_papers_keep_their_gates(overrides: list[str], kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        env = make_environment(compose(*overrides))
    names = {action.gate for action in env.catalogue.actions}
    found = {"cx_ry": "blocks", "single_qubit_excitation": "excitations"}
    assert next((found[name] for name in found if name in names), "gates") == kind


def test_settings_of_runs_before_blocks_stay_gates() -> None:
    """Configurations of older runs and records have no word of actions."""
    settings = compose("env=lih")
    settings.env.actions = None
    assert not make_environment(settings).catalogue.has_blocks

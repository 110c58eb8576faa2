"""The schema of the configuration follows the environments' table of rules."""

from __future__ import annotations

import dataclasses

from qas_envs.rules import RULES
from qas_experiments.settings import EnvSettings, TrainSettings

OF_THEIR_OWN = {"optimizer", "noise"}  # rules that are groups of the configuration


def test_every_rule_is_a_setting() -> None:
    settings = {field.name for field in dataclasses.fields(EnvSettings)}
    assert settings - {"id", "problem", "preset", "vary"} == set(RULES) - OF_THEIR_OWN
    groups = {field.name for field in dataclasses.fields(TrainSettings)}
    assert groups >= OF_THEIR_OWN

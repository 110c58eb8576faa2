"""The table of rules: what may be given for each, and everything that follows from it."""

from __future__ import annotations

import dataclasses
from typing import Any, get_type_hints

import gymnasium as gym
import pytest

from qas_envs import make_env
from qas_envs.components import Rule
from qas_envs.encodings import TensorEncoding
from qas_envs.presets import PRESETS
from qas_envs.problems import tfim
from qas_envs.rewards import FixedEnds
from qas_envs.rules import RULES, RuleArguments, Rules
from qas_simulators import Circuit, NoiseModel, StatevectorSimulator, load_gadgets
from qas_simulators.optimizers import NoOptimizer

NEEDED = {  # settings that a choice cannot do without
    ("curriculum", "moving"): {"initial": 0.5},
    ("curriculum", "staged"): {"thresholds": [0.5, None]},
    ("curriculum", "scheduled"): {"parameter": "field", "values": [1.0]},
    ("noise", "bit_flip"): {"p": 0.01},
    ("drift", "sequence"): {"models": ["mumbai", "ourense"]},
}
CHOICES = [(rule, choice) for rule, row in RULES.items() for choice in row.choices]


def built(**rules: Any) -> Any:
    fitting: dict[str, Any] = {"max_gates": 5}
    if rules.get("curriculum") == "scheduled" or "scheduled" in str(rules.get("curriculum")):
        fitting["vary"] = {"field": (0.5, 1.5)}
    if "shots" in str(rules.get("simulator")):
        fitting["optimizer"] = "none"
    if "stabilizer" in str(rules.get("simulator")):
        fitting["gates"] = "clifford"
    if rules.get("mitigation") is not None or "walk" in str(rules.get("drift")):
        fitting["noise"] = "mumbai"
    if "excitations" in str(rules.get("actions")):
        return make_env("h4_chain", **(fitting | rules))
    return make_env("tfim", problem_settings={"num_qubits": 4}, **(fitting | rules))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("rule", "choice"), CHOICES, ids=lambda value: str(value))
def test_every_choice_by_name_and_as_a_mapping(rule: str, choice: str) -> None:
    settings = NEEDED.get((rule, choice), {})
    row = RULES[rule]
    if (rule, choice) in NEEDED:
        with pytest.raises(ValueError, match="needs the setting"):
            row.resolve(choice)
    else:
        built(**{rule: choice})
    built(**{rule: {"name": choice, **settings}})
    for wrong, message in [
        ({"name": f"{choice}s"}, "Unknown .*Did you mean"),
        ({"name": choice, "nothing": 1, **settings}, "Unknown setting of .* 'nothing'"),
    ]:
        with pytest.raises(ValueError, match=message) as raised:
            row.resolve(wrong)
        assert "\n" not in str(raised.value)


def test_objects_are_taken_as_they_are() -> None:
    noise, reward, encoding = NoiseModel.bit_flip(0.01), FixedEnds(3.0), TensorEncoding(angles=True)
    env = built(reward=reward, encoding=encoding, optimizer=NoOptimizer(), noise=noise, initial=Circuit(4).h(0))
    assert env.rules.reward is reward and env.rules.encoding is encoding
    assert env.rules.simulator.noise is noise and env.initial == Circuit(4).h(0)
    assert built(simulator=StatevectorSimulator(shots=3), optimizer="none").simulator.shots == 3
    assert built(simulator=None).simulator.shots is None and built(simulator={"shots": 9}).simulator.shots == 9
    shipped = load_gadgets(RULES["gadgets"].choices["grl"])
    assert len(built(gadgets=shipped.values()).catalogue) == len(built(gadgets={"name": "grl"}).catalogue)


def test_what_is_spelled_elsewhere_follows_the_table() -> None:
    assert [*RULES] == [*get_type_hints(RuleArguments)] == [*PRESETS["default"].rules]
    assert all(isinstance(rule, Rule) and rule.name == name and rule.sentence for name, rule in RULES.items())
    assert all(set(preset.rules) == set(RULES) for preset in PRESETS.values())
    of_actions = {
        "gates",
        "actions",
        "gadgets",
        "couplings",
        "stop",
        "noise",
        "mitigation",
    }  # which come as a catalogue and a simulator
    assert {field.name for field in dataclasses.fields(Rules)} - {"catalogue", "family"} == set(RULES) - of_actions
    assert all(f"``{name}``" in (make_env.__doc__ or "") for name in RULES)


def test_defaults_are_those_of_an_environment_without_arguments() -> None:
    plain, spelled = gym.make("QAS-TFIM-v0"), make_env("tfim", **{name: rule.default for name, rule in RULES.items()})
    assert make_env(tfim()).rules.reward == plain.unwrapped.rules.reward == spelled.rules.reward  # type: ignore[attr-defined]
    for env in (plain, spelled):
        env.reset(seed=0)
    assert plain.step(3)[1:4] == spelled.step(3)[1:4]

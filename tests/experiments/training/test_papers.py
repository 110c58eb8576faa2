"""Every ``qas-train`` line of the papers' pages has the settings of the release, typed here from its configurations."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qas_envs import make_env
from qas_envs.halting import NegativeBinomialHalting
from qas_envs.presets import PAPERS, PRESETS, preset_for
from qas_envs.rewards import Fidelity, FixedEnds
from qas_experiments.building import make_environment, resolved
from tests.experiments.conftest import compose

PAGES = sorted(Path(__file__).parents[3].glob("docs/papers/*.md"))
LINES = {
    " ".join(shlex.split(line, comments=True)[1:])
    for page in PAGES
    for line in re.findall(r"^qas-train .*", page.read_text("utf-8"), re.MULTILINE)
}
LOOP = "experiment=grl_tfim"  # ours: no release has it
MORE = (  # named in the comments of these lines
    *(f"experiment=crlqas_h2_{number}" for number in (3, 4)),
    *(f"experiment=kanqas_{task}" for task in ("bell_mlp", "bell_noisy_kan", "ghz_mlp")),
    *(f"experiment=grl_tfim{name}_h1_cx" for name in (3, 6)),
    *(f"experiment=tensorrl_{name}" for name in ("ch2", "h2o8", "h2o10", "lih12")),
)


def cobyla(evaluations: int) -> dict[str, Any]:
    return {"name": "cobyla", "max_evaluations": evaluations, "initial_step": 1.0, "tolerance": 1e-4}


def moving(first: float, ceiling: float, period: int = 500, window: int = 25, step: float = 5e-4) -> tuple[float, ...]:
    return first, ceiling, period, window, step, 10


LARGE = (2000, 50, 1e-3)
# environment: qubits, gates of the set, gate budget, threshold, optimiser;
# agent: hidden units, learning rate, discount, steps of a return, batch, memory, updates between two target networks
DEEP, DEEPER, DEEPEST = ([size] * 5 for size in (1000, 2000, 5000))
TABLE: dict[str, tuple[tuple[Any, ...], tuple[Any, ...] | None]] = {
    "experiment=crlqas_h2_2": (
        (2, 40, moving(0.97, 0.97), cobyla(100)),
        (DEEP, 1e-4, 0.88, 1, 1000, 20000, 500),
    ),
    "experiment=crlqas_h2_3": (
        (3, 40, moving(1.63, 1.63), cobyla(100)),
        (DEEP, 1e-4, 0.88, 1, 1000, 20000, 500),
    ),
    "experiment=crlqas_h2_4": (
        (4, 40, moving(1.0160872, 1.0160872), cobyla(1000)),
        (DEEP, 1e-4, 0.88, 1, 1000, 20000, 500),
    ),
    "experiment=crlqas_lih4": (
        (4, 40, moving(2.45, 4), cobyla(1000)),
        (DEEP, 3e-4, 0.88, 5, 1000, 20000, 500),
    ),
    "experiment=crlqas_lih6": (
        (6, 70, moving(2.9, 2.9, *LARGE), cobyla(1000)),
        (DEEPER, 1e-4, 0.93, 6, 1000, 20000, 500),
    ),
    "experiment=crlqas_h2o8": (
        (8, 250, moving(5, 5, *LARGE), cobyla(1000)),
        (DEEPEST, 1e-4, 0.98, 6, 1000, 20000, 500),
    ),
    "experiment=crlqas_lih4 optimizer=adam_spsa_lih4": (
        (4, 40, moving(2.45, 4), None),
        (DEEP, 3e-4, 0.88, 5, 1000, 20000, 500),
    ),
    "env=lih env.preset=crlqas agent=dqn": ((4, 40, moving(2.45, 4), cobyla(1000)), None),
    "env=lih env.preset=crlqas optimizer=scan_lbfgs agent=dqn": ((4, 40, moving(2.45, 4), None), None),
    "experiment=kanqas_bell_mlp": (
        (2, 6, 0.02, {"name": "none"}),
        ([30, 30, 30], 5e-4, 0.41, 1, 1000, 15000, 50),
    ),
    "experiment=kanqas_bell_kan": ((2, 6, 0.02, {"name": "none"}), ([2], 5e-4, 0.41, 1, 500, 10000, 50)),
    "experiment=kanqas_bell_noisy_mlp": (
        (2, 6, 0.02, {"name": "none"}),
        ([30, 30, 30], 5e-4, 0.41, 1, 1000, 15000, 50),
    ),
    "experiment=kanqas_bell_noisy_kan": (
        (2, 6, 0.02, {"name": "none"}),
        ([10, 10, 10], 5e-4, 0.41, 1, 1000, 15000, 50),
    ),
    "experiment=kanqas_ghz_mlp": (
        (3, 12, 0.02, {"name": "none"}),
        ([30, 30, 30], 5e-4, 0.64, 1, 1000, 15000, 50),
    ),
    "experiment=kanqas_ghz_kan": ((3, 12, 0.02, {"name": "none"}), ([3], 5e-4, 0.64, 1, 500, 10000, 50)),
    "experiment=grl_tfim2_h1": ((2, 20, moving(2, 2), cobyla(1000)), (DEEP, 1e-4, 0.77, 1, 1000, 20000, 500)),
    "experiment=grl_tfim4_h1": (
        (4, 80, moving(4, 4), cobyla(1000)),
        ([1000] * 3, 3e-4, 0.94, 1, 1000, 20000, 500),
    ),
    "experiment=grl_tfim3_h1_cx": ((3, 50, moving(2, 2), cobyla(1000)), (DEEP, 1e-4, 0.90, 1, 1000, 20000, 500)),
    "experiment=grl_tfim6_h1_cx": (
        (6, 80, moving(5, 5), cobyla(1000)),
        ([1000] * 3, 3e-4, 0.94, 1, 1000, 20000, 500),
    ),
    "env=tfim env.preset=grl env.problem.num_qubits=2 agent=dqn": ((2, 20, moving(2, 2), cobyla(1000)), None),
    **{
        f"experiment=tensorrl_{name}": (
            (qubits, budget, 1.6e-3, cobyla(1000)),
            (DEEP, 3e-4, gamma, 5, 1000, 20000, 500),
        )
        for name, qubits, budget, gamma in (
            ("beh2", 6, 20, 0.77),
            ("ch2", 8, 20, 0.77),
            ("h2o8", 8, 20, 0.77),
            ("h2o10", 10, 20, 0.77),
            ("lih12", 12, 40, 0.88),
        )
    },
}


def test_the_table_has_every_line() -> None:
    assert LINES - {LOOP} <= set(TABLE) and set(TABLE) == (LINES - {LOOP}) | set(MORE)


@pytest.mark.filterwarnings("ignore::UserWarning")  # thresholds that the empty circuit meets
@pytest.mark.parametrize("line", TABLE)
def test_lines_have_the_settings_of_the_release(line: str) -> None:
    settings = resolved(compose(*line.split()))
    (qubits, budget, threshold, optimizer), agent = TABLE[line]
    env = make_environment(settings)
    assert (env.problem.num_qubits, env.max_gates) == (qubits, budget)
    rule: Any = env.curriculum
    if isinstance(threshold, tuple):
        found = rule.initial, rule.switch, rule.shift_time, rule.successes, rule.amortisation, rule.radius_shifts
        assert found == threshold
    else:
        assert type(rule).__name__ == "FixedThreshold" and rule.threshold == threshold
    assert optimizer is None or settings.optimizer == optimizer
    is_kanqas = "kanqas" in line
    assert isinstance(env.rules.reward, Fidelity if is_kanqas else FixedEnds)
    assert env.rules.reward.bonus == (50 if is_kanqas else 5)  # type: ignore[attr-defined]
    if not is_kanqas and "tensorrl" not in line:  # whose first gates need moments too
        assert env.observation_space.shape == (budget * qubits * (qubits + 3) + 1,)
    assert (settings.noise["name"] == "kanqas") == ("noisy" in line)
    assert isinstance(env.rules.halting, NegativeBinomialHalting) == line.startswith("experiment=crlqas_lih")
    if agent is not None:
        given = settings.agent
        names = "learning_rate", "gamma", "n_step", "batch_size", "buffer_size", "target_update_interval"
        assert (given["network"]["hidden"], *(given[name] for name in names)) == agent
        assert not given["dueling"] and given["prioritization"] == 0 and given["max_grad_norm"] == 0


def test_what_is_written_wins_over_the_preset_and_the_preset_over_defaults() -> None:
    plain = resolved(compose("env=lih"))
    assert plain.env.reward == {"name": "priced"} and plain.optimizer["name"] == "scan_lbfgs"
    paper = resolved(compose("env=lih", "env.preset=crlqas"))
    assert paper.env.reward == {"name": "crlqas"} and paper.optimizer["name"] == "cobyla"
    written = resolved(compose("env=lih", "env.preset=crlqas", "env.reward=log_error", "optimizer=rotosolve"))
    assert written.env.reward == "log_error" and written.optimizer["name"] == "rotosolve"
    priced = resolved(compose("env=lih", "++env.reward.two_qubit=0.5"))
    assert priced.env.reward == {"name": "priced", "two_qubit": 0.5}
    assert resolved(plain) == plain


def test_a_row_of_ids_yields_to_a_preset() -> None:
    """``QAS-W-v0`` has a budget of its own; a preset that is named has another."""
    import gymnasium as gym

    assert gym.make("QAS-W-v0").unwrapped.max_gates == 20  # type: ignore[attr-defined]
    assert gym.make("QAS-W-v0", preset="default").unwrapped.max_gates == 40  # type: ignore[attr-defined]


def test_papers_without_a_setting_for_an_instance() -> None:
    with pytest.warns(UserWarning, match=r"'crlqas' has no published setting .* crlqas_h2_2, .* crlqas_h2o8"):
        make_env("beh2", preset="crlqas")
    with pytest.raises(ValueError, match="Unknown preset 'crlqas_lih5'"):
        make_env("lih", preset="crlqas_lih5")
    with pytest.warns(UserWarning, match=r"published for lih\(num_qubits=4, bond_length=3.4\)"):
        make_env("lih", preset="crlqas_lih4", problem_settings={"bond_length": 1.2})
    for paper in PAPERS:
        for name, preset in PRESETS.items():
            if preset.paper == paper:
                assert preset_for(paper, preset.problem, preset.settings) is preset, name


def test_a_threshold_that_is_the_empty_circuits_error() -> None:
    """Two spins at h = 1: the bound is -3, the empty circuit has -1, and the release begins with 2."""
    with pytest.warns(UserWarning, match="rounding decides"):
        make_env("tfim", preset="grl", problem_settings={"num_qubits": 2})
    settings = compose("env=tfim", "env.preset=grl", "env.problem.num_qubits=2")
    assert make_environment(replace(settings), is_silent=True).max_gates == 20


ADAM_SPSA = {  # a, alpha, c, gamma, lambda, beta1, beta2; evaluations of gradients per stage; shots of the last stage
    "h2_2": ((1.4934, 0.9931, 0.0612, 0.0253, 0.6104, 0.8804, 0.9979), (200,), 1e4),
    "h2_3": ((0.5597, 0.9958, 0.0901, 0.1530, 0.6535, 0.7006, 0.7719), (250,), 1e5),
    "lih4": ((1.8658, 0.9451, 0.046, 0.1397, 0.0138, 0.9658, 0.8594), (1191, 357, 119), 1e7),
    "lih6": ((1.7564, 0.8365, 0.1068, 0.1549, 0.1223, 0.6841, 0.9048), (1430, 429, 143), 1e9),
    "h2_2_mumbai": ((1.2104, 0.9531, 0.1039, 0.0984, 0.9277, 0.9414, 0.9983), (500,), 1e3),
    "h2_3_mumbai": ((0.5188, 0.9859, 0.0938, 0.0974, 0.6483, 0.716, 0.6265), (500,), 1e4),
}


@pytest.mark.parametrize("name", ADAM_SPSA)
def test_adam_spsa_of_the_release(name: str) -> None:
    """Two evaluations make a gradient; the stages have a hundredth, a tenth and all of the shots."""
    gains, evaluations, shots = ADAM_SPSA[name]
    found = compose(f"optimizer=adam_spsa_{name}").optimizer
    assert tuple(found[key] for key in ("a", "alpha", "c", "gamma", "decay", "beta1", "beta2")) == gains
    assert found["iterations"] == [-(-number // 2) for number in evaluations]
    assert found["stage_shots"] == [shots / 10**k for k in reversed(range(len(evaluations)))]

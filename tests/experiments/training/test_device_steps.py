"""``training.num_envs``: what is recorded of environments whose episodes are tensors, and what does not fit."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from qas_agents.dqn.on_device import Rows
from qas_experiments.building import Plan
from qas_experiments.commands.evaluate import evaluate
from qas_experiments.training import device_steps
from qas_experiments.training.device_steps import DeviceSteps
from qas_experiments.training.recorder import Recorder
from qas_experiments.training.run import train
from tests.experiments.conftest import QUICK, compose

torch = pytest.importorskip("torch")

DEVICE = [*QUICK, "env=tfim", "env.problem.num_qubits=2", "training.num_envs=8", "env.max_gates=6"]


@pytest.mark.parametrize("rules", [{}, {"noise": "percent_1_5"}], ids=["exact", "noisy"])
def test_everything_is_recorded_as_if_every_step_had_been_seen(
    rules: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against a recorder that sees the steps of all environments one after the other, each with its circuit."""
    monkeypatch.setattr(device_steps, "SHOWN", 3)
    rules = {"num_qubits": 2, "max_gates": 6, "optimizer": {"name": "scan_lbfgs", "max_iterations": 4}, **rules}
    env: Any = gym.make("QAS-TFIM-v0", **rules).unwrapped
    envs: Any = gym.make_vec("QAS-TFIM-v0", 8, device="cpu", autoreset_mode="Disabled", **rules).unwrapped
    fields = ("problem", "simulator", "optimizer", "family")
    seen = SimpleNamespace(**{name: getattr(env, name) for name in fields})
    found: list[dict[str, Any]] = []
    wanted: list[dict[str, Any]] = []
    theirs = Recorder(seen, wanted.append, lambda: False, num_kept=4)  # type: ignore[arg-type]
    ours = Recorder(env, found.append, lambda: False, num_kept=4)
    steps = DeviceSteps(ours, envs, lambda: envs is None)
    agent, rng = SimpleNamespace(epsilon=0.5, loss=1.0), np.random.default_rng(0)
    _, infos = envs.reset(seed=0)
    returns, lengths, expected = np.zeros(8), np.zeros(8, dtype=int), []
    for _ in range(60):
        masks = infos["action_mask"].numpy()
        actions = (rng.random(masks.shape) * masks).argmax(axis=1)
        _, rewards, terminated, truncated, infos = envs.step(actions)
        over = terminated | truncated
        returns, lengths = returns + rewards.numpy(), lengths + 1
        named = {"self": agent, "rewards": rewards, "dones": over}
        assert steps({**named, "infos": Rows(infos)}, {})
        for row in range(8):
            info = {name: column[row].numpy() for name, column in infos.items()}
            seen.circuit = seen.finished = envs.circuit(row)
            theirs({"self": agent, "infos": [info], "rewards": [rewards[row].item()], "dones": [over[row].item()]}, {})
            if over[row]:
                if row < 3:
                    expected.append({**wanted[-1], "return": returns[row], "length": lengths[row]})
                returns[row] = lengths[row] = 0
        _, infos = envs.reset(options={"reset_mask": over})
    assert len(expected) > 10 and len(wanted) > 2 * len(expected)
    without = ("seconds",)
    for one, other in zip(found, expected, strict=True):
        assert {k: v for k, v in one.items() if k not in without} == pytest.approx(
            {k: v for k, v in other.items() if k not in without}
        )
    one, other = json.loads(json.dumps(ours.state())), json.loads(json.dumps(theirs.state()))
    for state in (one, other):
        for name in ("seconds", "return", "length"):
            del state[name]
        singles = [state["best"], state["first_solved"], state["without_noise"]]
        for solution in (*singles, *state["kept"], *state["lowest"], *state["improvements"]):
            if solution is not None:
                del solution["seconds"]
    assert one == other and one["best"] is not None and (one["without_noise"] is None) == (not rules.get("noise"))
    assert len(one["kept"]) == 4 and one["steps"] == 480


def test_what_a_run_writes(tmp_path: Path) -> None:
    """Limits count steps of all environments, the frozen policy is one of a single environment, records add up."""
    settings = [*DEVICE, "training.evaluate_every=1", "training.total_timesteps=596"]
    summary = train(compose(*settings, f"run={tmp_path / 'run'}"))
    assert summary["training"]["steps"] == 600 and summary["ended_by"] == "total_timesteps"
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert len(rows) == summary["training"]["episodes"] > 80  # no more environments than those with rows
    assert sum(row["length"] for row in rows) <= 600 and max(row["length"] for row in rows) <= 6
    evaluated = [row["episode"] for row in rows if "policy_energy_error" in row]
    assert evaluated == [8 * k for k in range(1, len(rows) // 8 + 1)]
    assert summary["settings"]["training"]["num_envs"] == 8
    found = evaluate(tmp_path / "run", rollouts=2)
    assert found["checked_by_qiskit"] < 1e-9
    assert summary["rows"]["found in training"]["energy_error"] < 1e-6


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["training.num_envs=-1"], "be 0, or for agent=dqn at least 1, but is -1"),
        (["agent=random", "training.num_envs=4"], "be 0, or for agent=dqn at least 1, but is 4"),
        (["agent=graph", "training.num_envs=4"], "be 0, or for agent=dqn at least 1, but is 4"),
        (["env.vary={field: [0.5, 1.5]}"], "`training.num_envs` must be 0 for families"),
        (["training.device=cuda:1"], "Unknown device 'cuda:1'. Choices: cpu, cuda."),
        (["optimizer=cobyla"], "optimisers of single circuits, but is 8"),
        (["agent.demonstrations=4"], "`demonstrations` must be 0 where environments are a vector, but is 4"),
        (["env.reward=tests.qas_envs.test_rules_of_many:OddReward"], "`reward` must have methods for many"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(overrides: list[str], message: str) -> None:
    own = [one for one in DEVICE if not (overrides[0].startswith("agent=") and one.startswith("agent."))]
    plan = Plan.of(compose(*own, *overrides))
    env = plan.make_environment(is_silent=True)
    with pytest.raises(ValueError, match=r"must|Choices") as caught:
        plan.make_agent(env)
    assert message in str(caught.value) and "\n" not in str(caught.value)

"""The embedding of a circuit as an observation: that of the autoencoder, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import qas_envs  # noqa: F401
from qas_agents import CircuitVGAE
from qas_agents.latent import CircuitGraphs, Vocabulary
from qas_envs import make_env
from tests.qas_envs.test_bad_rules import refused

RULES: dict[str, Any] = {"problem_settings": {"num_qubits": 3}, "actions": "blocks", "gates": ["ry", "cx"]}


@pytest.fixture
def vgae(tmp_path: Path) -> CircuitVGAE:
    found = CircuitVGAE(Vocabulary(3, ("cx_ry",), num_nodes=5), seed=0)
    found.save(tmp_path / "vgae.safetensors")
    return found


def encoding(folder: Path, **settings: Any) -> dict[str, Any]:
    file = str(folder / "vgae.safetensors")
    return {"name": "qas_experiments.embedding:EmbeddingEncoding", "file": file, **settings}


def test_an_observation_is_the_embedding(vgae: CircuitVGAE, tmp_path: Path) -> None:
    """After every action, the mean of the latent vectors of the graph that is built by hand."""
    never = {"name": "fixed", "threshold": 1e-15}
    env = make_env("ghz", encoding=encoding(tmp_path), max_gates=15, curriculum=never, **RULES)
    observation, info = env.reset(seed=0)
    actions = [0, 2, 1, 2]
    pairs = [env.catalogue.actions[action].qubits for action in actions]
    for number in range(len(actions) + 1):
        if number > 0:
            observation, _, _, _, info = env.step(actions[number - 1])
        graphs = CircuitGraphs.of(vgae.vocabulary, [[("cx_ry", pair) for pair in pairs[:number]]])
        np.testing.assert_allclose(observation[:16], vgae.embed(graphs)[0], rtol=1e-6)
        assert observation[16] == pytest.approx(info["energy"], abs=1e-6)


def test_nodes_and_tail(vgae: CircuitVGAE, tmp_path: Path) -> None:
    shown = encoding(tmp_path, nodes=True, scale=2.5, energy=False, threshold=True)
    env = make_env("ghz", encoding=shown, max_gates=15, **RULES)
    env.reset(seed=0)
    observation = env.step(2)[0]
    graphs = CircuitGraphs.of(vgae.vocabulary, [[("cx_ry", env.catalogue.actions[2].qubits)]])
    np.testing.assert_allclose(observation[:-1], 2.5 * vgae.encode(graphs)[0].reshape(-1), rtol=1e-6)
    assert observation[-1] == pytest.approx(env.curriculum.threshold)


def test_it_is_an_environment(vgae: CircuitVGAE, tmp_path: Path) -> None:
    rules = {"encoding": encoding(tmp_path), "max_gates": 15, "num_qubits": 3, "actions": "blocks"}
    env = gym.make("QAS-GHZ-v0", disable_env_checker=True, gates=["ry", "cx"], **rules)
    check_env(env.unwrapped, skip_render_check=True)
    many = gym.make_vec("QAS-GHZ-v0", 2, "vector_entry_point", gates=["ry", "cx"], **rules)
    many.reset(seed=0)
    env.reset(seed=0)
    for action in (0, 2):
        both = many.step(np.array([action, 1]))[0]
        np.testing.assert_allclose(env.step(action)[0], both[0], rtol=1e-5, atol=1e-6)
    assert not np.allclose(both[0], both[1])


def test_clones_are_independent(vgae: CircuitVGAE, tmp_path: Path) -> None:
    env = make_env("ghz", encoding=encoding(tmp_path), max_gates=15, **RULES)
    env.reset(seed=0)
    env.step(0)
    before, twin = env.episode.encoder.copy(), env.episode.encoder.copy()  # type: ignore[attr-defined]
    twin.begin(1)
    view = env.episode.view(env.simulator, 0.0)
    assert (before.observe(view) == env.episode.encoder.observe(view)).all()
    assert (twin.observe(view) != before.observe(view)).any()


def test_bad_input(vgae: CircuitVGAE, tmp_path: Path) -> None:
    good = encoding(tmp_path)
    for problem, rules, message in [
        ("ghz", {**RULES, "encoding": {**good, "file": str(tmp_path / "no")}, "max_gates": 15}, "no"),
        ("ghz", {**RULES, "encoding": good, "max_gates": 18}, "`max_gates` must allow at most 5 actions"),
        ("ghz", {**RULES, "encoding": good, "max_gates": 5, "actions": "gates"}, "actions of ['cx_ry']"),
        ("ghz", {**RULES, "encoding": {**good, "scale": 0.0}, "max_gates": 15}, "`scale` must be positive"),
        ("bell", {**RULES, "problem_settings": {}, "encoding": good, "max_gates": 15}, "`env` must have 3 qubits"),
    ]:
        assert message in refused(make_env, problem, **rules)

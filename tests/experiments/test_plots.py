"""Pictures look as they did: each is compared with a committed one (``NEW_PICTURES=1 pytest ...`` draws those anew)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.testing.compare import compare_images
from PIL import Image

from qas_envs.gadget_sets import gadgets_of
from qas_experiments import plots
from qas_simulators import Circuit

PICTURES = Path(__file__).parent / "pictures"
TOLERANCE = 4.0  # root mean square of 0 to 255: other versions of fonts and lines, not another picture


def circuit() -> Circuit:
    """All kinds of gates, on more than one row."""
    some = Circuit(3).h(0).rx(0.3, 1).ry(-1.25, 2).rz(2.0, 0).cx(0, 2).cz(2, 1).swap(0, 1).t(0).sx(1)
    return some.ecr(0, 1).ry(0.5, 0)


def write_runs(folder: Path) -> dict[str, list[Path]]:
    """Metrics of two agents, three seeds each, that get better at a known rate."""
    runs: dict[str, list[Path]] = {}
    for name, rate in {"slow": 0.9, "fast": 0.6}.items():
        for seed in range(3):
            run = folder / f"{name}-{seed}"
            run.mkdir()
            rows = [
                {"episode": k, "steps": 9 * k, "evaluations": 100 * k + 10 * seed, "success": k > 15}
                | {"energy_error": (1 + 0.2 * seed) * rate**k, "gates": 9, "two_qubit_gates": 3}
                for k in range(1, 31)
            ]
            (run / "metrics.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
            runs.setdefault(name, []).append(run)
    return runs


def kan() -> tuple[Any, Any]:
    torch = pytest.importorskip("torch")
    from qas_agents.dqn.networks import KAN

    torch.manual_seed(0)
    return KAN([3, 2, 2]), np.random.default_rng(0).uniform(-1, 1, (50, 3)).astype(np.float32)


DRAWN: dict[str, Callable[[Path], Any]] = {
    "circuit": lambda _: plots.circuit_figure(circuit(), title="All gates", fold=6),
    "circuit_dark": lambda _: plots.circuit_figure(circuit(), theme="dark"),
    "learning": lambda folder: plots.learning_curves(write_runs(folder), accuracy=1e-3),
    "success": lambda folder: plots.learning_curves(write_runs(folder), "success", against="episode", theme="dark"),
    "fronts": lambda _: plots.pareto_fronts(
        {"ours": [(1, 0.1), (2, 1e-3), (3, 2e-3), (5, 1e-5)], "theirs": [(2, 0.05), (4, 1e-3)]},
        floor=[(0, 0.2), (1, 0.05), (2, 1e-4)],
        accuracy=1.6e-3,
    ),
    "errors": lambda _: plots.energy_errors({"found": [0.3, 0.1, 0.1, 1e-3, 0.0]}, accuracy=1.6e-3),
    "rollouts": lambda _: plots.rollout_histograms([0.1, 1e-3, 1e-4], [3, 4, 4], [5, 7, 8], accuracy=1.6e-3),
    "kan": lambda _: plots.kan_edges(*kan(), num_edges=5, names=["a", "b", "c"]),
    "importances": lambda _: plots.importances({"gates": {"rx": 0.5, "cx": 0.3}, "qubits": {"0": 0.9, "1": 0.1}}),
    "gadgets": lambda _: plots.gadgets_figure(gadgets_of("grl")),
}


@pytest.mark.parametrize("name", DRAWN)
def test_pictures_look_as_committed(name: str, tmp_path: Path) -> None:
    drawn = plots.save(DRAWN[name](tmp_path), tmp_path / f"{name}.png")
    if os.environ.get("NEW_PICTURES"):
        (PICTURES / f"{name}.png").write_bytes(drawn.read_bytes())
    assert compare_images(str(PICTURES / f"{name}.png"), str(drawn), TOLERANCE) is None


def test_the_comparison_sees_one_gate_less(tmp_path: Path) -> None:
    """A tolerance that lets everything pass tests nothing."""
    other = Circuit(3).h(0).rx(0.3, 1).ry(-1.25, 2).rz(2.0, 0).cx(0, 2).cz(2, 1).swap(0, 1).t(0)
    other.ecr(0, 1).ry(0.5, 0)
    drawn = plots.save(plots.circuit_figure(other, title="All gates", fold=6), tmp_path / "other.png")
    assert compare_images(str(PICTURES / "circuit.png"), str(drawn), TOLERANCE) is not None


def test_curves_are_interquartile_means_of_what_the_runs_say(tmp_path: Path) -> None:
    figure = plots.learning_curves(write_runs(tmp_path), "error", against="steps")
    slow, fast = figure.axes[0].get_lines()
    assert slow.get_label() == "slow (3)" and fast.get_xdata()[-1] == 270.0
    errors = np.array([[(1 + 0.2 * seed) * 0.6**k for k in range(1, 31)] for seed in range(3)])
    np.testing.assert_allclose(
        fast.get_ydata()[-1], 10 ** np.mean(np.log10(np.mean(errors, axis=1)))
    )  # three seeds: none trimmed


def test_fronts_only_fall() -> None:
    figure = plots.pareto_fronts({"a": [(3, 0.2), (1, 0.1), (2, 0.3)]})
    assert list(figure.axes[0].get_lines()[1].get_ydata()) == [0.1, 0.1, 0.1]


def test_an_episode_becomes_an_animation(tmp_path: Path) -> None:
    env = gym.make("QAS-Bell-v0", render_mode="rgb_array").unwrapped
    named = {(action.gate, action.qubits): number for number, action in enumerate(env.catalogue.actions)}
    path = plots.animate_episode(env, [named["h", (0,)], named["cx", (0, 1)], 0, 0], tmp_path / "bell.gif")
    with Image.open(path) as picture:
        assert picture.n_frames == 3  # before, and after both gates: then it is solved
        assert picture.size == (800, 500)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Circuit(1).draw("latex"), "Unknown output 'latex'"),
        (lambda: Circuit(1).draw("mpl", theme="drak"), "Did you mean 'dark'"),
        (lambda: Circuit(1).draw("mpl", fold=0), "`fold` must be at least 1"),
        (lambda: plots.learning_curves({}), "a run per agent"),
        (lambda: plots.learning_curves({"a": ["nowhere"]}), "finished episode, but is 'nowhere'"),
        (lambda: plots.learning_curves({"a": ["nowhere"]}, "eror"), "Did you mean 'error'"),
        (lambda: plots.learning_curves({"a": ["nowhere"]}, against="time"), "Unknown against 'time'"),
        (lambda: plots.pareto_fronts({"a": []}), "a point per entry"),
        (lambda: plots.gadgets_figure([]), "`gadgets` must not be empty"),
        (lambda: plots.animate_episode(gym.make("QAS-Bell-v0").unwrapped, [], "a.gif"), "rgb_array"),
    ],
)
def test_bad_input(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()

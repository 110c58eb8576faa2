"""Pictures look as they did: each is compared with a committed one (``NEW_PICTURES=1 pytest ...`` redraws them)."""

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
    """Metrics of two agents, five seeds each, that get better at known rates, solve from other episodes on."""
    runs: dict[str, list[Path]] = {}
    for name, rate in {"slow": 0.9, "fast": 0.6}.items():
        for seed in range(5):
            run = folder / f"{name}-{seed}"
            run.mkdir()
            rows = [
                {"episode": k, "steps": 9 * k, "evaluations": 100 * k + 10 * seed, "success": k > 10 + 3 * seed}
                | {"energy_error": 3.0**seed * rate**k, "gates": 9, "two_qubit_gates": 3}
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
    assert slow.get_label() == "slow (5)" and fast.get_xdata()[-1] == 270.0
    means = [np.mean([3.0**seed * 0.6**k for k in range(1, 31)]) for seed in range(5)]
    np.testing.assert_allclose(fast.get_ydata()[-1], 10 ** np.mean(np.log10(means[1:4])))  # the middle three of five
    first = [3.0**seed * 0.6 for seed in range(5)]
    np.testing.assert_allclose(fast.get_ydata()[0], 10 ** np.mean(np.log10(first[1:4])))
    band = figure.axes[0].collections[1].get_paths()[0].vertices
    at_the_end = band[np.isclose(band[:, 0], 270.0), 1]
    assert min(means) <= at_the_end.min() * 1.0001 and at_the_end.max() <= max(means) * 1.0001
    assert at_the_end.min() < fast.get_ydata()[-1] < at_the_end.max()


def test_curves_know_runs_that_go_on(tmp_path: Path) -> None:
    """A line under way is not read, an episode without an energy is left out."""
    runs = write_runs(tmp_path)["fast"][:1]
    whole = plots.learning_curves({"a": runs}).axes[0].get_lines()[0].get_ydata()[-1]
    path = runs[0] / "metrics.jsonl"
    nothing = {"episode": 31, "steps": 290, "evaluations": 3100, "success": False, "energy_error": None, "gates": 9}
    path.write_text(path.read_text() + json.dumps({**nothing, "two_qubit_gates": 3}) + '\n{"episode": 32, "st')
    assert plots.learning_curves({"a": runs}).axes[0].get_lines()[0].get_ydata()[-1] == whole


def test_curves_of_runs_that_do_not_overlap_are_refused(tmp_path: Path) -> None:
    early, late, *_ = write_runs(tmp_path)["fast"]
    rows = [json.loads(line) for line in (late / "metrics.jsonl").read_text().splitlines()]
    shifted = [json.dumps({**row, "evaluations": row["evaluations"] + 10_000}) + "\n" for row in rows]
    (late / "metrics.jsonl").write_text("".join(shifted))
    with pytest.raises(ValueError, match="overlap: the last one of a begins, and the first one ends, at evaluations"):
        plots.learning_curves({"a": [early, late]})


def test_gates_whose_qubits_differ_are_told_apart() -> None:
    assert Circuit(2).ecr(0, 1).draw() != Circuit(2).ecr(1, 0).draw()
    assert "●" in Circuit(2).cx(0, 1).draw() and "●" not in Circuit(2).ecr(0, 1).draw()
    one, other = (plots.circuit_figure(circuit) for circuit in (Circuit(2).ecr(0, 1), Circuit(2).ecr(1, 0)))
    texts = [[(text.get_text(), text.get_position()) for text in figure.axes[0].texts] for figure in (one, other)]
    assert texts[0] != texts[1]


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
        (lambda: Circuit(1).draw("pdf"), "Unknown output 'pdf'"),
        (lambda: Circuit(1).draw("mpl", theme="drak"), "Did you mean 'dark'"),
        (lambda: Circuit(1).draw("mpl", fold=0), "`fold` must be at least 1"),
        (lambda: Circuit(1).ry(0.1, 0).draw("mpl", angles=[]), "a text for each of 1 rotations"),
        (lambda: plots.learning_curves({"a": "runs/x"}), "a list of at least one run per agent"),
        (lambda: plots.energy_errors({}), "`traces` must hold"),
        (lambda: plots.rollout_histograms([], [], [], accuracy=1e-3), "at least one"),
        (lambda: plots.importances({}), "`groupings` must not be empty"),
        (lambda: plots.learning_curves({}), "a list of at least one run"),
        (lambda: plots.learning_curves({"a": ["nowhere"]}), "finished episode, but is 'nowhere'"),
        (lambda: plots.learning_curves({"a": ["nowhere"]}, "eror"), "Did you mean 'error'"),
        (lambda: plots.learning_curves({"a": ["nowhere"]}, against="time"), "Unknown against 'time'"),
        (lambda: plots.pareto_fronts({"a": []}), "at least one point per entry"),
        (lambda: plots.gadgets_figure([]), "`gadgets` must not be empty"),
        (lambda: plots.animate_episode(gym.make("QAS-Bell-v0").unwrapped, [], "a.gif"), "rgb_array"),
    ],
)
def test_bad_input(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()

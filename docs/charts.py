"""Figures of ``docs/benchmarks.md``: ``python docs/charts.py`` draws them and fills its block; a test says when to.

For every instance of :data:`INSTANCES` there are two plots of the committed records: the lowest errors against CNOTs,
with the floors of exhaustive search, and the evaluations to the first solution. Each is an SVG file of a few kilobytes
for light pages and one for dark pages, written without matplotlib, so that every machine writes the same bytes.
"""

from __future__ import annotations

import json
import lzma
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from qas_envs.problems import PROBLEMS, Problem, known_floors
from qas_envs.registration import ENVIRONMENTS
from qas_experiments.plots.style import SMALLEST
from qas_experiments.statistics import iqm_interval
from qas_simulators.pictures import THEMES, Theme

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
IMAGES = ROOT / "docs" / "images" / "benchmarks"
RECORDS = ROOT / "experiments" / "results" / "leaderboard"
_BLOCK = re.compile(r"(<!-- docs/charts\.py -->\n).*?(<!-- end -->)", re.DOTALL)
_WIDTH = 440
_AGENTS = (
    "annealing_blocks",
    "random_blocks",
    "hea_blocks",
    "annealing, cheap gates",
    "annealing",
    "dqn_guided, cheap gates",
    "dqn_guided",
    "hea",
    "beam",
    "random",
)
"""Agents that are shown, where they played; the best one is drawn last."""
_MOST_FRONTS = 5  # agents in a plot of errors: those with the shortest solutions


class Instance(NamedTuple):
    """An instance that is shown.

    Attributes:
        name: Its name in the suites.
        suites: The suites whose records are of the same problem with the same gates.
        environment: Its id without ``QAS-`` and the version.
        arguments: Arguments of its problem.
    """

    name: str
    suites: tuple[str, ...]
    environment: str
    arguments: Mapping[str, Any]

    @property
    def file(self) -> str:
        """The beginning of the names of its files."""
        return re.sub(r"[^a-z0-9]+", "_", self.name.lower()).strip("_")


INSTANCES = (
    Instance("LiH-4 3.4 Å", ("crlqas", "hard"), "LiH", {"bond_length": 3.4}),
    Instance("LiH-6 2.2 Å", ("crlqas",), "LiH", {"bond_length": 2.2, "num_qubits": 6}),
    Instance("LiH-6 3.4 Å", ("hard",), "LiH", {"bond_length": 3.4, "num_qubits": 6}),
    Instance("BeH2-6", ("tensorrl",), "BeH2", {}),
    Instance("H2O-8", ("crlqas", "tensorrl"), "H2O", {"num_qubits": 8}),
    Instance("stretched H2O", ("hard",), "StretchedH2O", {}),
    Instance("H4 chain", ("hard",), "H4", {}),
    Instance("TFIM-6", ("hard", "tensorrl"), "TFIM", {"num_qubits": 6}),
    Instance("Heisenberg-5", ("hard",), "Heisenberg", {"num_qubits": 5}),
)


# -- data --------------------------------------------------------------------------------------------------------------


@cache
def stored(suite: str) -> list[dict[str, Any]]:
    """Return the committed records of a suite."""
    with lzma.open(RECORDS / f"{suite}.jsonl.xz", "rt", encoding="utf-8") as lines:
        return [row for row in map(json.loads, lines) if "hamiltonian" not in row]


def records_of(instance: Instance) -> dict[str, list[dict[str, Any]]]:
    """Return the records of an instance by agent, of the agents that are shown."""
    some = [one for suite in instance.suites for one in stored(suite) if one["instance"] == instance.name]
    return {name: mine for name in _AGENTS if (mine := [one for one in some if one["agent"] == name])}


def problem_of(instance: Instance) -> Problem:
    """Return the problem of an instance."""
    entry = ENVIRONMENTS[f"QAS-{instance.environment}-v0"]
    return PROBLEMS[entry.problem](**{**entry.example, **instance.arguments})


def front_of(records: Iterable[Mapping[str, Any]]) -> list[tuple[int, float]]:
    """Return the lowest error of any circuit for every number of CNOTs, where it is lower than with fewer."""
    lowest: dict[int, float] = {}
    for record in records:
        for circuit in record["circuits"].values():
            gates = circuit["two_qubit_gates"]
            lowest[gates] = min(lowest.get(gates, math.inf), max(circuit["energy_error"], SMALLEST))
    front: list[tuple[int, float]] = []
    for gates, error in sorted(lowest.items()):
        if not front or error < front[-1][1]:
            front.append((gates, error))
    return front


def fewest_of(front: Sequence[tuple[int, float]], accuracy: float) -> int | None:
    """Return the fewest CNOTs of a front below the accuracy."""
    return next((gates for gates, error in front if error < accuracy), None)


class First(NamedTuple):
    """When an agent's runs had their first solution.

    Attributes:
        agent: The agent.
        solved: Number of runs with a solution.
        runs: Number of runs.
        mean: Interquartile mean of the evaluations to the first solution, with its interval; None if no run has one.
    """

    agent: str
    solved: int
    runs: int
    mean: tuple[float, float, float] | None


def firsts_of(records: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[First]:
    """Return one row for each agent, those that solve most seeds and need the fewest evaluations first."""
    rows = []
    for agent, some in records.items():
        found = [float(one["figures"]["first_solved"][0]) for one in some if one["figures"]["first_solved"]]
        rows.append(First(agent, len(found), len(some), iqm_interval(found) if found else None))
    return sorted(rows, key=lambda row: (-row.solved / row.runs, row.mean[0] if row.mean else math.inf, row.agent))


# -- drawing -----------------------------------------------------------------------------------------------------------


class Canvas:
    """An SVG picture with a horizontal and a vertical axis.

    Args:
        height: Height in pixels.
        theme: Colours.
        margins: Pixels left, right, above and below of the axes.
    """

    def __init__(self, height: int, theme: Theme, margins: tuple[int, int, int, int]) -> None:
        self.theme, self.height = theme, height
        self.left, self.right = margins[0], _WIDTH - margins[1]
        self.top, self.bottom = margins[2], height - margins[3]
        self._parts: list[str] = []

    def x(self, share: float) -> float:
        """Return the place of a share of the horizontal axis."""
        return self.left + (self.right - self.left) * share

    def y(self, share: float) -> float:
        """Return the place of a share of the vertical axis, from below."""
        return self.bottom - (self.bottom - self.top) * share

    def line(self, points: Iterable[tuple[float, float]], colour: str, width: float = 1.5, dashes: str = "") -> None:
        """Draw a line through points."""
        text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self._parts.append(f'<polyline points="{text}" fill="none" stroke="{colour}" stroke-width="{width}"{dashed}/>')

    def dot(self, x: float, y: float, colour: str, radius: float = 3.5) -> None:
        """Draw a disc."""
        self._parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"/>')

    def box(self, x: float, y: float, width: float, height: float, colour: str, opacity: float) -> None:
        """Draw a rectangle."""
        size = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
        self._parts.append(f'<rect {size} fill="{colour}" opacity="{opacity}"/>')

    def text(self, x: float, y: float, text: str, anchor: str = "start", size: int = 12, colour: str = "") -> None:
        """Write a text."""
        safe = text.replace("&", "&amp;").replace("<", "&lt;")
        place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"'
        self._parts.append(f'<text {place} fill="{colour or self.theme.ink}">{safe}</text>')

    def svg(self, title: str) -> str:
        """Return the picture."""
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {self.height}" width="{_WIDTH}" '
        head += f'height="{self.height}" font-family="system-ui, sans-serif" role="img">'
        return "\n".join([head, f"<title>{title}</title>", *self._parts, "</svg>", ""])


def ticks(most: float, count: int = 7) -> list[int]:
    """Return whole numbers from 0 to ``most``, at most ``count`` and one."""
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200) if most / step <= count)
    return list(range(0, int(most) + 1, step))


def front_figure(instance: Instance, theme: Theme) -> str:
    """Return the plot of errors against CNOTs, of the agents with the shortest solutions, and the floors."""
    accuracy, fronts = accuracy_of(instance), fronts_of(instance)
    names = list(fronts)
    floors = {unit: known_floors(problem_of(instance), unit) for unit in ("gates", "blocks")}
    ends = [fewest_of(front, accuracy) or front[0][0] for front in fronts.values()]
    most = 1.35 * max(ends) + 2
    errors = [error for front in fronts.values() for gates, error in front if gates <= most]
    high, low = math.log10(max(errors)) + 0.15, max(-9.3, math.log10(min(errors)) - 0.2)
    canvas = Canvas(280 + 18 * -(-(len(names) + sum(map(bool, floors.values()))) // 2), theme, (48, 10, 26, 0))
    canvas.bottom = 236

    def place(gates: float, error: float) -> tuple[float, float]:
        share = (max(math.log10(max(error, SMALLEST)), low) - low) / (high - low)
        return canvas.x(gates / most), canvas.y(min(share, 1.0))

    canvas.text(4, 15, f"{instance.name}: error against CNOTs", size=13)
    goal = place(0, accuracy)[1]
    canvas.box(canvas.left, goal, canvas.right - canvas.left, canvas.bottom - goal, theme.colours[2], 0.1)
    for gates in ticks(most):
        canvas.line([(canvas.x(gates / most), canvas.top), (canvas.x(gates / most), canvas.bottom)], theme.wire, 0.3)
        canvas.text(canvas.x(gates / most), canvas.bottom + 16, str(gates), "middle")
    for power in range(math.ceil(low), math.floor(high) + 1, max(1, math.ceil((high - low) / 6))):
        height = place(0, 10.0**power)[1]
        canvas.line([(canvas.left, height), (canvas.right, height)], theme.wire, 0.3)
        canvas.text(canvas.left - 6, height + 4, f"1e{power}", "end")
    keys: list[tuple[str, str, str]] = []
    for (unit, known), dashes in zip(floors.items(), ("", "2 3"), strict=True):
        steps = [place(gates, error) for gates, error in stairs([(one.two_qubit_gates, one.error) for one in known])]
        if steps:
            style = (theme.ink, 2.0, dashes) if dashes else (theme.wire, 5.0, dashes)
            canvas.line(steps, *style)
            keys.append((f"floor over {unit}", style[0], dashes))
    for number, name in enumerate(names):
        shown = [(gates, error) for gates, error in fronts[name] if gates <= most]
        colour = theme.colours[number % len(theme.colours)]
        canvas.line([place(*point) for point in stairs(shown)], colour)
        for point in shown:
            canvas.dot(*place(*point), colour)
        keys.append((name, colour, "dot"))
    for number, (name, colour, kind) in enumerate(keys):
        x, y = 14 + 212 * (number % 2), canvas.bottom + 40 + 18 * (number // 2)
        if kind == "dot":
            canvas.dot(x + 8, y - 4, colour)
        else:
            canvas.line([(x, y - 4), (x + 16, y - 4)], colour, 2.0 if kind else 5.0, kind)
        canvas.text(x + 22, y, name)
    return canvas.svg(f"{instance.name}: lowest errors against CNOTs")


def stairs(front: Sequence[tuple[int, float]]) -> list[tuple[float, float]]:
    """Return the corners of a front drawn as stairs."""
    corners: list[tuple[float, float]] = []
    for gates, error in front:
        corners += [(gates, corners[-1][1])] if corners else []
        corners.append((gates, error))
    return corners


def firsts_figure(instance: Instance, theme: Theme) -> str:
    """Return the plot of evaluations to the first solution, with their intervals."""
    rows = firsts_of(records_of(instance))
    canvas = Canvas(64 + 24 * len(rows), theme, (160, 44, 30, 34))
    values = [value for row in rows if row.mean for value in row.mean]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)

    def place(value: float) -> float:
        return canvas.x((math.log10(value) - low) / (high - low))

    canvas.text(4, 15, f"{instance.name}: evaluations to the first solution", size=13)
    for power in range(low, high + 1):
        canvas.line([(place(10.0**power), canvas.top), (place(10.0**power), canvas.bottom)], theme.wire, 0.3)
        canvas.text(place(10.0**power), canvas.bottom + 16, f"{10**power:,}", "middle", 11)
    for number, row in enumerate(rows):
        y = canvas.top + 24 * number + 12
        canvas.text(canvas.left - 8, y + 4, row.agent, "end")
        canvas.text(_WIDTH - 4, y + 4, f"{row.solved}/{row.runs}", "end")
        if row.mean is not None:
            colour = theme.colours[0]
            canvas.line([(place(row.mean[1]), y), (place(row.mean[2]), y)], colour, 3)
            canvas.dot(place(row.mean[0]), y, colour, 4.5)
    return canvas.svg(f"{instance.name}: evaluations to the first solution")


@cache
def _fronts(name: str) -> dict[str, list[tuple[int, float]]]:
    instance = next(one for one in INSTANCES if one.name == name)
    accuracy = accuracy_of(instance)
    fronts = {agent: front_of(some) for agent, some in records_of(instance).items()}
    order = sorted(fronts, key=lambda agent: (fewest_of(fronts[agent], accuracy) or math.inf, fronts[agent][-1][1]))
    return {agent: fronts[agent] for agent in order[:_MOST_FRONTS]}


def fronts_of(instance: Instance) -> dict[str, list[tuple[int, float]]]:
    """Return the fronts of the agents with the shortest solutions."""
    return _fronts(instance.name)


def accuracy_of(instance: Instance) -> float:
    """Return the error below which a circuit is a solution."""
    return float(next(iter(records_of(instance).values()))[0]["figures"]["accuracy"])


# -- page --------------------------------------------------------------------------------------------------------------


def sentence(instance: Instance) -> str:
    """Return one sentence on both plots of an instance."""
    fronts, accuracy = fronts_of(instance), accuracy_of(instance)
    solved = {agent: gates for agent, front in fronts.items() if (gates := fewest_of(front, accuracy)) is not None}
    fewest = min(solved.values())
    finders = [f"`{agent}`" for agent, gates in solved.items() if gates == fewest]
    named = finders[0] if len(finders) == 1 else f"{', '.join(finders[:-1])} and {finders[-1]}"
    floor = [(one.two_qubit_gates, one.error) for one in known_floors(problem_of(instance))]
    bound = fewest_of(floor, accuracy)
    if bound is not None:
        searched = f"exhaustive search finds none with fewer than {bound}"
    elif floor:
        searched = f"exhaustive search finds none with up to {floor[-1][0]}"
    else:
        searched = "no exhaustive search was made"
    first = firsts_of(records_of(instance))[0]
    assert first.mean is not None
    return (
        f"**{instance.name}.** The shortest solution has {fewest} CNOTs ({named}); {searched}; "
        f"of the agents that solve most seeds, `{first.agent}` needs the fewest evaluations, {first.mean[0]:,.0f}."
    )


def block() -> str:
    """Return the part of the page with the figures."""
    lines = ['<div class="panels" markdown="1">', ""]
    for instance in INSTANCES:
        for kind, alternative in (("front", "lowest errors against CNOTs"), ("firsts", "evaluations")):
            for theme in THEMES:
                place = f"images/benchmarks/{instance.file}_{kind}_{theme}.svg#only-{theme}"
                lines.append(f"![{instance.name}: {alternative}]({place})")
        lines += ["", sentence(instance), ""]
    return "\n".join([*lines, "</div>"])


def files() -> dict[Path, str]:
    """Return the content of every file that follows from the records: the figures and the page."""
    made: dict[Path, str] = {}
    for instance in INSTANCES:
        for name, theme in THEMES.items():
            made[IMAGES / f"{instance.file}_front_{name}.svg"] = front_figure(instance, theme)
            made[IMAGES / f"{instance.file}_firsts_{name}.svg"] = firsts_figure(instance, theme)
    text = PAGE.read_text(encoding="utf-8")
    made[PAGE] = _BLOCK.sub(lambda match: f"{match[1]}\n{block()}\n\n{match[2]}", text)
    return made


def stale() -> list[str]:
    """Return the names of files that differ from what the records give now, or that no figure is in any more."""
    made = files()
    different = [path for path, text in made.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    return sorted(path.name for path in {*different, *(set(IMAGES.glob("*")) - made.keys())})


def main() -> None:
    """Write the files."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    made = files()
    for path in set(IMAGES.glob("*")) - made.keys():
        path.unlink()
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

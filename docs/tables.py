"""Tables in the docs that follow from the code: ``python docs/tables.py`` updates them, a test says when to.

A block of a page from ``<!-- docs/tables.py: <name> <arguments> -->`` to ``<!-- end -->`` is filled.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from qas_agents.registry import AGENTS, AgentEntry
from qas_envs.catalogue import GateSet
from qas_envs.command import fewest
from qas_envs.presets import PRESETS
from qas_envs.problems import Problem, known_floors
from qas_envs.registration import ENVIRONMENTS
from qas_envs.rules import RULES
from qas_experiments.benchmarking.records import Record, Records, by_agent
from qas_experiments.benchmarking.tables import is_solution, row_of
from qas_simulators import Circuit, PauliTransferSimulator, StatevectorSimulator
from qas_simulators.noise_presets import NOISE_MODELS

ROOT = Path(__file__).parents[1]
PAGES = sorted(ROOT.glob("docs/**/*.md"))
_BLOCK = re.compile(r"(<!-- docs/tables\.py: (?P<name>\w+) ?(?P<arguments>[^>]*?) -->\n).*?(<!-- end -->)", re.DOTALL)
_RESULTS = ROOT / "experiments" / "results"
_CONF = ROOT / "experiments" / "qas_experiments" / "conf"


def filled(text: str) -> str:
    """Return a page with all its blocks updated."""

    def block(match: re.Match[str]) -> str:
        made = BLOCKS[match["name"]](*match["arguments"].split())
        return f"{match[1]}\n{made}\n\n{match[4]}"

    return _BLOCK.sub(block, text)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in Markdown."""
    lines = [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(str(cell) for cell in row)} |" for row in rows)])


# -- environments ------------------------------------------------------------------------------------------------------


@cache
def problem_of(environment: str, arguments: str = "") -> Problem:
    """Return the problem of an environment with arguments ``name=value,name=value``."""
    given = {
        key: yaml.safe_load(value) for key, _, value in (pair.partition("=") for pair in arguments.split(",") if pair)
    }
    row = ENVIRONMENTS[environment]
    return row.function(row.example)(**{**row.example, **given})


def instances(*names: str) -> str:
    """Return exact and trivial energies of instances, each ``id`` or ``id:name=value,...``."""
    simulator, rows = StatevectorSimulator(), []
    for name in names:
        problem = problem_of(*name.split(":"))
        energies = [
            problem.empty_energy,
            simulator.expectation(problem.best_basis_state(), problem.hamiltonian),
            _product_energy(problem),
        ]
        errors = [_error(energy, problem.ground_energy) for energy in energies]
        arguments = ", ".join(name.split(":")[1].split(",")) if ":" in name else "defaults"
        rows.append(
            (
                f"`{name.split(':')[0]}`",
                arguments,
                problem.num_qubits,
                f"{problem.ground_energy:.6f}",
                f"{problem.accuracy:g}",
                *errors,
                fewest(problem),
            )
        )
    columns = (
        "id",
        "arguments",
        "qubits",
        "exact energy",
        "solved below",
        "error: empty circuit",
        "best basis state",
        "best product state",
        "fewest CNOTs",
    )
    return table(columns, rows)


def _product_energy(problem: Problem) -> float | None:
    """Return the energy of the best product state; on more than 10 qubits only if it is stored."""
    if problem.num_qubits > 10:
        stored: float | None = problem.provenance.get("energies", {}).get("best_product_state")
        return stored
    return StatevectorSimulator().expectation(problem.best_product_state(), problem.hamiltonian)


def _error(energy: float | None, ground: float) -> str:
    if energy is None:
        return "–"
    return f"{round(energy - ground, 9):.1e}" if energy - ground > 1e-9 else "exact"


# -- noise -------------------------------------------------------------------------------------------------------------


def noise(name: str, *arguments: str) -> str:
    """Return what a noise preset does: to one gate, to a Bell pair, to LiH's three CNOT, to a readout."""
    given = {key: yaml.safe_load(value) for key, _, value in (pair.partition("=") for pair in arguments)}
    simulator = PauliTransferSimulator(NOISE_MODELS[name](**given))
    problem = problem_of("QAS-LiH-v0")
    circuit = Circuit.from_qasm3(known_floors(problem)[3].qasm)
    fidelity = problem_of("QAS-Bell-v0").hamiltonian
    try:
        error = told(simulator.expectation(circuit, problem.hamiltonian) - problem.ground_energy)
    except ValueError:
        error = "needs other couplings"
    figures = [
        ("infidelity of X", 1 - _kept(simulator, "x")),
        ("infidelity of CX", 1 - _kept(simulator, "cx")),
        ("infidelity of a Bell pair (H, CX)", simulator.expectation(Circuit(2).h(0).cx(0, 1), fidelity)),
    ]
    rows = [(text, told(value)) for text, value in figures]
    rows.append(("error of the best circuit with 3 CNOTs for LiH at 3.4 Å, in Ha (without noise 1.29e-3)", error))
    return table(("quantity, including readout errors", "value"), rows)


def told(value: float) -> str:
    """Return a figure whose last digit is no matter of rounding: machines differ by 1e-15."""
    value = round(value, 10)
    return f"{value:.3g}" if value else "0"


def _kept(simulator: PauliTransferSimulator, gate: str) -> float:
    """Return the probability of reading the right bits after one gate on the state of all zeros."""
    from qas_simulators import PauliSum

    if gate == "x":
        return (1 - simulator.expectation(Circuit(1).x(0), PauliSum({"Z": 1.0}))) / 2
    zeros = PauliSum({"II": 0.25, "IZ": 0.25, "ZI": 0.25, "ZZ": 0.25})
    return simulator.expectation(Circuit(2).cx(0, 1), zeros)


# -- performance -------------------------------------------------------------------------------------------------------


def printed(benchmark: str) -> str:
    """Return what a benchmark of speed printed, from the committed results."""
    stored = json.loads((_RESULTS / "performance.json").read_text(encoding="utf-8"))
    return f"```text\n{stored[benchmark]['output']}\n```"


# -- presets and agents ------------------------------------------------------------------------------------------------


def presets(*names: str) -> str:
    """Return presets of environments in rows: their instances, and the rules in which one of them is not the default.

    A name that ends in ``*`` stands for all that begin like it.
    """
    chosen = [
        key for name in names for key in PRESETS if (key.startswith(name[:-1]) if name.endswith("*") else key == name)
    ]
    default = PRESETS["default"].rules
    keys = dict.fromkeys(key for name in chosen for key in PRESETS[name].rules)
    shown = [key for key in keys if any(PRESETS[name].rules.get(key) != default.get(key) for name in chosen)]
    rows = []
    for name in chosen:
        row = PRESETS[name]
        arguments = ", ".join(f"{key}={value}" for key, value in row.settings.items())
        rows.append((f"`{name}`", f"`{row.problem}`: {arguments}", *(_rule(row.rules.get(key)) for key in shown)))
    return table(("preset", "published for", *(f"`{key}`" for key in shown)), rows)


def _rule(value: object) -> str:
    """Return a rule: its name, then the settings."""
    if not isinstance(value, dict):
        return _shown(value)
    settings = ", ".join(f"{key}={setting}" for key, setting in value.items() if key != "name")
    return f"`{value['name']}`: {settings}"


def agent(name: str) -> str:
    """Return the settings of ``agent=<name>``, and what they mean where docstrings say so."""
    given = yaml.safe_load((_CONF / "agent" / f"{name}.yaml").read_text(encoding="utf-8"))
    meanings = {key: text for kind in _documented(given["name"]) for key, text in _arguments(kind).items()}
    kept = {key: value for key, value in given.items() if key != "name"}
    if not kept:
        return "No settings."
    if meanings:
        return table(
            ("setting", "default", "meaning"),
            [(f"`agent.{key}`", _shown(value), meanings[key]) for key, value in kept.items()],
        )
    return table(("setting", "default"), [(f"`agent.{key}`", _shown(value)) for key, value in kept.items()])


def agents(*names: str) -> str:
    """Return the settings of agents of ours side by side, where they differ."""
    given = {name: yaml.safe_load((_CONF / "agent" / f"{name}.yaml").read_text(encoding="utf-8")) for name in names}
    keys = [key for key in given[names[0]] if len({str(settings[key]) for settings in given.values()}) > 1]
    rows = [(f"`agent.{key}`", *(_shown(given[name][key]) for name in names)) for key in keys]
    return table(("setting", *(f"`{name}`" for name in names)), rows)


def rules() -> str:
    """Return the rules: default, choices by name, and what they are."""
    rows = []
    for name, rule in RULES.items():
        names = ", ".join(f"`{key}`{_gates(choice)}" for key, choice in rule.choices.items())
        rows.append((f"`{name}`", _rule(rule.default), names, rule.sentence))
    return table(("rule", "default", "choices by name", "meaning"), rows)


def _gates(choice: object) -> str:
    """Return the gates of a gate set, in parentheses; nothing for other choices."""
    return f" ({' '.join([*choice.one_qubit, *choice.two_qubit]).upper()})" if isinstance(choice, GateSet) else ""


def choices(module: str, name: str) -> str:
    """Return the choices of a component with their settings and what they say of themselves."""
    registry: dict[str, Any] = getattr(__import__(module, fromlist=[name]), name)
    context = next((rule.context for rule in RULES.values() if rule.choices is registry), ())
    rows = []
    for key, value in registry.items():
        parameters = [p for p in inspect.signature(value).parameters.values() if p.name not in context]
        told = ", ".join(f"`{p.name}`" if p.default is p.empty else f"`{p.name}={p.default!r}`" for p in parameters)
        rows.append((f"`{key}`", told, " ".join((value.__doc__ or "").split("\n\n")[0].split())))
    return table(("name", "settings", "description"), rows)


def _documented(name: str) -> Iterable[Callable[..., Any]]:
    """Return the classes whose docstrings describe the settings of an agent, if there are any."""
    entry = AGENTS.get(name)
    return entry.settings() if isinstance(entry, AgentEntry) else ()


def _arguments(kind: Callable[..., Any]) -> dict[str, str]:
    """Return what the docstring of a class or function says of each argument or attribute."""
    sections = re.split(r"^(\w+):\n", inspect.getdoc(kind) or "", flags=re.MULTILINE)
    told = dict(zip(sections[1::2], sections[2::2], strict=True))
    section = told.get("Args", "") + told.get("Attributes", "")
    found = re.findall(r"^ {4}(\w+): (.+?)(?=^ {4}\w+: |\Z)", section, re.DOTALL | re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


def _shown(value: object) -> str:
    return "" if value is None else f"`{value}`"


# -- results -----------------------------------------------------------------------------------------------------------

_OF_BLOCKS = ("annealing_blocks", "greedy_blocks", "hea_blocks", "random_blocks")
_OF_GATES = ("annealing, cheap gates", "dqn_guided, cheap gates", "dqn_guided", "annealing", "hea", "random")


def blocks() -> str:
    """Return, for every instance with records of `annealing_blocks`, its figures beside those of other agents."""
    rows, shown = [], set()  # an instance of several suites is shown once
    for path in sorted((_RESULTS / "leaderboard").glob("*.jsonl.xz")):
        found = [record for record in Records(path) if record.suite in ("crlqas", "tensorrl", "grl", "hard")]
        played = dict.fromkeys(one.instance for one in found if one.agent == "annealing_blocks")
        for instance in played:
            label = f"{instance}, native gates" if path.name.startswith("grl") else instance
            if label in shown:
                continue
            shown.add(label)
            agents = by_agent([record for record in found if record.instance == instance])
            others = [name for name in _OF_GATES if name in agents]
            best = max(others, key=lambda name: _standing(agents[name]))
            for name in (*(one for one in _OF_BLOCKS if one in agents), best):
                figures = row_of(agents[name])
                rows.append((label, f"`{name}`", figures[0].split(" ")[0], figures[2], figures[4]))
    return table(("instance", "agent", "solved", "CNOTs", "evaluations to the first solution"), rows)


def _standing(records: Sequence[Record]) -> tuple[float, float]:
    """Return how good an agent is: the share of seeds that it solves, then few CNOTs."""
    solved = [one.circuits["best"]["two_qubit_gates"] for one in records if is_solution(one, "best")]
    return len(solved) / len(records), -float(np.mean(solved)) if solved else 0.0


BLOCKS: dict[str, Callable[..., str]] = {
    "instances": instances,
    "noise": noise,
    "printed": printed,
    "presets": presets,
    "agent": agent,
    "agents": agents,
    "blocks": blocks,
    "choices": choices,
    "rules": rules,
}


def main() -> None:
    """Fill the blocks of all pages."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if (made := filled(text)) != text:
            page.write_text(made, encoding="utf-8")
            print(page.relative_to(ROOT))


if __name__ == "__main__":
    main()

"""``qas-envs``: list the environments, show one in detail, and check the installation."""

from __future__ import annotations

import ast
import inspect
import os
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from qas_envs.circuit_env import CircuitBuildingEnv
from qas_envs.energy_errors import error_text
from qas_envs.problems import Problem, known_floors
from qas_envs.registration import ENVIRONMENTS, make_registered
from qas_simulators import Circuit, StatevectorSimulator
from qas_simulators.errors import OneLineParser, must, unknown_name

EXTRAS = {
    "agents": ("torch", "safetensors", "stable_baselines3", "sb3_contrib"),
    "plots": ("matplotlib",),
    "experiments": ("hydra", "tensorboard", "filelock"),
    "sweeps": ("optuna", "submitit", "joblib"),
    "ray": ("ray",),
    "qiskit": ("qiskit", "qiskit_qasm3_import"),
    "devices": ("qiskit_aer", "qiskit_ibm_runtime"),
    "chemistry": ("pyscf", "openfermion"),
    "kan": ("kan",),
    "pennylane": ("pennylane",),
    "cirq": ("cirq",),
    "pygsti": ("pygsti",),
}
"""Modules that each extra brings."""
_BASE = ("qas-envs", "gymnasium", "numpy", "numba", "scipy", "nlopt", "rich")


def main() -> None:
    """Entry point of the console script and of ``python -m qas_envs``."""
    parser = OneLineParser(prog="qas-envs", description=__doc__)
    parser.add_argument("--version", action="version", version=f"qas-envs {_version('qas-envs')}")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("list", help="all environments, in their default sizes (the default)")
    shown = commands.add_parser("show", help="one environment: problem, energies, actions, floors")
    shown.add_argument("id", help="such as QAS-LiH-v0")
    shown.add_argument("arguments", nargs="*", metavar="name=value", help="such as bond_length=2.2 num_qubits=6")
    commands.add_parser("check", help="compile, run a step, compare energies; list what is not installed")
    given = parser.parse_args()
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # an argument may name a module of the current folder
    console = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 120)
    try:
        if given.command == "show":
            show(given.id, arguments_of(given.arguments), console)
        elif given.command == "check":
            if not check(console):
                raise SystemExit(1)
        else:
            list_all(console)
    except (ValueError, TypeError, ImportError) as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        raise SystemExit(130) from None


def arguments_of(texts: list[str]) -> dict[str, Any]:
    """Return ``name=value`` texts as arguments; a value that is not a Python literal stays a text.

    Raises:
        ValueError: A text without ``=``.
    """
    arguments: dict[str, Any] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name.isidentifier():
            raise ValueError(must("arguments", "be of the form name=value", text))
        try:
            arguments[name] = ast.literal_eval(value)
        except (
            ValueError,
            SyntaxError,
            MemoryError,
            RecursionError,
        ):  # deeply nested brackets
            arguments[name] = value
    return arguments


# -- list --------------------------------------------------------------------------------------------------------------


def list_all(console: Console) -> None:
    """Print a table of all environments."""
    table = Table(title="Environments, as gym.make builds them", title_justify="left", box=box.SIMPLE, padding=(0, 1))
    table.add_column("id", no_wrap=True)
    is_wide = console.width >= 100
    if is_wide:
        table.add_column("problem", overflow="fold")
    for name in ("qubits", "actions", "gates", "exact energy", "solved below", "fewest CNOT"):
        table.add_column(name, justify="right", min_width=15 if name == "exact energy" else max(map(len, name.split())))
    for name, row in ENVIRONMENTS.items():
        try:
            env = make_registered(name, **row.example)
        except ImportError as error:
            table.add_row(name, escape(str(error)))
            continue
        problem = env.problem
        sizes = (str(problem.num_qubits), actions_text(env), str(env.max_gates))
        energy = f"{problem.ground_energy:.6f} {problem.unit:2}"
        figures = (energy, f"{problem.accuracy:g}", fewest(problem))
        table.add_row(name, *([problem.name] if is_wide else []), *sizes, *figures)
    console.print(table, highlight=False)
    console.print("fewest CNOT: below that error, by exhaustive search; details: qas-envs show <id>", highlight=False)


def actions_text(env: CircuitBuildingEnv) -> str:
    """Return the number of actions, and that they are blocks of gates if some are."""
    return f"{len(env.catalogue)}{' blocks' if env.catalogue.num_blocks else ''}"


def fewest(problem: Problem) -> str:
    """Return the smallest number of two-qubit gates that solves a problem, as far as it is known."""
    floors = known_floors(problem)
    solved = [floor.two_qubit_gates for floor in floors if floor.error < problem.accuracy]
    if solved:
        return str(min(solved))
    if problem.basis_energies().min() - problem.ground_energy < problem.accuracy:
        return "0"
    return f"> {floors[-1].two_qubit_gates}" if floors else "?"


# -- show --------------------------------------------------------------------------------------------------------------


def show(name: str, arguments: dict[str, Any], console: Console) -> None:
    """Print an environment in detail.

    Raises:
        ValueError: Unknown id, or arguments that do not fit.
    """
    if name not in ENVIRONMENTS:
        raise ValueError(unknown_name("environment id", name, ENVIRONMENTS))
    row = ENVIRONMENTS[name]
    given = arguments if "problem" in arguments else {**row.example, **arguments}
    env = make_registered(name, **given)
    problem = env.problem
    settings = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    console.print(f'[bold]{problem.name}[/]   gym.make("{name}"{", " if settings else ""}{settings})', highlight=False)
    table = Table(show_header=False, box=box.SIMPLE, padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column()
    for title, text in details(env, row.function(given), arguments):
        table.add_row(title, text)
    console.print(table, highlight=False)


def details(env: CircuitBuildingEnv, build: Callable[..., Problem], given: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the rows of an environment's description: title and text."""
    problem, unit = env.problem, env.problem.unit or "(infidelity)"
    simulator = StatevectorSimulator()
    rows = [("qubits, actions", f"{problem.num_qubits}, {actions_text(env)}, at most {env.max_gates} gates")]
    rows.append(("gates", ", ".join(sorted({action.gate for action in env.catalogue.actions}))))
    rows.append(("observation", f"{type(env.encoder).__name__}, {env.observation_space.shape}"))
    rows.append(("exact energy", f"{problem.ground_energy:.9f} {unit}, solved below an error of {problem.accuracy:g}"))
    errors = {
        "empty circuit": problem.empty_energy,
        "best basis state": simulator.expectation(problem.best_basis_state(), problem.hamiltonian),
        "best product state": simulator.expectation(problem.best_product_state(), problem.hamiltonian),
    }
    rows += [(state, f"error {error_text(energy - problem.ground_energy, 3)}") for state, energy in errors.items()]
    floors = known_floors(problem)
    if not floors:
        rows.append(("floors", "not searched: python experiments/benchmarks/floors.py run"))
    for title, some in (("floor", floors), ("floor over blocks", known_floors(problem, "blocks"))):
        for floor in some:
            mark = "  solved" if floor.error < problem.accuracy else ""
            rows.append((f"{title}, {floor.two_qubit_gates} CNOT", f"error {error_text(floor.error, 3)}{mark}"))
    parameters = inspect.signature(build).parameters.values()
    values = {p.name: given.get(p.name, p.default) for p in parameters}
    shown = [f"{name}={value!r}" if value is not inspect.Parameter.empty else name for name, value in values.items()]
    rows.append(("arguments", ", ".join(shown) or "none"))
    if others := {name: value for name, value in given.items() if name not in values}:
        rows.append(
            ("rules", ", ".join(f"{key}={value!r}" for key, value in others.items()) + "; figures are noiseless")
        )
    molecule = problem.provenance.get("molecule")
    if isinstance(molecule, dict):
        kept = ("atoms", "unit", "basis", "mapping", "frozen_orbitals", "active_orbitals", "active_electrons")
        named = {key: molecule[key] for key in kept if key in molecule}
        rows.append(("molecule", ", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in named.items())))
    rows.append(("SHA-256", problem.digest))
    return rows


# -- check -------------------------------------------------------------------------------------------------------------


def check(console: Console) -> bool:
    """Print what works and what is missing; return whether the energies are right."""
    console.print(f"Python {platform.python_version()} on {platform.system()} {platform.machine()}", highlight=False)
    console.print(", ".join(f"{name} {_version(name)}" for name in _BASE), highlight=False)
    started = time.perf_counter()
    env = make_registered("QAS-LiH-v0")
    env.reset(seed=0)
    *_, info = env.step(0)
    console.print(f"kernels compiled or loaded, one step: {time.perf_counter() - started:.1f} s", highlight=False)
    problem = env.problem
    lowest = float(np.linalg.eigvalsh(problem.hamiltonian.to_matrix())[0])
    difference = abs(lowest - problem.ground_energy)
    floor = known_floors(problem)[3]
    circuit = Circuit.from_qasm3(floor.qasm)
    energy = StatevectorSimulator().expectation(circuit, problem.hamiltonian)
    deviation = abs(energy - problem.ground_energy - floor.error)
    works = difference < 1e-8 and deviation < 1e-8 and np.isfinite(info["energy"])
    verdict = "as they should be" if works else "WRONG"
    console.print(
        f"energies {verdict}: {problem.name} within {difference:.0e} of its matrix, "
        f"{floor.two_qubit_gates} CNOT within {deviation:.0e}",
        highlight=False,
    )
    for extra, modules in EXTRAS.items():
        missing = [module for module in modules if find_spec(module) is None]
        state = "installed" if not missing else f'{", ".join(missing)} missing: pip install "qas-envs[{extra}]"'
        console.print(f"  [{extra}] {state}", highlight=False, markup=False)
    return bool(works)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"

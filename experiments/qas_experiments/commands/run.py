"""``qas-run``: run the circuit of a run, or a file of OpenQASM, on a device of Qiskit, real or fake."""

from __future__ import annotations

import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from qas_envs.command import arguments_of
from qas_envs.problems import Problem
from qas_envs.registration import ENVIRONMENTS, make_registered
from qas_experiments.commands import arguments
from qas_experiments.commands.arguments import CIRCUIT_FILES
from qas_experiments.commands.errors import check_out, fail
from qas_experiments.device_settings import DeviceSettings
from qas_simulators import Circuit
from qas_simulators.errors import must, unknown_name

_WANTED = "be the folder of a run or a file of OpenQASM"


def main() -> None:
    """Entry point of the console script."""
    given = arguments.run().parse_args()
    try:
        result, path = run(given.circuit, nested(given.settings), given.file, given.out)
    except (ValueError, OSError, ImportError) as error:
        fail(error)
    console = Console(width=None if sys.stdout.isatty() else 110)
    console.print(_counts_table(result))
    console.print(_energy_table(result))
    console.print(f"results are in {path}", highlight=False, soft_wrap=True)


def nested(texts: list[str]) -> dict[str, Any]:
    """Return ``name=value`` texts as arguments; ``options.a.b=value`` is the value ``b`` of ``a`` of the options.

    Raises:
        ValueError: A text of another form.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, _, value = text.partition("=")
        *outer, last = name.split(".")
        if outer and outer[0] != "options":
            raise ValueError(must("settings", "have names without dots, except options.<name>", name))
        inside = found
        for part in outer:
            inside = inside.setdefault(part, {})
        inside |= arguments_of([f"{last}={value}"])
    return found


def run(
    circuit: Path, settings: dict[str, Any], name: str = CIRCUIT_FILES[0], out: Path | None = None
) -> tuple[Any, Path]:
    """Run a circuit on a device; write and return the figures.

    Args:
        circuit: Folder of a run, or a file of OpenQASM.
        settings: Of :class:`~qas_experiments.device_runs.DeviceSettings`; for a file, also ``env`` and the arguments of
            its problem.
        name: Which circuit of the run.
        out: The file to write; by default ``device-<backend>.json`` beside the circuit.

    Raises:
        ValueError: No such run, circuit or device, or settings that do not fit.
    """
    if not circuit.exists():
        raise ValueError(must("circuit", _WANTED, str(circuit)))
    settings = dict(settings)
    own = {key: settings.pop(key) for key in inspect.signature(DeviceSettings).parameters if key in settings}
    if circuit.is_dir():
        for key in settings:
            raise ValueError(unknown_name("setting", key, inspect.signature(DeviceSettings).parameters))
        problem, part = _of_run(circuit)
        if part is not None:
            own = {"backend": part.name, "layout": list(part.qubits)} | own if "backend" not in own else own
        circuit /= name
    else:
        problem = _of_environment(settings)
    if not circuit.is_file():
        raise ValueError(must("circuit", _WANTED, str(circuit)))
    if "backend" not in own:
        raise ValueError("A backend is needed, such as backend=fake_mumbai.")
    device = DeviceSettings(**own)
    from qas_experiments.device_runs import run_on_device  # imports Qiskit, once the words are checked
    from qas_experiments.runs.files import versions

    check_out((out or circuit).parent)
    try:
        built = Circuit.from_qasm(circuit.read_text("utf-8"))
    except UnicodeDecodeError:
        raise ValueError(must("circuit", "be a file of OpenQASM, which is text", str(circuit))) from None
    if built.num_qubits != problem.num_qubits:
        raise ValueError(must("circuit", f"have the problem's {problem.num_qubits} qubits", built.num_qubits))
    result = {"circuit": circuit.name, **run_on_device(built, problem, device), "versions": versions()}
    path = out or circuit.parent / f"device-{re.sub(r'[^A-Za-z0-9_-]', '-', result['backend'])}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result, path


def _of_run(folder: Path) -> tuple[Problem, Any]:
    from qas_experiments.building import make_environment
    from qas_experiments.runs.files import settings_of

    env = make_environment(settings_of(folder), evaluation=True, is_silent=True)
    if env.family is not None:
        raise ValueError(must("circuit", "be of one instance, not of a family; name its file and `env`", str(folder)))
    return env.problem, env.rules.backend


def _of_environment(settings: dict[str, Any]) -> Problem:
    """Return the problem of ``env`` and the arguments of its problem."""
    environment = settings.pop("env", None)
    if environment is None:
        raise ValueError("The circuit's environment is needed, such as env=QAS-LiH-v0, for its Hamiltonian.")
    if environment not in ENVIRONMENTS:
        raise ValueError(unknown_name("environment id", environment, ENVIRONMENTS))
    row = ENVIRONMENTS[environment]
    known = [*inspect.signature(row.function(settings)).parameters, *(() if row.problem else ("problem",))]
    for name in settings:
        if name not in known:
            choices = [*known, *inspect.signature(DeviceSettings).parameters]
            raise ValueError(unknown_name("setting", name, choices))
    return make_registered(environment, **settings).problem


def _counts_table(result: dict[str, Any]) -> Table:
    table = Table(title=f"{result['problem']} on {result['backend']}", title_justify="left", box=box.SIMPLE)
    for column in ("circuit", "two-qubit gates", "gates", "depth"):
        table.add_column(column, justify="left" if column == "circuit" else "right")
    for name, row in result["counts"].items():
        mark = f", run on {result['qubits']}" if name == result["run"] else ""
        table.add_row(f"{name}{mark}", *(str(row[key]) for key in ("two_qubit_gates", "gates", "depth")))
    return table


def _energy_table(result: dict[str, Any]) -> Table:
    unit = f" ({result['unit']})" if result["unit"] else ""
    table = Table(box=box.SIMPLE)
    table.add_column(f"energy{unit}")
    table.add_column("value", justify="right")
    table.add_column("above the exact one", justify="right")
    rows = {
        "exact": "exact",
        "noiseless": "of the circuit, noiseless",
        "predicted": "predicted with the device's noise",
    }
    for key, title in rows.items():
        if result[key] is not None:
            table.add_row(title, f"{result[key]:.6f}", f"{result[key] - result['exact']:+.6f}")
    value = f"{result['energy']:.6f} ± {result['error_bar']:.6f}"
    table.add_row(f"measured, {result['primitive']}", value, f"{result['energy'] - result['exact']:+.6f}")
    return table


if __name__ == "__main__":
    main()

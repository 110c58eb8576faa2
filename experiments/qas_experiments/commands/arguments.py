"""The arguments of the commands, in a module that imports nothing large.

Commands whose words are overrides of Hydra have a help text in :mod:`~qas_experiments.commands.help_texts`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from qas_experiments.commands.errors import fail
from qas_experiments.runs.paths import settings_file
from qas_simulators.errors import OneLineParser

_OF_HYDRA: Final = ("train", "benchmark")


def read(name: str) -> None:
    """End the process if a command is called with ``--help`` or with arguments that it does not have."""
    if name in PARSERS:
        given = PARSERS[name]().parse_args()
        if name == "evaluate":
            _check_run(given.run)
    elif name in _OF_HYDRA and {"--help", "-h"} & {*sys.argv[1:]}:
        from qas_experiments.commands.help_texts import help_text

        sys.stdout.write(help_text(name))
        raise SystemExit(0)


def _check_run(path: Path) -> None:
    try:
        settings_file(path)
    except ValueError as error:
        fail(error)


def report() -> argparse.ArgumentParser:
    """Return the arguments of ``qas-report``."""
    parser = OneLineParser(
        prog="qas-report", description="Write a site of records that works from disk, after verifying every circuit."
    )
    parser.add_argument("records", nargs="*", type=Path, default=[Path("runs/benchmark/records.sqlite")])
    parser.add_argument("--out", type=Path, default=Path("site"), help="folder of the site")
    parser.add_argument("--title", default="Quantum architecture search: who finds what")
    parser.add_argument(
        "--docs", help="folder of the built docs (make site) or their address; agents and instances link to their pages"
    )
    parser.add_argument(
        "--lines", type=Path, help="also write the true records to this file, as lines of text; .xz compresses them"
    )
    parser.add_argument(
        "--floors",
        type=int,
        default=3,
        help="longest skeletons of exhaustive search where no floors are known, up to 4 qubits",
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="the longest time for one record")
    parser.add_argument("--workers", type=int, help="processes that verify; by default one for each core")
    parser.add_argument(
        "--again", action="store_true", help="verify every record, also those that this version found valid before"
    )
    return parser


def evaluate() -> argparse.ArgumentParser:
    """Return the arguments of ``qas-evaluate``."""
    parser = OneLineParser(
        prog="qas-evaluate",
        description="Play the frozen policy of a run many times, and check every circuit with Qiskit.",
    )
    parser.add_argument("run", type=Path, help="folder of a run of qas-train")
    parser.add_argument("--policy", choices=("best", "last"), default="best")
    parser.add_argument("--rollouts", type=int, default=100, help="episodes of the stochastic policy")
    parser.add_argument("--epsilon", type=float, default=0.05, help="share of random actions in them, where supported")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--diagnostics",
        action="store_true",
        help="also say how hard the best circuit is to simulate, what the actions can reach, and how gradients vary",
    )
    return parser


def runs() -> argparse.ArgumentParser:
    """Return the arguments of ``qas-runs``."""
    parser = OneLineParser(
        prog="qas-runs", description="Show the progress and the results of all runs in some folders."
    )
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("runs")])
    parser.add_argument("--follow", action="store_true", help="update every three seconds, until Ctrl-C")
    parser.add_argument("--all", action="store_true", help="include finished runs")
    parser.add_argument("--drop-checkpoints", action="store_true", help="delete the checkpoints of finished runs")
    return parser


def compare() -> argparse.ArgumentParser:
    """Return the arguments of ``qas-compare``."""
    parser = OneLineParser(
        prog="qas-compare",
        description="Compare runs of qas-train: settings that differ, final figures, and learning curves.",
    )
    parser.add_argument("runs", nargs="+", type=Path, help="folders of two runs or more")
    parser.add_argument("--out", type=Path, default=Path("comparison.png"), help="picture of the curves")
    return parser


def submit() -> argparse.ArgumentParser:
    """Return the arguments of ``qas-submit``."""
    parser = OneLineParser(
        prog="qas-submit",
        description="Pack finished runs of qas-train into a file of records, after verifying their circuits.",
    )
    parser.add_argument("runs", nargs="+", type=Path, help="folders of finished runs")
    parser.add_argument("--out", type=Path, default=Path("submission.jsonl.xz"), help="file to write")
    parser.add_argument("--agent", help="name of the agent in tables; by default the name in its settings")
    parser.add_argument("--suite", default="submitted", help="heading in tables")
    parser.add_argument("--instance", help="name of the instance in tables; by default the name of the problem")
    return parser


def gadgets() -> argparse.ArgumentParser:
    """Return the arguments of ``qas-gadgets``."""
    parser = OneLineParser(prog="qas-gadgets", description="Show, draw and extract gadgets.")
    commands = parser.add_subparsers(dest="command", required=True)
    name = "a shipped set, or a file of gadgets; a wrong name lists the shipped ones"
    show = commands.add_parser("show", help="print a set of gadgets")
    show.add_argument("gadgets", help=name)
    show.add_argument("--qasm", action="store_true", help="print OpenQASM 3 definitions instead")
    draw = commands.add_parser("draw", help="draw every gadget of a set into a PNG file")
    draw.add_argument("gadgets", help=name)
    draw.add_argument("--out", type=Path, default=Path(), help="folder, created if it does not exist")
    learn = commands.add_parser("extract", help="learn gadgets from the best circuits of runs")
    learn.add_argument("runs", nargs="+", type=Path, help="run folders of qas-train, or their circuits.json")
    learn.add_argument("--out", type=Path, required=True, help="file to write")
    learn.add_argument("--count", type=int, default=3)
    learn.add_argument("--rank", default="score", help="score or usage")
    learn.add_argument("--max-calls", type=int, default=4, help="most gates or earlier gadgets in a gadget")
    learn.add_argument("--max-qubits", type=int, default=2)
    return parser


CIRCUIT_FILES: Final = ("best.qasm", "simplified.qasm", "without_noise.qasm", "frozen.qasm")
"""Circuits of a run that ``qas-run`` can run."""

_OF_DEVICES: Final = """settings, each name=value: backend (required unless the run has one), primitive (estimator or
sampler), shots, seed, layout (calibrated, connected, qiskit, or a list of the device's qubits), options.<name> (options
of the primitive, such as options.resilience_level=1 or options.dynamical_decoupling.enable=True). Of a file: env, and
the arguments of its problem."""


def run() -> argparse.ArgumentParser:
    """Return the arguments of ``qas-run``."""
    parser = OneLineParser(
        prog="qas-run",
        description="Run the circuit of a run, or a file of OpenQASM, on a device of Qiskit, real or fake.",
        epilog=_OF_DEVICES,
    )
    parser.add_argument("circuit", type=Path, help="folder of a run of qas-train, or a file of OpenQASM")
    parser.add_argument("settings", nargs="*", metavar="name=value", help="such as backend=fake_mumbai shots=10000")
    parser.add_argument("--file", choices=CIRCUIT_FILES, default=CIRCUIT_FILES[0], help="which circuit of the run")
    parser.add_argument("--out", type=Path, help="file to write; by default device-<backend>.json beside the circuit")
    return parser


def solve() -> argparse.ArgumentParser:
    """Return the arguments of ``qas-solve``."""
    parser = OneLineParser(prog="qas-solve", description="Find a circuit for a Hamiltonian, and check it with Qiskit.")
    parser.add_argument("problem", help="an environment's id, or a file: JSON, a matrix (.npy, .npz), FCIDUMP")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="argument of the problem")
    parser.add_argument("--gates", help="gate set, or gates separated by commas: ry,rz,cz")
    parser.add_argument("--couplings", help="coupling map, or pairs separated by commas: 0-1,1-2")
    parser.add_argument("--policy", default="auto", help="policy file, a policy of the library, auto, or none")
    parser.add_argument("--evaluations", type=int, default=20_000, help="budget of energy evaluations")
    parser.add_argument("--seconds", type=float, default=0.0, help="budget of wall time; 0 for none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("solved"), help="folder for the circuit")
    return parser


PARSERS: Final[dict[str, Callable[[], argparse.ArgumentParser]]] = {
    "compare": compare,
    "evaluate": evaluate,
    "gadgets": gadgets,
    "report": report,
    "run": run,
    "runs": runs,
    "solve": solve,
    "submit": submit,
}

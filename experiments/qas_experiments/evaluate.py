"""``qas-evaluate``: what the frozen policy of a run builds, played often, every circuit checked by Qiskit."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from qas_agents import MaskedDQN, SB3Agent
from qas_envs import CircuitBuildingEnv
from qas_experiments.building import make_environment
from qas_experiments.cli import fail
from qas_experiments.evaluation import rollout
from qas_experiments.interpretation import interpret
from qas_experiments.plots import rollout_histograms, save
from qas_experiments.recorder import Found
from qas_experiments.runs import settings_of
from qas_experiments.statistics import wilson_interval
from qas_simulators import StatevectorSimulator
from qas_simulators.errors import must

TOLERANCE = 1e-9
"""Largest difference between our energies and Qiskit's, relative to the Hamiltonian's coefficients."""


def main() -> None:
    """Entry point of the console script."""
    parser = argparse.ArgumentParser(prog="qas-evaluate", description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a run of qas-train")
    parser.add_argument("--policy", choices=("best", "last"), default="best")
    parser.add_argument("--rollouts", type=int, default=100, help="episodes of the stochastic policy")
    parser.add_argument("--epsilon", type=float, default=0.05, help="share of random actions in them (our agents)")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    try:
        summary = evaluate(given.run, given.policy, given.rollouts, given.epsilon, given.seed)
    except ValueError as error:
        fail(error)
    console = Console(width=None if sys.stdout.isatty() else 110)
    console.print(_table(summary))
    console.print(f"everything is in {given.run / 'evaluation.json'} and evaluation.png", highlight=False)


def evaluate(
    run: Path, policy: str = "best", rollouts: int = 100, epsilon: float = 0.05, seed: int = 0
) -> dict[str, Any]:
    """Play a run's frozen policy, greedily once and stochastically; write ``evaluation.json`` and ``evaluation.png``.

    For KANs also ``kan_edges.png`` and ``kan_importance.png``.

    Args:
        run: Folder of a run.
        policy: ``"best"`` or ``"last"``.
        rollouts: Episodes of the stochastic policy.
        epsilon: Share of random legal actions in them, for agents that explore so.
        seed: Seeds them.

    Returns:
        What ``evaluation.json`` holds.

    Raises:
        ValueError: No such run or policy, numbers out of range, or a circuit whose energy Qiskit does not confirm.
    """
    if rollouts < 1:
        raise ValueError(must("rollouts", "be at least 1", rollouts))
    if not 0 <= epsilon <= 1:
        raise ValueError(must("epsilon", "lie in [0, 1]", epsilon))
    path = run / f"policy_{policy}.safetensors"
    agent, env = _frozen(run, path)
    agent.reseed(seed, epsilon)
    env.reset(seed=seed)
    greedy = rollout(agent, env, deterministic=True)[0]
    played = [rollout(agent, env, deterministic=False)[0] for _ in range(rollouts)]
    accuracy = env.problem.accuracy
    solved = [found.energy_error < accuracy for found in played]
    low, high = wilson_interval(sum(solved), rollouts)
    best = min([greedy, *played], key=lambda found: found.rank(accuracy))
    summary = {
        "problem": env.problem.name,
        "policy": path.name,
        "accuracy": accuracy,
        "unit": env.problem.unit,
        "checked_by_qiskit": max(_checked(found, env) for found in [greedy, *played]),
        "greedy": _row(greedy, accuracy),
        "stochastic": {
            "rollouts": rollouts,
            "epsilon": epsilon,
            "success_probability": sum(solved) / rollouts,
            "interval": [low, high],
            **{name: _quantiles(played, name) for name in ("energy_error", "two_qubit_gates", "depth", "gates")},
        },
        "best": _row(best, accuracy) | {"qasm": best.circuit.to_qasm3()},
    }
    importance = interpret(agent, env, run)
    if importance is not None:
        summary["importance"] = importance
    (run / "evaluation.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    gates, depths = [found.circuit.num_two_qubit_gates for found in played], [found.circuit.depth() for found in played]
    save(
        rollout_histograms(
            [found.energy_error for found in played], gates, depths, accuracy=accuracy, unit=env.problem.unit
        ),
        run / "evaluation.png",
    )
    return summary


def _frozen(run: Path, path: Path) -> tuple[MaskedDQN | SB3Agent, CircuitBuildingEnv]:
    """Return a run's policy and the environment to judge it on."""
    settings = settings_of(run)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # said when it was trained
        env = make_environment(settings, evaluation=True)
    if not path.exists():
        raise ValueError(must("run", f"hold {path.name}: an agent with a policy, trained to the end", str(run)))
    kind = SB3Agent if settings.agent["name"] == "sb3" else MaskedDQN
    return kind.load(path, env), env


def _checked(found: Found, env: CircuitBuildingEnv) -> float:
    """Return how far Qiskit's noiseless energy is from ours."""
    from qiskit.quantum_info import Statevector

    hamiltonian = env.problem.hamiltonian
    theirs = Statevector(found.circuit.to_qiskit()).expectation_value(hamiltonian.to_qiskit()).real
    ours = StatevectorSimulator().expectation(found.circuit, hamiltonian)
    difference = abs(theirs - ours)
    if difference > TOLERANCE * max(1.0, float(np.abs(hamiltonian.coefficients).sum())):
        raise ValueError(f"Qiskit finds the energy {theirs!r}, we {ours!r}, of\n{found.circuit.to_qasm3()}")
    if not env.simulator.is_noisy and abs(found.energy - ours) > 1e-8 and env.simulator.shots is None:
        raise ValueError(f"The energy was said to be {found.energy!r}, but is {ours!r}, of\n{found.circuit.to_qasm3()}")
    return float(difference)


def _row(found: Found, accuracy: float) -> dict[str, Any]:
    row = found.numbers()
    row.pop("seconds")
    return row | {"success": bool(found.energy_error < accuracy)}


def _quantiles(played: list[Found], name: str) -> dict[str, float]:
    values = [found.numbers()[name] for found in played]
    levels = {"min": 0.0, "quartile1": 0.25, "median": 0.5, "quartile3": 0.75, "max": 1.0}
    return {key: float(np.quantile(values, level)) for key, level in levels.items()}


def _table(summary: dict[str, Any]) -> Table:
    stochastic = summary["stochastic"]
    title = f"{summary['problem']}, {summary['policy']}: solved below {summary['accuracy']:g} {summary['unit']}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    for column in ("", "success", "true error", "CNOT", "depth", "gates"):
        table.add_column(column, justify="left" if not column else "right", no_wrap=True)
    for name in ("greedy", "best"):
        row = summary[name]
        counts = [str(row[key]) for key in ("two_qubit_gates", "depth", "gates")]
        table.add_row(name, "yes" if row["success"] else "no", f"{row['energy_error']:.3e}", *counts)
    low, high = stochastic["interval"]
    success = f"{100 * stochastic['success_probability']:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"
    medians = [f"{stochastic[key]['median']:g}" for key in ("two_qubit_gates", "depth", "gates")]
    error = f"{stochastic['energy_error']['median']:.3e}"
    table.add_row(f"{stochastic['rollouts']} rollouts, medians", success, error, *medians)
    table.caption = f"every energy confirmed by Qiskit to {summary['checked_by_qiskit']:.1e}"
    return table


if __name__ == "__main__":
    main()

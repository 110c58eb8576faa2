"""``qas-evaluate``: play the frozen policy of a run many times, and check every circuit with Qiskit."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from qas_envs import CircuitBuildingEnv
from qas_envs.energy_errors import error_text
from qas_envs.problems import Problem
from qas_envs.simulation import without_shots
from qas_experiments.agents import load_policy, policy_path, reseed
from qas_experiments.building import make_environment
from qas_experiments.commands import arguments
from qas_experiments.commands.errors import fail
from qas_experiments.counting import number_of
from qas_experiments.diagnostics import diagnose, lines_of
from qas_experiments.plots import rollout_histograms, save
from qas_experiments.qiskit_energies import energy_by_qiskit
from qas_experiments.runs.files import settings_of
from qas_experiments.statistics import wilson_interval
from qas_experiments.training.interpretation import interpret
from qas_experiments.training.recorder import Solution, transpiled_counts
from qas_experiments.training.rollouts import instance_name, rollout
from qas_simulators import StatevectorSimulator
from qas_simulators.errors import must

TOLERANCE = 1e-9
"""Largest difference from Qiskit's energies, relative to the sum of the Hamiltonian's coefficients."""

_COUNTS = ("two_qubit_gates", "simplified_two_qubit_gates", "transpiled_two_qubit_gates", "depth", "gates")
"""Counts of a row of the table."""


def main() -> None:
    """Entry point of the console script."""
    given = arguments.evaluate().parse_args()
    try:
        summary = evaluate(given.run, given.policy, given.rollouts, given.epsilon, given.seed, given.diagnostics)
    except ValueError as error:
        fail(error)
    console = Console(width=None if sys.stdout.isatty() else 110)
    console.print(_table(summary))
    for line in lines_of(summary["diagnostics"]) if given.diagnostics else ():
        console.print(line, highlight=False)
    console.print(f"results are in {given.run / 'evaluation.json'} and evaluation.png", highlight=False)


@dataclass(frozen=True)
class Rollout:
    """An episode of a policy, with the instance on which it was played.

    Attributes:
        solution: The last circuit.
        problem: The instance; in a family, the member that was drawn.
        member: Varied parameters of the member, by name; empty without a family.
    """

    solution: Solution
    problem: Problem
    member: dict[str, float]

    @property
    def is_solved(self) -> bool:
        """Whether the error is below the accuracy of the instance."""
        return self.solution.energy_error < self.problem.accuracy

    @property
    def rank(self) -> tuple[float, ...]:
        """A key that is smaller for better circuits."""
        return self.solution.rank(self.problem.accuracy)

    def row(self) -> dict[str, Any]:
        """Return the figures of the episode."""
        figures = self.solution.numbers()
        figures.pop("seconds")
        figures |= {"success": self.is_solved, "problem": self.problem.name, "accuracy": self.problem.accuracy}
        return figures | ({"member": self.member} if self.member else {})


def evaluate(
    run: Path,
    policy: str = "best",
    rollouts: int = 100,
    epsilon: float = 0.05,
    seed: int = 0,
    diagnostics: bool = False,
) -> dict[str, Any]:
    """Play a run's frozen policy; write ``evaluation.json`` and ``evaluation.png``.

    The policy is played once greedily, then stochastically. KANs also give ``kan_edges.png`` and
    ``kan_importance.png``. In a family every episode is judged by the member that it was played on.

    Args:
        run: Folder of a run.
        policy: ``"best"`` or ``"last"``.
        rollouts: Episodes of the stochastic policy.
        epsilon: Share of random legal actions in them, for agents that support it.
        seed: Seed of the episodes.
        diagnostics: Whether to add ``diagnostics``, see :func:`~qas_experiments.diagnostics.diagnose`.

    Returns:
        The content of ``evaluation.json``.

    Raises:
        ValueError: There is no such run or policy, a number is out of range, or Qiskit finds another energy.
    """
    if rollouts < 1:
        raise ValueError(must("rollouts", "be at least 1", rollouts))
    if not 0 <= epsilon <= 1:
        raise ValueError(must("epsilon", "lie in [0, 1]", epsilon))
    if seed < 0:
        raise ValueError(must("seed", "not be negative", seed))
    env = make_environment(settings_of(run), evaluation=True, is_silent=True)  # training gave the warnings
    agent = load_policy(run, policy, env)
    reseed(agent, seed, epsilon)
    env.reset(seed=seed)
    greedy = _played(agent, env, deterministic=True)
    played = [_played(agent, env, deterministic=False) for _ in range(rollouts)]
    summary = _summary(greedy, played, env)
    summary |= {"policy": policy_path(run, policy).name}
    _add_transpiled(summary, greedy, played)
    summary["stochastic"] |= {"rollouts": rollouts, "epsilon": epsilon}
    if diagnostics:
        best = min([greedy, *played], key=lambda rollout: rollout.rank)
        summary["diagnostics"] = diagnose(env, best.solution.circuit, best.problem, seed)
    importance = interpret(agent, env, run)
    if importance is not None:
        summary["importance"] = importance
    (run / "evaluation.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    circuits = [rollout.solution.circuit for rollout in played]
    figure = rollout_histograms(
        [rollout.solution.energy_error for rollout in played],
        [circuit.num_two_qubit_gates for circuit in circuits],
        [circuit.depth() for circuit in circuits],
        accuracy=summary["accuracy"],
        unit=env.problem.unit,
    )
    save(figure, run / "evaluation.png")
    return summary


def _played(agent: Any, env: CircuitBuildingEnv, deterministic: bool) -> Rollout:
    """Play one episode; keep its instance, which the next reset may change."""
    found, _ = rollout(agent, env, deterministic)
    member = {} if env.family is None else dict(zip(env.family.names, env.episode.context, strict=True))
    return Rollout(found, env.problem, member)


def _summary(greedy: Rollout, played: list[Rollout], env: CircuitBuildingEnv) -> dict[str, Any]:
    """Return all figures; ``accuracy`` is the smallest of all instances, below which an episode solves any of them."""
    solved = [rollout.is_solved for rollout in played]
    best = min([greedy, *played], key=lambda rollout: rollout.rank)
    stochastic: dict[str, Any] = {
        "success_probability": sum(solved) / len(solved),
        "interval": list(wilson_interval(sum(solved), len(solved))),
        **{name: _quantiles(played, name) for name in ("energy_error", *_COUNTS[:2], "depth", "gates")},
    }
    if env.family is not None:
        stochastic["episodes"] = [
            {"member": one.member, "energy_error": one.solution.energy_error, "success": one.is_solved}
            for one in played
        ]
    return {
        "problem": instance_name(env),
        "accuracy": min(rollout.problem.accuracy for rollout in [greedy, *played]),
        "unit": env.problem.unit,
        "checked_by_qiskit": max(_checked(rollout, env) for rollout in [greedy, *played]),
        "greedy": greedy.row(),
        "stochastic": stochastic,
        "best": best.row() | {"qasm": best.solution.circuit.to_qasm3()},
    }


def _add_transpiled(summary: dict[str, Any], greedy: Rollout, played: list[Rollout]) -> None:
    """Add the counts after Qiskit's transpiler to the rows of single circuits and to the medians."""
    rollouts = [greedy, *played]
    counts = transpiled_counts([one.solution.circuit for one in rollouts])
    best = min(range(len(rollouts)), key=lambda place: rollouts[place].rank)
    for name, found in (("greedy", counts[0]), ("best", counts[best])):
        summary[name] |= {f"transpiled_{key}": value for key, value in found.items()}
    for key in counts[0]:
        summary["stochastic"][f"transpiled_{key}"] = _levels([found[key] for found in counts[1:]])


def _checked(rollout: Rollout, env: CircuitBuildingEnv) -> float:
    """Return the difference of a rollout's noiseless energy from Qiskit's.

    Raises:
        ValueError: The difference is too large, or the energy of the episode is not the one of its circuit.
    """
    circuit, hamiltonian = rollout.solution.circuit, rollout.problem.hamiltonian
    theirs = energy_by_qiskit(circuit, hamiltonian)
    if theirs is None:
        raise ValueError(must("run", "have few enough qubits for Qiskit's check", circuit.num_qubits))
    ideal = StatevectorSimulator() if env.simulator.is_noisy else without_shots(env.simulator)
    ours = ideal.expectation(circuit, hamiltonian)
    scale = max(1.0, float(np.abs(hamiltonian.coefficients).sum()))
    if abs(theirs - ours) > TOLERANCE * scale:
        raise ValueError(f"Qiskit finds the energy {theirs!r}, but this library {ours!r}, for\n{circuit.to_qasm3()}")
    again = without_shots(env.simulator).expectation(circuit, hamiltonian)  # with the environment's noise
    energy = rollout.solution.energy
    if abs(energy - again) > 10 * TOLERANCE * scale:
        message = f"An episode on {rollout.problem.name} has the energy {energy!r}, but a simulation {again!r}, for"
        raise ValueError(f"{message}\n{circuit.to_qasm3()}")
    return float(abs(theirs - ours))


def _quantiles(played: list[Rollout], name: str) -> dict[str, float]:
    return _levels([rollout.solution.numbers()[name] for rollout in played])


def _levels(values: list[float]) -> dict[str, float]:
    """Return least, largest and median value, and the quartiles."""
    levels = {"min": 0.0, "quartile1": 0.25, "median": 0.5, "quartile3": 0.75, "max": 1.0}
    return {key: float(np.quantile(values, level)) for key, level in levels.items()}


def _table(summary: dict[str, Any]) -> Table:
    stochastic = summary["stochastic"]
    title = f"{summary['problem']}, {summary['policy']}: solved below {summary['accuracy']:g} {summary['unit']}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    for column in ("", "success", "true error", "CNOT", "simplified", "by Qiskit", "depth", "gates"):
        table.add_column(column, justify="left" if not column else "right", no_wrap=True)
    for name in ("greedy", "best"):
        row = summary[name]
        counts = [str(row[key]) for key in _COUNTS]
        of = f"{name}, {row['problem']}" if "member" in row else name
        table.add_row(of, "yes" if row["success"] else "no", error_text(row["energy_error"], 3), *counts)
    low, high = stochastic["interval"]
    success = f"{100 * stochastic['success_probability']:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"
    medians = [f"{stochastic[key]['median']:g}" for key in _COUNTS]
    error = error_text(stochastic["energy_error"]["median"], 3)
    table.add_row(f"{number_of(stochastic['rollouts'], 'rollout')}, medians", success, error, *medians)
    table.caption = (
        f"every energy confirmed by Qiskit to {summary['checked_by_qiskit']:.1e}\n"
        "simplified: CNOTs after gates merge and cancel; by Qiskit: after its transpiler at level 3"
    )
    table.caption_justify = "left"
    return table


if __name__ == "__main__":
    main()

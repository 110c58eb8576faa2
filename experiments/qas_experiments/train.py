"""``qas-train``: train an agent on an environment, and show what it found beside the trivial baselines."""

from __future__ import annotations

import dataclasses
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from qas_agents import GreedySearch, RandomPolicy
from qas_envs import CircuitBuildingEnv
from qas_experiments.building import Agent, make_agent, make_environment
from qas_experiments.cli import fail, run_command
from qas_experiments.evaluation import trivial_circuits
from qas_experiments.interrupts import Interrupt, interrupt_requests
from qas_experiments.plots import circuit_figure, save
from qas_experiments.recorder import Found, Recorder, counts_of
from qas_experiments.reporting import TrainingBar, closing_table
from qas_experiments.rounds import play_rounds
from qas_experiments.runs import RunFolder, new_folder, require_unfinished, settings_of, versions, write_circuits
from qas_experiments.session import Session
from qas_experiments.settings import TrainingSettings, TrainSettings
from qas_experiments.shortening import reported
from qas_experiments.transfer import begin_with
from qas_simulators import Circuit
from qas_simulators.errors import must

_WIDTH = 110  # of the closing table, and of everything where there is no terminal


def main() -> None:
    """Entry point of the console script."""
    resume = [argument for argument in sys.argv[1:] if argument.startswith("resume=")]
    if resume and len(sys.argv) > 2:
        fail(ValueError(must("resume", "stand alone (a run goes on with its own settings)", " ".join(sys.argv[1:]))))
    run_command("train", train)


def train(settings: TrainSettings, watch: Callable[[Recorder], None] = lambda _: None) -> dict[str, Any]:
    """Train, or go on training, evaluate the frozen policy, play the baselines, write the run folder.

    Args:
        settings: Everything there is to choose.
        watch: Called after every step of a single training; what it raises ends the run.

    Returns:
        The summary, as in ``summary.json``.

    Raises:
        ValueError: Settings that do not make sense, a run folder that exists, or none to resume.
    """
    resumed = settings.resume
    if resumed is not None:
        settings = settings_of(Path(resumed))
        require_unfinished(Path(resumed))
    if settings.rounds:
        return play_rounds(settings, None if resumed is None else Path(resumed), train)
    training = settings.training
    _check(training)
    torch.set_num_threads(training.threads)
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    started = time.perf_counter()
    env, judge = _environments(settings, console)
    agent = make_agent(settings, env)
    if settings.policy is not None:
        begin_with(agent, env, Path(settings.policy))
    folder = RunFolder.reopen(Path(resumed)) if resumed is not None else new_folder(settings)
    sizes = f"{env.problem.num_qubits} qubits, {len(env.catalogue)} actions"
    console.print(f"[bold]{_name(env)}[/]: {sizes}, run {folder.path}")
    judge.reset(seed=training.seed)
    judge.step(0)  # compiles what is not in the cache yet, so that training does not pay for it
    ready_seconds = time.perf_counter() - started
    console.print(f"environment and kernels ready after {ready_seconds:.1f} s", highlight=False)
    with closing(folder), interrupt_requests() as interrupt:
        kept = settings.extraction.circuits
        session = Session(training, agent, env, judge, folder, console, interrupt, kept, watch)
        recorder = session.recorder
        if resumed is not None:
            console.print(
                f"resumed after {recorder.steps:,} steps" if session.resume() else "no checkpoint: from the start"
            )
        policies = session.run()
        rows: dict[str, Found | None] = {"found in training": recorder.best, **policies}
        if env.simulator.is_noisy:
            rows["best without noise"] = recorder.without_noise
        if env.family is None:
            rows |= trivial_circuits(judge)
        others = _play_baselines(settings, recorder, interrupt, console) if training.baselines else {}
    rows |= {name: other.best for name, other in others.items()}
    short = {name: None if found is None else reported(found, env) for name, found in rows.items()}
    summary = _summary(settings, env, recorder, rows, short, others, ready_seconds, interrupt.requested)
    if recorder.best is not None and (best := short["found in training"]) is not None:
        folder.write_text("best.qasm", recorder.best.circuit.to_qasm3())
        _write_reported(folder, best.circuit)
    if recorder.without_noise is not None:
        folder.write_text("without_noise.qasm", recorder.without_noise.circuit.to_qasm3())
    if (frozen := policies.get("frozen policy, best")) is not None:
        folder.write_text("frozen.qasm", frozen.circuit.to_qasm3())
    write_circuits(folder, "circuits.json", recorder.kept)
    write_circuits(folder, "front.json", recorder.front)
    _show(env, short, rows, folder, console)
    folder.forget_progress()
    folder.write_json("summary.json", summary)  # last: it says that all the rest is there
    return summary


def _check(training: TrainingSettings) -> None:
    """Raise ``ValueError`` for numbers out of range."""
    for name in ("total_timesteps", "threads", "evaluate_every"):
        if getattr(training, name) < 1:
            raise ValueError(must(f"training.{name}", "be at least 1", getattr(training, name)))
    for name in ("seed", "checkpoint_every", "max_evaluations", "max_seconds"):
        if getattr(training, name) < 0:
            raise ValueError(must(f"training.{name}", "not be negative", getattr(training, name)))


def _environments(settings: TrainSettings, console: Console) -> tuple[CircuitBuildingEnv, CircuitBuildingEnv]:
    """Return the environments to train and to evaluate on; say once what they warn of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        environments = make_environment(settings), make_environment(settings, evaluation=True)
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        console.print(f"warning: {message}", highlight=False, soft_wrap=True)
    return environments


def _name(env: CircuitBuildingEnv) -> str:
    """Return the problem's name, or the family's."""
    if env.family is None:
        return env.problem.name
    return f"family of {env.family.at(env.family.first()).name}: {', '.join(env.family.names)}"


def _show(
    env: CircuitBuildingEnv,
    rows: dict[str, Found | None],
    raw: dict[str, Found | None],
    folder: RunFolder,
    console: Console,
) -> None:
    """Print and write the closing table, print the best circuit."""
    problem = env.problem
    title = f"{_name(env)}: exact {problem.ground_energy:.9f} {problem.unit}, solved below {problem.accuracy:g}"
    if env.family is not None:
        title = f"{_name(env)}: each row is of some member, solved below {problem.accuracy:g}"
    text = _as_text(closing_table(title, problem.unit, rows, raw))
    folder.write_text("summary.txt", text)
    console.print(text, highlight=False, soft_wrap=True)
    best = rows["found in training"]
    if best is not None:
        console.print(best.circuit.draw(), highlight=False, soft_wrap=True)
    console.print(f"everything is in {folder.path}", highlight=False)


def _play_baselines(
    settings: TrainSettings, recorder: Recorder, interrupt: Interrupt, console: Console
) -> dict[str, Recorder]:
    """Give the random legal policy and the greedy construction the energy evaluations that training took."""
    budget, played = recorder.evaluations, {}
    makers: dict[str, Callable[[CircuitBuildingEnv], Agent]] = {
        "random legal policy": lambda env: RandomPolicy(env, settings.training.seed),
        "greedy construction": lambda env: GreedySearch(env),
    }
    for name, make in makers.items():
        if interrupt.requested:
            console.print(f"interrupted: {name} was not played", highlight=False)
            continue
        env = make_environment(settings, evaluation=True, is_silent=True)

        def should_stop() -> bool:
            bar.update(other)  # noqa: B023  called within this iteration only
            return interrupt.requested or other.evaluations >= budget  # noqa: B023

        console.print(f"{name}, at most {budget:,} evaluations", highlight=False)
        with TrainingBar(console, recorder.steps, env.problem.unit, settings.training.progress) as bar:
            other = Recorder(env, lambda row: None, should_stop)
            make(env).learn(2**62, callback=other)
        played[name] = other
    return played


def _summary(
    settings: TrainSettings,
    env: CircuitBuildingEnv,
    recorder: Recorder,
    rows: dict[str, Found | None],
    short: dict[str, Found | None],
    others: dict[str, Recorder],
    ready_seconds: float,
    interrupted: bool,
) -> dict[str, Any]:
    problem = env.problem
    return {
        "problem": _name(env),
        "sha256": problem.provenance.get("sha256"),
        "ground_energy": problem.ground_energy,
        "accuracy": problem.accuracy,
        "unit": problem.unit,
        "settings": dataclasses.asdict(settings),
        "versions": versions(),
        "interrupted": interrupted,
        "ready_seconds": ready_seconds,
        "training": _account(recorder),
        "rows": {name: _row(found, short[name]) for name, found in rows.items()},
        "baselines": {name: _account(other) for name, other in others.items()},
    }


def _row(found: Found | None, short: Found | None) -> dict[str, Any] | None:
    """Return the figures of a circuit as it was found, and those of what is reported of it."""
    if found is None or short is None:
        return None
    simplified = {"energy": short.energy, **counts_of(short.circuit)}
    return found.numbers() | {f"simplified_{name}": value for name, value in simplified.items()}


def _account(recorder: Recorder) -> dict[str, Any]:
    return {
        "steps": recorder.steps,
        "episodes": recorder.episodes,
        "successes": recorder.successes,
        "evaluations": recorder.evaluations,
        "gradients": recorder.gradients,
        "seconds": recorder.seconds,
        "first_solved": None if recorder.first_solved is None else recorder.first_solved.numbers(),
        "improvements": recorder.improvements,
    }


def _write_reported(folder: RunFolder, circuit: Circuit) -> None:
    """Write the circuit that the run reports, as text and as a picture."""
    folder.write_text("simplified.qasm", circuit.to_qasm3())
    folder.write_text("best.txt", circuit.draw() + "\n")
    save(circuit_figure(circuit), folder.path / "best.png")


def _as_text(table: Table) -> str:
    buffer = StringIO()
    Console(width=_WIDTH, file=buffer).print(table)
    return buffer.getvalue()


if __name__ == "__main__":
    main()

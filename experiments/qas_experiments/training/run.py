"""A run: train an agent on an environment, and compare its circuits with baselines."""

from __future__ import annotations

import dataclasses
import math
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from qas_agents import GreedySearch, RandomPolicy
from qas_agents.protocols import Agent
from qas_envs import CircuitBuildingEnv
from qas_experiments.agents import with_policy_actions
from qas_experiments.building import Plan, reward_note
from qas_experiments.counting import number_of
from qas_experiments.interrupts import Interrupt, interrupt_requests
from qas_experiments.runs.files import git_commit, new_folder, versions, write_circuits, write_settings
from qas_experiments.runs.folders import SUMMARY, RunFolder
from qas_experiments.settings import TrainingSettings, TrainSettings
from qas_experiments.training.clock import Clock
from qas_experiments.training.contents import with_contents
from qas_experiments.training.continuing import continued_settings
from qas_experiments.training.display import TrainingBar, closing_table
from qas_experiments.training.loggers import LoggerChoice
from qas_experiments.training.recorder import Recorder, Solution, counts_of, transpiled_counts
from qas_experiments.training.rollouts import instance_name, trivial_circuits
from qas_experiments.training.rounds import play_rounds
from qas_experiments.training.session import Session
from qas_experiments.training.shortening import reported
from qas_experiments.training.transfer import begin_with
from qas_simulators.errors import must

_WIDTH = 110  # of the closing table, and of everything where there is no terminal


def train(
    settings: TrainSettings,
    watch: Callable[[Recorder], None] = lambda _: None,
    limits: Mapping[str, float] | None = None,
    console: Console | None = None,
    opened: Callable[[Path], None] = lambda _: None,
) -> dict[str, Any]:
    """Train or resume, evaluate the frozen policy, play the baselines, and write the run folder.

    Args:
        settings: The settings of ``qas-train``.
        watch: Function called after every step of a single training; an exception that it raises ends the run.
        limits: New limits of a run that is resumed, by their names in ``training``.
        console: Console for messages of a single training, by default the one of standard output.
        opened: Function called with the folder of a single training before its first step.

    Returns:
        The content of ``summary.json``.

    Raises:
        ValueError: Invalid settings, a run folder that exists already, or no run to resume.
    """
    resumed = settings.resume
    if resumed is not None:
        settings = continued_settings(Path(resumed), limits or {})
    if settings.rounds:
        return play_rounds(settings, None if resumed is None else Path(resumed), train)
    plan = Plan.of(with_contents(with_policy_actions(settings)))
    settings, training = plan.settings, plan.settings.training
    _check(training)
    loggers, console = [LoggerChoice.of(each) for each in settings.loggers], console or _console()
    ready = Clock()
    env, judge = _environments(plan, console)
    agent = plan.make_agent(env)
    _set_torch(training)
    if settings.policy is not None:
        begin_with(agent, env, Path(settings.policy))
    folder = RunFolder.reopen(Path(resumed)) if resumed is not None else new_folder(settings)
    with closing(folder), interrupt_requests() as interrupt:
        opened(folder.path)
        sizes = f"{number_of(env.problem.num_qubits, 'qubit')}, {number_of(len(env.catalogue), 'action')}"
        sizes += " (blocks of gates)" if env.catalogue.num_blocks else ""
        console.print(f"[bold]{instance_name(env)}[/]: {sizes}, run {folder.path}")
        judge.reset(seed=training.seed)
        judge.step(0)  # compiles kernels that are not cached, so that their compilation is not counted as training
        ready.stop()
        if note := reward_note(plan.settings):
            console.print(note, highlight=False, markup=False, soft_wrap=True)
        console.print(f"environment and kernels ready after {ready.seconds:.1f} s", highlight=False)
        kept = settings.extraction.circuits
        session = Session(training, agent, env, judge, folder, console, interrupt, kept, watch, loggers)
        if resumed is not None:
            has_checkpoint = session.resume()
            folder.remove_end()
            if limits:
                write_settings(folder, settings)
            resumed_at = f"resumed after {session.recorder.steps:,} steps"
            console.print(resumed_at if has_checkpoint else "no checkpoint: training starts from the beginning")
        with folder.recording_aborts():
            return _play(plan, session, env, judge, folder, console, interrupt, ready.seconds)


def _set_torch(training: TrainingSettings) -> None:
    if (torch := sys.modules.get("torch")) is not None:  # most searches do without
        torch.set_num_threads(training.threads)
        torch.backends.cuda.matmul.allow_tf32 = training.tf32


def _play(
    plan: Plan,
    session: Session,
    env: CircuitBuildingEnv,
    judge: CircuitBuildingEnv,
    folder: RunFolder,
    console: Console,
    interrupt: Interrupt,
    ready_seconds: float,
) -> dict[str, Any]:
    """Train, evaluate, play the baselines, write the results, and return the summary; time each part separately."""
    session.run()
    recorder, seconds = session.recorder, {"ready": ready_seconds, "training": session.recorder.seconds}
    with _timed(seconds, "evaluation"):
        policies = session.frozen()
        rows: dict[str, Solution | None] = {"found in training": recorder.best, **policies}
        if env.simulator.is_noisy:
            rows["best without noise"] = recorder.without_noise
        if env.family is None:
            rows |= trivial_circuits(judge)
    folder.write_progress(recorder.steps, recorder.evaluations, recorder.seconds, "baselines")
    with _timed(seconds, "baselines"):
        others = _play_baselines(plan, recorder, interrupt, console) if plan.settings.training.baselines else {}
    rows |= {name: other.best for name, other in others.items()}
    with _timed(seconds, "saving"):
        short = {name: None if found is None else reported(found, env) for name, found in rows.items()}
        _write_circuits(folder, recorder, short["found in training"], policies.get("frozen policy, best"))
        known = {name: found.circuit for name, found in short.items() if found is not None}
        transpiled = dict(zip(known, transpiled_counts([*known.values()]), strict=True))
        _show(env, short, rows, transpiled, folder, console)
        if plan.settings.training.progress:
            _show_next_commands(folder.path, plan.settings.training, recorder, console)
    summary = _summary(plan.settings, env, recorder, rows, short, others, transpiled)
    summary |= {"ended_by": session.ended_by, "interrupted": interrupt.requested, "interrupted_by": interrupt.signal}
    summary |= {"ready_seconds": ready_seconds, "seconds": seconds}
    folder.remove_progress()
    folder.write_json(SUMMARY, summary)  # last, because its presence marks the folder as complete
    if not plan.settings.checkpoint.keep and not interrupt.requested:
        session.drop_checkpoint()
    return summary


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH)


@contextmanager
def _timed(seconds: dict[str, float], part: str) -> Iterator[None]:
    """Record the wall time of a block."""
    clock = Clock()
    yield
    seconds[part] = clock.seconds


def _check(training: TrainingSettings) -> None:
    """Raise ``ValueError`` for numbers out of range."""
    for name in ("total_timesteps", "threads", "evaluate_every"):
        if getattr(training, name) < 1:
            raise ValueError(must(f"training.{name}", "be at least 1", getattr(training, name)))
    for name in ("seed", "checkpoint_every", "max_evaluations", "max_seconds"):
        if getattr(training, name) < 0:
            raise ValueError(must(f"training.{name}", "not be negative", getattr(training, name)))


def _environments(plan: Plan, console: Console) -> tuple[CircuitBuildingEnv, CircuitBuildingEnv]:
    """Return the environments for training and for evaluation; print each of their warnings once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        environments = plan.make_environment(), plan.make_environment(evaluation=True)
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        console.print(f"warning: {message}", highlight=False, soft_wrap=True)
    return environments


def _show(
    env: CircuitBuildingEnv,
    rows: dict[str, Solution | None],
    raw: dict[str, Solution | None],
    transpiled: Mapping[str, Mapping[str, int]],
    folder: RunFolder,
    console: Console,
) -> None:
    """Print and write the closing table, and print the best circuit."""
    problem = env.problem
    title = f"{instance_name(env)}: exact {problem.ground_energy:.9f} {problem.unit}, solved below {problem.accuracy:g}"
    if env.family is not None:
        title = f"{instance_name(env)}: each row is for one member, solved below {problem.accuracy:g}"
    text = _as_text(closing_table(title, problem.unit, rows, raw, transpiled))
    folder.write_text("summary.txt", text)
    console.print(text, highlight=False, soft_wrap=True)
    best = rows["found in training"]
    if best is not None:
        console.print(best.circuit.draw(), highlight=False, soft_wrap=True)
    console.print(f"all files are in {folder.path}", highlight=False)


def _show_next_commands(run: Path, training: TrainingSettings, recorder: Recorder, console: Console) -> None:
    """Print commands that a reader of the results may want next; training continues with twice what ended it."""
    spent = {
        "total_timesteps": recorder.steps,
        "max_evaluations": recorder.evaluations,
        "max_seconds": math.ceil(recorder.seconds),
    }
    ended = [name for name, amount in spent.items() if 0 < getattr(training, name) <= amount] or ["total_timesteps"]
    limits = " ".join(f"training.{name}={2 * spent[name]}" for name in ended)
    has_policy = any(run.glob("policy_*"))
    commands = {f"qas-evaluate {run}": "play the trained policy 100 times"} if has_policy else {}
    commands |= {
        f"qas-train resume={run} {limits}": "train on",
        f"tensorboard --logdir {run}": "curves of the return, the length and the error",
    }
    console.print("next:")
    for command, purpose in commands.items():
        console.print(f"  {command}  # {purpose}", highlight=False, markup=False, soft_wrap=True)


def _play_baselines(plan: Plan, recorder: Recorder, interrupt: Interrupt, console: Console) -> dict[str, Recorder]:
    """Play the random legal policy and the greedy construction with as many energy evaluations as the training."""
    budget, played = recorder.evaluations, {}
    makers: dict[str, Callable[[CircuitBuildingEnv], Agent]] = {
        "random legal policy": lambda env: RandomPolicy(env, plan.settings.training.seed),
        "greedy construction": lambda env: GreedySearch(env),
    }
    for name, make in makers.items():
        if interrupt.requested:
            console.print(f"interrupted: {name} was skipped", highlight=False)
            continue
        env = plan.make_environment(evaluation=True, is_silent=True)

        def should_stop() -> bool:
            bar.update(other, lambda other: min(1.0, other.evaluations / budget))  # noqa: B023  within this iteration
            return interrupt.requested or other.evaluations >= budget  # noqa: B023

        console.print(f"{name}, at most {budget:,} evaluations", highlight=False)
        with TrainingBar(console, recorder.steps, env.problem.unit, plan.settings.training.progress) as bar:
            other = Recorder(env, lambda row: None, should_stop)
            make(env).learn(2**62, callback=other)
            other.clock.stop()
        played[name] = other
    return played


def _summary(
    settings: TrainSettings,
    env: CircuitBuildingEnv,
    recorder: Recorder,
    rows: dict[str, Solution | None],
    short: dict[str, Solution | None],
    others: dict[str, Recorder],
    transpiled: Mapping[str, Mapping[str, int]],
) -> dict[str, Any]:
    problem = env.problem
    return {
        "problem": instance_name(env),
        "sha256": problem.provenance.get("sha256"),
        "ground_energy": problem.ground_energy,
        "accuracy": problem.accuracy,
        "unit": problem.unit,
        "settings": dataclasses.asdict(settings),
        "versions": versions(),
        "git_commit": git_commit(),
        "training": _account(recorder),
        "rows": {name: _row(found, short[name], transpiled.get(name, {})) for name, found in rows.items()},
        "baselines": {name: _account(other) for name, other in others.items()},
    }


def _row(found: Solution | None, short: Solution | None, transpiled: Mapping[str, int]) -> dict[str, Any] | None:
    """Return the figures of a circuit as it was found, of its shortened version, and of that one transpiled."""
    if found is None or short is None:
        return None
    simplified = {"energy": short.energy, **counts_of(short.circuit)}
    figures = found.numbers() | {f"simplified_{name}": value for name, value in simplified.items()}
    return figures | {f"transpiled_{name}": value for name, value in transpiled.items()}


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


def _write_circuits(folder: RunFolder, recorder: Recorder, best: Solution | None, frozen: Solution | None) -> None:
    """Write the circuits as they were built, and the best one also in its shortened version."""
    from qas_experiments.plots import circuit_figure, save  # imports Matplotlib

    raw = {"best.qasm": recorder.best, "without_noise.qasm": recorder.without_noise, "frozen.qasm": frozen}
    for name, found in raw.items():
        if found is not None:
            folder.write_text(name, found.circuit.to_qasm3())
    if best is not None:
        folder.write_text("simplified.qasm", best.circuit.to_qasm3())
        folder.write_text("best.txt", best.circuit.draw() + "\n")
        save(circuit_figure(best.circuit), folder.path / "best.png")
    write_circuits(folder, "circuits.json", recorder.kept)
    write_circuits(folder, "front.json", recorder.front)


def _as_text(table: Table) -> str:
    buffer = StringIO()
    Console(width=_WIDTH, file=buffer, force_jupyter=False).print(table)
    return buffer.getvalue()

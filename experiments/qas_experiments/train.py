"""``qas-train``: train an agent on an environment, and show what it found beside the trivial baselines."""

from __future__ import annotations

import dataclasses
import math
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from io import StringIO
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table

from qas_agents import GreedySearch, RandomPolicy
from qas_envs import CircuitBuildingEnv
from qas_experiments.building import Agent, make_agent, make_environment
from qas_experiments.cli import run_command
from qas_experiments.evaluation import PolicyWatcher, greedy_rollout, trivial_circuits
from qas_experiments.recorder import Found, Recorder
from qas_experiments.reporting import TensorBoardWriter, TrainingBar, closing_table, save_picture
from qas_experiments.runs import RunFolder, default_path, versions
from qas_experiments.settings import TrainSettings
from qas_simulators.errors import must

_WIDTH = 110  # of the closing table, and of everything where there is no terminal


def main() -> None:
    """Entry point of the console script."""
    run_command("train", train)


class Interrupt:
    """Set by the first Ctrl-C or SIGTERM; a second one stops at once."""

    def __init__(self) -> None:
        self.requested = False

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        """Handle the signal."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


@contextmanager
def interrupt_requests() -> Iterator[Interrupt]:
    """Turn Ctrl-C into a request that training loops look at; outside the main thread nothing is caught."""
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    previous = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def train(settings: TrainSettings) -> dict[str, Any]:
    """Train, evaluate the frozen policy, play the baselines, write the run folder.

    Returns:
        The summary, as in ``summary.json``.

    Raises:
        ValueError: Settings that do not make sense, or a run folder that exists.
    """
    training = settings.training
    for name in ("total_timesteps", "threads", "evaluate_every"):
        if getattr(training, name) < 1:
            raise ValueError(must(f"training.{name}", "be at least 1", getattr(training, name)))
    if training.seed < 0:
        raise ValueError(must("training.seed", "not be negative", training.seed))
    torch.set_num_threads(training.threads)
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    started = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        env, judge = make_environment(settings), make_environment(settings, evaluation=True)
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        console.print(f"warning: {message}", highlight=False, soft_wrap=True)
    agent = make_agent(settings, env)
    when = datetime.now().strftime("%Y%m%d-%H%M%S")
    default = default_path(settings.env.id, settings.agent["name"], training.seed, when)
    folder = RunFolder(Path(settings.run) if settings.run else default)
    path = folder.path
    folder.write_text("config.yaml", OmegaConf.to_yaml(OmegaConf.structured(settings)))
    folder.write_json("versions.json", versions())
    console.print(
        f"[bold]{env.problem.name}[/]: {env.problem.num_qubits} qubits, {len(env.catalogue)} actions, run {path}"
    )
    judge.reset()
    judge.step(0)  # compiles what is not in the cache yet, so that training does not pay for it
    ready_seconds = time.perf_counter() - started
    console.print(f"environment and kernels ready after {ready_seconds:.1f} s", highlight=False)
    with interrupt_requests() as interrupt:
        recorder, policies = _learn(settings, agent, env, judge, folder, console, interrupt)
        rows: dict[str, Found | None] = {"found in training": recorder.best, **policies, **trivial_circuits(judge)}
        others = _play_baselines(settings, recorder, interrupt, console) if training.baselines else {}
    rows |= {name: other.best for name, other in others.items()}
    folder.close()
    summary = _summary(settings, env, recorder, rows, others, ready_seconds, interrupt.requested)
    folder.write_json("summary.json", summary)
    _write_best(folder, recorder.best)
    problem = env.problem
    title = f"{problem.name}: exact {problem.ground_energy:.9f} {problem.unit}, solved below {problem.accuracy:g}"
    table = closing_table(title, problem.unit, rows)
    text = _as_text(table)
    folder.write_text("summary.txt", text)
    console.print(text, highlight=False, soft_wrap=True)
    if recorder.best is not None:
        console.print(recorder.best.circuit.draw(), highlight=False, soft_wrap=True)
    console.print(f"everything is in {path}", highlight=False)
    return summary


def _learn(
    settings: TrainSettings,
    agent: Agent,
    env: CircuitBuildingEnv,
    judge: CircuitBuildingEnv,
    folder: RunFolder,
    console: Console,
    interrupt: Interrupt,
) -> tuple[Recorder, dict[str, Found | None]]:
    """Train; return what was recorded and the circuits of the frozen policies."""
    training = settings.training
    is_policy = hasattr(agent, "save")
    watcher = PolicyWatcher(judge, str(folder.path / "policy_best.safetensors"))
    board = TensorBoardWriter(folder.path / "tensorboard")

    def on_episode(row: dict[str, Any]) -> None:
        if is_policy and row["episode"] % training.evaluate_every == 0:
            found, gradients = watcher.look(agent)
            recorder.spend(found.evaluations, gradients)
            row |= {
                "policy_energy_error": found.energy_error,
                "policy_two_qubit_gates": found.circuit.num_two_qubit_gates,
            }
        folder.append_metrics({k: None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()})
        board.add(row)

    def should_stop() -> bool:
        bar.update(recorder)
        return interrupt.requested

    with TrainingBar(console, training.total_timesteps, env.problem.unit, training.progress) as bar:
        recorder = Recorder(env, on_episode, should_stop)
        agent.learn(training.total_timesteps, callback=recorder)
    board.close()
    policies: dict[str, Found | None] = {}
    if is_policy:
        last, gradients = watcher.look(agent)
        recorder.spend(last.evaluations, gradients)
        agent.save(str(folder.path / "policy_last.safetensors"))  # type: ignore[attr-defined]
        frozen = type(agent).load(str(folder.path / "policy_best.safetensors"), judge)  # type: ignore[attr-defined]
        policies = {"frozen policy, best": greedy_rollout(frozen, judge)[0], "frozen policy, last": last}
    return recorder, policies


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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # said before training
            env = make_environment(settings, evaluation=True)

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
    others: dict[str, Recorder],
    ready_seconds: float,
    interrupted: bool,
) -> dict[str, Any]:
    problem = env.problem
    return {
        "problem": problem.name,
        "sha256": problem.provenance.get("sha256"),
        "ground_energy": problem.ground_energy,
        "accuracy": problem.accuracy,
        "unit": problem.unit,
        "settings": dataclasses.asdict(settings),
        "versions": versions(),
        "interrupted": interrupted,
        "ready_seconds": ready_seconds,
        "training": _account(recorder),
        "rows": {name: None if found is None else found.numbers() for name, found in rows.items()},
        "baselines": {name: _account(other) for name, other in others.items()},
    }


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


def _write_best(folder: RunFolder, best: Found | None) -> None:
    if best is None:
        return
    folder.write_text("best.qasm", best.circuit.to_qasm3())
    folder.write_text("best.txt", best.circuit.draw() + "\n")
    save_picture(best.circuit, folder.path / "best.png")


def _as_text(table: Table) -> str:
    buffer = StringIO()
    Console(width=_WIDTH, file=buffer).print(table)
    return buffer.getvalue()


if __name__ == "__main__":
    main()

"""Experiments from Python: the same settings, checks and files as those of the commands."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from qas_envs.problems import Problem
from qas_experiments.composition import Composer, without_hydra
from qas_experiments.options import plugins_of
from qas_experiments.results import Benchmark, Run
from qas_experiments.settings import BenchmarkSettings, TrainingSettings, TrainSettings
from qas_experiments.solving import Solved, problem_of
from qas_experiments.solving import solve as _solve
from qas_experiments.training.bars import quiet_console, visible_console, watching
from qas_experiments.words import rewritten, without_other_network
from qas_simulators import PauliSum
from qas_simulators.errors import must

Choice = str | Mapping[str, Any] | type
"""An option by name, an import string, a class or function, or ``{"name": ..., **settings}``."""


def train(
    env: str | None = None,
    agent: Choice | None = None,
    *,
    problem: Mapping[str, Any] | None = None,
    rules: Mapping[str, Any] | None = None,
    optimizer: Choice | None = None,
    noise: Choice | None = None,
    experiment: str | None = None,
    total_timesteps: int | None = None,
    max_evaluations: int | None = None,
    max_seconds: float | None = None,
    seed: int | None = None,
    baselines: bool = False,
    run: str | Path | None = None,
    resume: Run | str | Path | None = None,
    words: Sequence[str] = (),
    config_dir: str | Path | None = None,
    progress: bool = True,
) -> Run:
    """Train an agent on an environment, as ``qas-train`` does and with its defaults, and return the run.

    Args:
        env: An option of the group ``env`` such as ``"lih"``, a plugin, or an import string.
        agent: An option of the group ``agent`` such as ``"dqn_blocks"``, a plugin, a class or its import string;
            settings as ``{"name": ..., **settings}``.
        problem: Arguments of the problem, such as ``{"bond_length": 2.2}``.
        rules: Rules of the environment, such as ``{"reward": "priced", "max_gates": 20}``, or classes and functions.
        optimizer: The optimiser of the angles.
        noise: The noise model.
        experiment: An option of the group ``experiment``, which sets several of the others.
        total_timesteps: Largest number of steps.
        max_evaluations: Largest number of energy evaluations; 0 for no limit.
        max_seconds: Largest wall time in seconds; 0 for no limit.
        seed: Seed of the agent and of the environment.
        baselines: Whether to play the random legal policy and the greedy construction afterwards.
        run: Folder of the run, which must not exist; by default ``runs/<id>-<agent>-seed<seed>-<time>``.
        resume: A run to continue. It keeps its settings except for the limits that are given.
        words: Further settings as words of the command line, such as ``["training.evaluate_every=50"]``.
        config_dir: A folder with further options, as of ``--config-dir``.
        progress: Whether to show a progress bar.

    Returns:
        The run. If ``is_interrupted``, ``train(resume=run)`` continues it.

    Raises:
        ValueError: Wrong settings; the message is one line that names the choices.

    Warns:
        UserWarning: What the command prints as a warning, such as a run that is too short to learn.
    """
    limits = _given(total_timesteps=total_timesteps, max_evaluations=max_evaluations, max_seconds=max_seconds)
    if resume is not None:
        others = [env, agent, problem, rules, optimizer, noise, experiment, seed, run, config_dir, *words]
        return _continued(Path(resume.path if isinstance(resume, Run) else resume), limits, others, progress)
    given = [*_choices(experiment=experiment, env=env, agent=agent, optimizer=optimizer, noise=noise)]
    given += _environment_words(problem or {}, rules or {})
    training = {**limits, **_given(seed=seed), "baselines": baselines, "progress": False}
    given += [*_flat("training", training), *(f"run={_grammar(path)}" for path in [run] if path is not None)]
    return _played(_training_settings(given, words, config_dir), {}, None if run is None else Path(run), progress)


def _training_settings(given: list[str], words: Sequence[str], config_dir: str | Path | None) -> TrainSettings:
    composer, given = Composer(None if config_dir is None else str(config_dir)), rewritten([*given, *words])
    given += without_other_network(composer, "train", given)
    settings = OmegaConf.to_object(without_hydra(composer.checked("train", given)))
    assert isinstance(settings, TrainSettings)
    if settings.rounds or settings.resume:
        raise ValueError(must("words", "set neither rounds, which qas-train plays, nor resume", [*words]))
    return settings


def _continued(run: Path, limits: Mapping[str, Any], others: Sequence[Any], progress: bool) -> Run:
    """Continue a run with larger limits.

    Raises:
        ValueError: There are other settings, or the run cannot be continued.
    """
    from qas_experiments.training.continuing import continued_settings

    if any(one is not None for one in others):
        raise ValueError(must("resume", "come with no other settings than limits", str(run)))
    settings = continued_settings(run, limits)
    if settings.rounds:
        raise ValueError(must("resume", "name a run without rounds, which qas-train continues", str(run)))
    return _played(replace(settings, resume=str(run)), limits, None, progress)


def _played(settings: TrainSettings, limits: Mapping[str, float], new: Path | None, progress: bool) -> Run:
    """Train; remove the folder of a failed start."""
    from qas_experiments.training.continuing import no_failed_start
    from qas_experiments.training.run import train as play

    folders: list[Path] = []
    console = quiet_console()
    try:
        with watching(settings.training, progress) as watch, no_failed_start(new):
            play(settings, watch, limits, console=console, opened=folders.append)
    finally:
        for line in console.export_text().splitlines():
            if line.startswith("warning: "):
                warnings.warn(line.removeprefix("warning: "), UserWarning, stacklevel=3)
    return Run(folders[0])


def benchmark(
    suite: str = "quick",
    agent: Choice = "dqn",
    *,
    optimizer: Choice | None = None,
    instances: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    total_timesteps: int | None = None,
    max_evaluations: int | None = None,
    max_seconds: float | None = None,
    label: str | None = None,
    workers: int = 1,
    folder: str | Path = "runs/benchmark",
    words: Sequence[str] = (),
    config_dir: str | Path | None = None,
    progress: bool = True,
) -> Benchmark:
    """Play an agent on the instances of a suite, record the results and return them, as ``qas-benchmark`` does.

    Cells that are recorded in ``<folder>/records.sqlite`` are not played again.

    Args:
        suite: An option of the group ``suite``.
        agent: The agent, as for :func:`train`.
        optimizer: The optimiser of the angles.
        instances: Names of instances of the suite; by default all.
        seeds: Seeds; by default those of the suite.
        total_timesteps: Largest number of steps of each training.
        max_evaluations: Largest number of energy evaluations of each training.
        max_seconds: Largest wall time of each training in seconds.
        label: Name of the agent in tables.
        workers: Number of trainings that are played at the same time.
        folder: Folder of the runs and of the records.
        words: Further settings as words of the command line.
        config_dir: A folder with further options, as of ``--config-dir``.
        progress: Whether to print a line for every training.

    Returns:
        The records of the suite, with tables.

    Raises:
        ValueError: Wrong settings, or trainings without a record.
    """
    limits = _given(total_timesteps=total_timesteps, max_evaluations=max_evaluations, max_seconds=max_seconds)
    given = [*_choices(suite=suite, agent=agent, optimizer=optimizer), *_flat("suite", limits)]
    cells = _given(instances=instances, seeds=seeds, label=label, workers=workers)
    files = {"folder": str(folder), "records": str(Path(folder) / "records.sqlite")}
    given += (f"{name}={_grammar(value)}" for name, value in (cells | files).items())
    return _benchmarked(given, words, config_dir, progress)


def _benchmarked(given: list[str], words: Sequence[str], config_dir: str | Path | None, progress: bool) -> Benchmark:
    """Play the cells that the words describe."""
    from qas_experiments.benchmarking.cells import Call
    from qas_experiments.benchmarking.cells import benchmark as play
    from qas_experiments.benchmarking.records import Records

    composer, given = Composer(None if config_dir is None else str(config_dir)), rewritten([*given, *words])
    config = composer.checked("benchmark", given)
    call = Call(tuple(given), str(config.hydra.runtime.choices["agent"]))
    settings = OmegaConf.to_object(without_hydra(config))
    assert isinstance(settings, BenchmarkSettings)
    console = visible_console() if progress else quiet_console()
    try:
        ended = play(settings, console, call, shows_tables=False)
    except ValueError as error:
        lines = [] if progress else console.export_text().splitlines()
        raise ValueError(" ".join([str(error), *lines])) from None
    records = [record for record in Records(Path(settings.records)) if record.suite == settings.suite.name]
    return Benchmark(settings.suite.name, records, ended["interrupted"])


def solve(
    problem: str | Problem | PauliSum | Mapping[str, float] | Any,
    *,
    arguments: Mapping[str, Any] | None = None,
    policy: str = "auto",
    evaluations: int = 20_000,
    seconds: float = 0.0,
    seed: int = 0,
    progress: bool = True,
) -> Solved:
    """Find a circuit for a problem, as ``qas-solve`` does, and check its energy with Qiskit.

    Args:
        problem: An environment's id, a file, a plugin or an import string; a :class:`~qas_envs.Problem`; or a
            Hamiltonian, of which the ground state is prepared: a :class:`~qas_simulators.PauliSum`, labels with
            coefficients, or a Hermitian matrix.
        arguments: Arguments of the problem, and rules such as ``gates`` and ``couplings``.
        policy: A policy file, the name of a policy of the library, ``"none"``, or ``"auto"``.
        evaluations: Largest number of energy evaluations.
        seconds: Largest wall time in seconds; 0 for no limit.
        seed: Seed of the search.
        progress: Whether to show a progress bar.

    Returns:
        The circuit with its figures.

    Raises:
        ValueError: Arguments that do not fit, or an energy that Qiskit does not confirm.

    Examples:
        >>> found = solve({"ZZ": -1.0, "XI": -0.5, "IX": -0.5}, evaluations=500, progress=False)
        >>> found.is_solution, found.circuit.num_two_qubit_gates
        (True, 1)
    """
    if isinstance(problem, str):
        environment, own = problem_of(problem)
    elif isinstance(problem, Problem):
        environment, own = "QAS-Problem-v0", {"problem": problem}
    else:
        environment, own = "QAS-GroundState-v0", {"hamiltonian": problem}
    limits = TrainingSettings(2**62, max_evaluations=evaluations, max_seconds=seconds)
    given = {**own, **(arguments or {})}
    with watching(limits, progress) as watch:
        return _solve(
            environment, given, policy=policy, evaluations=evaluations, seconds=seconds, seed=seed, watch=watch
        )


# -- settings as words -------------------------------------------------------------------------------------------------


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _choices(**groups: Choice | None) -> Iterator[str]:
    """Yield the words that choose options of groups, and those of their settings."""
    for group, choice in groups.items():
        if choice is None:
            continue
        settings = dict(choice) if isinstance(choice, Mapping) else {"name": choice}
        if "name" not in settings:
            raise ValueError(must(group, 'have a name: {"name": ..., settings}', settings))
        name = _target(settings.pop("name"))
        yield f"{group}={name}"
        is_outside = group == "agent" and (":" in name or name in plugins_of(group))
        yield from _flat(f"{group}.settings" if is_outside else group, settings)


def _flat(prefix: str, settings: Mapping[str, Any]) -> Iterator[str]:
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(f"{prefix}.{name}", value)
        else:
            yield f"{prefix}.{name}={_grammar(value)}"


def _environment_words(problem: Mapping[str, Any], rules: Mapping[str, Any]) -> Iterator[str]:
    """Yield the words that set arguments of the problem and replace rules of the environment."""
    for name, value in problem.items():
        yield f"++env.problem.{name}={_grammar(value)}"
    for name, value in rules.items():
        yield f"++env.{name}=null"
        yield f"++env.{name}={_grammar(value)}"


def _target(value: Any) -> Any:
    """Return the import string of a class or function; other values are unchanged.

    Raises:
        ValueError: It is defined inside a function, where it cannot be imported.
    """
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        return value
    if "<" in value.__qualname__:
        raise ValueError(must("settings", "name classes and functions of a module, not of a function", value))
    return f"{value.__module__}:{value.__qualname__}"


def _grammar(value: Any) -> str:
    """Return a value in the grammar of Hydra's overrides.

    Examples:
        >>> _grammar({"name": "priced", "prices": [0.1, None, True]})
        "{name:'priced',prices:[0.1,null,true]}"
    """
    value = _target(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_grammar(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple | range | set | frozenset):
        return "[" + ",".join(map(_grammar, value)) + "]"
    if isinstance(value, int | float):
        return repr(value)
    if hasattr(value, "item") and callable(value.item):  # a number of NumPy
        return _grammar(value.item())
    if not isinstance(value, str | Path):
        raise ValueError(must("settings", "be numbers, texts, lists, mappings, classes or functions", value))
    # in the grammar, backslashes are doubled before a quotation mark and at the end, and nowhere else
    return "'" + re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), str(value)) + "'"

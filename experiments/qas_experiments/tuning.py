"""Studies of ``qas-tune``: the search space, trials, and the objectives that samplers and pruners compare."""

from __future__ import annotations

import dataclasses
import gc
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Final

import numpy as np
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from qas_experiments.composition import Composer
from qas_experiments.counting import number_of
from qas_experiments.runs.progress import share_of
from qas_experiments.settings import STUDY_CHOICES, StudySettings, TrainingSettings, TrainSettings
from qas_experiments.training.recorder import Recorder
from qas_experiments.training.run import train
from qas_simulators.errors import must, needs_extra, unknown_name

with needs_extra("sweeps"):
    import optuna
    from optuna.distributions import (
        BaseDistribution,
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )
    from optuna.storages import BaseStorage, JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend
    from optuna.trial import FrozenTrial, TrialState

_OF_TRIALS = ("training.seed", "run", "resume")
_SMALLEST = 1e-12  # errors below are rounding
_NOTHING_COMPARED = (
    "all trials have the same objective, so the best one is arbitrary: the searched settings have no effect. Perhaps "
    "training ends before they matter (agent.learning_starts), or every trial reaches the best value."
)


def tune(overrides: list[str], composer: Composer | None = None) -> optuna.Study:
    """Play trials until the study has the given number; print the best ones.

    Args:
        overrides: Overrides of ``qas-train``, some of them sweeps, and of ``tune``.
        composer: The search path of the settings, by default that of the commands.

    Raises:
        ValueError: Invalid settings, nothing to search, or an existing study with other settings.
    """
    composer = Composer() if composer is None else composer
    parsed = OverridesParser.create().parse_overrides(overrides)
    own = [str(one.input_line) for one in parsed if one.key_or_group.startswith("tune.")]
    swept = [one for one in parsed if one.is_sweep_override() and not one.key_or_group.startswith("tune.")]
    fixed = [str(one.input_line) for one in parsed if one not in swept and str(one.input_line) not in own]
    composer.checked("tune", own)
    settings = composer.settings("tune", own).tune
    assert isinstance(settings, StudySettings)
    space = {one.get_key_element(): distribution_of(one) for one in swept}
    _check(settings, space, [one.key_or_group for one in parsed])
    for some in _examples(space):
        composer.checked("train", [*fixed, *some])
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = _study(settings, {"fixed": fixed, "space": {key: str(one) for key, one in space.items()}})
    console = Console(width=None if sys.stdout.isatty() else 120)
    while (number := sum(map(_is_ended, study.trials))) < settings.trials:
        study.sampler = SAMPLERS[settings.sampler](_sampler_seed(settings, study))
        trial = study.ask(space)
        chosen = [f"{key}={value}" for key, value in trial.params.items()]
        value, state = None, TrialState.FAIL
        try:
            value, state = _play(trial, settings, composer.settings("train", [*fixed, *chosen]))
            outcome = state.name.lower() if value is None else f"{value:.4g}"
        except KeyboardInterrupt:
            outcome = "interrupted"
        except (ValueError, RuntimeError, HydraException, OmegaConfBaseException) as error:
            trial.set_user_attr("problem", str(error))
            if not any(other.state == TrialState.COMPLETE for other in study.trials):
                raise
            outcome = f"failed: {error}"
        finally:
            study.tell(trial, value, state)
        line = f"{number + 1}/{settings.trials} {' '.join(chosen)}: {outcome}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
        if state == TrialState.FAIL and "problem" not in trial.user_attrs:
            study.enqueue_trial(trial.params)  # the next call repeats it
            console.print("interrupted; run the same command to resume", highlight=False)
            return study
    _show(study, settings, fixed, console)
    return study


def is_interrupted(study: optuna.Study) -> bool:
    """Return whether a trial waits, because it was interrupted."""
    return any(trial.state == TrialState.WAITING for trial in study.trials)


def _is_ended(trial: FrozenTrial) -> bool:
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED) or "problem" in trial.user_attrs


def _sampler_seed(settings: StudySettings, study: optuna.Study) -> int:
    """Return a different seed for every trial, and for every process if several work on the study."""
    others = [os.getpid()] if any(trial.state == TrialState.RUNNING for trial in study.trials) else []
    return int(np.random.SeedSequence([settings.sampler_seed, len(study.trials), *others]).generate_state(1)[0])


def _check(settings: StudySettings, space: dict[str, BaseDistribution], names: list[str]) -> None:
    for name in names:
        if name in _OF_TRIALS:
            raise ValueError(must("overrides", f"not override {', '.join(_OF_TRIALS)}, which the trials choose", name))
    if settings.sampler_seed < 0:
        raise ValueError(must("tune.sampler_seed", "not be negative", settings.sampler_seed))
    if not space:
        raise ValueError(must("overrides", "sweep a setting, such as agent.n_step=1,3,5", "without a sweep"))
    if not settings.study:
        raise ValueError(must("tune.study", "name the study", settings.study))
    for name in ("trials", "seeds", "reports"):
        if getattr(settings, name) < 1:
            raise ValueError(must(f"tune.{name}", "be at least 1", getattr(settings, name)))
    for name, choices in STUDY_CHOICES.items():
        if getattr(settings, name) not in choices:
            raise ValueError(unknown_name(name, getattr(settings, name), choices))


def distribution_of(override: Override) -> BaseDistribution:
    """Return the distribution of a sweep: Hydra's choices, ``range`` or ``interval``, logarithmic if tagged ``log``.

    Raises:
        ValueError: The range is empty, or has the tag ``log``.
    """
    value = override.value()
    if isinstance(value, RangeSweep):
        steps = list(value.range())
        if not steps:
            raise ValueError(must(override.key_or_group, "sweep a nonempty range", override.input_line))
        if "log" in value.tags:
            hint = "have the tag log only for an interval, such as tag(log, int(interval(1, 100)))"
            raise ValueError(must(override.key_or_group, hint, override.input_line))
        if isinstance(value.step, int) and isinstance(value.start, int):
            return IntDistribution(int(steps[0]), int(steps[-1]), step=value.step)
        return FloatDistribution(steps[0], round(steps[-1], 12), step=value.step)
    if isinstance(value, IntervalSweep):
        assert value.start is not None and value.end is not None
        if isinstance(value.start, int) and isinstance(value.end, int):
            return IntDistribution(value.start, value.end, log="log" in value.tags)
        return FloatDistribution(value.start, value.end, log="log" in value.tags)
    return CategoricalDistribution(list(override.sweep_string_iterator()))


def _examples(space: dict[str, BaseDistribution]) -> Iterator[list[str]]:
    """Yield overrides in which every choice occurs once, to check that they compose."""
    first = {key: _values(one)[0] for key, one in space.items()}
    for key, distribution in space.items():
        for value in _values(distribution):
            yield [f"{name}={other}" for name, other in {**first, key: value}.items()]


def _values(distribution: BaseDistribution) -> tuple[Any, ...]:
    """Return all choices, or the lowest number."""
    if isinstance(distribution, CategoricalDistribution):
        return tuple(distribution.choices)
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return (distribution.low,)


def _study(settings: StudySettings, what: dict[str, Any]) -> optuna.Study:
    """Return a new study, or an existing one with the same search space.

    Raises:
        ValueError: A study of this name has other settings, or its storage cannot be used.
    """
    folder = Path(settings.folder) / settings.study
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(must("tune.folder", f"be a folder ({error.strerror})", settings.folder)) from None
    storage: BaseStorage
    try:
        if settings.storage is None:
            storage = JournalStorage(JournalFileBackend(str(folder / "journal.log")))
        else:
            storage = RDBStorage(settings.storage)
        pruner = PRUNERS[settings.pruner]()
        study = optuna.create_study(study_name=settings.study, storage=storage, pruner=pruner, load_if_exists=True)
    except Exception as error:  # SQLAlchemy, the file system or JSON may fail
        raise ValueError(must("tune.storage", f"be usable ({error})", settings.storage or str(folder))) from None
    what |= {"objective": settings.objective, "seeds": settings.seeds}
    begun = study.user_attrs.get("what")
    if begun is None:
        study.set_user_attr("what", what)
    elif begun != what:
        other = next(key for key in what if begun.get(key) != what[key])
        raise ValueError(must("tune.study", f"be new, or keep its settings ({other}: {begun[other]})", settings.study))
    return study


# -- a trial -----------------------------------------------------------------------------------------------------------


def _play(trial: optuna.Trial, settings: StudySettings, chosen: TrainSettings) -> tuple[float | None, TrialState]:
    """Return the mean objective of a trial's seeds, and its state: complete, pruned, or failed by an interruption."""
    if chosen.rounds:
        raise ValueError(must("rounds", "be empty in a search", chosen.rounds))
    values: list[float] = []
    for seed in range(settings.seeds):
        folder = Path(settings.folder) / settings.study / f"trial-{trial.number}" / f"seed-{seed}"
        training = dataclasses.replace(chosen.training, seed=seed, baselines=False, progress=False, checkpoint_every=0)
        progress = TrialReporter(trial, settings, training, values)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (
            folder.with_name(f"seed-{seed}.log").open("a", encoding="utf-8") as log,
            redirect_stdout(log),
            redirect_stderr(log),
        ):
            try:
                summary = train(dataclasses.replace(chosen, training=training, run=str(folder)), progress)
            except optuna.TrialPruned:
                return None, TrialState.PRUNED
            finally:
                gc.collect()  # see `played` in training/continuing.py
        if summary["interrupted"]:
            return None, TrialState.FAIL
        values.append(progress.value)
    return float(np.mean(values)), TrialState.COMPLETE


class TrialReporter:
    """A callback of a training that reports intermediate objectives to Optuna.

    Args:
        trial: The trial that the training is a part of.
        settings: The objective and the number of reports.
        training: Limits of the training.
        before: Objectives of earlier seeds.
    """

    def __init__(
        self, trial: optuna.Trial, settings: StudySettings, training: TrainingSettings, before: list[float]
    ) -> None:
        self._recorder: Recorder | None = None
        self._trial, self._before, self._training = trial, list(before), dataclasses.asdict(training)
        self._objective = OBJECTIVES[settings.objective]
        self._reports, self._reported = settings.reports, 0

    @property
    def value(self) -> float:
        """The objective so far."""
        if self._recorder is None:
            raise ValueError("The training ended before its first step.")
        return self._objective(self._recorder)

    def __call__(self, recorder: Recorder) -> None:
        """Report the objective if the next report is due.

        Raises:
            optuna.TrialPruned: The pruner ends the trial.
        """
        self._recorder = recorder
        share = share_of(self._training, recorder.steps, recorder.evaluations, recorder.seconds)
        if share * self._reports >= self._reported + 1:
            self._reported = int(share * self._reports)
            value = float(np.mean([*self._before, self.value]))
            self._trial.report(value, len(self._before) * self._reports + self._reported)
            if self._trial.should_prune():
                raise optuna.TrialPruned


def _log_error(recorder: Recorder) -> float:
    """Return the logarithm of the smallest error, to base 10."""
    errors = [found.energy_error for found in recorder.front]
    return float(np.log10(max(min(errors), _SMALLEST)))


def _two_qubit_gates(recorder: Recorder) -> float:
    """Return the two-qubit gates of the best solution; without one, 100 plus the missing orders of magnitude."""
    best = recorder.best
    if best is not None and recorder.first_solved is not None:
        return best.circuit.num_two_qubit_gates
    return 100.0 + _log_error(recorder) - float(np.log10(recorder.accuracy))


def _evaluations(recorder: Recorder) -> float:
    """Return the energy evaluations until the first solution; without one, twice those spent."""
    first = recorder.first_solved
    return float(2 * recorder.evaluations if first is None else first.evaluations)


OBJECTIVES: Final[dict[str, Callable[[Recorder], float]]] = {
    "error": _log_error,
    "two_qubit_gates": _two_qubit_gates,
    "evaluations": _evaluations,
}
"""Objectives, which are averaged over seeds."""

SAMPLERS: Final[dict[str, Callable[[int], optuna.samplers.BaseSampler]]] = {
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
}
PRUNERS: Final[dict[str, Callable[[], optuna.pruners.BasePruner]]] = {
    "none": optuna.pruners.NopPruner,
    "median": optuna.pruners.MedianPruner,
    "successive_halving": optuna.pruners.SuccessiveHalvingPruner,
}


# -- what was found ----------------------------------------------------------------------------------------------------


def is_same(values: Sequence[float | None]) -> bool:
    """Return whether objectives differ by no more than rounding."""
    numbers = np.array(values, dtype=float)
    return bool(np.ptp(numbers) <= 1e-9 * max(1.0, float(np.abs(numbers).max())))


def _show(study: optuna.Study, settings: StudySettings, fixed: list[str], console: Console) -> None:
    """Print the best trials and the command of the best one, which is also written to ``best.txt``."""
    done = sorted(
        (trial for trial in study.trials if trial.state == TrialState.COMPLETE), key=lambda trial: trial.value or 0.0
    )
    pruned = sum(trial.state == TrialState.PRUNED for trial in study.trials)
    table = Table(
        title=f"{settings.study}: {number_of(len(done), 'trial')}, {pruned} pruned",
        title_justify="left",
        box=box.SIMPLE,
    )
    names = list(done[0].params) if done else []
    for name in ("trial", settings.objective, *names):
        table.add_column(name, justify="right")
    for trial in done[:5]:
        values = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in trial.params.values()]
        table.add_row(str(trial.number), f"{trial.value:.4g}", *map(escape, values))
    console.print(table, highlight=False)
    if len(done) > 1 and is_same([trial.value for trial in done]):
        console.print(_NOTHING_COMPARED, highlight=False, soft_wrap=True)
    if not done:
        console.print("no trial is complete", highlight=False)
    else:
        chosen = [f"{key}={value}" for key, value in done[0].params.items()]
        command = shlex.join(["qas-train", *fixed, *chosen])
        (Path(settings.folder) / settings.study / "best.txt").write_text(command + "\n", encoding="utf-8")
        console.print(f"best: {command}", highlight=False, markup=False, soft_wrap=True)

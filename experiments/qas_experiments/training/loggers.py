"""Loggers: where the metrics of a training go besides ``metrics.jsonl``.

The setting ``loggers`` lists them: ``tensorboard`` (the default), ``wandb``, ``mlflow``, or an import string of a class
or a function. A logger with settings is a mapping: ``{name: wandb, mode: offline}`` or ``{target: module:Class, ...}``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from qas_envs.imports import TARGET, imported, with_colon
from qas_simulators.errors import must, needs_extra, unknown_name

_EVERY = 50  # episodes that an entry averages over by default
_MOST_PARAMETERS = 100  # that MLflow accepts in one call


class Logger(Protocol):
    """What a class of loggers needs; it is called with ``(run, settings, first_step, **its own settings)``.

    ``run`` is the folder of the run, ``settings`` holds those of ``qas-train`` as a mapping, and ``first_step`` is
    not 0 if the run is resumed. A plain function ``(metrics, step)`` is a logger too.
    """

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Receive averages over the last episodes, by name, such as ``return`` and ``length``."""
        ...

    def close(self) -> None:
        """Flush and close; the training has ended."""
        ...


class TensorBoard:
    """Scalars ``train/<name>`` in the folder ``tensorboard`` of the run."""

    def __init__(self, run: Path, settings: Mapping[str, Any], first_step: int) -> None:
        self._folder, self._first_step = run / "tensorboard", first_step
        self._writer: Any = None

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """See :class:`Logger`."""
        if self._writer is None:  # imported with the first entry: the import takes a second
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self._folder), purge_step=self._first_step)
        for name, value in metrics.items():
            self._writer.add_scalar(f"train/{name}", value, step)

    def close(self) -> None:
        """See :class:`Logger`."""
        if self._writer is not None:
            self._writer.close()


class WeightsAndBiases:
    """A run of Weights & Biases; further settings are arguments of ``wandb.init``, such as ``mode="offline"``."""

    def __init__(
        self, run: Path, settings: Mapping[str, Any], first_step: int, project: str = "qas-envs", **given: Any
    ) -> None:
        with needs_extra("wandb"):
            import wandb

        self._run = wandb.init(project=project, dir=str(run), name=run.name, config=dict(settings), **given)

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """See :class:`Logger`."""
        self._run.log(dict(metrics), step=step)

    def close(self) -> None:
        """See :class:`Logger`."""
        self._run.finish()


class MLflow:
    """A run of MLflow with the settings as parameters; ``tracking_uri`` selects the server or the folder."""

    def __init__(
        self,
        run: Path,
        settings: Mapping[str, Any],
        first_step: int,
        experiment: str = "qas-envs",
        tracking_uri: str | None = None,
    ) -> None:
        with needs_extra("mlflow"):
            import mlflow

        self._mlflow = mlflow
        if tracking_uri is not None:
            mlflow.set_tracking_uri(tracking_uri)
        mlflow.set_experiment(experiment)
        mlflow.start_run(run_name=run.name)
        parameters = list(_flat(settings).items())
        for first in range(0, len(parameters), _MOST_PARAMETERS):
            mlflow.log_params(dict(parameters[first : first + _MOST_PARAMETERS]))

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """See :class:`Logger`."""
        self._mlflow.log_metrics(dict(metrics), step=step)

    def close(self) -> None:
        """See :class:`Logger`."""
        self._mlflow.end_run()


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings with names such as ``agent.n_step``."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


class _Function:
    """A function as a logger."""

    def __init__(self, function: Callable[[Mapping[str, float], int], Any]) -> None:
        self._function = function

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """See :class:`Logger`."""
        self._function(metrics, step)

    def close(self) -> None:
        """See :class:`Logger`."""


LOGGERS: Final[dict[str, Callable[..., Logger]]] = {
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
    "mlflow": MLflow,
}
"""Loggers by name."""


@dataclass(frozen=True)
class LoggerChoice:
    """A logger that is not started yet.

    Attributes:
        make: Its class, or a function.
        settings: Arguments of the class.
        every: Number of episodes that each entry averages over.
    """

    make: Any
    settings: Mapping[str, Any]
    every: int = _EVERY

    @classmethod
    def of(cls, given: Any) -> LoggerChoice:
        """Return the logger that an entry of the setting ``loggers`` names.

        Raises:
            ValueError: An unknown name, or an import string that cannot be imported.
        """
        entry = {("target" if ":" in given else "name"): given} if isinstance(given, str) else given
        if isinstance(entry, Mapping) and TARGET in entry:
            entry = {("target" if key == TARGET else key): value for key, value in entry.items()}
            entry["target"] = with_colon(entry["target"])
        if not isinstance(entry, Mapping) or ("name" in entry) == ("target" in entry):
            raise ValueError(must("loggers", "list names, import strings, or mappings with a name or a target", given))
        settings = {str(name): value for name, value in entry.items() if name not in ("name", "target", "every")}
        every = entry.get("every", _EVERY)
        if type(every) is not int or every < 1:
            raise ValueError(must("loggers.every", "be an integer of at least 1", every))
        if "target" in entry:
            return cls(_imported(entry["target"]), settings, every)
        if entry["name"] not in LOGGERS:
            raise ValueError(unknown_name("logger", entry["name"], LOGGERS))
        return cls(LOGGERS[entry["name"]], settings, every)

    def started(self, run: Path, settings: Mapping[str, Any], first_step: int) -> Logger:
        """Return the logger of a run.

        Raises:
            ValueError: Its class does not accept the settings.
            ImportError: A package is missing.
        """
        if not isinstance(self.make, type):
            return _Function(self.make)
        try:
            logger: Logger = self.make(run, settings, first_step, **self.settings)
        except TypeError as error:
            raise ValueError(
                must("loggers", f"have settings of {self.make.__name__} ({error})", self.settings)
            ) from None
        return logger


def _imported(target: Any) -> Any:
    found = imported("loggers", target)
    if not callable(found) or (isinstance(found, type) and not hasattr(found, "log")):
        raise ValueError(must("loggers", "name a function (metrics, step), or a class with log and close", target))
    return found


class EpisodeAverages:
    """Send averages over the last episodes to loggers.

    Args:
        choices: The loggers.
        run: Folder of the run.
        settings: Settings of ``qas-train``.
        first_step: Steps before this process.

    Examples:
        >>> shown = []
        >>> logger = LoggerChoice(lambda metrics, step: shown.append((step, metrics["return"])), {}, every=2)
        >>> averages = EpisodeAverages([logger], Path("run"), {}, 0)
        >>> for episode in (1, 2):
        ...     averages.add({"episode": episode, "steps": 10 * episode, "return": float(episode), "loss": None})
        >>> shown
        [(20, 1.5)]
    """

    def __init__(
        self, choices: Sequence[LoggerChoice], run: Path, settings: Mapping[str, Any], first_step: int
    ) -> None:
        self._loggers: list[tuple[Logger, deque[Mapping[str, Any]]]] = []
        try:
            for choice in choices:
                self._loggers.append((choice.started(run, settings, first_step), deque(maxlen=choice.every)))
        except BaseException:
            self.close()
            raise

    def add(self, row: Mapping[str, Any]) -> None:
        """Add the metrics of an episode, a line of ``metrics.jsonl``."""
        for logger, recent in self._loggers:
            recent.append(row)
            if row["episode"] % (recent.maxlen or 1) == 0:
                logger.log(_means(recent), row["steps"])

    def close(self) -> None:
        """Close all loggers, also if one of them fails."""
        if self._loggers:
            logger, _ = self._loggers.pop()
            with closing(self):
                logger.close()


def _means(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the mean of every quantity that is a number, over the rows that have it."""
    names = {name: None for row in rows for name in row}
    means = {}
    for name in names:
        values = [row[name] for row in rows if isinstance(row.get(name), int | float)]
        if values and name not in ("episode", "steps"):
            means[name] = float(sum(values) / len(values))
    return means

"""Sweeps with ``-m``: play the missing jobs, end all of them on request, and list those that failed.

Each job writes its outcome to a temporary folder that the processes of all launchers share. A file in it is the request
to stop. A training that a launcher starts in a worker gets a process of its own, so that killing it ends no other job.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from qas_experiments.commands.errors import one_line
from qas_experiments.counting import number_of
from qas_experiments.interrupts import INTERRUPTED, also_end_if
from qas_simulators.errors import MissingExtraError

_STOP = "stop"
_BASIC = "BasicLauncher"
_FAILED = "failed"
_INTERRUPTED = "interrupted"
PATIENCE = 20.0
"""Seconds that a job waits for another process that plays the same run, which may be about to end."""


class SweepInterrupted(BaseException):
    """End of a sweep in one process; no ``Exception``, so that launchers do not catch it."""


@dataclass(frozen=True)
class Sweep:
    """The jobs of one call, shared by the processes that play them.

    Attributes:
        folder: Folder of the outcomes.
        config_name: Configuration of the command, ``"train"`` or ``"benchmark"``.
    """

    folder: Path
    config_name: str

    @classmethod
    def begin(cls, config_name: str) -> Sweep:
        """Return a new sweep in the working directory, which on a cluster all nodes must share."""
        return cls(Path(tempfile.mkdtemp(prefix=".qas-sweep-", dir=".")).resolve(), config_name)

    def end(self) -> None:
        """Remove the folder of outcomes."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def is_stopped(self) -> bool:
        """Whether all jobs are to end, on request or because the sweep is over."""
        return (self.folder / _STOP).exists() or not self.folder.exists()

    def stop(self) -> None:
        """Ask all jobs to end at their next step."""
        (self.folder / _STOP).touch()

    def report(self, number: int, state: str, what: str = "") -> None:
        """Write the outcome of a job; one that a restart finds finished keeps its first outcome."""
        if state == "finished before" and number in self.outcomes():
            return
        part = self.folder / f".{number}.part"
        part.write_text(json.dumps({"state": state, "what": what}), encoding="utf-8")
        part.replace(self.folder / f"{number}.json")

    def outcomes(self) -> dict[int, dict[str, str]]:
        """Return the outcomes of the jobs by number."""
        files = sorted(self.folder.glob("*.json"), key=lambda path: int(path.stem))
        return {int(path.stem): json.loads(path.read_text(encoding="utf-8")) for path in files}

    def handle(self, _signal: int, _frame: FrameType | None) -> None:
        """Handle a signal: the first asks the jobs to end, a second one ends them at once."""
        if self.is_stopped:
            raise KeyboardInterrupt
        self.stop()
        sys.stderr.write("interrupted: jobs end at their next step; interrupt again to end them at once\n")

    def job(self, function: Callable[[Any], Any]) -> Callable[[DictConfig], None]:
        """Return the function that launchers call for every job, in this process or in another."""
        if self.config_name == "train":
            return lambda config: _play_training(self, config)
        return lambda config: _play_here(self, config, function)

    def status(self) -> int:
        """Print the number of jobs and those that failed; return the exit status."""
        outcomes = self.outcomes()
        counts = Counter(outcome["state"] for outcome in outcomes.values())
        counted = ", ".join(f"{count} {state}" for state, count in counts.items())
        sys.stdout.write(f"{number_of(len(outcomes), 'job')}: {counted}\n" if outcomes else "no job was played\n")
        for number, outcome in outcomes.items():
            if outcome["state"] == _FAILED:
                sys.stderr.write(f"error: job {number}: {outcome['what']}\n")
        if self.is_stopped or counts[_INTERRUPTED]:
            sys.stderr.write("interrupted; run the same command to resume\n")
            return INTERRUPTED
        return 2 if counts[_FAILED] else 0


def _is_basic() -> bool:
    """Return whether jobs are played one after the other in the process of the command."""
    return str(HydraConfig.get().launcher._target_).endswith(f".{_BASIC}")


def _ignore_ctrl_c() -> None:
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _play_here(sweep: Sweep, config: DictConfig, function: Callable[[Any], Any]) -> None:
    """Play a job in this process."""
    number = int(HydraConfig.get().job.num)
    if not _is_basic():
        _ignore_ctrl_c()  # Ctrl-C reaches all processes; the training handles it
    if sweep.is_stopped:
        return
    also_end_if(lambda: sweep.is_stopped)
    try:
        result = function(OmegaConf.to_object(config))
    except (ValueError, OSError, RuntimeError, MissingExtraError, OmegaConfBaseException) as error:
        sweep.report(number, _FAILED, one_line(error))
        return
    finally:
        also_end_if(lambda: False)
    is_interrupted = bool(result and result.get("interrupted"))
    sweep.report(number, _INTERRUPTED if is_interrupted else (result or {}).get("state", "played"))
    if is_interrupted:
        sweep.stop()
        if _is_basic():
            raise SweepInterrupted


def _play_training(sweep: Sweep, config: DictConfig) -> None:
    """Play a training, in this process if jobs are played one by one, else in a separate process."""
    if _is_basic():
        _play_here(sweep, config, _once)
        return
    _ignore_ctrl_c()  # this process waits for the training, which handles Ctrl-C
    if sweep.is_stopped:
        return
    number = int(HydraConfig.get().job.num)
    given = {"folder": str(sweep.folder), "number": number, "settings": OmegaConf.to_container(config, resolve=True)}
    ended = subprocess.run(
        [sys.executable, "-m", "qas_experiments.commands.sweeps"], input=json.dumps(given), text=True, check=False
    )
    if number not in sweep.outcomes():
        code = ended.returncode
        sweep.report(number, _FAILED, f"ended by signal {-code}" if code < 0 else f"ended with status {code}")


def _once(settings: Any, patience: float = 0.0) -> dict[str, Any]:
    """Play a training that is not finished; import here, so that a process that only waits stays small."""
    from qas_experiments.training.continuing import played_once
    from qas_experiments.training.run import train

    state, summary = played_once(settings, train, patience)
    return {"state": state, "interrupted": summary["interrupted"]}


def main() -> None:
    """Play the training that standard input describes; end it when the waiting process has ended."""
    from qas_experiments.runs.files import settings_from

    given = json.loads(sys.stdin.read())
    sweep, waiting = Sweep(Path(given["folder"]), "train"), os.getppid()
    also_end_if(lambda: sweep.is_stopped or os.getppid() != waiting)
    try:
        result = _once(settings_from(given["settings"]), PATIENCE)
    except (ValueError, OSError, RuntimeError, MissingExtraError, OmegaConfBaseException) as error:
        sweep.report(given["number"], _FAILED, one_line(error))
        return
    sweep.report(given["number"], _INTERRUPTED if result["interrupted"] else result["state"])


if __name__ == "__main__":
    main()

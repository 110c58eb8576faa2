"""The folder of a run: locked by one process at a time, with files that are written atomically."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from qas_simulators.errors import must
from qas_simulators.files import write_whole

SUMMARY: Final = "summary.json"
PROGRESS: Final = "progress.json"
ABORTED: Final = "aborted.json"
CHECKPOINT: Final = "checkpoint"
_LOCK = ".lock"
_HEARTBEAT_SECONDS = 10.0


class FolderTakenError(ValueError):
    """A run folder that exists already."""


class RunFolder:
    """The folder of one run, locked by this process until it is closed.

    While the folder is open, ``progress.json`` is touched every ten seconds, so that other processes see that the run
    is alive even when it writes nothing.

    Args:
        path: A folder that does not exist; runs are never overwritten.

    Raises:
        FolderTakenError: The folder exists.
        ValueError: The folder cannot be created.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.mkdir(parents=True)
        except OSError as error:
            if path.exists():
                message = must("run", "name a new folder (runs are never overwritten)", str(path))
                raise FolderTakenError(message) from None
            raise ValueError(must("run", f"name a folder that can be created ({error.strerror})", str(path))) from None
        self._open(path)

    @classmethod
    def reopen(cls, path: Path) -> RunFolder:
        """Return the folder of a run that is resumed.

        Raises:
            ValueError: There is no such run, the folder is not writable, or another process uses it.
        """
        if not (path / "config.yaml").exists():
            raise ValueError(must("resume", "name the folder of a run", str(path)))
        folder = cls.__new__(cls)
        folder._open(path)
        return folder

    def _open(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path / _LOCK, timeout=0, thread_local=False)
        try:
            self._lock.acquire()
            self._metrics = (path / "metrics.jsonl").open("a", encoding="utf-8")
        except Timeout:
            raise ValueError(must("resume", "name a run that no other process uses", str(path))) from None
        except OSError as error:
            self._lock.release()
            raise ValueError(must("resume", f"name a writable folder ({error.strerror})", str(path))) from None
        self._closing = threading.Event()
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def _beat(self) -> None:
        """Touch ``progress.json`` regularly, if it exists."""
        while not self._closing.wait(_HEARTBEAT_SECONDS):
            with suppress(OSError):
                os.utime(self.path / PROGRESS)

    @contextmanager
    def recording_aborts(self) -> Iterator[None]:
        """Write ``aborted.json`` with the reason if the block raises an exception."""
        try:
            yield
        except BaseException as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            with suppress(OSError):
                self.write_json(ABORTED, {"reason": reason, "when": datetime.now().isoformat(timespec="seconds")})
            raise

    def remove_end(self) -> None:
        """Remove the files that an interruption left, because the run is resumed."""
        for name in (SUMMARY, ABORTED):
            (self.path / name).unlink(missing_ok=True)

    def write_text(self, name: str, text: str) -> Path:
        """Write a text file atomically and return its path."""
        return write_whole(self.path / name, text.encode())

    def write_json(self, name: str, value: Any) -> Path:
        """Write JSON atomically and return its path."""
        return self.write_text(name, json.dumps(value, indent=1, ensure_ascii=False) + "\n")

    def write_progress(self, steps: int, evaluations: int, seconds: float, part: str = "training") -> None:
        """Write ``progress.json``, from which other processes read the progress.

        Args:
            steps: Steps of the training so far.
            evaluations: Energy evaluations of the training so far.
            seconds: Wall time of the training so far.
            part: The current part of the run.
        """
        self._metrics.flush()
        progress = {"steps": steps, "evaluations": evaluations, "seconds": seconds, "part": part}
        self.write_json(PROGRESS, progress)

    def remove_progress(self) -> None:
        """Remove ``progress.json``, which the summary replaces."""
        (self.path / PROGRESS).unlink(missing_ok=True)

    def append_metrics(self, row: dict[str, Any]) -> None:
        """Add a line to ``metrics.jsonl``."""
        self._metrics.write(json.dumps(row) + "\n")

    def metrics_size(self) -> int:
        """Flush the metrics and return their size in bytes."""
        self._metrics.flush()
        return self._metrics.tell()

    def check_metrics(self, size: Any) -> None:
        """Raise ``ValueError`` unless the first ``size`` bytes of the metrics exist and are whole lines."""
        path = self.path / "metrics.jsonl"
        if type(size) is not int or not 0 <= size <= path.stat().st_size:
            raise ValueError(must("metrics.jsonl", f"hold the {size} bytes of the checkpoint", path.stat().st_size))
        if size:
            with path.open("rb") as file:
                file.seek(size - 1)
                if file.read(1) != b"\n":
                    raise ValueError(must("metrics.jsonl", f"have a line that ends at byte {size}", "cut elsewhere"))

    def cut_metrics(self, size: int) -> None:
        """Truncate the metrics to ``size`` bytes, because the steps after them will be repeated."""
        self._metrics.truncate(size)
        self._metrics.seek(size)

    def close(self) -> None:
        """Close the metrics and release the lock."""
        self._closing.set()
        self._metrics.close()
        self._lock.release()

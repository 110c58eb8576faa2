"""The folder of a run: made for one process at a time, every file in it written whole or not at all."""

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
    """A folder for one run, which belongs to this process until it is closed.

    While it is open its lock is held, and ``progress.json`` is touched every few seconds, so that others see that the
    run is alive whatever it is at.

    Args:
        path: A folder that does not exist; runs are never overwritten.

    Raises:
        FolderTakenError: It exists.
        ValueError: It cannot be made.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.mkdir(parents=True)
        except OSError as error:
            if path.exists():
                message = must("run", "name a new folder (runs are never overwritten)", str(path))
                raise FolderTakenError(message) from None
            raise ValueError(must("run", f"name a folder that can be made ({error.strerror})", str(path))) from None
        self._open(path)

    @classmethod
    def reopen(cls, path: Path) -> RunFolder:
        """Return the folder of a run that is to go on.

        Raises:
            ValueError: There is none, it cannot be written, or another process is at it.
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
            raise ValueError(must("resume", "name a run that no other process is at", str(path))) from None
        except OSError as error:
            self._lock.release()
            raise ValueError(must("resume", f"name a folder to write to ({error.strerror})", str(path))) from None
        self._closing = threading.Event()
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def _beat(self) -> None:
        """Touch ``progress.json`` now and then, if it is there."""
        while not self._closing.wait(_HEARTBEAT_SECONDS):
            with suppress(OSError):
                os.utime(self.path / PROGRESS)

    @contextmanager
    def telling_aborts(self) -> Iterator[None]:
        """Write ``aborted.json``, with the reason, if the block ends by an exception."""
        try:
            yield
        except BaseException as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            with suppress(OSError):
                self.write_json(ABORTED, {"reason": reason, "when": datetime.now().isoformat(timespec="seconds")})
            raise

    def forget_end(self) -> None:
        """The run goes on: what told of its interruption is over."""
        for name in (SUMMARY, ABORTED):
            (self.path / name).unlink(missing_ok=True)

    def write_text(self, name: str, text: str) -> Path:
        """Write a text file atomically and return its path."""
        return write_whole(self.path / name, text.encode())

    def write_json(self, name: str, value: Any) -> Path:
        """Write JSON atomically and return its path."""
        return self.write_text(name, json.dumps(value, indent=1, ensure_ascii=False) + "\n")

    def tell_progress(self, steps: int, evaluations: int, seconds: float, part: str = "training") -> None:
        """Let others see how far the run is.

        Args:
            steps: Of the training.
            evaluations: Of the training.
            seconds: Of the training.
            part: What the run is at.
        """
        self._metrics.flush()
        told = {"steps": steps, "evaluations": evaluations, "seconds": seconds, "part": part}
        self.write_json(PROGRESS, told)

    def forget_progress(self) -> None:
        """The summary tells it from now on."""
        (self.path / PROGRESS).unlink(missing_ok=True)

    def append_metrics(self, row: dict[str, Any]) -> None:
        """Add a line to ``metrics.jsonl``."""
        self._metrics.write(json.dumps(row) + "\n")

    def metrics_size(self) -> int:
        """Return how many bytes of metrics are on disk, all written so far."""
        self._metrics.flush()
        return self._metrics.tell()

    def check_metrics(self, size: Any) -> None:
        """Raise ``ValueError`` unless there are so many bytes of metrics, whole lines."""
        path = self.path / "metrics.jsonl"
        if type(size) is not int or not 0 <= size <= path.stat().st_size:
            raise ValueError(must("metrics.jsonl", f"hold the {size} bytes of the checkpoint", path.stat().st_size))
        if size:
            with path.open("rb") as file:
                file.seek(size - 1)
                if file.read(1) != b"\n":
                    raise ValueError(must("metrics.jsonl", f"have a line that ends at byte {size}", "none"))

    def cut_metrics(self, size: int) -> None:
        """Forget metrics beyond so many bytes: they belong to steps that will be made again."""
        self._metrics.truncate(size)
        self._metrics.seek(size)

    def close(self) -> None:
        """Flush the metrics, leave the folder to others."""
        self._closing.set()
        self._metrics.close()
        self._lock.release()

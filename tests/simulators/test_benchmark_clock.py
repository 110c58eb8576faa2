"""The clock of the benchmarks, and the benchmark of a GPU on a few circuits under numba's simulator of one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "simulators" / "benchmarks"

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="POSIX signals")


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(FOLDER))
    import clock

    return clock


def forever() -> int:
    while True:
        pass


def test_a_measurement_ends_at_its_limit(clocks: Any) -> None:
    """It is interrupted, the next one is measured, and no alarm is left."""
    before = signal.getsignal(signal.SIGALRM)
    clock = clocks.Clock(600.0)
    assert clock.run(0.1, forever) is None
    assert clock.run(60.0, lambda: 3) == 3
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0) and signal.getsignal(signal.SIGALRM) is before


def test_an_interruption_that_is_swallowed_comes_again(clocks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "AGAIN", 0.05)
    swallowed = []

    def stubborn() -> None:
        try:
            forever()
        except clocks.OutOfTimeError as error:
            swallowed.append(error)
        forever()

    assert clocks.Clock(600.0).run(0.1, stubborn) is None and len(swallowed) == 1
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_all_measurements_end_at_the_total(clocks: Any) -> None:
    """By a clock that is turned by hand; what is left bounds the limit of a row."""
    time, limits, calls = 100.0, [], []
    clock = clocks.Clock(280.0, lambda: time)
    interrupted_after = clocks._interrupted_after
    clocks._interrupted_after = lambda seconds: limits.append(seconds) or interrupted_after(seconds)
    try:
        for time in (100.0, 350.0, 379.99, 380.0, 400.0):
            clock.run(40.0, lambda: calls.append(time))  # noqa: B023  called at once
    finally:
        clocks._interrupted_after = interrupted_after
    assert calls == [100.0, 350.0] and limits == [40.0, 30.0]
    assert clock.left == -20.0


def test_a_failure_is_no_lack_of_time(clocks: Any) -> None:
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        clocks.Clock(60.0).run(60.0, fail)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def script(tmp_path: Path, *arguments: str) -> list[dict[str, Any]]:
    """Run the benchmark of a GPU under the simulator; return the rows of all tables."""
    line = [sys.executable, str(FOLDER / "gpu.py"), "--small", "--json", str(tmp_path / "results.json"), *arguments]
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    ended = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["device"] == "the simulator of a GPU" in ended.stdout
    rows: list[dict[str, Any]] = []
    for section, own in results["rows"].items():
        assert section in ended.stdout
        rows += own
    return rows


@pytest.mark.slow  # python -m pytest tests/simulators/test_benchmark_clock.py -m slow
def test_the_benchmark_of_a_gpu_runs_through(tmp_path: Path) -> None:
    rows = script(tmp_path, "--seconds", "3600")
    assert not [row for row in rows if "not measured" in row]
    differences = [value for row in rows for name, value in row.items() if name == "float64: difference"]
    assert len(differences) == 2 and max(differences) < 1e-11
    assert all(row["within 1e-6"] == 1.0 for row in rows if "within 1e-6" in row)
    rates = [row["steps per second"] for row in rows if "steps per second" in row]
    assert len(rates) == 3 and min(rates) > 0


@pytest.mark.slow
def test_without_time_every_row_says_so(tmp_path: Path) -> None:
    rows = script(tmp_path, "--seconds", "0")
    assert len(rows) > 8 and all(row["not measured"] == "out of time" for row in rows)

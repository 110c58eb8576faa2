"""Helpers of all tests."""

from __future__ import annotations

import os
import re

os.environ.setdefault("OMP_NUM_THREADS", "1")  # PyTorch's threads wait for each other where cores are busy
os.environ.setdefault("NUMBA_ENABLE_CUDASIM", "1")  # kernels of GPUs run on the CPU

import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from qas_simulators import Circuit, PauliSum
from qas_simulators.gates import GATES

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

collect_ignore_glob = ["fuzz/*_atheris.py"]  # they need atheris, which no extra installs

settings.register_profile("here", deadline=None)  # machines differ in speed, and kernels compile at first use
settings.load_profile("here")


CI_SKIPS = (
    "needs Chromium and ChromeDriver",
    "POSIX",
    "OpenBLAS has one kernel",
    "needs Linux",
    "needs named pipes",
    "could not import 'mitiq'",  # it excludes the versions of NumPy and Cirq that other packages need
)
"""Beginnings of the reasons for which a test may be skipped where ``QAS_ENVS_CI`` is set: the machine lacks something.

Every package of the extra ``dev`` is there, so that a test which skips for want of one was lost.
"""


_LONGEST_FIRST = ("tests/test_notebooks", "tests/test_docs", "tests/experiments")
"""Files that take longest; with the short ones last, two processes end at about the same time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest files first; the order within a file stays."""
    ranks = len(_LONGEST_FIRST)
    items.sort(key=lambda item: next((k for k in range(ranks) if item.nodeid.startswith(_LONGEST_FIRST[k])), ranks))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Fail a run in CI if tests were skipped for another reason than those of :data:`CI_SKIPS`."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if "QAS_ENVS_CI" in os.environ and terminal is not None and not hasattr(session.config, "workerinput"):
        reasons = [str(report.longrepr[2]) for report in terminal.stats.get("skipped", [])]
        lost = sorted({reason for reason in reasons if not reason.removeprefix("Skipped: ").startswith(CI_SKIPS)})
        if lost:
            terminal.write_line(f"ERROR: skipped for reasons that are not in CI_SKIPS of tests/conftest.py: {lost}")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
    return (yield)


LARGE = ("QAS-H6-v0", "QAS-N2-v0")
"""Environment ids of 12 qubits, too slow for thousands of steps, many shots and density matrices."""


def steady(value: object) -> str:
    """Return a test's name for a value, the same in every process: without addresses."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))


def random_circuit(num_qubits: int, num_gates: int, seed: int, gates: tuple[str, ...] | None = None) -> Circuit:
    """Return a seeded circuit over the whole gate table, or over ``gates``."""
    rng = np.random.default_rng(seed)
    rows = [gate for gate in GATES if (gates is None or gate.name in gates) and gate.num_qubits <= num_qubits]
    circuit = Circuit(num_qubits)
    for _ in range(num_gates):
        gate = rows[rng.integers(len(rows))]
        qubits = [int(q) for q in rng.choice(num_qubits, gate.num_qubits, replace=False)]
        circuit.append(gate.name, qubits, float(rng.normal()) if gate.num_params else None)
    return circuit


def random_pauli_sum(num_qubits: int, num_terms: int, seed: int) -> PauliSum:
    """Return a seeded sum of random strings, the identity and Y strings among them."""
    rng = np.random.default_rng(seed)
    labels = {"".join(rng.choice(list("IXYZ"), num_qubits)) for _ in range(num_terms)} | {"I" * num_qubits}
    return PauliSum({label: float(rng.normal()) for label in sorted(labels)})


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded generator."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium without a window; tests that need it are skipped where it is not installed."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("needs Chromium and ChromeDriver")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("headless", "no-sandbox", "disable-gpu", "disable-background-networking", "window-size=1200,900"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    yield driver
    driver.quit()

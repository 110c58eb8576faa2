"""How long does the page of qas-report take to open with 10,000 records?

    python experiments/benchmarks/report_page.py [records]   # needs Chromium, ChromeDriver and selenium

The records are copies of three played ones with other agents and seeds. The figures are medians over five repetitions
of opening the page from disk, sorting the table of all records, and filtering it.
"""

from __future__ import annotations

import dataclasses
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from qas_experiments.benchmarking.cells import cells_of, play
from qas_experiments.benchmarking.records import Record
from qas_experiments.benchmarking.site.pages import write_site
from qas_experiments.settings import BenchmarkSettings, SuiteSettings


def some_records(folder: Path) -> list[Record]:
    """Return three small records."""
    instances = {f"TFIM-{n}": {"env": {"id": "QAS-TFIM-v0", "problem": {"num_qubits": n}}} for n in (2, 3, 4)}
    suite = SuiteSettings("page", instances, seeds=1, total_timesteps=2000, max_evaluations=5000)
    settings = BenchmarkSettings(suite, {"name": "annealing"}, {"name": "scan_lbfgs"}, folder=str(folder))
    return [record for cell in cells_of(settings) if (record := play(cell).record) is not None]


def main(number: int = 10_000) -> None:
    """Print the figures."""
    from selenium import webdriver

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        known = some_records(folder / "cells")
        records = [
            dataclasses.replace(known[k % 3], agent=f"agent {k % 21 // 3}", seed=k // 21, suite=f"suite {k % 5}")
            for k in range(number)
        ]
        write_site(records, folder / "site", "Many records", {})
        page = folder / "site" / "index.html"
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for flag in ("headless", "no-sandbox", "disable-gpu", "disable-background-networking", "window-size=1200,900"):
            options.add_argument(f"--{flag}")
        service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
        browser = webdriver.Chrome(options=options, service=service)
        times: dict[str, list[float]] = {"open": [], "sort": [], "filter": []}
        for _ in range(5):
            browser.get(page.as_uri())
            assert browser.execute_script("return document.body.dataset.ready") == "yes"
            entry = "const [one] = performance.getEntriesByType('navigation'); return one.loadEventEnd"
            times["open"].append(browser.execute_script(entry))
            browser.execute_script("document.getElementById('all-records').open = true; showRecords()")
            timed = "const start = performance.now(); {}; return performance.now() - start"
            sort = "document.querySelector('#records th:nth-child(5)').click()"
            times["sort"].append(browser.execute_script(timed.format(sort)))
            search = "document.getElementById('search').value = 'seed 7'; show()"
            times["filter"].append(browser.execute_script(timed.format(search)))
        browser.quit()
        size = page.stat().st_size / 2**20
    figures = ", ".join(f"{name} {statistics.median(some):.0f} ms" for name, some in times.items())
    print(f"{number:,} records, page of {size:.1f} MiB: {figures}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

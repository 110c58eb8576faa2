"""Write the page on performance: run every benchmark of speed, and show its description and output.

    python experiments/benchmarks/performance.py            # all, about a quarter of an hour on a quiet machine
    python experiments/benchmarks/performance.py steps      # one of them again; the others stay as they are

Writes ``results/performance.md``. Ratios are between medians of one run on one machine; other machines differ.
"""

from __future__ import annotations

import ast
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from qas_experiments.runs.files import versions

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "experiments" / "results"
STORE = RESULTS / "performance.json"
BENCHMARKS = {
    "steps": ("An environment's step", "qas_envs/benchmarks/step.py"),
    "wide": ("A step on twenty qubits", "qas_envs/benchmarks/wide_step.py"),
    "vectors": ("Many environments", "qas_envs/benchmarks/vector.py"),
    "simulators": ("Simulators, beside other libraries", "simulators/benchmarks/simulators.py"),
    "compilation": ("The first compilation", "simulators/benchmarks/compile_time.py"),
    "learning": ("A step of learning", "agents/benchmarks/training_step.py"),
    "extraction": ("Learning gadgets", "agents/benchmarks/extraction.py"),
    "report": ("A page of 10,000 records", "experiments/benchmarks/report_page.py"),
}
HEAD = """# Performance

Made by `python experiments/benchmarks/performance.py`: what each benchmark says of itself, and what it printed. One
thread each unless it says otherwise, results checked equal before anything is timed, ratios between medians of one run.
"""


def run(script: str) -> str:
    """Return what a benchmark printed.

    Raises:
        SystemExit: It failed.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run([sys.executable, ROOT / script], capture_output=True, text=True, env=environment, cwd=ROOT)
    if ended.returncode:
        raise SystemExit(f"{script} failed:\n{ended.stderr}")
    return ended.stdout.strip()


def page(printed: dict[str, dict[str, str]]) -> str:
    """Return the page."""
    lines = [HEAD]
    for key, (title, script) in BENCHMARKS.items():
        if key in printed:
            said = ast.get_docstring(ast.parse((ROOT / script).read_text(encoding="utf-8"))) or ""
            lines += [f"## {title}", "", f"`python {script}`, {printed[key]['where']}", ""]
            lines += ["```text", said, "```", "", "```text", printed[key]["output"], "```", ""]
    return "\n".join(lines)


def main(names: list[str]) -> None:
    """Run benchmarks, write the page."""
    printed = json.loads(STORE.read_text(encoding="utf-8")) if STORE.exists() else {}
    packages = versions()
    kept = ", ".join(f"{name} {packages[name]}" for name in ("python", "numpy", "numba", "torch") if name in packages)
    where = f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, {kept}"
    for key in names or BENCHMARKS:
        printed[key] = {"where": where, "output": run(BENCHMARKS[key][1])}
        print(key, flush=True)
        STORE.write_text(json.dumps(printed, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (RESULTS / "performance.md").write_text(page(printed), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

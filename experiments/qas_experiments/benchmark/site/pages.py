"""The site of ``qas-report``: all valid records, in pages that work from disk."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from qas_experiments.benchmark.answers import library_digest
from qas_experiments.benchmark.judge import Judge
from qas_experiments.benchmark.judges import Judges
from qas_experiments.benchmark.published import published
from qas_experiments.benchmark.records import Record, by_agent, write_lines
from qas_experiments.benchmark.tables import (
    CLOCK,
    FOOTNOTE,
    across,
    across_texts,
    is_ended_by_clock,
    is_solution,
    marked,
    num_ended_by_clock,
    row_of,
)
from qas_experiments.benchmark.true_records import true_records
from qas_experiments.counting import counted
from qas_experiments.statistics import iqm
from qas_simulators import Circuit
from qas_simulators.errors import must
from qas_simulators.files import write_whole

_SITE = "qas_experiments.benchmark.site"


def report(
    paths: Sequence[Path],
    out: Path,
    title: str,
    floors: int = 3,
    lines: Path | None = None,
    judge: Judge | Judges | None = None,
) -> tuple[int, list[str]]:
    """Write the site of some files of records.

    Args:
        paths: The files.
        out: Folder of the site.
        title: Its title.
        floors: Longest skeletons to search if no floors are known; -1 for no search.
        lines: File to write the valid records to, as lines of text.
        judge: The judge of the records, or several; by default a new one for this call.

    Returns:
        The number of records shown, and a line with the reason for each that is left out.

    Raises:
        ValueError: A file does not exist, or no file has records.
    """
    if judge is None:
        with Judge() as judge:
            return report(paths, out, title, floors, lines, judge)
    if lines is not None:
        if lines.resolve() in [path.resolve() for path in paths]:
            raise ValueError(must("lines", "differ from the files that are read", str(lines)))
        lines.parent.mkdir(parents=True, exist_ok=True)
    for path in paths:
        if not path.is_file():
            raise ValueError(must("records", "name files of records", str(path)))
    found = true_records(paths, judge, shows_progress=True)
    if not found.records and not found.left_out:
        raise ValueError(must("records", "name files with records", [str(path) for path in paths]))
    if lines is not None:
        write_lines(found.records, lines, found.hamiltonians)
    write_site(found.records, out, title, references(found.records, floors, Judges.of(judge)))
    return len(found.records), found.left_out


def write_site(records: Sequence[Record], out: Path, title: str, marks: dict[str, Any]) -> None:
    """Write ``index.html``, and a file per record that the page loads when its circuit is opened."""
    (out / "circuits").mkdir(parents=True, exist_ok=True)
    with counted("drawing circuits", len(records)) as advance:
        for record in records:
            _write_record(record, out / "circuits" / f"{record.hash}.js")
            advance(1)
    instances = {record.instance for record in records}
    data = {
        "board": _board(records),
        "records": _rows(records),
        "points": _points(records),
        "across": [
            {"suite": suite, **row, "texts": across_texts(row)}
            for suite in dict.fromkeys(record.suite for record in records)
            for row in across([record for record in records if record.suite == suite])
        ],
        "published": [asdict(row) for row in published() if row.instance in instances],
        "references": marks,
    }
    seeds = len({(record.suite, record.instance, record.agent) for record in records})
    summary = f"{len(records):,} verified records of {seeds} pairs of agent and instance. "
    summary += "Errors are always against the exact ground energy."
    if num_ended_by_clock(records):
        summary += f" {FOOTNOTE}"
    page = Template(_asset("page.html")).substitute(
        title=_escaped(title),
        summary=summary,
        style=_asset("style.css"),
        script=_asset("script.js"),
        data=_script_safe(data),
    )
    draft = out / ".index.html.part"
    draft.write_text(page, encoding="utf-8")
    draft.replace(out / "index.html")


def _write_record(record: Record, path: Path) -> None:
    """Write the file of a record, unless this version of the library has written it before."""
    made_by = f"// {library_digest()}\n"
    with suppress(OSError), path.open(encoding="utf-8") as file:
        if file.readline() == made_by:
            return
    content = {**asdict(record), "hash": record.hash, "verified": "Verified: energy, gates, couplings."}
    for circuit in content["circuits"].values():
        circuit["drawing"] = Circuit.from_qasm3(circuit["qasm"]).draw()
    write_whole(path, f"{made_by}qasRecord({_script_safe(content)});\n".encode())


def _script_safe(content: Any) -> str:
    """Return JSON that cannot end a script or start a comment, whatever its strings contain."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _asset(name: str) -> str:
    return files(_SITE).joinpath(name).read_text(encoding="utf-8")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# -- rows --------------------------------------------------------------------------------------------------------------


def _board(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Return a row for every agent on every instance, with numbers for sorting and texts for display."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record.suite, record.instance), []).append(record)
    board = []
    named = [(*key, agent, some) for key, of_key in groups.items() for agent, some in by_agent(of_key).items()]
    for suite, instance, agent, some in named:
        solved, error, cnot, depth, first, frozen, frozen_cnot, _ = row_of(some)
        best = [record.circuits["best"] for record in some if is_solution(record, "best")]
        of_policy = [record.circuits["frozen"] for record in some if is_solution(record, "frozen")]
        evaluations = [record.figures["first_solved"][0] for record in some if record.figures["first_solved"]]
        board.append(
            {
                "suite": suite,
                "instance": instance,
                "agent": some[0].agent,
                "name": marked(agent, num_ended_by_clock(some)),
                "share": len(best) / len(some),
                "solved": solved,
                "error": float(iqm([record.circuits["best"]["energy_error"] for record in some])),
                "error_text": error,
                "cnot": _mean([circuit["two_qubit_gates"] for circuit in best]),
                "cnot_text": cnot,
                "depth": _mean([circuit["depth"] for circuit in best]),
                "depth_text": depth,
                "first": _mean(evaluations),
                "first_text": first,
                "frozen_share": len(of_policy) / len(some),
                "frozen": frozen,
                "frozen_cnot": _mean([circuit["two_qubit_gates"] for circuit in of_policy]),
                "frozen_cnot_text": frozen_cnot,
            }
        )
    return board


def _mean(values: Sequence[float]) -> float | None:
    return float(iqm(values)) if len(values) else None


def _rows(records: Sequence[Record]) -> list[dict[str, Any]]:
    rows = []
    for record in records:
        best = record.circuits["best"]
        rows.append(
            {
                "hash": record.hash,
                "suite": record.suite,
                "instance": record.instance,
                "agent": record.agent,
                "seed": record.seed,
                "solved": is_solution(record, "best"),
                "error": best["energy_error"],
                "cnot": best["two_qubit_gates"],
                "gates": best["gates"],
                "depth": best["depth"],
                "evaluations": record.figures["evaluations"],
                "seconds": round(record.figures["seconds"], 2),
                "clock": CLOCK if is_ended_by_clock(record) else "",
            }
        )
    return rows


def _points(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Return the points of the plots: the Pareto front and the frozen policy of every record."""
    points = []
    for record in records:
        for name, circuit in record.circuits.items():
            if name.startswith("front") or name == "frozen":
                points.append(
                    {
                        "hash": record.hash,
                        "circuit": name,
                        "suite": record.suite,
                        "instance": record.instance,
                        "agent": record.agent,
                        "seed": record.seed,
                        "cnot": circuit["two_qubit_gates"],
                        "depth": circuit["depth"],
                        "error": max(circuit["energy_error"], 1e-16),
                    }
                )
    return points


# -- references --------------------------------------------------------------------------------------------------------


def references(records: Sequence[Record], floors: int, judges: Judges) -> dict[str, Any]:
    """Return the references of every noiseless instance: product states, qubit-ADAPT and floors."""
    found: dict[str, Any] = {}
    firsts = [*{record.instance: record for record in reversed(records)}.values()]
    with counted("computing references of instances", len(firsts)) as advance:
        answers = judges.references(firsts, floors, advance)
    for record, (reference, problem) in zip(firsts, answers, strict=True):
        if problem:
            warnings.warn(f"{record.instance}: the site has no qubit-ADAPT and no floors ({problem})", stacklevel=2)
        elif reference is not None:
            found[record.instance] = reference
    return found

"""The site of ``qas-report``: all valid records, in pages that work from disk."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from qas_experiments.benchmarking.answers import library_digest
from qas_experiments.benchmarking.judge import Judge
from qas_experiments.benchmarking.judges import Judges
from qas_experiments.benchmarking.published import Published, published
from qas_experiments.benchmarking.records import Record, write_lines
from qas_experiments.benchmarking.shorter import Counts
from qas_experiments.benchmarking.site.links import address_of, agent_page, instance_page
from qas_experiments.benchmarking.site.rows import board_of, points_of, records_of
from qas_experiments.benchmarking.site.summary import headlines, labels_of, summary_of
from qas_experiments.benchmarking.tables import FOOTNOTE, across, across_texts, num_ended_by_clock
from qas_experiments.benchmarking.true_records import true_records
from qas_experiments.counting import counted
from qas_simulators import Circuit
from qas_simulators.errors import must
from qas_simulators.files import write_whole

_SITE = "qas_experiments.benchmarking.site"
_SCRIPTS = ("common.js", "tables.js", "plot.js", "script.js")


def report(
    paths: Sequence[Path],
    out: Path,
    title: str,
    floors: int = 3,
    lines: Path | None = None,
    judge: Judge | Judges | None = None,
    docs: str | None = None,
) -> tuple[int, list[str]]:
    """Write the site of some files of records.

    Args:
        paths: The files.
        out: Folder of the site.
        title: Its title.
        floors: Longest skeletons to search if no floors are known; -1 for no search.
        lines: File to write the valid records to, as lines of text.
        judge: The judge of the records, or several; by default a new one for this call.
        docs: Folder of the built docs, or their address, to which agents and instances link.

    Returns:
        The number of records shown, and a line with the reason for each that is left out.

    Raises:
        ValueError: A file does not exist, no file has records, or ``docs`` are no docs.
    """
    if judge is None:
        with Judge() as judge:
            return report(paths, out, title, floors, lines, judge, docs)
    if lines is not None:
        if lines.resolve() in [path.resolve() for path in paths]:
            raise ValueError(must("lines", "differ from the files that are read", str(lines)))
        lines.parent.mkdir(parents=True, exist_ok=True)
    for path in paths:
        if not path.is_file():
            raise ValueError(must("records", "name files of records", str(path)))
    address = address_of(docs, out)
    found = true_records(paths, judge, shows_progress=True)
    if not found.records and not found.left_out:
        raise ValueError(must("records", "name files with records", [str(path) for path in paths]))
    if lines is not None:
        write_lines(found.records, lines, found.hamiltonians)
    judges = Judges.of(judge)
    counts = shorter_counts_of(found.records, judges)
    write_site(found.records, out, title, references(found.records, floors, judges), counts, address)
    return len(found.records), found.left_out


def write_site(
    records: Sequence[Record],
    out: Path,
    title: str,
    marks: Mapping[str, Any],
    counts: Mapping[str, Counts] | None = None,
    docs: str | None = None,
) -> None:
    """Write ``index.html``, and a file per record that the page loads when its circuit is opened.

    Args:
        records: The valid records.
        out: Folder of the site.
        title: Its title.
        marks: References by label of the instance.
        counts: Counts of simplified circuits by hash of the record; without them those columns are empty.
        docs: Beginning of the addresses of docs pages; without it, agents and instances are no links.
    """
    (out / "circuits").mkdir(parents=True, exist_ok=True)
    counts = counts or {}
    with counted("drawing circuits", len(records)) as advance:
        for record in records:
            _write_record(record, counts.get(record.hash, {}), out / "circuits" / f"{record.hash}.js")
            advance(1)
    page = Template(_asset("page.html")).substitute(
        title=_escaped(title),
        style=_asset("style.css"),
        script="\n".join(_asset(name) for name in _SCRIPTS),
        data=_script_safe(_data(records, marks, counts, docs)),
    )
    draft = out / ".index.html.part"
    draft.write_text(page, encoding="utf-8")
    draft.replace(out / "index.html")


def _data(
    records: Sequence[Record], marks: Mapping[str, Any], counts: Mapping[str, Counts], docs: str | None
) -> dict[str, Any]:
    """Return everything that the page shows, except the circuits."""
    labels = labels_of(records)
    places: dict[str, list[Record]] = {}
    for record in records:
        places.setdefault(labels[record.suite, record.instance], []).append(record)
    papers = {label: _papers(some) for label, some in places.items()}
    noiseless = {label: some for label, some in places.items() if some[0].settings["noise"]["name"] == "none"}
    summary = [summary_of(label, some, counts, marks.get(label), papers[label]) for label, some in noiseless.items()]
    summary.sort(key=lambda row: row["interest"], reverse=True)
    return {
        "docs": docs or "",
        "agents": {name: agent_page(name) for name in dict.fromkeys(record.agent for record in records)},
        "places": {label: instance_page(some[0]) for label, some in places.items()},
        "headlines": headlines(summary, noiseless),
        "footnote": FOOTNOTE if num_ended_by_clock(records) else "",
        "summary": summary,
        "board": board_of(records, counts, labels),
        "records": records_of(records, counts, labels),
        "points": points_of(records, labels),
        "across": [
            {"suite": suite, **row, "texts": across_texts(row)}
            for suite in dict.fromkeys(record.suite for record in records)
            for row in across([record for record in records if record.suite == suite])
        ],
        "published": [{**asdict(row), "place": label} for label, rows in papers.items() for row in rows],
        "references": marks,
    }


def _papers(records: Sequence[Record]) -> list[Published]:
    """Return the published results of the instance of some records."""
    suites = {record.suite for record in records}
    return [row for row in published() if row.is_of(records[0].instance, suites)]


def _write_record(record: Record, counts: Counts, path: Path) -> None:
    """Write the file of a record, unless this version of the library has written it before."""
    made_by = f"// {library_digest()}{'' if counts else ' without counts'}\n"
    with suppress(OSError), path.open(encoding="utf-8") as file:
        if file.readline() == made_by:
            return
    circuits = {
        name: {**circuit, "drawing": _drawing(circuit["qasm"]), **counts.get(name, {})}
        for name, circuit in record.circuits.items()
    }
    about = {"hash": record.hash, "verified": "Verified: energy, gates, couplings."}
    content = {**record.content(), "circuits": circuits, **about}
    write_whole(path, f"{made_by}qasRecord({_script_safe(content)});\n".encode())


@lru_cache(maxsize=256)
def _drawing(qasm: str) -> str:
    """Return the drawing of a circuit; the best one of a record is often also one of its front."""
    return Circuit.from_qasm3(qasm).draw()


def _script_safe(content: Any) -> str:
    """Return JSON that cannot end a script or start a comment, whatever its strings contain."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _asset(name: str) -> str:
    return files(_SITE).joinpath(name).read_text(encoding="utf-8")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# -- references --------------------------------------------------------------------------------------------------------


def references(records: Sequence[Record], floors: int, judges: Judges) -> dict[str, Any]:
    """Return the references of every noiseless instance by its label: product states, qubit-ADAPT and floors."""
    labels, found = labels_of(records), {}
    firsts = {labels[record.suite, record.instance]: record for record in reversed(records)}
    with counted("computing references of instances", len(firsts)) as advance:
        answers = judges.references([*firsts.values()], floors, advance)
    for label, (reference, problem) in zip(firsts, answers, strict=True):
        if problem:
            warnings.warn(f"{label}: the site has no qubit-ADAPT and no floors ({problem})", stacklevel=2)
        elif reference is not None:
            found[label] = reference
    return found


def shorter_counts_of(records: Sequence[Record], judges: Judges) -> dict[str, Counts]:
    """Return the counts of simplified circuits by hash of the record."""
    with counted("simplifying circuits", len(records)) as advance:
        answers = judges.counts(records, advance)
    for record, (_, problem) in zip(records, answers, strict=True):
        if problem:
            warnings.warn(f"{record.label}: the site has no counts of simplified circuits ({problem})", stacklevel=2)
    return {record.hash: counts for record, (counts, problem) in zip(records, answers, strict=True) if not problem}

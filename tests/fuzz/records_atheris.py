"""Coverage-guided fuzzing of the reader and the verification of records, with atheris (``pip install atheris``).

    python tests/fuzz/records_atheris.py make CORPUS RECORDS.jsonl      # short records, a file each
    python tests/fuzz/records_atheris.py CORPUS -max_total_time=600     # options of libFuzzer

The input is a line of a file of records. Where it is a JSON object, its hash is made to fit, as somebody who means harm
would do, so that what is behind the hash is reached. Any exception ends the search, and so does a line that takes 20 s.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

MOST_BYTES = 6_000


def reader_of_lines(records: Any, judge_process: Any) -> Callable[[bytes], None]:
    """Return the function that reads a line and verifies its record."""
    path = Path(tempfile.mkdtemp()) / "records.jsonl"
    fields = [field.name for field in dataclasses.fields(records.Record)]

    def read(data: bytes) -> None:
        with contextlib.suppress(ValueError, RecursionError):
            content = json.loads(data)
            if isinstance(content, dict):
                content = {name: value for name, value in content.items() if name in fields}
                digest = records.Record(**{name: content.get(name) for name in fields}).hash
                data = json.dumps({"hash": digest, "format": records.FORMAT, **content}).encode()
        path.write_bytes(b"{\n" + data)
        for entry in records.Records(path).read()[0]:
            if entry.record is not None:
                assert entry.record.cell and entry.record.label
                task = {"record": dataclasses.asdict(entry.record), "hamiltonian": None}
                json.dumps(judge_process.answer_to(task)["faults"])

    return read


def make_corpus(folder: Path, path: Path) -> None:
    """Write the records of a file that are short, with the fields alone."""
    from qas_experiments.benchmarking.records import Records

    folder.mkdir(parents=True, exist_ok=True)
    texts = [json.dumps(dataclasses.asdict(record)) for record in Records(path)]
    for number, text in enumerate(sorted(texts, key=len)[:20]):
        if len(text) <= MOST_BYTES:
            (folder / f"{path.stem}-{number}").write_text(text)


def fuzz(arguments: list[str]) -> None:
    """Search until libFuzzer's options end it."""
    atheris = importlib.import_module("atheris")  # no dependency of ours
    importlib.import_module("qas_experiments.building")  # as it is: instrumented kernels would be compiled again
    with atheris.instrument_imports(include=["qas_experiments.benchmarking", "qas_simulators.bridges"]):
        importlib.import_module("qas_simulators.bridges.qasm3")
        records = importlib.import_module("qas_experiments.benchmarking.records")
        judge_process = importlib.import_module("qas_experiments.benchmarking.judge_process")
    judge_process.warm_up()
    limits = [f"-max_len={MOST_BYTES}", "-timeout=20", "-rss_limit_mb=8000"]
    atheris.Setup([sys.argv[0], *limits, *arguments], reader_of_lines(records, judge_process))
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make_corpus(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        fuzz(sys.argv[1:])

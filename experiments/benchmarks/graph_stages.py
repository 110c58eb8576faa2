"""Scouts in stages on random Ising graphs: circuits of a policy, of the model's pairs and random ones, alike.

    OMP_NUM_THREADS=1 python experiments/benchmarks/graph_stages.py play ising_8 <policy files, one per training seed>
    python experiments/benchmarks/graph_stages.py report      # writes results/graph_stages.md

``play`` appends to results/graph_stages.jsonl what is not there yet, one line per study, row, instance and seed. A run
ends with its first solution. Instances and budgets are those of ``graph_policies.py``; policies are trained by
``qas-train experiment=ising_graphs``. ``--only=TEXT`` plays the rows with this in their names.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from graph_policies import STUDIES, middle_of, play_within, texts_of

from qas_agents import BlockAnnealing, GreedyBlocks, policy_search

RESULTS: Final = Path(__file__).parents[1] / "results"
FILE: Final = RESULTS / "graph_stages.jsonl"
SMALL: Final = 0.05  # of [-pi, pi): angles of all starts
STAGES: Final[dict[str, Any]] = {"scouts": 1, "scout_iterations": (160, 400, 2000), "scout_rounds": 5, "spread": SMALL}
TEMPERATURE: Final = 0.7  # of the policies' scouts
Make = Callable[[Any, int], Any]


def rows_of(name: str, policies: Sequence[str]) -> Iterator[tuple[str, int, Make]]:
    """Yield name, seed and function of every row; a policy's seed is that of its training."""
    n = STUDIES[name].qubits
    for number, policy in enumerate(policies):
        own = {**STAGES, "scout_repeats": 2, "scout_temperature": TEMPERATURE}
        yield "graph_search, scouts in stages", number, partial(policy_search, policy=policy, **own)
    yield "pairs of the terms in stages", 0, partial(BlockAnnealing, scout_pairs=True, **STAGES)
    random = {**STAGES, "scout_repeats": 2, "own_pairs": False, "start_blocks": 4 * n, "openings": 16}
    yield "random scouts in stages", 0, partial(BlockAnnealing, **random)  # graph_search without a policy
    yield "annealed blocks, small angles", 0, partial(BlockAnnealing, spread=SMALL)
    yield "annealed blocks from 4 n blocks, small angles", 0, partial(BlockAnnealing, start_blocks=4 * n, spread=SMALL)
    four: dict[str, Any] = {"start_blocks": 5 * n, "own_pairs": False, "openings": 4, "hasty_iterations": 40}
    yield "annealed blocks from 5 n random blocks, small angles", 0, partial(BlockAnnealing, spread=SMALL, **four)
    yield "greedy_blocks", 0, GreedyBlocks


def lines() -> list[dict[str, Any]]:
    """Return the results so far."""
    return [json.loads(line) for line in FILE.read_text("utf-8").splitlines()] if FILE.exists() else []


def play(name: str, policies: Sequence[str], only: str) -> None:
    """Play all cells of a study that are not in the file; ``only`` those of rows with this in their names."""
    study = STUDIES[name]
    known = {tuple(line[key] for key in ("study", "row", "instance", "seed")) for line in lines()}
    for row, seed, make in rows_of(name, policies):
        for instance, arguments in study.instances.items():
            if (name, row, instance, seed) in known or only not in row:
                continue
            figures = play_within(make, study.env(arguments), seed, study.budget, ends_with_first=True)
            with FILE.open("a", encoding="utf-8") as file:
                cell = {"study": name, "row": row, "instance": instance, "seed": seed}
                file.write(json.dumps(cell | figures) + "\n")


def table(study: str) -> list[str]:
    """Return the rows of a study's table."""
    found: dict[str, dict[int, list[dict[str, Any]]]] = {}
    for line in lines():
        if line["study"] == study:
            found.setdefault(line["row"], {}).setdefault(line["seed"], []).append(line)
    text = [
        f"## {study}, {STUDIES[study].budget:,} evaluations",
        "",
        "| row | solved | by seed | first solution, solved instances | median, all instances, by seed | its CNOTs |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row, by_seed in found.items():
        runs = [run for own in by_seed.values() for run in own]
        counts = ", ".join(str(sum(run["first"] is not None for run in own)) for own in by_seed.values())
        share, firsts, gates = texts_of(runs)
        middles = ", ".join(middle_of(own) for own in by_seed.values())
        text.append(f"| {row} | {share} | {counts} | {firsts} | {middles} | {gates} |")
    return [*text, ""]


def report() -> None:
    """Write the tables."""
    head = [
        "# Scouts in stages on random Ising graphs",
        "",
        "`python experiments/benchmarks/graph_stages.py`. *Solved* with its 95 % Wilson interval; otherwise",
        "interquartile means with 95 % bootstrap intervals. A run ends with its first solution. The",
        "[agent's page](../../docs/agents/graph.md) says what the rows are.",
        "",
    ]
    studies = dict.fromkeys(line["study"] for line in lines())
    text = [*head, *(line for study in studies for line in table(study))]
    (RESULTS / "graph_stages.md").write_text("\n".join(text).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    torch.set_num_threads(1)
    options = dict(one[2:].split("=", 1) for one in sys.argv if one.startswith("--"))
    if sys.argv[1] == "play":
        play(sys.argv[2], [one for one in sys.argv[3:] if not one.startswith("--")], options.get("only", ""))
    report()

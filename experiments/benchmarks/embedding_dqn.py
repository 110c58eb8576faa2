"""Does the embedding of a pretrained autoencoder help the DQN as its observation?

    OMP_NUM_THREADS=1 python experiments/benchmarks/representations.py train   # the autoencoder, about half a minute
    OMP_NUM_THREADS=1 python experiments/benchmarks/embedding_dqn.py           # plays what is missing
    python experiments/benchmarks/embedding_dqn.py report                      # writes results/embedding_dqn.md

A DQN plays blocks until 8 of its last 10 episodes have succeeded, or until its budget of energy evaluations is spent.
Rows differ in the observation only: the ordinary one, the embedding (the mean of the latent vectors of all nodes), the
latent vectors of all nodes, each by the trained encoder and by the same one before training; *scaled*: multiplied so
that their standard deviation over random circuits is that of the trained encoder's. All show the energy too.
Settings are those that ``drift.py`` chose on Bell and GHZ states.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import torch
from cell_file import play_missing
from drift import AGENT, Log
from representations import OF_SAMPLE

from qas_agents import BlockAnnealing, MaskedDQN, RandomPolicy
from qas_envs import make_env
from qas_experiments.statistics import iqm_with_interval

RESULTS = Path(__file__).parents[1] / "results"
FILE = RESULTS / "embedding_dqn.json"
SEEDS = range(10)
BUDGET = 80_000
TRAINED, UNTRAINED = map(str, OF_SAMPLE)
ENCODING = "qas_experiments.embedding:EmbeddingEncoding"
OBSERVATIONS: dict[str, Any] = {
    "ordinary": "tensor",
    "embedding": {"name": ENCODING, "file": TRAINED},
    "embedding, untrained": {"name": ENCODING, "file": UNTRAINED},
    "embedding, untrained, scaled": {"name": ENCODING, "file": UNTRAINED, "scale": 5.5},
    "nodes": {"name": ENCODING, "file": TRAINED, "nodes": True},
    "nodes, untrained": {"name": ENCODING, "file": UNTRAINED, "nodes": True},
    "nodes, untrained, scaled": {"name": ENCODING, "file": UNTRAINED, "nodes": True, "scale": 7.5},
}
SEARCHES: dict[str, Any] = {"random legal": RandomPolicy, "annealed blocks": BlockAnnealing}
ROWS = (*OBSERVATIONS, *SEARCHES)
TASKS: dict[str, dict[str, Any]] = {
    "LiH-4 2.2 Å": {"problem": "lih", "problem_settings": {"bond_length": 2.2}, "max_gates": 9},
    "W-4": {
        "problem": "w",
        "problem_settings": {"num_qubits": 4},
        "gates": ["ry", "cx"],
        "optimizer": "scan_lbfgs",
        "max_gates": 15,
    },
}


def play(task: str, row: str, seed: int) -> dict[str, Any]:
    """Play one row; return the evaluations to the first success and until the agent is reliable."""
    env = make_env(**TASKS[task], actions="blocks", reward="crlqas", encoding=OBSERVATIONS.get(row, "tensor"))
    log, started = Log(BUDGET), time.process_time()

    def note(seen: dict[str, Any], _: dict[str, Any]) -> bool:
        over = log.note(seen["infos"][0], bool(seen["dones"][0]))
        return not over and log.spent < BUDGET and not (row in SEARCHES and log.first is not None)

    agent: Any = SEARCHES[row](env, seed) if row in SEARCHES else MaskedDQN(env, AGENT, seed)
    agent.learn(10**9, note)
    found = {"first": log.first, "reliable": log.reliable, "spent": log.spent}
    return {"task": task, "row": row, "seed": seed, **found, "seconds": round(time.process_time() - started, 2)}


def report(cells: list[dict[str, Any]]) -> str:
    """Return the tables as Markdown."""
    lines = [
        "# The embedding of a circuit as the DQN's observation",
        "",
        f"`python experiments/benchmarks/embedding_dqn.py`, at most {BUDGET:,} energy evaluations. *Reliable*: until 8",
        "of the last 10 episodes succeeded. *First*: until the first success. A seed without counts with all that it",
        "spent. *Ratio*: to the ordinary observation, same seed. Interquartile means with 95 % bootstrap intervals;",
        "median seconds of processor time. Pre-training costs no evaluations.",
    ]
    for task in TASKS:
        own = {(cell["row"], cell["seed"]): cell for cell in cells if cell["task"] == task}
        seeds = [seed for seed in SEEDS if all((row, seed) in own for row in ROWS if "scaled" not in row)]
        if not seeds:
            continue
        columns = ["observation", "seeds", "reliable", "ratio", "missed", "first", "ratio", "missed", "s"]
        lines += ["", f"## {task}, {len(seeds)} seeds", "", f"| {' | '.join(columns)} |", "| --- " * 9 + "|"]
        for row in ROWS:
            some = [own[row, seed] for seed in seeds if (row, seed) in own]
            texts = [row, str(len(some))]
            if not some:
                continue
            for figure in ("reliable", "first"):
                if figure == "reliable" and row in SEARCHES:
                    texts += ["-", "-", "-"]
                    continue
                needed = [cell[figure] or cell["spent"] for cell in some]
                others = [own["ordinary", cell["seed"]] for cell in some]
                ratios = [a / (other[figure] or other["spent"]) for a, other in zip(needed, others, strict=True)]
                missed = sum(cell[figure] is None for cell in some)
                texts += [iqm_with_interval(needed), iqm_with_interval(ratios), f"{missed}/{len(some)}"]
            seconds = sorted(cell["seconds"] for cell in some)[len(some) // 2]
            lines.append(f"| {' | '.join([*texts, f'{seconds:.1f}'])} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Play what is missing, unless only the report is wanted; then write it."""
    torch.set_num_threads(1)
    rows = [] if sys.argv[1:] == ["report"] else [(t, r, s) for s in SEEDS for t in TASKS for r in ROWS]
    cells = play_missing(FILE, ("task", "row", "seed"), rows, play)
    (RESULTS / "embedding_dqn.md").write_text(report(cells), "utf-8")


if __name__ == "__main__":
    main()

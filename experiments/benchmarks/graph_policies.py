"""One policy for many instances: the graph agent beside searches and fixed circuits, on unseen instances.

    OMP_NUM_THREADS=1 python experiments/benchmarks/graph_policies.py play ising_6 <policy files, one per training seed>
    python experiments/benchmarks/graph_policies.py report      # writes results/graph_policies.md

``play`` appends to results/graph_policies.jsonl what is not there yet, one line per study, row, instance and seed: the
evaluations until the first solution, and the fewest CNOTs of a solution within the budget. Policies are trained by
``qas-train experiment=ising_graphs``, ``ising_graphs_expert``, ``xxz_chains``, ``tfim_sizes``, ``h4_rectangles``,
``bent_h2o`` and ``lih_lengths``.
``--only=TEXT`` plays the rows with this in their names, ``--note=TEXT`` adds to the names of the policies' rows.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from statistics import median
from typing import Any

import gymnasium as gym
import torch
from graph_opponents import SMALL, Draws, LongLadder, Replay, zigzag_search

import qas_envs  # noqa: F401
from qas_agents import (
    BlockAnnealing,
    GreedyBlocks,
    LayeredBlocks,
    RandomBlocks,
    policy_search,
)
from qas_agents.graph.search import policy_file
from qas_envs.problems.instances import BENT_H2O, H4_RECTANGLES
from qas_experiments.statistics import iqm_with_interval, wilson_interval

RESULTS = Path(__file__).parents[1] / "results"
FILE = RESULTS / "graph_policies.jsonl"
Make = Callable[[Any, int], Any]
RULES = {"actions": "blocks", "encoding": "hamiltonian_graph"}
FIRST = ", scouts first"  # long circuits before the search
SCOUTS = 4


@dataclass(frozen=True)
class Study:
    """Instances of one family and size.

    Attributes:
        environment: Its id.
        common: Arguments of all instances.
        instances: Arguments that differ, by name.
        budget: Energy evaluations of an instance.
        times: Budget of annealing over that of the others, whose figures are read off the same runs.
        lengths: Of circuits from the policy, over the number of qubits.
        blocks: Smallest and largest number of blocks of random skeletons.
        training: Instances of the same size from which the best skeleton is taken.
        qubits: Of every instance.
        further: Larger budgets: searches with a policy play the largest one, and tables have a row for each.
        search: Settings of searches with a policy that are not the defaults; chosen on validation instances.
        patience: For chains, the budget of long minimisations of fixed layers, and of greedy growth, over that of the
            others; 0 for other families.
        short: Settings of searches that start from short circuits of a policy and long minimisations; chosen on
            instances that are in no study. Without any there are no rows of these.
    """

    environment: str
    common: dict[str, Any]
    instances: dict[str, dict[str, Any]]
    budget: int
    times: int = 10
    lengths: tuple[float, float] = (3.0, 4.0)
    blocks: tuple[int, int] = (6, 15)
    training: dict[str, dict[str, Any]] = field(default_factory=dict)
    qubits: int = 0
    further: tuple[int, ...] = ()
    search: dict[str, Any] = field(default_factory=dict)
    patience: int = 0
    short: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "qubits", self.qubits or int(self.common.get("num_qubits", 4)))

    @property
    def policy_budget(self) -> int:
        """Energy evaluations of an instance for searches with a policy."""
        return max(self.budget, *self.further, 0)

    def env(self, arguments: dict[str, Any]) -> Any:
        """Build the environment of an instance."""
        return gym.make(self.environment, disable_env_checker=True, **RULES, **self.common, **arguments).unwrapped


def _graphs(n: int, probability: float, seeds: range, budget: int, times: int) -> Study:
    common = {"num_qubits": n, "edge_probability": probability, "max_gates": 15 * n}
    named = {f"seed {seed}": {"seed": seed} for seed in seeds}
    own = {4: range(8), 6: range(900, 908)}.get(n, range(0))
    training = {f"seed {seed}": {"seed": seed} for seed in own}
    return Study("QAS-IsingGraph-v0", common, named, budget, times, blocks=(n, 5 * n // 2), training=training)


def _chains(n: int, budget: int) -> Study:
    fields = {f"field {one:g}": {"field": one} for one in (0.7, 0.9, 1.1, 1.3)}
    common = {"num_qubits": n, "max_gates": 15 * n}
    short = _short(3 * n - 5, {6: (4, 40, 200), 8: (2, 100, 800), 10: (1, 100, 1000)}[n], n)
    short |= {"cycle": 1} if n == 10 else {}  # draws circuits again soon, of which few starts find the lowest minimum
    return Study("QAS-TFIM-v0", common, fields, budget, 1, blocks=(n, 5 * n // 2), patience=5, short=short)


def _short(length: int, numbers: tuple[int, int, int], n: int) -> dict[str, Any]:
    """Return settings for circuits of one length: circuits of an opening, their iterations at first and in all."""
    settings = dict(zip(("openings", "hasty_iterations", "max_iterations"), numbers, strict=True))
    return {**settings, "lengths": (length / n, length / n), "spread": SMALL}


def _xxz(n: int, seeds: range, budget: int, times: int, **rules: Any) -> Study:
    named = {f"seed {seed}": {"seed": seed} for seed in seeds}
    training = {f"seed {seed}": {"seed": seed} for seed in range(900, 908)} if n == 6 else {}
    common = {"num_qubits": n, "max_gates": 15 * n, **rules}
    length, *numbers = {6: (25, 4, 40, 300), 8: (37, 2, 100, 1000), 10: (49, 2, 100, 1500)}[n]
    long = {"patience": 5, "short": _short(length, (*numbers,), n)}
    return Study("QAS-XXZChain-v0", common, named, budget, times, blocks=(2 * n, 4 * n), training=training, **long)


def _of_water(each: Mapping[str, float]) -> str:
    return f"{each['bond_length']:g} Å, {each['angle']:g} degrees, orbital {each['frozen_orbital']}"


STUDIES = {
    "ising_4": _graphs(4, 0.5, range(1000, 1050), 1000, 1),
    "ising_6": _graphs(6, 0.5, range(1000, 1050), 3000, 10),
    "ising_8": _graphs(8, 0.36, range(1000, 1020), 20_000, 1),
    "ising_10": _graphs(10, 0.28, range(1000, 1004), 20_000, 1),
    "tfim_6": _chains(6, 3000),
    "tfim_8": _chains(8, 20_000),
    "tfim_10": _chains(10, 20_000),
    "xxz_6": _xxz(6, range(1000, 1020), 10_000, 2),
    "xxz_8": _xxz(8, range(1000, 1004), 20_000, 1),
    "xxz_10": _xxz(10, range(1000, 1004), 20_000, 1),
    "xxz_6_line": _xxz(6, range(1000, 1020), 10_000, 1, couplings="line"),
    "xxz_8_line": _xxz(8, range(1000, 1004), 20_000, 1, couplings="line"),
    "xxz_10_line": _xxz(10, range(1000, 1004), 20_000, 1, couplings="line"),
    "h4_rectangles_6": Study(
        "QAS-H4Rectangle-v0",
        {"max_gates": 90},
        {f"{each['radius']:g} Å, {each['angle']:g} degrees": dict(each) for each in H4_RECTANGLES["test"]},
        3000,
        10,
        blocks=(9, 18),
        training={f"training {number}": dict(each) for number, each in enumerate(H4_RECTANGLES["train"])},
        qubits=6,
        further=(10_000,),
    ),
    "bent_h2o_8": Study(
        "QAS-BentH2O-v0",
        {"max_gates": 120},
        {_of_water(each): dict(each) for each in BENT_H2O["test"]},
        1000,
        10,
        (3.0, 4.0),
        (40, 40),
        training={_of_water(each): dict(each) for each in BENT_H2O["train"] if each["angle"] == 106.0},
        qubits=8,
        search={"openings": 4, "hasty_iterations": 40},
    ),
    "lih_4": Study(
        "QAS-LiH-v0",
        {"max_gates": 40},
        {f"{one} Å": {"bond_length": one} for one in (1.4, 1.8, 2.4, 2.8, 3.6)},
        1000,
        1,
        (0.75, 0.75),
        (3, 6),
    ),
}


def rows_of(name: str, policies: Sequence[Path], note: str = "") -> Iterator[tuple[str, int, int, Make]]:
    """Yield name, seed, budget and function of every row; a policy's seed is that of its training.

    Args:
        name: The study.
        policies: Files, one per training seed, or names of policies that come with the library.
        note: Added to the names of the policies' rows.
    """
    study = STUDIES[name]
    for number, path in enumerate(policies):
        for added, scouts in (("", 0), (FIRST, SCOUTS)):
            made = partial(policy_search, policy=str(path), lengths=study.lengths, scouts=scouts, **study.search)
            yield f"graph_search{note}{added}", number, study.policy_budget, made
        if study.short:
            made = partial(policy_search, policy=str(path), scouts=0, temperature=0.5, **study.short)
            yield f"graph_search, short circuits{note}", number, study.policy_budget, made
        yield (
            f"circuits of the policy, no search{note}",
            number,
            study.budget,
            lambda env, seed, path=path: Draws(env, seed, policy_file(str(path)), study.lengths),
        )
    yield "annealed blocks", 0, study.budget * study.times, BlockAnnealing
    longer = 4 * study.qubits  # chosen on the same 40 graphs as the settings of graph_search
    yield "annealed blocks from 4 n blocks", 0, study.budget, partial(BlockAnnealing, start_blocks=longer)
    for added, scouts in (("", 0), (FIRST, SCOUTS)):
        made = partial(BlockAnnealing, start_blocks=longer, openings=16, own_pairs=False, scouts=scouts)
        yield f"annealed blocks from 4 n random blocks{added}", 0, study.budget, made  # graph_search without a policy
    four = {"openings": 4, "hasty_iterations": 40}  # as scouts, of which annealing begins
    yield (
        "annealed blocks from 5 n random blocks, four starts",
        0,
        study.budget,
        lambda env, seed: BlockAnnealing(env, seed, start_blocks=5 * study.qubits, own_pairs=False, **four),
    )
    low, high = study.blocks
    yield (
        "pairs of the terms, random order",
        0,
        study.budget,
        lambda env, seed: RandomBlocks(env, seed, pairs="terms", least_blocks=low, most_blocks=high),
    )
    yield "ladder", 0, study.budget, LayeredBlocks
    yield (
        "random blocks",
        0,
        study.budget,
        lambda env, seed: RandomBlocks(env, seed, least_blocks=low, most_blocks=high),
    )
    yield "greedy_blocks", 0, study.budget * max(1, study.patience), GreedyBlocks
    if study.short:
        yield "zigzag layers, no policy", 0, study.budget, partial(zigzag_search, **study.short)
    if study.patience:
        yield "ladder, long minimisations from small angles", 0, study.budget * study.patience, LongLadder
    if study.training:
        yield "best skeleton of training", 0, study.budget, lambda env, seed: Replay(env, seed, best_skeleton(name))


@cache
def best_skeleton(name: str) -> tuple[int, ...]:
    """Return the skeleton of a study's training instance that solves most of the other training instances."""
    study = STUDIES[name]
    found: list[tuple[int, ...]] = []
    for arguments in study.training.values():
        env = study.env(arguments)
        kept: list[tuple[int, ...]] = []
        budget = max(10_000, 2 * study.budget)
        play_within(BlockAnnealing, env, 0, budget, lambda env=env, kept=kept: kept.append(tuple(env.player.actions)))
        found += [min(kept, key=len)] if kept else []
    envs = [study.env(arguments) for arguments in study.training.values()]
    return max(
        found,
        key=lambda one: sum(
            play_within(partial(Replay, skeleton=one), env, 0, 1000)["first"] is not None for env in envs
        ),
    )


def play_within(
    make: Make,
    env: Any,
    seed: int,
    budget: int,
    solved: Callable[[], Any] = lambda: None,
    ends_with_first: bool = False,
) -> dict[str, Any]:
    """Play a searcher within a budget of evaluations, or until its first solution; return the figures."""
    row: dict[str, Any] = {"evaluations": 0, "first": None, "two_qubit_gates": None, "lowest": None}
    fewest: list[tuple[int, int]] = []  # evaluations and CNOTs of each shorter solution
    started = time.process_time()

    def step(locals_: dict[str, Any], _: dict[str, Any]) -> bool:
        info = locals_["infos"][0]
        row["evaluations"] += int(info["evaluations"])
        if row["evaluations"] > budget:
            return False
        error = abs(float(info["energy_error"]))
        row["lowest"] = error if row["lowest"] is None else min(row["lowest"], error)
        if info["success"]:
            solved()
            if not fewest or info["num_two_qubit_gates"] < fewest[-1][1]:
                fewest.append((row["evaluations"], int(info["num_two_qubit_gates"])))
        return row["evaluations"] < budget and not (ends_with_first and fewest)

    make(env, seed).learn(2**62, step)
    if fewest:
        row |= {"first": fewest[0][0], "two_qubit_gates": fewest[-1][1]}
    return row | {"shorter": fewest, "budget": budget, "seconds": round(time.process_time() - started, 3)}


def play(name: str, policies: Sequence[Path], only: str = "", note: str = "") -> None:
    """Play all cells of a study that are not in the file; ``only`` those of rows with this in their names."""
    study = STUDIES[name]
    known = {tuple(line[key] for key in ("study", "row", "instance", "seed")) for line in lines()}
    for row, seed, budget, make in rows_of(name, policies, note):
        for instance, arguments in study.instances.items():
            if (name, row, instance, seed) in known or only not in row:
                continue
            figures = play_within(make, study.env(arguments), seed, budget)
            with FILE.open("a", encoding="utf-8") as file:
                cell = {"study": name, "row": row, "instance": instance, "seed": seed}
                file.write(json.dumps(cell | figures, ensure_ascii=False) + "\n")


def lines() -> list[dict[str, Any]]:
    """Return the results so far."""
    return [json.loads(line) for line in FILE.read_text("utf-8").splitlines()] if FILE.exists() else []


def cells(study: str) -> dict[str, list[dict[str, Any]]]:
    """Return the results of a study by row; runs of a larger budget also give rows at the study's own and between."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in (line for line in lines() if line["study"] == study):
        own, largest = STUDIES[study].budget, line["budget"]
        for budget in sorted({min(own, largest), largest, *(one for one in STUDIES[study].further if one < largest)}):
            within = [one for one in line["shorter"] if one[0] <= budget]
            cut = {"first": within[0][0] if within else None, "two_qubit_gates": within[-1][1] if within else None}
            row = line["row"] if budget <= own else f"{line['row']}, {budget:,} evaluations"
            found.setdefault(row, []).append(line | (cut if budget < largest else {}))
    return found


def table(study: str) -> list[str]:
    """Return the rows of a study's table."""
    found = cells(study)
    text = [
        f"## {study}, {STUDIES[study].budget:,} evaluations",
        "",
        "| row | solved | evaluations to the first solution, solved instances | median, all instances | CNOTs |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row, runs in found.items():
        share, firsts, gates = texts_of(runs)
        text.append(f"| {row} | {share} | {firsts} | {middle_of(runs)} | {gates} |")
    return [*text, ""]


def texts_of(runs: Sequence[Mapping[str, Any]]) -> tuple[str, str, str]:
    """Return the share of runs that solved, and the evaluations and CNOTs of these."""
    solved = [one for one in runs if one["first"] is not None]
    low, high = wilson_interval(len(solved), len(runs))
    share = f"{len(solved)}/{len(runs)} ({100 * low:.0f} to {100 * high:.0f} %)"
    columns = ([one[name] for one in solved] for name in ("first", "two_qubit_gates"))
    firsts, gates = (iqm_with_interval(column) if column else "-" for column in columns)
    return share, firsts, gates


def middle_of(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return the median of the evaluations to the first solution of all runs."""
    middle = median(one["first"] if one["first"] is not None else float("inf") for one in runs)
    return f"{middle:,.0f}" if middle < float("inf") else "not solved"


def report() -> None:
    """Write the tables."""
    head = [
        "# One policy for many instances",
        "",
        "`python experiments/benchmarks/graph_policies.py`. *Solved* with its 95 % Wilson interval; otherwise",
        "interquartile means with 95 % bootstrap intervals. Evaluations are those of an instance; the page of the",
        "[agent](../../docs/agents/graph.md) has those of the training.",
        "",
    ]
    studies = dict.fromkeys(line["study"] for line in lines())
    text = [*head, *(line for study in studies for line in table(study))]
    (RESULTS / "graph_policies.md").write_text("\n".join(text).rstrip() + "\n", encoding="utf-8")


def _option(name: str) -> str:
    """Return the value of ``--name=value`` on the command line, or nothing."""
    start = f"--{name}="
    return next((one.removeprefix(start) for one in sys.argv if one.startswith(start)), "")


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1] == "play":
        files = [Path(one) for one in sys.argv[3:] if not one.startswith("--")]
        play(sys.argv[2], files, _option("only"), _option("note"))
    report()

"""Learned representations of circuits: the autoencoder's quality, and searches among its embeddings beside others.

    OMP_NUM_THREADS=1 python experiments/benchmarks/representations.py train circuits/circuits.npz  # about a minute
    OMP_NUM_THREADS=1 python experiments/benchmarks/representations.py play                         # about ten minutes
    OMP_NUM_THREADS=1 python experiments/benchmarks/representations.py predict circuits/circuits.npz
    OMP_NUM_THREADS=1 python experiments/benchmarks/representations.py train    # on the sample in the package
    OMP_NUM_THREADS=1 python experiments/benchmarks/representations.py play W-4
    python experiments/benchmarks/representations.py report     # writes results/representations.md

``train`` trains an autoencoder on random and found circuits of four qubits, without energies, and measures it on
circuits that it was not trained on. ``predict`` asks how well energies can be predicted from the embeddings, which is
what a search among them needs. ``play`` appends to results/representations.jsonl what is not there yet: one line
per task, row and seed. All rows have the same energy evaluations. W-4 was added later, with an autoencoder that was
trained on random circuits and those of the sample of the data set.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch

import qas_envs  # noqa: F401  # registers the ids
from qas_agents import BlockAnnealing, RandomBlocks, policy_search
from qas_agents.latent import CircuitGraphs, CircuitVGAE, LatentBO, LatentREINFORCE, Vocabulary, quality
from qas_agents.latent.graphs import Gate
from qas_experiments.circuit_data import load_circuits
from qas_experiments.statistics import iqm_with_interval, wilson_interval

RESULTS = Path(__file__).parents[1] / "results"
FILE = RESULTS / "representations.jsonl"
QUALITY = RESULTS / "representations.json"
FOLDER = Path("runs/representations")
WEIGHTS, UNTRAINED = FOLDER / "vgae.safetensors", FOLDER / "untrained.safetensors"
OF_SAMPLE = FOLDER / "sample.safetensors", FOLDER / "sample_untrained.safetensors"
BUDGET = 10_000
SEEDS = range(10)
NUM_NODES = 12
EPOCHS = 12
RANDOM, HELD_OUT = 3000, 500
RULES = {"actions": "blocks", "encoding": "hamiltonian_graph", "max_gates": 60}
TASKS: dict[str, tuple[str, dict[str, Any], str]] = {
    "GHZ-4": ("QAS-GHZ-v0", {"num_qubits": 4, "gates": ("ry", "cx"), "optimizer": "scan_lbfgs"}, "ising_graphs"),
    "TFIM-4": ("QAS-TFIM-v0", {"num_qubits": 4}, "tfim_sizes"),
    "H2-4": ("QAS-H2-v0", {"num_qubits": 4}, "lih_lengths"),
    "LiH-4": ("QAS-LiH-v0", {"bond_length": 2.2}, "lih_lengths"),
    "W-4": ("QAS-W-v0", {"num_qubits": 4, "gates": ("ry", "cx"), "optimizer": "scan_lbfgs"}, "ising_graphs"),
}
"""Id, arguments, and the policy that comes with the library for ``graph_search``."""
BY_SAMPLE = ("W-4",)
Make = Callable[[Any, int], Any]


def rows_of(task: str) -> Iterator[tuple[str, Make]]:
    """Yield the rows of a task."""
    policy = TASKS[task][2]
    weights, untrained = map(str, OF_SAMPLE if task in BY_SAMPLE else (WEIGHTS, UNTRAINED))
    lengths = (0.75, 2.5) if policy == "lih_lengths" else (1.0, 2.5)
    yield "random blocks", RandomBlocks
    yield "annealed blocks", BlockAnnealing
    yield "graph_search", partial(policy_search, policy=policy, lengths=lengths)
    yield "LatentREINFORCE", partial(LatentREINFORCE, file=weights)
    yield "LatentBO", partial(LatentBO, file=weights)
    yield "LatentREINFORCE, 3 starts", partial(LatentREINFORCE, file=weights, starts=3)
    yield "LatentBO, 3 starts", partial(LatentBO, file=weights, starts=3)
    yield "LatentBO, untrained encoder", partial(LatentBO, file=untrained)


def made(task: str) -> Any:
    """Return the environment of a task."""
    name, arguments, _ = TASKS[task]
    return gym.make(name, disable_env_checker=True, **RULES, **arguments).unwrapped


def train(path: str | None) -> None:
    """Train an autoencoder on random and found skeletons, and measure it; without a path, on the data set's sample."""
    weights, untrained = (WEIGHTS, UNTRAINED) if path else OF_SAMPLE
    started = time.process_time()
    rng, env, table = np.random.default_rng(0), made("LiH-4"), load_circuits(*([path] if path else []))
    of_four = [k for k, one in enumerate(table.instances) if one.num_qubits == 4]
    is_found = np.isin(table.columns["instance"], of_four) & (table.columns["search"] == 0)
    found = {table.skeleton(row) for row in np.flatnonzero(is_found)}
    source = RandomBlocks(env, 0)
    random: set[tuple[int, ...]] = set()
    while len(random) < RANDOM + HELD_OUT:
        random.add(source._random_skeleton(int(rng.integers(1, NUM_NODES + 1))))
    every = sorted(one for one in random | found if 0 < len(one) <= NUM_NODES)
    order = rng.permutation(len(every)).tolist()
    blocks: list[Gate] = [(action.gate, action.qubits) for action in env.catalogue.actions]
    vocabulary = Vocabulary(4, (blocks[0][0],), NUM_NODES)
    graphs = CircuitGraphs.of(vocabulary, [[blocks[k] for k in every[place]] for place in order])
    training, held_out = graphs.take(range(HELD_OUT, len(graphs))), graphs.take(range(HELD_OUT))

    def is_legal(circuit: list[Gate]) -> bool:
        return all(gate in blocks for gate in circuit) and bool(env.player.checked([blocks.index(g) for g in circuit]))

    vgae = CircuitVGAE(vocabulary, seed=0)
    FOLDER.mkdir(parents=True, exist_ok=True)
    vgae.save(untrained)
    figures = {"untrained": asdict(quality(vgae, training, held_out, is_legal=is_legal))}
    vgae.fit(training, EPOCHS)
    vgae.save(weights)
    figures["trained"] = asdict(quality(vgae, training, held_out, is_legal=is_legal))
    figures["syntax only"] = asdict(quality(vgae, training, held_out))
    about = {"training": len(training), "found": len(found), "held_out": HELD_OUT, "epochs": EPOCHS}
    seconds = round(time.process_time() - started, 1)
    found_now = {**about, "seconds": seconds, "quality": figures}
    known = json.loads(QUALITY.read_text("utf-8")) if QUALITY.exists() else {}
    QUALITY.write_text(json.dumps(known | (found_now if path else {"sample": found_now}), indent=1) + "\n", "utf-8")


def predict(path: str) -> None:
    """Write rank correlations of predicted and true errors of random skeletons of the data set, by features."""
    from scipy.stats import spearmanr
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    table, rng, found = load_circuits(path), np.random.default_rng(0), dict[str, dict[str, float]]()
    encoders = {"trained": CircuitVGAE.load(WEIGHTS), "untrained": CircuitVGAE.load(UNTRAINED)}
    for name in ("TFIM-4", "H2-4", "LiH-4 2.2"):
        instance, every = table.instances[[one.name for one in table.instances].index(name)], table.where(name)
        rows = rng.choice([row for row in every if len(table.skeleton(row)) <= NUM_NODES], 800, replace=False).tolist()
        skeletons = [table.skeleton(row) for row in rows]
        decades = np.log10(np.maximum(table.columns["error"][rows], 1e-9))
        circuits: list[list[Gate]] = [[("cx_ry", instance.pairs[k]) for k in one] for one in skeletons]
        features = {"number of blocks": np.array([[float(len(one))] for one in skeletons])}
        for encoder, vgae in encoders.items():
            features[encoder] = vgae.embed(CircuitGraphs.of(vgae.vocabulary, circuits)).astype(np.float64)
        found[name] = {}
        for feature, values in features.items():
            scaled = (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-6)
            kernel = ConstantKernel() * Matern(np.sqrt(scaled.shape[1]), nu=2.5) + WhiteKernel(0.1)
            process = GaussianProcessRegressor(kernel, normalize_y=True).fit(scaled[:400], decades[:400])
            found[name][feature] = float(spearmanr(process.predict(scaled[400:]), decades[400:]).statistic)
    about = json.loads(QUALITY.read_text("utf-8"))
    QUALITY.write_text(json.dumps(about | {"prediction": found}, indent=1) + "\n", "utf-8")


def run(make: Make, env: Any, seed: int) -> dict[str, Any]:
    """Play a search within the budget; return the figures."""
    started = time.process_time()
    spent, lowest, shorter = 0, np.inf, list[tuple[int, int]]()  # evaluations and CNOTs of each shorter solution

    def step(locals_: dict[str, Any], _: dict[str, Any]) -> bool:
        nonlocal spent, lowest
        info = locals_["infos"][0]
        spent += int(info["evaluations"])
        if spent > BUDGET:
            return False
        lowest = min(lowest, abs(float(info["energy_error"])))
        if info["success"] and (not shorter or info["num_two_qubit_gates"] < shorter[-1][1]):
            shorter.append((spent, int(info["num_two_qubit_gates"])))
        return spent < BUDGET

    make(env, seed).learn(2**62, step)
    return {"shorter": shorter, "lowest": lowest, "seconds": round(time.process_time() - started, 2)}


def play(tasks: Sequence[str]) -> None:
    """Play what is not in the file."""
    known = {(line["task"], line["row"], line["seed"]) for line in lines()}
    for seed in SEEDS:
        for task in tasks:
            for row, make in rows_of(task):
                if (task, row, seed) in known:
                    continue
                line = {"task": task, "row": row, "seed": seed, **run(make, made(task), seed)}
                with FILE.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")


def lines() -> list[dict[str, Any]]:
    """Return the results so far."""
    return [json.loads(line) for line in FILE.read_text("utf-8").splitlines()] if FILE.exists() else []


def table(task: str) -> list[str]:
    """Return the table of a task."""
    own = [line for line in lines() if line["task"] == task]
    fewest = min(line["shorter"][-1][1] for line in own if line["shorter"])
    text = [
        f"## {task}",
        "",
        f"| row | solved | evaluations to the first solution | fewest CNOTs | seeds with {fewest} CNOTs "
        f"| evaluations to {fewest} CNOTs, these seeds | s |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in dict.fromkeys(line["row"] for line in own):
        runs = [line for line in own if line["row"] == row]
        solved = [line["shorter"] for line in runs if line["shorter"]]
        shortest = [one[-1][0] for one in solved if one[-1][1] == fewest]
        low, high = wilson_interval(len(shortest), len(runs))
        cells = [
            f"{len(solved)}/{len(runs)}",
            iqm_with_interval([one[0][0] for one in solved]),
            iqm_with_interval([one[-1][1] for one in solved]),
            f"{len(shortest)}/{len(runs)} ({100 * low:.0f} to {100 * high:.0f} %)",
            iqm_with_interval(shortest),
            f"{np.median([line['seconds'] for line in runs]):.1f}",
        ]
        text.append(f"| {row} | {' | '.join(cells)} |")
    return [*text, ""]


def report() -> None:
    """Write the tables."""
    about = json.loads(QUALITY.read_text("utf-8"))
    text = [
        "# Learned representations of circuits",
        "",
        f"`python experiments/benchmarks/representations.py`. The autoencoder was trained on {about['training']:,}",
        f"skeletons of four qubits, {about['found']:,} of them found by annealing, and never saw an energy:",
        f"{about['epochs']} epochs, {about['seconds']:.0f} s of CPU time with the measurements.",
        "",
        f"Quality on {about['held_out']} circuits that it was not trained on, and of 1,000 random latent vectors:",
        "",
        "| encoder | nodes | circuits | edges | distinct embeddings | valid | unique | new |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    text += [
        f"| {name} | {' | '.join(f'{value:.1%}' for value in own.values())} |" for name, own in about["quality"].items()
    ]
    text += [
        "",
        "Rank correlation of the errors that a Gaussian process predicts from 400 circuits with the true ones of 400",
        "others, all of them random skeletons of the data set:",
        "",
        "| instance | number of blocks alone | untrained encoder | trained encoder |",
        "| --- | --- | --- | --- |",
    ]
    for name, own in about["prediction"].items():
        text.append(f"| {name} | {own['number of blocks']:.2f} | {own['untrained']:.2f} | {own['trained']:.2f} |")
    text += [
        "",
        "*valid*: random latent vectors that decode to a legal sequence of actions in canonical order; *syntax only*:",
        "to any circuit. The share of reconstructed edges is the mean of those of edges and of missing edges.",
        "",
        f"Searches with {BUDGET:,} energy evaluations, ten seeds. Interquartile means with 95 % bootstrap intervals;",
        "shares with 95 % Wilson intervals. Pre-training costs no evaluations.",
        "",
        f"The autoencoder of {', '.join(BY_SAMPLE)} was trained on {about['sample']['training']:,} skeletons,",
        f"{about['sample']['found']:,} of them found ones of the data set's sample; it reconstructs",
        f"{about['sample']['quality']['trained']['circuits']:.1%} of held-out circuits.",
        "",
    ]
    for task in TASKS:
        text += table(task)
    (RESULTS / "representations.md").write_text("\n".join(text).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    torch.set_num_threads(1)
    {
        "train": lambda: train(sys.argv[2] if len(sys.argv) > 2 else None),
        "predict": lambda: predict(sys.argv[2]),
        "play": lambda: play(sys.argv[2:] or [*TASKS]),
        "report": report,
    }[sys.argv[1]]()

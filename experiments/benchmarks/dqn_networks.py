"""MLP, KAN or graph network: one double DQN with each, trained on a family of instances, on instances never seen.

    OMP_NUM_THREADS=1 python experiments/benchmarks/dqn_networks.py tune    # settings, on validation instances
    OMP_NUM_THREADS=1 python experiments/benchmarks/dqn_networks.py play    # trainings, then tests
    python experiments/benchmarks/dqn_networks.py report                    # writes results/dqn_networks.md

The family is Ising models on random graphs of four qubits: seeds 0 to 63 for training, 900 to 915 for validation, 1000
to 1049 for the test. All networks read the same numbers, those of the encoding ``hamiltonian_graph``. Equal seeds draw
the same training instances. ``tune`` and ``play`` append to results/dqn_networks.jsonl what is not there yet; policies
lie in build/dqn_networks. ``--seeds=5`` plays half.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from graph_policies import STUDIES, play_within, rows_of

import qas_envs  # noqa: F401  # registers the ids
from qas_agents import DQNConfig, FrozenPolicy, MaskedDQN, RandomPolicy
from qas_experiments.statistics import iqm_with_interval

ROOT = Path(__file__).parents[2]
FILE = ROOT / "experiments" / "results" / "dqn_networks.jsonl"
POLICIES = ROOT / "build" / "dqn_networks"
SEEDS = 10
SEARCH_SEEDS = LARGER_SEEDS = 1
EVALUATIONS = 100_000  # of a training
EXPLORATION = 0.1  # share of random actions of a frozen policy after its first circuit
TUNING_SEED = 100
RANDOM = "random legal actions"
VALIDATION = range(900, 916)
TRAINING = {"num_qubits": [4], "edge_probability": [0.5], "seed": [*range(64)]}
NETWORKS: dict[str, dict[str, Any]] = {
    "MLP": {"name": "mlp", "hidden": (128, 128)},
    "KAN": {"name": "kan", "hidden": (16,)},
    "graph": {"name": "graph", "hidden": 32, "rounds": 2},
}
AGENTS: dict[str, tuple[str, tuple[int, ...]]] = {  # networks, and numbers of qubits in training
    **{name: (name, (4,)) for name in NETWORKS},
    "graph, 4 and 5 qubits": ("graph", (4, 5)),
}
RATES = (3e-4, 1e-3)
COMMON: dict[str, Any] = {  # those of agent=dqn_blocks, scaled to a training of 1,700 steps
    "gamma": 0.99,
    "n_step": 5,
    "batch_size": 64,
    "buffer_size": 20_000,
    "learning_starts": 300,
    "train_frequency": 2,
    "target_update_interval": 100,
    "epsilon_end": 0.05,
    "epsilon_decay": 0.996,
}
TESTS = {"ising_4": 50, "ising_6": 20}  # instances of the studies of graph_policies.py, the first ones


@cache
def made(seed: int, num_qubits: int = 4) -> Any:
    """Return the environment of an instance, the same every time."""
    rules = {"actions": "blocks", "encoding": "hamiltonian_graph", "reward": "priced", "max_gates": 15 * num_qubits}
    problem = {"num_qubits": num_qubits, "edge_probability": 0.5, "seed": seed}
    return gym.make("QAS-IsingGraph-v0", disable_env_checker=True, **rules, **problem).unwrapped


def trained(network: str, rate: float, seed: int, sizes: tuple[int, ...] = (4,)) -> tuple[MaskedDQN, dict[str, Any]]:
    """Train until the evaluations are spent; return the agent and the figures of its training."""
    instances = {**TRAINING, "num_qubits": [*sizes]}
    config = DQNConfig(network=NETWORKS[network], learning_rate=rate, instances=instances, **COMMON)
    agent = MaskedDQN(made(900), config, seed)
    spent = 0

    def step(locals_: dict[str, Any], _: dict[str, Any]) -> bool:
        nonlocal spent
        spent += int(locals_["infos"][0]["evaluations"])
        return spent < EVALUATIONS

    started = time.process_time()
    agent.learn(2**62, step)
    figures = {
        "evaluations": spent,
        "seconds": round(time.process_time() - started, 2),
        "steps": agent.num_timesteps,
        "gradient_steps": agent.num_gradient_steps,
        "parameters": sum(one.numel() for one in agent.online_network.parameters()),
    }
    return agent, figures


def greedy(agent: MaskedDQN | RandomPolicy, env: Any) -> dict[str, Any]:
    """Play one greedy episode; return its figures."""
    observation, info = env.reset(seed=0)
    spent, total, over = 0, 0.0, False
    while not over:
        action, _ = agent.predict(observation, deterministic=True, action_masks=info["action_mask"])
        observation, reward, terminated, truncated, info = env.step(int(action))
        spent, total, over = spent + int(info["evaluations"]), total + float(reward), terminated or truncated
    gates = int(info["num_two_qubit_gates"])
    return {"solved": bool(info["success"]), "two_qubit_gates": gates, "evaluations": spent, "return": round(total, 4)}


# -- playing -----------------------------------------------------------------------------------------------------------


def lines(kind: str = "") -> list[dict[str, Any]]:
    """Return the results so far, of one kind if it is given."""
    found = [json.loads(line) for line in FILE.read_text("utf-8").splitlines()] if FILE.exists() else []
    return [line for line in found if kind in ("", line["kind"])]


def _note(cell: dict[str, Any], figures: dict[str, Any]) -> None:
    with FILE.open("a", encoding="utf-8") as file:
        file.write(json.dumps(cell | figures) + "\n")


def _is_known(cell: dict[str, Any]) -> bool:
    return any(all(line.get(name) == value for name, value in cell.items()) for line in lines())


def tune() -> None:
    """Train every network with every learning rate once, and play the validation instances."""
    for rate in RATES:
        for network in NETWORKS:
            cell = {"kind": "tuning", "network": network, "rate": rate}
            if _is_known(cell):
                continue
            agent, figures = trained(network, rate, TUNING_SEED)
            played = [greedy(agent, made(seed)) for seed in VALIDATION]
            solved = [one for one in played if one["solved"]]
            _note(
                cell,
                figures
                | {
                    "return": round(float(np.mean([one["return"] for one in played])), 4),
                    "solved": len(solved) / len(played),
                    "two_qubit_gates": float(np.mean([one["two_qubit_gates"] for one in solved] or [np.nan])),
                },
            )


def chosen() -> dict[str, float]:
    """Return the learning rate of each network with the highest return on the validation instances."""
    found = lines("tuning")
    return {
        network: max((line for line in found if line["network"] == network), key=lambda line: line["return"])["rate"]
        for network in NETWORKS
    }


def train(name: str, seed: int) -> None:
    """Train an agent that is not there yet."""
    cell = {"kind": "training", "network": name, "seed": seed}
    if not _is_known(cell):
        network, sizes = AGENTS[name]
        agent, figures = trained(network, chosen()[network], seed, sizes)
        POLICIES.mkdir(parents=True, exist_ok=True)
        agent.save(_policy(name, seed))
        _note(cell, figures)


def _policy(name: str, seed: int) -> Path:
    return POLICIES / f"{name.replace(', ', '_').replace(' ', '_')}-{seed}.safetensors"


def test(name: str, seed: int, study: str) -> None:
    """Play a frozen policy on the test instances: one greedy circuit, then with exploration."""
    known = {(line["study"], line["row"], line["instance"], line["seed"]) for line in lines("test")}
    every = [*STUDIES[study].instances.items()][: TESTS[study]]
    instances = [one for one in every if (study, name, one[0], seed) not in known]
    if not instances:
        return
    agent = MaskedDQN.load(_policy(name, seed), made(instances[0][1]["seed"], STUDIES[study].qubits))
    for instance, arguments in instances:
        env = made(arguments["seed"], STUDIES[study].qubits)
        first = {f"greedy_{key}": value for key, value in greedy(agent, env).items()}
        figures = play_within(_frozen(agent), env, seed, STUDIES[study].budget)
        _note({"kind": "test", "study": study, "row": name, "instance": instance, "seed": seed}, first | figures)


def play(seeds: Sequence[int]) -> None:
    """Train and test the three networks with these seeds; some seeds have more rows."""
    for seed in seeds:
        for name in NETWORKS:
            train(name, seed)
            test(name, seed, "ising_4")
        wander(seed, "ising_4")
        if seed < SEARCH_SEEDS:
            search(seed)


def play_larger() -> None:
    """Play graphs of six qubits with graph networks that were trained on four, and on four and five."""
    for seed in range(LARGER_SEEDS):
        wander(seed, "ising_6")
        for name, (network, _) in AGENTS.items():
            if network == "graph":
                train(name, seed)
                test(name, seed, "ising_6")


def _frozen(agent: MaskedDQN) -> Callable[[Any, int], Any]:
    return lambda env, seed: FrozenPolicy(env, agent, seed, rollouts=10**9, epsilon=EXPLORATION)


def search(seed: int) -> None:
    """Play the searches and fixed circuits on the test instances."""
    study = STUDIES["ising_4"]
    known = {(line["row"], line["instance"], line["seed"]) for line in lines("search")}
    for row, _, _, make in rows_of("ising_4", ()):
        for instance, arguments in study.instances.items():
            if (row, instance, seed) not in known:
                figures = play_within(make, made(arguments["seed"]), seed, study.budget)
                cell = {"kind": "search", "study": "ising_4", "row": row, "instance": instance, "seed": seed}
                _note(cell, figures)


def wander(seed: int, study: str) -> None:
    """Play random legal actions on the test instances, as :func:`test` plays a policy."""
    for instance, arguments in [*STUDIES[study].instances.items()][: TESTS[study]]:
        cell = {"kind": "search", "study": study, "row": RANDOM, "instance": instance, "seed": seed}
        if not _is_known(cell):
            env = made(arguments["seed"], STUDIES[study].qubits)
            first = {f"greedy_{key}": value for key, value in greedy(RandomPolicy(env, seed), env).items()}
            _note(cell, first | play_within(RandomPolicy, env, seed, STUDIES[study].budget))


# -- the report --------------------------------------------------------------------------------------------------------


def by_seed(found: list[dict[str, Any]], value: Callable[[dict[str, Any]], float | None]) -> list[float]:
    """Return the mean over instances, of every seed; instances without a value are left out."""
    seeds = sorted({line["seed"] for line in found})
    means = []
    for seed in seeds:
        values = [value(line) for line in found if line["seed"] == seed]
        known = [one for one in values if one is not None]
        means.append(float(np.mean(known)) if known else float("nan"))
    return means


def played(row: str, study: str) -> list[dict[str, Any]]:
    """Return the results of a row; on four qubits only those of seeds with which all networks were tested."""
    found = [line for line in lines() if line.get("study") == study]
    tested = {
        name: {
            seed for seed in range(SEEDS) if sum((line["row"], line["seed"]) == (name, seed) for line in found) == 50
        }
        for name in NETWORKS
    }
    paired = set.intersection(*tested.values())
    is_free = study != "ising_4" or row not in (*NETWORKS, RANDOM)
    return [line for line in found if line["row"] == row and (is_free or line["seed"] in paired)]


def _number(values: list[float]) -> str:
    """Return the interquartile mean over seeds with its interval; of one seed the number alone."""
    if len(values) == 1:
        return f"{values[0]:,.0f}" if abs(values[0]) >= 1000 else f"{values[0]:.3g}"
    return iqm_with_interval(values)


def _percent(values: list[float]) -> str:
    if len({*values}) == 1:
        return f"{100 * values[0]:.3g} %"
    return f"{iqm_with_interval([100 * value for value in values])} %"


def _greedy_table(study: str, title: str, names: Sequence[str]) -> list[str]:
    text = [
        f"## {title}",
        "",
        "| network | seeds | learning rate | parameters | solved | CNOTs of the solutions | return | evaluations |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in (*names, RANDOM):
        found = played(row, study)
        if not found:
            continue
        training = next((line for line in lines("training") if line["network"] == row), None)
        about = "- | -" if training is None else f"{chosen()[AGENTS[row][0]]:g} | {training['parameters']:,}"
        gates = by_seed(found, lambda line: line["greedy_two_qubit_gates"] if line["greedy_solved"] else None)
        text.append(
            f"| {row} | {len({line['seed'] for line in found})} | {about} "
            f"| {_percent(by_seed(found, lambda line: line['greedy_solved']))} "
            f"| {_number(gates)} | {_number(by_seed(found, lambda line: line['greedy_return']))} "
            f"| {_number(by_seed(found, lambda line: line['greedy_evaluations']))} |"
        )
    return [*text, ""]


def _pairs_table() -> list[str]:
    of_row: dict[str, dict[int, float]] = {}
    for row in (*NETWORKS, RANDOM):
        found = played(row, "ising_4")
        seeds = sorted({line["seed"] for line in found})
        of_row[row] = dict(zip(seeds, by_seed(found, lambda line: line["greedy_return"]), strict=True))
    text = [
        "## Pairs of equal seeds, return of the greedy circuit",
        "",
        "| first | second | pairs | difference of a pair | the first is better |",
        "| --- | --- | --- | --- | --- |",
    ]
    for first, second in (("graph", "MLP"), ("graph", "KAN"), ("KAN", "MLP"), *((one, RANDOM) for one in NETWORKS)):
        pairs = [(value, of_row[second][seed]) for seed, value in of_row[first].items() if seed in of_row[second]]
        differences = [a - b for a, b in pairs]
        wins = sum(one > 0 for one in differences)
        text.append(f"| {first} | {second} | {len(pairs)} | {_number(differences)} | {wins}/{len(pairs)} |")
    return [*text, ""]


def _budget_table(study: str, title: str) -> list[str]:
    text = [
        f"## {title}",
        "",
        "| row | seeds | solved | evaluations to the first solution | CNOTs |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in dict.fromkeys(line["row"] for line in lines() if line.get("study") == study):
        runs = played(row, study)
        text.append(
            f"| {row} | {len({line['seed'] for line in runs})} "
            f"| {_percent(by_seed(runs, lambda line: line['first'] is not None))} "
            f"| {_number(by_seed(runs, lambda line: line['first']))} "
            f"| {_number(by_seed(runs, lambda line: line['two_qubit_gates']))} |"
        )
    return [*text, ""]


def _cost_table() -> list[str]:
    text = [
        "## Training",
        "",
        "| network | evaluations | steps | gradient steps | CPU seconds |",
        "| --- | --- | --- | --- | --- |",
    ]
    for network in dict.fromkeys(line["network"] for line in lines("training")):
        runs = [line for line in lines("training") if line["network"] == network]
        columns = [
            iqm_with_interval([run[name] for run in runs])
            for name in ("evaluations", "steps", "gradient_steps", "seconds")
        ]
        text.append(f"| {network} | {' | '.join(columns)} |")
    text += ["", "## Validation", "", "| network | learning rate | return | solved | CNOTs |"]
    text.append("| --- | --- | --- | --- | --- |")
    for line in lines("tuning"):
        text.append(
            f"| {line['network']} | {line['rate']:g} | {line['return']:.3g} "
            f"| {100 * line['solved']:.0f} % | {line['two_qubit_gates']:.3g} |"
        )
    return [*text, ""]


def report() -> None:
    """Write the tables."""
    head = [
        "# MLP, KAN or graph network",
        "",
        "`python experiments/benchmarks/dqn_networks.py`. A number is the mean over the test instances of a seed;",
        "tables show interquartile means over the seeds with 95 % bootstrap intervals. CNOTs and evaluations are those",
        "of solved instances. The page of the [agent](../../docs/agents/dqn.md#which-network) says how it was done.",
        "",
    ]
    text = [*head, *_greedy_table("ising_4", "Four qubits, one greedy circuit of the frozen policy", [*NETWORKS])]
    text += _pairs_table()
    text += _budget_table("ising_4", "Four qubits, 50 unseen instances, 1,000 evaluations")
    graphs = [name for name in AGENTS if AGENTS[name][0] == "graph"]
    text += _greedy_table("ising_6", "Six qubits, 20 unseen instances, one greedy circuit", graphs)
    text += _cost_table()
    (FILE.parent / "dqn_networks.md").write_text("\n".join(text).rstrip() + "\n", encoding="utf-8")


def _option(name: str, usual: str) -> str:
    start = f"--{name}="
    return next((one.removeprefix(start) for one in sys.argv if one.startswith(start)), usual)


if __name__ == "__main__":
    torch.set_num_threads(1)
    count = int(_option("seeds", str(SEEDS)))
    if sys.argv[1] == "tune":
        tune()
    if sys.argv[1] == "play":
        play(range(min(count, 5)))
        play_larger()
        play(range(5, count))
    if sys.argv[1] == "report":
        report()

"""Policies that see the device, on unseen coupling maps and with the noise of unseen devices.

    export OMP_NUM_THREADS=1
    qas-train experiment=noisy_devices training.seed=0 run=RUN
    python experiments/benchmarks/device_policies.py retrain noisy_devices RUN hidden 0 FILE  # without device features
    python experiments/benchmarks/device_policies.py validate noisy_devices FILE              # settings of deployment
    python experiments/benchmarks/device_policies.py play noisy_devices full FILES            # one per training seed
    python experiments/benchmarks/device_policies.py play noisy_devices hidden FILES
    python experiments/benchmarks/device_policies.py play noisy_devices                       # the rows without policy
    python experiments/benchmarks/device_policies.py play restricted_devices couplings xxz_chains  # shipped policy
    python experiments/benchmarks/device_policies.py report       # writes results/device_policies.md

The same for ``restricted_devices``. Test instances are those of the suites, training instances of the experiments.
``play`` appends to results/device_policies.jsonl what is not there yet: one line per row, instance and seed with the
lowest error after every number of evaluations at which it fell, and the evaluations to the first solution. ``retrain``
trains on the circuits that the teacher of a run has found, for ablations and further seeds. ``--only=TEXT`` plays the
rows with this in their names, ``--note=TEXT`` adds to the names of the policies' rows.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import gymnasium as gym
import networkx
import torch
import yaml
from device_instances import VALIDATION
from device_report import report
from graph_opponents import Draws, Replay
from safetensors.numpy import load_file

import qas_envs  # noqa: F401
import qas_experiments
from qas_agents import BlockAnnealing, GraphAgent, GraphConfig, RandomBlocks, policy_search
from qas_agents.graph.search import policy_file
from qas_agents.searchers.blocks import BlockSearcher

CONF = Path(qas_experiments.__file__).parent / "conf"
FILE = Path(__file__).parents[1] / "results" / "device_policies.jsonl"
Make = Callable[[Any, int], Any]
FOUR_STARTS: dict[str, Any] = {"openings": 4, "hasty_iterations": 40}  # as scouts, of which annealing begins
SCOUTS = 4


@dataclass(frozen=True)
class Study:
    """A family.

    Attributes:
        name: Of its suite and its experiment.
        budget: Energy evaluations of an instance; fixed before the first test.
        more: Budget of annealing over this one.
        times: Budget that is played over this one; the figures of smaller ones are read off the same runs.
        blind: Whether noise leaves no solutions, so that the lowest energy counts.
        lengths: Of circuits from the policy, over the number of qubits.
        search: Settings of the annealing that the policy guides; chosen on the validation instances.
        start_blocks: Of annealing, besides its default; chosen on the validation instances.
        blocks: Smallest and largest number of blocks of random skeletons.
    """

    name: str
    budget: int
    blind: bool
    lengths: tuple[float, float]
    search: dict[str, Any]
    start_blocks: int
    blocks: tuple[int, int]
    times: int = 1
    more: int = 10

    @property
    def played(self) -> int:
        """Evaluations of an instance that are played."""
        return self.budget * self.times

    def settings(self) -> dict[str, Any]:
        """Return the settings of the experiment."""
        settings: dict[str, Any] = yaml.safe_load((CONF / "experiment" / f"{self.name}.yaml").read_text("utf-8"))
        return settings

    def arguments(self) -> dict[str, dict[str, Any]]:
        """Return the arguments of ``gymnasium.make`` of the test instances, by name."""
        suite = yaml.safe_load((CONF / "suite" / f"{self.name}.yaml").read_text("utf-8"))
        return {name: self._flat(own) for name, own in suite["instances"].items()}

    def _flat(self, own: dict[str, Any]) -> dict[str, Any]:
        env = {name: value for name, value in own["env"].items() if name not in ("id", "problem", "reward")}
        noise = {"noise": {"name": "snapshot", **own["noise"]}} if "noise" in own else {}
        return {**own["env"].get("problem", {}), **env, **noise}

    def training(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return the arguments of the environment of the training, and of all training instances."""
        settings = self.settings()
        own = self._flat({name: settings[name] for name in ("env", "noise") if name in settings})
        return own, [{**own, **each} for each in settings["agent"]["instances"]]

    def env(self, arguments: dict[str, Any], device: str = "full") -> Any:
        """Build an environment; ``device`` is what the observation shows of it."""
        encoding = {"name": "hamiltonian_graph", "device": device}
        given = {**arguments, "encoding": encoding}
        return gym.make("QAS-XXZChain-v0", disable_env_checker=True, **given).unwrapped


STUDIES = {
    "noisy_devices": Study("noisy_devices", 1000, True, (2.0, 2.0), {"scouts": 0}, 10, (1, 6)),
    "restricted_devices": Study("restricted_devices", 3000, False, (4.0, 5.0), {"scouts": 0}, 30, (30, 30)),
}


# -- searchers that need no policy -------------------------------------------------------------------------------------


def coupled_graph(searcher: BlockSearcher) -> tuple[networkx.Graph, dict[tuple[int, ...], int]]:
    """Return the coupling map of a searcher's environment, and the number of the block of each pair."""
    numbers = {tuple(sorted(qubits)): number for number, qubits in enumerate(searcher._skeletons.blocks)}
    return networkx.Graph([*numbers]), numbers


def routed(pairs: Sequence[tuple[int, ...]], searcher: BlockSearcher) -> list[int]:
    """Return a block for each pair; for a pair without one, blocks along a shortest path of coupled pairs."""
    graph, numbers = coupled_graph(searcher)
    paths = [networkx.shortest_path(graph, *sorted(pair)) for pair in pairs]
    return [numbers[tuple(sorted(step))] for path in paths for step in pairwise(path)]


class Ladder(BlockSearcher):
    """Layers of blocks along a depth-first spanning tree of the coupling map, grown by one block at a time."""

    def __init__(self, env: Any, seed: int) -> None:
        super().__init__(env, seed, 200, None, None)
        graph, numbers = coupled_graph(self)
        self._layer = [numbers[tuple(sorted(edge))] for edge in networkx.dfs_edges(graph, 0)]

    def _search(self, trials: Any) -> None:
        size = 0
        while trials.running:
            size += 1
            blocks = [self._layer[place % len(self._layer)] for place in range(size)]
            skeleton = self._canonical(blocks)
            size = size if len(skeleton) == len(blocks) else 0
            for _ in self._played(trials, [skeleton] * 5, self._starts(skeleton, 5)):
                pass


class RoutedTerms(BlockSearcher):
    """The pairs of the Hamiltonian's terms in random order, along the coupling map, of random lengths."""

    def __init__(self, env: Any, seed: int, least: int, most: int) -> None:
        super().__init__(env, seed, 200, None, None)
        labels = (label[::-1] for label in self._hamiltonian.terms())
        own = {tuple(q for q, letter in enumerate(label) if letter != "I") for label in labels}
        self._pairs = sorted(pair for pair in own if len(pair) == 2)
        self._bounds = least, most

    def _search(self, trials: Any) -> None:
        while trials.running:
            skeletons = [self._drawn(int(size)) for size in self._rng.integers(*self._bounds, size=8, endpoint=True)]
            for _ in self._played(trials, skeletons, [self._starts(one, 1)[0] for one in skeletons]):
                pass

    def _drawn(self, size: int) -> tuple[int, ...]:
        blocks: list[int] = []
        while len(blocks) < size:
            order = self._rng.permutation(len(self._pairs))
            blocks += routed([self._pairs[place] for place in order], self)
        return self._canonical(blocks[:size])


def replay(pairs: Sequence[tuple[int, ...]], env: Any, seed: int) -> Replay:
    """Return the replay of a skeleton, routed on the coupling map of the environment."""
    searcher = Replay(env, seed, ())
    searcher._skeleton = searcher._canonical(routed(pairs, searcher))
    return searcher


@cache
def best_skeleton(name: str) -> tuple[tuple[int, ...], ...]:
    """Return the pairs of the best circuit of one of eight training instances that does best on all of them.

    The circuits are those that annealing finds with ten times the budget.
    """
    study = STUDIES[name]
    instances = study.training()[1]
    envs = [study.env(one) for one in instances[:: len(instances) // 8][:8]]
    found = []
    for env in envs:
        kept: list[tuple[float, int, tuple[tuple[int, ...], ...]]] = []

        def keep(info: dict[str, Any], env: Any = env, kept: Any = kept) -> None:
            pairs = tuple(env.catalogue.actions[action].qubits for action in env.player.actions)
            is_better = not kept or (info["energy_error"] if study.blind else len(pairs)) < kept[-1][0]
            if (study.blind or info["success"]) and is_better:
                kept.append((float(info["energy_error"]) if study.blind else len(pairs), len(kept), pairs))

        play_one(partial(BlockAnnealing, blind=study.blind), env, 0, 10 * study.budget, keep)
        found += [kept[-1][2]] if kept else []

    def score(pairs: tuple[tuple[int, ...], ...]) -> float:
        rows = [play_one(partial(replay, pairs), env, 0, study.budget // 2) for env in envs]
        return sum(row["lowest"][-1][1] if study.blind else float(row["first"] is None) for row in rows)

    return min(found, key=score)


# -- playing -----------------------------------------------------------------------------------------------------------


def policy_rows(study: Study, device: str, files: Sequence[Path], note: str) -> Iterator[tuple[str, int, int, Make]]:
    """Yield name, seed, budget and function of the rows of a policy; a row's seed is that of the training."""
    seen = {"full": "", "hidden": ", device hidden", "couplings": ", trained with all pairs coupled"}[device] + note
    for number, path in enumerate(files):
        guided = {"policy": str(path), "lengths": study.lengths, "blind": study.blind, **study.search}
        yield f"annealing guided by the policy{seen}", number, study.played, partial(_guided, guided)
        lengths = study.lengths
        yield (
            f"circuits of the policy, no search{seen}",
            number,
            study.played,
            partial(_drawn, path, lengths),
        )


def _guided(settings: dict[str, Any], env: Any, seed: int) -> Any:
    return policy_search(env, seed, **settings)


def _drawn(path: Path, lengths: tuple[float, float], env: Any, seed: int) -> Any:
    return Draws(env, seed, policy_file(str(path)), lengths)


def other_rows(study: Study) -> Iterator[tuple[str, int, int, Make]]:
    """Yield name, seed, budget and function of the rows without a policy."""
    annealing = partial(BlockAnnealing, blind=study.blind)
    start, (low, high) = study.start_blocks, study.blocks
    yield (
        f"annealed blocks from {start} random blocks",
        0,
        study.more * study.budget,
        partial(annealing, start_blocks=start, openings=16, own_pairs=False),
    )
    yield "annealed blocks, default settings", 0, study.played, annealing
    yield "random blocks", 0, study.played, partial(RandomBlocks, least_blocks=low, most_blocks=high)
    yield "ladder along the coupling map", 0, study.played, Ladder
    yield (
        "pairs of the terms, routed, random order",
        0,
        study.played,
        partial(RoutedTerms, least=low, most=high),
    )
    yield "best skeleton of training, routed", 0, study.played, partial(_replayed, study.name)


def _replayed(name: str, env: Any, seed: int) -> Any:
    return replay(best_skeleton(name), env, seed)


def play_one(
    make: Make, env: Any, seed: int, budget: int, look: Callable[[dict[str, Any]], None] = lambda info: None
) -> dict[str, Any]:
    """Play a searcher within a budget of evaluations; return the figures."""
    row: dict[str, Any] = {"evaluations": 0, "first": None, "lowest": []}
    started = time.process_time()

    def step(locals_: dict[str, Any], _: dict[str, Any]) -> bool:
        info = locals_["infos"][0]
        row["evaluations"] += int(info["evaluations"])
        if row["evaluations"] > budget:
            return False
        look(info)
        error, lowest = float(info["energy_error"]), row["lowest"]
        if not lowest or error < lowest[-1][1]:
            lowest.append((row["evaluations"], error, int(info["num_two_qubit_gates"])))
        if info["success"] and row["first"] is None:
            row["first"] = row["evaluations"]
        return row["evaluations"] < budget

    make(env, seed).learn(2**62, step)
    return row | {"budget": budget, "seconds": round(time.process_time() - started, 3)}


def play(study: Study, device: str, files: Sequence[Path], only: str = "", note: str = "") -> None:
    """Play all cells not yet in the file, ``only`` of rows with this in their names; ``note`` is added to these."""
    known = {tuple(line[key] for key in ("study", "row", "instance", "seed")) for line in lines()}
    rows = policy_rows(study, device, files, note) if files else other_rows(study)
    for row, seed, budget, make in rows:
        for instance, arguments in study.arguments().items():
            if (study.name, row, instance, seed) in known or only not in row:
                continue
            figures = play_one(make, study.env(arguments, device), seed, budget)
            with FILE.open("a", encoding="utf-8") as file:
                cell = {"study": study.name, "row": row, "instance": instance, "seed": seed}
                file.write(json.dumps(cell | figures) + "\n")


def lines() -> list[dict[str, Any]]:
    """Return the results so far."""
    return [json.loads(line) for line in FILE.read_text("utf-8").splitlines()] if FILE.exists() else []


# -- training and settings ---------------------------------------------------------------------------------------------


def retrain(study: Study, run: Path, device: str, seed: int, out: Path) -> None:
    """Train a policy on the circuits of a run's teacher, then on as many groups as the run."""
    own = study.training()[0]
    settings = {**study.settings()["agent"], "instances": study.settings()["agent"]["instances"]}
    env = gym.make("QAS-XXZChain-v0", **{**own, "encoding": {"name": "hamiltonian_graph", "device": device}})
    agent = GraphAgent(env, GraphConfig(**{"epochs": 2, "entropy": 0.02, **settings}), seed)
    arrays = load_file(max((run / "checkpoint").glob("arrays-*.safetensors"), key=lambda one: one.stat().st_mtime))
    agent.elites.restore({name.removeprefix("elites."): one for name, one in arrays.items() if "elites." in name})
    agent.num_taught, taught = len(agent.instances), agent.config.teacher * len(agent.instances)
    agent.num_timesteps = taught
    agent.learn(study.settings()["training"]["total_timesteps"] - taught)
    agent.save(out)


def validate(study: Study, path: Path, device: str = "full") -> None:
    """Print how some settings do on the validation instances; with noise on every other one."""
    budget = study.budget
    candidates: dict[str, Make] = {"circuits of the policy": partial(_drawn, path, study.lengths)}
    for temperature, uniform in ((1.0, 0.2), (1.5, 0.5)):
        settings = {"policy": str(path), "lengths": study.lengths, "blind": study.blind}
        settings |= {"temperature": temperature, "uniform": uniform}
        if not study.blind:
            candidates[f"guided {temperature} {uniform}, scouts"] = partial(_guided, {**settings, "scouts": SCOUTS})
        settings |= {"scouts": 0}
        candidates[f"guided {temperature} {uniform}"] = partial(_guided, settings)
    for start in (4, 6, 10) if study.blind else (15, 24, 30):
        annealing = partial(BlockAnnealing, blind=study.blind, start_blocks=start, own_pairs=False)
        candidates[f"annealed from {start}"] = partial(annealing, openings=16)
        if not study.blind:
            candidates[f"annealed from {start}, four starts"] = partial(annealing, **FOUR_STARTS)
    envs = [study.env(study.training()[0] | each, device) for each in VALIDATION[study.name][:: 1 + study.blind]]
    for name, make in candidates.items():
        rows = [play_one(make, env, 0, budget) for env in envs]
        lowest = sum(row["lowest"][-1][1] for row in rows) / len(rows)
        firsts = sorted(row["first"] or 10**6 for row in rows)
        seconds = sum(row["seconds"] for row in rows)
        print(f"{name}: mean {lowest:.5f}, first {firsts}, {seconds:.1f} s", flush=True)


def main() -> None:
    """Do what the command line says."""
    torch.set_num_threads(1)
    options = dict(one.removeprefix("--").split("=", 1) for one in sys.argv[1:] if one.startswith("--"))
    command, *rest = (one for one in sys.argv[1:] if not one.startswith("--"))
    if command == "report":
        report(lines(), {name: sorted({one.budget, one.budget * one.times}) for name, one in STUDIES.items()})
        return
    study = STUDIES[rest[0]]
    if command == "retrain":
        retrain(study, Path(rest[1]), rest[2], int(rest[3]), Path(rest[4]))
    elif command == "validate":
        validate(study, *map(Path, rest[1:2]), *rest[2:])
    elif command == "play":
        play(study, rest[1] if len(rest) > 1 else "full", [Path(one) for one in rest[2:]], **options)


if __name__ == "__main__":
    main()

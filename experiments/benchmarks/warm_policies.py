"""H2O on eight qubits: policies that have learned short solutions, and circuits that are remembered with their angles.

    export OMP_NUM_THREADS=1
    python experiments/benchmarks/warm_policies.py train 0 FOLDER  # teacher and policy of a training seed, resumable
    python experiments/benchmarks/warm_policies.py validate FOLDER 0   # designs, on the validation instances
    python experiments/benchmarks/warm_policies.py starts FOLDER 0     # a short solution from different angles
    python experiments/benchmarks/warm_policies.py play FOLDER 0 1 2 3 4  # rows of the study bent_h2o_8
    python experiments/benchmarks/warm_policies.py play            # greedy_blocks and ADAPT, which need no training
    python experiments/benchmarks/warm_policies.py table           # medians by row, training seed and orbital

The teacher plays the training instances one after the other. It starts each from the solutions of the others, with
their angles, and shortens what solves it; where nothing does, ``greedy_blocks`` and then annealing search. Every
skeleton is remembered with the angles of one solution. The policy imitates the solutions, and its value learns the
errors that remembered circuits have on all training instances after an optimisation from their angles. On an unseen
instance it ranks them by this value. Evaluations of the teacher are in FOLDER/teacher_SEED.json.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import graph_policies
import gymnasium as gym
import numpy as np
import torch
from graph_policies import FILE, RULES, STUDIES, Draws, Make, lines, play_within, report
from torch.nn import functional

from qas_agents import (
    BlockAnnealing,
    GraphAgent,
    GraphConfig,
    GreedyBlocks,
    PolicyProposal,
    adapt_circuit,
    ceo_pool,
    determinant,
    qubit_adapt,
    spin_orbitals,
)
from qas_agents.graph.drawing import scores_of
from qas_agents.graph.training import _clone, _step, rewards_of
from qas_agents.searchers.blocks import BlockSearcher
from qas_envs.problems.instances import BENT_H2O

STUDY = "bent_h2o_8"
BUDGET, MORE = 1000, 10_000
SHORTENING = 7500  # evaluations of annealing after ADAPT, which with the removal of operators needs at most 2,500
PART = 4000  # evaluations of the teacher on an instance that a remembered circuit solves
SEARCHES: tuple[tuple[Make, int], ...] = (
    (GreedyBlocks, 12_000),
    (partial(BlockAnnealing, start_blocks=40, own_pairs=False, openings=4, hasty_iterations=40), 40_000),
)
STEPS = 600  # gradient steps of the values; every other one is followed by one of imitation
SOLVED = 0.3  # value from which a circuit counts as a predicted solution: the target is 1, or below 0
TRIED = 100  # iterations of remembered circuits on training instances
SHORT = 0.75, 2.5  # blocks per qubit
KEPT = 4  # solutions of an instance that are remembered, the shortest
LONGEST = 40  # blocks


class Known(NamedTuple):
    """A skeleton with the angles of a solution."""

    skeleton: tuple[int, ...]
    params: list[float]


class Warm(BlockAnnealing):
    """Annealing that begins with given circuits and their angles, in order, until one is a solution.

    If none is, the first cycle starts from the one with the lowest error.
    """

    def __init__(self, env: Any, seed: int, known: Sequence[Known], **settings: Any) -> None:
        super().__init__(env, seed, LONGEST, own_pairs=False, **settings)
        self._known = known

    def _first(self, trials: Any, cycles: int) -> Any:
        if cycles:
            return super()._first(trials, cycles - 1)
        best = None
        for one in self._known:
            if not trials.running:
                break
            found = self._optimized(trials, one.skeleton, np.array(one.params))
            if found is not None and (best is None or self._size(found) < self._size(best)):
                best = found
            if found is not None and found.success:
                break
        if best is None:
            return super()._first(trials, 0)
        self._limit = len(best.skeleton)
        return best


class Portfolio(BlockSearcher):
    """Skeletons in turn, from random angles, until the budget is spent."""

    def __init__(self, env: Any, seed: int, known: Sequence[Known]) -> None:
        super().__init__(env, seed, 200, None, None)
        self._known = known

    def _search(self, trials: Any) -> None:
        while trials.running:
            for one in self._known:
                for _ in self._played(trials, [one.skeleton], self._starts(one.skeleton, 1)):
                    pass


class NearShell(Draws):
    """Circuits from a policy whose angles start near the basis state of lowest energy, with normal deviations."""

    spread = 1.0

    def _starts(self, skeleton: tuple[int, ...], number: int) -> list[Any]:
        center = closed_shell(self, skeleton)
        return [center + self._rng.normal(0.0, self.spread, len(center)) for _ in range(number)]


def closed_shell(searcher: BlockSearcher, skeleton: Sequence[int]) -> np.ndarray[Any, Any]:
    """Return the angles for which a skeleton prepares the basis state of lowest energy: pi in the first row, else 0."""
    lowest, n = int(np.argmin(searcher._hamiltonian.basis_energies())), searcher._hamiltonian.num_qubits
    bits = [lowest >> qubit & 1 for qubit in range(n)]
    for block in reversed(skeleton):  # without rotations, CNOTs map one basis state to another
        control, target = searcher._skeletons.blocks[block]
        bits[target] ^= bits[control]
    angles = np.zeros(searcher._skeletons.num_params(skeleton))
    angles[:n] = np.pi * np.array(bits)
    return angles


# -- teacher -----------------------------------------------------------------------------------------------------------


def taught(seed: int, file: Path) -> dict[str, Any]:
    """Return what the teacher of a training seed found; its file is written after every instance."""
    study = STUDIES[STUDY]
    state: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"known": [], "costs": [], "errors": []}
    known, train = {tuple(one[0]): Known(tuple(one[0]), one[1]) for one in state["known"]}, BENT_H2O["train"]
    for number in range(len(state["costs"]), len(train)):
        env, cost, found = study.env(dict(train[number])), 0, dict[tuple[int, ...], Known]()

        def solved(env: Any = env, found: Any = found) -> None:
            found[tuple(env.player.actions)] = Known(tuple(env.player.actions), env.player.circuit.params.tolist())

        shortest_first = sorted(known.values(), key=lambda one: len(one.skeleton))
        searches = [(partial(Warm, known=shortest_first), PART)] if known else []
        for make, budget in [*searches, *SEARCHES]:
            cost += play_within(make, env, seed, budget, solved)["evaluations"]
            if found:
                break
        known |= {one.skeleton: one for one in sorted(found.values(), key=lambda one: len(one.skeleton))[:KEPT]}
        state |= {"known": [*known.values()], "costs": [*state["costs"], cost]}
        file.write_text(json.dumps(state))
        print(train[number], cost, sorted(map(len, found)), len(known), flush=True)
    for number in range(len(state["errors"]), len(train)):
        env, own = study.env(dict(train[number])), list(known.values())
        played = env.player.play_many([one.skeleton for one in own], [one.params for one in own], max_iterations=TRIED)
        state["errors"].append(np.abs(played.errors).tolist())
        state["costs"].append(int(played.evaluations.sum()))
        file.write_text(json.dumps(state))
    return state


def trained(seed: int, folder: Path) -> None:
    """Write the policy of a training seed: imitation of the solutions, and values of remembered circuits."""
    state = taught(seed, folder / f"teacher_{seed}.json")
    own = gym.make("QAS-BentH2O-v0", max_gates=120, **RULES, **BENT_H2O["validation"][0])
    config = GraphConfig(instances=[*BENT_H2O["train"]], lengths=(0.5, 5.0), elites=8)
    agent, started = GraphAgent(own, config, seed), time.process_time()
    skeletons = [tuple(one[0]) for one in state["known"]]
    rewards = [rewards_of(np.array(row), own.unwrapped.curriculum.threshold) for row in state["errors"]]
    for number, row in enumerate(rewards):
        for skeleton, reward in zip(skeletons, row.tolist(), strict=True):
            if reward > 0:
                canonical = agent.instances[number].canonical(skeleton)
                agent.elites.add(number, len(skeleton), canonical, skeleton, reward)
    targets = [np.where(row > 0, 1.0, row).astype(np.float32) for row in rewards]
    for step in range(STEPS):
        if step % 2:
            _clone(agent, agent.elites.keys())
        number = int(agent.rng.integers(len(rewards)))
        chosen = agent.rng.permutation(len(skeletons))[:24]
        predicted = valued(agent, number, [skeletons[k] for k in chosen])
        _step(agent, functional.smooth_l1_loss(predicted, torch.as_tensor(targets[number][chosen])))
        agent.num_updates += 1
    agent.save(folder / f"policy_{seed}.safetensors")
    print(f"{sum(state['costs']):,} evaluations, {time.process_time() - started:.0f} s of gradient steps")


def valued(agent: GraphAgent, number: int | None, skeletons: Sequence[tuple[int, ...]]) -> torch.Tensor:
    """Return the policy's values of whole circuits on a training instance, or on the agent's own instance."""
    instance = agent.instances.own if number is None else agent.instances[number]
    drafts = instance.bench.drafts(len(skeletons), LONGEST)
    for step in range(max(map(len, skeletons))):
        drafts.append(np.array([one[step] if step < len(one) else -1 for one in skeletons]))
    return scores_of(agent.network, drafts.observe()).value


# -- designs -----------------------------------------------------------------------------------------------------------


def remembered(folder: Path, seed: int) -> tuple[list[Known], np.ndarray[Any, Any]]:
    """Return the remembered circuits of a training seed, and their errors on the training instances, ``(36, K)``."""
    state = json.loads((folder / f"teacher_{seed}.json").read_text())
    return [Known(tuple(one[0]), one[1]) for one in state["known"]], np.array(state["errors"])


def ranked(folder: Path, training: int, env: Any, seed: int) -> Warm:
    """Return the search from remembered circuits in the policy's order; the policy also proposes mutations.

    First come the circuits of which it predicts that they are solutions, the shortest first, then the others by value.
    """
    agent = GraphAgent.load(folder / f"policy_{training}.safetensors", env)
    known = remembered(folder, training)[0]
    with torch.no_grad():
        values = valued(agent, None, [one.skeleton for one in known]).numpy()
    order = sorted(range(len(known)), key=lambda k: (len(known[k].skeleton) if values[k] > SOLVED else 99, -values[k]))
    proposal = PolicyProposal(agent, seed, (3.0, 4.0), 1.5, 0.5)
    return Warm(env, seed, [known[k] for k in order], proposal=proposal)


def covering(folder: Path, training: int) -> list[Known]:
    """Return the shortest remembered solutions of all training instances, the shortest first: a table, no policy."""
    known, errors = remembered(folder, training)
    solves = errors < STUDIES[STUDY].env(dict(BENT_H2O["train"][0])).curriculum.threshold
    lengths = np.array([len(one.skeleton) for one in known])
    best = {int(np.argmin(np.where(row, lengths, LONGEST + 1))) for row in solves}
    return [known[k] for k in sorted(best, key=lambda k: (len(known[k].skeleton), k))]


def of_training(folder: Path, training: int, env: Any, seed: int) -> Warm:
    """Return the search from the circuits of :func:`covering`."""
    return Warm(env, seed, covering(folder, training))


def skeletons_of(folder: Path, training: int, env: Any, seed: int) -> Portfolio:
    """Return the replay of their skeletons in turn."""
    return Portfolio(env, seed, covering(folder, training))


def nearest(folder: Path, training: int, env: Any, seed: int) -> Warm:
    """Return the search from the remembered circuits that solve the most similar training instance, the shortest first.

    The distance of two instances is that of the coefficients of their Hamiltonians. The other circuits come after them.
    """
    known, errors = remembered(folder, training)
    own = env.problem.hamiltonian.terms()
    distances = []
    for each in BENT_H2O["train"]:
        terms = STUDIES[STUDY].env(dict(each)).problem.hamiltonian.terms()
        both = {*own, *terms} - {"I" * 8}
        distances.append(sum((own.get(one, 0.0) - terms.get(one, 0.0)) ** 2 for one in both))
    own_errors, threshold = errors[int(np.argmin(distances))], env.curriculum.threshold
    order = sorted(
        range(len(known)),
        key=lambda k: (len(known[k].skeleton) if own_errors[k] < threshold else 99, own_errors[k]),
    )
    return Warm(env, seed, [known[k] for k in order])


def designs(folder: Path, training: int) -> dict[str, Make]:
    """Return the function of every row of a training seed, by name."""
    file = folder / f"policy_{training}.safetensors"
    return {
        "short circuits of the policy, random angles": partial(Draws, policy=file, lengths=SHORT),
        "short circuits of the policy, near the closed shell": partial(NearShell, policy=file, lengths=SHORT),
        "remembered circuits, ranked by the policy": partial(ranked, folder, training),
        "remembered circuits of the most similar training instance": partial(nearest, folder, training),
        "remembered circuits, the shortest solutions of the training": partial(of_training, folder, training),
        "skeletons of the shortest solutions of the training, random angles": partial(skeletons_of, folder, training),
    }


def adapt(env: Any, shortening: int = 0) -> dict[str, Any]:
    """Return the figures of ADAPT with coupled exchanges, which appends to the closed shell.

    Args:
        env: The instance.
        shortening: Evaluations of annealing over blocks after it, before which operators that are not needed are
            removed; 0 for neither.
    """
    started, hamiltonian, spin_of = time.process_time(), env.problem.hamiltonian, spin_orbitals(8)
    ground, pool, reference = env.problem.ground_energy, ceo_pool(spin_of), determinant(spin_of, up=2, down=2)
    row: dict[str, Any] = {"first": None, "two_qubit_gates": None, "shorter": []}
    for step in qubit_adapt(hamiltonian, pool, 60, reference):
        row |= {"evaluations": step.evaluations, "lowest": step.energy - ground}
        if row["lowest"] < env.curriculum.threshold:
            row |= {"first": step.evaluations}
            row["shorter"].append((step.evaluations, step.circuit.num_two_qubit_gates))
            break
    if shortening:
        limit = ground + env.curriculum.threshold - 1e-9
        settings: dict[str, Any] = {"reference": reference, "ground_energy": ground, "evaluations": shortening}
        found = adapt_circuit(hamiltonian, pool, limit, **settings)
        row |= {"evaluations": found.evaluations, "lowest": min(row["lowest"], found.energy - ground)}
        if found.evaluations <= MORE:
            row["shorter"].append((found.evaluations, found.circuit.num_two_qubit_gates))
    row["two_qubit_gates"] = row["shorter"][-1][1] if row["shorter"] else None
    return row | {"budget": MORE, "seconds": round(time.process_time() - started, 3)}


def rows(folder: Path | None, trainings: Sequence[int]) -> Iterator[tuple[str, int, Callable[[Any], dict[str, Any]]]]:
    """Yield name, seed and function of every row."""
    if folder is None:
        yield "greedy_blocks", 0, partial(play_within, GreedyBlocks, seed=0, budget=MORE)
        yield "ADAPT, coupled exchanges", 0, adapt
        yield "ADAPT, coupled exchanges, then annealed blocks", 0, partial(adapt, shortening=SHORTENING)
    for training in trainings if folder is not None else ():
        for name, make in designs(folder, training).items():
            yield name, training, partial(play_within, make, seed=training, budget=BUDGET)


def play(folder: Path | None, trainings: Sequence[int], only: str = "") -> None:
    """Play the test instances that are not in the file yet."""
    known = {tuple(line[key] for key in ("study", "row", "instance", "seed")) for line in lines()}
    for row, seed, figures_of in rows(folder, trainings):
        for instance, arguments in STUDIES[STUDY].instances.items():
            if (STUDY, row, instance, seed) in known or only not in row:
                continue
            figures = figures_of(STUDIES[STUDY].env(arguments))
            with FILE.open("a", encoding="utf-8") as file:
                cell = {"study": STUDY, "row": row, "instance": instance, "seed": seed}
                file.write(json.dumps(cell | figures, ensure_ascii=False) + "\n")


def validate(folder: Path, training: int, make_only: str = "") -> None:
    """Print how the designs do on the validation instances."""
    for name, make in designs(folder, training).items():
        if make_only not in name:
            continue
        found = [play_within(make, STUDIES[STUDY].env(dict(one)), 0, BUDGET) for one in BENT_H2O["validation"]]
        print(name, [(one["first"], one["two_qubit_gates"]) for one in found], flush=True)


def starts(folder: Path, training: int, number: int = 40) -> None:
    """Print how often a short remembered solution of each orbital is found from different angles, at 1.1 Å."""
    rng = np.random.default_rng(0)
    for each in BENT_H2O["validation"][3:]:
        env = STUDIES[STUDY].env(dict(each))
        known = sorted(remembered(folder, training)[0], key=lambda one: len(one.skeleton))
        played = env.player.play_many([one.skeleton for one in known], [one.params for one in known])
        place = int(np.argmax(played.errors < env.curriculum.threshold))
        skeleton, shell = known[place].skeleton, closed_shell(Portfolio(env, 0, known), known[place].skeleton)
        print(each, len(skeleton), "CNOTs; from its own angles", played.evaluations[place], "evaluations")
        ways = {"random": [rng.uniform(-np.pi, np.pi, len(shell)) for _ in range(number)]}
        ways |= {f"near {s}": [shell + rng.normal(0.0, s, len(shell)) for _ in range(number)] for s in (0.1, 0.6, 1.0)}
        for name, angles in ways.items():
            tried = env.player.play_many([skeleton] * number, angles, max_iterations=200)
            solved = int((tried.errors < env.curriculum.threshold).sum())
            print(f"  {name}: {solved}/{number}, {tried.evaluations.mean():.0f} evaluations each", flush=True)


def table() -> None:
    """Print solved instances by orbital, and the medians of first solutions and CNOTs, by row and training seed."""
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for line in lines():
        if line["study"] == STUDY:
            groups.setdefault((line["row"], line["seed"]), []).append(line)
    for (row, seed), runs in groups.items():
        for budget in sorted({BUDGET, runs[0]["budget"]}):
            own = [[one for one in run["shorter"] if one[0] <= budget] for run in runs]
            firsts = [one[0][0] if one else math.inf for one in own]
            orbitals = [run["instance"][-1] for run, one in zip(runs, own, strict=True) if one]
            cnots = median([one[-1][1] for one in own if one] or [math.nan])
            by_orbital = [orbitals.count(orbital) for orbital in "234"]
            mean = sum(min(first, budget) for first in firsts) / len(firsts)
            print(f"{row}, {budget:,}, seed {seed}: {len(orbitals)}/{len(runs)} {by_orbital},", end=" ")
            print(f"first {median(firsts):g} (mean {mean:.0f}), {cnots:g} CNOTs")


def main() -> None:
    """Do what the command line says."""
    torch.set_num_threads(1)
    command, *rest = (one for one in sys.argv[1:] if not one.startswith("--"))
    if command == "train":
        trained(int(rest[0]), Path(rest[1]))
    elif command == "validate":
        validate(Path(rest[0]), int(rest[1]), graph_policies._option("only"))
    elif command == "table":
        table()
    elif command == "starts":
        starts(Path(rest[0]), int(rest[1]))
    elif command == "play":
        play(Path(rest[0]) if rest else None, [int(one) for one in rest[1:]], graph_policies._option("only"))
        report()


if __name__ == "__main__":
    main()

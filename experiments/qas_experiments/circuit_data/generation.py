"""How the circuits of the data set are found: searches over blocks, one part per instance, search and seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

import qas_envs  # noqa: F401  # registers the ids
from qas_agents import BlockAnnealing, RandomBlocks
from qas_experiments.circuit_data.table import COLUMNS, MOVES, SEARCHES, CircuitTable, Instance, load_circuits, ragged
from qas_simulators.dressings import usual_dressing

_MAKERS: Final = {"annealing_blocks": BlockAnnealing, "random_blocks": RandomBlocks}
_MOST_ITERATIONS: Final = 500  # of the last optimisation
_TOGETHER: Final = 256  # circuits in one call


@dataclass(frozen=True)
class Source:
    """An instance and the searches on it.

    Attributes:
        name: Short label of the instance.
        environment: Id of the environment.
        arguments: Its arguments.
        annealing: Circuits of annealing over blocks, for each seed.
        random: Random circuits.
        seeds: Number of seeds of annealing.
    """

    name: str
    environment: str
    arguments: dict[str, Any]
    annealing: int
    random: int
    seeds: int = 1

    def parts(self) -> list[tuple[str, int]]:
        """Return the searches and seeds."""
        return [*(("annealing_blocks", seed) for seed in range(self.seeds)), ("random_blocks", 0)]

    def env(self) -> Any:
        """Return the environment."""
        made = gym.make(self.environment, actions="blocks", max_gates=90, disable_env_checker=True, **self.arguments)
        return made.unwrapped

    def instance(self, env: Any) -> Instance:
        """Return the instance of the environment."""
        problem, pairs = env.problem, tuple(action.qubits for action in env.catalogue.actions)
        dressing = usual_dressing(("ry", "rz"), ("cx",), problem.hamiltonian)
        assert dressing is not None and pairs == tuple(combinations(range(problem.num_qubits), 2))
        return Instance(
            self.name, self.environment, self.arguments, problem.num_qubits, pairs, "cx", tuple(dressing),
            problem.ground_energy, problem.accuracy, problem.unit, problem.digest,
        )  # fmt: skip


def _graph(num_qubits: int, seed: int, annealing: int, random: int) -> Source:
    arguments = {"num_qubits": num_qubits, "seed": seed}
    return Source(f"graph-{num_qubits} {seed}", "QAS-IsingGraph-v0", arguments, annealing, random)


SOURCES: Final = (
    Source("H2-4", "QAS-H2-v0", {"num_qubits": 4}, 1500, 6000, 2),
    *(Source(f"LiH-4 {r}", "QAS-LiH-v0", {"bond_length": r}, 1500, 6000, 2) for r in (1.4, 2.2, 3.4)),
    Source("LiH-6 2.2", "QAS-LiH-v0", {"num_qubits": 6, "bond_length": 2.2}, 5000, 3000, 3),
    Source("TFIM-4", "QAS-TFIM-v0", {"num_qubits": 4}, 3000, 6000, 2),
    Source("TFIM-5", "QAS-TFIM-v0", {"num_qubits": 5}, 4000, 4000, 2),
    Source("TFIM-6", "QAS-TFIM-v0", {"num_qubits": 6}, 5000, 3000, 3),
    Source("Heisenberg-4", "QAS-Heisenberg-v0", {"num_qubits": 4}, 3000, 6000, 2),
    Source("Heisenberg-5", "QAS-Heisenberg-v0", {"num_qubits": 5}, 4000, 4000, 2),
    Source("Heisenberg-6", "QAS-Heisenberg-v0", {"num_qubits": 6}, 5000, 3000, 3),
    *(_graph(5, seed, 5000, 2000) for seed in (2000, 2001, 2002)),
    *(_graph(6, seed, 6000, 2000) for seed in (2000, 2001, 2002)),
)
"""The instances. No benchmark of this library uses these Ising graphs."""


@dataclass
class _Found:
    """A skeleton of a search, with the best angles so far."""

    params: NDArray[np.float64]
    error: float
    trial: int
    move: str
    parent: tuple[int, ...]
    visits: int = 0
    evaluations: int = 0


@dataclass
class _Collector:
    """Keeps every circuit that a search reports."""

    env: Any
    found: dict[tuple[int, ...], _Found] = field(default_factory=dict)
    trials: int = 0

    def record(self, step: dict[str, Any], _: dict[str, Any]) -> bool:
        """Record the circuit that the environment holds."""
        info = step["infos"][0]
        move, parent = getattr(step["self"], "origin", ("start", ()))
        skeleton, error = tuple(self.env.player.actions), float(info["energy_error"])
        params = self.env.player.circuit.params.copy()
        one = self.found.setdefault(skeleton, _Found(params, error, self.trials, move, parent))
        if error < one.error:
            one.params, one.error = params, error
        one.visits += 1
        one.evaluations += int(info["evaluations"])
        self.trials += 1
        return True


def part(source: Source, search: str, seed: int) -> CircuitTable:
    """Run one search, minimise the angles of every skeleton that it found to the end, and return them."""
    env = source.env()
    collector = _Collector(env)
    trials = source.annealing if search == "annealing_blocks" else source.random
    _MAKERS[search](env, seed).learn(trials, collector.record)
    kept = {key: one for key, one in collector.found.items() if key}
    rows = {skeleton: row for row, skeleton in enumerate(kept)}
    angles, energies = _optimised(env, kept)
    single = {
        "instance": [0] * len(kept),
        "energy": energies,
        "error": np.asarray(energies) - env.problem.ground_energy,
        "search": [SEARCHES.index(search)] * len(kept),
        "seed": [seed] * len(kept),
        "trial": [one.trial for one in kept.values()],
        "move": [MOVES.index(one.move) for one in kept.values()],
        "parent": [rows.get(one.parent, -1) for one in kept.values()],
        "visits": [one.visits for one in kept.values()],
        "evaluations": [one.evaluations for one in kept.values()],
    }
    columns = {name: np.asarray(values, dtype=COLUMNS[name].dtype) for name, values in single.items()}
    columns |= ragged("skeleton", list(kept)) | ragged("angles", angles)
    return CircuitTable((source.instance(env),), columns)


def _optimised(env: Any, found: dict[tuple[int, ...], _Found]) -> tuple[list[NDArray[np.float32]], list[float]]:
    """Minimise all angles; return them in single precision, with the energies at these."""
    angles: list[NDArray[np.float32]] = []
    energies: list[float] = []
    items = list(found.items())
    for first in range(0, len(items), _TOGETHER):
        some = items[first : first + _TOGETHER]
        played = env.player.play_many(
            [key for key, _ in some], [one.params for _, one in some], max_iterations=_MOST_ITERATIONS
        )
        for (_, one), spent in zip(some, played.evaluations.tolist(), strict=True):
            one.evaluations += spent
        circuits = [circuit.copy() for circuit in played.circuits]
        for circuit in circuits:
            rounded = (np.mod(circuit.params + np.pi, 2 * np.pi) - np.pi).astype(np.float32)
            circuit.params = rounded.astype(np.float64)
            angles.append(rounded)
        energies += env.simulator.expectations_of(circuits, env.problem.hamiltonian).tolist()
    return angles, energies


def merged(tables: Sequence[CircuitTable]) -> CircuitTable:
    """Return all circuits, each skeleton of an instance once.

    The lowest energy is kept with its angles; search, seed, trial, move and parent are those of the first table that
    has the skeleton. Therefore no circuit is an ancestor of itself.
    """
    instances: dict[str, Instance] = {}
    first: dict[tuple[str, tuple[int, ...]], tuple[int, int]] = {}  # table and row that have it first
    best: dict[tuple[str, tuple[int, ...]], tuple[int, int]] = {}
    counts: dict[tuple[str, tuple[int, ...]], list[int]] = {}
    for number, table in enumerate(tables):
        for row in range(len(table)):
            instance = table.instance(row)
            instances.setdefault(instance.name, instance)
            key = instance.name, table.skeleton(row)
            first.setdefault(key, (number, row))
            held = best.setdefault(key, (number, row))
            if table.columns["energy"][row] < tables[held[0]].columns["energy"][held[1]]:
                best[key] = number, row
            own = counts.setdefault(key, [0, 0])
            own[0] += int(table.columns["visits"][row])
            own[1] += int(table.columns["evaluations"][row])
    rows, names = {key: row for row, key in enumerate(first)}, list(instances)
    columns: dict[str, NDArray[Any]] = {}
    for name, column in COLUMNS.items():
        chosen = best if name in ("energy", "error", "angles") else first
        if column.ragged:
            get = CircuitTable.skeleton if name == "skeleton" else CircuitTable.angles
            columns |= ragged(name, [get(tables[number], row) for number, row in chosen.values()])
        else:
            values = [tables[number].columns[name][row] for number, row in chosen.values()]
            columns[name] = np.array(values, dtype=column.dtype)
    columns["instance"] = np.array([names.index(name) for name, _ in first], dtype=COLUMNS["instance"].dtype)
    columns["visits"], columns["evaluations"] = (
        np.array([own[k] for own in counts.values()], dtype=COLUMNS[name].dtype)
        for k, name in enumerate(("visits", "evaluations"))
    )
    parents = []
    for (name, _), (number, row) in first.items():
        parent = int(tables[number].columns["parent"][row])
        parents.append(-1 if parent < 0 else rows[name, tables[number].skeleton(parent)])
    columns["parent"] = np.array(parents, dtype=COLUMNS["parent"].dtype)
    return CircuitTable(tuple(instances.values()), columns)


def parts(folder: Path, only: str = "") -> Iterator[tuple[Source, str, int, Path]]:
    """Yield the parts of the data set with their files; only of instances whose name contains ``only``."""
    for source in SOURCES:
        for search, seed in source.parts() if only in source.name else ():
            yield source, search, seed, folder / f"{source.name.replace(' ', '_')}-{search}-{seed}.npz"


def generate_part(source: Source, search: str, seed: int, path: Path) -> bool:
    """Write a part unless its file exists; return whether it was written."""
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    part(source, search, seed).save(path)
    return True


def joined(folder: Path) -> CircuitTable:
    """Return the table of all parts.

    Raises:
        ValueError: A part is missing.
    """
    return merged([load_circuits(path) for *_, path in parts(folder)])


def sample(table: CircuitTable, size: int, seed: int = 0) -> CircuitTable:
    """Return random rows, the same number of every instance, with a tenth of them solutions where there are any."""
    rng, rows = np.random.default_rng(seed), []
    each = size // len(table.instances)
    for instance in table.instances:
        solutions, all_rows = table.where(instance.name, solved=True), table.where(instance.name)
        shortest = sorted(solutions, key=lambda row: (len(table.skeleton(row)), row))[: each // 10]
        others = [row for row in all_rows if row not in {*shortest}]
        drawn = rng.choice(others, size=min(len(others), each - len(shortest)), replace=False).tolist()
        rows += sorted(shortest + drawn)
    return table.take(rows)

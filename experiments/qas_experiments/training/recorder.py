"""The recorder of a training: the best circuits so far and the resources spent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qas_envs import CircuitBuildingEnv
from qas_envs.problems import Problem
from qas_envs.simulation import without_shots
from qas_experiments.training.clock import Clock
from qas_simulators import Circuit, StatevectorSimulator


def rank_of(accuracy: float, energy_error: float, two_qubit_gates: int, gates: int) -> tuple[float, ...]:
    """Return a key that is smaller for better circuits: solved first, then two-qubit gates, gates, error."""
    if energy_error < accuracy:
        return (0, two_qubit_gates, gates, energy_error)
    return (1, energy_error, two_qubit_gates, gates)


_FIGURES = ("energy", "energy_error", "evaluations", "seconds")
_SINGLE = ("best", "first_solved", "without_noise")
_SAME = 1e-13  # errors that differ by less count as equal
_COUNTERS = ("steps", "episodes", "successes", "evaluations", "gradients", "improvements")


@dataclass(frozen=True)
class Solution:
    """A circuit with its angles, and the resources spent until it was found.

    Attributes:
        circuit: The circuit, including the initial one.
        energy: Energy under the environment's noise, in the problem's unit.
        energy_error: Difference from the exact ground energy.
        evaluations: Energy evaluations spent, as counted by ``OptimizationResult``.
        seconds: Wall time spent.
    """

    circuit: Circuit
    energy: float
    energy_error: float
    evaluations: int
    seconds: float

    def rank(self, accuracy: float) -> tuple[float, ...]:
        """Return :func:`rank_of` this circuit."""
        return rank_of(accuracy, self.energy_error, self.circuit.num_two_qubit_gates, self.circuit.num_gates)

    def state(self) -> dict[str, Any]:
        """Return the solution as numbers and strings that JSON represents exactly."""
        circuit = {"num_qubits": self.circuit.num_qubits, "gates": [list(operation) for operation in self.circuit]}
        return {name: getattr(self, name) for name in _FIGURES} | {"circuit": circuit}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Solution:
        """Return the solution whose :meth:`state` is given."""
        circuit = Circuit(state["circuit"]["num_qubits"])
        for name, qubits, angle in state["circuit"]["gates"]:
            circuit.append(name, qubits, angle)
        return cls(circuit, **{name: state[name] for name in _FIGURES})

    def numbers(self) -> dict[str, Any]:
        """Return the figures without the circuit."""
        row = asdict(self)
        row.pop("circuit")
        simplified = {f"simplified_{name}": count for name, count in counts_of(self.circuit.simplified()).items()}
        return {**row, **counts_of(self.circuit), **simplified}


def counts_of(circuit: Circuit) -> dict[str, int]:
    """Return the gate counts and the depth of a circuit."""
    return {
        "two_qubit_gates": circuit.num_two_qubit_gates,
        "rotations": circuit.num_rotations,
        "gates": circuit.num_gates,
        "depth": circuit.depth(),
    }


def transpiled_counts(circuits: Sequence[Circuit]) -> list[dict[str, int]]:
    """Return counts of circuits after Qiskit's transpiler at level 3, in the gates CX, RZ, SX and X."""
    from qas_simulators.bridges.qiskit import transpiled

    return [_counts_by_qiskit(found) for found in transpiled(circuits)]


def _counts_by_qiskit(circuit: Any) -> dict[str, int]:
    """Return the counts of a Qiskit circuit of gates; its own methods make an object of every gate first."""
    from qiskit.converters import circuit_to_dag

    operations = circuit.count_ops()
    depth = circuit_to_dag(circuit, copy_operations=False).depth()
    return {"two_qubit_gates": operations.get("cx", 0), "gates": sum(operations.values()), "depth": depth}


def _structure(circuit: Circuit) -> tuple[tuple[Any, ...], ...]:
    """Return the gates on every qubit, in order."""
    lines: list[list[Any]] = [[] for _ in range(circuit.num_qubits)]
    for name, qubits, _ in circuit:
        for qubit in qubits:
            lines[qubit].append((name, qubits))
    return tuple(tuple(line) for line in lines)


def has_shot_noise(env: CircuitBuildingEnv) -> bool:
    """Return whether the environment's energies are estimates from shots, of its simulator or of its optimiser."""
    return env.simulator.shots is not None or getattr(env.optimizer, "stage_shots", None) is not None


class Recorder:
    """A training callback that counts resources, keeps the best circuits, and reports every episode.

    Args:
        env: The training environment; its circuit is copied when it is among the best.
        on_episode: Function called with the metrics of each finished episode.
        should_stop: Function called after every step; training stops when it returns True.
        num_kept: Number of best distinct circuits to keep.
    """

    def __init__(
        self,
        env: CircuitBuildingEnv,
        on_episode: Callable[[dict[str, Any]], None],
        should_stop: Callable[[], bool],
        num_kept: int = 1,
    ) -> None:
        self._env = env
        self.accuracy = env.problem.accuracy
        self._on_episode = on_episode
        self._should_stop = should_stop
        self.clock = Clock()
        self._return: float | None = 0.0  # of the current episode; None if unknown
        self._length: int | None = 0  # steps of the current episode; None if unknown
        self.steps = self.episodes = self.successes = self.evaluations = self.gradients = 0
        self.best: Solution | None = None
        self._best_rank: tuple[float, ...] = (2,)  # worse than any
        self.first_solved: Solution | None = None
        self._num_kept = num_kept
        self._kept: dict[Any, Solution] = {}  # by gate structure, which ignores angles
        self._worst: tuple[float, ...] = (2,)  # rank of the worst circuit kept
        self._lowest: dict[int, Solution] = {}  # the circuit with the lowest error, by number of two-qubit gates
        # With shot noise, a low measured energy may be luck, so circuits are ranked by their exact energy.
        self._exact = without_shots(env.simulator) if has_shot_noise(env) else None
        self._ideal = StatevectorSimulator() if env.simulator.is_noisy else None
        self.without_noise: Solution | None = None  # the circuit with the lowest error when simulated without noise
        self.ideal_error = np.inf  # of that circuit, simulated without noise
        self.improvements: list[dict[str, Any]] = []  # one row each time the best solution has fewer two-qubit gates

    def state(self) -> dict[str, Any]:
        """Return everything recorded so far, as JSON content."""
        circuits = {name: getattr(self, name) for name in _SINGLE}
        state: dict[str, Any] = {name: None if found is None else found.state() for name, found in circuits.items()}
        lists = {"kept": self.kept, "lowest": self._lowest.values()}
        state |= {name: [found.state() for found in circuits] for name, circuits in lists.items()}
        state["ideal_error"] = None if self.without_noise is None else self.ideal_error
        state |= {"seconds": self.seconds, "return": self._return, "length": self._length}
        return {name: getattr(self, name) for name in _COUNTERS} | state

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore a :meth:`state`; the clock stays stopped until it is started."""
        for name in _COUNTERS:
            setattr(self, name, state[name])
        for name in _SINGLE:
            setattr(self, name, None if state[name] is None else Solution.of_state(state[name]))
        if self.without_noise is not None and self._ideal is not None:
            error = state.get("ideal_error")  # missing in older checkpoints, which have no families
            if error is None:
                problem = self._env.problem
                error = self._ideal.expectation(self.without_noise.circuit, problem.hamiltonian) - problem.ground_energy
            self.ideal_error = error
        if self.best is not None:
            self._best_rank = self.best.rank(self.accuracy)
        for kept in state["kept"]:
            self._consider(Solution.of_state(kept))
        lowest = map(Solution.of_state, state["lowest"])
        self._lowest = {found.circuit.num_two_qubit_gates: found for found in lowest}
        self.clock = Clock(state["seconds"], runs=False)
        self._return, self._length = state.get("return"), state.get("length")  # missing in older checkpoints

    @property
    def simulates_without_noise(self) -> bool:
        """Whether circuits are also simulated without the environment's noise."""
        return self._ideal is not None

    @property
    def seconds(self) -> float:
        """Wall time of the training without interruptions, as measured by :attr:`clock`."""
        return self.clock.seconds

    def spend(self, evaluations: int, gradients: int) -> None:
        """Count evaluations made outside training steps, such as greedy rollouts."""
        self.evaluations += evaluations
        self.gradients += gradients

    def __call__(self, locals_: dict[str, Any], _globals: dict[str, Any]) -> bool:
        """Record one step; return False to stop training.

        The circuit is ``locals_["circuit"]``, or by default that of the environment's episode.
        A step in another environment than the recorder's, given as ``locals_["circuit_env"]``, is counted, but its
        circuit is not kept: agents that are trained on many instances play them in environments of their own.
        """
        info = {
            name: value.item() if getattr(value, "shape", None) == () else value
            for name, value in locals_["infos"][0].items()
        }
        self.steps += 1
        self._length = None if self._length is None else self._length + 1
        self.spend(info["evaluations"], info["gradients"])
        if self._return is not None and "rewards" in locals_:
            self._return += float(locals_["rewards"][0])
        if locals_.get("circuit_env", self._env) is self._env:
            self.keep(info, locals_.get("circuit", self._circuit(info)))
        if locals_["dones"][0]:
            self.end_episode(locals_["self"], info)
        return not self._should_stop()

    def end_episode(self, agent: Any, info: dict[str, Any]) -> None:
        """Count an episode, and report its metrics."""
        self.episodes += 1
        self.successes += bool(info["success"])
        self._on_episode(self._metrics(agent, info))
        self.begin_episode()

    def may_keep(self, errors: NDArray[np.float64], pairs: NDArray[Any], gates: NDArray[Any]) -> NDArray[np.bool_]:
        """Return for which of many circuits :meth:`keep` can change what is kept by their figures, ``(size,)`` each.

        Args:
            errors: Energy errors.
            pairs: Numbers of two-qubit gates.
            gates: Numbers of gates.
        """
        solved = errors < self.accuracy
        ranks = np.where(solved, [0 * errors, pairs, gates, errors], [0 * errors + 1, errors, pairs, gates])
        is_better, is_equal = np.zeros(len(errors), dtype=np.bool_), np.ones(len(errors), dtype=np.bool_)
        for rank, bound in zip(ranks, (*self._worst, 0, 0, 0), strict=False):
            is_better |= is_equal & (rank < bound)
            is_equal &= rank == bound
        lowest = np.full(1 + int(pairs.max(initial=0)), np.inf)
        for number, found in self._lowest.items():
            lowest[number : number + 1] = found.energy_error
        result: NDArray[np.bool_] = is_better | (errors < lowest[pairs] - _SAME)
        return result

    def keep(self, info: dict[str, Any], circuit: Circuit) -> None:
        """Keep the circuit of a step where it is among the best."""
        energy, error = self._energy_and_error(info, circuit)
        rank = rank_of(self.accuracy, error, info["num_two_qubit_gates"], info["num_gates"])
        gates = info["num_two_qubit_gates"]
        is_lowest = gates not in self._lowest or error < self._lowest[gates].energy_error - _SAME
        if is_lowest or rank < self._worst or rank < self._best_rank:
            found = self._found(circuit, energy, error)
            if is_lowest:
                self._lowest[gates] = found
            if rank < self._worst:
                self._consider(found)
            if rank < self._best_rank:
                self._best_rank = rank
                self._improve(found)
        if self._ideal is not None and (error := self._error_without_noise(info, circuit)) < self.ideal_error:
            self.ideal_error, self.without_noise = error, self._found(circuit, *self._energy_and_error(info, circuit))

    def begin_episode(self, episode_return: float | None = 0.0, length: int | None = 0) -> None:
        """Forget an unfinished episode, because the next step is of another one, which has come this far."""
        self._return, self._length = episode_return, length

    @property
    def kept(self) -> list[Solution]:
        """The best distinct circuits, best first; angles and the order of gates on different qubits are ignored."""
        return sorted(self._kept.values(), key=lambda found: found.rank(self.accuracy))

    @property
    def front(self) -> list[Solution]:
        """The Pareto front of error and two-qubit gates, fewest gates first."""
        front: list[Solution] = []
        for gates in sorted(self._lowest):
            found = self._lowest[gates]
            if not front or found.energy_error < front[-1].energy_error - _SAME:
                front.append(found)
        return front

    def _circuit(self, info: dict[str, Any]) -> Circuit:
        circuit = self._env.circuit
        # Stable-Baselines3 calls back after the next episode has begun; then the finished circuit counts.
        return circuit if circuit.num_gates == info["num_gates"] else self._env.finished

    def _problem(self, info: dict[str, Any]) -> Problem:
        """Return the instance of a step; in a family, the member that the step was made on."""
        family = self._env.family
        return self._env.problem if family is None else family.at(tuple(info[name] for name in family.names))

    def _error_without_noise(self, info: dict[str, Any], circuit: Circuit) -> float:
        assert self._ideal is not None
        problem = self._problem(info)
        return self._ideal.expectation(circuit, problem.hamiltonian) - problem.ground_energy

    def _energy_and_error(self, info: dict[str, Any], circuit: Circuit) -> tuple[float, float]:
        """Return a step's energy and error; exact ones if the environment estimates them from shots."""
        if self._exact is None:
            return info["energy"], info["energy_error"]
        problem = self._problem(info)
        energy = self._exact.expectation(circuit, problem.hamiltonian)
        return energy, energy - problem.ground_energy

    def _found(self, circuit: Circuit, energy: float, error: float) -> Solution:
        return Solution(circuit.copy(), energy, error, self.evaluations, self.seconds)

    def _consider(self, found: Solution) -> None:
        """Keep a solution if it is among the best distinct ones."""
        key, rank = _structure(found.circuit), found.rank(self.accuracy)
        if key in self._kept and self._kept[key].rank(self.accuracy) <= rank:
            return
        self._kept[key] = found
        if len(self._kept) > self._num_kept:
            self._kept.pop(max(self._kept, key=lambda other: self._kept[other].rank(self.accuracy)))
        if len(self._kept) == self._num_kept:
            self._worst = max(kept.rank(self.accuracy) for kept in self._kept.values())

    def _improve(self, found: Solution) -> None:
        before, self.best = self.best, found
        if found.energy_error >= self.accuracy:
            return
        if self.first_solved is None:
            self.first_solved = found
        gates = found.circuit.num_two_qubit_gates
        if before is None or before.energy_error >= self.accuracy or gates < before.circuit.num_two_qubit_gates:
            self.improvements.append({"steps": self.steps, **found.numbers()})

    def _metrics(self, agent: Any, info: dict[str, Any]) -> dict[str, Any]:
        family = self._env.family
        return {
            "episode": self.episodes,
            "steps": self.steps,
            "evaluations": self.evaluations,
            "seconds": self.seconds,
            **({} if family is None else {name: info[name] for name in family.names}),
            "return": self._return,
            "length": self._length,
            "success": bool(info["success"]),
            "energy_error": info["energy_error"],
            "threshold": info["threshold"],
            "gates": info["num_gates"],
            "two_qubit_gates": info["num_two_qubit_gates"],
            "depth": info["depth"],
            "epsilon": getattr(agent, "epsilon", None),
            "loss": getattr(agent, "loss", None),
            **getattr(agent, "figures", dict)(),
        }

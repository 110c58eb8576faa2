"""CircuitPlayer: whole circuits played at once, for searchers that change circuits anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qas_envs.action_gates import ActionGates
from qas_envs.catalogue import check_angles
from qas_envs.drafts import Drafts
from qas_envs.encodings import Observation
from qas_envs.judging import is_solved, note_truncation
from qas_envs.played_circuits import Gains, PlayedCircuits
from qas_envs.snapshots import restore, state_of
from qas_envs.undo import Undo
from qas_simulators import Circuit, CircuitBatch
from qas_simulators.arrays import NUMPY, ArrayLibrary
from qas_simulators.candidates import candidates
from qas_simulators.circuit_batch import CircuitTables
from qas_simulators.errors import must
from qas_simulators.optimizers import BatchOptimizer
from qas_simulators.optimizers.optimizer import warmed, with_settings

if TYPE_CHECKING:
    from qas_envs.circuit_env import CircuitBuildingEnv
    from qas_simulators.optimizers import Optimizer

_MOST_TOGETHER: Final = 4096  # circuits in one call of a kernel, so that their memory stays small


class LegalActions(tuple[int, ...]):
    """Actions that a player found legal; it does not check them again. Made by :meth:`CircuitPlayer.checked`."""

    player: CircuitPlayer | None = None


class CircuitPlayer:
    """Plays whole circuits in an environment: all gates are appended, then all angles are optimised once.

    Args:
        env: Its episode holds the circuit that was played last. Its curriculum is not informed, and no reward is paid.

    Attributes:
        catalogue: The environment's actions.

    Examples:
        >>> import gymnasium as gym, qas_envs
        >>> env = gym.make("QAS-TFIM-v0", num_qubits=2).unwrapped
        >>> actions = env.player.checked([2, 3, 0])
        >>> _, info = env.player.play(actions)
        >>> int(info["num_gates"]), env.player.checked([0, 0])
        (3, None)
        >>> played = env.player.play_many([[2, 3, 0], [3, 6]], starts=4)
        >>> played.errors.shape, played.circuits[1].count_ops()
        ((2,), {'ry': 2})
    """

    def __init__(self, env: CircuitBuildingEnv) -> None:
        self._env = env
        self.catalogue = env.catalogue
        self._mask = env.new_mask()

    @cached_property
    def _gates(self) -> ActionGates:
        return ActionGates(self.catalogue)

    @property
    def circuit(self) -> Circuit:
        """The environment's circuit."""
        return self._env.circuit

    @property
    def actions(self) -> list[int]:
        """Actions that appended the gates of the episode so far."""
        return self._env.episode.actions.copy()

    @property
    def angles(self) -> list[tuple[float, ...]]:
        """Angles of each of :attr:`actions`, in radians."""
        return self._env.episode.angles

    @property
    def initial_angles(self) -> tuple[float, ...]:
        """Angles of the initial circuit's gates, which are optimised with the others, in radians."""
        episode = self._env.episode
        return tuple(episode.circuit.params[: episode.initial.num_params].tolist())

    def checked(self, actions: Iterable[int]) -> LegalActions | None:
        """Return the actions, ready for :meth:`play`, or ``None`` if an episode cannot begin with them."""
        mask, catalogue, num_gates = self._mask, self.catalogue, 0
        found = LegalActions(actions)
        mask.reset()
        for action in found:
            if not 0 <= action < len(catalogue.actions) or not mask.array[action] or num_gates >= self._env.max_gates:
                return None
            mask.update(action)
            num_gates += catalogue.num_gates[action]
        found.player = self
        return found

    def play(
        self,
        actions: Sequence[int],
        angles: Sequence[Sequence[float]] | None = None,
        num_scanned: int = 0,
        initial_angles: Sequence[float] | None = None,
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode of the same instance with these actions and optimise all angles once.

        The episode continues with the environment's ``step`` unless the circuit is a success or exhausts the budget.
        Nothing changes if anything is raised.

        Args:
            actions: Each legal after those before it. What :meth:`checked` returned is not checked again.
            angles: Initial angles of the optimiser, by action. By default each angle is scanned, starting from 0.
            num_scanned: With ``angles``: the angles of this number of last actions are scanned, like those of a new
                gate.
            initial_angles: Initial angles of the optimiser for the initial circuit's gates; by default its own.

        Returns:
            As ``reset``.

        Raises:
            ValueError: Actions that are not legal, or angles that do not fit them.
        """
        env, episode = self._env, self._env.episode
        legal = self._legal(actions)
        counts = [self.catalogue.num_angles[action] for action in legal]
        if angles is not None:
            check_angles(angles, counts)
        first = self._first_angles(initial_angles)
        with Undo([env]):
            finished = self._begin(legal)
            own = np.zeros(sum(counts)) if angles is None else [*chain.from_iterable(angles)]
            episode.circuit.params = [*first, *own]
            num_new = sum(counts if angles is None else counts[max(0, len(counts) - num_scanned) :])
            if angles is None and initial_angles is None:
                num_new += self._num_first
            optimizer = env.optimizer if angles is None else warmed(env.optimizer)
            result = optimizer.minimize(env.simulator, episode.circuit, env.problem.hamiltonian, num_new)
            episode.circuit.params = result.params
            return self._played(result.energy, result.evaluations, result.gradients, finished)

    def play_many(
        self,
        circuits: Sequence[Sequence[int]],
        params: Sequence[ArrayLike] | None = None,
        *,
        starts: int | None = None,
        max_iterations: int | None = None,
        give_up_above: float | None = None,
        first_iterations: int = 10,
        num_threads: int = 1,
    ) -> PlayedCircuits:
        """Optimise the angles of many circuits by a few calls of a kernel; the episode is not touched.

        Args:
            circuits: Actions of each circuit, each legal after those before it.
            params: Initial angles of the optimiser for each circuit, those of the initial circuit first. By default
                each angle of an action is scanned, starting from 0.
            starts: Random starts of each circuit, besides ``params`` or else instead of the scan; by default as many
                as the environment's optimiser has.
            max_iterations: Iterations of the optimiser; by default its own.
            give_up_above: Energy error above which a circuit is left as it is after ``first_iterations``.
            first_iterations: See there.
            num_threads: Threads that share the circuits.

        Raises:
            ValueError: Actions that are not legal, angles that do not fit them, or an optimiser without the settings
                ``starts`` and ``max_iterations`` where these or ``give_up_above`` are given.
        """
        if params is not None and len(params) != len(circuits):
            raise ValueError(must("params", f"have an entry for each of {len(circuits)} circuits", len(params)))
        env, episode = self._env, self._env.episode
        batch = self._built(circuits, params)
        built = [*batch.circuits]
        held = episode.initial.num_params - self._num_first
        new = [circuit.num_params - held if params is None else 0 for circuit in built]
        warm = None if starts is None else params is not None or starts == 0
        optimizer = with_settings(env.optimizer, starts=starts, max_iterations=max_iterations, warm=warm)
        if starts is None and params is not None:
            optimizer = warmed(optimizer)
        counts = np.zeros((2, len(built)), dtype=np.int64)
        if give_up_above is None:
            energies = _optimize(env, optimizer, batch, new, counts, range(len(built)), num_threads)
        else:
            redraws = 0 if getattr(optimizer, "redraws", 0) else None  # only of hopeful circuits
            hasty = with_settings(optimizer, max_iterations=first_iterations, redraws=redraws)
            energies = _optimize(env, hasty, batch, new, counts, range(len(built)), num_threads)
            hopeful = np.flatnonzero(energies - episode.problem.ground_energy <= give_up_above).tolist()
            patient = with_settings(optimizer, starts=0, warm=True)
            energies[hopeful] = _optimize(env, patient, batch, [0] * len(built), counts, hopeful, num_threads)
        reference, threshold = env.curriculum.reference_energy, env.curriculum.threshold
        own, hamiltonian = zip(built, energies.tolist(), strict=True), episode.problem.hamiltonian
        success = [is_solved(env.simulator, one, hamiltonian, energy, reference, threshold) for one, energy in own]
        return PlayedCircuits(
            built, energies, energies - episode.problem.ground_energy, np.array(success, dtype=np.bool_), *counts
        )

    def show(self, actions: Sequence[int], played: PlayedCircuits, number: int) -> dict[str, Any]:
        """Begin an episode that holds a circuit of :meth:`play_many`, without evaluating anything; return its info.

        Args:
            actions: The actions of that circuit.
            played: What ``play_many`` returned.
            number: Which of its circuits.

        Raises:
            ValueError: Actions that are not legal, or whose numbers of gates and angles are not those of the circuit.
        """
        legal, built = self._legal(actions), played.circuits[number]
        first = self._env.episode.initial
        gates = first.num_gates + sum(self.catalogue.num_gates[action] for action in legal)
        angles = first.num_params + sum(self.catalogue.num_angles[action] for action in legal)
        if (gates, angles) != (built.num_gates, built.num_params):
            raise ValueError(must("actions", f"be those of circuit {number}", list(actions)))
        with Undo([self._env]):
            finished = self._begin(legal, built)
            spent = int(played.evaluations[number]), int(played.gradients[number])
            return self._played(float(played.energies[number]), *spent, finished)[1]

    def infos(self, circuits: Sequence[Sequence[int]], played: PlayedCircuits) -> list[dict[str, Any]]:
        """Return what :meth:`show` returns for each circuit, without the action masks; the episode is not touched.

        It takes a hundredth of the time. With a family of instances, or a truncated simulator, the circuits are shown
        one after the other, because their infos hold more.

        Args:
            circuits: The actions of the circuits.
            played: What :meth:`play_many` returned for them.
        """
        env = self._env
        if env.family is not None or env.simulator.is_truncated:
            return [self.show(actions, played, number) for number, actions in enumerate(circuits)]
        return played.infos(env.curriculum.threshold)

    def drafts(self, size: int, length: int | None = None, library: ArrayLibrary = NUMPY) -> Drafts:
        """Return ``size`` empty circuits to be drawn action by action, without angles; see :class:`Drafts`."""
        return Drafts(self._env, size, length, library)

    def state(self) -> dict[str, Any]:
        """Return the state of the environment, see :func:`qas_envs.snapshots.state_of`."""
        return state_of(self._env)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue where :meth:`state` was called."""
        restore(self._env, state)

    def gains(self, num_threads: int = 1) -> Gains:
        """Return what each legal action would gain after the episode's circuit, by two calls of a kernel.

        Nothing is changed. ADAPT chooses by ``slopes``.

        Raises:
            ValueError: The simulator has shots.
        """
        episode, size = self._env.episode, len(self.catalogue.actions)
        legal = np.flatnonzero(episode.mask.array[:size]).tolist()
        circuits, new = [], []
        for action in legal:
            circuit = episode.circuit.copy()
            new.append(self.catalogue.append(circuit, action))
            circuits.append(circuit)
        found = candidates(self._env.simulator, circuits, episode.problem.hamiltonian, new, num_threads)
        slopes, scanned = np.full((2, size), np.nan)
        energy = self._env.simulator.expectation(episode.circuit, episode.problem.hamiltonian)
        slopes[legal], scanned[legal] = found.slopes, energy - found.scanned
        return Gains(slopes, scanned, self._env.simulator.runs_per_energy + int(found.evaluations.sum()))

    # -- parts of the methods above ------------------------------------------------------------------------------------

    @property
    def _num_first(self) -> int:
        """Number of the initial circuit's angles that are new with the first action: all where actions are blocks."""
        return self._env.episode.initial.num_params if self.catalogue.has_blocks else 0

    def _legal(self, actions: Sequence[int]) -> LegalActions:
        """Return actions after checking them."""
        legal = actions if isinstance(actions, LegalActions) and actions.player is self else self.checked(actions)
        if legal is None:
            requirement = f"be legal one after the other, at most {self._env.max_gates} gates"
            raise ValueError(must("actions", requirement, list(actions)))
        return legal

    def _first_angles(self, given: Sequence[float] | None) -> Iterator[float]:
        """Return the angles of the initial circuit."""
        own = self._env.episode.initial.params.tolist()
        if given is None:
            return iter(own)
        check_angles([given], [len(own)])
        return iter(given)

    def _begin(self, legal: LegalActions, built: Circuit | None = None) -> Circuit:
        """Begin an episode with these actions, angles 0, or those of their circuit; return the circuit before it."""
        env, episode = self._env, self._env.episode
        finished = episode.circuit.copy()
        env.begin()
        if built is not None:  # copied: quicker than gate by gate
            episode.circuit.assign(built)
        for action in legal:
            if built is None:
                episode.append(action)
            episode.record(action)
        return finished

    def _played(
        self, energy: float, evaluations: int, gradients: int, finished: Circuit
    ) -> tuple[Observation, dict[str, Any]]:
        """Judge the circuit of an episode that began with it."""
        env, episode = self._env, self._env.episode
        episode.energy = energy
        aim = env.curriculum.reference_energy, episode.threshold
        success = is_solved(env.simulator, episode.circuit, episode.problem.hamiltonian, energy, *aim)
        note_truncation(episode)
        episode.over = success or episode.is_exhausted
        observation = env.observe()
        env.finished = finished
        return observation, episode.info(episode.figures(success, evaluations, gradients))

    def _built(self, circuits: Sequence[Sequence[int]], params: Sequence[ArrayLike] | None) -> CircuitTables:
        """Return the circuits of actions, with these angles."""
        initial, legal = self._env.episode.initial, [self._legal(actions) for actions in circuits]
        batch: CircuitTables
        if legal and (self.catalogue.is_linked or initial.is_linked):
            built = [initial.copy() for _ in legal]
            for circuit, actions in zip(built, legal, strict=True):
                for action in actions:
                    self.catalogue.append(circuit, action)
            batch = CircuitBatch(built, max(1, *(max(one.num_gates, one.num_params) for one in built)))
        else:
            batch = self._gates.built(initial if legal else Circuit(initial.num_qubits), legal)
        if params is not None:
            for circuit, own in zip(batch.circuits, params, strict=True):
                circuit.params = own
        return batch


def _optimize(
    env: CircuitBuildingEnv,
    optimizer: Optimizer,
    batch: CircuitTables,
    num_new: Sequence[int],
    counts: NDArray[np.int64],
    rows: Sequence[int],
    num_threads: int,
) -> NDArray[np.float64]:
    """Optimise some of the circuits in place, add to ``counts`` ``(2, circuits)``, and return their energies."""
    simulator, hamiltonian = env.simulator, env.episode.problem.hamiltonian
    energies: list[float] = []
    for first in range(0, len(rows), _MOST_TOGETHER):
        part = rows[first : first + _MOST_TOGETHER]
        new, found = [num_new[row] for row in part], None
        if isinstance(optimizer, BatchOptimizer):
            found = optimizer.minimize_each(simulator, batch, hamiltonian, part, new, num_threads)
        if found is not None:
            energies += found.energies.tolist()
            counts[:, part] += np.array([found.evaluations, found.gradients])
            continue
        for row, number in zip(part, new, strict=True):
            circuit = batch.circuits[row]
            result = optimizer.minimize(simulator, circuit, hamiltonian, number)
            circuit.params = result.params
            energies.append(result.energy)
            counts[:, row] += [result.evaluations, result.gradients]
    return np.array(energies)

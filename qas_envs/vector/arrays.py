"""ArrayEngine: the whole step of many environments over arrays, without a loop over environments."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import wait
from functools import partial
from typing import Any

import numpy as np
from gymnasium.utils.seeding import np_random
from numpy.typing import NDArray

from qas_envs.circuit_env import CircuitBuildingEnv
from qas_envs.encodings.encoding import VectorEncoders
from qas_envs.halting import NoHalting
from qas_envs.undo import Place, place_of
from qas_envs.vector.episodes import NEVER, EpisodeArrays
from qas_envs.vector.results import Resets, Step, last_info, with_validity
from qas_envs.vector.rules import LoopedEncoders, LoopedMasks, curricula_of, own_method
from qas_envs.vector.threads import Stopwatch
from qas_simulators import Simulator
from qas_simulators.arrays import NUMPY
from qas_simulators.optimizers import BatchOptimizer
from qas_simulators.program import thread_pool

Found = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]  # energies, evaluations, gradients


def fits(envs: Sequence[CircuitBuildingEnv]) -> bool:
    """Return whether environments can be stepped over arrays.

    Not with shot noise, a truncated simulator, or an optimiser that draws random numbers or optimises one circuit at a
    time; not with families of instances, noise that drifts, linked angles, or a render mode; and not for subclasses of
    the environment.
    """
    first = envs[0]
    return (
        all(type(env) is CircuitBuildingEnv and env.render_mode is None and not env._draws for env in envs)
        and first.family is None
        and first.drift is None
        and first.simulator.shots is None
        and not first.simulator.is_truncated
        and isinstance(first.optimizer, BatchOptimizer)
        and not first.catalogue.is_linked
        and not first.initial.is_linked
    )


class ArrayEngine:
    """Steps environments of one instance and the same rules over arrays, bit for bit as they would step alone.

    Rules without methods for many environments are called for one environment after the other. The environments
    themselves are read at the beginning, and written by :meth:`write`.

    Args:
        envs: The environments, for which :func:`fits` is true.
        copies: Whether observations are copies; otherwise vectors are read-only views, which the next step changes.

    Attributes:
        spent: Wall time and processor time of the last optimisation, in seconds.
    """

    def __init__(self, envs: Sequence[CircuitBuildingEnv], copies: bool = True) -> None:
        self._envs, first = envs, envs[0]
        size = len(envs)
        make_masks, make_encoders = own_method(first.episode.mask, "for_many"), own_method(first.encoder, "for_many")
        masks = LoopedMasks([env.episode.mask for env in envs]) if make_masks is None else make_masks(size, NUMPY)
        encoders = None if make_encoders is None else make_encoders(size, NUMPY)
        if encoders is None:
            own = [env.encoder for env in envs]
            encoders = LoopedEncoders(own, first.problem, [env.simulator for env in envs])
        if isinstance(encoders, VectorEncoders):
            encoders.copies = copies
        snapshots = [env.episode.snapshot() for env in envs]
        curricula = curricula_of([env.curriculum for env in envs], NUMPY)
        parts = masks, encoders, curricula
        self._episodes = EpisodeArrays(
            first.rules, first.problem, first.initial, parts, first.episode.first_energy, NUMPY
        )
        self._episodes.load(snapshots)
        self._finished = self._episodes.circuits.copy()
        self._has_finished = np.zeros(size, dtype=np.bool_)
        self._none, self._zeros = np.zeros(size, dtype=np.bool_), np.zeros(size, dtype=np.int64)
        self.spent = 0.0, 0.0

    @property
    def masks(self) -> NDArray[np.int8]:
        """The legal actions of all environments."""
        return self._episodes.masks.array  # type: ignore[no-any-return]

    def write(self) -> None:
        """Write the state of all environments to their objects."""
        self._episodes.curricula.write()
        for row, env in enumerate(self._envs):
            snapshot = self._episodes.snapshot(row)
            env.episode.restore(snapshot)
            if self._has_finished[row]:
                env.finished = self._finished.circuit(row)
                env._renderer.begin(snapshot.first_energy - env.problem.ground_energy)

    def reset(self, chosen: NDArray[np.bool_], seeds: Sequence[int | None]) -> Resets:
        """Reset some environments; the random generators of those without a seed continue."""
        with _Undo(self) as undo:
            rows = np.flatnonzero(chosen)
            self._seed([row for row in rows.tolist() if seeds[row] is not None], seeds, undo)
            self._reset(rows, undo)
            return self._episodes.observe(), with_validity(
                self._episodes.figures(self._none.copy(), self._zeros.copy(), self._zeros.copy())
            )

    def _seed(self, rows: list[int], seeds: Sequence[int | None], undo: _Undo) -> None:
        """Seed the random generators of environments and of their simulators, as ``reset`` of a single one does."""
        undo.keep_generators(rows)
        undo.keep_streams(rows)
        for row in rows:
            env = self._envs[row]
            env._np_random, env._np_random_seed = np_random(seeds[row])
            env.simulator.rng = np.random.default_rng(env._np_random.integers(2**63))

    def _reset(self, rows: NDArray[np.int64], undo: _Undo) -> None:
        episodes, rule = self._episodes, self._envs[0].rules.halting
        undo.keep_finished(rows)
        self._finished.put(rows, episodes.circuits.taken(rows))
        self._has_finished[rows] = True
        halts: Any = NEVER
        if not isinstance(rule, NoHalting):
            undo.keep_generators(rows.tolist())
            drawn = [rule.sample(self._envs[row].np_random) for row in rows.tolist()]  # each from its own generator
            halts = np.array([NEVER if one is None else one for one in drawn], dtype=np.int64)
        episodes.reset(rows, halts)

    def step(
        self, actions: NDArray[np.int64], waiting: NDArray[np.bool_], resets_at_once: bool, num_threads: int
    ) -> Step:
        """Step environments, and reset those that are waiting for it, whose actions are ignored.

        Args:
            actions: Checked actions, ``(num_envs,)``.
            waiting: Which environments are reset.
            resets_at_once: Whether episodes that end now are reset now.
            num_threads: Threads for the optimisation.
        """
        episodes, rows = self._episodes, np.arange(len(actions))
        with _Undo(self) as undo:
            if waiting.any():
                self._reset(np.flatnonzero(waiting), undo)
                rows = np.flatnonzero(~waiting)
            steps = episodes.step(
                rows, actions[rows], partial(self._optimized, num_threads=num_threads), self._envs[0].optimizes_at_end
            )
            rewards, success, terminated, truncated, *costs = steps
            columns, over = episodes.figures(success, *costs), terminated | truncated
            last: dict[str, Any] = {}
            if resets_at_once and over.any():
                ended = np.flatnonzero(over)
                last = last_info(episodes.observe(ended), columns, ended)
                self._reset(ended, undo)
                columns = episodes.figures(success & ~over, *(cost * ~over for cost in costs))
            return episodes.observe(), rewards, terminated, truncated, {**with_validity(columns), **last}

    def check(self, actions: NDArray[np.int64], waiting: NDArray[np.bool_]) -> None:
        """Raise what a single environment raises for the first action that is out of range or masked.

        Raises:
            ValueError: An action is out of range or masked.
            ResetNeeded: An episode is over.
        """
        num_actions, episodes = self.masks.shape[1], self._episodes
        bad = (actions < 0) | (actions >= num_actions) | episodes.over
        if episodes.rules.illegal != "skip":
            bad |= self.masks[np.arange(len(actions)), np.where(bad, 0, actions)] == 0
        bad &= ~waiting
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            env = self._envs[row]
            env.episode.restore(episodes.snapshot(row))
            env.episode.check(int(actions[row]))

    def _optimized(self, rows: NDArray[np.int64], num_new: NDArray[np.int64], num_threads: int) -> Found:
        """Optimise circuits in place by one call, or one by one where the simulator cannot."""
        env, circuits = self._envs[0], self._episodes.circuits
        optimizer: Any = env.optimizer
        watch = Stopwatch()
        result = optimizer.minimize_each(env.simulator, circuits, env.problem.hamiltonian, rows, num_new, num_threads)
        self.spent = watch.read()
        if result is not None:
            return result.energies, result.evaluations, result.gradients
        found = np.empty((3, len(rows)))
        views = circuits.circuits

        def part(own: range) -> None:
            for place in own:
                row = int(rows[place])
                circuit, alone = views[row], self._envs[row]
                done = alone.optimizer.minimize(
                    alone.simulator, circuit, alone.problem.hamiltonian, int(num_new[place])
                )
                circuit.params = done.params
                found[:, place] = done.energy, done.evaluations, done.gradients

        # without noise Python's lock makes threads useless
        threads = num_threads if env.simulator.is_noisy else 1
        others = [thread_pool(threads).submit(part, range(k, len(rows), threads)) for k in range(1, threads)]
        try:
            part(range(0, len(rows), threads))
        finally:
            wait(others)  # also after a failure, since running threads change circuits
        for other in others:
            other.result()
        self.spent = watch.read()
        return found[0], found[1].astype(np.int64), found[2].astype(np.int64)


class _Undo:
    """Context manager: either the whole block succeeds, or the engine is as it was before."""

    def __init__(self, engine: ArrayEngine) -> None:
        self._engine = engine
        self._finished: list[tuple[NDArray[np.int64], dict[str, NDArray[Any]], NDArray[np.bool_]]] = []
        self._generators: list[Place] = []
        self._seeds: list[tuple[CircuitBuildingEnv, Any, Any]] = []
        self._streams: list[tuple[Simulator, np.random.Generator]] = []

    def __enter__(self) -> _Undo:
        episodes = self._engine._episodes
        self._before = episodes.state(), episodes.curricula.state()
        return self

    def keep_finished(self, rows: NDArray[np.int64]) -> None:
        """Keep the last circuits of environments that are about to be reset."""
        finished = self._engine._finished
        self._finished.append((rows, finished.taken(rows), self._engine._has_finished[rows]))

    def keep_streams(self, rows: list[int]) -> None:
        """Keep the random generators of simulators, which are about to be replaced."""
        self._streams += [(self._engine._envs[row].simulator, self._engine._envs[row].simulator.rng) for row in rows]

    def keep_generators(self, rows: list[int]) -> None:
        """Keep the random generators of environments."""
        for row in rows:
            env = self._engine._envs[row]
            self._seeds.append((env, env._np_random, env._np_random_seed))
            if env._np_random is not None:
                self._generators.append(place_of(env._np_random))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if kind is None:
            return
        episodes = self._engine._episodes
        episodes.curricula.restore(self._before[1])
        episodes.restore(self._before[0])
        for rows, kept, has_finished in reversed(self._finished):
            self._engine._finished.put(rows, kept)
            self._engine._has_finished[rows] = has_finished
        for rng, state in reversed(self._generators):
            rng.bit_generator.state = state
        for env, rng, seed in reversed(self._seeds):
            env._np_random, env._np_random_seed = rng, seed
        for simulator, stream in reversed(self._streams):
            simulator.rng = stream

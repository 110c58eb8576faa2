"""SingleEngine: environments stepped one after the other, where their rules do not fit arrays."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import wait
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qas_envs.circuit_env import CircuitBuildingEnv
from qas_envs.encodings import Observation
from qas_envs.episode import FIGURES
from qas_envs.undo import Undo
from qas_envs.vector.results import Resets, Step, last_info, with_validity
from qas_envs.vector.rules import joined
from qas_envs.vector.threads import Stopwatch
from qas_simulators.program import thread_pool

_Numbers = tuple[float, int, int]  # energy, evaluations, gradients


class SingleEngine:
    """Steps environments one after the other; with noise, their optimisations run on threads.

    Args:
        envs: The environments.

    Attributes:
        spent: Wall time and processor time of the last optimisations, in seconds.
    """

    def __init__(self, envs: Sequence[CircuitBuildingEnv]) -> None:
        self._envs = envs
        self.spent = 0.0, 0.0

    @property
    def masks(self) -> NDArray[np.int8]:
        """The legal actions of all environments."""
        return np.stack([env.episode.mask.array for env in self._envs])

    def write(self) -> None:
        """Nothing: the environments themselves hold the state."""

    def reset(self, chosen: NDArray[np.bool_], seeds: Sequence[int | None], options: dict[str, Any]) -> Resets:
        """Reset some environments."""
        with Undo(self._envs) as undo:
            for env, own, is_chosen in zip(self._envs, seeds, chosen, strict=True):
                if is_chosen:
                    undo.keep_randomness(env)
                    env.reset(seed=own, options=options or None)
            figures = [env.episode.figures(False, 0, 0) for env in self._envs]
            return self._observations(range(len(self._envs))), with_validity(self._columns(figures))

    def check(self, actions: NDArray[np.int64], waiting: NDArray[np.bool_]) -> None:
        """Raise what a single environment raises for the first action that is out of range or masked."""
        for env, action, waits in zip(self._envs, actions.tolist(), waiting, strict=True):
            if not waits:
                env.episode.check(action)

    def step(
        self, actions: NDArray[np.int64], waiting: NDArray[np.bool_], resets_at_once: bool, num_threads: int
    ) -> Step:
        """Do what :meth:`~qas_envs.vector.arrays.ArrayEngine.step` does."""
        envs, size = self._envs, len(self._envs)
        rewards = np.zeros(size)
        terminated, truncated = np.zeros((2, size), dtype=np.bool_)
        with Undo(envs) as undo:
            for k in np.flatnonzero(waiting).tolist():
                undo.keep_randomness(envs[k])
                envs[k].reset()
            figures = [env.episode.figures(False, 0, 0) for env in envs]
            indices = {k: int(actions[k]) for k in np.flatnonzero(~waiting).tolist()}
            for k, (energy, evaluations, gradients) in self._optimized(indices, num_threads).items():
                is_known = evaluations > 0 or not envs[k].optimizes_at_end
                rewards[k], success, terminated[k], truncated[k] = envs[k].conclude(indices[k], energy, is_known)
                figures[k] = envs[k].episode.figures(success, evaluations, gradients)
                envs[k].show()
            last: dict[str, Any] = {}
            ended = np.flatnonzero(terminated | truncated)
            if resets_at_once and len(ended):
                last = last_info(self._observations(ended.tolist()), self._columns(figures), ended)
                for k in ended.tolist():
                    undo.keep_randomness(envs[k])
                    envs[k].reset()
                    figures[k] = envs[k].episode.figures(False, 0, 0)
            infos = with_validity(self._columns(figures))
            return self._observations(range(size)), rewards, terminated, truncated, {**infos, **last}

    def _optimized(self, indices: dict[int, int], num_threads: int) -> dict[int, _Numbers]:
        """Append checked actions and optimise the angles; return energies, evaluations and gradients."""
        envs, watch = self._envs, Stopwatch()
        appended = {k: envs[k].append(index) for k, index in indices.items()}
        changed = [(k, number) for k, number in appended.items() if number is not None]
        found: dict[int, _Numbers] = {k: (envs[k].energy, 0, 0) for k in indices}

        def part(own: list[tuple[int, int]]) -> None:
            for k, new in own:
                result = envs[k].optimize_angles(new)
                envs[k].circuit.params = result.params
                found[k] = result.energy, result.evaluations, result.gradients

        # without noise Python's lock makes threads useless
        threads = num_threads if envs[0].simulator.is_noisy else 1
        others = [thread_pool(threads).submit(part, changed[k::threads]) for k in range(1, threads)]
        try:
            part(changed[::threads])
        finally:
            wait(others)  # also after a failure, since running threads change circuits
        for other in others:
            other.result()
        self.spent = watch.read()
        return found

    def _observations(self, rows: Sequence[int]) -> Observation:
        keys, envs = self._envs[0].rules.mask_keys, self._envs
        observations = joined(envs[0].encoder.space, [envs[k].encoder.observe(envs[k].view()) for k in rows])
        if keys is None:
            return observations
        return {keys[0]: observations, keys[1]: np.stack([envs[k].episode.mask.array for k in rows])}

    def _columns(self, figures: list[tuple[float, ...]]) -> dict[str, NDArray[Any]]:
        """Return masks, the numbers of :data:`FIGURES`, and the contexts of a family, as arrays."""
        envs, columns = self._envs, {"action_mask": self.masks}
        columns.update(
            (name, np.array(column)) for name, column in zip(FIGURES, zip(*figures, strict=True), strict=True)
        )
        for name in envs[0].episode.truncation:
            columns[name] = np.array([env.episode.truncation[name] for env in envs])
        if envs[0].drift is not None:
            columns["noise"] = np.array([env.noise_step for env in envs])
        family = self._envs[0].family
        if family is not None:
            contexts = zip(*(env.episode.context for env in self._envs), strict=True)
            columns.update((name, np.array(column)) for name, column in zip(family.names, contexts, strict=True))
        return columns

"""CircuitBuildingVectorEnv: many environments stepped together, all angles optimised by one call on threads."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import wait
from os import cpu_count
from time import perf_counter
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array
from numpy.typing import NDArray

from qas_envs.circuit_env import CircuitBuildingEnv
from qas_envs.components import is_whole
from qas_envs.encodings import VectorEncoder
from qas_envs.episode import FIGURES, Episode
from qas_envs.undo import Undo
from qas_simulators import CircuitBatch
from qas_simulators.errors import must
from qas_simulators.optimizers import BatchOptimizer
from qas_simulators.program import thread_pool

WORTH_THREADS = 3e-4
"""Threads are used where an optimisation takes more seconds than this; starting a thread takes some 50 us."""

_COMMON = ("optimizer", "simulator")  # must be the same object in all environments for one call to optimise all

_Numbers = tuple[float, int, int]  # energy, evaluations, gradients
Step = tuple[Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]


class CircuitBuildingVectorEnv(VectorEnv[Any, Any, Any]):
    """N environments stepped together: equal bit for bit to N single ones with the seeds ``seed``, ``seed + 1``, ...

    Circuits, masks and observations are rows of common arrays, and one call of a kernel, on several threads, optimises
    all circuits. Where this is not possible (shot noise, noise of idle qubits, linked angles, families of instances,
    optimisers for single circuits only), circuits are optimised one by one, on threads if there is noise.

    Args:
        envs: The environments, with the same problem and the same rules. They must not be used otherwise afterwards.
        autoreset_mode: ``"NextStep"`` (the step after an episode's last one resets), ``"SameStep"`` (the last step
            returns the next episode's first observation, the last one in ``infos["final_obs"]``) or ``"Disabled"``.
        num_threads: Largest number of threads for the optimisations; ``None`` for one per processor.
        shared_curriculum: Whether all environments share one curriculum.

    Raises:
        ValueError: No environments, environments with different Hamiltonians, or ``num_threads`` below 1.
    """

    def __init__(
        self,
        envs: Sequence[CircuitBuildingEnv],
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        num_threads: int | None = None,
        shared_curriculum: bool = False,
    ) -> None:
        if not envs:
            raise ValueError(must("envs", "hold at least one environment", envs))
        first = envs[0]
        if any(env.problem.hamiltonian != first.problem.hamiltonian for env in envs):
            raise ValueError(must("envs", "have the same Hamiltonian", [env.problem.name for env in envs]))
        threads = (cpu_count() or 1) if num_threads is None else num_threads
        if not is_whole(threads, 1):
            raise ValueError(must("num_threads", "be an integer of at least 1", num_threads))
        self.envs = list(envs)
        self.num_envs = len(envs)
        self.num_threads = min(threads, self.num_envs)
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**first.metadata, "autoreset_mode": self.autoreset_mode}
        self.render_mode = first.render_mode
        self.single_action_space = first.action_space
        self.single_observation_space = first.observation_space
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        if shared_curriculum:
            for env in self.envs:
                env.curriculum = first.curriculum
        self._waits = np.zeros(self.num_envs, dtype=np.bool_)  # for a reset by the next step, in mode NextStep
        self._pays = False  # whether threads pay: the last call took long enough
        self._different: set[str] = set()  # attributes among _COMMON that differ between environments
        self._move_together()

    def _move_together(self) -> None:
        """Let circuits, masks and observation vectors of all environments be rows of common arrays."""
        first, episodes = self.envs[0], self._episodes
        capacity = first.initial.num_gates + first.rules.capacity
        self._batch = CircuitBatch([episode.circuit for episode in episodes], capacity)
        self._masks = np.empty((self.num_envs, len(first.catalogue)), dtype=np.int8)
        for episode, mask in zip(episodes, self._masks, strict=True):
            episode.mask.move_to(mask)
        self._encoders = [episode.encoder for episode in episodes if isinstance(episode.encoder, VectorEncoder)]
        size = len(self._encoders[0].vector) if self._encoders else 0
        self._vectors = np.empty((len(self._encoders), size), dtype=np.float32)
        for encoder, vector in zip(self._encoders, self._vectors, strict=True):
            encoder.move_to(vector)

    @property
    def _episodes(self) -> list[Episode]:
        return [env.episode for env in self.envs]

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._move_together()  # unpickled arrays are independent of each other

    def action_masks(self) -> NDArray[np.bool_]:
        """Return the legal actions of all environments, ``(num_envs, num_actions)``."""
        return self._masks.astype(np.bool_)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset every environment, or those of ``options["reset_mask"]``; one seed stands for ``seed + k``."""
        options = dict(options or {})
        chosen = np.asarray(options.pop("reset_mask", np.ones(self.num_envs, dtype=np.bool_)), dtype=np.bool_)
        seeds = (
            [None if seed is None else seed + k for k in range(self.num_envs)]
            if isinstance(seed, int | np.integer | None)
            else list(seed)
        )
        if len(seeds) != self.num_envs or chosen.shape != (self.num_envs,):
            raise ValueError(must("seed", f"be one number or {self.num_envs}, and the mask as long", seed))
        with Undo(self.envs) as undo:
            for env, own, is_chosen in zip(self.envs, seeds, chosen, strict=True):
                if is_chosen:
                    undo.keep_randomness(env)
                    env.reset(seed=own, options=options or None)
            result = self._observations(), self._infos([episode.figures(False, 0, 0) for episode in self._episodes])
        self._waits[chosen] = False
        return result

    def step(self, actions: Any) -> Step:
        """Step every environment; actions of those that wait for their reset are ignored.

        No environment is changed if anything is raised.

        Raises:
            ValueError: An action is out of range (or masked, with ``illegal="raise"``), or there are not as many
                actions as environments.
            TypeError: ``actions`` is a single number.
        """
        envs, episodes = self.envs, self._episodes
        actions = np.asarray(actions).tolist()
        if not isinstance(actions, list):
            raise TypeError(must("actions", f"be {self.num_envs} numbers, one for each environment", actions))
        if len(actions) != self.num_envs:
            raise ValueError(must("actions", f"be {self.num_envs} numbers, one for each environment", actions))
        waiting = np.flatnonzero(self._waits).tolist()
        moving = np.flatnonzero(~self._waits).tolist()
        indices = {k: episodes[k].check(actions[k]) for k in moving}
        rewards = np.zeros(self.num_envs)
        terminated, truncated = np.zeros((2, self.num_envs), dtype=np.bool_)
        with Undo(envs) as undo:
            for k in waiting:
                undo.keep_randomness(envs[k])
                envs[k].reset()
            figures = {k: episodes[k].figures(False, 0, 0) for k in waiting}
            for k, (energy, evaluations, gradients) in self._optimized(indices).items():
                is_known = evaluations > 0 or not envs[k].optimizes_at_end
                rewards[k], success, terminated[k], truncated[k] = envs[k].conclude(indices[k], energy, is_known)
                figures[k] = episodes[k].figures(success, evaluations, gradients)
                envs[k].show()
            result = self._returned(rewards, terminated, truncated, [figures[k] for k in range(self.num_envs)], undo)
        self._waits = (terminated | truncated) & (self.autoreset_mode == AutoresetMode.NEXT_STEP)
        return result

    def _optimized(self, indices: dict[int, int]) -> dict[int, _Numbers]:
        """Append checked actions and optimise the angles; return energies, evaluations and gradients."""
        episodes = self._episodes
        appended = {k: self.envs[k].append(index) for k, index in indices.items()}
        num_new = {k: number for k, number in appended.items() if number is not None}
        found: dict[int, _Numbers] = {k: (episodes[k].energy, 0, 0) for k in indices if k not in num_new}
        together = self._optimize_together(num_new) if num_new else {}
        found.update(self._optimize_one_by_one(num_new) if together is None else together)
        return {k: found[k] for k in indices}

    def _optimize_together(self, num_new: dict[int, int]) -> dict[int, _Numbers] | None:
        """Optimise circuits by one call; return ``None``, with nothing changed, where that is not possible."""
        env = self.envs[0]
        if self._different or env.family is not None or not isinstance(env.optimizer, BatchOptimizer):
            return None
        threads = self.num_threads if self._pays else 1
        started = perf_counter()
        rows, counts = list(num_new), list(num_new.values())
        hamiltonian = env.problem.hamiltonian
        result = env.optimizer.minimize_each(env.simulator, self._batch, hamiltonian, rows, counts, threads)
        self._pays = (perf_counter() - started) * threads > WORTH_THREADS
        if result is None:
            return None
        return dict(zip(rows, zip(*(column.tolist() for column in result), strict=True), strict=True))

    def _optimize_one_by_one(self, num_new: dict[int, int]) -> dict[int, _Numbers]:
        def part(own: list[tuple[int, int]]) -> dict[int, _Numbers]:
            found = {}
            for k, new in own:
                result = self.envs[k].optimize_angles(new)
                self.envs[k].circuit.params = result.params
                found[k] = result.energy, result.evaluations, result.gradients
            return found

        changed = list(num_new.items())
        # without noise Python's lock makes threads useless
        threads = self.num_threads if self.envs[0].simulator.is_noisy else 1
        others = [thread_pool(threads).submit(part, changed[k::threads]) for k in range(1, threads)]
        try:
            found = part(changed[::threads])
        finally:
            wait(others)  # also after a failure, since running threads change circuits
        for other in others:
            found.update(other.result())
        return found

    def _returned(
        self,
        rewards: NDArray[np.float64],
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
        figures: list[tuple[float, ...]],
        undo: Undo,
    ) -> Step:
        over = terminated | truncated
        last: dict[str, Any] = {}
        if self.autoreset_mode == AutoresetMode.SAME_STEP:
            for k in np.flatnonzero(over).tolist():
                env = self.envs[k]
                final = {"final_obs": env.observe(), "final_info": env.episode.info(figures[k])}
                last = self._add_info(last, final, k)
                undo.keep_randomness(env)
                env.reset()
                figures[k] = env.episode.figures(False, 0, 0)
        return self._observations(), rewards, terminated, truncated, {**self._infos(figures), **last}

    def _observations(self) -> Any:
        keys, observations = self.envs[0].rules.mask_keys, self._encoded()
        return observations if keys is None else {keys[0]: observations, keys[1]: self._masks.copy()}

    def _encoded(self) -> Any:
        """Return what the encoders observe, without masks."""
        if self._encoders:
            for env, encoder in zip(self.envs, self._encoders, strict=True):
                encoder.refresh(env.view())
            return self._vectors.copy()
        observations = [env.encoder.observe(env.view()) for env in self.envs]
        space = self.envs[0].encoder.space
        if isinstance(space, spaces.Box):
            return np.stack(observations)
        out: Any = create_empty_array(space, self.num_envs)
        return concatenate(space, observations, out)

    def _infos(self, figures: list[tuple[float, ...]]) -> dict[str, Any]:
        """Return Gymnasium's vector form of ``info``: an array for every key, and which of its entries are valid."""
        columns: dict[str, NDArray[Any]] = {"action_mask": self._masks.copy()}
        columns.update(
            (name, np.array(column)) for name, column in zip(FIGURES, zip(*figures, strict=True), strict=True)
        )
        if self.envs[0].rules.simulator.is_truncated:
            columns["truncation_error"] = np.array([episode.truncation_error for episode in self._episodes])
        family = self.envs[0].family
        if family is not None:
            contexts = zip(*(episode.context for episode in self._episodes), strict=True)
            columns.update((name, np.array(column)) for name, column in zip(family.names, contexts, strict=True))
        everywhere = np.ones(self.num_envs, dtype=np.bool_)
        return {**columns, **{f"_{name}": everywhere.copy() for name in columns}}

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Call a method of every environment and return the results; of other attributes, return the values.

        Raises:
            AttributeError: Environments have no such attribute.
        """
        found = [env.get_wrapper_attr(name) for env in self.envs]
        return tuple(one(*args, **kwargs) if callable(one) else one for one in found)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Return an attribute of every environment; a method is called."""
        return self.call(name)

    def set_attr(self, name: str, values: Any) -> None:
        """Set an attribute of every environment: a list or tuple holds one value for each, other values are set in all.

        Raises:
            ValueError: A list or tuple of another length.
        """
        values = values if isinstance(values, list | tuple) else [values] * self.num_envs
        if len(values) != self.num_envs:
            raise ValueError(must("values", f"be {self.num_envs}, one for each environment", values))
        for env, value in zip(self.envs, values, strict=True):
            env.set_wrapper_attr(name, value)
        if name in _COMMON:
            is_common = all(value is values[0] for value in values)
            self._different = self._different - {name} if is_common else self._different | {name}
        self._move_together()

    def render(self) -> tuple[Any, ...]:
        """Return what every environment renders."""
        return tuple(env.render() for env in self.envs)

    def close_extras(self, **_: Any) -> None:
        """Close every environment."""
        for env in self.envs:
            env.close()

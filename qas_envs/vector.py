"""CircuitBuildingVectorEnv: many circuits side by side, their angles optimised by one call on threads."""

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

from qas_envs.circuit_env import FIGURES, CircuitBuildingEnv
from qas_envs.components import is_whole
from qas_envs.encodings import VectorEncoder
from qas_envs.undo import Undo
from qas_simulators import CircuitBatch
from qas_simulators.errors import must
from qas_simulators.optimizers import BatchOptimizer, BatchResult
from qas_simulators.program import thread_pool

WORTH_THREADS = 3e-4
"""Seconds of optimisation from which on threads are used; waking one takes some 50 us."""

_COMMON = ("optimizer", "problem", "simulator")  # what circuits that are optimised by one call have in common

Step = tuple[Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]


class CircuitBuildingVectorEnv(VectorEnv[Any, Any, Any]):
    """N environments stepped together: equal bit for bit to N single ones with the seeds ``seed``, ``seed + 1``, ...

    Circuits, masks and observations of all are rows of common arrays, and one call of a kernel, on several threads,
    optimises all circuits. Where that cannot be (shot noise, noise of idle qubits, linked angles, families of
    instances, optimisers that only know single circuits), circuits are optimised one by one, on threads if there is
    noise.

    Args:
        envs: The environments, all alike: same problem, same rules. They belong to us from now on.
        autoreset_mode: ``"NextStep"`` (the step after an episode's last one resets), ``"SameStep"`` (the last step
            returns the next episode's first observation, the last one in ``infos["final_obs"]``) or ``"Disabled"``.
        num_threads: Most threads for the optimisations; ``None`` for one per processor.
        shared_curriculum: All environments hear and follow one curriculum.

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
        self._waits = np.zeros(self.num_envs, dtype=np.bool_)  # for its reset, in the mode NextStep
        self._pays = False  # whether threads do
        self._different: set[str] = set()  # what of _COMMON is not the same everywhere
        self._move_together()

    def _move_together(self) -> None:
        """Let what all environments keep be rows of common arrays."""
        first = self.envs[0]
        capacity = first.initial.num_gates + first.capacity
        self._batch = CircuitBatch([env.circuit for env in self.envs], capacity)
        self._masks = np.empty((self.num_envs, len(first.catalogue)), dtype=np.int8)
        for env, mask in zip(self.envs, self._masks, strict=True):
            env.mask.move_to(mask)
        self._vectors: NDArray[np.float32] | None = None
        if isinstance(first.encoder, VectorEncoder):
            self._vectors = np.empty((self.num_envs, len(first.encoder.vector)), dtype=np.float32)
            for env, vector in zip(self.envs, self._vectors, strict=True):
                env.encoder.move_to(vector)  # type: ignore[attr-defined]

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._move_together()  # copies of rows are no rows

    def action_masks(self) -> NDArray[np.bool_]:
        """Return the legal actions of all environments, ``(num_envs, num_actions)``."""
        return self._masks.astype(np.bool_)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset every environment, or those of ``options["reset_mask"]``; seeds are ``seed + k`` if given as one."""
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
            result = self._observations(), self._infos([env.figures(False, 0, 0) for env in self.envs])
        self._waits[chosen] = False
        return result

    def step(self, actions: Any) -> Step:
        """Step every environment; actions of those that wait for their reset are ignored.

        No environment is changed if anything is raised.

        Raises:
            ValueError: An action is out of range or masked, or there are not as many actions as environments.
            TypeError: ``actions`` is a single number.
        """
        envs = self.envs
        actions = np.asarray(actions).tolist()
        if not isinstance(actions, list):
            raise TypeError(must("actions", f"be {self.num_envs} numbers, one for each environment", actions))
        if len(actions) != self.num_envs:
            raise ValueError(must("actions", f"be {self.num_envs} numbers, one for each environment", actions))
        waiting = np.flatnonzero(self._waits).tolist()
        moving = np.flatnonzero(~self._waits).tolist()
        indices = {k: envs[k].check_action(actions[k]) for k in moving}
        rewards = np.zeros(self.num_envs)
        terminated, truncated = np.zeros((2, self.num_envs), dtype=np.bool_)
        with Undo(envs) as undo:
            for k in waiting:
                undo.keep_randomness(envs[k])
                envs[k].reset()
            num_new = [envs[k].append_gate(index) for k, index in indices.items()]
            figures = {k: envs[k].figures(False, 0, 0) for k in waiting}
            for k, (energy, evaluations, gradients) in zip(moving, self._optimize(moving, num_new), strict=True):
                env = envs[k]
                rewards[k], success, terminated[k], truncated[k] = env.conclude_step(indices[k], energy)
                figures[k] = env.figures(success, evaluations, gradients)
                env.follow()
            result = self._returned(rewards, terminated, truncated, [figures[k] for k in range(self.num_envs)], undo)
        self._waits = (terminated | truncated) & (self.autoreset_mode == AutoresetMode.NEXT_STEP)
        return result

    def _optimize(self, moving: list[int], num_new: list[int]) -> list[tuple[float, int, int]]:
        """Optimise the circuits ``moving``; return energies, evaluations and gradients."""
        envs = self.envs
        found = {k: (envs[k].energy, 0, 0) for k in moving if envs[k].adds_nothing}
        changed = [(k, new) for k, new in zip(moving, num_new, strict=True) if not envs[k].adds_nothing]
        together = self._optimize_together([k for k, _ in changed], [new for _, new in changed])
        if together is not None:
            numbers = zip(*(column.tolist() for column in together), strict=True)
            found.update((k, own) for (k, _), own in zip(changed, numbers, strict=True))
        else:
            found.update(self._optimize_one_by_one(changed))
        return [found[k] for k in moving]

    def _optimize_together(self, rows: list[int], num_new: list[int]) -> BatchResult | None:
        env = self.envs[0]
        if self._different or env.family is not None or not isinstance(env.optimizer, BatchOptimizer):
            return None
        threads = self.num_threads if self._pays else 1
        started = perf_counter()
        hamiltonian = env.problem.hamiltonian
        result = env.optimizer.minimize_each(env.simulator, self._batch, hamiltonian, rows, num_new, threads)
        self._pays = (perf_counter() - started) * threads > WORTH_THREADS
        return result

    def _optimize_one_by_one(self, changed: list[tuple[int, int]]) -> dict[int, tuple[float, int, int]]:
        def part(own: list[tuple[int, int]]) -> dict[int, tuple[float, int, int]]:
            found = {}
            for k, num_new in own:
                result = self.envs[k].optimize_angles(num_new)
                self.envs[k].circuit.params = result.params
                found[k] = result.energy, result.evaluations, result.gradients
            return found

        threads = self.num_threads if self.envs[0].simulator.is_noisy else 1  # else Python's lock bounds them
        others = [thread_pool(threads).submit(part, changed[k::threads]) for k in range(1, threads)]
        try:
            found = part(changed[::threads])
        finally:
            wait(others)  # also after a failure: until then they change circuits
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
                final = {"final_obs": env.encoder.observe(env.view()), "final_info": env.info(*figures[k])}
                last = self._add_info(last, final, k)
                undo.keep_randomness(env)
                env.reset()
                figures[k] = env.figures(False, 0, 0)
        return self._observations(), rewards, terminated, truncated, {**self._infos(figures), **last}

    def _observations(self) -> Any:
        if self._vectors is not None:
            for env in self.envs:
                env.encoder.refresh(env.view())  # type: ignore[attr-defined]
            return self._vectors.copy()
        observations = [env.encoder.observe(env.view()) for env in self.envs]
        if isinstance(self.single_observation_space, spaces.Box):
            return np.stack(observations)
        out: Any = create_empty_array(self.single_observation_space, self.num_envs)
        return concatenate(self.single_observation_space, observations, out)

    def _infos(self, figures: list[tuple[float, ...]]) -> dict[str, Any]:
        """Return Gymnasium's vector form of ``info``: an array for every key, and which of its entries are valid."""
        columns: dict[str, NDArray[Any]] = {"action_mask": self._masks.copy()}
        columns.update(
            (name, np.array(column)) for name, column in zip(FIGURES, zip(*figures, strict=True), strict=True)
        )
        family = self.envs[0].family
        if family is not None:
            contexts = zip(*(env.context for env in self.envs), strict=True)
            columns.update((name, np.array(column)) for name, column in zip(family.names, contexts, strict=True))
        everywhere = np.ones(self.num_envs, dtype=np.bool_)
        return {**columns, **{f"_{name}": everywhere.copy() for name in columns}}

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Call a method of every environment and return the results; of an attribute that is no method, the values.

        Raises:
            AttributeError: Environments have no such attribute.
        """
        found = [env.get_wrapper_attr(name) for env in self.envs]
        return tuple(one(*args, **kwargs) if callable(one) else one for one in found)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Return an attribute of every environment; a method is called."""
        return self.call(name)

    def set_attr(self, name: str, values: Any) -> None:
        """Set an attribute of every environment: a list or tuple holds one value for each, others go to all.

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

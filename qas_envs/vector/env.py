"""CircuitBuildingVectorEnv: many environments stepped together, over arrays where their rules fit."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from os import cpu_count
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from qas_envs.circuit_env import CircuitBuildingEnv
from qas_envs.components import is_whole
from qas_envs.vector.arrays import ArrayEngine, fits
from qas_envs.vector.one_by_one import SingleEngine
from qas_envs.vector.results import Step
from qas_envs.vector.threads import ThreadChoice
from qas_simulators.errors import must

_COMMON = ("optimizer", "simulator")  # must be the same object in all environments for one call to optimise all


class CircuitBuildingVectorEnv(VectorEnv[Any, Any, Any]):
    """N environments stepped together: equal bit for bit to N single ones with the seeds ``seed``, ``seed + 1``, ...

    Episodes are rows of arrays, every rule computes the whole step at once, and one call of a kernel, on several
    threads, optimises all circuits. Rules without methods for many environments are called once for each. Where nothing
    of this is possible (see :func:`qas_envs.vector.arrays.fits`), environments are stepped one after the other.

    Reading :attr:`envs`, or an attribute of the environments, writes the arrays to the environments first.

    Args:
        envs: The environments, with the same problem and the same rules. They must not be used otherwise afterwards.
        autoreset_mode: ``"NextStep"`` (the step after an episode's last one resets), ``"SameStep"`` (the last step
            returns the next episode's first observation, the last one in ``infos["final_obs"]``) or ``"Disabled"``.
        num_threads: Largest number of threads for the optimisations; ``None`` for one per processor.
        shared_curriculum: Whether all environments share one curriculum.
        copy: Whether observations are copies. With ``False``, those of :meth:`step` that are vectors are read-only
            views, which the next step changes; copying takes a tenth to a fifth of a step without optimisation.

    Raises:
        ValueError: No environments, environments with different Hamiltonians, or ``num_threads`` below 1.
    """

    def __init__(
        self,
        envs: Sequence[CircuitBuildingEnv],
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        num_threads: int | None = None,
        shared_curriculum: bool = False,
        copy: bool = True,
    ) -> None:
        if not envs:
            raise ValueError(must("envs", "hold at least one environment", envs))
        first = envs[0]
        if any(env.problem.hamiltonian != first.problem.hamiltonian for env in envs):
            raise ValueError(must("envs", "have the same Hamiltonian", [env.problem.name for env in envs]))
        threads = (cpu_count() or 1) if num_threads is None else num_threads
        if not is_whole(threads, 1):
            raise ValueError(must("num_threads", "be an integer of at least 1", num_threads))
        self._envs = list(envs)
        self.num_envs = len(envs)
        self.num_threads = min(threads, self.num_envs)
        self._copies = copy
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**first.metadata, "autoreset_mode": self.autoreset_mode}
        self.render_mode = first.render_mode
        self.single_action_space = first.action_space
        self.single_observation_space = first.observation_space
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        if shared_curriculum:
            for env in self._envs:
                env.curriculum = first.curriculum
        self._waits = np.zeros(self.num_envs, dtype=np.bool_)  # for a reset by the next step, in mode NextStep
        self._threads = ThreadChoice(self.num_threads)
        self._different: set[str] = set()  # attributes among _COMMON that differ between environments
        self._engine: ArrayEngine | SingleEngine | None = None  # None while the environments themselves hold the state

    @property
    def envs(self) -> list[CircuitBuildingEnv]:
        """The environments, with the state of their episodes. The next step reads them again."""
        if self._engine is not None:
            self._engine.write()
            self._engine = None
        return self._envs

    def _current_engine(self) -> ArrayEngine | SingleEngine:
        if self._engine is None:
            can_share = not self._different and fits(self._envs)
            self._engine = ArrayEngine(self._envs, self._copies) if can_share else SingleEngine(self._envs)
        return self._engine

    def __getstate__(self) -> dict[str, Any]:
        envs = self.envs
        return {**self.__dict__, "_envs": envs}

    def action_masks(self) -> NDArray[np.bool_]:
        """Return the legal actions of all environments, ``(num_envs, num_actions)``."""
        return self._current_engine().masks.astype(np.bool_)

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
        engine = self._current_engine()
        if isinstance(engine, ArrayEngine) and not options:
            result = engine.reset(chosen, seeds)
        else:
            result = SingleEngine(self.envs).reset(chosen, seeds, options)
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
        given, waiting = np.asarray(actions), self._waits
        if given.ndim == 0:
            raise TypeError(must("actions", f"be {self.num_envs} numbers, one for each environment", actions))
        if len(given) != self.num_envs:
            raise ValueError(must("actions", f"be {self.num_envs} numbers, one for each environment", actions))
        engine = self._current_engine()
        if given.ndim > 1 or given.dtype.kind not in "iub":
            given = np.array([0 if waits else _index(own) for own, waits in zip(given.tolist(), waiting, strict=True)])
        given = np.where(waiting, 0, given.astype(np.int64, copy=False))
        engine.check(given, waiting)
        threads = self._threads.number()
        result = engine.step(given, waiting, self.autoreset_mode == AutoresetMode.SAME_STEP, threads)
        self._threads.learn(threads, *engine.spent)
        self._waits = (result[2] | result[3]) & (self.autoreset_mode == AutoresetMode.NEXT_STEP)
        return result

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

    def render(self) -> tuple[Any, ...]:
        """Return what every environment renders."""
        return tuple(env.render() for env in self.envs)

    def close_extras(self, **_: Any) -> None:
        """Close every environment."""
        for env in self._envs:
            env.close()


def _index(action: Any) -> int:
    """Return an action as an integer.

    Raises:
        ValueError: It is none.
    """
    try:
        return operator.index(action)
    except TypeError:
        raise ValueError(must("action", "be an integer", action)) from None

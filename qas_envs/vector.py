"""CircuitBuildingVectorEnv: many circuits side by side, their angles optimised on threads."""

from __future__ import annotations

from collections.abc import Sequence
from os import cpu_count
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array
from numpy.typing import NDArray

from qas_envs.circuit_env import CircuitBuildingEnv
from qas_simulators.errors import must
from qas_simulators.program import thread_pool

Result = tuple[Any, float, bool, bool, dict[str, Any]]
Step = tuple[Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]


class CircuitBuildingVectorEnv(VectorEnv[Any, Any, Any]):
    """N environments stepped together: equal bit for bit to N single ones with the seeds ``seed``, ``seed + 1``, ...

    Appending gates, masks and observations are Python and go one after the other; the optimisations run on threads,
    because the kernels hold no lock. Threads pay where an optimisation takes much longer than that Python, some 20 us a
    step: with noise from 6 qubits on, not for noiseless molecules of 4 to 8 qubits (``benchmarks/vector.py``).

    Args:
        envs: The environments, all alike.
        autoreset_mode: ``"NextStep"`` (the step after an episode's last one resets), ``"SameStep"`` (the last step
            returns the next episode's first observation, the last one in ``infos["final_obs"]``) or ``"Disabled"``.
        num_threads: Threads for the optimisations; ``None`` for one per processor with noise, else one.
        shared_curriculum: All environments hear and follow one curriculum.

    Raises:
        ValueError: No environments, or ``num_threads`` below 1.
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
        by_default = (cpu_count() or 1) if envs[0].simulator.is_noisy else 1
        threads = by_default if num_threads is None else num_threads
        if threads < 1:
            raise ValueError(must("num_threads", "be at least 1", num_threads))
        self.envs = list(envs)
        self.num_envs = len(envs)
        self.num_threads = min(threads, self.num_envs)
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**envs[0].metadata, "autoreset_mode": self.autoreset_mode}
        self.render_mode = envs[0].render_mode
        self.single_action_space = envs[0].action_space
        self.single_observation_space = envs[0].observation_space
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        if shared_curriculum:
            for env in self.envs:
                env.curriculum = self.envs[0].curriculum
        self._waits = np.zeros(self.num_envs, dtype=np.bool_)  # for its reset, in the mode NextStep

    def action_masks(self) -> NDArray[np.bool_]:
        """Return the legal actions of all environments, ``(num_envs, num_actions)``."""
        return np.stack([env.action_masks() for env in self.envs])

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
        observations, infos = [], []
        for env, own, is_chosen in zip(self.envs, seeds, chosen, strict=True):
            if is_chosen:
                observation, info = env.reset(seed=own, options=options or None)
            else:
                observation, info = env.observe()
            observations.append(observation)
            infos.append(info)
        self._waits[chosen] = False
        return self._stacked(observations), _columns(infos)

    def step(self, actions: Any) -> Step:
        """Step every environment; actions of those that wait for their reset are ignored.

        Raises:
            ValueError: An action is out of range or masked; no environment has changed.
        """
        moves = np.flatnonzero(~self._waits)
        checked = {int(k): self.envs[k].check_action(actions[k]) for k in moves}
        results: list[Result] = [self._fresh(env) if self._waits[k] else None for k, env in enumerate(self.envs)]  # type: ignore[misc]
        pending = [(k, self.envs[k].append_gate(action)) for k, action in checked.items()]
        parts = [pending[number :: self.num_threads] for number in range(self.num_threads)]
        others = [thread_pool(self.num_threads).submit(self._optimize, part) for part in parts[1:] if part]
        found = self._optimize(parts[0])
        for other in others:
            found.update(other.result())
        for k, action in checked.items():
            results[k] = self.envs[k].conclude_step(action, found[k])
        return self._returned(results)

    def _optimize(self, part: Sequence[tuple[int, int]]) -> dict[int, Any]:
        return {k: self.envs[k].optimize_angles(num_new) for k, num_new in part}

    @staticmethod
    def _fresh(env: CircuitBuildingEnv) -> Result:
        observation, info = env.reset()
        return observation, 0.0, False, False, info

    def _returned(self, results: list[Result]) -> Step:
        observations, rewards, terminated, truncated, infos = (list(column) for column in zip(*results, strict=True))
        over = np.array(terminated, dtype=np.bool_) | np.array(truncated, dtype=np.bool_)
        self._waits = over & (self.autoreset_mode == AutoresetMode.NEXT_STEP)
        last: dict[str, Any] = {}
        if self.autoreset_mode == AutoresetMode.SAME_STEP:
            for k in np.flatnonzero(over):
                last = self._add_info(last, {"final_obs": observations[k], "final_info": infos[k]}, int(k))
                observations[k], infos[k] = self.envs[k].reset()
        return (
            self._stacked(observations),
            np.array(rewards, dtype=np.float64),
            np.array(terminated, dtype=np.bool_),
            np.array(truncated, dtype=np.bool_),
            {**_columns(infos), **last},
        )

    def _stacked(self, observations: list[Any]) -> Any:
        if isinstance(self.single_observation_space, spaces.Box):
            return np.stack(observations)
        out: Any = create_empty_array(self.single_observation_space, self.num_envs)
        return concatenate(self.single_observation_space, observations, out)

    def render(self) -> tuple[Any, ...]:
        """Return what every environment renders."""
        return tuple(env.render() for env in self.envs)

    def close_extras(self, **_: Any) -> None:
        """Close every environment."""
        for env in self.envs:
            env.close()


def _columns(infos: list[dict[str, Any]]) -> dict[str, Any]:
    """Return Gymnasium's vector form of dictionaries with the same keys: arrays, and which entries are valid."""
    everywhere = np.ones(len(infos), dtype=np.bool_)
    result: dict[str, Any] = {}
    for key in infos[0]:
        result[key] = np.array([info[key] for info in infos])
        result[f"_{key}"] = everywhere.copy()
    return result

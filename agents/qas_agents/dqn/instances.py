"""Instances of one problem, of one size or several, behind the interface of one environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qas_agents.checks import check_generator
from qas_agents.dqn.environments import Environments
from qas_agents.dqn.observations import Flattener, graph_layout
from qas_agents.graph.instances import Instances
from qas_agents.graph.layout import GraphLayout
from qas_simulators.errors import must


class InstanceEnvironments(Environments):
    """Instances of one problem: every episode is of one that is drawn.

    Observations and masks of smaller instances are padded with zeros to those of the largest one.

    Args:
        env: The agent's environment. It is not played; it may be of another size.
        choices: Arguments of its problem with lists of values, of which every combination is an instance.

    Raises:
        ValueError: Another encoding than ``hamiltonian_graph``, actions that are no blocks, or an environment that was
            not made by ``gymnasium.make``.
    """

    def __init__(self, env: Any, choices: Mapping[str, Any]) -> None:
        if hasattr(env, "num_envs"):
            raise ValueError(must("instances", "be empty where environments are a vector", {**choices}))
        super().__init__(env)
        self._instances = Instances(env, choices)
        of_each_size = self._instances.of_each_size()
        self.tables = {one.num_qubits: one.table for one in of_each_size}
        self.num_inputs = self.flat.size = max(Flattener(one.env.observation_space).size for one in of_each_size)
        self.num_actions = max(map(len, self.tables.values()))
        self._number: int | None = None
        self._rng = np.random.default_rng()

    def layout(self) -> GraphLayout | None:
        """See :class:`Environments`."""
        own = graph_layout(self._instances.own.env, self._instances.own.env.observation_space)
        return own if own is None else GraphLayout(own.num_features, self.tables)

    def reset(self, seed: int | None) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
        """Begin an episode of an instance that is drawn; a seed also seeds the drawing."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        self._switch(int(self._rng.integers(len(self._instances))))
        observation, info = self.current.reset(seed=int(self._rng.integers(2**31)))
        return self.flat(observation)[None], self._masks([info])

    def _switch(self, number: int) -> None:
        instance = self._instances[number]
        if instance.num_qubits not in self.tables:
            raise ValueError(must("instances", f"name `num_qubits`, of {sorted(self.tables)}", instance.num_qubits))
        if not instance.table.has_same_actions(self.tables[instance.num_qubits]):
            requirement = f"have the actions on {instance.num_qubits} qubits that `env` or the first of this size has"
            raise ValueError(must("instances", requirement, number))
        self._number, self.single, self.current = number, instance.env, instance.env

    def _masks(self, infos: Sequence[dict[str, Any]]) -> NDArray[np.int8]:
        return self.padded(np.stack([info["action_mask"] for info in infos]))

    def padded(self, masks: NDArray[Any]) -> NDArray[Any]:
        """See :class:`Environments`."""
        return np.pad(masks, [(0, 0), (0, self.num_actions - masks.shape[1])])

    # -- checkpoints -----------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any] | None:
        """Return the episode and the generator of the draws, in numbers that JSON represents exactly."""
        playing = None if self._number is None else self._instances[self._number].bench.state()
        return {"number": self._number, "rng": self._rng.bit_generator.state, "playing": playing}

    def check(self, state: Any) -> None:
        """Raise ``ValueError`` unless :meth:`restore` can restore a state."""
        if not isinstance(state, dict) or set(state) != {"number", "rng", "playing"}:
            raise ValueError(must("instances", "have number, rng and playing", state))
        check_generator(state["rng"])
        number, playing = state["number"], state["playing"]
        if number is None and playing is None:
            return
        if type(number) is not int or not 0 <= number < len(self._instances):
            raise ValueError(must("number", f"be that of one of {len(self._instances)} instances", number))
        bench = self._instances[number].bench
        if not isinstance(playing, dict) or set(playing) != set(bench.state()):
            raise ValueError(must("playing", "be the state of an environment", playing))
        for name in ("rng", "simulator_rng"):
            check_generator(playing[name])
        actions = playing["actions"]
        if not isinstance(actions, list) or bench.checked(actions) is None:
            raise ValueError(must("actions", "be a legal sequence", actions))

    def restore(self, state: Any) -> None:
        """Restore a :meth:`state`."""
        self._rng.bit_generator.state = state["rng"]
        if state["number"] is not None:
            self._switch(state["number"])
            self._instances[state["number"]].bench.restore(state["playing"])

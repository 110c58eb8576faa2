"""Probabilistic policy reuse: a guide that acts with policies of earlier tasks in a part of the steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from qas_agents.checks import check_number
from qas_agents.dqn.agent import MaskedDQN
from qas_agents.dqn.anchors import Anchors
from qas_agents.dqn.config import SIZE_FREE, DQNConfig
from qas_agents.dqn.guides import Report
from qas_agents.dqn.policy_library import PolicyLibrary
from qas_simulators.errors import must, unknown_name

CARRIED: Final = ("nothing", "networks", "all", "functions")
_ANCHORS: Final = "anchors."
_COUNTS = ("task", "step", "reused", "episodes")


@dataclass(frozen=True)
class PolicyReuseConfig:
    """Settings of :class:`PolicyReuse`.

    Attributes:
        psi: Probability of a past policy's action in the first step of an episode that reuses it; 0 for no reuse.
        psi_decay: Factor of ``psi`` per step of the episode.
        temperature_step: What is added after every episode to the inverse temperature of the choice among policies,
            which is 0 when a task begins.
        similarity: A policy is kept at the end of its task if no past policy has a reuse gain of at least this share
            of its own.
        max_policies: Most policies that are kept; the oldest is dropped for a further one.
        carry: What the agent has of the last task when another one begins: ``"nothing"`` (initial weights, no
            transitions, exploration as at first), ``"networks"`` (all but the transitions), ``"all"``, or
            ``"functions"``: as ``"networks"``, and the loss keeps the action values of earlier tasks; see
            :class:`~qas_agents.dqn.anchors.Anchors`.
        anchors: With ``carry="functions"``, the last observations of each task whose values are kept.
        anchor_weight: With ``carry="functions"``, the weight of their mean squared change in the loss.
    """

    psi: float = 1.0
    psi_decay: float = 0.95
    temperature_step: float = 0.05
    similarity: float = 0.9
    max_policies: int = 32
    carry: str = "nothing"
    anchors: int = 256
    anchor_weight: float = 1.0

    def __post_init__(self) -> None:
        for name in ("psi", "psi_decay", "similarity"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(must(name, "lie in [0, 1]", getattr(self, name)))
        if not 0 <= self.temperature_step < float("inf"):
            raise ValueError(must("temperature_step", "be finite and not negative", self.temperature_step))
        if not 0 <= self.anchor_weight < float("inf"):
            raise ValueError(must("anchor_weight", "be finite and not negative", self.anchor_weight))
        for name in ("max_policies", "anchors"):
            if getattr(self, name) < 1:
                raise ValueError(must(name, "be at least 1", getattr(self, name)))
        if self.carry not in CARRIED:
            raise ValueError(unknown_name("carry", self.carry, CARRIED))


class PolicyReuse:
    """A :class:`Guide` that chooses for each episode one of the past policies or the agent's own.

    The choice is a softmax over reuse gains. A reuse gain is the mean return of the episodes of this task that followed
    the policy, on a scale from 0 (the lowest return of the task, and policies that were never chosen) to 1 (the
    highest). In step ``h`` of an episode that reuses a past policy, its greedy action is taken with probability
    ``psi * psi_decay**h``; otherwise the agent acts. The agent learns from all transitions.

    A task ends when the attribute ``noise_step`` of the environment has changed; without this attribute, by
    :meth:`end_task`. Then the agent's policy may be kept, and the agent starts again.

    Args:
        env: The environment of the agent, possibly under wrappers.
        library: The past policies; it is extended.
        config: Settings.

    Attributes:
        library: The past policies.
        anchors: What the loss keeps of earlier tasks; ``None`` unless ``carry="functions"``.
        gains: Episodes and the sum of their returns in this task, for each past policy and, last, for the agent's own.
        reused: Steps so far in which a past policy acted.

    References:
        Fernández and Veloso, "Probabilistic policy reuse in a reinforcement learning agent", AAMAS 2006. Ye and Chen,
        arXiv:2112.05779, for quantum circuits. Deviations: returns are scaled as above; the agent's own episodes are
        ε-greedy instead of greedy.
    """

    def __init__(self, env: Any, library: PolicyLibrary, config: PolicyReuseConfig | None = None) -> None:
        self._env, self.library = env, library
        self._config = config if config is not None else PolicyReuseConfig()
        self.reused = self._step = self._episodes = 0
        self._task, self._ends = self._task_now(), False
        self._return, self._chosen = 0.0, len(library)
        self._range: tuple[float, float] | None = None  # lowest and highest return of this task
        self.gains = self._no_gains()
        self.anchors: Anchors | None = None
        if self._config.carry == "functions":
            sizes = library.num_inputs, library.num_actions
            self.anchors = Anchors(*sizes, self._config.anchors, self._config.max_policies)

    def _task_now(self) -> int:
        return int(getattr(getattr(self._env, "unwrapped", self._env), "noise_step", 0))

    def _no_gains(self) -> list[tuple[int, float]]:
        return [(0, 0.0)] * (len(self.library) + 1)

    def end_task(self) -> None:
        """End the task with the present episode."""
        self._ends = True

    # -- choosing ------------------------------------------------------------------------------------------------

    def reuse_gains(self) -> NDArray[np.float64]:
        """Return the reuse gains in [0, 1] of the past policies and, last, of the agent's own, ``(policies + 1,)``."""
        if self._range is None or self._range[0] == self._range[1]:
            return np.zeros(len(self.gains))
        low, high = self._range
        return np.array([(total / count - low) / (high - low) if count else 0.0 for count, total in self.gains])

    def probabilities(self) -> NDArray[np.float64]:
        """Return the probability with which the next episode follows each policy, the agent's own last."""
        if self._config.psi == 0:
            return np.array([0.0] * (len(self.gains) - 1) + [1.0])
        values = self._config.temperature_step * self._episodes * self.reuse_gains()
        weights = np.exp(values - values.max())
        return np.asarray(weights / weights.sum())

    def before_training(self, rng: np.random.Generator, report: Report) -> None:
        """Nothing to prepare."""

    def begin_episode(self, agent: MaskedDQN) -> None:
        """Begin another task if there is one, then choose the policy of the episode."""
        task = self._task_now()
        if task != self._task or self._ends:
            self._begin_task(agent, task)
        self._step, self._return = 0, 0.0
        shares = self.probabilities()
        self._chosen = int(agent.rng.choice(len(shares), p=shares)) if len(shares) > 1 else 0

    def _begin_task(self, agent: MaskedDQN, task: int) -> None:
        *past, own = self.reuse_gains().tolist()
        has_played = self.gains[-1][0] > 0
        if (has_played and max(past, default=-1.0) < self._config.similarity * own) or not past:
            self.library.add(agent, f"task {self._task}")
        if self._config.carry == "nothing":
            agent.start_again()
        elif self._config.carry in ("networks", "functions"):
            agent.replay.forget()
        if self.anchors is not None:
            self.anchors.end_task(agent.learner.values, agent.device)
        self._task, self._ends, self._episodes, self._range = task, False, 0, None
        self.gains = self._no_gains()

    def next_action(self, observation: NDArray[np.float32], mask: NDArray[Any], rng: np.random.Generator) -> int | None:
        """Return the past policy's action with the probability of this step."""
        if self.anchors is not None:
            self.anchors.see(observation, mask)
        if self._chosen == len(self.library):
            return None
        psi = self._config.psi * self._config.psi_decay**self._step
        self._step += 1
        if rng.random() >= psi:
            return None
        self.reused += 1
        return self.library.action(self._chosen, observation, mask)

    def further_loss(self, network: nn.Module, size: int, rng: np.random.Generator) -> Tensor | None:
        """Return the weighted loss of the anchors; ``None`` without any."""
        if self.anchors is None or len(self.anchors) == 0:
            return None
        return self._config.anchor_weight * self.anchors.loss(network, size, rng)

    def record_reward(self, reward: float) -> None:
        """Add a reward to the return of the episode."""
        self._return += reward

    def record_episode(self) -> None:
        """Nothing to do: circuits are not needed."""

    def end_episode(self, success: bool, rng: np.random.Generator, report: Report) -> None:
        """Update the reuse gain of the policy that the episode followed."""
        low, high = (self._return, self._return) if self._range is None else self._range
        self._range = min(low, self._return), max(high, self._return)
        count, total = self.gains[self._chosen]
        self.gains[self._chosen] = count + 1, total + self._return
        self._episodes += 1

    # -- state ---------------------------------------------------------------------------------------------------

    def figures(self) -> dict[str, int]:
        """Return the number of past policies, and of steps in which one of them acted."""
        return {"policies": len(self.library), "reused": self.reused}

    def settings(self) -> dict[str, Any]:
        """Return the settings by name."""
        return dataclasses.asdict(self._config)

    def state(self) -> dict[str, Any]:
        """Return everything except the weights of the policies, for JSON."""
        return {
            "task": self._task,
            "step": self._step,
            "reused": self.reused,
            "episodes": self._episodes,
            "ends": self._ends,
            "return": self._return,
            "chosen": self._chosen,
            "range": None if self._range is None else list(self._range),
            "gains": [list(row) for row in self.gains],
            "policies": self.library.about(),
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the weights of the policies, and what the anchors hold."""
        anchors = {} if self.anchors is None else self.anchors.arrays()
        weights = {name: value.numpy() for name, value in self.library.tensors().items()}
        return weights | {f"{_ANCHORS}{name}": array for name, array in anchors.items()}

    def check(self, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], num_actions: int) -> None:
        """Raise ``ValueError`` unless :meth:`state` and :meth:`arrays` returned these for this number of actions."""
        if set(state) != set(self.state()):
            raise ValueError(must("policy reuse", f"hold {sorted(self.state())}", sorted(state)))
        library = self._read(state, arrays)
        if self.anchors is not None:
            self.anchors.check(_anchors_of(arrays))
        for name in _COUNTS:
            if type(state[name]) is not int or not 0 <= state[name] < 2**63:
                raise ValueError(must(name, "be an integer of at least 0", state[name]))
        if type(state["ends"]) is not bool:
            raise ValueError(must("ends", "be true or false", state["ends"]))
        check_number("return", state["return"])
        for value in state["range"] or []:
            check_number("range", value)
        if state["range"] is not None and (len(state["range"]) != 2 or state["range"][0] > state["range"][1]):
            raise ValueError(must("range", "be two numbers in order", state["range"]))
        if type(state["chosen"]) is not int or not 0 <= state["chosen"] <= len(library):
            raise ValueError(must("chosen", f"be one of {len(library) + 1} policies", state["chosen"]))
        if len(state["gains"]) != len(library) + 1:
            raise ValueError(must("gains", f"have a row for each of {len(library) + 1} policies", state["gains"]))
        for count, total in state["gains"]:
            if type(count) is not int or count < 0:
                raise ValueError(must("gains", "have numbers of episodes", count))
            check_number("gains", total)

    def restore(self, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` and :meth:`arrays` returned, after :meth:`check`."""
        self.library = self._read(state, arrays)
        if self.anchors is not None:
            self.anchors.restore(_anchors_of(arrays))
        self._task, self._step, self.reused, self._episodes = (state[name] for name in _COUNTS)
        self._ends, self._return, self._chosen = state["ends"], float(state["return"]), state["chosen"]
        self._range = None if state["range"] is None else (float(state["range"][0]), float(state["range"][1]))
        self.gains = [(count, float(total)) for count, total in state["gains"]]

    def _read(self, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> PolicyLibrary:
        own = {name: array for name, array in arrays.items() if self.anchors is None or not name.startswith(_ANCHORS)}
        tensors = {name: torch.from_numpy(np.array(array)) for name, array in own.items()}
        for name, tensor in tensors.items():
            if not torch.isfinite(tensor).all():
                raise ValueError(must(name, "be finite", "not"))
        return self.library.read(state["policies"], tensors)


def _anchors_of(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(_ANCHORS): array for name, array in arrays.items() if name.startswith(_ANCHORS)}


def ppr_dqn(
    env: Any,
    config: DQNConfig | None = None,
    reuse: PolicyReuseConfig | None = None,
    seed: int | None = None,
    device: str = "cpu",
    library: PolicyLibrary | None = None,
) -> MaskedDQN:
    """Return a double DQN that reuses policies of earlier tasks (PPR-DQN); its ``guide`` is a :class:`PolicyReuse`.

    Args:
        env: One environment, as for :class:`MaskedDQN`; with a drift of its noise, each noise model is a task.
        config: Settings of the double DQN; uniform replay only.
        reuse: Settings of the reuse.
        seed: As for :class:`MaskedDQN`.
        device: As for :class:`MaskedDQN`.
        library: Past policies to begin with; by default none.

    Raises:
        ValueError: Prioritised replay, a vector of environments, training instances, a graph network, or a library of
            other observations or actions.

    Examples:
        >>> import gymnasium as gym, qas_envs
        >>> from qas_agents import DQNConfig, ppr_dqn
        >>> models = [{"name": "depolarizing", "p2": p} for p in (0.01, 0.02)]
        >>> drift = {"name": "sequence", "models": models, "every": 5}
        >>> env = gym.make("QAS-Bell-v0", drift=drift, disable_env_checker=True)
        >>> agent = ppr_dqn(env, DQNConfig(learning_starts=10, batch_size=8), seed=0)
        >>> _ = agent.learn(60)
        >>> agent.guide.library.labels
        ['task 0']
    """
    config = config if config is not None else DQNConfig()
    if config.prioritization > 0:
        raise ValueError(must("prioritization", "be 0 where policies are reused", config.prioritization))
    if config.instances or config.network.get("name") in SIZE_FREE:
        raise ValueError(must("network", "be 'mlp' or 'kan', without instances, for reuse of policies", config.network))
    agent = MaskedDQN(env, config, seed, device)
    if agent.environments.single is None:
        raise ValueError(must("env", "be a single environment where policies are reused", env))
    reuse = reuse if reuse is not None else PolicyReuseConfig()
    if library is None:
        library = PolicyLibrary(agent.num_inputs, agent.num_actions, reuse.max_policies)
    elif (library.num_inputs, library.num_actions) != (agent.num_inputs, agent.num_actions):
        sizes = f"have {agent.num_inputs} inputs and {agent.num_actions} actions"
        raise ValueError(must("library", sizes, (library.num_inputs, library.num_actions)))
    agent.guide = PolicyReuse(env, library, reuse)
    return agent

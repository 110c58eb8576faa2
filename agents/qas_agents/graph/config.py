"""Settings of the graph agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qas_simulators.errors import must


@dataclass(frozen=True)
class GraphConfig:
    """Settings of :class:`~qas_agents.graph.agent.GraphAgent`.

    Attributes:
        instances: What the agent is trained on: arguments of the environment's problem or rules with lists of values,
            of which every combination is an instance; or a list of instances, each the arguments with their values.
            Without any, the environment itself.
        hidden: Width of the network.
        rounds: Rounds of messages between qubits and pairs.
        learning_rate: Of Adam.
        batch: Circuits of a group: one instance, one length.
        lengths: Smallest and largest length of a circuit in two-qubit gates, over the number of qubits.
        curriculum: Groups after which all sizes and lengths are drawn. Before, larger instances join one size after the
            other, and short circuits later than long ones. 0 for none.
        max_iterations: L-BFGS iterations of a circuit in training; each starts from random angles.
        price: Reward that every two-qubit gate costs, in decades of the error.
        best: Share of a group, its best circuits, that the policy learns from; 1 compares all with their mean. A search
            needs the best of many circuits, not a good mean (Petersen et al., arXiv:1912.04871).
        epochs: Gradient steps per group.
        clip: Largest relative change of a probability that a group's gradient steps follow.
        entropy: Weight of the entropy bonus.
        imitation: Weight of the imitation of the best circuits.
        elites: Best distinct circuits that are kept per instance and length.
        teacher: Circuits that annealing over blocks plays on every instance before the training. Its solutions are the
            first circuits that are imitated.
        blind: Whether no circuit counts as a solution, for energies with noise: the teacher searches for the lowest
            energy, and its best circuits are imitated.
        cloning: Gradient steps of pure imitation after that, one instance and length each, before the first group.
        expert_rounds: Rounds of expert iteration. In a round annealing that the policy guides plays every training
            instance and removes blocks from its solutions; their shortest ones are then imitated. The first round
            follows ``cloning``.
        expert: Circuits of an instance in a round.
        expert_steps: Gradient steps of pure imitation at the end of a round.
        expert_groups: Groups between a round and the next one.
        climb: Whether the rounds of expert iteration climb a ladder of sizes: each plays the training instances of one
            size, the smallest first, and the groups between them those of the next size. All solutions of an instance
            are imitated as a set: the policy may give its probability to any of them, so that it keeps to those that
            continue what it has learned from smaller instances.
        brevity: With ``climb``, the logarithm of the probability that a solution loses in its set per block more than
            the shortest one.
        value: Weight of the value head's loss.
        max_grad_norm: Largest norm of a gradient.

    Raises:
        ValueError: A number out of range, or an argument of ``instances`` without values.
    """

    instances: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    hidden: int = 48
    rounds: int = 2
    learning_rate: float = 2e-3
    batch: int = 32
    lengths: Sequence[float] = (1.0, 2.0)
    curriculum: int = 0
    max_iterations: int = 60
    price: float = 0.0
    best: float = 1.0
    epochs: int = 3
    clip: float = 0.2
    entropy: float = 0.01
    imitation: float = 0.1
    elites: int = 8
    teacher: int = 0
    blind: bool = False
    cloning: int = 0
    expert_rounds: int = 0
    expert: int = 100
    expert_steps: int = 200
    expert_groups: int = 20
    climb: bool = False
    brevity: float = 2.0
    value: float = 0.1
    max_grad_norm: float = 1.0

    def __post_init__(self) -> None:
        for name in ("hidden", "rounds", "max_iterations", "epochs", "expert", "expert_steps"):
            if getattr(self, name) < 1:
                raise ValueError(must(name, "be at least 1", getattr(self, name)))
        if self.batch < 2:
            raise ValueError(must("batch", "be at least 2, because rewards are compared within it", self.batch))
        for name in (
            *("curriculum", "price", "entropy", "imitation", "elites", "teacher", "cloning", "value"),
            *("expert_rounds", "expert_groups", "brevity"),
        ):
            if getattr(self, name) < 0:
                raise ValueError(must(name, "not be negative", getattr(self, name)))
        for name in ("learning_rate", "clip", "max_grad_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(must(name, "be positive", getattr(self, name)))
        if self.cloning and not (self.teacher and self.elites):
            raise ValueError(must("cloning", "be 0 without a teacher or elites", self.cloning))
        if self.expert_rounds and not self.elites:
            raise ValueError(must("expert_rounds", "be 0 without elites", self.expert_rounds))
        if not 0 < self.best <= 1:
            raise ValueError(must("best", "lie in (0, 1]", self.best))
        if len(self.lengths) != 2 or not 0 < self.lengths[0] <= self.lengths[1]:
            raise ValueError(must("lengths", "be two positive numbers, the smaller one first", self.lengths))
        if self.blind and self.expert_rounds:
            raise ValueError(must("blind", "be False with rounds of expert iteration", self.blind))
        if self.climb and not self.expert_rounds:
            raise ValueError(must("climb", "be False without rounds of expert iteration", self.climb))
        if self.climb and self.price:
            raise ValueError(must("price", "be 0 with climb, which prefers short circuits itself", self.price))
        self._check_instances()

    def _check_instances(self) -> None:
        if self.instances is not None and not isinstance(self.instances, Mapping):
            if isinstance(self.instances, str) or not all(isinstance(one, Mapping) and one for one in self.instances):
                raise ValueError(must("instances", "be a list of arguments with values", self.instances))
            return
        for name, values in (self.instances or {}).items():
            if isinstance(values, str) or not isinstance(values, Sequence) or not values:
                raise ValueError(must(f"instances.{name}", "be a list of values", values))

"""GraphAgent: a policy over pairs of qubits, trained on many instances, that plays others and larger ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from qas_agents.callbacks import Callback, as_callback, progress_of
from qas_agents.graph.config import GraphConfig
from qas_agents.graph.drawing import KINDS, scores_of
from qas_agents.graph.elites import Elites
from qas_agents.graph.files import check_state, read_policy, restore_state, save_policy, state_of
from qas_agents.graph.instances import Instances
from qas_agents.graph.network import PairNetwork
from qas_agents.graph.training import train
from qas_agents.protocols import NoTransitions
from qas_agents.tensor_files import damage_reported
from qas_simulators.arrays import NUMPY, torch_on
from qas_simulators.errors import must


class GraphAgent:
    """Policy gradients over a distribution of instances, with the interface of Stable-Baselines3's algorithms.

    A group of circuits of one instance and one length is drawn from the policy; the angles of each are optimised once,
    from random ones, all together. A circuit's reward is minus the decades of its error over the threshold; its
    advantage compares it with the rest of the group. The best distinct circuits of every instance and length are
    imitated. With ``config.expert_rounds``, searches that the policy guides find shorter circuits, which are imitated
    too. A circuit is a step and an episode.

    Args:
        env: Its actions are blocks on two qubits, its encoding is ``hamiltonian_graph``. Any size and any instance:
            training instances are ``config.instances``.
        config: Settings.
        seed: Seeds the network, the instances, the circuits and the initial angles.
        device: A torch device.

    Attributes:
        num_timesteps: Circuits so far.
        num_updates: Groups, and steps of pure imitation, so far.
        num_taught: Searches of training instances so far, by the teacher and in rounds of expert iteration.
        num_collectors: Actors of Ray that play circuits, see :mod:`qas_agents.graph.collecting`; 0 for none. With them
            a seed does not determine the training, because groups arrive as they are finished.
        num_lost: Groups lost with such actors in the last call of :meth:`learn`.
        library: Of the arrays in which circuits are drawn: NumPy on the CPU, else PyTorch on the device.
        waits: Whether every gradient step is checked at once, as on the CPU; else once for all steps of a group.
        loss: Of the last gradient step.
        entropy: Of the policy in the last group, in nats, the mean over decisions.

    Raises:
        TypeError: The environment does not play whole circuits.
        ValueError: Another encoding, or other actions.

    References:
        Williams, "Simple statistical gradient-following algorithms" (1992). Group-relative advantages: Shao et al.,
        arXiv:2402.03300. Clipping: Schulman et al., arXiv:1707.06347. Imitation of own best episodes: Oh et al.,
        arXiv:1806.05635. Expert iteration: Anthony et al., arXiv:1705.08439. Policies over graphs for many instances:
        Khalil et al., arXiv:1704.01665.
    """

    def __init__(
        self, env: Any, config: GraphConfig | None = None, seed: int | None = None, device: str = "cpu"
    ) -> None:
        self.env = env
        self.config = config if config is not None else GraphConfig()
        self.device = torch.device(device)
        self.instances = Instances(env, self.config.instances)
        self.rng = np.random.default_rng(seed)
        spaces = getattr(env, "unwrapped", env).observation_space.spaces
        self.num_features = tuple(spaces[name].shape[-1] for name in ("qubits", "pairs", "circuit"))
        with torch.random.fork_rng(devices=[]):  # does not disturb the caller's generator
            torch.manual_seed(int(self.rng.integers(2**31)))
            network = PairNetwork(self.num_features, self.config.hidden, self.config.rounds, KINDS)
        self.network = network.to(self.device)
        self.waits = self.device.type == "cpu"
        self.library = NUMPY if self.waits else torch_on(str(self.device))
        fused = None if self.waits else True  # which can leave weights alone without waiting for a GPU
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=self.config.learning_rate, fused=fused)
        self.elites = Elites(self.config.elites)
        self.num_timesteps = self.num_updates = self.num_taught = 0
        self.num_collectors = self.num_lost = 0
        self.loss = self.entropy = float("nan")
        self.epsilon = 0.0
        self.replay = NoTransitions()

    def get_env(self) -> Any:
        """Return the environment."""
        return self.env

    def figures(self) -> dict[str, float]:
        """Return figures for the metrics of an episode."""
        return {"entropy": self.entropy} | ({"lost_groups": self.num_lost} if self.num_collectors else {})

    def reseed(self, seed: int | None, epsilon: float | None = None) -> None:
        """Replace the random generator, and the share of random actions of :meth:`predict` if it is given."""
        self.rng = np.random.default_rng(seed)
        self.epsilon = self.epsilon if epsilon is None else epsilon

    # -- acting --------------------------------------------------------------------------------------------------------

    def predict(
        self,
        observation: Mapping[str, NDArray[np.float32]],
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
        action_masks: NDArray[Any] | None = None,
    ) -> tuple[Any, Any]:
        """Return the action of one observation or of a batch, and ``state``.

        Args:
            observation: What the environment returned; of a batch, arrays with a leading axis.
            state: Returned unchanged; the policy has no memory.
            episode_start: Ignored.
            deterministic: The most probable action if true, else a draw, or with the share ``epsilon`` any legal one.
            action_masks: Legal actions; ``None`` allows all.

        Raises:
            ValueError: A mask without any legal action.
        """
        is_single = np.ndim(observation["circuit"]) == 1
        batch = {name: np.asarray(one)[None] if is_single else np.asarray(one) for name, one in observation.items()}
        table = self.instances.own.table
        shape = len(batch["circuit"]), len(table)
        masks = np.ones(shape, dtype=np.int8) if action_masks is None else np.asarray(action_masks).reshape(shape)
        if not masks.any(axis=1).all():
            raise ValueError(must("action_masks", "leave at least one legal action", "all zero"))
        with torch.no_grad():
            scores = scores_of(self.network, batch)
            logits = table.logits(scores, torch.as_tensor(masks, device=self.device)).double().cpu().numpy()
        if not deterministic:
            logits = logits + self.rng.gumbel(size=shape)
            is_random = self.rng.random(shape[0]) < self.epsilon
            uniform = np.where(masks != 0, self.rng.random(shape), -np.inf)
            logits = np.where(is_random[:, None], uniform, logits)
        actions = logits.argmax(axis=1)
        return (actions[0] if is_single else actions), state

    # -- training ------------------------------------------------------------------------------------------------------

    def learn(
        self,
        total_timesteps: int,
        callback: Callback = None,
        log_interval: int = 0,
        progress_bar: bool = False,
        after_step: Callable[[], None] | None = None,
    ) -> GraphAgent:
        """Play ``total_timesteps`` more circuits, rounded up to whole groups, or until the callback returns False.

        Args:
            total_timesteps: Number of circuits.
            callback: An SB3 callback object, or a function ``(locals, globals) -> bool``, called after every circuit.
                ``locals["circuit"]`` is the circuit, ``locals["circuit_env"]`` the environment of its instance, whose
                episode is another one.
            log_interval: Ignored; callbacks log.
            progress_bar: Show a progress bar.
            after_step: Called at the end of every group: :meth:`state` may be read.

        Raises:
            ValueError: Training diverged.
        """
        if total_timesteps < 1:
            raise ValueError(must("total_timesteps", "be at least 1", total_timesteps))
        listener = as_callback(callback)
        listener.init_callback(self)
        listener.on_training_start({"self": self, "total_timesteps": total_timesteps}, {})
        with progress_of(total_timesteps, progress_bar) as advance:
            train(self, listener, self.num_timesteps + total_timesteps, after_step, advance)
        listener.on_training_end()
        return self

    # -- saving --------------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the policy, network and settings, as one safetensors file, which runs no code when read."""
        save_policy(self, Path(path))

    @classmethod
    def load(cls, path: str | Path, env: Any, device: str = "cpu") -> GraphAgent:
        """Read a policy written by :meth:`save`; the environment may be of another instance and another size.

        Raises:
            ValueError: Not such a file, or an environment with another encoding or other actions.
        """
        wanted = "a file written by GraphAgent.save"
        with damage_reported(Path(path), wanted):
            config, tensors, numbers = read_policy(Path(path), device)
        agent = cls(env, config, device=device)
        if [*numbers["num_features"]] != [*agent.num_features]:
            shown = f"show {numbers['num_features']} features of qubits, pairs and circuits"
            raise ValueError(must("env", shown, agent.num_features))
        with damage_reported(Path(path), wanted):
            agent.network.load_state_dict(tensors)
        agent.num_timesteps, agent.num_updates = numbers["num_timesteps"], numbers["num_updates"]
        return agent

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return everything that training needs to continue: arrays, and numbers that JSON represents exactly."""
        return state_of(self)

    def check(self, arrays: Mapping[str, NDArray[Any]], numbers: Mapping[str, Any], count: int) -> None:
        """Raise ``ValueError`` unless what :meth:`state` returned fits this agent.

        Args:
            arrays: The first part of it.
            numbers: The second.
            count: Transitions of a replay buffer, of which there is none: 0.
        """
        if count:
            raise ValueError(must("count", "be 0 for an agent without transitions", count))
        check_state(self, arrays, numbers)

    def restore(self, arrays: Mapping[str, NDArray[Any]], numbers: Mapping[str, Any]) -> None:
        """Restore what :meth:`state` returned.

        Raises:
            ValueError: It does not fit; nothing has changed.
        """
        self.check(arrays, numbers, 0)
        restore_state(self, arrays, numbers)

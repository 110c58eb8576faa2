"""The masked double DQN."""

from qas_agents.dqn.agent import MaskedDQN
from qas_agents.dqn.config import DQNConfig

__all__ = ["DQNConfig", "MaskedDQN"]

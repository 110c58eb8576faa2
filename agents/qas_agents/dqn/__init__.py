"""The masked double DQN."""

from qas_agents.dqn.agent import MaskedDQN
from qas_agents.dqn.config import DQNConfig
from qas_agents.dqn.growing import Growth, grow

__all__ = ["DQNConfig", "Growth", "MaskedDQN", "grow"]

"""The masked double DQN."""

from qas_agents.dqn.agent import MaskedDQN
from qas_agents.dqn.config import DQNConfig
from qas_agents.dqn.demonstrations import Demonstrations, DemonstrationsConfig
from qas_agents.dqn.growing import Growth, grow
from qas_agents.dqn.guides import Guide

__all__ = ["DQNConfig", "Demonstrations", "DemonstrationsConfig", "Growth", "Guide", "MaskedDQN", "grow"]

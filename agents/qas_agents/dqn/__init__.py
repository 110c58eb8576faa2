"""The masked double DQN."""

from qas_agents.dqn.agent import MaskedDQN
from qas_agents.dqn.config import DQNConfig
from qas_agents.dqn.demonstrations import Demonstrations, DemonstrationsConfig
from qas_agents.dqn.growing import Growth, grow
from qas_agents.dqn.guides import Guide
from qas_agents.dqn.policy_library import PolicyLibrary
from qas_agents.dqn.policy_reuse import PolicyReuse, PolicyReuseConfig, ppr_dqn

__all__ = [
    "DQNConfig",
    "Demonstrations",
    "DemonstrationsConfig",
    "Growth",
    "Guide",
    "MaskedDQN",
    "PolicyLibrary",
    "PolicyReuse",
    "PolicyReuseConfig",
    "grow",
    "ppr_dqn",
]

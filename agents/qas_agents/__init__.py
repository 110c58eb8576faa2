"""Agents for circuit-building environments; they see spaces, observations and action masks only."""

from qas_agents.dqn import DQNConfig, MaskedDQN

__all__ = ["DQNConfig", "MaskedDQN"]

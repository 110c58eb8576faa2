"""Vector environments: many environments stepped together."""

from qas_envs.vector.device import DeviceVectorEnv
from qas_envs.vector.env import CircuitBuildingVectorEnv

__all__ = ["CircuitBuildingVectorEnv", "DeviceVectorEnv"]

"""Agents for circuit-building environments, of which they use spaces, observations and action masks only."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from qas_simulators.errors import needs_extra

if TYPE_CHECKING:
    from qas_agents.adapt_circuits import adapt_circuit
    from qas_agents.dqn import (
        Demonstrations,
        DemonstrationsConfig,
        DQNConfig,
        Growth,
        MaskedDQN,
        PolicyLibrary,
        PolicyReuse,
        PolicyReuseConfig,
        grow,
        ppr_dqn,
    )
    from qas_agents.gadgets import extract
    from qas_agents.graph import GraphAgent, GraphConfig, PolicyProposal, policy_search
    from qas_agents.latent import CircuitVGAE, LatentBO, LatentREINFORCE
    from qas_agents.post_processing import annealed_blocks, post_process, pruned, resynthesised
    from qas_agents.sb3 import SB3Agent
    from qas_agents.searchers import (
        BeamSearch,
        BlockAnnealing,
        BlockBeam,
        Evolution,
        FrozenPolicy,
        GreedyBlocks,
        GreedySearch,
        HardwareEfficient,
        LayeredBlocks,
        RandomBlocks,
        RandomPolicy,
        SimulatedAnnealing,
        best_of,
        block_circuits,
        ceo_pool,
        determinant,
        distinct_skeletons,
        pauli_pool,
        prune_operators,
        qeb_pool,
        qubit_adapt,
        skeleton_floors,
        spin_orbitals,
        usual_pool,
    )

__all__ = [
    "BeamSearch",
    "BlockAnnealing",
    "BlockBeam",
    "CircuitVGAE",
    "DQNConfig",
    "Demonstrations",
    "DemonstrationsConfig",
    "Evolution",
    "FrozenPolicy",
    "GraphAgent",
    "GraphConfig",
    "GreedyBlocks",
    "GreedySearch",
    "Growth",
    "HardwareEfficient",
    "LatentBO",
    "LatentREINFORCE",
    "LayeredBlocks",
    "MaskedDQN",
    "PolicyLibrary",
    "PolicyProposal",
    "PolicyReuse",
    "PolicyReuseConfig",
    "RandomBlocks",
    "RandomPolicy",
    "SB3Agent",
    "SimulatedAnnealing",
    "adapt_circuit",
    "annealed_blocks",
    "best_of",
    "block_circuits",
    "ceo_pool",
    "determinant",
    "distinct_skeletons",
    "extract",
    "grow",
    "pauli_pool",
    "policy_search",
    "post_process",
    "ppr_dqn",
    "prune_operators",
    "pruned",
    "qeb_pool",
    "qubit_adapt",
    "resynthesised",
    "skeleton_floors",
    "spin_orbitals",
    "usual_pool",
]

_PACKAGES = {
    "qas_agents.adapt_circuits": ("adapt_circuit",),
    "qas_agents.dqn": (
        "DQNConfig",
        "Demonstrations",
        "DemonstrationsConfig",
        "Growth",
        "MaskedDQN",
        "PolicyLibrary",
        "PolicyReuse",
        "PolicyReuseConfig",
        "grow",
        "ppr_dqn",
    ),
    "qas_agents.gadgets": ("extract",),
    "qas_agents.graph": ("GraphAgent", "GraphConfig", "PolicyProposal", "policy_search"),
    "qas_agents.latent": ("CircuitVGAE", "LatentBO", "LatentREINFORCE"),
    "qas_agents.post_processing": ("annealed_blocks", "post_process", "pruned", "resynthesised"),
    "qas_agents.sb3": ("SB3Agent",),
}
"""Packages of public names; :mod:`qas_agents.searchers` has the others."""


def __getattr__(name: str) -> Any:
    """Import what is asked for: commands start quickly, and only agents that learn need PyTorch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    package = next((package for package, names in _PACKAGES.items() if name in names), "qas_agents.searchers")
    with needs_extra("agents"):
        value = getattr(import_module(package), name)
    globals()[name] = value
    return value

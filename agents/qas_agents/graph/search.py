"""Search that a trained policy guides: its circuits as starts of annealing, its choices as mutations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.resources import files
from inspect import signature
from pathlib import Path
from typing import Any, Final

from qas_agents.graph.agent import GraphAgent
from qas_agents.graph.proposal import PolicyProposal
from qas_agents.searchers.annealing_blocks import BlockAnnealing
from qas_simulators.errors import must, unknown_name

_WEIGHTS: Final = "weights"
_NOT_SETTINGS: Final = ("env", "seed", "annealing", "start_blocks", "proposal")


def policy_file(policy: str) -> Path:
    """Return the file of a policy: a path, or the name of one that comes with the library.

    Raises:
        ValueError: Neither.
    """
    folder = Path(str(files(__package__).joinpath(_WEIGHTS)))
    shipped = {path.stem: path for path in sorted(folder.glob("*.safetensors"))}
    if policy in shipped:
        return shipped[policy]
    if not Path(policy).is_file():
        raise ValueError(must("policy", f"be the path of a policy file, or one of {', '.join(shipped)}", policy))
    return Path(policy)


def policy_search(
    env: Any,
    seed: int | None = None,
    policy: str = "ising_graphs",
    lengths: Sequence[float] = (3.0, 4.0),
    temperature: float = 1.5,
    uniform: float = 0.5,
    candidates: int = 1,
    own_pairs: bool = False,
    openings: int = 16,
    scouts: int = 4,
    scout_temperature: float = 0.0,
    **annealing: Any,
) -> BlockAnnealing:
    """Return annealing over blocks whose starts and mutations a trained policy draws.

    Cycles begin with circuits from the policy. The defaults were chosen on 40 Ising graphs that are in no table.

    Args:
        env: Its actions are blocks, its encoding is ``hamiltonian_graph``.
        seed: Seeds everything.
        policy: A policy file, or the name of a policy that comes with the library.
        lengths: Smallest and largest length of a circuit from the policy, over the number of qubits.
        temperature: Divides the policy's logits.
        uniform: Share of mutations that ignore the policy.
        candidates: Circuits drawn for each one that is evaluated; those with the highest predicted reward are.
        own_pairs: Whether the first cycle starts from the pairs of the Hamiltonian's terms, where these are local.
        openings: Circuits from the policy at the start of a cycle; the better quarter is optimised to the end.
        scouts: Circuits of five blocks per qubit from the policy, which are played before the search. With few qubits
            the best of them often is the first solution; the search then finds shorter ones.
        scout_temperature: Divides the policy's logits for scouts; 0 for ``temperature``.
        annealing: Other settings of :class:`~qas_agents.searchers.annealing_blocks.BlockAnnealing`, such as ``cycle``,
            ``spread`` or ``scout_iterations``.

    Raises:
        ValueError: An unknown setting, a number out of range, no such policy, or an environment that it does not fit.
    """
    settings = {*signature(policy_search).parameters, *signature(BlockAnnealing).parameters} - {*_NOT_SETTINGS}
    for name in annealing:
        if name not in settings:
            raise ValueError(unknown_name("setting of graph_search", name, settings))
    agent = GraphAgent.load(policy_file(policy), env)
    proposal = PolicyProposal(
        agent, seed, lengths, temperature, uniform, candidates, scout_temperature=scout_temperature
    )
    longest = math.ceil(lengths[1] * agent.instances.own.num_qubits)
    given: dict[str, Any] = {"own_pairs": own_pairs, "openings": openings, "scouts": scouts, **annealing}
    return BlockAnnealing(env, seed, longest, proposal=proposal, **given)

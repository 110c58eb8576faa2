"""Corpora: circuits of runs in the form from which gadgets are extracted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from qas_agents.gadgets import tidied
from qas_envs import CircuitBuildingEnv
from qas_experiments.building import make_environment
from qas_experiments.runs.files import read_circuits, settings_of
from qas_simulators import Circuit, Gadget


@dataclass(frozen=True)
class Corpus:
    """Circuits, and the blocks that they were built of.

    Circuits of single gates are simplified. Circuits of blocks are kept as they were built, without the initial
    circuit, so that they are sequences of blocks, and gadgets are sequences of blocks, too.

    Attributes:
        circuits: Circuits with at least one gate.
        blocks: The blocks, with names that no gate or gadget has.
    """

    circuits: tuple[Circuit, ...]
    blocks: tuple[Gadget, ...]

    @classmethod
    def of(cls, runs: Iterable[Path]) -> Corpus:
        """Read the circuits of runs, each a folder or a file of circuits.

        A file has no environment beside it: its circuits are simplified.

        Raises:
            ValueError: There is no such run, or it cannot be read.
        """
        circuits: list[Circuit] = []
        blocks: list[Gadget] = []
        for run in runs:
            found = [solution.circuit for solution in read_circuits(run)]
            env = make_environment(settings_of(run), is_silent=True) if run.is_dir() else None
            if env is not None and env.catalogue.has_blocks:
                found = [_without_start(circuit, env) for circuit in found]
                blocks += [block for block in env.catalogue.blocks if block not in blocks]
            else:
                found = [tidied(circuit) for circuit in found]
            circuits += [circuit for circuit in found if len(circuit)]
        named = tuple(replace(block, name=f"block_{k}_{block.name}") for k, block in enumerate(blocks))
        return cls(tuple(circuits), named)


def _without_start(circuit: Circuit, env: CircuitBuildingEnv) -> Circuit:
    """Return the gates after the initial circuit, or the circuit itself if it starts in another way."""
    start = env.initial.num_gates
    if circuit.table[:start, :3].tolist() != env.initial.table[:, :3].tolist():
        return circuit
    rest = Circuit(circuit.num_qubits)
    for operation in [*circuit][start:]:
        rest.append(*operation)
    return rest

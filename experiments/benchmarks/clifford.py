"""Two-qubit gates of stabiliser states: constructions that anyone can run, and the fewest possible ones.

    python experiments/benchmarks/clifford.py [--out table.md]

A row has the two-qubit gates of the graph state that follows from the canonical generators, of Qiskit's synthesis of
the Clifford operator that it chooses for the state (Aaronson-Gottesman, and greedy by Bravyi et al.), of Qiskit's
synthesis of the state in layers, and the fewest possible ones, where they are known: exact to seven qubits, and for GHZ
states. All circuits are verified by Qiskit. It takes about a minute.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qiskit import QuantumCircuit
from qiskit.quantum_info import Clifford
from qiskit.quantum_info import StabilizerState as QiskitState
from qiskit.synthesis import synth_clifford_ag, synth_clifford_greedy, synth_stabilizer_layers

from qas_envs.problems import clifford_state, fewest_two_qubit_gates
from qas_envs.problems.clifford import target_state
from qas_simulators import StabilizerState
from qas_simulators.stabilizers import graph_form

INSTANCES: tuple[dict[str, Any], ...] = (
    *({"target": "ghz", "num_qubits": size} for size in (3, 5, 20, 100)),
    *({"target": "ring", "num_qubits": size} for size in (4, 5, 6, 7)),
    {"target": "complete", "num_qubits": 6},
    {"target": "random_graph", "num_qubits": 6},
    {"target": "random", "num_qubits": 6, "two_qubit_gates": 12},
    *({"target": code} for code in ("five_qubit", "steane", "shor")),
    *({"target": "surface", "distance": distance} for distance in (3, 5)),
    *({"target": "toric", "distance": distance} for distance in (2, 3)),
)
_MOST_OPERATORS = 30  # qubits; Qiskit's greedy synthesis takes minutes above


def pairs_of(circuit: QuantumCircuit) -> int:
    """Return the number of two-qubit gates; a SWAP is three."""
    counts = {name: number for name, number in circuit.count_ops().items() if name in ("cx", "cz", "swap")}
    return sum(number * (3 if name == "swap" else 1) for name, number in counts.items())


def synthesised(state: StabilizerState) -> dict[str, int | None]:
    """Return the two-qubit gates of Qiskit's circuits, each verified to prepare the state."""
    wanted = QiskitState.from_stabilizer_list(state.labels())
    if not wanted.equiv(QiskitState(graph_form(state).circuit.to_qiskit())):
        raise ArithmeticError(f"The graph state of {state} is another state by Qiskit.")
    if state.num_qubits > _MOST_OPERATORS:
        return dict.fromkeys(("Aaronson-Gottesman", "greedy", "layers"))
    operator = wanted.clifford
    found: dict[str, int | None] = {}
    makers: dict[str, Callable[[Clifford], QuantumCircuit]] = {
        "Aaronson-Gottesman": synth_clifford_ag,
        "greedy": synth_clifford_greedy,
        "layers": lambda one: synth_stabilizer_layers(QiskitState(one)).decompose(),
    }
    for name, make in makers.items():
        circuit = make(operator)
        if not wanted.equiv(QiskitState(circuit)):
            raise ArithmeticError(f"Qiskit's synthesis {name!r} prepares another state than {state}.")
        found[name] = pairs_of(circuit)
    return found


def fewest(arguments: dict[str, Any], state: StabilizerState) -> int | None:
    """Return the fewest two-qubit gates, where they are known."""
    if arguments["target"] == "ghz":  # all qubits are entangled: a connected circuit
        return state.num_qubits - 1
    return fewest_two_qubit_gates(state) if state.num_qubits <= 7 else None


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, help="file for the table, in Markdown")
    given = parser.parse_args()
    columns = ("target", "qubits", "graph state", "Aaronson-Gottesman", "greedy", "layers", "fewest")
    lines = [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]
    for arguments in INSTANCES:
        state = target_state(clifford_state(**arguments))
        cells = [
            arguments["target"],
            state.num_qubits,
            len(graph_form(state).edges),
            *synthesised(state).values(),
            fewest(arguments, state),
        ]
        lines.append(f"| {' | '.join('?' if cell is None else str(cell) for cell in cells)} |")
        print(lines[-1], flush=True)
    if given.out is not None:
        given.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

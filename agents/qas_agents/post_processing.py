"""Post-processing of any circuit: prune, re-synthesise two-qubit runs, anneal over blocks, re-optimise."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qas_agents.block_conversion import as_blocks
from qas_agents.searchers.shortening import DEFAULT_EFFORT, Draft, Effort, Workshop
from qas_simulators import Circuit, PauliSum, Simulator, StatevectorSimulator
from qas_simulators.block_circuits import BlockBench
from qas_simulators.circuit import Operation
from qas_simulators.errors import must, needs_extra
from qas_simulators.optimizers import ScanLBFGS


@dataclass(frozen=True)
class Processed:
    """A circuit after post-processing.

    Attributes:
        circuit: With its angles.
        energy: In the Hamiltonian's unit.
        evaluations: Energy evaluations spent.
    """

    circuit: Circuit
    energy: float
    evaluations: int


def post_process(
    circuit: Circuit,
    hamiltonian: PauliSum,
    highest_energy: float,
    *,
    starts: int = 0,
    seed: int = 0,
    simulator: Simulator | None = None,
    synthesise: bool = True,
    cycles: int = 0,
    should_stop: Callable[[], bool] = lambda: False,
) -> Processed:
    """Remove gates while the energy stays below a limit: :func:`pruned` and :func:`resynthesised` by turns.

    With ``cycles``, :func:`annealed_blocks` comes first.

    Args:
        circuit: Any circuit; shared angles become separate ones.
        hamiltonian: The operator whose energy is minimised.
        highest_energy: Limit of the energy, such as the exact ground energy plus 1.6e-3.
        starts: See :func:`pruned`.
        seed: See :func:`pruned`.
        simulator: Without shots; by default the noiseless one.
        synthesise: Whether to re-synthesise, which needs the ``qiskit`` extra and replaces gates by RZ, RY and CX.
        cycles: See :func:`annealed_blocks`, whose circuits must have real gates; 0 to leave it out.
        should_stop: Called before every trial; if true, the best circuit so far is returned.

    Raises:
        ValueError: The energy of the circuit is above the limit even after its angles were optimised.

    Examples:
        >>> ising = PauliSum({"ZZ": -1.0, "XX": -0.5})
        >>> long = Circuit(2).ry(0.3, 0).cx(0, 1).ry(0.2, 1).cx(0, 1).ry(0.1, 0).cx(1, 0).ry(0.4, 0)
        >>> short = post_process(long, ising, ising.ground_energy() + 1e-6, starts=2, synthesise=False)
        >>> short.circuit.num_two_qubit_gates
        1
    """
    spent = 0
    if cycles:
        first = annealed_blocks(circuit, hamiltonian, highest_energy, cycles=cycles, seed=seed, should_stop=should_stop)
        circuit, spent = first.circuit, first.evaluations
    settings: dict[str, Any] = {"starts": starts, "seed": seed, "simulator": simulator, "should_stop": should_stop}
    best = pruned(circuit, hamiltonian, highest_energy, **settings)
    best = replace(best, evaluations=best.evaluations + spent)
    while synthesise and not should_stop():
        other = resynthesised(best.circuit)
        if other.num_two_qubit_gates >= best.circuit.num_two_qubit_gates:
            break
        try:
            again = pruned(other, hamiltonian, highest_energy, **settings)
        except ValueError:  # under noise the other gates cost energy
            break
        best = replace(again, evaluations=best.evaluations + again.evaluations)
    return best


def annealed_blocks(
    circuit: Circuit,
    hamiltonian: PauliSum,
    highest_energy: float,
    *,
    ground_energy: float | None = None,
    cycles: int = 10,
    max_evaluations: int | None = None,
    seed: int = 0,
    effort: Effort = DEFAULT_EFFORT,
    should_stop: Callable[[], bool] = lambda: False,
) -> Processed:
    """Remove blocks, and anneal over the others at ever smaller numbers, while the energy stays below a limit.

    A block is a CX with RY on both qubits. The state is simulated without noise, in real arithmetic.

    Args:
        circuit: Of RY, H, X, Z, CX, CZ and SWAP.
        hamiltonian: With a real matrix.
        highest_energy: Limit of the energy.
        ground_energy: Exact ground energy, from which errors are measured; computed by default.
        cycles: Cycles of annealing without a shorter circuit, after which it ends.
        max_evaluations: Energy evaluations after which it ends; no limit by default. The last trial may exceed it.
        seed: Seeds the mutations.
        effort: How much work is spent on a choice.
        should_stop: Called before every trial; if true, the best circuit so far is returned.

    Raises:
        ValueError: Other gates, a complex Hamiltonian, or an energy above the limit even after optimisation.

    Examples:
        >>> ising = PauliSum({"ZZ": -1.0, "XX": -0.5})
        >>> long = Circuit(2).ry(0.3, 0).cx(0, 1).ry(0.2, 1).cx(0, 1).ry(0.1, 0).cx(1, 0).ry(0.4, 0)
        >>> annealed_blocks(long, ising, ising.ground_energy() + 1e-6, cycles=1).circuit.count_ops()["cx"]
        1
    """
    bench = BlockBench(hamiltonian)

    def is_over() -> bool:
        return should_stop() or (max_evaluations is not None and bench.evaluations >= max_evaluations)

    workshop = Workshop(bench, np.random.default_rng(seed), effort, is_over)
    solution = workshop.optimized([as_blocks(circuit)], effort.last_iterations)[0]
    if not solution.energy <= highest_energy:
        raise ValueError(
            must("highest_energy", f"be at least the circuit's energy, {solution.energy:.9g}", highest_energy)
        )
    ground = hamiltonian.ground_energy() if ground_energy is None else ground_energy
    solution = workshop.shortened(solution, highest_energy)
    failures, draft = 0, solution
    while failures < cycles and solution.size and not is_over():
        if draft.size >= solution.size:
            draft = workshop.least_harmed(solution)
        draft = workshop.annealed(draft, highest_energy, ground)
        failures += 1
        if draft.energy <= highest_energy:
            solution, failures = workshop.shortened(draft, highest_energy), 0
    return _polished(bench, solution, hamiltonian)


def _polished(bench: BlockBench, draft: Draft, hamiltonian: PauliSum) -> Processed:
    """Return the circuit of a draft, its angles optimised to the end."""
    short = bench.circuit(draft.circuit).simplified()
    result = ScanLBFGS().minimize(StatevectorSimulator(real_arithmetic=True), short, hamiltonian)
    short.params = result.params
    return Processed(short, result.energy, bench.evaluations + result.evaluations)


def pruned(
    circuit: Circuit,
    hamiltonian: PauliSum,
    highest_energy: float,
    *,
    starts: int = 0,
    seed: int = 0,
    simulator: Simulator | None = None,
    max_iterations: int = 200,
    should_stop: Callable[[], bool] = lambda: False,
) -> Processed:
    """Remove two-qubit gates one at a time while the energy with re-optimised angles stays below a limit.

    The gate whose removal raises the energy least before optimisation is tried first. After a removal rotations merge.
    At the end one-qubit gates are removed in the same way.

    Args:
        circuit: Any circuit; shared angles become separate ones.
        hamiltonian: The operator whose energy is minimised.
        highest_energy: Limit of the energy.
        starts: Random starts of each optimisation besides the circuit's angles.
        seed: Seeds the random starts.
        simulator: Without shots; by default the noiseless one.
        max_iterations: L-BFGS iterations of each optimisation.
        should_stop: Called before every trial; if true, the best circuit so far is returned.

    Raises:
        ValueError: The energy of the circuit is above the limit even after its angles were optimised.
    """
    bench = _Bench(
        StatevectorSimulator() if simulator is None else simulator,
        hamiltonian,
        ScanLBFGS(max_iterations=max_iterations, starts=starts, seed=seed),
    )
    kept, energy = bench.optimised(_of(circuit.num_qubits, circuit))
    if not energy <= highest_energy:
        raise ValueError(must("highest_energy", f"be at least the circuit's energy, {energy:.9g}", highest_energy))
    for is_wanted in (_is_pair, _is_turn):
        kept, energy = bench.thinned(kept, energy, highest_energy, is_wanted, should_stop)
    return Processed(kept, energy, bench.evaluations)


class _Bench:
    """Optimises circuits and counts the evaluations."""

    def __init__(self, simulator: Simulator, hamiltonian: PauliSum, optimizer: ScanLBFGS) -> None:
        self._simulator, self._hamiltonian, self._optimizer = simulator, hamiltonian, optimizer
        self.evaluations = 0

    def optimised(self, circuit: Circuit) -> tuple[Circuit, float]:
        """Return a circuit without redundant gates, its angles optimised, and its energy."""
        short = circuit.simplified()
        result = self._optimizer.minimize(self._simulator, short, self._hamiltonian)
        short.params = result.params
        self.evaluations += result.evaluations
        return short, result.energy

    def thinned(
        self,
        circuit: Circuit,
        energy: float,
        highest: float,
        is_wanted: Callable[[Operation], bool],
        should_stop: Callable[[], bool],
    ) -> tuple[Circuit, float]:
        """Remove gates of one kind while the energy allows it; return the circuit and its energy."""
        while True:
            for shorter in self._by_harm(circuit, is_wanted):
                if should_stop():
                    return circuit, energy
                other, new = self.optimised(shorter)
                if new <= highest:
                    circuit, energy = other, new
                    break
            else:
                return circuit, energy

    def _by_harm(self, circuit: Circuit, is_wanted: Callable[[Operation], bool]) -> list[Circuit]:
        """Return the circuits without one of the wanted gates, those of lowest energy first."""
        gates = list(circuit)
        shorter = [
            _of(circuit.num_qubits, gates[:place] + gates[place + 1 :])
            for place, gate in enumerate(gates)
            if is_wanted(gate)
        ]
        self.evaluations += len(shorter)
        energies = self._simulator.expectations_of(shorter, self._hamiltonian) if shorter else np.empty(0)
        return [shorter[k] for k in np.argsort(energies, kind="stable").tolist()]


def _is_pair(gate: Operation) -> bool:
    return len(gate.qubits) == 2


def _is_turn(gate: Operation) -> bool:
    return len(gate.qubits) == 1


def _of(num_qubits: int, gates: Iterable[Operation]) -> Circuit:
    circuit = Circuit(num_qubits)
    for gate in gates:
        circuit.append(*gate)
    return circuit


def resynthesised(circuit: Circuit) -> Circuit:
    """Return a circuit of RZ, RY and CX with the same unitary, up to a global phase, or a copy of a shorter original.

    Every run of gates on one pair of qubits is written with at most three CNOTs, by Qiskit's implementation of Cartan's
    (KAK) decomposition. Needs the ``qiskit`` extra.

    Args:
        circuit: Any circuit.

    Examples:
        >>> run = Circuit(2).cx(0, 1).ry(0.1, 0).cx(1, 0).rx(0.2, 1).cx(0, 1).rz(0.3, 1).cx(1, 0).ry(0.4, 0).cx(0, 1)
        >>> resynthesised(run).count_ops()["cx"]
        3

    References:
        Vidal, Dawson, "Universal quantum circuit for two-qubit transformations with three controlled-NOT gates",
        arXiv:quant-ph/0307177.
    """
    with needs_extra("qiskit"):
        from qiskit.transpiler import PassManager
        from qiskit.transpiler.passes import (
            Collect2qBlocks,
            ConsolidateBlocks,
            Optimize1qGatesDecomposition,
            UnitarySynthesis,
        )
    gates = ["rz", "ry", "cx"]
    manager = PassManager(
        [
            Collect2qBlocks(),
            ConsolidateBlocks(basis_gates=gates, force_consolidate=True),
            UnitarySynthesis(basis_gates=gates),
            Optimize1qGatesDecomposition(basis=gates),
        ]
    )
    other = Circuit.from_qiskit(manager.run(circuit.to_qiskit()))
    return other if other.num_two_qubit_gates <= circuit.num_two_qubit_gates else circuit.copy()

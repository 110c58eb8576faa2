"""ADAPT until a solution, then shorter: operators are removed, and the circuit is annealed over blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from qas_agents.block_conversion import as_blocks
from qas_agents.post_processing import Processed, annealed_blocks
from qas_agents.searchers.adapt import AdaptStep, prune_operators, qubit_adapt, with_real_gates
from qas_simulators import Circuit, PauliSum, Simulator
from qas_simulators.errors import must
from qas_simulators.exponentials import Exponential


def adapt_circuit(
    hamiltonian: PauliSum,
    pool: Sequence[str | Exponential],
    highest_energy: float,
    *,
    max_operators: int = 1000,
    reference: Circuit | None = None,
    tetris: bool = False,
    per_cnot: bool = False,
    evaluations: int = 30_000,
    ground_energy: float | None = None,
    seed: int = 0,
    should_stop: Callable[[], bool] = lambda: False,
    simulator: Simulator | None = None,
) -> Processed:
    """Return the circuit of ADAPT-VQE at its first energy below a limit, with fewer operators and fewer CNOTs.

    :func:`qubit_adapt` appends operators until the energy is below the limit, :func:`prune_operators` removes those
    that are not needed. Then the circuit is written with real gates, and :func:`annealed_blocks` removes and replaces
    single CNOTs. If that is no shorter, or real gates are not enough, the circuit of the operators is returned.

    Args:
        hamiltonian: The operator whose energy is minimised.
        pool: See :func:`qubit_adapt`.
        highest_energy: Limit of the energy, such as the exact ground energy plus 1.6e-3.
        max_operators: Largest number of operators.
        reference: See :func:`qubit_adapt`.
        tetris: See :func:`qubit_adapt`.
        per_cnot: See :func:`qubit_adapt`.
        evaluations: Budget of energy evaluations for annealing, which the last trial may exceed; 0 to leave it out.
        ground_energy: Exact ground energy, from which annealing measures errors; computed by default.
        seed: Seeds the annealing.
        should_stop: Called before every trial of annealing; if true, the best circuit so far is returned.
        simulator: See :func:`qubit_adapt`. It is not used for annealing, which keeps a state: above about 20 qubits
            ``evaluations`` must be 0.

    Returns:
        The circuit, its energy, and all evaluations, those of the pool's slopes included.

    Raises:
        ValueError: No circuit of at most ``max_operators`` operators is below the limit; or see :func:`qubit_adapt`.

    Examples:
        >>> ising = PauliSum({"ZZ": -1.0, "XI": -1.0, "IX": -1.0})
        >>> limit = ising.ground_energy() + 1e-2
        >>> adapt_circuit(ising, ["YZ", "YI", "IY"], limit, evaluations=100).circuit.num_two_qubit_gates
        1
    """
    if evaluations < 0:
        raise ValueError(must("evaluations", "not be negative", evaluations))
    grow = partial(qubit_adapt, per_cnot=per_cnot, tetris=tetris, simulator=simulator)
    path = grow(hamiltonian, pool, max_operators, reference)
    solution = _first_below(path, highest_energy, max_operators)
    step = prune_operators(solution, hamiltonian, pool, highest_energy, reference, simulator=simulator)
    best = Processed(step.circuit.simplified(), step.energy, step.evaluations)
    real = _with_real_gates(step, hamiltonian, pool, reference) if evaluations and hamiltonian.is_real else None
    if real is None:
        return best
    anneal = partial(annealed_blocks, ground_energy=ground_energy, seed=seed, should_stop=should_stop)
    return _shorter(best, anneal(real, hamiltonian, highest_energy, max_evaluations=evaluations, cycles=evaluations))


def _first_below(path: Iterable[AdaptStep], highest_energy: float, max_operators: int) -> AdaptStep:
    solution = next((step for step in path if step.energy < highest_energy), None)
    if solution is None:
        raise ValueError(must("max_operators", "be enough for an energy below the limit", max_operators))
    return solution


def _shorter(first: Processed, second: Processed) -> Processed:
    """Return the circuit with fewer two-qubit gates, with the evaluations of both."""
    shorter = min(first, second, key=lambda one: one.circuit.num_two_qubit_gates)
    return Processed(shorter.circuit, shorter.energy, first.evaluations + second.evaluations)


def _with_real_gates(
    step: AdaptStep, hamiltonian: PauliSum, pool: Sequence[str | Exponential], reference: Circuit | None
) -> Circuit | None:
    """Return the circuit of a step in gates of blocks; ``None`` if the operators or the reference have other gates."""
    used = {*step.operators}
    own = [item for item in pool if (item if isinstance(item, str) else item.label) in used]
    try:
        circuit = (with_real_gates(step, hamiltonian, own, reference) if own else step).circuit
        as_blocks(circuit)
    except ValueError:
        return None
    return circuit

"""Extraction of gadgets: the reference run of the score, planted motifs, programs that stay the same circuits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qas_agents.gadgets import (
    ScoreSettings,
    equivalent,
    extract,
    merged,
    num_uses,
    random_gadgets,
    standalone,
    tidied,
    used,
)
from qas_agents.gadgets.grammar import Candidate, Production, Text, score
from qas_agents.gadgets.planting import planted_circuits
from qas_agents.gadgets.programs import Call, CallSequence, Vocabulary, normal_form
from qas_simulators import Circuit, Gadget
from qas_simulators.flat_circuit import Link
from qas_simulators.gadgets import Part

FREE = Link(0, 1.0, 0.0)
RZ_CZ = Gadget("rz_cz", 2, 1, (Part("rz", (0,), (FREE,)), Part("cz", (0, 1))))


def circuit(num_qubits: int, *gates: tuple[str, Sequence[int]]) -> Circuit:
    made = Circuit(num_qubits)
    for k, (name, qubits) in enumerate(gates):
        made.append(name, qubits, 0.1 * (k + 1) if name[0] == "r" else None)
    return made


# -- the reference run: released code, four circuits on qubits 0 and 1 -------------------------------------------------

REFERENCE = (
    circuit(2, ("rz", [0]), ("cz", [0, 1]), ("sx", [1])),
    circuit(2, ("sx", [0]), ("rz", [0]), ("cz", [0, 1])),
    circuit(2, ("x", [0]), ("sx", [0]), ("rz", [0]), ("cz", [0, 1])),
    circuit(2, ("x", [1]), ("sx", [1]), ("rz", [1]), ("cz", [1, 0])),
)
LIKELIHOODS = (0.000000, 0.000199, -0.000296, -0.000389)  # of the circuits themselves, six digits
PRIMITIVES = {
    "x": Production(1, 0, 1.0),
    "rz": Production(1, 1, 1.0),
    "sx": Production(1, 0, 1.0),
    "cz": Production(2, 0, 1.0),
}


@pytest.mark.parametrize(
    ("structure_penalty", "pseudo_counts", "start", "first", "second"),
    [(1.0, 10.0, -49.626832, -40.680988, -40.155982), (0.5, 1.0, -48.470939, -36.799414, -34.432523)],
)
def test_scores_of_the_reference_run(
    structure_penalty: float, pseudo_counts: float, start: float, first: float, second: float
) -> None:
    """The scores that the released program-synthesis code printed, to its six digits."""
    kind = ScoreSettings(structure_penalty, pseudo_counts)

    def texts(*calls: str) -> list[Text]:
        pairs = zip(calls, LIKELIHOODS, strict=True)
        return [Text(2, Counter(names.split()), 1, likelihood) for names, likelihood in pairs]

    plain = texts("rz cz sx", "sx rz cz", "x sx rz cz", "x sx rz cz")
    assert score(plain, PRIMITIVES, None, kind) == pytest.approx(start, abs=2e-6)
    parts = [PRIMITIVES[name] for name in ("sx", "rz", "cz")]
    chain = Candidate(Production.of_parts(parts, 2, False), Counter(["sx", "rz", "cz"]), {1: 1, 2: 1, 3: 1})
    assert score(plain, PRIMITIVES, chain, kind) == pytest.approx(first, abs=2e-6)
    known = {**PRIMITIVES, "chain": Production.of_parts(parts, 2, True)}
    longer = Production.of_parts([known["x"], known["chain"]], 2, False)
    rewritten = texts("rz cz sx", "chain", "x chain", "x chain")
    candidate = Candidate(longer, Counter(["x", "chain"]), {2: 1, 3: 1})
    assert score(rewritten, known, candidate, kind) == pytest.approx(second, abs=2e-6)


def test_extraction_finds_the_gadgets_of_the_reference_run() -> None:
    found = extract(REFERENCE, 5)
    constant = sum(LIKELIHOODS)
    assert [round(value + constant, 5) for value in found.scores] == [-49.62683, -40.68099, -40.15598]
    assert [[name for name, _, _ in gadget.unrolled()] for gadget in found.gadgets] == [
        ["sx", "rz", "cz"],
        ["x", "sx", "rz", "cz"],
    ]
    assert found.uses == (3, 2)
    assert isinstance(found.gadgets[1].parts[1].what, Gadget), "the second is made of the first"


def test_half_the_structure_penalty_finds_the_same() -> None:
    found = extract(REFERENCE, settings=ScoreSettings(structure_penalty=0.5, pseudo_counts=1.0))
    assert found.uses == (3, 2)


# -- planted motifs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_planted_motifs_are_among_the_first_three(seed: int) -> None:
    motifs, circuits = planted_circuits(np.random.default_rng(seed))
    found = extract(circuits, 3)
    for motif in motifs:
        assert any(equivalent(motif, gadget) for gadget in found.gadgets)
        assert num_uses(motif, circuits) >= len(circuits)


def test_circuits_without_repetition_have_no_gadgets() -> None:
    found = extract([circuit(2, ("rx", [0])), circuit(2, ("rz", [1]), ("cx", [0, 1]))])
    assert found.gadgets == () and len(found.scores) == 1


def test_usage_ranks_by_uses() -> None:
    _, circuits = planted_circuits(np.random.default_rng(5))
    by_usage = extract(circuits, 4, rank="usage")
    assert list(by_usage.uses) == sorted(by_usage.uses, reverse=True)
    assert max(by_usage.uses) >= max(extract(circuits, 4).uses)


def test_known_gadgets_are_used_and_not_found_again() -> None:
    motifs, circuits = planted_circuits(np.random.default_rng(6))
    found = extract(circuits, 3, known=motifs)
    for motif in motifs:
        assert not any(equivalent(motif, gadget) for gadget in found.gadgets)
        assert any(call.name == motif.name for program in found.programs for call in program.calls)


# -- programs ----------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["cx", "cz", "rx", "rz", "h", "t"])


def block(name: str, entangler: str, dressing: Sequence[str]) -> Gadget:
    gates = [(entangler, (0, 1)), *((gate, (qubit,)) for qubit in (0, 1) for gate in dressing)]
    parts = [
        Part(gate, qubits, () if gate == "cx" else (Link(k - 1, 1.0, 0.0),)) for k, (gate, qubits) in enumerate(gates)
    ]
    return Gadget(name, 2, len(gates) - 1, tuple(parts))


def chain_of(of_pair: Gadget, pairs: Sequence[tuple[int, int]]) -> Circuit:
    made = Circuit(4)
    for pair in pairs:
        of_pair.append_to(made, pair)
    return made


@pytest.mark.parametrize("dressing", [("ry",), ("rz", "ry", "rz")])
def test_gadgets_of_circuits_of_blocks_are_sequences_of_blocks(dressing: tuple[str, ...]) -> None:
    """The steps 0-1, 1-2 recur; the rotations about Z of two blocks are redundant, and no reason to leave them out."""
    of_pair = block("block_0", "cx", dressing)
    orders = [[(0, 1), (1, 2), (3, 2)], [(2, 3), (0, 2), (2, 1)], [(3, 0), (0, 2), (1, 3)], [(1, 2), (2, 0), (1, 3)]]
    circuits = [chain_of(of_pair, pairs) for pairs in orders]
    found = extract(circuits, 2, blocks=[of_pair], max_qubits=3)
    assert [[part.what for part in gadget.parts] for gadget in found.gadgets] == [[of_pair, of_pair]]
    (first, second) = (part.qubits for part in found.gadgets[0].parts)
    assert first[1] == second[0] and first[0] != second[1], "along a chain, as in the circuits"
    for program, circuit_of in zip(found.programs, circuits, strict=True):
        assert Counter(call.name for call in program.calls) in (
            {found.gadgets[0].name: 1, "block_0": 1},
            {"block_0": 3},
        )
        assert len(program.calls) < len(circuit_of)
    long = [chain_of(of_pair, pairs) for pairs in ([(0, 1), (1, 2)] * 2, [(3, 2), (2, 1)] * 2, [(1, 0), (0, 2)] * 2)]
    later = extract(long, 1, known=standalone(found.gadgets), blocks=[of_pair], max_qubits=3)
    assert [gadget.num_two_qubit_gates for gadget in later.gadgets] == [4], "two of the gadgets of an earlier round"
    unaware = extract(circuits, 2, max_qubits=3)
    assert any(equivalent(gadget, of_pair) for gadget in unaware.gadgets), "without, a copy of the block is found"


@st.composite
def circuits_of(draw: st.DrawFn) -> Circuit:
    made = Circuit(3)
    for name in draw(st.lists(NAMES, min_size=1, max_size=12)):
        qubits = draw(st.permutations(range(3)))[: 1 + name.startswith("c")]
        made.append(name, qubits, draw(st.floats(-3, 3)) if name[0] == "r" else None)
    return made


@given(circuits_of(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_normal_form_does_not_depend_on_the_order_of_what_commutes(made: Circuit, random: object) -> None:
    vocabulary, calls = Vocabulary(), list(CallSequence.of(made).calls)
    expected = normal_form(calls, vocabulary)
    for _ in range(20):
        k = random.randrange(max(1, len(calls) - 1))  # type: ignore[attr-defined]
        if k + 1 < len(calls) and vocabulary.commute(calls[k], calls[k + 1]):
            calls[k], calls[k + 1] = calls[k + 1], calls[k]
    assert normal_form(calls, vocabulary) == expected


@pytest.mark.parametrize("seed", range(6))
def test_rewritten_programs_are_the_same_circuits(seed: int) -> None:
    _, circuits = planted_circuits(np.random.default_rng(seed), num_qubits=3, noise=5)
    found = extract(circuits, 4, max_qubits=3, settings=ScoreSettings(0.3, 1.0, 0.0))
    words, plain = Vocabulary(found.gadgets), Vocabulary()
    written = [call.name for program in found.programs for call in program.calls]
    assert sum(name in words.gadgets for name in written) >= 20
    for made, program in zip(circuits, found.programs, strict=True):
        gates = [gate for call in program.calls for gate in words.unrolled(call)]
        assert normal_form(gates, plain) == normal_form(CallSequence.of(made).calls, plain)


def test_gadgets_commute_if_all_their_gates_do() -> None:
    words = Vocabulary([RZ_CZ])
    assert words.commute(Call("rz_cz", (0, 1)), Call("rz", (1,)))
    assert not words.commute(Call("rz_cz", (0, 1)), Call("rx", (1,)))
    assert words.commute(Call("rz_cz", (0, 1)), Call("rx", (2,)))


# -- sets of gadgets ---------------------------------------------------------------------------------------------------


def test_equivalence_up_to_order_qubits_inverse_and_sign() -> None:
    same = Gadget("same", 2, 1, (Part("cz", (1, 0)), Part("rz", (1,), (FREE,))))  # other order, other qubit
    negative = Gadget("negative", 2, 1, (Part("rz", (0,), (Link(0, -1.0, 0.0),)), Part("cz", (0, 1))))
    assert equivalent(RZ_CZ, same) and equivalent(RZ_CZ, negative)
    forth = Gadget("forth", 2, 1, (Part("rx", (0,), (FREE,)), Part("cx", (0, 1))))
    back = Gadget("back", 2, 1, (Part("cx", (0, 1)), Part("rx", (0,), (FREE,))))
    assert equivalent(forth, back), "one is the other's inverse"
    assert not equivalent(forth, back, up_to_inverse=False)
    assert not equivalent(RZ_CZ, forth)
    linked = Gadget("linked", 1, 4, tuple(Part("rx", (0,), (Link(k, 2.0, 0.0),)) for k in range(4)))
    assert equivalent(linked, linked)
    assert not equivalent(forth, Gadget("target", 2, 1, (Part("rx", (1,), (FREE,)), Part("cz", (0, 1)))))
    assert merged([RZ_CZ, same, forth, back]) == [RZ_CZ, forth]


def test_simplifying_brings_no_foreign_gates() -> None:
    """X·SX is SX†, which IBM's devices do not have."""
    native = circuit(1, ("x", [0]), ("sx", [0]))
    assert tidied(native) is native
    assert len(tidied(circuit(1, ("rz", [0]), ("rz", [0]), ("sx", [0])))) == 2


def test_uses_are_counted_without_overlaps_in_any_order() -> None:
    held = circuit(3, ("cz", [1, 2]), ("rz", [2]), ("rx", [0]), ("rz", [0]), ("cz", [0, 1]))
    assert num_uses(RZ_CZ, [held]) == 2
    assert num_uses(RZ_CZ, [circuit(2, ("rz", [0]), ("rx", [0]), ("cz", [0, 1]))]) == 0
    assert used([RZ_CZ], [held]) == [RZ_CZ] and used([RZ_CZ], [circuit(2, ("cz", [0, 1]))]) == []


def test_random_gadgets_are_as_large_as_their_models() -> None:
    models = [RZ_CZ, Gadget("two", 2, 0, (Part("cx", (0, 1)), Part("h", (0,)), Part("cx", (1, 0))))]
    drawn = random_gadgets(models, ["cx", "rx", "ry", "rz"], np.random.default_rng(0))
    for model, gadget in zip(models, drawn, strict=True):
        assert (gadget.num_qubits, gadget.num_gates) == (model.num_qubits, model.num_gates)
        assert gadget.num_two_qubit_gates == model.num_two_qubit_gates
    again, other = (random_gadgets(models, ["cx", "rx", "ry", "rz"], np.random.default_rng(seed)) for seed in (0, 1))
    assert [g.parts for g in again] == [g.parts for g in drawn] != [g.parts for g in other]


# -- bad input ---------------------------------------------------------------------------------------------------------


def test_wrong_input_is_named() -> None:
    for circuits in ([], [Circuit(2)], [circuit(2, ("h", [0])), Circuit(2)]):
        with pytest.raises(ValueError, match=r"`circuits` must (contain at least one circuit|all contain gates)"):
            extract(circuits)
    for setting, text in (({"count": 0}, "`count`"), ({"max_calls": 1}, "`max_calls` must be at least 2, but is 1")):
        with pytest.raises(ValueError, match=text):
            extract(REFERENCE, **setting)
    with pytest.raises(ValueError, match=r"Unknown rank 'scor'.*Did you mean 'score'"):
        extract(REFERENCE, rank="scor")
    with pytest.raises(ValueError, match="`pseudo_counts` must be positive"):
        ScoreSettings(pseudo_counts=0.0)
    with pytest.raises(ValueError, match="`gates` must include some on"):
        random_gadgets([RZ_CZ], ["rz"], np.random.default_rng(0))

"""Hypothesis: mutated OpenQASM programs are read as Qiskit reads them, or refused with a position."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("qiskit")
pytest.importorskip("openqasm3")
from qas_simulators.bridges.qasm_text import tokens
from tests.fuzz.openqasm import PROGRAMS, WORDS, judge

_UNHURRIED = [HealthCheck.too_slow, HealthCheck.data_too_large]


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Draw a program in which up to two words are left out, repeated, exchanged, replaced or damaged."""
    words = [token.text for token in tokens(draw(st.sampled_from(PROGRAMS)))]
    for _ in range(draw(st.integers(0, 2))):
        place, other = draw(st.integers(0, len(words) - 1)), draw(st.integers(0, len(words) - 1))
        kind = draw(st.sampled_from([0, 1, 2, 3, 3, 3, 4, 5]))
        if kind == 0 and len(words) > 1:
            del words[place]
        elif kind == 1:
            words.insert(place, words[other])
        elif kind == 2:
            words[place], words[other] = words[other], words[place]
        elif kind == 3:
            of_its_kind = [word for word in WORDS if word[0].isalnum() == words[place][0].isalnum()]
            words[place] = draw(st.sampled_from(of_its_kind))
        elif kind == 4:
            words.insert(place, draw(st.sampled_from(WORDS)))
        else:
            words[place] = words[place][:-1] + draw(st.text(min_size=1, max_size=2))
    glue = draw(st.sampled_from([" ", " ", " ", "\n", "\t"]))
    return glue.join(words)


@settings(max_examples=150, derandomize=True, suppress_health_check=_UNHURRIED)
@given(mutated())
def test_mutated_programs_are_read_as_by_qiskit_or_refused(text: str) -> None:
    judge(text)


@pytest.mark.slow
@settings(max_examples=5_000, suppress_health_check=_UNHURRIED)
@given(mutated())
def test_many_mutated_programs_are_read_as_by_qiskit_or_refused(text: str) -> None:
    judge(text)


@settings(max_examples=100, derandomize=True)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    judge(text)


def test_the_programs_themselves() -> None:
    assert [judge(program) for program in PROGRAMS] == (["read"] * 4 + ["refused"]) * 2

"""Replay: every kind of ending, the ring, priorities and importance weights."""

from __future__ import annotations

import numpy as np
import pytest

from qas_agents.dqn.replay_buffer import NStepCollector, ReplayBuffer, SumTree, Transition

S = [np.array([float(k)], dtype=np.float32) for k in range(6)]
MASK = np.array([1, 1], dtype=np.int8)


# -- n-step returns --------------------------------------------------------------------------------------------------


def push_all(collector: NStepCollector, ending: str) -> list[Transition]:
    """Three steps with rewards 1, 2, 4; the last one ends as told."""
    done = []
    for k, reward in enumerate([1.0, 2.0, 4.0]):
        last = k == 2
        terminated, truncated = last and ending == "terminated", last and ending == "truncated"
        done += collector.push(S[k], k, reward, terminated, truncated, S[k + 1], MASK)
    return done


def test_mid_episode_returns() -> None:
    done = push_all(NStepCollector(2, 0.5), ending="none")
    assert [(t.action, t.n_step_return, t.discount) for t in done] == [(0, 1 + 0.5 * 2, 0.25), (1, 2 + 0.5 * 4, 0.25)]
    assert [float(t.next_observation[0]) for t in done] == [2.0, 3.0]


def test_termination_cuts_the_bootstrap() -> None:
    done = push_all(NStepCollector(2, 0.5), ending="terminated")
    assert [(t.action, t.n_step_return, t.discount) for t in done] == [(0, 2.0, 0.25), (1, 4.0, 0.0), (2, 4.0, 0.0)]


def test_truncation_bootstraps_with_the_steps_that_were_made() -> None:
    done = push_all(NStepCollector(5, 0.5), ending="truncated")
    assert [(t.action, t.n_step_return, t.discount) for t in done] == [(0, 3.0, 0.125), (1, 4.0, 0.25), (2, 4.0, 0.5)]
    assert all(float(t.next_observation[0]) == 3.0 for t in done)


def test_nothing_crosses_an_episode() -> None:
    collector = NStepCollector(3, 0.5)
    push_all(collector, ending="terminated")
    assert collector.push(S[4], 0, 8.0, False, False, S[5], MASK) == []
    assert collector.push(S[5], 1, 8.0, True, False, S[5], MASK)[0].n_step_return == 8 + 0.5 * 8


def test_ring_buffer_overwrites_the_oldest(rng: np.random.Generator) -> None:
    buffer = ReplayBuffer(3, 1, 2)
    for k in range(5):
        buffer.add(Transition(S[k], k, float(k), 0.5, S[k], MASK))
    assert len(buffer) == 3
    batch, _ = buffer.sample(200, rng)
    assert set(batch.actions.tolist()) == {2, 3, 4} and set(batch.weights.tolist()) == {1.0}


# -- priorities ------------------------------------------------------------------------------------------------------


def test_priorities_and_importance_weights(rng: np.random.Generator) -> None:
    """Priorities 1, 2, 3 and 4 with exponent 0.5: probabilities in proportion to 1, sqrt 2, sqrt 3 and 2."""
    buffer = ReplayBuffer(5, 1, 2, prioritization=0.5)
    for k in range(4):
        buffer.add(Transition(S[k], k, float(k), 0.5, S[k], MASK))
    errors = np.array([1.0, -2.0, 3.0, -4.0], dtype=np.float32)
    buffer.reprioritize(np.arange(4), errors)
    expected = np.sqrt(np.abs(errors)) / np.sqrt(np.abs(errors)).sum()
    batch, rows = buffer.sample(40_000, rng, importance=1.0)
    np.testing.assert_array_equal(rows, batch.actions)
    frequencies = np.bincount(rows, minlength=4) / len(rows)
    np.testing.assert_allclose(frequencies, expected, atol=2e-4, err_msg="samples are stratified")
    np.testing.assert_allclose(batch.weights, (expected.min() / expected)[rows], rtol=1e-5)
    assert batch.weights.mean() == pytest.approx(4 * expected.min(), rel=0.01), "weights undo the preference"
    half, rows = buffer.sample(100, rng, importance=0.5)
    np.testing.assert_allclose(half.weights, np.sqrt(expected.min() / expected)[rows], rtol=1e-5)
    buffer.add(Transition(S[4], 4, 0.0, 0.5, S[4], MASK))
    assert buffer.tree is not None and buffer.tree.get(np.array([4]))[0] == pytest.approx(2.0), "the largest so far"


def test_sum_tree_finds_partial_sums(rng: np.random.Generator) -> None:
    tree, values = SumTree(11), rng.random(11)
    tree.set(np.arange(11), values)
    tree.set(np.array([3, 7]), np.array([0.0, 2.5]))
    values[[3, 7]] = 0.0, 2.5
    assert tree.total == pytest.approx(values.sum())
    sums = rng.random(500) * values.sum()
    np.testing.assert_array_equal(tree.find(sums), np.searchsorted(values.cumsum(), sums, side="right"))

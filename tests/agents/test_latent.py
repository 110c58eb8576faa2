"""Learned representations: graphs of circuits, the autoencoder, and searches among embeddings."""

from __future__ import annotations

import inspect
from dataclasses import fields
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import qas_envs  # noqa: F401
from qas_agents import CircuitVGAE, LatentBO, LatentREINFORCE
from qas_agents.latent import CircuitGraphs, VGAEConfig, Vocabulary, quality
from qas_agents.latent.bayesian import _expected_improvement
from qas_agents.latent.graphs import Gate
from qas_agents.latent.pool import LatentSearcher

GATES = Vocabulary(3, ("ry", "cx"), 6)
SHORT = Vocabulary(3, ("ry", "cx"), 4)


def random_circuits(size: int, vocabulary: Vocabulary = GATES, seed: int = 0) -> list[list[Gate]]:
    rng, found = np.random.default_rng(seed), []
    for _ in range(size):
        circuit: list[Gate] = []
        for _ in range(int(rng.integers(1, vocabulary.num_nodes + 1))):
            pair = rng.choice(vocabulary.num_qubits, 2, replace=False).tolist()
            circuit.append(("ry", (pair[0],)) if rng.random() < 0.5 else ("cx", (pair[0], pair[1])))
        found.append(circuit)
    return found


# -- the data that is learned from -------------------------------------------------------------------------------------


def test_training_data_have_no_energies() -> None:
    """Not by name, and not by content: a graph is gates and qubits, all of them integers."""
    assert [field.name for field in fields(CircuitGraphs)] == ["vocabulary", "gates", "controls", "targets"]
    assert {field.name for field in fields(Vocabulary)} == {"num_qubits", "gates", "num_nodes"}
    graphs = CircuitGraphs.of(GATES, random_circuits(5))
    assert all(getattr(graphs, name).dtype == np.int64 for name in ("gates", "controls", "targets"))
    assert list(inspect.signature(CircuitVGAE.fit).parameters) == ["self", "graphs", "epochs"]
    assert inspect.signature(CircuitVGAE.fit, eval_str=True).parameters["graphs"].annotation is CircuitGraphs


def test_training_evaluates_no_energy(monkeypatch: pytest.MonkeyPatch) -> None:
    env = gym.make("QAS-TFIM-v0", num_qubits=3, actions="blocks").unwrapped

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("an energy was evaluated")

    monkeypatch.setattr(type(env.player), "play_many", refuse)
    search = LatentREINFORCE(env, 0, pool=20, epochs=1)
    search._fill()
    assert search._vgae is not None and search._vgae.num_steps == 1
    with pytest.raises(AssertionError, match="an energy was evaluated"):
        search.learn(1)


def test_graphs_give_their_circuits_back() -> None:
    circuits = random_circuits(50)
    assert CircuitGraphs.of(GATES, circuits).circuits() == circuits


def test_edges_are_the_qubits_that_gates_share_in_succession() -> None:
    """A slow search for the next gate on each qubit finds the same edges."""
    circuits = random_circuits(40)
    adjacency = CircuitGraphs.of(GATES, circuits).adjacency()
    for circuit, edges in zip(circuits, adjacency, strict=True):
        expected = set()
        for first, (_, qubits) in enumerate(circuit):
            for qubit in qubits:
                later = [place for place in range(first + 1, len(circuit)) if qubit in circuit[place][1]]
                if later:
                    roles = [int(own[-1] == qubit) for own in (qubits, circuit[later[0]][1])]
                    expected.add((2 * roles[0] + roles[1], first, later[0]))
        assert {tuple(map(int, edge)) for edge in np.argwhere(edges)} == expected


def test_control_and_target_differ() -> None:
    graphs = CircuitGraphs.of(GATES, [[("cx", (0, 1)), ("cx", (0, 2))], [("cx", (1, 0)), ("cx", (0, 2))]])
    assert np.argwhere(graphs.adjacency()).tolist() == [[0, 0, 0, 1], [1, 2, 0, 1]]
    embeddings = CircuitVGAE(GATES, seed=0).embed(graphs)
    assert np.abs(embeddings[0] - embeddings[1]).max() > 1e-3


@pytest.mark.parametrize(
    "circuit",
    [[("rx", (0,))], [("ry", (3,))], [("ry", ())], [("ry", (0,))] * 7],
    ids=["gate", "qubit", "no qubit", "length"],
)
def test_circuits_outside_of_the_vocabulary_are_refused(circuit: list[Gate]) -> None:
    with pytest.raises(ValueError, match="circuits"):
        CircuitGraphs.of(GATES, [circuit])


def test_what_is_no_circuit() -> None:
    none = GATES.num_qubits
    for gates, controls, targets in (
        ([1, 0, 1], [none, none, none], [0, none, 0]),  # a gate after an empty node
        ([2], [1], [1]),  # the same qubit twice
        ([1], [none], [none]),  # no target
        ([0], [none], [1]),  # a qubit without a gate
    ):
        padded = [
            np.array([own + [fill] * (6 - len(own))], dtype=np.int64)
            for own, fill in ((gates, 0), (controls, none), (targets, none))
        ]
        assert CircuitGraphs(GATES, *padded).circuits() == [None]


# -- the autoencoder ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained() -> tuple[CircuitVGAE, CircuitGraphs, CircuitGraphs]:
    circuits = {tuple(circuit): circuit for circuit in random_circuits(900, SHORT)}
    graphs = CircuitGraphs.of(SHORT, list(circuits.values()))
    training, held_out = graphs.take(range(100, len(graphs))), graphs.take(range(100))
    vgae = CircuitVGAE(SHORT, VGAEConfig(hidden=32, layers=1, learning_rate=0.01, batch=32), seed=0)
    vgae.fit(training, 25)
    return vgae, training, held_out


def test_circuits_that_were_held_out_are_reconstructed(
    trained: tuple[CircuitVGAE, CircuitGraphs, CircuitGraphs],
) -> None:
    vgae, training, held_out = trained
    found, before = quality(vgae, training, held_out, 200), quality(CircuitVGAE(SHORT, seed=0), training, held_out, 200)
    assert found.circuits > 0.9 and found.nodes > 0.97 and found.edges > 0.9
    assert before.circuits < 0.05 and before.nodes < 0.5
    assert found.distinct > 0.95
    assert found.valid * found.unique > 0.5 > before.valid * before.unique  # before, nearly all are the same circuit


def test_only_legal_circuits_are_valid(trained: tuple[CircuitVGAE, CircuitGraphs, CircuitGraphs]) -> None:
    vgae, training, held_out = trained
    nothing = quality(vgae, training, held_out, 50, is_legal=lambda circuit: False)
    assert nothing.valid == nothing.unique == nothing.new == 0


def test_the_loss_is_cross_entropy_and_divergence() -> None:
    """With weights of zero all choices are equally probable, and every latent vector is standard normal."""
    vgae = CircuitVGAE(GATES, VGAEConfig(divergence=1.0), seed=0)
    with torch.no_grad():
        for parameter in vgae.network.parameters():
            parameter.zero_()
    graphs = CircuitGraphs.of(GATES, random_circuits(9))
    vgae.fit(graphs, 1)
    nodes, relations = GATES.num_nodes, 4
    assert vgae.loss == pytest.approx(np.log(3) + 2 * np.log(4) + relations * nodes * np.log(2), rel=1e-5)


def test_seeds_decide_everything_and_leave_other_generators_alone() -> None:
    graphs = CircuitGraphs.of(GATES, random_circuits(40))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    both = [CircuitVGAE(GATES, seed=3) for _ in range(2)]
    for vgae in both:
        vgae.fit(graphs, 2)
    assert torch.equal(torch.rand(3), expected)
    assert np.array_equal(both[0].embed(graphs), both[1].embed(graphs))
    assert not np.array_equal(both[0].embed(graphs), CircuitVGAE(GATES, seed=4).embed(graphs))


def test_files(trained: tuple[CircuitVGAE, CircuitGraphs, CircuitGraphs], tmp_path: Path) -> None:
    vgae, _, held_out = trained
    path = tmp_path / "vgae.safetensors"
    vgae.save(path)
    again = CircuitVGAE.load(path)
    assert again.config == vgae.config and again.vocabulary == SHORT and again.num_steps == vgae.num_steps
    assert np.array_equal(again.embed(held_out), vgae.embed(held_out))
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ValueError, match=r"CircuitVGAE\.save"):
        CircuitVGAE.load(path)


def test_other_vocabularies_are_refused() -> None:
    vgae = CircuitVGAE(Vocabulary(2, ("ry", "cx"), 6), seed=0)
    with pytest.raises(ValueError, match="vocabulary"):
        vgae.fit(CircuitGraphs.of(GATES, random_circuits(3)), 1)


# -- searches ----------------------------------------------------------------------------------------------------------


def environment(num_qubits: int = 3) -> Any:
    return gym.make("QAS-TFIM-v0", num_qubits=num_qubits, actions="blocks", max_gates=40).unwrapped


def played(search: LatentSearcher, number: int) -> list[tuple[tuple[int, ...], dict[str, Any]]]:
    found: list[tuple[tuple[int, ...], dict[str, Any]]] = []

    def record(step: dict[str, Any], _: dict[str, Any]) -> bool:
        found.append((tuple(search._bench.actions), step["infos"][0]))
        return True

    search.learn(number, record)
    return found


@pytest.mark.parametrize("kind", [LatentREINFORCE, LatentBO])
def test_no_circuit_is_played_twice_and_seeds_decide(kind: Any) -> None:
    runs = [played(kind(environment(), 1, pool=40, epochs=1), 32) for _ in range(2)]
    skeletons = [skeleton for skeleton, _ in runs[0]]
    assert len({*skeletons}) == len(skeletons) == 32
    assert skeletons == [skeleton for skeleton, _ in runs[1]]
    assert skeletons != [skeleton for skeleton, _ in played(kind(environment(), 2, pool=40, epochs=1), 32)]
    assert any(info["success"] for _, info in runs[0])


@pytest.mark.parametrize("kind", [LatentREINFORCE, LatentBO])
def test_a_pool_that_is_used_up_is_replaced_or_played_again(kind: Any) -> None:
    search = kind(environment(2), 0, pool=5, epochs=1)  # on two qubits there is one canonical skeleton
    assert len(played(search, 12)) == 12 and len(search.pool) == 1
    search = kind(environment(3), 0, pool=10, epochs=1)
    assert len({skeleton for skeleton, _ in played(search, 25)}) == 25 and len(search.pool) == 30


class _Toy:
    """Costs that depend on the first number of the embedding."""

    def __init__(self, search: LatentSearcher, rng: np.random.Generator) -> None:
        search.embeddings = rng.normal(size=(400, 3))
        search.pool = [(0,)] * 400
        search._is_played = np.zeros(400, dtype=np.bool_)
        self.search, self.costs = search, (search.embeddings[:, 0] - 1.0) ** 2

    def play(self, number: int) -> float:
        """Return the mean rank, from 0 for the best to 1, of the last half of the circuits."""
        rows: list[int] = []
        while len(rows) < number:
            chosen = self.search._choose()
            assert len({*chosen}) == len(chosen) and not self.search._is_played[chosen].any()
            self.search._is_played[chosen] = True
            self.search._learn(chosen, self.costs[chosen])
            rows += chosen
        ranks = self.costs.argsort().argsort() / len(self.costs)
        return float(ranks[rows[number // 2 :]].mean())


def test_bayesian_optimisation_finds_the_best_embeddings() -> None:
    toy = _Toy(LatentBO(environment(), 0, pool=5, epochs=1), np.random.default_rng(0))
    assert toy.play(60) < 0.2
    assert toy.search._is_played[toy.costs.argmin()]


def test_the_policy_learns_where_costs_are_low() -> None:
    """Random choices have mean rank 0.5."""
    ranks = []
    for seed in range(3):
        search = LatentREINFORCE(environment(), seed, pool=5, epochs=1, learning_rate=0.03)
        ranks.append(_Toy(search, np.random.default_rng(seed)).play(160))
    assert np.mean(ranks) < 0.42


def test_the_best_of_several_starts_counts() -> None:
    """A cost that the search learns from is the lowest of the circuit's starts."""
    learned: list[tuple[list[int], list[float]]] = []
    search = LatentREINFORCE(environment(), 0, pool=10, epochs=1, together=4, starts=3)
    search._learn = lambda rows, costs: learned.append((rows, costs.tolist()))  # type: ignore[method-assign]
    infos = [info for _, info in played(search, 24)]
    costs = np.array([search._prices.cost(info) for info in infos]).reshape(-1, 3)
    assert [cost for _, some in learned for cost in some] == costs.min(axis=1).tolist()
    assert np.ptp(costs, axis=1).max() > 0 and all(len({*rows}) == len(rows) == 4 for rows, _ in learned)


def test_expected_improvement_is_the_mean_of_what_is_below() -> None:
    rng = np.random.default_rng(0)
    for mean, deviation, best in ((0.3, 0.5, 0.1), (-1.0, 0.2, 0.0), (2.0, 1.0, 0.0)):
        draws = np.maximum(best - rng.normal(mean, deviation, 400_000), 0.0)
        assert _expected_improvement(np.array(mean), np.array(deviation), best) == pytest.approx(draws.mean(), abs=4e-3)


def test_files_are_used_and_have_to_fit(tmp_path: Path) -> None:
    path = str(tmp_path / "vgae.safetensors")
    vgae = CircuitVGAE(Vocabulary(3, ("cx_ry",), 12), seed=0)
    vgae.save(path)
    search = LatentBO(environment(), 0, pool=10, file=path)
    played(search, 3)
    assert search._vgae is not None and search._vgae.num_steps == 0
    assert np.array_equal(search._vgae.encode(search.graphs(search.pool)), vgae.encode(search.graphs(search.pool)))
    for env, most in ((environment(4), 0), (environment(3), 13)):
        with pytest.raises(ValueError, match="must hold an autoencoder"):
            LatentBO(env, 0, most_blocks=most, file=path)


@pytest.mark.parametrize("kind", [LatentREINFORCE, LatentBO])
@pytest.mark.parametrize("name", ["pool", "epochs", "together", "starts", "max_iterations"])
def test_numbers_out_of_range_are_refused(kind: Any, name: str) -> None:
    with pytest.raises(ValueError, match=f"`{name}` must"):
        kind(environment(), 0, **{name: 0})

"""Encodings, rewards, couplings and initial circuits."""

from __future__ import annotations

import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.error import ResetNeeded

from qas_envs import CircuitBuildingEnv
from qas_envs.couplings import COUPLINGS, couplings_of, edges_of
from qas_envs.curricula import StagedThreshold
from qas_envs.encodings import ENCODINGS
from qas_envs.rewards import LogError, Qaser, Sparse, Transition
from qas_simulators import Circuit, NoiseModel
from qas_simulators.gates import gate_index
from qas_simulators.noise_presets import NOISE_MODELS


def build(environment: str = "QAS-TFIM-v0", **settings: object) -> CircuitBuildingEnv:
    env = gym.make(environment, **settings).unwrapped
    assert isinstance(env, CircuitBuildingEnv)
    return env


ENCODED = [
    *ENCODINGS,
    {"name": "tensor", "angles": True, "threshold": True},
    {"name": "tensor", "energy": False, "angles": True},
    {"name": "gates", "energy": False, "threshold": True},
    {"name": "pauli", "threshold": True},
]


@pytest.mark.parametrize("encoding", ENCODED, ids=str)
@pytest.mark.parametrize("noise", [None, NoiseModel.depolarizing(1e-2, 5e-2).add_readout(0.02)], ids=["pure", "noisy"])
def test_observations_stay_in_their_space_and_are_new(encoding: object, noise: NoiseModel | None) -> None:
    env = build(encoding=encoding, noise=noise, num_qubits=3, max_gates=12, initial=Circuit(3).ry(0.4, 1).cx(1, 2))
    rng = np.random.default_rng(0)
    before, info = env.reset(seed=0)
    for _ in range(60):
        observation, *_, terminated, truncated, info = env.step(rng.choice(np.flatnonzero(info["action_mask"])))
        assert env.observation_space.contains(observation)
        assert observation is not before
        before = observation
        if terminated or truncated:
            before, info = env.reset()
            assert env.observation_space.contains(before)


def actions_of(env: CircuitBuildingEnv, *wanted: tuple[str, tuple[int, ...]]) -> list[int]:
    table = [(action.gate, action.qubits) for action in env.catalogue.actions]
    return [table.index(each) for each in wanted]


def test_what_each_encoding_says() -> None:
    """CX from 0 to 1, then RY on 1 with some angle, after an initial RY on 2."""
    observed = {}
    for name in ("gates", "graph", "pauli"):
        env = build(encoding=name, num_qubits=3, max_gates=4, initial=Circuit(3).ry(0.7, 2))
        env.reset()
        for action in actions_of(env, ("cx", (0, 1)), ("ry", (1,))):
            observed[name] = env.step(action)[0]
        angle = env.circuit.params[-1] / np.pi
    gates = observed["gates"][:-1].reshape(4, 4)
    np.testing.assert_allclose(gates, [[1, 1, 2, 0], [3, 2, 0, angle], [0] * 4, [0] * 4], atol=1e-6)
    graph = observed["graph"]
    assert isinstance(graph, spaces.GraphInstance)
    np.testing.assert_array_equal(graph.nodes[:, :-1].argmax(1), [0, 0, 0, 1, 3])
    assert graph.nodes[4, -1] == pytest.approx(angle, abs=1e-6)
    np.testing.assert_array_equal(graph.edge_links, [[0, 3], [1, 3], [3, 4]])
    np.testing.assert_array_equal(graph.edges, [0, 1, 1])
    terms = env.problem.hamiltonian
    energy = terms.coefficients @ observed["pauli"][: len(terms)]
    assert energy == pytest.approx(env.energy, abs=1e-6) and observed["pauli"][len(terms)] == 0.5


def test_tensor_with_angles_and_threshold() -> None:
    env = build(encoding={"name": "tensor", "angles": True, "threshold": True}, num_qubits=2, max_gates=3)
    env.reset()
    for action in actions_of(env, ("cx", (0, 1)), ("ry", (1,))):
        observation = env.step(action)[0]
    size = (len(observation) - 2) // 2
    ones, angles = observation[:size], observation[size:-2]
    assert ones.sum() == 2 and np.count_nonzero(angles) == 1
    assert angles[np.flatnonzero(ones)[1]] == pytest.approx(env.circuit.params[0] / np.pi, abs=1e-6)
    assert observation[-1] == np.float32(env.curriculum.threshold) and observation[-2] == np.float32(env.energy)


def test_rewards() -> None:
    step = Transition(-1.0, -2.0, -3.0, False, False, 1, 0, -1.0, 2, 3, 4, 10)
    success = step._replace(success=True)
    assert (Sparse(7.0)(step), Sparse(7.0)(success)) == (0.0, 7.0)
    assert LogError()(step) == 0.0 and LogError()(step._replace(energy=-2.9)) == pytest.approx(1.0)
    assert LogError(5.0, 1e-3)(success._replace(energy=-3.0)) == pytest.approx(8.0)
    economy = 10 / 5 + 50 / (5 * 2 + 3)
    assert Qaser()(step) == pytest.approx(economy**0.5)
    assert Qaser()(step._replace(energy=-0.5)) == 1.0 and Qaser()(success) == 400.0
    assert Qaser(bonus=None)(success._replace(energy=-3.0)) == pytest.approx(economy)
    shifted = step._replace(previous_energy=9.0, energy=8.0, reference_energy=7.0, empty_energy=9.0)
    assert Qaser()(shifted) == pytest.approx(Qaser()(step)), "a constant in the Hamiltonian changes nothing"
    for build_bad in (lambda: LogError(floor=0.0), lambda: Qaser(two_qubit=0.0)):
        with pytest.raises(ValueError, match="positive"):
            build_bad()
    for reward in ("sparse", "log_error", "qaser"):
        env = build(reward=reward)
        env.reset()
        assert np.isfinite(env.step(0)[1])


@pytest.mark.parametrize(
    ("name", "num_qubits", "edges"),
    [("line", 4, 3), ("ring", 4, 4), ("ring", 2, 1), ("grid", 6, 7), ("grid", 5, 4), ("heavy_hex", 27, 28)],
)
def test_coupling_maps(name: str, num_qubits: int, edges: int) -> None:
    pairs = couplings_of(COUPLINGS[name], num_qubits)
    assert pairs is not None and len(pairs) == 2 * edges
    assert all((b, a) in pairs for a, b in pairs)


def test_couplings_confine_the_actions() -> None:
    line = build(num_qubits=4, couplings="line")
    assert {a.qubits for a in line.catalogue.actions if len(a.qubits) == 2} == COUPLINGS["line"](4)
    one_way = build(num_qubits=3, couplings=[(0, 1), (2, 1)])
    assert [a.qubits for a in one_way.catalogue.actions if len(a.qubits) == 2] == [(0, 1), (2, 1)]
    assert len(build(num_qubits=3, couplings="all").catalogue) == len(build(num_qubits=3).catalogue)
    fake_provider = pytest.importorskip("qiskit_ibm_runtime.fake_provider")
    backend = fake_provider.FakeManilaV2()
    assert edges_of("couplings", backend) == COUPLINGS["line"](5) == edges_of("couplings", backend.coupling_map)
    for bad, message in [
        ("star", "Unknown couplings 'star'"),
        ([(0, 1)], "connect all 3"),
        ([(0, 1), (1, 3)], "qubits in 0..2"),
        ([(0, 0), (0, 1)], "different qubits"),
    ]:
        with pytest.raises(ValueError, match=message):
            build(num_qubits=3, couplings=bad)


def test_initial_circuits_count_in_the_resources() -> None:
    env = build("QAS-LiH-v0", initial="basis_state", max_gates=2)
    _, info = env.reset()
    assert info["energy"] == pytest.approx(env.problem.provenance["energies"]["best_basis_state"], abs=1e-9)
    assert info["num_gates"] == 2 and info["depth"] == 1
    x_gates = [name for name, _, _ in env.circuit]
    assert x_gates == ["x", "x"]
    *_, terminated, truncated, info = env.step(0)
    assert not terminated and info["num_gates"] == 3
    *_, terminated, truncated, info = env.step(1)
    assert terminated and not truncated and info["num_gates"] == 4
    env.reset()
    assert env.circuit == env.initial and env.circuit is not env.initial
    product = build("QAS-LiH-v0", initial="product_state")
    energy = product.reset()[1]["energy"]
    assert energy == pytest.approx(product.problem.provenance["energies"]["best_product_state"], abs=1e-6)
    with pytest.raises(ValueError, match="Unknown initial circuit 'hf'"):
        build("QAS-LiH-v0", initial="hf")
    with pytest.raises(ValueError, match="4 qubits"):
        build("QAS-LiH-v0", initial=Circuit(2))
    with pytest.warns(UserWarning, match="The initial circuit already meets"):
        build("QAS-LiH-v0", num_qubits=6, geometry="legacy-bohr", initial="basis_state")


def test_an_initial_circuit_is_optimised_with_the_rest() -> None:
    env = build(num_qubits=2, initial=Circuit(2).ry(0.1, 0))
    env.reset()
    action = actions_of(env, ("ry", (1,)))[0]
    env.step(action)
    assert env.circuit.num_params == 2 and env.circuit.params[0] != pytest.approx(0.1)
    assert env.initial.params.tolist() == [0.1]
    assert env.circuit.table[0, 0] == gate_index("ry")


FIELDS = {"field": {"train": (0.5, 1.5), "test": (1.5, 2.5)}}


def test_a_family_draws_its_instance_at_reset() -> None:
    env = build(vary=FIELDS, num_qubits=3)
    seen = {split: [] for split in ("train", "test")}
    env.reset(seed=0)
    for split, fields in seen.items():
        for _ in range(30):
            observation, info = env.reset(options={"split": split})
            assert env.observation_space.contains(observation)
            assert observation[-1] == np.float32(info["field"]) and env.problem.provenance["field"] == info["field"]
            assert info["energy_error"] == pytest.approx(info["energy"] - env.problem.hamiltonian.ground_energy())
            fields.append(info["field"])
            info = env.step(int(np.flatnonzero(info["action_mask"])[0]))[4]
            assert info["energy_error"] >= -1e-9
    assert all(0.5 <= field <= 1.5 for field in seen["train"]) and len(set(seen["train"])) == 30
    assert all(1.5 <= field <= 2.5 for field in seen["test"])
    _, info = env.reset(options={"field": 0.75})
    assert info["field"] == 0.75 and env.curriculum.reference_energy == env.problem.ground_energy
    again = build(vary=FIELDS, num_qubits=3)
    again.reset(seed=0)
    assert [again.reset()[1]["field"] for _ in range(5)] == seen["train"][:5]


def test_families_of_seeds_and_lists() -> None:
    states = build("QAS-RandomState-v0", vary={"seed": {"train": (0, 99), "test": (100, 109)}}, num_qubits=2)
    drawn = {states.reset(seed=k, options={"split": "test"})[1]["seed"] for k in range(40)}
    assert drawn <= set(range(100, 110)) and len(drawn) > 5 and all(isinstance(seed, np.integer) for seed in drawn)
    bonds = build("QAS-LiH-v0", vary={"bond_length": [1.2, 2.2, 3.4]})
    names = {bonds.reset(seed=k)[1]["bond_length"] for k in range(20)}
    assert names == {1.2, 2.2, 3.4}
    two = build(vary={"field": (0.5, 1.0), "coupling": (1.0, 2.0)}, encoding="pauli", num_qubits=2)
    observation, info = two.reset(seed=1)
    np.testing.assert_allclose(observation[-2:], [info["field"], info["coupling"]], rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        ({"vary": {"fields": (0, 1)}}, None, "Did you mean 'field'"),
        ({"vary": {"field": (1.0, 0.5)}}, None, r"be \(low, high\)"),
        ({"vary": {"field": (0.5, float("nan"))}}, None, r"be \(low, high\)"),
        ({"vary": {"field": {"test": (0.5, 1.0)}}}, None, "split 'train'"),
        ({"vary": {"field": {"train": (0.5, 1.0), "valid": (1, 2)}}}, None, "Unknown split 'valid'"),
        ({"vary": {}}, None, "at least one"),
        ({"vary": FIELDS, "curriculum": {"name": "moving", "initial": 1.0}}, None, "be 'fixed' or 'scheduled' where"),
        ({"vary": FIELDS, "encoding": "graph"}, None, "give vectors"),
        ({"vary": {"num_qubits": (2, 4)}}, None, None),
        ({"vary": FIELDS}, {"split": "valid"}, "Unknown split 'valid'"),
        ({"vary": FIELDS}, {"fild": 1.0}, "Did you mean 'field'"),
        ({"vary": FIELDS}, {"field": 2.6}, r"lie in \[0.5, 2.5\]"),
        ({}, {"field": 1.0}, "be empty where instances do not vary"),
    ],
)
def test_bad_families(settings: dict[str, object], options: dict[str, object] | None, message: str | None) -> None:
    if message is None:
        with pytest.raises(ValueError, match="keep the qubits"):
            [build(**settings).reset(seed=k) for k in range(10)]
        return
    with pytest.raises(ValueError, match=message):
        build(**settings).reset(options=options)


def test_a_family_survives_pickling() -> None:
    env = build(vary=FIELDS)
    env.reset(seed=3)
    twin = pickle.loads(pickle.dumps(env))
    assert twin.reset()[1]["field"] == env.reset()[1]["field"]


def test_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("MPLBACKEND", "Agg")
    env = build("QAS-LiH-v0", render_mode="rgb_array", gates="crlqas")
    env.reset(seed=0)
    first = env.render()
    for action in actions_of(env, ("ry", (0,)), ("cx", (0, 1)), ("rz", (3,))):
        env.step(action)
    later = env.render()
    assert first.shape == later.shape == (500, 800, 3) and later.dtype == np.uint8
    assert (first != later).any() and 10 < later.mean() < 255
    human = build("QAS-Bell-v0", render_mode="human")
    human.reset()
    human.step(0)
    assert human._renderer._window._image is not None and human.render() is None
    human.close()
    assert human._renderer._window._image is None
    with pytest.raises(ValueError, match="render_mode"):
        build("QAS-Bell-v0", render_mode="video")


@pytest.mark.parametrize("noise", NOISE_MODELS)
def test_every_noise_preset_by_name(noise: str) -> None:
    if noise == "bit_flip":
        with pytest.raises(ValueError, match="noise 'bit_flip' needs the setting `p`"):
            build(noise=noise)
        return
    env = build(noise=noise, optimizer="none", num_qubits=4)
    env.reset(seed=0)
    assert np.isfinite(env.step(0)[4]["energy"])


def test_staged_thresholds() -> None:
    env = build("QAS-LiH-v0", curriculum={"name": "staged", "thresholds": [0.2, 0.05, None], "successes": 2})
    curriculum = env.curriculum
    seen = [curriculum.threshold]
    for success in (True, False, True, True, False, True, True, True, True):
        curriculum.end_episode(success)
        seen.append(curriculum.threshold)
    assert seen == [0.2, 0.2, 0.2, 0.05, 0.05, 0.05, 1.6e-3, 1.6e-3, 1.6e-3, 1.6e-3]
    in_a_row = StagedThreshold([0.2, 0.05], successes=2, in_a_row=True)
    in_a_row.start(env.problem)
    for success in (True, False, True):
        in_a_row.end_episode(success)
    assert in_a_row.threshold == 0.2
    in_a_row.end_episode(True)
    assert in_a_row.threshold == 0.05
    for bad, message in [
        ({"thresholds": [0.1, 0.2]}, "fall"),
        ({"thresholds": [None, 0.2]}, "only the last None"),
        ({"thresholds": []}, "positive"),
        ({"thresholds": [0.1], "successes": 0}, "at least 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            build("QAS-LiH-v0", curriculum={"name": "staged", **bad})


@pytest.mark.parametrize(
    ("environment", "preset", "gates"),
    [
        ("QAS-LiH-v0", "crlqas", 24),
        ("QAS-TFIM-v0", "grl", 7),
        ("QAS-BeH2-v0", "tensorrl", 48),
        ("QAS-Bell-v0", "kanqas", 12),
    ],
)
@pytest.mark.filterwarnings("ignore:.*rounding decides")
def test_presets_of_papers(environment: str, preset: str, gates: int) -> None:
    instances: dict[str, dict[str, object]] = {"grl": {"num_qubits": 2}, "tensorrl": {"geometry": "legacy-bohr"}}
    settings = instances.get(preset, {})
    env = build(environment, preset=preset, **settings)
    assert len(env.catalogue) == gates
    _, info = env.reset(seed=0)
    info = env.step(int(np.flatnonzero(info["action_mask"])[-1]))[4]
    assert np.isfinite(info["energy"])
    if preset == "tensorrl":
        assert info["energy_error"] <= 5.93e-3 + 1e-5 and info["num_gates"] == 5
        assert not info["success"], "the Hartree-Fock state misses chemical accuracy"


def test_stopping_ends_the_episode_and_adds_nothing() -> None:
    env = build(num_qubits=2, stop=True, max_gates=5)
    stop = env.action_space.n - 1
    assert env.catalogue.stop == stop == len(env.catalogue.actions)
    _, info = env.reset(seed=0)
    assert info["action_mask"][stop] == 1
    *_, info = env.step(0)
    assert info["action_mask"].tolist() == [0] + [1] * stop, "stopping stays legal"
    before = env.energy
    observation, reward, terminated, truncated, info = env.step(stop)
    assert terminated and not truncated and not info["success"] and reward == -5.0
    assert env.energy == before and info["num_gates"] == 1 and info["evaluations"] == 0
    assert env.observation_space.contains(observation)
    with pytest.raises(ResetNeeded):
        env.step(0)
    with pytest.warns(UserWarning, match="already meets"):
        easy = build(num_qubits=2, stop=True, curriculum={"name": "fixed", "threshold": 5.0})
    easy.reset()
    _, reward, terminated, _, info = easy.step(easy.catalogue.stop)
    assert terminated and info["success"] and reward == 5.0, "the empty circuit was good enough"
    with pytest.raises(ValueError, match="stop"):
        build(stop="yes")


def test_stopping_in_a_vector_environment() -> None:
    envs = gym.make_vec("QAS-TFIM-v0", num_envs=3, num_qubits=2, stop=True, autoreset_mode="Disabled")
    _, infos = envs.reset(seed=0)
    stop = infos["action_mask"].shape[1] - 1
    *_, terminated, _, infos = envs.step([0, stop, stop])
    assert terminated.tolist() == [False, True, True] and infos["num_gates"].tolist() == [1, 0, 0]


def test_scheduled_instances() -> None:
    schedule = {"name": "scheduled", "parameter": "field", "values": [0.5, 0.9, 1.5], "successes": 2, "patience": 4}
    env = build(vary=FIELDS, num_qubits=2, curriculum=schedule)
    seen = []
    for success in (True, False, True, False, False, False, False, True, True, True):
        seen.append(env.reset(seed=0)[1]["field"])
        env.curriculum.end_episode(success)
    assert seen == [0.5] * 3 + [0.9] * 4 + [1.5] * 3
    assert env.reset(options={"field": 0.75})[1]["field"] == 0.75
    assert env.reset(seed=0, options={"split": "test"})[1]["field"] > 1.5, "tests are not scheduled"
    assert env.curriculum.reference_energy == env.problem.ground_energy
    for settings, message in [
        ({"curriculum": schedule}, "which the curriculum schedules"),
        ({"vary": {"coupling": (1.0, 2.0)}, "curriculum": schedule}, "Unknown number that varies 'field'"),
        ({"vary": FIELDS, "curriculum": {**schedule, "values": [0.5, 3.0]}}, r"lie in \[0.5, 2.5\]"),
        ({"vary": FIELDS, "curriculum": {**schedule, "values": []}}, "at least one value"),
        ({"vary": FIELDS, "curriculum": {**schedule, "patience": 0}}, "patience"),
        ({"vary": FIELDS, "curriculum": {**schedule, "threshold": 0.0}}, "positive"),
    ]:
        with pytest.raises(ValueError, match=message):
            build(num_qubits=2, **settings)


def test_labels_of_the_tensor() -> None:
    env = build("QAS-Bell-v0")
    env.reset()
    observation, *_ = env.step(0)
    labels = env.encoder.labels()  # type: ignore[attr-defined]
    assert len(labels) == len(observation)
    assert [labels[k] for k in np.flatnonzero(observation)] == [(0, "cx", (0, 1))]
    observation, *_ = env.step(5)
    assert [labels[k] for k in np.flatnonzero(observation)][1] == (1, "h", (0,))

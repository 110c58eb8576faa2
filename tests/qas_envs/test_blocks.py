"""Block actions: what they append, which are legal, and that circuits of blocks are optimised as a whole."""

from __future__ import annotations

from itertools import permutations, product

import gymnasium as gym
import numpy as np
import pytest

import qas_envs  # noqa: F401  # registers the ids
from qas_envs import CircuitBuildingEnv
from qas_envs.blocks import BlockSet
from qas_simulators import Circuit, PauliSum


def made(environment: str = "QAS-TFIM-v0", **arguments: object) -> CircuitBuildingEnv:
    settings = {"actions": "blocks", **arguments}
    return gym.make(environment, **settings).unwrapped  # type: ignore[return-value, arg-type]


@pytest.mark.parametrize(
    ("gates", "hamiltonian", "gates_of_block", "gates_of_row"),
    [
        ("crlqas", {"ZZI": 1.0, "XII": 0.5}, ["cx", "ry", "ry"], ["ry"] * 3),
        ("crlqas", {"YZI": 1.0, "XII": 0.5}, ["cx", "ry", "rz", "ry", "rz"], ["ry", "rz"] * 3),
        ("ibm", {"ZZI": 1.0, "XII": 0.5}, ["cz", *["sx", "rz", "sx"] * 2], ["sx", "rz", "sx"] * 3),
        ("ry_cz", {"YYI": 1.0, "XII": 0.5}, ["cz", "ry", "ry"], ["ry"] * 3),
    ],
)
def test_blocks_are_made_of_the_gate_set(
    gates: str, hamiltonian: dict[str, float], gates_of_block: list[str], gates_of_row: list[str]
) -> None:
    env = made("QAS-GroundState-v0", hamiltonian=hamiltonian, gates=gates)
    env.reset(seed=0)
    assert [name for name, *_ in env.circuit] == gates_of_row
    *_, info = env.step(1)
    assert [name for name, *_ in env.circuit] == [*gates_of_row, *gates_of_block]
    assert {qubit for _, qubits, _ in list(env.circuit)[len(gates_of_row) :] for qubit in qubits} == {0, 2}
    assert info["num_two_qubit_gates"] == 1
    assert info["num_gates"] == len(gates_of_row) + len(gates_of_block)


def test_settings_couplings_and_objects() -> None:
    env = made(
        num_qubits=4, couplings="line", actions={"name": "blocks", "dressing": ["rx"], "row": [], "directed": True}
    )
    assert [action.qubits for action in env.catalogue.actions] == [(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)]
    assert len(env.initial) == 0
    own = BlockSet(("cz", "rzz"), ("rx", "rz"))
    env = made(num_qubits=3, actions=own, gates=["cz", "rx"])
    assert len(env.catalogue) == 6
    env.reset(seed=0)
    env.step(3)
    assert env.circuit.count_ops() == {"rx": 2, "rz": 2, "rzz": 1}
    assert made(num_qubits=3, couplings=[(1, 0), (2, 1)]).catalogue.actions[0].qubits == (1, 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"gates": "kanqas"}, "include ry"),
        ({"actions": {"name": "blocks", "dressing": ["cx"]}}, "1 qubit"),
        ({"actions": {"name": "blocks", "entanglers": []}}, "at least one two-qubit gate"),
        ({"actions": {"name": "blocks", "rotations": ["ry"]}}, "dressing"),
        ({"actions": "block"}, "blocks"),
        ({"actions": 3}, "BlockSet"),
    ],
)
def test_wrong_blocks_are_refused_in_one_line(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        made(**arguments)
    assert "\n" not in str(caught.value)


def _same_circuit(first: tuple[int, ...], second: tuple[int, ...], pairs: list[tuple[int, ...]]) -> bool:
    """Return whether two sequences have the same order on every qubit, so that they are the same circuit."""
    return all(
        [pairs[a] for a in first if q in pairs[a]] == [pairs[a] for a in second if q in pairs[a]] for q in range(5)
    )


def test_every_circuit_has_one_legal_order() -> None:
    env = made(num_qubits=5)
    pairs = [action.qubits for action in env.catalogue.actions]
    rng = np.random.default_rng(0)
    for _ in range(40):
        word = tuple(rng.integers(len(pairs), size=5).tolist())
        orders = {order for order in permutations(word) if _same_circuit(word, order, pairs)}
        repeats = any(
            pairs[word[i]] == pairs[word[j]] and not any({*pairs[word[i]]} & {*pairs[w]} for w in word[i + 1 : j])
            for i in range(5)
            for j in range(i + 1, 5)
        )
        legal = [order for order in orders if env.player.checked(order) is not None]
        assert legal == ([] if repeats else [min(orders)])


def test_on_two_qubits_the_only_block_stays_legal() -> None:
    env = made(num_qubits=2)
    _, info = env.reset(seed=0)
    for _ in range(3):
        assert info["action_mask"].tolist() == [1]
        *_, over, _, info = env.step(0)
        if over:
            break


@pytest.mark.parametrize("encoding", ["tensor", "gates", "graph", "pauli"])
def test_encodings_vectors_and_checkers(encoding: str) -> None:
    from gymnasium.utils.env_checker import check_env

    env = made(num_qubits=3, encoding=encoding, max_gates=9, gadgets=None)
    check_env(env, skip_render_check=True)
    vector = gym.make_vec("QAS-TFIM-v0", num_envs=3, num_qubits=3, actions="blocks", encoding=encoding, max_gates=9)
    vector.reset(seed=7)
    env.reset(seed=7)
    for action in (0, 2, 1):
        *_, info = env.step(action)
        *_, infos = vector.step([action] * 3)
        assert infos["energy"].tolist() == [info["energy"]] * 3


def test_with_noise_families_and_initial_circuits() -> None:
    noisy = made(num_qubits=3, noise={"name": "depolarizing", "p1": 0.01, "p2": 0.05})
    noisy.reset(seed=0)
    *_, info = noisy.step(0)
    assert info["energy"] > made(num_qubits=3).player.play([0])[1]["energy"] + 1e-3
    family = made(num_qubits=3, vary={"field": (0.5, 1.5)})
    family.reset(seed=1)
    assert family.step(0)[-1]["energy_error"] > 0
    begun = made(num_qubits=3, initial=Circuit(3).x(1))
    assert [name for name, *_ in begun.initial] == ["x", "ry", "ry", "ry"]


def test_the_row_is_optimised_and_remembered() -> None:
    env = made(num_qubits=3)
    env.reset(seed=0)
    _, info = env.player.play([0, 2], [(0.1, 0.2), (0.3, 0.4)], 0, (0.5, 0.6, 0.7))
    _, again = env.player.play([0, 2], env.player.angles, 0, env.player.initial_angles)
    assert again["evaluations"] <= 3 < info["evaluations"]
    assert again["energy"] == pytest.approx(info["energy"], abs=1e-9)
    with pytest.raises(ValueError, match="angles"):
        env.player.play([0, 2], None, 0, (0.5,))


def test_excitations_conserve_the_electrons() -> None:
    """The number of electrons of each spin is that of the closed shell, whatever the angles."""
    env = made("QAS-H4-v0", actions="excitations", max_gates=200)
    assert env.initial.count_ops() == {"x": 4}
    counts = {env.catalogue.actions[k].gate: pairs for k, pairs in enumerate(env.catalogue.num_two_qubit_gates)}
    assert sorted(counts.values()) == [2, 9, 9]
    rng = np.random.default_rng(0)
    for _ in range(5):
        actions = rng.integers(len(env.catalogue.actions), size=4).tolist()
        circuit = env.initial.copy()
        for action in actions:
            env.catalogue.append(circuit, action)
        circuit.params = rng.uniform(-3, 3, circuit.num_params)
        state = env.simulator.statevector(circuit)  # type: ignore[attr-defined]
        kept = np.flatnonzero(np.abs(state) > 1e-10)
        assert {(sum(k >> q & 1 for q in (0, 2, 4, 6)), sum(k >> q & 1 for q in (1, 3, 5, 7))) for k in kept} == {
            (2, 2)
        }
    best = np.nanargmax(env.player.gains().slopes)
    env.reset(seed=0)
    before = env.energy
    assert env.step(int(best))[-1]["energy"] < before - 1e-3
    with pytest.raises(ValueError, match="molecule"):
        made(actions="excitations")


# -- many circuits at once ---------------------------------------------------------------------------------------------


def test_many_circuits_are_played_as_single_ones() -> None:
    env = made(num_qubits=4)
    env.reset(seed=0)
    rng = np.random.default_rng(3)
    circuits = [word for word in product(range(6), repeat=3) if env.player.checked(word)][::7]
    params = [rng.uniform(-np.pi, np.pi, 4 + 2 * 3) for _ in circuits]
    played = env.player.play_many(circuits, params)
    for k, word in enumerate(circuits):
        head, tail = params[k][:4], params[k][4:].reshape(3, 2)
        _, info = env.player.play(word, [tuple(pair) for pair in tail], 0, tuple(head))
        assert played.energies[k] == info["energy"]
        assert (played.evaluations[k], played.gradients[k]) == (info["evaluations"], info["gradients"])
        assert played.success[k] == info["success"]
        assert np.array_equal(played.circuits[k].params, env.circuit.params)
        shown = env.player.show(word, played, k)
        assert all(shown[name] == info[name] for name in info if name != "action_mask")
        assert env.circuit == played.circuits[k] and env.player.actions == list(word)
        assert np.array_equal(shown["action_mask"], info["action_mask"])
    before = env.circuit.copy()
    for wrong in (circuits[0][:2], (*circuits[0][:2], len(env.catalogue))):
        with pytest.raises(ValueError, match="actions"):
            env.player.show(wrong, played, 0)
    assert env.circuit == before
    env.player.show(circuits[0], played, 0)
    free = int(np.flatnonzero(env.action_masks())[0])
    observation = env.step(free)[0]
    head, tail = params[0][:4], params[0][4:].reshape(3, 2)
    env.player.play(circuits[0], [tuple(pair) for pair in tail], 0, tuple(head))
    assert np.array_equal(env.step(free)[0], observation), "an episode continues as after `play`"
    scanned = env.player.play_many(circuits[:2])
    assert scanned.energies[1] == env.player.play(circuits[1])[1]["energy"]


def test_threads_and_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    env = made(num_qubits=4)
    words = [word for word in product(range(6), repeat=2) if env.player.checked(word)]
    one = env.player.play_many(words, starts=2)
    monkeypatch.setattr("qas_envs.whole_circuits._MOST_TOGETHER", 5)
    other = env.player.play_many(words, starts=2, num_threads=2)
    assert one.energies.tolist() == other.energies.tolist()
    assert one.evaluations.tolist() == other.evaluations.tolist()


def test_hopeless_circuits_are_given_up() -> None:
    env = made(num_qubits=4)
    words = [word for word in product(range(6), repeat=2) if env.player.checked(word)]
    full = env.player.play_many(words, starts=2)
    cut = env.player.play_many(words, starts=2, give_up_above=float(np.median(full.errors)))
    good = full.errors < np.median(full.errors) - 1e-6
    assert cut.evaluations.sum() < full.evaluations.sum()
    assert (cut.errors >= full.errors.min() - 1e-9).all()
    assert cut.errors[good].min() == pytest.approx(full.errors.min(), abs=1e-6)
    with pytest.raises(ValueError, match="starts"):
        made(optimizer="cobyla").player.play_many([[0]], starts=2)


def test_many_noisy_and_linked_circuits_are_played_one_by_one() -> None:
    noise = {"name": "depolarizing", "p1": 0.01, "p2": 0.05}
    env = made(num_qubits=3, noise=noise, optimizer="cobyla")
    played = env.player.play_many([[0], [1, 2]], [[0.1] * 5, [0.1] * 7])
    assert played.energies[0] == env.player.play([0], [(0.1, 0.1)], 0, (0.1,) * 3)[1]["energy"]


# -- optimisation without memory ---------------------------------------------------------------------------------------

MEMORYLESS = {"name": "scan_lbfgs", "starts": 3, "warm": False}


def test_the_energy_is_a_function_of_the_circuit() -> None:
    env = made(num_qubits=4, optimizer=MEMORYLESS)
    found = []
    for first in (1, 3):  # the second circuit is built after another one
        env.reset(seed=0)
        env.step(first)
        env.reset(seed=0)
        for action in (0, 3, 1):
            *_, info = env.step(action)
        found.append(info["energy"])
    assert found[0] == found[1] == env.player.play([0, 3, 1])[1]["energy"]
    assert env.player.play_many([[0, 3, 1]]).energies[0] == found[0]


def test_angles_are_redrawn_in_every_way_of_playing() -> None:
    optimizer = {**MEMORYLESS, "starts": 1, "redraws": 3}
    env, plain = (made(num_qubits=4, optimizer=one) for one in (optimizer, {**optimizer, "redraws": 0}))
    vector = gym.make_vec("QAS-TFIM-v0", num_envs=2, num_qubits=4, actions="blocks", optimizer=optimizer)
    for one in (env, plain, vector):
        one.reset(seed=0)
        for action in (0, 3, 1):
            *_, infos = one.step([action] * 2 if one is vector else action)
    assert infos["energy"].tolist() == [env.energy] * 2 and env.energy <= plain.energy
    assert env.player.play_many([[0, 3, 1]]).energies.tolist() == [env.energy]
    spent = [one.player.play_many([[0, 3, 1]], starts=1, give_up_above=-1.0).evaluations[0] for one in (env, plain)]
    assert spent[0] == spent[1]  # a hopeless circuit is given up before


def test_angles_are_optimised_once_at_the_end() -> None:
    optimizer = {**MEMORYLESS, "when": "end"}
    env = made(num_qubits=4, optimizer=optimizer, stop=True)
    vector = gym.make_vec("QAS-TFIM-v0", num_envs=2, num_qubits=4, actions="blocks", optimizer=optimizer, stop=True)
    env.reset(seed=0)
    vector.reset(seed=0)
    for action in (0, 3, 1):
        _, _, terminated, _, info = env.step(action)
        *_, infos = vector.step([action] * 2)
        assert info["evaluations"] == 0 and not terminated and infos["evaluations"].tolist() == [0, 0]
        assert info["energy"] == env.episode.first_energy
    _, _, terminated, _, info = env.step(env.catalogue.stop)
    *_, infos = vector.step([env.catalogue.stop] * 2)
    assert terminated and info["evaluations"] > 0
    assert info["energy"] == made(num_qubits=4, optimizer=MEMORYLESS).player.play([0, 3, 1])[1]["energy"]
    assert infos["energy"].tolist() == [info["energy"]] * 2


@pytest.mark.parametrize(
    "ending", [{"max_gates": 6}, {"halting": "negative_binomial"}, {"max_gates": 6, "illegal": "skip"}]
)
def test_every_ending_is_optimised(ending: dict[str, object]) -> None:
    env = made(num_qubits=4, optimizer={**MEMORYLESS, "when": "end"}, **ending)
    _, info = env.reset(seed=3)
    over = False
    while not over:
        choice = 0 if "illegal" in ending else int(np.flatnonzero(info["action_mask"])[0])
        *_, terminated, truncated, info = env.step(choice)
        over = terminated or truncated
        assert (info["evaluations"] > 0) == over


def test_wrong_optimiser_settings_are_refused() -> None:
    for settings, words in (
        ({"when": "never"}, "time of optimisation"),
        ({"warm": False}, "starts"),
        ({"starts": -1}, "starts"),
    ):
        with pytest.raises(ValueError, match=words):
            made(optimizer={"name": "scan_lbfgs", **settings})


def test_blocks_lose_nothing_that_gates_can_prepare() -> None:
    """With one block the ground state of a pair is exact: any real state of two qubits needs one CX."""
    pair = PauliSum({"ZZ": -1.0, "XI": -0.4, "IX": -0.9, "ZI": 0.3})
    exact = float(np.linalg.eigvalsh(pair.to_matrix())[0])
    env = made("QAS-GroundState-v0", hamiltonian=pair.terms())
    found = env.player.play_many([[0]], starts=4).energies[0]
    assert found == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize(
    "gates", [["cx", "ry"], ["ecr", "ry", "rz"], ["rzz", "ry", "rz"], ["rxx", "rx", "rz"], "ibm", "ibm_ecr"]
)
def test_one_block_entangles_a_pair(gates: object) -> None:
    """The Bell state needs one entangler; around complex ones, RY alone does not suffice."""
    env = made("QAS-GroundState-v0", hamiltonian={"ZZ": 1.0, "XX": 1.0}, gates=gates, max_gates=40)
    assert env.player.play_many([[0]], starts=20).energies[0] == pytest.approx(-2.0, abs=1e-9)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_rotations_at_the_start_are_scanned_with_the_first_block() -> None:
    """At angle 0 the row is on a stationary point of this energy, whose minimum is that of |1111>."""
    env = made("QAS-GroundState-v0", hamiltonian={"ZIII": 1.0, "IZII": 1.0, "IIZI": 1.0, "IIIZ": 1.0})
    env.reset(seed=0)
    assert env.step(3)[-1]["energy"] == pytest.approx(-4.0, abs=1e-9)
    assert env.player.play([3])[1]["energy"] == pytest.approx(-4.0, abs=1e-9)
    assert env.player.play_many([[3]]).energies[0] == pytest.approx(-4.0, abs=1e-9)


def test_native_rotations_keep_the_initial_state() -> None:
    energies = [
        made("QAS-LiH-v0", initial=initial, gates=gates, actions=actions).energy
        for initial in ("empty", "basis_state")
        for gates, actions in (("crlqas", "gates"), ("crlqas", "blocks"), ("ibm", "blocks"))
    ]
    assert energies == pytest.approx([energies[0]] * 3 + [energies[3]] * 3, abs=1e-9)


def test_on_two_qubits_other_masks_leave_an_action() -> None:
    env = made(num_qubits=2, mask="frontier")
    env.reset(seed=0)
    assert env.step(0)[-1]["action_mask"].tolist() == [1]


def test_given_angles_are_used_without_a_warm_start() -> None:
    env = made(num_qubits=4, optimizer={"name": "scan_lbfgs", "starts": 1, "warm": False, "max_iterations": 1})
    rng = np.random.default_rng(0)
    energies = env.player.play_many([[0, 3]] * 3, list(rng.uniform(-3, 3, (3, 8)))).energies
    assert len({*energies.round(9)}) > 1


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_success_before_the_angles_are_optimised() -> None:
    curriculum = {"name": "moving", "initial": 50.0}
    optimizer = {**MEMORYLESS, "when": "end"}
    env = made(num_qubits=3, optimizer=optimizer, curriculum=curriculum, stop=True)
    env.reset(seed=0)
    _, _, terminated, _, info = env.step(0)
    assert not terminated and not info["success"]
    assert env.step(env.catalogue.stop)[-1]["success"]
    vector = gym.make_vec(
        "QAS-TFIM-v0", num_envs=2, num_qubits=3, actions="blocks", optimizer=optimizer, curriculum=curriculum, stop=True
    )
    vector.reset(seed=0)
    assert not vector.step([0, 1])[2].any()


def test_trivial_problems_are_warned_of_with_blocks_too() -> None:
    with pytest.warns(UserWarning, match="solved by X gates alone"):
        made("QAS-GroundState-v0", hamiltonian={"ZI": 1.0, "IZ": 1.0})

"""The package as users get it."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import zipfile
from importlib import import_module
from pathlib import Path

import pytest

from qas_envs.problems.instances import file_of, shipped

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("package", ["qas_envs", "qas_agents", "qas_simulators"])
def test_all_names_exist_and_are_documented(package: str) -> None:
    module = import_module(package)
    assert module.__all__ == sorted(module.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name))
    for name in module.__all__:
        value = getattr(module, name)
        assert name.isupper() or value.__doc__, name


def test_version_is_the_same_everywhere() -> None:
    """In the package, the citations and the latest release of the changelog, which is below what is not released."""
    version = import_module("qas_envs").__version__
    changes = re.findall(r"^## \[(.+?)\](?: - (\S+))?$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert changes[0] == ("Unreleased", "") and changes[1][0] == version
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {version}\n" in citation and f'\ndate-released: "{changes[1][1]}"\n' in citation
    assert f"version = {{{version}}}" in (ROOT / "README.md").read_text("utf-8")


def test_wheel_holds_our_four_packages(tmp_path: Path) -> None:
    pytest.importorskip("build")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert top == {"qas_envs", "qas_agents", "qas_simulators", "qas_experiments"}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode == 0:
        rooms = ("qas_envs/", "agents/qas_agents/", "simulators/qas_simulators/", "experiments/qas_experiments/")
        left_out = ("qas_envs/benchmarks/",)
        of_rooms = [name for name in tracked.stdout.splitlines() if name.startswith(rooms)]
        expected = {re.sub("^(agents|simulators|experiments)/", "", n) for n in of_rooms if not n.startswith(left_out)}
        assert {name for name in names if ".dist-info" not in name} == expected
    data = {name for name in names if name.startswith("qas_envs/problems/data/") and name.endswith(".json")}
    assert data == {f"qas_envs/problems/data/{file_of(name)[0]}" for name in shipped()}
    assert "qas_experiments/conf/agent/dqn.yaml" in names


_HIDE = """
import sys

HIDDEN = {"torch", "qiskit", "qiskit_aer", "pyscf", "openfermion", "kan", "pennylane", "matplotlib", "hydra", "optuna"}
HIDDEN |= {"monoprop", "stable_baselines3", "sb3_contrib", "omegaconf", "filelock"}


class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Hide())
"""

_USES = """
import gymnasium as gym, qas_envs
from qas_agents import SimulatedAnnealing
from qas_simulators import Circuit

env = gym.make("QAS-LiH-v0", render_mode="rgb_array")
SimulatedAnnealing(env, seed=0).learn(3)
env.reset(seed=0)

def told(action):
    try:
        action()
    except ImportError as error:
        print(error)

def agent():
    from qas_agents import MaskedDQN

def ppo():
    from qas_agents import SB3Agent
    SB3Agent(env, "PPO")

def aer():
    import qas_simulators.bridges.aer

told(agent)
told(ppo)
told(aer)
told(Circuit(1).to_qiskit)
told(Circuit(1).to_pennylane)
told(env.render)
told(lambda: Circuit(1).draw("mpl"))
told(lambda: gym.make("QAS-TFIM-v0", simulator="pauli_propagation"))
told(lambda: gym.make("QAS-Molecule-v0", geometry="H 0 0 0; H 0 0 0.9", unit="angstrom"))
try:
    gym.make("QAS-LiH-v0", bond_length=1.7)
except ValueError as error:
    assert 'pip install "qas-envs[chemistry]"' in str(error)
"""


def test_missing_extras_are_named_where_they_are_needed(tmp_path: Path) -> None:
    """A Python that finds none of them: everything else works, each use names its extra."""
    (tmp_path / "sitecustomize.py").write_text(_HIDE)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", _USES], capture_output=True, text=True, env=environment, check=False)
    assert ran.returncode == 0, ran.stderr
    extras = ["agents", "agents", "qiskit", "qiskit", "pennylane", "plots", "plots", "propagation", "chemistry"]
    lines = ran.stdout.splitlines()
    assert [line.rpartition(" is not installed: pip install ")[2] for line in lines] == [
        f'"qas-envs[{extra}]"' for extra in extras
    ]
    for script, extra in [
        ("train", "experiments"),
        ("tune", "sweeps"),
        ("benchmark", "experiments"),
        ("runs", "experiments"),
    ]:
        start = f"from qas_experiments.commands.launch import {script}; {script}()"
        ran = subprocess.run(
            [sys.executable, "-c", start], capture_output=True, text=True, env=environment, check=False
        )
        assert ran.returncode == 2 and ran.stderr.count("\n") == 1
        assert f'pip install "qas-envs[{extra}]"' in ran.stderr


@pytest.mark.parametrize(
    "words",
    [
        "train; sys.argv += ['env=tfim', 'env.simulator=pauli_propagation', 'agent=random', 'run={run}']",
        "solve; sys.argv += ['QAS-TFIM-v0', '--set', 'simulator=pauli_propagation', '--out={run}']",
    ],
)
def test_a_package_that_is_missing_in_a_run_is_named_in_one_line(words: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['monoprop'] = None")
    command, rest = words.format(run=tmp_path / "run").split("; ")
    start = f"import sys; {rest}\nfrom qas_experiments.commands.launch import {command}; {command}()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    ran = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, env=environment, check=False)
    assert ran.returncode == 2 and ran.stderr.count("\n") == 1, ran.stderr
    assert ran.stderr.endswith('monoprop is not installed: pip install "qas-envs[propagation]"\n')


PUBLIC = {
    "qas_simulators": (
        "Channel Circuit CircuitBatch Gadget MPSSimulator MitigatedSimulator NoiseModel Operation "
        "PauliPropagationSimulator PauliSum PauliTransferSimulator Simulator StabilizerSimulator StabilizerState "
        "StatevectorSimulator ZeroNoise load_gadgets save_gadgets"
    ),
    "qas_envs": "ENVIRONMENTS CircuitBuildingEnv Problem Rules make_env register_all",
    "qas_agents": (
        "BeamSearch BlockAnnealing BlockBeam CircuitVGAE DQNConfig Demonstrations DemonstrationsConfig Evolution "
        "FrozenPolicy GraphAgent GraphConfig GreedyBlocks GreedySearch Growth HardwareEfficient LatentBO "
        "LatentREINFORCE LayeredBlocks MaskedDQN PolicyLibrary PolicyProposal PolicyReuse PolicyReuseConfig "
        "RandomBlocks RandomPolicy SB3Agent SimulatedAnnealing adapt_circuit annealed_blocks best_of "
        "block_circuits ceo_pool determinant distinct_skeletons extract grow pauli_pool policy_search "
        "post_process ppr_dqn prune_operators pruned qeb_pool qubit_adapt resynthesised skeleton_floors "
        "spin_orbitals usual_pool"
    ),
    "qas_experiments": ("Benchmark CircuitTable Run Solved Table benchmark load_circuits plots solve train"),
}


@pytest.mark.parametrize("package", PUBLIC)
def test_public_names_are_these(package: str) -> None:
    """Whoever changes this list changes what users may import: the changelog must say so."""
    module = import_module(package)
    assert module.__all__ == PUBLIC[package].split()
    assert all(hasattr(module, name) for name in module.__all__)


@pytest.mark.parametrize("package", PUBLIC)
def test_public_names_say_what_they_take_and_show_how(package: str) -> None:
    """Arguments or attributes by name, and an example in the docstring or in the docs."""
    pages = "".join(page.read_text("utf-8") for page in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
    code = "\n".join(re.findall(r"```python.*?\n(.*?)```", pages, re.DOTALL))
    for name in import_module(package).__all__:
        value = getattr(import_module(package), name)
        if callable(value):
            said = inspect.getdoc(value) or ""
            if inspect.signature(value).parameters:
                assert "Args:" in said or "Attributes:" in said, name
            assert "Examples:" in said or re.search(rf"\b{name}\b", code), name

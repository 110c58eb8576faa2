# Needs only Python >= 3.11 with venv and pip. `make train` sets up and trains; `make test` sets up and passes the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# bytecode is compiled where modules are first imported, which is a quarter of them
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt
ARGS ?=

.PHONY: train study test lint type bench docs site leaderboard clean

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ". Set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.train: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) -e '.[experiments]'
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) -e '.[dev]'
	@touch $@ $(VENV)/.train

$(VENV)/.bench: $(VENV)/.train
	$(INSTALL) -e '.[bench]'
	@touch $@

train: $(VENV)/.train  ## LiH at 3.4 angstrom for half a minute; ARGS="training.seed=1" overrides anything
	$(BIN)/qas-train experiment=lih_first $(ARGS)

study: $(VENV)/.train  ## LiH at 3.4 angstrom, gate by gate, with baselines, about five minutes on one core
	$(BIN)/qas-train experiment=lih_gates $(ARGS)

test: $(VENV)/.dev  ## the whole test suite; ARGS="-k kernels" selects
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	PYTHONPATH=. $(BIN)/lint-imports

type: $(VENV)/.dev
	$(BIN)/mypy

bench: $(VENV)/.bench  ## environment step, kernel compilation, noisy energies, beside other libraries
	OMP_NUM_THREADS=1 $(BIN)/python qas_envs/benchmarks/step.py
	OMP_NUM_THREADS=1 $(BIN)/python qas_envs/benchmarks/vector.py
	$(BIN)/python simulators/benchmarks/compile_time.py
	OMP_NUM_THREADS=1 $(BIN)/python simulators/benchmarks/simulators.py

docs: $(VENV)/.dev  ## every example in the docs is run
	$(BIN)/python -m pytest tests/test_docs.py $(ARGS)

site: $(VENV)/.dev  ## the docs as a web site in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

leaderboard: site  ## the committed records as a web page in build/site/leaderboard, with links to the docs
	$(BIN)/qas-report experiments/results/leaderboard/*.jsonl.xz --out build/site/leaderboard --docs build/site

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

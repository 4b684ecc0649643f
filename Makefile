# Everything a developer types. A fresh machine needs python3 (3.11 or later, with venv), make and a C compiler.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Test processes; each gets one thread, so that they do not fight over the cores.
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test test-long cluster-test minimum seeds processors lint format docs pictures bench clean
.DELETE_ON_ERROR:

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## Install, train on 1,797 real digits, print a table and the path of an HTML report
	$(BIN)/isthmus demo

PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal -q

test: $(VENV)/.installed-test ## Install with what the tests need, and run them, but for the long ones
	$(PYTEST) -m "not long and not cluster" $(ARGS)

cluster-test: $(VENV)/.installed-test $(VENV)/.installed-cluster ## Run those of many processes, with torchrun and Ray: killed, frozen, in trouble (fifteen minutes)
	OMP_NUM_THREADS=1 RAY_worker_niceness=0 $(BIN)/python -m pytest -q -m cluster $(ARGS)

test-long: $(VENV)/.installed-test ## Run the long ones: those that train for some seconds, examples, pages of the documentation
	$(PYTEST) -m "long and not cluster" $(ARGS)

minimum: $(BIN)/python ## Run the tests with the lowest version of every dependency that is allowed (own environment in .venv-minimum)
	$(BIN)/python benchmarks/minimum.py $(ARGS)

seeds: $(VENV)/.installed-test ## Run every test that trains with ten shifts of its seed (hours; goes on where it was stopped)
	$(BIN)/python benchmarks/seeds.py --jobs $(JOBS) $(ARGS)

processors: $(VENV)/.installed-test ## Run every test that trains with the instruction sets of other processors (an hour or two)
	$(BIN)/python benchmarks/seeds.py --processors --jobs $(JOBS) $(ARGS)

lint: $(VENV)/.installed-lint ## Check style, docstrings and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-lint ## Rewrite the sources in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.installed-docs ## Build the documentation into site/; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

pictures: $(VENV)/.installed-tune ## Make the pictures of the documentation anew (ten minutes; NAMES="denoise tune" makes some)
	$(BIN)/python docs/pictures $(NAMES)

bench: $(VENV)/.installed ## Run every benchmark that needs no other library (leave the machine alone meanwhile)
	$(BIN)/python benchmarks/run_all.py $(ARGS)

clean: ## Remove the virtual environment, caches and everything built
	rm -rf $(VENV) site build dist isthmus-demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# One stamp for each set of extras; they are redone when what the package is built from changes.
BUILT_FROM := pyproject.toml constraints.txt setup.py $(wildcard src/isthmus/coding/*.c src/isthmus/coding/*.h)
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("isthmus needs Python 3.11 or later, and $(PYTHON) is " + sys.version.split()[0] + "; name another: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BUILT_FROM) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-%: $(BUILT_FROM) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[$*]"
	@touch $@

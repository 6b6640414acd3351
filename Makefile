# Two commands are enough: `make run` and `make test`. The rest is for developers.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
EXPERIMENT ?= examples/quickstart.yaml
# Most tests wait for processes; two at once need two cores and 4 GB.
TEST_WORKERS ?= 2
INSTALL := python -m pip install --quiet --disable-pip-version-check
# Versions of everything that a user needs, the same as in the images; `make constraints` moves them.
CONSTRAINTS := services/constraints.txt

# Images are built one after another: two compilations at once need twice the memory.
SERVICES := orchestrator nest tvb translator
BOOTSTRAP ?= docker-daemon
NEST_WHEELS ?= ../shared/wheels

.PHONY: help install install-dev run test coverage check format constraints schema images up down sif test-cluster test-containers bench clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found; install Python 3.11 or say make PYTHON=python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml $(CONSTRAINTS) | $(VENV)/bin/python
	@echo "Installing into $(VENV) (once, a few minutes)"
	$(BIN)/$(INSTALL) --constraint $(CONSTRAINTS) --editable ".[all]"
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/$(INSTALL) --constraint $(CONSTRAINTS) --editable ".[all,dev]"
	@touch $@

install: $(VENV)/.installed ## Make .venv and install everything a user needs

install-dev: $(VENV)/.installed-dev ## The same, and what developers need

run: install ## Run EXPERIMENT (default: the quickstart) and write a report
	$(BIN)/cosim run $(EXPERIMENT)

test: install-dev ## Run the whole test suite
	$(BIN)/python -m pytest --numprocesses $(TEST_WORKERS) --dist worksteal --durations 20 $(COVERAGE)

coverage: ## The same, and show which lines no test runs (it takes a fifth longer)
	$(MAKE) test COVERAGE="--cov --cov-report=term-missing:skip-covered"

check: install-dev ## Check style, types and import directions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install-dev ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

constraints: ## Move services/constraints.txt to the newest versions; then run all tests
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	$(PYTHON) -m venv $$folder; \
	$$folder/bin/$(INSTALL) ".[all]"; \
	grep '^#' $(CONSTRAINTS) > $$folder/new; \
	$$folder/bin/python -m pip freeze --exclude tvb-nest-cosim | tr '[:upper:]_' '[:lower:]-' \
		| LC_ALL=C sort -t= -k1,1 >> $$folder/new; \
	cp $$folder/new $(CONSTRAINTS)
	@git diff --stat $(CONSTRAINTS)

schema: install ## Write the JSON schemas of experiments and sweeps
	$(BIN)/cosim schema > docs/experiment.schema.json
	$(BIN)/cosim schema --sweep > docs/sweep.schema.json

images: ## Build the container images (NEST with MPI compiles once, 40 minutes; see docs/containers.md)
	@mkdir -p wheels
	@cp -u $(NEST_WHEELS)/nest_simulator-*.whl wheels/ 2>/dev/null || true
	@for service in $(SERVICES); do docker compose build $$service || exit 1; done

up: images ## Start the ensemble in containers and print the address of its page
	docker compose up --detach --wait
	@docker compose logs --no-log-prefix orchestrator | grep 'token=' | tail -1

down: ## End it; runs and keys are kept (docker compose down --volumes removes them)
	docker compose down

sif: ## Build Singularity images from the Docker images (BOOTSTRAP=docker-daemon)
	@for service in $(SERVICES) all; do \
		apptainer build --force --build-arg bootstrap=$(BOOTSTRAP) \
			singularity/$$service.sif singularity/$$service.def || exit 1; done

test-cluster: install-dev images ## Run jobs on a real Slurm from Singularity images and break them
	COSIM_TEST_CLUSTER=1 $(BIN)/python -m pytest -m cluster tests/cluster

test-containers: install-dev images ## Run the ensemble in containers and break them
	COSIM_TEST_CONTAINERS=1 $(BIN)/python -m pytest -m containers tests/containers

bench: install-dev ## Measure (PARTS="first-window ..." for some; see docs/benchmarks.md)
	$(BIN)/python -m benchmarks $(PARTS)

clean: ## Remove what the tools leave behind (not .venv, not runs)
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage

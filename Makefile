# Two commands are enough: `make run` and `make test`. The rest is for developers.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
EXPERIMENT ?= examples/quickstart.yaml

.PHONY: help install install-dev run test check format schema clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found; install Python 3.11 or say make PYTHON=python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	@echo "Installing into $(VENV) (once, a few minutes)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[all]"
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[all,dev]"
	@touch $@

install: $(VENV)/.installed ## Make .venv and install everything a user needs

install-dev: $(VENV)/.installed-dev ## The same, and what developers need

run: install ## Run EXPERIMENT (default: the quickstart) and write a report
	$(BIN)/cosim run $(EXPERIMENT)

test: install-dev ## Run the whole test suite
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered

check: install-dev ## Check style, types and import directions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install-dev ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schema: install ## Write the JSON schema of experiments
	$(BIN)/cosim schema > docs/experiment.schema.json

clean: ## Remove what the tools leave behind (not .venv, not runs)
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage

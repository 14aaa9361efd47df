# Every verb of this project. They are the same by hand and in CI.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EDGE_PORT ?= 8443
export EDGE_PORT
DEMO := certs/demo
SOAK_SECONDS ?= 1800
LOAD_ARGS ?= --mode keepalive --cacert $(DEMO)/server-ca.pem --cert $(DEMO)/client.pem --key $(DEMO)/client-key.pem \
	https://localhost:$(EDGE_PORT)/

.DEFAULT_GOAL := help
.PHONY: help install run test check format lint types imports unit e2e e2e-public soak load compare scaling clean

help: ## List every target
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## Make .venv with the package in it (.venv/bin/edge)

run: $(VENV)/.installed ## Start the edge on https://localhost:8443 (EDGE_PORT) in front of a demonstration origin
	@exec $(BIN)/edge demo

test: $(VENV)/.tested ## Run the whole test suite
	$(BIN)/pytest -n auto $(PYTEST_ARGS)

check: format lint types imports test ## Format, lint, types, import contracts and tests

format: $(VENV)/.checked ## Is everything formatted?
	$(BIN)/ruff format --check .

lint: $(VENV)/.checked ## Does everything keep the house rules?
	$(BIN)/ruff check .

types: $(VENV)/.checked $(VENV)/.tested ## Do the types hold (mypy, strict)?
	$(BIN)/mypy

imports: $(VENV)/.checked ## Do imports go down the floors only?
	$(BIN)/lint-imports --no-logo

unit: $(VENV)/.tested ## Run the tests that start no server
	$(BIN)/pytest -n auto tests/unit tests/property $(PYTEST_ARGS)

e2e: $(VENV)/.tested ## Run the end-to-end tests: curl and openssl against a running edge
	$(BIN)/pytest -n auto tests/e2e $(PYTEST_ARGS)

e2e-public: $(VENV)/.tested ## Run the end-to-end tests with pyOpenSSL's public methods only (EDGE_TLS_CALLS=public)
	EDGE_TLS_CALLS=public $(BIN)/pytest -n auto tests/e2e $(PYTEST_ARGS)

soak: $(VENV)/.tested ## Every kind of client and operator at once for SOAK_SECONDS (1800), against a model of each answer
	SOAK_SECONDS=$(SOAK_SECONDS) $(BIN)/pytest -s -n 0 tests/soak

load: $(VENV)/.installed ## Measure what `make run` serves, or LOAD_ARGS (scripts/load.py)
	$(BIN)/python scripts/load.py $(LOAD_ARGS)

compare: $(VENV)/.installed ## Measure the edge beside nginx and other servers that are installed (COMPARE_ARGS, scripts/compare.py)
	$(BIN)/python scripts/compare.py $(COMPARE_ARGS)

scaling: $(VENV)/.installed ## Measure how cost grows with hosts, rules, CAs, connections, CRLs, workers (SCALING_ARGS, scripts/scaling.py)
	$(BIN)/python scripts/scaling.py $(SCALING_ARGS)

clean: ## Remove .venv, caches and the demonstration's files
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis certs/demo

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mtls-edge needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python pyproject.toml edge/__init__.py
	$(BIN)/pip install --quiet --editable .
	@touch $@

$(VENV)/.tested: $(VENV)/.installed
	$(BIN)/pip install --quiet --editable '.[test]'
	@touch $@

$(VENV)/.checked: $(VENV)/.installed
	$(BIN)/pip install --quiet --editable '.[check]'
	@touch $@

# The commands of KCT Payments. Each one sets up what it needs first; see README.md.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test api-test compose-test compose-secrets check lint types contracts format bench chaos fuzz stateful lock setup clean

setup: .venv/ready

.venv/ready: requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or later is needed; set PYTHON=/path/to/python3")'
	@echo "Setting up the virtual environment in .venv (about a minute the first time)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

demo: setup
	@$(BIN)/python -m deploy.demo $(if $(ONCE),--once)

test: setup
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

chaos: setup
	@$(BIN)/python -m tests.chaos

bench: setup
	@ORDERS=$(ORDERS) $(BIN)/python -m tests.bench $(ONLY)

fuzz: setup
	@$(BIN)/python -m tests.fuzz --seconds $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED))

api-test: setup
	@EXAMPLES=$(or $(EXAMPLES),200) $(BIN)/python -m pytest tests/integration/*/test_api.py

stateful: setup
	@$(BIN)/python -m tests.stateful --examples $(or $(EXAMPLES),200) --steps $(or $(STEPS),60) $(if $(SEED),--seed $(SEED))

compose-test: setup
	@$(BIN)/python -m pytest -o addopts="--strict-markers -ra -v --durations=8" --timeout 1500 tests/compose

compose-secrets:
	@$(PYTHON) deploy/compose/prepare.py $(if $(DEV),--dev)

check: lint types contracts test

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup
	@$(BIN)/mypy

contracts: setup
	@$(BIN)/lint-imports

format: setup
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: setup
	@$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet -o requirements.txt requirements.in
	@$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet -o requirements-dev.txt requirements-dev.in

clean:
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage

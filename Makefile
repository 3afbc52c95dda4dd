# Everything sets itself up: a .venv with the locked, hashed set of packages, and the system programs where apt may.
#
#   make demo        watch a simulated site
#   make stack       the same with Prometheus, its rules and Alertmanager, on high loopback ports
#   make test        all tests but the long ones
#   make test-slow   the long ones too
#   make check       lint, types, imports, then the tests
#   make bench       speed and memory, printed
#   make bench-compare REV=...   this code and another commit's under one benchmark, ratios
#   make bench-fleet             growth to 100,000 units with its picture, and 256,000 units; a quarter of an hour
#   make lock        compile the lock files anew (needs uv)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
PYTEST := $(BIN)/pytest
ARGS ?=
JOBS ?= 3

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev programs demo stack test test-slow lint format check bench bench-compare bench-fleet lock clean

help:
	@sed -n 's/^#   //p' Makefile

# One stamp for what running needs, one for what developing needs; a changed lock or version installs anew.
RUN_STAMP := $(VENV)/.installed-run
DEV_STAMP := $(VENV)/.installed-dev

$(BIN)/python:
	@deploy/dev/make-venv "$(PYTHON)" "$(VENV)"

$(RUN_STAMP): requirements.lock pyproject.toml | $(BIN)/python
	@echo "installing the locked packages into $(VENV)"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(BIN)/python deploy/dev/link_project.py
	@touch $@

$(DEV_STAMP): requirements-dev.lock $(RUN_STAMP)
	@echo "installing the locked development packages into $(VENV)"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

setup: $(RUN_STAMP)

setup-dev: $(DEV_STAMP)

# Real programs that tests and the demonstration use; absent and not installable, the tests that need them skip loudly.
programs:
	@deploy/dev/install-programs

demo: setup
	@$(BIN)/hashsight demo $(ARGS)

stack: setup programs
	@$(BIN)/python deploy/stack.py $(ARGS)

# Most tests wait for programs they started; a file stays with one worker, because fixed ports belong to files.
test: setup-dev programs
	@$(PYTEST) -n $(JOBS) --dist loadfile -m "not slow" $(ARGS)

test-slow: setup-dev programs
	@$(PYTEST) $(ARGS)

lint: setup-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m grafana.check

format: setup-dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

check: lint test

bench: setup-dev
	@$(BIN)/python tests/bench/bench_polls.py --seconds 3 $(ARGS)
	@$(BIN)/python tests/bench/bench_fleet.py steady
	@$(BIN)/python tests/bench/bench_fleet.py sick
	@$(BIN)/python tests/bench/bench_scrape.py
	@$(BIN)/python tests/bench/bench_figures.py
	@$(BIN)/python tests/bench/bench_simulator.py --runs 1 --seconds 2

bench-compare: setup-dev
	@test -n "$(REV)" || { echo "make bench-compare REV=<commit>"; exit 2; }
	@$(BIN)/python tests/bench/compare.py $(REV) $(ARGS)

bench-fleet: setup-dev
	@$(BIN)/python tests/bench/bench_fleet.py growth --svg tests/bench/growth.svg
	@$(BIN)/python tests/bench/bench_fleet.py scale

lock:
	uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --extra uvloop \
	  --no-emit-index-url pyproject.toml -o requirements.lock
	uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --extra uvloop --group dev \
	  --no-emit-index-url -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

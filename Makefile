# Everything sets itself up: a .venv with the locked, hashed set of packages, and the system programs where apt may.
#
#   make demo        watch a simulated site
#   make stack       the same with Prometheus, its rules and Alertmanager, on high loopback ports
#   make test        all tests but the long ones
#   make test-slow   the long ones too
#   make check       lint, types, imports, then the tests
#   make bench       speed and memory, printed, beside other clients; some six minutes
#   make bench-compare REV=...   this code and another commit's under one benchmark, ratios
#   make compare-golden REV=...  another commit's figures against this code's, to the last digit
#   make bench-fleet             growth to 100,000 units with its picture
#   make bench-steady            10,000 units every 10 s for 10 minutes, everything on
#   make bench-moonshot          256,000 units once a minute for 10 minutes, held against the truth
#   make lock        compile the lock files anew (needs uv)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
PYTEST := $(BIN)/pytest
ARGS ?=
JOBS ?= 3

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev programs demo stack test test-slow lint format check bench bench-compare bench-fleet bench-steady bench-moonshot compare-golden lock clean

help:
	@sed -n 's/^#   //p' Makefile

# One stamp for what running needs, one for what developing needs; a changed lock or version installs anew.
RUN_STAMP := $(VENV)/.installed-run
DEV_STAMP := $(VENV)/.installed-dev
BENCH_STAMP := $(VENV)/.installed-bench

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

# asic-rs' binding is measured where it can be had; nothing else wants it.
$(BENCH_STAMP): tests/bench/requirements.lock $(DEV_STAMP)
	@$(PIP) install --require-hashes --no-deps -r $< || echo "pyasic_rs is not to be had here: left out"
	@touch $@

bench: $(BENCH_STAMP)
	@$(BIN)/python tests/bench/bench_all.py

bench-compare: setup-dev
	@test -n "$(REV)" || { echo "make bench-compare REV=<commit>"; exit 2; }
	@$(BIN)/python tests/bench/compare.py $(REV) $(ARGS)

compare-golden: setup-dev programs
	@test -n "$(REV)" || { echo "make compare-golden REV=<commit>"; exit 2; }
	@$(BIN)/python tests/compare/golden_run.py $(REV) $(ARGS)

bench-fleet: setup-dev
	@$(BIN)/python tests/bench/bench_fleet.py growth --svg tests/bench/growth.svg $(ARGS)

bench-steady: setup-dev
	@$(BIN)/python tests/bench/bench_fleet.py steady --minutes 10 $(ARGS)

bench-moonshot: setup-dev
	@$(BIN)/python tests/bench/bench_fleet.py scale --minutes 10 $(ARGS)

lock:
	uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --extra uvloop --extra isal \
	  --no-emit-index-url pyproject.toml -o requirements.lock
	uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --extra uvloop --extra isal --group dev \
	  --no-emit-index-url -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

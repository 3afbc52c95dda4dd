# Each target installs what it needs: a .venv from the hashed lock files, and system programs if apt-get and root allow.
#
#   make demo        watch a simulated site
#   make stack       the same with Prometheus, its rules and Alertmanager, on high loopback ports
#   make test        all tests but the slow ones; nine to ten minutes on two cores
#   make test-slow   all tests; half an hour, as root, because it installs the package in a Debian of its own
#   make hil UNITS=10.20.0.11,10.20.0.12   what real units do of what the agent rests on; read-only, ten minutes
#   make test-abuse  hostile input, faults and soak runs against whole agents; about 20 minutes
#   make check       lint, types, imports, then the tests
#   make deb         the package for Debian 12, in dist/; make deb ARGS='--architecture arm64' for such a gateway
#   make wheel       the wheel for pip, in dist/
#   make audit       look up the locked packages in a database of known vulnerabilities, where one can be reached
#   make bench       speed and memory, compared with other clients; about six minutes
#   make bench-compare REV=...   ratios of this code to another commit under one benchmark
#   make compare-golden REV=...  what another commit serves, publishes and prints, against this one
#   make bench-fleet             growth to 100,000 units, with a picture
#   make bench-steady            10,000 units every 10 s for 10 minutes, everything on
#   make bench-hour              an agent with 10,000 units for an hour, minute by minute, in a picture
#   make bench-scan              a scan of a /22 and a /16 in network namespaces, beside other clients; needs root
#   make bench-soak              memory over a million polls each: healthy, 30 % and 100 % failing, flapping, changing
#   make bench-moonshot          256,000 units once a minute for 10 minutes, compared with the truth
#   make lock        recompile the lock files (needs uv)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
AUDIT := $(VENV)/audit
CLIENT := $(VENV)/client
ANSIBLE := $(VENV)/ansible
PIP := $(BIN)/pip --disable-pip-version-check --quiet
PYTEST := $(BIN)/pytest
ARGS ?=
JOBS ?= 4

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev programs programs-slow demo stack test test-slow test-abuse hil lint format check deb wheel audit bench bench-compare bench-fleet bench-steady bench-hour bench-scan bench-soak bench-moonshot compare-golden lock clean

help:
	@sed -n 's/^#   //p' Makefile

# One stamp each for packages to run, to develop and to benchmark; a changed lock file reinstalls.
RUN_STAMP := $(VENV)/.installed-run
DEV_STAMP := $(VENV)/.installed-dev
BENCH_STAMP := $(VENV)/.installed-bench

$(BIN)/python:
	@deploy/dev/make-venv "$(PYTHON)" "$(VENV)"

$(RUN_STAMP): requirements.lock pyproject.toml | $(BIN)/python
	@echo "installing the locked packages into $(VENV), about half a minute"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(BIN)/python deploy/dev/link_project.py
	@touch $@

$(DEV_STAMP): requirements-dev.lock $(RUN_STAMP)
	@echo "installing the locked development packages into $(VENV), about a minute"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

setup: $(RUN_STAMP)

setup-dev: $(DEV_STAMP)

# System programs that tests and `make stack` use. If one cannot be installed, its tests skip and name it.
programs:
	@deploy/dev/install-programs

demo: setup
	@$(BIN)/hashsight demo $(ARGS)

stack: setup programs
	@$(BIN)/python deploy/stack.py $(ARGS)

programs-slow:
	@deploy/dev/install-programs slow

# The generator of API clients has an environment of its own, because it needs another typer. Its test skips without it.
$(CLIENT)/.installed: deploy/dev/client.lock
	@echo "installing the generator of API clients into $(CLIENT), for one test"
	@deploy/dev/make-venv "$(PYTHON)" "$(CLIENT)"
	@$(CLIENT)/bin/pip --disable-pip-version-check --quiet install --require-hashes -r $<
	@touch $@

# Ansible and its checker have an environment of their own too; the test of the role skips without it.
$(ANSIBLE)/.installed: deploy/dev/ansible.lock
	@echo "installing Ansible into $(ANSIBLE), for one test"
	@deploy/dev/make-venv "$(PYTHON)" "$(ANSIBLE)"
	@$(ANSIBLE)/bin/pip --disable-pip-version-check --quiet install --require-hashes -r $<
	@touch $@

# Tests mostly wait for programs they started, hence the workers; a file stays with one, because it may own fixed ports.
test: setup-dev programs $(CLIENT)/.installed
	@echo "running the tests on $(JOBS) processes: nine to ten minutes on two cores; one dot is one test"
	@echo "they use loopback alone, and end every program that they start"
	@$(PYTEST) -n $(JOBS) --dist loadfile --no-loadscope-reorder -m "not slow" $(ARGS)

test-slow: setup-dev programs-slow $(CLIENT)/.installed $(ANSIBLE)/.installed
	@echo "running all tests, one after another: about half an hour"
	@$(PYTEST) $(ARGS)

test-abuse: setup-dev programs
	@$(BIN)/python tests/abuse/abuse.py $(ARGS)

# Private addresses only, and requests that read. REPORT=FILE writes FILE.txt and FILE.json.
hil: setup-dev
	@test -n "$(UNITS)" || { echo "make hil UNITS=<address>,<address>... [REPORT=<file>] [ARGS='--polls 60 --every 10']"; exit 2; }
	@$(PYTEST) tests/hardware/test_live.py --units "$(UNITS)" --report "$(REPORT)" $(ARGS)

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

# ARGS='--architecture arm64' builds for such a gateway, on any machine; needs no root.
deb: setup-dev
	@$(BIN)/python deploy/debian/build.py $(ARGS)

wheel: setup-dev
	@$(BIN)/python -m hatchling build -t wheel

# pip-audit has an environment of its own, because it needs many packages. Exit status 3: no database can be reached.
$(AUDIT)/.installed: deploy/dev/audit.lock
	@deploy/dev/make-venv "$(PYTHON)" "$(AUDIT)"
	@$(AUDIT)/bin/pip --disable-pip-version-check --quiet install --require-hashes -r $<
	@touch $@

audit: $(AUDIT)/.installed
	@$(AUDIT)/bin/python deploy/dev/audit.py $(AUDIT)/bin/pip-audit \
	  requirements.lock requirements-dev.lock tests/bench/requirements.lock deploy/dev/audit.lock deploy/dev/client.lock \
	  deploy/dev/ansible.lock

# asic-rs' Python binding is measured if it can be installed; nothing else uses it.
$(BENCH_STAMP): tests/bench/requirements.lock $(DEV_STAMP)
	@$(PIP) install --require-hashes --no-deps -r $< || echo "pyasic_rs cannot be installed here: left out"
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

bench-hour: setup-dev
	@$(BIN)/python tests/bench/bench_hour.py --svg tests/bench/hour.svg $(ARGS)

bench-scan: $(BENCH_STAMP)
	@$(BIN)/python tests/bench/bench_scan.py $(ARGS)

bench-soak: setup-dev
	@$(BIN)/python tests/bench/bench_soak.py $(ARGS)

bench-moonshot: setup-dev
	@$(BIN)/python tests/bench/bench_fleet.py scale --minutes 10 $(ARGS)

lock:
	uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-emit-index-url \
	  deploy/dev/audit.in -o deploy/dev/audit.lock
	uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-emit-index-url \
	  deploy/dev/client.in -o deploy/dev/client.lock
	uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-emit-index-url \
	  deploy/dev/ansible.in -o deploy/dev/ansible.lock
	uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --extra uvloop --extra isal \
	  --no-emit-index-url pyproject.toml -o requirements.lock
	uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --extra uvloop --extra isal --group dev \
	  --no-emit-index-url -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

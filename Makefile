# Two commands for newcomers: `make demo` and `make test`. Python 3.11+ and make are all they need.
PYTHON ?= python3
PORT ?= 8000
VAR_DIR ?= var
BIN := .venv/bin
PROCESSES = $$($(BIN)/python -c 'import os; print(1 + os.cpu_count())')
export PORT VAR_DIR DEMO_ONCE
# What a target needs is made side by side: an environment is installed while types are checked.
MAKEFLAGS += --jobs=2
# Hundreds of processes start in the tests; each would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check bench soak healthchain lock openapi clean

demo: .venv/installed
	@$(BIN)/risk-serve demo

# A test file on each core and one more, as many wait for a process to start; `.venv/bin/pytest FILE` runs one alone.
# In their own order the long files come before the many short ones, which then fill both cores to the end.
test: .venv/installed healthchain check
	$(BIN)/pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder

# Everything that needs no running parts: format, lint, types, import contracts.
check: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Speed against named baselines, interleaved in one run; slow, and never part of the tests.
bench: .venv/installed
	$(BIN)/python -m tests.benchmarks.serving
	$(BIN)/python -m tests.benchmarks.boundary
	$(BIN)/python -m tests.benchmarks.cds_hooks
	$(BIN)/python -m tests.benchmarks.bundle
	$(BIN)/python -m tests.benchmarks.file_drop
	$(BIN)/python -m tests.benchmarks.shadow
	$(BIN)/python -m tests.benchmarks.counting
	$(BIN)/python -m tests.benchmarks.console

# Ten minutes of load while champions are moved, broken and MLflow is killed; never part of the tests.
soak: .venv/installed
	$(BIN)/python -m tests.benchmarks.soak

openapi: .venv/installed
	$(BIN)/risk-serve openapi --write openapi

# Pinned and hashed for every platform, without the address of any index.
lock: .venv/installed
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-header --extra serve --extra train --extra dev \
	    pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-header --extra serve --constraint requirements.lock \
	    pyproject.toml --output-file requirements-serve.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-header --group pyproject.toml:healthchain --output-file requirements-healthchain.lock

# An EHR's client for the contract tests; what it pins cannot stand beside the service.
healthchain: .venv/healthchain/installed

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes \
	    --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
	    --no-build-isolation --editable .
	@touch $@

.venv/healthchain/installed: requirements-healthchain.lock | .venv/installed
	$(PYTHON) -m venv --without-pip --clear .venv/healthchain
	$(BIN)/python -m pip --python .venv/healthchain/bin/python install --quiet \
	    --disable-pip-version-check --no-compile --require-hashes \
	    --requirement requirements-healthchain.lock
	@touch $@

clean:
	rm -rf .venv var

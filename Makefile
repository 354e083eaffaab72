# Each target does its own set-up in a virtual environment; nothing else on the machine is touched.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= 2

# One thread a process: the suites and the sweeps use processes, and results do not depend on their number.
export OMP_NUM_THREADS = 1

.PHONY: demo test test-all check clean

demo: $(VENV)/.run
	$(BIN)/defectgen run examples/hosts/MgO.cif -o out/MgO --workers $(WORKERS)

test: $(VENV)/.test
	$(BIN)/python -m pytest -n $(WORKERS)

test-all: $(VENV)/.oracles
	$(BIN)/python -m pytest -n $(WORKERS) -m "slow or not slow"

check: $(VENV)/.check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/.venv:
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.run: pyproject.toml $(VENV)/.venv
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.test: pyproject.toml $(VENV)/.venv
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	touch $@

$(VENV)/.oracles: pyproject.toml $(VENV)/.venv
	$(BIN)/python -m pip install --quiet --editable ".[test,oracles]"
	touch $@

$(VENV)/.check: pyproject.toml $(VENV)/.venv
	$(BIN)/python -m pip install --quiet --editable ".[test,check]"
	touch $@

clean:
	rm -rf $(VENV) out

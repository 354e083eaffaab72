# Each target does its own set-up in a virtual environment; nothing else on the machine is touched.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= 2
VERSIONS ?= 3.11 3.12 3.13

# One thread a process: the suites and the sweeps use processes, and results do not depend on their number.
export OMP_NUM_THREADS = 1

.PHONY: demo test test-all test-alone test-versions test-consumers smoke check clean

demo: $(VENV)/.run
	$(BIN)/defectgen run examples/hosts/MgO.cif -o out/MgO --workers $(WORKERS)

test: $(VENV)/.test
	$(BIN)/python -m pytest -n $(WORKERS)

# Here a missing oracle fails the tests that compare with it; elsewhere it skips them.
test-all: $(VENV)/.oracles
	DEFECTGEN_ORACLES=1 $(BIN)/python -m pytest -n $(WORKERS) -m "slow or not slow" --continue-on-collection-errors

# Each file in a process of its own; prints the files that fail.
test-alone: $(VENV)/.test
	@failed=; for file in $$(git ls-files ':(glob)tests/**/test_*.py'); do \
	  $(BIN)/python -m pytest -n 0 -q $$file || test $$? = 5 || failed="$$failed $$file"; \
	done; echo "fail alone:$${failed:- none}"; test -z "$$failed"

# The suite on each Python that is found, in virtual environments of their own; prints a line for each.
test-versions:
	@report=; for version in $(VERSIONS); do \
	  if ! python=$$(.ci/find-python $$version); then result="not found"; \
	  elif $(MAKE) test PYTHON=$$python VENV=.venv-$$version; then result=passed; \
	  else result=failed; fi; \
	  report="$$report$$version $$result\n"; \
	done; printf "$$report"; ! printf "$$report" | grep -q failed

# Other codes read a dataset in every format, each in a virtual environment of its own under .venv-consumers; gigabytes.
# CONSUMERS="mace or matgl" runs some of them.
test-consumers: $(VENV)/.test
	$(BIN)/python -m pytest -n 0 -q -rA tests/consumers/suite.py $(if $(CONSUMERS),-k "$(CONSUMERS)")

# A fresh installation on the newest Python, and a run of a minute through every stage.
smoke: PYTHON = $(shell .ci/find-python $(lastword $(VERSIONS)))
smoke:
	@if [ -z "$(PYTHON)" ]; then echo "smoke: skipped, no Python $(lastword $(VERSIONS)) is found"; else \
	  rm -rf .venv-smoke out/smoke && $(PYTHON) -m venv .venv-smoke && \
	  .venv-smoke/bin/python -m pip install --quiet . && \
	  .venv-smoke/bin/python -P -c "import augment, md, defectgen" && \
	  .venv-smoke/bin/defectgen run .ci/smoke.yaml; fi

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
	rm -rf $(VENV) .venv-* out

# Each target does its own set-up in a virtual environment; nothing else on the machine is touched.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= 2
VERSIONS ?= 3.11 3.12 3.13
# The oldest dependencies that are supported, on the oldest Python.
OLDEST := tests/oldest.txt
OLDEST_VERSION := $(firstword $(VERSIONS))

# One thread a process: the suites and the sweeps use processes, and results do not depend on their number.
export OMP_NUM_THREADS = 1

.PHONY: demo test test-all test-alone test-oldest pin-oldest test-versions test-consumers smoke bench check docs pictures clean

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

# The suite with the oldest dependencies, in a virtual environment of its own.
test-oldest:
	$(MAKE) test PYTHON=$$(.ci/find-python $(OLDEST_VERSION)) VENV=.venv-oldest CONSTRAINTS=$(OLDEST)

# Pins anew the oldest dependencies, from the lower bounds in pyproject.toml.
pin-oldest: $(VENV)/.venv
	$(BIN)/python -m pip install --quiet uv
	UV_CUSTOM_COMPILE_COMMAND="make $@" $(BIN)/uv pip compile --quiet --upgrade --resolution lowest-direct \
	  --python-version $(OLDEST_VERSION) --extra test --no-annotate --output-file $(OLDEST) pyproject.toml

# The suite with the oldest dependencies, then with the newest on each Python that is found, in virtual environments
# of their own; prints a line for each.
test-versions:
	@report=; for version in oldest $(VERSIONS); do \
	  if [ $$version = oldest ]; then name="$(OLDEST_VERSION) oldest"; target=test-oldest; \
	  else name=$$version; target="test VENV=.venv-$$version"; fi; \
	  if ! python=$$(.ci/find-python $${name% oldest}); then result="not found"; \
	  elif $(MAKE) $$target PYTHON=$$python; then result=passed; \
	  else result=failed; fi; \
	  report="$$report$$name $$result\n"; \
	done; printf "$$report"; ! printf "$$report" | grep -q failed

# Other codes read a dataset in every format, each in a virtual environment of its own under .venv-consumers; gigabytes.
# CONSUMERS="mace or matgl" runs some of them.
test-consumers: $(VENV)/.test
	$(BIN)/python -m pytest -n 0 -q -rA tests/consumers/suite.py tests/consumers/training.py $(if $(CONSUMERS),-k "$(CONSUMERS)")

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
	$(MAKE) docs

# The measured figures again: NAME=readers for one script of benchmarks/, all of them without it (hours; some need peers).
bench: $(VENV)/.oracles
	@failed=; for script in $(if $(NAME),benchmarks/$(NAME).py,$(sort $(wildcard benchmarks/*.py))); do \
	  echo "== $$script"; $(BIN)/python $$script || failed="$$failed $$script"; \
	done; echo "failed:$${failed:- none}"; test -z "$$failed"

# The site, built strictly: a warning fails. Open docs/_build/html/index.html.
docs: $(VENV)/.check
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

# The pictures of the concept pages again, from the code.
pictures: $(VENV)/.run
	$(BIN)/python -m docs.pictures $(NAME)

$(VENV)/.venv:
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.run: pyproject.toml $(VENV)/.venv
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.test: pyproject.toml $(VENV)/.venv $(CONSTRAINTS)
	$(BIN)/python -m pip install --quiet --editable ".[test]" $(CONSTRAINTS:%=--constraint %)
	touch $@

$(VENV)/.oracles: pyproject.toml $(VENV)/.venv
	$(BIN)/python -m pip install --quiet --editable ".[test,oracles]"
	touch $@

$(VENV)/.check: pyproject.toml $(VENV)/.venv
	$(BIN)/python -m pip install --quiet --editable ".[test,check]"
	touch $@

clean:
	rm -rf $(VENV) .venv-* out

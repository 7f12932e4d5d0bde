# Requires Python 3.11 or later with venv and pip, and make; everything else is installed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TYPESCRIPT := clients/typescript
NPM := $(shell command -v npm)

# With this variable set, every process of the suite would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help serve demo test test-typescript check check-slow bench flood rotation faults audit mutants pictures format lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-15s %s\n", $$1, $$2}' Makefile

serve: $(VENV)/run.stamp ## serve on http://127.0.0.1:8000 with demo accounts
	$(BIN)/jeton serve --demo

demo: $(VENV)/run.stamp ## run through the life of a session, and check each step
	$(BIN)/python clients/demo/scenario.py

test: $(VENV)/dev.stamp ## run the suite, PostgreSQL included
	$(BIN)/python -m pytest -n 4 --dist worksteal -m "not slow"

# Without npm these tests are skipped with a message, or fail in CI.
test-typescript: $(VENV)/run.stamp $(if $(NPM),$(TYPESCRIPT)/node_modules/.package-lock.json) ## check and test the TypeScript client
ifdef NPM
	cd $(TYPESCRIPT) && npm run -s check && npm test -s
else
	@echo "THE TYPESCRIPT CLIENT IS NOT TESTED: there is no npm on this machine (Debian: apt-get install npm)"
	@test -z "$$CI"
endif

check: $(VENV)/dev.stamp test-typescript ## format, lint, types, architecture, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -n 4 --dist worksteal -m "not slow"

check-slow: $(VENV)/dev.stamp ## the tests that take minutes
	$(BIN)/python -m pytest -m slow
	cd $(TYPESCRIPT) && npm run -s test-slow

bench: $(VENV)/dev.stamp ## measure, and render docs/performance.md (a quarter of an hour)
	PYTHONPATH=tests $(BIN)/python benchmarks/bench.py

flood: $(VENV)/dev.stamp ## attack a server, and print the cost and the successful logins
	PYTHONPATH=tests $(BIN)/python benchmarks/flood.py

rotation: $(VENV)/dev.stamp ## rotate keys under load, and count failed verifications
	PYTHONPATH=tests $(BIN)/python benchmarks/rotation.py

faults: $(VENV)/dev.stamp ## slow sockets, overload, restarts, outages, deletion, pooler, kill -9, fail-over (45 minutes)
	PYTHONPATH=tests $(BIN)/python benchmarks/slow_sockets.py
	PYTHONPATH=tests $(BIN)/python benchmarks/overload.py
	PYTHONPATH=tests $(BIN)/python benchmarks/rolling_restarts.py
	PYTHONPATH=tests $(BIN)/python benchmarks/outage.py
	PYTHONPATH=tests $(BIN)/python benchmarks/purge.py
	PYTHONPATH=tests $(BIN)/python benchmarks/pooler.py
	PYTHONPATH=tests $(BIN)/python benchmarks/kills.py
	PYTHONPATH=tests $(BIN)/python benchmarks/failover.py

audit: $(VENV)/dev.stamp ## refreshes with and without the audit trail, in one process
	PYTHONPATH=tests $(BIN)/python benchmarks/audit.py

mutants: $(VENV)/dev.stamp ## mutate the pure rules, and count how often the suite notices
	$(BIN)/python benchmarks/mutants.py

pictures: $(VENV)/dev.stamp ## take the pictures of docs/pages.md
	TAKE_PICTURES=yes $(BIN)/python -m pytest -k as_pictured tests/browser/test_pages.py

format: $(VENV)/dev.stamp ## format, and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(VENV)/dev.stamp ## resolve the dependencies again, with hashes
	$(BIN)/uv pip compile --universal --generate-hashes --no-header --no-annotate -q --upgrade \
		--extra run pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --universal --generate-hashes --no-header --no-annotate -q --upgrade \
		--extra run --extra dev pyproject.toml -o requirements-dev.txt

clean: ## remove build results; keep var/ and its data
	rm -rf $(VENV) build *.egg-info server/*.egg-info clients/python/build clients/python/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Install the lock first, then the project with the locked build tools: nothing unpinned is downloaded.
$(VENV)/run.stamp: requirements.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/dev.stamp: requirements-dev.txt clients/python/pyproject.toml $(VENV)/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e clients/python
	touch $@

$(TYPESCRIPT)/node_modules/.package-lock.json: $(TYPESCRIPT)/package-lock.json
	cd $(TYPESCRIPT) && npm ci --no-audit --no-fund
	touch $@

# What is left of a failure would be taken for a complete environment.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) is not Python 3.11 or later: name one that is, as in make serve PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

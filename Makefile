# python3 (3.11 or newer) and make are enough for `make run` and `make test`: everything else is put into .venv.
# `make UV=` installs with pip alone; PYTHON=/path/to/python chooses another Python; ARGS="..." is handed on.

BLUEPRINT ?= crypto_data
PORT ?= 8000
# Not taken from the environment: some shells export the machine's name as HOST.
HOST = 127.0.0.1

UV ?= auto
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
export UV PYTHON

RUN_READY = .venv/.ready-run
DEV_READY = .venv/.ready-dev
NODE_READY = tests/node/node_modules/.package-lock.json
# Tests start `tenantry` hundreds of times; where a container forbids compiled files, each would compile for 2 seconds.
PYTEST = env -u PYTHONDONTWRITEBYTECODE .venv/bin/python -m pytest
# One process a core, each with a PostgreSQL of its own. `make test ARGS="-n 0 tests/usage"` stays in one.
SIDE_BY_SIDE = -n auto --maxprocesses 8 --dist worksteal
COMPILE = $(shell command -v uv || echo .venv/bin/uv) pip compile --quiet --no-config --universal --python-version 3.11 \
	--generate-hashes --no-header --no-annotate $(if $(UPGRADE),--upgrade)

.DEFAULT_GOAL = help
.NOTPARALLEL:
.PHONY: help setup run test test-browser test-node check format bench deep lock vendor clean postgres

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(RUN_READY) ## serve a blueprint: make run [BLUEPRINT=crypto_data] [PORT=8000] [HOST=127.0.0.1]
	@exec .venv/bin/tenantry run '$(BLUEPRINT)' --host '$(HOST)' --port '$(PORT)'

test: $(DEV_READY) postgres ## every test on SQLite and PostgreSQL but those that need a browser or hours
	$(PYTEST) -m "not browser and not deep" $(SIDE_BY_SIDE) $(ARGS)

test-browser: $(DEV_READY) postgres $(NODE_READY) ## the tests that drive a real Chromium (CHROMIUM=/path/to/it)
	@test -x "$(CHROMIUM)" || { echo "No Chromium here: install the package chromium, or name one with CHROMIUM=." >&2; exit 1; }
	CHROMIUM="$(CHROMIUM)" $(PYTEST) -m browser $(SIDE_BY_SIDE) $(ARGS)

test-node: $(DEV_READY) $(NODE_READY) ## the tests that need Node
	@find tests/node -name '*.test.*' -not -path '*/node_modules/*' | grep -q . || { echo "tests/node holds no test." >&2; exit 1; }
	cd tests/node && node --test

check: $(DEV_READY) ## lint, format, types, who imports whom, locks, vendored files
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo
	.venv/bin/python scripts/guard.py
	.venv/bin/python scripts/vendor.py

format: $(DEV_READY) ## put the code into the form that `make check` asks for
	.venv/bin/ruff check --fix-only .
	.venv/bin/ruff format .

bench: $(DEV_READY) postgres ## print speeds beside the bare limit of the same run
	.venv/bin/python -m bench $(ARGS)

deep: $(DEV_READY) postgres ## long property and fault runs on both databases
	$(PYTEST) -m deep --timeout=3600 $(ARGS)

setup: $(DEV_READY) ## .venv with everything a developer needs

lock: $(DEV_READY) ## write the lock files anew from pyproject.toml (UPGRADE=1: newest versions)
	$(COMPILE) pyproject.toml --all-extras --group dev --output-file requirements.lock
	$(COMPILE) pyproject.toml --all-extras --constraints requirements.lock --output-file requirements.prod.lock
	$(COMPILE) --group postgres --constraints requirements.lock --output-file requirements.postgres.lock
	.venv/bin/python scripts/guard.py

vendor: $(DEV_READY) ## compare the vendored files with their hashes (FETCH=1: take them from npm again)
	.venv/bin/python scripts/vendor.py $(if $(FETCH),--fetch)

clean: ## remove what tools have made; var/, your data, stays
	rm -rf .venv .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	rm -rf tests/node/node_modules bench/better_auth/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The tests start PostgreSQL themselves; where the system has no programs for it, a wheel brings them (status 3).
postgres: $(DEV_READY)
	@.venv/bin/python -I src/tenantry/testing/postgres_programs.py || { \
		test $$? -eq 3 && scripts/setup.sh requirements.postgres.lock --without-project; }

$(RUN_READY): requirements.prod.lock pyproject.toml
	@scripts/setup.sh requirements.prod.lock
	@touch $@

$(DEV_READY): requirements.lock pyproject.toml
	@scripts/setup.sh requirements.lock
	@touch $@ $(RUN_READY)

$(NODE_READY): tests/node/package-lock.json
	@command -v npm >/dev/null || { echo "No npm here: install Node 20 or newer with npm." >&2; exit 1; }
	cd tests/node && npm ci

# The two commands are `make run` and `make test`; CONTRIBUTING.md has the others. Needs Python >= 3.11, git and make.

PORT ?= 8000
HOST ?= 127.0.0.1
VAR ?= var
DEMO ?=
JOBS ?= 3  # test processes side by side: much of a story is waiting

PYTHON := $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)
VENV := .venv/bin/python
EXEC := $(VENV) -m cpo.lib.embedded exec
# Checks that only read the code need settings, but no servers.
OFFLINE := SECRET_KEY=offline FIELD_KEYS=offline DATABASE_URL=postgresql:///offline REDIS_URL=redis://offline

.PHONY: run test lint types unit bench proof shell clean python installed installed-dev vendor-check
.DEFAULT_GOAL := run

run: installed
	@exec $(VENV) -m cpo.run --with-parent --port "$(PORT)" --host "$(HOST)" --var "$(VAR)" $(if $(filter-out 0 no,$(DEMO)),--demo)

test: lint types unit

lint: installed-dev
	$(VENV) -m ruff check .
	$(VENV) -m ruff format --check .
	$(OFFLINE) .venv/bin/lint-imports

types: installed-dev
	$(OFFLINE) $(VENV) -m mypy .

unit: installed-dev
	@$(VENV) -m tests.chromium
	@$(VENV) -m tests.nginx
	PUBLIC_URL=https://opencpo.example SECURE_HSTS_SECONDS=31536000 $(EXEC) --var "$(VAR)/test" --scratch -- \
		$(VENV) -W error manage.py check --deploy --fail-level ERROR
	$(EXEC) --var "$(VAR)/test" --scratch -- $(VENV) manage.py makemigrations --check --dry-run
	TEST_VAR="$(VAR)/test" $(VENV) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(PYTEST)

bench: installed-dev
	VAR="$(VAR)" $(EXEC) --var "$(VAR)/bench" -- $(VENV) -m bench $(BENCH)

proof: installed-dev
	VAR="$(VAR)" $(EXEC) --var "$(VAR)/bench" -- $(VENV) -m bench.proof $(PROOF)

# A shell with DATABASE_URL, REDIS_URL, the secrets and psql of this VAR: for manage.py, backup and repair.
shell: installed
	@VAR="$(VAR)" $(EXEC) --var "$(VAR)" -- "$${SHELL:-sh}"

clean:
	rm -rf .venv .venv.lock .mypy_cache .ruff_cache .pytest_cache .import_linter_cache staticfiles

python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed" >&2; exit 1; }

installed: python
	@$(PYTHON) deploy/virtualenv.py requirements.txt

installed-dev: python
	@$(PYTHON) deploy/virtualenv.py requirements-dev.txt

# Vendored front-end files against static/vendor/vendor.lock.json; `deploy/vendor.py fetch` takes them anew from npm.
vendor-check: python
	$(PYTHON) deploy/vendor.py check

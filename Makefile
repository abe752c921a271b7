# FicPay on a development machine. `make help` says what there is; production does not use this file.
#
# Settings go before or after the command: `FICPAY_PORT=8001 make up` or `make up FICPAY_PORT=8001`.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The interpreter for a new .venv; without a word, the newest one that runs.
PYTHON ?=
VENV := .venv/bin/python
INSTALLED := .venv/.installed
# Another interpreter for the benchmarks, of the .venv's version: it uses the packages of the .venv.
BENCH_PYTHON ?= $(VENV)
# A PYTHONPATH, or tools that configure Python, in the shell are not meant for this project.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP VIRTUAL_ENV

.PHONY: help up demo test fuzz check down reset seed migrate shell logs clean bank-contract mutants soak wide month bench bench-quick admin-benchmark statements-benchmark matching-benchmark screenshots openapi outcomes settings links acquirer-contract postman

help: ## this list
	@printf 'FicPay, a payment gateway. Commands:\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' Makefile
	@printf '\nSettings (environment): FICPAY_PORT 8000, BANK_PORT 8787, ACQUIRER_PORT 8080, FICPAY_VAR var,\n  DATABASE_URL, BANK_URL, ACQUIRER_URL.\n'

up: $(INSTALLED) ## start everything in the foreground; Ctrl-C stops it
	@exec $(VENV) -m dev.up

demo: $(INSTALLED) ## a payment's whole life, shown at the running FicPay
	@exec $(VENV) -m dev.demo

# Three processes for two cores: tests wait for banks, databases and browsers.
test: $(INSTALLED) ## all tests but the long ones, on a database and a bank of their own
	@exec $(VENV) -m pytest -n 3 --dist worksteal

# `make test` plays the same examples each time; this plays others, and says how to repeat them.
fuzz: SECONDS ?= 60
fuzz: EXAMPLES ?= 50
fuzz: $(INSTALLED) ## random requests for SECONDS (60), and EXAMPLES (50) random lives; SEED repeats them
	@seed=$${SEED:-$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')} && \
	echo "To repeat this: make fuzz SEED=$$seed SECONDS=$(SECONDS) EXAMPLES=$(EXAMPLES)" && \
	HYPOTHESIS_PROFILE=long MODEL_LIVES=$(EXAMPLES) FUZZ_EXAMPLES=$$((20 * $(EXAMPLES))) \
	FUZZ_SECONDS=$(SECONDS) FUZZ_SEED=$$seed $(VENV) -m pytest -n 3 --dist worksteal --hypothesis-seed=$$seed \
	tests/api/test_schemathesis.py tests/api/test_plain.py tests/domain tests/adversity/model

check: $(INSTALLED) ## style, layers, types, migrations, settings, documents
	@echo 'Style (ruff)'
	@$(VENV) -m ruff check --quiet .
	@$(VENV) -m ruff format --check --quiet . || { echo 'Not formatted: .venv/bin/ruff format .'; exit 1; }
	@echo 'Layers (import-linter)'
	@$(VENV) -c 'from importlinter.cli import lint_imports_command as run; run()' --no-logo
	@echo "What a bank says stays in its adapter"
	@$(VENV) -m pytest -q -n0 --no-header -p no:cacheprovider tests/domain/test_bank_words.py
	@echo 'Types (mypy)'
	@$(VENV) -m dev.production $(VENV) -m mypy
	@echo 'Migrations'
	@$(VENV) -m dev.production $(VENV) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	@echo 'Production settings (manage.py check --deploy)'
	@$(VENV) -m dev.production $(VENV) manage.py check --deploy --fail-level WARNING
	@echo 'The API document is current'
	@document=$$(mktemp) && trap 'rm -f "$$document"' EXIT && \
	$(VENV) -m dev.production $(VENV) manage.py spectacular --file "$$document" --validate --fail-on-warn && \
	{ diff -u docs/openapi.yaml "$$document" || { echo 'docs/openapi.yaml is not current: make openapi'; exit 1; }; }
	@echo 'The Postman collection is current'
	@document=$$(mktemp) && trap 'rm -f "$$document"' EXIT && $(VENV) -m docs.postman "$$document" && \
	{ diff -u docs/ficpay.postman_collection.json "$$document" || \
	{ echo 'docs/ficpay.postman_collection.json is not current: make postman'; exit 1; }; }
	@echo 'The table of outcomes is current'
	@document=$$(mktemp) && trap 'rm -f "$$document"' EXIT && $(VENV) -m docs.outcomes "$$document" && \
	{ diff -u docs/outcomes.md "$$document" || { echo 'docs/outcomes.md is not current: make outcomes'; exit 1; }; }
	@echo 'The list of settings is current'
	@document=$$(mktemp) && trap 'rm -f "$$document"' EXIT && $(VENV) -m docs.settings "$$document" && \
	{ diff -u docs/settings.md "$$document" || { echo 'docs/settings.md is not current: make settings'; exit 1; }; }
	@echo 'Links to lines of the code are current'
	@$(VENV) -m docs.links --check
	@echo 'Dependencies (pip)'
	@$(VENV) -m pip --disable-pip-version-check check
	@echo 'All checks passed.'

soak: $(INSTALLED) ## shoppers and disturbances of all kinds for SOAK_SECONDS (120), then the books
	@exec $(VENV) -m tests.adversity.soak

wide: $(INSTALLED) ## two machines, PgBouncer and a standby that takes over; then the books (two minutes)
	@exec $(VENV) -m tests.adversity.wide

month: $(INSTALLED) ## DAYS (30) of PAYMENTS (100) with faults, statements, settlements; then the books
	@exec $(VENV) -m tests.adversity.month

bench: $(INSTALLED) ## what a payment costs, as ratios to the best this machine could do (docs/benchmarks.md)
	@PYTHONPATH="$$($(VENV) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
	exec $(BENCH_PYTHON) -m tests.benchmarks.gateway

bench-quick: $(INSTALLED) ## one ratio of it in less than a minute: before and after a change
	@PYTHONPATH="$$($(VENV) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
	exec $(BENCH_PYTHON) -m tests.benchmarks.gateway quick

admin-benchmark: $(INSTALLED) ## how the back office searches among ROWS (1000000) payments (minutes)
	@exec $(VENV) -m tests.benchmarks.admin

statements-benchmark: $(INSTALLED) ## how long a statement of LINES (1000000) lines takes to import (minutes)
	@exec $(VENV) -m tests.benchmarks.statements

matching-benchmark: $(INSTALLED) ## how long reconciliations of PAYMENTS (200000) payments take (minutes)
	@exec $(VENV) -m tests.benchmarks.matching

screenshots: $(INSTALLED) ## photograph the back office anew for docs/desk.md (needs a browser)
	@mkdir -p docs/screenshots
	@FICPAY_SCREENSHOTS=docs/screenshots $(VENV) -m pytest -q tests/office/browser/test_staff_at_work.py tests/office/browser/test_books.py

openapi: $(INSTALLED) ## write docs/openapi.yaml and the Postman collection made from it anew
	@$(VENV) -m dev.production $(VENV) manage.py spectacular --file docs/openapi.yaml --validate --fail-on-warn
	@$(VENV) -m docs.postman docs/ficpay.postman_collection.json

postman: $(INSTALLED) ## write docs/ficpay.postman_collection.json anew, from docs/openapi.yaml
	@$(VENV) -m docs.postman docs/ficpay.postman_collection.json

outcomes: $(INSTALLED) ## write docs/outcomes.md anew
	@$(VENV) -m docs.outcomes docs/outcomes.md

settings: $(INSTALLED) ## write docs/settings.md anew, from ficpay/settings.py
	@$(VENV) -m docs.settings docs/settings.md

links: $(INSTALLED) ## bring the links from documents to lines of the code up to date
	@$(VENV) -m docs.links

bank-contract: $(INSTALLED) ## the bank's contract as tests, against BANK_URL if given
	@exec $(VENV) -m pytest tests/banks/contract

acquirer-contract: $(INSTALLED) ## the acquirer's contract as tests, against ACQUIRER_URL if given
	@exec $(VENV) -m pytest tests/banks/acquirer_contract

mutants: $(INSTALLED) ## break the rules and the engine in a copy, and see which faults the tests miss (15 min)
	@exec $(VENV) -m tests.mutants

seed: migrate ## the merchant FicMart, its API keys and the admin user, as far as missing
	@exec $(VENV) -m dev.manage seed --credentials "$${FICPAY_VAR:-var}/credentials.json"

migrate: $(INSTALLED) ## bring the database up to date
	@exec $(VENV) -m dev.manage migrate

shell: $(INSTALLED) ## a Python shell with the models loaded
	@exec $(VENV) -m dev.manage shell

logs: $(INSTALLED) ## follow the logs of the running FicPay, or show the last ones
	@exec $(VENV) -m dev.logs

down: $(INSTALLED) ## stop FicPay from another terminal, or what a crash has left running
	@exec $(VENV) -m dev.down

reset: $(INSTALLED) ## stop everything and delete data, keys and logs
	@exec $(VENV) -m dev.down --delete

clean: ## reset, and delete the virtual environment and all caches
	@if [ -e $(INSTALLED) ] && [ -x $(VENV) ]; then $(VENV) -m dev.down --delete; fi
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo 'Deleted the virtual environment and all caches.'

$(INSTALLED): requirements.txt requirements-dev.txt $(VENV)
	@sh dev/install.sh

# A .venv whose interpreter has gone away is made anew.
$(VENV):
	@PYTHON='$(PYTHON)' sh dev/install.sh venv

# Everything a person or CI runs. `make` alone lists the targets.
.DEFAULT_GOAL := help
.PHONY: help install demo test calibre lint licences sbom bench messages clean browser

VENV := .venv
BIN := $(VENV)/bin
# The first Python on the path that Openshelf runs on.
PYTHON ?= $(shell for p in python3.12 python3.11 python3 python; do \
  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && echo $$p && break; done)
INSTALLED := $(VENV)/.installed
CHROMIUM := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(INSTALLED) ## Make .venv with everything

$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Openshelf needs Python 3.11 or 3.12; none was found. Install one, or name it: make install PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' || { echo "This Python has no venv module. On Debian: apt-get install python3-venv"; exit 1; }
	@test $$(df -Pk . | awk 'NR==2 {print $$4}') -gt 5000000 || { echo "Less than 5 GB are free on this disk; the environment needs them. Free some space, then run make again."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "Installing (some minutes, about 2.5 GB) ..."
	$(BIN)/pip install --quiet torch==2.13.0 --constraint constraints.txt
	$(BIN)/pip install --quiet --editable '.[airflow,dev]' --constraint constraints.txt
	@touch $@

demo: install ## Build the demo library once and open the storefront on http://localhost:8501
	@$(BIN)/openshelf demo

test: install browser ## Run all tests, in three processes on two cores; they start the services they need
	@$(BIN)/python -m pytest -n auto

browser: # Chromium for the browser tests: installed where that is allowed, else those tests say why they are skipped
	@if [ -z "$(CHROMIUM)" ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing chromium for the browser tests ..."; \
	    apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	  else echo "No chromium here: the browser tests are skipped (on Debian: sudo apt-get install chromium)"; fi; fi

calibre: install ## Test on libraries that Calibre itself makes; installs Debian's calibre where that is allowed
	@if ! command -v calibredb >/dev/null; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing calibre (about 100 MB) ..."; \
	    apt-get update -qq && apt-get install -y -qq --no-install-recommends calibre >/dev/null; \
	  else echo "Calibre is not here: on Debian: sudo apt-get install calibre"; exit 1; fi; fi
	@$(BIN)/python -m pytest -n 0 tests/ingest/test_real_calibre.py

lint: install ## Check style, types, import direction and SQL
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright
	@$(BIN)/lint-imports
	@$(BIN)/sqlfluff lint --processes 2 --disable-progress-bar dbt/models dbt/data_tests dbt/macros

# Parts of names, as packages write them: none that asks us to publish our own source, or to pay.
MAY_USE := MIT;Apache;BSD;ISC;MPL;Mozilla Public License;LGPL;Lesser General Public License;PSF;Python Software Foundation;Unlicense;Artistic
# Say it in their files, not in their metadata: docs/licences.md has them.
SAY_ELSEWHERE := axe-playwright-python bytewax openlineage_sql pymarc openshelf

licences: install ## Refuse dependencies whose licence we may not use; list all in docs/licences.md
	@$(BIN)/pip check
	@$(BIN)/pip-licenses --partial-match --allow-only='$(MAY_USE)' --ignore-packages $(SAY_ELSEWHERE) --format=csv >/dev/null
	@{ sed '/^| Name /,$$d' docs/licences.md; \
	  $(BIN)/pip-licenses --ignore-packages $(SAY_ELSEWHERE) --no-version --format=markdown; } > docs/licences.new
	@mv docs/licences.new docs/licences.md

sbom: install ## Write build/sbom.json, a bill of materials (CycloneDX) of all that is installed
	@mkdir -p build
	@$(BIN)/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml --output-file build/sbom.json
	@echo build/sbom.json

bench: install ## Measure what the README claims; prints JSON. FULL=1: in full, and rewrite the tables of models/README.md
ifdef FULL
	@mkdir -p build
	$(BIN)/python benchmarks/closed_loop.py > build/closed_loop.json
	$(BIN)/python benchmarks/ranking.py --readme --closed-loop build/closed_loop.json > build/ranking.json
else
	@for b in benchmarks/*.py; do echo "== $$b"; $(BIN)/python $$b --quick --json || exit 1; done
endif

messages: install ## Bring the message catalogues up to date with the words in the code; then translate what is empty
	@$(BIN)/python -m dashboard.locale.update

clean: ## Remove the environment and the installation under .openshelf
	@if [ -e .openshelf/supervisor.lock ] && ! flock -n .openshelf/supervisor.lock true; then echo "Openshelf is running: stop it first (Ctrl-C)"; exit 1; fi
	rm -rf $(VENV) .openshelf build *.egg-info .pytest_cache .ruff_cache dbt/target dbt/logs

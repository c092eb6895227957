# Commands of daily work. `make test` does all the set-up it needs and is exactly what CI runs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CODE := src tests benchmarks
# Sets for `make bench`, and engines to compare with; see benchmarks/README.md.
SETS ?=
ENGINES ?=

.DEFAULT_GOAL := help
.PHONY: help setup fmt check test test-all bench docs

help:
	@echo 'make setup      .venv with yinzi from this checkout and all tools'
	@echo 'make fmt        format the code'
	@echo 'make check      lint, formatting, types, import rules'
	@echo 'make test       setup, check, and the tests that take seconds'
	@echo 'make test-all   the same with the slow tests'
	@echo 'make bench SETS="a.tsv b.tsv" [ENGINES="--engine ..."]'
	@echo 'make docs       docs/cli.md and docs/cli-train.md from the commands themselves'

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# Installs if the project file changed, or if .venv holds another yinzi than this checkout's, as it
# does after `pip install .`.
setup: $(BIN)/python
	@if [ pyproject.toml -nt $(VENV)/.installed ] || ! $(BIN)/python -c 'import sys, yinzi; \
	sys.exit(not yinzi.__file__.startswith("$(CURDIR)/src/"))' 2>/dev/null; then \
		echo "$(BIN)/pip install --editable '.[dev]'"; \
		$(BIN)/pip install --quiet --editable '.[dev]' && touch $(VENV)/.installed; \
	fi

fmt: setup
	$(BIN)/ruff check --fix-only $(CODE)
	$(BIN)/ruff format $(CODE)

check: setup
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/pytest -m 'not slow' --numprocesses auto --dist loadfile

test-all: check
	$(BIN)/pytest

bench: setup
	@if [ -z '$(SETS)' ]; then echo 'usage: make bench SETS="a.tsv b.tsv"' >&2; exit 2; fi
	$(BIN)/python -m benchmarks.compare $(SETS) $(ENGINES)
	$(BIN)/python -m benchmarks.latency $(SETS)

docs: setup
	$(BIN)/typer yinzi.cli.main utils docs --name yinzi --output docs/cli.md
	$(BIN)/typer yinzi_train.cli.main utils docs --name yinzi-train --output docs/cli-train.md

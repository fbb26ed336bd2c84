PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2

.PHONY: report test test-all test-slow check bench example clean

report: $(VENV)/.core
	$(BIN)/diffbench run

test: $(VENV)/.test
	$(BIN)/python -m pytest -m "not slow" -n $(JOBS)

test-all: test test-slow

test-slow: $(VENV)/.test
	$(BIN)/python -m pytest -m slow -n $(JOBS)

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.test
	$(BIN)/python -m pytest benchmarks --benchmark-enable

# The figure and the table that the README shows.
example: $(VENV)/.core
	rm -rf build/example
	$(BIN)/diffbench run --quiet --out build/example
	cp build/example/figures/exp-d1-float64.svg docs/example/exp.svg
	cp build/example/tables/ranking.md docs/example/ranking.md
	$(BIN)/python docs/example/into_readme.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@ $(VENV)/.core

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[test,dev]'
	touch $@ $(VENV)/.core $(VENV)/.test

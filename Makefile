PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2

.PHONY: report test test-all test-slow coverage mutation check verify gate bench fuzz leaderboard example docs clean

# Workers and the children of tests find modules that are compiled already.
test test-slow coverage: export PYTHONDONTWRITEBYTECODE =

report: $(VENV)/.core
	$(BIN)/diffbench run --rule all

test: $(VENV)/.test
	$(BIN)/python -m pytest -m "not slow" -n $(JOBS)

test-all: test test-slow

test-slow: $(VENV)/.slow
	$(BIN)/python -m pytest -m slow -n $(JOBS)

# Lines and branches of the package that no quick test runs; with the slow ones it takes hours and finds half of a per cent.
coverage: $(VENV)/.slow
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -m "not slow" -n $(JOBS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --show-missing --skip-covered

# Small changes of the code, each of which a test must notice; ONLY=diffbench.reference.pair.* takes one module.
mutation: $(VENV)/.dev
	$(BIN)/mutmut run --max-children $(JOBS) $(if $(ONLY),'$(ONLY)')
	$(BIN)/python .ci/mutation_score.py

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml diffbench
	$(BIN)/codespell . .github
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/repo-review --show errskip .

# Every reference of every suite, three ways.
verify: $(VENV)/.core
	$(BIN)/diffbench references verify

# The standard suite against its baseline, and the gate against a weight that is wrong.
gate: $(VENV)/.core
	$(BIN)/diffbench check
	$(BIN)/diffbench check --self-test; test $$? -eq 1

# Ratios of times; fails where one is beyond its fail line. RECORD=1 adds them to results/benchmarks/history.jsonl, with
# what NOTE="…" says of the run.
bench: $(VENV)/.bench
	$(BIN)/python -m pytest benchmarks --benchmark-enable --benchmark-quiet $(if $(RECORD),--record --note "$(NOTE)")

# Generated inputs for whatever reads text or files: formulas, specs, epsilons, run folders. A million each takes hours.
INPUTS ?= 1000000
SEED ?= 1
fuzz: $(VENV)/.core
	$(BIN)/python tests/fuzz/fuzz.py --inputs $(INPUTS) --seed $(SEED) --processes $(JOBS)

# Other packages beside the schemes of their class; what is committed of it.
leaderboard: $(VENV)/.libraries
	rm -rf build/leaderboard
	$(BIN)/diffbench leaderboard --out build/leaderboard
	$(BIN)/python benchmarks/keep_leaderboard.py

# The report of the standard suite that the README shows, and its tables of step rules.
example: $(VENV)/.core
	rm -rf build/example build/rules docs/example/figures
	$(BIN)/diffbench run --quiet --out build/example
	$(BIN)/diffbench report build/example --quiet --format md -f exp --out docs/example
	cp build/example/tables/ranking.md docs/example/ranking.md
	$(BIN)/diffbench run --quiet --rule all -s forward-1 -s central-2 --out build/rules
	cp build/rules/tables/regret.md build/rules/tables/regret-classes.md docs/example
	$(BIN)/python docs/example/into_readme.py

# The site, build/docs/index.html. Every example of it runs, and warnings are errors; they are those of Sphinx alone, whatever
# pip says above them.
docs: $(VENV)/.docs
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --nitpicky --fresh-env --jobs $(JOBS) --quiet docs build/docs

clean:
	rm -rf $(VENV) build dist mutants .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@ $(VENV)/.core

$(VENV)/.libraries: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[libraries]'
	touch $@ $(VENV)/.core

$(VENV)/.slow: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[all,dev,docs]'
	touch $@ $(VENV)/.core $(VENV)/.test $(VENV)/.libraries $(VENV)/.bench $(VENV)/.dev $(VENV)/.docs

$(VENV)/.bench: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[test,bench]'
	touch $@ $(VENV)/.core $(VENV)/.test

$(VENV)/.docs: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[test,docs]'
	touch $@ $(VENV)/.core $(VENV)/.test

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[test,dev]'
	touch $@ $(VENV)/.core $(VENV)/.test

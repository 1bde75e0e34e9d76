# Cauce. Everything runs in .venv, made from locked requirements by the first target that needs it.
PYTHON ?= python3
# A Python that somebody names is used; else the quickest build of python3's version that is on the PATH.
EXACTLY := $(if $(filter-out file,$(origin PYTHON)),--this-python)
RUN := .venv/bin/python
ONCE ?=
PORT ?=
NAME ?=
ARGS ?=

# Compiled modules are kept, whatever the environment says: else every process that starts compiles all of them anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test bench lint setup core lock assets docs clean

help:
	@echo 'make demo            a synthetic retailer streams in; ends at the console that shows it (ONCE=1 ends there, PORT=8080)'
	@echo 'make test            lint, types, import order and the quick tests (ARGS="-k identity" for some)'
	@echo 'make bench NAME=…    one figure beside its floor, as JSON; without a name: all of them'
	@echo 'make lint            lint, types and import order alone'
	@echo 'make setup           .venv with everything for development'
	@echo 'make docs            writes the reference pages anew from the code'
	@echo 'make assets          fetches the script of others that the console serves, as it is locked (RENEW=1: the newest)'
	@echo 'make lock            renews the locked requirements from pyproject.toml'
	@echo 'make clean           removes what was built; no data folder is touched'

core:
	@$(PYTHON) requirements/install.py core $(EXACTLY)

setup:
	@$(PYTHON) requirements/install.py dev $(EXACTLY)

demo: core
	@.venv/bin/cauce demo $(if $(ONCE),--once) $(if $(PORT),--port $(PORT)) $(ARGS)

lint: setup
	@.venv/bin/ruff check -q .
	@.venv/bin/ruff format -q --check .
	@.venv/bin/lint-imports --no-logo
	@.venv/bin/mypy

test: lint
	@$(RUN) -m pytest -n 2 --dist worksteal -m 'not reference and not sdk and not browser and not soak and not postgres' $(ARGS)

bench: setup
	@.venv/bin/cauce bench $(NAME) $(ARGS)

docs: setup
	@$(RUN) -m tests.house.pages

assets:
	@$(PYTHON) requirements/assets.py $(if $(RENEW),renew)

lock:
	@$(PYTHON) requirements/install.py lock $(EXACTLY)

clean:
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

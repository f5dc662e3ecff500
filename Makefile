# make demo   a whole study in minutes: measure a model, repair it in six ways, measure again, report
# make test   everything that must hold: tests, ruff, types, import directions
.DEFAULT_GOAL := help
.PHONY: help setup demo test lint tests format clean

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

help:
	@sed -n 's/^# //p' Makefile

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[offline,bm25,study,dev]"
	touch $(STAMP)

demo: setup
	$(BIN)/isoglot study run demo --output demo-run --workers 2

test: lint tests

lint: setup
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

tests: setup
	$(BIN)/pytest

format: setup
	$(BIN)/ruff format src tests benchmarks
	$(BIN)/ruff check --fix src tests benchmarks

clean:
	rm -rf $(VENV) demo-run

# make demo   the whole job in minutes: measure a model, repair it by our recipe and the paper's, measure again, keep the best
# make test   everything that must hold: tests, ruff, types, import directions
# make quick  the inner loop: lint and the heart of every room's tests, under a minute
# make nightly   five newcomers in an empty environment, from a clean clone
# make audit  what `pip install isoglot` brings: a bill of materials in build/, and known vulnerabilities (needs the network)
# make lowest  the lower bounds of pyproject.toml: the lowest versions, imported and tested in an environment of their own (network)
# make platforms  names that Windows or macOS lack, found by mypy
# make docs   write the pages that are made of docstrings and registries
# make docs-site   the pages as a site, in build/site
# make dist   what a release uploads, in dist/
.DEFAULT_GOAL := help
.PHONY: help setup demo test quick nightly audit lowest platforms lint tests docs docs-site dist format clean

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CODE := src tests benchmarks docs examples hatch_build.py

help:
	@sed -n 's/^# //p' Makefile

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[offline,bm25,bitext,clean,docs,index,prune,serve,study,dev]"
	touch $(STAMP)

## the number of steps is fixed, so that every machine trains the same
demo: setup
	$(BIN)/isoglot repair offline:multilingual-e5-small facts:ar,de,el,en,es,hi,ru,th,tr,vi,zh --output demo-run \
		--benchmark faq --compare paper --steps 40 --no-correct --texts 100 --most-held-out 60 --no-clean --examples th:de

test: lint tests

## the heart of every room; the rest of the suite trains models and runs studies
QUICK := tests/batching tests/test_files.py tests/data/test_pairs.py tests/models tests/retrieval/test_ranks.py \
	tests/evaluation/test_measures.py tests/evaluation/test_bias_measures.py tests/evaluation/test_tables.py \
	tests/training/test_loss.py tests/training/test_parallel_positives.py tests/study/test_spec.py

quick: setup
	$(BIN)/ruff check $(CODE)
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -m "not slow" --durations 5 $(QUICK)

lint: setup
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/mypy --config-file benchmarks/mypy.ini
	$(BIN)/lint-imports

tests: setup
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadscope --no-loadscope-reorder --durations 25

nightly: setup
	$(BIN)/pytest -m nightly

audit: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pip-audit
	$(BIN)/python benchmarks/supply_chain.py

## torch alone is the one that constraints.txt allows: the lowest would bring gigabytes of CUDA
lowest:
	PYTHON=$(PYTHON) bash benchmarks/lowest.sh

platforms: setup
	$(BIN)/mypy --platform win32
	$(BIN)/mypy --platform darwin

docs: setup
	$(BIN)/python docs/make_api.py

docs-site: setup
	$(BIN)/python docs/make_site.py

dist: setup
	@grep -q '^repository = "http' pyproject.toml || { echo "pyproject.toml: set repository under [tool.hatch.metadata.hooks.custom] to the project's address first"; exit 2; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check hatch
	$(BIN)/hatch build --clean

format: setup
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

clean:
	rm -rf $(VENV) demo-run build dist

# `make demo` and `make test` need nothing but Python (3.10 or newer, with venv) and make: each sets .venv up first,
# from pinned versions, and again whenever pyproject.toml or the pins change. ARGS is passed on:
#   make demo ARGS="--epochs 2"      make test ARGS="-k scalar -x"      make bench ARGS="call_latency"
# `make docs` adds what Sphinx needs; the pages are in docs/_build/html then.

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=

PINS   := constraints/newest.txt
STAMP  := $(VENV)/.set-up
DOCS   := $(VENV)/.set-up-docs
RUN    := $(VENV)/bin/python
# torch is pinned for Python 3.11 alone (see constraints/pin.py); elsewhere the demo trains with numpy, torch tests skip.
EXTRAS := dev$(shell $(PYTHON) -c 'import sys; print(",torch" if sys.version_info[:2] == (3, 11) else "")')

.PHONY: demo test lint types bench docs clean
.DELETE_ON_ERROR:

demo: $(STAMP)
	$(RUN) -m tbasync demo $(ARGS)

test: $(STAMP)
	$(RUN) -m pytest $(ARGS)

lint: $(STAMP)
	$(RUN) -m ruff check .

types: $(STAMP)
	$(RUN) -m mypy

# Each folder of benchmarks/ answers one question and runs on its own; idle BLAS threads spin, so there is only one.
bench: $(STAMP)
	@for folder in $(or $(ARGS),$(patsubst benchmarks/%/__main__.py,%,$(wildcard benchmarks/*/__main__.py))); do \
	    echo "== benchmarks/$$folder"; \
	    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 $(RUN) -m benchmarks.$$folder || exit; \
	done

# A warning is an error; nothing of an earlier build is used, for autodoc does not see every change.
docs: $(DOCS)
	$(RUN) -m sphinx -q -W --keep-going --fresh-env docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean:
	rm -rf $(VENV) docs/_build build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(STAMP): pyproject.toml $(PINS)
	@$(PYTHON) -c 'import sys; sys.exit("tbasync needs Python 3.10 or newer, not %d.%d" % sys.version_info[:2] if sys.version_info < (3, 10) else 0)'
	@echo "Setting up $(VENV) with $(EXTRAS): a few minutes the first time."
	$(PYTHON) -m venv --clear $(VENV)
	$(RUN) -m pip install $(if $(CI),--quiet) --constraint $(PINS) pip hatchling editables
	$(RUN) -m pip install $(if $(CI),--quiet) --constraint $(PINS) --no-build-isolation --editable '.[$(EXTRAS)]'
	@touch $@

$(DOCS): $(STAMP)
	$(RUN) -m pip install $(if $(CI),--quiet) --constraint $(PINS) --no-build-isolation --editable '.[docs]'
	@touch $@

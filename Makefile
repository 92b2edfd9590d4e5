# Everything a developer does with this tree.  Each target does its own set-up: on a fresh Debian 12 it installs the
# packages that are missing (as root, or through sudo) and makes the virtual environment .venv; afterwards that costs
# nothing, until setup.cfg, pyproject.toml or the package list change.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGING := setup.cfg pyproject.toml

# What follows "make run ARGS=...": options of `virtcim serve`.
ARGS ?=
# Sizes for "make bench N=...", and options of pytest for "make test PYTEST_ARGS=...".
N ?=
PYTEST_ARGS ?=

# Modules are compiled once and kept, as where virtcim is installed: every test that starts a server would compile them anew.
unexport PYTHONDONTWRITEBYTECODE

include cmpi/build.mk

# Files of tests run side by side on this many processors.
WORKERS ?= 2

# A test that hangs shows after five minutes where it does.
PYTEST := $(BIN)/python -m pytest -o faulthandler_timeout=300 --numprocesses $(WORKERS) --dist loadfile \
	--no-loadscope-reorder --durations 20

.PHONY: help setup run quick test test-all coverage lint lint-python lint-console format docs site bench lock install console deb rpm dist clean

help:
	@echo 'make run       serve the guests of this host, or those of the test driver where it has no hypervisor'
	@echo '               (options of virtcim serve: ARGS="--listen 127.0.0.1:0")'
	@echo 'make quick     ruff, mypy, and a sample of the tests that need no daemon, in little time'
	@echo 'make test      lint, and every test that is not marked slow'
	@echo 'make test-all  lint, and every test'
	@echo 'make lint      ruff and mypy'
	@echo 'make format    let ruff lay out the source'
	@echo 'make docs      write docs/classes.md, devices.md and methods.md from the tables of the providers'
	@echo 'make site      make the documentation with a page for each class into build/site'
	@echo 'make coverage  show which part of the lines the tests of "make test" run, for each package'
	@echo 'make bench     measure, write table and plot into bench/results (sizes: N="1 100")'
	@echo 'make cmpi      build the library for other CIM servers into build/cmpi (needs libcbor-dev)'
	@echo 'make console   fetch the foreign parts of the console (needs npm)'
	@echo 'make deb       build the Debian packages into dist (needs dpkg-dev, libcbor-dev)'
	@echo 'make rpm       build the package for Fedora and EL into dist (needs rpmbuild)'
	@echo 'make dist      build the source archive and the wheel into dist'
	@echo 'make install   install everything: program, units, manual pages, ... (below DESTDIR=, else /)'
	@echo 'make lock      write packaging/requirements.lock anew, the libraries that packages are made with'
	@echo 'make setup     only what the targets above need: packages and .venv'
	@echo 'make clean     remove what make made'

setup: $(VENV)/.stamp-test

$(VENV)/.packages-run: .ci/packages
	@PYTHON=$(PYTHON) .ci/packages run
	@mkdir -p $(VENV) && touch $@

$(VENV)/.packages-test: .ci/packages $(VENV)/.packages-run
	@PYTHON=$(PYTHON) .ci/packages run test
	@mkdir -p $(VENV) && touch $@

$(BIN)/python: | $(VENV)/.packages-run
	@echo 'making $(VENV)'
	@$(PYTHON) -m venv $(VENV)

# Without --no-compile pip would compile every module of every library, of which most are never loaded.
$(VENV)/.stamp-run: $(PACKAGING) $(VENV)/.packages-run | $(BIN)/python
	@echo 'installing virtcim into $(VENV)'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable .
	@touch $@

$(VENV)/.stamp-test: $(PACKAGING) $(VENV)/.packages-test | $(BIN)/python
	@echo 'installing virtcim and its test tools into $(VENV)'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable '.[test]'
	@touch $@ $(VENV)/.stamp-run

run: $(VENV)/.stamp-run
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory console || true; fi
	@exec $(BIN)/virtcim serve --example --test-driver $(ARGS)

PARTS := virtcim/console/parts

$(PARTS)/licences.json: virtcim/console/package-lock.json release/console.py
	@mkdir -p build/console
	@cp virtcim/console/package.json virtcim/console/package-lock.json build/console/
	npm ci --prefix build/console --ignore-scripts --no-audit --no-fund --silent
	@$(PYTHON) -m release.console build/console/node_modules $(PARTS)

console: $(PARTS)/licences.json

# Where there is no npm the console has no foreign parts, and its tests are left out.
HAS_NPM := $(shell command -v npm)

lint: lint-python $(if $(HAS_NPM),lint-console)

lint-python: $(VENV)/.stamp-test
	$(BIN)/ruff check .
	$(BIN)/mypy

lint-console: console
	@rm -rf build/console/check && mkdir -p build/console/check
	@cd virtcim/console && cp -r *.js *.json *.d.ts pages texts ui ../../build/console/check/
	cd build/console/check && ../node_modules/.bin/tsc -p jsconfig.json && ../node_modules/.bin/eslint .

format: $(VENV)/.stamp-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What tells most in little time: no daemon, no server but one, and none of the tests that try many random values.
QUICK := tests/test_config.py tests/test_credentials.py tests/test_layers.py tests/test_serve.py::test_first_answer \
	$(addprefix tests/libhelper/test_,agreement.py change.py difference.py limits.py live.py memory_requests.py \
		otherxml.py records.py storagexml.py words.py) \
	$(addprefix tests/providers/test_,changes.py configurations.py filters.py keys.py model.py new_guest.py \
		platforms.py pools.py profiles.py readers.py request_state_change.py services.py states.py threads.py \
		units.py values.py vsms_define.py) \
	$(addprefix tests/cimom/test_,audit.py sharing.py tolerance.py values.py) \
	tests/frontends/test_cases.py tests/frontends/test_seams.py

# Files stay together, so that what one of them reads of the tree is read once.
quick: $(VENV)/.stamp-test
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -o addopts=--strict-markers --numprocesses $(WORKERS) --dist loadfile -m 'not slow' \
		$(PYTEST_ARGS) $(QUICK)

# The console is fetched and checked while Python's libraries are installed.
LINT := @$(MAKE) --no-print-directory --jobs 2 --output-sync=line lint

# Guests under emulation, daemons and servers by the dozen on a machine that is busy with them: what fails is tried once
# more by itself.  What then passes is listed as RERUN, with how it failed at first: it depends on the moment, and is a
# fault of the test or of what it tests all the same.
AGAIN := --reruns 1 --reruns-delay 1

test:
	$(LINT)
	$(PYTEST) $(AGAIN) -m 'not slow' $(PYTEST_ARGS)

test-all:
	$(LINT)
	$(PYTEST) $(AGAIN) $(PYTEST_ARGS)

# Every line is noted as it runs, so that this takes a good deal longer than `make test`.
coverage: $(VENV)/.stamp-test
	@mkdir -p build/coverage
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -o faulthandler_timeout=600 --numprocesses $(WORKERS) --dist loadfile \
		--no-loadscope-reorder -m 'not slow' $(PYTEST_ARGS) || echo 'coverage: some tests failed; what they ran counts' >&2
	$(BIN)/python -m release.coverage

docs: $(VENV)/.stamp-run
	$(BIN)/python -m virtcim.app.documentation docs/classes.md docs/devices.md docs/methods.md

SITE := build/site-environment

$(SITE)/.stamp: packaging/site/requirements.txt | $(VENV)/.packages-run
	@echo 'installing Sphinx into $(SITE)'
	@$(PYTHON) -m venv $(SITE)
	@$(SITE)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

site: $(VENV)/.stamp-run $(SITE)/.stamp
	$(BIN)/python -m release.site --into build/site --python $(SITE)/bin/python

bench: $(VENV)/.stamp-test
	$(BIN)/python -m bench $(if $(N),--sizes $(N))

lock: $(VENV)/.stamp-run
	$(BIN)/python -m release.lock

# What browsers need goes along where it can be fetched.
PACKAGED := $(if $(HAS_NPM),console)

deb: $(VENV)/.stamp-run $(PACKAGED)
	$(BIN)/python -m release.deb --into dist

rpm: $(VENV)/.stamp-run $(PACKAGED)
	$(BIN)/python -m release.rpm --into dist

dist: $(VENV)/.stamp-test $(PACKAGED)
	$(BIN)/python -m release.dist --into dist

install: $(VENV)/.stamp-run $(PACKAGED)
	$(BIN)/python -m release.tree $(if $(FAMILY),--family $(FAMILY)) $(or $(DESTDIR),/)

clean:
	rm -rf $(VENV) build dist *.egg-info bench/results .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

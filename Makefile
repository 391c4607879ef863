# Everything runs in .venv, made from requirements.lock; nothing is installed elsewhere.
PYTHON ?= python3
BIN := .venv/bin
# Test processes. The tests on Kafka wait more than they work, so there are more than most machines have cores.
JOBS ?= 4
PYTEST := -m pytest --dist worksteal --numprocesses
# What decides. Its own tests cover it, in as many processes as there are cores: they never wait.
MEASURED := core mapping pipeline
FLOOR := 95
ACTIONLINT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
HELM := helm.sh/helm/v3/cmd/helm@v3.22.0
# What a test of the wheel needs beside the wheel.
BESIDE_THE_WHEEL := $(filter-out worker, $(wildcard * .ci .github .pre-commit-config.yaml .dockerignore))

.PHONY: setup tools demo check check-workflows test test-all test-wheel check-tag build docs screenshots lock clean

setup: .venv/installed

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	@echo "Setting up .venv: once, about half a minute"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# helm and promtool, for the tests of the chart and of the alerts. Needs Go; promtool comes from Debian's or Ubuntu's
# package `prometheus`, of which only this file is taken, and nothing is started.
tools: .tools/helm .tools/promtool

.tools/helm:
	GOBIN=$(CURDIR)/.tools go install $(HELM)

.tools/promtool:
	@command -v apt-get >/dev/null || { echo "No apt-get here: please install promtool, a part of Prometheus" >&2; exit 1; }
	rm -rf .tools/package
	mkdir -p .tools/package
	cd .tools/package && apt-get download -qq prometheus && dpkg-deb --extract prometheus_*.deb .
	mv .tools/package/usr/bin/promtool .tools/promtool
	rm -rf .tools/package

demo: setup
	$(BIN)/pipelines-worker demo

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Needs Go, which runs actionlint.
check-workflows: setup
	$(BIN)/zizmor --offline --quiet .github
	go run $(ACTIONLINT)

# Everything but the slow tests on Kafka. Branch coverage, which makes tests take twice as long, is of what decides.
test: setup
	$(BIN)/python $(PYTEST) auto -m "not slow" --cov --cov-report= $(addprefix tests/,$(MEASURED))
	$(BIN)/coverage report --fail-under $(FLOOR) --include 'worker/core/*'
	$(BIN)/coverage report --fail-under $(FLOOR) --include 'worker/mapping/*'
	$(BIN)/coverage report --fail-under $(FLOOR) --include 'worker/pipeline/*'
	$(BIN)/python $(PYTEST) $(JOBS) -m "not slow" $(addprefix --ignore tests/,$(MEASURED))

# `make check test test-all` runs each test once.
test-all: test
	$(BIN)/python $(PYTEST) $(JOBS) -m slow

# The tag of a release is `v` and the version: make check-tag TAG=v1.2.3
check-tag:
	@grep -qxF "__version__ = \"$${TAG#v}\"" worker/version.py || { echo "The tag $$TAG is not the version in worker/version.py" >&2; exit 1; }

build: setup
	rm -rf dist
	$(BIN)/hatchling build

# The quick tests on the wheel as it will be installed, with any PYTHON: the tree below has no worker/ of its own.
test-wheel: build
	rm -rf build/wheel
	mkdir -p build/wheel/tree
	$(PYTHON) -m venv build/wheel/venv
	build/wheel/venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	build/wheel/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps dist/*.whl
	cp -R $(filter-out build dist, $(BESIDE_THE_WHEEL)) build/wheel/tree
	ln -s "$$(build/wheel/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/worker" build/wheel/tree/worker
	cd build/wheel/tree && ../venv/bin/python $(PYTEST) $(JOBS) -m "not slow and not checkout"

# What is generated and committed: docs/api.md from docstrings, the functions in docs/mapping.md, the JSON Schemas for
# editors, and what the Helm chart has from elsewhere.
docs: setup
	$(BIN)/python docs/write_api.py
	$(BIN)/python docs/write_functions.py
	$(BIN)/python docs/write_chart.py
	$(BIN)/pipelines-worker schema worker > config/schemas/worker.json
	$(BIN)/pipelines-worker schema mapping > config/schemas/mapping.json

# The README's pictures, of pages that a real browser shows. Needs Chromium or Chrome.
screenshots: setup
	mkdir -p docs/images
	SCREENSHOTS=docs/images $(BIN)/python -m pytest tests/browser/test_screenshots.py

# After a change of the dependencies in pyproject.toml.
lock: setup
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet pyproject.toml --extra dev --extra all --python-version 3.11 --universal --generate-hashes \
		--no-header --no-emit-index-url --prerelease=if-necessary-or-explicit --output-file requirements.lock

clean:
	rm -rf .venv .tools build dist

# Every command of the project. `make help` lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
TOOLS := .venv-tools
RECIPES := .venv-recipes
BIN := $(VENV)/bin
# What Python compiled is kept, the suite's hundreds of processes included, where the environment says otherwise.
unexport PYTHONDONTWRITEBYTECODE
# Half of the suite waits for sockets, so two workers keep two cores busy.
WORKERS ?= auto
# The commit that `make lint` holds the protos against: what is in it must go on working.
BREAKING_AGAINST ?= main

# Each in processes of its own: gRPC has one queue of events for a process, and loops that come and go in one
# suite would take it from the long-lived loops of another.
SUITES ?= tests/unit tests/architecture tests/rest tests/contract tests/proxy tests/e2e

.PHONY: help
help: ## Print this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(VENV)/.installed ## Make .venv with the ingate command.

define install_project
$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
$(BIN)/python -m compileall -q ingate rest_facade gen
endef

$(VENV)/.installed: requirements/runtime.txt pyproject.toml
	PYTHON="$(PYTHON)" sh scripts/venv.sh $(VENV) requirements/runtime.txt
	$(install_project)
	@touch $@

# All of the above and more, by uv.
$(VENV)/.dev: requirements/dev.txt requirements/runtime.txt pyproject.toml $(TOOLS)/.installed
	PYTHON="$(PYTHON)" UV="$(TOOLS)/bin/uv" sh scripts/venv.sh $(VENV) requirements/runtime.txt requirements/dev.txt
	$(install_project)
	@touch $(VENV)/.installed $@

$(VENV)/.bench: $(VENV)/.dev requirements/bench.txt
	PYTHON="$(PYTHON)" sh scripts/venv.sh $(VENV) requirements/bench.txt
	@touch $@

$(TOOLS)/.installed: requirements/tools.txt
	PYTHON="$(PYTHON)" sh scripts/venv.sh $(TOOLS) requirements/tools.txt
	@touch $@

$(RECIPES)/%/.installed: requirements/recipes/%.txt $(TOOLS)/.installed
	$(TOOLS)/bin/uv venv --quiet --clear --python $(TOOLS)/bin/python $(RECIPES)/$*
	$(TOOLS)/bin/uv pip install --quiet --require-hashes --no-deps --python $(RECIPES)/$*/bin/python -r $<
	@touch $@

.PHONY: serve
serve: setup ## Run the gateway with the built-in demo model.
	$(BIN)/ingate serve --demo

.PHONY: test
test: ## Install what the tests need and run them all.
	@$(MAKE) --no-print-directory --jobs=3 $(VENV)/.bench $(RECIPES)/common/.installed $(RECIPES)/llama-index/.installed
	@set -e; for part in $(SUITES); do \
		echo "== $$part"; $(BIN)/pytest -n $(WORKERS) --dist worksteal $$part $(ARGS); done

.PHONY: clients
clients: $(VENV)/.dev $(TOOLS)/.installed $(RECIPES)/openapi/.installed ## Run coding agents, generators, Go and Java clients: 1 GB and minutes of compiling.
	$(BIN)/pytest tests/clients $(ARGS)

.PHONY: lint
lint: $(VENV)/.dev $(TOOLS)/.installed ## Check style, types, layers and protos.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m scripts.sdk python > /dev/null
	$(BIN)/mypy build/sdk/python/ingate_client
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell --ignore-words-list hel,nam,te --skip '*.txt,./gen,*.binpb,*package-lock.json,./.venv*,./third_party,node_modules' .
	$(TOOLS)/bin/buf lint
	$(TOOLS)/bin/buf format --diff --exit-code proto
	@rm -rf .cache/against && mkdir -p .cache/against
	@git archive $(BREAKING_AGAINST) proto | tar -x -C .cache/against && cp -r buf.yaml third_party .cache/against/
	$(TOOLS)/bin/buf breaking --against .cache/against

.PHONY: check
check: lint test ## All that a commit must pass.

.PHONY: generate
generate: $(TOOLS)/.installed ## Generate gen/ from proto/, and bring third_party/ up to date.
	$(TOOLS)/bin/python scripts/generate.py

.PHONY: sdk
sdk: $(VENV)/.dev $(TOOLS)/.installed ## Build clients in build/sdk/ (LANGUAGES="python go" for some; needs npm, Go, Maven).
	$(BIN)/python -m scripts.sdk $(LANGUAGES)

.PHONY: proto
proto: $(TOOLS)/.installed ## Build the protos with buf, without a registry.
	$(TOOLS)/bin/buf build

.PHONY: lock
lock: ## Resolve the dependencies anew into requirements/ (needs uv).
	sh scripts/lock.sh

.PHONY: bench
bench: $(VENV)/.bench ## Measure the gateway beside a bare nginx and a bare Envoy.
	$(BIN)/python -m bench $(ARGS)

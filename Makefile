# Everything a newcomer needs: make run, make test, make ui. Each sets up the environment it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DATASET ?= saas
PORT ?= 3000
SQL ?= SELECT table_schema, table_name FROM information_schema.tables ORDER BY ALL

export DAGSTER_HOME := $(CURDIR)/.dagster_home
export SQL

.PHONY: run status ui query test check endurance lint bench checks bookkeeping fidelity compatibility docs paths laws robustness packages dist clean lock help

help:  ## show this
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

$(READY): requirements.txt pyproject.toml hatch_build.py plotsim_core/pyproject.toml plotsim_core/version.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; say which with PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e ./plotsim_core -e .
	@touch $(READY)

$(DAGSTER_HOME)/dagster.yaml: plotsim_pipeline/instance.yaml
	@mkdir -p $(DAGSTER_HOME)
	@cp $< $@

run: $(READY) $(DAGSTER_HOME)/dagster.yaml  ## materialise what is missing of a dataset into DuckDB (DATASET=saas)
	@$(BIN)/python -m plotsim_pipeline run $(DATASET)

status: $(READY) $(DAGSTER_HOME)/dagster.yaml  ## show what is made, missing and stale of a dataset (DATASET=saas)
	@$(BIN)/python -m plotsim_pipeline status $(DATASET)

query: $(READY)  ## ask what is stored (SQL="SELECT ...")
	@$(BIN)/python -m plotsim_pipeline query "$$SQL"

ui: $(READY) $(DAGSTER_HOME)/dagster.yaml  ## open the Dagster UI, with its daemon, on the same instance (PORT=3000)
	@$(BIN)/dagster instance concurrency set plotsim_store 1 > /dev/null  # a new home knows the limit from the first run on
	$(BIN)/dg dev -w workspace.yaml -p $(PORT)

test: $(READY)  ## run the tests, but for the slow ones and the long proofs
	PLOTSIM_LAW_TIMES=0.15 $(BIN)/python -m pytest -n 2 --dist worksteal -q -rs -m "not slow and not long" tests

check: lint  ## run all else that CI runs: style and types, the slow tests, the long proofs, and random tests whole
	$(BIN)/python -m pytest -n 3 --dist worksteal -q -rs -m "(slow or long or random) and not endurance" tests  # some of three wait

# About fifteen minutes on two cores: benchmarks/endurance.md.
endurance: $(READY)  ## run what the long proofs have in a shorter form: larger datasets, more runs at once, more kills
	$(BIN)/python -m pytest -n 2 -q -rs --durations=0 -m endurance tests

laws: $(READY)  ## run the law tests with a new random seed
	PLOTSIM_LAW_SEED=$$($(PYTHON) -c 'import secrets; print(secrets.randbelow(2**32))') && export PLOTSIM_LAW_SEED && \
	echo "PLOTSIM_LAW_SEED=$$PLOTSIM_LAW_SEED" && $(BIN)/python -m pytest -n 2 -q tests/laws

lint: $(READY)  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# About forty minutes. OLD="--old /path/to/a/checkout/of/0.5" measures version 0.5 beside it.
bench: $(READY)  ## rows per second, peak memory, start-up, and what a new day costs
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python -m benchmarks.startup $(OLD)
	$(BIN)/python -m benchmarks.one_pass
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.increments $(OLD)
	$(BIN)/python -m benchmarks.reports

checks: $(READY)  ## what a look at a store costs, and what checks cost a backfill (some twenty minutes)
	$(BIN)/python -m benchmarks.status
	$(BIN)/python -m benchmarks.checks

bookkeeping: $(READY)  ## what Dagster's records of partitions cost, on each kind of instance (some ten minutes)
	$(BIN)/python benchmarks/bookkeeping.py

# About four minutes on two shared cores. PEER=/path/to/python uses a plotsim 0.7.0 that is there.
# Where it cannot be installed, the page says so.
fidelity: $(READY)  ## measure what is promised, beside plotsim 0.7.0
ifndef PEER
	-test -x .venv-plotsim/bin/plotsim || { $(PYTHON) -m venv .venv-plotsim && echo '*' > .venv-plotsim/.gitignore && \
	.venv-plotsim/bin/pip install --quiet --disable-pip-version-check plotsim==0.7.0; }
endif
	$(BIN)/python -m benchmarks.fidelity --peer $(or $(PEER),.venv-plotsim/bin/python)

# About four minutes. PEER=/path/to/python as above.
compatibility: $(READY)  ## compare tables, columns and keys with plotsim 0.7.0
ifndef PEER
	-test -x .venv-plotsim/bin/plotsim || { $(PYTHON) -m venv .venv-plotsim && echo '*' > .venv-plotsim/.gitignore && \
	.venv-plotsim/bin/pip install --quiet --disable-pip-version-check plotsim==0.7.0; }
endif
	$(BIN)/python -m benchmarks.compatibility --peer $(or $(PEER),.venv-plotsim/bin/python)

# CONFIGS=50 SEED=7000 makes others, and prints the page rather than writing it.
robustness: $(READY)  ## make and judge 1,000 random configs (some forty minutes)
	$(BIN)/python -m benchmarks.robustness $(if $(CONFIGS),--configs $(CONFIGS)) $(if $(SEED),--seed $(SEED))

# Some ten minutes, and 600 MB of downloads. PYTHONS="/path/to/python3.12 ..." names interpreters that are not on the path.
packages: $(READY)  ## build both distributions, and try them in a clean environment of each Python
	$(BIN)/python -m benchmarks.packages $(addprefix --python ,$(PYTHONS))

dist: $(READY)  ## build both distributions into dist/
	rm -rf dist
	cd plotsim_core && $(CURDIR)/$(BIN)/python -m hatchling build -d $(CURDIR)/dist
	$(BIN)/python -m hatchling build -d dist

paths: $(READY)  ## count the files and moves of three journeys through the code, for docs/reading.md
	$(BIN)/python -m benchmarks.paths

docs: $(READY)  ## draw the pictures, write the reference of the language, the answers on the pages of datasets and the page of tests
	$(BIN)/python docs/picture.py
	$(BIN)/python -m docs.gallery
	$(BIN)/python -m docs.reference
	$(BIN)/python -m docs.datasets
	$(BIN)/python -m docs.correlations
	$(BIN)/python -m docs.drafts
	$(BIN)/python -m docs.importing
	$(BIN)/python -m tests.page

# One lock for every Python and platform, with the hash of every file. UPGRADE= keeps the versions that still fit.
UPGRADE ?= --upgrade
UV := .venv-lock/bin/uv
PACKAGES := ./plotsim_core '.[delta,postgres,s3]'
COMPILE := $(UV) pip compile - --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-emit-index-url \
	--no-emit-package plotsim-core --no-emit-package plotsim-pipeline --custom-compile-command "make lock"

lock:  ## write requirements.txt, and deploy/requirements.txt for the image, anew from the newest releases
	test -x $(UV) || { $(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet --disable-pip-version-check uv; }
	printf '%s\n' $(PACKAGES) | $(COMPILE) --group dev $(UPGRADE) -o requirements.txt
	printf '%s\n' $(PACKAGES) hatchling | $(COMPILE) -c requirements.txt --upgrade -o deploy/requirements.txt
	@for python in 3.11 3.12 3.13; do for platform in x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu aarch64-apple-darwin; do \
		echo "wheels of Python $$python on $$platform" && $(UV) pip install --quiet --dry-run --require-hashes --only-binary :all: \
		--target .venv-lock/nothing --python-version $$python --python-platform $$platform -r requirements.txt || exit 1; done; done

clean:  ## remove the environment, the instance and all data
	rm -rf $(VENV) .venv-plotsim .venv-lock .dagster_home data dist

# One verb each; `demo` and `test` need no earlier command. `make help` lists them.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: help setup demo test check bench bench-setup examples lock clean

help:  ## say what each verb does
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

$(VENV)/.ready: pyproject.toml requirements/dev.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# checkov pins a boto3 that the rest can't use, so it lives in a room of its own.
$(VENV)-checkov/.ready: requirements/checkov.lock
	$(PYTHON) -m venv $(VENV)-checkov
	$(VENV)-checkov/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/checkov.lock
	@touch $@

setup: $(VENV)/.ready $(VENV)-checkov/.ready  ## make the environments from the lock files

demo: $(VENV)/.ready  ## the sample in both regions on this machine: us-east-1 is lost under load, and what it cost
	$(BIN)/python -m tools.demo

# Tests that wait for real servers have deadlines, and a machine that stood still misses some: what failed beside all
# the rest is asked once more by itself. What fails then, fails.
test: setup  ## every test: unit, property-based, validators, real PostgreSQL
	$(BIN)/pytest -n auto --dist loadscope --no-loadscope-reorder || \
	  { test $$? -eq 1 && $(BIN)/pytest --last-failed --last-failed-no-failures none; }

check: $(VENV)/.ready  ## ruff, mypy strict, import-linter, docs checks
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/docs

bench-setup: $(VENV)/.ready $(VENV)-cdk/.ready  ## make the environment of the benchmarks' peer, the AWS CDK for Python (needs Node.js)

$(VENV)-cdk/.ready: requirements/cdk.lock
	$(PYTHON) -m venv $(VENV)-cdk
	$(VENV)-cdk/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/cdk.lock
	@touch $@

bench: bench-setup  ## measure the bars against their limits and peers
	for bar in synth review twin failover console; do $(BIN)/python -m bench.$$bar || failed="$$failed $$bar"; done; test -z "$$failed"

examples: $(VENV)/.ready  ## write examples/orders anew: what init and synth give today
	$(BIN)/python -m tools.examples

lock:  ## write the lock files anew (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --extra dev pyproject.toml -o requirements/dev.lock
	for room in checkov cdk; do uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header requirements/$$room.in -o requirements/$$room.lock; done

clean:  ## remove the environments and what tests leave
	rm -rf $(VENV) $(VENV)-checkov $(VENV)-cdk .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

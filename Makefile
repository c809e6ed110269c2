# What a newcomer types. Everything is installed into .venv; nothing outside this folder changes.

.DEFAULT_GOAL := help
.PHONY: help demo test lint lab bench soak

python := .venv/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# uv where there is one that runs: it installs in seconds what takes pip a minute.
uv := $(shell uv --version >/dev/null 2>&1 && echo uv)
# Bytecode is made, and kept, when a module is first imported; pip would make it for each that never is.
unexport PYTHONDONTWRITEBYTECODE
install := $(if $(uv),uv pip install --python $(python),$(python) -m pip install --no-compile) --quiet

help:
	@echo "make demo    every step on an embedded AWS: samples in, e-mails and answers out"
	@echo "make test    every test                    (make test ARGS='-k midnight')"
	@echo "make lint    ruff, mypy, cfn-lint"
	@echo "make lab     the embedded AWS with JupyterLab on it   (make lab ARGS='--no-browser')"
	@echo "make bench   the benchmarks"
	@echo "make soak    fault schedules for as long as you like   (make soak ARGS='--schedules 5000')"

demo: .venv/.demo
	@.venv/bin/festival demo

# On every core, slow files first; the tests of a file stay together, because they share its AWS.
test: .venv/.test
	@$(python) -m pytest -n logical --dist loadfile --no-loadscope-reorder $(ARGS)

lint: .venv/.lint
	@$(python) -m ruff check .
	@$(python) -m ruff format --check .
	@$(python) -m mypy
	@.venv/bin/cfn-lint cloudformation/*.yaml

lab: .venv/.lab
	@.venv/bin/festival lab $(ARGS)

bench: .venv/.bench
	@$(python) -m tests.benchmarks $(ARGS)

soak: .venv/.test
	@$(python) -m tests.faults.soak $(ARGS)

# What a target needs is an extra of its name in pyproject.toml, beside what the demo needs.
.venv/.%: .venv/.made pyproject.toml constraints.txt
	@echo "Installing what make $* needs into .venv, once ..."
	@$(install) -c constraints.txt -e '.[demo,$*]'
	@touch $@

# A version manager's shim may be on the path and not run: each candidate has to prove itself.
suits := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
.venv/.made:
	@if ! .venv/bin/python -c '$(suits)' 2>/dev/null; then \
	  for candidate in python3 python3.13 python3.12 python3.11 ""; do \
	    if [ -z "$$candidate" ]; then \
	      echo "festival needs Python 3.11, 3.12 or 3.13 with its venv module, and found none. Install one:" >&2; \
	      echo "  apt install python3 python3-venv · brew install python@3.12 · uv python install 3.12" >&2; \
	      echo "or, with conda: conda env create -f environment.yml" >&2; \
	      exit 1; \
	    fi; \
	    if $$candidate -c '$(suits)' 2>/dev/null; then break; fi; \
	  done; \
	  echo "Making .venv with $$($$candidate --version)"; \
	  $$candidate -m venv --clear .venv; \
	fi
	@touch $@

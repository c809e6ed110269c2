# What a newcomer types. Everything is installed into .venv; nothing outside this folder changes.

.DEFAULT_GOAL := help
.PHONY: help demo test lint lab bench soak

ready := .venv/.ready
python := .venv/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help:
	@echo "make demo    the whole way on an embedded AWS: samples in, e-mails and answers out"
	@echo "make test    every test                    (make test ARGS='-k midnight')"
	@echo "make lint    ruff, mypy, cfn-lint"
	@echo "make lab     the embedded AWS with JupyterLab on it"
	@echo "make bench   the benchmarks"
	@echo "make soak    fault schedules for as long as you like   (make soak ARGS='--schedules 5000')"

demo: $(ready)
	@.venv/bin/festival demo

test: $(ready)
	@$(python) -m pytest $(ARGS)

lint: $(ready)
	@$(python) -m ruff check .
	@$(python) -m ruff format --check .
	@$(python) -m mypy
	@.venv/bin/cfn-lint cloudformation/*.yaml

lab: $(ready)
	@.venv/bin/festival lab

bench: .venv/.bench
	@$(python) -m tests.benchmarks $(ARGS)

.venv/.bench: $(ready)
	@$(python) -m pip install --quiet -c constraints.txt -e '.[bench]'
	@touch $@

soak: $(ready)
	@$(python) -m tests.faults.soak $(ARGS)

# A version manager's shim may be on the path and not run: each candidate has to prove itself.
suits := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
$(ready): pyproject.toml constraints.txt
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
	@echo "Installing festival and what it needs into .venv (two or three minutes, once) ..."
	@$(python) -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

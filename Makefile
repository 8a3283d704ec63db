# `make demo` and `make test` set up all they need; `make help` lists the rest.
VENV ?= .venv
# The first Python that serves: dm-reverb has wheels up to 3.11 only, the rest works on 3.12 and 3.13 too.
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13 /usr/bin/python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
PYTEST_ARGS ?=
CHAOS ?= env=reach demos=demos_reach steps=10000 launch.answer_timeout=10 out=runs/chaos
BENCH ?= render env learner replay

BIN := $(VENV)/bin
FOLDERS := agents configs demos discriminators envs replay
# On 3.13 uv installs: pip cannot leave out labmaze, see [tool.uv] in pyproject.toml.
IS_313 = $(shell $(BIN)/python -c 'import sys; sys.version_info < (3, 13) or print("yes")')
INSTALL = $(if $(IS_313),$(BIN)/uv pip install --python $(BIN)/python,$(BIN)/pip install) -qq --constraint requirements.lock

.DEFAULT_GOAL := help
.PHONY: help demo test check types format setup lock bench chaos clean

help: ## lists the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(VENV)/.base ## records demonstrations, trains TRAIL on them, evaluates it and renders a video
	@$(BIN)/python -m trailkit.agents.run.demo

test: $(VENV)/.dev ## runs every test; PYTEST_ARGS="-k name" for some
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(VENV)/.dev types ## checks format, lint, import layers and types
	@$(BIN)/ruff format --check --quiet . || { echo "run: make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/lint-imports --no-cache >$(VENV)/imports.log || { cat $(VENV)/imports.log; exit 1; }

types: $(VENV)/.dev .typing ## checks types
	@$(BIN)/mypy

format: $(VENV)/.dev ## formats, and mends what ruff can mend
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

setup: $(VENV)/.dev ## sets up for development

bench: $(VENV)/.dev ## prints both sides of every speed claim; BENCH="render env" for some
	@$(BIN)/trailkit bench $(BENCH)

chaos: $(VENV)/.dev ## trains while it kills processes; CHAOS="env=reach steps=20000 out=…" for what
	@PYTHONPATH=tests $(BIN)/python -m chaos $(CHAOS)

lock: $(BIN)/pip ## resolves requirements.lock again (UV_ARGS=--upgrade for newer versions)
	@$(BIN)/uv pip compile pyproject.toml --universal --all-extras --python-version 3.11 --quiet \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links $(UV_ARGS) --output-file requirements.lock
	@# What only a CUDA build of torch needs stays out: the CPU build must install from the same lock.
	@sed -i.old -E '/^(cuda|nvidia|triton)/d' requirements.lock && rm requirements.lock.old

clean: ## removes what was built and cached, but neither $(VENV) nor your runs
	rm -rf .typing .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
	find $(FOLDERS) tests -name __pycache__ -prune -exec rm -rf {} +

# Type checkers cannot see through the editable install's import hook: they read the packages through these links.
.typing:
	@mkdir -p .typing/trailkit && for d in $(FOLDERS); do ln -sfn ../../$$d .typing/trailkit/$$d; done

$(BIN)/pip:
	@test -n "$(PYTHON)" || { echo "trailkit needs Python 3.11, 3.12 or 3.13; run: sudo apt-get install python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || .make/apt \
		python$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv
	@echo "creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -qq --constraint requirements.lock --upgrade pip uv

$(VENV)/.base: $(BIN)/pip pyproject.toml requirements.lock
	@echo "installing trailkit and what it needs (a few minutes the first time)"
	@$(INSTALL) --editable .
	@.make/gl $(BIN)/python
	@touch $@

$(VENV)/.dev: $(VENV)/.base
	@echo "installing what development needs"
	@$(INSTALL) --editable '.[dev]'
	@.make/tools
	@touch $@

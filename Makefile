# Everything a person or a pipeline does with this checkout. `make` alone lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

VENV := .venv
# The environment that a target tests: OLDEST=1 takes the oldest supported ansible-core.
TESTED = $(if $(OLDEST),.venv-oldest,$(VENV))
# Any interpreter that really runs: a pyenv shim of a version that is not active exists and fails.
PYTHON ?= $(shell for p in python3 /usr/bin/python3 python3.13 python3.12 python3.11; do \
	if $$p -c '' 2>/dev/null; then echo $$p; break; fi; done)
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export PYTHONDONTWRITEBYTECODE := 1

##@ Start here
.PHONY: help
help: ## This list
	@awk -f tools/help.awk $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Make .venv with all tools (under a minute the first time, nothing after)
	@$(PYTHON) tools/setup.py $(if $(OLDEST),--oldest) $(if $(PYTHON_VERSION),--python $(PYTHON_VERSION))

.PHONY: setup-oldest
setup-oldest:
	@$(PYTHON) tools/setup.py --oldest

include $(wildcard tests/*/*.mk)

##@ Test
.PHONY: test
test: setup ## Everything, with the lab: what .ci/run does (STAGES="lint faults" for some and what they need; under an hour)
	@$(VENV)/bin/python tests/run_stages.py $(if $(LAB_DOWN),--lab-down) $(STAGES)

.PHONY: lint
lint: lint-ruff lint-mypy lint-yaml lint-ansible lint-shell lint-changelog lint-files ## ruff, mypy, yamllint, ansible-lint, shellcheck, changelog, stray names

.PHONY: lint-ruff lint-mypy lint-yaml lint-ansible lint-shell lint-changelog lint-files
lint-ruff:
	ruff check .
	ruff format --check .
lint-mypy:
	mypy
lint-yaml:
	yamllint --strict .
lint-ansible:
	ANSIBLE_LIBRARY=$(CURDIR)/tests/lab/library ANSIBLE_ACTION_PLUGINS=$(CURDIR)/tests/lab/action_plugins \
	  ANSIBLE_MODULE_UTILS=$(CURDIR)/tests/lab/module_utils ansible-lint
lint-shell:
	@git ls-files -co --exclude-standard -z | xargs -0 grep -lZE '^#!.*\b(ba|da)?sh$$' -- | xargs -0r shellcheck && echo 'shellcheck: good'
lint-changelog:
	antsibull-changelog lint
lint-files:
	@$(VENV)/bin/python tools/tracked_files.py

.PHONY: format
format: ## Format the Python code and mend what ruff can mend
	ruff check --fix .
	ruff format .

.PHONY: unit
unit: $(if $(OLDEST),setup-oldest,setup) ## Unit tests, 2 min (OLDEST=1: with the oldest ansible-core; TESTS=tests/unit/http ARGS="-k name")
	@$(TESTED)/bin/python -m pytest -c pyproject.toml -o cache_dir=.cache/pytest-$(TESTED) $(or $(TESTS),-n 2 tests/unit) $(ARGS)

.PHONY: sanity
sanity: $(if $(OLDEST),setup-oldest,setup) ## ansible-test sanity (OLDEST=1; ARGS="--test validate-modules plugins/modules/k8s_health.py")
	@$(VENV)/bin/python tests/sanity_workspace.py $(TESTED) $(ARGS)

.PHONY: artefact
artefact: ## Build the tarball, install it in an empty place, and use it there
	@$(VENV)/bin/python -m pytest tests/artefact $(ARGS)

.PHONY: integration
integration: ## On the lab: modules, history, reports (ARGS="-k history")
	@$(VENV)/bin/python -m pytest tests/integration --ignore tests/integration/test_fault_matrix.py \
	  --ignore tests/integration/test_root_causes.py --ignore tests/integration/backup $(ARGS)

.PHONY: backup-matrix
backup-matrix: ## Backups of real servers: made, damaged, proven, restored, and broken off at every point (ARGS="-n 0 -k redis")
	@$(VENV)/bin/python -m pytest tests/integration/backup -n 3 --dist loadfile $(ARGS)

.PHONY: fault-matrix
fault-matrix: ## On the lab: every fault causes exactly its findings (ARGS="-n 0 -k redis")
	@$(VENV)/bin/python -m pytest tests/integration/test_fault_matrix.py -n 3 --dist loadscope $(ARGS)

.PHONY: root-cause-matrix
root-cause-matrix: ## On the lab: one thing is broken, and the report's first line names it (ARGS="-k node-lost")
	@$(VENV)/bin/python -m pytest tests/integration/test_root_causes.py $(ARGS)

.PHONY: molecule
molecule: ## The morning, and backups, as molecule scenarios (SCENARIO=backup)
	@molecule test $(if $(SCENARIO),--scenario-name $(SCENARIO),--all)

##@ Keep
.PHONY: docs-check
docs-check: ## Is the documentation of all plugins and roles right, down to the last link? (20 s)
	antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck .
	@$(MAKE) site

.PHONY: docs
docs: ## Write the generated pages anew: checks, faults
	@$(VENV)/bin/python tools/generate_checks_doc.py
	@$(VENV)/bin/python tests/lab/faults.py list --write >/dev/null

SITE := .cache/site
.PHONY: site
site: ## Render the reference of plugins and roles as HTML: docs/_site/index.html
	@rm -rf $(SITE) docs/_site
	@install -d -m 0755 $(SITE)
	antsibull-docs sphinx-init --use-current --squash-hierarchy --sphinx-theme alabaster --dest-dir $(SITE) nexuscos.ops
	@cat docs/docsite/conf.py >> $(SITE)/conf.py
	@install -d -m 0755 $(SITE)/rst
	antsibull-docs --config-file $(SITE)/antsibull-docs.cfg collection --use-current --squash-hierarchy --dest-dir $(SITE)/rst nexuscos.ops
	sphinx-build -q -W --keep-going -c $(SITE) $(SITE)/rst docs/_site

.PHONY: changelog
changelog: ## Turn the fragments into CHANGELOG.md for the version in galaxy.yml
	antsibull-changelog release --reload-plugins

.PHONY: build
build: ## Build the collection: nexuscos-ops-<version>.tar.gz
	@ansible-galaxy collection build --force

.PHONY: pins
pins: ## Renew the pinned requirements (PACKAGE=name for one of them)
	@$(PYTHON) tools/setup.py --pins $(if $(PACKAGE),--package $(PACKAGE))

.PHONY: clean
clean: ## Remove what tests and builds made; keeps the lab and .venv
	@rm -rf .cache/test .cache/mypy .cache/ruff .cache/pytest* .ansible/ws .ansible/molecule docs/_site nexuscos-ops-*.tar.gz
	@find . -path ./.venv -prune -o -path ./.venv-oldest -prune -o -path ./.lab -prune -o -name __pycache__ -type d -print0 | xargs -0r rm -rf

.PHONY: distclean
distclean: clean ## Remove the environments, too
	@rm -rf .venv .venv.new .venv.old .venv-oldest* .cache .ansible

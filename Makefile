# Everything a person or a pipeline does with this checkout. `make` alone lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

VENV := .venv
# Any interpreter that really runs: a pyenv shim of a version that is not active exists and fails.
PYTHON ?= $(shell for p in python3 /usr/bin/python3 python3.13 python3.12 python3.11; do \
	if $$p -c '' 2>/dev/null; then echo $$p; break; fi; done)
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export PYTHONDONTWRITEBYTECODE := 1

##@ Start here
.PHONY: help
help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z][a-z_-]*:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo

.PHONY: setup
setup: ## Make .venv with all tools (a minute the first time, nothing after); OLDEST=1 makes .venv-oldest
	@$(PYTHON) tools/setup.py $(if $(OLDEST),--oldest) $(if $(PYTHON_VERSION),--python $(PYTHON_VERSION))

.PHONY: setup-oldest
setup-oldest: ## Make .venv-oldest: the oldest ansible-core we support
	@$(PYTHON) tools/setup.py --oldest

-include $(wildcard tests/lab/*.mk)

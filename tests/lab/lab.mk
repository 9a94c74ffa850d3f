##@ The lab: the whole platform on this machine
LAB := $(VENV)/bin/python tests/lab/lab.py

.PHONY: lab
lab: setup ## Bring the lab up (again: under a minute); NOWAIT=1 leaves Kubernetes to the background; ONLY=redis,edge
	@$(LAB) up $(if $(NOWAIT),--nowait) $(if $(ONLY),--only $(ONLY))

.PHONY: lab-wait
lab-wait: ## Follow a lab that is coming up in the background until it is there; NOWAIT=1 does not wait for Kubernetes
	@$(LAB) wait $(if $(NOWAIT),--nowait)

.PHONY: lab-status
lab-status: ## What runs where, with addresses and how to log in; JSON=1 for machines
	@$(LAB) status $(if $(JSON),--json)

.PHONY: lab-env
lab-env: ## Print `export` lines for any tool: eval "$$(make -s lab-env)"
	@$(LAB) env

.PHONY: lab-down
lab-down: ## End every process and remove all that the lab made; KEEP=1 keeps data, logs and passwords
	@$(if $(wildcard $(VENV)/bin/python),$(LAB),$(PYTHON) tests/lab/lab.py) down $(if $(KEEP),--keep)

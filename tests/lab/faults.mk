##@ Faults
.PHONY: fault
fault: ## Break the lab on purpose: make fault NAME=k8s-crash-loop
	@test -n "$(NAME)" || { echo "which one? make fault NAME=…; make faults lists them"; exit 2; }
	@$(VENV)/bin/python tests/lab/faults.py apply "$(NAME)"

.PHONY: heal
heal: ## Mend one fault (NAME=…) or all that are in force
	@$(VENV)/bin/python tests/lab/faults.py heal $(NAME)

.PHONY: faults
faults: ## List the faults; a star marks those in force
	@$(VENV)/bin/python tests/lab/faults.py list

.PHONY: root-causes
root-causes: ## Break one thing after the other and see whether the first line names it (NAME=primary-stopped; 15 minutes)
	@$(VENV)/bin/python tests/lab/root_causes.py $(NAME)

.PHONY: bundle
bundle: ## Record the healthy lab into tests/lab/bundle, which demo and a first daily judge
	@$(VENV)/bin/python tests/lab/bundle.py

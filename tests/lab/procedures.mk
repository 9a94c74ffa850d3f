##@ The runbook's procedures, on the lab
# Exit status is the procedure's own policy (nexuscos_fail_on): not 0 when something is critical. FAIL_ON=never changes that.
PROCEDURE = ansible-playbook $(if $(FAIL_ON),-e nexuscos_fail_on=$(FAIL_ON)) $(ARGS)

.PHONY: daily
daily: ## The morning report about the lab; what Kubernetes is not yet ready for is judged from a recording (WAIT=1 waits)
	@$(MAKE) lab $(if $(WAIT),,NOWAIT=1)
	@$(PROCEDURE) -i inventories/lab nexuscos.ops.daily_morning

.PHONY: demo
demo: setup ## The same report from a recording of the lab: no root, no server, no network
	@$(PROCEDURE) -i inventories/demo nexuscos.ops.daily_morning

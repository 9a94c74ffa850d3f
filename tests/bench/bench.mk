##@ Measure
.PHONY: bench
bench: setup ## Measure against what one would use without the collection; the table goes to docs/bench.md (NAME=endpoints for one)
	@$(VENV)/bin/python tests/bench/run.py $(or $(NAME),--write)

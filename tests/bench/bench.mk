##@ Measure
.PHONY: bench
bench: setup ## Measure against what one would use without the collection; the table goes to docs/bench.md (NAME="endpoints logs" for some)
	@$(VENV)/bin/python tests/bench/run.py --write $(NAME)

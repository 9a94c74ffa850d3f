##@ The page
.PHONY: chromium
chromium:
	@command -v chromium > /dev/null || { echo "chromium: installing Debian's (about a minute, once)"; \
	  apt-get install -qq --no-install-recommends chromium > /dev/null 2>&1 || \
	  { apt-get update -qq && apt-get install -qq --no-install-recommends chromium > /dev/null; }; }

.PHONY: browser
browser: setup chromium ## The report's page in a real browser: both themes, phone, keyboard, print, axe (1 to 2 min)
	@$(VENV)/bin/python -m pytest -c pyproject.toml tests/browser $(ARGS)
